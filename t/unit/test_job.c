/* sources: kr_job.c kr_retry.c kr_buf.c */
/* libs: -levent_core */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kr_job.h"
#include "kr_retry.h"


static void
done(kr_job_t *job)
{
    (void) job;
}


/* A job that is filled again keeps nothing of its last run's statements. */
static void
test_job_fill(void **state)
{
    kr_job_t  job;

    (void) state;

    memset(&job, 0, sizeof(kr_job_t));

    kr_job_begin(&job, KR_JOB_SNAPSHOT, done);
    kr_job_query(&job, "one");
    kr_job_param(&job, "a");
    kr_job_param(&job, NULL);
    kr_job_query(&job, "two");
    job.tables = "{}";
    job.with_moment = 1;

    assert_int_equal(job.nstatements, 2);
    assert_string_equal(job.statements[0].sql, "one");
    assert_int_equal(job.statements[0].nparams, 2);
    assert_string_equal(job.statements[0].params[0], "a");
    assert_null(job.statements[0].params[1]);
    assert_int_equal(job.statements[1].nparams, 0);

    kr_job_begin(&job, KR_JOB_COMMITTED, done);
    kr_job_query(&job, "three");

    assert_int_equal(job.nstatements, 1);
    assert_int_equal(job.transaction, KR_JOB_COMMITTED);
    assert_string_equal(job.statements[0].sql, "three");
    assert_int_equal(job.statements[0].nparams, 0);
    assert_null(job.tables);
    assert_false(job.with_moment);
}


static int
outcome(kr_job_t *job, kr_job_status_e status, const char *sqlstate)
{
    job->status = status;
    strcpy(job->sqlstate, sqlstate);

    return kr_job_outcome(job);
}


/* Four errors in a row may pass; a LOST job is no error, and ends no row. */
static void
test_job_outcome(void **state)
{
    int       i;
    kr_job_t  job;

    (void) state;

    memset(&job, 0, sizeof(kr_job_t));

    assert_int_equal(outcome(&job, KR_JOB_DONE, ""), KR_OK);
    assert_int_equal(outcome(&job, KR_JOB_TOO_LARGE, ""), KR_DECLINED);
    assert_int_equal(outcome(&job, KR_JOB_FAILED, "42703"), KR_ERROR);

    for (i = 0; i < 4; i++) {
        assert_int_equal(outcome(&job, KR_JOB_FAILED, "40001"), KR_AGAIN);
        assert_int_equal(outcome(&job, KR_JOB_LOST, ""), KR_AGAIN);
    }

    assert_int_equal(outcome(&job, KR_JOB_FAILED, "40001"), KR_ERROR);

    assert_int_equal(outcome(&job, KR_JOB_DONE, ""), KR_OK);
    assert_int_equal(outcome(&job, KR_JOB_FAILED, "40001"), KR_AGAIN);
}


static void
test_job_reason(void **state)
{
    size_t    i;
    kr_buf_t  b;
    kr_job_t  job;

    static char  message[] = "no column";

    static const struct {
        kr_job_status_e   status;
        char             *message;
        unsigned          busy;
        const char       *reason;
    } cases[] = {
        { KR_JOB_FAILED, message, 0, "the query failed: no column" },
        { KR_JOB_FAILED, NULL, 0, "the query failed: 42703" },
        { KR_JOB_TOO_LARGE, NULL, 0, "the rows are larger than 70 bytes: use"
                                     " LIMIT, or fewer columns" },
        { KR_JOB_LOST, NULL, 0,
          "the database is not reachable, try again" },
        { KR_JOB_LOST, NULL, 1, "the database is busy, try again" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&b, 0, sizeof(kr_buf_t));
        memset(&job, 0, sizeof(kr_job_t));

        job.status = cases[i].status;
        job.message = cases[i].message;
        job.busy = cases[i].busy != 0;
        job.max_bytes = 70;
        strcpy(job.sqlstate, "42703");

        assert_string_equal(kr_job_reason(&job, NULL, &b),
                            cases[i].reason);
        kr_buf_free(&b);
    }

    memset(&b, 0, sizeof(kr_buf_t));
    job.status = KR_JOB_FAILED;
    assert_string_equal(kr_job_reason(&job, "field_value", &b),
                        "field_value: 42703");
    kr_buf_free(&b);
}


static void
test_retry_doubles(void **state)
{
    size_t    i;
    unsigned  wait_ms;

    static const uint64_t  waits[] = { 100, 200, 400, 800, 1600, 3200, 5000,
                                       5000 };

    (void) state;

    wait_ms = 0;

    for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        assert_int_equal(kr_retry_next(&wait_ms, &kr_retry_lost), waits[i]);
    }

    /* from one policy to the other */
    assert_int_equal(kr_retry_next(&wait_ms, &kr_retry_unseen), 100);
    wait_ms = 0;
    assert_int_equal(kr_retry_next(&wait_ms, &kr_retry_unseen), 1);
    assert_int_equal(kr_retry_next(&wait_ms, &kr_retry_unseen), 2);
    assert_int_equal(kr_retry_next(&wait_ms, &kr_retry_lost), 100);
}


/* What is left out of a wait does not shorten the next one. */
static void
test_retry_spread(void **state)
{
    int       i;
    uint64_t  ms;
    unsigned  wait_ms, whole;

    (void) state;

    wait_ms = 0;
    whole = 100;

    for (i = 0; i < 6; i++) {
        ms = kr_retry_next(&wait_ms, &kr_retry_connect);

        assert_int_equal(wait_ms, whole);
        assert_in_range(ms, whole - whole / 4, whole);
        whole *= 2;
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_job_fill),
        cmocka_unit_test(test_job_outcome),
        cmocka_unit_test(test_job_reason),
        cmocka_unit_test(test_retry_doubles),
        cmocka_unit_test(test_retry_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
