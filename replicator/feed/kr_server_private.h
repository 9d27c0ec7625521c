/*
 * Declarations that kr_server.c (the listener and the connections' lives) and
 * kr_server_io.c (their input and output) share; only they include this.
 */

#ifndef _KR_SERVER_PRIVATE_H_INCLUDED_
#define _KR_SERVER_PRIVATE_H_INCLUDED_


#include "kr_server.h"


typedef struct kr_out_s  kr_out_t;


/* a block that waits to be written */
struct kr_out_s {
    kr_out_t                    *next;
    kr_block_t                  *block;
    kr_txn_t                    *txn;
};


/*
 * A connection is in the server's list `all`; while it has new blocks to
 * write, in `dirty`, too, which is flushed at the end of the loop's turn;
 * after kr_server_close(), in `closing`.
 */
struct kr_conn_s {
    kr_server_t                 *server;
    kr_worker_t                 *worker;        /* of the layer above */
    kr_conn_t                   *next;
    kr_conn_t                  **pprev;         /* the pointer to this one */
    kr_conn_t                   *next_dirty;
    kr_conn_t                   *next_closing;

    int                          fd;
    struct event                *read;
    struct event                *write;

    unsigned char               *in;            /* an incomplete frame */
    size_t                       in_len;
    size_t                       in_size;

    kr_out_t                    *out;           /* the first to write */
    kr_out_t                   **out_last;
    size_t                       out_done;      /* bytes of the first block
                                                   that are written */
    size_t                       queued;        /* bytes of all blocks */

    char                         reason[128];   /* why it is closing */
    unsigned                     dirty:1;
    unsigned                     blocked:1;     /* waits for write */
    unsigned                     closing:1;
};


struct kr_server_s {
    struct event_base           *base;
    const kr_server_handlers_t  *handlers;
    kr_core_t                   *core;
    char                        *path;

    int                          fd;
    struct event                *accept;
    struct event                *resume;        /* accept again */
    struct event                *flush;         /* at the end of the turn */
    struct event                *deadline;      /* of the drain */

    kr_conn_t                   *all;
    kr_conn_t                   *dirty;
    kr_conn_t                   *closing;
    int                          nconns;
    size_t                       queued;        /* bytes, of all */

    unsigned                     draining:1;
};


/* Reads, and calls frame(); after a fault the connection is closing. */
void kr_conn_read(kr_conn_t *cn);

/* Writes blocks until the socket is full; its event continues. */
void kr_conn_flush(kr_conn_t *cn);

/* Drops the blocks that were not written, and calls sent() for each. */
void kr_conn_drop_output(kr_conn_t *cn);

/* Marks the connection to be flushed at the end of the turn. */
void kr_conn_mark_dirty(kr_conn_t *cn);

/* Ends the loop if the server drains and no block is queued. */
void kr_server_drained(kr_server_t *srv);


#endif /* _KR_SERVER_PRIVATE_H_INCLUDED_ */
