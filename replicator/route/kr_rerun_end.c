/*
 * How a run ends: with a result that counts or not, with an error, or not at
 * all.
 */

#include <string.h>

#include "kr_clock.h"
#include "kr_loop.h"
#include "kr_owner.h"
#include "kr_rerun_private.h"
#include "kr_retry.h"


#define KR_RERUN_REST_MAX     10000    /* ms; between two runs of a route */
#define KR_RERUN_UNSEEN_MAX   100      /* runs; guests do not wait longer */
#define KR_RERUN_GUEST_MAX    8000     /* ms; a guest waits no longer for the
                                          end of a run that hangs */


static void kr_rerun_result(kr_rerun_t *rr);
static void kr_rerun_unsettled(kr_rerun_t *rr);
static void kr_rerun_answer(kr_rerun_t *rr);
static void kr_rerun_again(kr_rerun_t *rr);
static void kr_rerun_failed(kr_rerun_t *rr);
static uint64_t kr_rerun_behind(const kr_rerun_t *rr);
static void kr_rerun_stuck(kr_rerun_t *rr);
static void kr_rerun_give_up(kr_rerun_t *rr, const char *reason);
static void kr_rerun_refuse_one(kr_waiter_t *g, const char *reason);
static void kr_rerun_retry(kr_rerun_t *rr, const kr_retry_policy_t *policy);


void
kr_rerun_done(kr_job_t *job)
{
    kr_rerun_t  *rr;

    rr = kr_owner(job, kr_rerun_t, job);

    rr->rested = kr_now() + (job->took_ms > KR_RERUN_REST_MAX
                             ? KR_RERUN_REST_MAX : job->took_ms);

    kr_rerun_stopped(rr);
    rr->busy = 1;

    switch (kr_job_outcome(job)) {

    case KR_OK:
        kr_rerun_result(rr);
        break;

    case KR_AGAIN:
        kr_rerun_again(rr);
        break;

    default: /* KR_DECLINED, KR_ERROR */
        kr_rerun_failed(rr);
        break;
    }

    rr->busy = 0;

    if (rr->route == NULL) {
        kr_rerun_free(rr);

    } else {
        kr_rerun_next(rr);
    }
}


void
kr_rerun_sweep(kr_changes_t *cs)
{
    uint64_t      now;
    kr_rerun_t   *rr, *next;
    kr_reruns_t  *rn;

    rn = cs->reruns;
    now = kr_now();

    DL_FOREACH_SAFE2(rn->running, rr, next, rnext) {

        if (!rr->job.slow) {
            continue;
        }

        if (kr_pool_stuck(rn->pool, &rr->job, kr_rerun_behind(rr))) {
            kr_rerun_stuck(rr);
            continue;
        }

        while (rr->waiting != NULL
               && now - rr->waiting->since_ms > KR_RERUN_GUEST_MAX)
        {
            kr_rerun_refuse_one(rr->waiting, kr_job_stuck(&rr->job));
        }
    }
}


void
kr_rerun_stopped(kr_rerun_t *rr)
{
    rr->running = 0;
    DL_DELETE2(rr->owner->running, rr, rprev, rnext);
}


static void
kr_rerun_result(kr_rerun_t *rr)
{
    const char  *reason;

    if (!kr_txn_settled(rr->owner->routes->txns, &rr->job.moment.snapshot,
                        rr->since, rr->asked))
    {
        kr_rerun_unsettled(rr);
        return;
    }

    rr->unseen = 0;
    rr->job.wait_ms = 0;

    if (kr_rerun_compare(rr, rr->job.results[0], &reason) != KR_OK) {
        kr_rerun_give_up(rr, reason);
        return;
    }

    if (rr->route == NULL) {
        return;
    }

    rr->based = 1;

    if (rr->answered != NULL) {
        kr_txn_release(rr->answered);
        rr->answered = NULL;
    }

    kr_rerun_answer(rr);
}


