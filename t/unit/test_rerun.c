/* sources: kr_rerun.c kr_rerun_waiter.c kr_rerun_compare.c kr_job.c */
/* sources: kr_row.c kr_txn.c kr_loop.c kr_retry.c */
/* sources: kr_json.c kr_value.c kr_value_order.c kr_buf.c kr_lsn.c */
/* sources: kr_value_number.c */
/* libs: -lcrypto -levent_core -lpq */

#include "rerun_stubs.h"


#define SEES_ALL  "1000:1000:"

#define case_of(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


typedef struct {
    kr_registry_t    reg;
    kr_txns_t        txns;
    kr_routes_t      rs;
    kr_config_t      cf;
    kr_changes_t     cs;
    kr_reruns_t     *rn;
    kr_template_t    t;
    kr_route_t       rt;
    kr_route_t       rt2;
} test_t;


typedef struct {
    kr_waiter_t       g;          /* the first member */
    unsigned         done;
    int              rows;       /* -1: refused */
    uint64_t         from;
} guest_t;


static void
guest_done(kr_waiter_t *g)
{
    guest_t  *guest;

    guest = (guest_t *) g;
    guest->done++;
    guest->rows = g->rows == NULL ? -1 : PQntuples(g->rows);
    guest->from = g->from;

    assert_true((g->rows == NULL) == (g->reason != NULL));
}


static int
setup(void **state)
{
    test_t  *t;

    t = calloc(1, sizeof(test_t));
    if (t == NULL) {
        return -1;
    }

    clock_ms = 1000;
    njobs = 0;
    cancelled = 0;
    renewed = 0;
    stuck = UINT64_MAX;
    memset(&told, 0, sizeof(kr_buf_t));

    t->cf.chunk_size = 100;
    t->txns.confirm = confirm;
    t->rs.base = event_base_new();
    t->rs.registry = &t->reg;
    t->rs.txns = &t->txns;

    t->t.plan = &kr_rerun_plan;
    t->t.rerun = (char *) "rerun";
    t->t.snapshot = (char *) "rerun";
    t->t.key.n = 1;
    t->t.key.names[0].data = "id";
    t->t.key.names[0].len = 2;
    t->t.key.types[0] = 23;
    t->rt.template = &t->t;
    t->rt.param = (char *) "{1}";
    t->rt2.template = &t->t;
    t->rt2.param = (char *) "{2}";

    t->cs.routes = &t->rs;
    t->rn = kr_reruns_create(t->rs.base, &t->cf, NULL, &t->cs);

    *state = t;

    return t->rn == NULL ? -1 : 0;
}


static int
teardown(void **state)
{
    test_t  *t;

    t = *state;

    if (t->rt.rerun != NULL) {
        t->reg.ended(t->rt.rerun);
    }

    if (t->rt2.rerun != NULL) {
        t->reg.ended(t->rt2.rerun);
    }

    kr_reruns_free(t->rn);
    kr_txns_free(&t->txns);
    event_base_free(t->rs.base);
    kr_buf_free(&told);
    free(t);

    return 0;
}


static PGresult *
result(const char *const *cells, int rows)
{
    int             i;
    PGresult       *res;
    PGresAttDesc    desc[2];

    static char  name[] = "c";

    res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(res);

    memset(desc, 0, sizeof(desc));
    desc[0].name = name;
    desc[1].name = name;
    assert_int_equal(PQsetResultAttrs(res, 2, desc), 1);

    for (i = 0; i < 2 * rows; i++) {
        assert_int_equal(PQsetvalue(res, i / 2, i % 2, (char *) cells[i],
                                    cells[i] == NULL
                                    ? -1 : (int) strlen(cells[i])), 1);
    }

    return res;
}


/* The pool's oldest job is done, ms later; cells are keys and rows. */
static void
complete(unsigned ms, const char *snapshot, const char *const *cells,
    int rows)
{
    kr_job_t       *job;
    PGresult       *res;
    kr_snapshot_t   s;

    assert_true(njobs > 0);
    job = jobs[0];
    memmove(jobs, jobs + 1, --njobs * sizeof(kr_job_t *));

    res = result(cells, rows);

    clock_ms += ms;
    job->took_ms = ms;
    job->status = KR_JOB_DONE;
    job->results[0] = res;

    if (job->nstatements == 2) {
        job->results[1] = res;
    }

    assert_true(job->with_moment);
    assert_int_equal(kr_snapshot_parse(snapshot, strlen(snapshot), &s), KR_OK);
    job->moment.snapshot = s;

    job->done(job);

    kr_snapshot_free(&s);
    PQclear(res);
}


