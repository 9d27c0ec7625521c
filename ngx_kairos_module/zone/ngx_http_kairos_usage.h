/*
 * The usage table: how many sockets a client's address, or a user, has in all
 * workers of a zone.  A table of cells in shared memory, of a fixed size.
 *
 * A worker may be killed at any instruction, so nothing is ever linked or
 * moved: a cell changes by single stores, in an order that leaves a readable
 * table after each store.  A cell belongs to one key and one owner, the
 * worker's slot; the counts of a dead worker are found by their owner.
 *
 * All calls are made under the zone's mutex.
 */

#ifndef _NGX_HTTP_KAIROS_USAGE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_USAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Cells that a search reads.  In a table that is three quarters full one
 * search in a hundred would need more; a key without room in that range is not
 * counted.
 */
#define NGX_HTTP_KAIROS_USAGE_REACH  128

/* cells of the smallest table */
#define NGX_HTTP_KAIROS_USAGE_MIN    (2 * NGX_HTTP_KAIROS_USAGE_REACH)


/*
 * A cell with a key and no count is a stone that a search steps over: cells
 * behind it were filled while it was in use.
 */
typedef struct {
    ngx_atomic_t               key;      /* 0: never used, ends a search */
    ngx_atomic_t               value;    /* owner << 32 | count; 0: free */
} ngx_http_kairos_cell_t;


typedef struct {
    ngx_http_kairos_cell_t    *cells;    /* zeroed at first */
    ngx_uint_t                 n;
} ngx_http_kairos_usage_t;


/* The count of the key, of all owners.  A key is never 0. */
ngx_uint_t ngx_http_kairos_usage_count(const ngx_http_kairos_usage_t *usage,
    ngx_atomic_uint_t key);

/*
 * Counts one more for the key and the owner, a number from 1.  Returns the
 * cell's number, from 1, which is valid until the key was removed as often as
 * it was added; 0: there is no room, and the key is not counted.
 */
uint32_t ngx_http_kairos_usage_add(ngx_http_kairos_usage_t *usage,
    ngx_atomic_uint_t key, ngx_uint_t owner);

/* Takes back one call of ngx_http_kairos_usage_add(). */
void ngx_http_kairos_usage_remove(ngx_http_kairos_usage_t *usage,
    uint32_t number);

/* Takes back all counts of the owner. */
void ngx_http_kairos_usage_forget(ngx_http_kairos_usage_t *usage,
    ngx_uint_t owner);


#endif /* _NGX_HTTP_KAIROS_USAGE_H_INCLUDED_ */
