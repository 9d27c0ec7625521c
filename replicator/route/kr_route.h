/*
 * What a route's people see: its events in their order, the join that loses
 * nothing, the resume of a worker, the reset when there is a gap.
 */

#ifndef _KR_ROUTE_H_INCLUDED_
#define _KR_ROUTE_H_INCLUDED_


#include <event2/event.h>

#include "kr_backlog.h"
#include "kr_clock.h"
#include "kr_config.h"
#include "kr_held.h"
#include "kr_registry.h"
#include "kr_server.h"
#include "kr_stream.h"
#include "kr_txn.h"


typedef struct kr_routes_s  kr_routes_t;
typedef struct kr_reruns_s  kr_reruns_t;     /* of kr_rerun.h */


struct kr_routes_s {
    struct event_base  *base;
    struct event       *timer;      /* while joins wait */
    kr_registry_t      *registry;
    kr_txns_t          *txns;
    kr_stream_t        *stream;
    kr_reruns_t        *reruns;
    kr_backlog_t        backlog;
    kr_held_rows_t      held;

    uint64_t            epoch;      /* of the stream; 0 before it began */
    uint64_t            start;      /* where it began: what a snapshot before
                                       it lacks is lost */
    uint64_t            position;   /* all before was read from the stream */

    uint64_t            swept;      /* ms; the last kr_routes_expire() */
    uint64_t            stall;      /* ms; a pause of the whole process */
    uint64_t            stalled;    /* ms; its end; 0: there was none */
};


/* the event of a batch for one route, as kr_fetch makes it */
typedef struct {
    const kr_buf_t     *rows;       /* JSON objects, commas between */
    uint64_t            lsn;        /* commit of a transaction; all before it
                                       was handed on */
    const kr_row_mark_t     *marks;      /* one for each row */
    size_t              nrows;
    kr_txn_t           *txn;        /* held while the event is in a queue;
                                       NULL: of none */
} kr_event_t;


/* KR_ERROR: no memory.  txns and registry must outlive it. */
int kr_routes_init(kr_routes_t *rs, struct event_base *base,
    const kr_config_t *cf, kr_registry_t *reg, kr_txns_t *txns);
void kr_routes_free(kr_routes_t *rs);

/* Begin and progress of the stream. */
void kr_routes_begin(kr_routes_t *rs, uint64_t epoch, uint64_t lsn);
void kr_routes_advance(kr_routes_t *rs, uint64_t lsn);

/*
 * Frees what is over: cursors, entries, routes.  To be called each second:
 * from calls that come late it knows how late a worker's frames may be read.
 */
void kr_routes_expire(kr_routes_t *rs);

/* Whether a worker has so much to read that it should not get more now. */
int kr_routes_congested(const kr_routes_t *rs);

/* Sends the event to the members and keeps it for those who may come. */
void kr_route_publish(kr_routes_t *rs, kr_route_t *rt, const kr_event_t *ev);

/*
 * From now on the route's events are kept for this socket, whose subscribe
 * is under way.  NULL: no memory, or it waits for too many already.
 */
kr_cursor_t *kr_route_expect(kr_routes_t *rs, kr_route_t *rt,
    kr_socket_t *so);

/*
 * The subscribe is over: the cursor waits for the join, or ends if it has
 * learnt no snapshot and nobody else's subscribe needs it.
 */
void kr_route_release_cursor(kr_routes_t *rs, kr_cursor_t *cu);

/* Frames of a worker. */
void kr_route_join(kr_routes_t *rs, kr_worker_t *wk,
    const kairos_feed_frame_t *f);
void kr_route_leave(kr_routes_t *rs, kr_worker_t *wk,
    const kairos_feed_frame_t *f);
void kr_route_gone(kr_routes_t *rs, kr_worker_t *wk, uint64_t socket);

/*
 * The worker has so many members on the route, which got all up to position:
 * sends what they missed, or RESET.  A route whose plan is not resumable is
 * always reset: this process does not know what another one sent them.
 */
void kr_route_resume(kr_routes_t *rs, kr_route_t *rt, kr_worker_t *wk,
    uint32_t members, const kairos_position_t *position);

/*
 * The route's people cannot be served without a gap: tells each worker,
 * refuses those who wait, and takes the route out of the registry.
 */
void kr_route_reset(kr_routes_t *rs, kr_route_t *rt, const char *reason);
void kr_routes_reset(kr_routes_t *rs, const char *reason);    /* of all */

/* All that the worker had; its members may come to another one. */
void kr_routes_worker_gone(kr_routes_t *rs, kr_worker_t *wk);


#endif /* _KR_ROUTE_H_INCLUDED_ */
