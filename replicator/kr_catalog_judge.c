/*
 * Whether a table, a query and what a client says of them go together, and
 * the sentence for its developer if they do not.
 */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "kr_catalog.h"
#include "kr_value.h"


static int kr_judge_table(const kr_table_t *t, const kr_sql_table_t *st,
    kr_buf_t *reason);
static int kr_judge_kind(const kr_table_t *t, kr_buf_t *reason);
static int kr_judge_topic(const kr_table_t *t, const kr_spec_t *spec,
    kr_buf_t *reason);
static int kr_judge_functions(const kr_table_t *t, kr_buf_t *reason);
static const kr_table_column_t *kr_judge_column(const kr_table_t *t,
    const kr_str_t *called, const char *what, kr_str_t name,
    kr_buf_t *reason);
static int kr_judge_identity(const kr_table_t *t, const kr_aim_t *aim,
    kr_buf_t *reason);
static void kr_judge_name(const kr_table_t *t, kr_buf_t *reason);
static int kr_same(const kr_str_t *a, const kr_str_t *b);
static int kr_same_folded(const kr_str_t *a, const kr_str_t *b);
static void kr_split(kr_str_t *name, kr_str_t *before);


int
kr_catalog_judge(const kr_table_t *t, const kr_sql_t *sql,
    const kr_spec_t *spec, kr_aim_t *aim, kr_buf_t *reason)
{
    size_t                 n;
    const kr_sql_table_t  *st;

    st = kr_sql_tables(sql, &n);
    aim->called = st->alias.len != 0 ? st->alias : st->name;

    if (kr_judge_table(t, st, reason) != KR_OK
        || kr_judge_topic(t, spec, reason) != KR_OK
        || kr_judge_functions(t, reason) != KR_OK)
    {
        return KR_DECLINED;
    }

    aim->field = kr_judge_column(t, &aim->called, "table_field", spec->field,
                                 reason);
    if (aim->field == NULL) {
        return KR_DECLINED;
    }

    aim->pk = kr_judge_column(t, &aim->called, "pk", spec->pk, reason);
    if (aim->pk == NULL) {
        return KR_DECLINED;
    }

    if (!aim->pk->key) {
        kr_buf_printf(reason, "pk \"%s\" is not the primary key, nor unique "
                      "and not null by itself, in ", aim->pk->name.data);
        kr_judge_name(t, reason);
        return KR_DECLINED;
    }

    return kr_judge_identity(t, aim, reason);
}


static int
kr_judge_table(const kr_table_t *t, const kr_sql_table_t *st,
    kr_buf_t *reason)
{
    if (!t->exists) {
        kr_buf_printf(reason, "there is no table \"%.*s\"",
                      (int) st->name.len, st->name.data);
        return KR_DECLINED;
    }

    if (strcmp(t->schema.data, "information_schema") == 0
        || strncmp(t->schema.data, "pg_", 3) == 0)
    {
        kr_judge_name(t, reason);
        kr_buf_str(reason, " belongs to PostgreSQL itself: only tables of "
                   "your own can be subscribed to");
        return KR_DECLINED;
    }

    if (!t->readable) {
        kr_buf_str(reason, "the replicator's role may not SELECT from ");
        kr_judge_name(t, reason);
        return KR_DECLINED;
    }

    return kr_judge_kind(t, reason);
}


static int
kr_judge_kind(const kr_table_t *t, kr_buf_t *reason)
{
    kr_judge_name(t, reason);

    if (t->kind == 'p' || (t->kind == 'r' && t->parent)) {
        kr_buf_str(reason, " has partitions or children, whose changes cannot "
                   "be told apart yet: subscribe to one of them");
        return KR_DECLINED;
    }

    if (t->kind != 'r') {
        kr_buf_str(reason, " is not a table: its changes are not in the WAL, "
                   "subscribe to the tables that it reads");
        return KR_DECLINED;
    }

    if (t->persistence != 'p') {
        kr_buf_str(reason, " is unlogged or temporary: its changes are not in "
                   "the WAL");
        return KR_DECLINED;
    }

    kr_buf_reset(reason);

    return KR_OK;
}


static int
kr_judge_topic(const kr_table_t *t, const kr_spec_t *spec, kr_buf_t *reason)
{
    kr_str_t  name, schema;

    if (spec->table.len == 0) {
        return KR_OK;
    }

    name = spec->table;
    kr_split(&name, &schema);

    if (kr_same_folded(&name, &t->name)
        && (schema.len == 0 || kr_same_folded(&schema, &t->schema)))
    {
        return KR_OK;
    }

    kr_buf_str(reason, "topic ");
    kr_buf_json(reason, spec->topic.data, spec->topic.len);
    kr_buf_str(reason, " names another table than the query, which reads ");
    kr_judge_name(t, reason);

    return KR_DECLINED;
}


