/*
 * The feed, the worker's end: one connection per worker, hub and replicator
 * address; reconnects by itself with back-off.  Frames in and out; query.c
 * interprets them.
 */

#ifndef _NGX_HTTP_KAIROS_FEED_H_INCLUDED_
#define _NGX_HTTP_KAIROS_FEED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "kairos_feed.h"
#include "ngx_http_kairos_buf.h"
#include "ngx_http_kairos_client.h"
#include "ngx_http_kairos_hub.h"


/* what query.c keeps for a feed; it defines the struct */
typedef struct ngx_http_kairos_query_s  ngx_http_kairos_query_t;


/* one const table, given at creation */
typedef struct {
    /* The worker starts: called once, before any other. */
    ngx_int_t  (*start)(ngx_http_kairos_feed_t *feed);

    /*
     * The feed is connected and HELLO is queued: send RESUMEs.  NGX_OK: all
     * are sent, and READY follows; NGX_AGAIN: ngx_http_kairos_feed_full()
     * returned 1, call again when there is room.
     */
    ngx_int_t  (*resume)(ngx_http_kairos_feed_t *feed);

    /*
     * A frame came; slices are valid during the call.  NGX_ERROR: the peer
     * may not send this; the feed is dropped.
     */
    ngx_int_t  (*frame)(ngx_http_kairos_feed_t *feed, kairos_feed_frame_t *f);

    /* Lost, after resume() was called: no REPLY will come any more. */
    void       (*down)(ngx_http_kairos_feed_t *feed);
} ngx_http_kairos_feed_handlers_t;


/* the contents of HELLO, and the slot that counts the feed */
typedef struct {
    ngx_http_kairos_slot_t                 *slot;
    uint64_t                                instance;
    ngx_uint_t                              workers;
    ngx_str_t                               zone;
} ngx_http_kairos_feed_params_t;


/*
 * ngx_event_ident() reads ident as a file descriptor when nginx logs our
 * timers at the debug level: its offset must be that of ngx_connection_t's fd,
 * behind three pointers.
 */
struct ngx_http_kairos_feed_s {
    ngx_http_kairos_hub_t                  *hub;
    ngx_addr_t                             *addr;
    const ngx_http_kairos_feed_handlers_t  *handlers;
    ngx_int_t                               ident;    /* -1 */

    ngx_http_kairos_feed_params_t           params;
    ngx_log_t                              *log;
    ngx_http_kairos_query_t                *query;    /* of query.c */
    unsigned                                up:1;     /* WELCOME was read and
                                                         READY is sent: ask */

    /* private to feed*.c */
    unsigned                                open:1;     /* HELLO is queued */
    unsigned                                welcomed:1;
    unsigned                                resumed:1;  /* READY is queued */
    unsigned                                down_logged:1;    /* since it was
                                                                 up last */
    unsigned                                version_logged:1; /* likewise */
    const char                             *failure;  /* drop when this turn
                                                         ends, and why */
    ngx_connection_t                       *connection;
    ngx_event_t                             timer;    /* connect, time out */
    ngx_event_t                             turn;     /* posted: flush, drop */
    ngx_msec_t                              delay_msec;  /* before the next
                                                            attempt */
    ngx_msec_t                              up_since_msec;
    ngx_http_kairos_buf_t                   in;
    ngx_http_kairos_buf_t                   out;
};


/*
 * Makes a feed that does nothing yet, in the configuration's pool.  addr,
 * handlers and the zone's name must live as long as the pool.  NULL: no
 * memory.
 */
ngx_http_kairos_feed_t *ngx_http_kairos_feed_create(ngx_pool_t *pool,
    ngx_http_kairos_hub_t *hub, ngx_addr_t *addr,
    const ngx_http_kairos_feed_handlers_t *handlers,
    const ngx_http_kairos_feed_params_t *params);

/*
 * For a worker's init_process: connects, and from then on again whenever the
 * connection is lost.  The feed serves until ngx_http_kairos_feed_stop(), also
 * while a worker that shuts down gracefully waits for its sockets; the worker
 * does not wait for the feed.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_kairos_feed_start(ngx_http_kairos_feed_t *feed,
    ngx_cycle_t *cycle);

/* For exit_process: closes; calls no handler. */
void ngx_http_kairos_feed_stop(ngx_http_kairos_feed_t *feed);

/*
 * Queues a frame, which is sent when this turn of the event loop ends.
 * NGX_OK; NGX_DECLINED: the frame is larger than the protocol allows;
 * NGX_ERROR: not connected, or out of memory or past the limit of what may
 * be queued: then the feed is dropped when the turn ends, and connects anew.
 * Never calls a handler.
 */
ngx_int_t ngx_http_kairos_feed_send(ngx_http_kairos_feed_t *feed,
    const kairos_feed_frame_t *f);

/* Whether so much is queued that a caller that can wait should. */
ngx_uint_t ngx_http_kairos_feed_full(ngx_http_kairos_feed_t *feed);


#endif /* _NGX_HTTP_KAIROS_FEED_H_INCLUDED_ */
