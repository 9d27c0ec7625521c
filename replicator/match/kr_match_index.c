/*
 * The index itself: tables, their columns, and the routes under them.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "kr_match_private.h"


static void kr_match_seed(kr_match_t *m);
static int kr_match_add_values(kr_match_t *m, kr_match_entry_t *e,
    const kr_predicate_t *p);
static kr_match_kind_e kr_match_kind(const kr_predicate_t *p);
static kr_match_column_t *kr_match_find_column(kr_match_table_t *tb,
    const kr_predicate_t *p);
static kr_match_column_t *kr_match_add_column(kr_match_table_t *tb,
    const kr_predicate_t *p);
static kr_match_table_t *kr_match_add_table(kr_match_t *m,
    const kr_str_t *schema, const kr_str_t *table);
static kr_match_member_t *kr_match_find_member(const kr_match_t *m,
    kr_route_t *rt);
static kr_match_member_t *kr_match_add_member(kr_match_t *m, kr_route_t *rt);
static kr_match_entry_t *kr_match_find_entry(const kr_match_t *m,
    const kr_match_table_t *tb, const kr_match_column_t *cl,
    kr_route_t *rt);
static kr_match_entry_t *kr_match_add_entry(kr_match_t *m,
    kr_match_table_t *tb, kr_match_column_t *cl, size_t nrefs,
    kr_route_t *rt);
static void kr_match_remove_entry(kr_match_t *m, kr_match_entry_t *e);
static void kr_match_prune(kr_match_t *m, kr_match_table_t *tb,
    kr_match_column_t *cl);


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

    kr_match_seed(m);

    return m;
}


void
kr_match_free(kr_match_t *m)
{
    kr_match_member_t  *mb;

    if (m == NULL) {
        return;
    }

    /* a member, a table is freed with its last entry */

    while (m->members != NULL) {
        mb = m->members;

        while (mb->entries->other != NULL) {
            kr_match_remove_entry(m, mb->entries);
        }

        kr_match_remove_entry(m, mb->entries);
    }

    kr_buf_free(&m->key);
    free(m->hits);
    free(m);
}


int
kr_match_add(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt)
{
    int                 rc;
    kr_match_entry_t   *e;
    kr_match_table_t   *tb;
    kr_match_column_t  *cl;

    if (!kr_op_supported(p->op, p->type)
        || (p->nvalues != 1 && !kr_op_is_list(p->op)))
    {
        return KR_DECLINED;
    }

    tb = kr_match_add_table(m, &p->schema, &p->table);
    if (tb == NULL) {
        return KR_ERROR;
    }

    cl = kr_match_add_column(tb, p);
    e = cl == NULL ? NULL : kr_match_add_entry(m, tb, cl, p->nvalues, rt);

    if (e == NULL) {
        kr_match_prune(m, tb, cl);
        return KR_ERROR;
    }

    rc = kr_match_add_values(m, e, p);

    if (rc != KR_OK) {
        kr_match_remove_entry(m, e);
    }

    return rc;
}


void
kr_match_remove(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt)
{
    kr_match_entry_t   *e;
    kr_match_table_t   *tb;
    kr_match_column_t  *cl;

    tb = kr_match_find_table(m, &p->schema, &p->table, &m->key);
    cl = tb == NULL ? NULL : kr_match_find_column(tb, p);
    e = cl == NULL ? NULL : kr_match_find_entry(m, tb, cl, rt);

    if (e != NULL) {
        kr_match_remove_entry(m, e);
    }
}


int
kr_match_watch(kr_match_t *m, const kr_str_t *schema, const kr_str_t *table,
    kr_route_t *rt)
{
    kr_match_table_t  *tb;

    tb = kr_match_add_table(m, schema, table);
    if (tb == NULL) {
        return KR_ERROR;
    }

    if (kr_match_find_entry(m, tb, NULL, rt) != NULL) {
        return KR_OK;
    }

    if (kr_match_add_entry(m, tb, NULL, 0, rt) == NULL) {
        kr_match_prune(m, tb, NULL);
        return KR_ERROR;
    }

    return KR_OK;
}


