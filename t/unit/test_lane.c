/* sources: kr_pool_lane.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_pool_lane.h"


#define JOBS  64

#define case_of(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


typedef struct {
    kr_lanes_t         ls;
    uint64_t           now;
    unsigned           n;
    kr_job_t           jobs[JOBS];
    kr_reservation_t   reservations[JOBS];   /* of those that run */
} test_t;


static int
setup(void **state)
{
    test_t  *t;

    t = calloc(1, sizeof(test_t));
    if (t == NULL) {
        return -1;
    }

    t->now = 1000;
    *state = t;

    return 0;
}


static int
teardown(void **state)
{
    int      k;
    test_t  *t;

    t = *state;

    while (t->ls.waiting != NULL) {
        kr_lanes_remove(&t->ls, t->ls.waiting);
    }

    for (k = 0; k < KR_LANES; k++) {
        assert_int_equal(t->ls.lanes[k].ready, 0);
        assert_null(t->ls.lanes[k].turns);
    }

    assert_null(t->ls.resting);
    assert_int_equal(t->ls.asks, 0);

    kr_lanes_free(&t->ls);
    free(t);

    return 0;
}


static kr_job_t *
add(test_t *t, kr_lane_e lane, uint64_t id, const void *asker)
{
    kr_job_t  *job;

    assert_true(t->n < JOBS);

    job = &t->jobs[t->n++];
    job->lane = lane;
    job->queue.id = id;
    job->asker = asker;
    job->queue.deadline_ms = t->now + 10000;

    assert_int_equal(kr_lanes_add(&t->ls, job, t->now), KR_OK);

    return job;
}


/* The job that begins to run, or NULL. */
static kr_job_t *
take(test_t *t)
{
    kr_job_t          *job;
    kr_reservation_t   r;

    job = kr_lanes_take(&t->ls, &r, t->now);

    if (job != NULL) {
        t->reservations[job - t->jobs] = r;
        assert_null(job->queue.flow);
        assert_int_equal(r.lane == KR_LANE_SLOW, job->slow);
    }

    return job;
}


static void
end(test_t *t, kr_job_t *job, kr_run_e run)
{
    kr_lanes_end(&t->ls, &t->reservations[job - t->jobs], run, t->now);
}


/* It was not done, so it waits once more. */
static void
again(test_t *t, kr_job_t *job, kr_run_e run)
{
    end(t, job, run);
    assert_int_equal(kr_lanes_add(&t->ls, job, t->now), KR_OK);
}


/* What is about one thing, or asked by one client, takes turns with others. */
static void
test_lane_turns(void **state)
{
    kr_job_t  *a, *b, *c, *x;
    test_t    *t;
    char       one, two;

    t = *state;
    kr_lanes_init(&t->ls, 10);

    a = add(t, KR_LANE_ASKS, 1, &one);
    b = add(t, KR_LANE_ASKS, 2, &one);
    c = add(t, KR_LANE_ASKS, 3, &one);
    x = add(t, KR_LANE_ASKS, 1, &two);
    assert_int_equal(t->ls.asks, 4);

    assert_ptr_equal(take(t), a);
    assert_ptr_equal(take(t), x);
    assert_ptr_equal(take(t), b);
    assert_ptr_equal(take(t), c);
    assert_null(take(t));

    a = add(t, KR_LANE_RUNS, 1, NULL);
    b = add(t, KR_LANE_RUNS, 1, NULL);
    x = add(t, KR_LANE_RUNS, 2, NULL);
    assert_ptr_equal(take(t), a);
    assert_ptr_equal(take(t), x);
    assert_ptr_equal(take(t), b);
}


/* The second step of one comes before the first of others, of one client. */
static void
test_lane_begun(void **state)
{
    kr_job_t  *a, *b, *c, *first, *x;
    test_t    *t;
    char       one, two;

    t = *state;
    kr_lanes_init(&t->ls, 1);

    first = add(t, KR_LANE_ASKS, 1, &one);
    x = add(t, KR_LANE_ASKS, 2, &two);
    assert_ptr_equal(take(t), first);

    a = add(t, KR_LANE_ASKS, 3, &one);
    b = add(t, KR_LANE_ASKS, 4, &one);

    first->begun = 1;
    again(t, first, KR_RUN_QUICK);
    c = add(t, KR_LANE_ASKS, 5, &one);
    kr_lanes_remove(&t->ls, c);
    c->begun = 1;
    assert_int_equal(kr_lanes_add(&t->ls, c, t->now), KR_OK);

    assert_ptr_equal(take(t), x);
    end(t, x, KR_RUN_QUICK);
    assert_ptr_equal(take(t), first);
    end(t, first, KR_RUN_QUICK);
    assert_ptr_equal(take(t), c);
    end(t, c, KR_RUN_QUICK);
    assert_ptr_equal(take(t), a);
    end(t, a, KR_RUN_QUICK);
    assert_ptr_equal(take(t), b);
}


