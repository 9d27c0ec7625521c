/*
 * The refetch.  The frame of a statement is written as text, of names from the
 * catalog alone, and parsed; then parts of the client's tree are put into
 * the frame's tree, which is printed.  So the client's expressions keep their
 * meaning: the "a OR b" of a WHERE becomes one argument of AND.
 *
 * The refetch's frame selects the row's JSON by a sub-select whose columns
 * are the client's, taken from the row outside:
 *
 *     SELECT p.id::text, p.userid::text,
 *            (SELECT row_to_json(q.*)::text FROM (SELECT ...) q)
 *       FROM posts p WHERE (...) AND p.id = ANY ($1::bigint[])
 *
 * so the JSON has the client's columns and no others, under any names, and the
 * planner sees a plain scan of the table by its key.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_sql_private.h"


static int kr_sql_check_target(const kr_sql_t *sql,
    const kr_sql_target_t *t);
static void kr_sql_refetch_text(kr_buf_t *b, const kr_sql_target_t *t);
static void kr_sql_keys(kr_buf_t *b, const kr_sql_target_t *t);
static PgQuery__SelectStmt *kr_sql_inner(PgQuery__SelectStmt *frame);
static int kr_sql_stars(PgQuery__SelectStmt *stmt, const kr_str_t *table);
static int kr_sql_star(PgQuery__Node *target, const kr_str_t *table);


int
kr_sql_refetch(const kr_sql_t *sql, const kr_sql_target_t *t, kr_buf_t *out)
{
    int                    rc;
    kr_buf_t               text;
    PgQuery__SelectStmt   *outer, *inner, *client;
    PgQuery__ParseResult  *tree, *frame;

    if (kr_sql_mode(sql) != KR_SQL_ROWWISE
        || kr_sql_check_target(sql, t) != KR_OK)
    {
        return KR_DECLINED;
    }

    memset(&text, 0, sizeof(text));
    kr_sql_refetch_text(&text, t);

    rc = kr_sql_frame(&text, &frame);
    kr_buf_free(&text);

    if (rc != KR_OK) {
        return rc;
    }

    tree = kr_sql_tree_unpack(&sql->packed);
    if (tree == NULL) {
        kr_sql_tree_free(frame);
        return KR_ERROR;
    }

    outer = kr_sql_tree_select(frame);
    client = kr_sql_tree_select(tree);
    inner = kr_sql_inner(outer);

    rc = kr_sql_stars(client, &t->table);

    if (rc == KR_OK) {
        kr_sql_where(&client->where_clause, &outer->where_clause);
        kr_sql_swap(PgQuery__Node *, client->where_clause,
                    outer->where_clause);
        kr_sql_swap(size_t, client->n_from_clause, outer->n_from_clause);
        kr_sql_swap(PgQuery__Node **, client->from_clause,
                    outer->from_clause);
        kr_sql_swap(size_t, client->n_target_list, inner->n_target_list);
        kr_sql_swap(PgQuery__Node **, client->target_list,
                    inner->target_list);

        rc = kr_sql_tree_print(frame, out);
    }

    kr_sql_tree_free(frame);
    kr_sql_tree_free(tree);

    return rc;
}


/* Declines a target whose table is not in the query's own FROM. */
static int
kr_sql_check_target(const kr_sql_t *sql, const kr_sql_target_t *t)
{
    return (size_t) t->op <= KR_ENDS_WITH
           && kr_sql_top(sql, &t->table) == KR_OK
           ? KR_OK : KR_DECLINED;
}


static void
kr_sql_refetch_text(kr_buf_t *b, const kr_sql_target_t *t)
{
    kr_buf_str(b, "SELECT ");
    kr_sql_key(b, t, &t->table);
    kr_buf_str(b, ", ");

    if (t->all) {
        kr_buf_str(b, "NULL");

    } else {
        kr_sql_column(b, &t->table, &t->field);
    }

    kr_buf_str(b, "::pg_catalog.text, (SELECT pg_catalog.row_to_json(q.*)"
               "::pg_catalog.text FROM (SELECT 1) q) FROM t WHERE true AND ");
    kr_sql_keys(b, t);

    if (t->check) {
        kr_buf_str(b, " AND ");
        kr_sql_predicate(b, t, t->npk + 1);
    }
}


/*
 * Appends "pk = ANY (keys)", for which PostgreSQL scans the key's index.  For
 * several columns the keys are a table, which the planner joins by that index.
 */
static void
kr_sql_keys(kr_buf_t *b, const kr_sql_target_t *t)
{
    size_t  i, n;

    n = t->npk;

    kr_buf_str(b, n == 1 ? "" : "(");

    for (i = 0; i < n; i++) {
        kr_buf_str(b, i == 0 ? "" : ", ");
        kr_sql_column(b, &t->table, &t->pks[i]);
    }

    kr_buf_str(b, n == 1 ? " = ANY (" : ") IN (SELECT * FROM"
                                        " ROWS FROM (");

    for (i = 0; i < n; i++) {
        kr_buf_str(b, i == 0 ? "" : ", ");
        kr_buf_printf(b, n == 1 ? "$%zu::" : "pg_catalog.unnest($%zu::",
                      i + 1);
        kr_buf_append(b, t->pk_types[i].data, t->pk_types[i].len);
        kr_buf_str(b, n == 1 ? "[]" : "[])");
    }

    kr_buf_str(b, n == 1 ? ")" : ") k)");
}


/* The SELECT in the frame's third column that takes the client's columns. */
static PgQuery__SelectStmt *
kr_sql_inner(PgQuery__SelectStmt *frame)
{
    PgQuery__Node        *json;
    PgQuery__SelectStmt  *select;

    json = frame->target_list[2]->res_target->val;
    select = json->sub_link->subselect->select_stmt;

    return select->from_clause[0]->range_subselect->subquery->select_stmt;
}


/*
 * Replaces "*" by "table.*": in the sub-select a bare "*" has no table that it
 * could stand for.
 */
static int
kr_sql_stars(PgQuery__SelectStmt *stmt, const kr_str_t *table)
{
    int      rc;
    size_t   i;

    for (i = 0; i < stmt->n_target_list; i++) {
        rc = kr_sql_star(stmt->target_list[i], table);
        if (rc != KR_OK) {
            return rc;
        }
    }

    return KR_OK;
}


static int
kr_sql_star(PgQuery__Node *target, const kr_str_t *table)
{
    PgQuery__Node        *val, *name, **fields;
    PgQuery__ColumnRef   *ref;

    val = target->res_target->val;

    if (val == NULL || val->node_case != PG_QUERY__NODE__NODE_COLUMN_REF) {
        return KR_OK;
    }

    ref = val->column_ref;

    if (ref->n_fields != 1
        || ref->fields[0]->node_case != PG_QUERY__NODE__NODE_A_STAR)
    {
        return KR_OK;
    }

    name = malloc(sizeof(PgQuery__Node));
    fields = malloc(2 * sizeof(PgQuery__Node *));

    if (name != NULL) {
        pg_query__node__init(name);
        name->string = malloc(sizeof(PgQuery__String));
    }

    if (name == NULL || fields == NULL || name->string == NULL) {
        free(fields);
        free(name);
        return KR_ERROR;
    }

    pg_query__string__init(name->string);
    name->node_case = PG_QUERY__NODE__NODE_STRING;
    name->string->sval = kr_sql_dup(table);

    fields[0] = name;
    fields[1] = ref->fields[0];

    free(ref->fields);
    ref->fields = fields;
    ref->n_fields = 2;

    return name->string->sval == NULL ? KR_ERROR : KR_OK;
}
