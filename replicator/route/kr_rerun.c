/*
 * When a query is run, and how the run ends: with a result that counts or
 * not, with an error, or not at all.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_clock.h"
#include "kr_loop.h"
#include "kr_owner.h"
#include "kr_rerun_private.h"
#include "kr_retry.h"


#define KR_RERUN_CONGESTED    5        /* ms; a worker has much to read */
#define KR_RERUN_REST_MAX     10000    /* ms; between two runs of a route */
#define KR_RERUN_UNSEEN_MAX   100      /* runs; waiters wait no longer */
#define KR_RERUN_WAITER_MAX   8000     /* ms; a waiter waits no longer for the
                                          end of a run that hangs */


static int kr_rerun_touch(kr_changes_t *cs, const kr_change_t *c,
    const kr_hit_t *hit, kr_txn_t *txn);
static int kr_rerun_note(kr_changes_t *cs, kr_route_t *rt, kr_txn_t *txn);
static void kr_rerun_commit(kr_changes_t *cs);
static void kr_rerun_sweep(kr_changes_t *cs);
static void kr_rerun_ended(kr_rerun_t *rr);
static void kr_rerun_timer(evutil_socket_t fd, short what, void *data);
static void kr_rerun_done(kr_job_t *job);

static int kr_rerun_waits(kr_rerun_t *rr);
static void kr_rerun_start(kr_rerun_t *rr);
static void kr_rerun_take(kr_rerun_t *rr);
static void kr_rerun_stopped(kr_rerun_t *rr);
static void kr_rerun_unqueue(kr_rerun_t *rr);
static void kr_rerun_result(kr_rerun_t *rr);
static void kr_rerun_unsettled(kr_rerun_t *rr);
static void kr_rerun_again(kr_rerun_t *rr);
static void kr_rerun_failed(kr_rerun_t *rr);
static uint64_t kr_rerun_behind(const kr_rerun_t *rr);
static void kr_rerun_stuck(kr_rerun_t *rr);
static void kr_rerun_give_up(kr_rerun_t *rr, const char *reason);
static void kr_rerun_retry(kr_rerun_t *rr, const kr_retry_policy_t *policy);
static void kr_rerun_free(kr_rerun_t *rr);


const kr_plan_ops_t  kr_rerun_plan = {
    .name = "rerun",
    .joinable = 1,
    .shared_rows = 1,
    .touch = kr_rerun_touch,
    .truncated = kr_rerun_note,
    .unreadable = kr_rerun_note,
    .commit = kr_rerun_commit,
    .sweep = kr_rerun_sweep
};


kr_reruns_t *
kr_reruns_create(struct event_base *base, const kr_config_t *cf,
    kr_pool_t *pool, kr_changes_t *cs)
{
    kr_reruns_t  *rn;

    rn = calloc(1, sizeof(kr_reruns_t));
    if (rn == NULL) {
        return NULL;
    }

    rn->md = EVP_MD_CTX_new();
    if (rn->md == NULL) {
        free(rn);
        return NULL;
    }

    rn->base = base;
    rn->pool = pool;
    rn->routes = cs->routes;
    rn->max_bytes = cf->snapshot_max;
    rn->chunk_size = (size_t) cf->chunk_size;
    rn->flush_interval = (unsigned) cf->flush_interval;

    cs->reruns = rn;
    cs->routes->registry->ended = kr_rerun_ended;

    return rn;
}


void
kr_reruns_free(kr_reruns_t *rn)
{
    kr_rows_free(&rn->rows);
    kr_row_key_free(&rn->key);
    EVP_MD_CTX_free(rn->md);
    free(rn);
}


static int
kr_rerun_touch(kr_changes_t *cs, const kr_change_t *c, const kr_hit_t *hit,
    kr_txn_t *txn)
{
    (void) c;

    return kr_rerun_note(cs, hit->route, txn);
}


