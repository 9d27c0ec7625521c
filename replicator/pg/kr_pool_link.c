/*
 * A job on a connection: sends its pipeline and reads the answers.
 *
 * In pipeline mode the server skips the statements between an error and the
 * sync.  An open transaction then stays open, and the link sends a pipeline
 * with a ROLLBACK.  If a result grows too large, the pool closes the
 * connection: libpq's cancel would block, and the server, which is writing,
 * notices the close at once.
 */

#include <stdio.h>
#include <string.h>

#include "kr_log.h"
#include "kr_pool_private.h"


#define KR_LINK_PATIENCE  5000    /* ms beyond the statement's time-out */
#define KR_LINK_VALUE     (sizeof(char *) + sizeof(int))    /* libpq's own */
#define KR_LINK_MOMENT    -1      /* ln->answer of the moment's statement */


static int kr_link_send(kr_link_t *ln, const kr_job_t *job);
static int kr_link_begin(kr_link_t *ln, const kr_job_t *job);
static int kr_link_transaction(const kr_link_t *ln, const kr_job_t *job);
static int kr_link_before(kr_link_t *ln, const char *sql);
static int kr_link_command(kr_link_t *ln, const char *sql);
static void kr_link_single_row(kr_link_t *ln);
static void kr_link_idle(kr_link_t *ln);
static int kr_link_result(kr_link_t *ln, PGresult *res);
static int kr_link_rows(kr_link_t *ln, PGresult *res);
static int kr_link_moment(kr_link_t *ln, const PGresult *res);
static int kr_link_keep(kr_link_t *ln, PGresult *res);
static int kr_link_collect(kr_link_t *ln, const PGresult *res);
static void kr_link_synced(kr_link_t *ln);
static void kr_link_lose(kr_link_t *ln, kr_job_status_e status, int error);


/*
 * The moment of a transaction is read before the job's statements.  In a
 * SNAPSHOT job this statement takes the snapshot of all others; in a COMMITTED
 * job its snapshot is older than theirs.
 */
static const char  kr_link_moment_sql[] =
    "SELECT pg_catalog.pg_current_snapshot()::text,"
    " pg_catalog.pg_current_wal_insert_lsn()::text";

/*
 * Counts the tables that have another file now than in the snapshot:
 * c.relfilenode is read with the snapshot, and pg_relation_filenode() returns
 * the present file.
 */
static const char  kr_link_rewritten_sql[] =
    "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c"
    " WHERE c.oid IN (SELECT pg_catalog.to_regclass(u.name)"
    "  FROM pg_catalog.unnest($1::pg_catalog.text[]) AS u(name))"
    " AND c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid)";


int
kr_link_start(kr_link_t *ln, kr_job_t *job)
{
    ln->bytes = 0;
    ln->failed = 0;
    ln->answer = 0;
    ln->max_bytes = job->max_bytes;
    ln->nstatements = job->nstatements;
    ln->rewritten = (job->tables != NULL);

    if (kr_link_send(ln, job) != KR_OK) {
        kr_pg_error(&ln->pg, NULL);
        return KR_ERROR;
    }

    if (kr_pg_flush(&ln->pg) != KR_OK) {
        return KR_ERROR;
    }

    ln->job = job;
    ln->state = KR_LINK_BUSY;

    kr_link_single_row(ln);
    kr_pg_read(&ln->pg, 1,
               ln->pool->cf->statement_timeout + KR_LINK_PATIENCE);

    return KR_OK;
}


