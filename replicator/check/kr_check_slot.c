/*
 * --check: the slot, its reader, and its distance to the end of the WAL.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_check_private.h"
#include "kr_slot.h"


#define KR_CHECK_LAG  (1024LL * 1024 * 1024)    /* bytes; more get a note */


enum {
    KR_SLOT_NAME = 0,
    KR_SLOT_PLUGIN,
    KR_SLOT_DATABASE,
    KR_SLOT_OURS,
    KR_SLOT_STATUS,
    KR_SLOT_PID,
    KR_SLOT_HOLDER,
    KR_SLOT_ADDRESS,
    KR_SLOT_LAG,
    KR_SLOT_KEPT,
    KR_SLOT_KEPT_PRETTY,
    KR_SLOT_LAG_PRETTY,
    KR_SLOT_FULL,
    KR_SLOT_MAX,
    KR_SLOT_WHY
};


static const char  kr_check_slot_sql[] =
    "WITH w AS (SELECT pg_catalog.pg_current_wal_lsn() AS lsn)"
    " SELECT s.slot_name, s.plugin, s.database,"
    " s.database = pg_catalog.current_database(), s.wal_status,"
    " s.active_pid, a.application_name, pg_catalog.host(a.client_addr),"
    " pg_catalog.pg_wal_lsn_diff(w.lsn, s.confirmed_flush_lsn),"
    " pg_catalog.pg_wal_lsn_diff(w.lsn, s.restart_lsn),"
    " pg_catalog.pg_size_pretty("
    "  pg_catalog.pg_wal_lsn_diff(w.lsn, s.restart_lsn)),"
    " pg_catalog.pg_size_pretty("
    "  pg_catalog.pg_wal_lsn_diff(w.lsn, s.confirmed_flush_lsn)),"
    " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots)"
    "  >= pg_catalog.current_setting('max_replication_slots')::int,"
    " pg_catalog.current_setting('max_replication_slots')::int,"
    " " KR_SLOT_CAUSE
    " FROM w LEFT JOIN pg_catalog.pg_replication_slots s"
    " ON s.slot_name = $1"
    " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid";


static void kr_check_missing(kr_check_t *ck, const PGresult *res);
static int kr_check_usable(kr_check_t *ck, const PGresult *res);
static void kr_check_lost(kr_check_t *ck, const PGresult *res);
static void kr_check_reader(kr_check_t *ck, const PGresult *res);
static void kr_check_lag(kr_check_t *ck, const PGresult *res);


void
kr_check_slot(kr_check_t *ck)
{
    PGresult  *res;

    res = kr_check_query(ck, "the slot", kr_check_slot_sql, ck->cf->slot);
    if (res == NULL) {
        return;
    }

    if (PQgetisnull(res, 0, KR_SLOT_NAME)) {
        kr_check_missing(ck, res);

    } else if (kr_check_usable(ck, res) == KR_OK) {
        ck->slot = 1;
        ck->busy = !PQgetisnull(res, 0, KR_SLOT_PID);

        kr_check_reader(ck, res);
        kr_check_lag(ck, res);
    }

    PQclear(res);
}


static void
kr_check_missing(kr_check_t *ck, const PGresult *res)
{
    kr_buf_printf(&ck->text, "the slot \"%s\" does not exist",
                  ck->cf->slot);

    if (strcmp(PQgetvalue(res, 0, KR_SLOT_FULL), "t") == 0) {
        kr_buf_printf(&ck->text, ", and all %s are in use",
                      PQgetvalue(res, 0, KR_SLOT_MAX));
        kr_buf_str(&ck->fix, "SELECT pg_drop_replication_slot(...) for one "
                   "that is not needed, or ALTER SYSTEM SET "
                   "max_replication_slots = ...; then restart PostgreSQL");
        kr_check_say(ck, KR_CHECK_FAULT);
        return;
    }

    if (ck->cf->create_slot) {
        kr_buf_str(&ck->text, ": it is made at start");
        kr_check_say(ck, KR_CHECK_NOTE);
        return;
    }

    kr_buf_str(&ck->text, ", and must not be made at start");
    kr_buf_printf(&ck->fix, "SELECT pg_create_logical_replication_slot('%s', "
                  "'wal2json');", ck->cf->slot);
    kr_check_say(ck, KR_CHECK_FAULT);
}


