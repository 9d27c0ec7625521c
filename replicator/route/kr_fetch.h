/*
 * Changes to events: the rows that changes touch are gathered by template,
 * fetched anew in batches, and become events of the routes.  Routes whose
 * plan is to rerun are told that they were touched.
 */

#ifndef _KR_FETCH_H_INCLUDED_
#define _KR_FETCH_H_INCLUDED_


#include <event2/event.h>

#include "kr_config.h"
#include "kr_pool.h"
#include "kr_rerun.h"
#include "kr_route.h"


/*
 * Rows that wait, with what belongs to each, are counted in units; at this
 * many the stream is not read on until half of them are gone.  What hangs must
 * not have a quarter of them then: its routes are reset.
 */
#define KR_FETCH_LOAD_MAX  200000


typedef struct kr_fetch_s  kr_fetch_t;


/* NULL: no memory.  All that it is given must outlive it. */
kr_fetch_t *kr_fetch_create(struct event_base *base, const kr_config_t *cf,
    kr_pool_t *pool, kr_routes_t *rs, kr_reruns_t *rn);

/* After the routes are gone. */
void kr_fetch_free(kr_fetch_t *fe);

/*
 * An I, U or D, a T, or one of a table that could not be read, of the open
 * transaction.  KR_ERROR: no memory, the change is lost.
 */
int kr_fetch_change(kr_fetch_t *fe, const kr_change_t *c, kr_txn_t *txn);

/*
 * The routes that read a table cannot go on, for a reason that is static
 * text.  KR_ERROR: no memory.
 */
int kr_fetch_reset(kr_fetch_t *fe, const kr_relation_t *table,
    const char *reason);

/*
 * To be called every second: ends the routes whose refetches hang, or whose
 * query does, see KAIROS_STUCK_TIME and KAIROS_STUCK_WAL.
 */
void kr_fetch_sweep(kr_fetch_t *fe);

/* The transaction is whole: starts what it waits for, reruns included. */
void kr_fetch_commit(kr_fetch_t *fe);


#endif /* _KR_FETCH_H_INCLUDED_ */
