/*
 * The columns that name a row of the route.
 */

#include <string.h>

#include "kr_oid.h"
#include "kr_plan_private.h"


static int kr_plan_key_of_result(kr_plan_maker_t *mk);
static int kr_plan_key_taken(const kr_plan_maker_t *mk);
static int kr_plan_key_name(kr_plan_maker_t *mk, size_t i,
    kr_sql_ref_t *ref);
static int kr_plan_key_column(kr_plan_maker_t *mk, const kr_sql_ref_t *ref);


int
kr_plan_key(kr_plan_maker_t *mk)
{
    size_t                 i;
    kr_key_columns_t      *columns;
    const kr_table_key_t  *key;

    if (mk->plan->target.key_of_result) {
        return kr_plan_key_of_result(mk);
    }

    columns = &mk->plan->def.key;
    key = mk->plan->target.key;

    for (i = 0; i < key->ncolumns; i++) {
        columns->names[i] = key->columns[i]->name;
        columns->types[i] = key->columns[i]->base;
        columns->forms[i] = mk->plan->target.key_texts >> i & 1
                            ? KR_KEY_TEXT : KR_KEY_VALUE;
    }

    columns->n = key->ncolumns;
    columns->added = mk->plan->target.key_missing;

    return KR_OK;
}


/* The columns that the spec names, or that are named like the table's key. */
static int
kr_plan_key_of_result(kr_plan_maker_t *mk)
{
    int               rc;
    size_t            i, n;
    kr_sql_ref_t      ref;
    const kr_plan_t  *pl;

    pl = mk->plan;
    n = pl->spec.npks != 0 ? pl->spec.npks : pl->target.key->ncolumns;

    if (n > KR_KEY_MAX) {
        kr_buf_printf(mk->reason, "pk names %zu columns, and may name %d", n,
                      KR_KEY_MAX);
        return KR_DECLINED;
    }

    memset(&ref, 0, sizeof(kr_sql_ref_t));
    rc = KR_OK;

    for (i = 0; i < n && rc == KR_OK; i++) {
        rc = kr_plan_key_name(mk, i, &ref);

        if (rc == KR_OK) {
            rc = kr_plan_key_column(mk, &ref);
        }
    }

    kr_buf_free(&ref.column);

    if (mk->unnamed) {
        /* the statement prints an empty text, whatever the key is */
        mk->plan->def.key.n = 1;
        mk->plan->def.key.types[0] = KR_OID_TEXT;
        mk->plan->def.key.forms[0] = KR_KEY_TEXT;
        mk->plan->def.key.added = !kr_plan_key_taken(mk);
    }

    return rc;
}


/* Whether a column of the result is called like the member that is added. */
static int
kr_plan_key_taken(const kr_plan_maker_t *mk)
{
    size_t             i;
    const kr_table_t  *t;

    t = &mk->plan->shape->result;

    for (i = 0; i < t->ncolumns; i++) {
        if (strcmp(t->columns[i].name.data, KR_KEY_MEMBER) == 0) {
            return 1;
        }
    }

    return 0;
}


static int
kr_plan_key_name(kr_plan_maker_t *mk, size_t i, kr_sql_ref_t *ref)
{
    int               rc;
    const kr_str_t   *name;
    const kr_plan_t  *pl;

    pl = mk->plan;

    if (pl->spec.npks != 0) {
        rc = kr_sql_resolve_result(pl->sql, &pl->spec.pks[i], ref,
                                   mk->reason);

    } else {
        name = &pl->target.key->columns[i]->name;
        ref->quoted = 1;
        kr_buf_reset(&ref->column);
        kr_buf_append(&ref->column, name->data, name->len);
        rc = KR_OK;
    }

    return ref->column.failed ? KR_ERROR : rc;
}


/* A result of one row needs no column to tell this row from others. */
static int
kr_plan_key_column(kr_plan_maker_t *mk, const kr_sql_ref_t *ref)
{
    size_t                    n;
    kr_plan_t                *pl;
    kr_key_columns_t         *key;
    const kr_table_column_t  *c;

    pl = mk->plan;
    key = &pl->def.key;

    c = kr_table_find(&pl->shape->result, ref, &n);

    if (n > 1) {
        kr_buf_printf(mk->reason, "the query has %zu columns \"%s\", so its "
                      "rows cannot be told apart by it: give each a name of "
                      "its own with AS", n, c->name.data);
        return KR_DECLINED;
    }

    if (n == 0 && !kr_sql_is_one(pl->sql)) {
        kr_buf_printf(mk->reason, "the query has no column \"%s\" to tell "
                      "its rows apart by: select it, or one AS it",
                      ref->column.data);
        return KR_DECLINED;
    }

    if (n == 1) {
        key->names[key->n] = c->name;
        key->types[key->n] = c->type;
        key->forms[key->n++] = KR_KEY_JSON;
        return KR_OK;
    }

    mk->unnamed = 1;

    return kr_arena_copy(&pl->arena, &ref->column, &key->names[key->n++]);
}