/* A storm in one lane leaves the others their share. */
static void
test_lane_storm(void **state)
{
    int        i;
    kr_job_t  *rows, *run;
    test_t    *t;

    t = *state;
    kr_lanes_init(&t->ls, 1);

    for (i = 0; i < 20; i++) {
        (void) add(t, KR_LANE_ASKS, (uint64_t) i, NULL);
    }

    rows = add(t, KR_LANE_ROWS, 100, NULL);
    run = add(t, KR_LANE_RUNS, 101, NULL);

    assert_ptr_equal(take(t), rows);
    end(t, rows, KR_RUN_QUICK);
    assert_ptr_equal(take(t), run);
    end(t, run, KR_RUN_QUICK);
    assert_ptr_equal(take(t), &t->jobs[0]);
    end(t, &t->jobs[0], KR_RUN_QUICK);
    rows = add(t, KR_LANE_ROWS, 100, NULL);
    assert_ptr_equal(take(t), rows);
}


static void
test_lane_limits(void **state)
{
    unsigned  i, n;
    test_t   *t;

    static const struct {
        unsigned   size;
        kr_lane_e  lane;
        unsigned   may;
    } cases[] = {
        { 1, KR_LANE_ROWS, 9 },  /* the connections are the pool's matter */
        { 1, KR_LANE_RUNS, 1 },
        { 1, KR_LANE_ASKS, 1 },
        { 2, KR_LANE_RUNS, 1 },
        { 2, KR_LANE_ASKS, 1 },
        { 3, KR_LANE_RUNS, 2 },
        { 3, KR_LANE_ASKS, 2 },
        { 10, KR_LANE_ROWS, 9 },
        { 10, KR_LANE_RUNS, 5 },
        { 10, KR_LANE_ASKS, 9 }
    };

    t = *state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&t->ls, 0, sizeof(kr_lanes_t));
        kr_lanes_init(&t->ls, cases[i].size);
        t->n = 0;

        for (n = 0; n < 9; n++) {
            (void) add(t, cases[i].lane, n, NULL);
        }

        if (cases[i].lane != KR_LANE_ROWS) {
            assert_int_equal(kr_lanes_wanted(&t->ls), cases[i].may);
        }

        for (n = 0; take(t) != NULL; n++) {
            /* void */
        }

        assert_int_equal(n, cases[i].may);
        assert_int_equal(kr_lanes_wanted(&t->ls), 0);

        /* a change of a row needs nobody's leave, if there are enough */
        if (cases[i].size > 2) {
            (void) add(t, KR_LANE_ROWS, 100, NULL);
            assert_non_null(take(t));
        }

        while (t->ls.waiting != NULL) {
            kr_lanes_remove(&t->ls, t->ls.waiting);
        }

        kr_lanes_free(&t->ls);
    }

    memset(&t->ls, 0, sizeof(kr_lanes_t));
}


/* One is left, whatever the others do. */
static void
test_lane_reserve(void **state)
{
    unsigned   i;
    kr_job_t  *job;
    test_t    *t;

    t = *state;
    kr_lanes_init(&t->ls, 4);

    for (i = 0; i < 9; i++) {
        (void) add(t, KR_LANE_ASKS, i, NULL);
        (void) add(t, KR_LANE_RUNS, 20 + i, NULL);
    }

    assert_non_null(take(t));
    assert_non_null(take(t));
    assert_non_null(take(t));
    assert_null(take(t));

    job = add(t, KR_LANE_ROWS, 50, NULL);
    assert_ptr_equal(take(t), job);
}


