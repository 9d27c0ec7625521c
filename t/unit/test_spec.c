/* sources: kr_spec.c kr_json.c kr_buf.c kr_op.c kr_value.c */
/* sources: kr_value_number.c */
/* sources: kr_value_order.c */
/* libs: -lcrypto */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kr_spec.h"


#define PAYLOAD(rest)                                                         \
    "{\"topic\":\"posts:userid\",\"table_field\":\"userid\","                 \
    "\"equality\":\"eq\",\"query\":\"select 1\",\"pk\":\"id\"," rest "}"

#define VALUE(value)  PAYLOAD("\"event\":\"e\",\"field_value\":" value)


static void
assert_str(const kr_str_t *s, const char *text)
{
    assert_int_equal(s->len, strlen(text));
    assert_memory_equal(s->data, text, s->len);
}


static void
test_spec_whole(void **state)
{
    kr_buf_t   reason;
    kr_spec_t  s;

    static const char  json[] =
        "{\"topic\":\"s.posts:user:id\",\"userid\":5,\"table_field\":\"p.f\","
        "\"field_value\":\" 57 \",\"equality\":\"eq\",\"query\":\"select\","
        "\"event\":\"po\\u0073ts\",\"pk\":\"id\",\"alias\":null,\"x\":[{}]}";

    (void) state;

    memset(&reason, 0, sizeof(kr_buf_t));

    assert_int_equal(kr_spec_parse(&s, json, sizeof(json) - 1, &reason),
                     KR_OK);
    assert_str(&s.topic, "s.posts:user:id");
    assert_str(&s.table, "s.posts:user");
    assert_str(&s.field, "p.f");
    assert_str(&s.query, "select");
    assert_str(&s.event, "posts");
    assert_str(&s.pk, "id");
    assert_str(&s.alias, "");
    assert_int_equal(s.nvalues, 1);
    assert_str(&s.values[0], " 57 ");

    kr_spec_free(&s);
    kr_buf_free(&reason);
}


static void
test_spec_values(void **state)
{
    size_t     i;
    kr_buf_t   reason, out;
    kr_spec_t  s;

    static const struct {
        const char  *json;
        const char  *literal;
    } cases[] = {
        { VALUE("57"), "{\"57\"}" },
        { VALUE("\"57\""), "{\"57\"}" },
        { VALUE("true"), "{\"true\"}" },
        { VALUE("12.50"), "{\"12.50\"}" },
        { VALUE("123456789012345678901234567890"),
          "{\"123456789012345678901234567890\"}" },
        { VALUE("[1,\" a \",false]"), "{\"1\",\" a \",\"false\"}" },
        { VALUE("\"\""), "{\"\"}" },
        { PAYLOAD("\"event\":\"e\",\"field_value\":\" a \","
                  "\"equality\":\"starts_with\""), "{\" a \"}" },
        { VALUE("\"a\\\"b\\\\c,{}\""), "{\"a\\\"b\\\\c,{}\"}" },
    };

    (void) state;

    memset(&reason, 0, sizeof(kr_buf_t));
    memset(&out, 0, sizeof(kr_buf_t));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(kr_spec_parse(&s, cases[i].json,
                                       strlen(cases[i].json), &reason),
                         KR_OK);
        kr_buf_reset(&out);
        kr_buf_array(&out, s.values, s.nvalues);
        assert_string_equal(out.data, cases[i].literal);
        kr_spec_free(&s);
    }

    kr_buf_free(&out);
    kr_buf_free(&reason);
}


static void
test_spec_refused(void **state)
{
    size_t     i;
    kr_buf_t   reason;
    kr_spec_t  s;

    /* the sentence begins with, or holds, the name of the field */

    static const struct {
        const char  *json;
        const char  *names;
    } cases[] = {
        { "", "cannot be read" },
        { VALUE("\"a\\u0000\""), "holds NUL" },
        { "[]", "object" },
        { "{}", "query" },
        { "{\"query\":\"q\",\"event\":\"e\",\"equality\":\"eq\","
          "\"field_value\":1}", "table_field is missing" },
        { "{\"query\":\"q\",\"event\":\"e\",\"table_field\":\"f\","
          "\"field_value\":1}", "equality is missing" },
        { "{\"query\":\"q\",\"event\":\"e\",\"table_field\":\"f\","
          "\"equality\":\"eq\"}", "field_value is missing" },
        { "{\"query\":\"q\",\"event\":\"e\",\"field_value\":0}",
          "table_field is missing" },
        { "{\"query\":\"q\",\"event\":\"e\",\"table_field\":\"\"}",
          "table_field is missing" },
        { "{\"query\":\"q\",\"event\":\"e\",\"table_field\":null}",
          "table_field must be a string" },
        { "{\"query\":\"q\",\"event\":\"e\",\"field_value\":null}",
          "field_value must not be null" },
        { "{\"query\":\"q\",\"event\":\"e\",\"topic\":\"posts:userid\"}",
          "table_field is missing, and topic \"posts:userid\" names" },
        { "{\"topic\":5}", "topic" },
        { PAYLOAD("\"event\":\"e\""), "field_value" },
        { VALUE("null"), "field_value" },
        { VALUE("[]"), "field_value" },
        { VALUE("[1,null]"), "field_value" },
        { VALUE("[[1]]"), "field_value" },
        { VALUE("{}"), "field_value" },
        { VALUE("1") "x", "one object" },
        { PAYLOAD("\"field_value\":1"), "event" },
        { PAYLOAD("\"field_value\":1,\"event\":\"\""), "event" },
        { PAYLOAD("\"field_value\":1,\"event\":7"), "event" },
        { PAYLOAD("\"field_value\":1,\"event\":\"phx_x\""), "event" },
        { PAYLOAD("\"field_value\":1,\"event\":\"e\",\"alias\":1"), "alias" },
        { PAYLOAD("\"field_value\":1,\"event\":\"e\",\"equality\":\"no\""),
          "equality" },
        { VALUE("1,\"exact\":1"), "exact" },
        { VALUE("1,\"pk\":5"), "pk" },
        { VALUE("1,\"pk\":\"a,\""), "pk" },
        { VALUE("1,\"pk\":\", a\""), "pk" },
        { VALUE("1,\"pk\":\"a,b,c,d,e,f,g,h,i\""), "pk" },
    };

    (void) state;

    memset(&reason, 0, sizeof(kr_buf_t));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kr_buf_reset(&reason);
        assert_int_equal(kr_spec_parse(&s, cases[i].json,
                                       strlen(cases[i].json), &reason),
                         KR_DECLINED);
        assert_non_null(strstr(reason.data, cases[i].names));
    }

    kr_buf_free(&reason);
}


