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
 * With three connections and more one is always for changed rows.  Of a single
 * one all have a part in turn.
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

    fl = kr_slow_find(ls, job->id, now);

    if (fl == NULL) {
        id = job->lane == KR_LANE_ASKS && job->asker != NULL
             ? (uint64_t) (uintptr_t) job->asker : job->id;

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

    fl = job->flow;

    kr_lane_drop(ls, job);
    kr_flow_unref(ls, fl);

    DL_DELETE2(ls->waiting, job, dprev, dnext);
    ls->asks -= job->lane == KR_LANE_ASKS;
}


void
kr_lanes_later(kr_lanes_t *ls, kr_job_t *job, uint64_t deadline)
{
    DL_DELETE2(ls->waiting, job, dprev, dnext);
    ls->asks -= job->lane == KR_LANE_ASKS;

    job->deadline = deadline;
    kr_lanes_wait(ls, job);
}


kr_job_t *
kr_lanes_take(kr_lanes_t *ls, kr_reservation_t *at, uint64_t now)
{
    unsigned   i;
    kr_job_t  *job;
    kr_lane_e  k;

    kr_lanes_wake(ls, now);

    for (i = 0; i < KR_LANES; i++) {

        k = (kr_lane_e) ((ls->turn + i) % KR_LANES);
        job = kr_lane_take(ls, k, now);

        if (job != NULL) {
            at->lane = k;
            at->id = job->id;
            at->began = now;

            ls->turn = (k + 1) % KR_LANES;
            ls->lanes[k].running++;
            ls->others += k != KR_LANE_ROWS;

            return job;
        }
    }

    return NULL;
}


void
kr_lanes_end(kr_lanes_t *ls, const kr_reservation_t *at, kr_run_e run,
    uint64_t now)
{
    kr_flow_t  *fl;

    ls->lanes[at->lane].running--;
    ls->others -= at->lane != KR_LANE_ROWS;

    HASH_FIND(hh, ls->lanes[KR_LANE_SLOW].flows, &at->id, sizeof(at->id), fl);

    if (at->lane == KR_LANE_SLOW) {
        ls->pause = now + (now - at->began);

        if (fl != NULL && fl->running != 0) {
            fl->running--;
        }
    }

    if (run == KR_RUN_SLOW || run == KR_RUN_LOCKED) {
        fl = fl == NULL ? kr_slow_get(ls, at->id) : fl;
    }

    if (fl == NULL) {
        return;
    }

    /* a quick one of many says nothing, if it was not thought to be slow */

    if (run != KR_RUN_ENDED
        && (run != KR_RUN_QUICK || at->lane == KR_LANE_SLOW))
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

    if (ls->resting == NULL || now < ls->wake) {
        return;
    }

    ls->wake = UINT64_MAX;

    DL_FOREACH_SAFE(ls->resting, fl, next) {

        if (fl->until <= now) {
            kr_flow_unturn(ls, fl);
            fl->until = 0;
            kr_flow_turn(ls, fl);

        } else if (fl->until < ls->wake) {
            ls->wake = fl->until;
        }
    }
}


uint64_t
kr_lanes_next(const kr_lanes_t *ls, int idle)
{
    uint64_t  next;

    next = ls->waiting == NULL ? 0 : ls->waiting->deadline;

    if (ls->resting != NULL && ls->wake < next) {
        next = ls->wake;
    }

    if (idle && ls->size == 1 && ls->lanes[KR_LANE_SLOW].turns != NULL
        && ls->pause < next)
    {
        next = ls->pause;
    }

    return next;
}


/* A job that was found to be slow meanwhile goes to where it belongs. */
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
        slow = k == KR_LANE_SLOW ? NULL : kr_slow_find(ls, job->id, now);

        kr_lane_drop(ls, job);

        if (slow != NULL) {
            kr_lane_put(ls, slow, job);
            kr_flow_unref(ls, fl);
            continue;
        }

        DL_DELETE2(ls->waiting, job, dprev, dnext);
        ls->asks -= job->lane == KR_LANE_ASKS;

        fl->running += k == KR_LANE_SLOW;

        if (fl->jobs != NULL) {
            /* the others' turn is first */
            kr_flow_unturn(ls, fl);
            kr_flow_turn(ls, fl);
        }

        kr_flow_unref(ls, fl);

        return job;
    }

    return NULL;
}


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

    return k != KR_LANE_SLOW || ls->size > 1 || now >= ls->pause;
}


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


