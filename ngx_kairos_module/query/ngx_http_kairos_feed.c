/*
 * The feed, the worker's end.
 *
 * A feed is idle (no connection; the timer runs to the next attempt),
 * connecting, open (HELLO is queued; RESUMEs go out, WELCOME may come) or up.
 * The feed is dropped in one place, ngx_http_kairos_feed_drop(), called only
 * from the feed's own events: so it does not vanish under a caller that queues
 * a frame.  ngx_http_kairos_feed_io.c reads and writes the frames.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_feed_private.h"


/*
 * Milliseconds.  The longest delay, with up to a half of it added at random,
 * is well within KAIROS_REGISTER_WAIT, for which a replicator that starts
 * waits for the workers before it reads the slot.
 */
#define NGX_HTTP_KAIROS_FEED_DELAY_MIN   100
#define NGX_HTTP_KAIROS_FEED_DELAY_MAX   2000
#define NGX_HTTP_KAIROS_FEED_HANDSHAKE   10000
#define NGX_HTTP_KAIROS_FEED_STABLE      5000


static void ngx_http_kairos_feed_timer_handler(ngx_event_t *ev);
static void ngx_http_kairos_feed_turn_handler(ngx_event_t *ev);
static void ngx_http_kairos_feed_write_handler(ngx_event_t *wev);

static void ngx_http_kairos_feed_connect(ngx_http_kairos_feed_t *feed);
static ngx_connection_t *ngx_http_kairos_feed_socket(
    ngx_http_kairos_feed_t *feed);
static void ngx_http_kairos_feed_hello(ngx_http_kairos_feed_t *feed);
static void ngx_http_kairos_feed_ready(ngx_http_kairos_feed_t *feed);


static void
ngx_http_kairos_feed_timer_handler(ngx_event_t *ev)
{
    ngx_http_kairos_feed_t  *feed;

    feed = ev->data;

    if (feed->connection == NULL) {
        ngx_http_kairos_feed_connect(feed);
        return;
    }

    ngx_http_kairos_feed_drop(feed, "the handshake timed out", 0);
}


/*
 * The end of a turn in which something was queued or went wrong.
 */
static void
ngx_http_kairos_feed_turn_handler(ngx_event_t *ev)
{
    ngx_http_kairos_feed_t  *feed;

    feed = ev->data;

    if (feed->connection == NULL) {
        return;
    }

    if (feed->failure != NULL) {
        ngx_http_kairos_feed_drop(feed, feed->failure, 0);
        return;
    }

    ngx_http_kairos_feed_flush(feed);
}


/*
 * The connection is made, or there is room again.
 */
static void
ngx_http_kairos_feed_write_handler(ngx_event_t *wev)
{
    ngx_connection_t        *c;
    ngx_http_kairos_feed_t  *feed;

    c = wev->data;
    feed = c->data;

    if (!feed->open) {
        ngx_http_kairos_feed_hello(feed);
    }

    /* as in the turn's handler; the posted event then finds nothing to do */

    if (feed->failure != NULL) {
        ngx_http_kairos_feed_drop(feed, feed->failure, 0);
        return;
    }

    ngx_http_kairos_feed_flush(feed);
}


ngx_http_kairos_feed_t *
ngx_http_kairos_feed_create(ngx_pool_t *pool, ngx_http_kairos_hub_t *hub,
    ngx_addr_t *addr, const ngx_http_kairos_feed_handlers_t *handlers,
    const ngx_http_kairos_feed_params_t *params)
{
    ngx_http_kairos_feed_t  *feed;

    feed = ngx_pcalloc(pool, sizeof(ngx_http_kairos_feed_t));
    if (feed == NULL) {
        return NULL;
    }

    feed->hub = hub;
    feed->addr = addr;
    feed->handlers = handlers;
    feed->params = *params;
    feed->ident = -1;

    return feed;
}


