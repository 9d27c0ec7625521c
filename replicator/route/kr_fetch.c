/*
 * A change and its routes: those whose rows are fetched by key, and those
 * that are run as a whole.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_fetch_private.h"
#include "kr_log.h"


static void kr_fetch_orphaned(kr_pending_t *pe);

static int kr_fetch_whole(kr_fetch_t *fe, const kr_change_t *c,
    kr_txn_t *txn);
static int kr_fetch_truncated(kr_fetch_t *fe, kr_route_t *rt, kr_txn_t *txn);
static int kr_fetch_hit(kr_fetch_t *fe, const kr_change_t *c,
    const kr_hit_t *hit, kr_txn_t *txn);
static int kr_fetch_row(kr_fetch_t *fe, const kr_change_t *c,
    const kr_hit_t *hit, kr_txn_t *txn);
static int kr_fetch_key(kr_buf_t *texts, const kr_key_columns_t *key,
    const kr_column_t *first, size_t nfirst, const kr_column_t *second,
    size_t nsecond);
static int kr_fetch_moved(kr_fetch_t *fe, const kr_hit_t *hit,
    kr_txn_t *txn);
static int kr_fetch_doom(kr_fetch_t *fe, kr_route_t *rt, const char *reason);


kr_fetch_t *
kr_fetch_create(struct event_base *base, const kr_config_t *cf,
    kr_pool_t *pool, kr_routes_t *rs, kr_reruns_t *rn)
{
    kr_fetch_t  *fe;

    fe = calloc(1, sizeof(kr_fetch_t));
    if (fe == NULL) {
        return NULL;
    }

    fe->base = base;
    fe->pool = pool;
    fe->routes = rs;
    fe->reruns = rn;
    fe->batch_size = (size_t) cf->batch_size;
    fe->chunk_size = (size_t) cf->chunk_size;
    fe->max_bytes = cf->snapshot_max;
    fe->flush_interval = (unsigned) cf->flush_interval;

    rs->registry->orphaned = kr_fetch_orphaned;

    return fe;
}


void
kr_fetch_free(kr_fetch_t *fe)
{
    kr_probes_free(fe);

    while (fe->pending != NULL) {
        kr_pending_free(fe->pending);
    }

    kr_buf_free(&fe->from);
    kr_buf_free(&fe->to);
    kr_buf_free(&fe->texts);
    kr_buf_free(&fe->key);
    free(fe->dooms);
    free(fe);
}


int
kr_fetch_change(kr_fetch_t *fe, const kr_change_t *c, kr_txn_t *txn)
{
    int  rc;

    rc = kr_fetch_table(fe, c, txn, 0);

    if (rc == KR_OK && fe->routes->registry->parents != NULL) {
        rc = kr_fetch_parents(fe, c, txn);
    }

    kr_fetch_doomed(fe);

    if (fe->paused) {
        kr_fetch_shed(fe);
    }

    if (fe->early) {
        /* a large transaction does not wait for its end: it is committed */
        kr_fetch_commit(fe);
    }

    return rc;
}


int
kr_fetch_table(kr_fetch_t *fe, const kr_change_t *c, kr_txn_t *txn, int late)
{
    int        rc;
    long       i, n;
    kr_hit_t  *hits;

    if (c->action == KR_TRUNCATE || c->action == KR_UNREADABLE) {
        return kr_fetch_whole(fe, c, txn);
    }

    n = kr_match_change(fe->routes->registry->match, c, &hits);

    if (n < 0) {
        return KR_ERROR;
    }

    fe->changes++;
    fe->late = late != 0;

    /* nothing here takes a route out of the index, so hits stays valid */

    rc = KR_OK;

    for (i = 0; i < n && rc == KR_OK; i++) {
        rc = kr_fetch_hit(fe, c, &hits[i], txn);
    }

    return rc;
}


void
kr_fetch_doomed(kr_fetch_t *fe)
{
    kr_doom_t  *d;

    while (fe->ndooms != 0) {
        d = &fe->dooms[--fe->ndooms];

        if (!d->route->removed) {
            kr_route_reset(fe->routes, d->route, d->reason);
        }

        kr_route_unhold(d->route);
    }
}


void
kr_fetch_commit(kr_fetch_t *fe)
{
    kr_pending_t  *pe;

    fe->early = 0;

    while (fe->dirty != NULL) {
        pe = fe->dirty;

        DL_DELETE2(fe->dirty, pe, dprev, dnext);
        pe->dirty = 0;

        kr_fetch_run(pe);
    }

    kr_reruns_commit(fe->reruns);
}


int
kr_fetch_reset(kr_fetch_t *fe, const kr_relation_t *table, const char *reason)
{
    int  rc;

    rc = kr_fetch_doom_table(fe, table, reason);

    kr_fetch_doomed(fe);

    return rc;
}


int
kr_fetch_doom_table(kr_fetch_t *fe, const kr_relation_t *table,
    const char *reason)
{
    int        rc;
    long       i, n;
    kr_hit_t  *hits;

    n = kr_match_table(fe->routes->registry->match, &table->schema,
                       &table->name, &hits);
    if (n < 0) {
        return KR_ERROR;
    }

    rc = KR_OK;

    for (i = 0; i < n && rc == KR_OK; i++) {
        rc = kr_fetch_doom(fe, hits[i].route, reason);
    }

    return rc;
}


