/*
 * What a client asked for: the payload of its "subscribe" push, judged as
 * far as that goes without the database.
 */

#ifndef _KR_SPEC_H_INCLUDED_
#define _KR_SPEC_H_INCLUDED_


#include <stddef.h>

#include "kr_buf.h"
#include "kr_op.h"


#define KR_SPEC_QUERY_MAX   65536
#define KR_SPEC_VALUES_MAX  10000     /* of one field_value */
#define KR_SPEC_NAME_MAX    255       /* bytes of event */
#define KR_SPEC_PKS_MAX     8         /* columns of pk */


/* strings point into text, or are static; none is NULL but where said */
typedef struct {
    kr_str_t     topic;          /* empty: not given */
    kr_str_t     table;          /* of topic: before the last colon; with all
                                    also a topic without a colon */
    unsigned     all:1;          /* there is no predicate: field, equality and
                                    values are empty */
    kr_str_t     field;          /* table_field, as written */
    kr_str_t     equality;
    kr_op_e      op;
    kr_str_t     query;
    kr_str_t     event;
    kr_str_t     pk;             /* as written; empty: not given */
    size_t       npks;
    kr_str_t     pks[KR_SPEC_PKS_MAX];   /* its parts, likewise */
    kr_str_t     alias;          /* empty: null or not given */
    kr_str_t     shapes;         /* of a route's spec: the marks of its
                                    tables' shapes, kr_table_shape_mark(),
                                    without a break; empty: not given */
    unsigned     exact:1;        /* ORDER BY and LIMIT hold for events too */
    size_t       nvalues;
    kr_str_t    *values;         /* as written, numbers too: what they are
                                    is for PostgreSQL to say */

    kr_buf_t     data;           /* a copy of the payload */
    char        *text;           /* decoded strings */
} kr_spec_t;


/*
 * Reads a payload.  KR_OK: *s is to be freed by kr_spec_free().  KR_DECLINED:
 * refused, reason gets one sentence that names the field.  KR_ERROR: no
 * memory.  After both *s needs no free.
 */
int kr_spec_parse(kr_spec_t *s, const char *json, size_t len,
    kr_buf_t *reason);
void kr_spec_free(kr_spec_t *s);


#endif /* _KR_SPEC_H_INCLUDED_ */
