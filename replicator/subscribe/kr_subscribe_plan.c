/*
 * What a subscribe is served with: the values as PostgreSQL has them, the
 * columns of the key, the statements, the tables to watch.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_answer.h"
#include "kr_oid.h"
#include "kr_subscribe_private.h"


#define KR_SUB_UUID_TYPE  2950


static void kr_sub_casted(kr_job_t *job);

static void kr_sub_wrong_value(kr_sub_t *sub);
static int kr_sub_read_values(kr_sub_t *sub, const PGresult *res);
static int kr_sub_values(kr_sub_t *sub, const kr_str_t *values, size_t n);
static int kr_value_cmp(const void *one, const void *two);
static int kr_sub_key(kr_sub_t *sub, kr_buf_t *reason);
static int kr_sub_outputs(kr_sub_t *sub, kr_buf_t *reason);
static int kr_sub_output(kr_sub_t *sub, const kr_sql_ref_t *ref,
    kr_buf_t *reason);
static int kr_sub_predicate(kr_sub_t *sub);
static int kr_sub_statements(kr_sub_t *sub, kr_buf_t *reason);
static void kr_sub_target(kr_sub_t *sub, kr_sql_target_t *t,
    kr_str_t *types);
static int kr_sub_reruns(kr_sub_t *sub, kr_sql_target_t *t,
    kr_buf_t *reason);
static int kr_sub_watch(kr_sub_t *sub);
static int kr_sub_watched(const kr_sub_t *sub, const kr_table_t *t);
static int kr_sub_watch_table(kr_sub_t *sub, const kr_table_t *t, int main);


/* PostgreSQL itself says what value each text is, and whether it is one. */
void
kr_sub_cast(kr_sub_t *sub)
{
    kr_job_t    *job;
    const char  *type, *text;

    type = kr_op_is_pattern(sub->spec.op) ? "pg_catalog.text"
                                          : sub->target.field->base_name.data;

    /* of the types that are no text this one alone minds blanks */
    text = sub->target.field->base != KR_SUB_UUID_TYPE ? "u.v"
           : "pg_catalog.btrim(u.v, E' \\t\\r\\n\\f\\v')";

    kr_buf_reset(&sub->values);
    kr_buf_reset(&sub->cast);

    kr_buf_array(&sub->values, sub->spec.values, sub->spec.nvalues);

    kr_buf_printf(&sub->cast, "SELECT %s::%s::pg_catalog.text FROM "
                  "pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u(v, n) "
                  "ORDER BY u.n", text, type);

    if (sub->values.failed || sub->cast.failed) {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    job = &sub->job;

    kr_job_begin(job, KR_JOB_SNAPSHOT, kr_sub_casted);
    kr_job_query(job, sub->cast.data);
    kr_job_param(job, sub->values.data);
    job->max_bytes = sub->owner->max_bytes;

    sub->running = 1;
    kr_pool_run(sub->owner->pool, job);
}


void
kr_sub_plan(kr_sub_t *sub)
{
    int       rc;
    kr_buf_t  reason;

    memset(&reason, 0, sizeof(kr_buf_t));

    rc = kr_sub_key(sub, &reason);

    if (rc == KR_OK) {
        rc = kr_sub_predicate(sub);
    }

    if (rc == KR_OK) {
        rc = kr_sub_statements(sub, &reason);
    }

    if (rc == KR_OK) {
        rc = kr_sub_watch(sub);
    }

    if (rc == KR_OK) {
        kr_sub_register(sub);

    } else {
        kr_sub_refuse(sub, rc == KR_ERROR || reason.len == 0 ? "no memory"
                                                             : reason.data);
    }

    kr_buf_free(&reason);
}


void
kr_sub_unplan(kr_sub_t *sub)
{
    size_t  i;

    for (i = 0; i < sub->ntables; i++) {
        free(sub->tables[i].leaves);
    }

    free(sub->tables);
    free(sub->texts);
    free(sub->canonical);

    sub->tables = NULL;
    sub->ntables = 0;
    kr_buf_free(&sub->table_names);
    sub->texts = NULL;
    sub->canonical = NULL;

    kr_buf_free(&sub->outputs);
    kr_buf_free(&sub->column);
    kr_buf_free(&sub->snapshot);
    kr_buf_free(&sub->refetch);
    kr_buf_free(&sub->rerun);
}


static void
kr_sub_casted(kr_job_t *job)
{
    kr_sub_t  *sub;

    sub = kr_owner(job, kr_sub_t, job);
    sub->running = 0;

    if (job->status != KR_JOB_DONE) {
        kr_sub_wrong_value(sub);
        return;
    }

    if (kr_sub_read_values(sub, job->results[0]) != KR_OK) {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    kr_sub_plan(sub);
}


static void
kr_sub_wrong_value(kr_sub_t *sub)
{
    kr_buf_t  what;

    memset(&what, 0, sizeof(kr_buf_t));
    kr_buf_printf(&what, "field_value for \"%s\" of type %s",
                  kr_op_name(sub->spec.op), sub->target.field->type_name.data);

    kr_sub_failed(sub, what.failed ? "field_value" : what.data);
    kr_buf_free(&what);
}


static int
kr_sub_read_values(kr_sub_t *sub, const PGresult *res)
{
    int        rc, row, n;
    kr_str_t  *values;

    n = PQntuples(res);

    values = malloc((size_t) (n + 1) * sizeof(kr_str_t));
    if (values == NULL) {
        return KR_ERROR;
    }

    for (row = 0; row < n; row++) {
        values[row].data = PQgetvalue(res, row, 0);
        values[row].len = (size_t) PQgetlength(res, row, 0);
    }

    rc = kr_sub_values(sub, values, (size_t) n);
    free(values);

    return rc;
}


/* Copies the values, in order, each once. */
static int
kr_sub_values(kr_sub_t *sub, const kr_str_t *values, size_t n)
{
    char    *p;
    size_t   i, size;

    size = 1;

    for (i = 0; i < n; i++) {
        size += values[i].len;
    }

    sub->texts = malloc(size);
    sub->canonical = malloc((n + 1) * sizeof(kr_str_t));

    if (sub->texts == NULL || sub->canonical == NULL) {
        return KR_ERROR;
    }

    p = sub->texts;

    for (i = 0; i < n; i++) {
        memcpy(p, values[i].data, values[i].len);
        sub->canonical[i].data = p;
        sub->canonical[i].len = values[i].len;
        p += values[i].len;
    }

    qsort(sub->canonical, n, sizeof(kr_str_t), kr_value_cmp);

    sub->nvalues = 0;

    for (i = 0; i < n; i++) {
        if (sub->nvalues == 0
            || kr_value_cmp(&sub->canonical[i],
                            &sub->canonical[sub->nvalues - 1]) != 0)
        {
            sub->canonical[sub->nvalues++] = sub->canonical[i];
        }
    }

    return KR_OK;
}


static int
kr_value_cmp(const void *one, const void *two)
{
    const kr_str_t  *a, *b;

    a = one;
    b = two;

    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }

    return memcmp(a->data, b->data, a->len);
}


/* Of a table's row its key, of others' the columns that the client says. */
static int
kr_sub_key(kr_sub_t *sub, kr_buf_t *reason)
{
    size_t                 i;
    const kr_table_key_t  *key;

    if (sub->target.key_of_result) {
        return kr_sub_outputs(sub, reason);
    }

    key = sub->target.key;
    sub->key.n = key->ncolumns;

    for (i = 0; i < key->ncolumns; i++) {
        sub->key.names[i] = key->columns[i]->name;
        sub->key.types[i] = key->columns[i]->base;
    }

    return KR_OK;
}


static int
kr_sub_outputs(kr_sub_t *sub, kr_buf_t *reason)
{
    int           rc;
    size_t        i, n, from;
    kr_sql_ref_t  ref;

    memset(&ref, 0, sizeof(kr_sql_ref_t));

    n = sub->spec.npks != 0 ? sub->spec.npks : sub->target.key->ncolumns;

    if (n > KR_KEY_MAX) {
        kr_buf_printf(reason, "pk names %zu columns, and may name %d", n,
                      KR_KEY_MAX);
        return KR_DECLINED;
    }

    sub->key.n = 0;
    sub->named = 1;
    rc = KR_OK;

    for (i = 0; i < n && rc == KR_OK; i++) {

        if (sub->spec.npks != 0) {
            rc = kr_sql_resolve_result(sub->sql, &sub->spec.pks[i], &ref,
                                       reason);

        } else {
            ref.quoted = 1;
            kr_buf_reset(&ref.column);
            kr_buf_append(&ref.column, sub->target.key->columns[i]->name.data,
                          sub->target.key->columns[i]->name.len);
        }

        if (rc == KR_OK) {
            rc = ref.column.failed ? KR_ERROR
                                   : kr_sub_output(sub, &ref, reason);
        }
    }

    kr_buf_free(&ref.column);

    if (rc != KR_OK) {
        return rc;
    }

    if (sub->outputs.failed) {
        return KR_ERROR;
    }

    /* the buffer does not move any more */

    for (i = 0, from = 0; i < n; i++) {
        sub->key.names[i].data = sub->outputs.data + from;
        from += sub->key.names[i].len + 1;
    }

    return KR_OK;
}


/* One row is told apart from none without a column. */
static int
kr_sub_output(kr_sub_t *sub, const kr_sql_ref_t *ref, kr_buf_t *reason)
{
    size_t                    n;
    kr_str_t                  name;
    const kr_table_column_t  *c;

    c = kr_table_find(&sub->shape->result, ref, &n);

    if (n > 1) {
        kr_buf_printf(reason, "the query has %zu columns \"%s\", so its rows "
                      "cannot be told apart by it: give each a name of its "
                      "own with AS", n, c->name.data);
        return KR_DECLINED;
    }

    if (n == 0 && !kr_sql_is_one(sub->sql)) {
        kr_buf_printf(reason, "the query has no column \"%s\" to tell its "
                      "rows apart by: select it, or one AS it",
                      ref->column.data);
        return KR_DECLINED;
    }

    sub->named &= (n == 1);

    name.data = n == 0 ? ref->column.data : c->name.data;
    name.len = strlen(name.data);

    kr_buf_append(&sub->outputs, name.data, name.len + 1);
    sub->key.names[sub->key.n].len = name.len;
    sub->key.types[sub->key.n++] = n == 0 ? KR_OID_TEXT : c->type;

    return KR_OK;
}


/*
 * The values are PostgreSQL's; those of a RESUME were written by it, so they
 * need no cast again.
 */
int
kr_sub_given(kr_sub_t *sub)
{
    return kr_sub_values(sub, sub->spec.values, sub->spec.nvalues);
}


/*
 * A partitioned table's name stands for those of its partitions.  Of what is
 * no table's column the name says all.
 */
static int
kr_sub_predicate(kr_sub_t *sub)
{
    kr_predicate_t    *p;
    const kr_table_t  *t;

    p = &sub->predicate;
    t = sub->target.table != NULL ? sub->target.table : &sub->facts->tables[0];

    memset(p, 0, sizeof(kr_predicate_t));

    p->schema = t->schema;
    p->table = t->name;
    p->column = sub->target.field->name;
    p->type = kr_column_type(sub->target.field);
    p->op = sub->target.op;
    p->nvalues = sub->nvalues;
    p->values = sub->canonical;
    p->c_collation = sub->target.field->c_collation;
    p->result = (sub->target.table == NULL);

    if (p->result) {
        kr_sub_field(sub, &sub->column);
        p->column.data = sub->column.data;
        p->column.len = sub->column.len;
    }

    return sub->column.failed ? KR_ERROR : KR_OK;
}


void
kr_sub_field(const kr_sub_t *sub, kr_buf_t *b)
{
    const kr_str_t  *called;

    if (sub->target.of != KR_TARGET_RESULT) {
        called = kr_target_called(&sub->target, sub->sql);
        kr_buf_ident(b, called->data, called->len);
        kr_buf_str(b, ".");
    }

    kr_buf_ident(b, sub->target.field->name.data, sub->target.field->name.len);
}


static int
kr_sub_statements(kr_sub_t *sub, kr_buf_t *reason)
{
    int              rc;
    kr_str_t         types[KR_KEY_MAX];
    kr_sql_target_t  t;

    kr_sub_target(sub, &t, types);

    rc = kr_sub_reruns(sub, &t, reason);
    if (rc != KR_OK) {
        return rc;
    }

    if (kr_sql_mode(sub->sql) == KR_SQL_RERUN) {
        sub->plan = &kr_rerun_plan;
        sub->check = 0;
        return KR_OK;
    }

    sub->plan = &kr_fetch_plan;
    sub->check = !kr_predicate_exact(&sub->predicate);

    t.window = 0;
    t.check = sub->check;
    kr_buf_reset(&sub->rerun);

    rc = kr_sql_refetch(sub->sql, &t, &sub->refetch);

    if (rc == KR_DECLINED) {
        kr_buf_str(reason, "the query cannot be rewritten without risk: write "
                   "its expressions in a simpler way");
    }

    return sub->refetch.failed ? KR_ERROR : rc;
}


static void
kr_sub_target(kr_sub_t *sub, kr_sql_target_t *t, kr_str_t *types)
{
    size_t  i;

    memset(t, 0, sizeof(kr_sql_target_t));

    for (i = 0; i < sub->key.n; i++) {
        if (sub->target.key_of_result) {
            types[i].data = "text";
            types[i].len = 4;

        } else {
            types[i] = sub->target.key->columns[i]->base_name;
        }
    }

    if (sub->target.of != KR_TARGET_RESULT) {
        t->table = *kr_target_called(&sub->target, sub->sql);
    }

    t->field = sub->target.field->name;
    t->field_type = sub->target.field->base_name;
    t->cast = (sub->target.field->enumerated
               && sub->target.field->type != sub->target.field->base);
    t->op = sub->target.op;
    t->of_result = (sub->target.of == KR_TARGET_RESULT);
    t->key_of_result = (sub->target.key_of_result && sub->named);

    if (!sub->target.key_of_result) {
        t->pk_table = *kr_sql_called(sub->sql, sub->target.key_index);
    }

    t->npk = sub->key.n;
    t->pks = sub->key.names;
    t->pk_types = types;
}


/*
 * The snapshot is a run of the whole query, whatever the plan is.  A query
 * whose window must hold, and which has one, is not served row by row.
 */
static int
kr_sub_reruns(kr_sub_t *sub, kr_sql_target_t *t, kr_buf_t *reason)
{
    int  rc, same;

    t->window = 1;
    rc = kr_sql_rerun(sub->sql, t, &sub->snapshot, reason);

    if (rc == KR_OK) {
        t->window = 0;
        rc = kr_sql_rerun(sub->sql, t, &sub->rerun, reason);
    }

    if (rc != KR_OK) {
        return rc;
    }

    if (sub->snapshot.failed || sub->rerun.failed) {
        return KR_ERROR;
    }

    same = strcmp(sub->snapshot.data, sub->rerun.data) == 0;

    /* a RESUME says what the route was */

    sub->exact = ((sub->spec.exact
                   || (sub->owner->exact && sub->socket != NULL)) && !same);

    if (sub->exact) {
        kr_sql_set_rerun(sub->sql);
        kr_buf_reset(&sub->rerun);
        kr_buf_append(&sub->rerun, sub->snapshot.data, sub->snapshot.len);
    }

    return sub->rerun.failed ? KR_ERROR : KR_OK;
}


/* The main table, if any, and those that are read beside it, each once. */
static int
kr_sub_watch(kr_sub_t *sub)
{
    size_t             i;
    const kr_table_t  *t;
    const kr_facts_t  *fa;

    fa = sub->facts;

    sub->ntables = 0;
    sub->tables = calloc(fa->ntables, sizeof(kr_route_table_t));
    if (sub->tables == NULL) {
        return KR_ERROR;
    }

    if (sub->target.table != NULL
        && kr_sub_watch_table(sub, sub->target.table, 1) != KR_OK)
    {
        return KR_ERROR;
    }

    for (i = 0; i < fa->ntables; i++) {
        t = &fa->tables[i];

        if ((sub->target.table != NULL && i == sub->target.index)
            || kr_sub_watched(sub, t))
        {
            continue;
        }

        if (kr_sub_watch_table(sub, t, 0) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


static int
kr_sub_watched(const kr_sub_t *sub, const kr_table_t *t)
{
    size_t                   i;
    const kr_route_table_t  *w;

    for (i = 0; i < sub->ntables; i++) {
        w = &sub->tables[i];

        if (!w->main && strcmp(w->table.name.data, t->name.data) == 0
            && strcmp(w->table.schema.data, t->schema.data) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static int
kr_sub_watch_table(kr_sub_t *sub, const kr_table_t *t, int main)
{
    size_t             i;
    kr_route_table_t  *w;

    w = &sub->tables[sub->ntables++];

    w->table.schema = t->schema;
    w->table.name = t->name;
    w->main = (main != 0);
    w->parted = (t->kind == 'p');

    if (!w->parted || t->nleaves == 0) {
        return KR_OK;
    }

    w->leaves = calloc(t->nleaves, sizeof(kr_relation_t));
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
