/*
 * What PostgreSQL's catalog says of the tables that a query reads and of the
 * functions that it calls, and what follows for a subscription.
 */

#ifndef _KR_CATALOG_H_INCLUDED_
#define _KR_CATALOG_H_INCLUDED_


#include <stdint.h>

#include "kr_op.h"
#include "kr_pool.h"
#include "kr_registry.h"
#include "kr_spec.h"
#include "kr_sql.h"


typedef struct kr_catalog_s  kr_catalog_t;
typedef struct kr_lookup_s   kr_lookup_t;


typedef struct {
    kr_str_t       name;
    uint32_t       type;
    kr_str_t       type_name;    /* as a cast takes it */
    uint32_t       base;         /* of a domain, else the same type */
    kr_str_t       base_name;
    unsigned       enumerated:1; /* the base is an enum */
    unsigned       printed:1;    /* a cast to text prints it as the WAL does,
                                    and JSON as a string of that */
    unsigned       identity:1;   /* in the old row, as the WAL has it */
    unsigned       fuzzy:1;      /* different bytes may be equal */
    unsigned       c_collation:1;    /* see kr_match.h */
} kr_table_column_t;


/* columns that are unique together, and none of them NULL */
typedef struct {
    unsigned                    primary:1;
    size_t                      ncolumns;
    const kr_table_column_t   **columns;
} kr_table_key_t;


/* where the rows are: the partitions of a table, or the table itself */
typedef struct {
    kr_str_t       schema;
    kr_str_t       name;
    char           kind;         /* pg_class.relkind */
    char           persistence;
    unsigned       told:1;       /* updates and deletes are in the WAL */
} kr_table_leaf_t;


typedef struct {
    unsigned             exists:1;
    unsigned             readable:1;
    unsigned             parent:1;      /* other tables inherit from it */
    char                 kind;
    char                 persistence;
    kr_str_t             schema;
    kr_str_t             name;
    size_t               ncolumns;
    kr_table_column_t   *columns;
    size_t               nkeys;
    kr_table_key_t      *keys;          /* the primary one first */
    size_t               nleaves;
    kr_table_leaf_t     *leaves;
} kr_table_t;


/* of all functions of one name: which is meant is not resolved */
typedef struct {
    unsigned       is_volatile:1;
    unsigned       aggregate:1;
    unsigned       set:1;        /* returns one */
    unsigned       builtin:1;    /* of the schema pg_catalog */
} kr_function_t;


/* a function that is called without its name, see kr_sql_uses.h */
typedef struct {
    char           kind;
    kr_str_t       name;
    kr_function_t  function;
} kr_hidden_t;


/* the answer; shared by count, never changes */
typedef struct {
    unsigned         refs;
    size_t           ntables;
    kr_table_t      *tables;     /* at the places of kr_sql_tables() */
    size_t           nfunctions;
    kr_function_t   *functions;  /* likewise */
    size_t           nhidden;
    kr_hidden_t     *hidden;     /* those that are volatile, or no plain
                                    functions */
} kr_facts_t;


/*
 * A question.  The owner embeds it in a struct, which kr_owner() finds again,
 * and keeps it until done() is called, which happens exactly once and never
 * within kr_catalog_look(), unless the question is cancelled.
 */
struct kr_lookup_s {
    void          (*done)(kr_lookup_t *lk);
    const void     *asker;       /* see kr_pool.h */

    /* the answer */
    kr_facts_t     *facts;       /* a reference for the owner; NULL: none */
    int             lost;        /* none, but there may be one later */
    const char     *message;     /* why there is none; valid in done() */

    /* kr_catalog.c's */
    kr_lookup_t    *prev;
    kr_lookup_t    *next;
    void           *view;
};


/* NULL: no memory.  pool must outlive it. */
kr_catalog_t *kr_catalog_create(struct event_base *base, kr_pool_t *pool);
void kr_catalog_free(kr_catalog_t *ct);

