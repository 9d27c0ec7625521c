/*
 * What kr_route.c (events, resume, reset) and kr_route_join.c share; no other
 * file includes it.
 */

#ifndef _KR_ROUTE_PRIVATE_H_INCLUDED_
#define _KR_ROUTE_PRIVATE_H_INCLUDED_


#include "kr_route.h"


/*
 * A lost connection is noticed late: by nginx's time-out for silent clients.
 * Those who come back get what was sent so long before it was noticed.
 */
#define KR_LOST_LAG       75000      /* ms */

/* calls of kr_routes_expire() that are so far apart are a stall */
#define KR_STALL_MIN      3000       /* ms */

/* a worker that has more to read gets no more than it must */
#define KR_QUEUE_HIGH      (8u * 1024 * 1024)
#define KR_QUEUE_PATIENCE  5000    /* ms; then the others do not wait for it,
                                      and its queue's limit ends it */


/* how an event's payload begins; the rows follow */
#define KR_ROWS_PREFIX     "{\"rows\":["


/* The timer of rs: tries, and comes again while joins wait. */
void kr_routes_tick(evutil_socket_t fd, short what, void *data);

/* Answers the joins that need not wait any more. */
void kr_routes_try(kr_routes_t *rs);

/* Ends the cursor; a join that waits is answered with the reason. */
void kr_join_refuse(kr_routes_t *rs, kr_cursor_t *cu, const char *reason);


#endif /* _KR_ROUTE_PRIVATE_H_INCLUDED_ */
