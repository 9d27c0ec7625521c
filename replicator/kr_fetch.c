/*
 * Gathering: what each change touches is noted under the template and the
 * key of its row, so that many changes of a row cost one refetch.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_fetch_private.h"
#include "kr_log.h"
#include "kr_value.h"


static void kr_fetch_orphaned(kr_pending_t *pe);

static int kr_fetch_reset(kr_fetch_t *fe, const kr_change_t *c,
    const char *reason);
static int kr_fetch_hit(kr_fetch_t *fe, const kr_change_t *c,
    const kr_hit_t *hit, kr_txn_t *txn);
static const kr_column_t *kr_fetch_key(const kr_template_t *t,
    const kr_column_t *first, size_t nfirst, const kr_column_t *second,
    size_t nsecond);
static int kr_fetch_moved(kr_fetch_t *fe, const kr_hit_t *hit,
    kr_txn_t *txn, const kr_column_t *from, const kr_column_t *to);
static int kr_fetch_touch(kr_fetch_t *fe, kr_action_e action,
    const kr_hit_t *hit, kr_txn_t *txn, const kr_column_t *pk);
static kr_pending_t *kr_pending_get(kr_fetch_t *fe, kr_template_t *t);
static kr_item_t *kr_item_get(kr_pending_t *pe, kr_txn_t *txn,
    const kr_column_t *pk);
static kr_item_t *kr_item_create(kr_pending_t *pe, kr_txn_t *txn,
    const kr_column_t *pk);
static int kr_item_xid(kr_fetch_t *fe, kr_item_t *it, uint32_t xid);
static kr_touch_t *kr_item_touch(kr_fetch_t *fe, kr_item_t *it,
    kr_route_t *rt);


kr_fetch_t *
kr_fetch_create(struct event_base *base, const kr_config_t *cf,
    kr_pool_t *pool, kr_routes_t *rs)
{
    kr_fetch_t  *fe;

    fe = calloc(1, sizeof(kr_fetch_t));
    if (fe == NULL) {
        return NULL;
    }

    fe->base = base;
    fe->pool = pool;
    fe->routes = rs;
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
    while (fe->pending != NULL) {
        kr_pending_free(fe->pending);
    }

    kr_buf_free(&fe->key);
    free(fe);
}


int
kr_fetch_change(kr_fetch_t *fe, const kr_change_t *c, kr_txn_t *txn)
{
    int             rc;
    long            i, n;
    kr_hit_t       *hits;
    kr_registry_t  *reg;

    reg = fe->routes->registry;

    if (c->action == KR_TRUNCATE) {
        return kr_fetch_reset(fe, c, "the table was truncated: subscribe "
                              "again");
    }

    n = kr_match_change(reg->match, c, &hits);

    if (n < 0) {
        return KR_ERROR;
    }

    fe->changes++;

    /* nothing here takes a route out of the index, so hits stays valid */

    rc = KR_OK;

    for (i = 0; i < n && rc == KR_OK; i++) {
        rc = kr_fetch_hit(fe, c, &hits[i], txn);
    }

    if (rc == KR_DECLINED) {
        /* the column was dropped, or the replica identity changed */
        rc = kr_fetch_reset(fe, c, "the WAL does not hold the table's old "
                            "rows any more: subscribe again");
    }

    if (fe->early) {
        /* a large transaction does not wait for its end: it is committed */
        kr_fetch_commit(fe);
    }

    return rc;
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
}


