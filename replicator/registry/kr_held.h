/*
 * The keys of the rows that the subscribers of a route with kr_fetch_plan may
 * hold: those of their snapshots and of the events since.  With them a
 * TRUNCATE is told row by row, and a row that nobody has is not taken from
 * anybody.
 *
 * Bounded per route and in all; beyond, a route has no such set any more: a
 * TRUNCATE resets it, and deletes are sent to be safe.  So it is with a route
 * that a worker resumes, whose members were given rows by another process.
 */

#ifndef _KR_HELD_H_INCLUDED_
#define _KR_HELD_H_INCLUDED_


#include <libpq-fe.h>

#include "kr_registry.h"
#include "kr_row.h"


#define KR_HELD_ROUTE_MAX  10000
#define KR_HELD_BYTES_MAX  (128ul * 1024 * 1024)     /* of all routes */


/* how much there is, of all routes; zeroed memory is nothing */
typedef struct {
    size_t            bytes;
} kr_held_rows_t;


struct kr_held_row_s {
    uint64_t          lsn;           /* of the last snapshot with the row */
    size_t            texts_len;
    UT_hash_handle    hh;
    char              data[];        /* the texts, then the bytes */
};


/*
 * A subscriber is given these rows, whose keys are in the first column, as
 * kr_sql_rerun() prints them.  All that they show was committed before lsn.
 * To be called before its cursor is settled.
 */
void kr_held_snapshot(kr_held_rows_t *ks, kr_route_t *rt, const PGresult *rows,
    uint64_t lsn);

/*
 * A row with this key was sent.  lsn is that of the snapshot that it was sent
 * in, 0 if it was sent in an event.
 */
void kr_held_add(kr_held_rows_t *ks, kr_route_t *rt, const kr_row_key_t *key,
    uint64_t lsn);

/*
 * The commit that ends at lsn took the row away.  A subscriber whose snapshot
 * is newer than that keeps it: it was inserted again before that snapshot.
 */
void kr_held_remove(kr_held_rows_t *ks, kr_route_t *rt,
    const kr_row_key_t *key, uint64_t lsn);

/* Whether a member may hold the row; 1 also if it is not known. */
int kr_held_has(const kr_route_t *rt, const kr_row_key_t *key);

/* The key of a held row, which points into it. */
void kr_held_key(const kr_held_row_t *held, kr_row_key_t *key);

/* It is not known any more what the members hold. */
void kr_held_lose(kr_held_rows_t *ks, kr_route_t *rt);

/* Frees the set. */
void kr_held_clear(kr_held_rows_t *ks, kr_route_t *rt);


#endif /* _KR_HELD_H_INCLUDED_ */
