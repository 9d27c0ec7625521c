/* sources: kr_changes.c kr_buf.c */
/* libs: -levent_core -lpq */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_changes_private.h"


#define case_of(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


typedef struct {
    kr_registry_t    reg;
    kr_routes_t      rs;
    kr_template_t    rows;
    kr_template_t    whole;
    kr_route_t       a;           /* of rows */
    kr_route_t       b;           /* of whole */
    kr_changes_t    *cs;
} test_t;


static kr_buf_t      told;        /* the calls, one line each */
static kr_hit_t      found[2];    /* what the index finds */
static long          nfound;
static int           parents;     /* calls for partitions */
static kr_parent_t   parent;


/* The operations of the two plans write down what they are called for. */

static int
say(const char *plan, const char *call, const kr_route_t *rt)
{
    kr_buf_printf(&told, "%s %s %s\n", plan, call, rt->topic);

    return KR_OK;
}


static int
rows_touch(kr_changes_t *cs, const kr_change_t *c, const kr_hit_t *hit,
    kr_txn_t *txn)
{
    (void) txn;

    if (c->action == KR_DELETE) {
        return kr_changes_reset_later(cs, hit->route, "no old row");
    }

    cs->early = c->action == KR_UPDATE;

    return say("rows", cs->late ? "late" : "touch", hit->route);
}


static int
rows_truncated(kr_changes_t *cs, kr_route_t *rt, kr_txn_t *txn)
{
    (void) cs;
    (void) txn;

    return say("rows", "truncated", rt);
}


static int
rows_unreadable(kr_changes_t *cs, kr_route_t *rt, kr_txn_t *txn)
{
    (void) cs;
    (void) txn;

    return say("rows", "unreadable", rt);
}


static void
rows_commit(kr_changes_t *cs)
{
    (void) cs;

    kr_buf_str(&told, "rows commit\n");
}


static void
rows_sweep(kr_changes_t *cs)
{
    (void) cs;

    kr_buf_str(&told, "rows sweep\n");
}


static void
rows_shed(kr_changes_t *cs)
{
    (void) cs;

    kr_buf_str(&told, "rows shed\n");
}


const kr_plan_ops_t  kr_fetch_plan = {
    .name = "rows",
    .touch = rows_touch,
    .truncated = rows_truncated,
    .unreadable = rows_unreadable,
    .commit = rows_commit,
    .sweep = rows_sweep,
    .shed = rows_shed
};


static int
whole_touch(kr_changes_t *cs, const kr_change_t *c, const kr_hit_t *hit,
    kr_txn_t *txn)
{
    (void) cs;
    (void) c;
    (void) txn;

    return say("whole", "touch", hit->route);
}


static int
whole_note(kr_changes_t *cs, kr_route_t *rt, kr_txn_t *txn)
{
    (void) cs;
    (void) txn;

    return say("whole", "note", rt);
}


static void
whole_commit(kr_changes_t *cs)
{
    (void) cs;

    kr_buf_str(&told, "whole commit\n");
}


static void
whole_sweep(kr_changes_t *cs)
{
    (void) cs;

    kr_buf_str(&told, "whole sweep\n");
}


const kr_plan_ops_t  kr_rerun_plan = {
    .name = "rerun",
    .touch = whole_touch,
    .truncated = whole_note,
    .unreadable = whole_note,
    .commit = whole_commit,
    .sweep = whole_sweep
};


long
kr_match_change(kr_match_t *m, const kr_change_t *c, kr_hit_t **hits)
{
    (void) m;
    (void) c;

    *hits = found;

    return nfound;
}


long
kr_match_table(kr_match_t *m, const kr_str_t *schema, const kr_str_t *table,
    kr_hit_t **hits)
{
    (void) m;
    (void) schema;
    (void) table;

    *hits = found;

    return nfound;
}


int
kr_changes_parents(kr_changes_t *cs, const kr_change_t *c, kr_txn_t *txn)
{
    (void) cs;
    (void) c;
    (void) txn;

    parents++;

    return KR_OK;
}


void
kr_probes_free(kr_changes_t *cs)
{
    (void) cs;
}


void
kr_stream_pause(kr_stream_t *st)
{
    (void) st;

    kr_buf_str(&told, "pause\n");
}


void
kr_stream_resume(kr_stream_t *st)
{
    (void) st;

    kr_buf_str(&told, "resume\n");
}


void
kr_route_reset(kr_routes_t *rs, kr_route_t *rt, const char *reason)
{
    (void) rs;

    rt->removed = 1;
    kr_buf_printf(&told, "reset %s: %s\n", rt->topic, reason);
}


kr_route_t *
kr_route_hold(kr_route_t *rt)
{
    rt->refs++;

    return rt;
}


void
kr_route_unhold(kr_route_t *rt)
{
    rt->refs--;
}