/* without a predicate; the topic is a table then, or says nothing */
static void
test_spec_all(void **state)
{
    size_t     i;
    kr_buf_t   reason;
    kr_spec_t  s;

#define ALL(rest)  "{\"query\":\"q\",\"event\":\"e\"" rest "}"

    static const struct {
        const char  *json;
        const char  *table;
    } cases[] = {
        { ALL(""), "" },
        { ALL(",\"topic\":null"), "" },
        { ALL(",\"topic\":\"posts\""), "posts" },
        { ALL(",\"topic\":\"a.posts:\""), "a.posts" }
    };

    (void) state;

    memset(&reason, 0, sizeof(kr_buf_t));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(kr_spec_parse(&s, cases[i].json,
                                       strlen(cases[i].json), &reason),
                         KR_OK);
        assert_true(s.all);
        assert_int_equal(s.nvalues, 0);
        assert_str(&s.field, "");
        assert_str(&s.table, cases[i].table);
        kr_spec_free(&s);
    }

    assert_int_equal(kr_spec_parse(&s, VALUE("1"), strlen(VALUE("1")),
                                   &reason), KR_OK);
    assert_false(s.all);
    kr_spec_free(&s);
    kr_buf_free(&reason);
}


/* of each kind of value, and one more than there may be */
static void
test_spec_many(void **state)
{
    size_t     i, n;
    kr_buf_t   json, reason;
    kr_spec_t  s;

    static const char *const  values[] = { "1", "\"a\"", "true", "false" };

    (void) state;

    memset(&json, 0, sizeof(kr_buf_t));
    memset(&reason, 0, sizeof(kr_buf_t));

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        kr_buf_reset(&json);
        kr_buf_str(&json, "{\"table_field\":\"f\",\"equality\":\"eq\","
                   "\"query\":\"q\",\"event\":\"e\",\"field_value\":[1");

        for (n = 1; n < KR_SPEC_VALUES_MAX; n++) {
            kr_buf_printf(&json, ",%s", values[i]);
        }

        kr_buf_str(&json, "]}");
        assert_int_equal(kr_spec_parse(&s, json.data, json.len, &reason),
                         KR_OK);
        assert_int_equal(s.nvalues, KR_SPEC_VALUES_MAX);
        kr_spec_free(&s);

        json.len -= 2;
        kr_buf_printf(&json, ",%s]}", values[i]);
        kr_buf_reset(&reason);
        assert_int_equal(kr_spec_parse(&s, json.data, json.len, &reason),
                         KR_DECLINED);
        assert_string_equal(reason.data,
                            "field_value has more than 10000 values");
    }

    kr_buf_free(&json);
    kr_buf_free(&reason);
}


static void
test_spec_key(void **state)
{
    size_t     i, k;
    kr_buf_t   reason;
    kr_spec_t  s;

    static const struct {
        const char  *json;
        size_t       n;
        const char  *pks[3];
        unsigned     exact;
        kr_op_e      op;
    } cases[] = {
        { VALUE("1"), 1, { "id" }, 0, KR_EQ },
        { VALUE("1,\"pk\":null"), 1, { "id" }, 0, KR_EQ },
        { VALUE("1,\"pk\":\"\""), 0, { NULL }, 0, KR_EQ },
        { VALUE("1,\"pk\":\"p.a, b\",\"exact\":true"), 2, { "p.a", "b" }, 1,
          KR_EQ },
        { VALUE("1,\"pk\":\" \\\"a, b\\\" ,c\",\"equality\":\"!eq\""), 2,
          { "\"a, b\"", "c" }, 0, KR_NE },
        { VALUE("1,\"exact\":false,\"equality\":\"lte\""), 1, { "id" }, 0,
          KR_LTE },
    };

    (void) state;

    memset(&reason, 0, sizeof(kr_buf_t));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(kr_spec_parse(&s, cases[i].json,
                                       strlen(cases[i].json), &reason),
                         KR_OK);
        assert_int_equal(s.npks, cases[i].n);
        assert_int_equal(s.exact, cases[i].exact);
        assert_int_equal(s.op, cases[i].op);

        for (k = 0; k < s.npks; k++) {
            assert_str(&s.pks[k], cases[i].pks[k]);
        }

        kr_spec_free(&s);
    }

    kr_buf_free(&reason);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_spec_whole),
        cmocka_unit_test(test_spec_values),
        cmocka_unit_test(test_spec_refused),
        cmocka_unit_test(test_spec_all),
        cmocka_unit_test(test_spec_many),
        cmocka_unit_test(test_spec_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
