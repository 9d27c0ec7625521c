/* sources: kr_txn.c kr_lsn.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_txn.h"


/* how often confirm was called */
typedef struct {
    kr_txns_t   ts;
    unsigned    confirms;
} test_txns_t;


static void
confirm(kr_txns_t *ts)
{
    ((test_txns_t *) ts)->confirms++;
}


static int
setup(void **state)
{
    test_txns_t  *t;

    t = calloc(1, sizeof(test_txns_t));
    if (t == NULL) {
        return -1;
    }

    t->ts.confirm = confirm;
    *state = t;

    return 0;
}


static int
teardown(void **state)
{
    test_txns_t  *t;

    t = *state;

    kr_txns_free(&t->ts);
    free(t);

    return 0;
}


/* A transaction that one row holds. */
static kr_txn_t *
begin(kr_txns_t *ts, uint32_t xid, uint64_t lsn)
{
    kr_txn_t  *txn;

    assert_int_equal(kr_txn_begin(ts, xid, lsn), KR_OK);
    txn = kr_txn_hold(ts->open);
    kr_txn_commit(ts);

    return txn;
}


static void
test_txn_empty(void **state)
{
    kr_txns_t  *ts;

    ts = *state;

    assert_int_equal(kr_txn_begin(ts, 1, 100), KR_OK);
    assert_int_equal(ts->done, 0);
    kr_txn_commit(ts);

    assert_int_equal(ts->done, 100);
    assert_int_equal(ts->last, 100);
    assert_int_equal(ts->n, 0);
}


static void
test_txn_order(void **state)
{
    kr_txn_t   *a, *b, *c;
    kr_txns_t  *ts;

    ts = *state;

    a = begin(ts, 1, 100);
    b = begin(ts, 2, 200);
    c = begin(ts, 3, 300);

    kr_txn_release(c);
    assert_int_equal(ts->done, 0);

    kr_txn_release(a);
    assert_int_equal(ts->done, 100);

    kr_txn_release(b);
    assert_int_equal(ts->done, 300);
    assert_int_equal(((test_txns_t *) ts)->confirms, 2);
}


/* However many come and go behind one that waits, none is kept. */
static void
test_txn_bounded(void **state)
{
    unsigned    i;
    kr_txn_t   *a;
    kr_txns_t  *ts;

    ts = *state;
    a = begin(ts, 1, 10);

    for (i = 2; i < 1000; i++) {
        kr_txn_release(begin(ts, i, 10 * i));
    }

    assert_int_equal(ts->n, 1);
    assert_int_equal(ts->done, 0);

    kr_txn_release(a);
    assert_int_equal(ts->done, 9990);
}


static void
test_txn_again(void **state)
{
    kr_txns_t  *ts;

    ts = *state;

    kr_txn_release(begin(ts, 1, 100));

    assert_int_equal(kr_txn_begin(ts, 1, 100), KR_DECLINED);
    assert_null(ts->open);
    kr_txn_commit(ts);

    kr_txn_release(begin(ts, 2, 101));
    assert_int_equal(ts->done, 101);
}


/* Its rows so far may be done; it itself is not before its commit is read. */
static void
test_txn_abort(void **state)
{
    kr_txn_t   *part;
    kr_txns_t  *ts;

    ts = *state;

    kr_txn_release(begin(ts, 1, 100));

    assert_int_equal(kr_txn_begin(ts, 2, 200), KR_OK);
    part = kr_txn_hold(ts->open);
    kr_txn_abort(ts);

    kr_txn_release(part);
    assert_int_equal(ts->done, 100);
    assert_int_equal(ts->last, 100);

    kr_txn_release(begin(ts, 2, 200));
    assert_int_equal(ts->done, 200);
}


static void
test_txn_passed(void **state)
{
    kr_txn_t   *a;
    kr_txns_t  *ts;

    ts = *state;

    kr_txn_passed(ts, 50);
    assert_int_equal(ts->done, 50);

    a = begin(ts, 1, 100);
    kr_txn_passed(ts, 150);
    assert_int_equal(ts->done, 50);

    kr_txn_release(a);
    assert_int_equal(ts->done, 150);

    /* in the middle of one it says nothing */

    assert_int_equal(kr_txn_begin(ts, 2, 300), KR_OK);
    kr_txn_passed(ts, 400);
    assert_int_equal(ts->done, 150);
    kr_txn_commit(ts);
    assert_int_equal(ts->done, 300);
}


