/*
 * The operators of a subscription: "table_field equality field_value".
 *
 *     eq           equals the value, or one of the list
 *     !eq          differs from the value, or from all of the list
 *     gt gte       is greater than the value, or equals it
 *     lt lte       is less than the value, or equals it
 *     contains     the value stands somewhere in the text
 *     starts_with  the text begins with the value
 *     ends_with    the text ends with the value
 *
 * NULL matches none of them, !eq included.  eq and !eq are for every type
 * that kr_value.h knows; gt, gte, lt and lte for each of these but boolean,
 * in PostgreSQL's order (NaN is greater than all numbers; a uuid by its
 * bytes; text in the order of its column's collation); contains, starts_with
 * and ends_with for text, varchar and char(n), whose trailing blanks do not
 * count, with regard to case, byte by byte.
 */

#ifndef _KR_OP_H_INCLUDED_
#define _KR_OP_H_INCLUDED_


#include <stdint.h>

#include "kr_buf.h"


typedef enum {
    KR_EQ = 0,
    KR_NE,
    KR_GT,
    KR_GTE,
    KR_LT,
    KR_LTE,
    KR_CONTAINS,
    KR_STARTS_WITH,
    KR_ENDS_WITH
} kr_op_e;


/* Reads a name, in lower case.  KR_OK; KR_DECLINED: there is none such. */
int kr_op_parse(const kr_str_t *name, kr_op_e *op);

/* The name, or NULL of what is no operator. */
const char *kr_op_name(kr_op_e op);

/* Whether a column of this type (an oid of pg_type) has the operator. */
int kr_op_supported(kr_op_e op, uint32_t type);

/* Whether it takes a list of values; the others take exactly one. */
int kr_op_is_list(kr_op_e op);

/* gt, gte, lt, lte */
int kr_op_is_range(kr_op_e op);

/*
 * contains, starts_with, ends_with.  Their value is text whatever the
 * column's type is: it must not be cast to char(n), which takes blanks away.
 */
int kr_op_is_pattern(kr_op_e op);

/*
 * KR_OK if op is for columns of this type and for so many values.
 * KR_DECLINED: reason gets a sentence for the developer of a page.
 */
int kr_op_check(kr_op_e op, uint32_t type, size_t nvalues, kr_buf_t *reason);


#endif /* _KR_OP_H_INCLUDED_ */
