/*
 * The end of a try: whether the job is over or is tried again, and what its
 * lane keeps for the next job of the same id.
 */

#include <string.h>

#include "kr_clock.h"
#include "kr_pool_private.h"


static kr_run_e kr_try_run(const kr_link_t *ln, kr_job_status_e status,
    uint64_t took_ms);
static int kr_try_again(const kr_link_t *ln, kr_job_status_e status,
    kr_run_e run);


const char  kr_pool_locked_text[] =
    "a table that it reads is locked, try again";
const char  kr_pool_busy_text[] = "all connections to the database are busy";


int
kr_pool_tried(kr_link_t *ln, kr_job_status_e *status)
{
    uint64_t    now, took_ms;
    kr_run_e    run;
    kr_job_t   *job;
    kr_pool_t  *pool;

    pool = ln->pool;
    job = ln->job;
    now = kr_now();
    took_ms = now - ln->reservation.began_ms;

    run = kr_try_run(ln, *status, took_ms);
    kr_lanes_end(&pool->lanes, &ln->reservation, run, now);

    if (job == NULL) {
        return KR_OK;
    }

    job->took_ms = took_ms;
    job->locked = run == KR_RUN_LOCKED;

    if (!kr_try_again(ln, *status, run)) {
        return KR_OK;
    }

    if (job->lane == KR_LANE_ASKS && now >= job->queue.deadline_ms) {
        kr_pg_set_error(&ln->pg,
                        job->locked ? KR_STATE_LOCKED : KR_STATE_CANCELLED,
                        job->locked ? kr_pool_locked_text : kr_pool_busy_text);
        *status = KR_JOB_FAILED;
        return KR_OK;
    }

    ln->job = NULL;
    kr_link_drop_results(ln);
    kr_pool_queue(pool, job);

    return KR_AGAIN;
}


/*
 * How the try ended, for the lane.  If a statement was cancelled before its
 * time-out, an administrator cancelled it.  PostgreSQL's time-outs and took_ms
 * are cut to milliseconds, so a millisecond of difference is allowed.
 */
static kr_run_e
kr_try_run(const kr_link_t *ln, kr_job_status_e status, uint64_t took_ms)
{
    int  passed;

    passed = took_ms + 1 >= (uint64_t) ln->pool->statement_timeout;

    switch (status) {

    case KR_JOB_DONE:
        if (ln->job != NULL && ln->rewritten) {
            return KR_RUN_LOCKED;
        }

        return passed ? KR_RUN_SLOW : KR_RUN_QUICK;

    case KR_JOB_FAILED:
        if (strcmp(ln->pg.sqlstate, KR_STATE_LOCKED) == 0) {
            return KR_RUN_LOCKED;
        }

        return passed && strcmp(ln->pg.sqlstate, KR_STATE_CANCELLED) == 0
               ? KR_RUN_SLOW : KR_RUN_ENDED;

    default:
        return KR_RUN_ENDED;
    }
}


/*
 * Whether the pool tries the job again: it waited for a lock in vain, or was
 * too slow for the short time-out and has not had the long one.
 */
static int
kr_try_again(const kr_link_t *ln, kr_job_status_e status, kr_run_e run)
{
    return run == KR_RUN_LOCKED
           || (run == KR_RUN_SLOW && status == KR_JOB_FAILED
               && ln->reservation.lane != KR_LANE_SLOW);
}
