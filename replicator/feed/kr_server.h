/*
 * The feed, the replicator's end: a listening Unix socket, one connection
 * per worker.  Frames in and out; what they mean is the layer above's.
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
    /* A frame came; slices are valid during the call. */
    void  (*frame)(kr_core_t *core, kr_conn_t *cn, kairos_feed_frame_t *f);

    /*
     * The connection is lost or closed; called once, then cn is freed.  What
     * it did not take is still counted by kr_conn_queued().
     */
    void  (*gone)(kr_core_t *core, kr_conn_t *cn);

    /*
     * A block that was sent on behalf of txn is written in full to the
     * socket, or dropped with its connection (after gone() then).  Never
     * called within kr_server_send().
     */
    void  (*sent)(kr_core_t *core, kr_txn_t *txn);
} kr_server_handlers_t;


/* Encodes a frame; one reference, the caller's.  NULL: no memory, too big. */
kr_block_t *kr_block_frame(const kairos_feed_frame_t *f);
kr_block_t *kr_block_hold(kr_block_t *b);
void kr_block_release(kr_block_t *b);


/*
 * Listens at cf->socket: removes a socket file that nobody listens on (an
 * error if somebody does), sets its mode and group.  NULL: the reason is
 * logged in one line.
 */
kr_server_t *kr_server_create(struct event_base *base, const kr_config_t *cf,
    const kr_server_handlers_t *handlers, kr_core_t *core);

/*
 * Queues the block (takes a reference of its own); txn may be NULL.  A
 * connection whose queue passes its limit is closed, from the loop, not
 * within the call.
 */
void kr_server_send(kr_conn_t *cn, kr_block_t *b, kr_txn_t *txn);

/* Closes from the loop, not within the call; gone() follows. */
void kr_server_close(kr_conn_t *cn, const char *reason);

kr_worker_t *kr_conn_worker(const kr_conn_t *cn);
void kr_conn_set(kr_conn_t *cn, kr_worker_t *wk);
size_t kr_conn_queued(const kr_conn_t *cn);     /* bytes not yet written */

/*
 * For the end of the process: accepts nobody any more and ends the loop when
 * all that is queued is written, after ms at the latest.
 */
void kr_server_drain(kr_server_t *srv, int ms);

/*
 * Flushes what can be written at once, closes all (gone() is called for
 * each), removes the socket.
 */
void kr_server_free(kr_server_t *srv);


#endif /* _KR_SERVER_H_INCLUDED_ */
