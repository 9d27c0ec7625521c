/*
 * A growing byte buffer, and a slice of bytes without ownership.
 */

#ifndef _KR_BUF_H_INCLUDED_
#define _KR_BUF_H_INCLUDED_


#include <stddef.h>


/* results of this program's functions; contracts give further meanings */
#define KR_OK        0
#define KR_ERROR    -1
#define KR_AGAIN    -2
#define KR_DECLINED -3


typedef struct {
    size_t        len;
    const char   *data;
} kr_str_t;

#define kr_str(text)  { sizeof(text) - 1, text }


/* zeroed memory is an empty buffer; data[len] is always '\0' once grown */
typedef struct {
    size_t        len;
    size_t        size;
    char         *data;
    int           failed;    /* an allocation failed: appends do nothing */
} kr_buf_t;


/* Makes room for len more bytes.  NULL: no memory; `failed` is set. */
char *kr_buf_reserve(kr_buf_t *b, size_t len);

void kr_buf_append(kr_buf_t *b, const void *data, size_t len);
void kr_buf_str(kr_buf_t *b, const char *text);
void kr_buf_printf(kr_buf_t *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends the bytes (valid UTF-8) as a JSON string with its quotes. */
void kr_buf_json(kr_buf_t *b, const char *data, size_t len);

/* Appends the bytes as an SQL identifier: always quoted, quotes doubled. */
void kr_buf_ident(kr_buf_t *b, const char *data, size_t len);

/*
 * Appends the strings as an array literal of PostgreSQL, each in double
 * quotes: the text of a parameter of type text[].
 */
void kr_buf_array(kr_buf_t *b, const kr_str_t *values, size_t n);

void kr_buf_reset(kr_buf_t *b);     /* keeps the memory */
void kr_buf_free(kr_buf_t *b);


#endif /* _KR_BUF_H_INCLUDED_ */
