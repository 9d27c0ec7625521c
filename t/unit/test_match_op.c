/* sources: kr_match.c kr_match_index.c kr_match_hash.c kr_match_value.c */
/* sources: kr_match_pattern.c kr_match_search.c kr_match_predicate.c */
/* sources: kr_op.c kr_value.c kr_value_order.c kr_change.c kr_json.c */
/* sources: kr_value_number.c */
/* sources: kr_lsn.c kr_buf.c */
/* sources: kr_match_hit.c */

#include "match_cases.h"


struct kr_route_s {
    int               id;
};


/* Flags of hits on a text column, for one value of one operator. */
static const char *
single(kr_op_e op, uint32_t type, int c_collation, const char *value,
    const char *old, const char *new)
{
    kr_str_t         v;
    const char      *flags;
    kr_match_t      *m;
    kr_route_t       rt;
    kr_change_t      c;
    kr_column_t      is, was;
    kr_predicate_t   p;

    m = kr_match_create();
    assert_non_null(m);

    v = str(value);
    predicate(&p, "posts", "x", type, &v, 1);
    p.op = op;
    p.c_collation = c_collation;
    assert_int_equal(kr_match_add(m, &p, &rt), KR_OK);

    is = column("x", type, new);
    was = column("x", type, old);
    change(&c, KR_UPDATE, &is, 1, &was, 1);

    flags = touched(m, &c, &rt);

    kr_match_remove(m, &p, &rt);
    assert_false(indexed(m, &p.schema, &p.table));
    kr_match_free(m);

    return flags;
}


static void
test_operators(void **state)
{
    (void) state;

    assert_string_equal(single(KR_NE, INT4, 0, "5", "5", "05"), "");
    assert_string_equal(single(KR_NE, INT4, 0, "5", "5", "6"), "n");
    assert_string_equal(single(KR_NE, INT4, 0, "5", NULL, "6"), "n");
    assert_string_equal(single(KR_NE, NUMERIC, 0, "5", "5.0", NULL), "n");

    assert_string_equal(single(KR_GT, INT4, 0, "9", "9", "10"), "n");
    assert_string_equal(single(KR_GTE, INT4, 0, "9", "9", "8"), "o");
    assert_string_equal(single(KR_LT, INT4, 0, "-9", "-10", "-8"), "o");
    assert_string_equal(single(KR_LTE, INT4, 0, "-9", "-9", NULL), "o");
    assert_string_equal(single(KR_GT, FLOAT8, 0, "1", "NaN", "0"), "o");

    /* what is printed as null may be the infinity that matches */
    assert_string_equal(single(KR_LT, FLOAT8, 0, "1", NULL, "2"), "o");
    assert_string_equal(single(KR_GT, FLOAT8, 0, "NaN", NULL, "2"), "");

    /* who knows how text is sorted elsewhere */
    assert_string_equal(single(KR_GT, TEXT, 1, "b", "a", "c"), "n");
    assert_string_equal(single(KR_GT, TEXT, 0, "b", "a", "c"), "on");
    assert_string_equal(single(KR_GT, TEXT, 0, "b", NULL, "c"), "n");

    assert_string_equal(single(KR_CONTAINS, TEXT, 0, "bc", "abcd", "cb"),
                        "o");
    assert_string_equal(single(KR_CONTAINS, TEXT, 0, "", "abcd", NULL), "o");
    assert_string_equal(single(KR_STARTS_WITH, TEXT, 0, "ab", "abab", "bab"),
                        "o");
    assert_string_equal(single(KR_ENDS_WITH, TEXT, 0, "ab", "ba", "bab"),
                        "n");
    assert_string_equal(single(KR_ENDS_WITH, TEXT, 0, "abc", "bc", "abc"),
                        "n");

    /* the blanks of char(n) are none; those of a value are */
    assert_string_equal(single(KR_ENDS_WITH, BPCHAR, 0, "b", "ab  ", "a "),
                        "o");
    assert_string_equal(single(KR_ENDS_WITH, BPCHAR, 0, "b ", "ab  ", "b "),
                        "");
    assert_string_equal(single(KR_GT, BPCHAR, 1, "a", "a  ", "a!"), "n");
}


