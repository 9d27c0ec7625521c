/*
 * One line of wal2json to a change.
 */

#ifndef _KR_DECODE_H_INCLUDED_
#define _KR_DECODE_H_INCLUDED_


#include <stdint.h>

#include "kr_buf.h"


/*
 * The options of START_REPLICATION that make such lines.  Not among them:
 * types by name (a name that holds a quote is printed raw, which is not
 * JSON), defaults (likewise), and numeric-data-types-as-string (unknown to
 * wal2json before 2.6; lines made with it are read as well).  Text is not
 * converted on its way: the database must be encoded in UTF-8.
 */
#define KR_DECODE_OPTIONS                                                     \
    "\"format-version\" '2', \"include-xids\" '1', "                          \
    "\"include-lsn\" '1', \"include-type-oids\" '1', "                        \
    "\"include-types\" '0'"


typedef enum {
    KR_BEGIN = 'B',
    KR_COMMIT = 'C',
    KR_INSERT = 'I',
    KR_UPDATE = 'U',
    KR_DELETE = 'D',
    KR_TRUNCATE = 'T',
    KR_MESSAGE = 'M',

    /* not wal2json's: a line that cannot be read and may be any of these */
    KR_UNREADABLE = '?'
} kr_action_e;


/*
 * A column's value as PostgreSQL's output function prints it (booleans "t"
 * and "f", bytea with its \x).  wal2json before 2.6 prints NaN and the
 * infinities of numeric, real and double precision as null: a null of these
 * may be one of them.
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
 * Decodes one line; *c is valid until the next call.  KR_OK.  KR_ERROR: no
 * memory, nothing is known of the line.  KR_DECLINED: it cannot be read;
 * *reason says why, and c->action is
 *
 *     KR_MESSAGE      nobody misses it: a message of bytes that are no text,
 *                     or an unknown action that names no table
 *     KR_UNREADABLE   a change may be lost: of the table that c names, and
 *                     the transaction c->xid; if c->table is empty, of any
 */
int kr_decode(kr_decoder_t *d, const char *line, size_t len, kr_change_t *c,
    const char **reason);

/* The column of this name, or NULL. */
const kr_column_t *kr_column_find(const kr_column_t *columns, size_t n,
    const kr_str_t *name);


#endif /* _KR_DECODE_H_INCLUDED_ */
