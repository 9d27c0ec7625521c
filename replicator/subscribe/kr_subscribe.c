/*
 * The requests: how they come, how they go from step to step, how they end.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_answer.h"
#include "kr_log.h"
#include "kr_loop.h"
#include "kr_subscribe_private.h"


#define KR_SUBSCRIBES_MAX    10000     /* under way; more are refused */


static int kr_resume_same(const kr_route_t *rt, const kairos_slice_t *spec);
static kr_sub_t *kr_sub_create(kr_subscribes_t *ss, kr_worker_t *wk,
    const kr_sub_kind_t *kind, size_t size);
static void kr_sub_start(kr_sub_t *sub, const kairos_slice_t *spec);
static void kr_sub_end(kr_sub_t *sub, int rc);
static void kr_sub_wait(kr_sub_t *sub);
static void kr_sub_timer(evutil_socket_t fd, short what, void *data);
static void kr_sub_refuse(kr_sub_t *sub, const char *reason);
static void kr_sub_free(kr_sub_t *sub);


kr_subscribes_t *
kr_subscribes_create(struct event_base *base, const kr_config_t *cf,
    kr_pool_t *pool, kr_routes_t *rs, void (*resumed)(kr_routes_t *rs))
{
    kr_subscribes_t  *ss;

    ss = calloc(1, sizeof(kr_subscribes_t));
    if (ss == NULL) {
        return NULL;
    }

    ss->base = base;
    ss->pool = pool;
    ss->routes = rs;
    ss->resumed = resumed;
    ss->max_bytes = cf->snapshot_max;
    ss->exact = cf->exact;

    ss->planner = kr_planner_create(base, cf, pool);

    if (ss->planner == NULL) {
        free(ss);
        return NULL;
    }

    return ss;
}


void
kr_subscribes_free(kr_subscribes_t *ss)
{
    while (ss->subs != NULL) {
        kr_sub_free(ss->subs);
    }

    kr_planner_free(ss->planner);
    free(ss);
}


void
kr_subscribe(kr_subscribes_t *ss, kr_worker_t *wk,
    const kairos_feed_frame_t *f)
{
    kr_sub_t        *sub;
    kr_subscribe_t  *s;

    if (ss->n >= KR_SUBSCRIBES_MAX) {
        kr_refuse(wk, f->req, "too many subscribes are under way, try again");
        return;
    }

    sub = kr_sub_create(ss, wk, &kr_subscribe_kind, sizeof(kr_subscribe_t));
    if (sub == NULL) {
        kr_refuse(wk, f->req, "no memory");
        return;
    }

    s = (kr_subscribe_t *) sub;

    s->req = f->req;
    s->socket = kr_socket_get(wk, f->socket, 1);

    if (s->socket == NULL) {
        kr_refuse(wk, f->req, "no memory");
        kr_sub_free(sub);
        return;
    }

    s->socket->n++;

    kr_sub_start(sub, &f->spec);
}


void
kr_resume(kr_subscribes_t *ss, kr_worker_t *wk, const kairos_feed_frame_t *f)
{
    char         *topic;
    kr_sub_t     *sub;
    kr_route_t   *rt;
    kr_resume_t  *rs;

    topic = malloc(f->topic.len + 1);

    sub = topic == NULL ? NULL : kr_sub_create(ss, wk, &kr_resume_kind,
                                               sizeof(kr_resume_t));
    if (sub == NULL) {
        free(topic);
        kr_send_reset(wk, (const char *) f->topic.data, f->topic.len,
                      "no memory");
        return;
    }

    memcpy(topic, f->topic.data, f->topic.len);
    topic[f->topic.len] = '\0';

    rs = (kr_resume_t *) sub;

    rs->topic = topic;
    rs->topic_len = f->topic.len;
    rs->members = f->members;
    rs->position = f->position;

    wk->resuming++;

    sub->plan.of_route = 1;
    rt = kr_registry_find(ss->routes->registry, rs->topic, rs->topic_len);

    if (rt != NULL && kr_resume_same(rt, &f->spec)) {
        sub->route = kr_route_hold(rt);
        sub->step = kr_resume_known;
        kr_sub_run(sub);
        return;
    }

    kr_sub_start(sub, &f->spec);
}


int
kr_resume_leave(kr_subscribes_t *ss, kr_worker_t *wk,
    const kairos_feed_frame_t *f)
{
    kr_sub_t     *sub;
    kr_resume_t  *rs;

    if (wk->resuming == 0) {
        return KR_DECLINED;
    }

    DL_FOREACH(ss->subs, sub) {

        if (sub->worker != wk || sub->kind != &kr_resume_kind) {
            continue;
        }

        rs = (kr_resume_t *) sub;

        if (rs->topic_len == f->topic.len && rs->members != 0
            && memcmp(rs->topic, f->topic.data, f->topic.len) == 0)
        {
            rs->members--;
            return KR_OK;
        }
    }

    return KR_DECLINED;
}


