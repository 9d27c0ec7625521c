/*
 * The clients of routes: the workers and their sockets, the members of a
 * route, the cursors of sockets that may still join, and the tickets of lost
 * members that may come back.
 *
 *     worker --- member --- route
 *        \                   /
 *         socket --- cursor
 */

#ifndef _KR_MEMBERS_H_INCLUDED_
#define _KR_MEMBERS_H_INCLUDED_


#include <stdint.h>

#include "kr_lsn.h"
#include "kr_match.h"
#include "kr_tables.h"


#define KR_WAITING_MAX  1000         /* cursors of one socket; beyond, a
                                        subscribe is refused */
#define KR_TICKETS      9            /* of one route, see kr_ticket_t */
#define KR_LOST_MAX     10000        /* lost clients that one route keeps by
                                        name; further ones share tickets */


/* of the folder feed; only its address is used here */
typedef struct kr_conn_s    kr_conn_t;

typedef struct kr_worker_s  kr_worker_t;
typedef struct kr_socket_s  kr_socket_t;
typedef struct kr_member_s  kr_member_t;
typedef struct kr_cursor_s  kr_cursor_t;


/*
 * A group of members whose connections were lost between first_ms and
 * last_ms, and whose clients are not known by number.  Each may come back
 * until last_ms + the grace, and may have missed the events since first_ms.
 * Losses close to each other share a ticket, so a route has few of them.
 */
typedef struct {
    uint64_t         first_ms;
    uint64_t         last_ms;
} kr_ticket_t;


/*
 * A client by its number, with one ticket for all its lost connections; in a
 * hash by client, the earliest last_ms first.
 */
typedef struct {
    uint64_t         client;
    kr_ticket_t      ticket;
    UT_hash_handle   hh;
} kr_lost_t;


/* the sockets of one worker that are members of a route */
struct kr_member_s {
    kr_route_t      *route;
    kr_worker_t     *worker;
    uint32_t         n;              /* sockets */
    kr_member_t     *prev;           /* of the route */
    kr_member_t     *next;
    kr_member_t     *wprev;          /* of the worker */
    kr_member_t     *wnext;
};


/*
 * A socket that may still join: it subscribed, or left the route, and did
 * not join (again) yet.  The route's events are kept for it.
 */
struct kr_cursor_s {
    kr_route_t      *route;
    kr_socket_t     *socket;
    uint64_t         first_entry;    /* number of the first entry of the
                                        backlog that it may need */
    uint64_t         lsn;            /* of its snapshot; 0: it has none */
    kr_snapshot_t    snapshot;
    uint64_t         expires_ms;

    unsigned         taken;          /* the socket's subscribes of the route
                                        that are under way: the cursor does
                                        not expire while there is one */
    unsigned         queued:1;       /* in one of the registry's two lists */
    unsigned         left:1;         /* the socket was a member: the cursor
                                        has no snapshot */
    unsigned         unsure:1;       /* PostgreSQL crashed after the snapshot:
                                        an xid in it may have been reused */
    unsigned         joining:1;      /* the socket's JOIN waits for the
                                        stream */
    uint64_t         req;            /* the number of that JOIN */
    uint64_t         deadline_ms;    /* of that JOIN's wait */

    kr_cursor_t     *prev;           /* of the route */
    kr_cursor_t     *next;
    kr_cursor_t     *sprev;          /* of the socket */
    kr_cursor_t     *snext;
    kr_cursor_t     *qprev;          /* of reg->waiting, or reg->joining */
    kr_cursor_t     *qnext;
};


struct kr_socket_s {
    uint64_t         id;
    kr_worker_t     *worker;
    kr_cursor_t     *cursors;
    unsigned         n;              /* cursors, and requests under way; at 0
                                        kr_socket_release() frees the socket */
    unsigned         gone:1;         /* the client's connection was closed */
    UT_hash_handle   hh;
};


