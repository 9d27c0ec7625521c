/*
 * The routes of one feed: the topics of this worker that the replicator
 * serves, the position of each, and the events that come on them.
 */

#ifndef _NGX_HTTP_KAIROS_ROUTE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_ROUTE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_channel.h"
#include "ngx_http_kairos_feed.h"
#include "ngx_http_kairos_hub.h"


/*
 * A route exists as long as its topic has members.  Its queue depends on
 * whether the replicator at this connection has the route registered.
 */
typedef struct {
    ngx_http_kairos_feed_t   *feed;
    ngx_queue_t               known;
    ngx_queue_t               silent;      /* wait for a RESUME */
    ngx_uint_t                connection;  /* counts those that were lost */
} ngx_http_kairos_routes_t;


void ngx_http_kairos_routes_init(ngx_http_kairos_routes_t *rts,
    ngx_http_kairos_feed_t *feed);

/* As the feed's handlers resume() and down(). */
ngx_int_t ngx_http_kairos_routes_resume(ngx_http_kairos_routes_t *rts);
void ngx_http_kairos_routes_down(ngx_http_kairos_routes_t *rts);

/* Whether the topic is served by another feed of its hub. */
ngx_uint_t ngx_http_kairos_route_foreign(ngx_http_kairos_routes_t *rts,
    const ngx_str_t *topic);

/*
 * A JOINED for a channel just opened: makes its topic a route, or updates the
 * route's spec and position.  NGX_ERROR: no memory, nothing is changed.
 */
ngx_int_t ngx_http_kairos_route_joined(ngx_http_kairos_routes_t *rts,
    ngx_http_kairos_channel_t *ch, const kairos_feed_frame_t *f);

/* The channel is about to be closed; ends the route with its last member. */
void ngx_http_kairos_route_leave(ngx_http_kairos_channel_t *ch,
    ngx_uint_t lost);

/* LEAVE for a socket that is no member here, or not any more. */
void ngx_http_kairos_route_send_leave(ngx_http_kairos_feed_t *feed,
    uint64_t socket, uint64_t client, const ngx_str_t *topic,
    ngx_uint_t lost);

/*
 * EVENT; EVENT_TO for this socket (NULL: it is gone); RESET.  A topic that
 * has no members any more is passed over.
 */
void ngx_http_kairos_route_event(ngx_http_kairos_routes_t *rts,
    const kairos_feed_frame_t *f);
void ngx_http_kairos_route_event_to(ngx_http_kairos_routes_t *rts,
    ngx_http_kairos_session_t *ks, const kairos_feed_frame_t *f);
void ngx_http_kairos_route_reset(ngx_http_kairos_routes_t *rts,
    const kairos_feed_frame_t *f);


#define ngx_http_kairos_slice_str(str, slice)                                \
    (str)->len = (slice)->len;                                               \
    (str)->data = (u_char *) (slice)->data


#endif /* _NGX_HTTP_KAIROS_ROUTE_H_INCLUDED_ */
