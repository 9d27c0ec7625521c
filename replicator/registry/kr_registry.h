/*
 * The registry: all routes, with the lists and indexes that they are in.
 *
 *     worker --- member --- route --- template          kr_members.h,
 *        \                   / \                        kr_template.h
 *         socket --- cursor     tables, entries         kr_tables.h,
 *                                                       kr_backlog.h
 *
 * This folder holds the lists, and keeps them consistent when a part is added
 * or removed.  The folder route decides what is sent, and when.
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


/* of other files; only their addresses are used here */
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
    unsigned            n;                   /* shared tickets */
    kr_ticket_t         shared[KR_TICKETS];  /* of clients without a number */
    kr_lost_t          *lost;                /* of clients by their number */
} kr_tickets_part_t;


/* kr_route_join.c's and kr_route.c's: what a joining socket can be served */
typedef struct {
    uint64_t            created_lsn;     /* the stream's position when the
                                            route was made: events before it
                                            were not kept */
    uint64_t            resumed_ms;      /* when a RESUME last made the route
                                            go on: earlier events were sent to
                                            members but are not in the
                                            backlog; 0: never */
    uint64_t            least_begun;     /* ordinal (see kr_txn_settled()):
                                            a snapshot of the route must see
                                            all transactions below it, so
                                            that it misses no TRUNCATE */
    unsigned            expecting;       /* subscribes under way */
} kr_join_part_t;


/* kr_backlog.c's */
typedef struct {
    kr_entry_t         *entries;
    size_t              bytes;           /* of the route's entries */
    uint64_t            dropped;         /* number of the newest entry that was
                                            dropped; 0: none was */
    uint64_t            dropped_ms;
    kairos_position_t   dropped_position;
} kr_backlog_part_t;


/* kr_held.c's */
typedef struct {
    kr_held_row_t      *rows;
    unsigned            lost:1;          /* rows is empty, and the members may
                                            hold any row */
} kr_held_part_t;


/* the refetch's, while it makes the events of one batch */
typedef struct {
    kr_build_t         *build;
    const void         *touched;         /* the row that last noted the
                                            route, */
    size_t              touched_at;      /* and the index of that touch */
} kr_refetch_part_t;


struct kr_route_s {
    char                topic[KR_TOPIC_LEN + 1];
    unsigned            refs;            /* the registry's own, and those of
                                            rows that wait for a refetch */
    unsigned            removed:1;       /* not in the registry any more */

    /* the definition; the route owns the strings */
    kr_template_t      *template;
    kr_route_t         *tprev;           /* in template->routes */
    kr_route_t         *tnext;
    kr_predicate_t      predicate;
    char               *param;           /* the predicate's values, as each
                                            statement takes them; NULL: there
                                            is no predicate */
    size_t              ntables;
    kr_route_table_t   *tables;
    char               *event;
    char               *spec;            /* JSON; JOINED carries the spec to a
                                            worker, and RESUME back */

    kr_member_t        *members;         /* one for each worker that has any */
    kr_cursor_t        *cursors;
    kairos_position_t   last;            /* of the newest event */

    kr_idle_part_t      idle;
    kr_tickets_part_t   tickets;
    kr_join_part_t      join;
    kr_backlog_part_t   backlog;
    kr_held_part_t      held;
    kr_refetch_part_t   refetch;
    kr_rerun_t         *rerun;           /* kr_rerun_plan's; NULL before the
                                            route's first run */

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

    /* in order of time, the oldest first */
    kr_route_t          *idle;
    kr_cursor_t         *waiting;        /* for the socket's JOIN */
    kr_cursor_t         *joining;        /* the JOIN waits for the stream */

    uint64_t             grace_ms;       /* how long a route is kept that has
                                            no member and no cursor */

    /* called before a template whose `pending` is set is freed */
    void               (*orphaned)(kr_pending_t *pending);

    /* called when a route whose `rerun` is set is removed */
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
    kr_str_t                 refetch;
    kr_str_t                 rerun;
    kr_str_t                 snapshot;
    kr_key_columns_t         key;
    kr_predicate_t           predicate;  /* values sorted, each once */
    size_t                   ntables;
    const kr_route_table_t  *tables;     /* the main table, too, if any */
    kr_str_t                 alias;
    kr_str_t                 event;
    kr_str_t                 claims;     /* the rows depend on them */
    kr_str_t                 spec;
} kr_route_def_t;


/* An empty registry.  NULL: no memory. */
kr_registry_t *kr_registry_create(uint64_t grace_ms);

/*
 * Removes all routes and workers.  The caller has freed the routes' backlog
 * entries (kr_backlog_clear()) and held rows (kr_held_clear()).
 */
void kr_registry_free(kr_registry_t *reg);

/* The route of this topic, or NULL. */
kr_route_t *kr_registry_find(kr_registry_t *reg, const char *topic,
    size_t len);

/*
 * Finds the route of this definition, or makes a new one, idle and in the
 * index.  created_lsn is the stream's position; now is kr_now().  KR_OK: *rt
 * is set, and the registry owns the route.  KR_ERROR: no memory.  KR_DECLINED:
 * there are KR_ROUTES_MAX routes, or kr_match_add() declines the predicate.
 */
int kr_registry_add(kr_registry_t *reg, const kr_route_def_t *def,
    uint64_t created_lsn, uint64_t now, kr_route_t **rt);

/*
 * Takes a route out of the registry and the index, frees its members and
 * cursors, and gives back the registry's reference.  The caller has freed the
 * route's backlog entries and held rows.
 */
void kr_registry_remove(kr_registry_t *reg, kr_route_t *rt);

/* A reference keeps a route's memory, not the route in the registry. */
kr_route_t *kr_route_hold(kr_route_t *rt);
void kr_route_unhold(kr_route_t *rt);

/*
 * Puts the route into the registry's list of idle routes, or takes it out,
 * as its members and cursors are now.  now: kr_now(), for a route that may
 * become idle; else any.
 */
void kr_route_update_idle(kr_registry_t *reg, kr_route_t *rt, uint64_t now);


#endif /* _KR_REGISTRY_H_INCLUDED_ */
