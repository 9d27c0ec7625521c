/* sources: kr_registry.c kr_registry_def.c kr_registry_members.c */
/* sources: kr_registry_parts.c kr_registry_tables.c kr_registry_tickets.c */
/* sources: kr_registry_topic.c */
/* sources: kr_match.c kr_match_hash.c kr_match_index.c kr_match_pattern.c */
/* sources: kr_match_predicate.c kr_match_search.c kr_match_value.c kr_op.c */
/* sources: kr_value.c kr_value_order.c kr_change.c kr_buf.c kr_lsn.c */
/* sources: kr_value_number.c */
/* sources: kr_match_hit.c */
/* sources: kr_registry_route.c */
/* libs: -lcrypto -ljansson */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kr_registry.h"


static const kr_plan_ops_t  plan = { .name = "rows" };

static const kr_relation_t  log_table = { kr_str("public"), kr_str("log") };
static const kr_relation_t  whole = { kr_str("public"), kr_str("whole") };
static const kr_relation_t  leaf_1 = { kr_str("public"), kr_str("log_1") };
static const kr_relation_t  leaf_2 = { kr_str("public"), kr_str("log_2") };
static const kr_relation_t  other = { kr_str("public"), kr_str("other") };


static kr_registry_t *
registry(void)
{
    kr_registry_t  *reg;

    reg = kr_registry_create(1000);
    assert_non_null(reg);

    return reg;
}


/* A route of the table, which has these leaves. */
static kr_route_t *
add(kr_registry_t *reg, const kr_relation_t *table, const char *value,
    kr_relation_t *leaves, size_t nleaves)
{
    kr_str_t          v;
    kr_route_t       *rt;
    kr_route_def_t    def;
    kr_route_table_t  w;

    static const kr_str_t  empty = kr_str(""), id = kr_str("id");

    memset(&w, 0, sizeof(kr_route_table_t));
    memset(&def, 0, sizeof(kr_route_def_t));

    w.table = *table;
    w.main = 1;
    w.parted = 1;
    w.nleaves = nleaves;
    w.leaves = leaves;
    w.shape = "t 1 p\n";

    v.data = value;
    v.len = strlen(value);

    def.canonical = empty;
    def.plan = &plan;
    def.refetch = empty;
    def.rerun = empty;
    def.snapshot = empty;
    def.alias = empty;
    def.event = empty;
    def.claims = empty;
    def.spec = empty;
    def.key.n = 1;
    def.key.names[0] = id;
    def.key.types[0] = 23;
    def.ntables = 1;
    def.tables = &w;
    def.predicate.schema = table->schema;
    def.predicate.table = table->name;
    def.predicate.column = id;
    def.predicate.type = 23;
    def.predicate.nvalues = 1;
    def.predicate.values = &v;

    assert_int_equal(kr_registry_add(reg, &def, 0, 1, &rt), KR_OK);

    return rt;
}


static void
assert_parent(kr_registry_t *reg, const kr_relation_t *leaf,
    const kr_relation_t *parent)
{
    size_t      i;
    kr_leaf_t  *l;

    l = kr_leaf_find(reg, leaf);
    assert_non_null(l);

    for (i = 0; i < l->nparents; i++) {
        if (l->parents[i]->table.name.len == parent->name.len
            && memcmp(l->parents[i]->table.name.data, parent->name.data,
                      parent->name.len) == 0)
        {
            return;
        }
    }

    fail_msg("%s is no parent", parent->name.data);
}


