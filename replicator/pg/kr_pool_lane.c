#include <stdint.h>
#include <stdlib.h>

#include "kr_pool_lane.h"


static kr_job_t *kr_lane_take(kr_lanes_t *ls, kr_lane_e k, uint64_t now);
static int kr_lane_room(const kr_lanes_t *ls, kr_lane_e k, uint64_t now);
static kr_flow_t *kr_lane_next(const kr_lane_t *lane);
static void kr_lane_put(kr_lanes_t *ls, kr_flow_t *fl, kr_job_t *job);
static void kr_flow_put(kr_flow_t *fl, kr_job_t *job);
static void kr_lane_drop(kr_lanes_t *ls, kr_job_t *job);
static void kr_lanes_wait(kr_lanes_t *ls, kr_job_t *job);
static kr_flow_t *kr_flow_get(kr_lanes_t *ls, kr_lane_e k, uint64_t id);
static void kr_flow_turn(kr_lanes_t *ls, kr_flow_t *fl);
static void kr_flow_unturn(kr_lanes_t *ls, kr_flow_t *fl);
static void kr_flow_unref(kr_lanes_t *ls, kr_flow_t *fl);
static void kr_flow_free(kr_lanes_t *ls, kr_flow_t *fl);
static kr_flow_t *kr_slow_find(const kr_lanes_t *ls, uint64_t id,
    uint64_t now);
static kr_flow_t *kr_slow_get(kr_lanes_t *ls, uint64_t id);
static void kr_slow_learn(kr_lanes_t *ls, kr_flow_t *fl, kr_run_e run,
    uint64_t now);


/*
 * If there are three connections or more, one is kept for ROWS.  A single
 * connection serves all lanes in turn.
 */
void
kr_lanes_init(kr_lanes_t *ls, unsigned size)
{
    ls->size = size;
    ls->others_max = size < 3 ? size : size - 1;

    ls->lanes[KR_LANE_ROWS].limit = size;
    ls->lanes[KR_LANE_RUNS].limit = (size + 1) / 2;
    ls->lanes[KR_LANE_ASKS].limit = size < 2 ? 1 : size - 1;
    ls->lanes[KR_LANE_SLOW].limit = size < 2 ? 1 : size / 2;
}


void
kr_lanes_free(kr_lanes_t *ls)
{
    int         k;
    kr_flow_t  *fl, *next;

    for (k = 0; k < KR_LANES; k++) {
        HASH_ITER(hh, ls->lanes[k].flows, fl, next) {
            kr_flow_free(ls, fl);
        }
    }
}


int
kr_lanes_add(kr_lanes_t *ls, kr_job_t *job, uint64_t now)
{
    uint64_t    id;
    kr_flow_t  *fl;

    fl = kr_slow_find(ls, job->queue.id, now);

    if (fl == NULL) {
        id = job->lane == KR_LANE_ASKS && job->asker != NULL
             ? (uint64_t) (uintptr_t) job->asker : job->queue.id;

        fl = kr_flow_get(ls, job->lane, id);
        if (fl == NULL) {
            return KR_ERROR;
        }
    }

    kr_lane_put(ls, fl, job);
    kr_lanes_wait(ls, job);

    return KR_OK;
}


void
kr_lanes_remove(kr_lanes_t *ls, kr_job_t *job)
{
    kr_flow_t  *fl;

    fl = job->queue.flow;

    kr_lane_drop(ls, job);
    kr_flow_unref(ls, fl);

    DL_DELETE2(ls->waiting, job, queue.dprev, queue.dnext);
    ls->asks -= job->lane == KR_LANE_ASKS;
}


void
kr_lanes_later(kr_lanes_t *ls, kr_job_t *job, uint64_t deadline_ms)
{
    DL_DELETE2(ls->waiting, job, queue.dprev, queue.dnext);
    ls->asks -= job->lane == KR_LANE_ASKS;

    job->queue.deadline_ms = deadline_ms;
    kr_lanes_wait(ls, job);
}


