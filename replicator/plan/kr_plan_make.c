#include <stdlib.h>
#include <string.h>

#include "kr_oid.h"
#include "kr_plan_private.h"


#define KR_PLAN_TABLES_MAX  32     /* that a query reads; beyond, refused */


static int kr_plan_values(kr_plan_maker_t *mk, const kr_str_t *values,
    size_t n);
static int kr_plan_value_cmp(const void *one, const void *two);
static int kr_plan_predicate(kr_plan_maker_t *mk);
static int kr_plan_statements(kr_plan_maker_t *mk);
static void kr_plan_target(const kr_plan_maker_t *mk, kr_sql_target_t *t,
    kr_str_t *types);
static int kr_plan_reruns(kr_plan_maker_t *mk, kr_sql_target_t *t);
static int kr_plan_rerun(kr_plan_maker_t *mk, const kr_sql_target_t *t,
    kr_str_t *s);
static int kr_plan_refetch(kr_plan_maker_t *mk, const kr_sql_target_t *t);
static int kr_plan_tables(kr_plan_maker_t *mk);
static int kr_plan_watched(const kr_route_table_t *w, size_t n,
    const kr_table_t *t);
static int kr_plan_table(kr_plan_t *pl, kr_route_table_t *w,
    const kr_table_t *t, int main);


int
kr_plan_parse(kr_plan_t *pl, const char *json, size_t len, kr_buf_t *reason)
{
    int     rc;
    size_t  n;

    rc = kr_spec_parse(&pl->spec, json, len, reason);

    if (rc == KR_OK) {
        rc = kr_sql_parse(pl->spec.query.data, pl->spec.query.len,
                          pl->of_route ? KR_SQL_MAX_CANONICAL
                                       : KR_SQL_MAX_LEN, &pl->sql, reason);
    }

    if (rc != KR_OK) {
        return rc;
    }

    (void) kr_sql_tables(pl->sql, &n);

    if (n > KR_PLAN_TABLES_MAX) {
        kr_buf_printf(reason, "the query reads tables %zu times, and may do "
                      "so %d times", n, KR_PLAN_TABLES_MAX);
        return KR_DECLINED;
    }

    return KR_OK;
}


int
kr_plan_qualify(kr_plan_t *pl, kr_buf_t *reason)
{
    int                rc;
    size_t             i;
    kr_str_t          *schemas;
    const kr_facts_t  *fa;

    fa = pl->facts;

    schemas = malloc((fa->ntables + 1) * sizeof(kr_str_t));
    if (schemas == NULL) {
        return KR_ERROR;
    }

    for (i = 0; i < fa->ntables; i++) {
        schemas[i] = fa->tables[i].schema;
    }

    rc = kr_sql_qualify(pl->sql, schemas);
    free(schemas);

    if (rc == KR_DECLINED) {
        kr_buf_str(reason, "the query cannot be rewritten without risk: "
                   "write its expressions in a simpler way");
    }

    return rc;
}


void
kr_plan_cast(const kr_plan_t *pl, kr_buf_t *sql, kr_buf_t *param)
{
    const char               *type, *text;
    const kr_table_column_t  *field;

    field = pl->target.field;

    type = kr_op_is_pattern(pl->spec.op) ? "pg_catalog.text"
                                         : field->base_name.data;

    /* of the types that are no text, uuid alone refuses blanks */
    text = field->base != KR_OID_UUID ? "u.v"
           : "pg_catalog.btrim(u.v, E' \\t\\r\\n\\f\\v')";

    kr_buf_printf(sql, "SELECT %s::%s::pg_catalog.text FROM "
                  "pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u(v, n) "
                  "ORDER BY u.n", text, type);

    kr_buf_array(param, pl->spec.values, pl->spec.nvalues);
}


int
kr_plan_make(kr_plan_t *pl, const kr_str_t *values, size_t n,
    kr_buf_t *reason)
{
    int              rc;
    kr_plan_maker_t  mk;

    memset(&mk, 0, sizeof(kr_plan_maker_t));
    mk.plan = pl;
    mk.reason = reason;

    pl->def.canonical.data = kr_sql_canonical(pl->sql);
    pl->def.canonical.len = strlen(pl->def.canonical.data);
    pl->def.alias = pl->spec.alias;
    pl->def.event = pl->spec.event;
    pl->def.claims.data = "";

    rc = kr_plan_values(&mk, values, n);

    if (rc == KR_OK) {
        rc = kr_plan_key(&mk);
    }

    if (rc == KR_OK) {
        rc = kr_plan_predicate(&mk);
    }

    if (rc == KR_OK) {
        rc = kr_plan_statements(&mk);
    }

    if (rc == KR_OK) {
        rc = kr_plan_tables(&mk);
    }

    if (rc == KR_OK) {
        rc = kr_plan_spec(&mk);
    }

    kr_buf_free(&mk.text);

    return rc;
}


