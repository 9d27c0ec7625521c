/*
 * What kr_decode.c (a line and its members) and kr_decode_columns.c (its two
 * arrays) share; no other file includes it.
 */

#ifndef _KR_DECODE_PRIVATE_H_INCLUDED_
#define _KR_DECODE_PRIVATE_H_INCLUDED_


#include "kr_decode.h"
#include "kr_json.h"


typedef struct {
    size_t             n;
    size_t             size;
    kr_column_t       *elts;
} kr_columns_t;


struct kr_decoder_s {
    kr_json_t          json;
    kr_columns_t       columns;
    kr_columns_t       identity;
    size_t             size;
    char              *text;
    kr_buf_t           reason;
    unsigned           seen;      /* of the line: KR_SEEN_... that were read */
    unsigned           known:1;   /* its action is one of kr_action_e */
    unsigned           failed:1;  /* no memory */
    unsigned           untyped:1; /* a column has no type */
};


/* Appends the columns of the array at hand. */
int kr_decode_array(kr_decoder_t *d, kr_columns_t *columns);

/* The value at hand must be a string. */
int kr_decode_string(kr_decoder_t *d, kr_str_t *v);

/* A number's digits, of no more than 18. */
int kr_decode_integer(const kr_str_t *v, int64_t *n);

/* Notes what is wrong at this place; KR_ERROR. */
int kr_decode_error(kr_decoder_t *d, const char *error);


#endif /* _KR_DECODE_PRIVATE_H_INCLUDED_ */