void
kr_link_readable(kr_pg_t *pg)
{
    int         rc;
    PGresult   *res;
    kr_link_t  *ln;

    ln = (kr_link_t *) pg;

    if (pg->timedout || !PQconsumeInput(pg->conn)) {
        if (pg->timedout) {
            kr_pg_set_error(pg, "", "the database does not answer");

        } else if (ln->state != KR_LINK_BUSY || !ln->failed) {
            /* an error that the server sent before the close stays in pg */
            kr_pg_error(pg, NULL);
        }

        kr_link_lose(ln, KR_JOB_LOST, 1);
        return;
    }

    if (ln->state == KR_LINK_IDLE) {
        kr_link_idle(ln);
        return;
    }

    while (!PQisBusy(pg->conn)) {

        res = PQgetResult(pg->conn);

        if (res == NULL) {
            /* the next statement's answer begins */
            ln->answer++;
            kr_link_single_row(ln);
            continue;
        }

        if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
            PQclear(res);
            kr_link_synced(ln);
            return;
        }

        rc = kr_link_result(ln, res);

        if (rc == KR_DECLINED) {
            kr_pg_set_error(pg, "", "the result is too large");
            kr_link_lose(ln, KR_JOB_TOO_LARGE, 0);
            return;
        }

        if (rc == KR_ERROR) {
            kr_link_lose(ln, KR_JOB_LOST, 1);
            return;
        }
    }
}


void
kr_link_finish(kr_link_t *ln, kr_job_status_e status)
{
    kr_job_t  *job;

    if (kr_pool_tried(ln, &status) == KR_AGAIN) {
        return;
    }

    job = ln->job;
    ln->job = NULL;

    if (job == NULL) {
        kr_link_drop_results(ln);
        return;
    }

    if (status != KR_JOB_DONE && ln->answer >= 0
        && ln->answer < ln->nstatements)
    {
        /* a failed statement's rows are not complete */
        PQclear(ln->results[ln->answer]);
        ln->results[ln->answer] = NULL;
    }

    memcpy(job->results, ln->results, sizeof(ln->results));
    memset(ln->results, 0, sizeof(ln->results));
    job->moment = ln->moment;
    memset(&ln->moment, 0, sizeof(kr_moment_t));

    kr_job_done(job, status, ln->pg.sqlstate, ln->pg.message.data);
}


void
kr_link_drop_results(kr_link_t *ln)
{
    int  i;

    for (i = 0; i < KR_JOB_STATEMENTS; i++) {
        PQclear(ln->results[i]);
        ln->results[i] = NULL;
    }

    kr_snapshot_free(&ln->moment.snapshot);
    ln->moment.lsn = 0;
}


static int
kr_link_send(kr_link_t *ln, const kr_job_t *job)
{
    int                    i;
    const kr_statement_t  *s;

    if (kr_link_begin(ln, job) != KR_OK) {
        return KR_ERROR;
    }

    for (i = 0; i < job->nstatements; i++) {
        s = &job->statements[i];

        if (!PQsendQueryParams(ln->pg.conn, s->sql, s->nparams, NULL,
                               s->params, NULL, NULL, 0))
        {
            return KR_ERROR;
        }
    }

    if (job->tables != NULL
        && !PQsendQueryParams(ln->pg.conn, kr_link_rewritten_sql, 1, NULL,
                              &job->tables, NULL, NULL, 0))
    {
        return KR_ERROR;
    }

    if (kr_link_transaction(ln, job)
        && kr_link_command(ln, "COMMIT") != KR_OK)
    {
        return KR_ERROR;
    }

    return PQpipelineSync(ln->pg.conn) ? KR_OK : KR_ERROR;
}


/*
 * Sends the pool's own statements that come before the job's: BEGIN, and SET
 * LOCAL in the slow lane, as the session has the time-outs of a first try.
 */
static int
kr_link_begin(kr_link_t *ln, const kr_job_t *job)
{
    char        timeout[64];
    kr_pool_t  *pool;

    if (!kr_link_transaction(ln, job)) {
        return KR_OK;
    }

    pool = ln->pool;

    if (kr_link_before(ln, job->transaction == KR_JOB_SNAPSHOT
                       ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                       : "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")
        != KR_OK)
    {
        return KR_ERROR;
    }

    if (ln->reservation.lane == KR_LANE_SLOW) {
        snprintf(timeout, sizeof(timeout), "SET LOCAL statement_timeout = %d",
                 pool->cf->statement_timeout);

        if (kr_link_before(ln, timeout) != KR_OK) {
            return KR_ERROR;
        }

        snprintf(timeout, sizeof(timeout), "SET LOCAL lock_timeout = %d",
                 pool->slow_lock_timeout);

        if (kr_link_before(ln, timeout) != KR_OK) {
            return KR_ERROR;
        }
    }

    return job->with_moment ? kr_link_before(ln, kr_link_moment_sql) : KR_OK;
}


