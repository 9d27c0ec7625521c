/*
 * The rerun.  The client's query becomes a sub-select q, with the predicate
 * in its WHERE.  Where its rows are those of a table, the key is one column
 * more at the end of its list, so that "ORDER BY 1" means what it did; and
 * its JSON, which is then the end of the row's, is cut off:
 *
 *     SELECT q."kairos key", rtrim(left(row_to_json(q.*)::text,
 *                -length('"kairos key":"57"}')), ',') || '}'
 *       FROM (SELECT ..., p.id::text AS "kairos key" FROM ...) q
 *
 * What is left ends in a comma, or in a brace if there is no other column.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_sql_private.h"


#define KR_SQL_KEY  "\"kairos key\""


static int kr_sql_judge_rerun(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *reason);
static void kr_sql_rerun_text(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *b);
static int kr_sql_rerun_print(const kr_sql_t *sql, const kr_sql_target_t *t,
    PgQuery__ParseResult *frame, kr_buf_t *out);
static int kr_sql_has_output(const kr_sql_t *sql, const kr_str_t *name);
static int kr_sql_is_output(const PgQuery__Node *val, const kr_str_t *name);
static int kr_sql_add_target(PgQuery__SelectStmt *stmt,
    PgQuery__SelectStmt *from);
static void kr_sql_unwindow(PgQuery__SelectStmt *stmt,
    const PgQuery__SelectStmt *plain);
static void kr_sql_clear(PgQuery__Node ***list, size_t *n);


int
kr_sql_rerun(const kr_sql_t *sql, const kr_sql_target_t *t, kr_buf_t *out,
    kr_buf_t *reason)
{
    int                    rc;
    kr_buf_t               text;
    PgQuery__ParseResult  *frame;

    rc = kr_sql_judge_rerun(sql, t, reason);
    if (rc != KR_OK) {
        return rc;
    }

    memset(&text, 0, sizeof(text));
    kr_sql_rerun_text(sql, t, &text);

    rc = kr_sql_frame(&text, &frame);
    kr_buf_free(&text);

    if (rc == KR_OK) {
        rc = kr_sql_rerun_print(sql, t, frame, out);
        kr_sql_tree_free(frame);
    }

    if (rc == KR_DECLINED && reason != NULL) {
        kr_buf_str(reason, "the query cannot be rewritten without risk:"
                           " write its expressions in a simpler way");
    }

    return rc;
}


int
kr_sql_is_grouped(const kr_sql_t *sql)
{
    return sql->grouped || sql->aggregated;
}


static int
kr_sql_judge_rerun(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *reason)
{
    size_t           i;
    kr_buf_t         why;
    kr_sql_ref_t     ref;
    const kr_str_t  *pk;

    memset(&why, 0, sizeof(why));
    memset(&ref, 0, sizeof(ref));

    if (sql->compound) {
        kr_buf_str(&why, "a UNION, INTERSECT or EXCEPT has no table of its"
                   " own to filter by: subscribe to each SELECT by itself");

    } else if (kr_sql_top(sql, &t->table) != KR_OK
               || (!kr_sql_is_grouped(sql)
                   && kr_sql_top(sql, kr_sql_pk_table(t)) != KR_OK))
    {
        kr_buf_str(&why, "the columns to filter and to tell rows apart by"
                   " must be of tables in the query's own FROM, each called"
                   " by a name of its own");

    } else if (kr_sql_is_grouped(sql) && (!sql->aggregated || sql->by)) {

        for (i = 0; i < kr_sql_npk(t) && why.len == 0; i++) {
            pk = kr_sql_pk(t, i);

            if (!kr_sql_has_output(sql, pk)) {
                kr_buf_printf(&why, "the query has no column \"%.*s\" to tell"
                              " its rows apart by: select it, or one AS it",
                              (int) pk->len, pk->data);
            }
        }
    }

    if (why.len == 0) {
        kr_buf_free(&why);
        return KR_OK;
    }

    if (reason != NULL) {
        kr_buf_append(reason, why.data, why.len);
    }

    kr_buf_free(&why);

    return KR_DECLINED;
}


/* The frame; its FROM's SELECT holds what the client's is to get. */
static void
kr_sql_rerun_text(const kr_sql_t *sql, const kr_sql_target_t *t, kr_buf_t *b)
{
    size_t  i;
    int     named;

    static const kr_str_t  q = kr_str("q");

    kr_buf_str(b, "SELECT ");

    if (!kr_sql_is_grouped(sql)) {
        kr_buf_str(b, "q." KR_SQL_KEY ", pg_catalog.rtrim(pg_catalog.left("
                   "pg_catalog.row_to_json(q.*)::pg_catalog.text,"
                   " - pg_catalog.length('" KR_SQL_KEY ":'"
                   " || COALESCE(pg_catalog.to_json(q." KR_SQL_KEY ")"
                   "::pg_catalog.text, 'null') || '}')), ',') || '}'"
                   " FROM (SELECT ");
        kr_sql_key(b, t, kr_sql_pk_table(t));
        kr_buf_str(b, " AS " KR_SQL_KEY);

    } else {
        named = 1;

        for (i = 0; i < kr_sql_npk(t); i++) {
            named &= kr_sql_has_output(sql, kr_sql_pk(t, i));
        }

        if (named) {
            kr_sql_key(b, t, &q);

        } else {
            kr_buf_str(b, "''::pg_catalog.text");
        }

        kr_buf_str(b, ", pg_catalog.row_to_json(q.*)::pg_catalog.text"
                   " FROM (SELECT 1");
    }

    kr_buf_str(b, " WHERE true AND ");
    kr_sql_predicate(b, t, 1);
    kr_buf_str(b, ") q");
}


