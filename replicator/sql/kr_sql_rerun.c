/*
 * The rerun.  The client's query becomes a sub-select q, with the predicate
 * in its WHERE.  If its rows are rows of a table, the key is an additional
 * column at the end of the SELECT list, so that "ORDER BY 1" keeps its
 * meaning.  The key's JSON, which is the end of the row's JSON, is cut off:
 *
 *     SELECT q."kairos key", rtrim(left(row_to_json(q.*)::text,
 *                -length('"kairos key":"57"}')), ',') || '}'
 *       FROM (SELECT ..., p.id::text AS "kairos key" FROM ...) q
 *
 * The remaining JSON ends in a comma, or in a brace if there is no other
 * column.
 *
 * For a predicate on the result the client's query becomes a further
 * sub-select w; the ORDER BY, LIMIT and WITH of a set operation move out:
 *
 *     SELECT q.id::text, row_to_json(q.*)::text
 *       FROM (WITH ... SELECT * FROM (SELECT ... UNION SELECT ...) w
 *              WHERE w.userid = ANY ($1) ORDER BY ... LIMIT ...) q
 */

#include <stdlib.h>
#include <string.h>

#include "kr_sql_private.h"


#define KR_SQL_KEY  "\"kairos key\""


static int kr_sql_check_rerun(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *reason);
static int kr_sql_by_result(const kr_sql_t *sql, const kr_sql_target_t *t);
static void kr_sql_rerun_text(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *b);
static void kr_sql_rerun_within(const kr_sql_target_t *t, kr_buf_t *b);
static int kr_sql_rerun_print(const kr_sql_t *sql, const kr_sql_target_t *t,
    PgQuery__ParseResult *frame, kr_buf_t *out);
static int kr_sql_add_target(PgQuery__SelectStmt *stmt,
    PgQuery__SelectStmt *from);
static void kr_sql_wrap(const kr_sql_t *sql, const kr_sql_target_t *t,
    PgQuery__SelectStmt *inner, PgQuery__ParseResult *tree);
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

    rc = kr_sql_check_rerun(sql, t, reason);
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


int
kr_sql_is_one(const kr_sql_t *sql)
{
    return sql->aggregated && !sql->by;
}


