/*
 * A client's SELECT: checked and rewritten on the parse tree of PostgreSQL's
 * own parser (libpg_query).  No text is searched.
 */

#ifndef _KR_SQL_H_INCLUDED_
#define _KR_SQL_H_INCLUDED_


#include <stdint.h>

#include "kr_buf.h"
#include "kr_op.h"


typedef struct {
    kr_str_t      schema;     /* empty: not written */
    kr_str_t      name;
    kr_str_t      alias;      /* empty: none */
    unsigned      top:1;      /* in the FROM of the query itself, so the query
                                 can name the table's columns */
} kr_sql_table_t;


typedef struct {
    kr_str_t      schema;     /* empty: not written */
    kr_str_t      name;
    unsigned      top:1;      /* called by the query itself, not by a SELECT
                                 within the query */
    unsigned      over:1;     /* called with OVER: as an aggregate, too, the
                                 function does not make one row of many */
} kr_sql_function_t;


typedef enum {
    KR_SQL_ROWWISE = 0,       /* one table, and each row by itself */
    KR_SQL_RERUN              /* every other SELECT: run as a whole */
} kr_sql_mode_e;


typedef struct kr_sql_s  kr_sql_t;


/*
 * Limits of a query: bytes, and steps of nested or chained expressions.
 * KR_SQL_MAX_LEN bounds the time that a hostile query takes of the event loop
 * (some 10 us a byte at worst, templates included), KR_SQL_MAX_DEPTH the
 * parser's stack.  A canonical text has quotes and schemas that the client did
 * not write; KR_SQL_MAX_CANONICAL bounds the text of a route's spec.
 */
#define KR_SQL_MAX_LEN        16384
#define KR_SQL_MAX_CANONICAL  65536
#define KR_SQL_MAX_DEPTH      1000


/*
 * Parses the query, and refuses one of more than max bytes, and everything but
 * one plain SELECT: other statements, several, INTO, locking clauses,
 * parameters, data-modifying WITH, VALUES by itself, functions in FROM,
 * TABLESAMPLE, a table's alias with names for its columns, and a query that
 * reads no table.
 *
 * The mode is KR_SQL_RERUN if the query has more than one table, grouping, an
 * aggregate (by its syntax), DISTINCT, a window function, a set operation,
 * WITH, a sub-select, or VALUES within it.
 *
 * Only the catalog shows aggregates without such a syntax (sum(x), see
 * kr_sql_set_aggregate()) and functions that return sets.
 *
 * KR_OK: the caller frees *sql with kr_sql_free().  KR_DECLINED: refused;
 * reason gets one sentence for the developer of a page, with the cause and a
 * remedy.  KR_ERROR: no memory.
 */
int kr_sql_parse(const char *query, size_t len, size_t max, kr_sql_t **sql,
    kr_buf_t *reason);
void kr_sql_free(kr_sql_t *sql);

/* Whether rows are refetched one by one or the query is run as a whole. */
kr_sql_mode_e kr_sql_mode(const kr_sql_t *sql);

/*
 * Add knowledge from the catalog, before any template is made.
 * kr_sql_set_rerun() sets the mode KR_SQL_RERUN.  kr_sql_set_aggregate() marks
 * the function at this index of kr_sql_functions() as an aggregate
 * (pg_proc.prokind 'a'): the mode is KR_SQL_RERUN then, and the result's rows
 * are not a table's, unless the call is in a SELECT within or has OVER.
 */
void kr_sql_set_rerun(kr_sql_t *sql);
void kr_sql_set_aggregate(kr_sql_t *sql, size_t function);

/*
 * Whether a row of the result may stand for many rows of the tables (GROUP BY,
 * HAVING, DISTINCT, aggregates).  The row's key then consists of columns of
 * the result.
 */
int kr_sql_is_grouped(const kr_sql_t *sql);

/* Whether the result is one row, of all: an aggregate without GROUP BY. */
int kr_sql_is_one(const kr_sql_t *sql);

/*
 * Whether a subscription can name only columns of the result: the query is a
 * set operation (UNION, INTERSECT, EXCEPT), or a SELECT without a FROM.
 */
int kr_sql_is_closed(const kr_sql_t *sql);

/*
 * The items: names of the entries in the query's own FROM that are no tables:
 * sub-selects, names of WITH, joins in brackets with an alias.  A subscription
 * can name their columns; only PostgreSQL can list them.
 */
