/*
 * The context that ties the parts together: passes the stream's changes and
 * the workers' frames to the routes, the changes and the subscribes.
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


/* A new core.  NULL: no memory.  base and cf must outlive the core. */
kr_core_t *kr_core_create(struct event_base *base, const kr_config_t *cf);

/*
 * Sets the pool and the stream, and begins: the core calls kr_stream_start()
 * when the workers that have connected have registered their routes again, or
 * cf->register_wait has passed.  KR_OK; KR_ERROR: no memory.
 */
int kr_core_attach(kr_core_t *core, kr_pool_t *pool, kr_stream_t *stream);

/*
 * Cancels the core's jobs and frees the core.  The caller calls
 * kr_server_free() before, which calls gone() for each connection, and frees
 * the stream and the pool afterwards, because the core still uses both.
 * Changes whose events were not handed on are not confirmed, so the next
 * process reads them again.
 */
void kr_core_free(kr_core_t *core);


#endif /* _KR_CORE_H_INCLUDED_ */
