/*
 * Statements whose description lists columns: only PostgreSQL can expand a "*"
 * and find the type of an expression.
 */

#include <string.h>

#include "kr_sql_private.h"


int
kr_sql_probe_result(const kr_sql_t *sql, kr_buf_t *out)
{
    /* the deparser printed it as one SELECT, so no second statement follows */

    kr_buf_printf(out, "SELECT * FROM (%s) \"q\" LIMIT 0",
                  kr_sql_canonical(sql));

    return out->failed ? KR_ERROR : KR_OK;
}


int
kr_sql_probe_items(const kr_sql_t *sql, kr_buf_t *out)
{
    int                    rc;
    size_t                 i;
    kr_buf_t               text;
    PgQuery__SelectStmt   *probe, *client;
    PgQuery__ParseResult  *tree, *frame;

    memset(&text, 0, sizeof(text));
    kr_buf_str(&text, "SELECT ");

    for (i = 0; i < sql->nitems; i++) {
        kr_buf_str(&text, i == 0 ? "" : ", ");
        kr_buf_str(&text, "NULL AS \"" KR_SQL_ITEM "\", ");
        kr_buf_ident(&text, sql->items[i].data, sql->items[i].len);
        kr_buf_str(&text, ".*");
    }

    kr_buf_str(&text, " LIMIT 0");

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

    probe = kr_sql_tree_select(frame);
    client = kr_sql_tree_select(tree);

    kr_sql_swap(PgQuery__WithClause *, client->with_clause,
                probe->with_clause);
    kr_sql_swap(size_t, client->n_from_clause, probe->n_from_clause);
    kr_sql_swap(PgQuery__Node **, client->from_clause, probe->from_clause);

    rc = kr_sql_tree_print(frame, out);

    kr_sql_tree_free(frame);
    kr_sql_tree_free(tree);

    return rc;
}
