/* sources: kr_match.c kr_match_index.c kr_match_hash.c kr_match_value.c */
/* sources: kr_match_pattern.c kr_match_search.c kr_match_predicate.c */
/* sources: kr_op.c kr_value.c kr_value_order.c kr_change.c kr_json.c */
/* sources: kr_value_number.c */
/* sources: kr_lsn.c kr_buf.c */
/* sources: kr_match_hit.c */

#include "match_cases.h"


#define ROUTES   400
#define ROUNDS   3000


struct kr_route_s {
    int               added;
    int               seen;
    unsigned          old;
    unsigned          new;
    char              texts[3][8];
    kr_str_t          values[3];
    kr_predicate_t    p;
};


static void
test_actions(void **state)
{
    kr_str_t         value;
    kr_match_t      *m;
    kr_route_t       rt;
    kr_change_t      c;
    kr_column_t      is[2], was[2];
    kr_predicate_t   p;

    (void) state;

    m = kr_match_create();
    assert_non_null(m);

    value = str("57");
    predicate(&p, "posts", "userid", INT4, &value, 1);
    assert_int_equal(kr_match_add(m, &p, &rt), KR_OK);

    assert_true(indexed(m, &p.schema, &p.table));
    assert_false(indexed(m, &p.table, &p.schema));

    is[0] = column("id", INT4, "1");
    was[0] = column("id", INT4, "1");

    change(&c, KR_INSERT, is, 2, NULL, 0);
    is[1] = column("userid", INT4, "57");
    assert_string_equal(touched(m, &c, &rt), "n");
    is[1] = column("userid", INT4, "58");
    assert_string_equal(touched(m, &c, &rt), "");
    is[1] = column("userid", INT4, NULL);
    assert_string_equal(touched(m, &c, &rt), "");
    is[1] = column("other", INT4, "57");
    assert_string_equal(touched(m, &c, &rt), "nb");

    /* REPLICA IDENTITY FULL */
    change(&c, KR_UPDATE, is, 2, was, 2);
    is[1] = column("userid", INT4, "57");
    was[1] = column("userid", INT4, "57");
    assert_string_equal(touched(m, &c, &rt), "on");
    is[1] = column("userid", INT4, "58");
    assert_string_equal(touched(m, &c, &rt), "o");
    was[1] = column("userid", INT4, NULL);
    is[1] = column("userid", INT4, "57");
    assert_string_equal(touched(m, &c, &rt), "n");
    is[1] = column("userid", INT4, "56");
    assert_string_equal(touched(m, &c, &rt), "");

    /* an unchanged TOAST value stands in the old row */
    was[1] = column("userid", INT4, "57");
    change(&c, KR_UPDATE, is, 1, was, 2);
    assert_string_equal(touched(m, &c, &rt), "on");

    /* the old row's key alone: whether it left cannot be known */
    is[1] = column("userid", INT4, "58");
    change(&c, KR_UPDATE, is, 2, was, 1);
    assert_string_equal(touched(m, &c, &rt), "ob");
    change(&c, KR_UPDATE, is, 1, was, 1);
    assert_string_equal(touched(m, &c, &rt), "onb");
    change(&c, KR_DELETE, NULL, 0, was, 1);
    assert_string_equal(touched(m, &c, &rt), "ob");

    change(&c, KR_DELETE, NULL, 0, was, 2);
    assert_string_equal(touched(m, &c, &rt), "o");
    was[1] = column("userid", INT4, "5");
    assert_string_equal(touched(m, &c, &rt), "");

    /* another type by now; a domain over the same; text of another */
    was[1] = column("userid", TEXT, "57");
    assert_string_equal(touched(m, &c, &rt), "ob");
    was[1] = column("userid", 16457, "57");
    assert_string_equal(touched(m, &c, &rt), "o");
    was[1] = column("userid", 16457, "x");
    assert_string_equal(touched(m, &c, &rt), "ob");

    c.table = str("posts2");
    assert_string_equal(touched(m, &c, &rt), "");
    c.table = str("osts");
    c.schema = str("publicp");
    assert_string_equal(touched(m, &c, &rt), "");

    kr_match_remove(m, &p, &rt);
    assert_false(indexed(m, &p.schema, &p.table));
    kr_match_remove(m, &p, &rt);

    kr_match_free(m);
    kr_match_free(NULL);
}


