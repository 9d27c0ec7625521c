#include <stdlib.h>
#include <string.h>

#include "kr_answer.h"
#include "kr_log.h"
#include "kr_subscribe_private.h"


#define KR_SUBSCRIBES_MAX    10000     /* under way; more are refused */
#define KR_SUB_TABLES_MAX    32        /* of a query, likewise */


static void kr_sub_looked(kr_lookup_t *lk);

static kr_sub_t *kr_sub_create(kr_subscribes_t *ss, kr_worker_t *wk);
static void kr_sub_parse(kr_sub_t *sub, const kairos_slice_t *spec);


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

    ss->catalog = kr_catalog_create(base, pool);

    if (ss->catalog == NULL) {
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

    kr_catalog_free(ss->catalog);
    free(ss);
}


void
kr_subscribe(kr_subscribes_t *ss, kr_worker_t *wk,
    const kairos_feed_frame_t *f)
{
    kr_sub_t  *sub;

    if (ss->n >= KR_SUBSCRIBES_MAX) {
        kr_refuse(wk, f->req, "too many subscribes are under way, try again");
        return;
    }

    sub = kr_sub_create(ss, wk);
    if (sub == NULL) {
        kr_refuse(wk, f->req, "no memory");
        return;
    }

    sub->req = f->req;
    sub->socket = kr_socket_get(wk, f->socket, 1);

    if (sub->socket == NULL) {
        kr_refuse(wk, f->req, "no memory");
        kr_sub_free(sub);
        return;
    }

    sub->socket->n++;
    sub->job.asker = sub->socket;

    kr_sub_parse(sub, &f->spec);
}


void
kr_resume(kr_subscribes_t *ss, kr_worker_t *wk, const kairos_feed_frame_t *f)
{
    kr_sub_t  *sub;

    sub = kr_sub_create(ss, wk);

    if (sub != NULL) {
        sub->topic = malloc(f->topic.len + 1);

        if (sub->topic == NULL) {
            kr_sub_free(sub);
            sub = NULL;
        }
    }

    if (sub == NULL) {
        kr_send_reset(wk, (const char *) f->topic.data, f->topic.len,
                      "no memory");
        return;
    }

    memcpy(sub->topic, f->topic.data, f->topic.len);
    sub->topic[f->topic.len] = '\0';
    sub->topic_len = f->topic.len;
    sub->members = f->members;
    sub->position = f->position;

    wk->resuming++;
    sub->job.patience_ms = KR_RESUME_PATIENCE;

    sub->route = kr_registry_find(ss->routes->registry, sub->topic,
                                  sub->topic_len);
    if (sub->route != NULL) {
        kr_route_hold(sub->route);
        kr_sub_resume(sub);
        return;
    }

    kr_sub_parse(sub, &f->spec);
}


int
kr_resume_leave(kr_subscribes_t *ss, kr_worker_t *wk,
    const kairos_feed_frame_t *f)
{
    kr_sub_t  *sub;

    if (wk->resuming == 0) {
        return KR_DECLINED;
    }

    DL_FOREACH(ss->subs, sub) {

        if (sub->worker == wk && sub->socket == NULL
            && sub->topic_len == f->topic.len && sub->members != 0
            && memcmp(sub->topic, f->topic.data, f->topic.len) == 0)
        {
            sub->members--;
            return KR_OK;
        }
    }

    return KR_DECLINED;
}


static void
kr_sub_looked(kr_lookup_t *lk)
{
    kr_sub_t  *sub;
    kr_buf_t   reason;

    sub = kr_owner(lk, kr_sub_t, lookup);
    sub->looking = 0;
    sub->facts = lk->facts;

    if (sub->facts == NULL && lk->lost && sub->socket == NULL) {
        /* nothing is lost meanwhile: the stream does not run either */
        kr_sub_wait(sub, KR_RESUME_RETRY);
        return;
    }

    if (sub->facts == NULL) {
        kr_sub_refuse(sub, lk->message == NULL ? "the catalog did not answer"
                                               : lk->message);
        return;
    }

    memset(&reason, 0, sizeof(kr_buf_t));

    if (kr_judge_guard(sub->facts, sub->sql, &reason) != KR_OK) {
        kr_sub_refuse(sub, reason.failed ? "no memory" : reason.data);

    } else if (kr_judge_needs_shape(sub->sql)) {
        kr_sub_shape(sub);

    } else {
        kr_sub_judge(sub);
    }

    kr_buf_free(&reason);
}


