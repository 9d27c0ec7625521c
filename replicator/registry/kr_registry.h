/*
 * The registry: all routes, with the lists and indexes that they are in.
 *
 *     worker --- member --- route --- template          kr_members.h,
 *        \                   / \                        kr_template.h
 *         socket --- cursor     tables, entries         kr_tables.h,
 *                                                       kr_backlog.h
 *
 * This folder holds the lists, and keeps them consistent when something is
 * taken in or out.  The folder route decides what is sent, and when.
 */

#ifndef _KR_REGISTRY_H_INCLUDED_
#define _KR_REGISTRY_H_INCLUDED_


#include <stdint.h>

#include "kairos_feed.h"
#include "kr_hash.h"
#include "kr_match.h"
#include "kr_members.h"
#include "kr_tables.h"
#include "kr_template.h"


#define KR_TOPIC_LEN   67            /* "rt:" and 64 hexadecimal digits */

#define KR_ROUTES_MAX  1000000       /* beyond, a subscribe is refused */


/* of others; only their addresses are used here */
typedef struct kr_entry_s     kr_entry_t;       /* kr_backlog.h */
typedef struct kr_held_row_s  kr_held_row_t;    /* kr_held.h */
typedef struct kr_rerun_s     kr_rerun_t;       /* kr_rerun.h */
typedef struct kr_build_s     kr_build_t;       /* kr_fetch_events.c */


/* The parts of a route, each written by its owner alone. */

/* the registry's list of routes without a member and without a cursor */
typedef struct {
    unsigned            listed:1;
    uint64_t            since_ms;
    kr_route_t         *prev;
    kr_route_t         *next;
} kr_idle_part_t;


/* kr_registry_tickets.c's: members that were lost and may come back */
typedef struct {
    unsigned            n;
    kr_ticket_t         shared[KR_TICKETS];  /* of members without a name */
    kr_lost_t          *lost;                /* of clients by name */
} kr_tickets_part_t;


/* kr_route_join.c's and kr_route.c's: what a joining socket can be served */
typedef struct {
    uint64_t            created_lsn;     /* the stream's position when the
                                            route was made: events before it
                                            were not kept */
    uint64_t            resumed_ms;      /* before it members were sent events
                                            that are not in the backlog; 0:
                                            never */
    uint64_t            least_begun;     /* a snapshot of the route must see
                                            all transactions below this
                                            ordinal, see kr_txn_settled():
                                            it must not miss a TRUNCATE */
    unsigned            expecting;       /* subscribes under way */
} kr_join_part_t;


/* kr_backlog.c's */
typedef struct {
    kr_entry_t         *entries;
    size_t              bytes;           /* of them */
    uint64_t            dropped;         /* number of the newest entry that was
                                            dropped; 0: none was */
    uint64_t            dropped_ms;
    kairos_position_t   dropped_position;
} kr_backlog_part_t;


/* kr_held.c's */
typedef struct {
    kr_held_row_t      *rows;
    unsigned            lost:1;          /* it is not known which rows the
                                            members hold */
} kr_held_part_t;


/* the refetch's, while it makes the events of one batch */
typedef struct {
    kr_build_t         *build;
    const void         *touched;         /* the row that was noted last, */
    size_t              touched_at;      /* and which of its touches that is */
} kr_refetch_part_t;


struct kr_route_s {
    char                topic[KR_TOPIC_LEN + 1];
    unsigned            refs;            /* the registry's own, and those of
                                            rows that wait for a refetch */
    unsigned            removed:1;       /* not in the registry any more */

    /* what it was made of; strings are owned */
    kr_template_t      *template;
    kr_route_t         *tprev;           /* of the template */
    kr_route_t         *tnext;
    kr_predicate_t      predicate;
    char               *param;           /* the predicate's values, as each
                                            statement takes them */
    size_t              ntables;
    kr_route_table_t   *tables;
    unsigned            wide:1;          /* see kr_sql_is_wide() */
    char               *event;
    char               *spec;            /* what JOINED carries to a worker,
                                            and RESUME back */

    kr_member_t        *members;         /* one for each worker that has any */
    kr_cursor_t        *cursors;
    kairos_position_t   last;            /* of the newest event */

