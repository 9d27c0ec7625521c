/* sources: kr_alter.c kr_job.c kr_retry.c kr_txn.c kr_lsn.c kr_buf.c */
/* libs: -levent_core -lpq */

/* When altered tables are looked for: a sweep, and DDL that was noticed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_alter.h"
#include "kr_log.h"
#include "kr_loop.h"
#include "kr_table_shape.h"


#define NONE  UINT64_MAX


typedef struct {
    struct event_base  *base;
    kr_registry_t       reg;
    kr_txns_t          *txns;
    kr_alters_t        *alters;
    PGresult           *empty;
} test_t;


static uint64_t       clock_ms;
static uint64_t       timer_ms;     /* of the timer after DDL; NONE: it is not
                                       set */
static struct event  *timer;
static kr_job_t      *job;          /* the pool's */


uint64_t
kr_now(void)
{
    return clock_ms;
}


void
kr_log(kr_log_level_e level, const char *fmt, ...)
{
    (void) level;
    (void) fmt;
}


void
kr_no_memory(const char *what)
{
    (void) what;

    abort();
}


void
kr_loop_timer(struct event *ev, uint64_t ms)
{
    timer = ev;
    timer_ms = ms;
}


void
kr_pool_run(kr_pool_t *pool, kr_job_t *jb)
{
    (void) pool;

    assert_null(job);
    job = jb;
}


void
kr_pool_cancel(kr_pool_t *pool, kr_job_t *jb)
{
    (void) pool;
    (void) jb;
}


const char *
kr_table_shape_judge(const char *before, const char *now)
{
    (void) before;
    (void) now;

    return NULL;
}


int
kr_changes_reset_table(kr_changes_t *cs, const kr_relation_t *table,
    const char *cause)
{
    (void) cs;
    (void) table;
    (void) cause;

    return KR_OK;
}


kr_watched_table_t *
kr_watched_table_find(kr_registry_t *reg, const kr_relation_t *table)
{
    (void) reg;
    (void) table;

    return NULL;
}


int
kr_watched_table_shape(kr_watched_table_t *wt, const char *shape)
{
    (void) wt;
    (void) shape;

    return KR_OK;
}


static void
confirm(kr_txns_t *ts)
{
    (void) ts;
}


static void
watch(test_t *t, size_t n)
{
    char                *name;
    size_t               i, len;
    kr_watched_table_t  *wt;

    for (i = 0; i < n; i++) {
        wt = calloc(1, sizeof(kr_watched_table_t));
        name = calloc(1, 32);
        assert_non_null(wt);
        assert_non_null(name);

        len = (size_t) sprintf(name, "s%ct%zu", '\0', i) + 1;

        wt->name = name;
        wt->name_len = len;
        wt->number = ++t->reg.watches;
        wt->table.schema.data = name;
        wt->table.schema.len = 1;
        wt->table.name.data = name + 2;
        wt->table.name.len = len - 3;

        HASH_ADD_KEYPTR(hh, t->reg.watched, wt->name, wt->name_len, wt);
    }
}


static int
setup(void **state)
{
    test_t  *t;

    t = calloc(1, sizeof(test_t));
    assert_non_null(t);

    clock_ms = 1000;
    timer_ms = NONE;
    job = NULL;

    t->base = event_base_new();
    t->txns = calloc(1, sizeof(kr_txns_t));
    t->empty = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(t->base);
    assert_non_null(t->txns);
    assert_non_null(t->empty);

    t->txns->confirm = confirm;
    t->alters = kr_alters_create(t->base, NULL, &t->reg, NULL, t->txns);
    assert_non_null(t->alters);

    *state = t;

    return 0;
}


static int
teardown(void **state)
{
    test_t              *t;
    kr_watched_table_t  *wt, *next;

    t = *state;

    kr_alters_free(t->alters);

    HASH_ITER(hh, t->reg.watched, wt, next) {
        HASH_DEL(t->reg.watched, wt);
        free(wt->name);
        free(wt);
    }

    kr_txns_free(t->txns);
    free(t->txns);
    PQclear(t->empty);
    event_base_free(t->base);
    free(t);

    return 0;
}


/* A transaction with DDL was read. */
static void
ddl(test_t *t, uint32_t xid)
{
    assert_int_equal(kr_txn_begin(t->txns, xid, xid), KR_OK);
    kr_txn_commit(t->txns);
    kr_alters_noticed(t->alters);
}


/* The timer after DDL fires. */
static void
fire(void)
{
    timer_ms = NONE;
    event_get_callback(timer)(-1, EV_TIMEOUT, event_get_callback_arg(timer));
}


