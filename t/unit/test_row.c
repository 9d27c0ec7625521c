/* sources: kr_row.c kr_json.c kr_value.c kr_value_order.c kr_buf.c */
/* sources: kr_value_number.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kr_oid.h"
#include "kr_row.h"


#define INT4  23
#define TEXT  25
#define BOOL  16
#define NUM   1700
#define TS    1114
#define TSTZ  1184


static kr_key_columns_t
key_of(size_t n, const char *a, uint32_t at, const char *b, uint32_t bt)
{
    kr_key_columns_t  key;

    memset(&key, 0, sizeof(kr_key_columns_t));

    key.n = n;
    key.names[0].data = a;
    key.names[0].len = strlen(a);
    key.types[0] = at;

    if (n > 1) {
        key.names[1].data = b;
        key.names[1].len = strlen(b);
        key.types[1] = bt;
    }

    return key;
}


static void
assert_key(const kr_key_columns_t *key, const char *texts, const char *json)
{
    kr_rows_writer_t  r;

    memset(&r, 0, sizeof(kr_rows_writer_t));

    assert_int_equal(kr_rows_key(&r, key, texts, "delete", NULL, 7), KR_OK);
    assert_string_equal(r.json.data, json);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.marks[0].xid, 7);
    assert_int_equal(r.marks[0].end, strlen(json));

    kr_rows_free(&r);
}


static void
test_row_key(void **state)
{
    size_t            i;
    kr_key_columns_t  key;

    static const struct {
        const char  *name;
        uint32_t     type;
        const char  *text;
        const char  *json;
    } cases[] = {
        { "id", INT4, "5", "{\"id\":5,\"database_op\":\"delete\"}" },
        { "n", NUM, "1.50", "{\"id\":1.50,\"n\":1.50,"
          "\"database_op\":\"delete\"}" },
        { "id", NUM, "NaN", "{\"id\":\"NaN\",\"database_op\":\"delete\"}" },
        { "id", INT4, "", "{\"id\":\"\",\"database_op\":\"delete\"}" },
        { "id", TEXT, "a\"b", "{\"id\":\"a\\\"b\","
          "\"database_op\":\"delete\"}" },
        { "id", BOOL, "t", "{\"id\":true,\"database_op\":\"delete\"}" },
        { "id", BOOL, "false", "{\"id\":false,\"database_op\":\"delete\"}" },
        { "id", TS, "2026-01-02 03:04:05.6",
          "{\"id\":\"2026-01-02T03:04:05.6\",\"database_op\":\"delete\"}" },
        { "id", TSTZ, "0044-03-15 00:00:00+00 BC",
          "{\"id\":\"0044-03-15T00:00:00+00:00 BC\","
          "\"database_op\":\"delete\"}" },
        { "id", TSTZ, "infinity",
          "{\"id\":\"infinity\",\"database_op\":\"delete\"}" },
        { "k", INT4, NULL, "{\"id\":null,\"k\":null,"
          "\"database_op\":\"delete\"}" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        key = key_of(1, cases[i].name, cases[i].type, NULL, 0);
        assert_key(&key, cases[i].text, cases[i].json);
    }
}


static void
test_row_composite(void **state)
{
    kr_key_columns_t  key;

    (void) state;

    key = key_of(2, "a", INT4, "b", TEXT);
    assert_key(&key, "1\0x", "{\"id\":[1,\"x\"],\"a\":1,\"b\":\"x\","
               "\"database_op\":\"delete\"}");

    /* a column that is called id is itself */
    key = key_of(2, "tenant", INT4, "id", TEXT);
    assert_key(&key, "1\0x", "{\"tenant\":1,\"id\":\"x\","
               "\"database_op\":\"delete\"}");
}


