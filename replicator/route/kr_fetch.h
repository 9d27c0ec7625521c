/*
 * Changed rows to events: the rows that changes touch are gathered by
 * template, fetched anew in batches, and become events of the routes.
 */

#ifndef _KR_FETCH_H_INCLUDED_
#define _KR_FETCH_H_INCLUDED_


#include <event2/event.h>

#include "kr_config.h"
#include "kr_pool.h"
#include "kr_route.h"


typedef struct kr_fetch_s  kr_fetch_t;


/* changed rows are fetched by their keys, see kr_plan_ops.h */
extern const kr_plan_ops_t  kr_fetch_plan;


/*
 * The context of kr_fetch_plan, which it stores in cs.  NULL: no memory.  All
 * that it is given must outlive it.
 */
kr_fetch_t *kr_fetch_create(struct event_base *base, const kr_config_t *cf,
    kr_pool_t *pool, kr_changes_t *cs);

/* To be called after the routes were freed. */
void kr_fetch_free(kr_fetch_t *fe);


#endif /* _KR_FETCH_H_INCLUDED_ */
