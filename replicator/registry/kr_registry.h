/*
 * Who wants what: the workers and their sockets, the routes, the templates
 * that fetch their rows, the cursors of those who may still come.  This file
 * holds the lists and what follows from taking something in or out of them;
 * what is sent, and when, is decided in the layer above.
 *
 *     worker --- member --- route --- template
 *        \                   / \
 *         socket --- cursor      entry (kr_backlog.h)
 */

#ifndef _KR_REGISTRY_H_INCLUDED_
#define _KR_REGISTRY_H_INCLUDED_


#include <stdint.h>

#include "kairos_feed.h"
#include "kr_hash.h"
#include "kr_lsn.h"
#include "kr_match.h"


#define KR_TOPIC_LEN      67         /* "rt:" and 64 hexadecimal digits */

#define KR_ROUTES_MAX     1000000    /* beyond, a subscribe is refused */
#define KR_WAITING_MAX    1000       /* subscriptions of one socket that it
                                        did not join yet, likewise */
#define KR_TICKETS        9          /* of one route, see kr_ticket_t */
#define KR_LOST_MAX       10000
#define KR_KEY_MAX        4          /* columns of a key */
#define KR_NONPARTITIONS_MAX  10000      /* tables known to be no part of any;
                                        beyond, all are forgotten */


/* of the layers above; only their addresses are used */
typedef struct kr_conn_s      kr_conn_t;
typedef struct kr_entry_s     kr_entry_t;
typedef struct kr_pending_s   kr_pending_t;
typedef struct kr_rerun_s     kr_rerun_t;
typedef struct kr_held_row_s      kr_held_row_t;

typedef struct kr_worker_s    kr_worker_t;
typedef struct kr_socket_s    kr_socket_t;
typedef struct kr_member_s    kr_member_t;
typedef struct kr_cursor_s    kr_cursor_t;
typedef struct kr_template_s  kr_template_t;
typedef struct kr_parent_s    kr_parent_t;
typedef struct kr_leaf_s      kr_leaf_t;
typedef struct kr_watched_table_s   kr_watched_table_t;


/* how a change of a table becomes events */
typedef enum {
    KR_PLAN_ROWS = 0,            /* changed rows are fetched by their key */
    KR_PLAN_RERUN                /* the query is run as a whole, and what it
                                    returns is compared with the last time */
} kr_plan_e;


/* the columns that name a row */
typedef struct {
    size_t           n;
    kr_str_t         names[KR_KEY_MAX];
    uint32_t         types[KR_KEY_MAX];
} kr_key_columns_t;


typedef struct {
    kr_str_t         schema;
    kr_str_t         name;
} kr_relation_t;


/*
 * A table that a query reads.  Of the main one, the predicate's, the
 * predicate tells which changes count; of every other all do.  A query that
 * reads the main table a second time, elsewhere, has it twice: once as main,
 * once not.  Where the predicate is of the result there is no main one.
 */
typedef struct {
    kr_relation_t    table;
    unsigned         main:1;
    unsigned         parted:1;   /* a partitioned table: changes name leaves */
    size_t           nleaves;    /* those that there are now */
    kr_relation_t   *leaves;
} kr_route_table_t;


/* a table that routes read, each once */
struct kr_watched_table_s {
    char            *name;       /* the hash's: schema, NUL, name, NUL */
    size_t           name_len;
    kr_relation_t    table;      /* points into it */
    unsigned         refs;       /* by routes */
    char            *shape;      /* kr_alter's, malloc()ed; or NULL */
    UT_hash_handle   hh;
};


/* a partitioned table that routes read */
struct kr_parent_s {
    char            *name;       /* likewise */
    size_t           name_len;
    kr_relation_t    table;
    unsigned         refs;
    UT_hash_handle   hh;
};


/* a table that changes name, as one of the parts of partitioned tables */
struct kr_leaf_s {
    char            *name;       /* likewise */
    size_t           name_len;
    size_t           nparents;   /* 0: of none that any route reads, so the
                                    catalog said */
    kr_parent_t    **parents;
    uint64_t         checked;    /* ms, when it said so */
    UT_hash_handle   hh;
};


