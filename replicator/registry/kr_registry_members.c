/*
 * The registry's workers, their sockets, members and cursors.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_registry.h"


#define KR_CURSOR_MIN  5000      /* ms; least time that a cursor waits for its
                                    JOIN, if reg->grace_ms is shorter */


static kr_member_t *kr_member_find(const kr_route_t *rt,
    const kr_worker_t *wk);
static void kr_cursor_unqueue(kr_registry_t *reg, kr_cursor_t *cu);


int
kr_member_add(kr_registry_t *reg, kr_route_t *rt, kr_worker_t *wk, uint32_t n)
{
    kr_member_t  *mb;

    mb = kr_member_find(rt, wk);

    if (mb == NULL) {
        mb = calloc(1, sizeof(kr_member_t));
        if (mb == NULL) {
            return KR_ERROR;
        }

        mb->route = rt;
        mb->worker = wk;

        DL_APPEND(rt->members, mb);
        DL_APPEND2(wk->members, mb, wprev, wnext);
        kr_route_update_idle(reg, rt, 0);
    }

    mb->n += n;

    return KR_OK;
}


int
kr_member_leave(kr_registry_t *reg, kr_route_t *rt, kr_worker_t *wk,
    uint64_t now)
{
    kr_member_t  *mb;

    mb = kr_member_find(rt, wk);
    if (mb == NULL) {
        return KR_DECLINED;
    }

    if (--mb->n == 0) {
        kr_member_free(reg, mb, now);
    }

    return KR_OK;
}


void
kr_member_free(kr_registry_t *reg, kr_member_t *mb, uint64_t now)
{
    kr_route_t  *rt;

    rt = mb->route;

    DL_DELETE(rt->members, mb);
    DL_DELETE2(mb->worker->members, mb, wprev, wnext);
    free(mb);

    kr_route_update_idle(reg, rt, now);
}


kr_socket_t *
kr_socket_get(kr_worker_t *wk, uint64_t id, int add)
{
    kr_socket_t  *so;

    HASH_FIND(hh, wk->sockets, &id, sizeof(uint64_t), so);

    if (so != NULL || !add) {
        return so;
    }

    so = calloc(1, sizeof(kr_socket_t));
    if (so == NULL) {
        return NULL;
    }

    so->id = id;
    so->worker = wk;

    HASH_ADD(hh, wk->sockets, id, sizeof(uint64_t), so);

    if (so->hh.tbl == NULL) {
        free(so);
        return NULL;
    }

    wk->refs++;

    return so;
}


void
kr_socket_release(kr_socket_t *so)
{
    kr_worker_t  *wk;

    if (so->n != 0) {
        return;
    }

    wk = so->worker;

    if (!so->gone) {
        HASH_DELETE(hh, wk->sockets, so);
    }

    free(so);
    kr_worker_unhold(wk);
}


void
kr_socket_gone(kr_registry_t *reg, kr_socket_t *so, uint64_t now)
{
    so->n++;

    while (so->cursors != NULL) {
        kr_cursor_free(reg, so->cursors, now);
    }

    HASH_DELETE(hh, so->worker->sockets, so);
    so->gone = 1;

    so->n--;
    kr_socket_release(so);
}


kr_cursor_t *
kr_cursor_add(kr_registry_t *reg, kr_route_t *rt, kr_socket_t *so,
    uint64_t first_entry)
{
    kr_cursor_t  *cu;

    cu = calloc(1, sizeof(kr_cursor_t));
    if (cu == NULL) {
        return NULL;
    }

    cu->route = rt;
    cu->socket = so;
    cu->first_entry = first_entry;
    so->n++;

    DL_APPEND(rt->cursors, cu);
    DL_APPEND2(so->cursors, cu, sprev, snext);
    kr_route_update_idle(reg, rt, 0);

    return cu;
}


kr_cursor_t *
kr_cursor_find(kr_socket_t *so, const kr_route_t *rt)
{
    kr_cursor_t  *cu;

    DL_FOREACH2(so->cursors, cu, snext) {
        if (cu->route == rt) {
            return cu;
        }
    }

    return NULL;
}


void
kr_cursor_move(kr_registry_t *reg, kr_cursor_t *cu, int joining, uint64_t now)
{
    kr_cursor_unqueue(reg, cu);

    cu->queued = 1;
    cu->joining = joining != 0;

    if (joining) {
        DL_APPEND2(reg->joining, cu, qprev, qnext);
        return;
    }

    cu->expires_ms = now + (reg->grace_ms < KR_CURSOR_MIN ? KR_CURSOR_MIN
                                                       : reg->grace_ms);

    DL_APPEND2(reg->waiting, cu, qprev, qnext);
}


void
kr_cursor_free(kr_registry_t *reg, kr_cursor_t *cu, uint64_t now)
{
    kr_route_t   *rt;
    kr_socket_t  *so;

    rt = cu->route;
    so = cu->socket;

    kr_cursor_unqueue(reg, cu);
    rt->join.expecting -= cu->taken;

    DL_DELETE(rt->cursors, cu);
    DL_DELETE2(so->cursors, cu, sprev, snext);

    kr_snapshot_free(&cu->snapshot);
    free(cu);

    kr_route_update_idle(reg, rt, now);

    so->n--;
    kr_socket_release(so);
}


kr_worker_t *
kr_worker_add(kr_registry_t *reg, kr_conn_t *cn)
{
    kr_worker_t  *wk;

    wk = calloc(1, sizeof(kr_worker_t));
    if (wk == NULL) {
        return NULL;
    }

    wk->conn = cn;
    wk->refs = 1;

    DL_APPEND(reg->workers, wk);

    return wk;
}


void
kr_worker_remove(kr_registry_t *reg, kr_worker_t *wk, uint64_t now)
{
    kr_socket_t  *so, *next;

    HASH_ITER(hh, wk->sockets, so, next) {
        kr_socket_gone(reg, so, now);
    }

    while (wk->members != NULL) {
        kr_member_free(reg, wk->members, now);
    }

    DL_DELETE(reg->workers, wk);

    wk->gone = 1;
    wk->conn = NULL;
}


void
kr_worker_unhold(kr_worker_t *wk)
{
    if (--wk->refs == 0) {
        free(wk);
    }
}


static kr_member_t *
kr_member_find(const kr_route_t *rt, const kr_worker_t *wk)
{
    kr_member_t  *mb;

    DL_FOREACH(rt->members, mb) {
        if (mb->worker == wk) {
            return mb;
        }
    }

    return NULL;
}


static void
kr_cursor_unqueue(kr_registry_t *reg, kr_cursor_t *cu)
{
    if (!cu->queued) {
        return;
    }

    cu->queued = 0;

    if (cu->joining) {
        DL_DELETE2(reg->joining, cu, qprev, qnext);

    } else {
        DL_DELETE2(reg->waiting, cu, qprev, qnext);
    }
}
