/*
 * One line of wal2json (format-version 2; include-xids, include-lsn,
 * include-timestamp, include-type-oids, numeric-data-types-as-string) to a
 * change.  See docs/architecture.md for the options and why.
 */

#ifndef _KR_DECODE_H_INCLUDED_
#define _KR_DECODE_H_INCLUDED_


#include <stdint.h>

#include "kr_buf.h"


typedef enum {
    KR_BEGIN = 'B',
    KR_COMMIT = 'C',
    KR_INSERT = 'I',
    KR_UPDATE = 'U',
    KR_DELETE = 'D',
    KR_TRUNCATE = 'T',
    KR_MESSAGE = 'M'
} kr_action_e;


/*
 * A column's value as PostgreSQL's output function prints it (booleans "t"
 * and "f", bytea with its \x): what a cast of it to text gives.
 */
typedef struct {
    kr_str_t          name;
    uint32_t          type;       /* oid; 0 if it was not given */
    int               null;
    kr_str_t          value;
} kr_column_t;


/*
 * columns is the new row (of I and U; a column that is absent is an
 * unchanged TOAST value: take it from identity), identity the old row or its
 * key (of U and D).
 */
typedef struct {
    kr_action_e       action;
    uint32_t          xid;        /* 0: none (a message outside) */
    uint64_t          lsn;
    uint64_t          nextlsn;    /* B and C: end of the commit record */
    kr_str_t          schema;
    kr_str_t          table;
    size_t            ncolumns;
    kr_column_t      *columns;
    size_t            nidentity;
    kr_column_t      *identity;
} kr_change_t;


typedef struct kr_decoder_s  kr_decoder_t;

kr_decoder_t *kr_decoder_create(void);
void kr_decoder_free(kr_decoder_t *d);

/*
 * Decodes one line.  KR_OK: *c is valid until the next call.  KR_ERROR: not
 * such a line; *reason is text valid until the next call.  KR_DECLINED: an
 * action that this version does not know (log it, go on).
 */
int kr_decode(kr_decoder_t *d, const char *line, size_t len, kr_change_t *c,
    const char **reason);

/* The column of this name, or NULL. */
const kr_column_t *kr_column_find(const kr_column_t *columns, size_t n,
    const kr_str_t *name);


#endif /* _KR_DECODE_H_INCLUDED_ */