static int
kr_judge_functions(const kr_table_t *t, kr_buf_t *reason)
{
    size_t                      i;
    const char                 *why;
    const kr_table_function_t  *f;

    for (i = 0; i < t->nfunctions; i++) {
        f = &t->functions[i];

        if (f->is_volatile) {
            why = "is volatile: it may do or return something else each time";

        } else if (f->aggregate) {
            why = "computes over many rows: a live query goes row by row";

        } else if (f->set) {
            why = "returns a set: a live query has one row per key";

        } else {
            continue;
        }

        kr_buf_printf(reason, "function \"%s\" is not allowed here, it %s",
                      f->name.data, why);
        return KR_DECLINED;
    }

    return KR_OK;
}


/*
 * The column that a client names, as "field", "alias.field" or "table.field",
 * in the case of the catalog or, as SQL without quotes, in any.
 */
static const kr_table_column_t *
kr_judge_column(const kr_table_t *t, const kr_str_t *called, const char *what,
    kr_str_t name, kr_buf_t *reason)
{
    size_t                    i;
    kr_str_t                  written, before, schema;
    const kr_table_column_t  *c, *folded;

    written = name;
    kr_split(&name, &before);
    kr_split(&before, &schema);

    folded = NULL;

    if (before.len == 0 || kr_same_folded(&before, called)
        || kr_same_folded(&before, &t->name))
    {
        for (i = 0; i < t->ncolumns; i++) {
            c = &t->columns[i];

            if (kr_same(&name, &c->name)) {
                folded = c;
                break;
            }

            if (folded == NULL && kr_same_folded(&name, &c->name)) {
                folded = c;
            }
        }
    }

    if (folded == NULL) {
        kr_buf_printf(reason, "%s ", what);
        kr_buf_json(reason, written.data, written.len);
        kr_buf_str(reason, " is not a column of ");
        kr_judge_name(t, reason);
        return NULL;
    }

    if (!kr_value_supported(folded->type) || folded->fuzzy) {
        kr_buf_printf(reason, "%s \"%s\" is of type %s%s, which cannot be "
                      "compared here", what, folded->name.data,
                      folded->type_name.data, folded->fuzzy
                      ? " with a nondeterministic collation" : "");
        return NULL;
    }

    return folded;
}


/* The old row must tell the key, and whether it belonged to the route. */
static int
kr_judge_identity(const kr_table_t *t, const kr_aim_t *aim, kr_buf_t *reason)
{
    if (aim->field->identity && aim->pk->identity) {
        return KR_OK;
    }

    kr_buf_str(reason, "the WAL does not hold the old rows of ");
    kr_judge_name(t, reason);
    kr_buf_str(reason, ", which are needed to tell who loses a row: run "
               "ALTER TABLE ");
    kr_judge_name(t, reason);
    kr_buf_str(reason, " REPLICA IDENTITY FULL;");

    return KR_DECLINED;
}


static void
kr_judge_name(const kr_table_t *t, kr_buf_t *reason)
{
    kr_buf_ident(reason, t->schema.data, t->schema.len);
    kr_buf_str(reason, ".");
    kr_buf_ident(reason, t->name.data, t->name.len);
}


static int
kr_same(const kr_str_t *a, const kr_str_t *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}


/* a is a client's, b the catalog's */
static int
kr_same_folded(const kr_str_t *a, const kr_str_t *b)
{
    size_t  i;

    if (kr_same(a, b)) {
        return 1;
    }

    if (a->len != b->len) {
        return 0;
    }

    for (i = 0; i < a->len; i++) {
        if (tolower((unsigned char) a->data[i])
            != (unsigned char) b->data[i])
        {
            return 0;
        }
    }

    return 1;
}


/* "before.name" to its two parts, each without its quotes. */
static void
kr_split(kr_str_t *name, kr_str_t *before)
{
    size_t  i;

    before->len = 0;
    before->data = "";

    for (i = name->len; i > 0; i--) {
        if (name->data[i - 1] == '.') {
            before->data = name->data;
            before->len = i - 1;
            name->data += i;
            name->len -= i;
            break;
        }
    }

    if (name->len >= 2 && name->data[0] == '"'
        && name->data[name->len - 1] == '"')
    {
        name->data++;
        name->len -= 2;
    }
}
