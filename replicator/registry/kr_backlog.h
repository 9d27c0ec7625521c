/*
 * The backlog: events that were sent a short while ago, kept for sockets that
 * may still join their routes.
 *
 * The backlog is limited in time, in bytes of a route and in bytes of all
 * routes.  At a limit the oldest entries are dropped.  A route keeps the
 * number of its newest dropped entry: a join that needs it is refused.
 */

#ifndef _KR_BACKLOG_H_INCLUDED_
#define _KR_BACKLOG_H_INCLUDED_


#include "kr_config.h"
#include "kr_registry.h"
#include "kr_server.h"


/*
 * A row within an event, which may stand for several changes.  The last one
 * counts: PostgreSQL changes a row only when the change before is visible, so
 * a snapshot that sees the last change sees all of them.
 */
typedef struct {
    uint32_t            xid;         /* of the last change; 0: the row is for
                                        every socket */
    uint32_t            end;         /* of the row's JSON, as an offset in the
                                        JSON of the event's rows */
} kr_row_mark_t;


struct kr_entry_s {
    kr_route_t         *route;
    uint64_t            number;      /* counts the entries of all routes,
                                        from 1 */
    uint64_t            time_ms;     /* kr_now() when it was sent */
    kairos_position_t   position;
    kr_block_t         *block;       /* the EVENT frame */
    size_t              size;        /* bytes of the entry and its block */
    kr_entry_t         *prev;        /* in the route's list, oldest first */
    kr_entry_t         *next;
    kr_entry_t         *aprev;       /* in the list of all routes' entries */
    kr_entry_t         *anext;
    size_t              nrows;
    kr_row_mark_t       rows[];
};


typedef struct {
    kr_entry_t   *entries;
    size_t        bytes;             /* of all entries */
    uint64_t      number;            /* of the newest entry */

    /* set by the owner */
    size_t        route_max_bytes;   /* of the entries of one route */
    size_t        total_max_bytes;   /* of the entries of all routes */
    uint64_t      keep_ms;           /* age at which an entry is dropped */
} kr_backlog_t;


/*
 * Adds the event that the route has just sent, at rt->last; now is kr_now().
 * Holds a reference of the block and copies the rows' marks.  If the event is
 * too large or there is no memory, the event counts as dropped.
 */
void kr_backlog_add(kr_backlog_t *bl, kr_route_t *rt, kr_block_t *b,
    const kr_row_mark_t *rows, size_t nrows, uint64_t now);

/* Drops the entries that are older than bl->keep_ms; now is kr_now(). */
void kr_backlog_expire(kr_backlog_t *bl, uint64_t now);

/* Frees all entries of the route; they do not count as dropped. */
void kr_backlog_clear(kr_backlog_t *bl, kr_route_t *rt);

/*
 * The number of the route's first entry that is not older than time_ms; if
 * such an entry was dropped, the number of the newest dropped one; if the
 * route has none, the number that the next entry gets.
 */
uint64_t kr_backlog_first_entry(const kr_backlog_t *bl, const kr_route_t *rt,
    uint64_t time_ms);

/*
 * Compares two positions of one epoch.  Below 0, 0 or above 0: a is before b,
 * equal to b, after b.
 */
int kr_position_cmp(const kairos_position_t *a, const kairos_position_t *b);


#endif /* _KR_BACKLOG_H_INCLUDED_ */
