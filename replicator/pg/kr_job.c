/*
 * How a job is filled, whether it is run again, and the texts that clients get
 * of its end.
 */

#include <string.h>

#include "kr_job.h"


#define KR_JOB_FAILURES  5    /* errors in a row; the last one is final */


void
kr_job_begin(kr_job_t *job, kr_job_kind_e transaction,
    void (*done)(kr_job_t *job))
{
    job->nstatements = 0;
    job->transaction = transaction;
    job->tables = NULL;
    job->with_moment = 0;
    job->done = done;
}


void
kr_job_query(kr_job_t *job, const char *sql)
{
    kr_statement_t  *st;

    st = &job->statements[job->nstatements++];
    st->sql = sql;
    st->nparams = 0;
}


void
kr_job_query_with(kr_job_t *job, const char *sql, const char *param)
{
    kr_job_query(job, sql);

    if (param != NULL) {
        kr_job_param(job, param);
    }
}


void
kr_job_param(kr_job_t *job, const char *text)
{
    kr_statement_t  *st;

    st = &job->statements[job->nstatements - 1];
    st->params[st->nparams++] = text;
}


int
kr_job_outcome(kr_job_t *job)
{
    switch (job->status) {

    case KR_JOB_DONE:
        job->failures = 0;
        return KR_OK;

    case KR_JOB_TOO_LARGE:
        return KR_DECLINED;

    case KR_JOB_FAILED:
        return kr_error_may_pass(job->sqlstate)
               && ++job->failures < KR_JOB_FAILURES ? KR_AGAIN : KR_ERROR;

    default: /* KR_JOB_LOST */
        return KR_AGAIN;
    }
}


const char *
kr_job_error(const kr_job_t *job)
{
    return job->message == NULL ? job->sqlstate : job->message;
}


const char *
kr_job_reason(const kr_job_t *job, const char *what, kr_buf_t *b)
{
    switch (job->status) {

    case KR_JOB_TOO_LARGE:
        /* clients cannot set KAIROS_..., so the text does not name it */
        kr_buf_printf(b, "the rows are larger than %zu bytes: use LIMIT, or "
                      "fewer columns", job->max_bytes);
        break;

    case KR_JOB_FAILED:
        if (what != NULL) {
            kr_buf_printf(b, "%s: %s", what, kr_job_error(job));

        } else {
            kr_buf_printf(b, "the query failed: %s", kr_job_error(job));
        }

        break;

    default: /* KR_JOB_LOST */
        return kr_job_lost(job);
    }

    return b->failed ? "no memory" : b->data;
}


const char *
kr_job_lost(const kr_job_t *job)
{
    return job->busy ? "the database is busy, try again"
                     : "the database is not reachable, try again";
}


const char *
kr_job_stuck(const kr_job_t *job)
{
    return job->locked ? "a table that the query reads is locked: subscribe"
                         " again"
                       : "the query is too slow for the changes of its"
                         " tables: subscribe again";
}


int
kr_error_may_pass(const char *sqlstate)
{
    static const char  *const classes[] = {
        "08", "25", "40", "53", "55", "57", "58", NULL
    };
    const char         *const *p;

    for (p = classes; *p != NULL; p++) {
        if (strncmp(sqlstate, *p, 2) == 0) {
            return 1;
        }
    }

    return 0;
}