static int
setup(void **state)
{
    test_t  *t;

    t = calloc(1, sizeof(test_t));
    if (t == NULL) {
        return -1;
    }

    memset(&told, 0, sizeof(kr_buf_t));
    memset(found, 0, sizeof(found));

    t->rs.registry = &t->reg;
    t->rows.plan = &kr_fetch_plan;
    t->whole.plan = &kr_rerun_plan;
    t->a.template = &t->rows;
    t->b.template = &t->whole;
    t->a.topic[0] = 'a';
    t->b.topic[0] = 'b';

    found[0].route = &t->a;
    found[1].route = &t->b;
    nfound = 2;
    parents = 0;

    t->cs = kr_changes_create(NULL, NULL, &t->rs);

    *state = t;

    return t->cs == NULL ? -1 : 0;
}


static int
teardown(void **state)
{
    test_t  *t;

    t = *state;

    kr_changes_free(t->cs);
    kr_buf_free(&told);
    free(t);

    return 0;
}


static void
route(test_t *t, kr_action_e action)
{
    kr_change_t  c;

    memset(&c, 0, sizeof(kr_change_t));
    c.action = action;

    assert_int_equal(kr_changes_route(t->cs, &c, NULL), KR_OK);
    assert_int_equal(t->a.refs + t->b.refs, 0);
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


static void
test_changes_plans(void **state)
{
    uint64_t   number;
    test_t    *t;

    t = *state;

    route(t, KR_INSERT);
    assert_told("rows touch a\nwhole touch b\n");
    assert_int_equal(parents, 0);

    number = t->cs->number;
    route(t, KR_TRUNCATE);
    assert_told("rows truncated a\nwhole note b\n");
    assert_true(t->cs->number > number);

    route(t, KR_UNREADABLE);
    assert_told("rows unreadable a\nwhole note b\n");

    kr_changes_commit(t->cs);
    assert_told("rows commit\nwhole commit\n");
    kr_changes_sweep(t->cs);
    assert_told("rows sweep\nwhole sweep\n");
}


static void
test_changes_parents(void **state)
{
    test_t       *t;
    kr_change_t   c;

    t = *state;

    t->reg.parents = &parent;
    route(t, KR_INSERT);
    assert_int_equal(parents, 1);
    assert_told("rows touch a\nwhole touch b\n");

    memset(&c, 0, sizeof(kr_change_t));
    c.action = KR_INSERT;
    assert_int_equal(kr_changes_table(t->cs, &c, NULL, 1), KR_OK);
    assert_told("rows late a\nwhole touch b\n");
    route(t, KR_INSERT);
    assert_told("rows touch a\nwhole touch b\n");
}


/* All routes have the change before the first of them is reset. */
static void
test_changes_resets(void **state)
{
    test_t         *t;
    kr_relation_t   table;

    t = *state;
    memset(&table, 0, sizeof(kr_relation_t));

    route(t, KR_DELETE);
    assert_told("whole touch b\nreset a: no old row\n");

    found[1].blind = 1;
    found[0].blind = 1;
    t->a.removed = 0;
    route(t, KR_INSERT);
    assert_told("reset b: the table was altered: subscribe again\n"
                "reset a: the table was altered: subscribe again\n");

    /* one that went meanwhile is not reset twice */
    t->a.removed = 0;
    assert_int_equal(kr_changes_reset_table(t->cs, &table, "gone"), KR_OK);
    assert_told("reset a: gone\n");
    assert_int_equal(t->a.refs + t->b.refs, 0);
}


static void
test_changes_early(void **state)
{
    test_t  *t;

    t = *state;

    route(t, KR_UPDATE);
    assert_told("rows touch a\nwhole touch b\nrows commit\nwhole commit\n");
    assert_int_equal(t->cs->early, 0);
}


static void
test_changes_load(void **state)
{
    test_t  *t;

    t = *state;

    kr_changes_load(t->cs, KR_CHANGES_LOAD_MAX - 1);
    assert_told("");
    kr_changes_load(t->cs, 1);
    assert_told("pause\n");
    kr_changes_load(t->cs, 1);
    assert_told("");

    route(t, KR_INSERT);
    assert_told("rows touch a\nwhole touch b\nrows shed\n");
    kr_changes_sweep(t->cs);
    assert_told("rows sweep\nwhole sweep\nrows shed\n");

    kr_changes_load(t->cs, -(KR_CHANGES_LOAD_MAX / 2) - 1);
    assert_told("");
    kr_changes_load(t->cs, -1);
    assert_told("resume\n");

    route(t, KR_INSERT);
    assert_told("rows touch a\nwhole touch b\n");
}


static void
test_changes_no_memory(void **state)
{
    test_t       *t;
    kr_change_t   c;

    t = *state;
    nfound = -1;

    memset(&c, 0, sizeof(kr_change_t));
    c.action = KR_INSERT;
    assert_int_equal(kr_changes_route(t->cs, &c, NULL), KR_ERROR);
    c.action = KR_TRUNCATE;
    assert_int_equal(kr_changes_route(t->cs, &c, NULL), KR_ERROR);
    assert_told("");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        case_of(test_changes_plans),
        case_of(test_changes_parents),
        case_of(test_changes_resets),
        case_of(test_changes_early),
        case_of(test_changes_load),
        case_of(test_changes_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
