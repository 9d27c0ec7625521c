/*
 * The registry's tickets: who was lost, and may come back to a route without
 * a subscribe.
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

    n = rt->ntickets;
    last = n == 0 ? NULL : &rt->tickets[n - 1];

    if (last != NULL
        && (n == KR_TICKETS
            || now - last->first < reg->grace / (KR_TICKETS - 1)))
    {
        last->last = now;
        return;
    }

    rt->tickets[n].first = now;
    rt->tickets[n].last = now;
    rt->ntickets++;
}


uint64_t
kr_ticket_first(kr_registry_t *reg, kr_route_t *rt, uint64_t client,
    uint64_t now)
{
    uint64_t    first;
    kr_lost_t  *lo;

    kr_tickets_expire(reg, rt, now);

    first = rt->ntickets == 0 ? 0 : rt->tickets[0].first;

    HASH_FIND(hh, rt->lost, &client, sizeof(uint64_t), lo);

    if (lo != NULL && (first == 0 || lo->ticket.first < first)) {
        first = lo->ticket.first;
    }

    return first;
}


void
kr_tickets_free(kr_route_t *rt)
{
    while (rt->lost != NULL) {
        kr_lost_free(rt, rt->lost);
    }

    rt->ntickets = 0;
}


/*
 * A client that is lost again, or with another of its sockets, goes to the
 * end of the hash, which is in the order of the last departures, but may have
 * missed all since the first.
 */
static int
kr_lost_add(kr_route_t *rt, uint64_t client, uint64_t now)
{
    kr_lost_t  *lo;

    HASH_FIND(hh, rt->lost, &client, sizeof(uint64_t), lo);

    if (lo != NULL) {
        HASH_DELETE(hh, rt->lost, lo);

    } else {
        if (HASH_COUNT(rt->lost) >= KR_LOST_MAX) {
            return KR_DECLINED;
        }

        lo = calloc(1, sizeof(kr_lost_t));
        if (lo == NULL) {
            return KR_ERROR;
        }

        lo->client = client;
        lo->ticket.first = now;
    }

    lo->ticket.last = now;

    HASH_ADD(hh, rt->lost, client, sizeof(uint64_t), lo);

    if (lo->hh.tbl == NULL) {
        free(lo);
        return KR_ERROR;
    }

    return KR_OK;
}


static void
kr_lost_free(kr_route_t *rt, kr_lost_t *lo)
{
    HASH_DELETE(hh, rt->lost, lo);
    free(lo);
}


static void
kr_tickets_expire(kr_registry_t *reg, kr_route_t *rt, uint64_t now)
{
    unsigned  n;

    while (rt->lost != NULL && now - rt->lost->ticket.last > reg->grace) {
        kr_lost_free(rt, rt->lost);
    }

    for (n = 0; n < rt->ntickets; n++) {
        if (now - rt->tickets[n].last <= reg->grace) {
            break;
        }
    }

    if (n != 0) {
        rt->ntickets -= n;
        memmove(rt->tickets, rt->tickets + n,
                rt->ntickets * sizeof(kr_ticket_t));
    }
}
