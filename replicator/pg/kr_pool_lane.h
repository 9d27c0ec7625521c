/*
 * Whose turn it is: the jobs that wait, and how many of each lane run.  It
 * knows no connection and no clock.
 *
 * What has passed its quick time-outs is remembered by what it is about, and
 * waits in the slow lane.  What waited for a lock has a rest before it is
 * tried again, which doubles, and is tried by one job at a time.
 */

#ifndef _KR_POOL_LANE_H_INCLUDED_
#define _KR_POOL_LANE_H_INCLUDED_


#include "kr_hash.h"
#include "kr_pool.h"


#define KR_SLOW_MAX   10000                 /* remembered; at it the oldest
                                               that nothing waits for is
                                               forgotten, or the newest */
#define KR_SLOW_KEEP  (10 * 60 * 1000)      /* ms, unless it was quick */
#define KR_REST_MIN   50                    /* ms */
#define KR_REST_MAX   2000


/* how a try ended */
typedef enum {
    KR_RUN_ENDED = 0,    /* which says nothing of the next one */
    KR_RUN_QUICK,
    KR_RUN_SLOW,
    KR_RUN_LOCKED
} kr_run_e;


/* the jobs of a lane that share a turn */
struct kr_flow_s {
    uint64_t         id;         /* of what they are about, or of the asker */
    kr_lane_e        lane;
    kr_job_t        *jobs;       /* in order of arrival */
    unsigned         n;
    kr_flow_t       *prev;       /* of the lane's turns, or the resting */
    kr_flow_t       *next;
    UT_hash_handle   hh;

    /* of the slow lane, where it stays without any job */
    uint64_t         known;      /* ms, when it was slow; 0: it is not */
    uint64_t         until;      /* ms, of its rest */
    unsigned         delay;      /* ms, of the last rest */
    unsigned         running;
    unsigned         locked:1;
    unsigned         resting:1;
};


typedef struct {
    kr_flow_t       *flows;
    kr_flow_t       *turns;      /* those with jobs, the next one first */
    unsigned         ready;      /* jobs of these */
    unsigned         running;
    unsigned         limit;      /* of running */
} kr_lane_t;


/* zeroed memory, then kr_lanes_init() */
typedef struct {
    kr_lane_t        lanes[KR_LANES];
    unsigned         size;       /* connections */
    unsigned         turn;       /* the lane that comes first */
    unsigned         others;     /* running, of other lanes than ROWS */
    unsigned         others_max;
    unsigned         asks;       /* that wait */
    kr_job_t        *waiting;    /* all, by their deadline */
    kr_flow_t       *resting;
    uint64_t         wake;       /* ms, when the first rest is over */
    uint64_t         pause;      /* ms; of a single connection the slow lane
                                    has half of the time */
} kr_lanes_t;


/* what a job took when it began, and gives back */
typedef struct {
    kr_lane_e        lane;
    uint64_t         id;
    uint64_t         began;      /* ms */
} kr_reservation_t;


void kr_lanes_init(kr_lanes_t *ls, unsigned size);

/* No job may wait any more. */
void kr_lanes_free(kr_lanes_t *ls);

/*
 * The job waits; its lane, id, asker and deadline are set.  KR_ERROR: no
 * memory.
 */
int kr_lanes_add(kr_lanes_t *ls, kr_job_t *job, uint64_t now);

/* It does not any more, or until another time. */
void kr_lanes_remove(kr_lanes_t *ls, kr_job_t *job);
void kr_lanes_later(kr_lanes_t *ls, kr_job_t *job, uint64_t deadline);

/*
 * The next job that may run, and its place, which is given back by
 * kr_lanes_end(); NULL: none may.
 */
kr_job_t *kr_lanes_take(kr_lanes_t *ls, kr_reservation_t *at, uint64_t now);
void kr_lanes_end(kr_lanes_t *ls, const kr_reservation_t *at, kr_run_e run,
    uint64_t now);

/* How many jobs might run if there were more connections. */
unsigned kr_lanes_wanted(const kr_lanes_t *ls);

/*
 * Those that have rested are ready; kr_lanes_take() does it, too, but there is
 * no connection to take one with, if none was wanted.
 */
void kr_lanes_wake(kr_lanes_t *ls, uint64_t now);

/*
 * When something changes by time alone, in ms; 0: nothing will.  idle: whether
 * a connection is; if not, the slow lane's pause says nothing.
 */
uint64_t kr_lanes_next(const kr_lanes_t *ls, int idle);


#endif /* _KR_POOL_LANE_H_INCLUDED_ */
