/*
 * A client's query: parsed, walked for its tables, functions and features, and
 * checked.  One table has the features that are refused, and the reasons.
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "kr_sql_private.h"


typedef struct {
    unsigned           feature;
    const char        *sentence;
} kr_sql_refusal_t;


static int kr_sql_read(kr_sql_t *sql, const char *query, size_t len,
    kr_buf_t *reason);
static int kr_sql_statement(const PgQuery__ParseResult *tree,
    kr_buf_t *reason);
static void kr_sql_other(const PgQuery__Node *stmt, kr_buf_t *reason);
static int kr_sql_check(const kr_sql_t *sql, kr_buf_t *reason);


/* the first feature of this order that the query has is reported */
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

    { KR_SQL_MODIFY,
      "a WITH of the query holds an INSERT, UPDATE, DELETE or MERGE, and a"
      " realtime query may only read: leave it out" },

    { KR_SQL_VALUES,
      "VALUES is not supported in a realtime query: select from a table" },

    { KR_SQL_FROM_FUNCTION,
      "a function in FROM is not supported in a realtime query: select from"
      " a table" },

    { KR_SQL_NO_TABLE,
      "the query reads no table, so it has no changes: select from a"
      " table" },

    { KR_SQL_SAMPLE,
      "TABLESAMPLE is not supported in a realtime query: filter with WHERE"
      " instead" },

    { KR_SQL_COLUMN_ALIAS,
      "column names after a table's alias are not supported in a realtime"
      " query: rename the columns in the select list with AS" },

    { 0, NULL }
};


int
kr_sql_parse(const char *query, size_t len, size_t max, kr_sql_t **sql,
    kr_buf_t *reason)
{
    int        rc;
    kr_sql_t  *s;

    s = calloc(1, sizeof(kr_sql_t));
    if (s == NULL) {
        return KR_ERROR;
    }

    rc = KR_OK;

    if (len > max) {
        kr_buf_printf(reason, "the query is longer than %zu bytes", max);
        rc = KR_DECLINED;
    }

    if (rc == KR_OK) {
        rc = kr_sql_read(s, query, len, reason);
    }

    if (rc == KR_OK) {
        rc = kr_sql_check(s, reason);
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
    free(sql->names);
    free(sql->functions);
    free(sql->items);
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


const kr_str_t *
kr_sql_items(const kr_sql_t *sql, size_t *n)
{
    *n = sql->nitems;

    return sql->items;
}


/* Names that the client wrote stay, and so does what pg_temp stands for. */
int
kr_sql_qualify(kr_sql_t *sql, const kr_str_t *schemas)
{
    int                 rc;
    char               *schema;
    size_t              i, n;
    PgQuery__RangeVar  *rv;

    n = 0;

    for (i = 0; i < sql->ntables; i++) {
        rv = sql->names[i];

        if (*rv->schemaname != '\0') {
            continue;
        }

        schema = kr_sql_dup(&schemas[i]);
        if (schema == NULL) {
            return KR_ERROR;
        }

        rv->schemaname = schema;
        sql->tables[i].schema.data = schema;
        sql->tables[i].schema.len = schemas[i].len;
        n++;
    }

    if (n == 0) {
        return KR_OK;
    }

    free(sql->packed.data);
    sql->packed.data = NULL;
    kr_buf_reset(&sql->canonical);

    rc = kr_sql_tree_pack(sql->tree, &sql->packed);

    return rc == KR_OK ? kr_sql_tree_text(&sql->packed, &sql->canonical) : rc;
}


int
kr_sql_is_closed(const kr_sql_t *sql)
{
    return sql->closed;
}


const char *
kr_sql_canonical(const kr_sql_t *sql)
{
    return sql->canonical.data;
}


kr_sql_mode_e
kr_sql_mode(const kr_sql_t *sql)
{
    return sql->rerun || (sql->features & KR_SQL_WHOLE) ? KR_SQL_RERUN
                                                        : KR_SQL_ROWWISE;
}


void
kr_sql_set_rerun(kr_sql_t *sql)
{
    sql->rerun = 1;
}


void
kr_sql_set_aggregate(kr_sql_t *sql, size_t function)
{
    sql->rerun = 1;

    if (sql->functions[function].top && !sql->functions[function].over) {
        sql->aggregated = 1;
    }
}


static int
kr_sql_read(kr_sql_t *sql, const char *query, size_t len, kr_buf_t *reason)
{
    int    rc;
    char  *text;

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

    rc = kr_sql_collect(sql);

    if (rc == KR_DECLINED) {
        kr_buf_str(reason, "the query is nested too deep");
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


/* Makes a statement's name from its field: create_table_as_stmt. */
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
kr_sql_check(const kr_sql_t *sql, kr_buf_t *reason)
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
