/* sources: kr_lsn.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kr_buf.h"
#include "kr_lsn.h"


static void
test_lsn_parse(void **state)
{
    size_t    i;
    uint64_t  lsn;

    static const struct {
        const char  *text;
        int          rc;
        uint64_t     lsn;
    } cases[] = {
        { "0/0", KR_OK, 0 },
        { "0/1A2B3C4", KR_OK, 0x1A2B3C4 },
        { "16/B374D848", KR_OK, 0x16B374D848 },
        { "16/b374d848", KR_OK, 0x16B374D848 },
        { "FFFFFFFF/FFFFFFFF", KR_OK, UINT64_MAX },
        { "00000000/00000001", KR_OK, 1 },
        { "", KR_ERROR, 0 },
        { "/", KR_ERROR, 0 },
        { "0/", KR_ERROR, 0 },
        { "/0", KR_ERROR, 0 },
        { "12", KR_ERROR, 0 },
        { "0/0 ", KR_ERROR, 0 },
        { " 0/0", KR_ERROR, 0 },
        { "0/0/0", KR_ERROR, 0 },
        { "0/G", KR_ERROR, 0 },
        { "-1/0", KR_ERROR, 0 },
        { "123456789/0", KR_ERROR, 0 },
        { "0/123456789", KR_ERROR, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lsn = 1;
        assert_int_equal(kr_lsn_parse(cases[i].text, strlen(cases[i].text),
                                      &lsn), cases[i].rc);
        if (cases[i].rc == KR_OK) {
            assert_true(lsn == cases[i].lsn);
        }
    }

    /* no more than len bytes are read */
    assert_int_equal(kr_lsn_parse("1/23", 3, &lsn), KR_OK);
    assert_int_equal(lsn >> 32, 1);
    assert_int_equal(lsn & 0xffffffff, 2);
}


static void
test_lsn_format(void **state)
{
    char  text[KR_LSN_LEN + 1];

    (void) state;

    kr_lsn_format(text, 0);
    assert_string_equal(text, "0/0");

    kr_lsn_format(text, 0x16B374D848);
    assert_string_equal(text, "16/B374D848");

    kr_lsn_format(text, UINT64_MAX);
    assert_string_equal(text, "FFFFFFFF/FFFFFFFF");
    assert_int_equal(strlen(text), KR_LSN_LEN);
}


static void
test_snapshot_parse(void **state)
{
    size_t         i;
    kr_snapshot_t  s, copy;

    static const struct {
        const char  *text;
        int          rc;
        size_t       nxip;
    } cases[] = {
        { "730:730:", KR_OK, 0 },
        { "730:735:730,732", KR_OK, 2 },
        { "10:20:10,14,15", KR_OK, 3 },
        { "18446744073709551614:18446744073709551615:", KR_OK, 0 },
        { "18446744073709551616:18446744073709551616:", KR_ERROR, 0 },
        { "", KR_ERROR, 0 },
        { "730", KR_ERROR, 0 },
        { "730:", KR_ERROR, 0 },
        { "730:731", KR_ERROR, 0 },
        { "0:1:", KR_ERROR, 0 },
        { "20:10:", KR_ERROR, 0 },
        { "10:20:9", KR_ERROR, 0 },
        { "10:20:20", KR_ERROR, 0 },
        { "10:20:12,12", KR_ERROR, 0 },
        { "10:20:13,12", KR_ERROR, 0 },
        { "10:20:12,", KR_ERROR, 0 },
        { "10:20:,12", KR_ERROR, 0 },
        { "10:20:12 ", KR_ERROR, 0 },
        { "10:20:x", KR_ERROR, 0 },
        { "10:20:,,,,", KR_ERROR, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(kr_snapshot_parse(cases[i].text,
                                           strlen(cases[i].text), &s),
                         cases[i].rc);
        if (cases[i].rc == KR_OK) {
            assert_int_equal(s.nxip, cases[i].nxip);
            assert_int_equal(kr_snapshot_copy(&copy, &s), KR_OK);
            assert_int_equal(copy.xmax, s.xmax);
            assert_int_equal(copy.nxip, s.nxip);

            if (s.nxip != 0) {
                assert_ptr_not_equal(copy.xip, s.xip);
                assert_memory_equal(copy.xip, s.xip,
                                    s.nxip * sizeof(uint64_t));
            }

            kr_snapshot_free(&copy);
            kr_snapshot_free(&s);
            assert_null(s.xip);
        }
    }
}


static void
test_snapshot_sees(void **state)
{
    size_t    i;
    uint32_t  xid;

    static const char     text[] = "10:20:10,14,15,18";
    static const uint8_t  seen[] = { 1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 1,
                                     0, 0 };    /* 9 .. 21 */
    kr_snapshot_t         s;

    (void) state;

    assert_int_equal(kr_snapshot_parse(text, strlen(text), &s), KR_OK);

    for (i = 0; i < sizeof(seen); i++) {
        xid = (uint32_t) (9 + i);
        assert_int_equal(kr_snapshot_sees(&s, xid), seen[i]);
    }

    assert_int_equal(kr_snapshot_sees(&s, 3), 1);

    /* epoch 0: nothing lies behind it */
    assert_int_equal(kr_snapshot_sees(&s, 4294967290u), 0);

    kr_snapshot_free(&s);
}


/* The low 32 bits begin anew at each epoch. */
static void
test_snapshot_wraps(void **state)
{
    static const char  text[] =
        "12884901880:12884901890:12884901887,12884901888,12884901889";
    kr_snapshot_t      s;

    (void) state;

    /* 3 * 2^32 is 12884901888: xmax has the low half 2 */
    assert_int_equal(kr_snapshot_parse(text, strlen(text), &s), KR_OK);

    assert_int_equal(kr_snapshot_sees(&s, 4294967287u), 1);
    assert_int_equal(kr_snapshot_sees(&s, 4294967294u), 1);
    assert_int_equal(kr_snapshot_sees(&s, 4294967295u), 0);
    assert_int_equal(kr_snapshot_sees(&s, 0), 0);
    assert_int_equal(kr_snapshot_sees(&s, 1), 0);
    assert_int_equal(kr_snapshot_sees(&s, 2), 0);
    assert_int_equal(kr_snapshot_sees(&s, 3), 0);
    assert_int_equal(kr_snapshot_sees(&s, 2147483649u), 0);
    assert_int_equal(kr_snapshot_sees(&s, 2147483651u), 1);

    kr_snapshot_free(&s);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_lsn_parse),
        cmocka_unit_test(test_lsn_format),
        cmocka_unit_test(test_snapshot_parse),
        cmocka_unit_test(test_snapshot_sees),
        cmocka_unit_test(test_snapshot_wraps)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
