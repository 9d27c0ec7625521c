/*
 * A socket: one client's WebSocket connection after the upgrade.  Knows
 * frames and its send queue, nothing of channels or topics.
 */

#ifndef _NGX_HTTP_KAIROS_SESSION_H_INCLUDED_
#define _NGX_HTTP_KAIROS_SESSION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_msg.h"
#include "ngx_http_kairos_phx.h"


typedef struct ngx_http_kairos_session_s   ngx_http_kairos_session_t;
typedef struct ngx_http_kairos_hub_s       ngx_http_kairos_hub_t;
typedef struct ngx_http_kairos_feed_s      ngx_http_kairos_feed_t;


/*
 * What the layer above does with a socket's messages; one const table,
 * given at creation.
 */
typedef struct {
    /*
     * A whole message; data may be changed and is valid during the call.
     * The handler may call ngx_http_kairos_session_close(): the session
     * stays allocated until the handler has returned.
     */
    void  (*message)(ngx_http_kairos_session_t *ks, ngx_uint_t binary,
                     u_char *data, size_t len);

    /*
     * The session ends, for whatever reason; called exactly once, before
     * its memory is released.
     */
    void  (*gone)(ngx_http_kairos_session_t *ks);
} ngx_http_kairos_session_handlers_t;


/*
 * Public part; the rest is private to ngx_http_kairos_session.c.
 */
struct ngx_http_kairos_session_s {
    uint64_t                      id;        /* never reused in a worker */
    ngx_connection_t             *connection;
    ngx_http_kairos_hub_t        *hub;
    ngx_http_kairos_feed_t       *feed;      /* NULL: pub/sub only */
    ngx_http_kairos_phx_vsn_e     vsn;
    ngx_queue_t                   channels;  /* owned by channel.c */
    ngx_uint_t                    nchannels;
    ngx_str_t                     claims;    /* of the token, JSON, or empty */

    /* to be continued by the owner of session.c */
};


/*
 * Appends the message to the socket's send queue (takes a reference) and
 * marks the socket to be flushed at the end of this turn of the event loop.
 * Past the limit on queued bytes the socket is marked to be closed (1013);
 * the call is always safe and needs no check.
 */
void ngx_http_kairos_session_send(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_msg_t *msg);

/*
 * The only way to end a session: queues a close frame (code NO_STATUS: none)
 * and ends the session from a posted event, never within the caller.  Calls
 * after the first do nothing.
 */
void ngx_http_kairos_session_close(ngx_http_kairos_session_t *ks,
    ngx_uint_t code, const char *reason);


#endif /* _NGX_HTTP_KAIROS_SESSION_H_INCLUDED_ */
