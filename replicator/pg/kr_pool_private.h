/*
 * Declarations that kr_pool.c (connections), kr_pool_job.c (jobs that have no
 * connection), kr_pool_link.c (a job on a connection) and kr_pool_try.c (the
 * end of a try) share.
 */

#ifndef _KR_POOL_PRIVATE_H_INCLUDED_
#define _KR_POOL_PRIVATE_H_INCLUDED_


#include "kr_pg.h"
#include "kr_pool.h"
#include "kr_pool_lane.h"


/* errors of PostgreSQL; the pool itself ends jobs with them, too */
#define KR_STATE_LOCKED     "55P03"
#define KR_STATE_CANCELLED  "57014"

extern const char  kr_pool_locked_text[];
extern const char  kr_pool_busy_text[];


typedef enum {
    KR_LINK_CLOSED = 0,
    KR_LINK_CONNECTING,
    KR_LINK_IDLE,
    KR_LINK_BUSY,          /* a job's pipeline is under way */
    KR_LINK_CLEANING       /* the ROLLBACK after a failed pipeline */
} kr_link_state_e;


/* one connection of the pool */
typedef struct {
    kr_pg_t             pg;           /* first, see kr_pg.h */
    kr_pool_t          *pool;
    kr_link_state_e     state;

    kr_job_t           *job;          /* NULL while BUSY: its owner cancelled
                                         the job */
    kr_reservation_t    reservation;  /* of the job */
    int                 answer;       /* the statement whose answer is read:
                                         from 0 the job's, then the pool's
                                         check of the job's tables; below 0
                                         BEGIN and the pool's others, at
                                         KR_LINK_MOMENT the moment */
    int                 nstatements;  /* of the job */
    size_t              bytes;        /* of the rows so far */
    size_t              max_bytes;    /* 0: no limit, no single-row mode */
    unsigned            failed:1;     /* a statement failed, see pg.message */
    unsigned            rewritten:1;  /* a table of the job was rewritten after
                                         the snapshot, or may have been */
    kr_moment_t         moment;
    PGresult           *results[KR_JOB_STATEMENTS];
} kr_link_t;


struct kr_pool_s {
    struct event_base  *base;
    const kr_config_t  *cf;

    kr_lanes_t          lanes;
    kr_job_t           *refused;      /* the handler of turn calls done() */

    int                 statement_timeout;    /* ms, of a first try */
    int                 lock_timeout;         /* ms, of a first try */
    int                 slow_lock_timeout;    /* ms, in the slow lane */

    struct event       *turn;         /* ends the refused jobs */
    struct event       *wait;         /* timer: kr_lanes_next() */
    struct event       *retry;        /* timer: no link connects before */
    unsigned            wait_ms;      /* see kr_retry_next() */
    unsigned            down:1;       /* the last connect failed */
    unsigned            logged:1;     /* the outage, which lasts, was logged */
    unsigned            resting:1;    /* retry is pending */

    int                 nlinks;
    kr_link_t           links[];
};


/*
 * Sends the job's pipeline on an idle link, whose reservation is set.  KR_OK:
 * the link is BUSY.  KR_ERROR: the connection cannot be used, PostgreSQL ran
 * nothing of the job, and link and job are unchanged.
 */
int kr_link_start(kr_link_t *ln, kr_job_t *job);

/* kr_pg's handler: input has arrived, or none within the time-out. */
void kr_link_readable(kr_pg_t *pg);

/*
 * Ends the try of the link's job, with this status and the error in pg.  Gives
 * the reservation back.  Unless the owner has cancelled the job, or the job is
 * tried again, hands over the results and calls done(), which may call the
 * pool: the caller has set the link's next state before.
 */
void kr_link_finish(kr_link_t *ln, kr_job_status_e status);

/* Frees the results and the moment that the link has. */
void kr_link_drop_results(kr_link_t *ln);

/*
 * Decides what follows from the try on the link, which ended with *status and
 * the error in pg, and gives the try's reservation back.  KR_OK: the job is
 * over, with *status and the error in pg, both of which may be changed here;
 * or its owner cancelled it.  KR_AGAIN: the job waits for another try, and the
 * results of this one are dropped.
 */
int kr_pool_tried(kr_link_t *ln, kr_job_status_e *status);

/* Lets the job wait; without memory for that, it is LOST, from the loop. */
void kr_pool_queue(kr_pool_t *pool, kr_job_t *job);

/* The handlers of pool->turn and pool->wait. */
void kr_pool_turn(evutil_socket_t fd, short what, void *data);
void kr_pool_wait(evutil_socket_t fd, short what, void *data);

/* Sets the timer pool->wait to the time that kr_lanes_next() returns. */
void kr_pool_arm_wait(kr_pool_t *pool);

/*
 * Closes the link; a job on it ends with this status.  error: whether the
 * cause is logged and no link connects for a while.
 */
void kr_pool_lose(kr_link_t *ln, kr_job_status_e status, int error);

/*
 * Ends a job that is in no list and on no link any more: sets its status,
 * sqlstate and message (text NULL: none), calls done(), and frees message and
 * results.
 */
void kr_job_done(kr_job_t *job, kr_job_status_e status, const char *sqlstate,
    const char *text);

/* The first link in this state; NULL: there is none. */
kr_link_t *kr_pool_link(kr_pool_t *pool, kr_link_state_e state);

/* Gives waiting jobs to idle links, and connects more if jobs need them. */
void kr_pool_dispatch(kr_pool_t *pool);


#endif /* _KR_POOL_PRIVATE_H_INCLUDED_ */
