/*
 * The refetch of a template: one at a time, repeated until it saw the
 * changes that it answers for.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_fetch_private.h"
#include "kr_loop.h"
#include "kr_owner.h"
#include "kr_retry.h"


#define KR_BATCH_CONGESTED    5        /* ms; a worker has much to read */


static void kr_batch_done(kr_job_t *job);
static void kr_batch_timer(evutil_socket_t fd, short what, void *data);

static int kr_batch_waits(kr_pending_t *pe);
static int kr_batch_window(kr_pending_t *pe);
static int kr_batch_take(kr_pending_t *pe);
static int kr_batch_query(kr_pending_t *pe);
static int kr_batch_pks(kr_pending_t *pe);
static int kr_batch_column(kr_pending_t *pe, size_t column, kr_str_t *pks);
static void kr_batch_finish(kr_pending_t *pe);
static void kr_batch_drop(kr_pending_t *pe);
static void kr_batch_large(kr_pending_t *pe);
static void kr_batch_failed(kr_pending_t *pe);
static void kr_batch_again(kr_pending_t *pe, const kr_retry_policy_t *policy);
static void kr_batch_wait(kr_pending_t *pe, uint64_t ms);
static void kr_batch_oldest(kr_pending_t *pe);


void
kr_pending_run(kr_pending_t *pe)
{
    kr_fetch_t  *fe;

    if (pe->running || pe->busy || kr_batch_waits(pe)) {
        return;
    }

    fe = pe->fetch;
    pe->busy = 1;

    while (!pe->orphan && kr_batch_take(pe) == KR_OK) {

        if (kr_routes_congested(fe->routes)) {
            kr_batch_wait(pe, KR_BATCH_CONGESTED);
            break;
        }

        if (kr_batch_query(pe) == KR_AGAIN) {
            break;
        }

        kr_batch_finish(pe);
    }

    pe->busy = 0;

    if (pe->orphan || (pe->n == 0 && pe->gathering == NULL)) {
        kr_pending_free(pe);
    }
}


void
kr_pending_end(kr_pending_t *pe, const char *reason)
{
    unsigned  busy;

    busy = pe->busy;
    pe->busy = 1;

    while (!pe->orphan) {
        kr_route_reset(pe->fetch->routes, pe->template->routes, reason);
    }

    pe->busy = busy;

    if (!busy) {
        kr_pending_free(pe);
    }
}


void
kr_pending_free(kr_pending_t *pe)
{
    size_t       i;
    kr_item_t   *it, *next;
    kr_fetch_t  *fe;

    fe = pe->fetch;

    if (pe->running) {
        kr_pool_cancel(fe->pool, &pe->job);
    }

    HASH_ITER(hh, pe->gathering, it, next) {
        HASH_DELETE(hh, pe->gathering, it);
        kr_item_free(fe, it);
    }

    for (i = pe->pos; i < pe->n; i++) {
        kr_item_free(fe, pe->items[i]);
    }

    if (pe->template != NULL) {
        pe->template->pending = NULL;
        pe->template->oldest_lsn = UINT64_MAX;
    }

    if (pe->dirty) {
        DL_DELETE2(fe->dirty, pe, dprev, dnext);
    }

    DL_DELETE(fe->pending, pe);

    if (pe->timer != NULL) {
        event_free(pe->timer);
    }

    for (i = 0; i < KR_KEY_MAX; i++) {
        kr_buf_free(&pe->pks[i]);
    }

    kr_buf_free(&pe->param);
    free(pe->items);
    free(pe);
}


