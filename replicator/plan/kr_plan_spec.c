/*
 * The spec of a route: a payload like a client's, from which the same route
 * is made after a restart, or after a table was altered.
 */

#include <string.h>

#include "kr_plan_private.h"
#include "kr_table_shape.h"


static int kr_plan_spec_shapes(kr_plan_t *pl, kr_buf_t *b);
static void kr_plan_spec_key(const kr_plan_t *pl, kr_buf_t *b);
static void kr_plan_spec_name(kr_buf_t *b, const char *name, kr_buf_t *value);
static void kr_plan_spec_member(kr_buf_t *b, const char *name,
    const char *data, size_t len);


int
kr_plan_spec(kr_plan_maker_t *mk)
{
    size_t                 i;
    kr_buf_t              *b, name;
    kr_plan_t             *pl;
    const kr_predicate_t  *p;
    const kr_route_def_t  *def;

    memset(&name, 0, sizeof(kr_buf_t));

    pl = mk->plan;
    def = &pl->def;
    p = &def->predicate;
    b = &mk->text;

    kr_buf_reset(b);
    kr_buf_str(b, "{");

    if (!p->all) {
        kr_buf_printf(b, "\"equality\":\"%s\",", kr_op_name(p->op));
    }

    kr_buf_printf(b, "\"exact\":%s", def->exact ? "true" : "false");
    kr_plan_spec_member(b, "query", def->canonical.data, def->canonical.len);

    if (!p->all) {
        kr_plan_field(pl, &name);
        kr_plan_spec_name(b, "table_field", &name);
    }

    kr_plan_spec_key(pl, &name);
    kr_plan_spec_name(b, "pk", &name);

    kr_plan_spec_member(b, "event", def->event.data, def->event.len);
    kr_plan_spec_member(b, "alias", def->alias.data, def->alias.len);

    if (kr_plan_spec_shapes(pl, &name) != KR_OK) {
        kr_buf_free(&name);
        return KR_ERROR;
    }

    kr_plan_spec_name(b, "table_shapes", &name);

    for (i = 0; i < p->nvalues; i++) {
        kr_buf_str(b, i == 0 ? ",\"field_value\":[" : ",");
        kr_buf_json(b, p->values[i].data, p->values[i].len);
    }

    kr_buf_str(b, p->all ? "}" : "]}");
    kr_buf_free(&name);

    return kr_arena_copy(&mk->plan->arena, b, &mk->plan->def.spec);
}


void
kr_plan_field(const kr_plan_t *pl, kr_buf_t *b)
{
    const kr_str_t  *called;

    if (pl->target.of != KR_TARGET_RESULT) {
        called = kr_target_called(&pl->target, pl->sql);
        kr_buf_ident(b, called->data, called->len);
        kr_buf_str(b, ".");
    }

    kr_buf_ident(b, pl->target.field->name.data,
                 pl->target.field->name.len);
}


/*
 * Appends the marks of the tables' shapes, and compares them with those of the
 * spec that the plan was made from.  A spec without them is of a version that
 * had none: whether a table was altered is not known.  KR_ERROR: no memory.
 */
static int
kr_plan_spec_shapes(kr_plan_t *pl, kr_buf_t *b)
{
    size_t           i;
    const kr_str_t  *there;

    for (i = 0; i < pl->def.ntables; i++) {
        kr_table_shape_mark(b, pl->def.tables[i].shape);
    }

    if (b->failed) {
        return KR_ERROR;
    }

    if (!pl->of_route) {
        return KR_OK;
    }

    there = &pl->spec.shapes;
    pl->altered = (there->len != b->len);

    for (i = 0; !pl->altered && i < b->len; i += KR_TABLE_SHAPE_MARK) {
        pl->altered = (kr_table_shape_differs(b->data + i, there->data + i)
                       != 0);
    }

    return KR_OK;
}


/* The columns of the key, each of a table with the table, all in quotes. */
static void
kr_plan_spec_key(const kr_plan_t *pl, kr_buf_t *b)
{
    size_t                   i;
    const kr_str_t          *called;
    const kr_key_columns_t  *key;

    key = &pl->def.key;

    for (i = 0; i < key->n; i++) {
        kr_buf_str(b, i == 0 ? "" : ",");

        if (!pl->target.key_of_result) {
            called = kr_sql_called(pl->sql, pl->target.key_index);
            kr_buf_ident(b, called->data, called->len);
            kr_buf_str(b, ".");
        }

        kr_buf_ident(b, key->names[i].data, key->names[i].len);
    }
}


/* A member whose value is a buffer, which is empty then. */
static void
kr_plan_spec_name(kr_buf_t *b, const char *name, kr_buf_t *value)
{
    b->failed |= value->failed;

    if (!b->failed) {
        kr_plan_spec_member(b, name, value->data, value->len);
    }

    kr_buf_reset(value);
}


static void
kr_plan_spec_member(kr_buf_t *b, const char *name, const char *data,
    size_t len)
{
    kr_buf_printf(b, ",\"%s\":", name);
    kr_buf_json(b, data, len);
}
