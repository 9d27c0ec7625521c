/*
 * The operators, their names, and the types that have them.
 */

#include <string.h>

#include "kr_oid.h"
#include "kr_op.h"
#include "kr_value.h"


#define KR_OP_LIST     1
#define KR_OP_RANGE    2
#define KR_OP_PATTERN  4


typedef struct {
    const char  *name;
    unsigned     kind;
} kr_op_t;


static unsigned kr_op_kind(kr_op_e op);


/* indexed by kr_op_e */
static const kr_op_t  kr_ops[] = {
    { "eq", KR_OP_LIST },
    { "!eq", KR_OP_LIST },
    { "gt", KR_OP_RANGE },
    { "gte", KR_OP_RANGE },
    { "lt", KR_OP_RANGE },
    { "lte", KR_OP_RANGE },
    { "contains", KR_OP_PATTERN },
    { "starts_with", KR_OP_PATTERN },
    { "ends_with", KR_OP_PATTERN }
};

#define KR_OPS  (sizeof(kr_ops) / sizeof(kr_ops[0]))


int
kr_op_parse(const kr_str_t *name, kr_op_e *op)
{
    size_t  i;

    for (i = 0; i < KR_OPS; i++) {
        if (name->len == strlen(kr_ops[i].name)
            && memcmp(name->data, kr_ops[i].name, name->len) == 0)
        {
            *op = (kr_op_e) i;
            return KR_OK;
        }
    }

    return KR_DECLINED;
}


const char *
kr_op_name(kr_op_e op)
{
    return (size_t) op < KR_OPS ? kr_ops[op].name : NULL;
}


int
kr_op_supported(kr_op_e op, uint32_t type)
{
    switch (kr_op_kind(op)) {

    case KR_OP_LIST:
        return kr_value_supported(type);

    case KR_OP_RANGE:
        return type != KR_OID_BOOL && kr_value_supported(type);

    case KR_OP_PATTERN:
        return type == KR_OID_TEXT || type == KR_OID_VARCHAR
               || type == KR_OID_BPCHAR;

    default:
        return 0;
    }
}


int
kr_op_is_list(kr_op_e op)
{
    return kr_op_kind(op) == KR_OP_LIST;
}


int
kr_op_is_range(kr_op_e op)
{
    return kr_op_kind(op) == KR_OP_RANGE;
}


int
kr_op_is_pattern(kr_op_e op)
{
    return kr_op_kind(op) == KR_OP_PATTERN;
}


int
kr_op_check(kr_op_e op, uint32_t type, size_t nvalues, kr_buf_t *reason)
{
    const char  *name, *type_name;

    name = kr_op_name(op);
    type_name = kr_value_type_name(type);

    if (name == NULL) {
        kr_buf_str(reason, "there is no such operator");
        return KR_DECLINED;
    }

    if (!kr_op_supported(op, type)) {

        if (type_name == NULL) {
            kr_buf_printf(reason, "equality \"%s\" cannot compare values of"
                          " this column's type", name);

        } else if (kr_op_is_pattern(op)) {
            kr_buf_printf(reason, "equality \"%s\" is for text, and the"
                          " column is of type %s: use \"eq\"", name,
                          type_name);

        } else {
            kr_buf_printf(reason, "equality \"%s\" is not for type %s: use"
                          " \"eq\" or \"!eq\"", name, type_name);
        }

        return KR_DECLINED;
    }

    if (nvalues != 1 && !kr_op_is_list(op)) {
        kr_buf_printf(reason, "equality \"%s\" takes one value, not %zu: a"
                      " list is for \"eq\" and \"!eq\"", name, nvalues);
        return KR_DECLINED;
    }

    return KR_OK;
}


static unsigned
kr_op_kind(kr_op_e op)
{
    return (size_t) op < KR_OPS ? kr_ops[op].kind : 0;
}
