/*
 * Declarations that kr_value.c and kr_value_number.c share; only they include
 * this.
 */

#ifndef _KR_VALUE_PRIVATE_H_INCLUDED_
#define _KR_VALUE_PRIVATE_H_INCLUDED_


#include "kr_value.h"


/*
 * Each appends the key of a value of its type.  KR_OK; KR_ERROR: the text is
 * no such value, and bytes may have been appended.
 */
int kr_value_int2(const char *p, const char *end, kr_buf_t *out);
int kr_value_int4(const char *p, const char *end, kr_buf_t *out);
int kr_value_int8(const char *p, const char *end, kr_buf_t *out);
int kr_value_float4(const char *p, const char *end, kr_buf_t *out);
int kr_value_float8(const char *p, const char *end, kr_buf_t *out);
int kr_value_numeric(const char *p, const char *end, kr_buf_t *out);

/* Removes the blanks that PostgreSQL allows around values but text. */
void kr_value_trim(const char **p, const char **end);


#endif /* _KR_VALUE_PRIVATE_H_INCLUDED_ */
