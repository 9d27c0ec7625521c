/*
 * A plan: how the changes of the tables that a route reads become the
 * route's events.  Each template has one, as a const table of operations.
 *
 *     kr_fetch_plan    kr_fetch.c    changed rows are fetched by their keys
 *     kr_rerun_plan    kr_rerun.c    the query is run as a whole, and its
 *                                    result compared with the last one
 *
 * kr_changes.c, the router of changes, finds the routes that a change
 * touches, and calls the operations of their plans.  kr_route.c and
 * kr_route_join.c read the flags alone.
 *
 * A further plan is a file route/kr_NAME.c with its table and its own
 * context, kr_NAME_t.  kr_NAME_create() stores the context's address in
 * kr_changes_s, from where the operations take it.  Beside the file there are
 * four lines to add: the pointer in kr_changes_private.h, the table in
 * kr_changes_plans[] of kr_changes.c, the call of kr_NAME_create() in
 * kr_core_attach(), and the subscribe's choice of kr_route_def_t.plan.
 */

#ifndef _KR_PLAN_OPS_H_INCLUDED_
#define _KR_PLAN_OPS_H_INCLUDED_


#include "kr_match.h"
#include "kr_txn.h"


/* of kr_changes_private.h; only its address is used here */
typedef struct kr_changes_s   kr_changes_t;

typedef struct kr_plan_ops_s  kr_plan_ops_t;


struct kr_plan_ops_s {
    /* A word of its own for each plan: templates of two plans differ by it. */
    const char     *name;

    /*
     * The members of a route can go on from the position that another
     * process has sent them events up to, see kr_route_resume().
     */
    unsigned        resumable:1;

    /*
     * A subscriber's first rows hold just the events that the members were
     * sent so far: its join need not wait until the stream has passed them.
     */
    unsigned        joinable:1;

    /*
     * A subscriber's first rows come from kr_rerun_ask(), and not from a
     * snapshot of the subscribe's own.
     */
    unsigned        shared_rows:1;

    /*
     * The open transaction inserted, updated or deleted a row, which touches
     * hit->route: notes what this needs.  The operation does not take a route
     * out of the index; one that cannot go on it passes to
     * kr_changes_reset_later().  c, hit: valid during the call.  KR_OK;
     * KR_ERROR: no memory, the change is lost.
     */
    int           (*touch)(kr_changes_t *cs, const kr_change_t *c,
                           const kr_hit_t *hit, kr_txn_t *txn);

    /*
     * The open transaction truncated a table that the route reads; or a
     * change of such a table could not be read, and any of its rows may
     * differ.  Otherwise as touch().
     */
    int           (*truncated)(kr_changes_t *cs, kr_route_t *rt,
                               kr_txn_t *txn);
    int           (*unreadable)(kr_changes_t *cs, kr_route_t *rt,
                                kr_txn_t *txn);

    /*
     * The transaction is whole, or what was noted of it must not wait for the
     * rest: starts the statements that all noted changes need.
     */
    void          (*commit)(kr_changes_t *cs);

    /* Called every second: ends the routes whose statements hang. */
    void          (*sweep)(kr_changes_t *cs);

    /*
     * The stream is not read on, because too many changes wait: ends the
     * routes whose statements hang, if they have too large a part of these.
     * NULL: the plan counts nothing by kr_changes_load().
     */
    void          (*shed)(kr_changes_t *cs);
};


#endif /* _KR_PLAN_OPS_H_INCLUDED_ */
