/*
 * The sweep: compares the shapes of the tables that routes read with those
 * that the routes were planned with, and resets the routes of a table whose
 * difference counts, see kr_table_shape.h.  DDL that a change of the stream
 * shows first is noticed with the change, see kr_hit_t.blind.
 */

#ifndef _KR_ALTER_H_INCLUDED_
#define _KR_ALTER_H_INCLUDED_


#include <event2/event.h>

#include "kr_changes.h"
#include "kr_pool.h"
#include "kr_registry.h"


#define KR_ALTER_EVERY  2      /* seconds */
#define KR_ALTER_MAX    1000   /* tables of one question; of more, the next
                                  ones in turn: PostgreSQL works for some
                                  150 ms */


typedef struct kr_alters_s  kr_alters_t;


/* NULL: no memory.  All that it is given must outlive it. */
kr_alters_t *kr_alters_create(struct event_base *base, kr_pool_t *pool,
    kr_registry_t *reg, kr_changes_t *cs);
void kr_alters_free(kr_alters_t *al);


#endif /* _KR_ALTER_H_INCLUDED_ */
