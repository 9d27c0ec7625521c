/* sources: kr_buf.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kr_buf.h"


static void
test_append(void **state)
{
    size_t    i;
    kr_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(b));

    kr_buf_append(&b, "", 0);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");

    for (i = 0; i < 10000; i++) {
        kr_buf_append(&b, "abc", 3);
        assert_int_equal(b.len, 3 * (i + 1));
        assert_true(b.len < b.size);
        assert_int_equal(b.data[b.len], 0);
    }

    for (i = 0; i < 10000; i++) {
        assert_memory_equal(b.data + 3 * i, "abc", 3);
    }

    kr_buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_true(b.size > 30000);
    assert_string_equal(b.data, "");

    kr_buf_str(&b, "one");
    kr_buf_printf(&b, " %d %s", 2, "three");
    assert_string_equal(b.data, "one 2 three");
    assert_int_equal(b.len, 11);

    kr_buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.size, 0);
}


static void
test_printf_grows(void **state)
{
    char      text[300];
    kr_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(b));
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';

    kr_buf_printf(&b, "<%s>", text);

    assert_int_equal(b.len, 301);
    assert_int_equal(b.data[0], '<');
    assert_int_equal(b.data[300], '>');

    kr_buf_free(&b);
}


static void
test_reserve(void **state)
{
    char      *p;
    kr_buf_t   b;

    (void) state;

    memset(&b, 0, sizeof(b));

    kr_buf_str(&b, "ab");
    p = kr_buf_reserve(&b, 1000);
    assert_ptr_equal(p, b.data + 2);
    assert_true(b.size >= 1003);
    memset(p, 'c', 1000);
    b.len += 1000;

    /* more than there can be: noted, and nothing is appended any more */
    assert_null(kr_buf_reserve(&b, SIZE_MAX - 10));
    assert_int_equal(b.failed, 1);
    kr_buf_str(&b, "lost");
    assert_int_equal(b.len, 1002);

    kr_buf_reset(&b);
    assert_int_equal(b.failed, 0);
    kr_buf_str(&b, "again");
    assert_string_equal(b.data, "again");

    kr_buf_free(&b);
}


static void
test_json(void **state)
{
    size_t    i;
    kr_buf_t  b;

    static const struct {
        kr_str_t     in;
        const char  *out;
    } cases[] = {
        { kr_str(""), "\"\"" },
        { kr_str("plain"), "\"plain\"" },
        { kr_str("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"" },
        { kr_str("\b\t\n\v\f\r"), "\"\\b\\t\\n\\u000b\\f\\r\"" },
        { kr_str("\x1f\x20\x7f"), "\"\\u001f \x7f\"" },
        { kr_str("a\0b"), "\"a\\u0000b\"" },
        { kr_str("h\xc3\xa9\xf0\x9f\x98\x80"),
          "\"h\xc3\xa9\xf0\x9f\x98\x80\"" },
        { kr_str("\"\""), "\"\\\"\\\"\"" }
    };

    (void) state;

    memset(&b, 0, sizeof(b));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kr_buf_reset(&b);
        kr_buf_json(&b, cases[i].in.data, cases[i].in.len);
        assert_string_equal(b.data, cases[i].out);
        assert_int_equal(b.len, strlen(cases[i].out));
    }

    kr_buf_free(&b);
}


static void
test_ident(void **state)
{
    size_t    i;
    kr_buf_t  b;

    static const char  *cases[][2] = {
        { "posts", "\"posts\"" },
        { "My Table", "\"My Table\"" },
        { "a\"b", "\"a\"\"b\"" },
        { "\"", "\"\"\"\"" },
        { "\"\"x", "\"\"\"\"\"x\"" },
        { "", "\"\"" }
    };

    (void) state;

    memset(&b, 0, sizeof(b));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kr_buf_reset(&b);
        kr_buf_ident(&b, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(b.data, cases[i][1]);
    }

    kr_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_printf_grows),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_ident)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