/* A route without a result has sent no rows, so no run is wanted for it. */
static int
kr_rerun_note(kr_changes_t *cs, kr_route_t *rt, kr_txn_t *txn)
{
    kr_rerun_t  *rr;

    rr = rt->rerun;

    if (rr == NULL) {
        return KR_OK;
    }

    rr->wanted = cs->routes->txns->begun;

    if (rr->txn == NULL) {
        rr->txn = kr_txn_hold(txn);
        rr->touched = kr_now();
    }

    if (!rr->dirty) {
        rr->dirty = 1;
        DL_APPEND2(cs->reruns->dirty, rr, qprev, qnext);
    }

    return KR_OK;
}


static void
kr_rerun_commit(kr_changes_t *cs)
{
    kr_rerun_t   *rr;
    kr_reruns_t  *rn;

    rn = cs->reruns;

    while (rn->dirty != NULL) {
        rr = rn->dirty;

        kr_rerun_unqueue(rr);
        kr_rerun_next(rr);
    }
}


static void
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

        if (now > KR_RERUN_WAITER_MAX) {
            kr_waiters_expire(&rr->waiting, now - KR_RERUN_WAITER_MAX,
                              kr_job_stuck(&rr->job));
        }
    }
}


/* The route was taken out of the registry. */
static void
kr_rerun_ended(kr_rerun_t *rr)
{
    rr->route = NULL;

    kr_waiters_refuse(&rr->served, "the route was reset, try again");
    kr_waiters_refuse(&rr->waiting, "the route was reset, try again");

    if (!rr->busy) {
        kr_rerun_free(rr);
    }
}


static void
kr_rerun_timer(evutil_socket_t fd, short what, void *data)
{
    (void) fd;
    (void) what;

    kr_rerun_next(data);
}


static void
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


kr_rerun_t *
kr_rerun_get(kr_reruns_t *rn, kr_route_t *rt)
{
    kr_rerun_t  *rr;

    rr = rt->rerun;
    if (rr != NULL) {
        return rr;
    }

    rr = calloc(1, sizeof(kr_rerun_t));
    if (rr == NULL) {
        return NULL;
    }

    rr->timer = event_new(rn->base, -1, 0, kr_rerun_timer, rr);
    if (rr->timer == NULL) {
        free(rr);
        return NULL;
    }

    if (kr_route_tables_names(&rr->tables, rt->tables, rt->ntables) != KR_OK) {
        kr_buf_free(&rr->tables);
        event_free(rr->timer);
        free(rr);
        return NULL;
    }

    rr->owner = rn;
    rr->route = rt;

    /* what was read before the index knew the route must be in the first */
    rr->wanted = rn->routes->txns->begun;

    DL_APPEND(rn->all, rr);
    rt->rerun = rr;

    return rr;
}


/* Begins a run, if there is anything to run for and nothing to wait for. */
void
kr_rerun_next(kr_rerun_t *rr)
{
    if (rr->running || rr->busy) {
        return;
    }

    if (rr->job.wait_ms != 0 && event_pending(rr->timer, EV_TIMEOUT, NULL)) {
        /* a retry, which nobody hastens */
        return;
    }

    if (rr->waiting != NULL
        || ((rr->txn != NULL || rr->answered != NULL) && !kr_rerun_waits(rr)))
    {
        kr_rerun_start(rr);
    }
}


/* Waiters are not delayed by this: it is their first result. */
static int
kr_rerun_waits(kr_rerun_t *rr)
{
    uint64_t      now, when;
    kr_reruns_t  *rn;

    rn = rr->owner;

    if (event_pending(rr->timer, EV_TIMEOUT, NULL)) {
        return 1;
    }

    now = kr_now();
    when = rr->touched + rn->flush_interval;

    if (when < rr->rested) {
        when = rr->rested;
    }

    if (rr->answered == NULL && now < when) {
        kr_loop_timer(rr->timer, when - now);
        return 1;
    }

    if (kr_routes_congested(rn->routes)) {
        kr_loop_timer(rr->timer, KR_RERUN_CONGESTED);
        return 1;
    }

    return 0;
}


