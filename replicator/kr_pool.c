/*
 * The pool: the queue of jobs and the lives of the connections.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kr_log.h"
#include "kr_pool_private.h"


#define KR_POOL_WAIT       10000    /* ms, of a job for a connection */
#define KR_POOL_QUEUE_MAX  10000    /* jobs; more are refused */


static void kr_pool_connected(kr_pg_t *pg);
static void kr_pool_failed(kr_pg_t *pg);
static void kr_pool_turn(evutil_socket_t fd, short what, void *data);
static void kr_pool_wait(evutil_socket_t fd, short what, void *data);
static void kr_pool_retry(evutil_socket_t fd, short what, void *data);

static kr_link_t *kr_pool_link(kr_pool_t *pool, kr_link_state_e state);
static int kr_pool_connect(kr_pool_t *pool);
static void kr_pool_rest(kr_pool_t *pool);
static void kr_pool_say(kr_link_t *ln, kr_link_state_e state);
static void kr_pool_arm_wait(kr_pool_t *pool);
static const char *kr_pool_trouble(kr_pool_t *pool);
static void kr_jobs_init(kr_jobs_t *jobs);
static void kr_jobs_push(kr_jobs_t *jobs, kr_job_t *job);
static void kr_jobs_push_first(kr_jobs_t *jobs, kr_job_t *job);
static kr_job_t *kr_jobs_shift(kr_jobs_t *jobs);
static int kr_jobs_remove(kr_jobs_t *jobs, kr_job_t *job);
static int64_t kr_pool_now(void);


kr_pool_t *
kr_pool_create(struct event_base *base, const kr_config_t *cf)
{
    int         i;
    kr_pool_t  *pool;

    /* a job has a connection to itself, so one bound bounds both */
    pool = calloc(1, sizeof(kr_pool_t)
                     + (size_t) cf->max_concurrency * sizeof(kr_link_t));
    if (pool == NULL) {
        return NULL;
    }

    pool->base = base;
    pool->cf = cf;
    pool->nlinks = cf->max_concurrency;

    kr_jobs_init(&pool->waiting);
    kr_jobs_init(&pool->refused);

    for (i = 0; i < pool->nlinks; i++) {
        pool->links[i].pool = pool;
        pool->links[i].pg.base = base;
        pool->links[i].pg.kind = KR_PG_POOL;
        pool->links[i].pg.connected = kr_pool_connected;
        pool->links[i].pg.failed = kr_pool_failed;
        pool->links[i].pg.readable = kr_link_readable;
    }

    pool->turn = event_new(base, -1, 0, kr_pool_turn, pool);
    pool->wait = event_new(base, -1, 0, kr_pool_wait, pool);
    pool->retry = event_new(base, -1, 0, kr_pool_retry, pool);

    if (pool->turn == NULL || pool->wait == NULL || pool->retry == NULL) {
        kr_pool_free(pool);
        return NULL;
    }

    return pool;
}


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

    if (pool->waiting.n == KR_POOL_QUEUE_MAX) {
        kr_jobs_push(&pool->refused, job);
        event_active(pool->turn, EV_TIMEOUT, 0);
        return;
    }

    job->deadline = kr_pool_now() + KR_POOL_WAIT;
    kr_jobs_push(&pool->waiting, job);

    kr_pool_dispatch(pool);
}


void
kr_pool_cancel(kr_pool_t *pool, kr_job_t *job)
{
    int  i;

    if (kr_jobs_remove(&pool->waiting, job)
        || kr_jobs_remove(&pool->refused, job))
    {
        kr_pool_arm_wait(pool);
        return;
    }

    /* the pipeline goes on, its answers are thrown away */
    for (i = 0; i < pool->nlinks; i++) {
        if (pool->links[i].job == job) {
            pool->links[i].job = NULL;
            kr_link_drop_results(&pool->links[i]);
        }
    }
}


int
kr_pool_down(const kr_pool_t *pool)
{
    return pool->down && pool->waiting.n != 0;
}


