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


/* Reads "16/B374D848".  KR_OK; KR_ERROR: the text is no position. */
int kr_lsn_parse(const char *text, size_t len, uint64_t *lsn);

#define KR_LSN_LEN  17
/* Writes the text with its '\0' at p (KR_LSN_LEN + 1 bytes). */
void kr_lsn_format(char *p, uint64_t lsn);

/*
 * Reads "xmin:xmax:xip,xip", pg_current_snapshot()::text.  KR_OK: the caller
 * frees *s with kr_snapshot_free(); KR_ERROR: no memory, or the text is no
 * snapshot; nothing to free.
 */
int kr_snapshot_parse(const char *text, size_t len, kr_snapshot_t *s);
void kr_snapshot_free(kr_snapshot_t *s);

/*
 * Copies a snapshot.  KR_OK: the caller frees *to; KR_ERROR: no memory,
 * nothing to free.
 */
int kr_snapshot_copy(kr_snapshot_t *to, const kr_snapshot_t *from);

/*
 * Whether the transaction is visible in the snapshot.  xid has 32 bits, as
 * wal2json prints it; its epoch is the one with which it is nearest to xmax.
 */
int kr_snapshot_sees(const kr_snapshot_t *s, uint32_t xid);


#endif /* _KR_LSN_H_INCLUDED_ */
