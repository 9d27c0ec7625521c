/*
 * The index of routes by table, column, operator and value: finding who is
 * touched by a change costs as much as there are routes that it touches, not
 * as there are routes.
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
    size_t        nvalues; /* one, but of eq and !eq */
    kr_str_t     *values;  /* text of the type, checked by PostgreSQL; of
                              contains and its like plain text */
    unsigned      result:1;
                           /* of no table, but of what the query returns: not
                              for the index; schema and table are the first
                              that the query reads */
    unsigned      c_collation:1;
                           /* the column's collation is C or POSIX, or it is
                              the default and that is one of them (libc
                              provider; C.UTF-8 is another) */
} kr_predicate_t;


/*
 * A route that a change touches.
 *
 * old: the row as it was matches, or may.  new: the row as it is matches, or
 * may.  Where a value is not known, "may" is said rather than a route left
 * out, so that no row that leaves a result is lost: a refetch tells.
 *
 * blind: the change does not hold the column, neither in the old row nor in
 * the new one where it was needed, or the column is of another type by now.
 * That happens only when the table was altered after the route was checked
 * (its REPLICA IDENTITY, or the column): every route of the column is
 * touched by every change, which is not to be borne for long.  Such a route
 * is to be reset; a new subscribe is then checked against the table as it is.
 *
 * watch: the route watches the table, whatever the change is.  old and new
 * say then only which of the two rows there are, unless its predicate, which
 * may be of the same table, says them too.
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
 * Adds a route under its predicate, all of which is copied; a route stands
 * under one.  KR_OK, KR_ERROR (no memory; nothing was added), KR_DECLINED
 * (kr_op_check() refuses it, or a value is not of the type; likewise).
 */
int kr_match_add(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt);

/* Removes it; p as it was added. */
void kr_match_remove(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt);

/*
 * Makes every change of a table touch the route: for tables that it reads
 * beside that of its predicate, of which it may have any number, or none.
 * Watching twice is watching once.  KR_OK or KR_ERROR.
 */
int kr_match_watch(kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table, kr_route_t *rt);
void kr_match_unwatch(kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table, kr_route_t *rt);

/*
 * The routes that an I, U or D touches, each once.  *hits is owned by the
 * index, valid until the next call.  Returns their number, or -1: no memory.
 *
 * The old value is that of the identity; the new value that of the new row,
 * or, if it is absent there (an unchanged TOAST value), the old value.  A
 * null of numeric, real or double precision may be a NaN or an infinity (see
 * kr_change.h), so it touches the routes of these too.
 */
long kr_match_change(kr_match_t *m, const kr_change_t *c, kr_hit_t **hits);

/* Every route of a table (for T), likewise; old is set, new is not. */
long kr_match_table(kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table, kr_hit_t **hits);

/*
 * Whether the index knows who matches.  If not (text compared by order in
 * another collation than C) every value that is not NULL may match, and only
 * SQL can tell: the statements of the route must hold the predicate.
 */
int kr_predicate_exact(const kr_predicate_t *p);

/*
 * Whether a value of the predicate's column, as a query printed it, matches.
 * NULL (text is NULL) never does.  1 also when it cannot be told (not exact,
 * no memory, not a value of the type).
 */
int kr_predicate_matches(const kr_predicate_t *p, const char *text,
    size_t len);


#endif /* _KR_MATCH_H_INCLUDED_ */
