#include "kr_log.h"
#include "kr_loop.h"


void
kr_loop_add(struct event *ev)
{
    if (event_add(ev, NULL) != 0) {
        kr_no_memory("an event");
    }
}


void
kr_loop_timer(struct event *ev, uint64_t ms)
{
    struct timeval  tv;

    tv.tv_sec = (time_t) (ms / 1000);
    tv.tv_usec = (suseconds_t) (ms % 1000 * 1000);

    if (event_add(ev, &tv) != 0) {
        kr_no_memory("a timer");
    }
}


void
kr_loop_after(struct event **ev, struct event_base *base, event_callback_fn fn,
    void *data, uint64_t ms)
{
    if (*ev == NULL) {
        *ev = event_new(base, -1, 0, fn, data);
    }

    if (*ev == NULL) {
        kr_no_memory("a timer");
    }

    kr_loop_timer(*ev, ms);
}
