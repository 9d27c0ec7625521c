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
    uint64_t         lsn;            /* the snapshot's; 0: it has none */
    kr_snapshot_t    snapshot;
    uint64_t         expires_ms;

    unsigned         taken;          /* its subscribes under way: while there
                                        is one it does not expire */
    unsigned         queued:1;       /* in one of the registry's two lists */
    unsigned         left:1;         /* it was a member: it has no snapshot */
    unsigned         unsure:1;       /* the server crashed since: an xid of
                                        the snapshot may have been reused */
    unsigned         joining:1;      /* its JOIN waits for the stream */
    uint64_t         req;            /* the number of that JOIN */
    uint64_t         deadline_ms;    /* of the wait */

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
                                        kr_socket_release() frees it */
    unsigned         gone:1;         /* its connection was closed */
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
    uint64_t         slow_since_ms;  /* its queue is long since then; 0: it
                                        is not */
    unsigned         refs;           /* sockets, requests under way, and the
                                        connection */
    kr_socket_t     *sockets;
    kr_member_t     *members;
    kr_worker_t     *prev;
    kr_worker_t     *next;
};


/*
 * In all that follows `now` is kr_now(): a route that becomes idle keeps it,
 * tickets and cursors expire by it.
 */

/* Adds n members of the worker.  KR_ERROR: no memory. */
int kr_member_add(kr_registry_t *reg, kr_route_t *rt, kr_worker_t *wk,
    uint32_t n);

/* Takes one member of the worker away.  KR_DECLINED: it has none. */
int kr_member_leave(kr_registry_t *reg, kr_route_t *rt, kr_worker_t *wk,
    uint64_t now);
void kr_member_free(kr_registry_t *reg, kr_member_t *mb, uint64_t now);

/*
 * Notes that a member was lost.  client 0: its number is not known, and so it
 * is with clients beyond KR_LOST_MAX.
 */
void kr_ticket_add(kr_registry_t *reg, kr_route_t *rt, uint64_t client,
    uint64_t now);

/*
 * The time, in ms, since when this client may have missed events, if it comes
 * back now.  0: it may not come back, since neither it nor a client without
 * a number was lost within the grace.
 */
uint64_t kr_ticket_first(kr_registry_t *reg, kr_route_t *rt, uint64_t client,
    uint64_t now);

void kr_tickets_free(kr_route_t *rt);

/*
 * The worker's socket of this id.  NULL: it is not there, or, with add, there
 * is no memory to make it.
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
 * A cursor from this entry of the backlog on.  It is in neither of the
 * registry's lists until kr_cursor_move().  NULL: no memory.
 */
kr_cursor_t *kr_cursor_add(kr_registry_t *reg, kr_route_t *rt,
    kr_socket_t *so, uint64_t first_entry);

/* The socket's cursor on the route, or NULL. */
kr_cursor_t *kr_cursor_find(kr_socket_t *so, const kr_route_t *rt);

/* Moves it to the end of reg->waiting, or of reg->joining. */
void kr_cursor_move(kr_registry_t *reg, kr_cursor_t *cu, int joining,
    uint64_t now);
void kr_cursor_free(kr_registry_t *reg, kr_cursor_t *cu, uint64_t now);

/* A worker with one reference, the connection's.  NULL: no memory. */
kr_worker_t *kr_worker_add(kr_registry_t *reg, kr_conn_t *cn);

/*
 * Takes the worker out of the registry, with its members and sockets.  The
 * caller gives the connection's reference back with kr_worker_unhold().
 */
void kr_worker_remove(kr_registry_t *reg, kr_worker_t *wk, uint64_t now);
void kr_worker_unhold(kr_worker_t *wk);


#endif /* _KR_MEMBERS_H_INCLUDED_ */
