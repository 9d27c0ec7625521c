/*
 * What PostgreSQL's catalog says of the table that a query reads and of the
 * functions that it calls, and what follows for a subscription.
 */

#ifndef _KR_CATALOG_H_INCLUDED_
#define _KR_CATALOG_H_INCLUDED_


#include <stdint.h>

#include "kr_pool.h"
#include "kr_spec.h"
#include "kr_sql.h"


typedef struct kr_catalog_s  kr_catalog_t;
typedef struct kr_lookup_s   kr_lookup_t;


typedef struct {
    kr_str_t       name;
    uint32_t       type;
    kr_str_t       type_name;    /* as a cast takes it */
    unsigned       key:1;        /* alone unique, and never NULL */
    unsigned       identity:1;   /* in the old row, as the WAL has it */
    unsigned       fuzzy:1;      /* different bytes may be equal */
} kr_table_column_t;


typedef struct {
    kr_str_t       name;
    unsigned       is_volatile:1;
    unsigned       aggregate:1;  /* or of windows */
    unsigned       set:1;        /* returns one */
} kr_table_function_t;


/* shared by count; never changes */
typedef struct {
    unsigned               refs;
    unsigned               exists:1;
    unsigned               readable:1;
    unsigned               parent:1;      /* other tables inherit from it */
    char                   kind;          /* pg_class.relkind */
    char                   persistence;
    kr_str_t               schema;
    kr_str_t               name;
    size_t                 ncolumns;
    kr_table_column_t     *columns;
    size_t                 nfunctions;
    kr_table_function_t   *functions;
} kr_table_t;


/*
 * A question.  The owner embeds it as the first member of a struct, keeps it
 * until done() is called, which happens exactly once and never within
 * kr_catalog_look(), unless it is cancelled.
 */
struct kr_lookup_s {
    void          (*done)(kr_lookup_t *lk);

    /* the answer */
    kr_table_t     *table;       /* a reference for the owner; NULL: none */
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
 * Asks for the query's table and functions.  recent: an answer of the last
 * seconds will do (thousands of routes are registered again after a
 * restart).  KR_ERROR: no memory; done() is not called.
 */
int kr_catalog_look(kr_catalog_t *ct, kr_lookup_t *lk, const kr_sql_t *sql,
    int recent);
void kr_catalog_cancel(kr_lookup_t *lk);

void kr_table_release(kr_table_t *t);


/* what a subscription is about; names are the table's */
typedef struct {
    kr_str_t                  called;    /* the table, in the query */
    const kr_table_column_t  *field;
    const kr_table_column_t  *pk;
} kr_aim_t;


/*
 * Whether the query can be served row by row with this field and this key.
 * KR_OK, or KR_DECLINED: reason gets one sentence that says what to do.
 */
int kr_catalog_judge(const kr_table_t *t, const kr_sql_t *sql,
    const kr_spec_t *spec, kr_aim_t *aim, kr_buf_t *reason);


#endif /* _KR_CATALOG_H_INCLUDED_ */
