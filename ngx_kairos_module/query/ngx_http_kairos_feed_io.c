/*
 * The bytes of a feed: frames into the queue and out of it, input into frames.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_feed_private.h"


/* bytes */
#define NGX_HTTP_KAIROS_FEED_READ        16384
#define NGX_HTTP_KAIROS_FEED_TURN        (1024 * 1024)
#define NGX_HTTP_KAIROS_FEED_KEEP        (256 * 1024)
#define NGX_HTTP_KAIROS_FEED_FULL        (1024 * 1024)

/* past this the replicator does not keep up: the feed is dropped */
#define NGX_HTTP_KAIROS_FEED_OUT_MAX     (2 * (size_t) KAIROS_FEED_MAX)

/* a frame that is nearly there, and what came behind it */
#define NGX_HTTP_KAIROS_FEED_IN_MAX                                          \
    (KAIROS_FEED_HEADER + (size_t) KAIROS_FEED_MAX                           \
     + NGX_HTTP_KAIROS_FEED_READ)


static const char *ngx_http_kairos_feed_input(ngx_http_kairos_feed_t *feed);
static const char *ngx_http_kairos_feed_frame(ngx_http_kairos_feed_t *feed,
    kairos_feed_frame_t *f);
static ngx_int_t ngx_http_kairos_feed_append(ngx_http_kairos_feed_t *feed,
    const kairos_feed_frame_t *f);
static void ngx_http_kairos_feed_fail(ngx_http_kairos_feed_t *feed,
    const char *reason);


void
ngx_http_kairos_feed_read_handler(ngx_event_t *rev)
{
    ssize_t                  n;
    size_t                   total;
    const char              *reason;
    ngx_connection_t        *c;
    ngx_http_kairos_feed_t  *feed;

    c = rev->data;
    feed = c->data;

    for (total = 0; total < NGX_HTTP_KAIROS_FEED_TURN; total += n) {

        if (ngx_http_kairos_buf_reserve(&feed->in, NGX_HTTP_KAIROS_FEED_READ,
                                         NGX_HTTP_KAIROS_FEED_IN_MAX, c->log)
            != NGX_OK)
        {
            ngx_http_kairos_feed_drop(feed, "out of memory", 0);
            return;
        }

        n = c->recv(c, feed->in.last, feed->in.end - feed->in.last);

        if (n == NGX_AGAIN) {
            ngx_http_kairos_buf_release(&feed->in,
                                         NGX_HTTP_KAIROS_FEED_KEEP);

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_http_kairos_feed_drop(feed, "could not await input", 0);
            }

            return;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_http_kairos_feed_drop(feed, n ? "could not read"
                                              : "the peer closed", 0);
            return;
        }

        feed->in.last += n;

        reason = ngx_http_kairos_feed_input(feed);
        if (reason != NULL) {
            ngx_http_kairos_feed_drop(feed, reason, 0);
            return;
        }
    }

    ngx_post_event(rev, &ngx_posted_next_events);
}


ngx_int_t
ngx_http_kairos_feed_send(ngx_http_kairos_feed_t *feed,
    const kairos_feed_frame_t *f)
{
    if (!feed->open || feed->failure != NULL) {
        return NGX_ERROR;
    }

    return ngx_http_kairos_feed_append(feed, f);
}


ngx_uint_t
ngx_http_kairos_feed_full(ngx_http_kairos_feed_t *feed)
{
    return feed->failure != NULL
           || ngx_http_kairos_buf_used(&feed->out)
              >= NGX_HTTP_KAIROS_FEED_FULL;
}


void
ngx_http_kairos_feed_flush(ngx_http_kairos_feed_t *feed)
{
    ssize_t                 n;
    ngx_connection_t       *c;
    ngx_http_kairos_buf_t  *out;

    c = feed->connection;
    out = &feed->out;

    while (out->pos != out->last && c->write->ready) {

        n = c->send(c, out->pos, ngx_http_kairos_buf_used(out));

        if (n == NGX_ERROR) {
            ngx_http_kairos_feed_drop(feed, "could not write", 0);
            return;
        }

        if (n == NGX_AGAIN || n == 0) {
            break;
        }

        out->pos += n;
    }

    ngx_http_kairos_buf_release(out, NGX_HTTP_KAIROS_FEED_KEEP);

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_kairos_feed_drop(feed, "could not await output", 0);
        return;
    }

    if (feed->open && !feed->resumed && !ngx_http_kairos_feed_full(feed)) {
        ngx_http_kairos_feed_resume(feed);
    }
}


/*
 * Takes all whole frames from the input.  NULL, or why the feed is to be
 * dropped.
 */
static const char *
ngx_http_kairos_feed_input(ngx_http_kairos_feed_t *feed)
{
    int                     rc;
    size_t                  used;
    const char             *reason;
    kairos_feed_frame_t     f;
    ngx_http_kairos_buf_t  *in;

    in = &feed->in;

    for ( ;; ) {
        rc = kairos_feed_decode(in->pos, ngx_http_kairos_buf_used(in), &f,
                                &used);

        if (rc == KAIROS_FEED_AGAIN) {
            return NULL;
        }

        if (rc == KAIROS_FEED_ERROR) {
            return "the peer sent what is no frame";
        }

        reason = ngx_http_kairos_feed_frame(feed, &f);
        if (reason != NULL) {
            return reason;
        }

        in->pos += used;
    }
}


static const char *
ngx_http_kairos_feed_frame(ngx_http_kairos_feed_t *feed,
    kairos_feed_frame_t *f)
{
    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, feed->log, 0,
                   "kairos feed frame type:%d req:%uL", (int) f->type, f->req);

    if (f->type == KAIROS_FEED_WELCOME) {
        return ngx_http_kairos_feed_welcome(feed, f);
    }

    if (!feed->welcomed) {
        return "the peer sent a frame before WELCOME";
    }

    if (feed->handlers->frame(feed, f) != NGX_OK) {
        return "the peer sent a frame out of place";
    }

    return feed->failure;
}


/*
 * Returns as ngx_http_kairos_feed_send() does.
 */
static ngx_int_t
ngx_http_kairos_feed_append(ngx_http_kairos_feed_t *feed,
    const kairos_feed_frame_t *f)
{
    size_t                  size;
    ngx_http_kairos_buf_t  *out;

    size = kairos_feed_size(f);
    if (size == 0) {
        return NGX_DECLINED;
    }

    out = &feed->out;

    if (ngx_http_kairos_buf_used(out) + size > NGX_HTTP_KAIROS_FEED_OUT_MAX) {
        ngx_http_kairos_feed_fail(feed, "the peer does not read");
        return NGX_ERROR;
    }

    if (ngx_http_kairos_buf_reserve(out, size, NGX_HTTP_KAIROS_FEED_OUT_MAX,
                                     feed->log)
        != NGX_OK)
    {
        ngx_http_kairos_feed_fail(feed, "out of memory");
        return NGX_ERROR;
    }

    out->last = kairos_feed_encode(out->last, f);

    ngx_post_event(&feed->turn, &ngx_posted_events);

    return NGX_OK;
}


/*
 * For functions that are called from outside the feed: drops the feed at the
 * end of the turn.
 */
static void
ngx_http_kairos_feed_fail(ngx_http_kairos_feed_t *feed, const char *reason)
{
    feed->failure = reason;

    ngx_post_event(&feed->turn, &ngx_posted_events);
}