kr_job_t *
kr_lanes_take(kr_lanes_t *ls, kr_reservation_t *r, uint64_t now)
{
    unsigned   i;
    kr_job_t  *job;
    kr_lane_e  k;

    kr_lanes_wake(ls, now);

    for (i = 0; i < KR_LANES; i++) {

        k = (kr_lane_e) ((ls->turn + i) % KR_LANES);
        job = kr_lane_take(ls, k, now);

        if (job != NULL) {
            r->lane = k;
            r->id = job->queue.id;
            r->began_ms = now;

            ls->turn = (k + 1) % KR_LANES;
            ls->lanes[k].running++;
            ls->others += k != KR_LANE_ROWS;

            return job;
        }
    }

    return NULL;
}


void
kr_lanes_end(kr_lanes_t *ls, const kr_reservation_t *r, kr_run_e run,
    uint64_t now)
{
    kr_flow_t  *fl;

    ls->lanes[r->lane].running--;
    ls->others -= r->lane != KR_LANE_ROWS;

    HASH_FIND(hh, ls->lanes[KR_LANE_SLOW].flows, &r->id, sizeof(r->id), fl);

    if (r->lane == KR_LANE_SLOW) {
        ls->pause_ms = now + (now - r->began_ms);

        if (fl != NULL && fl->running != 0) {
            fl->running--;
        }
    }

    if (run == KR_RUN_SLOW || run == KR_RUN_LOCKED) {
        fl = fl == NULL ? kr_slow_get(ls, r->id) : fl;
    }

    if (fl == NULL) {
        return;
    }

    /* a quick job changes something only if its flow counts as slow */

    if (run != KR_RUN_ENDED
        && (run != KR_RUN_QUICK || r->lane == KR_LANE_SLOW))
    {
        kr_slow_learn(ls, fl, run, now);
    }

    kr_flow_unref(ls, fl);
}


unsigned
kr_lanes_wanted(const kr_lanes_t *ls)
{
    int               k;
    unsigned          n, room;
    const kr_lane_t  *lane;

    n = 0;

    for (k = 0; k < KR_LANES; k++) {
        lane = &ls->lanes[k];
        room = lane->limit < lane->running ? 0 : lane->limit - lane->running;
        n += lane->ready < room ? lane->ready : room;
    }

    return n;
}


void
kr_lanes_wake(kr_lanes_t *ls, uint64_t now)
{
    kr_flow_t  *fl, *next;

    if (ls->resting == NULL || now < ls->wake_ms) {
        return;
    }

    ls->wake_ms = UINT64_MAX;

    DL_FOREACH_SAFE(ls->resting, fl, next) {

        if (fl->until_ms <= now) {
            kr_flow_unturn(ls, fl);
            fl->until_ms = 0;
            kr_flow_turn(ls, fl);

        } else if (fl->until_ms < ls->wake_ms) {
            ls->wake_ms = fl->until_ms;
        }
    }
}


uint64_t
kr_lanes_next(const kr_lanes_t *ls, int idle)
{
    uint64_t  next;

    next = ls->waiting == NULL ? 0 : ls->waiting->queue.deadline_ms;

    if (ls->resting != NULL && ls->wake_ms < next) {
        next = ls->wake_ms;
    }

    if (idle && ls->size == 1 && ls->lanes[KR_LANE_SLOW].turns != NULL
        && ls->pause_ms < next)
    {
        next = ls->pause_ms;
    }

    return next;
}


/*
 * Takes the lane's next job out; NULL: the lane has none, or no room.  If the
 * slow lane has got a flow of the job's id since the job was added, the job
 * moves to the slow lane instead.
 */
static kr_job_t *
kr_lane_take(kr_lanes_t *ls, kr_lane_e k, uint64_t now)
{
    kr_job_t   *job;
    kr_flow_t  *fl, *slow;

    while (kr_lane_room(ls, k, now)) {

        fl = kr_lane_next(&ls->lanes[k]);
        if (fl == NULL) {
            break;
        }

        job = fl->jobs;
        slow = k == KR_LANE_SLOW ? NULL : kr_slow_find(ls, job->queue.id, now);

        kr_lane_drop(ls, job);

        if (slow != NULL) {
            kr_lane_put(ls, slow, job);
            kr_flow_unref(ls, fl);
            continue;
        }

        DL_DELETE2(ls->waiting, job, queue.dprev, queue.dnext);
        ls->asks -= job->lane == KR_LANE_ASKS;

        fl->running += k == KR_LANE_SLOW;

        if (fl->jobs != NULL) {
            /* the other flows' turns come first */
            kr_flow_unturn(ls, fl);
            kr_flow_turn(ls, fl);
        }

        kr_flow_unref(ls, fl);

        return job;
    }

    return NULL;
}


