/* sources: kr_op.c kr_value.c kr_value_order.c kr_buf.c */
/* sources: kr_value_number.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kr_op.h"
#include "kr_value.h"


#define BOOL         16
#define INT8         20
#define INT4         23
#define TEXT         25
#define JSON         114
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


static kr_str_t
str(const char *text)
{
    kr_str_t  s;

    s.data = text;
    s.len = strlen(text);

    return s;
}


static void
test_names(void **state)
{
    size_t    i;
    kr_op_e   op;
    kr_str_t  name;

    static const char  *bad[] = {
        "", "EQ", "ne", "e", "eqq", "=", "!", "startswith", "like"
    };

    (void) state;

    for (i = KR_EQ; i <= KR_ENDS_WITH; i++) {
        name = str(kr_op_name((kr_op_e) i));
        assert_int_equal(kr_op_parse(&name, &op), KR_OK);
        assert_int_equal(op, i);
    }

    assert_null(kr_op_name((kr_op_e) (KR_ENDS_WITH + 1)));

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        name = str(bad[i]);
        assert_int_equal(kr_op_parse(&name, &op), KR_DECLINED);
    }
}


static void
test_check(void **state)
{
    size_t    i;
    kr_buf_t  reason;

    static const struct {
        kr_op_e      op;
        uint32_t     type;
        size_t       nvalues;
        const char  *word;      /* of the sentence; NULL: allowed */
    } cases[] = {
        { KR_EQ, BOOL, 2, NULL }, { KR_NE, BOOL, 1, NULL },
        { KR_GT, BOOL, 1, "\"gt\" is not for type boolean" },
        { KR_LTE, UUID, 1, NULL }, { KR_GTE, TIMESTAMPTZ, 1, NULL },
        { KR_LT, TEXT, 1, NULL }, { KR_LT, TEXT, 2, "one value, not 2" },
        { KR_GT, INT4, 0, "one value, not 0" },
        { KR_CONTAINS, INT4, 1, "is of type integer: use \"eq\"" },
        { KR_CONTAINS, UUID, 1, "uuid" }, { KR_CONTAINS, VARCHAR, 1, NULL },
        { KR_STARTS_WITH, BPCHAR, 1, NULL },
        { KR_ENDS_WITH, DATE, 1, "date" },
        { KR_EQ, JSON, 1, "this column's type" },
        { KR_GT, JSON, 1, "this column's type" },
        { KR_CONTAINS, JSON, 1, "this column's type" },
        { (kr_op_e) 99, INT4, 1, "no such operator" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kr_buf_reset(&reason);

        if (kr_op_check(cases[i].op, cases[i].type, cases[i].nvalues, &reason)
            != (cases[i].word == NULL ? KR_OK : KR_DECLINED))
        {
            fail_msg("case %zu", i);
        }

        if (cases[i].word != NULL
            && strstr(reason.data, cases[i].word) == NULL)
        {
            fail_msg("case %zu: %s", i, reason.data);
        }
    }

    kr_buf_free(&reason);
}


/* Each list ascends; all pairs of it are compared. */
static void
test_order(void **state)
{
    int       order, want;
    size_t    i, k, n;
    kr_str_t  a, b;

    static const struct {
        uint32_t     type;
        const char  *values[12];
    } cases[] = {
        { BOOL, { "f", "t" } },
        { INT4, { "-2147483648", "-10", "-9", "0", "9", "010",
                  "2147483647" } },
        { INT8, { "-9223372036854775808", "-9223372036854775807", "-1", "0",
                  "9223372036854775806", "9223372036854775807" } },
        { FLOAT4, { "-Infinity", "-1e30", "-0.5", "-0.25", "-0", "1e-30",
                    "16777216", "16777218", "inf", "NaN" } },
        { FLOAT8, { "-inf", "-1e-300", "0", "0.1", "0.10000000000000002",
                    "9007199254740993", "9007199254740994", "Infinity",
                    "NaN" } },
        { NUMERIC, { "-Infinity", "-1e30", "-10.1", "-10.01", "-10", "-0.1",
                     "-0.01", "0.000", "0.01",
                     "123456789012345678901234567890.1",
                     "123456789012345678901234567890.2", "NaN" } },
        { NUMERIC, { "0.0015", "0.015", "0.1", "0.11", "0.2", "1", "9",
                     "10.50", "10.51", "100", "Infinity", "NaN" } },
        { UUID, { "0aEEBC99-9c0b-4ef8-bb6d-6bb9bd380a11",
                  "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                  "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12" } },
        { TEXT, { "", " ", "A", "B", "a", "a ", "ab", "b", "\xc3\xa9" } },
        { BPCHAR, { "  ", "a  ", "a b", "b" } },
        { DATE, { "-infinity", "4713-01-01 BC", "0044-03-15 BC",
                  "0044-03-16 BC", "0001-12-31 BC", "0001-01-01",
                  "0999-01-01", "2026-01-02", "9999-12-31", "10000-01-01",
                  "5874897-12-31", "infinity" } },
        { TIME, { "00:00:00", "00:00:00.000001", "00:00:01", "24:00:00" } },
        { TIMESTAMP, { "-infinity", "0044-03-15 01:00:00.5 BC",
                       "0044-03-15 01:00:01 BC", "0043-01-01 00:00:00 BC",
                       "2026-01-02 03:04:05", "2026-01-02 03:04:05.5",
                       "2026-01-02 03:04:05.51", "294276-12-31 00:00:00",
                       "infinity" } },
        { TIMESTAMPTZ, { "0002-01-01 00:00:00+00 BC",
                         "0001-01-01 00:00:00+00",
                         "2026-01-02 03:04:05+00",
                         "2026-01-02 03:04:05.5+00",
                         "2026-01-02 03:04:06+00" } }
    };

    (void) state;

    for (n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        for (i = 0; i < 12 && cases[n].values[i] != NULL; i++) {
            for (k = 0; k < 12 && cases[n].values[k] != NULL; k++) {
                a = str(cases[n].values[i]);
                b = str(cases[n].values[k]);

                assert_int_equal(kr_value_compare(cases[n].type, &a, &b,
                                                  &order), KR_OK);
                want = (i > k) - (i < k);

                if ((order > 0) - (order < 0) != want) {
                    fail_msg("%s and %s: %d", a.data, b.data, order);
                }
            }
        }
    }

    a = str("x");
    b = str("1");
    assert_int_equal(kr_value_compare(INT4, &a, &b, &order), KR_ERROR);
    assert_int_equal(kr_value_compare(INT4, &b, &a, &order), KR_ERROR);
    assert_int_equal(kr_value_compare(JSON, &a, &b, &order), KR_DECLINED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_order)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
