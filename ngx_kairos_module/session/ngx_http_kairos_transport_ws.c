/*
 * WebSocket as a transport: bytes to frames, frames to messages, and the close
 * frame.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_session_private.h"
#include "ngx_http_kairos_ws.h"


/*
 * Messages and reads of one session in one turn of the event loop; a client
 * that sends more waits until the others had their turn.
 */
#define NGX_HTTP_KAIROS_BUDGET  64


typedef struct {
    ngx_http_kairos_session_t     session;   /* the first member */
    ngx_http_kairos_ws_reader_t   reader;
    ngx_http_kairos_buf_t         partial;   /* the start of a message */
} ngx_http_kairos_transport_ws_t;


static void ngx_http_kairos_transport_ws_open(ngx_http_kairos_session_t *ks);
static ngx_int_t ngx_http_kairos_transport_ws_read(
    ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_transport_ws_ping(ngx_http_kairos_session_t *ks);
static ngx_int_t ngx_http_kairos_transport_ws_close(
    ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_transport_ws_free(ngx_http_kairos_session_t *ks);

static void ngx_http_kairos_transport_ws_go_on(ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_transport_ws_input(ngx_http_kairos_session_t *ks,
    u_char **pos, u_char *last, ngx_uint_t *budget);
static void ngx_http_kairos_transport_ws_data(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev);
static void ngx_http_kairos_transport_ws_control(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev);
static void ngx_http_kairos_transport_ws_send_control(
    ngx_http_kairos_session_t *ks, ngx_uint_t opcode, u_char *data,
    size_t len);


const ngx_http_kairos_transport_t  ngx_http_kairos_transport_ws = {
    sizeof(ngx_http_kairos_transport_ws_t),
    ngx_http_kairos_transport_ws_open,
    ngx_http_kairos_transport_ws_read,
    ngx_http_kairos_session_write_queue,
    ngx_http_kairos_transport_ws_ping,
    ngx_http_kairos_transport_ws_close,
    ngx_http_kairos_transport_ws_free
};


static void
ngx_http_kairos_transport_ws_open(ngx_http_kairos_session_t *ks)
{
    ngx_http_kairos_transport_ws_t  *ws;

    ws = (ngx_http_kairos_transport_ws_t *) ks;

    ws->reader.max_message = ks->limits->message_size;
}


static ngx_int_t
ngx_http_kairos_transport_ws_read(ngx_http_kairos_session_t *ks)
{
    u_char            *pos, *last;
    ssize_t            n;
    ngx_uint_t         budget;
    ngx_connection_t  *c;

    c = ks->connection;
    budget = NGX_HTTP_KAIROS_BUDGET;

    ngx_http_kairos_transport_ws_input(ks, &ks->input.pos, ks->input.last,
                                       &budget);

    if (ngx_http_kairos_buf_used(&ks->input)) {
        ngx_http_kairos_transport_ws_go_on(ks);
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

        ngx_http_kairos_session_heard(ks, n);

        pos = ks->sessions->buffer;
        last = pos + n;

        ngx_http_kairos_transport_ws_input(ks, &pos, last, &budget);

        if (ngx_http_kairos_session_feed_input(ks, pos, last - pos)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        budget -= (budget != 0);

    } while (budget != 0 && !ks->paused);

    ngx_http_kairos_transport_ws_go_on(ks);

    return NGX_OK;
}


static void
ngx_http_kairos_transport_ws_ping(ngx_http_kairos_session_t *ks)
{
    ngx_http_kairos_transport_ws_send_control(ks, NGX_HTTP_KAIROS_WS_PING,
                                              NULL, 0);
}


static ngx_int_t
ngx_http_kairos_transport_ws_close(ngx_http_kairos_session_t *ks)
{
    u_char                 *last;
    ngx_int_t               rc;
    ngx_str_t               reason;
    ngx_http_kairos_msg_t  *msg;

    msg = ngx_http_kairos_msg_alloc(2 + NGX_HTTP_KAIROS_WS_MAX_CONTROL,
                                    ks->log);
    if (msg == NULL) {
        return NGX_ERROR;
    }

    reason.data = (u_char *) (ks->reason ? ks->reason : "");
    reason.len = ngx_strlen(reason.data);

    last = ngx_http_kairos_ws_close_frame(msg->data, ks->code, &reason);
    msg->len = last - msg->data;

    rc = ngx_http_kairos_session_queue(ks, msg);
    ngx_http_kairos_msg_release(msg);

    return rc;
}


static void
ngx_http_kairos_transport_ws_free(ngx_http_kairos_session_t *ks)
{
    ngx_http_kairos_transport_ws_t  *ws;

    ws = (ngx_http_kairos_transport_ws_t *) ks;

    if (ws->partial.start != NULL) {
        ngx_free(ws->partial.start);
    }
}


/*
 * There is more to read; a paused session waits for its timer instead.
 */
static void
ngx_http_kairos_transport_ws_go_on(ngx_http_kairos_session_t *ks)
{
    if (!ks->paused) {
        ngx_post_event(ks->connection->read, &ngx_posted_next_events);
    }
}


static void
ngx_http_kairos_transport_ws_input(ngx_http_kairos_session_t *ks, u_char **pos,
    u_char *last, ngx_uint_t *budget)
{
    ngx_http_kairos_ws_event_t       ev;
    ngx_http_kairos_transport_ws_t  *ws;

    ws = (ngx_http_kairos_transport_ws_t *) ks;

    while (*pos < last && *budget != 0) {

        if (ks->deaf) {
            *pos = last;
            return;
        }

        if (ngx_http_kairos_session_pause(ks)) {
            return;
        }

        ngx_http_kairos_ws_read(&ws->reader, pos, last, &ev);

        switch (ev.type) {

        case NGX_HTTP_KAIROS_WS_MORE:
            return;

        case NGX_HTTP_KAIROS_WS_DATA:
            ngx_http_kairos_transport_ws_data(ks, &ev);
            break;

        case NGX_HTTP_KAIROS_WS_CTRL:
            ngx_http_kairos_transport_ws_control(ks, &ev);
            break;

        default: /* NGX_HTTP_KAIROS_WS_FAIL */
            if (ev.code == NGX_HTTP_KAIROS_CLOSE_TOO_BIG && !ks->ending) {
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


static void
ngx_http_kairos_transport_ws_data(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev)
{
    size_t                  size;
    ngx_uint_t              binary;
    ngx_http_kairos_buf_t  *b;

    if (ks->ending) {
        return;
    }

    b = &((ngx_http_kairos_transport_ws_t *) ks)->partial;
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
ngx_http_kairos_transport_ws_control(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_ws_event_t *ev)
{
    switch (ev->opcode) {

    case NGX_HTTP_KAIROS_WS_PING:
        ngx_http_kairos_session_spend(ks);
        ngx_http_kairos_transport_ws_send_control(ks,
                                                  NGX_HTTP_KAIROS_WS_PONG,
                                                  ev->data, ev->len);
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
ngx_http_kairos_transport_ws_send_control(ngx_http_kairos_session_t *ks,
    ngx_uint_t opcode, u_char *data, size_t len)
{
    u_char                 *p;
    ngx_http_kairos_msg_t  *msg;

    msg = ngx_http_kairos_msg_alloc(ngx_http_kairos_ws_header_size(len) + len,
                                    ks->log);
    if (msg == NULL) {
        ngx_http_kairos_session_fail(ks);
        return;
    }

    p = ngx_http_kairos_ws_header(msg->data, opcode, len);

    if (len > 0) {
        ngx_memcpy(p, data, len);
    }

    ngx_http_kairos_session_send(ks, msg);
    ngx_http_kairos_msg_release(msg);
}