ngx_int_t
ngx_http_kairos_feed_start(ngx_http_kairos_feed_t *feed, ngx_cycle_t *cycle)
{
    feed->log = cycle->log;
    feed->delay_msec = NGX_HTTP_KAIROS_FEED_DELAY_MIN;

    feed->timer.handler = ngx_http_kairos_feed_timer_handler;
    feed->timer.data = feed;
    feed->timer.log = feed->log;
    feed->timer.cancelable = 1;

    feed->turn.handler = ngx_http_kairos_feed_turn_handler;
    feed->turn.data = feed;
    feed->turn.log = feed->log;

    if (feed->handlers->start(feed) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_kairos_feed_connect(feed);

    return NGX_OK;
}


/*
 * Starts an attempt to connect; if it fails at once, arms the next one.
 */
static void
ngx_http_kairos_feed_connect(ngx_http_kairos_feed_t *feed)
{
    ngx_err_t          err;
    ngx_connection_t  *c;

    c = ngx_http_kairos_feed_socket(feed);
    if (c == NULL) {
        ngx_http_kairos_feed_drop(feed, "could not open a socket", 0);
        return;
    }

    feed->connection = c;

    if (connect(c->fd, feed->addr->sockaddr, feed->addr->socklen) == -1) {
        err = ngx_socket_errno;

        if (err != NGX_EINPROGRESS) {
            ngx_http_kairos_feed_drop(feed, "could not connect", err);
            return;
        }

    } else {
        c->write->ready = 1;
    }

    /* only after connect(): epoll reports a hang-up for a socket before it */

    if ((ngx_add_conn != NULL && ngx_add_conn(c) != NGX_OK)
        || (ngx_add_conn == NULL
            && (ngx_handle_read_event(c->read, 0) != NGX_OK
                || ngx_handle_write_event(c->write, 0) != NGX_OK)))
    {
        ngx_http_kairos_feed_drop(feed, "could not await the connection", 0);
        return;
    }

    ngx_add_timer(&feed->timer, NGX_HTTP_KAIROS_FEED_HANDSHAKE);

    if (c->write->ready) {
        ngx_http_kairos_feed_hello(feed);
    }
}


/*
 * A connection slot with a non-blocking socket in it, not connected and not
 * watched; NULL: the reason is logged.
 */
static ngx_connection_t *
ngx_http_kairos_feed_socket(ngx_http_kairos_feed_t *feed)
{
    ngx_socket_t       s;
    ngx_connection_t  *c;

    s = ngx_socket(feed->addr->sockaddr->sa_family, SOCK_STREAM, 0);
    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, feed->log, ngx_socket_errno,
                      ngx_socket_n " failed");
        return NULL;
    }

    c = ngx_get_connection(s, feed->log);
    if (c == NULL) {
        if (ngx_close_socket(s) == -1) {
            ngx_log_error(NGX_LOG_ALERT, feed->log, ngx_socket_errno,
                          ngx_close_socket_n " failed");
        }

        return NULL;
    }

    if (ngx_nonblocking(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, feed->log, ngx_socket_errno,
                      ngx_nonblocking_n " failed");
        ngx_close_connection(c);
        return NULL;
    }

    c->data = feed;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->log_error = NGX_ERROR_INFO;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);

    c->read->handler = ngx_http_kairos_feed_read_handler;
    c->write->handler = ngx_http_kairos_feed_write_handler;
    c->read->log = feed->log;
    c->write->log = feed->log;

    /* nginx does not wait for it when the worker ends */
    c->read->channel = 1;
    c->write->channel = 1;

    return c;
}


static void
ngx_http_kairos_feed_hello(ngx_http_kairos_feed_t *feed)
{
    kairos_feed_frame_t  f;

    ngx_memzero(&f, sizeof(kairos_feed_frame_t));

    f.type = KAIROS_FEED_HELLO;
    f.version = KAIROS_FEED_VERSION;
    f.pid = (uint32_t) ngx_pid;
    f.workers = (uint32_t) feed->params.workers;
    f.instance = feed->params.instance;
    f.zone.data = feed->params.zone.data;
    f.zone.len = feed->params.zone.len;

    feed->open = 1;

    if (ngx_http_kairos_feed_send(feed, &f) == NGX_OK) {
        ngx_http_kairos_feed_resume(feed);
    }
}


