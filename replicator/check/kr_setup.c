/*
 * The SQL of --print-setup.
 *
 * An event trigger cannot write a logical message for the stream: every role
 * can write messages, so the replicator reads none but those of a prefix that
 * it makes up at each start.  A row of a table is another matter: no role but
 * the owner may write it, and wal2json prints it in the order of the commits.
 *
 * The function deletes its row at once.  So the table stays empty, no DDL
 * waits for the row of another, and no transaction reads rows of others, which
 * could fail a SERIALIZABLE one.
 */

#include <stdio.h>

#include "kr_alter.h"
#include "kr_setup.h"


#define KR_SETUP_NAME  KR_ALTER_SCHEMA "." KR_ALTER_TABLE


static const char *const  kr_setup_sql[] = {
    "-- kairos-replicator notices each DDL statement at once, and not within\n"
    "-- seconds, if this was run in its database, as a superuser:\n"
    "--\n"
    "--     kairos-replicator --print-setup | psql -v ON_ERROR_STOP=1 ...\n"
    "--\n"
    "-- It may be run again.  To undo it:\n"
    "--\n"
    "--     DROP EVENT TRIGGER IF EXISTS " KR_SETUP_ON_DDL ";\n"
    "--     DROP EVENT TRIGGER IF EXISTS " KR_SETUP_ON_DROP ";\n"
    "--     DROP FUNCTION IF EXISTS " KR_ALTER_SCHEMA ".note_ddl();\n"
    "--     DROP TABLE IF EXISTS " KR_SETUP_NAME ";\n"
    "--     DROP SCHEMA IF EXISTS " KR_ALTER_SCHEMA ";\n"
    "\n"
    "BEGIN;\n"
    "\n",

    "-- the function writes into this table with its owner's rights\n"
    "DO $kairos$\n"
    "DECLARE\n"
    "    owner name;\n"
    "BEGIN\n"
    "    FOR owner IN\n"
    "        SELECT r.rolname FROM pg_catalog.pg_roles r\n"
    "        WHERE r.rolname <> current_user AND NOT r.rolsuper\n"
    "        AND r.oid IN (\n"
    "            SELECT n.nspowner FROM pg_catalog.pg_namespace n\n"
    "            WHERE n.nspname = '" KR_ALTER_SCHEMA "'\n"
    "            UNION ALL SELECT c.relowner FROM pg_catalog.pg_class c\n"
    "            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
    "            WHERE n.nspname = '" KR_ALTER_SCHEMA "'\n"
    "            UNION ALL SELECT p.proowner FROM pg_catalog.pg_proc p\n"
    "            JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace\n"
    "            WHERE n.nspname = '" KR_ALTER_SCHEMA "')\n"
    "    LOOP\n"
    "        RAISE EXCEPTION 'the role % owns the schema " KR_ALTER_SCHEMA ","
    " or a part of it', owner;\n"
    "    END LOOP;\n"
    "END\n"
    "$kairos$;\n"
    "\n",

    "CREATE SCHEMA IF NOT EXISTS " KR_ALTER_SCHEMA ";\n"
    "REVOKE ALL ON SCHEMA " KR_ALTER_SCHEMA " FROM PUBLIC;\n"
    "\n"
    "CREATE TABLE IF NOT EXISTS " KR_SETUP_NAME " (command text);\n"
    "REVOKE ALL ON TABLE " KR_SETUP_NAME " FROM PUBLIC;\n"
    "ALTER TABLE " KR_SETUP_NAME " REPLICA IDENTITY FULL;\n"
    "\n",

    "CREATE OR REPLACE FUNCTION " KR_ALTER_SCHEMA ".note_ddl()\n"
    "RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER\n"
    "SET search_path = pg_catalog, pg_temp AS $kairos$\n"
    "DECLARE\n"
    "    place tid;\n"
    "    counts boolean;\n"
    "BEGIN\n"
    "    IF tg_event = 'sql_drop' THEN\n"
    "        counts := EXISTS (\n"
    "            SELECT FROM pg_catalog.pg_event_trigger_dropped_objects() d\n"
    "            WHERE d.original AND NOT d.is_temporary);\n"
    "    ELSE\n"
    "        counts := tg_tag NOT IN ('REFRESH MATERIALIZED VIEW', 'REINDEX')"
    "\n        AND EXISTS (\n"
    "            SELECT FROM pg_catalog.pg_event_trigger_ddl_commands() d\n"
    "            WHERE d.schema_name IS DISTINCT FROM 'pg_temp');\n"
    "    END IF;\n"
    "\n"
    "    IF counts THEN\n"
    "        INSERT INTO " KR_SETUP_NAME " VALUES (tg_tag)\n"
    "            RETURNING ctid INTO place;\n"
    "        DELETE FROM " KR_SETUP_NAME " WHERE ctid = place;\n"
    "    END IF;\n"
    "\n",

    "EXCEPTION WHEN OTHERS THEN\n"
    "    RAISE WARNING 'kairos could not note %: %', tg_tag, SQLERRM;\n"
    "END\n"
    "$kairos$;\n"
    "\n"
    "DROP EVENT TRIGGER IF EXISTS " KR_SETUP_ON_DDL ";\n"
    "DROP EVENT TRIGGER IF EXISTS " KR_SETUP_ON_DROP ";\n"
    "CREATE EVENT TRIGGER " KR_SETUP_ON_DDL " ON ddl_command_end\n"
    "    EXECUTE FUNCTION " KR_ALTER_SCHEMA ".note_ddl();\n"
    "CREATE EVENT TRIGGER " KR_SETUP_ON_DROP " ON sql_drop\n"
    "    EXECUTE FUNCTION " KR_ALTER_SCHEMA ".note_ddl();\n"
    "\n"
    "COMMIT;\n",

    NULL
};


void
kr_setup_print(void)
{
    const char *const  *part;

    for (part = kr_setup_sql; *part != NULL; part++) {
        fputs(*part, stdout);
    }
}
