/*
 * Input and output of the feed's connections: reads frames, writes shared
 * blocks.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "kr_log.h"
#include "kr_loop.h"
#include "kr_server_private.h"


#define KR_IO_READ       (64 * 1024)           /* least size of the input */
#define KR_IO_READS      16                    /* in one turn of the loop */
#define KR_IO_KEEP       (256 * 1024)          /* a larger input is freed when
                                                  it is empty */
#define KR_IO_VECTORS    64                    /* blocks of one write */
#define KR_IO_WRITES     16                    /* in one turn of the loop */
#define KR_IO_QUEUE_MAX  (64u * 1024 * 1024)   /* bytes; beyond, the connection
                                                  is closed */


static int kr_conn_room(kr_conn_t *cn);
static void kr_conn_frames(kr_conn_t *cn);
static void kr_conn_consume(kr_conn_t *cn, size_t used);
static size_t kr_conn_vectors(const kr_conn_t *cn, struct iovec *iov,
    int *niov);
static void kr_conn_written(kr_conn_t *cn, size_t n);
static void kr_conn_take(kr_conn_t *cn);


kr_block_t *
kr_block_frame(const kairos_feed_frame_t *f)
{
    size_t       size;
    kr_block_t  *b;

    size = kairos_feed_size(f);
    if (size == 0) {
        return NULL;
    }

    b = malloc(sizeof(kr_block_t) + size);
    if (b == NULL) {
        return NULL;
    }

    b->refs = 1;
    b->len = size;
    kairos_feed_encode(b->data, f);

    return b;
}


kr_block_t *
kr_block_hold(kr_block_t *b)
{
    b->refs++;

    return b;
}


void
kr_block_release(kr_block_t *b)
{
    if (--b->refs == 0) {
        free(b);
    }
}


void
kr_server_send(kr_conn_t *cn, kr_block_t *b, kr_txn_t *txn)
{
    kr_out_t  *out;

    out = malloc(sizeof(kr_out_t));
    if (out == NULL) {
        kr_no_memory("a worker's queue");
    }

    out->next = NULL;
    out->block = kr_block_hold(b);
    out->txn = txn;

    *cn->out_last = out;
    cn->out_last = &out->next;

    cn->queued += b->len;
    cn->server->queued += b->len;

    /* a closing connection drops the block, and calls sent() for it */
    if (cn->closing) {
        return;
    }

    if (cn->queued > KR_IO_QUEUE_MAX) {
        kr_server_close(cn, "it does not read, more than 64 MB are queued");
        return;
    }

    kr_conn_mark_dirty(cn);
}


void
kr_conn_mark_dirty(kr_conn_t *cn)
{
    kr_server_t  *srv;

    if (cn->dirty) {
        return;
    }

    srv = cn->server;

    cn->dirty = 1;
    cn->next_dirty = srv->dirty;
    srv->dirty = cn;

    event_active(srv->flush, EV_TIMEOUT, 0);
}


void
kr_conn_read(kr_conn_t *cn)
{
    int      i;
    ssize_t  n;

    for (i = 0; i < KR_IO_READS; i++) {

        if (kr_conn_room(cn) != KR_OK) {
            kr_server_close(cn, "no memory for its frame");
            return;
        }

        n = recv(cn->fd, cn->in + cn->in_len, cn->in_size - cn->in_len, 0);

        if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }

        if (n == 0) {
            kr_server_close(cn, "the worker closed it");
            return;
        }

        if (n == -1) {
            kr_server_close(cn, strerror(errno));
            return;
        }

        cn->in_len += (size_t) n;
        kr_conn_frames(cn);

        if (cn->closing) {
            return;
        }
    }
}


void
kr_conn_flush(kr_conn_t *cn)
{
    int            i, niov;
    size_t         size;
    ssize_t        n;
    struct iovec   iov[KR_IO_VECTORS];
    struct msghdr  msg;

    for (i = 0; cn->out != NULL && i < KR_IO_WRITES; i++) {

        size = kr_conn_vectors(cn, iov, &niov);

        memset(&msg, 0, sizeof(struct msghdr));
        msg.msg_iov = iov;
        msg.msg_iovlen = (size_t) niov;

        n = sendmsg(cn->fd, &msg, MSG_NOSIGNAL);

        if (n == -1 && errno != EAGAIN && errno != EINTR) {
            kr_server_close(cn, strerror(errno));
            return;
        }

        if (n > 0) {
            kr_conn_written(cn, (size_t) n);
        }

        if (n < (ssize_t) size) {
            break;
        }
    }

    if (cn->out != NULL) {
        cn->blocked = 1;
        kr_loop_add(cn->write);
    }
}


