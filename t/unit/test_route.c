/* sources: kr_route.c kr_route_join.c kr_backlog.c kr_answer.c kr_txn.c */
/* sources: kr_registry.c kr_registry_def.c kr_registry_members.c */
/* sources: kr_registry_tickets.c kr_registry_tables.c */
/* sources: kr_registry_parts.c kr_registry_topic.c kr_json.c kr_op.c */
/* sources: kr_value.c kr_value_order.c kr_held.c kr_row.c */
/* sources: kr_value_number.c */
/* sources: kr_buf.c kr_clock.c kr_lsn.c kr_loop.c kairos_feed.c */
/* sources: kr_registry_route.c */
/* libs: -lcrypto -levent_core -lpq */

#include "route_stubs.h"


#define LOST_LAG  75000          /* ms, as kr_route_private.h has it */
#define STALL     3000


typedef struct {
    struct event_base  *base;
    kr_registry_t      *reg;
    kr_txns_t          *txns;
    kr_routes_t         rs;
    kr_config_t         cf;
    kr_conn_t           conn;
    kr_template_t      *template;
    kr_route_t         *rt;
} test_t;


static const kr_plan_ops_t  rows = { .name = "rows", .resumable = 1 };
static const kr_plan_ops_t  whole = { .name = "rerun", .joinable = 1 };


static void
confirm(kr_txns_t *ts)
{
    (void) ts;
}


static kr_route_t *
add_with(test_t *t, const char *value, const kr_plan_ops_t *plan)
{
    kr_str_t         v;
    kr_route_t      *rt;
    kr_route_def_t   def;

    static const kr_str_t  empty = kr_str("");

    v.data = value;
    v.len = strlen(value);

    memset(&def, 0, sizeof(kr_route_def_t));

    def.canonical = empty;
    def.plan = plan;
    def.refetch = empty;
    def.rerun = empty;
    def.snapshot = empty;
    def.alias = empty;
    def.event = empty;
    def.claims = empty;
    def.spec = empty;
    def.predicate.schema = empty;
    def.predicate.table = empty;
    def.predicate.column = empty;
    def.predicate.nvalues = 1;
    def.predicate.values = &v;

    assert_int_equal(kr_registry_add(t->reg, &def, t->txns->last, kr_now(),
                                     &rt),
                     KR_OK);

    return rt;
}


static kr_route_t *
add(test_t *t, const char *value)
{
    return add_with(t, value, &rows);
}


static kr_worker_t *
come(test_t *t)
{
    kr_worker_t  *wk;

    wk = kr_worker_add(t->reg, &t->conn);
    assert_non_null(wk);
    t->conn.worker = wk;

    return wk;
}


static int
setup(void **state)
{
    test_t  *t;

    t = calloc(1, sizeof(test_t));
    if (t == NULL) {
        return -1;
    }

    t->cf.route_grace = 60000;
    t->cf.backlog_max = 4096;
    t->cf.backlog_total = 8192;

    t->base = event_base_new();
    t->reg = kr_registry_create(60000);
    t->txns = calloc(1, sizeof(kr_txns_t));

    if (t->base == NULL || t->reg == NULL || t->txns == NULL
        || kr_routes_init(&t->rs, t->base, &t->cf, t->reg, t->txns) != KR_OK)
    {
        return -1;
    }

    t->txns->confirm = confirm;
    kr_routes_begin(&t->rs, 9, 100);

    t->rt = add(t, "1");
    (void) come(t);
    *state = t;

    return 0;
}


static int
teardown(void **state)
{
    test_t  *t;

    t = *state;

    kr_routes_free(&t->rs);
    kr_registry_free(t->reg);
    kr_txns_free(t->txns);
    event_base_free(t->base);
    kr_buf_free(&t->conn.told);
    free(t->txns);
    free(t);

    return 0;
}


/* An event of rows named by letters, each changed by a transaction. */
static void
publish(test_t *t, uint64_t lsn, const char *names, const uint32_t *xids)
{
    size_t         i;
    kr_buf_t       rows;
    kr_event_t     ev;
    kr_row_mark_t  marks[8];

    memset(&rows, 0, sizeof(kr_buf_t));

    for (i = 0; names[i] != '\0'; i++) {
        kr_buf_printf(&rows, "%s%c", i == 0 ? "" : ",", names[i]);
        marks[i].xid = xids[i];
        marks[i].end = (uint32_t) rows.len;
    }

    assert_int_equal(kr_txn_begin(t->txns, xids[0], lsn), KR_OK);

    ev.rows = &rows;
    ev.lsn = lsn;
    ev.marks = marks;
    ev.nrows = i;
    ev.txn = t->txns->open;

    kr_route_publish(&t->rs, t->rt, &ev);

    kr_txn_commit(t->txns);
    kr_routes_advance(&t->rs, lsn);
    kr_buf_free(&rows);
}


