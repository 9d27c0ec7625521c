/*
 * When a query is run.
 */

#include <stdlib.h>

#include "kr_clock.h"
#include "kr_loop.h"
#include "kr_rerun_private.h"


#define KR_RERUN_CONGESTED    5        /* ms; a worker has much to read */


static int kr_rerun_touch(kr_changes_t *cs, const kr_change_t *c,
    const kr_hit_t *hit, kr_txn_t *txn);
static int kr_rerun_note(kr_changes_t *cs, kr_route_t *rt, kr_txn_t *txn);
static void kr_rerun_commit(kr_changes_t *cs);
static void kr_rerun_ended(kr_rerun_t *rr);
static void kr_rerun_timer(evutil_socket_t fd, short what, void *data);

static kr_rerun_t *kr_rerun_get(kr_reruns_t *rn, kr_route_t *rt);
static int kr_rerun_waits(kr_rerun_t *rr);
static void kr_rerun_start(kr_rerun_t *rr);
static void kr_rerun_take(kr_rerun_t *rr);
static void kr_rerun_unqueue(kr_rerun_t *rr);


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


int
kr_rerun_ask(kr_reruns_t *rn, kr_route_t *rt, kr_waiter_t *g)
{
    kr_rerun_t  *rr;

    rr = kr_rerun_get(rn, rt);
    if (rr == NULL) {
        return KR_ERROR;
    }

    g->list = NULL;
    g->since_ms = kr_now();
    kr_waiter_move(g, &rr->waiting);

    kr_rerun_next(rr);

    return KR_OK;
}


void
kr_rerun_cancel(kr_waiter_t *g)
{
    kr_waiter_move(g, NULL);
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


/* The route was taken out of the registry. */
static void
kr_rerun_ended(kr_rerun_t *rr)
{
    rr->route = NULL;

    kr_rerun_refuse(&rr->served, "the route was reset, try again");
    kr_rerun_refuse(&rr->waiting, "the route was reset, try again");

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


static kr_rerun_t *
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


/* Guests do not wait for this: it is their first result. */
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
    kr_job_query(job, t->rerun);
    kr_job_param(job, rr->route->param);

    if (rr->served != NULL && t->windowed) {
        kr_job_query(job, t->snapshot);
        kr_job_param(job, rr->route->param);
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
    while (rr->waiting != NULL) {
        kr_waiter_move(rr->waiting, &rr->served);
    }

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
kr_rerun_unqueue(kr_rerun_t *rr)
{
    if (rr->dirty) {
        DL_DELETE2(rr->owner->dirty, rr, qprev, qnext);
        rr->dirty = 0;
    }
}


void
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


/* Out of the list that it is in, to the end of another, or of none. */
void
kr_waiter_move(kr_waiter_t *g, kr_waiter_t **to)
{
    if (g->list != NULL) {
        DL_DELETE(*g->list, g);
    }

    g->list = to;

    if (to != NULL) {
        DL_APPEND(*to, g);
    }
}
