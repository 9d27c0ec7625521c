/* sources: kr_pool.c kr_pool_job.c kr_pool_try.c kr_pool_lane.c */
/* sources: kr_loop.c kr_retry.c kr_lsn.c kr_buf.c */
/* libs: -lcrypto -levent_core -lpq */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_clock.h"
#include "kr_log.h"
#include "kr_pool_private.h"


#define case_of(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


typedef struct {
    kr_config_t          cf;
    kr_pool_t           *pool;
    kr_job_t             job;
    struct event_base   *base;
} test_t;


static jmp_buf        ended;         /* to here kr_no_memory() jumps */
static int            timers_left;   /* that event_add() takes; -1: all */
static struct event  *added;         /* the first one that it took */
static unsigned       connects;      /* calls of kr_pg_connect() */
static int            connect_rc;    /* what each of them returns */


/* libevent's, where the heap of timers may be full and cannot grow */
int
event_add(struct event *ev, const struct timeval *tv)
{
    (void) tv;

    if (timers_left == 0) {
        return -1;
    }

    timers_left -= timers_left > 0;

    if (added == NULL) {
        added = ev;
    }

    return 0;
}


void
kr_no_memory(const char *what)
{
    (void) what;

    longjmp(ended, 1);
}


void
kr_log(kr_log_level_e level, const char *fmt, ...)
{
    (void) level;
    (void) fmt;
}


uint64_t
kr_now(void)
{
    return 1000;
}


int
kr_pg_connect(kr_pg_t *pg, const kr_config_t *cf)
{
    (void) pg;
    (void) cf;

    connects++;

    return connect_rc;
}


void
kr_pg_close(kr_pg_t *pg)
{
    (void) pg;
}


void
kr_pg_free(kr_pg_t *pg)
{
    (void) pg;
}


void
kr_pg_error(kr_pg_t *pg, const PGresult *res)
{
    (void) pg;
    (void) res;
}


void
kr_pg_set_error(kr_pg_t *pg, const char *sqlstate, const char *text)
{
    (void) pg;
    (void) sqlstate;
    (void) text;
}


const char *
kr_pg_lasting(const kr_pg_t *pg)
{
    (void) pg;

    return NULL;
}


int
kr_link_start(kr_link_t *ln, kr_job_t *job)
{
    (void) ln;
    (void) job;

    return KR_ERROR;
}


void
kr_link_readable(kr_pg_t *pg)
{
    (void) pg;
}


void
kr_link_finish(kr_link_t *ln, kr_job_status_e status)
{
    (void) ln;
    (void) status;
}


void
kr_link_drop_results(kr_link_t *ln)
{
    (void) ln;
}


static void
done(kr_job_t *job)
{
    (void) job;
}


static int
setup(void **state)
{
    test_t  *t;

    t = calloc(1, sizeof(test_t));
    if (t == NULL) {
        return -1;
    }

    t->cf.max_concurrency = 1;
    t->cf.statement_timeout = 1000;
    t->base = event_base_new();
    t->pool = kr_pool_create(t->base, &t->cf);

    t->job.statements[0].sql = "SELECT 1";
    t->job.nstatements = 1;
    t->job.done = done;

    connects = 0;
    connect_rc = KR_ERROR;
    timers_left = -1;
    added = NULL;

    *state = t;

    return t->pool == NULL ? -1 : 0;
}


static int
teardown(void **state)
{
    test_t  *t;

    t = *state;

    kr_pool_cancel(t->pool, &t->job);
    kr_pool_free(t->pool);
    event_base_free(t->base);
    free(t);

    return 0;
}


/* After a vain attempt to connect the pool rests, and then tries again. */
static void
test_pool_rests(void **state)
{
    test_t  *t;

    t = *state;

    kr_pool_run(t->pool, &t->job);
    assert_int_equal(connects, 1);

    assert_non_null(added);
    event_get_callback(added)(-1, EV_TIMEOUT, event_get_callback_arg(added));
    assert_int_equal(connects, 2);
}


/* A pool without the timer of its rest would rest for ever. */
static void
test_pool_no_rest_timer(void **state)
{
    test_t  *t;

    t = *state;
    timers_left = 0;

    if (setjmp(ended) == 0) {
        kr_pool_run(t->pool, &t->job);
        fail_msg("the pool rests, and no timer wakes it");
    }

    assert_int_equal(connects, 1);
}


/* A job without the timer of its deadline would wait for ever. */
static void
test_pool_no_wait_timer(void **state)
{
    test_t  *t;

    t = *state;
    connect_rc = KR_OK;
    timers_left = 0;

    if (setjmp(ended) == 0) {
        kr_pool_run(t->pool, &t->job);
        fail_msg("the job waits, and no timer ends that");
    }

    assert_int_equal(connects, 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        case_of(test_pool_rests),
        case_of(test_pool_no_rest_timer),
        case_of(test_pool_no_wait_timer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