/* What the query's rows hold is not always what the table has. */
static void
test_row_forms(void **state)
{
    char              want[128];
    size_t            i;
    kr_key_columns_t  key;

    static const struct {
        kr_key_form_e  form;
        uint32_t       type;
        const char    *text;
        const char    *json;
    } cases[] = {
        { KR_KEY_VALUE, KR_OID_INT8, "9007199254740993", "9007199254740993" },
        { KR_KEY_TEXT, KR_OID_INT8, "9007199254740993",
          "\"9007199254740993\"" },
        { KR_KEY_TEXT, NUM, "1.50", "\"1.50\"" },
        { KR_KEY_TEXT, BOOL, "t", "\"true\"" },
        { KR_KEY_TEXT, BOOL, "false", "\"false\"" },
        { KR_KEY_TEXT, TSTZ, "2026-01-02 03:04:05+00",
          "\"2026-01-02 03:04:05+00\"" },
        { KR_KEY_VALUE, KR_OID_BPCHAR, "ab  ", "\"ab  \"" },
        { KR_KEY_TEXT, KR_OID_BPCHAR, "ab  ", "\"ab\"" },
        { KR_KEY_TEXT, KR_OID_BPCHAR, "    ", "\"\"" },
        { KR_KEY_TEXT, TEXT, "a\" ", "\"a\\\" \"" },
        { KR_KEY_TEXT, TEXT, NULL, "null" },
        { KR_KEY_JSON, 114, "{\"a\": [1]}", "{\"a\": [1]}" },
        { KR_KEY_JSON, TEXT, "\"\"", "\"\"" },
        { KR_KEY_JSON, NUM, "\"NaN\"", "\"NaN\"" },
        { KR_KEY_JSON, NUM, "", "null" },
        { KR_KEY_JSON, NUM, NULL, "null" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        key = key_of(1, "id", cases[i].type, NULL, 0);
        key.forms[0] = cases[i].form;

        snprintf(want, sizeof(want), "{\"id\":%s,\"database_op\":\"delete\"}",
                 cases[i].json);
        assert_key(&key, cases[i].text, want);
    }

    key = key_of(2, "a", INT4, "b", BOOL);
    key.forms[0] = KR_KEY_TEXT;
    assert_key(&key, "1\0t", "{\"id\":[\"1\",true],\"a\":\"1\",\"b\":true,"
               "\"database_op\":\"delete\"}");
    assert_key(&key, NULL, "{\"id\":[null,null],\"a\":null,\"b\":null,"
               "\"database_op\":\"delete\"}");
}


static void
test_row_full(void **state)
{
    kr_key_columns_t  key;
    kr_rows_writer_t  r;

    static const kr_str_t  none = kr_str("{}"), one = kr_str("{\"a\":1}");

    (void) state;

    memset(&r, 0, sizeof(kr_rows_writer_t));
    key = key_of(1, "id", INT4, NULL, 0);

    assert_int_equal(kr_rows_full(&r, &key, NULL, &none, "insert", 1), KR_OK);
    assert_int_equal(kr_rows_full(&r, &key, "5", &one, "update", 2), KR_OK);
    assert_int_equal(kr_rows_key(&r, &key, "9", "insert", "too large", 0),
                     KR_OK);
    assert_string_equal(r.json.data, "{\"database_op\":\"insert\"},"
                        "{\"a\":1,\"database_op\":\"update\"},"
                        "{\"id\":9,\"error\":\"too large\","
                        "\"database_op\":\"insert\"}");
    assert_int_equal(r.n, 3);
    assert_int_equal(r.marks[0].end, 24);
    assert_int_equal(r.marks[1].xid, 2);
    assert_int_equal(r.marks[2].end, r.json.len);

    kr_rows_reset(&r);
    assert_int_equal(kr_rows_full(&r, &key, NULL, &none, "insert", 1), KR_OK);
    assert_string_equal(r.json.data, "{\"database_op\":\"insert\"}");

    kr_rows_free(&r);
}


/* The key of a query that does not select it, as texts. */
static void
test_row_added(void **state)
{
    size_t            i;
    kr_key_columns_t  key;
    kr_rows_writer_t  r;

    static const kr_str_t  none = kr_str("{}"), one = kr_str("{\"a\":1}");

    static const struct {
        size_t       n;
        const char  *name;
        uint32_t     type;
        const char  *texts;
        const char  *rows;
    } cases[] = {
        { 1, "id", KR_OID_INT8, "9007199254740993",
          "{\"key\":\"9007199254740993\",\"database_op\":\"insert\"},"
          "{\"a\":1,\"key\":\"9007199254740993\",\"database_op\":\"query\"},"
          "{\"id\":9007199254740993,\"key\":\"9007199254740993\","
          "\"database_op\":\"delete\"}" },
        { 1, "b", BOOL, "t",
          "{\"key\":\"true\",\"database_op\":\"insert\"},"
          "{\"a\":1,\"key\":\"true\",\"database_op\":\"query\"},"
          "{\"id\":true,\"b\":true,\"key\":\"true\","
          "\"database_op\":\"delete\"}" },
        { 1, "key", INT4, NULL,
          "{\"key\":null,\"database_op\":\"insert\"},"
          "{\"a\":1,\"key\":null,\"database_op\":\"query\"},"
          "{\"id\":null,\"key\":null,\"database_op\":\"delete\"}" },
        { 2, "key", KR_OID_BPCHAR, "x  \0007",
          "{\"key\":[\"x\",\"7\"],\"database_op\":\"insert\"},"
          "{\"a\":1,\"key\":[\"x\",\"7\"],\"database_op\":\"query\"},"
          "{\"id\":7,\"key\":[\"x\",\"7\"],\"database_op\":\"delete\"}" },
        { 2, "k", INT4, "1\0002",
          "{\"key\":[\"1\",\"2\"],\"database_op\":\"insert\"},"
          "{\"a\":1,\"key\":[\"1\",\"2\"],\"database_op\":\"query\"},"
          "{\"k\":1,\"id\":2,\"key\":[\"1\",\"2\"],"
          "\"database_op\":\"delete\"}" }
    };

    (void) state;

    memset(&r, 0, sizeof(kr_rows_writer_t));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        key = key_of(cases[i].n, cases[i].name, cases[i].type, "id", NUM);
        key.added = 1;

        kr_rows_reset(&r);
        assert_int_equal(kr_rows_full(&r, &key, cases[i].texts, &none,
                                      "insert", 0), KR_OK);
        assert_int_equal(kr_rows_full(&r, &key, cases[i].texts, &one,
                                      "query", 0), KR_OK);
        assert_int_equal(kr_rows_key(&r, &key, cases[i].texts, "delete",
                                     NULL, 0), KR_OK);
        assert_string_equal(r.json.data, cases[i].rows);
    }

    kr_rows_free(&r);
}


