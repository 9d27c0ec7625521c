/*
 * A reader of JSON (RFC 8259) that goes through a text value by value, keeps
 * a number's digits as they stand, and allocates nothing.
 */

#ifndef _KR_JSON_H_INCLUDED_
#define _KR_JSON_H_INCLUDED_


#include "kr_buf.h"


typedef enum {
    KR_JSON_NULL = 0,
    KR_JSON_FALSE,
    KR_JSON_TRUE,
    KR_JSON_NUMBER,
    KR_JSON_STRING,
    KR_JSON_ARRAY,
    KR_JSON_OBJECT
} kr_json_type_e;


typedef struct {
    const char   *pos;
    const char   *end;
    char         *text;     /* where strings go that hold escapes */
    const char   *error;    /* after KR_ERROR: what was wrong at pos */
    int           first;    /* behind an opening bracket */
} kr_json_t;


/*
 * text must have room for len bytes; both are the caller's, and the slices
 * that are read point into the one or the other.
 */
void kr_json_init(kr_json_t *j, const char *data, size_t len, char *text);

/*
 * Reads the value that stands at pos.  A number's digits or a string's
 * characters (valid UTF-8 without NUL) are *v; of an array or an object the
 * opening bracket is read, and kr_json_item() or kr_json_key() go on.
 * KR_OK or KR_ERROR.
 */
int kr_json_value(kr_json_t *j, kr_json_type_e *type, kr_str_t *v);

/* The next member's name; its value stands at pos.  KR_DECLINED: no more. */
int kr_json_key(kr_json_t *j, kr_str_t *key);

/* KR_OK: the next element stands at pos.  KR_DECLINED: there is no more. */
int kr_json_item(kr_json_t *j);

/* Reads the value at pos, and what is in it, for nothing. */
int kr_json_skip(kr_json_t *j);

/* KR_OK if nothing but blanks is left. */
int kr_json_end(kr_json_t *j);


#endif /* _KR_JSON_H_INCLUDED_ */
