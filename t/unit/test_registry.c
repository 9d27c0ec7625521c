/* sources: kr_registry.c kr_registry_def.c kr_registry_members.c */
/* sources: kr_registry_tickets.c kr_registry_tables.c */
/* sources: kr_registry_parts.c kr_registry_topic.c kr_op.c */
/* sources: kr_value.c kr_value_order.c */
/* sources: kr_value_number.c */
/* sources: kr_buf.c kr_lsn.c */
/* sources: kr_registry_route.c */
/* libs: -lcrypto */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_registry_private.h"


#define GRACE  8000


static const kr_plan_ops_t  rows = { .name = "rows" };
static const kr_plan_ops_t  whole = { .name = "rerun" };


/* The index, which is tested by itself: counts what it was given. */
struct kr_match_s {
    unsigned    n;
    unsigned    watches;
    int         rc;
};


static kr_match_t  *match;
static unsigned     orphans;


kr_match_t *
kr_match_create(void)
{
    match = calloc(1, sizeof(kr_match_t));

    return match;
}


void
kr_match_free(kr_match_t *m)
{
    assert_int_equal(m->n, 0);
    assert_int_equal(m->watches, 0);
    free(m);
}


int
kr_match_add(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt)
{
    (void) p;
    (void) rt;

    m->n += m->rc == KR_OK;

    return m->rc;
}


void
kr_match_remove(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt)
{
    (void) p;
    (void) rt;

    m->n--;
}


int
kr_match_watch(kr_match_t *m, const kr_str_t *schema, const kr_str_t *table,
    kr_route_t *rt)
{
    (void) schema;
    (void) table;
    (void) rt;

    m->watches++;

    return KR_OK;
}


void
kr_match_unwatch(kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table, kr_route_t *rt)
{
    (void) schema;
    (void) table;
    (void) rt;

    m->watches--;
}


static void
orphaned(kr_pending_t *pe)
{
    (void) pe;

    orphans++;
}


static int
setup(void **state)
{
    kr_registry_t  *reg;

    reg = kr_registry_create(GRACE);
    if (reg == NULL) {
        return -1;
    }

    reg->orphaned = orphaned;
    orphans = 0;
    *state = reg;

    return 0;
}


static int
teardown(void **state)
{
    kr_registry_free(*state);

    return 0;
}


static int
add(kr_registry_t *reg, const char *refetch, const char *value,
    kr_route_t **rt)
{
    kr_str_t        v;
    kr_route_def_t  def;

    static const kr_str_t  empty = kr_str("");

    v.data = value;
    v.len = strlen(value);

    memset(&def, 0, sizeof(kr_route_def_t));

    def.canonical = empty;
    def.plan = &rows;
    def.refetch.data = refetch;
    def.refetch.len = strlen(refetch);
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

    return kr_registry_add(reg, &def, 0, 1, rt);
}


static void
test_registry_shared(void **state)
{
    kr_route_t     *a, *b, *c;
    kr_registry_t  *reg;

    reg = *state;

    assert_int_equal(add(reg, "q", "1", &a), KR_OK);
    assert_int_equal(add(reg, "q", "1", &b), KR_OK);
    assert_int_equal(add(reg, "q", "2", &c), KR_OK);

    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_ptr_equal(a->template, c->template);
    assert_ptr_equal(kr_registry_find(reg, a->topic, KR_TOPIC_LEN), a);
    assert_null(kr_registry_find(reg, a->topic, KR_TOPIC_LEN - 1));
    assert_int_equal(match->n, 2);
}