/* what all routes have in common that get their rows by one statement */
struct kr_template_s {
    char            *hash;       /* the hash's key, with its length */
    size_t           hash_len;
    kr_route_t      *routes;     /* freed with the last */
    kr_plan_e        plan;
    unsigned         check:1;    /* see kr_route_def_t */
    char            *refetch;
    char            *rerun;
    char            *snapshot;
    kr_key_columns_t         key;
    kr_pending_t    *pending;    /* kr_fetch's */
    uint64_t         oldest;     /* commit of the oldest change that waits
                                    for its refetch; UINT64_MAX: none */
    UT_hash_handle   hh;
};


/*
 * Members whom nobody can name were lost at about this time: some were lost
 * first, the last at last.  They may come back until last + the grace, and may
 * have missed what was sent since first.  Departures close to each other
 * share a ticket, so a route has few of them.
 */
typedef struct {
    uint64_t         first;      /* ms */
    uint64_t         last;
} kr_ticket_t;


/* The same of one client; in a hash by it, the longest lost first. */
typedef struct {
    uint64_t         client;
    kr_ticket_t      ticket;
    UT_hash_handle   hh;
} kr_lost_t;


struct kr_route_s {
    char             topic[KR_TOPIC_LEN + 1];
    unsigned         refs;       /* the registry's own, and those of rows
                                    that wait for their refetch */
    unsigned         removed:1;  /* not in the registry any more */
    unsigned         idle:1;     /* in the registry's list of these */
    unsigned         held_lost:1;    /* it is not known what members hold */

    kr_template_t   *template;
    kr_route_t      *tprev;      /* of the template */
    kr_route_t      *tnext;
    kr_predicate_t   predicate;  /* strings are owned */
    char            *param;      /* the predicate's, of each statement */
    size_t           ntables;
    kr_route_table_t    *tables;    /* likewise */
    char            *event;
    char            *spec;       /* what JOINED gives and RESUME gives back */

    kr_member_t     *members;    /* by worker */
    kr_cursor_t     *cursors;
    kr_ticket_t      tickets[KR_TICKETS];
    unsigned         ntickets;
    kr_lost_t       *lost;

    uint64_t         since;      /* the stream's position at the creation:
                                    events before it were not kept */
    uint64_t         resumed;    /* ms; before it members were sent events
                                    that are not among the entries; 0: none */
    uint64_t         settled;    /* what kr_txn_settled() must say of a
                                    snapshot: a TRUNCATE is not to be missed */
    unsigned         expecting;  /* subscribes under way */
    uint64_t         idle_since; /* ms */
    kr_route_t      *idle_prev;
    kr_route_t      *idle_next;

    kairos_position_t  last;     /* of the newest event */

    /* kr_backlog's */
    kr_entry_t      *entries;
    size_t           bytes;
    uint64_t         dropped;        /* number of the newest dropped entry,
                                        0: none was */
    uint64_t         dropped_time;   /* ms */
    kairos_position_t  dropped_position;

    kr_rerun_t      *rerun;      /* kr_rerun's */
    kr_held_row_t       *held;       /* kr_keys' */

    /* kr_fetch's */
    void            *build;          /* while it makes events of a batch */
    void            *touched;        /* the row that was last noted for it */
    size_t           touched_at;

    UT_hash_handle   hh;
};


struct kr_member_s {
    kr_route_t      *route;
    kr_worker_t     *worker;
    uint32_t         n;          /* sockets */
    kr_member_t     *prev;       /* of the route */
    kr_member_t     *next;
    kr_member_t     *wprev;      /* of the worker */
    kr_member_t     *wnext;
};


/*
 * Someone who may still come for what follows: a socket that subscribed, or
 * left, and did not join (again) yet.
 */
struct kr_cursor_s {
    kr_route_t      *route;
    kr_socket_t     *socket;
    uint64_t         from;       /* the first entry that it may need */
    uint64_t         lsn;        /* the snapshot's; 0: it has none */
    kr_snapshot_t    snapshot;
    uint64_t         expires;    /* ms */

