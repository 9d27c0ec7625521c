/*
 * The plan of routes whose rows are fetched by their keys: its operations.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_fetch_private.h"


static int kr_fetch_touch(kr_changes_t *cs, const kr_change_t *c,
    const kr_hit_t *hit, kr_txn_t *txn);
static int kr_fetch_truncated(kr_changes_t *cs, kr_route_t *rt,
    kr_txn_t *txn);
static int kr_fetch_unreadable(kr_changes_t *cs, kr_route_t *rt,
    kr_txn_t *txn);
static void kr_fetch_commit(kr_changes_t *cs);
static void kr_fetch_sweep(kr_changes_t *cs);
static void kr_fetch_shed(kr_changes_t *cs);
static void kr_fetch_orphaned(kr_pending_t *pe);

static int kr_fetch_key(const kr_change_t *c, const kr_key_columns_t *key,
    int old, kr_buf_t *texts);
static const kr_column_t *kr_fetch_column(const kr_change_t *c,
    const kr_str_t *name, int old);
static int kr_fetch_moved(kr_fetch_t *fe, const kr_hit_t *hit,
    kr_txn_t *txn);
static size_t kr_pending_load(const kr_pending_t *pe);


const kr_plan_ops_t  kr_fetch_plan = {
    .name = "rows",
    .resumable = 1,
    .touch = kr_fetch_touch,
    .truncated = kr_fetch_truncated,
    .unreadable = kr_fetch_unreadable,
    .commit = kr_fetch_commit,
    .sweep = kr_fetch_sweep,
    .shed = kr_fetch_shed
};


kr_fetch_t *
kr_fetch_create(struct event_base *base, const kr_config_t *cf,
    kr_pool_t *pool, kr_changes_t *cs)
{
    kr_fetch_t  *fe;

    fe = calloc(1, sizeof(kr_fetch_t));
    if (fe == NULL) {
        return NULL;
    }

    fe->base = base;
    fe->pool = pool;
    fe->routes = cs->routes;
    fe->changes = cs;
    fe->batch_size = (size_t) cf->batch_size;
    fe->chunk_size = (size_t) cf->chunk_size;
    fe->max_bytes = cf->snapshot_max;
    fe->flush_interval = (unsigned) cf->flush_interval;

    cs->fetch = fe;
    cs->routes->registry->orphaned = kr_fetch_orphaned;

    return fe;
}


void
kr_fetch_free(kr_fetch_t *fe)
{
    while (fe->pending != NULL) {
        kr_pending_free(fe->pending);
    }

    kr_buf_free(&fe->from);
    kr_buf_free(&fe->to);
    kr_row_key_free(&fe->key);
    free(fe);
}


static int
kr_fetch_touch(kr_changes_t *cs, const kr_change_t *c, const kr_hit_t *hit,
    kr_txn_t *txn)
{
    int                      rc;
    kr_fetch_t              *fe;
    const kr_key_columns_t  *key;

    fe = cs->fetch;
    key = &hit->route->template->key;

    rc = kr_fetch_key(c, key, 1, &fe->from);

    if (rc == KR_OK) {
        rc = kr_fetch_key(c, key, 0, &fe->to);
    }

    if (rc == KR_DECLINED) {
        /* the column was dropped, or the replica identity changed */
        return kr_changes_reset_later(cs, hit->route, "the WAL does not hold"
                                      " the table's old rows any more:"
                                      " subscribe again");
    }

    if (rc != KR_OK) {
        return KR_ERROR;
    }

    if (c->action == KR_UPDATE
        && (fe->from.len != fe->to.len
            || memcmp(fe->from.data, fe->to.data, fe->to.len) != 0))
    {
        return kr_fetch_moved(fe, hit, txn);
    }

    return kr_fetch_note(fe, c->action, hit, txn, &fe->to);
}


static int
kr_fetch_truncated(kr_changes_t *cs, kr_route_t *rt, kr_txn_t *txn)
{
    if (rt->held.lost) {
        return kr_changes_reset_later(cs, rt, "the table was truncated, and"
                                      " what its subscribers hold is not"
                                      " known: subscribe again");
    }

    /* snapshots that are older, and on their way, are not wanted */
    rt->join.least_begun = cs->routes->txns->begun;

    return kr_fetch_verify(cs->fetch, rt, txn);
}


static int
kr_fetch_unreadable(kr_changes_t *cs, kr_route_t *rt, kr_txn_t *txn)
{
    (void) txn;

    return kr_changes_reset_later(cs, rt, "a change of the table could not be"
                                  " read: subscribe again");
}