static void
request(test_t *t, uint8_t type, uint64_t req, uint64_t socket, uint8_t lost)
{
    kairos_feed_frame_t  f;

    memset(&f, 0, sizeof(kairos_feed_frame_t));

    f.type = type;
    f.req = req;
    f.socket = socket;
    f.lost = lost;
    f.topic.data = (const unsigned char *) t->rt->topic;
    f.topic.len = KR_TOPIC_LEN;

    if (type == KAIROS_FEED_JOIN) {
        kr_route_join(&t->rs, t->conn.worker, &f);

    } else {
        kr_route_leave(&t->rs, t->conn.worker, &f);
    }
}


/* A subscribe whose snapshot was taken at lsn. */
static kr_cursor_t *
expect_from(test_t *t, uint64_t socket)
{
    kr_socket_t  *so;
    kr_cursor_t  *cu;

    so = kr_socket_get(t->conn.worker, socket, 1);
    assert_non_null(so);

    cu = kr_route_expect(&t->rs, t->rt, so);
    assert_non_null(cu);

    return cu;
}


static void
snapped(test_t *t, kr_cursor_t *cu, uint64_t lsn, const char *snapshot)
{
    cu->lsn = lsn;
    assert_int_equal(kr_snapshot_parse(snapshot, strlen(snapshot),
                                       &cu->snapshot),
                     KR_OK);
    kr_route_release_cursor(&t->rs, cu);
}


static void
told(test_t *t, const char *text)
{
    assert_string_equal(t->conn.told.data == NULL ? "" : t->conn.told.data,
                        text);
    kr_buf_reset(&t->conn.told);

    if (t->conn.told.data != NULL) {
        t->conn.told.data[0] = '\0';
    }
}


/* Only what the snapshot lacks comes, and then everything. */
static void
test_route_join(void **state)
{
    test_t       *t;
    kr_cursor_t  *cu;

    static const uint32_t  one[] = { 10 };
    static const uint32_t  two[] = { 11, 12 };
    static const uint32_t  three[] = { 13 };

    t = *state;

    publish(t, 110, "a", one);
    cu = expect_from(t, 1);
    publish(t, 120, "bc", two);
    publish(t, 130, "d", three);

    snapped(t, cu, 125, "12:14:12");

    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    told(t, "JOINED 5 0/0/0\nEVENT_TO 1 c 9/120/0\n");

    publish(t, 140, "e", three);
    told(t, "EVENT e 9/140/0\n");
    assert_int_equal(t->txns->done, 140);
}


/* 11 was rolled back when the snapshot was taken, and is another one now. */
static void
test_route_join_unsure(void **state)
{
    test_t       *t;
    kr_cursor_t  *cu;

    static const uint32_t  one[] = { 11 };

    t = *state;

    cu = expect_from(t, 1);
    snapped(t, cu, 105, "12:12:");

    kr_routes_begin(&t->rs, 9, t->rs.position);
    publish(t, 110, "a", one);

    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    told(t, "JOINED 5 0/0/0\nEVENT_TO 1 a 9/110/0\n");
}


/* It missed nothing: the position is the topic's. */
static void
test_route_join_nothing(void **state)
{
    test_t       *t;
    kr_cursor_t  *cu;

    static const uint32_t  one[] = { 10 };

    t = *state;

    cu = expect_from(t, 1);
    publish(t, 110, "a", one);
    snapped(t, cu, 110, "11:11:");

    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    told(t, "JOINED 5 9/110/0\n");
}


static void
test_route_join_waits(void **state)
{
    test_t       *t;
    kr_cursor_t  *cu;

    t = *state;

    cu = expect_from(t, 1);
    snapped(t, cu, 150, "20:20:");
    t->rt->template->oldest_lsn = 140;

    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    told(t, "");

    /* the stream is there, a row is not */

    kr_routes_advance(&t->rs, 160);
    told(t, "");

    t->rt->template->oldest_lsn = UINT64_MAX;
    kr_routes_advance(&t->rs, 0);
    told(t, "JOINED 5 9/160/0\n");
}


/* A worker that does not read is given nothing more. */
static void
test_route_join_congested(void **state)
{
    test_t  *t;

    t = *state;

    snapped(t, expect_from(t, 1), 50, "20:20:");
    t->rs.start = 0;
    t->conn.queued = 100u * 1024 * 1024;

    assert_true(kr_routes_congested(&t->rs));
    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    told(t, "");

    t->conn.queued = 0;
    assert_false(kr_routes_congested(&t->rs));
    kr_routes_advance(&t->rs, 0);
    told(t, "JOINED 5 9/100/0\n");
}


