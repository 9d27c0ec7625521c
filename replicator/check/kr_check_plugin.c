/*
 * --check: tests wal2json as the stream would use it.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "kr_check_private.h"
#include "kr_clock.h"
#include "kr_decode.h"


#define KR_CHECK_PATIENCE  5000        /* ms to wait for a new slot */
#define KR_CHECK_ROWS      1000        /* ms to wait for a changed row */
#define KR_CHECK_HEADER    25          /* bytes before a line of wal2json */


static int kr_check_try(kr_check_t *ck, const char *sql,
    ExecStatusType wanted);
static int kr_check_wait(PGconn *conn, int ms);
static int kr_check_rows(kr_check_t *ck);
static int kr_check_row(kr_decoder_t *d, const char *p, int len);
static int kr_check_input(PGconn *conn, uint64_t end);
static void kr_check_plugin_good(kr_check_t *ck, int seen);
static void kr_check_cancel(PGconn *conn);
static void kr_check_plugin_fault(kr_check_t *ck);


/*
 * Makes a slot that ends with the connection, and reads it as the stream
 * would: this finds a wal2json that is missing, forbidden or too old.
 */
void
kr_check_plugin(kr_check_t *ck)
{
    int       rc, seen;
    kr_buf_t  sql;

    if (ck->slot && ck->busy) {
        kr_buf_str(&ck->text, "wal2json is at work");
        kr_check_say(ck, KR_CHECK_GOOD);
        return;
    }

    if (!ck->logical || ck->stream.conn == NULL) {
        kr_buf_printf(&ck->text, "wal2json could not be tried: %s",
                      ck->logical ? "there is no connection for replication"
                                  : "wal_level is not \"logical\"");
        kr_buf_str(&ck->fix, "mend that, then check again");
        kr_check_say(ck, KR_CHECK_NOTE);
        return;
    }

    memset(&sql, 0, sizeof(kr_buf_t));

    kr_buf_printf(&sql, "CREATE_REPLICATION_SLOT \"kairos_check_%d\" "
                  "TEMPORARY LOGICAL \"wal2json\" NOEXPORT_SNAPSHOT",
                  PQbackendPID(ck->stream.conn));
    rc = kr_check_try(ck, sql.data, PGRES_TUPLES_OK);

    if (rc == KR_OK) {
        kr_buf_reset(&sql);
        kr_buf_printf(&sql, "START_REPLICATION SLOT \"kairos_check_%d\" "
                      "LOGICAL 0/0 (" KR_DECODE_OPTIONS ")",
                      PQbackendPID(ck->stream.conn));
        rc = kr_check_try(ck, sql.data, PGRES_COPY_BOTH);
    }

    kr_buf_free(&sql);
    seen = KR_AGAIN;

    if (rc == KR_OK) {
        seen = kr_check_rows(ck);
        rc = (seen == KR_ERROR) ? KR_ERROR : KR_OK;
    }

    if (rc == KR_OK) {
        kr_check_plugin_good(ck, seen);

    } else if (rc == KR_AGAIN) {
        kr_buf_str(&ck->text, "wal2json could not be tried: a slot is made "
                   "when the transactions that were open before have ended");
        kr_buf_str(&ck->fix, "SELECT pid, xact_start, query FROM "
                   "pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY "
                   "xact_start;");
        kr_check_say(ck, ck->slot ? KR_CHECK_NOTE : KR_CHECK_FAULT);

    } else {
        kr_check_plugin_fault(ck);
    }

    /* this removes the temporary slot */
    kr_pg_close(&ck->stream);
}


/*
 * Runs a command.  KR_OK: its status is `wanted`; KR_AGAIN: no answer came in
 * time; KR_ERROR: ck->stream has the error.
 */
static int
kr_check_try(kr_check_t *ck, const char *sql, ExecStatusType wanted)
{
    int              rc;
    PGconn          *conn;
    PGresult        *res, *rest;
    ExecStatusType   status;

    conn = ck->stream.conn;

    if (sql == NULL || PQsetnonblocking(conn, 0) != 0
        || !PQsendQuery(conn, sql))
    {
        kr_pg_error(&ck->stream, NULL);
        return KR_ERROR;
    }

    rc = kr_check_wait(conn, KR_CHECK_PATIENCE);

    if (rc == KR_AGAIN) {
        kr_check_cancel(conn);
    }

    if (rc != KR_OK) {
        kr_pg_error(&ck->stream, NULL);
        return rc;
    }

    res = PQgetResult(conn);
    status = PQresultStatus(res);

    if (status != wanted) {
        kr_pg_error(&ck->stream, res);
    }

    PQclear(res);

    while (status != PGRES_COPY_BOTH && (rest = PQgetResult(conn)) != NULL) {
        PQclear(rest);
    }

    return (status == wanted) ? KR_OK : KR_ERROR;
}


static int
kr_check_wait(PGconn *conn, int ms)
{
    int       rc;
    uint64_t  end;

    end = kr_now() + (uint64_t) ms;

    while (PQisBusy(conn)) {
        rc = kr_check_input(conn, end);
        if (rc != KR_OK) {
            return rc;
        }
    }

    return KR_OK;
}


