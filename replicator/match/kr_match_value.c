/*
 * The values of a column: by hash, or in the order of their keys.  The skip
 * list (Pugh) is ordered so that the matching values stand at its head: for gt
 * the least value is the first, for lt the greatest.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_match_private.h"
#include "kr_oid.h"
#include "kr_value.h"


static kr_match_value_t *kr_match_make_value(kr_match_t *m,
    kr_match_column_t *cl);
static int kr_match_hash_value(kr_match_t *m, kr_match_column_t *cl,
    kr_match_value_t *v);
static void kr_match_free_value(kr_match_column_t *cl, kr_match_value_t *v);
static unsigned kr_match_value_hash(const kr_match_t *m,
    const kr_match_column_t *cl, const char *key, size_t len);
static int kr_match_by_length(const kr_match_column_t *cl);
static void kr_match_path(kr_match_column_t *cl, const char *key, size_t len,
    kr_match_value_t **path[KR_MATCH_LEVELS]);
static unsigned kr_match_height(kr_match_t *m);


int
kr_match_route_key(const kr_match_column_t *cl, const kr_str_t *value,
    kr_buf_t *key)
{
    int  rc;

    rc = cl->kind == KR_KIND_ORDER
         ? kr_value_order(cl->type, value->data, value->len, key)
         : kr_value_key(kr_match_by_length(cl) ? KR_OID_TEXT : cl->type,
                        value->data, value->len, key);

    return key->failed ? KR_ERROR : rc != KR_OK ? KR_DECLINED : KR_OK;
}


int
kr_match_row_key(const kr_match_column_t *cl, const char *text, size_t len,
    kr_buf_t *key)
{
    int  rc;

    rc = cl->kind == KR_KIND_ORDER ? kr_value_order(cl->type, text, len, key)
                                   : kr_value_key(cl->type, text, len, key);

    return key->failed ? KR_ERROR : rc != KR_OK ? KR_DECLINED : KR_OK;
}


int
kr_match_add_value(kr_match_t *m, kr_match_column_t *cl, kr_match_entry_t *e)
{
    kr_match_ref_t    *ref;
    kr_match_value_t  *v;

    v = kr_match_find_value(m, cl, m->key.data, m->key.len);

    if (v == NULL) {
        v = kr_match_make_value(m, cl);

        if (v == NULL) {
            return KR_ERROR;
        }

    } else if (v->refs->entry == e) {
        return KR_OK;    /* the entry has an equal value (1.0 and 1.00) */
    }

    ref = &e->refs[e->nrefs++];

    ref->entry = e;
    ref->value = v;
    ref->prev = NULL;
    ref->next = v->refs;
    v->refs = ref;

    if (ref->next != NULL) {
        ref->next->prev = ref;
    }

    return KR_OK;
}


void
kr_match_remove_values(kr_match_entry_t *e)
{
    size_t             i;
    kr_match_ref_t    *ref;
    kr_match_value_t  *v;

    for (i = 0; i < e->nrefs; i++) {
        ref = &e->refs[i];
        v = ref->value;

        if (ref->next != NULL) {
            ref->next->prev = ref->prev;
        }

        if (ref->prev != NULL) {
            ref->prev->next = ref->next;

        } else {
            v->refs = ref->next;
        }

        if (v->refs == NULL) {
            /* an entry has one ref to a value, so no later ref is of v */
            kr_match_free_value(e->column, v);
        }
    }

    e->nrefs = 0;
}


kr_match_value_t *
kr_match_find_value(const kr_match_t *m, kr_match_column_t *cl,
    const char *key, size_t len)
{
    kr_match_value_t   *v;
    kr_match_value_t  **path[KR_MATCH_LEVELS];

    if (cl->kind == KR_KIND_ORDER) {
        kr_match_path(cl, key, len, path);
        v = *path[0];

        return v != NULL && v->len == len && memcmp(v->key, key, len) == 0
               ? v : NULL;
    }

    HASH_FIND_BYHASHVALUE(hh, cl->values, key, len,
                          kr_match_value_hash(m, cl, key, len), v);

    return v;
}


/*
 * A new value with the key m->key, linked into the column, without a ref.
 * NULL: no memory.
 */
