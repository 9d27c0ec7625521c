#include <stdlib.h>
#include <string.h>

#include "kr_sql_private.h"
#include "kr_sql_uses.h"


typedef struct {
    kr_sql_use_t   *uses;
    size_t          n;
    size_t          size;
} kr_sql_uses_t;


static int kr_sql_uses_enter(void *data, ProtobufCMessage *msg);

static int kr_sql_use_names(kr_sql_uses_t *u, kr_sql_use_e kind,
    PgQuery__Node **names, size_t n);
static int kr_sql_use_fields(kr_sql_uses_t *u, PgQuery__Node **names,
    size_t n);
static int kr_sql_use_add(kr_sql_uses_t *u, kr_sql_use_e kind,
    const char *schema, const char *name);


static const kr_sql_visitor_t  kr_sql_uses_visitor = {
    kr_sql_uses_enter, NULL
};


int
kr_sql_uses(const kr_sql_t *sql, kr_sql_use_t **uses, size_t *n)
{
    kr_sql_uses_t  u;

    memset(&u, 0, sizeof(kr_sql_uses_t));

    /* kr_sql_collect() has refused a tree that is too deep */

    if (kr_sql_tree_walk(&sql->tree->base, &kr_sql_uses_visitor, &u)
        != KR_OK)
    {
        free(u.uses);
        return KR_ERROR;
    }

    *uses = u.uses;
    *n = u.n;

    return KR_OK;
}


static int
kr_sql_uses_enter(void *data, ProtobufCMessage *msg)
{
    PgQuery__AExpr                    *expr;
    PgQuery__SortBy                   *sort;
    PgQuery__SubLink                  *link;
    PgQuery__FuncCall                 *call;
    PgQuery__TypeName                 *type;
    PgQuery__ColumnRef                *column;
    PgQuery__AIndirection             *ind;
    const ProtobufCMessageDescriptor  *d;

    d = msg->descriptor;

    if (d == &pg_query__a__expr__descriptor) {
        expr = (PgQuery__AExpr *) msg;
        return kr_sql_use_names(data, KR_SQL_OPERATOR, expr->name,
                                expr->n_name);
    }

    if (d == &pg_query__sub_link__descriptor) {
        link = (PgQuery__SubLink *) msg;
        return kr_sql_use_names(data, KR_SQL_OPERATOR, link->oper_name,
                                link->n_oper_name);
    }

    if (d == &pg_query__sort_by__descriptor) {
        sort = (PgQuery__SortBy *) msg;
        return kr_sql_use_names(data, KR_SQL_OPERATOR, sort->use_op,
                                sort->n_use_op);
    }

    if (d == &pg_query__type_name__descriptor) {
        type = (PgQuery__TypeName *) msg;
        return kr_sql_use_names(data, KR_SQL_TYPE, type->names,
                                type->n_names);
    }

    if (d == &pg_query__func_call__descriptor) {
        call = (PgQuery__FuncCall *) msg;
        return kr_sql_use_names(data, KR_SQL_TYPE, call->funcname,
                                call->n_funcname);
    }

    if (d == &pg_query__column_ref__descriptor) {
        column = (PgQuery__ColumnRef *) msg;
        return column->n_fields < 2 ? KR_OK
               : kr_sql_use_fields(data, column->fields + 1,
                                   column->n_fields - 1);
    }

    if (d == &pg_query__a__indirection__descriptor) {
        ind = (PgQuery__AIndirection *) msg;
        return kr_sql_use_fields(data, ind->indirection, ind->n_indirection);
    }

    return KR_OK;
}


/* "name" or "schema.name" */
static int
kr_sql_use_names(kr_sql_uses_t *u, kr_sql_use_e kind, PgQuery__Node **names,
    size_t n)
{
    if (n == 0) {
        return KR_OK;
    }

    return kr_sql_use_add(u, kind, n < 2 ? "" : kr_sql_name(names[n - 2]),
                          kr_sql_name(names[n - 1]));
}


/* Adds a field; subscripts and stars are no names, and are left out. */
static int
kr_sql_use_fields(kr_sql_uses_t *u, PgQuery__Node **names, size_t n)
{
    size_t       i;
    const char  *name;

    for (i = 0; i < n; i++) {
        name = kr_sql_name(names[i]);

        if (*name != '\0'
            && kr_sql_use_add(u, KR_SQL_FIELD, "", name) != KR_OK)
        {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


/* The array grows by doubling, from 1. */
static int
kr_sql_use_add(kr_sql_uses_t *u, kr_sql_use_e kind, const char *schema,
    const char *name)
{
    size_t         size;
    kr_sql_use_t  *use;

    if (u->n == u->size) {
        size = u->size == 0 ? 1 : 2 * u->size;

        use = realloc(u->uses, size * sizeof(kr_sql_use_t));
        if (use == NULL) {
            return KR_ERROR;
        }

        u->uses = use;
        u->size = size;
    }

    use = &u->uses[u->n++];
    use->kind = kind;
    use->schema.data = schema;
    use->schema.len = strlen(schema);
    use->name.data = name;
    use->name.len = strlen(name);

    return KR_OK;
}