/* The job is done, in a snapshot. */
static void
answer(test_t *t, kr_job_status_e status, const char *snapshot)
{
    kr_job_t  *jb;

    assert_non_null(job);
    assert_true(job->with_moment);

    jb = job;
    job = NULL;

    jb->status = status;
    jb->took_ms = 150;
    jb->results[1] = t->empty;
    assert_int_equal(kr_snapshot_parse(snapshot, strlen(snapshot),
                                       &jb->moment.snapshot), KR_OK);
    jb->done(jb);
    kr_snapshot_free(&jb->moment.snapshot);
}


static void
test_notice_none(void **state)
{
    test_t  *t = *state;

    /* no route reads a table */
    ddl(t, 10);
    assert_int_equal(timer_ms, NONE);
}


/* DDL of several transactions is looked at once; the next look is put off. */
static void
test_notice_once(void **state)
{
    test_t  *t = *state;

    watch(t, 3);
    ddl(t, 10);
    ddl(t, 11);
    assert_int_equal(timer_ms, 0);

    fire();
    answer(t, KR_JOB_DONE, "20:20:");
    assert_int_equal(timer_ms, NONE);

    clock_ms += 50;
    ddl(t, 21);
    assert_int_equal(timer_ms, 100);

    clock_ms += 200;
    ddl(t, 22);
    assert_int_equal(timer_ms, 0);
}


/* A snapshot that does not see the transaction is followed by another. */
static void
test_notice_unseen(void **state)
{
    unsigned   i;
    test_t    *t = *state;

    watch(t, 3);
    ddl(t, 10);
    fire();

    for (i = 0; i < 3; i++) {
        answer(t, KR_JOB_DONE, "10:11:10");
        assert_in_range(timer_ms, 1, 10000);
        fire();
    }

    answer(t, KR_JOB_LOST, "10:11:10");
    assert_in_range(timer_ms, 1, 60000);
    fire();

    answer(t, KR_JOB_DONE, "11:11:");
    assert_int_equal(timer_ms, NONE);
}


/* DDL that is read while a question is under way has one of its own. */
static void
test_notice_under_way(void **state)
{
    test_t  *t = *state;

    watch(t, 3);
    ddl(t, 10);
    fire();
    ddl(t, 11);
    assert_int_equal(timer_ms, NONE);

    answer(t, KR_JOB_DONE, "11:12:11");
    assert_in_range(timer_ms, 1, 10000);
    fire();

    answer(t, KR_JOB_DONE, "12:12:");
    assert_int_equal(timer_ms, NONE);
}


/* DDL without end leaves pauses between the questions. */
static void
test_notice_endless(void **state)
{
    uint32_t   xid;
    test_t    *t = *state;

    watch(t, 2 * KR_ALTER_MAX);
    ddl(t, 10);
    fire();

    for (xid = 11; xid < 20; xid++) {
        ddl(t, xid);
        answer(t, KR_JOB_DONE, xid % 2 ? "30:30:" : "10:11:10");
        assert_in_range(timer_ms, 150, 10000);
        fire();
    }
}


/* All tables have their turn at once, also more than one question takes. */
static void
test_notice_many(void **state)
{
    test_t  *t = *state;

    watch(t, 2 * KR_ALTER_MAX + 1);
    ddl(t, 10);
    fire();

    answer(t, KR_JOB_DONE, "20:20:");
    assert_int_equal(timer_ms, 0);
    fire();
    answer(t, KR_JOB_DONE, "20:20:");
    assert_int_equal(timer_ms, 0);
    fire();
    answer(t, KR_JOB_DONE, "20:20:");
    assert_int_equal(timer_ms, NONE);
}


/* A row of the event triggers, and no other. */
static void
test_notice_row(void **state)
{
    size_t       i;
    kr_change_t  c;

    static const struct {
        kr_action_e   action;
        const char   *schema;
        const char   *table;
        int           is;
    } cases[] = {
        { KR_INSERT, "kairos", "ddl", 1 },
        { KR_DELETE, "kairos", "ddl", 0 },
        { KR_INSERT, "public", "ddl", 0 },
        { KR_INSERT, "kairos", "ddl2", 0 },
        { KR_INSERT, "kairo", "ddl", 0 },
        { KR_INSERT, "", "", 0 }
    };

    (void) state;

    memset(&c, 0, sizeof(kr_change_t));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c.action = cases[i].action;
        c.schema.data = cases[i].schema;
        c.schema.len = strlen(cases[i].schema);
        c.table.data = cases[i].table;
        c.table.len = strlen(cases[i].table);

        assert_int_equal(kr_alter_is_note(&c), cases[i].is);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_notice_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notice_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notice_unseen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notice_under_way, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_notice_endless, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notice_many, setup, teardown),
        cmocka_unit_test(test_notice_row)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
