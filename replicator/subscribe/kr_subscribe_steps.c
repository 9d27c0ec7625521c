/*
 * What a SUBSCRIBE and a RESUME do, step by step, as two tables that
 * kr_subscribe.c drives.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_answer.h"
#include "kr_clock.h"
#include "kr_fetch.h"
#include "kr_retry.h"
#include "kr_subscribe_private.h"


#define KR_SNAPSHOT_TRIES   100

#define KR_RESUME_RETRY     1000     /* ms, while the database is away */
#define KR_RESUME_PATIENCE  2000     /* ms; the stream begins after it, for
                                        all */


static int kr_subscribe_plan(kr_sub_t *sub);
static int kr_subscribe_planned(kr_sub_t *sub);
static int kr_subscribe_register(kr_sub_t *sub);
static int kr_subscribe_snapshot(kr_sub_t *sub);
static int kr_subscribe_snapped(kr_sub_t *sub);
static int kr_subscribe_finish(kr_sub_t *sub);

static int kr_resume_plan(kr_sub_t *sub);
static int kr_resume_planned(kr_sub_t *sub);
static int kr_resume_register(kr_sub_t *sub);
static int kr_resume_finish(kr_sub_t *sub);

static int kr_subscribe_gone(const kr_sub_t *sub);
static void kr_subscribe_refuse(kr_sub_t *sub, const char *reason);
static void kr_subscribe_release(kr_sub_t *sub);
static int kr_resume_gone(const kr_sub_t *sub);
static void kr_resume_refuse(kr_sub_t *sub, const char *reason);
static void kr_resume_release(kr_sub_t *sub);
static void kr_resume_over(kr_subscribes_t *ss, kr_worker_t *wk);


static const kr_sub_step_t  kr_subscribe_steps[] = {
    { kr_subscribe_plan, kr_subscribe_planned },
    { kr_subscribe_register, NULL },
    { kr_subscribe_snapshot, kr_subscribe_snapped },
    { kr_subscribe_finish, NULL },
    { NULL, NULL }
};


static const kr_sub_step_t  kr_resume_steps[] = {
    { kr_resume_plan, kr_resume_planned },
    { kr_resume_register, NULL },
    { kr_resume_finish, NULL },
    { NULL, NULL }
};


const kr_sub_step_t *const  kr_resume_known = &kr_resume_steps[2];


const kr_sub_kind_t  kr_subscribe_kind = {
    "subscribe",
    kr_subscribe_steps,
    kr_subscribe_gone,
    kr_subscribe_refuse,
    kr_subscribe_release,
    NULL
};


const kr_sub_kind_t  kr_resume_kind = {
    "resume",
    kr_resume_steps,
    kr_resume_gone,
    kr_resume_refuse,
    kr_resume_release,
    kr_resume_over
};


static void kr_sub_planned(kr_planning_t *pn, int rc, const char *reason);
static void kr_sub_snapped(kr_job_t *job);
static void kr_sub_reran(kr_waiter_t *g);

static int kr_sub_plan(kr_sub_t *sub);
static int kr_sub_register(kr_sub_t *sub);
static int kr_sub_decline(kr_sub_t *sub, const char *reason);
static int kr_subscribe_rerun(kr_subscribe_t *s);
static int kr_subscribe_query(kr_subscribe_t *s);
static int kr_subscribe_queried(kr_subscribe_t *s);
static int kr_subscribe_complete(kr_subscribe_t *s);
static int kr_subscribe_again(kr_subscribe_t *s);


static int
kr_subscribe_plan(kr_sub_t *sub)
{
    sub->plan.exact = (sub->owner->exact != 0);
    sub->planning.asker = ((kr_subscribe_t *) sub)->socket;

    return kr_sub_plan(sub);
}


static int
kr_subscribe_planned(kr_sub_t *sub)
{
    return sub->planned == KR_OK ? KR_OK : KR_DECLINED;
}


/*
 * The route is in the index before the snapshot is taken, so a change that is
 * committed after the snapshot finds the route.
 */
static int
kr_subscribe_register(kr_sub_t *sub)
{
    int              rc;
    kr_subscribe_t  *s;

    s = (kr_subscribe_t *) sub;

    rc = kr_sub_register(sub);
    if (rc != KR_OK) {
        return rc;
    }

    if (kr_route_expect(sub->owner->routes, sub->route, s->socket) == NULL) {
        return kr_sub_decline(sub, "too many subscriptions were not joined "
                              "yet");
    }

    s->expecting = 1;
    s->before = sub->owner->routes->txns->begun;

    return KR_OK;
}


static int
kr_subscribe_snapshot(kr_sub_t *sub)
{
    return sub->route->template->plan->shared_rows
           ? kr_subscribe_rerun((kr_subscribe_t *) sub)
           : kr_subscribe_query((kr_subscribe_t *) sub);
}


