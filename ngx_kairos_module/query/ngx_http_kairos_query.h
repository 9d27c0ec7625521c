/*
 * Queries, the worker's half: passes a client's subscribe and the joins of
 * route topics to the replicator, and what comes back to the members.
 */

#ifndef _NGX_HTTP_KAIROS_QUERY_H_INCLUDED_
#define _NGX_HTTP_KAIROS_QUERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_channel.h"
#include "ngx_http_kairos_feed.h"


/* for ngx_http_kairos_feed_create() */
extern const ngx_http_kairos_feed_handlers_t  ngx_http_kairos_query_handlers;


/*
 * A "subscribe" push on a joined channel.  The client always gets an answer to
 * m's ref: at once, from the replicator, when the feed is lost, or when the
 * time is up.  The answer has the join_ref of the push, also if its channel
 * was closed meanwhile; phoenix.js drops messages that are not of its current
 * join.
 */
void ngx_http_kairos_query_subscribe(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m);

/*
 * A phx_join of a route topic; no channel on the topic is open.  The client
 * always gets an answer, as above; the channel is opened when the replicator
 * sends JOINED.  If an earlier join of this topic has no answer yet, the
 * answer goes to this newer one alone.
 */
void ngx_http_kairos_query_join(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m);

/*
 * To be called before a channel is closed, which it does not do: sends LEAVE
 * to the replicator if the channel is a route's, else does nothing.  lost: 1
 * if the client may join again without a subscribe (its connection was lost,
 * or a newer join replaces the channel), 0 if it sent phx_leave.
 */
void ngx_http_kairos_query_leave(ngx_http_kairos_channel_t *ch,
    ngx_uint_t lost);

/*
 * A phx_leave for a route topic whose join is still under way: the join is
 * dropped.  NGX_OK if there was one, else NGX_DECLINED.
 */
ngx_int_t ngx_http_kairos_query_cancel_join(ngx_http_kairos_session_t *ks,
    const ngx_str_t *topic);

/*
 * The session ends: forgets its requests, and sends GONE to the replicator if
 * it has requests of the session.  To be called after the session's channels
 * are closed.
 */
void ngx_http_kairos_query_gone(ngx_http_kairos_session_t *ks);


#endif /* _NGX_HTTP_KAIROS_QUERY_H_INCLUDED_ */
