/*
 * Events that must be added: a job or a route that waits for an event which is
 * not there would wait for ever.
 *
 * Where there is no memory for such an event the process ends (kr_no_memory(),
 * kr_log.h), for every owner alike.  To reset the owner's routes, or to refuse
 * its client, takes a message, and so more memory than the timer did; after
 * the restart nothing is lost, as nothing was confirmed that was not handed
 * on.
 */

#ifndef _KR_LOOP_H_INCLUDED_
#define _KR_LOOP_H_INCLUDED_


#include <stdint.h>

#include <event2/event.h>


/* Adds an event of a descriptor or a signal, without a time-out. */
void kr_loop_add(struct event *ev);

/*
 * Adds a timer, which fires after ms, or an event that waits for ms at most.
 * If it was added before, the new time counts.
 */
void kr_loop_timer(struct event *ev, uint64_t ms);

/*
 * kr_loop_timer() of a timer that most owners never need: the first call makes
 * it, where *ev is NULL.  The owner frees it.
 */
void kr_loop_after(struct event **ev, struct event_base *base,
    event_callback_fn fn, void *data, uint64_t ms);


#endif /* _KR_LOOP_H_INCLUDED_ */
