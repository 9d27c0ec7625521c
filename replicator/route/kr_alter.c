#include <stdlib.h>
#include <string.h>

#include "kr_alter.h"
#include "kr_clock.h"
#include "kr_log.h"
#include "kr_loop.h"
#include "kr_owner.h"
#include "kr_retry.h"
#include "kr_table_shape.h"


struct kr_alters_s {
    kr_job_t          job;
    kr_pool_t        *pool;
    kr_registry_t    *registry;
    kr_changes_t     *changes;
    kr_txns_t        *txns;
    struct event     *timer;
    struct event     *soon;        /* after DDL was noticed */
    kr_relation_t    *asked;       /* those of the question */
    size_t            nasked;
    uint64_t          last;        /* of the tables, the number of the one
                                      that was asked last */
    uint64_t          newest;      /* and the highest when the question was
                                      sent: a later one has a later shape */
    kr_buf_t          names;       /* what asked points into */
    kr_buf_t          schemas;     /* the parameters */
    kr_buf_t          tables;
    uint64_t          before;      /* DDL was noticed: see */
    uint64_t          since;       /* kr_txn_settled() */
    uint64_t          asked_before;   /* before, when the question began */
    uint64_t          idle_ms;     /* until then no look begins for DDL */
    size_t            left;        /* tables to look at for DDL; 0: none */
    unsigned          running:1;   /* the job is the pool's */
};


static void kr_alter_timer(evutil_socket_t fd, short what, void *data);
static void kr_alter_run(kr_alters_t *al);
static void kr_alter_done(kr_job_t *job);
static void kr_alter_next(kr_alters_t *al);

static int kr_alter_gather(kr_alters_t *al);
static void kr_alter_ask(kr_alters_t *al, const kr_watched_table_t *wt);
static int kr_alter_params(kr_alters_t *al);
static void kr_alter_look(kr_alters_t *al, const kr_relation_t *table,
    const char *now);


/* of the tables of one question, in its order; NULL: it is not there */
static const char  kr_alter_shapes[] =
    "SELECT (SELECT" KR_TABLE_SHAPE
    " FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = t.s AND c.relname = t.r)"
    " FROM ROWS FROM (pg_catalog.unnest($1::text[]),"
    " pg_catalog.unnest($2::text[])) WITH ORDINALITY AS t(s, r, n)"
    " ORDER BY t.n";


kr_alters_t *
kr_alters_create(struct event_base *base, kr_pool_t *pool,
    kr_registry_t *reg, kr_changes_t *cs, kr_txns_t *ts)
{
    kr_alters_t     *al;
    struct timeval   tv;

    al = calloc(1, sizeof(kr_alters_t));
    if (al == NULL) {
        return NULL;
    }

    al->pool = pool;
    al->registry = reg;
    al->changes = cs;
    al->txns = ts;
    al->timer = event_new(base, -1, EV_PERSIST, kr_alter_timer, al);
    al->soon = event_new(base, -1, 0, kr_alter_timer, al);

    tv.tv_sec = KR_ALTER_EVERY;
    tv.tv_usec = 0;

    if (al->timer == NULL || al->soon == NULL
        || event_add(al->timer, &tv) != 0)
    {
        kr_alters_free(al);
        return NULL;
    }

    return al;
}


void
kr_alters_free(kr_alters_t *al)
{
    if (al->running) {
        kr_pool_cancel(al->pool, &al->job);
    }

    if (al->timer != NULL) {
        event_free(al->timer);
    }

    if (al->soon != NULL) {
        event_free(al->soon);
    }

    kr_buf_free(&al->names);
    kr_buf_free(&al->schemas);
    kr_buf_free(&al->tables);
    free(al->asked);
    free(al);
}


int
kr_alter_is_note(const kr_change_t *c)
{
    static const kr_str_t  schema = kr_str(KR_ALTER_SCHEMA);
    static const kr_str_t  table = kr_str(KR_ALTER_TABLE);

    return c->action == KR_INSERT
           && c->schema.len == schema.len && c->table.len == table.len
           && memcmp(c->schema.data, schema.data, schema.len) == 0
           && memcmp(c->table.data, table.data, table.len) == 0;
}


void
kr_alters_noticed(kr_alters_t *al)
{
    uint64_t  now;

    al->before = al->txns->begun;
    al->left = HASH_COUNT(al->registry->watched);

    if (al->left == 0 || al->running) {
        return;
    }

    now = kr_now();
    al->job.wait_ms = 0;

    kr_loop_timer(al->soon, al->idle_ms > now ? al->idle_ms - now : 0);
}


/* The sweep's timer, and the one that follows DDL. */
static void
kr_alter_timer(evutil_socket_t fd, short what, void *data)
{
    kr_alters_t  *al;

    (void) fd;
    (void) what;

    al = data;

    if (!al->running && al->registry->watched != NULL) {
        kr_alter_run(al);
    }
}


static void
kr_alter_run(kr_alters_t *al)
{
    kr_job_t  *job;

    if (kr_alter_gather(al) != KR_OK || kr_alter_params(al) != KR_OK) {
        kr_log(KR_LOG_ERR, "no memory to look for altered tables");
        return;
    }

    if (al->left != 0) {
        kr_log(KR_LOG_INFO, "DDL was noticed, %zu tables are looked at",
               al->left);
    }

    job = &al->job;

    kr_job_begin(job, KR_JOB_SNAPSHOT, kr_alter_done);
    kr_job_query(job, KR_TABLE_SHAPE_SETTING);
    kr_job_query(job, kr_alter_shapes);
    kr_job_param(job, al->schemas.data);
    kr_job_param(job, al->tables.data);
    job->with_moment = 1;

    al->since = al->txns->first;
    al->asked_before = al->before;
    al->running = 1;
    kr_pool_run(al->pool, job);
}


