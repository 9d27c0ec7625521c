/*
 * Values compared as PostgreSQL compares them, from their text.
 */

#ifndef _KR_VALUE_H_INCLUDED_
#define _KR_VALUE_H_INCLUDED_


#include <stdint.h>

#include "kr_buf.h"


/* Whether routes may filter on a column of this type (an oid of pg_type). */
int kr_value_supported(uint32_t type);

/*
 * The SQL name of a supported type, for messages and casts, or NULL.  A cast
 * to this name cuts nothing: the name stands for the type without a modifier.
 */
const char *kr_value_type_name(uint32_t type);

/*
 * Appends the key of a value: two values of one type are equal in PostgreSQL
 * if and only if their keys are equal bytes (numeric 1.50 and 1.5; uuid in
 * any case; -0 and 0; NaN and NaN; char(n) without its trailing blanks).
 * KR_OK; KR_ERROR: the text is not a value of the type, or no memory (then
 * out->failed), and nothing was appended; KR_DECLINED: the type is not
 * supported.
 *
 * The text is the one that PostgreSQL prints for the value with TimeZone UTC
 * and DateStyle ISO: a cast to text, or a line of the WAL.  Dates and times
 * are accepted in that form alone.  Text is compared byte by byte, which would
 * be wrong for a nondeterministic collation: the caller refuses such a column.
 */
int kr_value_key(uint32_t type, const char *text, size_t len, kr_buf_t *out);

/*
 * Appends bytes that kr_value_bytes() compares in the order in which
 * PostgreSQL sorts the values: numbers by size and exactly, NaN last; dates
 * and times by time, with BC and the infinities; false before true; a uuid by
 * its bytes; text as in the collation C.  Returns as kr_value_key().
 */
int kr_value_order(uint32_t type, const char *text, size_t len,
    kr_buf_t *out);

/*
 * Compares two values in that order.  KR_OK: *result is below, equal to or
 * above 0.  Else returns as kr_value_key(); KR_ERROR: also no memory.
 */
int kr_value_compare(uint32_t type, const kr_str_t *a, const kr_str_t *b,
    int *result);

/* memcmp() for strings of any lengths: a prefix is less than the string. */
int kr_value_bytes(const char *a, size_t alen, const char *b, size_t blen);


#endif /* _KR_VALUE_H_INCLUDED_ */
