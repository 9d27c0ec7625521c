/*
 * A client's query: parsed, walked for what it uses, and judged.  The walk
 * collects; what is refused, and with which words, is one table.
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "kr_sql_private.h"


#define KR_SQL_INTO          0x00001
#define KR_SQL_LOCKING       0x00002
#define KR_SQL_PARAM         0x00004
#define KR_SQL_WITH          0x00008
#define KR_SQL_SET           0x00010
#define KR_SQL_VALUES        0x00020
#define KR_SQL_NO_FROM       0x00040
#define KR_SQL_FROM_SELECT   0x00080
#define KR_SQL_FROM_FUNCTION 0x00100
#define KR_SQL_SUBLINK       0x00200
#define KR_SQL_TABLES        0x00400
#define KR_SQL_SAMPLE        0x00800
#define KR_SQL_COLUMN_ALIAS  0x01000
#define KR_SQL_DISTINCT      0x02000
#define KR_SQL_GROUP         0x04000
#define KR_SQL_HAVING        0x08000
#define KR_SQL_WINDOW        0x10000
#define KR_SQL_AGGREGATE     0x20000


typedef struct {
    unsigned           feature;
    const char        *sentence;
} kr_sql_refusal_t;


static int kr_sql_read(kr_sql_t *sql, const char *query, size_t len,
    kr_buf_t *reason);
static int kr_sql_statement(const PgQuery__ParseResult *tree,
    kr_buf_t *reason);
static void kr_sql_other(const PgQuery__Node *stmt, kr_buf_t *reason);
static int kr_sql_collect(void *data, ProtobufCMessage *msg);
static void kr_sql_select(kr_sql_t *sql, const PgQuery__SelectStmt *stmt);
static int kr_sql_table(kr_sql_t *sql, const PgQuery__RangeVar *rv);
static int kr_sql_function(kr_sql_t *sql, const PgQuery__FuncCall *call);
static const char *kr_sql_name(const PgQuery__Node *node);
static void *kr_sql_room(void *elts, size_t n, size_t *size, size_t elt);
static void kr_sql_str(kr_str_t *s, const char *text);
static int kr_sql_judge(const kr_sql_t *sql, kr_buf_t *reason);


/* in the order in which they are told: the weightiest first */
static const kr_sql_refusal_t  kr_sql_refusals[] = {

    { KR_SQL_INTO,
      "SELECT INTO creates a table, and a realtime query may only read:"
      " leave the INTO out" },

    { KR_SQL_LOCKING,
      "FOR UPDATE and FOR SHARE lock rows, and a realtime query may only"
      " read: leave the clause out" },

    { KR_SQL_PARAM,
      "the query holds a parameter like $1, for which there is no value:"
      " write the value itself" },

    { KR_SQL_WITH,
      "WITH is not supported in a realtime query: select from the table"
      " itself" },

    { KR_SQL_SET,
      "UNION, INTERSECT and EXCEPT are not supported in a realtime query:"
      " subscribe to each SELECT by itself" },

    { KR_SQL_VALUES,
      "VALUES is not supported in a realtime query: select from a table" },

    { KR_SQL_FROM_SELECT,
      "a sub-select in FROM is not supported in a realtime query: select"
      " from the table itself" },

    { KR_SQL_FROM_FUNCTION,
      "a function in FROM is not supported in a realtime query: select from"
      " a table" },

    { KR_SQL_NO_FROM,
      "the query reads no table, so it has no changes: select from a"
      " table" },

    { KR_SQL_SAMPLE,
      "TABLESAMPLE is not supported in a realtime query: filter with WHERE"
      " instead" },

    { KR_SQL_SUBLINK,
      "a sub-select is not supported in a realtime query: only expressions"
      " of the table's own columns are" },

    { KR_SQL_TABLES,
      "the query reads more than one table, and a realtime query may read"
      " one only: subscribe to each table by itself" },

    { KR_SQL_COLUMN_ALIAS,
      "column names after a table's alias are not supported in a realtime"
      " query: rename the columns in the select list with AS" },

    { KR_SQL_DISTINCT,
      "DISTINCT is not supported in a realtime query, whose rows are told"
      " apart by their primary key: leave it out" },

    { KR_SQL_GROUP,
      "GROUP BY is not supported in a realtime query: select the rows"
      " themselves" },

    { KR_SQL_HAVING,
      "HAVING is not supported in a realtime query: filter with WHERE"
      " instead" },

    { KR_SQL_WINDOW,
      "window functions are not supported in a realtime query, as one row"
      " changes the result of others: leave them out" },

    { KR_SQL_AGGREGATE,
      "aggregates are not supported in a realtime query: select the rows"
      " themselves" },

    { 0, NULL }
};


