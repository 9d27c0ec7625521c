/*
 * Events that must be added: what waits for one that is not would wait for
 * ever, so where there is no memory for it the process ends (kr_log.h).
 */

#ifndef _KR_LOOP_H_INCLUDED_
#define _KR_LOOP_H_INCLUDED_


#include <stdint.h>

#include <event2/event.h>


/* Of a descriptor or a signal, without a time-out. */
void kr_loop_add(struct event *ev);

/* A timer, or an event that ms bounds. */
void kr_loop_timer(struct event *ev, uint64_t ms);


#endif /* _KR_LOOP_H_INCLUDED_ */
