/*
 * Access: whether a client may use a name, join a topic, push an event to a
 * topic, or broadcast an event by HTTP push.  Bytes in, a verdict out.
 *
 * A rule reads plain values alone.  A socket's request is freed after the
 * upgrade, so nginx's variables cannot be evaluated when the socket's client
 * joins or pushes.
 */

#ifndef _NGX_HTTP_KAIROS_ACCESS_H_INCLUDED_
#define _NGX_HTTP_KAIROS_ACCESS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* max. bytes of a topic and of an event */
#define NGX_HTTP_KAIROS_NAME_MAX       255

/* a topic with this prefix is a route: the replicator alone publishes to it */
#define NGX_HTTP_KAIROS_ROUTE_PREFIX   "rt:"


typedef enum {
    NGX_HTTP_KAIROS_ACCESS_NAME = 0,    /* any message of a socket */
    NGX_HTTP_KAIROS_ACCESS_JOIN,        /* phx_join */
    NGX_HTTP_KAIROS_ACCESS_PUSH,        /* an event to a joined topic */
    NGX_HTTP_KAIROS_ACCESS_BROADCAST    /* HTTP push */
} ngx_http_kairos_access_action_e;


/* a client's request; the caller owns the strings */
typedef struct {
    ngx_http_kairos_access_action_e   action;
    ngx_str_t                         topic;
    ngx_str_t                         event;
    ngx_str_t                         claims;  /* of the socket's token, JSON;
                                                  empty: no token, or the
                                                  action is BROADCAST */
} ngx_http_kairos_access_t;


/*
 * Returns NULL if the client may, else the reason: static UTF-8 text, which
 * the client gets.  Each action includes the checks of ACCESS_NAME.  The
 * function does not check whether the client has joined the topic.
 *
 * Today's rules are the same for every client and do not read the claims.
 */
const char *ngx_http_kairos_access(const ngx_http_kairos_access_t *a);

/* 1 if the topic is a route by its name, else 0. */
ngx_uint_t ngx_http_kairos_access_is_route(const ngx_str_t *topic);


#endif /* _NGX_HTTP_KAIROS_ACCESS_H_INCLUDED_ */
