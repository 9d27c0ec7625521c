/*
 * Finds the routes of one column that a value touches, by the column's
 * operator.
 */

#include <string.h>

#include "kr_match_private.h"
#include "kr_value.h"


static int kr_match_except(kr_match_t *m, kr_match_column_t *cl,
    unsigned flag);
static int kr_match_lists(kr_match_t *m, kr_match_column_t *cl,
    unsigned flag);
static int kr_match_order(kr_match_t *m, kr_match_column_t *cl,
    unsigned flag);


int
kr_match_search(kr_match_t *m, kr_match_column_t *cl, unsigned flag)
{
    kr_match_value_t  *v;

    m->search++;

    switch (cl->kind) {

    case KR_KIND_EQUAL:
        v = kr_match_find_value(m, cl, m->key.data, m->key.len);
        return v == NULL ? KR_OK : kr_match_hit_value(m, v, flag);

    case KR_KIND_EXCEPT:
        return kr_match_except(m, cl, flag);

    case KR_KIND_LISTS:
        return kr_match_lists(m, cl, flag);

    case KR_KIND_ORDER:
        return kr_match_order(m, cl, flag);

    case KR_KIND_PREFIX:
    case KR_KIND_SUFFIX:
    case KR_KIND_INFIX:
        return kr_match_search_pattern(m, cl, flag);

    case KR_KIND_ANY:
        break;
    }

    return kr_match_hit_entries(m, cl->entries, flag);
}


/* Notes the routes of all values but m->key's. */
static int
kr_match_except(kr_match_t *m, kr_match_column_t *cl, unsigned flag)
{
    kr_match_value_t  *v, *same;

    same = kr_match_find_value(m, cl, m->key.data, m->key.len);

    for (v = cl->values; v != NULL; v = v->hh.next) {
        if (v != same && kr_match_hit_value(m, v, flag) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


/* Notes all routes but the ones with a list that contains m->key's value. */
static int
kr_match_lists(kr_match_t *m, kr_match_column_t *cl, unsigned flag)
{
    kr_match_ref_t    *ref;
    kr_match_entry_t  *e;
    kr_match_value_t  *same;

    same = kr_match_find_value(m, cl, m->key.data, m->key.len);

    for (ref = same == NULL ? NULL : same->refs; ref != NULL; ref = ref->next)
    {
        ref->entry->search = m->search;
    }

    for (e = cl->entries; e != NULL; e = e->next) {
        if (e->search != m->search && kr_match_hit(m, e, flag) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


/* Notes the routes of the values that match: the first ones of the list. */
static int
kr_match_order(kr_match_t *m, kr_match_column_t *cl, unsigned flag)
{
    int                rc, sign, equal;
    kr_match_value_t  *v;

    sign = cl->op == KR_LT || cl->op == KR_LTE ? -1 : 1;
    equal = (cl->op == KR_GTE || cl->op == KR_LTE);

    for (v = cl->tower[0]; v != NULL; v = v->tower[0]) {

        rc = sign * kr_value_bytes(m->key.data, m->key.len, v->key, v->len);

        if (rc < 0 || (rc == 0 && !equal)) {
            break;
        }

        if (kr_match_hit_value(m, v, flag) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}