void
kr_pool_free(kr_pool_t *pool)
{
    int            i;
    size_t         n;
    struct event  *events[3];

    for (i = 0; i < pool->nlinks; i++) {
        kr_link_drop_results(&pool->links[i]);
        kr_pg_free(&pool->links[i].pg);
    }

    events[0] = pool->turn;
    events[1] = pool->wait;
    events[2] = pool->retry;

    for (n = 0; n < sizeof(events) / sizeof(events[0]); n++) {
        if (events[n] != NULL) {
            event_free(events[n]);
        }
    }

    free(pool);
}


void
kr_pool_dispatch(kr_pool_t *pool)
{
    kr_job_t   *job;
    kr_link_t  *ln;

    while (pool->waiting.first != NULL) {

        ln = kr_pool_link(pool, KR_LINK_IDLE);
        if (ln == NULL) {
            break;
        }

        job = kr_jobs_shift(&pool->waiting);

        if (kr_link_start(ln, job) != KR_OK) {
            kr_jobs_push_first(&pool->waiting, job);
            kr_pool_lose(ln, KR_JOB_LOST, 1);
            break;
        }
    }

    while (!pool->resting && kr_pool_connect(pool) == KR_OK) {
        /* void */
    }

    kr_pool_arm_wait(pool);
}


