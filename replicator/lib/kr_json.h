/*
 * A reader of JSON (RFC 8259) that reads a text value by value, keeps the
 * digits of numbers unchanged, and allocates nothing.
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
    char         *text;     /* free memory for strings with escapes */
    const char   *error;    /* after KR_ERROR: the fault at pos, static */
    int           first;    /* pos is behind an opening bracket */
} kr_json_t;


/*
 * Begins to read len bytes at data.  text must have room for len bytes.  The
 * caller owns both; the slices that are read point into one of them.
 */
void kr_json_init(kr_json_t *j, const char *data, size_t len, char *text);

/*
 * Reads the value at pos.  *v gets a number's digits or a string's characters
 * (valid UTF-8 without NUL).  Of an array or an object only the opening
 * bracket is read; kr_json_item() or kr_json_key() continues.  KR_OK;
 * KR_ERROR: see j->error.
 */
int kr_json_value(kr_json_t *j, kr_json_type_e *type, kr_str_t *v);

/*
 * Reads the next member's name.  KR_OK: pos is at the member's value;
 * KR_DECLINED: the object has ended; KR_ERROR.
 */
int kr_json_key(kr_json_t *j, kr_str_t *key);

/*
 * Moves to the next element.  KR_OK: pos is at its value; KR_DECLINED: the
 * array has ended; KR_ERROR.
 */
int kr_json_item(kr_json_t *j);

/* Skips the value at pos, with all values within.  KR_OK or KR_ERROR. */
int kr_json_skip(kr_json_t *j);

/* KR_OK if only blanks are left, else KR_ERROR. */
int kr_json_end(kr_json_t *j);


#endif /* _KR_JSON_H_INCLUDED_ */