/* Whether one more job of the lane may run, as far as its limits go. */
static int
kr_lane_room(const kr_lanes_t *ls, kr_lane_e k, uint64_t now)
{
    if (k == KR_LANE_ROWS) {
        return 1;
    }

    if (ls->lanes[k].running >= ls->lanes[k].limit
        || ls->others >= ls->others_max)
    {
        return 0;
    }

    return k != KR_LANE_SLOW || ls->size > 1 || now >= ls->pause_ms;
}


/*
 * The flow whose turn it is: the first one that is not locked, or that has no
 * job running.  NULL: there is none.
 */
static kr_flow_t *
kr_lane_next(const kr_lane_t *lane)
{
    kr_flow_t  *fl;

    DL_FOREACH(lane->turns, fl) {
        if (!fl->locked || fl->running == 0) {
            return fl;
        }
    }

    return NULL;
}


/*
 * Puts the job into the flow, and so into the flow's lane.  If it is the
 * flow's only job the flow gets a turn, which comes after those of all other
 * flows of the lane, or after its rest; otherwise the job shares the flow's
 * turn, behind or before the other jobs as kr_flow_put() says.
 */
static void
kr_lane_put(kr_lanes_t *ls, kr_flow_t *fl, kr_job_t *job)
{
    kr_flow_put(fl, job);
    job->queue.flow = fl;
    job->slow = fl->lane == KR_LANE_SLOW;

    if (fl->n++ == 0) {
        kr_flow_turn(ls, fl);

    } else if (!fl->resting) {
        ls->lanes[fl->lane].ready++;
    }
}


/*
 * The order of jobs within a flow: of arrival, but those with job->begun come
 * first.  If all subscribes of a client took their first step before one took
 * its second, none would be in time.
 */
static void
kr_flow_put(kr_flow_t *fl, kr_job_t *job)
{
    kr_job_t  *p;

    p = job->begun ? fl->jobs : NULL;

    while (p != NULL && p->begun) {
        p = p->queue.next;
    }

    if (p != NULL) {
        DL_PREPEND_ELEM2(fl->jobs, p, job, queue.prev, queue.next);

    } else {
        DL_APPEND2(fl->jobs, job, queue.prev, queue.next);
    }
}


/*
 * Takes the job out of its flow, which loses its turn with its last job, but
 * stays until kr_flow_unref().
 */
static void
kr_lane_drop(kr_lanes_t *ls, kr_job_t *job)
{
    kr_flow_t  *fl;

    fl = job->queue.flow;

    if (fl->n == 1) {
        kr_flow_unturn(ls, fl);

    } else if (!fl->resting) {
        ls->lanes[fl->lane].ready--;
    }

    fl->n--;
    DL_DELETE2(fl->jobs, job, queue.prev, queue.next);
    job->queue.flow = NULL;
}


/*
 * Puts the job among all that wait, by its deadline.  Jobs wait equally long,
 * so the job is the last one, unless it is tried again.
 */
static void
kr_lanes_wait(kr_lanes_t *ls, kr_job_t *job)
{
    kr_job_t  *p;
    uint64_t   deadline_ms;

    ls->asks += job->lane == KR_LANE_ASKS;
    deadline_ms = job->queue.deadline_ms;

    if (ls->waiting == NULL
        || ls->waiting->queue.dprev->queue.deadline_ms <= deadline_ms)
    {
        DL_APPEND2(ls->waiting, job, queue.dprev, queue.dnext);
        return;
    }

    p = ls->waiting;

    while (p->queue.deadline_ms <= deadline_ms) {
        p = p->queue.dnext;
    }

    DL_PREPEND_ELEM2(ls->waiting, p, job, queue.dprev, queue.dnext);
}


