#include <stdlib.h>
#include <string.h>

#include "kr_backlog.h"


static void kr_backlog_drop(kr_backlog_t *bl, kr_entry_t *e);
static void kr_backlog_note(kr_route_t *rt, uint64_t number,
    uint64_t time_ms, const kairos_position_t *position);
static void kr_backlog_free(kr_backlog_t *bl, kr_entry_t *e);


void
kr_backlog_add(kr_backlog_t *bl, kr_route_t *rt, kr_block_t *b,
    const kr_row_mark_t *rows, size_t nrows, uint64_t now)
{
    size_t       size;
    kr_entry_t  *e;

    bl->number++;

    size = sizeof(kr_entry_t) + nrows * sizeof(kr_row_mark_t);

    e = size + b->len > bl->route_max_bytes ? NULL : malloc(size);

    if (e == NULL) {
        kr_backlog_note(rt, bl->number, now, &rt->last);
        return;
    }

    e->route = rt;
    e->number = bl->number;
    e->time_ms = now;
    e->position = rt->last;
    e->block = kr_block_hold(b);
    e->size = size + b->len;
    e->nrows = nrows;
    memcpy(e->rows, rows, nrows * sizeof(kr_row_mark_t));

    DL_APPEND(rt->backlog.entries, e);
    DL_APPEND2(bl->entries, e, aprev, anext);

    rt->backlog.bytes += e->size;
    bl->bytes += e->size;

    while (rt->backlog.bytes > bl->route_max_bytes) {
        kr_backlog_drop(bl, rt->backlog.entries);
    }

    while (bl->bytes > bl->total_max_bytes) {
        kr_backlog_drop(bl, bl->entries);
    }
}


void
kr_backlog_expire(kr_backlog_t *bl, uint64_t now)
{
    while (bl->entries != NULL && now - bl->entries->time_ms > bl->keep_ms) {
        kr_backlog_drop(bl, bl->entries);
    }
}


void
kr_backlog_clear(kr_backlog_t *bl, kr_route_t *rt)
{
    while (rt->backlog.entries != NULL) {
        kr_backlog_free(bl, rt->backlog.entries);
    }
}


uint64_t
kr_backlog_first_entry(const kr_backlog_t *bl, const kr_route_t *rt,
    uint64_t time_ms)
{
    kr_entry_t  *e;

    if (rt->backlog.dropped != 0 && rt->backlog.dropped_ms >= time_ms) {
        return rt->backlog.dropped;
    }

    DL_FOREACH(rt->backlog.entries, e) {
        if (e->time_ms >= time_ms) {
            return e->number;
        }
    }

    return bl->number + 1;
}


int
kr_position_cmp(const kairos_position_t *a, const kairos_position_t *b)
{
    if (a->lsn != b->lsn) {
        return a->lsn < b->lsn ? -1 : 1;
    }

    if (a->n != b->n) {
        return a->n < b->n ? -1 : 1;
    }

    return 0;
}


static void
kr_backlog_drop(kr_backlog_t *bl, kr_entry_t *e)
{
    kr_backlog_note(e->route, e->number, e->time_ms, &e->position);
    kr_backlog_free(bl, e);
}


static void
kr_backlog_note(kr_route_t *rt, uint64_t number, uint64_t time_ms,
    const kairos_position_t *position)
{
    if (number > rt->backlog.dropped) {
        rt->backlog.dropped = number;
        rt->backlog.dropped_ms = time_ms;
        rt->backlog.dropped_position = *position;
    }
}


static void
kr_backlog_free(kr_backlog_t *bl, kr_entry_t *e)
{
    kr_route_t  *rt;

    rt = e->route;

    DL_DELETE(rt->backlog.entries, e);
    DL_DELETE2(bl->entries, e, aprev, anext);

    rt->backlog.bytes -= e->size;
    bl->bytes -= e->size;

    kr_block_release(e->block);
    free(e);
}
