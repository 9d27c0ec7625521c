/*
 * Compares one value with one predicate, without the index.
 */

#define _GNU_SOURCE    /* memmem() */

#include <string.h>

#include "kr_match.h"
#include "kr_oid.h"
#include "kr_value.h"


static int kr_predicate_list(const kr_predicate_t *p, const kr_str_t *text);
static int kr_predicate_range(const kr_predicate_t *p, const kr_str_t *text);
static int kr_predicate_pattern(const kr_predicate_t *p,
    const kr_str_t *text);


int
kr_predicate_exact(const kr_predicate_t *p)
{
    return !kr_op_is_range(p->op) || p->c_collation
           || (p->type != KR_OID_TEXT && p->type != KR_OID_BPCHAR
               && p->type != KR_OID_VARCHAR);
}


int
kr_predicate_matches(const kr_predicate_t *p, const char *text, size_t len)
{
    kr_str_t  s;

    if (p->all) {
        return 1;
    }

    if (text == NULL) {
        return 0;
    }

    s.data = text;
    s.len = len;

    if (kr_op_is_list(p->op)) {
        return kr_predicate_list(p, &s);
    }

    if (!kr_predicate_exact(p) || p->nvalues == 0) {
        return 1;
    }

    return kr_op_is_range(p->op) ? kr_predicate_range(p, &s)
                                 : kr_predicate_pattern(p, &s);
}


static int
kr_predicate_list(const kr_predicate_t *p, const kr_str_t *text)
{
    int       found, unknown;
    size_t    i;
    kr_buf_t  a, b;

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));

    found = 0;
    unknown = kr_value_key(p->type, text->data, text->len, &a) != KR_OK;

    for (i = 0; i < p->nvalues && !found && !unknown; i++) {
        kr_buf_reset(&b);

        if (kr_value_key(p->type, p->values[i].data, p->values[i].len, &b)
            != KR_OK)
        {
            unknown = 1;
            break;
        }

        found = (kr_value_bytes(a.data, a.len, b.data, b.len) == 0);
    }

    kr_buf_free(&a);
    kr_buf_free(&b);

    return unknown || found == (p->op == KR_EQ);
}


static int
kr_predicate_range(const kr_predicate_t *p, const kr_str_t *text)
{
    int  order;

    if (kr_value_compare(p->type, text, &p->values[0], &order) != KR_OK) {
        return 1;
    }

    switch (p->op) {

    case KR_GT:
        return order > 0;

    case KR_GTE:
        return order >= 0;

    case KR_LT:
        return order < 0;

    default:
        return order <= 0;
    }
}


static int
kr_predicate_pattern(const kr_predicate_t *p, const kr_str_t *text)
{
    size_t           len;
    const kr_str_t  *v;

    v = &p->values[0];
    len = text->len;

    while (p->type == KR_OID_BPCHAR && len != 0
           && text->data[len - 1] == ' ')
    {
        len--;
    }

    if (v->len > len) {
        return 0;
    }

    switch (p->op) {

    case KR_STARTS_WITH:
        return memcmp(text->data, v->data, v->len) == 0;

    case KR_ENDS_WITH:
        return memcmp(text->data + len - v->len, v->data, v->len) == 0;

    default:
        return memmem(text->data, len, v->data, v->len) != NULL;
    }
}
