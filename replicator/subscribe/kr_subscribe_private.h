/*
 * What kr_subscribe.c (the question), kr_subscribe_shape.c (what columns there
 * are), kr_subscribe_plan.c (how it is served) and kr_subscribe_route.c (its
 * route and its rows) share; no other file includes it.
 */

#ifndef _KR_SUBSCRIBE_PRIVATE_H_INCLUDED_
#define _KR_SUBSCRIBE_PRIVATE_H_INCLUDED_


#include "kr_fetch.h"
#include "kr_hash.h"
#include "kr_owner.h"
#include "kr_judge.h"
#include "kr_rerun.h"
#include "kr_subscribe.h"


#define KR_RESUME_RETRY     1000  /* ms, while the database is away */
#define KR_RESUME_PATIENCE  2000  /* ms; the stream begins after it, for all */


typedef struct kr_sub_s  kr_sub_t;


/* a request on its way; one step at a time */
struct kr_sub_s {
    kr_lookup_t         lookup;
    kr_job_t            job;
    kr_subscribes_t    *owner;
    kr_sub_t           *prev;
    kr_sub_t           *next;

    kr_worker_t        *worker;     /* held */
    kr_socket_t        *socket;     /* held; NULL: a RESUME */
    uint64_t            req;

    char               *topic;      /* of a RESUME */
    size_t              topic_len;
    uint32_t            members;
    kairos_position_t   position;

    kr_spec_t           spec;
    kr_sql_t           *sql;
    kr_facts_t         *facts;      /* held */
    kr_buf_t            probes[2];  /* SQL */
    kr_shape_t         *shape;      /* NULL: it is not needed */
    kr_target_t            target;
    kr_buf_t            cast;       /* SQL */
    kr_buf_t            values;     /* the parameter of the cast */

    const kr_plan_ops_t *plan;      /* all of kr_sub_plan()'s */
    kr_key_columns_t    key;
    kr_buf_t            outputs;    /* names of a key of the result */
    kr_buf_t            column;     /* the predicate's, if it is of no table */
    kr_predicate_t      predicate;
    kr_buf_t            snapshot;   /* SQL */
    kr_buf_t            refetch;
    kr_buf_t            rerun;
    size_t              ntables;
    kr_route_table_t   *tables;
    kr_buf_t            table_names; /* their names */
    char               *texts;      /* the values as PostgreSQL has them */
    kr_str_t           *canonical;
    size_t              nvalues;

    kr_route_t         *route;      /* held */
    uint64_t            since;      /* see kr_txn_settled() */
    uint64_t            before;     /* likewise */
    kr_waiter_t         guest;      /* of a route with kr_rerun_plan */
    const kr_moment_t  *moment;     /* of the rows */
    const PGresult     *rows;
    struct event       *timer;
    unsigned            tries;      /* snapshots that saw too little */
    unsigned            looking:1;
    unsigned            running:1;
    unsigned            asking:1;   /* the guest waits */
    unsigned            expecting:1;    /* a cursor is kept for it */
    unsigned            named:1;        /* the outputs are there */
    unsigned            check:1;        /* see kr_registry.h */
    unsigned            exact:1;
};


struct kr_subscribes_s {
    struct event_base  *base;
    kr_pool_t          *pool;
    kr_routes_t        *routes;
    kr_catalog_t       *catalog;
    kr_sub_t           *subs;
    size_t              n;
    size_t              max_bytes;
    int                 exact;      /* KAIROS_EXACT */
    void              (*resumed)(kr_routes_t *rs);
};


/*
 * The way of a request: kr_sub_look() asks the catalog, kr_sub_shape() the
 * database for its columns (if that is needed), kr_sub_judge() whether it is
 * served, kr_sub_cast() the database for the values (kr_sub_given(): they need
 * no cast; KR_ERROR: no memory), kr_sub_plan() decides how it is served,
 * kr_sub_register() makes the route and goes on from there.
 */
void kr_sub_shape(kr_sub_t *sub);
void kr_sub_judge(kr_sub_t *sub);
void kr_sub_cast(kr_sub_t *sub);
int kr_sub_given(kr_sub_t *sub);
void kr_sub_plan(kr_sub_t *sub);
void kr_sub_register(kr_sub_t *sub);

/* Appends the field as a client may name it; all of it is in quotes. */
void kr_sub_field(const kr_sub_t *sub, kr_buf_t *b);

/* Forgets the plan, to begin anew or for good. */
void kr_sub_unplan(kr_sub_t *sub);

void kr_sub_look(kr_sub_t *sub);

/* After ms a RESUME looks at the catalog again, a SUBSCRIBE for the rows. */
void kr_sub_wait(kr_sub_t *sub, uint64_t ms);

/* The route of a RESUME is there. */
void kr_sub_resume(kr_sub_t *sub);

/*
 * kr_subscribe_reply.c: appends the rows of a kr_sql_rerun(), its second
 * column, as the elements of a JSON array, each with the member database_op.
 * What is no JSON object is left out.  b->failed: no memory.
 */
void kr_sub_rows(kr_buf_t *b, const PGresult *rows);

/* The request does not need its cursor any more. */
void kr_sub_release_cursor(kr_sub_t *sub);

/*
 * Each ends the request and frees sub.  kr_sub_refuse() sends the reason
 * before, to the client, or to the members of the topic of a RESUME;
 * kr_sub_failed() takes kr_job_reason()'s text, of a job that is not DONE.
 */
void kr_sub_failed(kr_sub_t *sub, const char *what);
void kr_sub_refuse(kr_sub_t *sub, const char *reason);
void kr_sub_free(kr_sub_t *sub);


#endif /* _KR_SUBSCRIBE_PRIVATE_H_INCLUDED_ */