void
kr_fetch_loaded(kr_fetch_t *fe, long n)
{
    fe->load += (size_t) n;

    if (!fe->paused && fe->load >= KR_FETCH_LOAD_MAX) {
        fe->paused = 1;
        kr_stream_pause(fe->routes->stream);

    } else if (fe->paused && fe->load < KR_FETCH_LOAD_MAX / 2) {
        fe->paused = 0;
        kr_stream_resume(fe->routes->stream);
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


/* A change that names no row: every route of the table is concerned. */
static int
kr_fetch_whole(kr_fetch_t *fe, const kr_change_t *c, kr_txn_t *txn)
{
    int          rc;
    long         i, n;
    kr_hit_t    *hits;
    kr_route_t  *rt;

    n = kr_match_table(fe->routes->registry->match, &c->schema, &c->table,
                       &hits);

    if (n < 0) {
        return KR_ERROR;
    }

    rc = KR_OK;

    for (i = 0; i < n && rc == KR_OK; i++) {
        rt = hits[i].route;

        if (rt->template->plan == KR_PLAN_RERUN) {
            rc = kr_rerun_touch(fe->reruns, rt, txn);

        } else if (c->action == KR_UNREADABLE) {
            rc = kr_fetch_doom(fe, rt, "a change of the table could not be"
                               " read: subscribe again");

        } else {
            rc = kr_fetch_truncated(fe, rt, txn);
        }
    }

    return rc;
}


static int
kr_fetch_truncated(kr_fetch_t *fe, kr_route_t *rt, kr_txn_t *txn)
{
    if (rt->held.lost) {
        return kr_fetch_doom(fe, rt, "the table was truncated, and what its"
                             " subscribers hold is not known: subscribe"
                             " again");
    }

    /* snapshots that are older, and on their way, are not wanted */
    rt->join.least_begun = fe->routes->txns->begun;

    return kr_fetch_verify(fe, rt, txn);
}


static int
kr_fetch_hit(kr_fetch_t *fe, const kr_change_t *c, const kr_hit_t *hit,
    kr_txn_t *txn)
{
    if (hit->blind) {
        return kr_fetch_doom(fe, hit->route, "the table was altered: subscribe"
                             " again");
    }

    if (hit->route->template->plan == KR_PLAN_RERUN) {
        return kr_rerun_touch(fe->reruns, hit->route, txn);
    }

    return kr_fetch_row(fe, c, hit, txn);
}


static int
kr_fetch_row(kr_fetch_t *fe, const kr_change_t *c, const kr_hit_t *hit,
    kr_txn_t *txn)
{
    int                      rc;
    const kr_key_columns_t  *key;

    key = &hit->route->template->key;

    rc = kr_fetch_key(&fe->from, key, c->identity, c->nidentity, c->columns,
                      c->ncolumns);

    if (rc == KR_OK) {
        rc = kr_fetch_key(&fe->to, key, c->columns, c->ncolumns, c->identity,
                          c->nidentity);
    }

    if (rc == KR_DECLINED) {
        /* the column was dropped, or the replica identity changed */
        return kr_fetch_doom(fe, hit->route, "the WAL does not hold the"
                             " table's old rows any more: subscribe again");
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

    return kr_fetch_touch(fe, c->action, hit, txn, &fe->to);
}


/* KR_DECLINED: the change does not tell the row's key. */
static int
kr_fetch_key(kr_buf_t *texts, const kr_key_columns_t *key,
    const kr_column_t *first, size_t nfirst, const kr_column_t *second,
    size_t nsecond)
{
    size_t              i;
    const kr_column_t  *c;

    kr_buf_reset(texts);

    for (i = 0; i < key->n; i++) {
        c = kr_column_find(first, nfirst, &key->names[i]);

        if (c == NULL) {
            c = kr_column_find(second, nsecond, &key->names[i]);
        }

        if (c == NULL || c->null) {
            return KR_DECLINED;
        }

        kr_buf_append(texts, c->value.data, c->value.len);
        kr_buf_append(texts, "", 1);
    }

    return texts->failed ? KR_ERROR : KR_OK;
}


/* Another key: for a client one row goes and another comes. */
static int
kr_fetch_moved(kr_fetch_t *fe, const kr_hit_t *hit, kr_txn_t *txn)
{
    kr_hit_t  half;

    half = *hit;

    if (hit->old) {
        half.new = 0;

        if (kr_fetch_touch(fe, KR_DELETE, &half, txn, &fe->from) != KR_OK) {
            return KR_ERROR;
        }
    }

    if (!hit->new) {
        return KR_OK;
    }

    half.old = 0;
    half.new = 1;

    return kr_fetch_touch(fe, KR_INSERT, &half, txn, &fe->to);
}


/* The array grows by doubling, from 1. */
static int
kr_fetch_doom(kr_fetch_t *fe, kr_route_t *rt, const char *reason)
{
    size_t      n;
    kr_doom_t  *dooms;

    n = fe->ndooms;

    if ((n & (n - 1)) == 0) {
        dooms = realloc(fe->dooms, (n == 0 ? 1 : 2 * n) * sizeof(kr_doom_t));
        if (dooms == NULL) {
            return KR_ERROR;
        }

        fe->dooms = dooms;
    }

    fe->dooms[n].route = kr_route_hold(rt);
    fe->dooms[n].reason = reason;
    fe->ndooms++;

    return KR_OK;
}