const kr_str_t *kr_sql_items(const kr_sql_t *sql, size_t *n);

/*
 * Append a statement that returns no rows, but whose description has the
 * columns of the result, or the columns of the items, each item's after a
 * column of the name KR_SQL_ITEM.  KR_OK; KR_ERROR: no memory; KR_DECLINED:
 * the query cannot be rewritten.
 */
#define KR_SQL_ITEM  "kairos item"

int kr_sql_probe_result(const kr_sql_t *sql, kr_buf_t *out);
int kr_sql_probe_items(const kr_sql_t *sql, kr_buf_t *out);

/*
 * All relations that the query reads anywhere (names of WITH excepted), and
 * all functions that it calls by name (operators and casts excepted), for the
 * checks against the catalog: in the order of the walk, with repetitions.  sql
 * owns the arrays.
 */
const kr_sql_table_t *kr_sql_tables(const kr_sql_t *sql, size_t *n);
const kr_sql_function_t *kr_sql_functions(const kr_sql_t *sql, size_t *n);

/*
 * Writes the schema of each table into the query: schemas are those that the
 * catalog found, in the order of kr_sql_tables().  A table that comes earlier
 * in the search_path later changes nothing then.  Before any template is made;
 * a query that has its schemas already stays as it is.  KR_OK.  KR_ERROR: no
 * memory; KR_DECLINED: cannot be rewritten.  After both sql is only to be
 * freed.
 */
int kr_sql_qualify(kr_sql_t *sql, const kr_str_t *schemas);

/*
 * How the query calls the table at this place of kr_sql_tables(): its alias,
 * or its name.
 */
const kr_str_t *kr_sql_called(const kr_sql_t *sql, size_t table);

/* The query's canonical text, which sql owns: equal queries, equal bytes. */
const char *kr_sql_canonical(const kr_sql_t *sql);


/*
 * The column that a client names, as "id", "p.id" or "s.posts.id", each part
 * with or without quotes.
 */
typedef struct {
    size_t        table;      /* index in kr_sql_tables() */
    unsigned      item:1;     /* table is an index in kr_sql_items() */
    unsigned      result:1;   /* a column of the result; table is not used */
    unsigned      named:1;    /* the client named a table or an item */
    unsigned      any:1;      /* the client named none, and the query has
                                 several: table is the first, and the catalog
                                 decides which one has the column */
    unsigned      quoted:1;   /* column is exact; if not set, it is as the
                                 client wrote it, to be searched for first in
                                 that case, then in lower case */
    kr_buf_t      column;     /* the caller frees it */
} kr_sql_ref_t;


/*
 * Finds the table or item of the query's own FROM that the column which a
 * client names belongs to, by aliases, then by names, each in the case that
 * the client wrote, then in lower case.  The caller has initialized
 * ref->column.  KR_OK; KR_ERROR: no memory; KR_DECLINED: reason gets a
 * sentence (not a name; no such table, or several, or one that only a
 * sub-select reads).  For a closed query this is kr_sql_resolve_result().
 */
int kr_sql_resolve(const kr_sql_t *sql, const kr_str_t *name,
    kr_sql_ref_t *ref, kr_buf_t *reason);

/*
 * Finds the column of the result that a client names.  "p.id" is the column
 * that selects p.id, under any name, in any of the SELECTs of a set operation;
 * or else one with the name id, unless it selects the id of another table.  If
 * a "*" may contain the column, it is not checked that it exists.  Returns as
 * kr_sql_resolve().
 */
int kr_sql_resolve_result(const kr_sql_t *sql, const kr_str_t *name,
    kr_sql_ref_t *ref, kr_buf_t *reason);


/*
 * An entry of the query's SELECT list, in the case that PostgreSQL reads:
 * "p.id AS post" has the table "p", the column "id" and the name "post"; a
 * column with a cast or with COLLATE counts as that column.  An empty table or
 * column is not written; an empty name is not known.  Not for a set operation.
 */
typedef struct {
    kr_str_t      table;
    kr_str_t      column;
    kr_str_t      name;
    unsigned      star:1;     /* all columns, of the table if it is written */
    unsigned      text:1;     /* the outermost cast is to text, or to varchar
                                 without a length */
    unsigned      whole:1;    /* a cast is to an integer, or to numeric without
                                 a precision */
    unsigned      cast:1;     /* a cast is to another type */
} kr_sql_out_t;

