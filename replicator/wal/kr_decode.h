/*
 * One line of wal2json to a change.
 */

#ifndef _KR_DECODE_H_INCLUDED_
#define _KR_DECODE_H_INCLUDED_


#include "kr_change.h"


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

/*
 * Whether the line before could not be read as a column has no "typeoid":
 * wal2json 2.3 and 2.4 print none, whatever the options are.  Such lines
 * have other faults too, which nothing in them shows.
 */
int kr_decode_untyped(const kr_decoder_t *d);

#define KR_DECODE_UNTYPED                                                     \
    "wal2json is older than 2.5: it does not print the types of columns"


#endif /* _KR_DECODE_H_INCLUDED_ */
