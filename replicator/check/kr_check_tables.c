/*
 * --check: the tables that clients can query, their keys and old rows.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_catalog.h"
#include "kr_check_private.h"


enum {
    KR_TABLE_NAME = 0,
    KR_TABLE_KIND,
    KR_TABLE_LOGGED,
    KR_TABLE_PARENT,
    KR_TABLE_IDENTITY,
    KR_TABLE_KEYS,
    KR_TABLE_READABLE,
    KR_TABLE_ALL
};


/*
 * keys: the columns that may be a subscription's pk, as kr_catalog_ask.c finds
 * them.  A partition counts as readable if the role may read a table above it.
 * The tables of extensions are left out.
 */
static const char  kr_check_tables_sql[] =
    "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind,"
    " c.relpersistence = 'p', EXISTS (SELECT FROM pg_catalog.pg_inherits i"
    "  WHERE i.inhparent = c.oid), c.relreplident,"
    " (SELECT pg_catalog.string_agg((SELECT pg_catalog.string_agg("
    "    pg_catalog.quote_ident(a.attname), ', ' ORDER BY k.n)"
    "   FROM pg_catalog.unnest((i.indkey::int2[])[0:i.indnkeyatts - 1])"
    "    WITH ORDINALITY AS k(attnum, n) JOIN pg_catalog.pg_attribute a"
    "    ON a.attrelid = c.oid AND a.attnum = k.attnum), ' or '"
    "   ORDER BY i.indisprimary DESC, i.indexrelid)"
    "  FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid"
    "  AND i.indisunique AND i.indisvalid AND i.indimmediate"
    "  AND i.indpred IS NULL AND i.indexprs IS NULL"
    "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute o"
    "   WHERE o.attrelid = c.oid AND " KR_ASK_NULLS
    "   AND o.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))),"
    " EXISTS (SELECT FROM pg_catalog.pg_class r"
    "  WHERE (r.oid = c.oid OR c.relispartition AND r.oid IN"
    "   (SELECT pg_catalog.pg_partition_ancestors(c.oid)))"
    "  AND pg_catalog.has_schema_privilege(r.relnamespace, 'USAGE')"
    "  AND pg_catalog.has_any_column_privilege(r.oid, 'SELECT'))"
    "  AS readable,"
    " pg_catalog.count(*) OVER ()"
    " FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'"
    " AND n.nspname <> 'information_schema'"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
    "  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "  AND d.objid = c.oid AND d.deptype = 'e')"
    " UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0"
    " ORDER BY readable DESC NULLS LAST, 1 LIMIT 1000";


static void kr_check_privileges(kr_check_t *ck, const PGresult *res);
static void kr_check_table(kr_check_t *ck, const PGresult *res, int row);
static int kr_check_kind(kr_check_t *ck, const PGresult *res, int row);
static int kr_check_key(kr_check_t *ck, const PGresult *res, int row);
static int kr_check_identity(kr_check_t *ck, const PGresult *res, int row);
static int kr_check_true(const PGresult *res, int row, int column);


void
kr_check_tables(kr_check_t *ck)
{
    int        i, n;
    PGresult  *res;

    res = kr_check_query(ck, "the tables", kr_check_tables_sql, NULL);
    if (res == NULL) {
        return;
    }

    kr_check_privileges(ck, res);

    n = PQntuples(res);

    for (i = 0; i < n && kr_check_true(res, i, KR_TABLE_READABLE); i++) {
        kr_check_table(ck, res, i);
    }

    if (i == n) {
        kr_buf_printf(&ck->text, "only the first %d tables were looked at",
                      n);
        kr_check_say(ck, KR_CHECK_NOTE);
    }

    PQclear(res);
}


