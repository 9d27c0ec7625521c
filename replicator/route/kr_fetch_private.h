/*
 * What kr_fetch.c (the plan's operations), kr_fetch_item.c (gathering),
 * kr_fetch_batch.c (the refetch), kr_fetch_result.c (its result) and
 * kr_fetch_events.c (its events) share; no other file includes it.
 *
 * A function's prefix names what it works on: kr_fetch_ the plan's context,
 * kr_pending_ all that waits of one template, kr_batch_ the part of it that
 * is under way, kr_item_ one row, kr_build_ the event that is being made for
 * one route.
 */

#ifndef _KR_FETCH_PRIVATE_H_INCLUDED_
#define _KR_FETCH_PRIVATE_H_INCLUDED_


#include "kr_changes_private.h"
#include "kr_fetch.h"
#include "kr_hash.h"
#include "kr_row.h"


typedef enum {
    KR_FETCH_NONE = 0,
    KR_FETCH_DELETE,
    KR_FETCH_INSERT,
    KR_FETCH_UPDATE,
    KR_FETCH_KINDS
} kr_fetch_kind_e;


/* a route that a waiting row touches */
typedef struct {
    kr_route_t         *route;       /* held */
    unsigned            old:1;       /* the row may have been there before
                                        the first of its changes */
    unsigned            new:1;       /* and is there after the last */
    unsigned            inserted:1;  /* the first was an insert */
    unsigned            many:1;      /* there was more than one */
    unsigned            verify:1;    /* it did not change itself: its delete
                                        is sent, or nothing */
    unsigned            kind:3;      /* kr_fetch_kind_e, once it was fetched */
} kr_touch_t;


/* a row that waits for its refetch; in a hash by its key */
typedef struct {
    kr_txn_t           *txn;         /* of the first change; held */
    kr_row_key_t        key;         /* in one piece of memory, which begins
                                        with the texts */

    uint32_t           *xids;        /* of its changes */
    size_t              nxids;
    kr_touch_t         *touches;
    size_t              ntouches;
    size_t              size;        /* of touches */

    uint64_t            born;        /* number of the first change */
    unsigned            deleted:1;   /* the last change was a delete */
    unsigned            unsure:1;    /* which was the last is not known */
    unsigned            large:1;     /* too large to be fetched */

    /* from the result that is at hand */
    const char         *json;        /* NULL: the query does not return it */
    size_t              json_len;
    const char         *field;       /* NULL: SQL's NULL */
    size_t              field_len;

    UT_hash_handle      hh;
} kr_item_t;


/*
 * What a template has to fetch.  It is made with the first row and freed
 * when there is none left.  One refetch at a time: items[0 .. n) is the
 * batch, items[pos .. pos + take) is under way, gathering what comes
 * meanwhile.
 */
struct kr_pending_s {
    kr_job_t            job;
    kr_fetch_t         *fetch;
    kr_template_t      *template;

    kr_item_t          *gathering;   /* in order of their first change */
    kr_item_t         **items;       /* 2 * n: the batch in order, and room
                                        to have it by key */
    size_t              n;
    size_t              pos;
    size_t              take;
    size_t              limit;       /* of take; less when rows are large */

    kr_buf_t            pks[KR_KEY_MAX];     /* the parameters, */
    kr_buf_t            param;               /* and the predicate's */
    struct event       *timer;

    unsigned            running:1;   /* the job is the pool's */
    unsigned            busy:1;      /* its functions stand on the stack */
    unsigned            orphan:1;    /* the template is gone */
    unsigned            dirty:1;     /* to be started by the commit */
    unsigned            window:1;    /* the timer is that of the window */
    unsigned            ripe:1;      /* the window is over */

    kr_pending_t       *prev;        /* of all */
    kr_pending_t       *next;
    kr_pending_t       *dprev;       /* of the dirty */
    kr_pending_t       *dnext;
};


struct kr_fetch_s {
    struct event_base  *base;
    kr_pool_t          *pool;
    kr_routes_t        *routes;
    kr_changes_t       *changes;
    kr_pending_t       *pending;
    kr_pending_t       *dirty;
    kr_buf_t            from;        /* texts of a change's old key */
    kr_buf_t            to;          /* and of its new one */
    kr_row_key_buf_t    key;         /* of the row at hand */
    size_t              batch_size;
    size_t              chunk_size;
    size_t              max_bytes;
    unsigned            flush_interval;  /* ms; 0: no window */
};


/* the row is asked for; if not, it is known not to be there, or too large */
#define kr_item_asked(it)                                                     \
    ((!(it)->deleted || (it)->unsure) && !(it)->large)


/*
 * Notes the change of a row for hit->route; texts are those of the row's key.
 * KR_OK; KR_ERROR: no memory, the change is lost for this route.
 */
int kr_fetch_note(kr_fetch_t *fe, kr_action_e action, const kr_hit_t *hit,
    kr_txn_t *txn, const kr_buf_t *texts);

/*
 * Notes that all rows that the route's members may hold are to be looked up:
 * a delete is sent of each that is not there any more.  KR_OK; KR_ERROR: no
 * memory, some of them were not noted.
 */
int kr_fetch_verify(kr_fetch_t *fe, kr_route_t *rt, kr_txn_t *txn);

/*
 * Begins the next refetch, and sends the events of rows for which none is
 * needed.  Returns at once where pe->running or pe->busy is set, or the timer
 * is to go on.  Where nothing is left to fetch, or the template is gone, it
 * frees pe.
 */
void kr_pending_run(kr_pending_t *pe);

/*
 * Resets all routes of the template for the reason; with the last of them the
 * template ends.  Then pe is freed, unless pe->busy was set: its owner on the
 * stack finds pe->orphan set, and frees pe.
 */
void kr_pending_end(kr_pending_t *pe, const char *reason);

/*
 * Cancels the job, releases the changes, frees pe, and sets the template's
 * pointer to it to NULL.
 */
void kr_pending_free(kr_pending_t *pe);

/*
 * A commit is decoded a moment before it is visible: whether all the changes
 * that the refetch answers for are visible in the moment of its job, which is
 * DONE.
 */
int kr_batch_visible(const kr_pending_t *pe);

/*
 * Gives each item under way its row.  KR_ERROR: a key of the result is none,
 * or no memory.
 */
int kr_batch_assign(kr_pending_t *pe, const PGresult *res);

/*
 * Publishes the events of the items under way, made of their rows.  A route
 * for which there is no memory is reset, so the template may be gone after
 * it: pe->busy must be set.
 */
void kr_batch_events(kr_pending_t *pe);

/* Frees the item, which is in no list, and releases its routes and changes. */
void kr_item_free(kr_fetch_t *fe, kr_item_t *it);

/* How many units the item adds to the load, see KR_CHANGES_LOAD_MAX. */
size_t kr_item_load(const kr_item_t *it);


#endif /* _KR_FETCH_PRIVATE_H_INCLUDED_ */