struct kr_worker_s {
    kr_conn_t       *conn;
    uint64_t         instance;
    uint32_t         pid;
    uint32_t         workers;
    unsigned         hello:1;        /* HELLO came */
    unsigned         ready:1;        /* READY came */
    unsigned         gone:1;
    unsigned         resuming;       /* RESUMEs under way */
    uint64_t         slow_since_ms;  /* when the connection's send queue
                                        became long; 0: the queue is short */
    unsigned         refs;           /* sockets, requests under way, and the
                                        connection */
    kr_socket_t     *sockets;
    kr_member_t     *members;
    kr_worker_t     *prev;
    kr_worker_t     *next;
};


/*
 * In all that follows `now` is kr_now(): a route that becomes idle stores it
 * as idle.since_ms; tickets and cursors expire by it.
 */

/* Adds n members of the worker.  KR_ERROR: no memory. */
int kr_member_add(kr_registry_t *reg, kr_route_t *rt, kr_worker_t *wk,
    uint32_t n);

/*
 * Removes one member of the worker.  KR_OK; KR_DECLINED: the worker has no
 * member of the route.
 */
int kr_member_leave(kr_registry_t *reg, kr_route_t *rt, kr_worker_t *wk,
    uint64_t now);
void kr_member_free(kr_registry_t *reg, kr_member_t *mb, uint64_t now);

/*
 * Notes the loss of a member in a ticket.  client: the client's number, or 0
 * if it is not known.  A client without a number, one beyond KR_LOST_MAX, and
 * one for which there is no memory get a shared ticket.
 */
void kr_ticket_add(kr_registry_t *reg, kr_route_t *rt, uint64_t client,
    uint64_t now);

/*
 * The time, in ms, since when this client may have missed events, if the
 * client comes back now.  0: the client may not come back, since neither this
 * client nor one with a shared ticket was lost within reg->grace_ms.
 */
uint64_t kr_ticket_first(kr_registry_t *reg, kr_route_t *rt, uint64_t client,
    uint64_t now);

void kr_tickets_free(kr_route_t *rt);

/*
 * The worker's socket of this id; if add is set, made if it is not there.
 * NULL: the worker has none, or, with add, there is no memory.
 */
kr_socket_t *kr_socket_get(kr_worker_t *wk, uint64_t id, int add);

/* Frees the socket if it has no cursor and no request under way. */
void kr_socket_release(kr_socket_t *so);

/*
 * The socket's connection was closed: frees its cursors.  Requests under way
 * keep the socket, and find so->gone.
 */
void kr_socket_gone(kr_registry_t *reg, kr_socket_t *so, uint64_t now);

/*
 * A new cursor, that needs the route's entries of the backlog from number
 * first_entry on.  The cursor is in neither of the registry's lists until
 * kr_cursor_move().  NULL: no memory.
 */
kr_cursor_t *kr_cursor_add(kr_registry_t *reg, kr_route_t *rt,
    kr_socket_t *so, uint64_t first_entry);

/* The socket's cursor on the route, or NULL. */
kr_cursor_t *kr_cursor_find(kr_socket_t *so, const kr_route_t *rt);

/*
 * Moves the cursor to the end of reg->joining, or, if joining is 0, to the end
 * of reg->waiting, with a new expires_ms.
 */
void kr_cursor_move(kr_registry_t *reg, kr_cursor_t *cu, int joining,
    uint64_t now);
void kr_cursor_free(kr_registry_t *reg, kr_cursor_t *cu, uint64_t now);

/* A new worker with one reference, the connection's.  NULL: no memory. */
kr_worker_t *kr_worker_add(kr_registry_t *reg, kr_conn_t *cn);

/*
 * Takes the worker out of the registry, with its members and sockets, and sets
 * wk->gone.  The caller gives the connection's reference back with
 * kr_worker_unhold(), which frees the worker with its last reference.
 */
void kr_worker_remove(kr_registry_t *reg, kr_worker_t *wk, uint64_t now);
void kr_worker_unhold(kr_worker_t *wk);


#endif /* _KR_MEMBERS_H_INCLUDED_ */
