/*
 * The index of routes by table, column, operator and value: the cost of a
 * look-up grows with the routes that the change touches, not with all routes.
 *
 *     eq                 a look-up
 *     !eq                the routes that differ, and one step for each route
 *                        with a list of values
 *     gt gte lt lte      the routes that match, in order (text only in the
 *                        collation C; else every route, see below)
 *     starts_with        one pass over the text, and a look-up for each
 *     ends_with          length of a value that is in use
 *     contains           one pass for each such length
 */

#ifndef _KR_MATCH_H_INCLUDED_
#define _KR_MATCH_H_INCLUDED_


#include "kr_change.h"
#include "kr_op.h"


typedef struct kr_match_s  kr_match_t;
typedef struct kr_route_s  kr_route_t;     /* only its address is used */


typedef struct {
    kr_str_t      schema;
    kr_str_t      table;
    kr_str_t      column;
    uint32_t      type;    /* of the column */
    kr_op_e       op;
    size_t        nvalues; /* one; eq and !eq may have more */
    kr_str_t     *values;  /* text of the type, checked by PostgreSQL; for
                              contains, starts_with and ends_with plain text */
    unsigned      all:1;   /* there is none: every row matches; result is set,
                              column is empty, there are no values */
    unsigned      result:1;
                           /* the column is one of the query's result: the
                              predicate is not in the index, and schema and
                              table name the first table that the query
                              reads */
    unsigned      c_collation:1;
                           /* the column's collation is C or POSIX, or the
                              default collation is, and the column has that
                              (libc provider; not C.UTF-8) */
} kr_predicate_t;


/*
 * A route that a change touches.
 *
 * old: the old row matches the predicate, or may match.  new: the new row
 * matches, or may match.  If a value is not known the index reports a possible
 * match, and a refetch decides, so that no row that leaves a result is missed.
 *
 * blind: the change does not contain the column's value, or the value has
 * another type than the route's predicate.  That happens only if the table was
 * altered (its REPLICA IDENTITY, or the column) after the subscribe was
 * checked.  Every change of the table then touches every route of the column,
 * so the caller resets such a route; a new subscribe is checked against the
 * altered table.
 *
 * watch: the route watches the table, so every change touches the route.  old
 * and new then mean that the change has an old row, a new row.
 */
typedef struct {
    kr_route_t   *route;
    unsigned      old:1;
    unsigned      new:1;
    unsigned      blind:1;
    unsigned      watch:1;
} kr_hit_t;


kr_match_t *kr_match_create(void);
void kr_match_free(kr_match_t *m);

/*
 * Adds a route under its predicate, which is copied; a route has one predicate
 * in the index.  KR_OK.  KR_ERROR: no memory.  KR_DECLINED: the type does not
 * have the operator, the operator takes one value and there are others, or a
 * value is not of the type.  Nothing was added unless KR_OK is returned.
 */
int kr_match_add(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt);

/* Removes the route; p is the predicate that was added, or an equal one. */
void kr_match_remove(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt);

/*
 * Makes every change of a table touch the route.  A route watches the tables
 * that it reads beside its predicate's, any number of them; a second call for
 * the same table changes nothing.  KR_OK; KR_ERROR: no memory.
 */
int kr_match_watch(kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table, kr_route_t *rt);
void kr_match_unwatch(kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table, kr_route_t *rt);

/*
 * Finds the routes that an insert, update or delete touches, each once.  *hits
 * gets an array that the index owns, valid until the next call.  Returns the
 * number of hits, or -1: no memory.
 *
 * The old value is read from the identity, the new value from the new row, or,
 * if the new row has none (an unchanged TOAST value), from the identity.  A
 * null of numeric, real or double precision may be a NaN or an infinity (see
 * kr_change.h), so a null touches the routes of these values, too.
 */
long kr_match_change(kr_match_t *m, const kr_change_t *c, kr_hit_t **hits);

/*
 * Finds every route of a table, for a TRUNCATE, as kr_match_change() does; old
 * is set, new is not.
 */
long kr_match_table(kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table, kr_hit_t **hits);

/*
 * Whether the index can decide if a value matches.  It cannot for the order of
 * text in another collation than C: every value that is not NULL may match,
 * and the route's statements must contain the predicate.
 */
int kr_predicate_exact(const kr_predicate_t *p);

/*
 * Whether a value of the predicate's column, as a query printed it, matches.
 * SQL's NULL (text is NULL) never does.  1 also if that cannot be decided: the
 * predicate is not exact, there is no memory, or text is no value of the type.
 */
int kr_predicate_matches(const kr_predicate_t *p, const char *text,
    size_t len);


#endif /* _KR_MATCH_H_INCLUDED_ */