static int
kr_subscribe_snapped(kr_sub_t *sub)
{
    kr_subscribe_t  *s;

    s = (kr_subscribe_t *) sub;

    if (!sub->route->template->plan->shared_rows) {
        return kr_subscribe_queried(s);
    }

    if (s->waiter.rows == NULL) {
        return kr_sub_decline(sub, s->waiter.reason);
    }

    s->moment = s->waiter.moment;
    s->rows = s->waiter.rows;

    return KR_OK;
}


static int
kr_subscribe_finish(kr_sub_t *sub)
{
    if (sub->route->removed) {
        return kr_sub_decline(sub, "the route was reset, try again");
    }

    return kr_subscribe_reply((kr_subscribe_t *) sub);
}


static int
kr_resume_plan(kr_sub_t *sub)
{
    sub->planning.patience_ms = KR_RESUME_PATIENCE;
    sub->planning.recent = 1;

    return kr_sub_plan(sub);
}


/*
 * While the database is away the RESUME waits.  Nothing is lost by that, as no
 * change comes either.
 */
static int
kr_resume_planned(kr_sub_t *sub)
{
    if (sub->planned == KR_AGAIN) {
        sub->delay_ms = KR_RESUME_RETRY;
        return KR_AGAIN;
    }

    return sub->planned == KR_OK ? KR_OK : KR_DECLINED;
}


static int
kr_resume_register(kr_sub_t *sub)
{
    return kr_sub_register(sub);
}


static int
kr_resume_finish(kr_sub_t *sub)
{
    kr_resume_t  *rs;

    rs = (kr_resume_t *) sub;

    if (rs->members == 0) {
        return KR_OK;
    }

    if (rs->topic_len != KR_TOPIC_LEN
        || memcmp(rs->topic, sub->route->topic, KR_TOPIC_LEN) != 0)
    {
        return kr_sub_decline(sub, "the route is another one now: subscribe "
                              "again");
    }

    if (sub->plan.altered) {
        return kr_sub_decline(sub, "the table was altered while the "
                              "replicator was away: subscribe again");
    }

    kr_route_resume(sub->owner->routes, sub->route, sub->worker, rs->members,
                    &rs->position);

    return KR_OK;
}


static int
kr_subscribe_gone(const kr_sub_t *sub)
{
    return sub->worker->gone || ((const kr_subscribe_t *) sub)->socket->gone;
}


static void
kr_subscribe_refuse(kr_sub_t *sub, const char *reason)
{
    kr_subscribe_t  *s;

    s = (kr_subscribe_t *) sub;

    if (!s->socket->gone) {
        kr_refuse(sub->worker, s->req, reason);
    }
}


static void
kr_subscribe_release(kr_sub_t *sub)
{
    kr_cursor_t     *cu;
    kr_subscribe_t  *s;

    s = (kr_subscribe_t *) sub;

    if (sub->waits == KR_SUB_JOB) {
        kr_pool_cancel(sub->owner->pool, &s->job);

    } else if (sub->waits == KR_SUB_RERUN) {
        kr_rerun_cancel(&s->waiter);
    }

    cu = s->expecting ? kr_cursor_find(s->socket, sub->route) : NULL;

    if (cu != NULL) {
        kr_route_release_cursor(sub->owner->routes, cu);
    }

    kr_buf_free(&s->tables);

    if (s->socket != NULL) {
        s->socket->n--;
        kr_socket_release(s->socket);
    }
}


static int
kr_resume_gone(const kr_sub_t *sub)
{
    return sub->worker->gone;
}


static void
kr_resume_refuse(kr_sub_t *sub, const char *reason)
{
    kr_resume_t  *rs;

    rs = (kr_resume_t *) sub;

    kr_send_reset(sub->worker, rs->topic, rs->topic_len, reason);
}


static void
kr_resume_release(kr_sub_t *sub)
{
    free(((kr_resume_t *) sub)->topic);
}


static void
kr_resume_over(kr_subscribes_t *ss, kr_worker_t *wk)
{
    wk->resuming--;
    ss->resumed(ss->routes);
}


static void
kr_sub_planned(kr_planning_t *pn, int rc, const char *reason)
{
    kr_sub_t  *sub;

    sub = kr_owner(pn, kr_sub_t, planning);
    sub->planned = rc;

    if (rc != KR_OK) {
        (void) kr_sub_decline(sub, reason);
    }

    kr_sub_answer(sub);
}


static void
kr_sub_snapped(kr_job_t *job)
{
    kr_sub_answer(&kr_owner(job, kr_subscribe_t, job)->sub);
}


