/*
 * The pool: the lives of its connections.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_clock.h"
#include "kr_log.h"
#include "kr_loop.h"
#include "kr_pool_private.h"
#include "kr_retry.h"


#define KR_POOL_QUICK  1000    /* ms; statement_timeout of a first try */
#define KR_POOL_LOCK   200     /* ms; lock_timeout of a first try */


static void kr_pool_connected(kr_pg_t *pg);
static void kr_pool_failed(kr_pg_t *pg);
static void kr_pool_retry(evutil_socket_t fd, short what, void *data);

static void kr_pool_limits(kr_pool_t *pool);
static int kr_pool_connect(kr_pool_t *pool);
static void kr_pool_rest(kr_pool_t *pool);
static void kr_pool_log_loss(kr_link_t *ln, kr_link_state_e state);


kr_pool_t *
kr_pool_create(struct event_base *base, const kr_config_t *cf)
{
    int         i;
    kr_pool_t  *pool;

    /* each job has a connection of its own, so the limit of links is enough */
    pool = calloc(1, sizeof(kr_pool_t)
                     + (size_t) cf->max_concurrency * sizeof(kr_link_t));
    if (pool == NULL) {
        return NULL;
    }

    pool->base = base;
    pool->cf = cf;
    pool->nlinks = cf->max_concurrency;

    kr_lanes_init(&pool->lanes, (unsigned) pool->nlinks);
    kr_pool_limits(pool);

    for (i = 0; i < pool->nlinks; i++) {
        pool->links[i].pool = pool;
        pool->links[i].pg.base = base;
        pool->links[i].pg.kind = KR_PG_POOL;
        pool->links[i].pg.statement_timeout = pool->statement_timeout;
        pool->links[i].pg.lock_timeout = pool->lock_timeout;
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


int
kr_pool_down(const kr_pool_t *pool)
{
    return pool->down && pool->lanes.waiting != NULL;
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

    kr_lanes_free(&pool->lanes);
    free(pool);
}


void
kr_pool_dispatch(kr_pool_t *pool)
{
    kr_job_t          *job;
    kr_link_t         *ln;
    kr_reservation_t   r;

    kr_lanes_wake(&pool->lanes, kr_now());

    while ((ln = kr_pool_link(pool, KR_LINK_IDLE)) != NULL) {

        job = kr_lanes_take(&pool->lanes, &r, kr_now());
        if (job == NULL) {
            break;
        }

        ln->reservation = r;

        if (kr_link_start(ln, job) != KR_OK) {
            kr_lanes_end(&pool->lanes, &r, KR_RUN_ENDED, kr_now());
            kr_pool_queue(pool, job);
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
        kr_pool_log_loss(ln, state);
        kr_pool_rest(pool);
    }

    if (state == KR_LINK_BUSY) {
        kr_link_finish(ln, status);
    }
}


kr_link_t *
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

    kr_log(pool->logged ? KR_LOG_NOTICE : KR_LOG_INFO,
           "connected to PostgreSQL for queries");

    pool->logged = 0;
    pool->down = 0;
    pool->wait_ms = 0;
    ln->state = KR_LINK_IDLE;

    kr_pool_dispatch(pool);
}


/* The connect failed, or the connection broke while it was written to. */
static void
kr_pool_failed(kr_pg_t *pg)
{
    kr_link_t  *ln;

    ln = (kr_link_t *) pg;

    kr_pool_lose(ln, KR_JOB_LOST, 1);
    kr_pool_dispatch(ln->pool);
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


/*
 * Sets the time-outs: a first try does not hold a connection for long, and in
 * a pool with a single connection no try waits long for a lock.
 */
static void
kr_pool_limits(kr_pool_t *pool)
{
    int  ms;

    ms = pool->cf->statement_timeout / 2;
    pool->statement_timeout = ms < KR_POOL_QUICK ? ms : KR_POOL_QUICK;

    ms = pool->statement_timeout / 2;
    pool->lock_timeout = ms < KR_POOL_LOCK ? ms : KR_POOL_LOCK;

    pool->slow_lock_timeout = pool->nlinks == 1 ? pool->lock_timeout
                                                : pool->statement_timeout;
}


/*
 * Opens one more link if more jobs could run than links are connecting.
 * KR_OK: the link is connecting.  KR_DECLINED: no job needs a link, or no link
 * is left.  KR_ERROR: the connect failed at once, and the pool rests.
 */
static int
kr_pool_connect(kr_pool_t *pool)
{
    int         i;
    unsigned    connecting;
    kr_link_t  *ln;

    connecting = 0;

    for (i = 0; i < pool->nlinks; i++) {
        connecting += (pool->links[i].state == KR_LINK_CONNECTING);
    }

    if (connecting >= kr_lanes_wanted(&pool->lanes)) {
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


/* No link connects before the wait is over. */
static void
kr_pool_rest(kr_pool_t *pool)
{
    if (pool->resting) {
        return;
    }

    pool->resting = 1;
    kr_loop_timer(pool->retry,
                  kr_retry_next(&pool->wait_ms, &kr_retry_connect));
}


/*
 * Logs a lost connection or a failed connect: the first of an outage at WARN
 * or ERR, the others at DEBUG.
 */
static void
kr_pool_log_loss(kr_link_t *ln, kr_link_state_e state)
{
    kr_pool_t   *pool;
    const char  *advice;

    pool = ln->pool;

    if (state != KR_LINK_CONNECTING) {
        kr_log(pool->logged ? KR_LOG_DEBUG : KR_LOG_WARN,
               "lost a connection for queries: %s", kr_pg_message(&ln->pg));

        pool->logged = 1;
        return;
    }

    advice = kr_pg_lasting(&ln->pg);

    kr_log(pool->down ? KR_LOG_DEBUG : KR_LOG_ERR,
           "could not connect to PostgreSQL for queries: %s%s%s; trying "
           "again", kr_pg_message(&ln->pg), (advice != NULL) ? "; " : "",
           (advice != NULL) ? advice : "");

    pool->logged = 1;
    pool->down = 1;
}
