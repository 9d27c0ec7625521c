/*
 * The plan of a subscription: its spec, PostgreSQL's facts of its query, and
 * the definition of the route that serves it.  A plan is a value: no database,
 * no socket and no client is needed to make one.
 *
 *     kr_plan_parse()     spec, sql
 *     (a caller)          facts, shape: kr_planner.h reads them
 *     kr_judge()          target
 *     kr_plan_make()      def
 *
 * kr_planner.h takes all of these steps.
 */

#ifndef _KR_PLAN_MAKE_H_INCLUDED_
#define _KR_PLAN_MAKE_H_INCLUDED_


#include "kr_arena.h"
#include "kr_judge.h"
#include "kr_registry.h"


/*
 * Zeroed memory is an empty plan.  Its owner sets the first part, and frees
 * all by kr_plan_free().
 */
typedef struct {
    unsigned         of_route:1;     /* the payload is the spec of a route,
                                        which a plan made: it holds whether
                                        the route is exact, and values as
                                        PostgreSQL prints them */
    unsigned         exact:1;        /* keeps the window of LIMIT, whether or
                                        not the spec says so */

    kr_spec_t        spec;
    kr_sql_t        *sql;            /* NULL: nothing was parsed */

    kr_facts_t      *facts;          /* a reference; NULL: not known */
    kr_shape_t      *shape;          /* NULL: not known, or not needed */

    unsigned         altered:1;      /* of_route, and a table has another shape
                                        than the spec says; set when the plan
                                        is made */

    kr_target_t      target;         /* points into facts and shape */

    kr_route_def_t   def;            /* its strings are those of all above, or
                                        in the arena */
    kr_arena_t       arena;          /* def's alone */
} kr_plan_t;


/*
 * Reads a payload into spec and sql; to be called once.  KR_OK.  KR_DECLINED:
 * reason gets one sentence for the client's developer.  KR_ERROR: no memory.
 */
int kr_plan_parse(kr_plan_t *pl, const char *json, size_t len,
    kr_buf_t *reason);

/*
 * Writes the schemas of the tables, of facts that passed kr_judge_guard(),
 * into the query.  Otherwise as kr_plan_make().
 */
int kr_plan_qualify(kr_plan_t *pl, kr_buf_t *reason);

/*
 * Appends the statement by which PostgreSQL casts the spec's values to the
 * field's type, in their order, and its one parameter.  PostgreSQL alone can
 * decide which value a text stands for, if any.  The plan has a target.
 * sql->failed or param->failed: no memory.
 */
void kr_plan_cast(const kr_plan_t *pl, kr_buf_t *sql, kr_buf_t *param);

/*
 * Makes def of a plan that has a target.  values are the spec's, as
 * PostgreSQL prints them; they are copied.  All of def is set but its plan,
 * the way in which changes become events: that follows from kr_sql_mode() of
 * the plan's sql, which is marked here if def is exact.  KR_OK.  KR_DECLINED:
 * reason gets one sentence.  KR_ERROR: no memory.
 */
int kr_plan_make(kr_plan_t *pl, const kr_str_t *values, size_t n,
    kr_buf_t *reason);

/* Forgets all but spec and sql, so that the plan can be made anew. */
void kr_plan_reset(kr_plan_t *pl);

/* Frees all that the plan holds; a plan that was freed is empty. */
void kr_plan_free(kr_plan_t *pl);


#endif /* _KR_PLAN_MAKE_H_INCLUDED_ */