static void
test_key_texts(void **state)
{
    kr_buf_t          b;
    kr_key_columns_t  one, two;

    (void) state;

    memset(&b, 0, sizeof(kr_buf_t));
    one = key_of(1, "a", TEXT, NULL, 0);
    two = key_of(2, "a", INT4, "b", TEXT);

    assert_int_equal(kr_key_texts(&one, "[\"x\"]", 5, &b), KR_OK);
    assert_int_equal(b.len, 6);
    assert_memory_equal(b.data, "[\"x\"]", 6);

    kr_buf_reset(&b);
    assert_int_equal(kr_key_texts(&two, "[\"1\", \"a\\\"b\\u00e9\"]", 20, &b),
                     KR_OK);
    assert_int_equal(b.len, 2 + 6);
    assert_memory_equal(b.data, "1\0a\"b\xc3\xa9\0", 8);

    kr_buf_reset(&b);
    assert_int_equal(kr_key_texts(&two, "[\"1\", null]", 11, &b), KR_OK);
    assert_memory_equal(b.data, "1\0\0", 3);

    /* of the other side of a join */
    assert_int_equal(kr_key_texts(&two, "[null, null]", 12, &b), KR_DECLINED);

    assert_int_equal(kr_key_texts(&two, "[\"1\"]", 5, &b), KR_ERROR);
    assert_int_equal(kr_key_texts(&two, "[\"1\",\"2\",\"3\"]", 13, &b),
                     KR_ERROR);
    assert_int_equal(kr_key_texts(&two, "1", 1, &b), KR_ERROR);
    assert_int_equal(kr_key_texts(&two, "[\"1\", \"2", 8, &b), KR_ERROR);

    kr_buf_free(&b);
}