void
kr_pool_lose(kr_link_t *ln, kr_job_status_e status, int error)
{
    kr_pool_t        *pool;
    kr_link_state_e   state;

    pool = ln->pool;
    state = ln->state;

    ln->state = KR_LINK_CLOSED;
    kr_pg_close(&ln->pg);

    if (error) {
        kr_pool_say(ln, state);
        kr_pool_rest(pool);
    }

    if (state == KR_LINK_BUSY) {
        kr_link_finish(ln, status);
    }
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


static void
kr_pool_connected(kr_pg_t *pg)
{
    kr_link_t  *ln;
    kr_pool_t  *pool;

    ln = (kr_link_t *) pg;
    pool = ln->pool;

    if (!PQenterPipelineMode(pg->conn)) {
        kr_pg_error(pg, NULL);
        kr_pool_failed(pg);
        return;
    }

    kr_log(pool->said ? KR_LOG_NOTICE : KR_LOG_INFO,
           "connected to PostgreSQL for queries");

    pool->said = 0;
    pool->down = 0;
    pool->backoff = 0;
    ln->state = KR_LINK_IDLE;

    kr_pool_dispatch(pool);
}


/* not connected, or it broke while something was written */
static void
kr_pool_failed(kr_pg_t *pg)
{
    kr_link_t  *ln;

    ln = (kr_link_t *) pg;

    kr_pool_lose(ln, KR_JOB_LOST, 1);
    kr_pool_dispatch(ln->pool);
}


static void
kr_pool_turn(evutil_socket_t fd, short what, void *data)
{
    int         n;
    kr_pool_t  *pool;

    (void) fd;
    (void) what;

    pool = data;

    /* those that done() sends again have their turn later */
    for (n = pool->refused.n; n > 0 && pool->refused.first != NULL; n--) {
        kr_job_done(kr_jobs_shift(&pool->refused), KR_JOB_LOST, "",
                    "too many queries wait for a connection");
    }
}


/* Gives back the jobs that have waited long enough. */
static void
kr_pool_wait(evutil_socket_t fd, short what, void *data)
{
    int         n;
    int64_t     now;
    kr_pool_t  *pool;

    (void) fd;
    (void) what;

    pool = data;
    now = kr_pool_now();

    for (n = pool->waiting.n; n > 0; n--) {

        if (pool->waiting.first == NULL
            || pool->waiting.first->deadline > now)
        {
            break;
        }

        kr_job_done(kr_jobs_shift(&pool->waiting), KR_JOB_LOST, "",
                    kr_pool_trouble(pool));
    }

    kr_pool_arm_wait(pool);
}


static void
kr_pool_retry(evutil_socket_t fd, short what, void *data)
{
    kr_pool_t  *pool;

    (void) fd;
    (void) what;

    pool = data;
    pool->resting = 0;

    kr_pool_dispatch(pool);
}


static kr_link_t *
kr_pool_link(kr_pool_t *pool, kr_link_state_e state)
{
    int  i;

    for (i = 0; i < pool->nlinks; i++) {
        if (pool->links[i].state == state) {
            return &pool->links[i];
        }
    }

    return NULL;
}


/*
 * Opens one more link if more jobs wait than links are on their way.
 * KR_DECLINED: there is no need, or no link left; KR_ERROR: it failed at
 * once, see kr_pool_rest().
 */
static int
kr_pool_connect(kr_pool_t *pool)
{
    int         i, connecting;
    kr_link_t  *ln;

    connecting = 0;

    for (i = 0; i < pool->nlinks; i++) {
        connecting += (pool->links[i].state == KR_LINK_CONNECTING);
    }

    if (connecting >= pool->waiting.n) {
        return KR_DECLINED;
    }

    ln = kr_pool_link(pool, KR_LINK_CLOSED);
    if (ln == NULL) {
        return KR_DECLINED;
    }

    ln->state = KR_LINK_CONNECTING;

    if (kr_pg_connect(&ln->pg, pool->cf) != KR_OK) {
        kr_pool_lose(ln, KR_JOB_LOST, 1);
        return KR_ERROR;
    }

    return KR_OK;
}


static void
kr_pool_rest(kr_pool_t *pool)
{
    int             ms;
    struct timeval  tv;

    if (pool->resting) {
        return;
    }

    ms = kr_pg_backoff(&pool->backoff);
    tv.tv_sec = ms / 1000;
    tv.tv_usec = ms % 1000 * 1000;

    pool->resting = 1;
    event_add(pool->retry, &tv);
}


/* one line when the trouble begins */
static void
kr_pool_say(kr_link_t *ln, kr_link_state_e state)
{
    kr_pool_t   *pool;
    const char  *advice;

    pool = ln->pool;

    if (state != KR_LINK_CONNECTING) {
        kr_log(pool->said ? KR_LOG_DEBUG : KR_LOG_WARN,
               "lost a connection for queries: %s", ln->pg.message.data);

        pool->said = 1;
        return;
    }

    advice = kr_pg_lasting(&ln->pg);

    kr_log(pool->down ? KR_LOG_DEBUG : KR_LOG_ERR,
           "could not connect to PostgreSQL for queries: %s%s%s; trying "
           "again", ln->pg.message.data, (advice != NULL) ? "; " : "",
           (advice != NULL) ? advice : "");

    pool->said = 1;
    pool->down = 1;
}


/* jobs wait equally long: the first is the first to give up */
static void
kr_pool_arm_wait(kr_pool_t *pool)
{
    int64_t         ms;
    struct timeval  tv;

    if (pool->waiting.first == NULL) {
        event_del(pool->wait);
        return;
    }

    ms = pool->waiting.first->deadline - kr_pool_now();

    if (ms < 0) {
        ms = 0;
    }

    tv.tv_sec = ms / 1000;
    tv.tv_usec = ms % 1000 * 1000;
    event_add(pool->wait, &tv);
}


/* why there was no connection */
static const char *
kr_pool_trouble(kr_pool_t *pool)
{
    return pool->down ? "the database cannot be reached"
                      : "all connections to the database are busy";
}


static void
kr_jobs_init(kr_jobs_t *jobs)
{
    jobs->n = 0;
    jobs->first = NULL;
    jobs->last = &jobs->first;
}


static void
kr_jobs_push(kr_jobs_t *jobs, kr_job_t *job)
{
    job->next = NULL;
    *jobs->last = job;
    jobs->last = &job->next;
    jobs->n++;
}


static void
kr_jobs_push_first(kr_jobs_t *jobs, kr_job_t *job)
{
    job->next = jobs->first;
    jobs->first = job;
    jobs->n++;

    if (job->next == NULL) {
        jobs->last = &job->next;
    }
}


static kr_job_t *
kr_jobs_shift(kr_jobs_t *jobs)
{
    kr_job_t  *job;

    job = jobs->first;
    jobs->first = job->next;
    jobs->n--;

    if (jobs->first == NULL) {
        jobs->last = &jobs->first;
    }

    return job;
}


static int
kr_jobs_remove(kr_jobs_t *jobs, kr_job_t *job)
{
    kr_job_t  **p;

    for (p = &jobs->first; *p != NULL; p = &(*p)->next) {
        if (*p == job) {
            *p = job->next;

            if (*p == NULL) {
                jobs->last = p;
            }

            jobs->n--;
            return 1;
        }
    }

    return 0;
}


static int64_t
kr_pool_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
