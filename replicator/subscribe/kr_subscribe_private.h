/*
 * What kr_subscribe.c (the driver and both ends of a request),
 * kr_subscribe_steps.c (what a SUBSCRIBE and a RESUME do) and
 * kr_subscribe_reply.c (the rows) share; no other file includes it.
 */

#ifndef _KR_SUBSCRIBE_PRIVATE_H_INCLUDED_
#define _KR_SUBSCRIBE_PRIVATE_H_INCLUDED_


#include "kr_hash.h"
#include "kr_owner.h"
#include "kr_planner.h"
#include "kr_rerun.h"
#include "kr_subscribe.h"


typedef struct kr_sub_s  kr_sub_t;


/*
 * A step of a request.  begin() does it, or starts it and sets sub->waits;
 * then answer() is called when that is over.  Both return
 *
 *     KR_OK        begin(): it waits, or the step is done; answer(): the step
 *                  is done.  The next step follows.
 *     KR_AGAIN     answer() alone: the step is to begin again after
 *                  sub->delay_ms
 *     KR_DECLINED  the request is refused with sub->reason
 *     KR_ERROR     likewise, as there is no memory
 *
 * None of them frees the request: the driver does.
 */
typedef struct {
    int     (*begin)(kr_sub_t *sub);
    int     (*answer)(kr_sub_t *sub);
} kr_sub_step_t;


/* What a SUBSCRIBE and a RESUME do each in its own way. */
typedef struct {
    const char           *name;
    const kr_sub_step_t  *steps;     /* the last has no begin() */

    /* Whether the client, or the worker, that waits for an answer is gone. */
    int                 (*gone)(const kr_sub_t *sub);

    /* Answers with the reason. */
    void                (*refuse)(kr_sub_t *sub, const char *reason);

    /*
     * Ends what sub->waits names, but for the plan and the timer, and frees
     * the members behind sub.
     */
    void                (*release)(kr_sub_t *sub);

    /* After the request was freed; NULL: nothing follows from it. */
    void                (*over)(kr_subscribes_t *ss, kr_worker_t *wk);
} kr_sub_kind_t;


/* the one thing that a step waits for */
typedef enum {
    KR_SUB_NOTHING = 0,
    KR_SUB_PLAN,
    KR_SUB_JOB,
    KR_SUB_RERUN,                    /* of the route */
    KR_SUB_TIMER
} kr_sub_waits_e;


/* a request under way: the first member of one of the two below */
struct kr_sub_s {
    const kr_sub_kind_t  *kind;
    const kr_sub_step_t  *step;
    kr_sub_waits_e        waits;
    kr_buf_t              reason;    /* see kr_sub_step_t */
    uint64_t              delay_ms;  /* likewise */
    struct event         *timer;     /* NULL: it was not needed yet */

    kr_subscribes_t      *owner;
    kr_sub_t             *prev;
    kr_sub_t             *next;

    kr_worker_t          *worker;    /* a reference */
    kr_plan_t             plan;
    kr_planning_t         planning;
    int                   planned;   /* its result */
    kr_route_t           *route;     /* a reference, once it is registered */
};


typedef struct {
    kr_sub_t              sub;

    kr_socket_t          *socket;    /* counted in its n */
    uint64_t              req;
    unsigned              expecting:1;   /* a cursor is kept for it */

    /* the snapshot: of a job of its own, or of a rerun of the route */
    kr_job_t              job;
    kr_waiter_t           waiter;
    kr_buf_t              tables;    /* the job's */
    unsigned              tries;     /* snapshots that saw too little */
    uint64_t              since;     /* see kr_txn_settled() */
    uint64_t              before;    /* likewise */

    /* the rows and their moment, valid until the step after it returns */
    const kr_moment_t    *moment;
    const PGresult       *rows;
} kr_subscribe_t;


typedef struct {
    kr_sub_t              sub;

    char                 *topic;
    size_t                topic_len;
    uint32_t              members;
    kairos_position_t     position;
} kr_resume_t;


struct kr_subscribes_s {
    struct event_base    *base;
    kr_pool_t            *pool;
    kr_routes_t          *routes;
    kr_planner_t         *planner;
    kr_sub_t             *subs;
    size_t                n;
    size_t                max_bytes;
    int                   exact;     /* KAIROS_EXACT */
    void                (*resumed)(kr_routes_t *rs);
};


/* kr_subscribe_steps.c */
extern const kr_sub_kind_t  kr_subscribe_kind;
extern const kr_sub_kind_t  kr_resume_kind;

/* The step of a RESUME whose route is there. */
extern const kr_sub_step_t *const  kr_resume_known;


/*
 * kr_subscribe.c: the driver.  Each of these may free the request, which the
 * caller does not use any more.
 *
 * kr_sub_run() takes the request from its step on, to the first that waits,
 * or to its end.  kr_sub_answer() goes on when what the step waits for is
 * over.
 */
void kr_sub_run(kr_sub_t *sub);
void kr_sub_answer(kr_sub_t *sub);

/*
 * kr_subscribe_reply.c: sends the REPLY with the snapshot's rows, and gives
 * its moment to the cursor, for the join.  KR_OK; KR_ERROR: no memory.
 */
int kr_subscribe_reply(kr_subscribe_t *s);

/*
 * Appends the rows of a kr_sql_rerun(), its second column, as the elements of
 * a JSON array, each with the member database_op, and with its key, the first
 * column, if the query lacks that.  What is no JSON object is left out.
 * b->failed: no memory.
 */
void kr_subscribe_rows(kr_buf_t *b, const kr_key_columns_t *key,
    const PGresult *rows);


#endif /* _KR_SUBSCRIBE_PRIVATE_H_INCLUDED_ */