void
kr_match_unwatch(kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table, kr_route_t *rt)
{
    kr_match_entry_t  *e;
    kr_match_table_t  *tb;

    tb = kr_match_find_table(m, schema, table, &m->key);
    e = tb == NULL ? NULL : kr_match_find_entry(m, tb, NULL, rt);

    if (e != NULL) {
        kr_match_remove_entry(m, e);
    }
}


/* Derives the base of the patterns and the random state from the seed. */
static void
kr_match_seed(kr_match_t *m)
{
    m->base = (uint64_t) kr_match_hash(m, "base", 4) << 28
              ^ kr_match_hash(m, "more", 4) ^ (uint64_t) 1 << 59;

    m->random = (uint64_t) kr_match_hash(m, "random", 6) << 32 | 1;
}


static int
kr_match_add_values(kr_match_t *m, kr_match_entry_t *e,
    const kr_predicate_t *p)
{
    int     rc;
    size_t  i;

    if (e->column->kind == KR_KIND_ANY) {
        return KR_OK;
    }

    for (i = 0; i < p->nvalues; i++) {
        kr_buf_reset(&m->key);

        rc = kr_match_route_key(e->column, &p->values[i], &m->key);

        if (rc == KR_OK) {
            rc = kr_match_add_value(m, e->column, e);
        }

        if (rc != KR_OK) {
            return m->key.failed ? KR_ERROR : rc;
        }
    }

    return KR_OK;
}


static kr_match_kind_e
kr_match_kind(const kr_predicate_t *p)
{
    switch (p->op) {

    case KR_EQ:
        return KR_KIND_EQUAL;

    case KR_NE:
        return p->nvalues == 1 ? KR_KIND_EXCEPT : KR_KIND_LISTS;

    case KR_CONTAINS:
        return KR_KIND_INFIX;

    case KR_STARTS_WITH:
        return KR_KIND_PREFIX;

    case KR_ENDS_WITH:
        return KR_KIND_SUFFIX;

    default:
        return kr_predicate_exact(p) ? KR_KIND_ORDER : KR_KIND_ANY;
    }
}


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


/*
 * Finds the table, or makes one without columns and watchers, which
 * kr_match_prune() frees if none is added.  NULL: no memory.
 */
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


static kr_match_column_t *
kr_match_find_column(kr_match_table_t *tb, const kr_predicate_t *p)
{
    kr_match_kind_e     kind;
    kr_match_column_t  *cl;

    kind = kr_match_kind(p);

    for (cl = tb->columns; cl != NULL; cl = cl->next) {
        if (cl->type == p->type && cl->op == p->op && cl->kind == kind
            && cl->name.len == p->column.len
            && memcmp(cl->name.data, p->column.data, p->column.len) == 0)
        {
            return cl;
        }
    }

    return NULL;
}


static kr_match_column_t *
kr_match_add_column(kr_match_table_t *tb, const kr_predicate_t *p)
{
    kr_match_column_t  *cl;

    cl = kr_match_find_column(tb, p);
    if (cl != NULL) {
        return cl;
    }

    cl = malloc(sizeof(kr_match_column_t) + p->column.len);
    if (cl == NULL) {
        return NULL;
    }

    memset(cl, 0, sizeof(kr_match_column_t));
    memcpy(cl->text, p->column.data, p->column.len);

    cl->table = tb;
    cl->type = p->type;
    cl->op = p->op;
    cl->kind = kr_match_kind(p);
    cl->name.data = cl->text;
    cl->name.len = p->column.len;
    cl->next = tb->columns;
    tb->columns = cl;

    return cl;
}


