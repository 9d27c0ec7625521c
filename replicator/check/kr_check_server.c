/*
 * --check: the server's version and settings, and the role.
 */

#include <string.h>

#include "kr_check_private.h"


#define KR_CHECK_MIN_VERSION  130000


enum {
    KR_SERVER_VERSION = 0,
    KR_SERVER_WAL_LEVEL,
    KR_SERVER_ENCODING,
    KR_SERVER_ROLE,
    KR_SERVER_SUPERUSER,
    KR_SERVER_KEEP
};

static const char  kr_check_server_sql[] =
    "SELECT pg_catalog.current_setting('server_version'),"
    " pg_catalog.current_setting('wal_level'),"
    " pg_catalog.pg_encoding_to_char(d.encoding),"
    " pg_catalog.quote_ident(r.rolname), r.rolsuper,"
    " pg_catalog.current_setting('max_slot_wal_keep_size', true)"
    " FROM pg_catalog.pg_database d, pg_catalog.pg_roles r"
    " WHERE d.datname = pg_catalog.current_database()"
    " AND r.rolname = current_user";


static void kr_check_wal_level(kr_check_t *ck, const char *level);
static void kr_check_encoding(kr_check_t *ck, const char *encoding);
static void kr_check_keep(kr_check_t *ck, const char *keep);


int
kr_check_server(kr_check_t *ck)
{
    PGresult  *res;

    if (PQserverVersion(ck->pg.conn) < KR_CHECK_MIN_VERSION) {
        kr_buf_printf(&ck->text, "PostgreSQL is %d.x, too old",
                      PQserverVersion(ck->pg.conn) / 10000);
        kr_buf_str(&ck->fix, "upgrade PostgreSQL to 13 or newer");
        kr_check_say(ck, KR_CHECK_FAULT);
        return KR_ERROR;
    }

    res = kr_check_query(ck, "the server's settings", kr_check_server_sql,
                         NULL);
    if (res == NULL) {
        return KR_ERROR;
    }

    kr_buf_printf(&ck->text, "PostgreSQL is %s",
                  PQgetvalue(res, 0, KR_SERVER_VERSION));
    kr_check_say(ck, KR_CHECK_GOOD);

    kr_check_wal_level(ck, PQgetvalue(res, 0, KR_SERVER_WAL_LEVEL));
    kr_check_encoding(ck, PQgetvalue(res, 0, KR_SERVER_ENCODING));
    kr_check_keep(ck, PQgetvalue(res, 0, KR_SERVER_KEEP));

    kr_buf_str(&ck->role, PQgetvalue(res, 0, KR_SERVER_ROLE));

    if (strcmp(PQgetvalue(res, 0, KR_SERVER_SUPERUSER), "t") == 0) {
        kr_buf_printf(&ck->text, "the role %s is a superuser: clients can "
                      "read every table", ck->role.data);
        kr_buf_str(&ck->fix, "CREATE ROLE kairos LOGIN REPLICATION PASSWORD "
                   "'...'; and GRANT SELECT on what is public");
        kr_check_say(ck, KR_CHECK_NOTE);
    }

    PQclear(res);

    return KR_OK;
}


static void
kr_check_wal_level(kr_check_t *ck, const char *level)
{
    ck->logical = (strcmp(level, "logical") == 0);

    kr_buf_printf(&ck->text, "wal_level is \"%s\"", level);

    if (ck->logical) {
        kr_check_say(ck, KR_CHECK_GOOD);
        return;
    }

    kr_buf_str(&ck->text, ", not \"logical\"");
    kr_buf_str(&ck->fix, "ALTER SYSTEM SET wal_level = logical; then restart "
               "PostgreSQL");
    kr_check_say(ck, KR_CHECK_FAULT);
}


static void
kr_check_encoding(kr_check_t *ck, const char *encoding)
{
    kr_buf_printf(&ck->text, "the database's encoding is %s", encoding);

    if (strcmp(encoding, "UTF8") == 0) {
        kr_check_say(ck, KR_CHECK_GOOD);
        return;
    }

    kr_buf_str(&ck->text, ", not UTF8");
    kr_buf_str(&ck->fix, "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE "
               "template0;");
    kr_check_say(ck, KR_CHECK_FAULT);
}


static void
kr_check_keep(kr_check_t *ck, const char *keep)
{
    if (strcmp(keep, "-1") != 0) {
        kr_buf_printf(&ck->text, "an unread slot keeps %s of WAL, at most",
                      keep);
        kr_check_say(ck, KR_CHECK_GOOD);
        return;
    }

    kr_buf_str(&ck->text, "an unread slot keeps WAL until the disk is full");
    kr_buf_str(&ck->fix, "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; "
               "SELECT pg_reload_conf();");
    kr_check_say(ck, KR_CHECK_NOTE);
}
