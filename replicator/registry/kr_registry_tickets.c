/*
 * The registry's tickets: clients that a route lost, and that may come back
 * without a subscribe.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_registry.h"


static int kr_lost_add(kr_route_t *rt, uint64_t client, uint64_t now);
static void kr_lost_free(kr_route_t *rt, kr_lost_t *lo);
static void kr_tickets_expire(kr_registry_t *reg, kr_route_t *rt,
    uint64_t now);


void
kr_ticket_add(kr_registry_t *reg, kr_route_t *rt, uint64_t client,
    uint64_t now)
{
    unsigned      n;
    kr_ticket_t  *last;

    kr_tickets_expire(reg, rt, now);

    if (client != 0 && kr_lost_add(rt, client, now) == KR_OK) {
        return;
    }

    n = rt->tickets.n;
    last = n == 0 ? NULL : &rt->tickets.shared[n - 1];

    if (last != NULL
        && (n == KR_TICKETS
            || now - last->first_ms < reg->grace_ms / (KR_TICKETS - 1)))
    {
        last->last_ms = now;
        return;
    }

    rt->tickets.shared[n].first_ms = now;
    rt->tickets.shared[n].last_ms = now;
    rt->tickets.n++;
}


uint64_t
kr_ticket_first(kr_registry_t *reg, kr_route_t *rt, uint64_t client,
    uint64_t now)
{
    uint64_t    first;
    kr_lost_t  *lo;

    kr_tickets_expire(reg, rt, now);

    first = rt->tickets.n == 0 ? 0 : rt->tickets.shared[0].first_ms;

    HASH_FIND(hh, rt->tickets.lost, &client, sizeof(uint64_t), lo);

    if (lo != NULL && (first == 0 || lo->ticket.first_ms < first)) {
        first = lo->ticket.first_ms;
    }

    return first;
}


void
kr_tickets_free(kr_route_t *rt)
{
    while (rt->tickets.lost != NULL) {
        kr_lost_free(rt, rt->tickets.lost);
    }

    rt->tickets.n = 0;
}


/*
 * Notes the loss in the client's own ticket.  The hash is in the order of
 * last_ms, so a client that is already in it moves to the end, and keeps
 * first_ms.  KR_OK; KR_DECLINED: KR_LOST_MAX clients are in it; KR_ERROR: no
 * memory.
 */
static int
kr_lost_add(kr_route_t *rt, uint64_t client, uint64_t now)
{
    kr_lost_t  *lo;

    HASH_FIND(hh, rt->tickets.lost, &client, sizeof(uint64_t), lo);

    if (lo != NULL) {
        HASH_DELETE(hh, rt->tickets.lost, lo);

    } else {
        if (HASH_COUNT(rt->tickets.lost) >= KR_LOST_MAX) {
            return KR_DECLINED;
        }

        lo = calloc(1, sizeof(kr_lost_t));
        if (lo == NULL) {
            return KR_ERROR;
        }

        lo->client = client;
        lo->ticket.first_ms = now;
    }

    lo->ticket.last_ms = now;

    HASH_ADD(hh, rt->tickets.lost, client, sizeof(uint64_t), lo);

    if (lo->hh.tbl == NULL) {
        free(lo);
        return KR_ERROR;
    }

    return KR_OK;
}


static void
kr_lost_free(kr_route_t *rt, kr_lost_t *lo)
{
    HASH_DELETE(hh, rt->tickets.lost, lo);
    free(lo);
}


static void
kr_tickets_expire(kr_registry_t *reg, kr_route_t *rt, uint64_t now)
{
    unsigned  n;

    while (rt->tickets.lost != NULL
           && now - rt->tickets.lost->ticket.last_ms > reg->grace_ms)
    {
        kr_lost_free(rt, rt->tickets.lost);
    }

    for (n = 0; n < rt->tickets.n; n++) {
        if (now - rt->tickets.shared[n].last_ms <= reg->grace_ms) {
            break;
        }
    }

    if (n != 0) {
        rt->tickets.n -= n;
        memmove(rt->tickets.shared, rt->tickets.shared + n,
                rt->tickets.n * sizeof(kr_ticket_t));
    }
}
