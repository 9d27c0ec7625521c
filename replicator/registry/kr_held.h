/*
 * The held rows: keys of the rows that the subscribers of a route with
 * kr_fetch_plan may hold, from their snapshots and from the events since.  So
 * a TRUNCATE can be sent as a delete of each held row, and no delete is sent
 * of a row that no subscriber holds.
 *
 * The number of held rows is limited per route, the bytes over all routes.  At
 * a limit a route loses its set: a TRUNCATE then resets the route, and deletes
 * are sent to be safe.  A route that a worker resumes has no set either,
 * because another process sent its members their rows.
 */

#ifndef _KR_HELD_H_INCLUDED_
#define _KR_HELD_H_INCLUDED_


#include <libpq-fe.h>

#include "kr_registry.h"
#include "kr_row.h"


#define KR_HELD_ROUTE_MAX  10000
#define KR_HELD_BYTES_MAX  (128ul * 1024 * 1024)     /* of all routes */


/* the held rows of all routes; zeroed memory is none */
typedef struct {
    size_t            bytes;
} kr_held_rows_t;


struct kr_held_row_s {
    uint64_t          lsn;           /* of the newest snapshot that has the
                                        row; 0: events alone have it */
    size_t            texts_len;
    UT_hash_handle    hh;
    char              data[];        /* the key's texts, then its bytes */
};


/*
 * Adds the rows of a subscriber's snapshot.  Their keys are in the first
 * column, as kr_sql_rerun() prints them; all that they show was committed
 * before lsn.  The caller releases the subscriber's cursor afterwards.
 */
void kr_held_snapshot(kr_held_rows_t *ks, kr_route_t *rt, const PGresult *rows,
    uint64_t lsn);

/*
 * Adds the key, which is copied, of a row that was sent.  lsn: position of the
 * snapshot with the row; 0: an event has the row.  Without memory, or at a
 * limit, the route loses its set.
 */
void kr_held_add(kr_held_rows_t *ks, kr_route_t *rt, const kr_row_key_t *key,
    uint64_t lsn);

/*
 * Removes the row that the commit which ends at lsn took out of the result.
 * A subscriber with a snapshot newer than lsn keeps the row, which was
 * inserted again before that snapshot.
 */
void kr_held_remove(kr_held_rows_t *ks, kr_route_t *rt,
    const kr_row_key_t *key, uint64_t lsn);

/* Whether a member may hold the row; 1 also if the route lost its set. */
int kr_held_has(const kr_route_t *rt, const kr_row_key_t *key);

/* Points *key into the held row. */
void kr_held_key(const kr_held_row_t *held, kr_row_key_t *key);

/* The route loses its set: frees the rows, and sets rt->held.lost. */
void kr_held_lose(kr_held_rows_t *ks, kr_route_t *rt);

/* Frees the set. */
void kr_held_clear(kr_held_rows_t *ks, kr_route_t *rt);


#endif /* _KR_HELD_H_INCLUDED_ */