void
kr_item_free(kr_fetch_t *fe, kr_item_t *it)
{
    size_t  i;

    for (i = 0; i < it->ntouches; i++) {
        kr_route_unhold(it->touches[i].route);
    }

    kr_fetch_loaded(fe, -(long) (1 + it->nxids + it->ntouches));

    free(it->touches);
    free(it->xids);
    free(it->pk);
    kr_txn_release(it->txn);
    free(it);
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


/* The rows of the table cannot be named any more: its routes end. */
static int
kr_fetch_reset(kr_fetch_t *fe, const kr_change_t *c, const char *reason)
{
    long          n;
    kr_hit_t     *hits;
    kr_routes_t  *rs;

    rs = fe->routes;

    for ( ;; ) {
        n = kr_match_table(rs->registry->match, &c->schema, &c->table, &hits);

        if (n <= 0) {
            return n == 0 ? KR_OK : KR_ERROR;
        }

        /* the index changes with each */
        kr_route_reset(rs, hits[0].route, reason);
    }
}


/* KR_DECLINED: the change does not tell the row's key. */
static int
kr_fetch_hit(kr_fetch_t *fe, const kr_change_t *c, const kr_hit_t *hit,
    kr_txn_t *txn)
{
    kr_template_t      *t;
    const kr_column_t  *from, *to;

    t = hit->route->template;

    from = kr_fetch_key(t, c->identity, c->nidentity, c->columns,
                        c->ncolumns);
    to = kr_fetch_key(t, c->columns, c->ncolumns, c->identity, c->nidentity);

    if (from == NULL || to == NULL) {
        return KR_DECLINED;
    }

    if (c->action == KR_UPDATE
        && (from->value.len != to->value.len
            || memcmp(from->value.data, to->value.data, to->value.len) != 0))
    {
        return kr_fetch_moved(fe, hit, txn, from, to);
    }

    return kr_fetch_touch(fe, c->action, hit, txn, to);
}


static const kr_column_t *
kr_fetch_key(const kr_template_t *t, const kr_column_t *first, size_t nfirst,
    const kr_column_t *second, size_t nsecond)
{
    const kr_column_t  *c;

    c = kr_column_find(first, nfirst, &t->key.names[0]);

    if (c == NULL) {
        c = kr_column_find(second, nsecond, &t->key.names[0]);
    }

    return c == NULL || c->null ? NULL : c;
}


/* Another key: for a client one row goes and another comes. */
static int
kr_fetch_moved(kr_fetch_t *fe, const kr_hit_t *hit, kr_txn_t *txn,
    const kr_column_t *from, const kr_column_t *to)
{
    kr_hit_t  half;

    half = *hit;

    if (hit->old) {
        half.new = 0;

        if (kr_fetch_touch(fe, KR_DELETE, &half, txn, from) != KR_OK) {
            return KR_ERROR;
        }
    }

    if (!hit->new) {
        return KR_OK;
    }

    half.old = 0;
    half.new = 1;

    return kr_fetch_touch(fe, KR_INSERT, &half, txn, to);
}


static int
kr_fetch_touch(kr_fetch_t *fe, kr_action_e action, const kr_hit_t *hit,
    kr_txn_t *txn, const kr_column_t *pk)
{
    kr_item_t     *it;
    kr_touch_t    *to;
    kr_pending_t  *pe;

    pe = kr_pending_get(fe, hit->route->template);
    if (pe == NULL) {
        return KR_ERROR;
    }

    it = kr_item_get(pe, txn, pk);

    if (it == NULL || kr_item_xid(fe, it, txn->xid) != KR_OK) {
        return KR_ERROR;
    }

    it->deleted = action == KR_DELETE;

    to = kr_item_touch(fe, it, hit->route);
    if (to == NULL) {
        return KR_ERROR;
    }

    if (to->route == NULL) {
        to->route = kr_route_hold(hit->route);
        to->old = hit->old;
        to->inserted = action == KR_INSERT && !hit->old;

    } else {
        to->many = 1;
    }

    to->new = hit->new && action != KR_DELETE;

    if (pe->n == 0 && HASH_COUNT(pe->gathering) >= fe->batch_size) {
        fe->early = 1;
    }

    return KR_OK;
}


static kr_pending_t *
kr_pending_get(kr_fetch_t *fe, kr_template_t *t)
{
    kr_pending_t  *pe;

    pe = t->pending;

    if (pe == NULL) {
        pe = calloc(1, sizeof(kr_pending_t));
        if (pe == NULL) {
            return NULL;
        }

        pe->fetch = fe;
        pe->template = t;
        pe->limit = fe->batch_size;

        DL_APPEND(fe->pending, pe);
        t->pending = pe;
    }

    if (!pe->dirty && pe->n == 0) {
        pe->dirty = 1;
        DL_APPEND2(fe->dirty, pe, dprev, dnext);
    }

    return pe;
}


const kr_buf_t *
kr_item_key(kr_fetch_t *fe, const kr_template_t *t, const char *text,
    size_t len)
{
    kr_buf_reset(&fe->key);

    if (kr_value_key(t->key.types[0], text, len, &fe->key) != KR_OK) {
        /* the column's type was changed: the text will do */
        kr_buf_reset(&fe->key);
        kr_buf_append(&fe->key, text, len);
    }

    return &fe->key;
}


/* The row's item, a new one if none is gathered; NULL: no memory. */
static kr_item_t *
kr_item_get(kr_pending_t *pe, kr_txn_t *txn, const kr_column_t *pk)
{
    kr_item_t       *it;
    const kr_buf_t  *key;

    key = kr_item_key(pe->fetch, pe->template, pk->value.data, pk->value.len);

    if (key->failed) {
        kr_buf_free(&pe->fetch->key);
        return NULL;
    }

    HASH_FIND(hh, pe->gathering, key->data, key->len, it);

    return it != NULL ? it : kr_item_create(pe, txn, pk);
}


static kr_item_t *
kr_item_create(kr_pending_t *pe, kr_txn_t *txn, const kr_column_t *pk)
{
    kr_buf_t   *key;
    kr_item_t  *it;

    key = &pe->fetch->key;

    it = calloc(1, sizeof(kr_item_t));
    if (it == NULL) {
        return NULL;
    }

    it->pk = malloc(pk->value.len + key->len + 1);
    if (it->pk == NULL) {
        free(it);
        return NULL;
    }

    it->pk_len = pk->value.len;
    memcpy(it->pk, pk->value.data, it->pk_len);

    it->key = it->pk + it->pk_len;
    it->key_len = key->len;
    memcpy(it->key, key->data, key->len);

    HASH_ADD_KEYPTR(hh, pe->gathering, it->key, it->key_len, it);

    if (it->hh.tbl == NULL) {
        free(it->pk);
        free(it);
        return NULL;
    }

    it->txn = kr_txn_hold(txn);
    it->born = pe->fetch->changes;
    kr_fetch_loaded(pe->fetch, 1);

    if (pe->template->oldest > txn->lsn) {
        pe->template->oldest = txn->lsn;
    }

    return it;
}


/* The array grows by doubling, from 1. */
static int
kr_item_xid(kr_fetch_t *fe, kr_item_t *it, uint32_t xid)
{
    uint32_t  *xids;

    if (it->nxids != 0 && it->xids[it->nxids - 1] == xid) {
        return KR_OK;
    }

    if ((it->nxids & (it->nxids - 1)) == 0) {
        xids = realloc(it->xids, sizeof(uint32_t)
                                 * (it->nxids == 0 ? 1 : 2 * it->nxids));
        if (xids == NULL) {
            return KR_ERROR;
        }

        it->xids = xids;
    }

    it->xids[it->nxids++] = xid;
    kr_fetch_loaded(fe, 1);

    return KR_OK;
}


/* The route's touch; a new one has no route yet. */
static kr_touch_t *
kr_item_touch(kr_fetch_t *fe, kr_item_t *it, kr_route_t *rt)
{
    size_t       i;
    kr_touch_t  *to;

    if (rt->touched == it && rt->touched_at < it->ntouches
        && it->touches[rt->touched_at].route == rt)
    {
        return &it->touches[rt->touched_at];
    }

    /* a change names each route once: a new item need not be searched */

    if (it->born != fe->changes) {
        for (i = 0; i < it->ntouches; i++) {
            if (it->touches[i].route == rt) {
                return &it->touches[i];
            }
        }
    }

    if (it->ntouches == it->size) {
        i = it->size == 0 ? 1 : 2 * it->size;

        to = realloc(it->touches, i * sizeof(kr_touch_t));
        if (to == NULL) {
            return NULL;
        }

        it->touches = to;
        it->size = i;
    }

    rt->touched = it;
    rt->touched_at = it->ntouches;

    to = &it->touches[it->ntouches++];
    memset(to, 0, sizeof(kr_touch_t));
    kr_fetch_loaded(fe, 1);

    return to;
}
