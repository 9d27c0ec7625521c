/*
 * Whose turn it is: the jobs that wait, and how many of each lane run.  This
 * file knows no connection and no clock: `now` is kr_now()'s.
 *
 * The jobs of a lane that share a turn are a flow.  What a job is about is
 * remembered once the job has passed its short time-outs, and all jobs about
 * it wait in the slow lane from then on.  A flow whose job waited for a lock
 * in vain rests before the next try, for twice as long each time, and has one
 * job running at most.
 */

#ifndef _KR_POOL_LANE_H_INCLUDED_
#define _KR_POOL_LANE_H_INCLUDED_


#include "kr_hash.h"
#include "kr_job.h"


#define KR_SLOW_MAX   10000                 /* flows that are remembered; at
                                               this number the oldest one
                                               without jobs is forgotten, or,
                                               if all have jobs, the new one
                                               is not remembered */
#define KR_SLOW_KEEP  (10 * 60 * 1000)      /* ms, unless a job was quick */
#define KR_REST_MIN   50                    /* ms */
#define KR_REST_MAX   2000


/* how a try ended */
typedef enum {
    KR_RUN_ENDED = 0,    /* which says nothing of the next try */
    KR_RUN_QUICK,
    KR_RUN_SLOW,
    KR_RUN_LOCKED
} kr_run_e;


/* the jobs of a lane that share a turn */
struct kr_flow_s {
    uint64_t         id;         /* of what they are about, or of the asker */
    kr_lane_e        lane;
    kr_job_t        *jobs;       /* that wait, in order of arrival */
    unsigned         n;          /* jobs */
    kr_flow_t       *prev;       /* of the lane's turns, or the resting */
    kr_flow_t       *next;
    UT_hash_handle   hh;

    /* of the slow lane, where a flow stays without any job */
    uint64_t         known_ms;   /* when it was slow; 0: it is not known to
                                    be slow any more */
    uint64_t         until_ms;   /* the end of its rest; 0: none */
    unsigned         delay_ms;   /* the last rest */
    unsigned         running;    /* jobs */
    unsigned         locked:1;   /* the last try waited for a lock in vain */
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
    uint64_t         wake_ms;    /* when the first rest is over */
    uint64_t         pause_ms;   /* until when the slow lane does not get a
                                    single connection, half of whose time
                                    is for the other lanes */
} kr_lanes_t;


/* what a job took when it began to run, and kr_lanes_end() gives back */
typedef struct {
    kr_lane_e        lane;
    uint64_t         id;
    uint64_t         began_ms;
} kr_reservation_t;


/* size: the number of connections, at least 1. */
void kr_lanes_init(kr_lanes_t *ls, unsigned size);

/* Frees the flows; the jobs that wait are the owners' to free. */
void kr_lanes_free(kr_lanes_t *ls);

/*
 * Puts the job among those that wait, in its lane, or in the slow lane if what
 * it is about is known to be slow; sets job->slow.  The job's lane, asker and
 * begun are set, and queue.id and queue.deadline_ms.  KR_ERROR: no memory, and
 * the job does not wait.
 */
int kr_lanes_add(kr_lanes_t *ls, kr_job_t *job, uint64_t now);

/* Takes out a job that waits. */
void kr_lanes_remove(kr_lanes_t *ls, kr_job_t *job);

/* Gives a job that waits another deadline, in ms; its turn stays. */
void kr_lanes_later(kr_lanes_t *ls, kr_job_t *job, uint64_t deadline_ms);

/*
 * Takes out the next job that may run, and fills its reservation.  NULL: none
 * may run now.
 */
kr_job_t *kr_lanes_take(kr_lanes_t *ls, kr_reservation_t *r, uint64_t now);

/*
 * Gives back a reservation: the job runs no more, and `run` is what the lanes
 * learn for the next job about the same.  The job itself may be gone.
 */
void kr_lanes_end(kr_lanes_t *ls, const kr_reservation_t *r, kr_run_e run,
    uint64_t now);

/* How many jobs might run if there were more connections. */
unsigned kr_lanes_wanted(const kr_lanes_t *ls);

/*
 * Gives a turn to the flows whose rest is over.  kr_lanes_take() does it too,
 * but is not called where there is no connection, and the pool makes one only
 * if kr_lanes_wanted() counts a job.
 */
void kr_lanes_wake(kr_lanes_t *ls, uint64_t now);

/*
 * When kr_lanes_wake(), kr_lanes_take() or a deadline has something to do by
 * the passing of time alone, in ms of the clock; 0: never.  idle: whether
 * there is an idle connection; without one the end of the slow lane's pause
 * changes nothing.
 */
uint64_t kr_lanes_next(const kr_lanes_t *ls, int idle);


#endif /* _KR_POOL_LANE_H_INCLUDED_ */
