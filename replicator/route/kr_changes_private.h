/*
 * What kr_changes.c (a change and its routes) and kr_change_parts.c
 * (partitions) share, and what the plans of the routes use of the router; no
 * other file includes it.
 */

#ifndef _KR_CHANGES_PRIVATE_H_INCLUDED_
#define _KR_CHANGES_PRIVATE_H_INCLUDED_


#include "kr_changes.h"
#include "kr_fetch.h"
#include "kr_rerun.h"


/*
 * What waits is counted in units: a row that is to be fetched, each of its
 * transactions, and each route that it touches is one, see also
 * kr_change_parts.c.  At this many the stream is not read on until half of
 * them are gone.
 */
#define KR_CHANGES_LOAD_MAX  200000


/* a route that cannot go on */
typedef struct {
    kr_route_t         *route;       /* held */
    const char         *reason;      /* static */
} kr_pending_reset_t;


typedef struct kr_probe_s  kr_probe_t;     /* kr_change_parts.c's */


struct kr_changes_s {
    struct event_base  *base;
    kr_pool_t          *pool;
    kr_routes_t        *routes;

    /* the contexts of the plans, each stored by its create() */
    kr_fetch_t         *fetch;
    kr_reruns_t        *reruns;

    kr_probe_t         *probes;
    kr_pending_reset_t *resets;
    size_t              nresets;

    size_t              load;        /* units that wait */
    uint64_t            number;      /* of the change at hand: each names a
                                        route once */
    unsigned            paused:1;    /* the stream is not read on */
    unsigned            early:1;     /* set by a plan that has enough to start
                                        before the commit */
    unsigned            late:1;      /* the change at hand is out of order:
                                        later ones of the same row may have
                                        been routed already */
};


/*
 * Resets the route when the change at hand was passed to all routes; until
 * then the index, which may be being read, keeps it.  The reason is static.
 * KR_OK; KR_ERROR: no memory, the route is not reset.
 */
int kr_changes_reset_later(kr_changes_t *cs, kr_route_t *rt,
    const char *reason);

/* The same for all routes that read a table. */
int kr_changes_reset_table_later(kr_changes_t *cs, const kr_relation_t *table,
    const char *reason);

/* Does all resets that wait.  To be called while nobody reads the index. */
void kr_changes_run_resets(kr_changes_t *cs);

/*
 * n units more wait, or, below 0, less: pauses the stream, or resumes it, at
 * the bounds.
 */
void kr_changes_load(kr_changes_t *cs, long n);

/*
 * Passes a change to the routes that read its table by this name.  late: it
 * is out of order, see kr_changes_s.  KR_OK; KR_ERROR: no memory.
 */
int kr_changes_table(kr_changes_t *cs, const kr_change_t *c, kr_txn_t *txn,
    int late);

/*
 * Passes a change to the routes of the partitioned tables that its own table
 * is a part of, now or when it is known which these are.  KR_OK; KR_ERROR: no
 * memory.
 */
int kr_changes_parents(kr_changes_t *cs, const kr_change_t *c, kr_txn_t *txn);

/* Cancels all questions to the catalog, and frees the changes that wait. */
void kr_probes_free(kr_changes_t *cs);


#endif /* _KR_CHANGES_PRIVATE_H_INCLUDED_ */