/* A predicate on a result is not for the index; the tables are watched. */
static void
test_registry_result(void **state)
{
    kr_route_t       *a, *b, *c;
    kr_registry_t    *reg;
    kr_route_def_t    def;
    kr_route_table_t  w[2];

    static const kr_str_t  s = kr_str("s"), t = kr_str("t"), u = kr_str("u");
    static const kr_str_t  id = kr_str("\"id\""), n = kr_str("\"n\"");
    static const kr_str_t  empty = kr_str("");

    reg = *state;

    memset(&def, 0, sizeof(kr_route_def_t));
    memset(w, 0, sizeof(w));

    w[0].table.schema = s;
    w[0].table.name = t;
    w[1].table.schema = s;
    w[1].table.name = u;
    w[0].shape = "t 1 r\n";
    w[1].shape = "t 2 r\n";

    def.canonical = empty;
    def.plan = &whole;
    def.refetch = empty;
    def.rerun = empty;
    def.snapshot = empty;
    def.alias = empty;
    def.event = empty;
    def.claims = empty;
    def.spec = empty;
    def.predicate.schema = s;
    def.predicate.table = t;
    def.predicate.column = id;
    def.predicate.result = 1;
    def.predicate.nvalues = 1;
    def.predicate.values = (kr_str_t *) &n;
    def.ntables = 2;
    def.tables = w;

    assert_int_equal(kr_registry_add(reg, &def, 0, 1, &a), KR_OK);
    assert_int_equal(match->n, 0);
    assert_int_equal(match->watches, 2);
    assert_non_null(kr_watched_table_find(reg, &w[0].table));
    assert_non_null(kr_watched_table_find(reg, &w[1].table));
    assert_string_equal(kr_watched_table_find(reg, &w[1].table)->shape,
                        "t 2 r\n");

    /* the shape of a later plan is not the one to compare with */
    w[1].shape = "t 3 r\n";

    /* which column it is makes another route */

    def.predicate.column = n;
    assert_int_equal(kr_registry_add(reg, &def, 0, 1, &b), KR_OK);
    assert_ptr_not_equal(a, b);
    assert_string_equal(kr_watched_table_find(reg, &w[1].table)->shape,
                        "t 2 r\n");

    assert_false(b->template->windowed);

    /* statements of one length that differ */

    def.predicate.column = s;
    def.snapshot = s;
    def.rerun = t;
    assert_int_equal(kr_registry_add(reg, &def, 0, 1, &c), KR_OK);
    assert_true(c->template->windowed);

    kr_registry_remove(reg, a);
    kr_registry_remove(reg, b);
    kr_registry_remove(reg, c);
    assert_int_equal(match->n, 0);
    assert_int_equal(match->watches, 0);
}


/* A route that the index refuses leaves nothing behind. */
static void
test_registry_declined(void **state)
{
    kr_route_t     *a;
    kr_registry_t  *reg;

    reg = *state;
    match->rc = KR_DECLINED;

    assert_int_equal(add(reg, "q", "1", &a), KR_DECLINED);
    assert_null(reg->routes);
    assert_null(reg->templates);
    assert_null(reg->idle);
}


static void
test_registry_orphan(void **state)
{
    kr_route_t     *a, *b;
    kr_registry_t  *reg;

    reg = *state;

    assert_int_equal(add(reg, "q", "1", &a), KR_OK);
    assert_int_equal(add(reg, "q", "2", &b), KR_OK);
    a->template->pending = (kr_pending_t *) &orphans;

    /* who holds a route keeps its memory only */

    kr_route_hold(a);
    kr_registry_remove(reg, a);
    assert_true(a->removed);
    assert_null(a->template);
    assert_int_equal(orphans, 0);
    kr_route_unhold(a);

    kr_registry_remove(reg, b);
    assert_int_equal(orphans, 1);
    assert_null(reg->templates);
}


static void
test_registry_idle(void **state)
{
    kr_route_t     *rt;
    kr_socket_t    *so;
    kr_cursor_t    *cu;
    kr_worker_t    *wk;
    kr_registry_t  *reg;

    reg = *state;

    assert_int_equal(add(reg, "q", "1", &rt), KR_OK);
    assert_ptr_equal(reg->idle, rt);

    wk = kr_worker_add(reg, NULL);
    assert_non_null(wk);
    assert_int_equal(kr_member_add(reg, rt, wk, 2), KR_OK);
    assert_null(reg->idle);

    so = kr_socket_get(wk, 7, 1);
    assert_non_null(so);
    cu = kr_cursor_add(reg, rt, so, 1);
    assert_non_null(cu);
    assert_ptr_equal(kr_cursor_find(so, rt), cu);

    assert_int_equal(kr_member_leave(reg, rt, wk, 5), KR_OK);
    assert_int_equal(kr_member_leave(reg, rt, wk, 6), KR_OK);
    assert_int_equal(kr_member_leave(reg, rt, wk, 6), KR_DECLINED);
    assert_null(reg->idle);

    kr_cursor_move(reg, cu, 0, 7);
    assert_int_equal(cu->expires_ms, 7 + GRACE);

    /* a short grace leaves time to join */
    reg->grace_ms = 0;
    kr_cursor_move(reg, cu, 0, 7);
    assert_int_equal(cu->expires_ms, 7 + 5000);
    kr_cursor_free(reg, cu, 8);

    assert_ptr_equal(reg->idle, rt);
    assert_int_equal(rt->idle.since_ms, 8);
    assert_null(kr_socket_get(wk, 7, 0));
}