static void
kr_sub_reran(kr_waiter_t *g)
{
    kr_sub_answer(&kr_owner(g, kr_subscribe_t, waiter)->sub);
}


static int
kr_sub_plan(kr_sub_t *sub)
{
    sub->planning.plan = &sub->plan;
    sub->planning.done = kr_sub_planned;

    if (kr_planner_start(sub->owner->planner, &sub->planning) != KR_OK) {
        return KR_ERROR;
    }

    sub->waits = KR_SUB_PLAN;

    return KR_OK;
}


/* Makes the route of the plan, or finds it. */
static int
kr_sub_register(kr_sub_t *sub)
{
    int           rc;
    kr_routes_t  *rs;

    rs = sub->owner->routes;

    sub->plan.def.plan = kr_sql_mode(sub->plan.sql) == KR_SQL_RERUN
                         ? &kr_rerun_plan : &kr_fetch_plan;

    rc = kr_registry_add(rs->registry, &sub->plan.def, rs->txns->last,
                         kr_now(), &sub->route);

    if (rc == KR_OK) {
        kr_route_hold(sub->route);
        return KR_OK;
    }

    sub->route = NULL;

    return rc == KR_ERROR ? KR_ERROR
                          : kr_sub_decline(sub, "there are too many routes");
}


static int
kr_sub_decline(kr_sub_t *sub, const char *reason)
{
    kr_buf_reset(&sub->reason);
    kr_buf_str(&sub->reason, reason);

    return KR_DECLINED;
}


/* A run of the route itself gives the rows. */
static int
kr_subscribe_rerun(kr_subscribe_t *s)
{
    s->waiter.done = kr_sub_reran;
    s->waiter.asker = s->socket;

    if (kr_rerun_ask(s->sub.owner->routes->reruns, s->sub.route, &s->waiter)
        != KR_OK)
    {
        return KR_ERROR;
    }

    s->sub.waits = KR_SUB_RERUN;

    return KR_OK;
}


static int
kr_subscribe_query(kr_subscribe_t *s)
{
    kr_job_t              *job;
    kr_sub_t              *sub;
    const kr_route_def_t  *def;

    job = &s->job;
    sub = &s->sub;
    def = &sub->plan.def;

    if (s->tables.len == 0
        && kr_route_tables_names(&s->tables, def->tables, def->ntables)
           != KR_OK)
    {
        return KR_ERROR;
    }

    kr_job_begin(job, KR_JOB_SNAPSHOT, kr_sub_snapped);
    kr_job_query_with(job, def->snapshot.data, sub->route->param);
    job->with_moment = 1;
    job->tables = s->tables.data;
    job->max_bytes = sub->owner->max_bytes;
    job->lane = KR_LANE_ASKS;
    job->asker = s->socket;
    job->begun = 1;

    s->since = sub->owner->routes->txns->first;
    sub->waits = KR_SUB_JOB;
    kr_pool_run(sub->owner->pool, job);

    return KR_OK;
}


static int
kr_subscribe_queried(kr_subscribe_t *s)
{
    kr_buf_t   text;
    kr_sub_t  *sub;

    sub = &s->sub;

    if (s->job.status != KR_JOB_DONE) {
        memset(&text, 0, sizeof(kr_buf_t));
        (void) kr_sub_decline(sub, kr_job_reason(&s->job, NULL, &text));
        kr_buf_free(&text);
        return KR_DECLINED;
    }

    if (!kr_subscribe_complete(s)) {
        return kr_subscribe_again(s);
    }

    s->moment = &s->job.moment;
    s->rows = s->job.results[0];

    kr_held_snapshot(&sub->owner->routes->held, sub->route, s->rows,
                     s->moment->lsn);

    return KR_OK;
}


/*
 * Whether the snapshot sees all that it must.  A transaction that was read
 * from the stream before the route was there, but is not visible yet, would be
 * neither in the rows nor in an event; and rows that were truncated before the
 * snapshot was taken would not be taken away.
 */
static int
kr_subscribe_complete(kr_subscribe_t *s)
{
    const kr_route_t  *rt;

    rt = s->sub.route;

    if (s->before < rt->join.least_begun) {
        s->before = rt->join.least_begun;
    }

    return kr_txn_settled(s->sub.owner->routes->txns, &s->job.moment.snapshot,
                          s->since, s->before);
}


static int
kr_subscribe_again(kr_subscribe_t *s)
{
    if (++s->tries > KR_SNAPSHOT_TRIES) {
        return kr_sub_decline(&s->sub, "a transaction is not visible yet, try "
                              "again");
    }

    s->sub.delay_ms = kr_retry_next(&s->job.wait_ms, &kr_retry_unseen);

    return KR_AGAIN;
}