static void
fail_with(kr_job_status_e status, const char *sqlstate)
{
    kr_job_t  *job;

    assert_true(njobs > 0);
    job = jobs[0];
    memmove(jobs, jobs + 1, --njobs * sizeof(kr_job_t *));

    job->status = status;
    snprintf(job->sqlstate, sizeof(job->sqlstate), "%s", sqlstate);
    job->message = NULL;
    job->done(job);
}


static void
ask(test_t *t, kr_route_t *rt, guest_t *guest)
{
    memset(guest, 0, sizeof(guest_t));
    guest->g.done = guest_done;
    guest->g.asker = guest;
    assert_int_equal(kr_rerun_ask(t->rn, rt, &guest->g), KR_OK);
    assert_int_equal(guest->done, 0);
}


/* A transaction that touches the route. */
static void
touch(test_t *t, kr_route_t *rt, uint32_t xid)
{
    kr_hit_t  hit;

    memset(&hit, 0, sizeof(kr_hit_t));
    hit.route = rt;

    assert_int_equal(kr_txn_begin(&t->txns, xid, xid), KR_OK);
    assert_int_equal(kr_rerun_plan.touch(&t->cs, NULL, &hit, t->txns.open),
                     KR_OK);
    kr_rerun_plan.commit(&t->cs);
    kr_txn_commit(&t->txns);
}


/* The timer fires, ms later. */
static void
later(test_t *t, unsigned ms)
{
    clock_ms += ms;
    event_base_loop(t->rs.base, EVLOOP_ONCE);
}


static void
assert_told(const char *text)
{
    assert_string_equal(told.data == NULL ? "" : told.data, text);
    kr_buf_reset(&told);

    if (told.data != NULL) {
        told.data[0] = '\0';
    }
}


static const char *const  one[] = { "1", "{\"a\":1}" };
static const char *const  two[] = { "1", "{\"a\":2}", "2", "{\"a\":1}" };
static const char *const  three[] = { "2", "{\"a\":1}" };


static void
base(test_t *t, kr_route_t *rt)
{
    guest_t  guest;

    ask(t, rt, &guest);
    complete(0, SEES_ALL, one, 1);
    assert_int_equal(guest.done, 1);
    assert_int_equal(guest.rows, 1);
    assert_told("");
}


static void
test_rerun_differences(void **state)
{
    guest_t  guest;
    test_t  *t;

    t = *state;
    base(t, &t->rt);
    assert_int_equal(njobs, 0);

    touch(t, &t->rt, 10);
    assert_int_equal(njobs, 1);
    assert_string_equal(jobs[0]->statements[0].sql, "rerun");
    assert_string_equal(jobs[0]->statements[0].params[0], "{1}");
    complete(0, SEES_ALL, two, 2);
    assert_told("{\"a\":2,\"database_op\":\"update\"},"
                "{\"a\":1,\"database_op\":\"insert\"}\n");

    touch(t, &t->rt, 11);
    complete(0, SEES_ALL, two, 2);
    assert_told("");

    /* a guest's run is one for the members too, who hear first */
    ask(t, &t->rt, &guest);
    complete(0, SEES_ALL, three, 1);
    assert_told("{\"id\":1,\"database_op\":\"delete\"}\n");
    assert_int_equal(guest.rows, 1);
    assert_int_equal(guest.from, 3);
}


/* Whose rows nobody was given is not run for. */
static void
test_rerun_unasked(void **state)
{
    test_t  *t;

    t = *state;

    touch(t, &t->rt, 10);
    assert_int_equal(njobs, 0);
    assert_int_equal(t->txns.done, 10);
}


static void
test_rerun_gathers(void **state)
{
    guest_t   a, b;
    test_t   *t;

    t = *state;
    base(t, &t->rt);

    touch(t, &t->rt, 10);
    touch(t, &t->rt, 11);
    touch(t, &t->rt, 12);
    ask(t, &t->rt, &a);
    ask(t, &t->rt, &b);
    assert_int_equal(njobs, 1);

    complete(0, SEES_ALL, two, 2);
    assert_int_equal(a.done, 0);
    assert_int_equal(njobs, 1);
    complete(0, SEES_ALL, three, 1);
    assert_int_equal(a.rows, 1);
    assert_int_equal(b.rows, 1);
    assert_int_equal(njobs, 0);
    assert_int_equal(t->txns.done, 12);
}


/* Nothing is confirmed before its run's events were handed on. */
static void
test_rerun_holds(void **state)
{
    test_t  *t;

    t = *state;
    base(t, &t->rt);

    touch(t, &t->rt, 10);
    touch(t, &t->rt, 11);
    assert_int_equal(t->txns.done, 0);
    complete(0, SEES_ALL, one, 1);
    assert_int_equal(t->txns.done, 10);
    complete(0, SEES_ALL, one, 1);
    assert_int_equal(t->txns.done, 11);
}