/* What was slow waits among such, with all that is about the same. */
static void
test_lane_slow(void **state)
{
    kr_job_t  *a, *b, *c, *d;
    test_t    *t;

    t = *state;
    kr_lanes_init(&t->ls, 4);

    a = add(t, KR_LANE_ROWS, 1, NULL);
    assert_ptr_equal(take(t), a);

    /* these came before it was known */
    b = add(t, KR_LANE_ASKS, 1, NULL);
    c = add(t, KR_LANE_ASKS, 1, NULL);
    d = add(t, KR_LANE_ASKS, 2, NULL);

    again(t, a, KR_RUN_SLOW);
    assert_int_equal(a->slow, 1);

    assert_ptr_equal(take(t), d);
    assert_int_equal(b->slow, 1);
    assert_int_equal(c->slow, 1);

    /* half of the connections */
    assert_ptr_equal(take(t), a);
    assert_ptr_equal(take(t), b);
    assert_null(take(t));

    /* slow as it was, it is that for the next ones */
    end(t, a, KR_RUN_SLOW);
    assert_ptr_equal(take(t), c);
    a = add(t, KR_LANE_ROWS, 1, NULL);
    assert_int_equal(a->slow, 1);
    end(t, b, KR_RUN_ENDED);
    assert_ptr_equal(take(t), a);

    /* until it is quick there */
    end(t, c, KR_RUN_QUICK);
    end(t, a, KR_RUN_ENDED);
    a = add(t, KR_LANE_ROWS, 1, NULL);
    assert_int_equal(a->slow, 0);
    assert_ptr_equal(take(t), a);
    assert_null(t->ls.lanes[KR_LANE_SLOW].flows);
}


static void
test_lane_forgets(void **state)
{
    kr_job_t  *a;
    test_t    *t;

    t = *state;
    kr_lanes_init(&t->ls, 4);

    a = add(t, KR_LANE_ROWS, 1, NULL);
    assert_ptr_equal(take(t), a);
    end(t, a, KR_RUN_SLOW);

    t->now += KR_SLOW_KEEP;
    a = add(t, KR_LANE_ROWS, 1, NULL);
    assert_int_equal(a->slow, 1);
    assert_ptr_equal(take(t), a);
    end(t, a, KR_RUN_ENDED);

    t->now++;
    a = add(t, KR_LANE_ROWS, 1, NULL);
    assert_int_equal(a->slow, 0);
    assert_ptr_equal(take(t), a);
    end(t, a, KR_RUN_QUICK);
}


/* A lock: a rest that grows, and one try at a time. */
static void
test_lane_locked(void **state)
{
    unsigned   delay;
    kr_job_t  *a, *b, *x;
    test_t    *t;

    t = *state;
    kr_lanes_init(&t->ls, 10);

    a = add(t, KR_LANE_ROWS, 1, NULL);
    b = add(t, KR_LANE_ASKS, 1, NULL);
    assert_ptr_equal(take(t), a);
    assert_ptr_equal(take(t), b);
    again(t, a, KR_RUN_LOCKED);
    again(t, b, KR_RUN_LOCKED);

    assert_null(take(t));
    assert_int_equal(kr_lanes_wanted(&t->ls), 0);
    assert_int_equal(kr_lanes_next(&t->ls, 1), t->now + KR_REST_MIN);

    for (delay = 2 * KR_REST_MIN; delay < 3 * KR_REST_MAX; delay *= 2) {
        t->now = kr_lanes_next(&t->ls, 1);
        assert_int_equal(kr_lanes_wanted(&t->ls), 0);

        x = take(t);
        assert_non_null(x);

        /* the other one waits for what becomes of it */
        assert_null(take(t));
        again(t, x, KR_RUN_LOCKED);
        assert_null(take(t));
        assert_int_equal(kr_lanes_next(&t->ls, 1) - t->now,
                         delay < KR_REST_MAX ? delay : KR_REST_MAX);
    }

    /* who has rested wants a connection, though none is idle to take it */
    t->now = kr_lanes_next(&t->ls, 0);
    kr_lanes_wake(&t->ls, t->now);
    assert_int_not_equal(kr_lanes_wanted(&t->ls), 0);
    assert_true(kr_lanes_next(&t->ls, 0) > t->now);
    again(t, take(t), KR_RUN_LOCKED);

    /* others are not held up */
    x = add(t, KR_LANE_ASKS, 2, NULL);
    assert_ptr_equal(take(t), x);

    t->now = kr_lanes_next(&t->ls, 1);
    x = take(t);
    assert_non_null(x);
    end(t, x, KR_RUN_QUICK);
    assert_ptr_equal(take(t), x == a ? b : a);
}


