/*
 * The index itself: table -> column -> key of a value -> routes, each step a
 * hash.  The hash is keyed, for clients choose the values.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "kr_match_private.h"
#include "kr_value.h"


#define kr_rotate(x, n)  ((x) << (n) | (x) >> (64 - (n)))

#define kr_sip_round(v)                                                       \
    do {                                                                      \
        v[0] += v[1]; v[1] = kr_rotate(v[1], 13) ^ v[0];                      \
        v[0] = kr_rotate(v[0], 32);                                           \
        v[2] += v[3]; v[3] = kr_rotate(v[3], 16) ^ v[2];                      \
        v[0] += v[3]; v[3] = kr_rotate(v[3], 21) ^ v[0];                      \
        v[2] += v[1]; v[1] = kr_rotate(v[1], 17) ^ v[2];                      \
        v[2] = kr_rotate(v[2], 32);                                           \
    } while (0)


static void kr_match_free_table(kr_match_t *m, kr_match_table_t *tb);
static unsigned kr_match_hash(const kr_match_t *m, const char *key,
    size_t len);
static kr_match_column_t *kr_match_find_column(kr_match_table_t *tb,
    const kr_predicate_t *p);
static kr_match_column_t *kr_match_add_column(kr_match_t *m,
    const kr_predicate_t *p);
static kr_match_table_t *kr_match_add_table(kr_match_t *m,
    const kr_str_t *schema, const kr_str_t *table);
static int kr_match_add_value(kr_match_t *m, kr_match_column_t *cl,
    kr_match_entry_t *e, const kr_str_t *value);
static kr_match_entry_t *kr_match_find_entry(kr_match_t *m,
    const kr_match_column_t *cl, const kr_predicate_t *p,
    const kr_route_t *rt);
static void kr_match_free_entry(kr_match_column_t *cl, kr_match_entry_t *e);
static void kr_match_prune(kr_match_t *m, kr_match_column_t *cl);


kr_match_t *
kr_match_create(void)
{
    kr_match_t  *m;

    m = calloc(1, sizeof(kr_match_t));
    if (m == NULL) {
        return NULL;
    }

    if (getrandom(m->seed, sizeof(m->seed), 0) != sizeof(m->seed)) {
        free(m);
        return NULL;
    }

    return m;
}


void
kr_match_free(kr_match_t *m)
{
    kr_match_table_t   *tb, *next;
    kr_match_column_t  *cl, *following;

    if (m == NULL) {
        return;
    }

    tb = m->tables;
    HASH_CLEAR(hh, m->tables);

    for ( /* void */ ; tb != NULL; tb = next) {
        next = tb->hh.next;

        for (cl = tb->columns; cl != NULL; cl = following) {
            following = cl->next;

            while (cl->entries != NULL) {
                kr_match_free_entry(cl, cl->entries);
            }

            free(cl);
        }

        free(tb);
    }

    kr_buf_free(&m->key);
    free(m->hits);
    free(m);
}


int
kr_match_add(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt)
{
    int                 rc;
    size_t              i;
    kr_match_entry_t   *e;
    kr_match_column_t  *cl;

    if (p->op != KR_EQ || !kr_value_supported(p->type)) {
        return KR_DECLINED;
    }

    cl = kr_match_add_column(m, p);
    if (cl == NULL) {
        return KR_ERROR;
    }

    e = malloc(sizeof(kr_match_entry_t)
               + p->nvalues * sizeof(kr_match_ref_t));
    if (e == NULL) {
        kr_match_prune(m, cl);
        return KR_ERROR;
    }

    memset(e, 0, sizeof(kr_match_entry_t));

    e->route = rt;
    e->next = cl->entries;
    cl->entries = e;

    if (e->next != NULL) {
        e->next->prev = e;
    }

    for (i = 0; i < p->nvalues; i++) {
        rc = kr_match_add_value(m, cl, e, &p->values[i]);

        if (rc != KR_OK) {
            kr_match_free_entry(cl, e);
            kr_match_prune(m, cl);
            return rc;
        }
    }

    return KR_OK;
}


