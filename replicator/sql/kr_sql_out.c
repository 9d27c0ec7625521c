/*
 * The SELECT list of a query, as it is written.
 */

#include <string.h>

#include "kr_sql_private.h"


static void kr_sql_out_cast(kr_sql_out_t *out, const PgQuery__TypeName *type,
    int outermost);
static int kr_sql_from_merges(const PgQuery__Node *from);
static void kr_sql_out_str(kr_str_t *s, const char *text);
static void kr_sql_out_field(kr_sql_out_t *out,
    const PgQuery__AIndirection *in);
static void kr_sql_out_column(kr_sql_out_t *out,
    const PgQuery__ColumnRef *ref);


size_t
kr_sql_outs(const kr_sql_t *sql)
{
    return kr_sql_tree_select(sql->tree)->n_target_list;
}


void
kr_sql_out(const kr_sql_t *sql, size_t i, kr_sql_out_t *out)
{
    int                        outermost;
    const PgQuery__Node       *val;
    const PgQuery__ResTarget  *target;

    target = kr_sql_tree_select(sql->tree)->target_list[i]->res_target;
    val = target->val;

    memset(out, 0, sizeof(kr_sql_out_t));
    kr_sql_out_str(&out->name, kr_sql_output_name(target));

    outermost = 1;

    for ( ;; ) {
        if (val != NULL && val->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
            kr_sql_out_cast(out, val->type_cast->type_name, outermost);
            outermost = 0;
            val = val->type_cast->arg;

        } else if (val != NULL
                   && val->node_case == PG_QUERY__NODE__NODE_COLLATE_CLAUSE)
        {
            val = val->collate_clause->arg;

        } else {
            break;
        }
    }

    if (val == NULL) {
        return;
    }

    if (val->node_case == PG_QUERY__NODE__NODE_COLUMN_REF) {
        kr_sql_out_column(out, val->column_ref);

    } else if (val->node_case == PG_QUERY__NODE__NODE_A_INDIRECTION) {
        kr_sql_out_field(out, val->a_indirection);
    }
}


/* A type's name counts if it is PostgreSQL's own, and has no modifier. */
static void
kr_sql_out_cast(kr_sql_out_t *out, const PgQuery__TypeName *type,
    int outermost)
{
    size_t       i, n;
    const char  *name;

    static const char *const  types[] = {
        "text", "varchar", "int2", "int4", "int8", "numeric"
    };

    n = type->n_names;
    name = "";

    if (type->n_typmods == 0 && type->n_array_bounds == 0 && !type->pct_type
        && (n == 1 || (n == 2 && strcmp(kr_sql_name(type->names[0]),
                                        "pg_catalog") == 0)))
    {
        name = kr_sql_name(type->names[n - 1]);
    }

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {

        if (strcmp(name, types[i]) != 0) {
            continue;
        }

        if (i > 1) {
            out->whole = 1;

        } else if (outermost) {
            out->text = 1;
        }

        return;
    }

    out->cast = 1;
}


int
kr_sql_merges(const kr_sql_t *sql)
{
    size_t                      i;
    const PgQuery__SelectStmt  *stmt;

    stmt = kr_sql_tree_select(sql->tree);

    for (i = 0; i < stmt->n_from_clause; i++) {
        if (kr_sql_from_merges(stmt->from_clause[i])) {
            return 1;
        }
    }

    return 0;
}


/* The tree was walked before: it is not too deep. */
static int
kr_sql_from_merges(const PgQuery__Node *from)
{
    if (from == NULL || from->node_case != PG_QUERY__NODE__NODE_JOIN_EXPR) {
        return 0;
    }

    return from->join_expr->is_natural
           || from->join_expr->n_using_clause != 0
           || kr_sql_from_merges(from->join_expr->larg)
           || kr_sql_from_merges(from->join_expr->rarg);
}


static void
kr_sql_out_str(kr_str_t *s, const char *text)
{
    s->data = text;
    s->len = strlen(text);
}


/* (table).column is a column too; (column).field is none */
static void
kr_sql_out_field(kr_sql_out_t *out, const PgQuery__AIndirection *in)
{
    if (in->n_indirection == 1 && in->arg != NULL
        && in->arg->node_case == PG_QUERY__NODE__NODE_COLUMN_REF
        && in->arg->column_ref->n_fields == 1)
    {
        kr_sql_out_str(&out->table,
                       kr_sql_name(in->arg->column_ref->fields[0]));
        kr_sql_out_str(&out->column, kr_sql_name(in->indirection[0]));
    }
}


static void
kr_sql_out_column(kr_sql_out_t *out, const PgQuery__ColumnRef *ref)
{
    size_t  n;

    n = ref->n_fields;

    if (n > 1) {
        kr_sql_out_str(&out->table, kr_sql_name(ref->fields[n - 2]));
    }

    out->star = ref->fields[n - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR;

    if (!out->star) {
        kr_sql_out_str(&out->column, kr_sql_name(ref->fields[n - 1]));
    }
}