void
kr_conn_drop_output(kr_conn_t *cn)
{
    while (cn->out != NULL) {
        kr_conn_take(cn);
    }
}


/*
 * Makes room for one more read.  The size doubles with the bytes that have
 * arrived, is not taken from a frame's header, and is at most the largest
 * frame and one read.  KR_OK; KR_ERROR: no memory.
 */
static int
kr_conn_room(kr_conn_t *cn)
{
    size_t          size;
    unsigned char  *in;

    if (cn->in_len < cn->in_size) {
        return KR_OK;
    }

    size = cn->in_size * 2;

    if (size < KR_IO_READ) {
        size = KR_IO_READ;
    }

    if (size > KAIROS_FEED_MAX + KR_IO_READ) {
        size = KAIROS_FEED_MAX + KR_IO_READ;
    }

    in = realloc(cn->in, size);
    if (in == NULL) {
        return KR_ERROR;
    }

    cn->in = in;
    cn->in_size = size;

    return KR_OK;
}


/* Calls frame() for each complete frame of the input. */
static void
kr_conn_frames(kr_conn_t *cn)
{
    int                   rc;
    size_t                done, used;
    kairos_feed_frame_t   f;

    done = 0;

    while (done < cn->in_len) {

        rc = kairos_feed_decode(cn->in + done, cn->in_len - done, &f, &used);

        if (rc == KAIROS_FEED_AGAIN) {
            break;
        }

        if (rc == KAIROS_FEED_ERROR) {
            kr_server_close(cn, "it sent what is not a frame");
            return;
        }

        done += used;
        cn->server->handlers->frame(cn->server->core, cn, &f);

        if (cn->closing) {
            return;
        }
    }

    kr_conn_consume(cn, done);
}


static void
kr_conn_consume(kr_conn_t *cn, size_t used)
{
    if (used == 0) {
        return;
    }

    cn->in_len -= used;

    if (cn->in_len != 0) {
        memmove(cn->in, cn->in + used, cn->in_len);

    } else if (cn->in_size > KR_IO_KEEP) {
        free(cn->in);
        cn->in = NULL;
        cn->in_size = 0;
    }
}


/* Fills iov with the next blocks; returns the number of their bytes. */
static size_t
kr_conn_vectors(const kr_conn_t *cn, struct iovec *iov, int *niov)
{
    int        n;
    size_t     skip, size;
    kr_out_t  *out;

    n = 0;
    size = 0;
    skip = cn->out_done;

    for (out = cn->out; out != NULL && n < KR_IO_VECTORS; out = out->next) {
        iov[n].iov_base = out->block->data + skip;
        iov[n].iov_len = out->block->len - skip;

        size += iov[n].iov_len;
        skip = 0;
        n++;
    }

    *niov = n;

    return size;
}


static void
kr_conn_written(kr_conn_t *cn, size_t n)
{
    size_t  rest;

    while (cn->out != NULL) {
        rest = cn->out->block->len - cn->out_done;

        if (n < rest) {
            cn->out_done += n;
            return;
        }

        n -= rest;
        kr_conn_take(cn);
    }
}


/* Removes the first block from the queue, and calls sent() for it. */
static void
kr_conn_take(kr_conn_t *cn)
{
    kr_out_t     *out;
    kr_txn_t     *txn;
    kr_server_t  *srv;

    out = cn->out;
    srv = cn->server;

    cn->out = out->next;
    if (cn->out == NULL) {
        cn->out_last = &cn->out;
    }

    cn->out_done = 0;
    cn->queued -= out->block->len;
    srv->queued -= out->block->len;

    txn = out->txn;
    kr_block_release(out->block);
    free(out);

    /* last, because sent() may queue more blocks */
    if (txn != NULL) {
        srv->handlers->sent(srv->core, txn);
    }
}
