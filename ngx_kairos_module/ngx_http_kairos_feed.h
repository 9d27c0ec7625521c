/*
 * The feed, the worker's end: one connection per worker, hub and replicator
 * address; reconnects by itself with back-off.  Frames in and out; what they
 * mean is query.c's.
 */

#ifndef _NGX_HTTP_KAIROS_FEED_H_INCLUDED_
#define _NGX_HTTP_KAIROS_FEED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "kairos_feed.h"
#include "ngx_http_kairos_session.h"


/* registered once, by the module file, when a worker starts */
typedef struct {
    /* connected and HELLO sent: send RESUMEs; READY is sent after this */
    void  (*up)(ngx_http_kairos_feed_t *feed);

    /* a frame came; slices are valid during the call */
    void  (*frame)(ngx_http_kairos_feed_t *feed, kairos_feed_frame_t *f);

    /* lost: no REPLY will come to what was asked */
    void  (*down)(ngx_http_kairos_feed_t *feed);
} ngx_http_kairos_feed_handlers_t;


struct ngx_http_kairos_feed_s {
    ngx_http_kairos_hub_t                  *hub;
    ngx_addr_t                             *addr;
    const ngx_http_kairos_feed_handlers_t  *handlers;
    ngx_log_t                              *log;
    ngx_uint_t                              up;       /* WELCOME was read */

    /* to be continued by the owner of feed.c and query.c */
};


#endif /* _NGX_HTTP_KAIROS_FEED_H_INCLUDED_ */
