/* sources: ngx_http_kairos_utf8.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_utf8.h"


#define bytes(s)  (s), sizeof(s) - 1


static const struct {
    const char  *name;
    const char  *text;
    size_t       len;
    ngx_int_t    rc;
} cases[] = {
    { "nothing", bytes(""), NGX_OK },
    { "NUL", bytes("\0"), NGX_OK },
    { "ASCII", bytes("hello, this is longer than one word"), NGX_OK },
    { "U+007F", bytes("\x7f"), NGX_OK },
    { "U+0080", bytes("\xc2\x80"), NGX_OK },
    { "U+07FF", bytes("\xdf\xbf"), NGX_OK },
    { "U+0800", bytes("\xe0\xa0\x80"), NGX_OK },
    { "U+D7FF", bytes("\xed\x9f\xbf"), NGX_OK },
    { "U+E000", bytes("\xee\x80\x80"), NGX_OK },
    { "U+FFFF", bytes("\xef\xbf\xbf"), NGX_OK },
    { "U+10000", bytes("\xf0\x90\x80\x80"), NGX_OK },
    { "U+10FFFF", bytes("\xf4\x8f\xbf\xbf"), NGX_OK },
    { "a word's border within a character",
      bytes("1234567\xc3\xa9" "12345\xe2\x82\xac" "12345678"), NGX_OK },
    { "continuation alone", bytes("\x80"), NGX_ERROR },
    { "continuation in a word", bytes("123\xbf" "5678"), NGX_ERROR },
    { "U+0000 in two bytes", bytes("\xc0\x80"), NGX_ERROR },
    { "U+007F in two bytes", bytes("\xc1\xbf"), NGX_ERROR },
    { "U+07FF in three bytes", bytes("\xe0\x9f\xbf"), NGX_ERROR },
    { "U+FFFF in four bytes", bytes("\xf0\x8f\xbf\xbf"), NGX_ERROR },
    { "U+D800", bytes("\xed\xa0\x80"), NGX_ERROR },
    { "U+DFFF", bytes("\xed\xbf\xbf"), NGX_ERROR },
    { "U+110000", bytes("\xf4\x90\x80\x80"), NGX_ERROR },
    { "lead of U+140000", bytes("\xf5\x80\x80\x80"), NGX_ERROR },
    { "lead of five", bytes("\xf8\x88\x80\x80\x80"), NGX_ERROR },
    { "0xfe", bytes("\xfe"), NGX_ERROR },
    { "0xff", bytes("\xff"), NGX_ERROR },
    { "two bytes, cut", bytes("a\xc3"), NGX_ERROR },
    { "three bytes, cut", bytes("a\xe2\x82"), NGX_ERROR },
    { "four bytes, cut", bytes("a\xf0\x9f\x98"), NGX_ERROR },
    { "ASCII within two", bytes("\xc3" "a"), NGX_ERROR },
    { "lead within three", bytes("\xe2\xc3\xa9"), NGX_ERROR },
    { "ASCII within four", bytes("\xf0\x9f\x98" "a"), NGX_ERROR }
};

#define ncases  (sizeof(cases) / sizeof(cases[0]))


static void
test_utf8_check(void **state)
{
    size_t  i;

    for (i = 0; i < ncases; i++) {

        if (ngx_http_kairos_utf8_check((const u_char *) cases[i].text,
                                       cases[i].len)
            != cases[i].rc)
        {
            fail_msg("%s: is not %d", cases[i].name, (int) cases[i].rc);
        }
    }
}


/* The verdict is the same for every cut in three. */
static void
test_utf8_next(void **state)
{
    size_t         i, a, b, len;
    uint32_t       st;
    ngx_int_t      rc;
    const u_char  *text;

    for (i = 0; i < ncases; i++) {
        text = (const u_char *) cases[i].text;
        len = cases[i].len;

        for (a = 0; a <= len; a++) {
            for (b = a; b <= len; b++) {
                st = 0;
                rc = ngx_http_kairos_utf8_next(&st, text, a);

                if (rc == NGX_OK) {
                    rc = ngx_http_kairos_utf8_next(&st, text + a, b - a);
                }

                if (rc == NGX_OK) {
                    rc = ngx_http_kairos_utf8_next(&st, text + b, len - b);
                }

                if (rc == NGX_OK && st != 0) {
                    rc = NGX_ERROR;
                }

                if (rc != cases[i].rc) {
                    fail_msg("%s: cut at %d and %d is not %d", cases[i].name,
                             (int) a, (int) b, (int) cases[i].rc);
                }
            }
        }
    }
}


/* Every code there is, written and read; and every four bytes' lead. */
static void
test_utf8_encode(void **state)
{
    u_char    buf[4], *last;
    size_t    size;
    uint32_t  code;

    for (code = 0; code <= 0x10ffff; code++) {

        if (code >= 0xd800 && code <= 0xdfff) {
            continue;
        }

        size = (code < 0x80) ? 1 : (code < 0x800) ? 2
               : (code < 0x10000) ? 3 : 4;

        last = ngx_http_kairos_utf8_encode(buf, code);

        assert_int_equal(last - buf, size);
        assert_int_equal(ngx_http_kairos_utf8_char(buf, last), size);

        if (size > 1) {
            assert_int_equal(ngx_http_kairos_utf8_char(buf, last - 1), 0);
            assert_int_equal(ngx_http_kairos_utf8_char(buf + 1, last), 0);
        }
    }
}


/* How many of all sequences of n bytes are one character: RFC 3629 counts. */
static void
test_utf8_all(void **state)
{
    u_char    buf[3];
    uint32_t  i, two, three;

    two = 0;
    three = 0;

    for (i = 0; i <= 0xffffff; i++) {
        buf[0] = (u_char) (i >> 16);
        buf[1] = (u_char) (i >> 8);
        buf[2] = (u_char) i;

        if (buf[0] == 0 && ngx_http_kairos_utf8_char(buf + 1, buf + 3) == 2) {
            two++;
        }

        if (ngx_http_kairos_utf8_char(buf, buf + 3) == 3) {
            three++;
        }
    }

    assert_int_equal(two, 0x800 - 0x80);
    assert_int_equal(three, 0x10000 - 0x800 - 0x800);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_utf8_check),
        cmocka_unit_test(test_utf8_next),
        cmocka_unit_test(test_utf8_encode),
        cmocka_unit_test(test_utf8_all)
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
