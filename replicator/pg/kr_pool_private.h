/*
 * What kr_pool.c (the connections' lives), kr_pool_job.c (the jobs that have
 * no connection), kr_pool_link.c (a job on a connection) and kr_pool_try.c
 * (what its try says) share.
 */

#ifndef _KR_POOL_PRIVATE_H_INCLUDED_
#define _KR_POOL_PRIVATE_H_INCLUDED_


#include "kr_pg.h"
#include "kr_pool.h"
#include "kr_pool_lane.h"


/* errors of PostgreSQL, with which the pool ends jobs, too */
#define KR_STATE_LOCKED     "55P03"
#define KR_STATE_CANCELLED  "57014"

extern const char  kr_pool_locked_text[];
extern const char  kr_pool_busy_text[];


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
    kr_reservation_t    reservation;  /* of the job */
    int                 answer;       /* the statement whose answer is read:
                                         from 0 the job's, then the pool's
                                         look at its tables; before 0 BEGIN
                                         and the pool's others, the last of
                                         them that of the moment */
    int                 nstatements;  /* the job's */
    size_t              bytes;        /* of the rows so far */
    size_t              max_bytes;    /* 0: no limit, no single-row mode */
    unsigned            failed:1;     /* a statement failed: pg has why */
    unsigned            rewritten:1;  /* the job's tables are not, or are not
                                         known to be, those of its snapshot */
    kr_moment_t         moment;
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
    unsigned            wait_ms;      /* see kr_retry_next() */
    unsigned            down:1;       /* the last connect failed */
    unsigned            logged:1;     /* the trouble, which lasts */
    unsigned            resting:1;    /* retry is pending */

    int                 nlinks;
    kr_link_t           links[];
};


/*
 * Sends the job's pipeline on an idle link, whose reservation is set; the
 * link is BUSY then.  KR_ERROR: the connection is of no use, nothing of the
 * job was run, and link and job are as they were.
 */
int kr_link_start(kr_link_t *ln, kr_job_t *job);

/* kr_pg's handler: input came, or none within the time-out. */
void kr_link_readable(kr_pg_t *pg);

/*
 * The try of the link's job is over, with this status and an error that is
 * pg's.  Gives the reservation back; if the owner still wants the job, and it
 * is not to be tried again, hands over the results and calls done(), which may
 * call the pool: the link's state must be the next one already.
 */
void kr_link_finish(kr_link_t *ln, kr_job_status_e status);

/* Frees what the link has of results, and the moment. */
void kr_link_drop_results(kr_link_t *ln);

/*
 * Judges the try on the link, that ended with *status and an error that is
 * pg's, and gives its reservation back.  KR_OK: the job is over, with *status
 * and pg's error, which may be other ones now; or its owner cancelled it.
 * KR_AGAIN: the job waits for another try, and its results are dropped.
 */
int kr_pool_tried(kr_link_t *ln, kr_job_status_e *status);

/* The job waits; without memory for that it is LOST, from the loop. */
void kr_pool_queue(kr_pool_t *pool, kr_job_t *job);

/* The handlers of pool->turn and pool->wait. */
void kr_pool_turn(evutil_socket_t fd, short what, void *data);
void kr_pool_wait(evutil_socket_t fd, short what, void *data);

/* Sets pool->wait to when kr_lanes_next() says. */
void kr_pool_arm_wait(kr_pool_t *pool);

/*
 * Closes the link, whose job, if it has one, ends with this status.  error:
 * the log says why, and connecting is put off for a while.
 */
void kr_pool_lose(kr_link_t *ln, kr_job_status_e status, int error);

/*
 * Ends a job that the pool has nowhere any more: sets its status, sqlstate and
 * message (text NULL: no memory), calls done(), and frees message and results.
 */
void kr_job_done(kr_job_t *job, kr_job_status_e status, const char *sqlstate,
    const char *text);

/* The first link in this state; NULL: there is none. */
kr_link_t *kr_pool_link(kr_pool_t *pool, kr_link_state_e state);

/* Gives waiting jobs to idle links, and connects more if jobs need them. */
void kr_pool_dispatch(kr_pool_t *pool);


#endif /* _KR_POOL_PRIVATE_H_INCLUDED_ */
