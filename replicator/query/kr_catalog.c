/*
 * Look-ups in the catalog.  Those of the same tables and functions that come
 * while one is under way share its answer.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_catalog_private.h"
#include "kr_hash.h"
#include "kr_loop.h"
#include "kr_owner.h"


#define KR_CATALOG_KEEP    2000     /* ms */
#define KR_CATALOG_VIEWS   1024     /* kept; beyond, an answer is not kept */


typedef struct kr_view_s  kr_view_t;


/* the query of some tables and functions, under way, or its answer */
struct kr_view_s {
    kr_job_t         job;
    kr_catalog_t    *catalog;
    kr_ask_t         ask;
    kr_buf_t         key;         /* of the parameters */
    kr_lookup_t     *lookups;
    kr_facts_t      *facts;       /* NULL: under way */
    struct event    *timer;       /* ends it */
    UT_hash_handle   hh;
};


struct kr_catalog_s {
    struct event_base  *base;
    kr_pool_t          *pool;
    kr_view_t          *views;
};


static void kr_view_done(kr_job_t *job);
static void kr_view_over(evutil_socket_t fd, short what, void *data);

static kr_view_t *kr_view_create(kr_catalog_t *ct, const kr_sql_t *sql);
static void kr_view_join(kr_view_t *v, kr_lookup_t *lk);
static void kr_view_replace(kr_view_t *old, kr_view_t *v);
static void kr_view_run(kr_view_t *v, const void *asker);
static void kr_view_answer(kr_lookup_t *lookups, kr_facts_t *fa,
    const kr_job_t *job);
static void kr_view_free(kr_view_t *v);


kr_catalog_t *
kr_catalog_create(struct event_base *base, kr_pool_t *pool)
{
    kr_catalog_t  *ct;

    ct = calloc(1, sizeof(kr_catalog_t));

    if (ct != NULL) {
        ct->base = base;
        ct->pool = pool;
    }

    return ct;
}


void
kr_catalog_free(kr_catalog_t *ct)
{
    kr_view_t  *v, *next;

    HASH_ITER(hh, ct->views, v, next) {

        if (v->facts == NULL) {
            kr_pool_cancel(ct->pool, &v->job);
        }

        HASH_DELETE(hh, ct->views, v);
        kr_view_free(v);
    }

    free(ct);
}


int
kr_catalog_look(kr_catalog_t *ct, kr_lookup_t *lk, const kr_sql_t *sql,
    int recent)
{
    kr_view_t  *v, *there;

    v = kr_view_create(ct, sql);
    if (v == NULL) {
        return KR_ERROR;
    }

    lk->facts = NULL;
    lk->lost = 0;
    lk->message = NULL;

    HASH_FIND(hh, ct->views, v->key.data, v->key.len, there);

    if (there != NULL && (there->facts == NULL || recent)) {
        kr_view_free(v);
        kr_view_join(there, lk);

        if (there->facts != NULL) {
            event_active(there->timer, EV_TIMEOUT, 0);
        }

        return KR_OK;
    }

    if (there != NULL) {
        kr_view_replace(there, v);
    }

    HASH_ADD_KEYPTR(hh, ct->views, v->key.data, v->key.len, v);

    if (v->hh.tbl == NULL) {
        kr_view_answer(v->lookups, NULL, NULL);
        v->lookups = NULL;
        kr_view_free(v);
        return KR_ERROR;
    }

    kr_view_join(v, lk);
    kr_view_run(v, lk->asker);

    return KR_OK;
}


void
kr_catalog_cancel(kr_lookup_t *lk)
{
    kr_view_t  *v;

    v = lk->view;

    if (v != NULL) {
        DL_DELETE(v->lookups, lk);
        lk->view = NULL;
    }
}


