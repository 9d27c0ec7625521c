/*
 * How --check writes a finding, and how it queries the database.
 */

#include <stdio.h>

#include "kr_check_private.h"


void
kr_check_say(kr_check_t *ck, kr_verdict_e verdict)
{
    static const char *const  names[] = {
        [KR_CHECK_GOOD] = "good ",
        [KR_CHECK_NOTE] = "note ",
        [KR_CHECK_FAULT] = "FAULT"
    };

    if (ck->text.failed || ck->fix.failed) {
        printf("FAULT  no memory\n");
        ck->faults++;

    } else {
        printf("%s  %s\n", names[verdict], ck->text.data);

        if (ck->fix.len != 0) {
            printf("       -> %s\n", ck->fix.data);
        }

        ck->faults += (verdict == KR_CHECK_FAULT);
    }

    ck->text.failed = 0;
    ck->fix.failed = 0;
    kr_buf_reset(&ck->text);
    kr_buf_reset(&ck->fix);
}


PGresult *
kr_check_query(kr_check_t *ck, const char *what, const char *sql,
    const char *param)
{
    PGresult  *res;

    res = PQexecParams(ck->pg.conn, sql, (param != NULL), NULL, &param, NULL,
                       NULL, 0);

    if (PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) > 0) {
        return res;
    }

    kr_buf_printf(&ck->text, "could not read %s: ", what);

    if (PQresultStatus(res) == PGRES_TUPLES_OK) {
        kr_buf_str(&ck->text, "no row came");

    } else {
        kr_pg_error(&ck->pg, (res != NULL
                              && PQstatus(ck->pg.conn) == CONNECTION_OK)
                             ? res : NULL);
        kr_buf_str(&ck->text, kr_pg_message(&ck->pg));
    }

    kr_check_say(ck, KR_CHECK_FAULT);
    PQclear(res);

    return NULL;
}
