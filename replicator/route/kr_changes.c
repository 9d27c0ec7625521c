/*
 * A change and its routes.
 */

#include <stdlib.h>

#include "kr_changes_private.h"


static int kr_changes_rows(kr_changes_t *cs, const kr_change_t *c,
    kr_txn_t *txn);
static int kr_changes_hit(kr_changes_t *cs, const kr_change_t *c,
    const kr_hit_t *hit, kr_txn_t *txn);
static int kr_changes_whole(kr_changes_t *cs, const kr_change_t *c,
    kr_txn_t *txn);
static void kr_changes_shed(kr_changes_t *cs);


/* all plans, in the order in which a commit starts their statements */
static const kr_plan_ops_t *const  kr_changes_plans[] = {
    &kr_fetch_plan,
    &kr_rerun_plan
};

#define KR_CHANGES_PLANS                                                      \
    (sizeof(kr_changes_plans) / sizeof(kr_changes_plans[0]))


kr_changes_t *
kr_changes_create(struct event_base *base, kr_pool_t *pool, kr_routes_t *rs)
{
    kr_changes_t  *cs;

    cs = calloc(1, sizeof(kr_changes_t));
    if (cs == NULL) {
        return NULL;
    }

    cs->base = base;
    cs->pool = pool;
    cs->routes = rs;

    return cs;
}


void
kr_changes_free(kr_changes_t *cs)
{
    kr_probes_free(cs);

    free(cs->resets);
    free(cs);
}


int
kr_changes_route(kr_changes_t *cs, const kr_change_t *c, kr_txn_t *txn)
{
    int  rc;

    rc = kr_changes_table(cs, c, txn, 0);

    if (rc == KR_OK && cs->routes->registry->parents != NULL) {
        rc = kr_changes_parents(cs, c, txn);
    }

    kr_changes_run_resets(cs);

    if (cs->paused) {
        kr_changes_shed(cs);
    }

    if (cs->early) {
        /* a large transaction does not wait for its end: it is committed */
        kr_changes_commit(cs);
    }

    return rc;
}


void
kr_changes_commit(kr_changes_t *cs)
{
    size_t  i;

    cs->early = 0;

    for (i = 0; i < KR_CHANGES_PLANS; i++) {
        kr_changes_plans[i]->commit(cs);
    }
}


int
kr_changes_reset_table(kr_changes_t *cs, const kr_relation_t *table,
    const char *reason)
{
    int  rc;

    rc = kr_changes_reset_table_later(cs, table, reason);

    kr_changes_run_resets(cs);

    return rc;
}


void
kr_changes_sweep(kr_changes_t *cs)
{
    size_t  i;

    for (i = 0; i < KR_CHANGES_PLANS; i++) {
        kr_changes_plans[i]->sweep(cs);
    }

    if (cs->paused) {
        kr_changes_shed(cs);
    }
}


/* The array grows by doubling, from 1. */
int
kr_changes_reset_later(kr_changes_t *cs, kr_route_t *rt, const char *reason)
{
    size_t               n;
    kr_pending_reset_t  *resets;

    n = cs->nresets;

    if ((n & (n - 1)) == 0) {
        resets = realloc(cs->resets, (n == 0 ? 1 : 2 * n)
                                     * sizeof(kr_pending_reset_t));
        if (resets == NULL) {
            return KR_ERROR;
        }

        cs->resets = resets;
    }

    cs->resets[n].route = kr_route_hold(rt);
    cs->resets[n].reason = reason;
    cs->nresets++;

    return KR_OK;
}


int
kr_changes_reset_table_later(kr_changes_t *cs, const kr_relation_t *table,
    const char *reason)
{
    int        rc;
    long       i, n;
    kr_hit_t  *hits;

    n = kr_match_table(cs->routes->registry->match, &table->schema,
                       &table->name, &hits);
    if (n < 0) {
        return KR_ERROR;
    }

    rc = KR_OK;

    for (i = 0; i < n && rc == KR_OK; i++) {
        rc = kr_changes_reset_later(cs, hits[i].route, reason);
    }

    return rc;
}


void
kr_changes_run_resets(kr_changes_t *cs)
{
    kr_pending_reset_t  *pr;

    while (cs->nresets != 0) {
        pr = &cs->resets[--cs->nresets];

        if (!pr->route->removed) {
            kr_route_reset(cs->routes, pr->route, pr->reason);
        }

        kr_route_unhold(pr->route);
    }
}


void
kr_changes_load(kr_changes_t *cs, long n)
{
    cs->load += (size_t) n;

    if (!cs->paused && cs->load >= KR_CHANGES_LOAD_MAX) {
        cs->paused = 1;
        kr_stream_pause(cs->routes->stream);

    } else if (cs->paused && cs->load < KR_CHANGES_LOAD_MAX / 2) {
        cs->paused = 0;
        kr_stream_resume(cs->routes->stream);
    }
}


int
kr_changes_table(kr_changes_t *cs, const kr_change_t *c, kr_txn_t *txn,
    int late)
{
    cs->number++;
    cs->late = late != 0;

    if (c->action == KR_TRUNCATE || c->action == KR_UNREADABLE) {
        return kr_changes_whole(cs, c, txn);
    }

    return kr_changes_rows(cs, c, txn);
}


/* A change that names a row: the routes that the index finds for it. */
static int
kr_changes_rows(kr_changes_t *cs, const kr_change_t *c, kr_txn_t *txn)
{
    int        rc;
    long       i, n;
    kr_hit_t  *hits;

    n = kr_match_change(cs->routes->registry->match, c, &hits);

    if (n < 0) {
        return KR_ERROR;
    }

    /* no operation takes a route out of the index, so hits stays valid */

    rc = KR_OK;

    for (i = 0; i < n && rc == KR_OK; i++) {
        rc = kr_changes_hit(cs, c, &hits[i], txn);
    }

    return rc;
}


static int
kr_changes_hit(kr_changes_t *cs, const kr_change_t *c, const kr_hit_t *hit,
    kr_txn_t *txn)
{
    if (hit->blind) {
        return kr_changes_reset_later(cs, hit->route, "the table was altered:"
                                      " subscribe again");
    }

    return hit->route->template->plan->touch(cs, c, hit, txn);
}


/* A change that names no row: every route of the table is concerned. */
static int
kr_changes_whole(kr_changes_t *cs, const kr_change_t *c, kr_txn_t *txn)
{
    int                   rc;
    long                  i, n;
    kr_hit_t             *hits;
    kr_route_t           *rt;
    const kr_plan_ops_t  *plan;

    n = kr_match_table(cs->routes->registry->match, &c->schema, &c->table,
                       &hits);

    if (n < 0) {
        return KR_ERROR;
    }

    rc = KR_OK;

    for (i = 0; i < n && rc == KR_OK; i++) {
        rt = hits[i].route;
        plan = rt->template->plan;

        rc = c->action == KR_TRUNCATE ? plan->truncated(cs, rt, txn)
                                      : plan->unreadable(cs, rt, txn);
    }

    return rc;
}


static void
kr_changes_shed(kr_changes_t *cs)
{
    size_t  i;

    for (i = 0; i < KR_CHANGES_PLANS; i++) {
        if (kr_changes_plans[i]->shed != NULL) {
            kr_changes_plans[i]->shed(cs);
        }
    }
}
