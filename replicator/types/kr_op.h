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
 * NULL matches no operator, not even !eq.  Every type that kr_value.h supports
 * has eq and !eq; all of these but boolean have gt, gte, lt and lte, in
 * PostgreSQL's order (NaN is greater than all numbers; a uuid by its bytes;
 * text in the order of its column's collation).  text, varchar and char(n)
 * have contains, starts_with and ends_with, which compare byte by byte, case
 * included; trailing blanks of char(n) do not count.
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


/* Reads an operator's name.  KR_OK; KR_DECLINED: no operator has this name. */
int kr_op_parse(const kr_str_t *name, kr_op_e *op);

/* The operator's name; NULL: op is no operator. */
const char *kr_op_name(kr_op_e op);

/* Whether a column of this type (an oid of pg_type) has the operator. */
int kr_op_supported(kr_op_e op, uint32_t type);

/* Whether the operator takes a list of values; others take exactly one. */
int kr_op_is_list(kr_op_e op);

/* gt, gte, lt, lte */
int kr_op_is_range(kr_op_e op);

/*
 * contains, starts_with, ends_with.  Their value is text for every type of
 * column: a cast to char(n) would remove trailing blanks.
 */
int kr_op_is_pattern(kr_op_e op);

/*
 * KR_OK if columns of this type have the operator, and the operator takes
 * nvalues values.  KR_DECLINED: reason gets a sentence for the developer of a
 * page.
 */
int kr_op_check(kr_op_e op, uint32_t type, size_t nvalues, kr_buf_t *reason);


#endif /* _KR_OP_H_INCLUDED_ */