void
kr_match_remove(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt)
{
    kr_match_entry_t   *e;
    kr_match_table_t   *tb;
    kr_match_column_t  *cl;

    tb = kr_match_find_table(m, &p->schema, &p->table, &m->key);
    cl = tb == NULL ? NULL : kr_match_find_column(tb, p);
    e = cl == NULL ? NULL : kr_match_find_entry(m, cl, p, rt);

    if (e == NULL) {
        return;
    }

    kr_match_free_entry(cl, e);
    kr_match_prune(m, cl);
}


int
kr_match_watches(const kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table)
{
    int       found;
    kr_buf_t  key;

    /* no memory: better a look too many than a change too few */
    memset(&key, 0, sizeof(key));
    found = kr_match_find_table(m, schema, table, &key) != NULL || key.failed;
    kr_buf_free(&key);

    return found;
}


static void
kr_match_free_table(kr_match_t *m, kr_match_table_t *tb)
{
    HASH_DEL(m->tables, tb);
    free(tb);
}


/* SipHash-1-3 (Aumasson, Bernstein), its two halves folded. */
static unsigned
kr_match_hash(const kr_match_t *m, const char *key, size_t len)
{
    size_t    i;
    uint64_t  v[4], word;

    v[0] = m->seed[0] ^ 0x736f6d6570736575;
    v[1] = m->seed[1] ^ 0x646f72616e646f6d;
    v[2] = m->seed[0] ^ 0x6c7967656e657261;
    v[3] = m->seed[1] ^ 0x7465646279746573;

    for (i = 0; i + 8 <= len; i += 8) {
        memcpy(&word, key + i, 8);
        v[3] ^= word;
        kr_sip_round(v);
        v[0] ^= word;
    }

    word = 0;
    memcpy(&word, key + i, len - i);
    word ^= (uint64_t) len << 56;

    v[3] ^= word;
    kr_sip_round(v);
    v[0] ^= word;

    v[2] ^= 0xff;
    kr_sip_round(v);
    kr_sip_round(v);
    kr_sip_round(v);

    word = v[0] ^ v[1] ^ v[2] ^ v[3];

    return (unsigned) (word ^ word >> 32);
}


/* key is where the table's is put together; its len is of use to add. */
kr_match_table_t *
kr_match_find_table(const kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table, kr_buf_t *key)
{
    kr_match_table_t  *tb;

    kr_buf_reset(key);
    kr_buf_append(key, schema->data, schema->len);
    kr_buf_append(key, "", 1);
    kr_buf_append(key, table->data, table->len);

    if (key->failed) {
        return NULL;
    }

    HASH_FIND_BYHASHVALUE(hh, m->tables, key->data, key->len,
                          kr_match_hash(m, key->data, key->len), tb);

    return tb;
}


static kr_match_column_t *
kr_match_find_column(kr_match_table_t *tb, const kr_predicate_t *p)
{
    kr_match_column_t  *cl;

    for (cl = tb->columns; cl != NULL; cl = cl->next) {
        if (cl->type == p->type && cl->op == p->op
            && cl->name.len == p->column.len
            && memcmp(cl->name.data, p->column.data, p->column.len) == 0)
        {
            return cl;
        }
    }

    return NULL;
}


kr_match_value_t *
kr_match_find_value(const kr_match_t *m, const kr_match_column_t *cl,
    const kr_buf_t *key)
{
    kr_match_value_t  *v;

    HASH_FIND_BYHASHVALUE(hh, cl->values, key->data, key->len,
                          kr_match_hash(m, key->data, key->len), v);

    return v;
}


/* The column of a predicate, made if it is not there. */
static kr_match_column_t *
kr_match_add_column(kr_match_t *m, const kr_predicate_t *p)
{
    kr_match_table_t   *tb;
    kr_match_column_t  *cl;

    tb = kr_match_add_table(m, &p->schema, &p->table);
    if (tb == NULL) {
        return NULL;
    }

    cl = kr_match_find_column(tb, p);
    if (cl != NULL) {
        return cl;
    }

    cl = malloc(sizeof(kr_match_column_t) + p->column.len);
    if (cl == NULL) {
        if (tb->columns == NULL) {
            kr_match_free_table(m, tb);
        }

        return NULL;
    }

    memset(cl, 0, sizeof(kr_match_column_t));
    memcpy(cl->text, p->column.data, p->column.len);

    cl->table = tb;
    cl->type = p->type;
    cl->op = p->op;
    cl->name.data = cl->text;
    cl->name.len = p->column.len;
    cl->next = tb->columns;
    tb->columns = cl;

    return cl;
}