static kr_match_value_t *
kr_match_make_value(kr_match_t *m, kr_match_column_t *cl)
{
    size_t              towers;
    unsigned            i, height;
    kr_match_value_t   *v;
    kr_match_value_t  **path[KR_MATCH_LEVELS];

    height = cl->kind == KR_KIND_ORDER ? kr_match_height(m) : 0;
    towers = height * sizeof(kr_match_value_t *);

    v = malloc(sizeof(kr_match_value_t) + towers + m->key.len);
    if (v == NULL) {
        return NULL;
    }

    memset(v, 0, sizeof(kr_match_value_t));

    v->height = height;
    v->tower = (kr_match_value_t **) (v + 1);
    v->key = (char *) (v + 1) + towers;
    v->len = m->key.len;
    memcpy(v->key, m->key.data, v->len);

    if (cl->kind != KR_KIND_ORDER) {
        return kr_match_hash_value(m, cl, v) == KR_OK ? v : NULL;
    }

    kr_match_path(cl, v->key, v->len, path);

    for (i = 0; i < height; i++) {
        v->tower[i] = *path[i];
        *path[i] = v;
    }

    return v;
}


/* Adds the value to the hash.  KR_ERROR: no memory; the value was freed. */
static int
kr_match_hash_value(kr_match_t *m, kr_match_column_t *cl,
    kr_match_value_t *v)
{
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, cl->values, v->key, v->len,
                                kr_match_value_hash(m, cl, v->key, v->len),
                                v);

    if (v->hh.tbl == NULL) {
        free(v);
        return KR_ERROR;
    }

    if (kr_match_by_length(cl) && kr_match_link_length(m, cl, v) != KR_OK) {
        HASH_DEL(cl->values, v);
        free(v);
        return KR_ERROR;
    }

    return KR_OK;
}


static void
kr_match_free_value(kr_match_column_t *cl, kr_match_value_t *v)
{
    unsigned            i;
    kr_match_value_t  **path[KR_MATCH_LEVELS];

    if (cl->kind == KR_KIND_ORDER) {
        kr_match_path(cl, v->key, v->len, path);

        for (i = 0; i < v->height; i++) {
            *path[i] = v->tower[i];
        }

    } else {
        if (kr_match_by_length(cl)) {
            kr_match_unlink_length(cl, v);
        }

        HASH_DEL(cl->values, v);  /* NOLINT(clang-analyzer-*) */
    }

    free(v);
}


static unsigned
kr_match_value_hash(const kr_match_t *m, const kr_match_column_t *cl,
    const char *key, size_t len)
{
    return kr_match_by_length(cl) ? kr_match_pattern_hash(m, cl, key, len)
                                  : kr_match_hash(m, key, len);
}


static int
kr_match_by_length(const kr_match_column_t *cl)
{
    return cl->kind == KR_KIND_PREFIX || cl->kind == KR_KIND_SUFFIX
           || cl->kind == KR_KIND_INFIX;
}


/*
 * For each level, sets path to the address of the link that points to the
 * first value which does not stand before the key.
 */
static void
kr_match_path(kr_match_column_t *cl, const char *key, size_t len,
    kr_match_value_t **path[KR_MATCH_LEVELS])
{
    int                 sign, level;
    kr_match_value_t   *v, **tower;

    sign = cl->op == KR_LT || cl->op == KR_LTE ? -1 : 1;
    tower = cl->tower;

    for (level = KR_MATCH_LEVELS - 1; level >= 0; level--) {

        for (v = tower[level]; v != NULL; v = tower[level]) {
            if (sign * kr_value_bytes(v->key, v->len, key, len) >= 0) {
                break;
            }

            tower = v->tower;
        }

        path[level] = &tower[level];
    }
}


/*
 * The height of a new value's tower: a value of one level is in the next one
 * with the chance 1/4.  The height is random, so that no client can choose it.
 */
static unsigned
kr_match_height(kr_match_t *m)
{
    unsigned  height;
    uint64_t  r;

    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;

    r = m->random >> 16;

    for (height = 1; height < KR_MATCH_LEVELS && r % 4 == 0; height++) {
        r /= 4;
    }

    return height;
}
