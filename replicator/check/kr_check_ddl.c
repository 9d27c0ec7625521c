/*
 * --check: whether DDL is noticed at once, see kr_setup.h.
 */

#include "kr_check_private.h"
#include "kr_setup.h"


/* how many of both event triggers there are, and how many of them fire */
static const char  kr_check_ddl_sql[] =
    "SELECT pg_catalog.count(*),"
    " pg_catalog.count(*) FILTER (WHERE e.evtenabled IN ('O', 'A')) = 2"
    " FROM pg_catalog.pg_event_trigger e"
    " WHERE e.evtname IN ('" KR_SETUP_ON_DDL "',"
    " '" KR_SETUP_ON_DROP "')";


void
kr_check_ddl(kr_check_t *ck)
{
    PGresult  *res;

    res = kr_check_query(ck, "the event triggers", kr_check_ddl_sql, NULL);
    if (res == NULL) {
        return;
    }

    if (*PQgetvalue(res, 0, 1) == 't') {
        kr_buf_str(&ck->text, "altered tables are noticed at once");
        kr_check_say(ck, KR_CHECK_GOOD);

    } else {
        kr_buf_printf(&ck->text, "altered tables are noticed within seconds: "
                      "the event triggers that report them are %s",
                      *PQgetvalue(res, 0, 0) == '0' ? "not installed"
                                                    : "disabled");
        kr_buf_str(&ck->fix, "kairos-replicator --print-setup prints the SQL "
                   "by which they are noticed at once");
        kr_check_say(ck, KR_CHECK_NOTE);
    }

    PQclear(res);
}
