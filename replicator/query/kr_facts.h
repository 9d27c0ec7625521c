/*
 * What is known of a query from PostgreSQL: the facts of its tables and
 * functions, which the catalog has, and the shape of its result.  Plain
 * values: kr_catalog.c reads them from a database, a test writes them down.
 */

#ifndef _KR_FACTS_H_INCLUDED_
#define _KR_FACTS_H_INCLUDED_


#include <stdint.h>

#include "kr_buf.h"


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
    unsigned       computed:1;   /* when it is read: a virtual generated
                                    column, of which the WAL has nothing */
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
    unsigned       logged:1;     /* updates and deletes are in the WAL */
} kr_table_leaf_t;


typedef struct {
    unsigned             exists:1;
    unsigned             readable:1;
    unsigned             parent:1;      /* other tables inherit from it */
    char                 kind;
    char                 persistence;
    kr_str_t             schema;
    kr_str_t             name;
    kr_str_t             shape;         /* see kr_table_shape.h */
    size_t               ncolumns;
    kr_table_column_t   *columns;
    size_t               nkeys;
    kr_table_key_t      *keys;          /* the primary one first */
    size_t               nleaves;
    kr_table_leaf_t     *leaves;
} kr_table_t;


/* of all functions of one name, as it is not resolved which one is meant */
typedef struct {
    unsigned       is_volatile:1;
    unsigned       aggregate:1;
    unsigned       set:1;        /* returns one */
    unsigned       builtin:1;    /* of the schema pg_catalog */
} kr_function_t;


/* an implicit function: one that is called without its name, see
   kr_sql_uses.h */
typedef struct {
    char           kind;         /* a kr_sql_use_e */
    kr_str_t       name;
    kr_function_t  function;
} kr_implicit_t;


/* shared by count; does not change */
typedef struct {
    unsigned         refs;
    size_t           ntables;
    kr_table_t      *tables;     /* in the order of kr_sql_tables() */
    size_t           nfunctions;
    kr_function_t   *functions;  /* in the order of kr_sql_functions() */
    size_t           nimplicit;
    kr_implicit_t   *implicit;   /* those that are volatile, or no plain
                                    functions */
} kr_facts_t;


/*
 * The columns of a query's result and of its items (see kr_sql_items()), as
 * tables that have names and types of columns alone.
 */
typedef struct {
    kr_table_t     result;
    size_t         nitems;
    kr_table_t    *items;        /* in the order of kr_sql_items() */
    char          *types;        /* names of types that were queried */
} kr_shape_t;


/*
 * Facts are one piece of memory, allocated by malloc().  Gives a reference
 * back; the last one frees them.  fa may be NULL.
 */
void kr_facts_release(kr_facts_t *fa);

/* sh may be NULL. */
void kr_shape_free(kr_shape_t *sh);


#endif /* _KR_FACTS_H_INCLUDED_ */
