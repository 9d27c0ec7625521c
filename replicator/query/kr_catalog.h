/*
 * Queries PostgreSQL for the facts of a query, and reads its answers.
 */

#ifndef _KR_CATALOG_H_INCLUDED_
#define _KR_CATALOG_H_INCLUDED_


#include <event2/event.h>
#include <libpq-fe.h>

#include "kr_facts.h"
#include "kr_pool.h"
#include "kr_sql.h"


typedef struct kr_catalog_s  kr_catalog_t;
typedef struct kr_lookup_s   kr_lookup_t;


/*
 * A look-up of facts.  The owner embeds it in a struct, which kr_owner() finds
 * again, sets done and asker, and keeps it until done() is called, which
 * happens exactly once and never within kr_catalog_look(), unless the look-up
 * is cancelled.
 */
struct kr_lookup_s {
    void          (*done)(kr_lookup_t *lk);
    const void     *asker;       /* see kr_pool.h */

    /* the answer */
    kr_facts_t     *facts;       /* a reference for the owner; NULL: none */
    int             lost;        /* none, but a later look-up may have one */
    const char     *message;     /* why there is none, or NULL; valid in
                                    done() */

    /* kr_catalog.c's */
    kr_lookup_t    *prev;
    kr_lookup_t    *next;
    void           *view;
};


/* NULL: no memory.  base and pool must outlive it. */
kr_catalog_t *kr_catalog_create(struct event_base *base, kr_pool_t *pool);

/* Ends all look-ups; done() is called of none. */
void kr_catalog_free(kr_catalog_t *ct);

/*
 * Looks up the query's tables and functions; sql may be freed at once.
 * recent: an answer of the last seconds will do (thousands of routes are
 * registered again after a restart).  KR_OK, or KR_ERROR: no memory; done()
 * is not called.
 */
int kr_catalog_look(kr_catalog_t *ct, kr_lookup_t *lk, const kr_sql_t *sql,
    int recent);

/* Ends a look-up whose done() was not called yet, which it will not be. */
void kr_catalog_cancel(kr_lookup_t *lk);


/*
 * The shape of a query, from the results of kr_sql_probe_result() and, if
 * there are items, of kr_sql_probe_items().  To be freed by kr_shape_free();
 * NULL: no memory.
 */
kr_shape_t *kr_shape_read(const kr_sql_t *sql, const PGresult *result,
    const PGresult *items);

/*
 * A shape that was read has the names of those types that can be compared.
 * kr_shape_unknown() counts the columns of other types in *unknown, and
 * appends to param the parameter of kr_shape_types_sql, which queries their
 * names; kr_shape_types() reads its result.  KR_OK; KR_ERROR: no memory.
 */
extern const char  kr_shape_types_sql[];

int kr_shape_unknown(const kr_shape_t *sh, kr_buf_t *param, size_t *unknown);
int kr_shape_types(kr_shape_t *sh, const PGresult *res);


/*
 * SQL: whether the column o, a row of pg_attribute, may hold NULLs.  Since
 * PostgreSQL 18 NOT NULL may be NOT VALID: attnotnull is true, and old rows
 * hold NULLs.
 */
#define KR_ASK_NULLS                                                          \
    "(NOT o.attnotnull OR EXISTS (SELECT FROM pg_catalog.pg_constraint v"     \
    "  WHERE v.conrelid = o.attrelid AND v.contype = 'n'"                     \
    "  AND NOT v.convalidated AND o.attnum = ANY (v.conkey)))"


#endif /* _KR_CATALOG_H_INCLUDED_ */
