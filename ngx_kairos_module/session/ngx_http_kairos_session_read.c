/*
 * What comes from a socket's client: bytes to frames, frames to messages.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_session_private.h"


/*
 * Messages and reads of one socket in one turn of the event loop; who sends
 * more waits until the others had their turn.
 */
#define NGX_HTTP_KAIROS_BUDGET  64

/* seconds of kairos_message_rate that a socket may send at once */
#define NGX_HTTP_KAIROS_BURST   2

/* what a message takes of the bucket: see _session_rate() */
#define NGX_HTTP_KAIROS_COST    1000

/* milliseconds between two looks at a backlogged ring */
#define NGX_HTTP_KAIROS_RING_PAUSE    5


static void ngx_http_kairos_session_go_on(ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_session_input(ngx_http_kairos_session_t *ks,
    u_char **pos, u_char *last, ngx_uint_t *budget);
static ngx_uint_t ngx_http_kairos_session_pause(
    ngx_http_kairos_session_t *ks);
static ngx_msec_t ngx_http_kairos_session_rate(ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_session_spend(ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_session_data(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev);
static void ngx_http_kairos_session_control(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev);
static void ngx_http_kairos_session_pong(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev);


void
ngx_http_kairos_session_await_ring(ngx_http_kairos_session_t *ks)
{
    ks->awaits_ring = 1;
}


ngx_int_t
ngx_http_kairos_session_read(ngx_http_kairos_session_t *ks)
{
    u_char            *pos, *last;
    ssize_t            n;
    ngx_uint_t         budget;
    ngx_connection_t  *c;

    if (ks->paused) {
        return NGX_OK;
    }

    c = ks->connection;
    budget = NGX_HTTP_KAIROS_BUDGET;

    ngx_http_kairos_session_input(ks, &ks->input.pos, ks->input.last, &budget);

    if (ngx_http_kairos_buf_used(&ks->input)) {
        ngx_http_kairos_session_go_on(ks);
        return NGX_OK;
    }

    ngx_http_kairos_buf_release(&ks->input, 0);

    do {
        n = c->recv(c, ks->sessions->buffer, NGX_HTTP_KAIROS_READ_BUFFER);

        if (n == NGX_AGAIN) {
            return NGX_OK;
        }

        if (n == 0 && ks->peer_closed) {
            /* it may still wait for our close frame */
            return NGX_OK;
        }

        if (n == NGX_ERROR || n == 0) {
            return NGX_ERROR;
        }

        ks->active_msec = ngx_current_msec;
        ks->slot->counters->bytes_in += n;

        pos = ks->sessions->buffer;
        last = pos + n;

        ngx_http_kairos_session_input(ks, &pos, last, &budget);

        if (ngx_http_kairos_session_feed_input(ks, pos, last - pos)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        budget -= (budget != 0);

    } while (budget != 0 && !ks->paused);

    ngx_http_kairos_session_go_on(ks);

    return NGX_OK;
}


/*
 * There is more; who is paused waits for the timer instead.
 */
static void
ngx_http_kairos_session_go_on(ngx_http_kairos_session_t *ks)
{
    if (!ks->paused) {
        ngx_post_event(ks->connection->read, &ngx_posted_next_events);
    }
}


static void
ngx_http_kairos_session_input(ngx_http_kairos_session_t *ks, u_char **pos,
    u_char *last, ngx_uint_t *budget)
{
    ngx_http_kairos_ws_event_t  ev;

    while (*pos < last && *budget != 0) {

        if (ks->deaf) {
            *pos = last;
            return;
        }

        if (ngx_http_kairos_session_pause(ks)) {
            return;
        }

        ngx_http_kairos_ws_read(&ks->reader, pos, last, &ev);

        switch (ev.type) {

        case NGX_HTTP_KAIROS_WS_MORE:
            return;

        case NGX_HTTP_KAIROS_WS_DATA:
            ngx_http_kairos_session_data(ks, &ev);
            break;

        case NGX_HTTP_KAIROS_WS_CTRL:
            ngx_http_kairos_session_control(ks, &ev);
            break;

        default: /* NGX_HTTP_KAIROS_WS_FAIL */
            if (ev.code == NGX_HTTP_KAIROS_WS_TOO_BIG && !ks->ending) {
                ks->slot->counters->too_large++;
            }

            ks->deaf = 1;
            ngx_http_kairos_session_close(ks, ev.code, ev.reason);
            ngx_http_kairos_session_mark(ks);
            break;
        }

        --*budget;
    }
}


/*
 * A socket that has used up its kairos_message_rate, or is held, is read no
 * further, so that its client finds the connection full, until the timer
 * resumes it.
 */
static ngx_uint_t
ngx_http_kairos_session_pause(ngx_http_kairos_session_t *ks)
{
    if (ks->ending || ngx_http_kairos_session_wait(ks) == 0) {
        return 0;
    }

    ks->paused = 1;

    if (ks->awaits_ring) {
        ks->slot->counters->held++;

    } else {
        ks->slot->counters->paused++;
    }

    if (!ks->awaits_ring && !ks->rate_logged) {
        ks->rate_logged = 1;

        ngx_log_error(NGX_LOG_INFO, ks->log, 0,
                      "kairos holds up socket %uL, which sends more than "
                      "kairos_message_rate %ui allows",
                      ks->id, ks->limits->message_rate);
    }

    ngx_http_kairos_session_arm(ks);

    return 1;
}


ngx_msec_t
ngx_http_kairos_session_wait(ngx_http_kairos_session_t *ks)
{
    if (ks->awaits_ring) {

        if (ngx_http_kairos_slot_backlogged(ks->slot)) {
            return NGX_HTTP_KAIROS_RING_PAUSE;
        }

        ks->awaits_ring = 0;
    }

    return ngx_http_kairos_session_rate(ks);
}


/*
 * The bucket is counted in thousandths of messages: as many flow in within a
 * millisecond as messages are allowed in a second.
 */
static ngx_msec_t
ngx_http_kairos_session_rate(ngx_http_kairos_session_t *ks)
{
    uint32_t  now;
    uint64_t  rate, credit, most;

    rate = ks->limits->message_rate;

    if (rate == 0) {
        return 0;
    }

    now = (uint32_t) ngx_current_msec;

    credit = ks->credit + (uint32_t) (now - ks->credited_msec) * rate;
    most = rate * NGX_HTTP_KAIROS_BURST * NGX_HTTP_KAIROS_COST;

    ks->credit = (uint32_t) ngx_min(credit, most);
    ks->credited_msec = now;

    if (ks->credit >= NGX_HTTP_KAIROS_COST) {
        return 0;
    }

    return (NGX_HTTP_KAIROS_COST - ks->credit + rate - 1) / rate;
}


static void
ngx_http_kairos_session_spend(ngx_http_kairos_session_t *ks)
{
    ks->credit -= ngx_min(ks->credit, NGX_HTTP_KAIROS_COST);
}


void
ngx_http_kairos_session_resume(ngx_http_kairos_session_t *ks)
{
    if (ngx_http_kairos_session_wait(ks) == 0) {
        ks->paused = 0;

        /* who was not read was not idle */
        ks->active_msec = ngx_current_msec;

        ngx_post_event(ks->connection->read, &ngx_posted_events);
    }

    ngx_http_kairos_session_arm(ks);
}


static void
ngx_http_kairos_session_data(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev)
{
    size_t                  size;
    ngx_uint_t              binary;
    ngx_http_kairos_buf_t  *b;

    if (ks->ending) {
        return;
    }

    b = &ks->partial;
    binary = (ev->opcode == NGX_HTTP_KAIROS_WS_BINARY);

    if (ev->last) {
        ks->slot->counters->messages_in++;
        ngx_http_kairos_session_spend(ks);
    }

    /* a message that came whole is not copied */

    if (ev->last && ngx_http_kairos_buf_used(b) == 0) {
        ks->handlers->message(ks, binary, ev->data, ev->len);
        return;
    }

    size = ev->len;

    if (size == 0 && !ev->last) {
        return;
    }

    if (ngx_http_kairos_buf_reserve(b, size, ks->limits->message_size,
                                    ks->log)
        != NGX_OK)
    {
        ngx_http_kairos_session_fail(ks);
        return;
    }

    b->last = ngx_cpymem(b->last, ev->data, size);

    if (ev->last) {
        ks->handlers->message(ks, binary, b->pos,
                              ngx_http_kairos_buf_used(b));
        b->pos = b->last;
        ngx_http_kairos_buf_release(b, 0);
    }
}


static void
ngx_http_kairos_session_control(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev)
{
    switch (ev->opcode) {

    case NGX_HTTP_KAIROS_WS_PING:
        ngx_http_kairos_session_spend(ks);
        ngx_http_kairos_session_pong(ks, ev);
        break;

    case NGX_HTTP_KAIROS_WS_CLOSE:
        ks->deaf = 1;
        ks->peer_closed = 1;

        /* the answer, or the answer to ours */
        ngx_http_kairos_session_close(ks, ev->code, NULL);
        ngx_http_kairos_session_mark(ks);
        break;

    default: /* NGX_HTTP_KAIROS_WS_PONG */
        break;
    }
}


static void
ngx_http_kairos_session_pong(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev)
{
    u_char                 *p;
    ngx_http_kairos_msg_t  *msg;

    msg = ngx_http_kairos_msg_alloc(
                       ngx_http_kairos_ws_header_size(ev->len) + ev->len,
                       ks->log);
    if (msg == NULL) {
        ngx_http_kairos_session_fail(ks);
        return;
    }

    p = ngx_http_kairos_ws_header(msg->data, NGX_HTTP_KAIROS_WS_PONG, ev->len);
    ngx_memcpy(p, ev->data, ev->len);

    ngx_http_kairos_session_send(ks, msg);
    ngx_http_kairos_msg_release(msg);
}