    unsigned         taken;      /* its subscribes under way: no expiry */
    unsigned         queued:1;   /* in one of the registry's two lists */
    unsigned         left:1;     /* it was a member: it has no snapshot */
    unsigned         unsure:1;   /* an xid may be another one by now */
    unsigned         joining:1;  /* its JOIN waits for the stream */
    uint64_t         req;        /* of the JOIN */
    uint64_t         deadline;   /* ms, of the wait */

    kr_cursor_t     *prev;       /* of the route */
    kr_cursor_t     *next;
    kr_cursor_t     *sprev;      /* of the socket */
    kr_cursor_t     *snext;
    kr_cursor_t     *qprev;      /* of reg->waiting, or reg->joining */
    kr_cursor_t     *qnext;
};


struct kr_socket_s {
    uint64_t         id;
    kr_worker_t     *worker;
    kr_cursor_t     *cursors;
    unsigned         n;          /* cursors, and requests under way: freed
                                    when there is none */
    unsigned         gone:1;
    UT_hash_handle   hh;
};


struct kr_worker_s {
    kr_conn_t       *conn;
    uint64_t         instance;
    uint32_t         pid;
    uint32_t         workers;
    unsigned         hello:1;
    unsigned         ready:1;    /* READY came */
    unsigned         gone:1;
    unsigned         resuming;   /* RESUMEs under way */
    uint64_t         slow_since; /* ms; its queue is long; 0: it is not */
    unsigned         refs;       /* requests under way, and the connection */
    kr_socket_t     *sockets;
    kr_member_t     *members;
    kr_worker_t     *prev;
    kr_worker_t     *next;
};


typedef struct {
    kr_match_t      *match;
    kr_route_t      *routes;
    kr_template_t   *templates;
    kr_worker_t     *workers;
    kr_watched_table_t    *watched;
    kr_parent_t     *parents;
    kr_leaf_t       *leaves;
    size_t           nonpartitions;  /* leaves without a parent */

    /* in order of time */
    kr_route_t      *idle;
    kr_cursor_t     *waiting;
    kr_cursor_t     *joining;

    uint64_t         grace;      /* ms */

    /* kr_fetch's: a template is freed that has something pending */
    void           (*orphaned)(kr_pending_t *pending);

    /* kr_rerun's: a route is taken out that has such */
    void           (*ended)(kr_rerun_t *rr);
} kr_registry_t;


/*
 * All that a new route is made of; strings are copied.  The statements are
 * those of kr_sql.h:
 *
 *     plan ROWS    refetch    kr_sql_refetch(); with check (the predicate is
 *                             not exact, see kr_predicate_exact()) it holds
 *                             the predicate, its last parameter
 *     plan RERUN   rerun      kr_sql_rerun(), its window set for `exact`
 *                  snapshot   kr_sql_rerun() with window: what a subscriber
 *                             gets first.  Where both are the same (exact, or
 *                             no ORDER BY, LIMIT and OFFSET) it is run once
 *
 * The snapshot of a ROWS plan is the subscribe's own, and is a kr_sql_rerun()
 * with window too: it prints keys, which kr_held.h wants.
 */
typedef struct {
    kr_str_t             canonical;  /* the query */
    kr_plan_e            plan;
    unsigned             check:1;
    unsigned             exact:1;    /* the window of LIMIT is kept: a route
                                        of its own */
    kr_str_t             refetch;
    kr_str_t             rerun;
    kr_str_t             snapshot;
    kr_key_columns_t             key;
    kr_predicate_t       predicate;  /* values sorted, each once */
    size_t               ntables;
    const kr_route_table_t  *tables;    /* the main table, too, if any */
    kr_str_t             alias;
    kr_str_t             event;
    kr_str_t             claims;     /* those that the rows depend on */
    kr_str_t             spec;
} kr_route_def_t;


/* NULL: no memory. */
kr_registry_t *kr_registry_create(uint64_t grace);
void kr_registry_free(kr_registry_t *reg);

/* The route of this topic, or NULL. */
kr_route_t *kr_registry_find(kr_registry_t *reg, const char *topic,
    size_t len);

/*
 * The route of this definition: the one that is there, or a new one, which
 * the index knows from now on; it is idle.  since: the stream's position.
 * KR_OK, KR_ERROR (no memory), KR_DECLINED (too many, or a type that cannot
 * be compared).
 */