/*
 * Asks for the query's tables and functions.  recent: an answer of the last
 * seconds will do (thousands of routes are registered again after a
 * restart).  KR_ERROR: no memory; done() is not called.
 */
int kr_catalog_look(kr_catalog_t *ct, kr_lookup_t *lk, const kr_sql_t *sql,
    int recent);
void kr_catalog_cancel(kr_lookup_t *lk);

void kr_facts_release(kr_facts_t *fa);


/*
 * What columns a query's result has, and its items (see kr_sql_items()): as
 * tables that have names and types of columns alone.
 */
typedef struct {
    kr_table_t     result;
    size_t         nitems;
    kr_table_t    *items;        /* at the places of kr_sql_items() */
    char          *types;        /* names of those that were asked for */
} kr_shape_t;

/* Whether a query is judged with its shape; not before kr_catalog_guard(). */
int kr_shape_needed(const kr_sql_t *sql);

/*
 * Of the statements kr_sql_probe_result() and, if there are items,
 * kr_sql_probe_items().  NULL: no memory.
 */
kr_shape_t *kr_shape_read(const kr_sql_t *sql, const PGresult *result,
    const PGresult *items);
void kr_shape_free(kr_shape_t *sh);

/*
 * The types of columns are those that can be compared, or have no name; then
 * *unknown is not 0, and kr_shape_types_sql tells them, with the parameter
 * that is appended.  KR_ERROR: no memory.
 */
extern const char  kr_shape_types_sql[];

int kr_shape_unknown(const kr_shape_t *sh, kr_buf_t *param, size_t *unknown);
int kr_shape_types(kr_shape_t *sh, const PGresult *res);


typedef enum {
    KR_AIM_TABLE = 0,
    KR_AIM_ITEM,                 /* of the query's own FROM */
    KR_AIM_RESULT
} kr_aim_e;


/* what a subscription is about; all of it is the facts', or the shape's */
typedef struct {
    kr_aim_e                  of;        /* what the field is a column of */
    size_t                    place;     /* of the table, or item, in the
                                            query */
    const kr_table_t         *table;     /* NULL: it is of none */
    const kr_table_column_t  *field;
    unsigned                  key_of_result:1;  /* its columns are the spec's,
                                                   or called like the key's */
    size_t                    key_place;
    const kr_table_t         *key_table;
    const kr_table_key_t     *key;
    kr_op_e                   op;
} kr_aim_t;


/*
 * Whether the query may run at all; it learns from the catalog what kind of
 * query it is (kr_sql_set_rerun()).  KR_OK, or KR_DECLINED: reason gets one
 * sentence that says what to do.
 */
int kr_catalog_guard(const kr_facts_t *fa, kr_sql_t *sql, kr_buf_t *reason);

/*
 * Whether the query is served with this field and this key.  shape is NULL
 * where it is not needed.  Likewise; KR_ERROR: no memory.
 */
int kr_catalog_judge(const kr_facts_t *fa, const kr_shape_t *shape,
    const kr_sql_t *sql, const kr_spec_t *spec, kr_aim_t *aim,
    kr_buf_t *reason);

/*
 * The type by which values of a column are compared: a domain's is what it is
 * of; an enum's text, of which PostgreSQL alone knows the order.
 */
uint32_t kr_column_type(const kr_table_column_t *c);

/* How the query calls what the field is a column of; not of the result. */
const kr_str_t *kr_aim_called(const kr_aim_t *aim, const kr_sql_t *sql);

/* The column of this name, as ref has it; NULL: none.  *n: how many. */
const kr_table_column_t *kr_table_find(const kr_table_t *t,
    const kr_sql_ref_t *ref, size_t *n);

/* How the query calls the table at this place. */
const kr_str_t *kr_catalog_called(const kr_sql_t *sql, size_t place);


#endif /* _KR_CATALOG_H_INCLUDED_ */
