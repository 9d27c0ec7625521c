/*
 * Queries, the worker's half: passes a client's subscribe and the joins of
 * route topics to the replicator, and what comes back to the members.
 */

#ifndef _NGX_HTTP_KAIROS_QUERY_H_INCLUDED_
#define _NGX_HTTP_KAIROS_QUERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_channel.h"


/* topics that begin so are routes: joined through here, never published to */
#define NGX_HTTP_KAIROS_ROUTE_PREFIX  "rt:"


/* Whether the topic is a route's (by its name). */
ngx_uint_t ngx_http_kairos_query_is_route(const ngx_str_t *topic);

/*
 * A "subscribe" push on a joined channel.  Always answers m's ref, now or
 * when the replicator does (or is lost): never silence.
 */
void ngx_http_kairos_query_subscribe(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m);

/*
 * A phx_join of a route topic (no channel on it is open).  Always answers;
 * opens the channel when the replicator says JOINED.
 */
void ngx_http_kairos_query_join(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m);

/*
 * A route's channel is about to be closed: tell the replicator.  lost: by
 * the loss of the connection, not by the client's phx_leave.  Does not close
 * the channel.
 */
void ngx_http_kairos_query_leave(ngx_http_kairos_channel_t *ch,
    ngx_uint_t lost);

/*
 * A phx_leave for a route topic whose join is still under way: the join is
 * dropped.  NGX_OK if there was one, else NGX_DECLINED.
 */
ngx_int_t ngx_http_kairos_query_cancel_join(ngx_http_kairos_session_t *ks,
    const ngx_str_t *topic);

/* The session is gone: forget its requests, tell the replicator. */
void ngx_http_kairos_query_gone(ngx_http_kairos_session_t *ks);


#endif /* _NGX_HTTP_KAIROS_QUERY_H_INCLUDED_ */
