/*
 * A client's SELECT: judged and rewritten on the parse tree of PostgreSQL's
 * own parser (libpg_query).  No text is ever searched.
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
    unsigned      top:1;      /* in the FROM of the query itself, where its
                                 columns can be named by it */
} kr_sql_table_t;


typedef struct {
    kr_str_t      schema;     /* empty: not written */
    kr_str_t      name;
    unsigned      top:1;      /* called by the query itself, not by a SELECT
                                 within it */
    unsigned      over:1;     /* with OVER, so if it is an aggregate it does
                                 not make one row of many */
} kr_sql_function_t;


typedef enum {
    KR_SQL_ROWWISE = 0,       /* one table, and each row by itself */
    KR_SQL_RERUN              /* every other SELECT: run as a whole */
} kr_sql_mode_e;


typedef struct kr_sql_s  kr_sql_t;


/*
 * Bytes of a query, and steps of nested or chained expressions.  The one
 * bounds the time that a hostile query takes of the event loop (some 10 us a
 * byte at worst, templates included), the other the parser's stack.
 */
#define KR_SQL_MAX_LEN    16384
#define KR_SQL_MAX_DEPTH  1000


/*
 * Parses the query, and refuses all that is not one plain SELECT: other
 * statements, several, INTO, locking clauses, parameters, data-modifying
 * WITH, VALUES by itself, functions in FROM, TABLESAMPLE, a table's alias
 * with names for its columns, and a query that reads no table.
 *
 * The mode is KR_SQL_RERUN where there is more than one table, grouping, an
 * aggregate (as far as its syntax tells it), DISTINCT, a window function, a
 * set operation, WITH, a sub-select, VALUES within it.
 *
 * Not seen here, for the catalog to tell: aggregates that look like any
 * function (sum(x), see kr_sql_set_aggregate()) and functions that return
 * sets.
 *
 * KR_OK: *sql is to be freed.  KR_DECLINED: refused, KR_ERROR: no memory;
 * reason gets one sentence that names what was met and what to do, for the
 * developer of a page.
 */
int kr_sql_parse(const char *query, size_t len, kr_sql_t **sql,
    kr_buf_t *reason);
void kr_sql_free(kr_sql_t *sql);

/* How the query is to be served. */
kr_sql_mode_e kr_sql_mode(const kr_sql_t *sql);

/*
 * For who learns from the catalog that there is more to the query than can
 * be seen: it is to be run as a whole; or the function at this place of
 * kr_sql_functions() is an aggregate (pg_proc.prokind 'a'), and so it is to
 * be run as a whole, and has no rows of the table's.  Before any template is
 * made.
 */
void kr_sql_set_rerun(kr_sql_t *sql);
void kr_sql_set_aggregate(kr_sql_t *sql, size_t function);

/*
 * Whether a row of the result may stand for many of the tables' (GROUP BY,
 * HAVING, DISTINCT, aggregates): its key is columns of the result then.
 */
int kr_sql_is_grouped(const kr_sql_t *sql);

/*
 * Whether a column that a table gets may be in the result: there is a "*", a
 * table's name stands for its whole row, or a join is NATURAL (1 or 0).
 */
int kr_sql_is_wide(const kr_sql_t *sql);

/* Whether the result is one row, of all: an aggregate without GROUP BY. */
int kr_sql_is_one(const kr_sql_t *sql);

/*
 * Whether nothing of the query can be named but the columns of its result: a
 * set operation (UNION, INTERSECT, EXCEPT), or a SELECT without a FROM.
 */
int kr_sql_is_closed(const kr_sql_t *sql);

/*
 * What stands in the query's own FROM beside tables, as it is called there:
 * sub-selects, names of WITH, joins in brackets with an alias.  Their columns
 * can be named like a table's, and only PostgreSQL tells which they are.
 */
const kr_str_t *kr_sql_items(const kr_sql_t *sql, size_t *n);

/*
 * Statements that return no rows and have columns: those of the result; and
 * those of the items, each item's after a column of the name KR_SQL_ITEM.
 * They are appended.  KR_OK, KR_ERROR; KR_DECLINED: cannot be rewritten.
 */
#define KR_SQL_ITEM  "kairos item"

int kr_sql_probe_result(const kr_sql_t *sql, kr_buf_t *out);
int kr_sql_probe_items(const kr_sql_t *sql, kr_buf_t *out);

/*
 * Every relation that the query reads, wherever in it (what WITH gives a
 * name to is none), every function that it calls by name (operators and
 * casts excepted), for the checks against the catalog, in the order in which
 * they are met, each as often as it is; owned by sql.
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

/* The query as PostgreSQL would write it: equal queries, equal bytes. */
const char *kr_sql_canonical(const kr_sql_t *sql);


/*
 * The column that a client names, as "id", "p.id" or "s.posts.id", each part
 * with or without quotes.
 */
