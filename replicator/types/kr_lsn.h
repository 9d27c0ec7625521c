/*
 * Positions and transaction ids of PostgreSQL: pg_lsn, xid8, pg_snapshot
 * (PostgreSQL documentation 8.20 and 9.27.8).
 */

#ifndef _KR_LSN_H_INCLUDED_
#define _KR_LSN_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


typedef struct {
    uint64_t    xmin;
    uint64_t    xmax;
    size_t      nxip;
    uint64_t   *xip;     /* sorted; owned */
} kr_snapshot_t;


/* "16/B374D848" to a number.  KR_OK, or KR_ERROR: not a position. */
int kr_lsn_parse(const char *text, size_t len, uint64_t *lsn);

#define KR_LSN_LEN  17
/* Writes the text with its '\0' at p (KR_LSN_LEN + 1 bytes). */
void kr_lsn_format(char *p, uint64_t lsn);

/* "xmin:xmax:xip,xip" of pg_current_snapshot()::text; free it after use. */
int kr_snapshot_parse(const char *text, size_t len, kr_snapshot_t *s);
void kr_snapshot_free(kr_snapshot_t *s);

/* KR_OK: free the copy after use; KR_ERROR: no memory, nothing to free. */
int kr_snapshot_copy(kr_snapshot_t *to, const kr_snapshot_t *from);

/*
 * Whether the transaction (32 bits, as wal2json prints it) is visible in the
 * snapshot.  Its epoch is taken as the one that brings it nearest to xmax.
 */
int kr_snapshot_sees(const kr_snapshot_t *s, uint32_t xid);


#endif /* _KR_LSN_H_INCLUDED_ */
