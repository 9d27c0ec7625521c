/*
 * The route of a subscribe, its snapshot, and the reply.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_answer.h"
#include "kr_clock.h"
#include "kr_loop.h"
#include "kr_retry.h"
#include "kr_subscribe_private.h"


#define KR_SNAPSHOT_TRIES   100

/* of PostgreSQL's WAL, as it is built by default */
#define KR_WAL_PAGE         8192
#define KR_WAL_HEADER       24
#define KR_WAL_LONG_HEADER  40


static void kr_sub_snapped(kr_job_t *job);
static void kr_sub_guested(kr_waiter_t *g);
static void kr_sub_timer(evutil_socket_t fd, short what, void *data);

static int kr_sub_add(kr_sub_t *sub, const char **reason);
static void kr_sub_text(kr_str_t *s, const kr_buf_t *b);
static void kr_sub_spec(kr_sub_t *sub, kr_buf_t *b);
static void kr_sub_column(kr_buf_t *b, const kr_sub_t *sub, size_t place,
    const kr_str_t *column);
static void kr_sub_name(kr_buf_t *b, const char *name, kr_buf_t *value);
static void kr_sub_member(kr_buf_t *b, const char *name, const kr_str_t *s);
static void kr_sub_ask(kr_sub_t *sub);
static void kr_sub_snap(kr_sub_t *sub);
static int kr_sub_snapshot_complete(kr_sub_t *sub);
static void kr_sub_again(kr_sub_t *sub);
static void kr_sub_reply(kr_sub_t *sub);
static int kr_sub_cursor(kr_sub_t *sub);
static uint64_t kr_sub_floor(uint64_t lsn);


/*
 * The index knows the route before the snapshot is taken: what is committed
 * later than the snapshot is seen by the stream.
 */
void
kr_sub_register(kr_sub_t *sub)
{
    const char  *reason;

    if (sub->worker->gone || (sub->socket != NULL && sub->socket->gone)) {
        kr_sub_free(sub);
        return;
    }

    if (kr_sub_add(sub, &reason) != KR_OK) {
        kr_sub_refuse(sub, reason);
        return;
    }

    if (sub->socket == NULL) {
        kr_sub_resume(sub);
        return;
    }

    if (kr_route_expect(sub->owner->routes, sub->route, sub->socket) == NULL) {
        kr_sub_refuse(sub, "too many subscriptions were not joined yet");
        return;
    }

    sub->expecting = 1;

    if (sub->route->template->plan->shared_rows) {
        kr_sub_ask(sub);
        return;
    }

    sub->before = sub->owner->routes->txns->begun;
    kr_sub_snap(sub);
}


void
kr_sub_resume(kr_sub_t *sub)
{
    if (sub->worker->gone || sub->members == 0) {
        kr_sub_free(sub);
        return;
    }

    if (sub->topic_len != KR_TOPIC_LEN
        || memcmp(sub->topic, sub->route->topic, KR_TOPIC_LEN) != 0)
    {
        kr_sub_refuse(sub, "the route is another one now: subscribe again");
        return;
    }

    kr_route_resume(sub->owner->routes, sub->route, sub->worker,
                    sub->members, &sub->position);
    kr_sub_free(sub);
}


void
kr_sub_release_cursor(kr_sub_t *sub)
{
    kr_cursor_t  *cu;

    if (!sub->expecting) {
        return;
    }

    sub->expecting = 0;
    cu = kr_cursor_find(sub->socket, sub->route);

    if (cu != NULL) {
        kr_route_release_cursor(sub->owner->routes, cu);
    }
}


static void
kr_sub_snapped(kr_job_t *job)
{
    kr_sub_t  *sub;

    sub = kr_owner(job, kr_sub_t, job);
    sub->running = 0;

    if (job->status != KR_JOB_DONE) {
        kr_sub_failed(sub, NULL);
        return;
    }

    if (!kr_sub_snapshot_complete(sub)) {
        kr_sub_again(sub);
        return;
    }

    sub->moment = &job->moment;
    sub->rows = job->results[0];

    kr_held_snapshot(&sub->owner->routes->held, sub->route, sub->rows,
                     sub->moment->lsn);
    kr_sub_reply(sub);
}


static void
kr_sub_guested(kr_waiter_t *g)
{
    kr_sub_t  *sub;

    sub = kr_owner(g, kr_sub_t, guest);
    sub->asking = 0;

    if (g->rows == NULL) {
        kr_sub_refuse(sub, g->reason);
        return;
    }

    sub->moment = g->moment;
    sub->rows = g->rows;

    kr_sub_reply(sub);
}