static void
test_watch(void **state)
{
    long             n;
    kr_hit_t        *hits;
    kr_str_t         value, schema, table;
    kr_match_t      *m;
    kr_route_t       a, b;
    kr_change_t      c;
    kr_column_t      is;
    kr_predicate_t   p;

    (void) state;

    m = kr_match_create();
    assert_non_null(m);

    schema = str("public");
    table = str("posts");

    assert_int_equal(kr_match_watch(m, &schema, &table, &a), KR_OK);
    assert_int_equal(kr_match_watch(m, &schema, &table, &a), KR_OK);
    assert_true(indexed(m, &schema, &table));

    is = column("userid", INT4, "57");
    change(&c, KR_INSERT, &is, 1, NULL, 0);
    assert_string_equal(touched(m, &c, &a), "nw");
    change(&c, KR_DELETE, NULL, 0, &is, 1);
    assert_string_equal(touched(m, &c, &a), "ow");
    change(&c, KR_UPDATE, &is, 1, NULL, 0);
    assert_string_equal(touched(m, &c, &a), "onw");

    /* a predicate of the same table: one hit all the same */
    value = str("57");
    predicate(&p, "posts", "userid", INT4, &value, 1);
    assert_int_equal(kr_match_add(m, &p, &a), KR_OK);
    assert_int_equal(kr_match_add(m, &p, &b), KR_OK);
    change(&c, KR_INSERT, &is, 1, NULL, 0);
    assert_string_equal(touched(m, &c, &a), "nw");
    assert_string_equal(touched(m, &c, &b), "n");

    n = kr_match_table(m, &schema, &table, &hits);
    assert_int_equal(n, 2);

    kr_match_unwatch(m, &schema, &table, &a);
    kr_match_unwatch(m, &schema, &table, &a);
    kr_match_unwatch(m, &table, &schema, &a);
    assert_string_equal(touched(m, &c, &a), "n");

    table = str("users");
    assert_int_equal(kr_match_watch(m, &schema, &table, &a), KR_OK);
    c.table = table;
    assert_string_equal(touched(m, &c, &a), "nw");
    assert_string_equal(touched(m, &c, &b), "");

    kr_match_remove(m, &p, &a);
    assert_string_equal(touched(m, &c, &a), "nw");
    c.table = str("posts");
    assert_string_equal(touched(m, &c, &a), "");

    kr_match_free(m);
}


/* More values of one length than are looked for one by one. */
static void
test_windows(void **state)
{
    long              n, i;
    char              texts[60][4];
    kr_hit_t         *hits;
    kr_str_t          values[60];
    kr_match_t       *m;
    kr_route_t        routes[60];
    kr_change_t       c;
    kr_column_t       is;
    kr_predicate_t    p;

    (void) state;

    m = kr_match_create();
    assert_non_null(m);

    for (i = 0; i < 60; i++) {
        (void) snprintf(texts[i], sizeof(texts[i]), "%c%c",
                        (char) ('a' + i / 10), (char) ('a' + i % 10));
        values[i] = str(texts[i]);
        predicate(&p, "posts", "x", TEXT, &values[i], 1);
        p.op = KR_CONTAINS;
        assert_int_equal(kr_match_add(m, &p, &routes[i]), KR_OK);
    }

    is = column("x", TEXT, "abababab\xff..ffbj fj");
    change(&c, KR_INSERT, &is, 1, NULL, 0);
    n = kr_match_change(m, &c, &hits);
    assert_int_equal(n, 6);

    for (i = 0; i < 60; i++) {
        assert_string_equal(touched(m, &c, &routes[i]),
                            strstr(is.value.data, texts[i]) ? "n" : "");
    }

    is = column("x", TEXT, "a");
    assert_int_equal(kr_match_change(m, &c, &hits), 0);
    is = column("x", TEXT, "");
    assert_int_equal(kr_match_change(m, &c, &hits), 0);

    kr_match_free(m);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_operators),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_windows)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