static void
kr_batch_done(kr_job_t *job)
{
    kr_pending_t  *pe;

    pe = kr_owner(job, kr_pending_t, job);
    pe->running = 0;
    pe->busy = 1;

    switch (kr_job_outcome(job)) {

    case KR_OK:
        if (!kr_batch_visible(pe)) {
            kr_batch_again(pe, &kr_retry_unseen);
            break;
        }

        if (kr_batch_assign(pe, job->results[0]) != KR_OK) {
            /* a delete would be sent of a row that is not found */
            kr_pending_end(pe, "a row could not be told: subscribe again");
            break;
        }

        kr_batch_finish(pe);
        break;

    case KR_DECLINED:
        kr_batch_large(pe);
        break;

    case KR_AGAIN:
        if (job->status == KR_JOB_LOST) {
            kr_stream_renew(pe->fetch->routes->stream,
                            "changed rows cannot be fetched");
        }

        kr_batch_again(pe, &kr_retry_lost);
        break;

    default: /* KR_ERROR */
        kr_batch_failed(pe);
        break;
    }

    pe->busy = 0;

    if (pe->orphan) {
        kr_pending_free(pe);
        return;
    }

    kr_pending_run(pe);
}


static void
kr_batch_timer(evutil_socket_t fd, short what, void *data)
{
    kr_pending_t  *pe;

    (void) fd;
    (void) what;

    pe = data;

    if (pe->window) {
        pe->window = 0;
        pe->ripe = 1;
    }

    kr_pending_run(pe);
}


/* Whether it is not its turn; a full batch does not wait for the window. */
static int
kr_batch_waits(kr_pending_t *pe)
{
    if (pe->timer == NULL || !event_pending(pe->timer, EV_TIMEOUT, NULL)) {
        return 0;
    }

    if (!pe->window || HASH_COUNT(pe->gathering) < pe->fetch->batch_size) {
        return 1;
    }

    event_del(pe->timer);

    pe->window = 0;

    return 0;
}


/* FLUSH_INTERVAL: whether what is gathered waits for more to come. */
static int
kr_batch_window(kr_pending_t *pe)
{
    unsigned  ms;

    ms = pe->fetch->flush_interval;

    if (ms == 0 || pe->ripe
        || HASH_COUNT(pe->gathering) >= pe->fetch->batch_size)
    {
        pe->ripe = 0;
        return 0;
    }

    pe->window = 1;
    kr_batch_wait(pe, ms);

    return 1;
}


/*
 * Sees to it that items are under way: goes on within the batch, or makes a
 * new one of what was gathered.  KR_DECLINED: there is nothing to do.
 */
static int
kr_batch_take(kr_pending_t *pe)
{
    size_t       n;
    kr_item_t   *it, *next, **items;

    if (pe->n == 0) {
        n = HASH_COUNT(pe->gathering);

        if (n == 0 || kr_batch_window(pe)) {
            return KR_DECLINED;
        }

        if (n > pe->fetch->batch_size) {
            n = pe->fetch->batch_size;
        }

        items = realloc(pe->items, 2 * n * sizeof(kr_item_t *));

        if (items == NULL) {
            kr_batch_again(pe, &kr_retry_lost);
            return KR_DECLINED;
        }

        pe->items = items;

        HASH_ITER(hh, pe->gathering, it, next) {
            HASH_DELETE(hh, pe->gathering, it);
            pe->items[pe->n++] = it;

            if (pe->n == n) {
                break;
            }
        }

        pe->pos = 0;
        pe->limit = pe->fetch->batch_size;
    }

    pe->take = pe->n - pe->pos;

    if (pe->take > pe->limit) {
        pe->take = pe->limit;
    }

    return KR_OK;
}


/* KR_AGAIN: the query is under way.  KR_OK: none is needed. */
static int
kr_batch_query(kr_pending_t *pe)
{
    size_t     i;
    kr_job_t  *job;

    switch (kr_batch_pks(pe)) {

    case KR_DECLINED:
        return KR_OK;

    case KR_ERROR:
        kr_batch_again(pe, &kr_retry_lost);
        return KR_AGAIN;

    default: /* KR_OK */
        break;
    }

    job = &pe->job;

    /* the rows may be newer than the moment, and are fetched again then */
    kr_job_begin(job, KR_JOB_COMMITTED, kr_batch_done);
    kr_job_query(job, pe->template->refetch);

    for (i = 0; i < pe->template->key.n; i++) {
        kr_job_param(job, pe->pks[i].data);
    }

    if (pe->template->check) {
        kr_job_param(job, pe->param.data);
    }

    job->with_moment = 1;
    job->max_bytes = pe->fetch->max_bytes;

    pe->running = 1;
    kr_pool_run(pe->fetch->pool, job);

    return KR_AGAIN;
}