static int
kr_sql_rerun_print(const kr_sql_t *sql, const kr_sql_target_t *t,
    PgQuery__ParseResult *frame, kr_buf_t *out)
{
    int                    rc;
    PgQuery__Node         *from;
    PgQuery__SelectStmt   *inner, *client;
    PgQuery__ParseResult  *tree;

    tree = kr_sql_tree_unpack(&sql->packed);
    if (tree == NULL) {
        return KR_ERROR;
    }

    from = kr_sql_tree_select(frame)->from_clause[0];
    inner = from->range_subselect->subquery->select_stmt;
    client = kr_sql_tree_select(tree);

    kr_sql_where(&client->where_clause, &inner->where_clause);

    if (!t->window) {
        kr_sql_unwindow(client, inner);
    }

    rc = kr_sql_is_grouped(sql) ? KR_OK : kr_sql_add_target(client, inner);

    if (rc == KR_OK) {
        kr_sql_swap(PgQuery__Node *, tree->stmts[0]->stmt,
                    from->range_subselect->subquery);
        rc = kr_sql_tree_print(frame, out);
    }

    kr_sql_tree_free(tree);

    return rc;
}


static int
kr_sql_has_output(const kr_sql_t *sql, const kr_str_t *name)
{
    size_t                      i;
    PgQuery__ResTarget         *target;
    const PgQuery__SelectStmt  *stmt;

    stmt = kr_sql_tree_select(sql->tree);

    for (i = 0; i < stmt->n_target_list; i++) {
        target = stmt->target_list[i]->res_target;

        if (*target->name != '\0') {
            if (strlen(target->name) == name->len
                && memcmp(target->name, name->data, name->len) == 0)
            {
                return 1;
            }

        } else if (kr_sql_is_output(target->val, name)) {
            return 1;
        }
    }

    return 0;
}


/* As PostgreSQL names a column that has no AS; a "*" may hold any name. */
static int
kr_sql_is_output(const PgQuery__Node *val, const kr_str_t *name)
{
    const char           *text;
    const PgQuery__Node  *last;

    while (val != NULL && val->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
        val = val->type_cast->arg;
    }

    text = "";

    if (val != NULL && val->node_case == PG_QUERY__NODE__NODE_COLUMN_REF) {
        last = val->column_ref->fields[val->column_ref->n_fields - 1];

        if (last->node_case == PG_QUERY__NODE__NODE_A_STAR) {
            return 1;
        }

        text = kr_sql_name(last);

    } else if (val != NULL
               && val->node_case == PG_QUERY__NODE__NODE_FUNC_CALL)
    {
        text = kr_sql_name(val->func_call
                           ->funcname[val->func_call->n_funcname - 1]);
    }

    return strlen(text) == name->len
           && memcmp(text, name->data, name->len) == 0;
}


/* Moves the only column of from to the end of the list. */
static int
kr_sql_add_target(PgQuery__SelectStmt *stmt, PgQuery__SelectStmt *from)
{
    size_t           n;
    PgQuery__Node  **list;

    n = stmt->n_target_list;

    list = realloc(stmt->target_list, (n + 1) * sizeof(PgQuery__Node *));
    if (list == NULL) {
        return KR_ERROR;
    }

    list[n] = from->target_list[0];
    stmt->target_list = list;
    stmt->n_target_list = n + 1;

    from->n_target_list = 0;
    free(from->target_list);
    from->target_list = NULL;

    return KR_OK;
}


/* DISTINCT ON takes the first row in the order, so that stays. */
static void
kr_sql_unwindow(PgQuery__SelectStmt *stmt, const PgQuery__SelectStmt *plain)
{
    if (stmt->n_distinct_clause == 0
        || stmt->distinct_clause[0]->node_case
           == PG_QUERY__NODE__NODE__NOT_SET)
    {
        kr_sql_clear(&stmt->sort_clause, &stmt->n_sort_clause);
    }

    kr_sql_drop(&stmt->limit_offset);
    kr_sql_drop(&stmt->limit_count);
    stmt->limit_option = plain->limit_option;
}


static void
kr_sql_clear(PgQuery__Node ***list, size_t *n)
{
    size_t  i;

    for (i = 0; i < *n; i++) {
        kr_sql_drop(&(*list)[i]);
    }

    free(*list);
    *list = NULL;
    *n = 0;
}
