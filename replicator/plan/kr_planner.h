/*
 * The planner: makes plans (kr_plan_make.h), and queries PostgreSQL for that.
 * It looks up tables and functions, has the columns of sub-selects and of the
 * result described, and has the values cast; each of these queries runs only
 * if the plan needs it.  The planner needs neither a client nor a route, so a
 * route that exists can be planned anew by its spec.
 */

#ifndef _KR_PLANNER_H_INCLUDED_
#define _KR_PLANNER_H_INCLUDED_


#include "kr_catalog.h"
#include "kr_config.h"
#include "kr_plan_make.h"
#include "kr_pool.h"


typedef struct kr_planner_s   kr_planner_t;
typedef struct kr_planning_s  kr_planning_t;
typedef struct kr_plan_step_s kr_plan_step_t;     /* of kr_planner.c */


/*
 * A plan that is being made.  The owner embeds it in a struct of its own,
 * zeroes it, and sets the first part, with a plan that was parsed.  The owner
 * keeps both until done() is called, which happens exactly once and never
 * within kr_planner_start(), or until kr_planner_cancel().
 */
struct kr_planning_s {
    kr_plan_t             *plan;
    const void            *asker;      /* the client, see kr_pool.h, or NULL */
    unsigned               patience_ms;   /* likewise, of each query; 0: the
                                          pool's own */
    unsigned               recent:1;   /* see kr_catalog_look() */

    /*
     * KR_OK: the plan is made.  Else reason is one sentence, which is valid
     * until done() returns, and the plan is to be reset or freed.
     * KR_DECLINED: the plan cannot be made.  KR_AGAIN: PostgreSQL is away, or
     * too busy.  KR_ERROR: no memory.  done() may free pn.
     */
    void                 (*done)(kr_planning_t *pn, int rc,
                                 const char *reason);

    /* kr_planner.c's */
    kr_planner_t          *planner;
    const kr_plan_step_t  *step;       /* NULL: it is not under way */
    kr_lookup_t            lookup;
    kr_job_t               job;
    kr_buf_t               texts[2];   /* of the job */
    unsigned               running:1;  /* the job; else the look-up */
};


/* NULL: no memory.  All that it is given must outlive it. */
kr_planner_t *kr_planner_create(struct event_base *base,
    const kr_config_t *cf, kr_pool_t *pool);

/* All plannings must be done, or cancelled. */
void kr_planner_free(kr_planner_t *pr);

/*
 * Makes the plan; one that was made, or was begun, is made anew.  pn must not
 * be under way.  KR_OK; KR_ERROR: no memory, and done() is not called.
 */
int kr_planner_start(kr_planner_t *pr, kr_planning_t *pn);

/*
 * done() will not be called any more.  Nothing happens if pn is not under
 * way.  The plan is the owner's to free.
 */
void kr_planner_cancel(kr_planning_t *pn);


#endif /* _KR_PLANNER_H_INCLUDED_ */
