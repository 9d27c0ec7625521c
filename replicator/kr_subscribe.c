#include <stdlib.h>
#include <string.h>

#include "kr_answer.h"
#include "kr_log.h"
#include "kr_subscribe_private.h"


#define KR_SUBSCRIBES_MAX    10000     /* under way; more are refused */
#define KR_RESUME_RETRY      1000      /* ms, while the database is away */


static void kr_sub_looked(kr_lookup_t *lk);
static void kr_sub_casted(kr_job_t *job);

static kr_sub_t *kr_sub_create(kr_subscribes_t *ss, kr_worker_t *wk);
static void kr_sub_parse(kr_sub_t *sub, const kairos_slice_t *spec);
static int kr_sub_statements(kr_sub_t *sub);
static int kr_sub_values(kr_sub_t *sub, const kr_str_t *values, size_t n);
static int kr_value_cmp(const void *one, const void *two);
static void kr_sub_cast(kr_sub_t *sub);
static int kr_sub_read_values(kr_sub_t *sub, const PGresult *res);


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

    sub = (kr_sub_t *) lk;
    sub->looking = 0;
    sub->table = lk->table;

    if (sub->table == NULL && lk->lost && sub->socket == NULL) {
        /* nothing is lost meanwhile: the stream does not run either */
        kr_sub_wait(sub, KR_RESUME_RETRY);
        return;
    }

    if (sub->table == NULL) {
        kr_sub_refuse(sub, lk->lost
                           ? "the database is not reachable, try again"
                           : lk->message == NULL ? "the catalog did not answer"
                                                 : lk->message);
        return;
    }

    memset(&reason, 0, sizeof(kr_buf_t));

    if (kr_catalog_judge(sub->table, sub->sql, &sub->spec, &sub->aim, &reason)
        != KR_OK)
    {
        kr_sub_refuse(sub, reason.failed ? "no memory" : reason.data);
        kr_buf_free(&reason);
        return;
    }

    kr_buf_free(&reason);

    if (kr_sub_statements(sub) != KR_OK) {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    if (sub->socket != NULL) {
        kr_sub_cast(sub);
        return;
    }

    /* PostgreSQL wrote the values of a RESUME */

    if (kr_sub_values(sub, sub->spec.values, sub->spec.nvalues) != KR_OK) {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    kr_sub_register(sub);
}


static void
kr_sub_casted(kr_job_t *job)
{
    kr_sub_t  *sub;

    sub = kr_sub_of_job(job);
    sub->running = 0;

    if (job->status != KR_JOB_DONE) {
        kr_sub_failed(sub, "field_value: ");
        return;
    }

    if (kr_sub_read_values(sub, job->results[0]) != KR_OK) {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    kr_sub_register(sub);
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
    wk->refs++;

    DL_APPEND(ss->subs, sub);
    ss->n++;

    return sub;
}


static void
kr_sub_parse(kr_sub_t *sub, const kairos_slice_t *spec)
{
    int        rc;
    kr_buf_t   reason;
    kr_str_t  *query;

    memset(&reason, 0, sizeof(kr_buf_t));

    rc = kr_spec_parse(&sub->spec, (const char *) spec->data, spec->len,
                       &reason);
    if (rc == KR_OK) {
        query = &sub->spec.query;
        rc = kr_sql_parse(query->data, query->len, &sub->sql, &reason);
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
    sub->lookup.done = kr_sub_looked;

    if (kr_catalog_look(sub->owner->catalog, &sub->lookup, sub->sql,
                        sub->socket == NULL)
        != KR_OK)
    {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    sub->looking = 1;
}


static int
kr_sub_statements(kr_sub_t *sub)
{
    kr_sql_target_t  t;

    memset(&t, 0, sizeof(kr_sql_target_t));

    t.table = sub->aim.called;
    t.pk = sub->aim.pk->name;
    t.pk_type = sub->aim.pk->type_name;
    t.field = sub->aim.field->name;
    t.field_type = sub->aim.field->type_name;

    if (kr_sql_snapshot(sub->sql, &t, &sub->snapshot) != KR_OK
        || kr_sql_refetch(sub->sql, &t, &sub->refetch) != KR_OK)
    {
        return KR_ERROR;
    }

    return sub->snapshot.failed || sub->refetch.failed ? KR_ERROR : KR_OK;
}


/* Copies the values, in order, each once. */
static int
kr_sub_values(kr_sub_t *sub, const kr_str_t *values, size_t n)
{
    char    *p;
    size_t   i, size;

    size = 1;

    for (i = 0; i < n; i++) {
        size += values[i].len;
    }

    sub->texts = malloc(size);
    sub->canonical = malloc((n + 1) * sizeof(kr_str_t));

    if (sub->texts == NULL || sub->canonical == NULL) {
        return KR_ERROR;
    }

    p = sub->texts;

    for (i = 0; i < n; i++) {
        memcpy(p, values[i].data, values[i].len);
        sub->canonical[i].data = p;
        sub->canonical[i].len = values[i].len;
        p += values[i].len;
    }

    qsort(sub->canonical, n, sizeof(kr_str_t), kr_value_cmp);

    sub->nvalues = 0;

    for (i = 0; i < n; i++) {
        if (sub->nvalues == 0
            || kr_value_cmp(&sub->canonical[i],
                            &sub->canonical[sub->nvalues - 1]) != 0)
        {
            sub->canonical[sub->nvalues++] = sub->canonical[i];
        }
    }

    return KR_OK;
}


static int
kr_value_cmp(const void *one, const void *two)
{
    const kr_str_t  *a, *b;

    a = one;
    b = two;

    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }

    return memcmp(a->data, b->data, a->len);
}


/* PostgreSQL itself says what value each text is, and whether it is one. */
static void
kr_sub_cast(kr_sub_t *sub)
{
    kr_job_t  *job;

    kr_array_literal(&sub->values, sub->spec.values, sub->spec.nvalues);

    kr_buf_printf(&sub->cast, "SELECT u.v::%s::text FROM pg_catalog.unnest"
                  "($1::text[]) WITH ORDINALITY AS u(v, n) ORDER BY u.n",
                  sub->aim.field->type_name.data);

    if (sub->values.failed || sub->cast.failed) {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    job = &sub->job;

    job->statements[0].sql = sub->cast.data;
    job->statements[0].nparams = 1;
    job->statements[0].params[0] = sub->values.data;
    job->nstatements = 1;
    job->transaction = 0;
    job->max_bytes = sub->owner->max_bytes;
    job->done = kr_sub_casted;

    sub->running = 1;
    kr_pool_run(sub->owner->pool, job);
}


static int
kr_sub_read_values(kr_sub_t *sub, const PGresult *res)
{
    int        rc, row, n;
    kr_str_t  *values;

    n = PQntuples(res);

    values = malloc((size_t) (n + 1) * sizeof(kr_str_t));
    if (values == NULL) {
        return KR_ERROR;
    }

    for (row = 0; row < n; row++) {
        values[row].data = PQgetvalue(res, row, 0);
        values[row].len = (size_t) PQgetlength(res, row, 0);
    }

    rc = kr_sub_values(sub, values, (size_t) n);
    free(values);

    if (rc != KR_OK) {
        return KR_ERROR;
    }

    /* the snapshot's parameter */

    kr_buf_reset(&sub->values);
    kr_array_literal(&sub->values, sub->canonical, sub->nvalues);

    return sub->values.failed ? KR_ERROR : KR_OK;
}


void
kr_sub_failed(kr_sub_t *sub, const char *what)
{
    kr_buf_t   b;
    kr_job_t  *job;

    memset(&b, 0, sizeof(kr_buf_t));
    job = &sub->job;

    switch (job->status) {

    case KR_JOB_TOO_LARGE:
        kr_buf_printf(&b, "the rows are larger than %zu bytes: use LIMIT, or "
                      "fewer columns", sub->owner->max_bytes);
        break;

    case KR_JOB_FAILED:
        kr_buf_printf(&b, "%s%s", what,
                      job->message == NULL ? job->sqlstate : job->message);
        break;

    default: /* KR_JOB_LOST */
        kr_buf_str(&b, "the database is not reachable, try again");
        break;
    }

    kr_sub_refuse(sub, b.failed ? "no memory" : b.data);
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

    if (sub->timer != NULL) {
        event_free(sub->timer);
    }

    if (sub->socket != NULL) {
        kr_sub_settle(sub);
        sub->socket->n--;
        kr_socket_judge(sub->socket);
    }

    if (sub->route != NULL) {
        kr_route_unhold(sub->route);
    }

    kr_spec_free(&sub->spec);

    if (sub->sql != NULL) {
        kr_sql_free(sub->sql);
    }

    kr_table_release(sub->table);
    kr_buf_free(&sub->snapshot);
    kr_buf_free(&sub->refetch);
    kr_buf_free(&sub->cast);
    kr_buf_free(&sub->values);
    free(sub->texts);
    free(sub->canonical);

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
