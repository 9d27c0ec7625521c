/*
 * The judgement: the field of the spec, its topic, and what the WAL must hold
 * of old rows.  kr_judge_key.c judges the key.
 */

#include <string.h>

#include "kr_judge_private.h"
#include "kr_value.h"


static int kr_judge_prefer(kr_judge_t *jd, kr_found_t *first,
    const kr_found_t **prefer);
static int kr_judge_predicate(kr_judge_t *jd);
static void kr_judge_all(kr_judge_t *jd, const kr_found_t *prefer);
static int kr_judge_topic(kr_judge_t *jd);
static int kr_judge_field(kr_judge_t *jd);
static int kr_judge_identity(kr_judge_t *jd);
static int kr_judge_logged(kr_judge_t *jd, size_t index);
static void kr_judge_fix(kr_judge_t *jd, const kr_table_t *t,
    const char *why);


int
kr_judge(const kr_facts_t *fa, const kr_shape_t *shape,
    const kr_sql_t *sql, const kr_spec_t *spec, kr_target_t *target,
    kr_buf_t *reason)
{
    int         rc;
    kr_judge_t  jd;

    jd.facts = fa;
    jd.shape = shape;
    jd.sql = sql;
    jd.spec = spec;
    jd.target = target;
    jd.reason = reason;

    memset(target, 0, sizeof(kr_target_t));
    target->op = spec->op;

    rc = kr_judge_predicate(&jd);

    if (rc == KR_OK) {
        rc = kr_judge_key(&jd);
    }

    if (rc == KR_OK) {
        rc = kr_judge_output(&jd);
    }

    return rc == KR_OK ? kr_judge_identity(&jd) : rc;
}


/* The field, and what it is of. */
static int
kr_judge_predicate(kr_judge_t *jd)
{
    int                rc;
    kr_found_t         first, field;
    kr_target_t       *target;
    const kr_found_t  *prefer;

    target = jd->target;

    rc = kr_judge_prefer(jd, &first, &prefer);

    if (rc == KR_OK && jd->spec->all) {
        kr_judge_all(jd, prefer);
        return kr_judge_topic(jd);
    }

    if (rc == KR_OK) {
        rc = kr_judge_column(jd, "table_field", &jd->spec->field, prefer,
                             &field);
    }

    if (rc != KR_OK) {
        return rc;
    }

    target->of = field.of;
    target->index = field.index;
    target->field = field.column;
    target->table = field.of == KR_TARGET_TABLE
                    ? &jd->facts->tables[field.index] : NULL;

    rc = kr_judge_topic(jd);

    return rc == KR_OK ? kr_judge_field(jd) : rc;
}


/*
 * There is no field: the table or item that is preferred, or the first table
 * of the query's own FROM, or the first item; the result, if there is neither.
 */
static void
kr_judge_all(kr_judge_t *jd, const kr_found_t *prefer)
{
    size_t                 i, n, items;
    kr_target_t           *target;
    const kr_sql_table_t  *st;

    target = jd->target;
    st = kr_sql_tables(jd->sql, &n);
    (void) kr_sql_items(jd->sql, &items);

    for (i = 0; i < n && !st[i].top; i++) { /* void */ }

    if (kr_sql_is_closed(jd->sql) || (i == n && items == 0)) {
        target->of = KR_TARGET_RESULT;
        return;
    }

    target->of = prefer != NULL ? prefer->of
                 : i < n ? KR_TARGET_TABLE : KR_TARGET_ITEM;
    target->index = prefer != NULL ? prefer->index : i < n ? i : 0;

    if (target->of == KR_TARGET_TABLE) {
        target->table = &jd->facts->tables[target->index];
    }
}


int
kr_judge_needs_shape(const kr_sql_t *sql)
{
    size_t  items;

    (void) kr_sql_items(sql, &items);

    return items != 0 || kr_sql_is_closed(sql) || kr_sql_is_grouped(sql);
}


/*
 * Finds the table or item that a column without one is looked for in first:
 * the spec's alias, or its topic.  *prefer becomes first, or NULL.  An alias
 * must be one of the query's.  A topic may be ambiguous: kr_judge_topic()
 * judges it later.
 */
static int
kr_judge_prefer(kr_judge_t *jd, kr_found_t *first, const kr_found_t **prefer)
{
    int              rc;
    const kr_str_t  *alias;

    *prefer = NULL;
    alias = &jd->spec->alias;

    if (kr_sql_is_closed(jd->sql)
        || (alias->len == 0 && jd->spec->table.len == 0))
    {
        return KR_OK;
    }

    rc = kr_judge_named(jd, alias->len != 0 ? alias : &jd->spec->table,
                        first);

    if (rc == KR_OK) {
        *prefer = first;
        return KR_OK;
    }

    if (rc == KR_ERROR || alias->len == 0) {
        return rc == KR_ERROR ? KR_ERROR : KR_OK;
    }

    kr_buf_str(jd->reason, "alias ");
    kr_buf_json(jd->reason, alias->data, alias->len);
    kr_buf_str(jd->reason, " is not what one table of the query's FROM is "
               "called");

    return KR_DECLINED;
}


/*
 * The topic, if there is one, must name the table of the field.  If there is
 * no field, or the field is of no table, the query must at least read the
 * table that the topic names, or have an item of that name in its FROM.
 */