/* Equal keys in other words are equal bytes; what begins where counts. */
static void
test_key_bytes(void **state)
{
    kr_buf_t          a, b;
    kr_key_columns_t  key;

    (void) state;

    memset(&a, 0, sizeof(kr_buf_t));
    memset(&b, 0, sizeof(kr_buf_t));

    key = key_of(2, "a", NUM, "b", TEXT);
    kr_key_bytes(&key, "1.50\0x", &a);
    kr_key_bytes(&key, "1.5\0x", &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);

    /* as strings they differ; not so the words for a boolean */
    kr_buf_reset(&a);
    kr_buf_reset(&b);
    key = key_of(1, "a", NUM, NULL, 0);
    key.forms[0] = KR_KEY_TEXT;
    kr_key_bytes(&key, "1.50", &a);
    kr_key_bytes(&key, "1.5", &b);
    assert_int_not_equal(a.len, b.len);

    kr_buf_reset(&a);
    kr_buf_reset(&b);
    key.types[0] = BOOL;
    kr_key_bytes(&key, "t", &a);
    kr_key_bytes(&key, "true", &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);

    kr_buf_reset(&a);
    kr_buf_reset(&b);
    key = key_of(2, "a", TEXT, "b", TEXT);
    kr_key_bytes(&key, "ab\0c", &a);
    kr_key_bytes(&key, "a\0bc", &b);
    assert_false(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);

    /* a type that is not compared */
    kr_buf_reset(&a);
    key = key_of(1, "a", 114, NULL, 0);
    kr_key_bytes(&key, "{}", &a);
    assert_int_equal(a.len, 2);

    kr_buf_free(&a);
    kr_buf_free(&b);
}


/* Both forms of a printed key, and a copy of them. */
static void
test_row_key_parse(void **state)
{
    char              data[64];
    kr_row_key_t      k, copy;
    kr_key_columns_t  one;
    kr_row_key_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(kr_row_key_buf_t));
    one = key_of(1, "id", NUM, NULL, 0);

    assert_int_equal(kr_row_key_parse(&one, "1.50", 4, &b, &k), KR_OK);
    assert_int_equal(k.texts.len, 5);
    assert_memory_equal(k.texts.data, "1.50", 5);
    assert_true(kr_row_key_size(&k) <= sizeof(data));
    kr_row_key_copy(&copy, data, &k);
    assert_memory_equal(data, "1.50", 5);

    /* the same memory, the same bytes, another text */
    assert_int_equal(kr_row_key_parse(&one, "1.5", 3, &b, &k), KR_OK);
    assert_int_equal(k.bytes.len, copy.bytes.len);
    assert_memory_equal(k.bytes.data, copy.bytes.data, k.bytes.len);
    assert_memory_equal(k.texts.data, "1.5", 4);

    one.n = 2;
    assert_int_equal(kr_row_key_parse(&one, "1.5", 3, &b, &k), KR_ERROR);
    kr_row_key_free(&b);
    one = key_of(1, "t", TEXT, NULL, 0);
    assert_int_equal(kr_row_key_parse(&one, "", 0, &b, &k), KR_OK);
    assert_int_equal(k.texts.len, 1);
    assert_int_equal(k.bytes.len, 0);
    assert_non_null(k.bytes.data);

    kr_row_key_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_row_key),
        cmocka_unit_test(test_row_composite),
        cmocka_unit_test(test_row_forms),
        cmocka_unit_test(test_row_full),
        cmocka_unit_test(test_row_added),
        cmocka_unit_test(test_key_texts),
        cmocka_unit_test(test_key_bytes),
        cmocka_unit_test(test_row_key_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
