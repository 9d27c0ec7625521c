/*
 * The mark: a small file beside the socket that remembers which stream the
 * workers know, so that a restart of this program finds out whether the slot
 * is still the one that it left.
 *
 * PostgreSQL does not tell when a slot was made.  If somebody dropped it and
 * made it anew, or read it in our place, its confirmed position is ahead of
 * what we confirmed, and changes are missing: the positions that workers hold
 * must not be believed then.  The file lives in /run, just as long as the
 * workers may.
 */

#ifndef _KR_MARK_H_INCLUDED_
#define _KR_MARK_H_INCLUDED_


#include <stdint.h>


#define KR_MARK_SLOT  64


/* what names a stream */
typedef struct {
    uint64_t          system;      /* the cluster's identifier */
    uint32_t          timeline;
    char              slot[KR_MARK_SLOT];
} kr_origin_t;


typedef struct {
    int               fd;          /* -1: could not be opened */
    kr_origin_t       origin;
    uint64_t          epoch;       /* 0: no stream was ever begun */
    uint64_t          confirmed;   /* the highest that we may have told */
} kr_mark_t;


/*
 * Reads the file at path (made if it is missing).  One that cannot be used
 * is logged once and costs nothing but a new epoch at the next start.
 */
void kr_mark_open(kr_mark_t *m, const char *path);

/*
 * The epoch of the stream that begins behind lsn, of a WAL that reaches to
 * end: the same as before if it is certain that nothing was missed (and that
 * the cluster was not set back, as from a copy of its disk), else a new one.
 * created: the slot was made just now.
 */
uint64_t kr_mark_begin(kr_mark_t *m, const kr_origin_t *o, uint64_t lsn,
    uint64_t end, int created);

/* To be called before PostgreSQL is told that it may forget up to lsn. */
void kr_mark_confirm(kr_mark_t *m, uint64_t lsn);

void kr_mark_close(kr_mark_t *m);


#endif /* _KR_MARK_H_INCLUDED_ */
