/*
 * The transactions of the stream that were not handed on yet, and up to
 * where all was: the position that PostgreSQL may forget.
 *
 * A transaction is outstanding as long as somebody holds it: the stream
 * until its commit is read, each row that waits for its refetch, each event
 * that waits in a socket's queue.  The list keeps the outstanding ones alone:
 * one that is done is merged into the one before it, and what it would
 * confirm is confirmed with that one.
 */

#ifndef _KR_TXN_H_INCLUDED_
#define _KR_TXN_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "kr_buf.h"
#include "kr_lsn.h"


#define KR_RECENT_MAX  65536


typedef struct kr_txn_s   kr_txn_t;
typedef struct kr_txns_s  kr_txns_t;


struct kr_txn_s {
    kr_txns_t    *list;
    kr_txn_t     *prev;
    kr_txn_t     *next;
    uint64_t      lsn;       /* end of its commit record */
    uint64_t      upto;      /* what may be confirmed when it is done, and
                                all before it; 0: nothing */
    uint32_t      xid;
    unsigned      refs;
};


/* zeroed memory, with confirm set, is an empty list (not for the stack) */
struct kr_txns_s {
    kr_txn_t     *head;
    kr_txn_t     *tail;
    kr_txn_t     *open;      /* begun, not committed */
    uint64_t      last;      /* commit of the last one that was read */
    uint64_t      done;      /* all up to here was handed on */
    size_t        n;

    /*
     * A ring of the xids that were read last and are not known to be
     * visible to new snapshots yet: a commit is read a moment before.  What
     * falls out of it is taken for visible to what is asked for then, so it
     * must hold more than can be between the two at a time, which
     * max_connections bounds.  A snapshot that was asked for earlier cannot
     * be judged any more, so it should hold what is read within a slow one.
     */
    uint32_t      recent[KR_RECENT_MAX];
    uint64_t      oldest;    /* number of the oldest in it */
    uint64_t      first;     /* of the oldest that new snapshots may lack */
    uint64_t      begun;     /* of the next */

    unsigned      frozen:1;  /* nothing is confirmed any more */

    /* `done` has grown; the list may be read, not changed, within */
    void        (*confirm)(kr_txns_t *ts);
};


/*
 * B.  KR_OK: the rows that follow belong to ts->open.  KR_DECLINED: this
 * transaction was read before, drop all up to its commit.  KR_ERROR: no
 * memory.
 */
int kr_txn_begin(kr_txns_t *ts, uint32_t xid, uint64_t nextlsn);

/* C: the stream lets go of ts->open, which may be NULL (a dropped one). */
void kr_txn_commit(kr_txns_t *ts);

/*
 * The stream was lost within a transaction, which will come again as a
 * whole: what is held of it now confirms nothing.
 */
void kr_txn_abort(kr_txns_t *ts);

/* Positions have lost their meaning: what is outstanding confirms nothing. */
void kr_txns_forget(kr_txns_t *ts);

/* Nothing is left to read before lsn (a keepalive). */
void kr_txn_passed(kr_txns_t *ts, uint64_t lsn);

/*
 * Whether a snapshot sees all transactions that began to be read when
 * ts->begun was lower than `before`.  What was read before a route was
 * registered, but is not in its snapshot, would reach nobody.  since is what
 * ts->first was when the snapshot was asked for: others, that were taken
 * later, may have come earlier and have seen more.  0 also where that is not
 * known any more; of the next snapshot it will be.
 */
int kr_txn_settled(kr_txns_t *ts, const kr_snapshot_t *s, uint64_t since,
    uint64_t before);

/*
 * Nothing is confirmed until this is released, whatever is done meanwhile.
 * NULL: no memory.
 */
kr_txn_t *kr_txn_barrier(kr_txns_t *ts);

kr_txn_t *kr_txn_hold(kr_txn_t *txn);
void kr_txn_release(kr_txn_t *txn);

/* Frees what is outstanding, confirms nothing; no holder may be left. */
void kr_txns_free(kr_txns_t *ts);


#endif /* _KR_TXN_H_INCLUDED_ */
