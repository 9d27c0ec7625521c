/*
 * The context that ties the parts together: what comes from the stream and
 * from the workers is given to the routes, the fetches and the subscribes.
 */

#ifndef _KR_CORE_H_INCLUDED_
#define _KR_CORE_H_INCLUDED_


#include <event2/event.h>

#include "kr_config.h"
#include "kr_pool.h"
#include "kr_server.h"
#include "kr_stream.h"


/* for kr_stream_create() and kr_server_create() */
extern const kr_stream_handlers_t  kr_core_stream_handlers;
extern const kr_server_handlers_t  kr_core_server_handlers;


/* NULL: no memory.  base and cf must outlive it. */
kr_core_t *kr_core_create(struct event_base *base, const kr_config_t *cf);

/*
 * Gives it its links and begins: it calls kr_stream_start() itself, when
 * the workers that it hears of have registered their routes again, or
 * cf->register_wait passed.  KR_OK, or KR_ERROR: no memory.
 */
int kr_core_attach(kr_core_t *core, kr_pool_t *pool, kr_stream_t *stream);

/*
 * Cancels its jobs and frees all.  To be called after kr_server_free(),
 * which calls gone() for each connection, and before kr_stream_free() and
 * kr_pool_free(), which it still uses.  What was not handed on is not
 * confirmed, so that the next process reads it again.
 */
void kr_core_free(kr_core_t *core);


#endif /* _KR_CORE_H_INCLUDED_ */
