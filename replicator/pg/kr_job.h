/*
 * A job: statements that the pool (kr_pool.h) runs on one connection, and
 * their results.
 *
 * A job is sent in one pipeline, in order, with a transaction in one
 * transaction, which the pool adds.  The pool may run a job more than once:
 * it reads the statements again each time, and the results are those of the
 * last run alone.
 *
 * A table that is rewritten (ALTER TABLE, TRUNCATE) is empty for an older
 * snapshot, and a transaction that waits for the table's lock has an older
 * one.  So a SNAPSHOT job names its tables, and is run again if one of them
 * was rewritten; in a COMMITTED job each statement has a snapshot of its own,
 * which PostgreSQL takes when the statement has its locks.
 */

#ifndef _KR_JOB_H_INCLUDED_
#define _KR_JOB_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "kr_buf.h"
#include "kr_lsn.h"


#define KR_JOB_STATEMENTS  8
#define KR_JOB_PARAMS      8

typedef struct kr_job_s   kr_job_t;
typedef struct kr_flow_s  kr_flow_t;


typedef struct {
    const char   *sql;
    int           nparams;
    const char   *params[KR_JOB_PARAMS];    /* text; NULL is SQL's NULL */
} kr_statement_t;


typedef enum {
    KR_JOB_DONE = 0,
    KR_JOB_FAILED,      /* an SQL error: see sqlstate and message */
    KR_JOB_TOO_LARGE,   /* the results passed max_bytes */
    KR_JOB_LOST         /* the connection was lost, or the job got none in
                           time, or there was no memory: may work later */
} kr_job_status_e;


/*
 * A limited number of jobs of each lane runs at a time.  Within a lane jobs
 * take turns: jobs of ROWS and RUNS by job->about, jobs of ASKS by client.
 */
typedef enum {
    KR_LANE_ROWS = 0,   /* short jobs that many routes wait for: changed rows,
                           the catalog */
    KR_LANE_RUNS,       /* a whole query, for members of its route */
    KR_LANE_ASKS,       /* a query for one client; LOST after patience_ms */
    KR_LANE_SLOW,       /* the pool moves slow jobs to it */
    KR_LANES
} kr_lane_e;


typedef enum {
    KR_JOB_ALONE = 0,   /* no transaction */
    KR_JOB_SNAPSHOT,    /* REPEATABLE READ */
    KR_JOB_COMMITTED    /* READ COMMITTED */
} kr_job_kind_e;


/*
 * The moment of a job's transaction.  kr_snapshot_sees() returns whether
 * another transaction is visible in the snapshot.  All statements of a
 * SNAPSHOT job read at this moment; the statements of a COMMITTED job may have
 * seen later transactions, too.
 */
typedef struct {
    kr_snapshot_t       snapshot;       /* pg_current_snapshot() */
    uint64_t            lsn;            /* pg_current_wal_insert_lsn(), just
                                           after the snapshot was taken */
} kr_moment_t;


/* kr_pool_lane.c's, of a job that waits for a connection */
typedef struct {
    uint64_t            id;             /* a hash of job->about */
    uint64_t            deadline_ms;    /* when the job stops waiting */
    kr_flow_t          *flow;           /* NULL: the job does not wait */
    kr_job_t           *prev;           /* in flow->jobs or pool->refused */
    kr_job_t           *next;
    kr_job_t           *dprev;          /* in the list of all jobs that wait,
                                           by deadline_ms */
    kr_job_t           *dnext;
} kr_job_queue_t;


/*
 * The owner embeds the job in a struct of its own, which kr_owner()
 * (kr_owner.h) finds again, and zeroes the job once.  The owner fills the
 * first part, with kr_job_begin() and the functions after it or by itself.
 * From kr_pool_run() until done() is called the owner changes neither the job
 * nor the strings that the job points to.
 */
