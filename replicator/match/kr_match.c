/*
 * Finds the routes that a change touches: a look-up in the index for each
 * indexed column of the table, in the old row and in the new one.
 */

#include <string.h>

#include "kr_match_private.h"
#include "kr_oid.h"
#include "kr_value.h"


/* the value of a column in the old row, or in the new one */
typedef enum {
    KR_SIDE_NONE = 0,      /* there is no such row */
    KR_SIDE_BLIND,         /* the value is not known, see kr_hit_t */
    KR_SIDE_NULL,
    KR_SIDE_VALUE
} kr_side_e;

static int kr_match_column(kr_match_t *m, kr_match_column_t *cl,
    const kr_change_t *c);
static int kr_match_side(kr_match_t *m, kr_match_column_t *cl,
    const kr_column_t *row, kr_side_e side, unsigned flag);
static kr_side_e kr_match_value(const kr_match_column_t *cl,
    const kr_column_t *row);
static int kr_match_special(kr_match_t *m, kr_match_column_t *cl,
    unsigned flag);
static int kr_match_text(kr_match_t *m, kr_match_column_t *cl,
    const char *text, size_t len, unsigned flag);
static int kr_match_may_be_special(uint32_t type);


/* the values of numeric and float types that are no numbers */
static const kr_str_t  kr_match_specials[] = {
    kr_str("NaN"), kr_str("Infinity"), kr_str("-Infinity")
};


long
kr_match_change(kr_match_t *m, const kr_change_t *c, kr_hit_t **hits)
{
    unsigned            flags;
    kr_match_table_t   *tb;
    kr_match_column_t  *cl;

    m->nhits = 0;
    m->change++;

    tb = kr_match_find_table(m, &c->schema, &c->table, &m->key);

    if (tb == NULL) {
        *hits = m->hits;
        return m->key.failed ? -1 : 0;
    }

    for (cl = tb->columns; cl != NULL; cl = cl->next) {
        if (kr_match_column(m, cl, c) != KR_OK) {
            return -1;
        }
    }

    flags = KR_HIT_WATCH
            | (c->action != KR_INSERT ? KR_HIT_OLD : 0)
            | (c->action != KR_DELETE ? KR_HIT_NEW : 0);

    if (kr_match_hit_entries(m, tb->watchers, flags) != KR_OK) {
        return -1;
    }

    *hits = m->hits;

    return (long) m->nhits;
}


long
kr_match_table(kr_match_t *m, const kr_str_t *schema, const kr_str_t *table,
    kr_hit_t **hits)
{
    kr_match_table_t   *tb;
    kr_match_column_t  *cl;

    m->nhits = 0;
    m->change++;

    tb = kr_match_find_table(m, schema, table, &m->key);

    if (tb == NULL) {
        *hits = m->hits;
        return m->key.failed ? -1 : 0;
    }

    for (cl = tb->columns; cl != NULL; cl = cl->next) {
        if (kr_match_hit_entries(m, cl->entries, KR_HIT_OLD) != KR_OK) {
            return -1;
        }
    }

    if (kr_match_hit_entries(m, tb->watchers, KR_HIT_OLD|KR_HIT_WATCH)
        != KR_OK)
    {
        return -1;
    }

    *hits = m->hits;

    return (long) m->nhits;
}


static int
kr_match_column(kr_match_t *m, kr_match_column_t *cl, const kr_change_t *c)
{
    kr_side_e           old, new;
    const kr_column_t  *was, *is;

    was = kr_column_find(c->identity, c->nidentity, &cl->name);
    is = kr_column_find(c->columns, c->ncolumns, &cl->name);

    old = KR_SIDE_NONE;
    new = KR_SIDE_NONE;

    if (c->action != KR_INSERT) {
        old = kr_match_value(cl, was);
    }

    if (c->action != KR_DELETE) {
        is = is == NULL ? was : is;
        new = kr_match_value(cl, is);
    }

    if (kr_match_side(m, cl, was, old, KR_HIT_OLD) != KR_OK) {
        return KR_ERROR;
    }

    return kr_match_side(m, cl, is, new, KR_HIT_NEW);
}


static int
kr_match_side(kr_match_t *m, kr_match_column_t *cl, const kr_column_t *row,
    kr_side_e side, unsigned flag)
{
    switch (side) {

    case KR_SIDE_NONE:
        return KR_OK;

    case KR_SIDE_BLIND:
        return kr_match_hit_entries(m, cl->entries, flag|KR_HIT_BLIND);

    case KR_SIDE_NULL:
        return kr_match_special(m, cl, flag);

    case KR_SIDE_VALUE:
        break;
    }

    return kr_match_text(m, cl, row->value.data, row->value.len, flag);
}


/*
 * The kind of the value.  A row's type that differs from the index's may be a
 * domain over that type, with the same text, if kr_value.h does not support
 * it; if kr_value.h does, the column was altered.
 */
static kr_side_e
kr_match_value(const kr_match_column_t *cl, const kr_column_t *row)
{
    if (row == NULL
        || (row->type != cl->type && kr_value_supported(row->type)))
    {
        return KR_SIDE_BLIND;
    }

    return row->null ? KR_SIDE_NULL : KR_SIDE_VALUE;
}


static int
kr_match_special(kr_match_t *m, kr_match_column_t *cl, unsigned flag)
{
    size_t           i;
    const kr_str_t  *s;

    if (!kr_match_may_be_special(cl->type)) {
        return KR_OK;
    }

    for (i = 0; i < 3; i++) {
        s = &kr_match_specials[i];

        if (kr_match_text(m, cl, s->data, s->len, flag) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


static int
kr_match_text(kr_match_t *m, kr_match_column_t *cl, const char *text,
    size_t len, unsigned flag)
{
    int  rc;

    kr_buf_reset(&m->key);

    rc = kr_match_row_key(cl, text, len, &m->key);

    if (rc == KR_ERROR) {
        return KR_ERROR;
    }

    if (rc != KR_OK) {
        return kr_match_hit_entries(m, cl->entries, flag|KR_HIT_BLIND);
    }

    return kr_match_search(m, cl, flag);
}


static int
kr_match_may_be_special(uint32_t type)
{
    return type == KR_OID_NUMERIC || type == KR_OID_FLOAT4
           || type == KR_OID_FLOAT8;
}