int
kr_sql_parse(const char *query, size_t len, kr_sql_t **sql, kr_buf_t *reason)
{
    int        rc;
    kr_sql_t  *s;

    s = calloc(1, sizeof(kr_sql_t));
    if (s == NULL) {
        return KR_ERROR;
    }

    rc = kr_sql_read(s, query, len, reason);

    if (rc == KR_OK) {
        rc = kr_sql_judge(s, reason);
    }

    if (rc == KR_OK) {
        rc = kr_sql_tree_pack(s->tree, &s->packed);
    }

    if (rc == KR_OK) {
        rc = kr_sql_tree_text(&s->packed, &s->canonical);

        if (rc == KR_DECLINED) {
            kr_buf_str(reason, "the query cannot be rewritten without risk:"
                               " write its expressions in a simpler way");
        }
    }

    if (rc != KR_OK) {
        kr_sql_free(s);
        return rc;
    }

    *sql = s;

    return KR_OK;
}


void
kr_sql_free(kr_sql_t *sql)
{
    if (sql == NULL) {
        return;
    }

    kr_sql_tree_free(sql->tree);
    kr_buf_free(&sql->canonical);
    free(sql->packed.data);
    free(sql->tables);
    free(sql->functions);
    free(sql);
}


const kr_sql_table_t *
kr_sql_tables(const kr_sql_t *sql, size_t *n)
{
    *n = sql->ntables;

    return sql->tables;
}


const kr_sql_function_t *
kr_sql_functions(const kr_sql_t *sql, size_t *n)
{
    *n = sql->nfunctions;

    return sql->functions;
}


const char *
kr_sql_canonical(const kr_sql_t *sql)
{
    return sql->canonical.data;
}


static int
kr_sql_read(kr_sql_t *sql, const char *query, size_t len, kr_buf_t *reason)
{
    int                   rc;
    char                 *text;
    PgQuery__SelectStmt  *stmt;

    if (len > KR_SQL_MAX_LEN) {
        kr_buf_printf(reason, "the query is longer than %d bytes",
                      KR_SQL_MAX_LEN);
        return KR_DECLINED;
    }

    if (memchr(query, '\0', len) != NULL) {
        kr_buf_str(reason, "the query holds a NUL character");
        return KR_DECLINED;
    }

    text = malloc(len + 1);
    if (text == NULL) {
        return KR_ERROR;
    }

    memcpy(text, query, len);
    text[len] = '\0';

    rc = kr_sql_tree_parse(text, &sql->tree, reason);
    free(text);

    if (rc != KR_OK) {
        return rc;
    }

    if (kr_sql_statement(sql->tree, reason) != KR_OK) {
        return KR_DECLINED;
    }

    rc = kr_sql_tree_walk(&sql->tree->base, kr_sql_collect, sql);

    if (rc == KR_DECLINED) {
        kr_buf_str(reason, "the query is nested too deep");
    }

    stmt = kr_sql_tree_select(sql->tree);

    if (stmt->n_from_clause == 0 && stmt->n_values_lists == 0) {
        sql->features |= KR_SQL_NO_FROM;
    }

    return rc;
}


static int
kr_sql_statement(const PgQuery__ParseResult *tree, kr_buf_t *reason)
{
    if (tree->n_stmts == 0) {
        kr_buf_str(reason, "the query is empty: a SELECT is expected");
        return KR_DECLINED;
    }

    if (tree->n_stmts > 1) {
        kr_buf_printf(reason, "the query has %zu statements, and may have"
                      " one only", tree->n_stmts);
        return KR_DECLINED;
    }

    if (kr_sql_tree_select(tree) == NULL) {
        kr_sql_other(tree->stmts[0]->stmt, reason);
        return KR_DECLINED;
    }

    return KR_OK;
}


/* The names of the tree's fields tell: create_table_as_stmt. */
static void
kr_sql_other(const PgQuery__Node *stmt, kr_buf_t *reason)
{
    size_t                           len, i;
    const ProtobufCFieldDescriptor  *field;

    field = NULL;

    if (stmt != NULL) {
        field = protobuf_c_message_descriptor_get_field(
                           &pg_query__node__descriptor, stmt->node_case);
    }

    if (field == NULL) {
        kr_buf_str(reason, "the query is not a SELECT");
        return;
    }

    len = strlen(field->name);

    if (len > 5 && strcmp(field->name + len - 5, "_stmt") == 0) {
        len -= 5;
    }

    kr_buf_str(reason, "a realtime query must be a SELECT, this is ");

    for (i = 0; i < len; i++) {
        kr_buf_printf(reason, "%c", field->name[i] == '_' ? ' '
                      : toupper((unsigned char) field->name[i]));
    }
}


