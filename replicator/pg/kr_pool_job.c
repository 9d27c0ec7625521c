/*
 * The jobs that have no connection: a job is queued, waits, and is ended.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "kr_clock.h"
#include "kr_loop.h"
#include "kr_pool_private.h"


#define KR_POOL_WAIT       8000     /* ms; a job of ASKS waits so long for its
                                       turn, as clients wait ten seconds */
#define KR_POOL_QUEUE_MAX  10000    /* jobs of ASKS that wait */


static uint64_t kr_job_id(const kr_job_t *job);
static void kr_pool_refuse(kr_pool_t *pool, kr_job_t *job);
static void kr_pool_give_up(kr_pool_t *pool, kr_job_t *job);


void
kr_pool_run(kr_pool_t *pool, kr_job_t *job)
{
    int       i;
    uint64_t  patience_ms;

    patience_ms = job->patience_ms != 0 ? job->patience_ms : KR_POOL_WAIT;

    job->status = KR_JOB_DONE;
    job->sqlstate[0] = '\0';
    job->message = NULL;
    memset(&job->moment, 0, sizeof(kr_moment_t));

    for (i = 0; i < KR_JOB_STATEMENTS; i++) {
        job->results[i] = NULL;
    }

    job->queue.id = kr_job_id(job);
    job->asked_ms = kr_now();
    job->queue.deadline_ms = job->asked_ms + patience_ms;
    job->took_ms = 0;
    job->slow = 0;
    job->locked = 0;
    job->busy = 0;
    job->queue.flow = NULL;

    if (job->lane == KR_LANE_ASKS && pool->lanes.asks >= KR_POOL_QUEUE_MAX) {
        kr_pool_refuse(pool, job);
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

    if (job->queue.flow != NULL) {
        kr_lanes_remove(&pool->lanes, job);
        kr_pool_arm_wait(pool);
        return;
    }

    /* the pipeline goes on, and its answers are dropped */
    for (i = 0; i < pool->nlinks; i++) {
        if (pool->links[i].job == job) {
            pool->links[i].job = NULL;
            kr_link_drop_results(&pool->links[i]);
            return;
        }
    }

    DL_FOREACH2(pool->refused, p, queue.next) {
        if (p == job) {
            DL_DELETE2(pool->refused, job, queue.prev, queue.next);
            return;
        }
    }
}


int
kr_pool_stuck(const kr_pool_t *pool, const kr_job_t *job, uint64_t behind)
{
    return job->slow
           && (behind > pool->cf->stuck_wal
               || kr_now() - job->asked_ms
                  > (uint64_t) pool->cf->stuck_time);
}


void
kr_pool_queue(kr_pool_t *pool, kr_job_t *job)
{
    if (kr_lanes_add(&pool->lanes, job, kr_now()) != KR_OK) {
        kr_pool_refuse(pool, job);
    }
}


/* Puts the job into pool->refused, to be LOST in the next turn of the loop. */
static void
kr_pool_refuse(kr_pool_t *pool, kr_job_t *job)
{
    DL_APPEND2(pool->refused, job, queue.prev, queue.next);
    event_active(pool->turn, EV_TIMEOUT, 0);
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

    /* a job that done() runs again, and that is refused again, gets its call
       of done() in the next turn of the loop */

    DL_COUNT2(pool->refused, job, n, queue.next);

    while (n-- != 0 && pool->refused != NULL) {
        job = pool->refused;
        job->busy = 1;

        DL_DELETE2(pool->refused, job, queue.prev, queue.next);
        kr_job_done(job, KR_JOB_LOST, "",
                    "too many queries wait for a connection");
    }
}


/*
 * Timer.  Ends the jobs whose deadline has passed; jobs of other lanes than
 * ASKS only while the pool cannot connect.  Gives a turn to the flows whose
 * rest is over.
 */
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
           && pool->lanes.waiting->queue.deadline_ms <= now)
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
    int           i;
    char         *message;
    PGresult     *results[KR_JOB_STATEMENTS];
    kr_moment_t   moment;

    job->status = status;
    job->message = NULL;
    job->sqlstate[0] = '\0';

    if (status != KR_JOB_DONE) {
        snprintf(job->sqlstate, sizeof(job->sqlstate), "%s", sqlstate);
        job->message = strdup((text != NULL) ? text : "no memory");
    }

    /* done() may free the job */
    message = job->message;
    moment = job->moment;
    memcpy(results, job->results, sizeof(results));

    job->done(job);

    free(message);
    kr_snapshot_free(&moment.snapshot);

    for (i = 0; i < KR_JOB_STATEMENTS; i++) {
        PQclear(results[i]);
    }
}


/*
 * A number for job->about.  The text may come from a client, so the number is
 * part of a SHA-256: a client can find no two texts with the same number.
 */
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


/* Ends a job whose deadline has passed; it is in no lane any more. */
static void
kr_pool_give_up(kr_pool_t *pool, kr_job_t *job)
{
    if (pool->down) {
        kr_job_done(job, KR_JOB_LOST, "", "the database cannot be reached");

    } else if (job->locked) {
        kr_job_done(job, KR_JOB_FAILED, KR_STATE_LOCKED, kr_pool_locked_text);

    } else {
        job->busy = 1;
        kr_job_done(job, KR_JOB_LOST, "", kr_pool_busy_text);
    }
}