/* A run that does not see the change is none; a guest waits as well. */
static void
test_rerun_unseen(void **state)
{
    guest_t  guest;
    test_t  *t;

    t = *state;
    base(t, &t->rt);

    touch(t, &t->rt, 10);
    ask(t, &t->rt, &guest);
    complete(0, "10:10:", one, 1);
    assert_told("");
    assert_int_equal(t->txns.done, 0);
    assert_int_equal(njobs, 0);

    later(t, 1);
    assert_int_equal(njobs, 1);
    assert_int_equal(guest.done, 0);
    complete(0, "10:12:10,11", one, 1);
    later(t, 2);
    complete(0, "11:11:", two, 2);
    assert_told("{\"a\":2,\"database_op\":\"update\"},"
                "{\"a\":1,\"database_op\":\"insert\"}\n");
    assert_int_equal(guest.rows, 2);
    assert_int_equal(t->txns.done, 10);
}


/* The first run must see what was read before the index knew the route. */
static void
test_rerun_first(void **state)
{
    guest_t  guest;
    test_t  *t;

    t = *state;

    assert_int_equal(kr_txn_begin(&t->txns, 10, 10), KR_OK);
    kr_txn_commit(&t->txns);

    ask(t, &t->rt, &guest);
    complete(0, "10:10:", one, 1);
    assert_int_equal(guest.done, 0);
    later(t, 1);
    complete(0, SEES_ALL, one, 1);
    assert_int_equal(guest.rows, 1);
}


static void
test_rerun_rests(void **state)
{
    guest_t  guest;
    test_t  *t;

    t = *state;
    base(t, &t->rt);

    touch(t, &t->rt, 10);
    complete(20, SEES_ALL, two, 2);
    touch(t, &t->rt, 11);
    assert_int_equal(njobs, 0);

    /* a guest does not wait */
    ask(t, &t->rt, &guest);
    assert_int_equal(njobs, 1);
    complete(20, SEES_ALL, two, 2);
    assert_int_equal(guest.done, 1);
    assert_int_equal(t->txns.done, 11);

    touch(t, &t->rt, 12);
    assert_int_equal(njobs, 0);
    later(t, 20);
    assert_int_equal(njobs, 1);
    complete(0, SEES_ALL, two, 2);
}


/* What a client asks for waits among what it asks, not what others have. */
static void
test_rerun_lanes(void **state)
{
    guest_t  guest;
    test_t  *t;

    t = *state;
    base(t, &t->rt);
    base(t, &t->rt2);

    touch(t, &t->rt, 10);
    touch(t, &t->rt2, 11);
    assert_int_equal(njobs, 2);
    assert_int_equal(jobs[0]->lane, KR_LANE_RUNS);
    assert_int_equal(jobs[1]->lane, KR_LANE_RUNS);
    assert_null(jobs[0]->asker);
    complete(0, SEES_ALL, one, 1);
    complete(0, SEES_ALL, one, 1);

    ask(t, &t->rt2, &guest);
    assert_int_equal(jobs[0]->lane, KR_LANE_ASKS);
    assert_ptr_equal(jobs[0]->asker, &guest);
    complete(0, SEES_ALL, one, 1);
    assert_int_equal(guest.done, 1);
    assert_int_equal(t->txns.done, 11);
}


/* A run that hangs: guests give up, then the route does. */
static void
test_rerun_stuck(void **state)
{
    guest_t  guest;
    test_t  *t;

    t = *state;
    base(t, &t->rt);
    base(t, &t->rt2);

    touch(t, &t->rt, 10);
    touch(t, &t->rt2, 200);
    ask(t, &t->rt, &guest);
    jobs[0]->slow = 1;
    clock_ms += 8000;
    kr_rerun_plan.sweep(&t->cs);
    assert_int_equal(guest.done, 0);

    clock_ms++;
    kr_rerun_plan.sweep(&t->cs);
    assert_int_equal(guest.rows, -1);
    assert_told("");

    stuck = 190;
    kr_rerun_plan.sweep(&t->cs);
    assert_told("");
    assert_int_equal(t->txns.done, 0);

    /* the other one, which keeps nothing, is no matter */
    stuck = 189;
    jobs[0]->locked = 1;
    kr_rerun_plan.sweep(&t->cs);
    assert_told("reset: a table that the query reads is locked: subscribe"
                " again\n");
    assert_int_equal(cancelled, 1);
    assert_int_equal(t->txns.done, 10);

    jobs[0] = jobs[1];
    complete(0, SEES_ALL, one, 1);
    assert_int_equal(t->txns.done, 200);
}


/* Nobody has anything of the route, so nothing is kept for it. */
static void
test_rerun_stuck_first(void **state)
{
    guest_t  guest;
    test_t  *t;

    t = *state;

    ask(t, &t->rt, &guest);
    touch(t, &t->rt, 10);
    jobs[0]->slow = 1;
    stuck = 0;
    touch(t, &t->rt, 11);
    kr_rerun_plan.sweep(&t->cs);
    assert_int_equal(guest.rows, -1);
    assert_int_equal(cancelled, 1);
    assert_int_equal(t->txns.done, 11);
    assert_told("");

    base(t, &t->rt);
}


