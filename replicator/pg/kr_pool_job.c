/*
 * The jobs of the pool that have no connection: those that wait, and those
 * that are given back.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "kr_clock.h"
#include "kr_loop.h"
#include "kr_pool_private.h"


#define KR_POOL_WAIT       8000     /* ms, of an ASK for its turn: clients do
                                       not wait for more than ten seconds */
#define KR_POOL_QUEUE_MAX  10000    /* ASKS; more are refused */

#define KR_LOCK_STATE      "55P03"
#define KR_CANCEL_STATE    "57014"
#define KR_BUSY_TEXT       "all connections to the database are busy"
#define KR_LOCK_TEXT       "a table that it reads is locked, try again"


static uint64_t kr_job_id(const kr_job_t *job);
static kr_run_e kr_pool_judge(const kr_link_t *ln, kr_job_status_e status,
    uint64_t took);
static int kr_pool_rewritten(const kr_link_t *ln);
static int kr_pool_again(const kr_link_t *ln, kr_job_status_e status,
    kr_run_e run);
static void kr_pool_give_up(kr_pool_t *pool, kr_job_t *job);


void
kr_pool_run(kr_pool_t *pool, kr_job_t *job)
{
    int  i;

    job->status = KR_JOB_DONE;
    job->sqlstate[0] = '\0';
    job->message = NULL;

    for (i = 0; i < KR_JOB_STATEMENTS; i++) {
        job->results[i] = NULL;
    }

    job->id = kr_job_id(job);
    job->asked = kr_now();
    job->deadline = job->asked + (job->patience != 0 ? job->patience
                                                     : KR_POOL_WAIT);
    job->took = 0;
    job->slow = 0;
    job->locked = 0;
    job->busy = 0;
    job->flow = NULL;

    if (job->lane == KR_LANE_ASKS && pool->lanes.asks >= KR_POOL_QUEUE_MAX) {
        DL_APPEND(pool->refused, job);
        event_active(pool->turn, EV_TIMEOUT, 0);
        return;
    }

    kr_pool_queue(pool, job);
    kr_pool_dispatch(pool);
}


void
kr_pool_cancel(kr_pool_t *pool, kr_job_t *job)
{
    int        i;
    kr_job_t  *p;

    if (job->flow != NULL) {
        kr_lanes_remove(&pool->lanes, job);
        kr_pool_arm_wait(pool);
        return;
    }

    /* the pipeline goes on, its answers are thrown away */
    for (i = 0; i < pool->nlinks; i++) {
        if (pool->links[i].job == job) {
            pool->links[i].job = NULL;
            kr_link_drop_results(&pool->links[i]);
            return;
        }
    }

    DL_FOREACH(pool->refused, p) {
        if (p == job) {
            DL_DELETE(pool->refused, job);
            return;
        }
    }
}


int
kr_pool_stuck(const kr_pool_t *pool, const kr_job_t *job, uint64_t behind)
{
    return job->slow
           && (behind > pool->cf->stuck_wal
               || kr_now() - job->asked
                  > (uint64_t) pool->cf->stuck_time);
}


void
kr_pool_queue(kr_pool_t *pool, kr_job_t *job)
{
    if (kr_lanes_add(&pool->lanes, job, kr_now()) != KR_OK) {
        DL_APPEND(pool->refused, job);
        event_active(pool->turn, EV_TIMEOUT, 0);
    }
}


int
kr_pool_tried(kr_link_t *ln, kr_job_status_e *status)
{
    uint64_t    now, took;
    kr_run_e    run;
    kr_job_t   *job;
    kr_pool_t  *pool;

    pool = ln->pool;
    job = ln->job;
    now = kr_now();
    took = now - ln->place.began;

    run = kr_pool_judge(ln, *status, took);
    kr_lanes_end(&pool->lanes, &ln->place, run, now);

    if (job == NULL) {
        return KR_OK;
    }

    job->took = took;
    job->locked = run == KR_RUN_LOCKED;

    if (!kr_pool_again(ln, *status, run)) {
        return KR_OK;
    }

    if (job->lane == KR_LANE_ASKS && now >= job->deadline) {
        kr_pg_set_error(&ln->pg, job->locked ? KR_LOCK_STATE : KR_CANCEL_STATE,
                        job->locked ? KR_LOCK_TEXT : KR_BUSY_TEXT);
        *status = KR_JOB_FAILED;
        return KR_OK;
    }

    ln->job = NULL;
    kr_link_drop_results(ln);
    kr_pool_queue(pool, job);

    return KR_AGAIN;
}


void
kr_pool_turn(evutil_socket_t fd, short what, void *data)
{
    unsigned    n;
    kr_job_t   *job;
    kr_pool_t  *pool;

    (void) fd;
    (void) what;

    pool = data;

    /* those that done() sends again have their turn later */

    DL_COUNT(pool->refused, job, n);

    while (n-- != 0 && pool->refused != NULL) {
        job = pool->refused;
        job->busy = 1;

        DL_DELETE(pool->refused, job);
        kr_job_done(job, KR_JOB_LOST, "",
                    "too many queries wait for a connection");
    }
}


