/*
 * Declarations that the kr_sql*.c files share.
 */

#ifndef _KR_SQL_PRIVATE_H_INCLUDED_
#define _KR_SQL_PRIVATE_H_INCLUDED_


#include "kr_sql.h"
#include "kr_sql_tree.h"


/* features that a query has, anywhere in it */
#define KR_SQL_INTO          0x00001
#define KR_SQL_LOCKING       0x00002
#define KR_SQL_PARAM         0x00004
#define KR_SQL_WITH          0x00008
#define KR_SQL_SET           0x00010
#define KR_SQL_VALUES        0x00020
#define KR_SQL_NO_TABLE      0x00040
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
#define KR_SQL_MODIFY        0x40000
#define KR_SQL_VALUES_IN     0x80000    /* VALUES, but not by itself */

/* features with which a query is run as a whole */
#define KR_SQL_WHOLE                                                          \
    (KR_SQL_WITH|KR_SQL_SET|KR_SQL_FROM_SELECT|KR_SQL_SUBLINK|KR_SQL_TABLES   \
     |KR_SQL_DISTINCT|KR_SQL_GROUP|KR_SQL_HAVING|KR_SQL_WINDOW                \
     |KR_SQL_AGGREGATE|KR_SQL_VALUES_IN)


struct kr_sql_s {
    PgQuery__ParseResult   *tree;        /* the names below point into it */
    kr_sql_packed_t         packed;      /* of the same tree */
    kr_buf_t                canonical;

    size_t                  ntables;
    size_t                  tables_size;
    kr_sql_table_t         *tables;
    size_t                  names_size;
    PgQuery__RangeVar     **names;       /* of the tables, in the tree */

    size_t                  nfunctions;
    size_t                  functions_size;
    kr_sql_function_t      *functions;

    size_t                  nitems;
    size_t                  items_size;
    kr_str_t               *items;

    unsigned                features;
    unsigned                rerun:1;

    /* of the query itself, not of the SELECTs within it */
    unsigned                compound:1;    /* a set operation */
    unsigned                closed:1;      /* a set operation, or no FROM */
    unsigned                grouped:1;     /* GROUP BY or DISTINCT */
    unsigned                by:1;          /* GROUP BY */
    unsigned                aggregated:1;  /* calls an aggregate, or has
                                              HAVING: without GROUP BY all
                                              rows become one */
};


/*
 * kr_sql_collect.c: walks the tree once for tables, functions and features.
 * KR_OK; KR_ERROR: no memory; KR_DECLINED: nested too deep.
 */
int kr_sql_collect(kr_sql_t *sql);

/* The name in a node of a list of names; "" if the node is none. */
const char *kr_sql_name(const PgQuery__Node *node);

#define KR_SQL_PARTS  3      /* schema.table.column */

/* one part of a name that a client writes */
typedef struct {
    kr_buf_t    text;
    unsigned    quoted:1;
} kr_sql_part_t;

/*
 * kr_sql_name.c: KR_OK if exactly one table or item of the query's own FROM
 * has this alias or name, else KR_DECLINED.
 */
int kr_sql_top(const kr_sql_t *sql, const kr_str_t *called);

/*
 * Whether a client's part equals the query's name (1 or 0).  folded: the ASCII
 * letters of an unquoted part are put in lower case first, as SQL does.
 */
int kr_sql_same(const kr_str_t *name, const kr_sql_part_t *part, int folded);

/*
 * kr_sql_output.c: the name of the column of the result that selects
 * "table.column".  KR_OK: *name points into the tree, or to column's text;
 * KR_DECLINED: there is none.
 */
int kr_sql_output(const kr_sql_t *sql, const kr_sql_part_t *table,
    const kr_sql_part_t *column, kr_str_t *name);

/*
 * kr_sql_output.c: the name of a column of the result; without AS the one that
 * PostgreSQL chooses, or "" if that is not known.
 */
const char *kr_sql_output_name(const PgQuery__ResTarget *target);

/*
 * kr_sql_frame.c: parts of templates.
 *
 * Parses the text of a frame.  KR_OK: the caller frees *frame with
 * kr_sql_tree_free().  Otherwise there is nothing to free.
 */
int kr_sql_frame(const kr_buf_t *text, PgQuery__ParseResult **frame);

/*
 * Adds the condition of a frame, "true AND c ...", to the client's *where: the
 * client's WHERE, if there is one, replaces "true", and the condition becomes
 * the new *where.  The replaced node moves into the frame, and is freed with
 * the frame.
 */
void kr_sql_where(PgQuery__Node **where, PgQuery__Node **condition);

/* Frees the node and sets *node to NULL. */
void kr_sql_drop(PgQuery__Node **node);

/* A copy with a '\0' behind it, to be freed; NULL: no memory. */
char *kr_sql_dup(const kr_str_t *s);

/* Appends the expression that is a column of the named table. */
void kr_sql_column(kr_buf_t *b, const kr_str_t *table,
    const kr_str_t *column);

/* Appends the target's predicate with its parameter $n. */
void kr_sql_predicate(kr_buf_t *b, const kr_sql_target_t *t, size_t n);

/* The key's table: t->pk_table, or, if that is empty, t->table. */
const kr_str_t *kr_sql_pk_table(const kr_sql_target_t *t);

/*
 * Appends the key as text: pk::text, or a JSON array of such.  A key of the
 * result is printed as its JSON, to_json(pk)::text.  table may be the name of
 * a sub-select.
 */
void kr_sql_key(kr_buf_t *b, const kr_sql_target_t *t,
    const kr_str_t *table);

#define kr_sql_swap(type, a, b)                                               \
    do {                                                                      \
        type  swap_;                                                          \
                                                                              \
        swap_ = (a);                                                          \
        (a) = (b);                                                            \
        (b) = swap_;                                                          \
    } while (0)


#endif /* _KR_SQL_PRIVATE_H_INCLUDED_ */
