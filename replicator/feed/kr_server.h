/*
 * The replicator's end of the feed: a listening Unix socket, one connection
 * per worker.  This folder reads and writes frames; the layer above handles
 * them.
 */

#ifndef _KR_SERVER_H_INCLUDED_
#define _KR_SERVER_H_INCLUDED_


#include <event2/event.h>

#include "kairos_feed.h"
#include "kr_buf.h"
#include "kr_config.h"


typedef struct kr_server_s  kr_server_t;
typedef struct kr_conn_s    kr_conn_t;
typedef struct kr_core_s    kr_core_t;
typedef struct kr_txn_s     kr_txn_t;      /* of the layer above */


/* an encoded frame, shared by count among connections and backlogs */
typedef struct {
    unsigned         refs;
    size_t           len;
    unsigned char    data[];
} kr_block_t;


/*
 * State that the layer above keeps per connection; it defines the struct,
 * sets it with kr_conn_set() and frees it in gone().
 */
typedef struct kr_worker_s  kr_worker_t;


typedef struct {
    /* A frame has arrived; its slices are valid during the call. */
    void  (*frame)(kr_core_t *core, kr_conn_t *cn, kairos_feed_frame_t *f);

    /*
     * The connection is lost or closed; called once, then cn is freed.
     * kr_conn_queued() still counts the bytes that were not written.
     */
    void  (*gone)(kr_core_t *core, kr_conn_t *cn);

    /*
     * A block that kr_server_send() got with txn is written in full to the
     * socket, or was dropped with its connection (after gone()).  Not called
     * within kr_server_send().
     */
    void  (*sent)(kr_core_t *core, kr_txn_t *txn);
} kr_server_handlers_t;


/*
 * Encodes a frame to a block with one reference, the caller's.  NULL: no
 * memory, or the frame is too large.
 */
kr_block_t *kr_block_frame(const kairos_feed_frame_t *f);
kr_block_t *kr_block_hold(kr_block_t *b);
void kr_block_release(kr_block_t *b);


/*
 * Listens at cf->socket, and sets the file's mode and group.  Removes the
 * socket of a process that has ended.  NULL: no memory, or another process
 * listens, or a system call failed; one line is logged.
 */
kr_server_t *kr_server_create(struct event_base *base, const kr_config_t *cf,
    const kr_server_handlers_t *handlers, kr_core_t *core);

/*
 * Queues the block, with a reference of its own; txn (or NULL) is passed to
 * sent().  If the connection's queue passes its limit, the connection is
 * closed, from the loop, not within the call.  Without memory the process ends
 * (kr_no_memory()).
 */
void kr_server_send(kr_conn_t *cn, kr_block_t *b, kr_txn_t *txn);

/* Closes the connection from the loop, not within the call, after gone(). */
void kr_server_close(kr_conn_t *cn, const char *reason);

kr_worker_t *kr_conn_worker(const kr_conn_t *cn);
void kr_conn_set(kr_conn_t *cn, kr_worker_t *wk);
size_t kr_conn_queued(const kr_conn_t *cn);     /* bytes not yet written */

/*
 * For the end of the process: accepts no worker any more, and ends the loop
 * when all queued blocks are written, after ms at the latest.
 */
void kr_server_drain(kr_server_t *srv, int ms);

/*
 * Writes the queued blocks as far as the sockets take them at once, closes all
 * connections (calls gone() for each), and removes the socket.
 */
void kr_server_free(kr_server_t *srv);


#endif /* _KR_SERVER_H_INCLUDED_ */