static void
test_refused(void **state)
{
    kr_str_t         values[2];
    kr_match_t      *m;
    kr_route_t       rt;
    kr_predicate_t   p;

    (void) state;

    m = kr_match_create();
    assert_non_null(m);

    values[0] = str("1");
    values[1] = str("x");

    predicate(&p, "posts", "j", 114, values, 1);
    assert_int_equal(kr_match_add(m, &p, &rt), KR_DECLINED);

    predicate(&p, "posts", "userid", INT4, values, 2);
    assert_int_equal(kr_match_add(m, &p, &rt), KR_DECLINED);
    assert_false(indexed(m, &p.schema, &p.table));

    p.nvalues = 1;
    p.op = (kr_op_e) 77;
    assert_int_equal(kr_match_add(m, &p, &rt), KR_DECLINED);
    assert_false(indexed(m, &p.schema, &p.table));

    /* no value at all: no row matches, the table is watched all the same */
    p.op = KR_EQ;
    p.nvalues = 0;
    assert_int_equal(kr_match_add(m, &p, &rt), KR_OK);
    assert_true(indexed(m, &p.schema, &p.table));
    kr_match_remove(m, &p, &rt);
    assert_false(indexed(m, &p.schema, &p.table));

    kr_match_free(m);
}


/* A list's values are one route, and one value may be written twice. */
static void
test_lists(void **state)
{
    long             n;
    kr_hit_t        *hits;
    kr_str_t         values[3];
    kr_match_t      *m;
    kr_route_t       a, b;
    kr_change_t      c;
    kr_column_t      is, was;
    kr_predicate_t   p, q;

    (void) state;

    m = kr_match_create();
    assert_non_null(m);

    values[0] = str("1.5");
    values[1] = str("1.50");
    values[2] = str("-2");

    predicate(&p, "posts", "n", NUMERIC, values, 3);
    assert_int_equal(kr_match_add(m, &p, &a), KR_OK);
    predicate(&q, "posts", "n", NUMERIC, values, 1);
    assert_int_equal(kr_match_add(m, &q, &b), KR_OK);

    is = column("n", NUMERIC, "-2.000");
    was = column("n", NUMERIC, "1.500");
    change(&c, KR_UPDATE, &is, 1, &was, 1);

    n = kr_match_change(m, &c, &hits);
    assert_int_equal(n, 2);
    assert_string_equal(touched(m, &c, &a), "on");
    assert_string_equal(touched(m, &c, &b), "o");

    n = kr_match_table(m, &c.schema, &c.table, &hits);
    assert_int_equal(n, 2);
    assert_true(hits[0].old && hits[1].old && !hits[0].new && !hits[1].new);
    assert_true(hits[0].route != hits[1].route);

    /* one of two on a value goes; the other stays */
    kr_match_remove(m, &p, &a);
    assert_string_equal(touched(m, &c, &a), "");
    assert_string_equal(touched(m, &c, &b), "o");

    kr_match_free(m);
}


/* What is printed as null may be a NaN or an infinity. */
static void
test_nan(void **state)
{
    kr_str_t         values[2];
    kr_match_t      *m;
    kr_route_t       a, b;
    kr_change_t      c;
    kr_column_t      is;
    kr_predicate_t   p, q;

    (void) state;

    m = kr_match_create();
    assert_non_null(m);

    values[0] = str("nan");
    values[1] = str("1");

    predicate(&p, "posts", "x", FLOAT8, &values[0], 1);
    assert_int_equal(kr_match_add(m, &p, &a), KR_OK);
    predicate(&q, "posts", "x", FLOAT8, &values[1], 1);
    assert_int_equal(kr_match_add(m, &q, &b), KR_OK);

    is = column("x", FLOAT8, NULL);
    change(&c, KR_INSERT, &is, 1, NULL, 0);
    assert_string_equal(touched(m, &c, &a), "n");
    assert_string_equal(touched(m, &c, &b), "");

    is = column("x", FLOAT8, "NaN");
    assert_string_equal(touched(m, &c, &a), "n");

    /* but what a query printed is known */
    assert_false(kr_predicate_matches(&p, NULL, 0));
    assert_true(kr_predicate_matches(&p, "NaN", 3));
    assert_false(kr_predicate_matches(&q, NULL, 0));
    assert_true(kr_predicate_matches(&q, "1.0", 3));
    assert_false(kr_predicate_matches(&q, "10", 2));
    assert_true(kr_predicate_matches(&q, "?", 1));

    kr_match_free(m);
}


