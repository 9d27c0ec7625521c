/*
 * What comes from a socket's client: bytes to frames, frames to messages.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_session.h"


/*
 * Messages and reads of one socket in one turn of the event loop; who sends
 * more waits until the others had their turn.
 */
#define NGX_HTTP_KAIROS_BUDGET  64


static void ngx_http_kairos_session_input(ngx_http_kairos_session_t *ks,
    u_char **pos, u_char *last, ngx_uint_t *budget);
static void ngx_http_kairos_session_data(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev);
static void ngx_http_kairos_session_control(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev);
static void ngx_http_kairos_session_pong(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev);


ngx_int_t
ngx_http_kairos_session_read(ngx_http_kairos_session_t *ks)
{
    u_char            *pos, *last;
    ssize_t            n;
    ngx_uint_t         budget;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ks->connection;
    rev = c->read;
    budget = NGX_HTTP_KAIROS_BUDGET;

    ngx_http_kairos_session_input(ks, &ks->input.pos, ks->input.last, &budget);

    if (ngx_http_kairos_buf_used(&ks->input)) {
        ngx_post_event(rev, &ngx_posted_next_events);
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

        ks->active = ngx_current_msec;

        pos = ks->sessions->buffer;
        last = pos + n;

        ngx_http_kairos_session_input(ks, &pos, last, &budget);

        if (ngx_http_kairos_session_feed_input(ks, pos, last - pos, c->log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        budget -= (budget != 0);

    } while (budget != 0);

    ngx_post_event(rev, &ngx_posted_next_events);

    return NGX_OK;
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
            ks->deaf = 1;
            ngx_http_kairos_session_close(ks, ev.code, ev.reason);
            ngx_http_kairos_session_mark(ks);
            break;
        }

        --*budget;
    }
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
                                    ks->connection->log)
        != NGX_OK)
    {
        ngx_http_kairos_session_close(ks, NGX_HTTP_KAIROS_WS_INTERNAL,
                                      "out of memory");
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
                       ks->connection->log);
    if (msg == NULL) {
        return;
    }

    p = ngx_http_kairos_ws_header(msg->data, NGX_HTTP_KAIROS_WS_PONG, ev->len);
    ngx_memcpy(p, ev->data, ev->len);

    ngx_http_kairos_session_send(ks, msg);
    ngx_http_kairos_msg_release(msg);
}
