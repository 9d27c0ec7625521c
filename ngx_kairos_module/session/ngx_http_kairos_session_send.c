/*
 * A socket's send queue: a ring of pointers to shared messages, and the
 * gathered write that empties it.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_session_private.h"


/* messages of one write; what nginx's own writers take at once */
#define NGX_HTTP_KAIROS_GATHER      64

#define NGX_HTTP_KAIROS_QUEUE_MIN   8

/* an empty queue larger than this is given back */
#define NGX_HTTP_KAIROS_QUEUE_KEEP  16

/* the weight of a message beside its bytes, so that tiny ones count too */
#define NGX_HTTP_KAIROS_QUEUE_COST  sizeof(ngx_http_kairos_msg_t *)


static ngx_uint_t ngx_http_kairos_session_over(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_msg_t *msg);
static ngx_int_t ngx_http_kairos_session_grow(ngx_http_kairos_session_t *ks);
static ngx_int_t ngx_http_kairos_session_write(ngx_http_kairos_session_t *ks);
static ngx_int_t ngx_http_kairos_session_write_one(
    ngx_http_kairos_session_t *ks);
static void ngx_http_kairos_session_sent(ngx_http_kairos_session_t *ks,
    size_t sent);
static void ngx_http_kairos_session_emptied(ngx_http_kairos_session_t *ks);


void
ngx_http_kairos_session_send(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_msg_t *msg)
{
    if (ks->ending) {
        return;
    }

    if (ngx_http_kairos_session_over(ks, msg)) {

        /* a burst within one turn is not the client's fault */

        if (ks->transport->flush(ks) == NGX_ERROR) {
            ngx_http_kairos_session_lose(ks);
            return;
        }

        if (ngx_http_kairos_session_over(ks, msg)) {
            ks->slot->counters->slow++;
            ngx_http_kairos_session_close(ks, NGX_HTTP_KAIROS_CLOSE_OVERLOAD,
                                          "the client reads too slowly");
            return;
        }
    }

    if (ngx_http_kairos_session_queue(ks, msg) != NGX_OK) {
        ngx_http_kairos_session_fail(ks);
    }
}


void
ngx_http_kairos_session_fail(ngx_http_kairos_session_t *ks)
{
    if (ks->ending) {
        return;
    }

    ks->slot->counters->failed++;

    ngx_http_kairos_session_close(ks, NGX_HTTP_KAIROS_CLOSE_INTERNAL,
                                  "out of memory");
}


ngx_int_t
ngx_http_kairos_session_queue(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_msg_t *msg)
{
    uint32_t  tail;

    if (ks->queue_len == ks->queue_cap
        && ngx_http_kairos_session_grow(ks) != NGX_OK)
    {
        return NGX_ERROR;
    }

    tail = (ks->queue_head + ks->queue_len) & (ks->queue_cap - 1);

    ks->queue[tail] = ngx_http_kairos_msg_hold(msg);
    ks->queue_len++;
    ks->queue_bytes += msg->len + NGX_HTTP_KAIROS_QUEUE_COST;

    ngx_http_kairos_session_mark(ks);

    return NGX_OK;
}


void
ngx_http_kairos_session_drop(ngx_http_kairos_session_t *ks, ngx_uint_t all)
{
    uint32_t                i, at, keep;
    ngx_http_kairos_msg_t  *msg;

    /* a frame that was begun must be finished, or the stream is broken */

    keep = (!all && ks->queue_sent != 0) ? 1 : 0;

    for (i = keep; i < ks->queue_len; i++) {
        at = (ks->queue_head + i) & (ks->queue_cap - 1);
        msg = ks->queue[at];

        ks->queue_bytes -= msg->len + NGX_HTTP_KAIROS_QUEUE_COST;
        ngx_http_kairos_msg_release(msg);
    }

    ks->queue_len = ngx_min(ks->queue_len, keep);

    if (ks->queue_len == 0) {
        ks->queue_sent = 0;
        ngx_http_kairos_session_emptied(ks);
    }
}


void
ngx_http_kairos_session_mark(ngx_http_kairos_session_t *ks)
{
    if (ngx_queue_empty(&ks->dirty)) {
        ngx_queue_insert_tail(&ks->sessions->dirty, &ks->dirty);
        ngx_post_event(&ks->sessions->turn, &ngx_posted_events);
    }
}


ngx_int_t
ngx_http_kairos_session_write_queue(ngx_http_kairos_session_t *ks)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = ks->connection;

    while ((ks->queue_len != 0 || c->buffered) && c->write->ready) {

        /* the usual case; TLS must be given again what it has begun to send */

        if (ks->queue_len == 1 && c->send == ngx_send) {
            rc = ngx_http_kairos_session_write_one(ks);

        } else {
            rc = ngx_http_kairos_session_write(ks);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ks->queue_len != 0 || c->buffered) {
        return NGX_AGAIN;
    }

    ngx_http_kairos_session_emptied(ks);

    return NGX_OK;
}


/*
 * Whether the message would take the queue past its limit.  The first message
 * of a queue passes whatever its size: a message above the limit would else
 * close the socket on each attempt.
 */
