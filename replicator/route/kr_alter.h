/*
 * Looks now and then at the tables that routes read, for what no change
 * tells: that one was dropped, renamed or altered, or lost a key, or lost or
 * gained a partition.  Its routes are reset then.  What a change tells is
 * noticed with it, and not here: see kr_hit_t.blind.
 */

#ifndef _KR_ALTER_H_INCLUDED_
#define _KR_ALTER_H_INCLUDED_


#include <event2/event.h>

#include "kr_changes.h"
#include "kr_pool.h"
#include "kr_registry.h"


#define KR_ALTER_EVERY  5      /* seconds */
#define KR_ALTER_MAX    1000   /* tables of one question; with more, those of
                                  a question in turn */


typedef struct kr_alters_s  kr_alters_t;


/* NULL: no memory.  All that it is given must outlive it. */
kr_alters_t *kr_alters_create(struct event_base *base, kr_pool_t *pool,
    kr_registry_t *reg, kr_changes_t *cs);
void kr_alters_free(kr_alters_t *al);

/*
 * Compares what was seen of a table with what is seen now (NULL: nothing);
 * both as kr_alter.c's query prints them.  The reason for a reset, or NULL.
 */
const char *kr_alter_judge(const char *before, const char *now);


#endif /* _KR_ALTER_H_INCLUDED_ */