static int
kr_check_usable(kr_check_t *ck, const PGresult *res)
{
    const char  *slot;

    slot = ck->cf->slot;

    if (PQgetisnull(res, 0, KR_SLOT_PLUGIN)) {
        kr_buf_printf(&ck->text, "the slot \"%s\" is for physical "
                      "replication", slot);

    } else if (strcmp(PQgetvalue(res, 0, KR_SLOT_PLUGIN), "wal2json") != 0) {
        kr_buf_printf(&ck->text, "the slot \"%s\" has the plugin \"%s\", not "
                      "\"wal2json\"", slot,
                      PQgetvalue(res, 0, KR_SLOT_PLUGIN));

    } else if (strcmp(PQgetvalue(res, 0, KR_SLOT_OURS), "t") != 0) {
        kr_buf_printf(&ck->text, "the slot \"%s\" belongs to the database "
                      "\"%s\"", slot, PQgetvalue(res, 0, KR_SLOT_DATABASE));

    } else if (strcmp(PQgetvalue(res, 0, KR_SLOT_STATUS), "lost") == 0) {
        kr_check_lost(ck, res);
        return KR_DECLINED;

    } else {
        return KR_OK;
    }

    kr_buf_printf(&ck->fix, "name another slot in SLOT, or SELECT "
                  "pg_drop_replication_slot('%s');", slot);
    kr_check_say(ck, KR_CHECK_FAULT);

    return KR_DECLINED;
}


static void
kr_check_lost(kr_check_t *ck, const PGresult *res)
{
    kr_buf_printf(&ck->text, "the slot \"%s\" was invalidated by PostgreSQL "
                  "(%s), changes are missing", ck->cf->slot,
                  PQgetvalue(res, 0, KR_SLOT_WHY));

    if (ck->cf->create_slot) {
        kr_buf_str(&ck->text, "; it is made anew at start");
        kr_check_say(ck, KR_CHECK_NOTE);
        return;
    }

    kr_buf_printf(&ck->fix, "SELECT pg_drop_replication_slot('%s'); SELECT "
                  "pg_create_logical_replication_slot('%s', 'wal2json');",
                  ck->cf->slot, ck->cf->slot);
    kr_check_say(ck, KR_CHECK_FAULT);
}


/* Without the right to see them, other roles' names and addresses are NULL. */
static void
kr_check_reader(kr_check_t *ck, const PGresult *res)
{
    const char  *pid, *holder, *address;

    kr_buf_printf(&ck->text, "the slot \"%s\" is ", ck->cf->slot);

    if (PQgetisnull(res, 0, KR_SLOT_PID)) {
        kr_buf_str(&ck->text, "there, and nobody reads it");
        kr_check_say(ck, KR_CHECK_GOOD);
        return;
    }

    pid = PQgetvalue(res, 0, KR_SLOT_PID);
    holder = PQgetvalue(res, 0, KR_SLOT_HOLDER);
    address = PQgetvalue(res, 0, KR_SLOT_ADDRESS);

    kr_buf_printf(&ck->text, "read by \"%s\" (PostgreSQL's process %s%s%s)",
                  holder, pid, (*address != '\0') ? ", from " : "", address);

    if (strcmp(holder, "kairos-replicator") == 0) {
        kr_check_say(ck, KR_CHECK_GOOD);
        return;
    }

    kr_buf_printf(&ck->fix, "name another slot in SLOT, or SELECT "
                  "pg_terminate_backend(%s);", pid);
    kr_check_say(ck, KR_CHECK_FAULT);
}


static void
kr_check_lag(kr_check_t *ck, const PGresult *res)
{
    kr_verdict_e  verdict;

    kr_buf_printf(&ck->text, "the slot \"%s\" is %s behind and keeps %s of "
                  "WAL (%s)", ck->cf->slot,
                  PQgetvalue(res, 0, KR_SLOT_LAG_PRETTY),
                  PQgetvalue(res, 0, KR_SLOT_KEPT_PRETTY),
                  PQgetvalue(res, 0, KR_SLOT_STATUS));

    verdict = KR_CHECK_GOOD;

    if (strtoll(PQgetvalue(res, 0, KR_SLOT_KEPT), NULL, 10) > KR_CHECK_LAG) {
        kr_buf_str(&ck->fix, ck->busy ? "SELECT pid, xact_start, query FROM "
                   "pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY "
                   "xact_start; (an old transaction holds it)"
                   : "start kairos-replicator");
        verdict = KR_CHECK_NOTE;
    }

    kr_check_say(ck, verdict);
}