static ngx_uint_t
ngx_http_kairos_session_over(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_msg_t *msg)
{
    return ks->queue_len != 0
           && ks->queue_bytes + msg->len > ks->limits->queue_size;
}


static ngx_int_t
ngx_http_kairos_session_grow(ngx_http_kairos_session_t *ks)
{
    uint32_t                 i, cap;
    ngx_http_kairos_msg_t  **queue;

    cap = ks->queue_cap ? ks->queue_cap * 2 : NGX_HTTP_KAIROS_QUEUE_MIN;

    queue = ngx_alloc(cap * sizeof(ngx_http_kairos_msg_t *),
                      ks->sessions->log);
    if (queue == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < ks->queue_len; i++) {
        queue[i] = ks->queue[(ks->queue_head + i) & (ks->queue_cap - 1)];
    }

    if (ks->queue != NULL) {
        ngx_free(ks->queue);
    }

    ks->queue = queue;
    ks->queue_cap = cap;
    ks->queue_head = 0;

    return NGX_OK;
}


/*
 * One gathered write of at most NGX_HTTP_KAIROS_GATHER messages.  NGX_OK:
 * call again if there is more and the connection still takes it.
 */
static ngx_int_t
ngx_http_kairos_session_write(ngx_http_kairos_session_t *ks)
{
    size_t                  sent, size;
    uint32_t                i, n;
    ngx_buf_t               bufs[NGX_HTTP_KAIROS_GATHER];
    ngx_chain_t             links[NGX_HTTP_KAIROS_GATHER], *cl;
    ngx_connection_t       *c;
    ngx_http_kairos_msg_t  *msg;

    c = ks->connection;
    n = ngx_min(ks->queue_len, NGX_HTTP_KAIROS_GATHER);
    size = 0;

    for (i = 0; i < n; i++) {
        msg = ks->queue[(ks->queue_head + i) & (ks->queue_cap - 1)];

        ngx_memzero(&bufs[i], sizeof(ngx_buf_t));

        bufs[i].start = msg->data;
        bufs[i].pos = msg->data + (i == 0 ? ks->queue_sent : 0);
        bufs[i].last = msg->data + msg->len;
        bufs[i].end = bufs[i].last;
        bufs[i].memory = 1;

        size += bufs[i].last - bufs[i].pos;

        links[i].buf = &bufs[i];
        links[i].next = (i + 1 < n) ? &links[i + 1] : NULL;
    }

    if (n != 0) {
        /* TLS holds back what is not flushed */
        bufs[n - 1].flush = 1;
    }

    cl = c->send_chain(c, n ? links : NULL, 0);

    if (cl == NGX_CHAIN_ERROR) {
        return NGX_ERROR;
    }

    sent = size;

    for ( /* void */ ; cl; cl = cl->next) {
        sent -= cl->buf->last - cl->buf->pos;
    }

    if (sent != 0) {
        ngx_http_kairos_session_sent(ks, sent);
    }

    if (sent == 0 && size != 0 && c->write->ready) {
        ngx_log_error(NGX_LOG_ALERT, c->log, 0,
                      "send_chain() took nothing of %uz bytes", size);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The same for a single message: send() costs the kernel less than writev().
 */
static ngx_int_t
ngx_http_kairos_session_write_one(ngx_http_kairos_session_t *ks)
{
    ssize_t                 n;
    ngx_connection_t       *c;
    ngx_http_kairos_msg_t  *msg;

    c = ks->connection;
    msg = ks->queue[ks->queue_head];

    n = c->send(c, msg->data + ks->queue_sent, msg->len - ks->queue_sent);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (n > 0) {
        ngx_http_kairos_session_sent(ks, n);
    }

    return NGX_OK;
}


/*
 * Takes sent bytes from the head of the queue.
 */
static void
ngx_http_kairos_session_sent(ngx_http_kairos_session_t *ks, size_t sent)
{
    ngx_http_kairos_msg_t       *msg;
    ngx_http_kairos_counters_t  *counters;

    counters = ks->slot->counters;
    counters->bytes_out += sent;

    sent += ks->queue_sent;

    while (ks->queue_len != 0) {
        msg = ks->queue[ks->queue_head];

        if (sent < msg->len) {
            break;
        }

        sent -= msg->len;
        counters->messages_out++;

        ks->queue_head = (ks->queue_head + 1) & (ks->queue_cap - 1);
        ks->queue_len--;
        ks->queue_bytes -= msg->len + NGX_HTTP_KAIROS_QUEUE_COST;

        ngx_http_kairos_msg_release(msg);
    }

    ks->queue_sent = sent;
}


/*
 * An idle socket holds neither a large queue nor a TLS buffer (16 kB).
 */
static void
ngx_http_kairos_session_emptied(ngx_http_kairos_session_t *ks)
{
    if (ks->queue_cap > NGX_HTTP_KAIROS_QUEUE_KEEP) {
        ngx_free(ks->queue);

        ks->queue = NULL;
        ks->queue_cap = 0;
        ks->queue_head = 0;
    }

#if (NGX_SSL)
    if (ks->connection != NULL && ks->connection->ssl != NULL
        && !ks->connection->buffered)
    {
        ngx_ssl_free_buffer(ks->connection);
    }
#endif
}
