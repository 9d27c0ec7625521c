/*
 * Gathering: what each change touches is noted under the template and the
 * key of its row, so that many changes of a row cost one refetch.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_fetch_private.h"


static kr_pending_t *kr_pending_get(kr_fetch_t *fe, kr_template_t *t);
static kr_item_t *kr_item_get(kr_pending_t *pe, kr_txn_t *txn,
    const kr_row_key_t *key);
static kr_item_t *kr_item_create(kr_pending_t *pe, kr_txn_t *txn,
    const kr_row_key_t *key);
static int kr_item_xid(kr_fetch_t *fe, kr_item_t *it, uint32_t xid);
static kr_touch_t *kr_item_touch(kr_fetch_t *fe, kr_item_t *it,
    kr_route_t *rt);
static int kr_item_verify(kr_fetch_t *fe, kr_route_t *rt, kr_txn_t *txn,
    const kr_row_key_t *key);
static int kr_pending_verify(kr_fetch_t *fe, kr_route_t *rt, kr_txn_t *txn);
static int kr_item_verify_touched(kr_fetch_t *fe, kr_route_t *rt,
    kr_txn_t *txn, const kr_item_t *it);


int
kr_fetch_note(kr_fetch_t *fe, kr_action_e action, const kr_hit_t *hit,
    kr_txn_t *txn, const kr_buf_t *texts)
{
    kr_item_t     *it;
    kr_touch_t    *to;
    kr_row_key_t   key;
    kr_pending_t  *pe;

    pe = kr_pending_get(fe, hit->route->template);
    if (pe == NULL) {
        return KR_ERROR;
    }

    kr_buf_reset(&fe->key.bytes);
    kr_key_bytes(&pe->template->key, texts->data, &fe->key.bytes);

    if (fe->key.bytes.failed) {
        return KR_ERROR;
    }

    kr_row_key_set(&key, texts, &fe->key.bytes);

    it = kr_item_get(pe, txn, &key);

    if (it == NULL || kr_item_xid(fe, it, txn->xid) != KR_OK) {
        return KR_ERROR;
    }

    it->deleted = action == KR_DELETE;
    it->unsure |= fe->changes->late;

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
        to->verify = 0;
    }

    to->new = hit->new && action != KR_DELETE;

    if (pe->n == 0 && HASH_COUNT(pe->gathering) >= fe->batch_size) {
        fe->changes->early = 1;
    }

    return KR_OK;
}


/*
 * A TRUNCATE: deletes are sent of the rows that are gone.  Rows that come
 * into being later in the same transaction, or stand in other partitions, are
 * found.
 */
int
kr_fetch_verify(kr_fetch_t *fe, kr_route_t *rt, kr_txn_t *txn)
{
    kr_row_key_t          key;
    const kr_held_row_t  *held;

    fe->changes->number++;

    for (held = rt->held.rows; held != NULL; held = held->hh.next) {
        kr_held_key(held, &key);

        if (kr_item_verify(fe, rt, txn, &key) != KR_OK) {
            return KR_ERROR;
        }
    }

    /* for those that are there twice, see kr_item_touch() */
    fe->changes->number++;

    return kr_pending_verify(fe, rt, txn);
}


void
kr_item_free(kr_fetch_t *fe, kr_item_t *it)
{
    size_t  i;

    for (i = 0; i < it->ntouches; i++) {
        kr_route_unhold(it->touches[i].route);
    }

    kr_changes_load(fe->changes, -(long) kr_item_load(it));

    free(it->touches);
    free(it->xids);
    free((char *) it->key.texts.data);
    kr_txn_release(it->txn);
    free(it);
}


