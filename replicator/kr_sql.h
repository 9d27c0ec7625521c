/*
 * A client's SELECT: judged and rewritten on the parse tree of PostgreSQL's
 * own parser (libpg_query).  No text is ever searched.
 */

#ifndef _KR_SQL_H_INCLUDED_
#define _KR_SQL_H_INCLUDED_


#include <stdint.h>

#include "kr_buf.h"


typedef struct {
    kr_str_t      schema;     /* empty: not written */
    kr_str_t      name;
    kr_str_t      alias;      /* empty: none */
} kr_sql_table_t;


typedef struct {
    kr_str_t      schema;     /* empty: not written */
    kr_str_t      name;
} kr_sql_function_t;


typedef struct kr_sql_s  kr_sql_t;


/*
 * Bytes of a query, and steps of nested or chained expressions.  The one
 * bounds the time that a hostile query takes of the event loop (some 10 us a
 * byte at worst, templates included), the other the parser's stack.
 */
#define KR_SQL_MAX_LEN    16384
#define KR_SQL_MAX_DEPTH  1000


/*
 * Parses the query and refuses all that is not one plain SELECT (other
 * statements, several, INTO, locking clauses, parameters, data-modifying
 * WITH), and, for now, what cannot be refetched row by row: more than one
 * table, grouping, aggregates (as far as their syntax tells them), DISTINCT,
 * window functions, set operations, WITH, sub-selects.
 *
 * Not seen here, for the catalog to tell: aggregates that look like any
 * function (sum(x)) and functions that return sets.
 *
 * KR_OK: *sql is to be freed.  KR_DECLINED: refused, KR_ERROR: no memory;
 * reason gets one sentence that names what was met and what to do, for the
 * developer of a page.
 */
int kr_sql_parse(const char *query, size_t len, kr_sql_t **sql,
    kr_buf_t *reason);
void kr_sql_free(kr_sql_t *sql);

/*
 * Every relation that the query reads, every function that it calls by name
 * (operators and casts excepted), for the checks against the catalog, in the
 * order in which they are met; owned by sql.
 */
const kr_sql_table_t *kr_sql_tables(const kr_sql_t *sql, size_t *n);
const kr_sql_function_t *kr_sql_functions(const kr_sql_t *sql, size_t *n);

/* The query as PostgreSQL would write it: equal queries, equal bytes. */
const char *kr_sql_canonical(const kr_sql_t *sql);


/* what a template is made for; names as in the catalog, not quoted */
typedef struct {
    kr_str_t      table;      /* how the query calls it: alias, or name */
    kr_str_t      pk;         /* column */
    kr_str_t      pk_type;    /* as format_type(oid, -1) prints it: with the
                                 modifier a value would be cut or rounded to
                                 another; with NULL char(n) is char(1) */
    kr_str_t      field;      /* the route's column */
    kr_str_t      field_type;
} kr_sql_target_t;


/*
 * Templates are appended to out.  KR_OK; KR_ERROR: no memory; KR_DECLINED:
 * the names or types make no statement (cannot happen with the catalog's).
 *
 * The snapshot: the client's query and "field = ANY ($1)"; $1 is a text
 * array of values, cast to the field's type.  Each row is one column of
 * text: the row's JSON as row_to_json() prints it.  ORDER BY and LIMIT hold.
 */
int kr_sql_snapshot(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *out);

/*
 * The refetch: the client's query without ORDER BY, LIMIT and OFFSET, and
 * "pk = ANY ($1)".  Three text columns a row: pk::text; field::text; and
 * the row's JSON (the columns that the client asked for, no others).  A cast
 * to text prints booleans as true and false, and char(n) without its blanks;
 * kr_value_key() knows both forms.
 */
int kr_sql_refetch(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *out);


#endif /* _KR_SQL_H_INCLUDED_ */