/* What was read before the stream began has a gap behind it. */
static void
test_route_join_too_early(void **state)
{
    test_t  *t;

    t = *state;

    snapped(t, expect_from(t, 1), 99, "20:20:");
    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    told(t, "REFUSED 5\n");
}


static void
test_route_join_unknown(void **state)
{
    test_t  *t;

    static const uint32_t  one[] = { 10 };

    t = *state;

    publish(t, 110, "a", one);
    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    told(t, "REFUSED 5\n");
    assert_null(kr_socket_get(t->conn.worker, 1, 0));
}


/* More came than is kept: whoever needs it is refused. */
static void
test_route_join_dropped(void **state)
{
    unsigned      i;
    test_t       *t;
    kr_cursor_t  *cu;

    static const uint32_t  one[] = { 30 };

    t = *state;

    cu = expect_from(t, 1);

    for (i = 0; i < 100; i++) {
        publish(t, 110 + i, "a", one);
        assert_true(t->rs.backlog.bytes <= t->cf.backlog_max);
    }

    snapped(t, cu, 100, "20:20:");
    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    told(t, "REFUSED 5\n");
}


/* The same socket leaves and joins again: what came meanwhile is for it. */
static void
test_route_again(void **state)
{
    test_t  *t;

    static const uint32_t  one[] = { 10 };

    t = *state;

    snapped(t, expect_from(t, 1), 100, "20:20:");
    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    told(t, "JOINED 5 9/100/0\n");

    publish(t, 110, "a", one);
    told(t, "EVENT a 9/110/0\n");

    request(t, KAIROS_FEED_LEAVE, 0, 1, 0);
    assert_null(t->rt->members);

    publish(t, 120, "b", one);
    told(t, "");

    /* "a" may have met a closed channel */

    request(t, KAIROS_FEED_JOIN, 6, 1, 0);
    told(t, "JOINED 6 0/0/0\nEVENT_TO 1 a 0/0/0\nEVENT_TO 1 b 9/120/0\n");
}


/* A connection was lost, another one comes: it may be the same client. */
static void
test_route_lost(void **state)
{
    test_t  *t;

    static const uint32_t  one[] = { 10 };

    t = *state;

    snapped(t, expect_from(t, 1), 100, "20:20:");
    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    publish(t, 110, "a", one);
    told(t, "JOINED 5 9/100/0\nEVENT a 9/110/0\n");

    request(t, KAIROS_FEED_LEAVE, 0, 1, 1);
    kr_route_gone(&t->rs, t->conn.worker, 1);
    publish(t, 120, "b", one);

    /* "a" may have been sent into a connection that was dead already */

    request(t, KAIROS_FEED_JOIN, 6, 2, 0);
    told(t, "JOINED 6 0/0/0\nEVENT_TO 2 a 0/0/0\nEVENT_TO 2 b 9/120/0\n");
}


static void
resume(test_t *t, uint64_t epoch, uint64_t lsn, uint32_t n)
{
    kairos_position_t  p;

    p.epoch = epoch;
    p.lsn = lsn;
    p.n = n;

    kr_route_resume(&t->rs, t->rt, t->conn.worker, 3, &p);
}


static void
test_route_resume(void **state)
{
    test_t  *t;

    static const uint32_t  one[] = { 10 };

    t = *state;

    publish(t, 110, "a", one);
    publish(t, 120, "b", one);
    kr_routes_worker_gone(&t->rs, t->conn.worker);
    (void) come(t);

    resume(t, 9, 110, 0);
    told(t, "EVENT b 9/120/0\n");
    assert_int_equal(t->rt->members->n, 3);

    publish(t, 130, "c", one);
    told(t, "EVENT c 9/130/0\n");
}