void
kr_plan_reset(kr_plan_t *pl)
{
    kr_facts_release(pl->facts);
    pl->facts = NULL;

    kr_shape_free(pl->shape);
    pl->shape = NULL;

    pl->altered = 0;
    memset(&pl->target, 0, sizeof(kr_target_t));
    memset(&pl->def, 0, sizeof(kr_route_def_t));
    kr_arena_free(&pl->arena);
}


void
kr_plan_free(kr_plan_t *pl)
{
    kr_plan_reset(pl);
    kr_spec_free(&pl->spec);

    if (pl->sql != NULL) {
        kr_sql_free(pl->sql);
    }

    memset(pl, 0, sizeof(kr_plan_t));
}


/* Copies the values, in order, each once. */
static int
kr_plan_values(kr_plan_maker_t *mk, const kr_str_t *values, size_t n)
{
    char            *p;
    size_t           i, size;
    kr_str_t        *sorted;
    kr_arena_t      *arena;
    kr_predicate_t  *predicate;

    arena = &mk->plan->arena;
    predicate = &mk->plan->def.predicate;
    size = 1;

    for (i = 0; i < n; i++) {
        size += values[i].len;
    }

    p = kr_arena_alloc(arena, size);
    sorted = kr_arena_alloc(arena, (n + 1) * sizeof(kr_str_t));

    if (p == NULL || sorted == NULL) {
        return KR_ERROR;
    }

    for (i = 0; i < n; i++) {
        memcpy(p, values[i].data, values[i].len);
        sorted[i].data = p;
        sorted[i].len = values[i].len;
        p += values[i].len;
    }

    qsort(sorted, n, sizeof(kr_str_t), kr_plan_value_cmp);

    predicate->values = sorted;

    for (i = 0; i < n; i++) {
        if (predicate->nvalues == 0
            || kr_plan_value_cmp(&sorted[i], &sorted[predicate->nvalues - 1])
               != 0)
        {
            sorted[predicate->nvalues++] = sorted[i];
        }
    }

    return KR_OK;
}


static int
kr_plan_value_cmp(const void *one, const void *two)
{
    const kr_str_t  *a, *b;

    a = one;
    b = two;

    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }

    return memcmp(a->data, b->data, a->len);
}


/*
 * A partitioned table's name stands for those of its partitions.  A column of
 * no table has a name alone.  Without a predicate the table is the query's
 * first, whatever the topic names, which a route's spec does not hold.
 */
static int
kr_plan_predicate(kr_plan_maker_t *mk)
{
    kr_plan_t         *pl;
    kr_predicate_t    *p;
    const kr_table_t  *t;

    pl = mk->plan;
    p = &pl->def.predicate;
    p->all = pl->spec.all;

    t = pl->target.table == NULL || p->all ? &pl->facts->tables[0]
                                           : pl->target.table;
    p->schema = t->schema;
    p->table = t->name;

    if (p->all) {
        p->column.data = "";
        p->result = 1;
        return KR_OK;
    }

    p->column = pl->target.field->name;
    p->type = kr_column_type(pl->target.field);
    p->op = pl->target.op;
    p->c_collation = pl->target.field->c_collation;
    p->result = (pl->target.table == NULL);

    if (!p->result) {
        return KR_OK;
    }

    kr_buf_reset(&mk->text);
    kr_plan_field(pl, &mk->text);

    return kr_arena_copy(&pl->arena, &mk->text, &p->column);
}


static int
kr_plan_statements(kr_plan_maker_t *mk)
{
    int              rc;
    kr_str_t         types[KR_KEY_MAX];
    kr_plan_t       *pl;
    kr_sql_target_t  t;

    pl = mk->plan;
    kr_plan_target(mk, &t, types);

    rc = kr_plan_reruns(mk, &t);
    if (rc != KR_OK) {
        return rc;
    }

    if (kr_sql_mode(pl->sql) == KR_SQL_RERUN) {
        pl->def.refetch.data = "";
        pl->def.check = 0;
        return KR_OK;
    }

    pl->def.rerun.data = "";
    pl->def.rerun.len = 0;
    pl->def.check = !kr_predicate_exact(&pl->def.predicate);

    t.window = 0;
    t.check = pl->def.check;

    return kr_plan_refetch(mk, &t);
}


/* types has room for the types of the key, and is needed as long as t is. */
static void
kr_plan_target(const kr_plan_maker_t *mk, kr_sql_target_t *t, kr_str_t *types)
{
    size_t              i;
    const kr_plan_t    *pl;
    const kr_target_t  *target;

    static const kr_str_t  text = kr_str("text");

    memset(t, 0, sizeof(kr_sql_target_t));

    pl = mk->plan;
    target = &pl->target;

    for (i = 0; i < pl->def.key.n; i++) {
        types[i] = target->key_of_result ? text
                                         : target->key->columns[i]->base_name;
    }

    if (target->of != KR_TARGET_RESULT) {
        t->table = *kr_target_called(target, pl->sql);
    }

    t->all = (target->field == NULL);

    if (!t->all) {
        t->field = target->field->name;
        t->field_type = target->field->base_name;
        t->cast = (target->field->enumerated
                   && target->field->type != target->field->base);
        t->op = target->op;
        t->of_result = (target->of == KR_TARGET_RESULT);
    }

    t->key_of_result = (target->key_of_result && !mk->unnamed);

    if (!target->key_of_result) {
        t->pk_table = *kr_sql_called(pl->sql, target->key_index);
    }

    t->npk = pl->def.key.n;
    t->pks = pl->def.key.names;
    t->pk_types = types;
}


