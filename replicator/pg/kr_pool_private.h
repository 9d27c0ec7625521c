/*
 * What kr_pool.c (the connections' lives), kr_pool_job.c (the jobs that have
 * none) and kr_pool_link.c (a job on a connection) share; no other file
 * includes it.
 */

#ifndef _KR_POOL_PRIVATE_H_INCLUDED_
#define _KR_POOL_PRIVATE_H_INCLUDED_


#include "kr_pg.h"
#include "kr_pool_lane.h"


typedef enum {
    KR_LINK_CLOSED = 0,
    KR_LINK_CONNECTING,
    KR_LINK_IDLE,
    KR_LINK_BUSY,          /* a job's pipeline is under way */
    KR_LINK_CLEANING       /* the ROLLBACK after a failed one */
} kr_link_state_e;


/* one connection of the pool */
typedef struct {
    kr_pg_t             pg;           /* first, see kr_pg.h */
    kr_pool_t          *pool;
    kr_link_state_e     state;

    kr_job_t           *job;          /* NULL: its owner cancelled it */
    kr_reservation_t          place;        /* that it took */
    int                 answer;       /* which one is read now: before 0 the
                                         BEGIN and what belongs to it */
    int                 nstatements;  /* the job's, and ours */
    size_t              bytes;        /* of the rows so far */
    size_t              max_bytes;    /* 0: no limit, no single-row mode */
    unsigned            failed:1;     /* a statement failed: pg has why */
    PGresult           *results[KR_JOB_STATEMENTS];
} kr_link_t;


struct kr_pool_s {
    struct event_base  *base;
    const kr_config_t  *cf;

    kr_lanes_t          lanes;
    kr_job_t           *refused;      /* done() is due, from the loop */

    int                 statement_timeout;    /* ms, of a first try */
    int                 lock_timeout;         /* ms, likewise */
    int                 slow_lock_timeout;    /* ms, in the slow lane */

    struct event       *turn;         /* for the refused */
    struct event       *wait;         /* for kr_lanes_next() */
    struct event       *retry;        /* connecting is put off until then */
    unsigned            backoff;
    unsigned            down:1;       /* the last connect failed */
    unsigned            said:1;       /* the log knows of the trouble */
    unsigned            resting:1;    /* retry is pending */

    int                 nlinks;
    kr_link_t           links[];
};


/*
 * Sends the job's pipeline.  KR_ERROR: the connection is of no use, nothing
 * of the job was run.
 */
int kr_link_start(kr_link_t *ln, kr_job_t *job);

/* kr_pg's handler */
void kr_link_readable(kr_pg_t *pg);

/*
 * Ends the job that is on the link, if its owner still wants it: hands the
 * results and the error over and calls done().  The link's state must be the
 * next one already.
 */
void kr_link_finish(kr_link_t *ln, kr_job_status_e status);

/* Lets go what the job had of results. */
void kr_link_drop_results(kr_link_t *ln);

/*
 * The try on the link is over, with an error that is pg's.  KR_AGAIN: the job
 * waits for another one; its results are dropped.
 */
int kr_pool_tried(kr_link_t *ln, kr_job_status_e *status);

/* The job waits, or is refused from the loop if there is no memory. */
void kr_pool_queue(kr_pool_t *pool, kr_job_t *job);

/* Timers. */
void kr_pool_turn(evutil_socket_t fd, short what, void *data);
void kr_pool_wait(evutil_socket_t fd, short what, void *data);
void kr_pool_arm_wait(kr_pool_t *pool);

/* The link is lost or given up; error: count it as PostgreSQL's failure. */
void kr_pool_lose(kr_link_t *ln, kr_job_status_e status, int error);

/* Calls done() with this status and text. */
void kr_job_done(kr_job_t *job, kr_job_status_e status, const char *sqlstate,
    const char *text);

/* One of this state; NULL: there is none. */
kr_link_t *kr_pool_link(kr_pool_t *pool, kr_link_state_e state);

/* Gives waiting jobs to idle links, connects more if need be. */
void kr_pool_dispatch(kr_pool_t *pool);


#endif /* _KR_POOL_PRIVATE_H_INCLUDED_ */
