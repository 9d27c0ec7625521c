/*
 * The sweep: compares the shapes of the tables that routes read with those
 * that the routes were planned with, and resets the routes of a table whose
 * difference counts, see kr_table_shape.h.  DDL that a change of the stream
 * shows first is noticed with the change, see kr_hit_t.blind.
 *
 * If the database has the event triggers of --print-setup, each transaction
 * with DDL inserts a row into a table of ours, and all shapes are compared as
 * soon as the stream has shown this row.  Nothing but the time of the
 * comparison follows from a row, so its values are not read.
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

/* the table of --print-setup */
#define KR_ALTER_SCHEMA  "kairos"
#define KR_ALTER_TABLE   "ddl"


typedef struct kr_alters_s  kr_alters_t;


/* NULL: no memory.  All that it is given must outlive it. */
kr_alters_t *kr_alters_create(struct event_base *base, kr_pool_t *pool,
    kr_registry_t *reg, kr_changes_t *cs, kr_txns_t *ts);
void kr_alters_free(kr_alters_t *al);

/* Whether a change of the stream is a row that the event triggers insert. */
int kr_alter_is_note(const kr_change_t *c);

/*
 * A transaction with such a row was read: compares the shapes of all tables
 * in snapshots that see all that was read so far.  The comparison begins at
 * once, or when as much time has passed as the last one took: DDL without end
 * costs PostgreSQL half of the time of one backend.
 */
void kr_alters_noticed(kr_alters_t *al);


#endif /* _KR_ALTER_H_INCLUDED_ */
