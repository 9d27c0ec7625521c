/*
 * Makes routes and templates from definitions; copies all strings.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_registry_private.h"


static int kr_route_predicate(kr_predicate_t *p, const kr_predicate_t *from);
static int kr_route_watched(kr_route_t *rt, const kr_route_def_t *def);
static void kr_watched_free(kr_route_table_t *w);
static char *kr_route_param(const kr_predicate_t *p);
static kr_template_t *kr_template_create(const kr_route_def_t *def,
    kr_buf_t *hash);
static int kr_template_copy(kr_template_t *t, const kr_route_def_t *def);
static int kr_template_hash(const kr_route_def_t *def, kr_buf_t *hash);
static void kr_template_free(kr_template_t *t);
static int kr_relation_copy(kr_relation_t *to, const kr_relation_t *from);
static int kr_str_copy(kr_str_t *to, const kr_str_t *from);
static char *kr_str_dup(const kr_str_t *s);


kr_route_t *
kr_route_create(const kr_route_def_t *def, const char *topic)
{
    kr_route_t  *rt;

    rt = calloc(1, sizeof(kr_route_t));
    if (rt == NULL) {
        return NULL;
    }

    rt->refs = 1;
    memcpy(rt->topic, topic, KR_TOPIC_LEN + 1);

    rt->event = kr_str_dup(&def->event);
    rt->spec = kr_str_dup(&def->spec);
    rt->param = def->predicate.all ? NULL : kr_route_param(&def->predicate);

    if (rt->event == NULL || rt->spec == NULL
        || (rt->param == NULL && !def->predicate.all)
        || kr_route_predicate(&rt->predicate, &def->predicate) != KR_OK
        || kr_route_watched(rt, def) != KR_OK)
    {
        kr_route_free(rt);
        return NULL;
    }

    return rt;
}


void
kr_route_free(kr_route_t *rt)
{
    size_t           i;
    kr_predicate_t  *p;

    p = &rt->predicate;

    if (p->values != NULL) {
        for (i = 0; i < p->nvalues; i++) {
            free((char *) p->values[i].data);
        }
    }

    for (i = 0; i < rt->ntables; i++) {
        kr_watched_free(&rt->tables[i]);
    }

    kr_tickets_free(rt);
    free(rt->tables);
    free(p->values);
    free((char *) p->schema.data);
    free((char *) p->table.data);
    free((char *) p->column.data);
    free(rt->event);
    free(rt->spec);
    free(rt->param);
    free(rt);
}


kr_template_t *
kr_template_get(kr_registry_t *reg, const kr_route_def_t *def)
{
    kr_buf_t        hash;
    kr_template_t  *t;

    memset(&hash, 0, sizeof(kr_buf_t));

    if (kr_template_hash(def, &hash) != KR_OK) {
        kr_buf_free(&hash);
        return NULL;
    }

    HASH_FIND(hh, reg->templates, hash.data, hash.len, t);

    if (t != NULL) {
        kr_buf_free(&hash);
        return t;
    }

    t = kr_template_create(def, &hash);
    if (t == NULL) {
        return NULL;
    }

    HASH_ADD_KEYPTR(hh, reg->templates, t->hash, t->hash_len, t);

    if (t->hh.tbl == NULL) {
        kr_template_free(t);
        return NULL;
    }

    return t;
}


void
kr_template_leave(kr_registry_t *reg, kr_route_t *rt)
{
    kr_template_t  *t;

    t = rt->template;
    rt->template = NULL;

    DL_DELETE2(t->routes, rt, tprev, tnext);

    if (t->routes != NULL) {
        return;
    }

    HASH_DELETE(hh, reg->templates, t);

    if (t->pending != NULL) {
        reg->orphaned(t->pending);
    }

    kr_template_free(t);
}


static int
kr_route_predicate(kr_predicate_t *p, const kr_predicate_t *from)
{
    size_t  i;

    *p = *from;
    p->values = NULL;

    /* all three are set, if to NULL, before kr_route_free() frees them */

    p->schema.data = kr_str_dup(&from->schema);
    p->table.data = kr_str_dup(&from->table);
    p->column.data = kr_str_dup(&from->column);

    if (p->schema.data == NULL || p->table.data == NULL
        || p->column.data == NULL)
    {
        return KR_ERROR;
    }

    p->values = calloc(from->nvalues + 1, sizeof(kr_str_t));
    if (p->values == NULL) {
        return KR_ERROR;
    }

    for (i = 0; i < from->nvalues; i++) {
        if (kr_str_copy(&p->values[i], &from->values[i]) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


static int
kr_route_watched(kr_route_t *rt, const kr_route_def_t *def)
{
    size_t                   i, k;
    kr_route_table_t        *w;
    const kr_route_table_t  *from;

    if (def->ntables == 0) {
        return KR_OK;
    }

    rt->tables = calloc(def->ntables, sizeof(kr_route_table_t));
    if (rt->tables == NULL) {
        return KR_ERROR;
    }

    rt->ntables = def->ntables;

    for (i = 0; i < def->ntables; i++) {
        w = &rt->tables[i];
        from = &def->tables[i];

        w->main = from->main;
        w->parted = from->parted;

        if (kr_relation_copy(&w->table, &from->table) != KR_OK) {
            return KR_ERROR;
        }

        if (from->nleaves == 0) {
            continue;
        }

        w->leaves = calloc(from->nleaves, sizeof(kr_relation_t));
        if (w->leaves == NULL) {
            return KR_ERROR;
        }

        w->nleaves = from->nleaves;

        for (k = 0; k < from->nleaves; k++) {
            if (kr_relation_copy(&w->leaves[k], &from->leaves[k]) != KR_OK) {
                return KR_ERROR;
            }
        }
    }

    return KR_OK;
}


static void
kr_watched_free(kr_route_table_t *w)
{
    size_t  i;

    for (i = 0; i < w->nleaves; i++) {
        free((char *) w->leaves[i].schema.data);
        free((char *) w->leaves[i].name.data);
    }

    free(w->leaves);
    free((char *) w->table.schema.data);
    free((char *) w->table.name.data);
}


/*
 * The value of the statements' parameter, see kr_sql.h: an array for eq and
 * !eq, else the one value.  The caller frees it.  NULL: no memory.
 */
static char *
kr_route_param(const kr_predicate_t *p)
{
    kr_buf_t  b;

    if (!kr_op_is_list(p->op)) {
        return kr_str_dup(&p->values[0]);
    }

    memset(&b, 0, sizeof(kr_buf_t));
    kr_buf_array(&b, p->values, p->nvalues);

    if (b.failed) {
        kr_buf_free(&b);
        return NULL;
    }

    return b.data;
}


/*
 * A new template in no list; takes the memory of hash over, or frees it.
 * NULL: no memory.
 */
static kr_template_t *
kr_template_create(const kr_route_def_t *def, kr_buf_t *hash)
{
    kr_template_t  *t;

    t = calloc(1, sizeof(kr_template_t));
    if (t == NULL) {
        kr_buf_free(hash);
        return NULL;
    }

    t->hash = hash->data;
    t->hash_len = hash->len;
    t->oldest_lsn = UINT64_MAX;
    t->plan = def->plan;
    t->check = def->check;
    t->windowed = (def->snapshot.len != def->rerun.len
                   || memcmp(def->snapshot.data, def->rerun.data,
                             def->rerun.len) != 0);

    if (kr_template_copy(t, def) != KR_OK) {
        kr_template_free(t);
        return NULL;
    }

    return t;
}


static int
kr_template_copy(kr_template_t *t, const kr_route_def_t *def)
{
    size_t  i;

    t->refetch = kr_str_dup(&def->refetch);
    t->rerun = kr_str_dup(&def->rerun);
    t->snapshot = kr_str_dup(&def->snapshot);

    if (t->refetch == NULL || t->rerun == NULL || t->snapshot == NULL) {
        return KR_ERROR;
    }

    t->key.n = def->key.n;
    t->key.added = def->key.added;

    for (i = 0; i < def->key.n; i++) {
        t->key.types[i] = def->key.types[i];
        t->key.forms[i] = def->key.forms[i];

        if (kr_str_copy(&t->key.names[i], &def->key.names[i]) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


/*
 * Makes the template's key.  The statements contain the query and the columns,
 * but not the table's name, which is therefore added.  A statement that
 * contains the predicate (check) is shared by routes with the same values
 * alone.  KR_OK; KR_ERROR: no memory.
 */
static int
kr_template_hash(const kr_route_def_t *def, kr_buf_t *hash)
{
    size_t           i;
    const kr_str_t  *p, *parts[6 + KR_KEY_MAX];

    parts[0] = &def->predicate.schema;
    parts[1] = &def->predicate.table;
    parts[2] = &def->refetch;
    parts[3] = &def->rerun;
    parts[4] = &def->snapshot;

    for (i = 0; i < def->key.n; i++) {
        parts[5 + i] = &def->key.names[i];
    }

    parts[5 + i] = NULL;

    kr_buf_append(hash, def->plan->name, strlen(def->plan->name) + 1);

    for (i = 0; parts[i] != NULL; i++) {
        kr_buf_append(hash, parts[i]->data, parts[i]->len);
        kr_buf_append(hash, "", 1);
    }

    for (i = 0; def->check && i < def->predicate.nvalues; i++) {
        p = &def->predicate.values[i];
        kr_buf_append(hash, p->data, p->len);
        kr_buf_append(hash, "", 1);
    }

    return hash->failed ? KR_ERROR : KR_OK;
}


static void
kr_template_free(kr_template_t *t)
{
    size_t  i;

    for (i = 0; i < t->key.n; i++) {
        free((char *) t->key.names[i].data);
    }

    free(t->refetch);
    free(t->rerun);
    free(t->snapshot);
    free(t->hash);
    free(t);
}


static int
kr_relation_copy(kr_relation_t *to, const kr_relation_t *from)
{
    if (kr_str_copy(&to->schema, &from->schema) != KR_OK) {
        return KR_ERROR;
    }

    return kr_str_copy(&to->name, &from->name);
}


static int
kr_str_copy(kr_str_t *to, const kr_str_t *from)
{
    to->data = kr_str_dup(from);
    to->len = from->len;

    return to->data == NULL ? KR_ERROR : KR_OK;
}


static char *
kr_str_dup(const kr_str_t *s)
{
    char  *p;

    p = malloc(s->len + 1);

    if (p != NULL) {
        if (s->len != 0) {
            memcpy(p, s->data, s->len);
        }

        p[s->len] = '\0';
    }

    return p;
}
