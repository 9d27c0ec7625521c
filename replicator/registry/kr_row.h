/*
 * The contents of an event: rows as JSON, and the key of a row in two forms.
 */

#ifndef _KR_ROW_H_INCLUDED_
#define _KR_ROW_H_INCLUDED_


#include "kr_backlog.h"
#include "kr_registry.h"


/* once an event has so many bytes of rows, the next row begins a new one */
#define KR_CHUNK_BYTES  (256u * 1024)


/*
 * The key of a row.  The texts are the text of each of its columns, with its
 * '\0', one behind the other.  The bytes are equal for keys that a client
 * cannot tell apart, whatever their texts are.  The memory is somebody else's.
 */
typedef struct {
    kr_str_t        texts;
    kr_str_t        bytes;
} kr_row_key_t;


/* the memory of a key that is being made; zeroed memory is an empty one */
typedef struct {
    kr_buf_t        texts;
    kr_buf_t        bytes;
} kr_row_key_buf_t;


/* the rows of the event that is being made; zeroed memory is an empty one */
typedef struct {
    kr_buf_t        json;
    size_t          n;
    kr_row_mark_t  *marks;
} kr_rows_writer_t;


/*
 * Appends a row with its op.  kr_rows_full(): the row as PostgreSQL printed
 * it, a JSON object.  kr_rows_key(): its key alone, by the names of the
 * columns, each as the query's rows have it, and as "id", which clients of the
 * original read.  Both get a member "key" if the query lacks the key, see
 * kr_key_columns_t.  texts NULL: the key is SQL's NULL.  error: NULL, or a
 * member "error" of the object.  xid: the row's last change, which a socket
 * with a snapshot that sees it does not get; 0: every socket gets the row.
 * KR_OK; KR_ERROR: no memory.
 */
int kr_rows_full(kr_rows_writer_t *r, const kr_key_columns_t *key,
    const char *texts, const kr_str_t *json, const char *op, uint32_t xid);
int kr_rows_key(kr_rows_writer_t *r, const kr_key_columns_t *key,
    const char *texts, const char *op, const char *error, uint32_t xid);

/* The row alone, to b, whose failed tells of no memory. */
void kr_row_full(kr_buf_t *b, const kr_key_columns_t *key, const char *texts,
    const kr_str_t *json, const char *op);

/* Keeps the memory. */
void kr_rows_reset(kr_rows_writer_t *r);
void kr_rows_free(kr_rows_writer_t *r);

/*
 * What a statement of kr_sql.h prints as a key to texts, which are appended:
 * of one column its text, of several a JSON array.  KR_OK; KR_DECLINED: all of
 * several columns are NULL, as on the other side of an outer join; KR_ERROR:
 * no memory, or not such.
 */
int kr_key_texts(const kr_key_columns_t *key, const char *text, size_t len,
    kr_buf_t *texts);

/*
 * Appends the key's bytes, which it makes of the texts.  Without memory sets
 * out->failed.
 */
void kr_key_bytes(const kr_key_columns_t *key, const char *texts,
    kr_buf_t *out);

/*
 * The key that a statement of kr_sql.h printed, in both forms; key points into
 * b, until b is used again.  KR_OK; KR_DECLINED and KR_ERROR as of
 * kr_key_texts().
 */
int kr_row_key_parse(const kr_key_columns_t *columns, const char *text,
    size_t len, kr_row_key_buf_t *b, kr_row_key_t *key);
void kr_row_key_free(kr_row_key_buf_t *b);

/* Points the key to the buffers; bytes may be empty. */
void kr_row_key_set(kr_row_key_t *key, const kr_buf_t *texts,
    const kr_buf_t *bytes);

/*
 * The bytes that both forms take, and the copy of a key to so many bytes at
 * data, of which *to then consists.
 */
size_t kr_row_key_size(const kr_row_key_t *key);
void kr_row_key_copy(kr_row_key_t *to, char *data, const kr_row_key_t *key);


#endif /* _KR_ROW_H_INCLUDED_ */