void
kr_sub_run(kr_sub_t *sub)
{
    int  rc;

    while (!sub->kind->gone(sub) && sub->step->begin != NULL) {

        rc = sub->step->begin(sub);

        if (rc != KR_OK) {
            kr_sub_end(sub, rc);
            return;
        }

        if (sub->waits != KR_SUB_NOTHING) {
            return;
        }

        sub->step++;
    }

    kr_sub_free(sub);
}


void
kr_sub_answer(kr_sub_t *sub)
{
    int  rc;

    sub->waits = KR_SUB_NOTHING;

    if (sub->kind->gone(sub)) {
        kr_sub_free(sub);
        return;
    }

    rc = sub->step->answer(sub);

    if (rc == KR_AGAIN) {
        kr_sub_wait(sub);

    } else if (rc == KR_OK) {
        sub->step++;
        kr_sub_run(sub);

    } else {
        kr_sub_end(sub, rc);
    }
}


/*
 * Whether the route has the worker's spec.  One that a subscribe made after a
 * restart may have tables of another shape: then the spec is planned, and the
 * shapes are compared (1 or 0).
 */
static int
kr_resume_same(const kr_route_t *rt, const kairos_slice_t *spec)
{
    return strlen(rt->spec) == spec->len
           && memcmp(rt->spec, spec->data, spec->len) == 0;
}


/*
 * A request of size bytes in ss->subs, at the first step of its kind; the
 * members behind its kr_sub_t are zeroed.  NULL: no memory.
 */
static kr_sub_t *
kr_sub_create(kr_subscribes_t *ss, kr_worker_t *wk, const kr_sub_kind_t *kind,
    size_t size)
{
    kr_sub_t  *sub;

    sub = calloc(1, size);
    if (sub == NULL) {
        return NULL;
    }

    sub->kind = kind;
    sub->step = kind->steps;
    sub->owner = ss;
    sub->worker = wk;
    wk->refs++;

    DL_APPEND(ss->subs, sub);
    ss->n++;

    return sub;
}


/* Reads the spec, then takes the first step; may free the request. */
static void
kr_sub_start(kr_sub_t *sub, const kairos_slice_t *spec)
{
    int  rc;

    rc = kr_plan_parse(&sub->plan, (const char *) spec->data, spec->len,
                       &sub->reason);

    if (rc == KR_OK) {
        kr_sub_run(sub);

    } else {
        kr_sub_end(sub, rc);
    }
}


/* Refuses a request whose step was DECLINED or has no memory; frees it. */
static void
kr_sub_end(kr_sub_t *sub, int rc)
{
    kr_sub_refuse(sub, rc == KR_ERROR || sub->reason.failed
                       || sub->reason.len == 0
                       ? "no memory" : sub->reason.data);
}


/* The step begins again after sub->delay_ms. */
static void
kr_sub_wait(kr_sub_t *sub)
{
    kr_loop_after(&sub->timer, sub->owner->base, kr_sub_timer, sub,
                  sub->delay_ms);
    sub->waits = KR_SUB_TIMER;
}


static void
kr_sub_timer(evutil_socket_t fd, short what, void *data)
{
    kr_sub_t  *sub;

    (void) fd;
    (void) what;

    sub = data;
    sub->waits = KR_SUB_NOTHING;

    kr_sub_run(sub);
}


/* Answers with the reason, and frees the request. */
static void
kr_sub_refuse(kr_sub_t *sub, const char *reason)
{
    kr_log(KR_LOG_INFO, "refused a %s of worker %u: %s", sub->kind->name,
           sub->worker->pid, reason);

    sub->kind->refuse(sub, reason);
    kr_sub_free(sub);
}


static void
kr_sub_free(kr_sub_t *sub)
{
    kr_worker_t          *wk;
    kr_subscribes_t      *ss;
    const kr_sub_kind_t  *kind;

    ss = sub->owner;
    wk = sub->worker;
    kind = sub->kind;

    kr_planner_cancel(&sub->planning);
    kind->release(sub);

    if (sub->timer != NULL) {
        event_free(sub->timer);
    }

    if (sub->route != NULL) {
        kr_route_unhold(sub->route);
    }

    kr_plan_free(&sub->plan);
    kr_buf_free(&sub->reason);

    DL_DELETE(ss->subs, sub);
    ss->n--;
    free(sub);

    if (kind->over != NULL) {
        kind->over(ss, wk);
    }

    kr_worker_unhold(wk);
}
