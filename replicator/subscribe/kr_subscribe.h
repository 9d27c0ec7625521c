/*
 * A SUBSCRIBE from its payload to its REPLY, and a RESUME from its spec to
 * the members that go on.  Both plan (kr_planner.h) and register a route.  A
 * SUBSCRIBE takes its snapshot only after that, so that the stream sees all
 * that is committed later.
 */

#ifndef _KR_SUBSCRIBE_H_INCLUDED_
#define _KR_SUBSCRIBE_H_INCLUDED_


#include <event2/event.h>

#include "kr_config.h"
#include "kr_pool.h"
#include "kr_route.h"


typedef struct kr_subscribes_s  kr_subscribes_t;


/* NULL: no memory.  All that it is given must outlive it. */
kr_subscribes_t *kr_subscribes_create(struct event_base *base,
    const kr_config_t *cf, kr_pool_t *pool, kr_routes_t *rs,
    void (*resumed)(kr_routes_t *rs));

/* Cancels all; nobody is answered. */
void kr_subscribes_free(kr_subscribes_t *ss);

/* A SUBSCRIBE: answered by one REPLY, unless the socket goes before. */
void kr_subscribe(kr_subscribes_t *ss, kr_worker_t *wk,
    const kairos_feed_frame_t *f);

/*
 * A RESUME: wk->resuming counts it until it is done, then resumed() is
 * called.  What cannot go on is answered by RESET.
 */
void kr_resume(kr_subscribes_t *ss, kr_worker_t *wk,
    const kairos_feed_frame_t *f);

/*
 * A LEAVE: KR_OK if the member is one of a RESUME that is under way, which
 * has one less now.  KR_DECLINED: it is not.
 */
int kr_resume_leave(kr_subscribes_t *ss, kr_worker_t *wk,
    const kairos_feed_frame_t *f);


#endif /* _KR_SUBSCRIBE_H_INCLUDED_ */
