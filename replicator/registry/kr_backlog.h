/*
 * The events of the routes that were sent a short while ago, kept for those
 * who may still come for them.
 *
 * Bounded in time, per route and in all; what passes a bound is dropped, the
 * oldest first, and the route remembers up to where, so that whoever needed
 * it is refused.
 */

#ifndef _KR_BACKLOG_H_INCLUDED_
#define _KR_BACKLOG_H_INCLUDED_


#include "kr_config.h"
#include "kr_registry.h"
#include "kr_server.h"


/*
 * A row within an event.  Of the changes that it stands for the last counts:
 * whoever changes a row waits until the one before is visible, so a snapshot
 * that sees the last sees them all.
 */
typedef struct {
    uint32_t            xid;         /* of its last change */
    uint32_t            end;         /* of its JSON, within those of all */
} kr_row_mark_t;


struct kr_entry_s {
    kr_route_t         *route;
    uint64_t            number;      /* in all, from 1 */
    uint64_t            time;        /* ms */
    kairos_position_t   position;
    kr_block_t         *block;       /* the EVENT frame */
    size_t              size;        /* what it counts for */
    kr_entry_t         *prev;        /* of the route */
    kr_entry_t         *next;
    kr_entry_t         *aprev;       /* of all */
    kr_entry_t         *anext;
    size_t              nrows;
    kr_row_mark_t       rows[];
};


typedef struct {
    kr_entry_t   *entries;
    size_t        bytes;
    uint64_t      number;      /* of the newest entry */

    /* set by the owner */
    size_t        route_max;   /* bytes of one route */
    size_t        total_max;
    uint64_t      keep;        /* ms */
} kr_backlog_t;


/*
 * Takes a reference of the block.  An event that cannot be kept (too large,
 * no memory) is as one that was dropped.
 */
void kr_backlog_add(kr_backlog_t *bl, kr_route_t *rt, kr_block_t *b,
    const kr_row_mark_t *rows, size_t nrows, uint64_t now);

/* Drops what is older than bl->keep. */
void kr_backlog_expire(kr_backlog_t *bl, uint64_t now);

/* Frees all entries of the route. */
void kr_backlog_clear(kr_backlog_t *bl, kr_route_t *rt);

/* The number of the first entry of the route that is not older than that. */
uint64_t kr_backlog_since(const kr_backlog_t *bl, const kr_route_t *rt,
    uint64_t time);

/* < 0, 0, > 0; of one epoch. */
int kr_position_cmp(const kairos_position_t *a, const kairos_position_t *b);


#endif /* _KR_BACKLOG_H_INCLUDED_ */