static void
kr_fetch_commit(kr_changes_t *cs)
{
    kr_fetch_t    *fe;
    kr_pending_t  *pe;

    fe = cs->fetch;

    while (fe->dirty != NULL) {
        pe = fe->dirty;

        DL_DELETE2(fe->dirty, pe, dprev, dnext);
        pe->dirty = 0;

        kr_pending_run(pe);
    }
}


/*
 * A refetch that hangs, behind a lock or with a slow query, delays the events
 * of its own routes: these are reset before others have to wait for them.
 */
static void
kr_fetch_sweep(kr_changes_t *cs)
{
    uint64_t       last, oldest;
    kr_fetch_t    *fe;
    kr_pending_t  *pe, *next;

    fe = cs->fetch;
    last = fe->routes->txns->last;

    DL_FOREACH_SAFE(fe->pending, pe, next) {

        if (!pe->running) {
            continue;
        }

        oldest = pe->template->oldest_lsn;

        if (kr_pool_stuck(fe->pool, &pe->job,
                          last > oldest ? last - oldest : 0))
        {
            kr_pending_end(pe, kr_job_stuck(&pe->job));
        }
    }
}


/*
 * The stream is read on when less than a half of the load is left, so the
 * templates whose refetches hang may not have more than a quarter.  The one
 * that has most ends first.
 */
static void
kr_fetch_shed(kr_changes_t *cs)
{
    size_t         n, sum, most;
    kr_pending_t  *pe, *worst;

    while (cs->paused) {
        sum = 0;
        most = 0;
        worst = NULL;

        DL_FOREACH(cs->fetch->pending, pe) {

            if (!pe->running || !pe->job.slow) {
                continue;
            }

            n = kr_pending_load(pe);
            sum += n;

            if (n > most) {
                most = n;
                worst = pe;
            }
        }

        if (sum <= KR_CHANGES_LOAD_MAX / 4) {
            break;
        }

        kr_pending_end(worst, kr_job_stuck(&worst->job));
    }
}


static void
kr_fetch_orphaned(kr_pending_t *pe)
{
    pe->orphan = 1;
    pe->template = NULL;

    if (!pe->busy) {
        kr_pending_free(pe);
    }
}


/*
 * The texts of the row's key as it was, or as it is now.  KR_OK; KR_DECLINED:
 * the change does not hold a column of the key; KR_ERROR: no memory.
 */
static int
kr_fetch_key(const kr_change_t *c, const kr_key_columns_t *key, int old,
    kr_buf_t *texts)
{
    size_t              i;
    const kr_column_t  *column;

    kr_buf_reset(texts);

    for (i = 0; i < key->n; i++) {
        column = kr_fetch_column(c, &key->names[i], old);

        if (column == NULL || column->null) {
            return KR_DECLINED;
        }

        kr_buf_append(texts, column->value.data, column->value.len);
        kr_buf_append(texts, "", 1);
    }

    return texts->failed ? KR_ERROR : KR_OK;
}


/* Where the one row does not hold the column, the other one does. */
static const kr_column_t *
kr_fetch_column(const kr_change_t *c, const kr_str_t *name, int old)
{
    const kr_column_t  *column;

    if (old) {
        column = kr_column_find(c->identity, c->nidentity, name);

        return column != NULL ? column : kr_column_find(c->columns,
                                                        c->ncolumns, name);
    }

    column = kr_column_find(c->columns, c->ncolumns, name);

    return column != NULL ? column : kr_column_find(c->identity,
                                                    c->nidentity, name);
}


/* Another key: for a client one row goes and another comes. */
static int
kr_fetch_moved(kr_fetch_t *fe, const kr_hit_t *hit, kr_txn_t *txn)
{
    kr_hit_t  half;

    half = *hit;

    if (hit->old) {
        half.new = 0;

        if (kr_fetch_note(fe, KR_DELETE, &half, txn, &fe->from) != KR_OK) {
            return KR_ERROR;
        }
    }

    if (!hit->new) {
        return KR_OK;
    }

    half.old = 0;
    half.new = 1;

    return kr_fetch_note(fe, KR_INSERT, &half, txn, &fe->to);
}


static size_t
kr_pending_load(const kr_pending_t *pe)
{
    size_t      i, n;
    kr_item_t  *it;

    n = 0;

    for (i = pe->pos; i < pe->n; i++) {
        n += kr_item_load(pe->items[i]);
    }

    for (it = pe->gathering; it != NULL; it = it->hh.next) {
        n += kr_item_load(it);
    }

    return n;
}