static void
test_lane_cancel(void **state)
{
    kr_job_t  *a, *b;
    test_t    *t;

    t = *state;
    kr_lanes_init(&t->ls, 10);

    a = add(t, KR_LANE_ROWS, 1, NULL);
    assert_ptr_equal(take(t), a);
    again(t, a, KR_RUN_LOCKED);
    kr_lanes_remove(&t->ls, a);
    assert_null(t->ls.resting);
    assert_int_equal(kr_lanes_next(&t->ls, 1), 0);

    /* it is known, and has its rest */
    a = add(t, KR_LANE_ROWS, 1, NULL);
    assert_null(take(t));
    t->now += KR_REST_MIN;
    assert_ptr_equal(take(t), a);
    end(t, a, KR_RUN_ENDED);

    a = add(t, KR_LANE_RUNS, 5, NULL);
    b = add(t, KR_LANE_RUNS, 5, NULL);
    kr_lanes_remove(&t->ls, a);
    assert_ptr_equal(take(t), b);
    assert_null(t->ls.lanes[KR_LANE_RUNS].flows);
}


/* All have the same time to wait; one that is tried again keeps its own. */
static void
test_lane_deadlines(void **state)
{
    kr_job_t  *a, *b, *c;
    test_t    *t;

    t = *state;
    kr_lanes_init(&t->ls, 10);

    a = add(t, KR_LANE_ASKS, 1, NULL);
    assert_ptr_equal(take(t), a);
    t->now += 5;
    b = add(t, KR_LANE_ASKS, 2, NULL);
    t->now += 5;
    c = add(t, KR_LANE_ASKS, 3, NULL);
    again(t, a, KR_RUN_LOCKED);

    assert_ptr_equal(t->ls.waiting, a);
    assert_ptr_equal(a->queue.dnext, b);
    assert_ptr_equal(b->queue.dnext, c);

    kr_lanes_later(&t->ls, b, c->queue.deadline_ms + 1);
    assert_ptr_equal(a->queue.dnext, c);
    assert_ptr_equal(c->queue.dnext, b);

    kr_lanes_remove(&t->ls, b);
    b = add(t, KR_LANE_ASKS, 4, NULL);
    kr_lanes_later(&t->ls, b, a->queue.deadline_ms + 1);
    assert_ptr_equal(a->queue.dnext, b);
    assert_int_equal(t->ls.asks, 3);
}


/* Of a single connection the slow lane has half of the time. */
static void
test_lane_single(void **state)
{
    kr_job_t  *a, *b;
    test_t    *t;

    t = *state;
    kr_lanes_init(&t->ls, 1);

    a = add(t, KR_LANE_ROWS, 1, NULL);
    assert_ptr_equal(take(t), a);
    again(t, a, KR_RUN_SLOW);
    assert_ptr_equal(take(t), a);
    t->now += 700;
    end(t, a, KR_RUN_SLOW);

    a = add(t, KR_LANE_ROWS, 1, NULL);
    assert_null(take(t));
    assert_int_equal(kr_lanes_next(&t->ls, 1), t->now + 700);
    assert_int_equal(kr_lanes_next(&t->ls, 0), a->queue.deadline_ms);

    b = add(t, KR_LANE_ROWS, 2, NULL);
    assert_ptr_equal(take(t), b);
    end(t, b, KR_RUN_QUICK);

    t->now += 699;
    assert_null(take(t));
    t->now++;
    assert_ptr_equal(take(t), a);
}


/* What is remembered is bounded. */
static void
test_lane_full(void **state)
{
    unsigned   i;
    kr_job_t  *a;
    test_t    *t;

    t = *state;
    kr_lanes_init(&t->ls, 10);

    for (i = 0; i < KR_SLOW_MAX + 1; i++) {
        t->n = 0;
        a = add(t, KR_LANE_ROWS, i, NULL);
        assert_ptr_equal(take(t), a);
        end(t, a, KR_RUN_SLOW);
    }

    assert_int_equal(HASH_COUNT(t->ls.lanes[KR_LANE_SLOW].flows),
                     KR_SLOW_MAX);

    a = add(t, KR_LANE_ROWS, 0, NULL);
    assert_int_equal(a->slow, 0);
    a = add(t, KR_LANE_ROWS, KR_SLOW_MAX, NULL);
    assert_int_equal(a->slow, 1);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        case_of(test_lane_turns),
        case_of(test_lane_begun),
        case_of(test_lane_storm),
        case_of(test_lane_limits),
        case_of(test_lane_reserve),
        case_of(test_lane_slow),
        case_of(test_lane_forgets),
        case_of(test_lane_locked),
        case_of(test_lane_cancel),
        case_of(test_lane_deadlines),
        case_of(test_lane_single),
        case_of(test_lane_full)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
