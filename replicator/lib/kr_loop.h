/*
 * Adds events that must not fail to be added: a job or a route would wait for
 * ever for an event that was not added.
 *
 * Without memory for such an event the process ends (kr_no_memory(),
 * kr_log.h), for every owner alike.  To reset the owner's routes, or to refuse
 * its client, takes a message, and so more memory than the timer did.  The
 * restart loses nothing, because no change is confirmed before its events were
 * handed on.
 */

#ifndef _KR_LOOP_H_INCLUDED_
#define _KR_LOOP_H_INCLUDED_


#include <stdint.h>

#include <event2/event.h>


/* Adds an event of a descriptor or a signal, without a time-out. */
void kr_loop_add(struct event *ev);

/*
 * Adds a timer, which fires after ms, or an event with the time-out ms.  If
 * the event was added before, the new time replaces the old one.
 */
void kr_loop_timer(struct event *ev, uint64_t ms);

/*
 * kr_loop_timer() for a timer that most owners never need: if *ev is NULL, the
 * timer is made first.  The owner frees *ev.
 */
void kr_loop_after(struct event **ev, struct event_base *base,
    event_callback_fn fn, void *data, uint64_t ms);


#endif /* _KR_LOOP_H_INCLUDED_ */