static int
kr_judge_topic(kr_judge_t *jd)
{
    kr_str_t           name, schema, rest;
    const kr_target_t    *target;
    const kr_spec_t   *spec;

    target = jd->target;
    spec = jd->spec;

    if (spec->table.len == 0) {
        return KR_OK;
    }

    if (target->table == NULL || target->field == NULL) {
        if (kr_judge_read(jd) != NULL) {
            return KR_OK;
        }

        kr_buf_str(jd->reason, "topic ");
        kr_buf_json(jd->reason, spec->topic.data, spec->topic.len);
        kr_buf_str(jd->reason, " names a table that the query does not "
                   "read");
        return KR_DECLINED;
    }

    name = spec->table;
    kr_split(&name, &schema);
    kr_split(&schema, &rest);

    if (kr_judge_is(&name, &schema, target->table,
                    kr_sql_called(jd->sql, target->index)))
    {
        return KR_OK;
    }

    kr_buf_str(jd->reason, "topic ");
    kr_buf_json(jd->reason, spec->topic.data, spec->topic.len);
    kr_buf_str(jd->reason, " names another table than table_field, which is "
               "of ");
    kr_judge_name(target->table, jd->reason);

    return KR_DECLINED;
}


static int
kr_judge_field(kr_judge_t *jd)
{
    uint32_t                  type;
    kr_buf_t                  why;
    const kr_table_column_t  *c;

    c = jd->target->field;
    type = kr_column_type(c);

    memset(&why, 0, sizeof(kr_buf_t));

    if (!kr_value_supported(type)
        || (c->fuzzy && !kr_op_supported(KR_CONTAINS, type)))
    {
        kr_buf_str(&why, ", which cannot be compared here");

    } else if (c->computed) {
        kr_buf_str(&why, " and computed when it is read (GENERATED ALWAYS AS "
                   "... VIRTUAL): its values are not in the WAL, make it "
                   "STORED");

    } else if (c->fuzzy) {
        kr_buf_str(&why, " with a nondeterministic collation, which cannot be "
                   "compared here");

    } else if (c->enumerated && kr_op_is_pattern(jd->target->op)) {
        kr_buf_printf(&why, ": equality \"%s\" is for text, and this is an "
                      "enum", kr_op_name(jd->target->op));

    } else {
        kr_buf_str(&why, ": ");

        if (kr_op_check(jd->target->op, type, jd->spec->nvalues, &why)
            == KR_OK)
        {
            kr_buf_free(&why);
            return KR_OK;
        }
    }

    kr_buf_printf(jd->reason, "table_field \"%s\" %sof type %s",
                  c->name.data, why.len != 0 && *why.data == ':' ? "" : "is ",
                  c->type_name.data);
    kr_buf_append(jd->reason, why.data, why.len);
    kr_buf_free(&why);

    return KR_DECLINED;
}


/*
 * What the WAL must hold of an old row.  For a query that is served row by
 * row: the key, and the field, which shows whether the row belonged to the
 * route.  For one that is run as a whole: the field, if it is a table's.  For
 * each table that a query reads: that there was an update or a delete.
 */
static int
kr_judge_identity(kr_judge_t *jd)
{
    int                    whole;
    size_t                 i, n;
    const kr_target_t        *target;
    const kr_table_key_t  *key;

    target = jd->target;
    key = target->key;
    whole = (target->table == NULL || target->field == NULL
             || target->field->identity);

    if (kr_sql_mode(jd->sql) == KR_SQL_ROWWISE) {
        for (i = 0; i < key->ncolumns; i++) {
            whole = whole && key->columns[i]->identity;
        }
    }

    if (!whole) {
        kr_judge_fix(jd, target->table, "does not hold the old rows of ");
        return KR_DECLINED;
    }

    (void) kr_sql_tables(jd->sql, &n);

    for (i = 0; i < n; i++) {
        if (kr_judge_logged(jd, i) != KR_OK) {
            return KR_DECLINED;
        }
    }

    return KR_OK;
}


static int
kr_judge_logged(kr_judge_t *jd, size_t index)
{
    size_t             i;
    const kr_table_t  *t;

    t = &jd->facts->tables[index];

    for (i = 0; i < t->nleaves; i++) {
        if (!t->leaves[i].logged) {
            kr_judge_fix(jd, t, "does not tell of updates and deletes in ");
            return KR_DECLINED;
        }
    }

    return KR_OK;
}


/* The replica identity of a partitioned table is that of each partition. */
static void
kr_judge_fix(kr_judge_t *jd, const kr_table_t *t, const char *why)
{
    size_t                  i;
    const kr_table_leaf_t  *leaf;

    kr_buf_printf(jd->reason, "the WAL %s", why);
    kr_judge_name(t, jd->reason);
    kr_buf_str(jd->reason, ", which are needed to tell who loses a row: run");

    for (i = 0; i < t->nleaves; i++) {
        leaf = &t->leaves[i];

        kr_buf_str(jd->reason, " ALTER TABLE ");
        kr_buf_ident(jd->reason, leaf->schema.data, leaf->schema.len);
        kr_buf_str(jd->reason, ".");
        kr_buf_ident(jd->reason, leaf->name.data, leaf->name.len);
        kr_buf_str(jd->reason, " REPLICA IDENTITY FULL;");

        if (i == 9 && t->nleaves > 10) {
            kr_buf_str(jd->reason, " and so on for each partition");
            break;
        }
    }
}