static int
kr_sql_check_rerun(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *reason)
{
    kr_buf_t                    why;
    const PgQuery__SelectStmt  *stmt;

    memset(&why, 0, sizeof(why));
    stmt = kr_sql_tree_select(sql->tree);

    if ((!t->of_result && !t->all && kr_sql_top(sql, &t->table) != KR_OK)
        || (!kr_sql_by_result(sql, t)
            && kr_sql_top(sql, kr_sql_pk_table(t)) != KR_OK))
    {
        kr_buf_str(&why, "the columns to filter and to tell rows apart by"
                   " must be of the query's own FROM, each called by a name"
                   " of its own, or of the result of a UNION, INTERSECT or"
                   " EXCEPT");

    } else if (t->of_result && !sql->compound
               && (stmt->limit_count != NULL || stmt->limit_offset != NULL))
    {
        kr_buf_printf(&why, "the column \"%.*s\" is computed, and a LIMIT"
                      " comes after the filter: select from the query as a"
                      " sub-select, with the LIMIT outside of it",
                      (int) t->field.len, t->field.data);

    } else if (kr_sql_by_result(sql, t) && !t->key_of_result
               && !kr_sql_is_one(sql))
    {
        kr_buf_str(&why, "the result has no columns to tell its rows apart"
                   " by");
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


/* Whether the key, if there is one, consists of columns of the result. */
static int
kr_sql_by_result(const kr_sql_t *sql, const kr_sql_target_t *t)
{
    return t->of_result || t->key_of_result || kr_sql_is_grouped(sql);
}


/* The frame; its FROM's SELECT holds what the client's is to get. */
static void
kr_sql_rerun_text(const kr_sql_t *sql, const kr_sql_target_t *t, kr_buf_t *b)
{
    static const kr_str_t  q = kr_str("q");

    kr_buf_str(b, "SELECT ");

    if (!kr_sql_by_result(sql, t)) {
        kr_buf_str(b, "q." KR_SQL_KEY ", pg_catalog.rtrim(pg_catalog.left("
                   "pg_catalog.row_to_json(q.*)::pg_catalog.text,"
                   " - pg_catalog.length('" KR_SQL_KEY ":'"
                   " || COALESCE(pg_catalog.to_json(q." KR_SQL_KEY ")"
                   "::pg_catalog.text, 'null') || '}')), ',') || '}'"
                   " FROM (SELECT ");
        kr_sql_key(b, t, kr_sql_pk_table(t));
        kr_buf_str(b, " AS " KR_SQL_KEY);

    } else {
        if (t->key_of_result) {
            kr_sql_key(b, t, &q);

        } else {
            kr_buf_str(b, "''::pg_catalog.text");
        }

        kr_buf_str(b, ", pg_catalog.row_to_json(q.*)::pg_catalog.text"
                   " FROM (SELECT ");
        kr_buf_str(b, t->of_result ? "*" : "1");
    }

    kr_sql_rerun_within(t, b);
    kr_buf_str(b, ") q");
}


static void
kr_sql_rerun_within(const kr_sql_target_t *t, kr_buf_t *b)
{
    kr_sql_target_t  w;

    static const kr_str_t  name = kr_str("w");

    if (t->all) {
        return;
    }

    if (!t->of_result) {
        kr_buf_str(b, " WHERE true AND ");
        kr_sql_predicate(b, t, 1);
        return;
    }

    w = *t;
    w.table = name;

    kr_buf_str(b, " FROM (SELECT 1) w WHERE ");
    kr_sql_predicate(b, &w, 1);
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

    rc = KR_OK;

    if (t->of_result) {
        kr_sql_wrap(sql, t, inner, tree);

    } else {
        if (!t->all) {
            kr_sql_where(&client->where_clause, &inner->where_clause);
        }

        if (!t->window) {
            kr_sql_unwindow(client, inner);
        }

        if (!kr_sql_by_result(sql, t)) {
            rc = kr_sql_add_target(client, inner);
        }

        kr_sql_swap(PgQuery__Node *, tree->stmts[0]->stmt,
                    from->range_subselect->subquery);
    }

    if (rc == KR_OK) {
        rc = kr_sql_tree_print(frame, out);
    }

    kr_sql_tree_free(tree);

    return rc;
}


/* Moves the only column of from to the end of the SELECT list. */
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


/*
 * Puts the client's query into the FROM of inner.  The ORDER BY of a set
 * operation can only name columns of the result, so ORDER BY has the same
 * meaning in inner.  LIMIT may refer to names of WITH, so WITH moves, too.
 */
static void
kr_sql_wrap(const kr_sql_t *sql, const kr_sql_target_t *t,
    PgQuery__SelectStmt *inner, PgQuery__ParseResult *tree)
{
    PgQuery__SelectStmt  *client;

    client = kr_sql_tree_select(tree);

    if (!t->window) {
        kr_sql_unwindow(client, inner);

    } else if (sql->compound) {
        kr_sql_swap(PgQuery__WithClause *, client->with_clause,
                    inner->with_clause);
        kr_sql_swap(size_t, client->n_sort_clause, inner->n_sort_clause);
        kr_sql_swap(PgQuery__Node **, client->sort_clause,
                    inner->sort_clause);
        kr_sql_swap(PgQuery__Node *, client->limit_offset,
                    inner->limit_offset);
        kr_sql_swap(PgQuery__Node *, client->limit_count,
                    inner->limit_count);
        kr_sql_swap(PgQuery__LimitOption, client->limit_option,
                    inner->limit_option);
    }

    kr_sql_swap(PgQuery__Node *, tree->stmts[0]->stmt,
                inner->from_clause[0]->range_subselect->subquery);
}


/* Removes ORDER BY, except with DISTINCT ON, which takes its first row. */
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