static void
test_txn_barrier(void **state)
{
    kr_txn_t   *a, *barrier;
    kr_txns_t  *ts;

    ts = *state;

    a = begin(ts, 1, 100);

    barrier = kr_txn_barrier(ts);
    assert_non_null(barrier);

    kr_txn_release(a);
    kr_txn_release(begin(ts, 2, 200));
    kr_txn_passed(ts, 250);
    assert_int_equal(ts->done, 0);

    kr_txn_release(barrier);
    assert_int_equal(ts->done, 250);

    /* one that guarded nothing confirms nothing */

    barrier = kr_txn_barrier(ts);
    assert_non_null(barrier);
    kr_txn_release(barrier);
    assert_int_equal(ts->done, 250);
}


static void
test_txn_forget(void **state)
{
    kr_txn_t   *a;
    kr_txns_t  *ts;

    ts = *state;

    a = begin(ts, 1, 5000);
    kr_txns_forget(ts);

    kr_txn_release(a);
    assert_int_equal(ts->done, 0);

    /* another cluster's positions may be lower */

    kr_txn_release(begin(ts, 1, 100));
    assert_int_equal(ts->done, 100);
}


static void
test_txn_settled(void **state)
{
    uint64_t        before;
    kr_txns_t      *ts;
    kr_snapshot_t   s;

    ts = *state;

    kr_txn_release(begin(ts, 10, 100));
    kr_txn_release(begin(ts, 11, 200));
    before = ts->begun;
    kr_txn_release(begin(ts, 12, 300));

    /* 11 is committed and read, and still in progress to this snapshot */

    assert_int_equal(kr_snapshot_parse("11:12:11", 8, &s), KR_OK);
    assert_false(kr_txn_settled(ts, &s, 0, before));
    kr_snapshot_free(&s);

    assert_int_equal(kr_snapshot_parse("12:12:", 6, &s), KR_OK);
    assert_true(kr_txn_settled(ts, &s, 0, before));
    assert_false(kr_txn_settled(ts, &s, 0, ts->begun));
    kr_snapshot_free(&s);
}


/* Two snapshots are taken, and the result of the later one comes first. */
static void
test_txn_settled_order(void **state)
{
    uint64_t        since;
    kr_txns_t      *ts;
    kr_snapshot_t   s;

    ts = *state;

    kr_txn_release(begin(ts, 10, 100));
    kr_txn_release(begin(ts, 11, 200));
    since = ts->first;

    assert_int_equal(kr_snapshot_parse("12:12:", 6, &s), KR_OK);
    assert_true(kr_txn_settled(ts, &s, since, ts->begun));
    kr_snapshot_free(&s);

    assert_int_equal(kr_snapshot_parse("11:12:11", 8, &s), KR_OK);
    assert_false(kr_txn_settled(ts, &s, since, ts->begun));

    /* what was asked for now sees it, whatever it says */

    assert_true(kr_txn_settled(ts, &s, ts->first, ts->begun));
    kr_snapshot_free(&s);
}


/*
 * What fell out of the ring is visible to snapshots that are asked for then,
 * and perhaps not to one that was on its way while it fell.
 */
static void
test_txn_settled_ring(void **state)
{
    unsigned        i;
    uint64_t        since, before;
    kr_txns_t      *ts;
    kr_snapshot_t   s;

    ts = *state;

    since = ts->first;
    kr_txn_release(begin(ts, 1000, 100));
    before = ts->begun;

    for (i = 1; i < KR_RECENT_MAX + 10; i++) {
        kr_txn_release(begin(ts, 1000 + i, 100 + i));
    }

    assert_int_equal(ts->begun - ts->first, KR_RECENT_MAX);

    assert_int_equal(kr_snapshot_parse("1000:1000:", 10, &s), KR_OK);
    assert_false(kr_txn_settled(ts, &s, since, before));
    assert_true(kr_txn_settled(ts, &s, since, since));

    since = ts->first;
    assert_true(kr_txn_settled(ts, &s, since, before));
    assert_true(kr_txn_settled(ts, &s, since, since));
    assert_false(kr_txn_settled(ts, &s, since, since + 1));
    kr_snapshot_free(&s);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_txn_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn_abort, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn_passed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn_barrier, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn_forget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn_settled_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_txn_settled_ring, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