/* Finds the lane's flow of this id, or makes one; NULL: no memory. */
static kr_flow_t *
kr_flow_get(kr_lanes_t *ls, kr_lane_e k, uint64_t id)
{
    kr_flow_t  *fl;

    HASH_FIND(hh, ls->lanes[k].flows, &id, sizeof(id), fl);

    if (fl != NULL) {
        return fl;
    }

    fl = calloc(1, sizeof(kr_flow_t));
    if (fl == NULL) {
        return NULL;
    }

    fl->id = id;
    fl->lane = k;

    HASH_ADD(hh, ls->lanes[k].flows, id, sizeof(fl->id), fl);

    if (fl->hh.tbl == NULL) {
        free(fl);
        return NULL;
    }

    return fl;
}


/* Gives the flow the last turn of its lane, or puts it among the resting. */
static void
kr_flow_turn(kr_lanes_t *ls, kr_flow_t *fl)
{
    if (fl->until_ms != 0) {

        if (ls->resting == NULL || fl->until_ms < ls->wake_ms) {
            ls->wake_ms = fl->until_ms;
        }

        DL_APPEND(ls->resting, fl);
        fl->resting = 1;
        return;
    }

    DL_APPEND(ls->lanes[fl->lane].turns, fl);
    ls->lanes[fl->lane].ready += fl->n;
}


/* Takes the flow out of the turns, or out of the resting. */
static void
kr_flow_unturn(kr_lanes_t *ls, kr_flow_t *fl)
{
    if (fl->resting) {
        DL_DELETE(ls->resting, fl);
        fl->resting = 0;
        return;
    }

    DL_DELETE(ls->lanes[fl->lane].turns, fl);
    ls->lanes[fl->lane].ready -= fl->n;
}


/* Frees the flow if it has no jobs, waiting or running, and is not slow. */
static void
kr_flow_unref(kr_lanes_t *ls, kr_flow_t *fl)
{
    if (fl->jobs == NULL && fl->running == 0 && fl->known_ms == 0) {
        kr_flow_free(ls, fl);
    }
}


static void
kr_flow_free(kr_lanes_t *ls, kr_flow_t *fl)
{
    HASH_DELETE(hh, ls->lanes[fl->lane].flows, fl);
    free(fl);
}


/* The slow lane's flow of this id; NULL: there is none that counts as slow. */
static kr_flow_t *
kr_slow_find(const kr_lanes_t *ls, uint64_t id, uint64_t now)
{
    kr_flow_t  *fl;

    HASH_FIND(hh, ls->lanes[KR_LANE_SLOW].flows, &id, sizeof(id), fl);

    if (fl == NULL || fl->known_ms == 0 || now - fl->known_ms > KR_SLOW_KEEP) {
        return NULL;
    }

    return fl;
}


/*
 * Finds the slow lane's flow of this id, or makes one.  NULL: no memory, or
 * KR_SLOW_MAX other flows have jobs.
 */
static kr_flow_t *
kr_slow_get(kr_lanes_t *ls, uint64_t id)
{
    kr_flow_t  *fl;
    kr_lane_t  *lane;

    lane = &ls->lanes[KR_LANE_SLOW];

    if (HASH_COUNT(lane->flows) >= KR_SLOW_MAX) {

        fl = lane->flows;

        while (fl != NULL && (fl->jobs != NULL || fl->running != 0)) {
            fl = fl->hh.next;
        }

        if (fl == NULL) {
            return NULL;
        }

        kr_flow_free(ls, fl);
    }

    return kr_flow_get(ls, KR_LANE_SLOW, id);
}


/*
 * Stores in the flow how a try ended.  A locked flow rests; further tries that
 * end during the rest do not prolong it.
 */
static void
kr_slow_learn(kr_lanes_t *ls, kr_flow_t *fl, kr_run_e run, uint64_t now)
{
    if (fl->jobs != NULL) {
        kr_flow_unturn(ls, fl);
    }

    fl->known_ms = run == KR_RUN_QUICK ? 0 : now;
    fl->locked = run == KR_RUN_LOCKED;

    if (!fl->locked) {
        fl->until_ms = 0;
        fl->delay_ms = 0;

    } else if (fl->until_ms <= now) {
        fl->delay_ms = fl->delay_ms == 0 ? KR_REST_MIN : 2 * fl->delay_ms;

        if (fl->delay_ms > KR_REST_MAX) {
            fl->delay_ms = KR_REST_MAX;
        }

        fl->until_ms = now + fl->delay_ms;
    }

    if (fl->jobs != NULL) {
        kr_flow_turn(ls, fl);
    }
}