/* Whether the pool sends BEGIN: SET LOCAL of the slow lane needs one, too. */
static int
kr_link_transaction(const kr_link_t *ln, const kr_job_t *job)
{
    return job->transaction != KR_JOB_ALONE
           || ln->reservation.lane == KR_LANE_SLOW;
}


/* Sends a statement whose answer comes before the answers of the job's. */
static int
kr_link_before(kr_link_t *ln, const char *sql)
{
    ln->answer--;

    return kr_link_command(ln, sql);
}


static int
kr_link_command(kr_link_t *ln, const char *sql)
{
    return PQsendQueryParams(ln->pg.conn, sql, 0, NULL, NULL, NULL, NULL, 0)
           ? KR_OK : KR_ERROR;
}


/*
 * Sets single-row mode, so that the size of the job's results is checked after
 * each row.  libpq resets this mode after each statement's answer.
 */
static void
kr_link_single_row(kr_link_t *ln)
{
    if (ln->state == KR_LINK_BUSY && ln->max_bytes != 0
        && ln->answer >= 0 && ln->answer < ln->nstatements)
    {
        (void) PQsetSingleRowMode(ln->pg.conn);
    }
}


/* Input without a job: a notice, a changed parameter, or a closed session. */
static void
kr_link_idle(kr_link_t *ln)
{
    (void) PQisBusy(ln->pg.conn);

    if (PQstatus(ln->pg.conn) == CONNECTION_BAD) {
        kr_pg_error(&ln->pg, NULL);
        kr_link_lose(ln, KR_JOB_LOST, 1);
    }
}


/*
 * Takes one result, which is freed or kept, of the statement whose answer is
 * read.  KR_OK; KR_DECLINED: the results are too large; KR_ERROR: the
 * connection cannot be used any more.
 */
static int
kr_link_result(kr_link_t *ln, PGresult *res)
{
    switch (PQresultStatus(res)) {

    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
        return kr_link_rows(ln, res);

    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
    case PGRES_PIPELINE_ABORTED:
        PQclear(res);
        return KR_OK;

    case PGRES_FATAL_ERROR:
        if (!ln->failed) {
            kr_pg_error(&ln->pg, res);
            ln->failed = 1;

            if (ln->answer >= 0 && ln->answer < ln->nstatements) {
                PQclear(ln->results[ln->answer]);
                ln->results[ln->answer] = NULL;
            }
        }

        PQclear(res);

        return (PQstatus(ln->pg.conn) == CONNECTION_BAD) ? KR_ERROR : KR_OK;

    default:
        /* COPY, which no job contains: the pipeline cannot continue */
        PQclear(res);
        kr_pg_set_error(&ln->pg, "", "the answer is not one of a query");
        return KR_ERROR;
    }
}


/* Takes rows; res is freed or kept.  Returns as kr_link_result(). */
static int
kr_link_rows(kr_link_t *ln, PGresult *res)
{
    int  rc;

    rc = KR_OK;

    if (ln->job != NULL) {

        if (ln->answer >= 0 && ln->answer < ln->nstatements) {
            return kr_link_keep(ln, res);
        }

        if (ln->answer == KR_LINK_MOMENT) {
            rc = kr_link_moment(ln, res);

        } else {
            ln->rewritten = PQntuples(res) != 1
                            || strcmp(PQgetvalue(res, 0, 0), "0") != 0;
        }
    }

    PQclear(res);

    return rc;
}