/*
 * The snapshot is a run of the whole query, whatever the plan is.  A query
 * whose window must hold, and which has one, is not served row by row.
 */
static int
kr_plan_reruns(kr_plan_maker_t *mk, kr_sql_target_t *t)
{
    int              rc, same;
    kr_plan_t       *pl;
    kr_route_def_t  *def;

    pl = mk->plan;
    def = &pl->def;

    t->window = 1;
    rc = kr_plan_rerun(mk, t, &def->snapshot);

    if (rc == KR_OK) {
        t->window = 0;
        rc = kr_plan_rerun(mk, t, &def->rerun);
    }

    if (rc != KR_OK) {
        return rc;
    }

    same = strcmp(def->snapshot.data, def->rerun.data) == 0;
    def->exact = ((pl->spec.exact || pl->exact) && !same);

    if (def->exact) {
        kr_sql_set_rerun(pl->sql);
        def->rerun = def->snapshot;
    }

    return KR_OK;
}


static int
kr_plan_rerun(kr_plan_maker_t *mk, const kr_sql_target_t *t, kr_str_t *s)
{
    int  rc;

    kr_buf_reset(&mk->text);
    rc = kr_sql_rerun(mk->plan->sql, t, &mk->text, mk->reason);

    return rc == KR_OK ? kr_arena_copy(&mk->plan->arena, &mk->text, s) : rc;
}


static int
kr_plan_refetch(kr_plan_maker_t *mk, const kr_sql_target_t *t)
{
    int  rc;

    kr_buf_reset(&mk->text);
    rc = kr_sql_refetch(mk->plan->sql, t, &mk->text);

    if (rc == KR_DECLINED) {
        kr_buf_str(mk->reason, "the query cannot be rewritten without risk: "
                   "write its expressions in a simpler way");
    }

    if (rc != KR_OK && !mk->text.failed) {
        return rc;
    }

    return kr_arena_copy(&mk->plan->arena, &mk->text,
                         &mk->plan->def.refetch);
}


/* The main table, if any, and those that are read beside it, each once. */
static int
kr_plan_tables(kr_plan_maker_t *mk)
{
    int                main;
    size_t             i, n;
    kr_plan_t         *pl;
    const kr_facts_t  *fa;
    kr_route_table_t  *tables;

    pl = mk->plan;
    fa = pl->facts;
    n = 0;

    tables = kr_arena_alloc(&pl->arena,
                            fa->ntables * sizeof(kr_route_table_t));
    if (tables == NULL) {
        return KR_ERROR;
    }

    main = (pl->target.table != NULL && pl->target.field != NULL);

    if (main
        && kr_plan_table(pl, &tables[n++], pl->target.table, 1) != KR_OK)
    {
        return KR_ERROR;
    }

    for (i = 0; i < fa->ntables; i++) {

        if ((main && i == pl->target.index)
            || kr_plan_watched(tables, n, &fa->tables[i]))
        {
            continue;
        }

        if (kr_plan_table(pl, &tables[n++], &fa->tables[i], 0) != KR_OK) {
            return KR_ERROR;
        }
    }

    pl->def.tables = tables;
    pl->def.ntables = n;

    return KR_OK;
}


/* Whether it is one of the n tables, other than as the main one. */
static int
kr_plan_watched(const kr_route_table_t *w, size_t n, const kr_table_t *t)
{
    size_t  i;

    for (i = 0; i < n; i++) {

        if (!w[i].main && strcmp(w[i].table.name.data, t->name.data) == 0
            && strcmp(w[i].table.schema.data, t->schema.data) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static int
kr_plan_table(kr_plan_t *pl, kr_route_table_t *w, const kr_table_t *t,
    int main)
{
    size_t  i;

    w->table.schema = t->schema;
    w->table.name = t->name;
    w->main = (main != 0);
    w->parted = (t->kind == 'p');
    w->shape = t->shape.data;

    if (!w->parted || t->nleaves == 0) {
        return KR_OK;
    }

    w->leaves = kr_arena_alloc(&pl->arena,
                               t->nleaves * sizeof(kr_relation_t));
    if (w->leaves == NULL) {
        return KR_ERROR;
    }

    w->nleaves = t->nleaves;

    for (i = 0; i < t->nleaves; i++) {
        w->leaves[i].schema = t->leaves[i].schema;
        w->leaves[i].name = t->leaves[i].name;
    }

    return KR_OK;
}
