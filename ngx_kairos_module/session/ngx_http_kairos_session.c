/*
 * A session's life.
 *
 * The session is open until ngx_http_kairos_session_close(), then it is
 * ending: at the end of that turn of the event loop handlers->gone() is called
 * and the transport queues its close.  From then on input is read for the
 * peer's close alone, until that has come, or the connection has ended, or
 * NGX_HTTP_KAIROS_LINGER has passed.  Memory is released in one place, at the
 * end of a turn.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "ngx_http_kairos_session_private.h"


/* milliseconds that the peer has for its close frame */
#define NGX_HTTP_KAIROS_LINGER  5000


static void ngx_http_kairos_session_read_handler(ngx_event_t *rev);
static void ngx_http_kairos_session_write_handler(ngx_event_t *wev);
static void ngx_http_kairos_session_turn_handler(ngx_event_t *ev);
static u_char *ngx_http_kairos_session_log_handler(ngx_log_t *log,
    u_char *buf, size_t len);

static void ngx_http_kairos_session_shutdown(
    ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_session_goodbye(ngx_http_kairos_session_t *ks,
    ngx_uint_t code, const char *reason);
static void ngx_http_kairos_session_timed_out(ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_session_silent(ngx_http_kairos_session_t *ks);
static ngx_uint_t ngx_http_kairos_session_unread(
    ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_session_turn(ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_session_end(ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_session_shut(ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_session_free(ngx_http_kairos_session_t *ks);


static void
ngx_http_kairos_session_read_handler(ngx_event_t *rev)
{
    ngx_connection_t           *c;
    ngx_http_kairos_session_t  *ks;

    c = rev->data;
    ks = c->data;

    if (c->close) {
        c->close = 0;
        ngx_http_kairos_session_shutdown(ks);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_http_kairos_session_timed_out(ks);
        return;
    }

    if (ks->lost) {
        return;
    }

    c->log->action = "reading from the client";

    if (ks->paused) {
        ngx_http_kairos_session_abandon(ks);
    }

    if ((!ks->paused && ks->transport->read(ks) != NGX_OK)
        || ngx_handle_read_event(rev, rev->eof ? NGX_CLOSE_EVENT : 0)
           != NGX_OK)
    {
        ngx_http_kairos_session_lose(ks);
    }
}


static void
ngx_http_kairos_session_write_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    ngx_http_kairos_session_mark(c->data);
}


/*
 * The end of a turn of the event loop: each marked session is flushed once.  A
 * session that is marked meanwhile is flushed by another call.
 */
static void
ngx_http_kairos_session_turn_handler(ngx_event_t *ev)
{
    ngx_queue_t                  dirty, *q;
    ngx_http_kairos_sessions_t  *sessions;

    sessions = ev->data;

    ngx_queue_init(&dirty);
    ngx_queue_add(&dirty, &sessions->dirty);
    ngx_queue_init(&sessions->dirty);

    while (!ngx_queue_empty(&dirty)) {
        q = ngx_queue_head(&dirty);

        ngx_queue_remove(q);
        ngx_queue_init(q);

        ngx_http_kairos_session_turn(
                      ngx_queue_data(q, ngx_http_kairos_session_t, dirty));
    }
}


static u_char *
ngx_http_kairos_session_log_handler(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char            *p;
    ngx_connection_t  *c;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    /* not the session, which the connection may outlive */

    c = log->data;

    return ngx_snprintf(buf, len, ", client: %V, server: %V",
                        &c->addr_text, &c->listening->addr_text);
}


ngx_int_t
ngx_http_kairos_sessions_init(ngx_http_kairos_sessions_t *sessions,
    ngx_cycle_t *cycle)
{
    ngx_memzero(sessions, sizeof(ngx_http_kairos_sessions_t));

    sessions->buffer = ngx_palloc(cycle->pool, NGX_HTTP_KAIROS_READ_BUFFER);
    if (sessions->buffer == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_init(&sessions->dirty);

    sessions->log = cycle->log;
    sessions->turn.handler = ngx_http_kairos_session_turn_handler;
    sessions->turn.data = sessions;
    sessions->turn.log = cycle->log;

    return NGX_OK;
}


void
ngx_http_kairos_sessions_goodbye(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_connection_t           *c;
    ngx_http_kairos_session_t  *ks;

    for (i = 0; i < cycle->connection_n; i++) {
        c = &cycle->connections[i];

        if (c->fd == (ngx_socket_t) -1
            || c->read == NULL
            || c->read->handler != ngx_http_kairos_session_read_handler)
        {
            continue;
        }

        ks = c->data;

        ngx_http_kairos_session_goodbye(ks, NGX_HTTP_KAIROS_CLOSE_GOING_AWAY,
                                        "the server stops, connect again");

        /* else nginx logs an open socket, if the worker was shutting down */
        ks->lost = 1;
        ngx_http_kairos_session_turn(ks);
    }
}


ngx_http_kairos_session_t *
ngx_http_kairos_session_create(ngx_http_kairos_sessions_t *sessions,
    ngx_http_kairos_slot_t *slot, const ngx_http_kairos_limits_t *limits,
    const ngx_http_kairos_transport_t *transport,
    const ngx_http_kairos_session_handlers_t *handlers, ngx_log_t *log)
{
    ngx_http_kairos_session_t  *ks;

    ks = ngx_calloc(transport->size, log);
    if (ks == NULL) {
        return NULL;
    }

    ks->id = ++sessions->last_id;
    ks->sessions = sessions;
    ks->slot = slot;
    ks->limits = limits;
    ks->handlers = handlers;
    ks->transport = transport;
    ks->log = log;

    /* the bucket is full: _session_rate() cuts it down when it reads it */
    ks->credit = NGX_MAX_UINT32_VALUE;

    ngx_queue_init(&ks->dirty);

    sessions->nsessions++;

    transport->open(ks);

    return ks;
}


ngx_http_kairos_admission_e
ngx_http_kairos_session_admit(ngx_http_kairos_session_t *ks, uint64_t address,
    uint64_t user)
{
    ngx_http_kairos_admission_e  rc;

    rc = ngx_http_kairos_slot_admit(ks->slot, &ks->limits->quota, address,
                                    user, &ks->reservation, ks->log);

    ks->admitted = (rc == NGX_HTTP_KAIROS_ADMITTED);

    return rc;
}


void
ngx_http_kairos_session_discard(ngx_http_kairos_session_t *ks)
{
    if (ks->admitted) {
        ngx_http_kairos_slot_leave(ks->slot, &ks->reservation);
    }

    ngx_http_kairos_session_drop(ks, 1);

    if (!ngx_queue_empty(&ks->dirty)) {
        ngx_queue_remove(&ks->dirty);
    }

    if (ks->queue != NULL) {
        ngx_free(ks->queue);
    }

    if (ks->input.start != NULL) {
        ngx_free(ks->input.start);
    }

    ks->transport->free(ks);

    ks->sessions->nsessions--;

    ngx_free(ks);
}


ngx_int_t
ngx_http_kairos_session_feed_input(ngx_http_kairos_session_t *ks,
    u_char *data, size_t len)
{
    if (len == 0) {
        return NGX_OK;
    }

    /* bounded by what was read at once */

    if (ngx_http_kairos_buf_reserve(&ks->input, len, NGX_MAX_SIZE_T_VALUE,
                                    ks->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ks->input.last = ngx_cpymem(ks->input.last, data, len);

    return NGX_OK;
}


void
ngx_http_kairos_session_expire(ngx_http_kairos_session_t *ks, time_t expires)
{
    ks->expires = expires;

    if (ks->connection != NULL && !ks->ending) {
        ngx_http_kairos_session_arm(ks);
    }
}


void
ngx_http_kairos_session_start(ngx_http_kairos_session_t *ks,
    ngx_connection_t *c)
{
    ks->connection = c;
    ks->log = c->log;
    ks->active_msec = ngx_current_msec;

    c->data = ks;
    c->log->handler = ngx_http_kairos_session_log_handler;
    c->log->data = c;
    c->log->action = NULL;

    c->read->handler = ngx_http_kairos_session_read_handler;
    c->write->handler = ngx_http_kairos_session_write_handler;

    /* nginx calls the read handler of idle connections at a shutdown */
    c->idle = 1;

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "kairos opened socket %uL", ks->id);

    if (ngx_exiting) {
        ngx_http_kairos_session_shutdown(ks);

    } else {
        ngx_http_kairos_session_arm(ks);
    }

    if (c->read->ready || ngx_http_kairos_buf_used(&ks->input)) {
        ngx_post_event(c->read, &ngx_posted_events);
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_kairos_session_lose(ks);
    }
}


void
ngx_http_kairos_session_close(ngx_http_kairos_session_t *ks, ngx_uint_t code,
    const char *reason)
{
    if (ks->ending) {
        return;
    }

    ks->ending = 1;
    ks->code = (uint16_t) code;
    ks->reason = reason;

    ngx_log_error(NGX_LOG_INFO, ks->log, 0,
                  "kairos closes socket %uL with code %ui: %s", ks->id, code,
                  reason ? reason : "the client said so");

    ngx_http_kairos_session_mark(ks);
}


void
ngx_http_kairos_session_lose(ngx_http_kairos_session_t *ks)
{
    if (ks->lost) {
        return;
    }

    ks->lost = 1;

    if (!ks->ending) {
        ks->ending = 1;

        ngx_log_error(NGX_LOG_INFO, ks->log, 0,
                      "kairos lost socket %uL", ks->id);
    }

    ngx_http_kairos_session_mark(ks);
}


/*
 * The worker shuts down.  With c->error worker_shutdown_timeout has passed:
 * the session ends at once.  Else the session ends within kairos_drain, at a
 * random time, so that not all clients come back in the same moment.
 */
static void
ngx_http_kairos_session_shutdown(ngx_http_kairos_session_t *ks)
{
    if (ks->connection->error) {
        ngx_http_kairos_session_goodbye(ks, NGX_HTTP_KAIROS_CLOSE_RESTART,
                                        "the server restarts, connect again");
        ngx_http_kairos_session_lose(ks);
        return;
    }

    if (ks->draining) {
        return;
    }

    ks->draining = 1;
    ks->drain_at_msec = ngx_current_msec;

    if (ks->limits->drain) {
        ks->drain_at_msec += (ngx_msec_t) ngx_random() % ks->limits->drain;
    }

    if (!ks->ending) {
        ngx_http_kairos_session_arm(ks);
    }
}


/*
 * Sends the transport's close, if it is not on its way, with what else the
 * kernel takes at once: for a caller that cannot wait.  Calls no handler.
 */
static void
ngx_http_kairos_session_goodbye(ngx_http_kairos_session_t *ks,
    ngx_uint_t code, const char *reason)
{
    if (ks->lost || ks->shut) {
        return;
    }

    ngx_http_kairos_session_close(ks, code, reason);

    if (!ks->gone && ks->transport->close(ks) != NGX_OK) {
        return;
    }

    (void) ks->transport->flush(ks);
}


static void
ngx_http_kairos_session_timed_out(ngx_http_kairos_session_t *ks)
{
    ngx_msec_t  now;

    now = ngx_current_msec;

    if (ks->ending) {
        ngx_http_kairos_session_lose(ks);
        return;
    }

    if (ks->draining && (ngx_msec_int_t) (ks->drain_at_msec - now) <= 0) {
        ngx_http_kairos_session_close(ks, NGX_HTTP_KAIROS_CLOSE_RESTART,
                                      "the server restarts, connect again");
        return;
    }

    if (ks->expires && ngx_time() >= ks->expires) {
        ks->handlers->expired(ks);
        return;
    }

    if (ks->paused) {
        ngx_http_kairos_session_resume(ks);
        return;
    }

    ngx_http_kairos_session_silent(ks);
}


void
ngx_http_kairos_session_heard(ngx_http_kairos_session_t *ks, size_t len)
{
    ks->active_msec = ngx_current_msec;
    ks->pinged = 0;
    ks->slot->counters->bytes_in += len;
}


/*
 * Closes the session if no byte has come for idle_timeout, and pings its
 * client once after half of that time.
 */
static void
ngx_http_kairos_session_silent(ngx_http_kairos_session_t *ks)
{
    ngx_msec_t  silence, limit;

    limit = ks->limits->idle_timeout;
    silence = ngx_current_msec - ks->active_msec;

    if (silence >= limit / 2 && !ks->pinged) {
        ks->pinged = 1;
        ks->transport->ping(ks);

    } else if (silence >= limit) {

        if (!ngx_http_kairos_session_unread(ks)) {
            ks->slot->counters->idle++;
            ngx_http_kairos_session_close(ks, NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                          "idle for too long");
            return;
        }

        ngx_http_kairos_session_heard(ks, 0);
    }

    ngx_http_kairos_session_arm(ks);
}


/*
 * Returns 1 if the kernel has bytes of the client that the worker did not read
 * yet, else 0.  The worker may have been stopped or busy, and nginx calls the
 * handlers of timers before those of all sockets that can be read.
 */
static ngx_uint_t
ngx_http_kairos_session_unread(ngx_http_kairos_session_t *ks)
{
#if (NGX_HAVE_FIONREAD)
    int  n;

    n = 0;

    return ngx_socket_nread(ks->connection->fd, &n) != -1 && n > 0;
#else
    return 0;
#endif
}


/*
 * Sets the timer to the earliest of the session's times.  Input does not move
 * the timer, only active_msec, which the timer's handler reads.  The time of a
 * paused session's silence does not run, because the session is not read.
 */
void
ngx_http_kairos_session_arm(ngx_http_kairos_session_t *ks)
{
    time_t           seconds;
    ngx_time_t      *tp;
    ngx_event_t     *rev;
    ngx_msec_t       silence;
    ngx_msec_int_t   left, drain;

    if (ks->paused) {
        left = (ngx_msec_int_t) ngx_http_kairos_session_wait(ks);

    } else {
        silence = ks->limits->idle_timeout;

        if (!ks->pinged) {
            silence /= 2;
        }

        left = (ngx_msec_int_t) (ks->active_msec + silence - ngx_current_msec);
    }

    if (ks->draining) {
        drain = (ngx_msec_int_t) (ks->drain_at_msec - ngx_current_msec);
        left = ngx_min(left, drain);
    }

    if (ks->expires) {
        tp = ngx_timeofday();
        seconds = ks->expires - tp->sec;

        /* a token may live for more milliseconds than an integer holds */

        if (seconds <= left / 1000) {
            left = (ngx_msec_int_t) seconds * 1000 - tp->msec;
        }
    }

    rev = ks->connection->read;

    /* else nginx does not move it by less than 300 ms */

    /*
     * else nginx keeps the old time if the two differ by less than 300 ms
     */

    if (ks->paused && rev->timer_set) {
        ngx_del_timer(rev);
    }

    ngx_add_timer(rev, (ngx_msec_t) ngx_max(left, 1));
}


static void
ngx_http_kairos_session_turn(ngx_http_kairos_session_t *ks)
{
    ngx_int_t  rc;

    if (ks->ending && !ks->gone) {
        ngx_http_kairos_session_end(ks);
    }

    if (ks->lost) {
        ngx_http_kairos_session_free(ks);
        return;
    }

    ks->log->action = "sending to the client";

    rc = ks->transport->flush(ks);

    if (rc == NGX_ERROR) {
        ngx_http_kairos_session_lose(ks);
        return;
    }

    if (!ks->ending || rc == NGX_AGAIN) {
        return;
    }

    if (ks->peer_closed) {
        ngx_http_kairos_session_free(ks);
        return;
    }

    if (ks->deaf) {
        ngx_http_kairos_session_shut(ks);
    }
}


/*
 * Calls handlers->gone(), then queues the transport's close behind what is
 * queued.
 */
static void
ngx_http_kairos_session_end(ngx_http_kairos_session_t *ks)
{
    ngx_event_t  *rev;

    ks->gone = 1;
    ks->handlers->gone(ks);

    if (ks->lost) {
        return;
    }

    /* a client that does not read would make the close wait */

    if (ks->code == NGX_HTTP_KAIROS_CLOSE_OVERLOAD) {
        ngx_http_kairos_session_drop(ks, 0);
    }

    if (ks->transport->close(ks) != NGX_OK) {
        ks->lost = 1;
        return;
    }

    rev = ks->connection->read;

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    ngx_add_timer(rev, NGX_HTTP_KAIROS_LINGER);

    /* the peer's close is behind what was not read */

    if (ks->paused) {
        ks->paused = 0;
        ngx_post_event(rev, &ngx_posted_events);
    }
}


/*
 * The close is sent, and nothing of what the peer still sends can be
 * understood.  Half-closes the connection, so that the peer sees the end of
 * our stream and ends its own.
 */
static void
ngx_http_kairos_session_shut(ngx_http_kairos_session_t *ks)
{
    ngx_connection_t  *c;

    if (ks->shut) {
        return;
    }

    ks->shut = 1;
    c = ks->connection;

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        ngx_connection_error(c, ngx_socket_errno,
                             ngx_shutdown_socket_n " failed");
        ngx_http_kairos_session_lose(ks);
        return;
    }

#if (NGX_SSL)
    if (c->ssl != NULL) {
        c->ssl->no_send_shutdown = 1;
    }
#endif
}


static void
ngx_http_kairos_session_free(ngx_http_kairos_session_t *ks)
{
    ngx_connection_t  *c;

    c = ks->connection;

    c->log->action = "closing the connection";
    c->idle = 0;
    c->error |= ks->lost;

    ngx_http_kairos_session_discard(ks);

    /* TLS may keep the connection for a while, with handlers of its own */
    c->data = NULL;

    ngx_http_close_connection(c);
}
