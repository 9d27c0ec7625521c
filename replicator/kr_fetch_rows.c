/*
 * Fetched rows to events: what each row is for each of its routes, and the
 * JSON of it.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_fetch_private.h"
#include "kr_log.h"


/* an event is not filled beyond so many bytes of rows */
#define KR_CHUNK_BYTES  (256u * 1024)


typedef struct kr_build_s  kr_build_t;


/* the event that is being made for a route */
struct kr_build_s {
    kr_route_t   *route;
    kr_build_t   *next;
    kr_buf_t      rows;
    size_t        nrows;
    kr_row_t     *marks;
};


static void kr_rows_judge(kr_item_t *it, kr_touch_t *to);
static void kr_rows_of_kind(kr_pending_t *pe, kr_row_e kind,
    kr_build_t **builds);
static kr_build_t *kr_build_get(kr_route_t *rt, kr_build_t **builds);
static int kr_build_row(kr_build_t *b, const kr_item_t *it, kr_row_e kind);
static int kr_build_mark(kr_build_t *b, const kr_item_t *it);
static void kr_build_flush(kr_pending_t *pe, kr_build_t *b);
static void kr_row_append(kr_buf_t *b, const kr_template_t *t,
    const kr_item_t *it, kr_row_e kind);
static void kr_row_key(kr_buf_t *b, const kr_template_t *t,
    const kr_item_t *it);
static void kr_row_fetched(kr_buf_t *b, const kr_item_t *it,
    const char *op);
static void kr_row_value(kr_buf_t *b, uint32_t type, const char *text,
    size_t len);
static void kr_row_time(kr_buf_t *b, const char *text, size_t len, int zone);


/* oids of pg_type (src/include/catalog/pg_type.dat) */
#define KR_TYPE_BOOL         16
#define KR_TYPE_INT8         20
#define KR_TYPE_INT2         21
#define KR_TYPE_INT4         23
#define KR_TYPE_FLOAT4       700
#define KR_TYPE_FLOAT8       701
#define KR_TYPE_TIMESTAMP    1114
#define KR_TYPE_TIMESTAMPTZ  1184
#define KR_TYPE_NUMERIC      1700


/*
 * The events of a route come in the order delete, insert, update: each row
 * is in one of them only, so no order among rows is lost.
 */
void
kr_fetch_publish(kr_pending_t *pe)
{
    int          kind;
    size_t       i, k;
    kr_item_t   *it;
    kr_build_t  *builds, *b;

    for (i = pe->pos; i < pe->pos + pe->take; i++) {
        it = pe->items[i];

        for (k = 0; k < it->ntouches; k++) {
            kr_rows_judge(it, &it->touches[k]);
        }
    }

    builds = NULL;

    for (kind = KR_ROW_DELETE; kind < KR_ROW_KINDS; kind++) {

        if (pe->orphan) {
            break;
        }

        kr_rows_of_kind(pe, (kr_row_e) kind, &builds);

        for (b = builds; b != NULL; b = b->next) {
            kr_build_flush(pe, b);
        }
    }

    while (builds != NULL) {
        b = builds;
        builds = b->next;

        b->route->build = NULL;
        kr_route_unhold(b->route);
        kr_buf_free(&b->rows);
        free(b->marks);
        free(b);
    }
}


/*
 * A row that is not there (any more) is a delete, unless it came into being,
 * or into the route, by its one change: then nobody has seen it.
 */
static void
kr_rows_judge(kr_item_t *it, kr_touch_t *to)
{
    int  there;

    if (it->large) {
        there = to->new;

    } else {
        there = it->json != NULL
                && kr_predicate_matches(&to->route->predicate, it->field,
                                        it->field_len);
    }

    if (there) {
        to->kind = to->inserted ? KR_ROW_INSERT : KR_ROW_UPDATE;

    } else if (to->old || to->many) {
        to->kind = KR_ROW_DELETE;

    } else {
        to->kind = KR_ROW_NONE;
    }
}


static void
kr_rows_of_kind(kr_pending_t *pe, kr_row_e kind, kr_build_t **builds)
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

            if (b->nrows == pe->fetch->chunk_size
                || b->rows.len >= KR_CHUNK_BYTES)
            {
                kr_build_flush(pe, b);
            }
        }
    }
}


static kr_build_t *
kr_build_get(kr_route_t *rt, kr_build_t **builds)
{
    kr_build_t  *b;

    b = rt->build;

    if (b == NULL) {
        b = calloc(1, sizeof(kr_build_t));
        if (b == NULL) {
            return NULL;
        }

        b->route = kr_route_hold(rt);
        rt->build = b;

        b->next = *builds;
        *builds = b;
    }

    return b;
}


static int
kr_build_row(kr_build_t *b, const kr_item_t *it, kr_row_e kind)
{
    if (b->nrows != 0) {
        kr_buf_str(&b->rows, ",");
    }

    kr_row_append(&b->rows, b->route->template, it, kind);

    return kr_build_mark(b, it);
}


