/*
 * A route by itself: its references, and its place in the registry's list of
 * idle routes.
 */

#include "kr_registry_private.h"


kr_route_t *
kr_route_hold(kr_route_t *rt)
{
    rt->refs++;

    return rt;
}


void
kr_route_unhold(kr_route_t *rt)
{
    if (--rt->refs == 0) {
        kr_route_free(rt);
    }
}


void
kr_route_update_idle(kr_registry_t *reg, kr_route_t *rt, uint64_t now)
{
    unsigned  idle;

    if (rt->removed) {
        return;
    }

    idle = rt->members == NULL && rt->cursors == NULL;

    if (idle == rt->idle.listed) {
        return;
    }

    rt->idle.listed = idle;

    if (idle) {
        rt->idle.since_ms = now;
        DL_APPEND2(reg->idle, rt, idle.prev, idle.next);

    } else {
        DL_DELETE2(reg->idle, rt, idle.prev, idle.next);
    }
}