size_t kr_sql_outs(const kr_sql_t *sql);
void kr_sql_out(const kr_sql_t *sql, size_t i, kr_sql_out_t *out);

/* Whether a join has NATURAL or USING, which makes one column of two. */
int kr_sql_merges(const kr_sql_t *sql);


/*
 * The field and the key that a template is made for; names as in the catalog,
 * not quoted.  The caller zeroes the struct before it fills it, and owns the
 * strings.
 */
typedef struct {
    kr_str_t         table;      /* the field's: its alias, or its name; or
                                    an item */
    kr_str_t         field;      /* the route's column */
    kr_str_t         field_type;

    kr_str_t         pk_table;   /* the key's, if it is another than table:
                                    its alias, or its name */
    size_t           npk;        /* columns of the key, 1 or more */
    const kr_str_t  *pks;
    const kr_str_t  *pk_types;   /* as format_type(oid, -1) prints them: a
                                    cast with the type's modifier would cut or
                                    round a value, and format_type(oid, NULL)
                                    makes char(n) char(1) */

    unsigned         all:1;      /* there is no predicate, and no parameter for
                                    one; field, op and of_result are not set */
    kr_op_e          op;         /* "field op value" is the predicate */
    unsigned         cast:1;     /* field is cast to its type: a domain over
                                    an enum has no operators of its own */
    unsigned         check:1;    /* a refetch has the predicate, too, because
                                    the index cannot decide if a row matches,
                                    see kr_predicate_exact() */
    unsigned         window:1;   /* a rerun keeps ORDER BY, LIMIT, OFFSET */
    unsigned         of_result:1;    /* field is a column of the result; table
                                        is empty */
    unsigned         key_of_result:1;    /* the key's columns are columns of
                                            the result; pk_table is empty */
} kr_sql_target_t;


/*
 * Both functions append a statement to out.  KR_OK; KR_ERROR: no memory;
 * KR_DECLINED: the names or types make no statement (cannot happen with the
 * catalog's), or the query does not suit this template.
 *
 * The predicate's values are one parameter: for eq and !eq a text array of all
 * values, for the other operators the text of the one value.  The statement
 * casts the parameter to the field's type; for contains, starts_with and
 * ends_with the parameter stays text.  With `all` there is no such parameter,
 * and the field's text is NULL.
 *
 * The refetch, for KR_SQL_ROWWISE: the client's query without ORDER BY, LIMIT
 * and OFFSET, and "pk = ANY ($1)".  Three text columns a row: pk::text;
 * field::text; and the row's JSON (the columns that the client asked for, no
 * others).  A cast to text prints booleans as true and false, where the WAL
 * has t and f; kr_value_key() knows both forms.  A char(n) of the key keeps
 * its blanks.
 *
 * If the key has several columns, each column has a text array as a parameter,
 * $1 and so on, all of one length; the elements at the same index are a key.
 * The first column of a row is then a JSON array of the key's texts: ["1",
 * "x"].
 *
 * With check, the last parameter is the predicate's, and the statement returns
 * only rows that satisfy the predicate.
 */
int kr_sql_refetch(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *out);

/*
 * The rerun, for any query whose own FROM has the table once: the client's
 * query with the predicate, whose parameter is $1, added to its WHERE.  ORDER
 * BY, LIMIT and OFFSET are kept only with window (ORDER BY also with DISTINCT
 * ON, which returns the first row in that order).  Two text columns a row: its
 * key, and its JSON (the columns that the client selects, no others).
 *
 * If the field is a column of the result, the rerun is a SELECT from the
 * client's query, with the predicate in its WHERE.  The ORDER BY, LIMIT and
 * OFFSET of a set operation move behind this WHERE.  Any other query with a
 * LIMIT or an OFFSET is declined.
 *
 * The key is the primary key's text (of several columns the JSON array, as
 * above), which may be NULL (of the other side of an outer join) and may
 * come more than once (a join's row per pair).  Where rows are not the
 * table's it must be of the result, and each of its columns is printed as the
 * row's JSON has it; a result of one row may have none, and its key is empty.
 *
 * KR_DECLINED: reason, if it is not NULL, gets a sentence.
 */
int kr_sql_rerun(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *out, kr_buf_t *reason);


#endif /* _KR_SQL_H_INCLUDED_ */