static kr_match_table_t *
kr_match_add_table(kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table)
{
    kr_match_table_t  *tb;

    tb = kr_match_find_table(m, schema, table, &m->key);

    if (tb != NULL || m->key.failed) {
        return tb;
    }

    tb = malloc(sizeof(kr_match_table_t) + m->key.len);
    if (tb == NULL) {
        return NULL;
    }

    memset(tb, 0, sizeof(kr_match_table_t));
    memcpy(tb->key, m->key.data, m->key.len);

    HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->tables, tb->key, m->key.len,
                                kr_match_hash(m, tb->key, m->key.len), tb);

    if (tb->hh.tbl == NULL) {
        free(tb);
        return NULL;
    }

    return tb;
}


static int
kr_match_add_value(kr_match_t *m, kr_match_column_t *cl, kr_match_entry_t *e,
    const kr_str_t *value)
{
    int                rc;
    kr_match_ref_t    *ref;
    kr_match_value_t  *v;

    kr_buf_reset(&m->key);

    rc = kr_value_key(cl->type, value->data, value->len, &m->key);
    if (rc != KR_OK) {
        return m->key.failed ? KR_ERROR : KR_DECLINED;
    }

    v = kr_match_find_value(m, cl, &m->key);

    if (v == NULL) {
        v = malloc(sizeof(kr_match_value_t) + m->key.len);
        if (v == NULL) {
            return KR_ERROR;
        }

        memset(v, 0, sizeof(kr_match_value_t));
        memcpy(v->key, m->key.data, m->key.len);

        HASH_ADD_KEYPTR_BYHASHVALUE(hh, cl->values, v->key, m->key.len,
                                    kr_match_hash(m, v->key, m->key.len), v);

        if (v->hh.tbl == NULL) {
            free(v);
            return KR_ERROR;
        }

    } else if (v->refs->entry == e) {
        return KR_OK;    /* the same value, written in another way */
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


static kr_match_entry_t *
kr_match_find_entry(kr_match_t *m, const kr_match_column_t *cl,
    const kr_predicate_t *p, const kr_route_t *rt)
{
    kr_match_ref_t    *ref;
    kr_match_entry_t  *e;
    kr_match_value_t  *v;

    kr_buf_reset(&m->key);

    if (p->nvalues != 0
        && kr_value_key(p->type, p->values[0].data, p->values[0].len,
                        &m->key) == KR_OK)
    {
        v = kr_match_find_value(m, cl, &m->key);

        for (ref = v == NULL ? NULL : v->refs; ref != NULL; ref = ref->next) {
            if (ref->entry->route == rt) {
                return ref->entry;
            }
        }

        return NULL;
    }

    for (e = cl->entries; e != NULL; e = e->next) {
        if (e->route == rt) {
            return e;
        }
    }

    return NULL;
}


static void
kr_match_free_entry(kr_match_column_t *cl, kr_match_entry_t *e)
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
            /* an entry has one ref of a value, so this ends it but once */
            HASH_DEL(cl->values, v);  /* NOLINT(clang-analyzer-*) */
            free(v);
        }
    }

    if (e->next != NULL) {
        e->next->prev = e->prev;
    }

    if (e->prev != NULL) {
        e->prev->next = e->next;

    } else {
        cl->entries = e->next;
    }

    free(e);
}


/* A column without routes goes, a table without columns too. */
static void
kr_match_prune(kr_match_t *m, kr_match_column_t *cl)
{
    kr_match_table_t    *tb;
    kr_match_column_t  **link;

    if (cl->entries != NULL) {
        return;
    }

    tb = cl->table;

    for (link = &tb->columns; *link != cl; link = &(*link)->next) {
        /* void */
    }

    *link = cl->next;
    free(cl);

    if (tb->columns == NULL) {
        kr_match_free_table(m, tb);
    }
}