void
kr_sub_judge(kr_sub_t *sub)
{
    int       rc;
    kr_buf_t  reason;

    memset(&reason, 0, sizeof(kr_buf_t));

    rc = kr_judge(sub->facts, sub->shape, sub->sql, &sub->spec,
                          &sub->target, &reason);

    if (rc != KR_OK) {
        kr_sub_refuse(sub, rc == KR_ERROR || reason.failed ? "no memory"
                                                           : reason.data);

    } else if (sub->socket != NULL) {
        kr_sub_cast(sub);

    } else if (kr_sub_given(sub) == KR_OK) {
        kr_sub_plan(sub);

    } else {
        kr_sub_refuse(sub, "no memory");
    }

    kr_buf_free(&reason);
}


static kr_sub_t *
kr_sub_create(kr_subscribes_t *ss, kr_worker_t *wk)
{
    kr_sub_t  *sub;

    sub = calloc(1, sizeof(kr_sub_t));
    if (sub == NULL) {
        return NULL;
    }

    sub->owner = ss;
    sub->worker = wk;
    sub->job.lane = KR_LANE_ASKS;
    wk->refs++;

    DL_APPEND(ss->subs, sub);
    ss->n++;

    return sub;
}


static void
kr_sub_parse(kr_sub_t *sub, const kairos_slice_t *spec)
{
    int        rc;
    size_t     n;
    kr_buf_t   reason;
    kr_str_t  *query;

    memset(&reason, 0, sizeof(kr_buf_t));

    rc = kr_spec_parse(&sub->spec, (const char *) spec->data, spec->len,
                       &reason);
    if (rc == KR_OK) {
        query = &sub->spec.query;
        rc = kr_sql_parse(query->data, query->len, &sub->sql,
                              &reason);
    }

    if (rc == KR_OK) {
        (void) kr_sql_tables(sub->sql, &n);

        if (n > KR_SUB_TABLES_MAX) {
            kr_buf_printf(&reason, "the query reads tables %zu times, and "
                          "may do so %d times", n, KR_SUB_TABLES_MAX);
            rc = KR_DECLINED;
        }
    }

    if (rc == KR_OK) {
        kr_sub_look(sub);

    } else {
        kr_sub_refuse(sub, rc == KR_ERROR || reason.failed ? "no memory"
                                                           : reason.data);
    }

    kr_buf_free(&reason);
}


void
kr_sub_look(kr_sub_t *sub)
{
    kr_facts_release(sub->facts);
    sub->facts = NULL;
    kr_shape_free(sub->shape);
    sub->shape = NULL;
    kr_sub_unplan(sub);

    sub->lookup.done = kr_sub_looked;
    sub->lookup.asker = sub->socket;

    if (kr_catalog_look(sub->owner->catalog, &sub->lookup, sub->sql,
                        sub->socket == NULL)
        != KR_OK)
    {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    sub->looking = 1;
}


void
kr_sub_failed(kr_sub_t *sub, const char *what)
{
    kr_buf_t  b;

    memset(&b, 0, sizeof(kr_buf_t));
    kr_sub_refuse(sub, kr_job_reason(&sub->job, what, &b));
    kr_buf_free(&b);
}


/* Answers with the reason and ends the request. */
void
kr_sub_refuse(kr_sub_t *sub, const char *reason)
{
    kr_log(KR_LOG_INFO, "refused a %s of worker %u: %s",
           sub->socket == NULL ? "resume" : "subscribe", sub->worker->pid,
           reason);

    if (sub->socket == NULL) {
        kr_send_reset(sub->worker, sub->topic, sub->topic_len, reason);

    } else if (!sub->socket->gone) {
        kr_refuse(sub->worker, sub->req, reason);
    }

    kr_sub_free(sub);
}


void
kr_sub_free(kr_sub_t *sub)
{
    kr_worker_t      *wk;
    kr_subscribes_t  *ss;

    ss = sub->owner;
    wk = sub->worker;

    if (sub->looking) {
        kr_catalog_cancel(&sub->lookup);
    }

    if (sub->running) {
        kr_pool_cancel(ss->pool, &sub->job);
    }

    if (sub->asking) {
        kr_rerun_cancel(&sub->guest);
    }

    if (sub->timer != NULL) {
        event_free(sub->timer);
    }

    if (sub->socket != NULL) {
        kr_sub_release_cursor(sub);
        sub->socket->n--;
        kr_socket_release(sub->socket);
    }

    if (sub->route != NULL) {
        kr_route_unhold(sub->route);
    }

    kr_spec_free(&sub->spec);

    if (sub->sql != NULL) {
        kr_sql_free(sub->sql);
    }

    kr_sub_unplan(sub);
    kr_facts_release(sub->facts);
    kr_shape_free(sub->shape);
    kr_buf_free(&sub->probes[0]);
    kr_buf_free(&sub->probes[1]);
    kr_buf_free(&sub->cast);
    kr_buf_free(&sub->values);

    DL_DELETE(ss->subs, sub);
    ss->n--;

    if (sub->topic != NULL) {
        wk->resuming--;
        ss->resumed(ss->routes);
    }

    free(sub->topic);
    free(sub);
    kr_worker_unhold(wk);
}