struct kr_job_s {
    kr_statement_t      statements[KR_JOB_STATEMENTS];
    int                 nstatements;
    kr_job_kind_e       transaction;
    const char         *tables;         /* of a SNAPSHOT job: text[] literal of
                                           the quoted names of its tables;
                                           NULL: rewrites are not checked */
    size_t              max_bytes;      /* of all results; 0: no limit */
    kr_lane_e           lane;           /* not SLOW */
    const char         *about;          /* the pool treats jobs of an equal
                                           text as slow or locked together;
                                           NULL: the last statement's text */
    const void         *asker;          /* the client of a job of ASKS; the
                                           address is compared, not read;
                                           NULL: no client */
    unsigned            patience_ms;    /* a job of ASKS waits so long for its
                                           turn; 0: eight seconds */
    unsigned            begun:1;        /* the job's request had a turn before:
                                           the job comes first in its flow */
    unsigned            with_moment:1;  /* the pool reads the moment before the
                                           statements; not for ALONE */
    void              (*done)(kr_job_t *job);

    /* kept from one run to the next */
    unsigned            failures;       /* in a row; kr_job_outcome() counts */
    unsigned            wait_ms;        /* the owner's, for kr_retry_next() */

    /*
     * Filled by the pool and valid in done(); asked_ms and slow can be read
     * while the pool has the job.  results[i] is the result of statements[i].
     * If the status is not DONE, the results before the one that ended the job
     * are set, and the others are NULL.
     */
    uint64_t            asked_ms;       /* when kr_pool_run() was called */
    uint64_t            took_ms;        /* duration of the last try */
    unsigned            slow:1;         /* the job is in the slow lane */
    unsigned            locked:1;       /* the last try waited for a lock in
                                           vain */
    unsigned            busy:1;         /* LOST because no connection was free
                                           in time, too many jobs waited, or
                                           the pool had no memory */
    kr_job_status_e     status;
    char                sqlstate[6];    /* of a FAILED job, or "" */
    char               *message;        /* one line; NULL: there is none */
    PGresult           *results[KR_JOB_STATEMENTS];
    kr_moment_t         moment;         /* of a DONE job with_moment */

    kr_job_queue_t      queue;
};


/*
 * Begins to fill a job: removes the statements, tables and with_moment of its
 * last run; the other members of the first part stay.
 */
void kr_job_begin(kr_job_t *job, kr_job_kind_e transaction,
    void (*done)(kr_job_t *job));

/* Adds a statement without parameters; KR_JOB_STATEMENTS at most. */
void kr_job_query(kr_job_t *job, const char *sql);

/* Adds a statement with one parameter; param is NULL: with none. */
void kr_job_query_with(kr_job_t *job, const char *sql, const char *param);

/*
 * Adds a parameter to the last statement, KR_JOB_PARAMS at most: its text, or
 * NULL for SQL's NULL.
 */
void kr_job_param(kr_job_t *job, const char *text);

/*
 * The outcome of a job that its owner runs again after errors that may pass.
 * KR_OK: the job is DONE.  KR_DECLINED: the job is TOO_LARGE.  KR_AGAIN: the
 * owner runs the job again after a wait, because the job was LOST, or FAILED
 * with an error that may pass and came less than five times in a row.
 * KR_ERROR: the job FAILED for good.  The owner calls this once in each
 * done(), because the function counts failures.
 */
int kr_job_outcome(kr_job_t *job);

/*
 * Whether an error may pass: serialization, resources, locks and time-outs, an
 * administrator's command, a server that starts or stops (PostgreSQL
 * documentation, appendix A).
 */
int kr_error_may_pass(const char *sqlstate);

/* The error of a FAILED job: its message, or its sqlstate. */
const char *kr_job_error(const kr_job_t *job);

/*
 * The text that clients get of a job that is not DONE.  what: the subject of
 * the error of a FAILED job; NULL: the query failed.  The text is static, or
 * in b: the caller passes an empty buffer, and frees it.
 */
const char *kr_job_reason(const kr_job_t *job, const char *what, kr_buf_t *b);

/* The text that clients get of a LOST job. */
const char *kr_job_lost(const kr_job_t *job);

/* The text that members get of a job that kr_pool_stuck() found to hang. */
const char *kr_job_stuck(const kr_job_t *job);


#endif /* _KR_JOB_H_INCLUDED_ */