static void
test_rerun_fails(void **state)
{
    guest_t  guest;
    test_t  *t;

    t = *state;

    /* before there was a result nobody is to be told */
    ask(t, &t->rt, &guest);
    fail_with(KR_JOB_FAILED, "42703");
    assert_int_equal(guest.rows, -1);
    assert_told("");

    base(t, &t->rt);

    touch(t, &t->rt, 10);
    fail_with(KR_JOB_LOST, "");
    assert_int_equal(renewed, 1);
    later(t, 100);
    fail_with(KR_JOB_FAILED, "57014");
    later(t, 200);
    complete(0, SEES_ALL, three, 1);
    assert_told("{\"id\":1,\"database_op\":\"delete\"},"
                "{\"a\":1,\"database_op\":\"insert\"}\n");

    touch(t, &t->rt, 11);
    ask(t, &t->rt, &guest);
    fail_with(KR_JOB_FAILED, "42703");
    assert_told("reset: the query failed: 42703\n");
    assert_int_equal(guest.rows, -1);
    assert_int_equal(t->txns.done, 11);
}


static void
test_rerun_ends(void **state)
{
    guest_t   a, b, c;
    test_t   *t;

    t = *state;
    base(t, &t->rt);

    touch(t, &t->rt, 10);
    ask(t, &t->rt, &a);
    ask(t, &t->rt, &b);
    kr_rerun_cancel(&b.g);

    t->reg.ended(t->rt.rerun);
    t->rt.rerun = NULL;

    assert_int_equal(cancelled, 1);
    assert_int_equal(a.rows, -1);
    assert_int_equal(b.done, 0);
    assert_int_equal(t->txns.done, 10);

    /* one of those that are served goes meanwhile */
    ask(t, &t->rt, &a);
    ask(t, &t->rt, &c);
    kr_rerun_cancel(&a.g);
    complete(0, SEES_ALL, one, 1);
    assert_int_equal(a.done, 0);
    complete(0, SEES_ALL, one, 1);
    assert_int_equal(c.done, 1);
}


/* Keys that are NULL, empty, or come more than once. */
static void
test_rerun_keys(void **state)
{
    guest_t  guest;
    test_t  *t;

    static const char *const  first[] = {
        NULL, "{\"n\":1}", "", "{\"e\":1}", "7", "{\"a\":1}", "7", "{\"a\":2}"
    };
    static const char *const  second[] = {
        "7", "{\"a\":2}", "", "{\"e\":1}", "7", "{\"a\":1}"
    };

    t = *state;
    ask(t, &t->rt, &guest);
    complete(0, SEES_ALL, first, 4);

    touch(t, &t->rt, 10);
    complete(0, SEES_ALL, second, 3);
    assert_told("{\"id\":null,\"database_op\":\"delete\"}\n");

    touch(t, &t->rt, 11);
    complete(0, SEES_ALL, second, 2);
    assert_told("{\"a\":2,\"database_op\":\"update\"}\n");

    touch(t, &t->rt, 12);
    complete(0, SEES_ALL, first, 1);
    assert_told("{\"id\":\"\",\"database_op\":\"delete\"},"
                "{\"id\":7,\"database_op\":\"delete\"},"
                "{\"n\":1,\"database_op\":\"insert\"}\n");
}


/* ORDER BY and LIMIT are for the guest alone. */
static void
test_rerun_snapshot(void **state)
{
    guest_t  guest;
    test_t  *t;

    t = *state;
    t->t.snapshot = (char *) "ordered";
    t->t.windowed = 1;

    ask(t, &t->rt, &guest);
    assert_int_equal(jobs[0]->nstatements, 2);
    assert_string_equal(jobs[0]->statements[0].sql, "rerun");
    assert_string_equal(jobs[0]->statements[1].sql, "ordered");
    complete(0, SEES_ALL, one, 1);

    touch(t, &t->rt, 10);
    assert_int_equal(jobs[0]->nstatements, 1);
    complete(0, SEES_ALL, one, 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        case_of(test_rerun_differences),
        case_of(test_rerun_unasked),
        case_of(test_rerun_gathers),
        case_of(test_rerun_holds),
        case_of(test_rerun_unseen),
        case_of(test_rerun_first),
        case_of(test_rerun_rests),
        case_of(test_rerun_lanes),
        case_of(test_rerun_stuck),
        case_of(test_rerun_stuck_first),
        case_of(test_rerun_fails),
        case_of(test_rerun_ends),
        case_of(test_rerun_keys),
        case_of(test_rerun_snapshot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