/* A worker goes with all its people; requests under way keep its memory. */
static void
test_registry_worker(void **state)
{
    kr_route_t     *rt;
    kr_socket_t    *so;
    kr_worker_t    *wk;
    kr_registry_t  *reg;

    reg = *state;

    assert_int_equal(add(reg, "q", "1", &rt), KR_OK);
    wk = kr_worker_add(reg, NULL);
    assert_int_equal(kr_member_add(reg, rt, wk, 1), KR_OK);

    so = kr_socket_get(wk, 1, 1);
    so->n++;
    kr_cursor_move(reg, kr_cursor_add(reg, rt, so, 1), 1, 1);

    kr_worker_remove(reg, wk, 5);
    kr_worker_unhold(wk);

    assert_null(reg->workers);
    assert_null(reg->joining);
    assert_ptr_equal(reg->idle, rt);
    assert_true(so->gone);
    assert_true(wk->gone);

    so->n--;
    kr_socket_release(so);
}


/* However many are lost, the first that may come back is served. */
static void
test_registry_tickets(void **state)
{
    uint64_t        now;
    kr_route_t     *rt;
    kr_registry_t  *reg;

    reg = *state;

    assert_int_equal(add(reg, "q", "1", &rt), KR_OK);
    assert_int_equal(kr_ticket_first(reg, rt, 7, 1), 0);

    for (now = 1000; now <= 1000 + GRACE; now += 10) {
        kr_ticket_add(reg, rt, 0, now);
        assert_int_equal(kr_ticket_first(reg, rt, 7, now), 1000);
        assert_true(rt->tickets.n <= KR_TICKETS);
    }

    now -= 10;

    /* the first bucket is over when its last is */

    assert_true(kr_ticket_first(reg, rt, 7, now + GRACE / 2)
                <= now - GRACE / 2);
    assert_true(kr_ticket_first(reg, rt, 7, now + GRACE) <= now);
    assert_int_equal(kr_ticket_first(reg, rt, 7, now + GRACE + 1), 0);
}


/* Who was not lost does not pass as one who was. */
static void
test_registry_lost(void **state)
{
    uint64_t        client;
    kr_route_t     *rt;
    kr_registry_t  *reg;

    reg = *state;

    assert_int_equal(add(reg, "q", "1", &rt), KR_OK);

    kr_ticket_add(reg, rt, 7, 1000);

    assert_int_equal(kr_ticket_first(reg, rt, 7, 1000), 1000);
    assert_int_equal(kr_ticket_first(reg, rt, 8, 1000), 0);

    /* lost again: what it missed began with the first time */

    kr_ticket_add(reg, rt, 8, 1000 + GRACE / 2);
    kr_ticket_add(reg, rt, 7, 1000 + GRACE);

    assert_int_equal(kr_ticket_first(reg, rt, 7, 1000 + GRACE), 1000);
    assert_int_equal(kr_ticket_first(reg, rt, 8, 1001 + GRACE + GRACE / 2),
                     0);
    assert_int_equal(kr_ticket_first(reg, rt, 7, 1000 + 2 * GRACE), 1000);
    assert_int_equal(kr_ticket_first(reg, rt, 7, 1001 + 2 * GRACE), 0);

    /* beyond the limit they are served without a name */

    for (client = 1; client <= KR_LOST_MAX; client++) {
        kr_ticket_add(reg, rt, client, 100000);
    }

    assert_int_equal(kr_ticket_first(reg, rt, KR_LOST_MAX + 1, 100000), 0);

    kr_ticket_add(reg, rt, KR_LOST_MAX + 1, 100000);

    assert_int_equal(kr_ticket_first(reg, rt, KR_LOST_MAX + 1, 100000),
                     100000);
}


/* The length of each part belongs to the identity. */
static void
test_registry_topic(void **state)
{
    char  a[KR_TOPIC_LEN + 1], b[KR_TOPIC_LEN + 1];

    static const kr_str_t  one[] = { kr_str("ab"), kr_str("c") };
    static const kr_str_t  two[] = { kr_str("a"), kr_str("bc") };

    (void) state;

    assert_int_equal(kr_topic_hash(a, one, 2), KR_OK);
    assert_int_equal(kr_topic_hash(b, two, 2), KR_OK);
    assert_int_equal(strlen(a), KR_TOPIC_LEN);
    assert_memory_equal(a, "rt:", 3);
    assert_string_not_equal(a, b);

    assert_int_equal(kr_topic_hash(b, one, 2), KR_OK);
    assert_string_equal(a, b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_registry_shared, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_registry_result, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_registry_declined, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_registry_orphan, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_registry_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_registry_worker, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_registry_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_registry_tickets, setup,
                                        teardown),
        cmocka_unit_test(test_registry_topic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
