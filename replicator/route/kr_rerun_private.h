/*
 * What kr_rerun.c (when a query is run, and how that ends),
 * kr_rerun_waiter.c (subscribers that wait for its rows) and
 * kr_rerun_compare.c (what its result means) share; no other file includes it.
 */

#ifndef _KR_RERUN_PRIVATE_H_INCLUDED_
#define _KR_RERUN_PRIVATE_H_INCLUDED_


#include <openssl/evp.h>

#include "kr_changes_private.h"
#include "kr_hash.h"
#include "kr_rerun.h"
#include "kr_row.h"


/* the rows of one key in the last result; mostly one */
typedef struct {
    uint64_t          sum[2];      /* of the hashes of their JSON */
    uint64_t          next[2];     /* the same of the result at hand */
    uint64_t          run;         /* the last one that had the key */
    unsigned          fresh:1;     /* it was not there before */
    size_t            texts_len;   /* 0: the key is NULL */
    UT_hash_handle    hh;
    char              data[];      /* texts, then the bytes, and a letter */
} kr_result_row_t;


struct kr_rerun_s {
    kr_job_t          job;
    kr_reruns_t      *owner;
    kr_route_t       *route;       /* NULL: it was taken out */

    kr_buf_t          tables;      /* their names, see kr_pool.h */
    kr_result_row_t  *kept;        /* the last result */
    uint64_t          run;         /* number of the result at hand */

    kr_waiter_t      *waiting;     /* for the next run */
    kr_waiter_t      *served;      /* by the one under way */

    kr_txn_t         *txn;         /* the first that touched the route since
                                      the last run began; held */
    kr_txn_t         *answered;    /* likewise, of the run under way */
    uint64_t          wanted;      /* what kr_txn_settled() must say of it */
    uint64_t          asked;
    uint64_t          since;       /* likewise */

    uint64_t          touched;     /* ms; when txn was set */
    uint64_t          rested;      /* ms; the next may begin */
    struct event     *timer;
    unsigned          unseen;      /* runs in a row that saw too little */

    unsigned          based:1;     /* there was a result */
    unsigned          running:1;   /* the job is the pool's */
    unsigned          busy:1;      /* its functions stand on the stack */
    unsigned          dirty:1;     /* to be started by the commit */

    kr_rerun_t       *prev;        /* of all */
    kr_rerun_t       *next;
    kr_rerun_t       *qprev;       /* of the dirty */
    kr_rerun_t       *qnext;
    kr_rerun_t       *rprev;       /* of the running */
    kr_rerun_t       *rnext;
};


struct kr_reruns_s {
    struct event_base  *base;
    kr_pool_t          *pool;
    kr_routes_t        *routes;
    kr_rerun_t         *all;
    kr_rerun_t         *dirty;
    kr_rerun_t         *running;
    size_t              bytes;     /* that are kept */
    size_t              max_bytes;
    size_t              chunk_size;
    unsigned            flush_interval;

    EVP_MD_CTX         *md;
    kr_rows_writer_t    rows;      /* of the event that is being made */
    kr_row_key_buf_t    key;       /* of the row at hand */
};


/* The route's reruns, made if there are none yet; NULL: no memory. */
kr_rerun_t *kr_rerun_get(kr_reruns_t *rn, kr_route_t *rt);

/*
 * Begins a run, if waiters or changes want one, none is under way, and its
 * time has come.
 */
void kr_rerun_next(kr_rerun_t *rr);

/* Moves a waiter to the end of a list, or, if to is NULL, out of its list. */
void kr_waiter_move(kr_waiter_t *wt, kr_waiter_t **to);

/* Moves all waiters to the end of another list. */
void kr_waiters_move(kr_waiter_t **from, kr_waiter_t **to);

/*
 * Passes the result of the run to those that it serves.  To be called when
 * its events were published, so that the members have the same rows.
 */
void kr_waiters_answer(kr_rerun_t *rr);

/*
 * Passes the reason for which there are no rows to all waiters of the list,
 * or to those that came before a time.
 */
void kr_waiters_refuse(kr_waiter_t **list, const char *reason);
void kr_waiters_expire(kr_waiter_t **list, uint64_t before_ms,
    const char *reason);

/*
 * Compares the result with the last one, which it becomes, and sends what
 * differs, unless there was none.  KR_OK; KR_DECLINED: it cannot be kept,
 * *reason says why.  The route may be gone after it.
 */
int kr_rerun_compare(kr_rerun_t *rr, const PGresult *res,
    const char **reason);

/* Forgets the last result. */
void kr_rerun_forget(kr_rerun_t *rr);


#endif /* _KR_RERUN_PRIVATE_H_INCLUDED_ */