typedef struct {
    size_t        table;      /* its place in kr_sql_tables() */
    unsigned      item:1;     /* no, in kr_sql_items() */
    unsigned      result:1;   /* neither: it is a column of the result */
    unsigned      named:1;    /* a table was */
    unsigned      any:1;      /* none was, and there are several, items among
                                 them: table is the first, and whose column
                                 it is the catalog tells */
    unsigned      quoted:1;   /* the column is meant exactly as it is; if not
                                 set it is as it was written, to be looked
                                 for like that first, and then in lower case */
    kr_buf_t      column;     /* the caller's to free */
} kr_sql_ref_t;


/*
 * Finds the table that a column belongs to among those of the query's own
 * FROM, by their aliases, then by their names, each in the case that was
 * written, then in lower case.  ref->column is a buffer, empty or not.
 * KR_OK; KR_ERROR: no memory; KR_DECLINED: reason gets a sentence (not a
 * name; no such table, or more than one, or one that only a sub-select
 * reads).  Of a closed query it is kr_sql_resolve_result().
 */
int kr_sql_resolve(const kr_sql_t *sql, const kr_str_t *name,
    kr_sql_ref_t *ref, kr_buf_t *reason);

/*
 * Finds the column of the result that is meant.  "p.id" is the one that
 * selects p.id, whatever it is called, in any of the SELECTs of a set
 * operation; or else one called id, unless that is "u.id".  Whether there is
 * one called so is not told where a "*" may bring it.  Likewise.
 */
int kr_sql_resolve_result(const kr_sql_t *sql, const kr_str_t *name,
    kr_sql_ref_t *ref, kr_buf_t *reason);


/*
 * What the query's SELECT list has at a place, in the case that PostgreSQL
 * reads: "p.id AS post" is of the table "p", the column "id" and has the name
 * "post"; a cast of a column is that column, and so is one with COLLATE.  Empty:
 * nothing is written, and of name: it is not known.  Not of a set operation.
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
void kr_sql_out(const kr_sql_t *sql, size_t place, kr_sql_out_t *out);

/* Whether a join has NATURAL or USING, which makes one column of two. */
int kr_sql_merges(const kr_sql_t *sql);


/*
 * What a template is made for; names as in the catalog, not quoted.  To be
 * zeroed before it is filled.  The strings are the caller's.
 */
typedef struct {
    kr_str_t         table;      /* how the query calls it: alias, or name;
                                    or an item */
    kr_str_t         field;      /* the route's column */
    kr_str_t         field_type;

    kr_str_t         pk_table;   /* the key's, if it is another than table;
                                    how the query calls it */
    size_t           npk;        /* columns of the key, 1 or more */
    const kr_str_t  *pks;
    const kr_str_t  *pk_types;   /* as format_type(oid, -1) prints them: with
                                    the modifier a value would be cut or
                                    rounded to another; with NULL char(n) is
                                    char(1) */

    kr_op_e          op;         /* "field op value" is the predicate */
    unsigned         cast:1;     /* field is cast to its type: a domain over
                                    an enum has no operators of its own */
    unsigned         check:1;    /* a refetch has it too: it is not known who
                                    matches, see kr_predicate_exact() */
    unsigned         window:1;   /* a rerun keeps ORDER BY, LIMIT, OFFSET */
    unsigned         of_result:1;    /* field is a column of the result, table
                                        is none */
    unsigned         key_of_result:1;    /* so are the key's; pk_table is
                                            none */
} kr_sql_target_t;


/*
 * Templates are appended to out.  KR_OK; KR_ERROR: no memory; KR_DECLINED:
 * the names or types make no statement (cannot happen with the catalog's), or
 * the query is not one for this template.
 *
 * A predicate's value is one parameter: of eq and !eq a text array of all
 * values, of the other operators the text of one.  It is cast to the
 * field's type; of contains, starts_with and ends_with it stays text.
 *
 * The refetch, for KR_SQL_ROWWISE: the client's query without ORDER BY, LIMIT
 * and OFFSET, and "pk = ANY ($1)".  Three text columns a row: pk::text;
 * field::text; and the row's JSON (the columns that the client asked for, no
 * others).  A cast to text prints booleans as true and false, where the WAL has
 * t and f; kr_value_key() knows both forms.  A char(n) of the key keeps its
 * blanks.
 *
 * Of several key columns each has a text array, $1 and so on, all of one
 * length, whose elements at one place are a key; the first column of a row
 * is a JSON array of their texts: ["1", "x"].
 *
 * With check, the last parameter is the predicate's, and only rows that
 * satisfy it are there.
 */
int kr_sql_refetch(const kr_sql_t *sql, const kr_sql_target_t *t,
    kr_buf_t *out);

/*
 * The rerun, for any query whose own FROM has the table once: all of the
 * client's query and, in its WHERE, the predicate with $1.  ORDER BY, LIMIT
 * and OFFSET are there only with window (and ORDER BY with DISTINCT ON, where
 * it tells which row is meant).  Two text columns a row: its key, and its
 * JSON (the columns that the client asked for, no others).
 *
 * Of a column of the result it is a SELECT from the client's query, with the
 * predicate in its WHERE.  The ORDER BY, LIMIT and OFFSET of a set operation
 * come after it, as they do everywhere; of another query that has a LIMIT or
 * an OFFSET they could not, and it is declined.
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