    kr_idle_part_t      idle;
    kr_tickets_part_t   tickets;
    kr_join_part_t      join;
    kr_backlog_part_t   backlog;
    kr_held_part_t      held;
    kr_refetch_part_t   refetch;
    kr_rerun_t         *rerun;           /* kr_rerun_plan's, once it ran */

    UT_hash_handle      hh;
};


struct kr_registry_s {
    kr_match_t          *match;
    kr_route_t          *routes;
    kr_template_t       *templates;
    kr_worker_t         *workers;
    kr_watched_table_t  *watched;        /* in the order of their numbers */
    uint64_t             watches;        /* the highest number */
    kr_parent_t         *parents;
    kr_leaf_t           *leaves;
    size_t               nonpartitions;  /* leaves without a parent */

    /* in order of time */
    kr_route_t          *idle;
    kr_cursor_t         *waiting;
    kr_cursor_t         *joining;

    uint64_t             grace;          /* ms; how long a route is kept that
                                            has no member and no cursor */

    /* called before a template is freed that has something pending */
    void               (*orphaned)(kr_pending_t *pending);

    /* called when a route is taken out that has been run as a whole */
    void               (*ended)(kr_rerun_t *rr);
};


/*
 * All that a new route is made of; strings are copied.  The statements are
 * those of kr_sql.h:
 *
 *     kr_fetch_plan   refetch    kr_sql_refetch(); with check (the predicate
 *                                is not exact, see kr_predicate_exact()) it
 *                                holds the predicate, its last parameter
 *     kr_rerun_plan   rerun      kr_sql_rerun(), its window set for `exact`
 *                     snapshot   kr_sql_rerun() with window: the first rows
 *                                of a subscriber.  Where both are the same
 *                                (exact, or no ORDER BY, LIMIT and OFFSET)
 *                                one run serves both
 *
 * The snapshot of kr_fetch_plan is the subscribe's own, and is a
 * kr_sql_rerun() with window too: it prints the keys, which kr_held.h takes
 * from it.
 */
typedef struct {
    kr_str_t                 canonical;  /* the query */
    const kr_plan_ops_t     *plan;
    unsigned                 check:1;
    unsigned                 exact:1;    /* the window of LIMIT is kept: a
                                            route of its own */
    unsigned                 wide:1;     /* see kr_sql_is_wide() */
    kr_str_t                 refetch;
    kr_str_t                 rerun;
    kr_str_t                 snapshot;
    kr_key_columns_t         key;
    kr_predicate_t           predicate;  /* values sorted, each once */
    size_t                   ntables;
    const kr_route_table_t  *tables;     /* the main table, too, if any */
    kr_str_t                 alias;
    kr_str_t                 event;
    kr_str_t                 claims;     /* those that the rows depend on */
    kr_str_t                 spec;
} kr_route_def_t;


/* An empty registry; grace in ms.  NULL: no memory. */
kr_registry_t *kr_registry_create(uint64_t grace);

/* Removes all routes and workers; the routes' entries must be gone. */
void kr_registry_free(kr_registry_t *reg);

/* The route of this topic, or NULL. */
kr_route_t *kr_registry_find(kr_registry_t *reg, const char *topic,
    size_t len);

/*
 * Finds the route of this definition, or makes it: idle, and in the index.
 * created_lsn is the stream's position; now is kr_now().  KR_OK: *rt is set.
 * KR_ERROR: no memory.  KR_DECLINED: there are too many routes, or a column
 * has a type that cannot be compared.
 */
int kr_registry_add(kr_registry_t *reg, const kr_route_def_t *def,
    uint64_t created_lsn, uint64_t now, kr_route_t **rt);

/*
 * Takes a route out of the registry and the index, with its members and
 * cursors; it is freed with its last reference.  Its entries must be gone.
 */
void kr_registry_remove(kr_registry_t *reg, kr_route_t *rt);

/* A reference keeps a route's memory, not its place in the registry. */
kr_route_t *kr_route_hold(kr_route_t *rt);
void kr_route_unhold(kr_route_t *rt);

/*
 * Puts the route into the registry's list of idle routes, or takes it out,
 * as its members and cursors are now.  now: kr_now(), for a route that may
 * become idle; else any.
 */
void kr_route_update_idle(kr_registry_t *reg, kr_route_t *rt, uint64_t now);


#endif /* _KR_REGISTRY_H_INCLUDED_ */