static void
kr_alter_done(kr_job_t *job)
{
    int              row;
    kr_alters_t     *al;
    const PGresult  *res;

    al = kr_owner(job, kr_alters_t, job);
    al->running = 0;
    al->idle_ms = kr_now() + job->took_ms;

    /* whatever it was, it is asked again soon */

    if (job->status == KR_JOB_FAILED) {
        kr_log(KR_LOG_ERR, "could not look for altered tables: %s",
               kr_job_error(job));
    }

    if (job->status != KR_JOB_DONE) {
        kr_alter_next(al);
        return;
    }

    res = job->results[1];

    for (row = 0; row < PQntuples(res) && (size_t) row < al->nasked; row++) {
        kr_alter_look(al, &al->asked[row],
                      PQgetisnull(res, row, 0) ? NULL
                                               : PQgetvalue(res, row, 0));
    }

    kr_alter_next(al);
}


/*
 * A question is over: goes on with what DDL has left to look at.  A commit is
 * read a moment before snapshots see it, so the answer may be too old.  DDL
 * that came during the question begins the look anew, after a pause.
 */
static void
kr_alter_next(kr_alters_t *al)
{
    uint64_t   ms;
    kr_job_t  *job;

    job = &al->job;

    if (al->left == 0) {
        return;
    }

    if (job->status != KR_JOB_DONE) {
        ms = kr_retry_next(&job->wait_ms, &kr_retry_lost);

    } else if (!kr_txn_settled(al->txns, &job->moment.snapshot, al->since,
                               al->before))
    {
        ms = kr_retry_next(&job->wait_ms, &kr_retry_unseen);

    } else {
        ms = 0;
        job->wait_ms = 0;
        al->left -= al->nasked < al->left ? al->nasked : al->left;
    }

    if (al->before != al->asked_before && ms < job->took_ms) {
        ms = job->took_ms;
    }

    if (al->left != 0) {
        kr_loop_timer(al->soon, ms);
    }
}


/*
 * Copies the names of the next tables in turn, in the order of their numbers:
 * those behind the last one, then, as far as there is room, those up to it.
 */
static int
kr_alter_gather(kr_alters_t *al)
{
    uint64_t             last;
    kr_watched_table_t  *wt;

    if (al->asked == NULL) {
        al->asked = calloc(KR_ALTER_MAX, sizeof(kr_relation_t));
        if (al->asked == NULL) {
            return KR_ERROR;
        }
    }

    al->nasked = 0;
    al->newest = al->registry->watches;
    kr_buf_reset(&al->names);

    last = al->last;

    for (wt = al->registry->watched; wt != NULL; wt = wt->hh.next) {
        if (wt->number > last) {
            kr_alter_ask(al, wt);
        }
    }

    for (wt = al->registry->watched; wt != NULL && wt->number <= last;
         wt = wt->hh.next)
    {
        kr_alter_ask(al, wt);
    }

    return al->names.failed ? KR_ERROR : KR_OK;
}


/* Adds a table to the question, if there is room. */
static void
kr_alter_ask(kr_alters_t *al, const kr_watched_table_t *wt)
{
    if (al->nasked == KR_ALTER_MAX) {
        return;
    }

    kr_buf_append(&al->names, wt->name, wt->name_len);
    al->asked[al->nasked++] = wt->table;
    al->last = wt->number;
}


static int
kr_alter_params(kr_alters_t *al)
{
    size_t       i;
    kr_str_t    *s;
    const char  *p;

    p = al->names.data;
    s = malloc((al->nasked + 1) * sizeof(kr_str_t));

    if (s == NULL) {
        return KR_ERROR;
    }

    for (i = 0; i < al->nasked; i++) {
        al->asked[i].schema.data = p;
        p += al->asked[i].schema.len + 1;
        al->asked[i].name.data = p;
        p += al->asked[i].name.len + 1;

        s[i] = al->asked[i].schema;
    }

    kr_buf_reset(&al->schemas);
    kr_buf_array(&al->schemas, s, al->nasked);

    for (i = 0; i < al->nasked; i++) {
        s[i] = al->asked[i].name;
    }

    kr_buf_reset(&al->tables);
    kr_buf_array(&al->tables, s, al->nasked);

    free(s);

    return al->schemas.failed || al->tables.failed ? KR_ERROR : KR_OK;
}


static void
kr_alter_look(kr_alters_t *al, const kr_relation_t *table, const char *now)
{
    const char          *reason;
    kr_watched_table_t  *wt;

    wt = kr_watched_table_find(al->registry, table);

    if (wt == NULL || wt->number > al->newest) {
        return;
    }

    reason = kr_table_shape_judge(wt->shape, now);

    if (reason != NULL
        && kr_changes_reset_table(al->changes, table, reason) != KR_OK)
    {
        kr_log(KR_LOG_ERR, "no memory to reset the routes of a table");
        return;
    }

    /* the table is not watched any more if the last of its routes is gone */

    wt = kr_watched_table_find(al->registry, table);

    if (wt != NULL && now != NULL) {
        /* a shape that cannot be copied is compared once more */
        (void) kr_watched_table_shape(wt, now);
    }
}