/* A commit is decoded a moment before it is visible: runs again. */
static void
kr_rerun_unsettled(kr_rerun_t *rr)
{
    if (++rr->unseen > KR_RERUN_UNSEEN_MAX) {
        kr_rerun_refuse(&rr->served,
                        "a transaction is not visible yet, try again");
    }

    kr_rerun_retry(rr, &kr_retry_unseen);
}


/* The guests' rows are those that the members have, all events applied. */
static void
kr_rerun_answer(kr_rerun_t *rr)
{
    kr_waiter_t  *g;

    while (rr->served != NULL) {
        g = rr->served;
        kr_waiter_move(g, NULL);

        g->moment = &rr->job.moment;
        g->rows = rr->job.results[rr->job.nstatements - 1];
        g->from = rr->owner->routes->backlog.number + 1;
        g->reason = NULL;

        g->done(g);
    }
}


/* The waiters that were to have this run's rows do not wait for the next. */
static void
kr_rerun_again(kr_rerun_t *rr)
{
    kr_buf_t  reason;

    memset(&reason, 0, sizeof(kr_buf_t));
    kr_rerun_refuse(&rr->served, kr_job_reason(&rr->job, NULL, &reason));
    kr_buf_free(&reason);

    if (rr->job.status == KR_JOB_LOST) {

        if (rr->answered == NULL) {
            return;
        }

        kr_stream_renew(rr->owner->routes->stream,
                        "changed rows cannot be fetched");
    }

    kr_rerun_retry(rr, &kr_retry_lost);
}


static void
kr_rerun_failed(kr_rerun_t *rr)
{
    kr_buf_t  reason;

    memset(&reason, 0, sizeof(kr_buf_t));
    kr_rerun_give_up(rr, kr_job_reason(&rr->job, NULL, &reason));
    kr_buf_free(&reason);
}


/* How much WAL is kept for the changes that it did not answer yet. */
static uint64_t
kr_rerun_behind(const kr_rerun_t *rr)
{
    uint64_t         last;
    const kr_txn_t  *txn;

    last = rr->owner->routes->txns->last;
    txn = rr->answered != NULL ? rr->answered : rr->txn;

    return txn != NULL && last > txn->lsn ? last - txn->lsn : 0;
}


static void
kr_rerun_stuck(kr_rerun_t *rr)
{
    const char  *reason;

    reason = kr_job_stuck(&rr->job);

    kr_pool_cancel(rr->owner->pool, &rr->job);
    kr_rerun_stopped(rr);

    rr->busy = 1;

    kr_rerun_refuse(&rr->waiting, reason);
    kr_rerun_give_up(rr, reason);

    rr->busy = 0;

    if (rr->route == NULL) {
        kr_rerun_free(rr);
        return;
    }

    /* nobody has anything of it */

    if (rr->txn != NULL) {
        kr_txn_release(rr->txn);
        rr->txn = NULL;
    }
}


/* The route cannot go on; without a result it has not begun. */
static void
kr_rerun_give_up(kr_rerun_t *rr, const char *reason)
{
    kr_rerun_refuse(&rr->served, reason);

    if (rr->based) {
        kr_route_reset(rr->owner->routes, rr->route, reason);
        return;
    }

    kr_rerun_forget(rr);

    if (rr->answered != NULL) {
        kr_txn_release(rr->answered);
        rr->answered = NULL;
    }
}


void
kr_rerun_refuse(kr_waiter_t **list, const char *reason)
{
    while (*list != NULL) {
        kr_rerun_refuse_one(*list, reason);
    }
}


static void
kr_rerun_refuse_one(kr_waiter_t *g, const char *reason)
{
    kr_waiter_move(g, NULL);

    g->rows = NULL;
    g->moment = NULL;
    g->reason = reason;

    g->done(g);
}


/* Waits; the waiters come with the next run. */
static void
kr_rerun_retry(kr_rerun_t *rr, const kr_retry_policy_t *policy)
{
    while (rr->served != NULL) {
        kr_waiter_move(rr->served, &rr->waiting);
    }

    kr_loop_timer(rr->timer, kr_retry_next(&rr->job.wait_ms, policy));
}