static void
kr_sub_timer(evutil_socket_t fd, short what, void *data)
{
    kr_sub_t  *sub;

    (void) fd;
    (void) what;

    sub = data;

    if (sub->worker->gone || (sub->socket != NULL && sub->socket->gone)) {
        kr_sub_free(sub);

    } else if (sub->socket == NULL) {
        kr_sub_look(sub);

    } else {
        kr_sub_snap(sub);
    }
}


static int
kr_sub_add(kr_sub_t *sub, const char **reason)
{
    int              rc;
    kr_buf_t         spec;
    kr_routes_t     *rs;
    kr_route_def_t   def;

    memset(&spec, 0, sizeof(kr_buf_t));
    memset(&def, 0, sizeof(kr_route_def_t));

    kr_sub_spec(sub, &spec);

    def.canonical.data = kr_sql_canonical(sub->sql);
    def.canonical.len = strlen(def.canonical.data);
    def.plan = sub->plan;
    def.check = sub->check;
    def.exact = sub->exact;
    kr_sub_text(&def.refetch, &sub->refetch);
    kr_sub_text(&def.rerun, &sub->rerun);
    kr_sub_text(&def.snapshot, &sub->snapshot);
    def.key = sub->key;
    def.predicate = sub->predicate;
    def.ntables = sub->ntables;
    def.tables = sub->tables;
    def.alias = sub->spec.alias;
    def.event = sub->spec.event;
    def.claims.data = "";
    def.spec.data = spec.data;
    def.spec.len = spec.len;

    rs = sub->owner->routes;

    rc = spec.failed ? KR_ERROR
                     : kr_registry_add(rs->registry, &def, rs->txns->last,
                                       kr_now(), &sub->route);
    kr_buf_free(&spec);

    if (rc == KR_OK) {
        kr_route_hold(sub->route);
        return KR_OK;
    }

    sub->route = NULL;
    *reason = rc == KR_ERROR ? "no memory" : "there are too many routes";

    return KR_ERROR;
}


static void
kr_sub_text(kr_str_t *s, const kr_buf_t *b)
{
    s->data = b->data == NULL ? "" : b->data;
    s->len = b->len;
}


/* What a RESUME needs to make the same route: it can be parsed as a spec. */
static void
kr_sub_spec(kr_sub_t *sub, kr_buf_t *b)
{
    size_t    i;
    kr_buf_t  name;
    kr_str_t  query;

    memset(&name, 0, sizeof(kr_buf_t));

    query.data = kr_sql_canonical(sub->sql);
    query.len = strlen(query.data);

    kr_buf_printf(b, "{\"equality\":\"%s\",\"exact\":%s",
                  kr_op_name(sub->target.op), sub->exact ? "true" : "false");
    kr_sub_member(b, "query", &query);

    kr_sub_field(sub, &name);
    kr_sub_name(b, "table_field", &name);

    for (i = 0; i < sub->key.n; i++) {
        kr_buf_str(&name, i == 0 ? "" : ",");

        if (sub->target.key_of_result) {
            kr_buf_ident(&name, sub->key.names[i].data,
                         sub->key.names[i].len);

        } else {
            kr_sub_column(&name, sub, sub->target.key_index,
                          &sub->key.names[i]);
        }
    }

    kr_sub_name(b, "pk", &name);
    b->failed |= name.failed;
    kr_buf_free(&name);

    kr_sub_member(b, "event", &sub->spec.event);
    kr_sub_member(b, "alias", &sub->spec.alias);
    kr_buf_str(b, ",\"field_value\":[");

    for (i = 0; i < sub->nvalues; i++) {
        kr_buf_str(b, i == 0 ? "" : ",");
        kr_buf_json(b, sub->canonical[i].data, sub->canonical[i].len);
    }

    kr_buf_str(b, "]}");
}


/* The column with its table, as the query calls it, both quoted. */
static void
kr_sub_column(kr_buf_t *b, const kr_sub_t *sub, size_t place,
    const kr_str_t *column)
{
    const kr_str_t  *called;

    called = kr_sql_called(sub->sql, place);

    kr_buf_ident(b, called->data, called->len);
    kr_buf_str(b, ".");
    kr_buf_ident(b, column->data, column->len);
}


static void
kr_sub_name(kr_buf_t *b, const char *name, kr_buf_t *value)
{
    kr_str_t  s;

    kr_sub_text(&s, value);
    kr_sub_member(b, name, &s);
    kr_buf_reset(value);
}