/* Notes whose the row is that was appended; the array grows by doubling. */
static int
kr_build_mark(kr_build_t *b, const kr_item_t *it)
{
    kr_row_t  *marks;

    if ((b->nrows & (b->nrows - 1)) == 0) {
        marks = realloc(b->marks, sizeof(kr_row_t)
                                  * (b->nrows == 0 ? 1 : 2 * b->nrows));
        if (marks == NULL) {
            return KR_ERROR;
        }

        b->marks = marks;
    }

    b->marks[b->nrows].xid = it->xids[it->nxids - 1];
    b->marks[b->nrows].end = (uint32_t) b->rows.len;
    b->nrows++;

    return KR_OK;
}


/* Sends what there is and begins anew. */
static void
kr_build_flush(kr_pending_t *pe, kr_build_t *b)
{
    kr_event_t  ev;

    if (b->nrows == 0) {
        return;
    }

    if (b->route->removed) {
        kr_buf_free(&b->rows);

    } else if (b->rows.failed) {
        kr_buf_free(&b->rows);
        kr_route_reset(pe->fetch->routes, b->route, "no memory");

    } else {

        /*
         * All before the last row's first transaction is in this event or
         * in one before it; the first row's is the oldest that must not be
         * confirmed while this waits in a queue.
         */

        ev.rows = &b->rows;
        ev.marks = b->marks;
        ev.nrows = b->nrows;
        ev.txn = pe->items[pe->pos]->txn;
        ev.lsn = pe->items[pe->pos + pe->take - 1]->txn->lsn;

        kr_route_publish(pe->fetch->routes, b->route, &ev);
        kr_buf_reset(&b->rows);
    }

    b->nrows = 0;
}


static void
kr_row_append(kr_buf_t *b, const kr_template_t *t, const kr_item_t *it,
    kr_row_e kind)
{
    const char  *op;

    switch (kind) {

    case KR_ROW_INSERT:
        op = "insert";
        break;

    case KR_ROW_UPDATE:
        op = "update";
        break;

    default: /* KR_ROW_DELETE */
        op = "delete";
        break;
    }

    if (kind != KR_ROW_DELETE && !it->large) {
        kr_row_fetched(b, it, op);
        return;
    }

    kr_buf_str(b, "{");
    kr_row_key(b, t, it);

    if (it->large) {
        kr_buf_str(b, ",\"error\":\"the row is too large\"");
    }

    kr_buf_printf(b, ",\"database_op\":\"%s\"}", op);
}


/* As "id", which clients of the original look for, and by its name. */
static void
kr_row_key(kr_buf_t *b, const kr_template_t *t, const kr_item_t *it)
{
    kr_buf_str(b, "\"id\":");
    kr_row_value(b, t->key.types[0], it->pk, it->pk_len);

    if (strcmp(t->key.names[0].data, "id") != 0) {
        kr_buf_str(b, ",");
        kr_buf_json(b, t->key.names[0].data, t->key.names[0].len);
        kr_buf_str(b, ":");
        kr_row_value(b, t->key.types[0], it->pk, it->pk_len);
    }
}


/* The row as PostgreSQL printed it, and one more member. */
static void
kr_row_fetched(kr_buf_t *b, const kr_item_t *it, const char *op)
{
    size_t  len;

    len = it->json_len;

    /* "{...}"; an object without a member takes no comma */

    kr_buf_append(b, it->json, len - 1);
    kr_buf_printf(b, "%s\"database_op\":\"%s\"}", len > 2 ? "," : "", op);
}


/* A value as to_json() prints it. */
static void
kr_row_value(kr_buf_t *b, uint32_t type, const char *text, size_t len)
{
    switch (type) {

    case KR_TYPE_INT2:
    case KR_TYPE_INT4:
    case KR_TYPE_INT8:
    case KR_TYPE_FLOAT4:
    case KR_TYPE_FLOAT8:
    case KR_TYPE_NUMERIC:

        /* NaN and the infinities are no numbers of JSON */

        if (len != 0 && (text[len - 1] < '0' || text[len - 1] > '9')) {
            break;
        }

        kr_buf_append(b, text, len);
        return;

    case KR_TYPE_BOOL:
        kr_buf_str(b, len != 0 && text[0] == 't' ? "true" : "false");
        return;

    case KR_TYPE_TIMESTAMP:
        kr_row_time(b, text, len, 0);
        return;

    case KR_TYPE_TIMESTAMPTZ:
        kr_row_time(b, text, len, 1);
        return;

    default:
        break;
    }

    kr_buf_json(b, text, len);
}


/*
 * "2026-01-01 00:00:00+00" becomes "2026-01-01T00:00:00+00:00"; infinities
 * have no blank and stay.  The session's zone is UTC; " BC" may follow.
 */
static void
kr_row_time(kr_buf_t *b, const char *text, size_t len, int zone)
{
    size_t       bc;
    const char  *blank;

    blank = memchr(text, ' ', len);

    if (blank == NULL) {
        kr_buf_json(b, text, len);
        return;
    }

    bc = len > 3 && memcmp(text + len - 3, " BC", 3) == 0 ? 3 : 0;

    kr_buf_str(b, "\"");
    kr_buf_append(b, text, (size_t) (blank - text));
    kr_buf_str(b, "T");
    kr_buf_append(b, blank + 1, len - bc - (size_t) (blank + 1 - text));
    kr_buf_str(b, zone ? ":00" : "");
    kr_buf_str(b, bc ? " BC\"" : "\"");
}
