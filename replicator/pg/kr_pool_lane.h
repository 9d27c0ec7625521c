/*
 * The lanes: which job runs next, the jobs that wait, and the number of jobs
 * of each lane that run.  This file uses no connection and no clock: `now` is
 * kr_now().
 *
 * The jobs of a lane that share a turn are a flow.  Once a job has passed its
 * short time-outs the slow lane keeps a flow for the job's id, and all jobs of
 * that id wait in this flow from then on.  A flow whose job waited for a lock
 * in vain rests before the next try, for twice as long each time, and has one
 * job running at most.
 */

#ifndef _KR_POOL_LANE_H_INCLUDED_
#define _KR_POOL_LANE_H_INCLUDED_


#include "kr_hash.h"
#include "kr_job.h"


#define KR_SLOW_MAX   10000                 /* flows of the slow lane; at this
                                               number the oldest one without
                                               jobs is freed, or, if all have
                                               jobs, no new one is made */
#define KR_SLOW_KEEP  (10 * 60 * 1000)      /* ms; a flow counts as slow for so
                                               long, or until a quick job */
#define KR_REST_MIN   50                    /* ms */
#define KR_REST_MAX   2000


/* how a try ended */
typedef enum {
    KR_RUN_ENDED = 0,    /* the lanes learn nothing from the try */
    KR_RUN_QUICK,
    KR_RUN_SLOW,
    KR_RUN_LOCKED
} kr_run_e;


/* the jobs of a lane that share a turn */
struct kr_flow_s {
    uint64_t         id;         /* the jobs' queue.id, or of their asker */
    kr_lane_e        lane;
    kr_job_t        *jobs;       /* that wait, in order of arrival */
    unsigned         n;          /* jobs */
    kr_flow_t       *prev;       /* in the lane's turns, or the resting */
    kr_flow_t       *next;
    UT_hash_handle   hh;

    /* of the slow lane, where a flow stays without any job */
    uint64_t         known_ms;   /* when a job was last slow; 0: the flow does
                                    not count as slow any more */
    uint64_t         until_ms;   /* the end of the flow's rest; 0: none */
    unsigned         delay_ms;   /* duration of the last rest */
    unsigned         running;    /* jobs */
    unsigned         locked:1;   /* the last try waited for a lock in vain */
    unsigned         resting:1;
};


typedef struct {
    kr_flow_t       *flows;
    kr_flow_t       *turns;      /* flows with jobs, the next one first */
    unsigned         ready;      /* jobs of the flows in turns */
    unsigned         running;
    unsigned         limit;      /* most jobs that run at a time */
} kr_lane_t;


/* zeroed memory, then kr_lanes_init() */
typedef struct {
    kr_lane_t        lanes[KR_LANES];
    unsigned         size;       /* connections */
    unsigned         turn;       /* the lane that comes first */
    unsigned         others;     /* running jobs of other lanes than ROWS */
    unsigned         others_max;
    unsigned         asks;       /* jobs of ASKS that wait */
    kr_job_t        *waiting;    /* all jobs that wait, by their deadline */
    kr_flow_t       *resting;
    uint64_t         wake_ms;    /* when the first rest is over */
    uint64_t         pause_ms;   /* in a pool of one connection: until when
                                    the slow lane does not get it, so that
                                    half of its time is for other lanes */
} kr_lanes_t;


/* a running job's share of its lane, which kr_lanes_end() gives back */
typedef struct {
    kr_lane_e        lane;
    uint64_t         id;
    uint64_t         began_ms;
} kr_reservation_t;


/* size: the number of connections, at least 1. */
void kr_lanes_init(kr_lanes_t *ls, unsigned size);

/* Frees the flows; the owners free the jobs that wait. */
void kr_lanes_free(kr_lanes_t *ls);

/*
 * Adds a job that waits, to its lane, or to the slow lane if that has a flow
 * of the job's id; sets job->slow.  The caller has set the job's lane, asker,
 * begun, queue.id and queue.deadline_ms.  KR_OK; KR_ERROR: no memory, and the
 * job does not wait.
 */
int kr_lanes_add(kr_lanes_t *ls, kr_job_t *job, uint64_t now);

/* Removes a job that waits. */
void kr_lanes_remove(kr_lanes_t *ls, kr_job_t *job);

/* Sets another deadline of a job that waits; its turn stays. */
void kr_lanes_later(kr_lanes_t *ls, kr_job_t *job, uint64_t deadline_ms);

/*
 * Takes out the next job that may run, and fills its reservation.  NULL: none
 * may run now.
 */
kr_job_t *kr_lanes_take(kr_lanes_t *ls, kr_reservation_t *r, uint64_t now);

/*
 * Gives back the reservation of a job that ran.  run: how the try ended, which
 * the lanes keep for the next job of the same id.  The job may be freed by
 * then.
 */
void kr_lanes_end(kr_lanes_t *ls, const kr_reservation_t *r, kr_run_e run,
    uint64_t now);

/* The number of waiting jobs that could run on further connections. */
unsigned kr_lanes_wanted(const kr_lanes_t *ls);

/*
 * Gives a turn to the flows whose rest is over.  kr_lanes_take() does that,
 * too, but is not called without a connection, and the pool makes a connection
 * only if kr_lanes_wanted() counts a job.
 */
void kr_lanes_wake(kr_lanes_t *ls, uint64_t now);

/*
 * The next time, in ms of kr_now(), at which a rest, the slow lane's pause or
 * a job's deadline ends; 0: none.  idle: whether there is an idle connection;
 * without one the end of the pause changes nothing.
 */
uint64_t kr_lanes_next(const kr_lanes_t *ls, int idle);


#endif /* _KR_POOL_LANE_H_INCLUDED_ */