/* Gives back the jobs that have waited long enough; others have rested. */
void
kr_pool_wait(evutil_socket_t fd, short what, void *data)
{
    uint64_t    now;
    kr_job_t   *job;
    kr_pool_t  *pool;

    (void) fd;
    (void) what;

    pool = data;
    now = kr_now();

    while (pool->lanes.waiting != NULL
           && pool->lanes.waiting->deadline <= now)
    {
        job = pool->lanes.waiting;

        if (job->lane != KR_LANE_ASKS && !pool->down) {
            kr_lanes_later(&pool->lanes, job, now + KR_POOL_WAIT);
            continue;
        }

        kr_lanes_remove(&pool->lanes, job);
        kr_pool_give_up(pool, job);
    }

    kr_pool_dispatch(pool);
}


void
kr_pool_arm_wait(kr_pool_t *pool)
{
    uint64_t  now, next;

    next = kr_lanes_next(&pool->lanes,
                         kr_pool_link(pool, KR_LINK_IDLE) != NULL);

    if (next == 0) {
        event_del(pool->wait);
        return;
    }

    now = kr_now();
    kr_loop_timer(pool->wait, next > now ? next - now : 0);
}


void
kr_job_done(kr_job_t *job, kr_job_status_e status, const char *sqlstate,
    const char *text)
{
    int        i;
    char      *message;
    PGresult  *results[KR_JOB_STATEMENTS];

    job->status = status;
    job->message = NULL;
    job->sqlstate[0] = '\0';

    if (status != KR_JOB_DONE) {
        snprintf(job->sqlstate, sizeof(job->sqlstate), "%s", sqlstate);
        job->message = strdup((text != NULL) ? text : "no memory");
    }

    /* done() may free the job */
    message = job->message;
    memcpy(results, job->results, sizeof(results));

    job->done(job);

    free(message);

    for (i = 0; i < KR_JOB_STATEMENTS; i++) {
        PQclear(results[i]);
    }
}


/* A client makes the text: no two that it can find have the same number. */
static uint64_t
kr_job_id(const kr_job_t *job)
{
    uint64_t        id;
    const char     *text;
    unsigned char   md[EVP_MAX_MD_SIZE];

    text = job->about != NULL ? job->about
                              : job->statements[job->nstatements - 1].sql;

    if (!EVP_Digest(text, strlen(text), md, NULL, EVP_sha256(), NULL)) {
        return 0;
    }

    memcpy(&id, md, sizeof(id));

    return id;
}


/*
 * A statement that was cancelled in its time is an administrator's matter.
 * Times are cut to milliseconds.
 */
static kr_run_e
kr_pool_judge(const kr_link_t *ln, kr_job_status_e status, uint64_t took)
{
    int  passed;

    passed = took + 1 >= (uint64_t) ln->pool->statement_timeout;

    switch (status) {

    case KR_JOB_DONE:
        if (kr_pool_rewritten(ln)) {
            return KR_RUN_LOCKED;
        }

        return passed ? KR_RUN_SLOW : KR_RUN_QUICK;

    case KR_JOB_FAILED:
        if (strcmp(ln->pg.sqlstate, KR_LOCK_STATE) == 0) {
            return KR_RUN_LOCKED;
        }

        return passed && strcmp(ln->pg.sqlstate, KR_CANCEL_STATE) == 0
               ? KR_RUN_SLOW : KR_RUN_ENDED;

    default:
        return KR_RUN_ENDED;
    }
}


/* Whether the tables were not those of the snapshot, see kr_pool_link.c. */
static int
kr_pool_rewritten(const kr_link_t *ln)
{
    const PGresult  *res;

    if (ln->job == NULL || ln->job->tables == NULL) {
        return 0;
    }

    res = ln->results[ln->job->nstatements];

    return res == NULL || PQntuples(res) != 1
           || strcmp(PQgetvalue(res, 0, 0), "0") != 0;
}


/* Whether it has not had all the time that it may have. */
static int
kr_pool_again(const kr_link_t *ln, kr_job_status_e status, kr_run_e run)
{
    return run == KR_RUN_LOCKED
           || (run == KR_RUN_SLOW && status == KR_JOB_FAILED
               && ln->place.lane != KR_LANE_SLOW);
}


static void
kr_pool_give_up(kr_pool_t *pool, kr_job_t *job)
{
    if (pool->down) {
        kr_job_done(job, KR_JOB_LOST, "", "the database cannot be reached");

    } else if (job->locked) {
        kr_job_done(job, KR_JOB_FAILED, KR_LOCK_STATE, KR_LOCK_TEXT);

    } else {
        job->busy = 1;
        kr_job_done(job, KR_JOB_LOST, "", KR_BUSY_TEXT);
    }
}
