/*
 * A job: statements that the pool (kr_pool.h) runs on one connection, and
 * what became of them.
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
    KR_JOB_FAILED,      /* an SQL error: sqlstate and message say which */
    KR_JOB_TOO_LARGE,   /* the results passed max_bytes */
    KR_JOB_LOST         /* the connection was lost, or none could be had
                           within the time-out: may work later */
} kr_job_status_e;


/*
 * Of each lane runs a limited number of jobs, and the jobs of a lane take
 * turns: those of ROWS and RUNS by what they are about, those of ASKS by the
 * client that asked.
 */
typedef enum {
    KR_LANE_ROWS = 0,   /* short jobs that many routes wait for: changed rows,
                           the catalog */
    KR_LANE_RUNS,       /* a whole query, for members of its route */
    KR_LANE_ASKS,       /* what one client asked for; given up after a while */
    KR_LANE_SLOW,       /* the pool's own */
    KR_LANES
} kr_lane_e;


typedef enum {
    KR_JOB_ALONE = 0,   /* no transaction */
    KR_JOB_SNAPSHOT,    /* REPEATABLE READ */
    KR_JOB_COMMITTED    /* READ COMMITTED */
} kr_job_kind_e;


/*
 * What a transaction of a job saw.  Whether another transaction is visible in
 * it says kr_snapshot_sees().  In a SNAPSHOT job it is the moment of all
 * statements; the statements of a COMMITTED job may have seen more.
 */
typedef struct {
    kr_snapshot_t       snapshot;       /* pg_current_snapshot() */
    uint64_t            lsn;            /* pg_current_wal_insert_lsn(), just
                                           after the snapshot was taken */
} kr_moment_t;


/* kr_pool_lane.c's, of a job that waits for a connection */
typedef struct {
    uint64_t            id;             /* of what the job is about */
    uint64_t            deadline_ms;    /* to have a connection by */
    kr_flow_t          *flow;           /* NULL: the job does not wait */
    kr_job_t           *prev;           /* of the flow, or of the refused */
    kr_job_t           *next;
    kr_job_t           *dprev;          /* of all that wait */
    kr_job_t           *dnext;
} kr_job_queue_t;


/*
 * The owner embeds the job in a struct of its own, which kr_owner()
 * (kr_owner.h) finds again, zeroes it once, and fills the first part, with
 * kr_job_begin() and what follows it or by itself.  From kr_pool_run() until
 * done() is called the owner changes neither the job nor the strings that it
 * points to.
 */
struct kr_job_s {
    kr_statement_t      statements[KR_JOB_STATEMENTS];
    int                 nstatements;
    kr_job_kind_e       transaction;
    const char         *tables;         /* of a SNAPSHOT, an array literal of
                                           quoted names; NULL: they are not
                                           looked at */
    size_t              max_bytes;      /* of all results; 0: no limit */
    kr_lane_e           lane;           /* not SLOW */
    const char         *about;          /* jobs about the same are slow or
                                           locked together; NULL: the text of
                                           the last statement */
    const void         *asker;          /* the client of an ASK, compared
                                           alone; NULL: of none */
    unsigned            patience_ms;    /* of an ASK for its turn; 0: eight
                                           seconds */
    unsigned            begun:1;        /* an ASK that had a turn before: it
                                           comes first of its asker's */
    unsigned            with_moment:1;  /* the moment is to be read first, for
                                           which there is a transaction */
    void              (*done)(kr_job_t *job);

    /* kept from one run to the next */
    unsigned            failures;       /* kr_job_outcome()'s */
    unsigned            wait_ms;        /* the owner's, for kr_retry_next() */

    /*
     * Filled by the pool and valid in done(); asked_ms and slow can be read
     * while the pool has the job.  results[i] is that of statements[i]; where
     * the status is not DONE there are the results before the one that ended
     * the job, and the others are NULL.
     */
    uint64_t            asked_ms;       /* when kr_pool_run() was called */
    uint64_t            took_ms;        /* the last try */
    unsigned            slow:1;         /* the job is in the slow lane */
    unsigned            locked:1;       /* the last try waited for a lock in
                                           vain */
    unsigned            busy:1;         /* LOST, as all connections were */
    kr_job_status_e     status;
    char                sqlstate[6];    /* of a FAILED job, or "" */
    char               *message;        /* one line; NULL: there is none */
    PGresult           *results[KR_JOB_STATEMENTS];
    kr_moment_t         moment;         /* of a DONE job with_moment */

    kr_job_queue_t      queue;
};


/*
 * Begins to fill a job, which loses the statements, tables and with_moment of
 * its last run; the other members of the first part stay.
 */
void kr_job_begin(kr_job_t *job, kr_job_kind_e transaction,
    void (*done)(kr_job_t *job));

/* Adds a statement, of KR_JOB_STATEMENTS at most, which has no parameters. */
void kr_job_query(kr_job_t *job, const char *sql);

/*
 * Adds a parameter, of KR_JOB_PARAMS at most, to the last statement: its text,
 * or NULL for SQL's NULL.
 */
void kr_job_param(kr_job_t *job, const char *text);

/*
 * What follows from the status of a job that is run until it is served.
 * KR_OK: it is DONE.  KR_DECLINED: it is TOO_LARGE.  KR_AGAIN: it is to be run
 * again after a wait, as it was LOST, or FAILED with an error that may pass
 * and came less than five times in a row.  KR_ERROR: it FAILED for good.
 * To be called once in done(), as it counts.
 */
int kr_job_outcome(kr_job_t *job);

/*
 * Whether an error may not come again: serialization,
 * resources, locks and time-outs, an administrator's command, a server that
 * starts or stops (PostgreSQL documentation, appendix A).
 */
int kr_error_may_pass(const char *sqlstate);

/* The error of a FAILED job: its message, or its sqlstate. */
const char *kr_job_error(const kr_job_t *job);

/*
 * The text that clients get of a job that is not DONE.  what: the subject of
 * the error of a FAILED job; NULL: it is the query that failed.  The text is
 * in b, which is empty and the caller's to free, or static.
 */
const char *kr_job_reason(const kr_job_t *job, const char *what, kr_buf_t *b);

/* The text that clients get of a LOST job. */
const char *kr_job_lost(const kr_job_t *job);

/* The text that members get of a job that kr_pool_stuck() found to hang. */
const char *kr_job_stuck(const kr_job_t *job);


#endif /* _KR_JOB_H_INCLUDED_ */