/* We did not run: it was lost, and had been dead, so much longer ago. */
static void
test_route_lost_stall(void **state)
{
    test_t  *t;

    static const uint32_t  one[] = { 10 };

    t = *state;

    snapped(t, expect_from(t, 1), 100, "20:20:");
    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    publish(t, 110, "a", one);
    publish(t, 120, "b", one);
    t->rt->backlog.entries->time_ms -= LOST_LAG + 1000;
    told(t, "JOINED 5 9/100/0\nEVENT a 9/110/0\nEVENT b 9/120/0\n");

    request(t, KAIROS_FEED_LEAVE, 0, 1, 1);
    kr_route_gone(&t->rs, t->conn.worker, 1);

    request(t, KAIROS_FEED_JOIN, 6, 2, 0);
    told(t, "JOINED 6 0/0/0\nEVENT_TO 2 b 9/120/0\n");

    /* not noticed yet, and noticed */

    t->rs.swept = kr_now() - STALL;
    request(t, KAIROS_FEED_JOIN, 7, 3, 0);
    told(t, "JOINED 7 0/0/0\nEVENT_TO 3 a 0/0/0\nEVENT_TO 3 b 9/120/0\n");

    kr_routes_expire(&t->rs);
    kr_routes_expire(&t->rs);
    request(t, KAIROS_FEED_JOIN, 8, 4, 0);
    told(t, "JOINED 8 0/0/0\nEVENT_TO 4 a 0/0/0\nEVENT_TO 4 b 9/120/0\n");

    /* nobody is left who may have been lost then */

    t->rs.stalled -= t->reg->grace_ms + 1;
    kr_routes_expire(&t->rs);
    request(t, KAIROS_FEED_JOIN, 9, 5, 0);
    told(t, "JOINED 9 0/0/0\nEVENT_TO 5 b 9/120/0\n");
}


/* Of who was lost unnoticed before, another process knew what it missed. */
static void
test_route_resume_lost(void **state)
{
    test_t  *t;

    t = *state;

    kr_routes_worker_gone(&t->rs, t->conn.worker);
    (void) come(t);
    kr_tickets_free(t->rt);

    resume(t, 9, 110, 0);
    request(t, KAIROS_FEED_LEAVE, 0, 1, 1);
    request(t, KAIROS_FEED_JOIN, 6, 2, 0);
    told(t, "REFUSED 6\n");
}


static void
test_route_resume_gap(void **state)
{
    test_t  *t;

    static const uint32_t  one[] = { 10 };

    t = *state;

    publish(t, 110, "a", one);

    /* of another life, or in the middle of what follows a JOINED */

    resume(t, 8, 110, 0);
    resume(t, 0, 0, 0);
    told(t, "RESET\nRESET\n");
    assert_null(t->rt->members);

    /* made only after that position */

    t->rt = add(t, "2");
    resume(t, 9, 109, 7);
    told(t, "RESET\n");
    resume(t, 9, 110, 0);
    told(t, "");
    assert_non_null(t->rt->members);
}


/* What other members have of the route is known to no further process. */
static void
test_route_resume_never(void **state)
{
    test_t  *t;

    t = *state;

    t->rt = add_with(t, "2", &whole);
    resume(t, 9, 110, 0);
    told(t, "RESET\n");
    assert_null(t->rt->members);
}


/* Rows that are in step with the events need no stream to pass them. */
static void
test_route_join_in_step(void **state)
{
    test_t  *t;

    t = *state;

    snapped(t, expect_from(t, 1), 110, "20:20:");
    request(t, KAIROS_FEED_JOIN, 5, 1, 0);
    told(t, "");

    t->rt = add_with(t, "2", &whole);
    snapped(t, expect_from(t, 2), 110, "20:20:");
    request(t, KAIROS_FEED_JOIN, 6, 2, 0);
    told(t, "JOINED 6 9/100/0\n");
}


static void
test_route_reset(void **state)
{
    test_t  *t;

    t = *state;

    resume(t, 9, 100, 0);
    snapped(t, expect_from(t, 1), 500, "20:20:");
    request(t, KAIROS_FEED_JOIN, 5, 1, 0);

    kr_route_reset(&t->rs, t->rt, "why");
    told(t, "RESET\nREFUSED 5\n");
    assert_null(t->reg->routes);
    assert_null(t->reg->joining);
    assert_int_equal(t->rs.backlog.bytes, 0);
}


/* Another slot, or one that somebody else has read. */
static void
test_route_epoch(void **state)
{
    test_t  *t;

    t = *state;

    resume(t, 9, 100, 0);
    kr_routes_begin(&t->rs, 9, 100);
    told(t, "");

    kr_routes_begin(&t->rs, 9, 101);
    told(t, "RESET\n");

    t->rt = add(t, "2");
    resume(t, 9, 101, 0);
    kr_routes_begin(&t->rs, 10, 50);
    told(t, "RESET\n");
    assert_int_equal(t->rs.position, 50);
}


#define test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_route_join),
        test(test_route_join_unsure),
        test(test_route_join_nothing),
        test(test_route_join_waits),
        test(test_route_join_congested),
        test(test_route_join_too_early),
        test(test_route_join_unknown),
        test(test_route_join_dropped),
        test(test_route_again),
        test(test_route_lost),
        test(test_route_lost_stall),
        test(test_route_resume),
        test(test_route_resume_lost),
        test(test_route_resume_gap),
        test(test_route_resume_never),
        test(test_route_join_in_step),
        test(test_route_reset),
        test(test_route_epoch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
