/*
 * Routes whose rows cannot be fetched one by one: their query is run as a
 * whole after each change that touches it, and what it returns is compared
 * with what it returned before.
 *
 * One run of a route at a time; what comes meanwhile is answered by the next,
 * which begins no sooner than the last one took.  A run counts only if it saw
 * all the transactions that were read from the stream before it began.
 *
 * A subscriber's snapshot is such a run, so that what it is given and what
 * the route has told its members so far are the same moment.
 */

#ifndef _KR_RERUN_H_INCLUDED_
#define _KR_RERUN_H_INCLUDED_


#include <event2/event.h>
#include <libpq-fe.h>

#include "kr_config.h"
#include "kr_pool.h"
#include "kr_route.h"


#define KR_RERUN_ROWS_MAX   10000                     /* of a result */
#define KR_RERUN_BYTES_MAX  (256ul * 1024 * 1024)     /* of all that is kept */


typedef struct kr_waiter_s  kr_waiter_t;


/*
 * A subscriber that waits for the rows.  The owner embeds it and keeps it
 * until done() is called, which happens exactly once and never within
 * kr_rerun_ask(), unless it is cancelled.
 */
struct kr_waiter_s {
    void             (*done)(kr_waiter_t *wt);
    const void        *asker;     /* its client, see kr_pool.h */

    /* the answer, valid in done() */
    const PGresult    *rows;      /* kr_sql_rerun()'s; NULL: there are none */
    const kr_moment_t *moment;    /* of the rows; NULL: there are none */
    uint64_t           from;      /* the first entry that they lack */
    const char        *reason;    /* why there are no rows */

    /* kr_rerun_waiter.c's */
    uint64_t           since_ms;  /* when it came */
    kr_waiter_t       *prev;
    kr_waiter_t       *next;
    kr_waiter_t      **list;
};


/* queries are run as a whole, see kr_plan_ops.h */
extern const kr_plan_ops_t  kr_rerun_plan;


/*
 * The context of kr_rerun_plan, which it stores in cs.  NULL: no memory.  All
 * that it is given must outlive it.
 */
kr_reruns_t *kr_reruns_create(struct event_base *base, const kr_config_t *cf,
    kr_pool_t *pool, kr_changes_t *cs);

/* To be called after the routes were freed. */
void kr_reruns_free(kr_reruns_t *rn);

/*
 * Asks for the rows of a route with kr_rerun_plan, which is in the registry;
 * wt->done and wt->asker are set.  KR_OK; KR_ERROR: no memory, done() is not
 * called.
 */
int kr_rerun_ask(kr_reruns_t *rn, kr_route_t *rt, kr_waiter_t *wt);

/* The waiter waits no longer: done() is not called. */
void kr_rerun_cancel(kr_waiter_t *wt);


#endif /* _KR_RERUN_H_INCLUDED_ */