int kr_registry_add(kr_registry_t *reg, const kr_route_def_t *def,
    uint64_t since, uint64_t now, kr_route_t **rt);

/*
 * Takes a route out of the registry and the index, with its members and
 * cursors; it is freed with its last reference.  Its entries must be gone.
 */
void kr_registry_remove(kr_registry_t *reg, kr_route_t *rt);

/* Keeps its memory, not its place in the registry. */
kr_route_t *kr_route_hold(kr_route_t *rt);
void kr_route_unhold(kr_route_t *rt);

/* The table among those that routes read, or NULL. */
kr_watched_table_t *kr_watched_table_find(kr_registry_t *reg,
    const kr_relation_t *table);

/*
 * Appends PostgreSQL's array of the quoted names of these tables and of their
 * partitions.  KR_ERROR: no memory.
 */
int kr_route_tables_names(kr_buf_t *out, const kr_route_table_t *w, size_t n);

/* What is known of a table as a part of others, or NULL: nothing. */
kr_leaf_t *kr_leaf_find(kr_registry_t *reg, const kr_relation_t *table);

/*
 * The catalog's answer: the partitioned tables, near and far, of which this
 * is a part.  Those that routes read are kept; *grown is set if one of them
 * was not known.  KR_ERROR: no memory.
 */
int kr_leaf_learn(kr_registry_t *reg, const kr_relation_t *table,
    const kr_relation_t *parents, size_t n, uint64_t now, int *grown);

/* Puts the route into the list of idle ones, or out of it, as it is now. */
void kr_route_update_idle(kr_registry_t *reg, kr_route_t *rt, uint64_t now);

/* n more members of the worker; KR_ERROR: no memory. */
int kr_member_add(kr_registry_t *reg, kr_route_t *rt, kr_worker_t *wk,
    uint32_t n);

/* One less.  KR_DECLINED: it has none. */
int kr_member_leave(kr_registry_t *reg, kr_route_t *rt, kr_worker_t *wk,
    uint64_t now);
void kr_member_free(kr_registry_t *reg, kr_member_t *mb, uint64_t now);

/*
 * Notes that a member was lost; client 0: it is not known who.  A route keeps
 * KR_LOST_MAX by name, further ones as if they had none.
 */
void kr_ticket_add(kr_registry_t *reg, kr_route_t *rt, uint64_t client,
    uint64_t now);

/*
 * Since when this client, if it comes back, has missed events; 0: it may not,
 * as neither it nor somebody without a name was lost within the grace.
 */
uint64_t kr_ticket_first(kr_registry_t *reg, kr_route_t *rt, uint64_t client,
    uint64_t now);

void kr_tickets_free(kr_route_t *rt);

/* The socket of this id; NULL: not there, or, with add, no memory. */
kr_socket_t *kr_socket_get(kr_worker_t *wk, uint64_t id, int add);

/* Freed if nothing is left of it. */
void kr_socket_release(kr_socket_t *so);

/* Closed: its cursors end; requests under way find so->gone. */
void kr_socket_gone(kr_registry_t *reg, kr_socket_t *so, uint64_t now);

/* NULL: no memory.  It is in neither list until kr_cursor_move(). */
kr_cursor_t *kr_cursor_add(kr_registry_t *reg, kr_route_t *rt,
    kr_socket_t *so, uint64_t from);
kr_cursor_t *kr_cursor_find(kr_socket_t *so, const kr_route_t *rt);

/* Moves it to the end of the waiting, or of the joining. */
void kr_cursor_move(kr_registry_t *reg, kr_cursor_t *cu, int joining,
    uint64_t now);
void kr_cursor_free(kr_registry_t *reg, kr_cursor_t *cu, uint64_t now);

kr_worker_t *kr_worker_add(kr_registry_t *reg, kr_conn_t *cn);

/* Out of the registry, with its members and sockets; then unhold it. */
void kr_worker_remove(kr_registry_t *reg, kr_worker_t *wk, uint64_t now);
void kr_worker_unhold(kr_worker_t *wk);


#endif /* _KR_REGISTRY_H_INCLUDED_ */
