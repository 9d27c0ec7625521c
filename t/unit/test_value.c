/* sources: kr_value.c kr_buf.c */
/* sources: kr_value_number.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_value.h"


#define BOOL         16
#define INT8         20
#define INT2         21
#define INT4         23
#define TEXT         25
#define FLOAT4       700
#define FLOAT8       701
#define BPCHAR       1042
#define VARCHAR      1043
#define DATE         1082
#define TIME         1083
#define TIMESTAMP    1114
#define TIMESTAMPTZ  1184
#define NUMERIC      1700
#define UUID         2950


/* The key of text that lies in memory of exactly its size. */
static int
key(uint32_t type, const char *text, kr_buf_t *out)
{
    int      rc;
    char    *copy;
    size_t   len;

    len = strlen(text);
    copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, text, len);

    rc = kr_value_key(type, copy, len, out);
    free(copy);

    return rc;
}


static void
test_pairs(void **state)
{
    size_t    i;
    kr_buf_t  a, b;

    static const struct {
        uint32_t     type;
        const char  *a;
        const char  *b;
        int          equal;
    } cases[] = {
        { BOOL, "t", "true", 1 }, { BOOL, "f", "false", 1 },
        { BOOL, "t", " TRUE ", 1 }, { BOOL, "yes", "on", 1 },
        { BOOL, "of", "0", 1 }, { BOOL, "1", "f", 0 },

        { INT2, "5", "+5", 1 }, { INT2, "0", "-0", 1 },
        { INT2, "007", "7", 1 }, { INT2, "-32768", "-32768", 1 },
        { INT4, " 12 ", "12", 1 }, { INT4, "12", "-12", 0 },
        { INT4, "000", "0", 1 }, { INT4, "10", "1", 0 },
        { INT8, "9223372036854775807", "9223372036854775806", 0 },
        { INT8, "-9223372036854775808", "-09223372036854775808", 1 },

        { FLOAT8, "-0", "0", 1 }, { FLOAT8, "nan", "NaN", 1 },
        { FLOAT8, "inf", "Infinity", 1 },
        { FLOAT8, "inf", "-inf", 0 }, { FLOAT8, "1e3", "1000.0", 1 },
        { FLOAT8, "0.1", "0.10000000000000000555", 1 },
        { FLOAT8, "0.1", "0.10000000000000002", 0 },
        { FLOAT8, "1e-320", "1e-320", 1 },
        { FLOAT4, "0.1", "0.100000001", 1 },
        { FLOAT4, "16777216", "16777217", 1 },
        { FLOAT4, "16777216", "16777218", 0 },
        { FLOAT4, "-0", "0", 1 },

        { NUMERIC, "1.50", "1.5", 1 }, { NUMERIC, "1.5", "15", 0 },
        { NUMERIC, "0", "-0.000", 1 }, { NUMERIC, "0", "0e10", 1 },
        { NUMERIC, "150", "1.5e2", 1 }, { NUMERIC, "150", "1500e-1", 1 },
        { NUMERIC, "0.015", "15E-3", 1 }, { NUMERIC, ".5", "+0.5", 1 },
        { NUMERIC, "5.", "05", 1 }, { NUMERIC, "10", "1", 0 },
        { NUMERIC, "1.05", "1.5", 0 }, { NUMERIC, "-1", "1", 0 },
        { NUMERIC, "100", "1e2", 1 }, { NUMERIC, "100.0010", "100.001", 1 },
        { NUMERIC, "nan", "NaN", 1 }, { NUMERIC, "NaN", "0", 0 },
        { NUMERIC, "inf", "Infinity", 1 }, { NUMERIC, "-inf", "inf", 0 },
        { NUMERIC, "123456789012345678901234567890.123456789",
                   "0123456789012345678901234567890.12345678900", 1 },
        { NUMERIC, "123456789012345678901234567890.123456789",
                   "123456789012345678901234567890.123456788", 0 },

        { UUID, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", 1 },
        { UUID, "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", 1 },
        { UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", 0 },

        { TEXT, "a", "a", 1 }, { TEXT, "a", "A", 0 },
        { TEXT, "a", "a ", 0 }, { TEXT, "", "", 1 }, { TEXT, "", " ", 0 },
        { VARCHAR, "a", "a ", 0 }, { VARCHAR, "1.0", "1", 0 },
        { BPCHAR, "ab   ", "ab", 1 }, { BPCHAR, " ab", "ab", 0 },
        { BPCHAR, "   ", "", 1 }, { BPCHAR, "ab\t", "ab", 0 },

        { DATE, "2026-01-02", "2026-01-02", 1 },
        { DATE, "2026-01-02", "2026-01-03", 0 },
        { DATE, "0044-03-15 BC", "0044-03-15", 0 },
        { DATE, "infinity", "-infinity", 0 },
        { DATE, "294276-12-31", "294276-12-31", 1 },
        { TIME, "03:04:05", "03:04:05.000001", 0 },
        { TIME, "24:00:00", "24:00:00", 1 },
        { TIMESTAMP, "2026-01-02 03:04:05.6", "2026-01-02 03:04:05.6", 1 },
        { TIMESTAMP, "0044-03-15 00:00:00 BC", "0044-03-15 00:00:00", 0 },
        { TIMESTAMPTZ, "2026-01-02 03:04:05+00", "2026-01-02 03:04:05+00",
          1 },
        { TIMESTAMPTZ, "infinity", "infinity", 1 }
    };

    (void) state;

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kr_buf_reset(&a);
        kr_buf_reset(&b);

        if (key(cases[i].type, cases[i].a, &a) != KR_OK
            || key(cases[i].type, cases[i].b, &b) != KR_OK)
        {
            fail_msg("refused: %s, %s", cases[i].a, cases[i].b);
        }

        if ((a.len == b.len && memcmp(a.data, b.data, a.len) == 0)
            != cases[i].equal)
        {
            fail_msg("%s and %s: keys %s and %s", cases[i].a, cases[i].b,
                     a.data, b.data);
        }
    }

    kr_buf_free(&a);
    kr_buf_free(&b);
}


static void
test_refused(void **state)
{
    size_t    i;
    kr_buf_t  out;

    static const struct {
        uint32_t     type;
        const char  *text;
    } cases[] = {
        { BOOL, "" }, { BOOL, "o" }, { BOOL, "truex" }, { BOOL, "2" },
        { INT2, "" }, { INT2, "-" }, { INT2, "32768" }, { INT2, "-32769" },
        { INT2, "1.0" }, { INT2, "1e2" }, { INT2, "0x1" }, { INT2, "1 2" },
        { INT4, "2147483648" }, { INT4, "99999999999" },
        { INT8, "9223372036854775808" }, { INT8, "-9223372036854775809" },
        { INT8, "99999999999999999999999999" }, { INT8, "--1" },
        { FLOAT8, "" }, { FLOAT8, "x" }, { FLOAT8, "1e400" },
        { FLOAT8, "1e-400" }, { FLOAT8, "0x10" }, { FLOAT8, "1.2.3" },
        { FLOAT8, "infinit" }, { FLOAT4, "1e40" }, { FLOAT4, "1e" },
        { NUMERIC, "" }, { NUMERIC, "." }, { NUMERIC, "-" },
        { NUMERIC, "1e" }, { NUMERIC, "1e+" }, { NUMERIC, "1x" },
        { NUMERIC, "1e9999999999999999999" }, { NUMERIC, "1 2" },
        { NUMERIC, "1.2.3" }, { NUMERIC, "e5" },
        { UUID, "" }, { UUID, "{}" },
        { UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1" },
        { UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111" },
        { UUID, "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" },
        { UUID, "a0eebc99--9c0b4ef8-bb6d-6bb9bd380a11" },
        { UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-" },
        { UUID, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" },
        { DATE, "" }, { DATE, "2026-1-2" }, { DATE, "2026-01-02 " },
        { DATE, "26-01-02" }, { DATE, "2026-01-02 AD" },
        { DATE, "2026/01/02" }, { DATE, "01-02-2026" },
        { TIME, "" }, { TIME, "03:04" }, { TIME, "03:04:05." },
        { TIME, "03:04:05.60" }, { TIME, "03:04:05.1234567" },
        { TIME, "03:04:05+00" },
        { TIMESTAMP, "2026-01-02T03:04:05" }, { TIMESTAMP, "2026-01-02" },
        { TIMESTAMP, "2026-01-02 03:04:05+00" },
        { TIMESTAMPTZ, "2026-01-02 03:04:05" },
        { TIMESTAMPTZ, "2026-01-02 03:04:05+01" },
        { TIMESTAMPTZ, "2026-01-02 03:04:05Z" }
    };

    (void) state;

    memset(&out, 0, sizeof(out));
    kr_buf_str(&out, "kept");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (key(cases[i].type, cases[i].text, &out) != KR_ERROR) {
            fail_msg("accepted: %s for %s", cases[i].text,
                     kr_value_type_name(cases[i].type));
        }

        assert_string_equal(out.data, "kept");
    }

    assert_int_equal(key(114, "{}", &out), KR_DECLINED);
    assert_int_equal(key(0, "1", &out), KR_DECLINED);
    assert_string_equal(out.data, "kept");

    kr_buf_free(&out);
}


static void
test_types(void **state)
{
    kr_buf_t  out;

    (void) state;

    assert_true(kr_value_supported(NUMERIC));
    assert_false(kr_value_supported(114));
    assert_false(kr_value_supported(0));
    assert_string_equal(kr_value_type_name(INT8), "bigint");
    assert_string_equal(kr_value_type_name(BPCHAR), "bpchar");
    assert_null(kr_value_type_name(114));

    /* an empty key is a key, and keys are appended */
    memset(&out, 0, sizeof(out));
    assert_int_equal(key(TEXT, "", &out), KR_OK);
    assert_int_equal(out.len, 0);
    assert_non_null(out.data);
    assert_int_equal(key(INT4, "-0012", &out), KR_OK);
    assert_int_equal(key(NUMERIC, "-1.50", &out), KR_OK);
    assert_string_equal(out.data, "-12-15e1");

    kr_buf_free(&out);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_types)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
