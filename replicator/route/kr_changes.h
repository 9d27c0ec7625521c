/*
 * The router of changes: finds the routes that a change of the stream
 * touches, also through partitions, and passes it to the plans of the routes,
 * see kr_plan_ops.h.
 *
 * It also stops the stream while too many changes wait, and resets the routes
 * that a change leaves without a way to go on.
 */

#ifndef _KR_CHANGES_H_INCLUDED_
#define _KR_CHANGES_H_INCLUDED_


#include <event2/event.h>

#include "kr_pool.h"
#include "kr_route.h"


/* NULL: no memory.  All that it is given must outlive it. */
kr_changes_t *kr_changes_create(struct event_base *base, kr_pool_t *pool,
    kr_routes_t *rs);

/*
 * Cancels its jobs, and frees what waits for them.  To be called after the
 * routes, and the contexts of the plans, were freed.
 */
void kr_changes_free(kr_changes_t *cs);

/*
 * A row that was inserted, updated or deleted, a TRUNCATE, or a change of a
 * table that could not be read, of the open transaction.  KR_OK; KR_ERROR: no
 * memory, the change is lost for some of its routes.
 */
int kr_changes_route(kr_changes_t *cs, const kr_change_t *c, kr_txn_t *txn);

/*
 * The open transaction is whole, or there will be no more of it: starts all
 * that its changes need.
 */
void kr_changes_commit(kr_changes_t *cs);

/*
 * Resets all routes that read a table; the reason is for their subscribers.
 * KR_OK; KR_ERROR: no memory, some of them were not reset.
 */
int kr_changes_reset_table(kr_changes_t *cs, const kr_relation_t *table,
    const char *reason);

/*
 * To be called every second: ends the routes whose refetches hang, or whose
 * query does, see KAIROS_STUCK_TIME and KAIROS_STUCK_WAL.
 */
void kr_changes_sweep(kr_changes_t *cs);


#endif /* _KR_CHANGES_H_INCLUDED_ */