static void
kr_rerun_start(kr_rerun_t *rr)
{
    kr_job_t       *job;
    kr_reruns_t    *rn;
    kr_template_t  *t;

    rn = rr->owner;
    t = rr->route->template;
    job = &rr->job;

    event_del(rr->timer);
    kr_rerun_unqueue(rr);
    kr_rerun_take(rr);

    kr_job_begin(job, KR_JOB_SNAPSHOT, kr_rerun_done);
    kr_job_query_with(job, t->rerun, rr->route->param);

    if (rr->served != NULL && t->windowed) {
        kr_job_query_with(job, t->snapshot, rr->route->param);
    }

    job->with_moment = 1;
    job->tables = rr->tables.data;
    job->max_bytes = rn->max_bytes;
    job->lane = rr->served == NULL ? KR_LANE_RUNS : KR_LANE_ASKS;
    job->about = t->rerun;
    job->asker = rr->served == NULL ? NULL : rr->served->asker;
    job->begun = rr->served != NULL;

    rr->since = rn->routes->txns->first;
    rr->running = 1;
    DL_APPEND2(rn->running, rr, rprev, rnext);

    kr_pool_run(rn->pool, job);
}


/* What the run answers for; of transactions the oldest speaks for all. */
static void
kr_rerun_take(kr_rerun_t *rr)
{
    kr_waiters_move(&rr->waiting, &rr->served);

    rr->asked = rr->wanted;

    if (rr->txn == NULL) {
        return;
    }

    if (rr->answered == NULL) {
        rr->answered = rr->txn;

    } else {
        kr_txn_release(rr->txn);
    }

    rr->txn = NULL;
}


static void
kr_rerun_stopped(kr_rerun_t *rr)
{
    rr->running = 0;
    DL_DELETE2(rr->owner->running, rr, rprev, rnext);
}


static void
kr_rerun_unqueue(kr_rerun_t *rr)
{
    if (rr->dirty) {
        DL_DELETE2(rr->owner->dirty, rr, qprev, qnext);
        rr->dirty = 0;
    }
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

    kr_waiters_answer(rr);
}


/* A commit is decoded a moment before it is visible: runs again. */
static void
kr_rerun_unsettled(kr_rerun_t *rr)
{
    if (++rr->unseen > KR_RERUN_UNSEEN_MAX) {
        kr_waiters_refuse(&rr->served,
                        "a transaction is not visible yet, try again");
    }

    kr_rerun_retry(rr, &kr_retry_unseen);
}


/* The waiters that were to have this run's rows do not wait for the next. */
static void
kr_rerun_again(kr_rerun_t *rr)
{
    kr_buf_t  reason;

    memset(&reason, 0, sizeof(kr_buf_t));
    kr_waiters_refuse(&rr->served, kr_job_reason(&rr->job, NULL, &reason));
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

    kr_waiters_refuse(&rr->waiting, reason);
    kr_rerun_give_up(rr, reason);

    rr->busy = 0;

    if (rr->route == NULL) {
        kr_rerun_free(rr);
        return;
    }

    /* no member has rows of it, so no run is wanted for the changes */

    if (rr->txn != NULL) {
        kr_txn_release(rr->txn);
        rr->txn = NULL;
    }
}


/* The route cannot go on; without a result it has not begun. */
static void
kr_rerun_give_up(kr_rerun_t *rr, const char *reason)
{
    kr_waiters_refuse(&rr->served, reason);

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


/* Waits; the waiters come with the next run. */
static void
kr_rerun_retry(kr_rerun_t *rr, const kr_retry_policy_t *policy)
{
    kr_waiters_move(&rr->served, &rr->waiting);

    kr_loop_timer(rr->timer, kr_retry_next(&rr->job.wait_ms, policy));
}


static void
kr_rerun_free(kr_rerun_t *rr)
{
    kr_reruns_t  *rn;

    rn = rr->owner;

    if (rr->running) {
        kr_pool_cancel(rn->pool, &rr->job);
        kr_rerun_stopped(rr);
    }

    kr_rerun_unqueue(rr);
    kr_rerun_forget(rr);

    if (rr->txn != NULL) {
        kr_txn_release(rr->txn);
    }

    if (rr->answered != NULL) {
        kr_txn_release(rr->answered);
    }

    event_free(rr->timer);
    kr_buf_free(&rr->tables);
    DL_DELETE(rn->all, rr);
    free(rr);
}
