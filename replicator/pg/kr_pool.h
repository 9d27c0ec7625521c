/*
 * A bounded pool of asynchronous connections to PostgreSQL that run jobs.
 * The role's statements run with TimeZone UTC, DateStyle ISO, IntervalStyle
 * iso_8601, bytea_output hex, extra_float_digits 3,
 * default_transaction_read_only on, a statement_timeout and a lock_timeout.
 *
 * Nobody may hold a connection that others wait for.  Every job begins in the
 * lane that its owner says and has the quick time-outs; one that passes them
 * gives its connection back, and begins anew in the slow lane, which has a
 * part of the connections, and the whole KAIROS_STATEMENT_TIMEOUT.  So does,
 * from then on, whatever is about the same.  Nothing of this is seen by the
 * owner, as a job's results are those of its last try alone.
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
 * Who waits for whom.  Of each lane runs a limited number, and those of a lane
 * take turns: the rows by what they are about, what clients ask for by client.
 */
typedef enum {
    KR_LANE_ROWS = 0,   /* little, and everybody waits for it: changed rows,
                           the catalog */
    KR_LANE_RUNS,       /* a whole query for those who have it */
    KR_LANE_ASKS,       /* what a client asked for; given up after a while */
    KR_LANE_SLOW,       /* the pool's own */
    KR_LANES
} kr_lane_e;


typedef enum {
    KR_JOB_ALONE = 0,   /* no transaction */
    KR_JOB_SNAPSHOT,    /* REPEATABLE READ */
    KR_JOB_COMMITTED    /* READ COMMITTED */
} kr_job_kind_e;


/*
 * A unit of work: its statements are sent in one pipeline on one connection,
 * in order, with transaction set in one transaction, which the pool adds.  It
 * may be run more than once; its statements are read each time.
 *
 * A table that is rewritten (ALTER TABLE, TRUNCATE) is empty for a snapshot
 * from before, and who waits for its lock has one.  So a SNAPSHOT names its
 * tables, and is run again if one of them was; a COMMITTED one has for each
 * statement a snapshot of its own, taken when it has its locks.
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
    kr_job_kind_e       transaction;
    const char         *tables;         /* a SNAPSHOT's, an array literal of
                                           quoted names; NULL: one statement
                                           less */
    size_t              max_bytes;      /* of all results; 0: no limit */
    kr_lane_e           lane;           /* not SLOW */
    const char         *about;          /* jobs about the same are slow or
                                           locked together; NULL: the text of
                                           the last statement */
    const void         *asker;          /* the client of an ASK, compared
                                           alone; NULL: of none */
    unsigned            patience;       /* ms, of an ASK for its turn; 0: eight
                                           seconds */
    unsigned            begun:1;        /* an ASK that had a turn before: of
                                           its asker's it is served first */
    void              (*done)(kr_job_t *job);

    /* filled by the pool; slow and asked can be read while it has the job */
    uint64_t            asked;          /* ms; when kr_pool_run() was called */
    uint64_t            took;           /* ms, of the last try */
    unsigned            slow:1;         /* it is in the slow lane */
    unsigned            locked:1;       /* the last try waited for a lock in
                                           vain */
    unsigned            busy:1;         /* LOST, as all connections were */
    kr_job_status_e     status;
    char                sqlstate[6];
    char               *message;        /* one line, or NULL; pool's */
    PGresult           *results[KR_JOB_STATEMENTS];

    /* private to kr_pool_lane.c */
    uint64_t            id;             /* of what it is about */
    uint64_t            deadline;       /* to have a connection by, ms */
    kr_flow_t          *flow;           /* NULL: it does not wait */
    kr_job_t           *prev;           /* of the flow, or of the refused */
    kr_job_t           *next;
    kr_job_t           *dprev;          /* of all that wait */
    kr_job_t           *dnext;
};


kr_pool_t *kr_pool_create(struct event_base *base, const kr_config_t *cf);

/*
 * Queues the job; it runs when a connection is free and its lane has room.  An
 * ASK that gets none in its time is LOST, or FAILED with 55P03 if it is
 * locked out; so is the one that finds ten thousand waiting.  Others go on
 * waiting, and are LOST if the database was away for eight seconds.
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

/* What a client is told of a LOST job. */
const char *kr_job_lost(const kr_job_t *job);

/*
 * Whether the job, for which behind bytes of WAL are kept, hangs for longer
 * than the settings allow; and what members are told of one that hangs.
 */
int kr_pool_stuck(const kr_pool_t *pool, const kr_job_t *job,
    uint64_t behind);
const char *kr_job_stuck(const kr_job_t *job);

/* Cancels all, closes all connections. */
void kr_pool_free(kr_pool_t *pool);


#endif /* _KR_POOL_H_INCLUDED_ */