static void
kr_lane_put(kr_lanes_t *ls, kr_flow_t *fl, kr_job_t *job)
{
    kr_flow_put(fl, job);
    job->flow = fl;
    job->slow = fl->lane == KR_LANE_SLOW;

    if (fl->n++ == 0) {
        kr_flow_turn(ls, fl);

    } else if (!fl->resting) {
        ls->lanes[fl->lane].ready++;
    }
}


/*
 * What has begun is ended before something else is begun: if all took their
 * first step before one took its second, none would be in time.
 */
static void
kr_flow_put(kr_flow_t *fl, kr_job_t *job)
{
    kr_job_t  *p;

    p = job->begun ? fl->jobs : NULL;

    while (p != NULL && p->begun) {
        p = p->next;
    }

    if (p != NULL) {
        DL_PREPEND_ELEM(fl->jobs, p, job);

    } else {
        DL_APPEND(fl->jobs, job);
    }
}


/* The flow stays, see kr_flow_unref(). */
static void
kr_lane_drop(kr_lanes_t *ls, kr_job_t *job)
{
    kr_flow_t  *fl;

    fl = job->flow;

    if (fl->n == 1) {
        kr_flow_unturn(ls, fl);

    } else if (!fl->resting) {
        ls->lanes[fl->lane].ready--;
    }

    fl->n--;
    DL_DELETE(fl->jobs, job);
    job->flow = NULL;
}


/* All wait equally long, so it is the last one, unless it is tried again. */
static void
kr_lanes_wait(kr_lanes_t *ls, kr_job_t *job)
{
    kr_job_t  *p;

    ls->asks += job->lane == KR_LANE_ASKS;

    if (ls->waiting == NULL
        || ls->waiting->dprev->deadline <= job->deadline)
    {
        DL_APPEND2(ls->waiting, job, dprev, dnext);
        return;
    }

    for (p = ls->waiting; p->deadline <= job->deadline; p = p->dnext) {
        /* void */
    }

    DL_PREPEND_ELEM2(ls->waiting, p, job, dprev, dnext);
}


/* The flow of this id, a new one if there is none; NULL: no memory. */
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


/* It has its turn after all others, or when it has rested. */
static void
kr_flow_turn(kr_lanes_t *ls, kr_flow_t *fl)
{
    if (fl->until != 0) {

        if (ls->resting == NULL || fl->until < ls->wake) {
            ls->wake = fl->until;
        }

        DL_APPEND(ls->resting, fl);
        fl->resting = 1;
        return;
    }

    DL_APPEND(ls->lanes[fl->lane].turns, fl);
    ls->lanes[fl->lane].ready += fl->n;
}


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


/* Frees it, if nothing is left to remember. */
static void
kr_flow_unref(kr_lanes_t *ls, kr_flow_t *fl)
{
    if (fl->jobs == NULL && fl->running == 0 && fl->known == 0) {
        kr_flow_free(ls, fl);
    }
}


static void
kr_flow_free(kr_lanes_t *ls, kr_flow_t *fl)
{
    HASH_DELETE(hh, ls->lanes[fl->lane].flows, fl);
    free(fl);
}


/* NULL: it is not slow, as far as is known. */
static kr_flow_t *
kr_slow_find(const kr_lanes_t *ls, uint64_t id, uint64_t now)
{
    kr_flow_t  *fl;

    HASH_FIND(hh, ls->lanes[KR_LANE_SLOW].flows, &id, sizeof(id), fl);

    if (fl == NULL || fl->known == 0 || now - fl->known > KR_SLOW_KEEP) {
        return NULL;
    }

    return fl;
}


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


static void
kr_slow_learn(kr_lanes_t *ls, kr_flow_t *fl, kr_run_e run, uint64_t now)
{
    if (fl->jobs != NULL) {
        kr_flow_unturn(ls, fl);
    }

    fl->known = run == KR_RUN_QUICK ? 0 : now;
    fl->locked = run == KR_RUN_LOCKED;

    if (!fl->locked) {
        fl->until = 0;
        fl->delay = 0;

    } else if (fl->until <= now) {
        fl->delay = fl->delay == 0 ? KR_REST_MIN : 2 * fl->delay;

        if (fl->delay > KR_REST_MAX) {
            fl->delay = KR_REST_MAX;
        }

        fl->until = now + fl->delay;
    }

    if (fl->jobs != NULL) {
        kr_flow_turn(ls, fl);
    }
}
