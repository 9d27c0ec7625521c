/*
 * Fetched rows to events: what each row is for each of its routes, and the
 * JSON of it.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_fetch_private.h"
#include "kr_row.h"


/* the event that is being made for a route */
struct kr_build_s {
    kr_route_t        *route;
    kr_build_t        *next;
    kr_rows_writer_t   rows;
};


static void kr_batch_judge(kr_item_t *it, kr_touch_t *to);
static void kr_batch_send_kind(kr_pending_t *pe, kr_fetch_kind_e kind,
    kr_build_t **builds);
static void kr_batch_hold(kr_fetch_t *fe, kr_route_t *rt,
    const kr_item_t *it, kr_fetch_kind_e kind);
static kr_build_t *kr_build_get(kr_route_t *rt, kr_build_t **builds);
static int kr_build_row(kr_build_t *b, const kr_item_t *it,
    kr_fetch_kind_e kind);
static void kr_build_send(kr_pending_t *pe, kr_build_t *b);


/*
 * The events of a route come in the order delete, insert, update: each row
 * is in one of them only, so no order among rows is lost.
 */
void
kr_batch_events(kr_pending_t *pe)
{
    int          kind;
    size_t       i, k;
    kr_item_t   *it;
    kr_build_t  *builds, *b;

    for (i = pe->pos; i < pe->pos + pe->take; i++) {
        it = pe->items[i];

        for (k = 0; k < it->ntouches; k++) {
            kr_batch_judge(it, &it->touches[k]);
        }
    }

    builds = NULL;

    for (kind = KR_FETCH_DELETE; kind < KR_FETCH_KINDS; kind++) {

        if (pe->orphan) {
            break;
        }

        kr_batch_send_kind(pe, (kr_fetch_kind_e) kind, &builds);

        for (b = builds; b != NULL; b = b->next) {
            kr_build_send(pe, b);
        }
    }

    while (builds != NULL) {
        b = builds;
        builds = b->next;

        b->route->refetch.build = NULL;
        kr_route_unhold(b->route);
        kr_rows_free(&b->rows);
        free(b);
    }
}


/*
 * A row that is not there (any more) is a delete, unless nobody has seen it:
 * it came into being, or into the route, by its one change, or it is not
 * among those that were sent.  The rows of a subscribe that is under way are
 * not known yet.
 */
static void
kr_batch_judge(kr_item_t *it, kr_touch_t *to)
{
    int  there;

    if (it->large) {
        there = to->new;

    } else {
        there = it->json != NULL
                && kr_predicate_matches(&to->route->predicate, it->field,
                                        it->field_len);
    }

    to->kind = KR_FETCH_NONE;

    if (there) {
        if (!to->verify) {
            to->kind = to->inserted ? KR_FETCH_INSERT : KR_FETCH_UPDATE;
        }

    } else if (to->old || to->many) {
        if (to->route->join.expecting != 0
            || kr_held_has(to->route, &it->key))
        {
            to->kind = KR_FETCH_DELETE;
        }
    }
}


static void
kr_batch_send_kind(kr_pending_t *pe, kr_fetch_kind_e kind, kr_build_t **builds)
{
    size_t       i, k;
    kr_item_t   *it;
    kr_touch_t  *to;
    kr_build_t  *b;

    for (i = pe->pos; i < pe->pos + pe->take; i++) {
        it = pe->items[i];

        for (k = 0; k < it->ntouches; k++) {
            to = &it->touches[k];

            if (to->kind != (unsigned) kind || to->route->removed) {
                continue;
            }

            b = kr_build_get(to->route, builds);

            if (b == NULL || kr_build_row(b, it, kind) != KR_OK) {
                kr_route_reset(pe->fetch->routes, to->route, "no memory");
                continue;
            }

            kr_batch_hold(pe->fetch, to->route, it, kind);

            if (b->rows.n == pe->fetch->chunk_size
                || b->rows.json.len >= KR_CHUNK_BYTES)
            {
                kr_build_send(pe, b);
            }
        }
    }
}


/* Notes what the subscribers hold from now on. */
static void
kr_batch_hold(kr_fetch_t *fe, kr_route_t *rt, const kr_item_t *it,
    kr_fetch_kind_e kind)
{
    kr_held_rows_t  *ks;

    ks = &fe->routes->held;

    if (kind == KR_FETCH_DELETE) {
        kr_held_remove(ks, rt, &it->key, it->txn->lsn);

    } else {
        kr_held_add(ks, rt, &it->key, 0);
    }
}


static kr_build_t *
kr_build_get(kr_route_t *rt, kr_build_t **builds)
{
    kr_build_t  *b;

    b = rt->refetch.build;

    if (b == NULL) {
        b = calloc(1, sizeof(kr_build_t));
        if (b == NULL) {
            return NULL;
        }

        b->route = kr_route_hold(rt);
        rt->refetch.build = b;

        b->next = *builds;
        *builds = b;
    }

    return b;
}


static int
kr_build_row(kr_build_t *b, const kr_item_t *it, kr_fetch_kind_e kind)
{
    uint32_t                 xid;
    kr_str_t                 json;
    const char              *op;
    const kr_key_columns_t  *key;

    switch (kind) {

    case KR_FETCH_INSERT:
        op = "insert";
        break;

    case KR_FETCH_UPDATE:
        op = "update";
        break;

    default: /* KR_FETCH_DELETE */
        op = "delete";
        break;
    }

    key = &b->route->template->key;
    xid = it->xids[it->nxids - 1];

    if (it->large) {
        return kr_rows_key(&b->rows, key, it->key.texts.data, op,
                           "the row is too large", xid);
    }

    if (kind == KR_FETCH_DELETE) {
        return kr_rows_key(&b->rows, key, it->key.texts.data, op, NULL, xid);
    }

    json.data = it->json;
    json.len = it->json_len;

    return kr_rows_full(&b->rows, key, it->key.texts.data, &json, op, xid);
}


/* Sends what there is and begins anew. */
static void
kr_build_send(kr_pending_t *pe, kr_build_t *b)
{
    kr_event_t  ev;

    if (b->rows.n != 0 && !b->route->removed) {

        /*
         * All before the last row's first transaction is in this event or
         * in one before it; the first row's is the oldest that must not be
         * confirmed while this waits in a queue.
         */

        ev.rows = &b->rows.json;
        ev.marks = b->rows.marks;
        ev.nrows = b->rows.n;
        ev.txn = pe->items[pe->pos]->txn;
        ev.lsn = pe->items[pe->pos + pe->take - 1]->txn->lsn;

        kr_route_publish(pe->fetch->routes, b->route, &ev);
    }

    kr_rows_reset(&b->rows);
}
