/*
 * A change: one row's insert, update or delete, or the beginning or end of a
 * transaction, as a decoder reads it from the write-ahead log.
 */

#ifndef _KR_CHANGE_H_INCLUDED_
#define _KR_CHANGE_H_INCLUDED_


#include <stdint.h>

#include "kr_buf.h"


typedef enum {
    KR_BEGIN = 'B',
    KR_COMMIT = 'C',
    KR_INSERT = 'I',
    KR_UPDATE = 'U',
    KR_DELETE = 'D',
    KR_TRUNCATE = 'T',
    KR_MESSAGE = 'M',

    /* not of wal2json: an unreadable line, which may be any of the above */
    KR_UNREADABLE = '?'
} kr_action_e;


/*
 * A column's value as PostgreSQL's output function prints it (booleans "t" and
 * "f", bytea with its \x).  A null of numeric, real or double precision may be
 * a NaN or an infinity, which wal2json before 2.6 prints as null.
 */
typedef struct {
    kr_str_t          name;
    uint32_t          type;       /* oid; 0 if it was not given */
    int               null;
    kr_str_t          value;
} kr_column_t;


/*
 * columns: the new row (of I and U).  A column that is absent has an unchanged
 * TOAST value: its value is in identity.  identity: the old row or its key (of
 * U and D).
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


/* The column of this name, or NULL. */
const kr_column_t *kr_column_find(const kr_column_t *columns, size_t n,
    const kr_str_t *name);


#endif /* _KR_CHANGE_H_INCLUDED_ */
