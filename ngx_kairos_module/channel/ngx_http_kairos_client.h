/*
 * A client: what is kept for a session by the layers above sessions.
 */

#ifndef _NGX_HTTP_KAIROS_CLIENT_H_INCLUDED_
#define _NGX_HTTP_KAIROS_CLIENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_encoding.h"
#include "ngx_http_kairos_hub.h"
#include "ngx_http_kairos_jwt.h"
#include "ngx_http_kairos_session.h"


typedef struct ngx_http_kairos_feed_s       ngx_http_kairos_feed_t;
typedef struct ngx_http_kairos_requester_s  ngx_http_kairos_requester_t;


/* what a location's directives allow a client; lives with the cycle */
typedef struct {
    ngx_uint_t                    max_channels;
    ngx_uint_t                    max_pending;    /* subscribes and joins */
} ngx_http_kairos_client_limits_t;


struct ngx_http_kairos_client_s {
    ngx_http_kairos_hub_t        *hub;
    ngx_http_kairos_encoding_e    encoding;
    const ngx_http_kairos_client_limits_t  *limits;

    ngx_queue_t                   channels;   /* owned by channel.c */
    ngx_uint_t                    nchannels;

    ngx_str_t                     claims;     /* of the token, JSON, or empty;
                                                 by ngx_alloc(), owned */

    /* set by the creator */
    const ngx_http_kairos_jwt_policy_t  *policy;   /* NULL: no token */
    ngx_http_kairos_feed_t       *feed;       /* NULL: pub/sub only */
    uint64_t                      number;     /* the same for each session of
                                                 one client, as far as nginx
                                                 recognizes the client */

    ngx_http_kairos_requester_t  *requester;  /* of query.c; NULL at first */
};


/*
 * Makes the session's client, and sets ks->client.  NULL: no memory (logged).
 */
ngx_http_kairos_client_t *ngx_http_kairos_client_create(
    ngx_http_kairos_session_t *ks, ngx_http_kairos_hub_t *hub,
    ngx_http_kairos_encoding_e encoding,
    const ngx_http_kairos_client_limits_t *limits);

/*
 * Frees the session's client, if it has one.  The client's channels are closed
 * and its requester is gone before.
 */
void ngx_http_kairos_client_free(ngx_http_kairos_session_t *ks);

/*
 * The client may stay until this time, by these claims, which are copied;
 * before or after the session's start.  NGX_ERROR: no memory (logged), and
 * nothing is changed.
 */
ngx_int_t ngx_http_kairos_client_permit(ngx_http_kairos_session_t *ks,
    const ngx_str_t *claims, time_t expires);


#endif /* _NGX_HTTP_KAIROS_CLIENT_H_INCLUDED_ */