static void
kr_sub_member(kr_buf_t *b, const char *name, const kr_str_t *s)
{
    kr_buf_printf(b, ",\"%s\":", name);
    kr_buf_json(b, s->data, s->len);
}


/* A run of the route itself gives the rows. */
static void
kr_sub_ask(kr_sub_t *sub)
{
    sub->guest.done = kr_sub_guested;
    sub->guest.asker = sub->socket;

    if (kr_rerun_ask(sub->owner->routes->reruns, sub->route, &sub->guest)
        != KR_OK)
    {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    sub->asking = 1;
}


static void
kr_sub_snap(kr_sub_t *sub)
{
    kr_job_t  *job;

    job = &sub->job;

    if (sub->table_names.len == 0
        && kr_route_tables_names(&sub->table_names, sub->tables, sub->ntables)
           != KR_OK)
    {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    kr_job_begin(job, KR_JOB_SNAPSHOT, kr_sub_snapped);
    kr_job_query(job, sub->snapshot.data);
    kr_job_param(job, sub->route->param);
    job->with_moment = 1;
    job->tables = sub->table_names.data;
    job->max_bytes = sub->owner->max_bytes;
    job->begun = 1;

    sub->since = sub->owner->routes->txns->first;
    sub->running = 1;
    kr_pool_run(sub->owner->pool, job);
}


/*
 * Whether the snapshot sees all that it must.  A transaction that was read
 * from the stream before the route was there, but is not visible yet, would be
 * neither in the rows nor in an event; and rows that were truncated before the
 * snapshot was taken would not be taken away.
 */
static int
kr_sub_snapshot_complete(kr_sub_t *sub)
{
    if (sub->before < sub->route->join.least_begun) {
        sub->before = sub->route->join.least_begun;
    }

    return kr_txn_settled(sub->owner->routes->txns, &sub->job.moment.snapshot,
                          sub->since, sub->before);
}


static void
kr_sub_again(kr_sub_t *sub)
{
    if (++sub->tries > KR_SNAPSHOT_TRIES) {
        kr_sub_refuse(sub, "a transaction is not visible yet, try again");
        return;
    }

    kr_sub_wait(sub, kr_retry_next(&sub->job.wait_ms, &kr_retry_unseen));
}


void
kr_sub_wait(kr_sub_t *sub, uint64_t ms)
{
    kr_loop_after(&sub->timer, sub->owner->base, kr_sub_timer, sub, ms);
}


static void
kr_sub_reply(kr_sub_t *sub)
{
    kr_buf_t  b;

    if (sub->worker->gone || sub->socket->gone) {
        kr_sub_free(sub);
        return;
    }

    if (sub->route->removed) {
        kr_sub_refuse(sub, "the route was reset, try again");
        return;
    }

    memset(&b, 0, sizeof(kr_buf_t));

    kr_buf_printf(&b, "{\"received\":true,\"route_topics\":[\"%s\"],"
                  "\"rows\":[", sub->route->topic);
    kr_sub_rows(&b, sub->rows);
    kr_buf_str(&b, "]}");

    if (b.failed || kr_sub_cursor(sub) != KR_OK) {
        kr_buf_free(&b);
        kr_sub_refuse(sub, "no memory");
        return;
    }

    kr_reply(sub->worker, sub->req, &b);

    kr_buf_free(&b);
    kr_sub_free(sub);
}


/*
 * The cursor keeps the moment of the rows, unless it has an older one already.
 * KR_ERROR: no memory.
 */
static int
kr_sub_cursor(kr_sub_t *sub)
{
    kr_cursor_t  *cu;

    cu = kr_cursor_find(sub->socket, sub->route);

    if (cu == NULL || cu->lsn != 0 || cu->left) {
        return KR_OK;
    }

    if (kr_snapshot_copy(&cu->snapshot, &sub->moment->snapshot) != KR_OK) {
        return KR_ERROR;
    }

    cu->lsn = kr_sub_floor(sub->moment->lsn);

    if (sub->guest.rows != NULL) {
        cu->first_entry = sub->guest.from;
    }

    return KR_OK;
}


/*
 * The insert position that stands behind the header of a page which holds
 * nothing else is not reached before something is written there.
 */
static uint64_t
kr_sub_floor(uint64_t lsn)
{
    uint64_t  offset;

    offset = lsn % KR_WAL_PAGE;

    if (offset == KR_WAL_HEADER || offset == KR_WAL_LONG_HEADER) {
        return lsn - offset;
    }

    return lsn;
}