size_t
kr_item_load(const kr_item_t *it)
{
    return 1 + it->nxids + it->ntouches;
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


/* The row's item, a new one if none is gathered; NULL: no memory. */
static kr_item_t *
kr_item_get(kr_pending_t *pe, kr_txn_t *txn, const kr_row_key_t *key)
{
    kr_item_t  *it;

    HASH_FIND(hh, pe->gathering, key->bytes.data, key->bytes.len, it);

    return it != NULL ? it : kr_item_create(pe, txn, key);
}


static kr_item_t *
kr_item_create(kr_pending_t *pe, kr_txn_t *txn, const kr_row_key_t *key)
{
    char       *data;
    kr_item_t  *it;

    it = calloc(1, sizeof(kr_item_t));
    if (it == NULL) {
        return NULL;
    }

    data = malloc(kr_row_key_size(key));
    if (data == NULL) {
        free(it);
        return NULL;
    }

    kr_row_key_copy(&it->key, data, key);

    HASH_ADD_KEYPTR(hh, pe->gathering, it->key.bytes.data, it->key.bytes.len,
                    it);

    if (it->hh.tbl == NULL) {
        free(data);
        free(it);
        return NULL;
    }

    it->txn = kr_txn_hold(txn);
    it->born = pe->fetch->changes->number;
    kr_changes_load(pe->fetch->changes, 1);

    if (pe->template->oldest_lsn > txn->lsn) {
        pe->template->oldest_lsn = txn->lsn;
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
    kr_changes_load(fe->changes, 1);

    return KR_OK;
}


/* The route's touch; a new one has no route yet. */
static kr_touch_t *
kr_item_touch(kr_fetch_t *fe, kr_item_t *it, kr_route_t *rt)
{
    size_t       i;
    kr_touch_t  *to;

    if (rt->refetch.touched == it && rt->refetch.touched_at < it->ntouches
        && it->touches[rt->refetch.touched_at].route == rt)
    {
        return &it->touches[rt->refetch.touched_at];
    }

    /* a change names each route once: a new item need not be searched */

    if (it->born != fe->changes->number) {
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

    rt->refetch.touched = it;
    rt->refetch.touched_at = it->ntouches;

    to = &it->touches[it->ntouches++];
    memset(to, 0, sizeof(kr_touch_t));
    kr_changes_load(fe->changes, 1);

    return to;
}


static int
kr_item_verify(kr_fetch_t *fe, kr_route_t *rt, kr_txn_t *txn,
    const kr_row_key_t *key)
{
    kr_item_t     *it;
    kr_touch_t    *to;
    kr_pending_t  *pe;

    pe = kr_pending_get(fe, rt->template);
    if (pe == NULL) {
        return KR_ERROR;
    }

    it = kr_item_get(pe, txn, key);

    if (it == NULL || kr_item_xid(fe, it, txn->xid) != KR_OK) {
        return KR_ERROR;
    }

    it->deleted = 0;

    to = kr_item_touch(fe, it, rt);
    if (to == NULL) {
        return KR_ERROR;
    }

    if (to->route == NULL) {
        to->route = kr_route_hold(rt);
        to->old = 1;
        to->verify = 1;

    } else {
        to->many = 1;
    }

    to->new = 1;

    return KR_OK;
}


/* Rows whose events were not made yet are not among the keys. */
static int
kr_pending_verify(kr_fetch_t *fe, kr_route_t *rt, kr_txn_t *txn)
{
    size_t         i;
    kr_item_t     *it, *next;
    kr_pending_t  *pe;

    pe = rt->template->pending;

    if (pe == NULL) {
        return KR_OK;
    }

    for (i = pe->pos; i < pe->n; i++) {
        if (kr_item_verify_touched(fe, rt, txn, pe->items[i]) != KR_OK) {
            return KR_ERROR;
        }
    }

    HASH_ITER(hh, pe->gathering, it, next) {
        if (kr_item_verify_touched(fe, rt, txn, it) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


static int
kr_item_verify_touched(kr_fetch_t *fe, kr_route_t *rt, kr_txn_t *txn,
    const kr_item_t *it)
{
    size_t  i;

    for (i = 0; i < it->ntouches; i++) {
        if (it->touches[i].route == rt) {
            return kr_item_verify(fe, rt, txn, &it->key);
        }
    }

    return KR_OK;
}