/* Leaves are known as long as a route reads one of their tables. */
static void
test_parts_of_routes(void **state)
{
    kr_route_t     *a, *b, *c;
    kr_relation_t   leaves[2];
    kr_registry_t  *reg;

    (void) state;

    reg = registry();
    leaves[0] = leaf_1;
    leaves[1] = leaf_2;

    assert_null(reg->parents);

    a = add(reg, &log_table, "1", leaves, 2);
    b = add(reg, &log_table, "2", leaves, 1);
    c = add(reg, &whole, "1", leaves + 1, 1);

    assert_int_equal(HASH_COUNT(reg->parents), 2);
    assert_int_equal(HASH_COUNT(reg->leaves), 2);
    assert_int_equal(kr_leaf_find(reg, &leaf_1)->nparents, 1);
    assert_int_equal(kr_leaf_find(reg, &leaf_2)->nparents, 2);
    assert_parent(reg, &leaf_2, &log_table);
    assert_parent(reg, &leaf_2, &whole);
    assert_null(kr_leaf_find(reg, &other));

    kr_registry_remove(reg, a);
    assert_int_equal(kr_leaf_find(reg, &leaf_2)->nparents, 2);
    kr_registry_remove(reg, b);
    assert_null(kr_leaf_find(reg, &leaf_1));
    assert_int_equal(kr_leaf_find(reg, &leaf_2)->nparents, 1);
    assert_parent(reg, &leaf_2, &whole);
    kr_registry_remove(reg, c);

    assert_null(reg->parents);
    assert_null(reg->leaves);
    assert_int_equal(reg->nonpartitions, 0);

    kr_registry_free(reg);
}


/* The catalog's answers: a new leaf, and a table that is none. */
static void
test_parts_learnt(void **state)
{
    int             grown;
    kr_route_t     *rt;
    kr_relation_t   parents[2];
    kr_registry_t  *reg;

    (void) state;

    reg = registry();
    rt = add(reg, &log_table, "1", NULL, 0);

    parents[0] = whole;         /* which no route reads */
    parents[1] = log_table;

    assert_int_equal(kr_leaf_learn(reg, &leaf_1, parents, 2, 5, &grown),
                     KR_OK);
    assert_true(grown);
    assert_int_equal(kr_leaf_find(reg, &leaf_1)->nparents, 1);
    assert_parent(reg, &leaf_1, &log_table);

    assert_int_equal(kr_leaf_learn(reg, &leaf_1, parents, 2, 6, &grown),
                     KR_OK);
    assert_false(grown);

    assert_int_equal(kr_leaf_learn(reg, &other, NULL, 0, 7, &grown), KR_OK);
    assert_false(grown);
    assert_int_equal(kr_leaf_find(reg, &other)->nparents, 0);
    assert_int_equal(kr_leaf_find(reg, &other)->checked_ms, 7);
    assert_int_equal(reg->nonpartitions, 1);

    /* it is attached */
    assert_int_equal(kr_leaf_learn(reg, &other, parents + 1, 1, 8, &grown),
                     KR_OK);
    assert_true(grown);
    assert_int_equal(reg->nonpartitions, 0);

    kr_registry_remove(reg, rt);
    assert_null(reg->leaves);

    kr_registry_free(reg);
}


static void
test_parts_strangers_bounded(void **state)
{
    int             grown, i;
    char            name[16];
    kr_relation_t   table;
    kr_registry_t  *reg;

    (void) state;

    reg = registry();
    (void) add(reg, &log_table, "1", NULL, 0);

    table.schema = log_table.schema;
    table.name.data = name;

    for (i = 0; i < 2 * KR_NONPARTITIONS_MAX + 5; i++) {
        table.name.len = (size_t) snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(kr_leaf_learn(reg, &table, NULL, 0, 1, &grown),
                         KR_OK);
        assert_true(reg->nonpartitions <= KR_NONPARTITIONS_MAX);
    }

    assert_int_equal(reg->nonpartitions, 5);
    assert_int_equal(HASH_COUNT(reg->leaves), 5);

    kr_registry_free(reg);
}


/* Schema and name are two: "a"."bc" is not "ab"."c". */
static void
test_parts_names(void **state)
{
    int             grown;
    kr_registry_t  *reg;

    static const kr_relation_t  one = { kr_str("a"), kr_str("bc") };
    static const kr_relation_t  two = { kr_str("ab"), kr_str("c") };

    (void) state;

    reg = registry();
    (void) add(reg, &log_table, "1", NULL, 0);

    assert_int_equal(kr_leaf_learn(reg, &one, NULL, 0, 1, &grown), KR_OK);
    assert_non_null(kr_leaf_find(reg, &one));
    assert_null(kr_leaf_find(reg, &two));

    kr_registry_free(reg);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parts_of_routes),
        cmocka_unit_test(test_parts_learnt),
        cmocka_unit_test(test_parts_strangers_bounded),
        cmocka_unit_test(test_parts_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