static void
kr_check_privileges(kr_check_t *ck, const PGresult *res)
{
    int   readable;
    long  all;

    all = strtol(PQgetvalue(res, 0, KR_TABLE_ALL), NULL, 10);

    for (readable = 0; readable < PQntuples(res); readable++) {
        if (!kr_check_true(res, readable, KR_TABLE_READABLE)) {
            break;
        }
    }

    if (all == 0) {
        kr_buf_str(&ck->text, "the database has no tables");
        kr_check_say(ck, KR_CHECK_NOTE);
        return;
    }

    kr_buf_printf(&ck->text, "the role %s, and so every client, may read %d "
                  "of %ld tables", ck->role.data, readable, all);

    if (readable != 0) {
        kr_check_say(ck, KR_CHECK_GOOD);
        return;
    }

    kr_buf_printf(&ck->fix, "GRANT USAGE ON SCHEMA ... TO %s; GRANT SELECT "
                  "ON %s, ... TO %s;", ck->role.data,
                  PQgetvalue(res, 0, KR_TABLE_NAME), ck->role.data);
    kr_check_say(ck, KR_CHECK_FAULT);
}


/* Writes one finding about a table. */
static void
kr_check_table(kr_check_t *ck, const PGresult *res, int row)
{
    int  key, identity;

    kr_buf_printf(&ck->text, "table %s: ",
                  PQgetvalue(res, row, KR_TABLE_NAME));

    if (kr_check_kind(ck, res, row) != KR_OK) {
        return;
    }

    key = kr_check_key(ck, res, row);
    kr_buf_str(&ck->text, ", ");
    identity = kr_check_identity(ck, res, row);

    kr_check_say(ck, (key == KR_OK && identity == KR_OK) ? KR_CHECK_GOOD
                                                          : KR_CHECK_FAULT);
}


/* KR_DECLINED: the table has no changes in the WAL; a finding is written. */
static int
kr_check_kind(kr_check_t *ck, const PGresult *res, int row)
{
    if (*PQgetvalue(res, row, KR_TABLE_KIND) == 'r'
        && kr_check_true(res, row, KR_TABLE_PARENT))
    {
        kr_buf_str(&ck->text, "others inherit from it: clients subscribe to "
                   "these");
        kr_check_say(ck, KR_CHECK_NOTE);
        return KR_DECLINED;
    }

    if (kr_check_true(res, row, KR_TABLE_LOGGED)) {
        return KR_OK;
    }

    kr_buf_str(&ck->text, "is unlogged, its changes are not in the WAL");
    kr_buf_printf(&ck->fix, "ALTER TABLE %s SET LOGGED;",
                  PQgetvalue(res, row, KR_TABLE_NAME));
    kr_check_say(ck, KR_CHECK_FAULT);

    return KR_DECLINED;
}


static int
kr_check_key(kr_check_t *ck, const PGresult *res, int row)
{
    if (!PQgetisnull(res, row, KR_TABLE_KEYS)) {
        kr_buf_printf(&ck->text, "pk can be %s",
                      PQgetvalue(res, row, KR_TABLE_KEYS));
        return KR_OK;
    }

    kr_buf_str(&ck->text, "there is no primary key");
    kr_buf_printf(&ck->fix, "ALTER TABLE %s ADD PRIMARY KEY (...);",
                  PQgetvalue(res, row, KR_TABLE_NAME));

    return KR_DECLINED;
}


static int
kr_check_identity(kr_check_t *ck, const PGresult *res, int row)
{
    const char  *which;

    if (*PQgetvalue(res, row, KR_TABLE_KIND) == 'p') {
        kr_buf_str(&ck->text, "replica identity is that of its partitions");
        return KR_OK;
    }

    switch (*PQgetvalue(res, row, KR_TABLE_IDENTITY)) {

    case 'f':
        kr_buf_str(&ck->text, "replica identity is FULL");
        return KR_OK;

    case 'i':
        which = "USING INDEX";
        break;

    case 'n':
        which = "NOTHING";
        break;

    default:
        which = "DEFAULT";
        break;
    }

    kr_buf_printf(&ck->text, "replica identity is %s: the WAL does not hold "
                  "the old rows", which);
    kr_buf_printf(&ck->fix, "%sALTER TABLE %s REPLICA IDENTITY FULL;",
                  ck->fix.len != 0 ? " " : "",
                  PQgetvalue(res, row, KR_TABLE_NAME));

    return KR_DECLINED;
}


static int
kr_check_true(const PGresult *res, int row, int column)
{
    return *PQgetvalue(res, row, column) == 't';
}