/*
 * Reads the moment.  KR_OK; KR_ERROR: no memory, or there is no snapshot in
 * the result.  The job is LOST then, so that a DONE job has its moment.
 */
static int
kr_link_moment(kr_link_t *ln, const PGresult *res)
{
    if (PQntuples(res) == 1 && PQnfields(res) == 2
        && kr_lsn_parse(PQgetvalue(res, 0, 1), (size_t) PQgetlength(res, 0, 1),
                        &ln->moment.lsn)
           == KR_OK
        && kr_snapshot_parse(PQgetvalue(res, 0, 0),
                             (size_t) PQgetlength(res, 0, 0),
                             &ln->moment.snapshot)
           == KR_OK)
    {
        return KR_OK;
    }

    kr_pg_set_error(&ln->pg, "", "could not read a snapshot's text");

    return KR_ERROR;
}


/*
 * Keeps a result of the job, or, in single-row mode, adds its row to the rows
 * before.  Frees or keeps res, and returns as kr_link_result().
 */
static int
kr_link_keep(kr_link_t *ln, PGresult *res)
{
    int         rc;
    PGresult  **kept;

    kept = &ln->results[ln->answer];

    /* in single-row mode an empty result comes after the rows */
    if (PQresultStatus(res) == PGRES_TUPLES_OK) {
        if (*kept == NULL) {
            *kept = res;
        } else {
            PQclear(res);
        }

        return KR_OK;
    }

    if (*kept == NULL) {
        *kept = PQcopyResult(res, PG_COPYRES_ATTRS);
    }

    if (*kept == NULL) {
        kr_pg_set_error(&ln->pg, "", "no memory for a result");
        rc = KR_ERROR;

    } else {
        rc = kr_link_collect(ln, res);
    }

    PQclear(res);

    return rc;
}


/*
 * Adds the row of res to the rows of the answer that is read.  KR_OK;
 * KR_DECLINED: the results are too large; KR_ERROR: no memory.
 */
static int
kr_link_collect(kr_link_t *ln, const PGresult *res)
{
    int        i, n, row, len;
    char      *value;
    PGresult  *to;

    to = ln->results[ln->answer];
    row = PQntuples(to);
    n = PQnfields(res);

    for (i = 0; i < n; i++) {
        len = PQgetlength(res, 0, i);
        value = PQgetvalue(res, 0, i);

        ln->bytes += (size_t) len + KR_LINK_VALUE;

        if (PQgetisnull(res, 0, i)) {
            value = NULL;
            len = -1;
        }

        if (!PQsetvalue(to, row, i, value, len)) {
            kr_pg_set_error(&ln->pg, "", "no memory for a result");
            return KR_ERROR;
        }
    }

    return (ln->bytes > ln->max_bytes) ? KR_DECLINED : KR_OK;
}


/* At the end of a pipeline: ends its job, or sends ROLLBACK. */
static void
kr_link_synced(kr_link_t *ln)
{
    kr_link_state_e  state;

    state = ln->state;
    ln->state = KR_LINK_IDLE;

    if (PQtransactionStatus(ln->pg.conn) != PQTRANS_IDLE) {

        ln->state = KR_LINK_CLEANING;

        if (state == KR_LINK_CLEANING
            || kr_link_command(ln, "ROLLBACK") != KR_OK
            || !PQpipelineSync(ln->pg.conn)
            || kr_pg_flush(&ln->pg) != KR_OK)
        {
            ln->state = KR_LINK_CLOSED;
            kr_pg_close(&ln->pg);
        }

    } else {
        kr_pg_read(&ln->pg, 1, 0);
    }

    if (state == KR_LINK_BUSY) {
        kr_link_finish(ln, ln->failed ? KR_JOB_FAILED : KR_JOB_DONE);
    }

    kr_pool_dispatch(ln->pool);
}


static void
kr_link_lose(kr_link_t *ln, kr_job_status_e status, int error)
{
    kr_pool_lose(ln, status, error);
    kr_pool_dispatch(ln->pool);
}
