/*
 * A bounded pool of asynchronous connections to PostgreSQL that run jobs.
 * The role's statements run with TimeZone UTC, DateStyle ISO, IntervalStyle
 * iso_8601, bytea_output hex, extra_float_digits 3,
 * default_transaction_read_only on and a statement_timeout.
 */

#ifndef _KR_POOL_H_INCLUDED_
#define _KR_POOL_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <libpq-fe.h>

#include "kr_buf.h"
#include "kr_config.h"


#define KR_JOB_STATEMENTS  8
#define KR_JOB_PARAMS      8

typedef struct kr_pool_s  kr_pool_t;
typedef struct kr_job_s   kr_job_t;


typedef struct {
    const char   *sql;
    int           nparams;
    const char   *params[KR_JOB_PARAMS];    /* text; NULL is SQL's NULL */
} kr_statement_t;


typedef enum {
    KR_JOB_DONE = 0,
    KR_JOB_FAILED,      /* an SQL error: sqlstate and message say which */
    KR_JOB_TOO_LARGE,   /* the results passed max_bytes */
    KR_JOB_LOST         /* the connection was lost, or none could be had
                           within the time-out: may work later */
} kr_job_status_e;


/*
 * A unit of work: its statements are sent in one pipeline on one connection,
 * in order.  With transaction set they run in one BEGIN ISOLATION LEVEL
 * REPEATABLE READ READ ONLY ... COMMIT, which the pool adds.
 *
 * The owner embeds it as the first member of a struct of its own, fills the
 * first part, and keeps all of it and the strings until done() is called,
 * which happens exactly once, never within kr_pool_run().  results[i] is the
 * statement's result, cleared by the pool after done() returns; on a status
 * other than DONE those that came before are there, the others NULL.
 */
struct kr_job_s {
    kr_statement_t      statements[KR_JOB_STATEMENTS];
    int                 nstatements;
    int                 transaction;
    size_t              max_bytes;      /* of all results; 0: no limit */
    void              (*done)(kr_job_t *job);

    /* filled by the pool */
    kr_job_status_e     status;
    char                sqlstate[6];
    char               *message;        /* one line, or NULL; pool's */
    PGresult           *results[KR_JOB_STATEMENTS];

    /* private to kr_pool.c */
    kr_job_t           *next;
    int64_t             deadline;       /* to have a connection by, ms */
};


kr_pool_t *kr_pool_create(struct event_base *base, const kr_config_t *cf);

/*
 * Queues the job; it runs when a connection is free, in order of arrival.
 * LOST, if there is none for ten seconds, or ten thousand wait already.
 */
void kr_pool_run(kr_pool_t *pool, kr_job_t *job);

/*
 * The owner does not want the result any more: done() will not be called,
 * the memory may be freed at once.
 */
void kr_pool_cancel(kr_pool_t *pool, kr_job_t *job);

/* Whether jobs wait and the last attempt to connect failed. */
int kr_pool_down(const kr_pool_t *pool);

/*
 * Whether the error of a FAILED job may not come again: serialization,
 * resources, locks and time-outs, an administrator's command, a server that
 * starts or stops (PostgreSQL documentation, appendix A).
 */
int kr_job_may_pass(const kr_job_t *job);
int kr_error_may_pass(const char *sqlstate);

/* Cancels all, closes all connections. */
void kr_pool_free(kr_pool_t *pool);


#endif /* _KR_POOL_H_INCLUDED_ */