/* The keys of the rows to fetch.  KR_DECLINED: there are none. */
static int
kr_batch_pks(kr_pending_t *pe)
{
    int         rc;
    size_t      i;
    kr_str_t   *pks;
    kr_item_t  *it;

    for (i = pe->pos; i < pe->pos + pe->take; i++) {
        it = pe->items[i];
        it->json = NULL;
        it->field = NULL;
    }

    pks = malloc(pe->take * sizeof(kr_str_t));
    if (pks == NULL) {
        return KR_ERROR;
    }

    rc = KR_OK;

    for (i = 0; i < pe->template->key.n && rc == KR_OK; i++) {
        rc = kr_batch_column(pe, i, pks);
    }

    free(pks);

    if (rc == KR_OK && pe->template->check && pe->param.len == 0) {
        /* that of all its routes, of which the first may go */
        kr_buf_str(&pe->param, pe->template->routes->param);

        if (pe->param.failed) {
            kr_buf_free(&pe->param);
            return KR_ERROR;
        }
    }

    return rc;
}


static int
kr_batch_column(kr_pending_t *pe, size_t column, kr_str_t *pks)
{
    size_t       i, k, n;
    kr_buf_t    *b;
    kr_item_t   *it;
    const char  *text;

    n = 0;

    for (i = pe->pos; i < pe->pos + pe->take; i++) {
        it = pe->items[i];

        if (!kr_item_asked(it)) {
            continue;
        }

        text = it->key.texts.data;

        for (k = 0; k < column; k++) {
            text += strlen(text) + 1;
        }

        pks[n].data = text;
        pks[n++].len = strlen(text);
    }

    b = &pe->pks[column];

    kr_buf_reset(b);
    kr_buf_array(b, pks, n);

    if (b->failed) {
        kr_buf_free(b);
        return KR_ERROR;
    }

    return n == 0 ? KR_DECLINED : KR_OK;
}


/* The items under way become events and are done with. */
static void
kr_batch_finish(kr_pending_t *pe)
{
    kr_batch_events(pe);
    kr_batch_drop(pe);

    pe->job.wait_ms = 0;

    if (!pe->orphan) {
        kr_batch_oldest(pe);
    }

    kr_routes_advance(pe->fetch->routes, 0);
}


static void
kr_batch_drop(kr_pending_t *pe)
{
    size_t      i;
    kr_item_t  *it;

    for (i = 0; i < pe->take; i++) {
        it = pe->items[pe->pos++];
        kr_item_free(pe->fetch, it);
    }

    pe->take = 0;

    if (pe->pos == pe->n) {
        pe->n = 0;
        pe->pos = 0;
    }
}


/* Half as many rows at a time, down to one, of which the key alone is sent. */
static void
kr_batch_large(kr_pending_t *pe)
{
    if (pe->take > 1) {
        pe->limit = pe->take / 2;
        return;
    }

    pe->items[pe->pos]->large = 1;
}


static void
kr_batch_failed(kr_pending_t *pe)
{
    kr_buf_t  reason;

    memset(&reason, 0, sizeof(kr_buf_t));
    kr_pending_end(pe, kr_job_reason(&pe->job, NULL, &reason));
    kr_buf_free(&reason);
}


static void
kr_batch_again(kr_pending_t *pe, const kr_retry_policy_t *policy)
{
    kr_batch_wait(pe, kr_retry_next(&pe->job.wait_ms, policy));
}


/* The next turn comes from the timer. */
static void
kr_batch_wait(kr_pending_t *pe, uint64_t ms)
{
    kr_loop_after(&pe->timer, pe->fetch->base, kr_batch_timer, pe, ms);
}


static void
kr_batch_oldest(kr_pending_t *pe)
{
    if (pe->n != 0) {
        pe->template->oldest_lsn = pe->items[pe->pos]->txn->lsn;

    } else if (pe->gathering != NULL) {
        pe->template->oldest_lsn = pe->gathering->txn->lsn;

    } else {
        pe->template->oldest_lsn = UINT64_MAX;
    }
}
