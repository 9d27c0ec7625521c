/*
 * The keys of the rows that the subscribers of a route with the plan ROWS may
 * hold: those of their snapshots and of the events since.  With them a
 * TRUNCATE is told row by row, and a row that nobody has is not taken from
 * anybody.
 *
 * Bounded per route and in all; beyond, a route has no such set any more: a
 * TRUNCATE resets it, and deletes are sent to be safe.  So it is with a route
 * that goes on after a restart of this program.
 */

#ifndef _KR_KEYS_H_INCLUDED_
#define _KR_KEYS_H_INCLUDED_


#include <libpq-fe.h>

#include "kr_route.h"


#define KR_KEYS_ROUTE_MAX  10000
#define KR_KEYS_BYTES_MAX  (128ul * 1024 * 1024)     /* of all routes */


/*
 * A subscriber is given these rows, whose keys are in the first column, as
 * kr_sql_rerun() prints them.  To be called before its cursor is settled.
 */
void kr_keys_snapshot(kr_routes_t *rs, kr_route_t *rt, const PGresult *rows);


#endif /* _KR_KEYS_H_INCLUDED_ */