static int
kr_sql_collect(void *data, ProtobufCMessage *msg)
{
    kr_sql_t                          *sql;
    const ProtobufCMessageDescriptor  *d;

    sql = data;
    d = msg->descriptor;

    if (d == &pg_query__select_stmt__descriptor) {
        kr_sql_select(sql, (PgQuery__SelectStmt *) msg);

    } else if (d == &pg_query__range_var__descriptor) {
        return kr_sql_table(sql, (PgQuery__RangeVar *) msg);

    } else if (d == &pg_query__func_call__descriptor) {
        return kr_sql_function(sql, (PgQuery__FuncCall *) msg);

    } else if (d == &pg_query__param_ref__descriptor) {
        sql->features |= KR_SQL_PARAM;

    } else if (d == &pg_query__sub_link__descriptor) {
        sql->features |= KR_SQL_SUBLINK;

    } else if (d == &pg_query__range_subselect__descriptor) {
        sql->features |= KR_SQL_FROM_SELECT;

    } else if (d == &pg_query__range_function__descriptor
               || d == &pg_query__range_table_func__descriptor)
    {
        sql->features |= KR_SQL_FROM_FUNCTION;

    } else if (d == &pg_query__range_table_sample__descriptor) {
        sql->features |= KR_SQL_SAMPLE;

    } else if (d == &pg_query__join_expr__descriptor) {
        sql->features |= KR_SQL_TABLES;

    } else if (d == &pg_query__grouping_func__descriptor) {
        sql->features |= KR_SQL_GROUP;
    }

    return KR_OK;
}


static void
kr_sql_select(kr_sql_t *sql, const PgQuery__SelectStmt *stmt)
{
    sql->features |= (stmt->into_clause != NULL ? KR_SQL_INTO : 0)
                     | (stmt->n_locking_clause != 0 ? KR_SQL_LOCKING : 0)
                     | (stmt->with_clause != NULL ? KR_SQL_WITH : 0)
                     | (stmt->larg != NULL || stmt->rarg != NULL
                        ? KR_SQL_SET : 0)
                     | (stmt->n_values_lists != 0 ? KR_SQL_VALUES : 0)
                     | (stmt->n_distinct_clause != 0 ? KR_SQL_DISTINCT : 0)
                     | (stmt->n_group_clause != 0 ? KR_SQL_GROUP : 0)
                     | (stmt->having_clause != NULL ? KR_SQL_HAVING : 0)
                     | (stmt->n_window_clause != 0 ? KR_SQL_WINDOW : 0);
}


static int
kr_sql_table(kr_sql_t *sql, const PgQuery__RangeVar *rv)
{
    kr_sql_table_t  *tables, *tb;

    tables = kr_sql_room(sql->tables, sql->ntables, &sql->tables_size,
                         sizeof(kr_sql_table_t));
    if (tables == NULL) {
        return KR_ERROR;
    }

    sql->tables = tables;
    tb = &tables[sql->ntables++];

    kr_sql_str(&tb->schema, rv->schemaname);
    kr_sql_str(&tb->name, rv->relname);
    kr_sql_str(&tb->alias, rv->alias == NULL ? "" : rv->alias->aliasname);

    if (rv->alias != NULL && rv->alias->n_colnames != 0) {
        sql->features |= KR_SQL_COLUMN_ALIAS;
    }

    if (sql->ntables > 1) {
        sql->features |= KR_SQL_TABLES;
    }

    return KR_OK;
}


static int
kr_sql_function(kr_sql_t *sql, const PgQuery__FuncCall *call)
{
    size_t              n;
    kr_sql_function_t  *functions, *f;

    functions = kr_sql_room(sql->functions, sql->nfunctions,
                            &sql->functions_size, sizeof(kr_sql_function_t));
    if (functions == NULL) {
        return KR_ERROR;
    }

    sql->functions = functions;
    f = &functions[sql->nfunctions++];

    n = call->n_funcname;

    kr_sql_str(&f->name, n == 0 ? "" : kr_sql_name(call->funcname[n - 1]));
    kr_sql_str(&f->schema, n < 2 ? "" : kr_sql_name(call->funcname[n - 2]));

    if (call->over != NULL) {
        sql->features |= KR_SQL_WINDOW;
    }

    if (call->agg_star || call->agg_distinct || call->agg_within_group
        || call->agg_filter != NULL || call->n_agg_order != 0)
    {
        sql->features |= KR_SQL_AGGREGATE;
    }

    return KR_OK;
}


static const char *
kr_sql_name(const PgQuery__Node *node)
{
    return node->node_case == PG_QUERY__NODE__NODE_STRING ? node->string->sval
                                                          : "";
}


static void *
kr_sql_room(void *elts, size_t n, size_t *size, size_t elt)
{
    void    *more;
    size_t   want;

    if (n < *size) {
        return elts;
    }

    want = *size == 0 ? 8 : *size * 2;

    more = realloc(elts, want * elt);
    if (more != NULL) {
        *size = want;
    }

    return more;
}


static void
kr_sql_str(kr_str_t *s, const char *text)
{
    s->data = text;
    s->len = strlen(text);
}


static int
kr_sql_judge(const kr_sql_t *sql, kr_buf_t *reason)
{
    const kr_sql_refusal_t  *rf;

    for (rf = kr_sql_refusals; rf->sentence != NULL; rf++) {
        if (sql->features & rf->feature) {
            kr_buf_str(reason, rf->sentence);
            return KR_DECLINED;
        }
    }

    return KR_OK;
}
