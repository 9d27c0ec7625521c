/*
 * The parts of a template's frame: quoted names from the catalog, and parts of
 * the client's query, moved from tree to tree.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_sql_private.h"


int
kr_sql_frame(const kr_buf_t *text, PgQuery__ParseResult **frame)
{
    int  rc;

    if (text->failed) {
        return KR_ERROR;
    }

    rc = kr_sql_tree_parse(text->data, frame, NULL);

    if (rc == KR_OK && kr_sql_tree_select(*frame) == NULL) {
        /* the text of a type ended the statement early */
        kr_sql_tree_free(*frame);
        return KR_DECLINED;
    }

    return rc;
}


void
kr_sql_where(PgQuery__Node **where, PgQuery__Node **condition)
{
    PgQuery__BoolExpr  *both;

    both = (*condition)->bool_expr;

    kr_sql_swap(PgQuery__Node *, *where, both->args[0]);

    if (both->args[0] != NULL) {
        kr_sql_swap(PgQuery__Node *, *where, *condition);
        return;
    }

    /* the client had no WHERE: *where is now "true", which is removed */

    if (both->n_args == 2) {
        both->args[0] = *where;
        *where = both->args[1];
        both->n_args = 1;
        return;
    }

    kr_sql_drop(where);
    both->n_args--;
    memmove(both->args, both->args + 1,
            both->n_args * sizeof(PgQuery__Node *));

    kr_sql_swap(PgQuery__Node *, *where, *condition);
}


void
kr_sql_drop(PgQuery__Node **node)
{
    if (*node != NULL) {
        pg_query__node__free_unpacked(*node, NULL);
        *node = NULL;
    }
}


char *
kr_sql_dup(const kr_str_t *s)
{
    char  *p;

    p = malloc(s->len + 1);
    if (p != NULL) {
        memcpy(p, s->data, s->len);
        p[s->len] = '\0';
    }

    return p;
}


void
kr_sql_column(kr_buf_t *b, const kr_str_t *table, const kr_str_t *column)
{
    kr_buf_ident(b, table->data, table->len);
    kr_buf_str(b, ".");
    kr_buf_ident(b, column->data, column->len);
}


void
kr_sql_predicate(kr_buf_t *b, const kr_sql_target_t *t, size_t n)
{
    static const char *const  before[] = {
        "", "", "", "", "", "", "pg_catalog.strpos(",
        "pg_catalog.starts_with(", "pg_catalog.right("
    };
    static const char *const  after[] = {
        " = ANY ", " <> ALL ", " > ", " >= ", " < ", " <= ",
        "::pg_catalog.text, ", "::pg_catalog.text, ",
        "::pg_catalog.text, pg_catalog.length("
    };

    kr_buf_str(b, before[t->op]);
    kr_sql_column(b, &t->table, &t->field);

    if (t->cast) {
        kr_buf_str(b, "::");
        kr_buf_append(b, t->field_type.data, t->field_type.len);
    }

    kr_buf_str(b, after[t->op]);

    if (kr_op_is_pattern(t->op)) {
        kr_buf_printf(b, "$%zu::pg_catalog.text)", n);

        if (t->op == KR_CONTAINS) {
            kr_buf_str(b, " > 0");

        } else if (t->op == KR_ENDS_WITH) {
            kr_buf_printf(b, ") = $%zu::pg_catalog.text", n);
        }

        return;
    }

    kr_buf_printf(b, "($%zu::", n);
    kr_buf_append(b, t->field_type.data, t->field_type.len);
    kr_buf_str(b, kr_op_is_list(t->op) ? "[])" : ")");
}


const kr_str_t *
kr_sql_pk_table(const kr_sql_target_t *t)
{
    return t->pk_table.len != 0 ? &t->pk_table : &t->table;
}


void
kr_sql_key(kr_buf_t *b, const kr_sql_target_t *t, const kr_str_t *table)
{
    size_t           i, n;
    const kr_str_t  *type;

    n = t->npk;

    if (n > 1) {
        kr_buf_str(b, "pg_catalog.json_build_array(");
    }

    for (i = 0; i < n; i++) {
        type = &t->pk_types[i];
        kr_buf_str(b, i == 0 ? "" : ", ");

        if (t->key_of_result) {
            kr_buf_str(b, "pg_catalog.to_json(");
            kr_sql_column(b, table, &t->pks[i]);
            kr_buf_str(b, ")::pg_catalog.text");

        } else if (type->len == 6 && memcmp(type->data, "bpchar", 6) == 0) {
            /* a cast would take its blanks, which the WAL and JSON have */
            kr_buf_str(b, "pg_catalog.textin(pg_catalog.bpcharout(");
            kr_sql_column(b, table, &t->pks[i]);
            kr_buf_str(b, "))");

        } else {
            kr_sql_column(b, table, &t->pks[i]);
            kr_buf_str(b, "::pg_catalog.text");
        }
    }

    if (n > 1) {
        kr_buf_str(b, ")::pg_catalog.text");
    }
}