void
ngx_http_kairos_feed_resume(ngx_http_kairos_feed_t *feed)
{
    kairos_feed_frame_t  f;

    if (feed->handlers->resume(feed) == NGX_AGAIN) {
        return;
    }

    ngx_memzero(&f, sizeof(kairos_feed_frame_t));
    f.type = KAIROS_FEED_READY;

    if (ngx_http_kairos_feed_send(feed, &f) == NGX_OK) {
        feed->resumed = 1;
        ngx_http_kairos_feed_ready(feed);
    }
}


/*
 * READY is queued or WELCOME was read; with both the feed is up.
 */
static void
ngx_http_kairos_feed_ready(ngx_http_kairos_feed_t *feed)
{
    if (!feed->resumed || !feed->welcomed) {
        return;
    }

    feed->up = 1;
    feed->params.slot->counters->feeds++;
    feed->up_since_msec = ngx_current_msec;
    feed->down_logged = 0;
    feed->version_logged = 0;

    ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                  "connected to kairos-replicator at %V", &feed->addr->name);
}


const char *
ngx_http_kairos_feed_welcome(ngx_http_kairos_feed_t *feed,
    kairos_feed_frame_t *f)
{
    if (f->version != KAIROS_FEED_VERSION) {

        if (!feed->version_logged) {
            ngx_log_error(NGX_LOG_ERR, feed->log, 0,
                          "kairos-replicator at %V speaks version %uD of the "
                          "feed, this module version %d: upgrade the older",
                          &feed->addr->name, f->version, KAIROS_FEED_VERSION);
        }

        feed->down_logged = 1;
        feed->version_logged = 1;
        feed->delay_msec = NGX_HTTP_KAIROS_FEED_DELAY_MAX;

        return "versions differ";
    }

    if (feed->welcomed) {
        return "the peer sent WELCOME twice";
    }

    feed->welcomed = 1;

    if (feed->timer.timer_set) {
        ngx_del_timer(&feed->timer);
    }

    ngx_http_kairos_feed_ready(feed);

    return NULL;
}


void
ngx_http_kairos_feed_drop(ngx_http_kairos_feed_t *feed, const char *reason,
    ngx_err_t err)
{
    ngx_uint_t  level, open;

    level = feed->down_logged ? NGX_LOG_INFO : NGX_LOG_ERR;

    ngx_log_error(level, feed->log, err,
                  "no feed from kairos-replicator at %V: %s; queries are "
                  "refused until it is there, check that it runs and that "
                  "this worker may write to its socket",
                  &feed->addr->name, reason);

    feed->down_logged = 1;
    open = feed->open;

    if (feed->welcomed && feed->resumed) {
        feed->params.slot->counters->lost_feeds++;

        if ((ngx_msec_int_t) (ngx_current_msec - feed->up_since_msec)
            >= NGX_HTTP_KAIROS_FEED_STABLE)
        {
            feed->delay_msec = NGX_HTTP_KAIROS_FEED_DELAY_MIN;
        }
    }

    ngx_http_kairos_feed_stop(feed);

    /* spreads the attempts of workers that lost the same replicator */

    ngx_add_timer(&feed->timer,
                  feed->delay_msec
                  + (ngx_msec_t) ngx_random() % (feed->delay_msec / 2));

    feed->delay_msec = ngx_min(feed->delay_msec * 2,
                               NGX_HTTP_KAIROS_FEED_DELAY_MAX);

    if (open) {
        feed->handlers->down(feed);
    }
}


void
ngx_http_kairos_feed_stop(ngx_http_kairos_feed_t *feed)
{
    if (feed->up) {
        feed->up = 0;
        feed->params.slot->counters->feeds--;
    }

    feed->open = 0;
    feed->welcomed = 0;
    feed->resumed = 0;
    feed->failure = NULL;

    if (feed->timer.timer_set) {
        ngx_del_timer(&feed->timer);
    }

    if (feed->turn.posted) {
        ngx_delete_posted_event(&feed->turn);
    }

    if (feed->connection != NULL) {
        ngx_close_connection(feed->connection);
        feed->connection = NULL;
    }

    feed->in.pos = feed->in.last;
    feed->out.pos = feed->out.last;

    ngx_http_kairos_buf_release(&feed->in, 0);
    ngx_http_kairos_buf_release(&feed->out, 0);
}