static unsigned
next(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245 + 12345;

    return (*seed >> 16) % n;
}


/* One random change against what each route's predicate says by itself. */
static void
compare(kr_match_t *m, kr_route_t *routes, unsigned *seed)
{
    long          n, i;
    char          texts[4][8];
    size_t        k;
    kr_hit_t     *hits;
    kr_route_t   *rt;
    kr_change_t   c;
    kr_column_t   is[2], was[2];

    for (k = 0; k < 4; k++) {
        (void) snprintf(texts[k], sizeof(texts[k]), "%u", next(seed, 40));
    }

    is[0] = column("a", INT4, next(seed, 8) == 0 ? NULL : texts[0]);
    is[1] = column("b", TEXT, texts[1]);
    was[0] = column("a", INT4, next(seed, 8) == 0 ? NULL : texts[2]);
    was[1] = column("b", TEXT, texts[3]);

    change(&c, KR_UPDATE, is, 2, was, 2);

    n = kr_match_change(m, &c, &hits);
    assert_true(n >= 0);

    for (k = 0; k < ROUTES; k++) {
        routes[k].seen = 0;
    }

    for (i = 0; i < n; i++) {
        rt = hits[i].route;
        assert_true(rt->added);
        assert_int_equal(rt->seen, 0);
        assert_int_equal(hits[i].blind, 0);
        rt->seen = 1;
        rt->old = hits[i].old;
        rt->new = hits[i].new;
    }

    for (k = 0; k < ROUTES; k++) {
        int  old, new, cl;

        rt = &routes[k];
        cl = rt->p.type == TEXT;
        old = kr_predicate_matches(&rt->p, was[cl].null ? NULL
                                           : was[cl].value.data,
                                   was[cl].value.len);
        new = kr_predicate_matches(&rt->p, is[cl].null ? NULL
                                           : is[cl].value.data,
                                   is[cl].value.len);

        if (!rt->added || (!old && !new)) {
            assert_int_equal(rt->seen, 0);
            continue;
        }

        assert_int_equal(rt->seen, 1);
        assert_int_equal(rt->old, old);
        assert_int_equal(rt->new, new);
    }
}


static void
test_random(void **state)
{
    long          n;
    size_t        i, k, added;
    unsigned      seed;
    kr_hit_t     *hits;
    kr_route_t   *routes, *rt;
    kr_match_t   *m;

    (void) state;

    seed = 1;
    added = 0;
    m = kr_match_create();
    routes = calloc(ROUTES, sizeof(kr_route_t));
    assert_non_null(m);
    assert_non_null(routes);

    for (i = 0; i < ROUTES; i++) {
        rt = &routes[i];
        predicate(&rt->p, "posts", i % 2 ? "a" : "b", i % 2 ? INT4 : TEXT,
                  rt->values, 1 + next(&seed, 3));

        rt->p.op = (kr_op_e) next(&seed, i % 2 ? KR_LTE + 1
                                               : KR_ENDS_WITH + 1);
        rt->p.c_collation = next(&seed, 4) != 0;

        if (!kr_op_is_list(rt->p.op)) {
            rt->p.nvalues = 1;
        }

        for (k = 0; k < rt->p.nvalues; k++) {
            (void) snprintf(rt->texts[k], sizeof(rt->texts[k]), "%s%u",
                            i % 2 ? "0" : "", next(&seed, 40));
            rt->values[k] = str(rt->texts[k]);
        }
    }

    for (i = 0; i < ROUNDS; i++) {
        rt = &routes[next(&seed, ROUTES)];

        if (rt->added) {
            kr_match_remove(m, &rt->p, rt);
            added--;

        } else {
            assert_int_equal(kr_match_add(m, &rt->p, rt), KR_OK);
            added++;
        }

        rt->added = !rt->added;
        compare(m, routes, &seed);

        n = kr_match_table(m, &rt->p.schema, &rt->p.table, &hits);
        assert_int_equal(n, added);
    }

    kr_match_free(m);
    free(routes);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_random)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