static void
kr_view_done(kr_job_t *job)
{
    kr_view_t     *v;
    kr_facts_t    *fa;
    kr_lookup_t   *lookups;
    kr_catalog_t  *ct;

    v = kr_owner(job, kr_view_t, job);
    ct = v->catalog;

    fa = job->status == KR_JOB_DONE ? kr_facts_read(job->results) : NULL;

    lookups = v->lookups;
    v->lookups = NULL;

    if (fa != NULL && HASH_COUNT(ct->views) <= KR_CATALOG_VIEWS) {
        fa->refs++;
        v->facts = fa;

        kr_loop_timer(v->timer, KR_CATALOG_KEEP);

        kr_view_answer(lookups, fa, job);

    } else {
        HASH_DELETE(hh, ct->views, v);
        kr_view_answer(lookups, fa, job);
        kr_view_free(v);
    }

    kr_facts_release(fa);
}


/*
 * A kept answer goes to the look-ups that came for it.  If there is none the
 * answer is too old, and is not kept any longer.
 */
static void
kr_view_over(evutil_socket_t fd, short what, void *data)
{
    kr_view_t    *v;
    kr_facts_t   *fa;
    kr_lookup_t  *lookups;

    (void) fd;
    (void) what;

    v = data;
    lookups = v->lookups;

    HASH_DELETE(hh, v->catalog->views, v);

    fa = v->facts;
    fa->refs++;

    v->lookups = NULL;
    kr_view_free(v);

    kr_view_answer(lookups, fa, NULL);
    kr_facts_release(fa);
}


static kr_view_t *
kr_view_create(kr_catalog_t *ct, const kr_sql_t *sql)
{
    kr_view_t  *v;

    v = calloc(1, sizeof(kr_view_t));
    if (v == NULL) {
        return NULL;
    }

    v->catalog = ct;
    v->timer = event_new(ct->base, -1, 0, kr_view_over, v);

    if (v->timer == NULL || kr_ask_params(&v->ask, sql) != KR_OK) {
        kr_view_free(v);
        return NULL;
    }

    kr_ask_key(&v->ask, &v->key);

    if (v->key.failed) {
        kr_view_free(v);
        return NULL;
    }

    return v;
}


static void
kr_view_join(kr_view_t *v, kr_lookup_t *lk)
{
    lk->view = v;
    DL_APPEND(v->lookups, lk);
}


/* Puts v in the place of an answer that is too old; its look-ups wait on. */
static void
kr_view_replace(kr_view_t *old, kr_view_t *v)
{
    kr_lookup_t  *lk;

    while (old->lookups != NULL) {
        lk = old->lookups;
        kr_catalog_cancel(lk);
        kr_view_join(v, lk);
    }

    HASH_DELETE(hh, old->catalog->views, old);
    kr_view_free(old);
}


static void
kr_view_run(kr_view_t *v, const void *asker)
{
    kr_job_begin(&v->job, KR_JOB_SNAPSHOT, kr_view_done);
    kr_ask_job(&v->ask, &v->job);

    v->job.lane = KR_LANE_ASKS;
    v->job.about = v->ask.tables.data;
    v->job.asker = asker;

    kr_pool_run(v->catalog->pool, &v->job);
}


/*
 * Calls done() of each look-up.  One done() may cancel another of them (a
 * socket goes with all of its look-ups), so they are in a list that has its
 * head here.
 */
static void
kr_view_answer(kr_lookup_t *lookups, kr_facts_t *fa, const kr_job_t *job)
{
    kr_view_t     held;
    kr_lookup_t  *lk;

    memset(&held, 0, sizeof(kr_view_t));
    held.lookups = lookups;

    DL_FOREACH(lookups, lk) {
        lk->view = &held;
    }

    while (held.lookups != NULL) {
        lk = held.lookups;
        kr_catalog_cancel(lk);

        if (fa != NULL) {
            fa->refs++;
            lk->facts = fa;

        } else if (job == NULL || job->status == KR_JOB_DONE) {
            lk->message = "no memory";

        } else {
            lk->lost = job->status == KR_JOB_LOST;
            lk->message = lk->lost ? kr_job_lost(job) : job->message;
        }

        lk->done(lk);
    }
}


static void
kr_view_free(kr_view_t *v)
{
    if (v->timer != NULL) {
        event_free(v->timer);
    }

    kr_facts_release(v->facts);

    kr_ask_free(&v->ask);
    kr_buf_free(&v->key);
    free(v);
}