/*
 * The age of a wal2json shows in its rows alone, so this waits for a changed
 * row.  KR_OK: a row came, and can be read; KR_AGAIN: none came; KR_ERROR:
 * ck->stream has the error.
 */
static int
kr_check_rows(kr_check_t *ck)
{
    int            n, rc, more;
    char          *p;
    PGconn        *conn;
    uint64_t       end;
    kr_decoder_t  *d;

    conn = ck->stream.conn;

    d = kr_decoder_create();
    if (d == NULL) {
        kr_pg_set_error(&ck->stream, "", "no memory");
        return KR_ERROR;
    }

    end = kr_now() + KR_CHECK_ROWS;

    do {
        n = PQgetCopyData(conn, &p, 1);

        if (n > 0) {
            rc = kr_check_row(d, p, n);
            PQfreemem(p);
            more = (rc == KR_AGAIN && kr_now() < end);

        } else {
            rc = (n == 0) ? kr_check_input(conn, end) : KR_ERROR;
            more = (rc == KR_OK);
        }

    } while (more);

    if (rc == KR_ERROR) {
        kr_pg_error(&ck->stream, NULL);

    } else if (rc == KR_DECLINED) {
        kr_pg_set_error(&ck->stream, "KR008", KR_DECODE_UNTYPED);
        rc = KR_ERROR;
    }

    kr_decoder_free(d);

    return rc;
}


/*
 * Reads a message.  KR_OK: a row whose columns have types; KR_DECLINED: a row
 * whose columns have none; KR_AGAIN: no row.
 */
static int
kr_check_row(kr_decoder_t *d, const char *p, int len)
{
    kr_change_t  c;
    const char  *reason;

    if (*p != 'w' || len < KR_CHECK_HEADER) {
        return KR_AGAIN;
    }

    if (kr_decode(d, p + KR_CHECK_HEADER, (size_t) (len - KR_CHECK_HEADER),
                  &c, &reason) == KR_OK)
    {
        return (c.ncolumns + c.nidentity != 0) ? KR_OK : KR_AGAIN;
    }

    return kr_decode_untyped(d) ? KR_DECLINED : KR_AGAIN;
}


/*
 * Waits for input until `end` (kr_now()).  KR_OK: libpq has read it, or the
 * wait was interrupted; KR_AGAIN: `end` has passed; KR_ERROR: it was lost.
 */
static int
kr_check_input(PGconn *conn, uint64_t end)
{
    int            rc;
    uint64_t       now;
    struct pollfd  pfd;

    now = kr_now();
    if (now >= end) {
        return KR_AGAIN;
    }

    pfd.fd = PQsocket(conn);
    pfd.events = POLLIN;

    rc = poll(&pfd, 1, (int) (end - now));

    if ((rc == -1 && errno != EINTR) || (rc > 0 && !PQconsumeInput(conn))) {
        return KR_ERROR;
    }

    return KR_OK;
}


/* A walsender that makes a slot does not notice that its client has ended. */
static void
kr_check_cancel(PGconn *conn)
{
    char       error[256];
    PGcancel  *cancel;

    cancel = PQgetCancel(conn);

    if (cancel != NULL) {
        (void) PQcancel(cancel, error, sizeof(error));
        PQfreeCancel(cancel);
    }
}


static void
kr_check_plugin_good(kr_check_t *ck, int seen)
{
    kr_buf_str(&ck->text, "wal2json is there");

    if (seen == KR_AGAIN) {
        kr_buf_str(&ck->text, " (whether it is 2.5 or newer shows in the "
                   "first row that changes)");
    }

    kr_check_say(ck, KR_CHECK_GOOD);
}


static void
kr_check_plugin_fault(kr_check_t *ck)
{
    const char    *advice;
    kr_verdict_e   verdict;

    verdict = KR_CHECK_FAULT;
    advice = kr_pg_lasting(&ck->stream);

    kr_buf_printf(&ck->text, "%s%s",
                  strcmp(ck->stream.sqlstate, "KR008") == 0
                  ? "" : "wal2json could not be tried: ",
                  kr_pg_message(&ck->stream));

    if (strcmp(ck->stream.sqlstate, "58P01") == 0) {
        kr_buf_printf(&ck->fix, "install wal2json for PostgreSQL %d on its "
                      "machine (Debian: apt install postgresql-%d-wal2json)",
                      PQserverVersion(ck->pg.conn) / 10000,
                      PQserverVersion(ck->pg.conn) / 10000);

    } else if (advice != NULL) {
        kr_buf_str(&ck->fix, advice);

    } else if (strcmp(ck->stream.sqlstate, "53400") == 0) {
        kr_buf_str(&ck->fix, "ALTER SYSTEM SET max_replication_slots = ...; "
                   "then restart PostgreSQL");

        /* if SLOT exists, no further slot is needed */
        verdict = ck->slot ? KR_CHECK_NOTE : KR_CHECK_FAULT;
    }

    kr_check_say(ck, verdict);
}