static kr_match_member_t *
kr_match_find_member(const kr_match_t *m, kr_route_t *rt)
{
    unsigned            hash;
    kr_match_member_t  *mb;

    hash = kr_match_hash(m, (char *) &rt, sizeof(uintptr_t));

    HASH_FIND_BYHASHVALUE(hh, m->members, &rt, sizeof(uintptr_t), hash, mb);

    return mb;
}


/*
 * Finds the route's member, or makes one, to which the caller adds an entry.
 * NULL: no memory.
 */
static kr_match_member_t *
kr_match_add_member(kr_match_t *m, kr_route_t *rt)
{
    unsigned            hash;
    kr_match_member_t  *mb;

    mb = kr_match_find_member(m, rt);
    if (mb != NULL) {
        return mb;
    }

    mb = calloc(1, sizeof(kr_match_member_t));
    if (mb == NULL) {
        return NULL;
    }

    mb->route = rt;

    hash = kr_match_hash(m, (char *) &rt, sizeof(uintptr_t));

    HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->members, &mb->route,
                                sizeof(uintptr_t), hash, mb);

    if (mb->hh.tbl == NULL) {
        free(mb);
        return NULL;
    }

    return mb;
}


static kr_match_entry_t *
kr_match_find_entry(const kr_match_t *m, const kr_match_table_t *tb,
    const kr_match_column_t *cl, kr_route_t *rt)
{
    kr_match_entry_t   *e;
    kr_match_member_t  *mb;

    mb = kr_match_find_member(m, rt);

    for (e = mb == NULL ? NULL : mb->entries; e != NULL; e = e->other) {
        if (e->table == tb && e->column == cl) {
            return e;
        }
    }

    return NULL;
}


static kr_match_entry_t *
kr_match_add_entry(kr_match_t *m, kr_match_table_t *tb,
    kr_match_column_t *cl, size_t nrefs, kr_route_t *rt)
{
    kr_match_entry_t   *e;
    kr_match_member_t  *mb;

    e = malloc(sizeof(kr_match_entry_t) + nrefs * sizeof(kr_match_ref_t));
    if (e == NULL) {
        return NULL;
    }

    mb = kr_match_add_member(m, rt);
    if (mb == NULL) {
        free(e);
        return NULL;
    }

    memset(e, 0, sizeof(kr_match_entry_t));

    e->member = mb;
    e->table = tb;
    e->column = cl;
    e->other = mb->entries;
    mb->entries = e;

    if (cl != NULL) {
        DL_PREPEND(cl->entries, e);

    } else {
        DL_PREPEND(tb->watchers, e);
    }

    return e;
}


/* Frees the entry, with its member, column and table if they are unused. */
static void
kr_match_remove_entry(kr_match_t *m, kr_match_entry_t *e)
{
    kr_match_table_t    *tb;
    kr_match_entry_t   **link;
    kr_match_column_t   *cl;
    kr_match_member_t   *mb;

    tb = e->table;
    cl = e->column;
    mb = e->member;

    kr_match_remove_values(e);

    if (cl != NULL) {
        DL_DELETE(cl->entries, e);

    } else {
        DL_DELETE(tb->watchers, e);
    }

    for (link = &mb->entries; *link != e; link = &(*link)->other) {
        /* void */
    }

    *link = e->other;
    free(e);

    if (mb->entries == NULL) {
        HASH_DEL(m->members, mb);
        free(mb);
    }

    kr_match_prune(m, tb, cl);
}


/*
 * Frees the column (or NULL) if it has no entries, and the table if it has
 * neither columns nor watchers.
 */
static void
kr_match_prune(kr_match_t *m, kr_match_table_t *tb, kr_match_column_t *cl)
{
    kr_match_column_t  **link;

    if (cl != NULL && cl->entries == NULL) {

        for (link = &tb->columns; *link != cl; link = &(*link)->next) {
            /* void */
        }

        *link = cl->next;
        free(cl->lengths);
        free(cl);
    }

    if (tb->columns == NULL && tb->watchers == NULL) {
        HASH_DEL(m->tables, tb);
        free(tb);
    }
}
