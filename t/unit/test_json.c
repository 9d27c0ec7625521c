/* sources: ngx_http_kairos_json.c ngx_http_kairos_json_string.c */
/* sources: ngx_http_kairos_utf8.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_json.h"
#include "json_cases.h"


/* A copy in a block of just its size, for the sanitizer: caller frees. */
static u_char *
copy(const char *text, size_t len)
{
    u_char  *p;

    p = malloc(len ? len : 1);
    assert_non_null(p);

    if (len > 0) {
        memcpy(p, text, len);
    }

    return p;
}


static void
test_json_valid(void **state)
{
    size_t                   i, len;
    u_char                  *p, *pos;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    for (i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
        len = valid[i].len;
        p = copy(valid[i].text, len);
        pos = p;

        if (ngx_http_kairos_json_value(&pos, p + len, &value, &reason)
            != NGX_OK)
        {
            fail_msg("%s: %s", valid[i].name, reason);
        }

        if (pos != p + len || value.type != valid[i].type) {
            fail_msg("%s: is not read as it is", valid[i].name);
        }

        assert_ptr_equal(value.raw.data, p);
        assert_int_equal(value.raw.len, len);
        assert_memory_equal(p, valid[i].text, len);

        free(p);
    }
}


static void
test_json_invalid(void **state)
{
    size_t                   i, len;
    u_char                  *p, *pos;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        len = invalid[i].len;
        p = copy(invalid[i].text, len);
        pos = p;
        reason = NULL;

        if (ngx_http_kairos_json_value(&pos, p + len, &value, &reason)
            == NGX_OK)
        {
            fail_msg("%s: is taken", invalid[i].name);
        }

        assert_non_null(reason);
        assert_true(pos >= p && pos <= p + len);

        free(p);
    }
}


/* No beginning of a text in brackets or quotes is a text. */
static void
test_json_cut(void **state)
{
    size_t                   i, len;
    u_char                  *p, *pos;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    for (i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {

        if (valid[i].type == NUMBER) {
            continue;
        }

        for (len = 0; len < valid[i].len; len++) {
            p = copy(valid[i].text, len);
            pos = p;

            if (ngx_http_kairos_json_value(&pos, p + len, &value, &reason)
                == NGX_OK)
            {
                fail_msg("%s: is taken when cut at %d", valid[i].name,
                         (int) len);
            }

            free(p);
        }
    }
}


/* Space before a value is skipped; what is behind it is left alone. */
static void
test_json_slice(void **state)
{
    u_char                   text[] = " \t[1, 2] x 3";
    u_char                  *pos, *last;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    pos = text;
    last = text + sizeof(text) - 1;

    assert_int_equal(ngx_http_kairos_json_value(&pos, last, &value, &reason),
                     NGX_OK);
    assert_ptr_equal(value.raw.data, text + 2);
    assert_int_equal(value.raw.len, 6);
    assert_ptr_equal(pos, text + 8);

    assert_int_equal(ngx_http_kairos_json_end(pos, last, &reason), NGX_ERROR);
    assert_int_equal(ngx_http_kairos_json_end(pos, pos + 1, &reason), NGX_OK);
    assert_int_equal(ngx_http_kairos_json_end(pos, pos, &reason), NGX_OK);

    pos = text + 11;
    assert_int_equal(ngx_http_kairos_json_value(&pos, last, &value, &reason),
                     NGX_OK);
    assert_int_equal(value.raw.len, 1);
    assert_ptr_equal(pos, last);
}


static void
nest(u_char *p, size_t depth, const char *open, char close)
{
    size_t  i, n;

    n = strlen(open);

    for (i = 0; i < depth; i++) {
        memcpy(p + i * n, open, n);
    }

    p += depth * n;
    *p++ = '1';

    memset(p, close, depth);
}


static void
test_json_depth(void **state)
{
    size_t                   i, n, max;
    u_char                   text[6 * NGX_HTTP_KAIROS_JSON_MAX_DEPTH + 7];
    u_char                  *pos;
    ngx_int_t                rc;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    static const struct {
        const char  *open;
        char         close;
    } brackets[] = {
        { "[", ']' },
        { "{\"a\":", '}' }
    };

    max = NGX_HTTP_KAIROS_JSON_MAX_DEPTH;
    assert_true(max >= 512);

    for (i = 0; i < 2; i++) {
        for (n = 1; n <= max + 1; n++) {
            nest(text, n, brackets[i].open, brackets[i].close);

            pos = text;
            rc = ngx_http_kairos_json_value(&pos, text + n
                                            * (strlen(brackets[i].open) + 1)
                                            + 1, &value, &reason);

            if (rc != ((n <= max) ? NGX_OK : NGX_ERROR)) {
                fail_msg("%d times \"%s\" is %d", (int) n, brackets[i].open,
                         (int) rc);
            }
        }
    }

    assert_string_equal(reason, "JSON is nested too deeply");
}


/* half of the most brackets, twice */
#define MIXED  (NGX_HTTP_KAIROS_JSON_MAX_DEPTH / 2)


/* Brackets of both kinds, closed each by its own, down to the last level. */
static void
test_json_depth_mixed(void **state)
{
    size_t                   n;
    u_char                   text[MIXED * 8 + 1], *p, *pos;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    p = text;

    for (n = 0; n < MIXED; n++) {
        memcpy(p, "[{\"a\":", 6);
        p += 6;
    }

    *p++ = '1';

    for (n = 0; n < MIXED; n++) {
        *p++ = '}';
        *p++ = ']';
    }

    pos = text;
    assert_int_equal(ngx_http_kairos_json_value(&pos, p, &value, &reason),
                     NGX_OK);
    assert_ptr_equal(pos, p);

    for (n = 1; n < 2 * MIXED; n++) {
        text[sizeof(text) - n] ^= '}' ^ ']';
        pos = text;
        assert_int_equal(ngx_http_kairos_json_value(&pos, p, &value, &reason),
                         NGX_ERROR);
        text[sizeof(text) - n] ^= '}' ^ ']';
    }
}


/* Walks a text; returns "name=value;..." and the last result. */
static char *
walk(ngx_http_kairos_json_type_e type, const char *text, ngx_int_t *rc,
    size_t *used)
{
    char                    *line, *p;
    u_char                  *pos;
    ngx_str_t                name;
    const char              *reason;
    ngx_http_kairos_json_t   in, value;

    in.type = type;
    in.raw.len = strlen(text);
    in.raw.data = copy(text, in.raw.len);

    line = calloc(1, 2 * in.raw.len + 1);
    assert_non_null(line);

    p = line;
    pos = NULL;
    reason = NULL;

    for ( ;; ) {
        *rc = ngx_http_kairos_json_walk(&in, &pos, &name, &value, &reason);

        if (*rc != NGX_OK) {
            break;
        }

        if (name.len > 0) {
            memcpy(p, name.data, name.len);
            p += name.len;
            *p++ = '=';
        }

        memcpy(p, value.raw.data, value.raw.len);
        p += value.raw.len;
        *p++ = ';';
    }

    assert_true(*rc == NGX_DONE || reason != NULL);

    *used = pos - in.raw.data;
    free(in.raw.data);

    return line;
}


static void
test_json_walk(void **state)
{
    char       *line;
    size_t      i, used;
    ngx_int_t   rc;

    static const struct {
        const char                   *text;
        ngx_http_kairos_json_type_e   type;
        ngx_int_t                     rc;
        const char                   *items;
        size_t                        used;
    } walks[] = {
        { "[]", ARRAY, NGX_DONE, "", 2 },
        { " [ ] ", ARRAY, NGX_DONE, "", 4 },
        { "{}", OBJECT, NGX_DONE, "", 2 },
        { "[1]", ARRAY, NGX_DONE, "1;", 3 },
        { "[ 1 , \"a]\" , [2,3] , {\"b\":4} ] 5", ARRAY, NGX_DONE,
          "1;\"a]\";[2,3];{\"b\":4};", 30 },
        { "{ \"a\" : 1 , \"b\\\"\" : {\"c\":[]} }]", OBJECT, NGX_DONE,
          "\"a\"=1;\"b\\\"\"={\"c\":[]};", 30 },
        { "{\"a\":{\"b\":1}}", OBJECT, NGX_DONE, "\"a\"={\"b\":1};", 13 },
        { "[{\"a\":1},2]", ARRAY, NGX_DONE, "{\"a\":1};2;", 11 },
        { "{\"a\":[1],\"b\":2}", OBJECT, NGX_DONE, "\"a\"=[1];\"b\"=2;", 15 },
        { "{}", ARRAY, NGX_ERROR, "", 0 },
        { "[]", OBJECT, NGX_ERROR, "", 0 },
        { "1", ARRAY, NGX_ERROR, "", 0 },
        { "", ARRAY, NGX_ERROR, "", 0 },
        { "[", ARRAY, NGX_ERROR, "", 1 },
        { "[1", ARRAY, NGX_ERROR, "1;", 2 },
        { "[1,", ARRAY, NGX_ERROR, "1;", 3 },
        { "[1}", ARRAY, NGX_ERROR, "1;", 2 },
        { "[1,]", ARRAY, NGX_ERROR, "1;", 3 },
        { "[1 2]", ARRAY, NGX_ERROR, "1;", 3 },
        { "[1,01]", ARRAY, NGX_ERROR, "1;0;", 4 },
        { "{\"a\":1]", OBJECT, NGX_ERROR, "\"a\"=1;", 6 },
        { "{\"a\":1,2}", OBJECT, NGX_ERROR, "\"a\"=1;", 7 },
        { "{\"a\"}", OBJECT, NGX_ERROR, "", 4 }
    };

    for (i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
        line = walk(walks[i].type, walks[i].text, &rc, &used);

        if (rc != walks[i].rc || used != walks[i].used
            || strcmp(line, walks[i].items) != 0)
        {
            fail_msg("%s: is %d \"%s\" %d", walks[i].text, (int) rc, line,
                     (int) used);
        }

        free(line);
    }
}


static void
test_json_next(void **state)
{
    u_char                   text[] = "{\"a\":1,\"b\":[2]}";
    u_char                  *pos;
    ngx_str_t                name;
    ngx_http_kairos_json_t   in, value;

    in.type = OBJECT;
    in.raw.data = text;
    in.raw.len = sizeof(text) - 1;

    pos = NULL;

    assert_int_equal(ngx_http_kairos_json_next(&in, &pos, &name, &value),
                     NGX_OK);
    assert_memory_equal(name.data, "\"a\"", name.len);
    assert_int_equal(value.type, NUMBER);

    assert_int_equal(ngx_http_kairos_json_next(&in, &pos, &name, &value),
                     NGX_OK);
    assert_int_equal(value.type, ARRAY);

    in = value;
    pos = NULL;

    assert_int_equal(ngx_http_kairos_json_next(&in, &pos, &name, &value),
                     NGX_OK);
    assert_int_equal(name.len, 0);
    assert_int_equal(value.type, NUMBER);
    assert_int_equal(ngx_http_kairos_json_next(&in, &pos, &name, &value),
                     NGX_DONE);
}


/* Text that is no JSON, behind its opening bracket, and its pieces. */
static void
test_json_piece(void **state)
{
    size_t      i, len;
    char        line[128];
    u_char     *text, *pos;
    ngx_str_t   piece;

    static const struct {
        const char  *text;
        const char  *pieces;
    } cases[] = {
        { "", "" },
        { "]", "<>" },
        { "1,2]", "<1><2>" },
        { " 1 , \"a\" ] x", "< 1 >< \"a\" >" },
        { "[1,2],{\"a\":[3,4]},5}6,7", "<[1,2]><{\"a\":[3,4]}><5>" },
        { "\",]}\",\"\\\",\",\"\\\\\",1]",
          "<\",]}\"><\"\\\",\"><\"\\\\\"><1>" },
        { "1,,2,", "<1><><2>" },
        { "1,\"no end,2]", "<1><\"no end,2]>" },
        { "1,\"\\", "<1><\"\\>" },
        { "[[[[,1],2", "<[[[[,1],2>" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = strlen(cases[i].text);

        /* in a block of just its size, for the sanitizer */
        text = malloc(len + 1);
        assert_non_null(text);
        memcpy(text + 1, cases[i].text, len);

        pos = text + 1;
        line[0] = '\0';

        while (ngx_http_kairos_json_piece(&pos, text + 1 + len, &piece)
               == NGX_OK)
        {
            sprintf(line + strlen(line), "<%.*s>", (int) piece.len,
                    (char *) piece.data);
        }

        assert_string_equal(line, cases[i].pieces);
        assert_ptr_equal(pos, text + 1 + len);
        free(text);
    }
}


static void
test_json_member(void **state)
{
    size_t                   i;
    u_char                  *p;
    ngx_int_t                rc;
    ngx_http_kairos_json_t   object, value;

    static const struct {
        const char                   *object;
        ngx_http_kairos_json_type_e   type;
        const char                   *name;
        const char                   *raw;
    } members[] = {
        { "{\"a\":1,\"b\":\"x\"}", OBJECT, "b", "\"x\"" },
        { "{\"a\":1}", OBJECT, "b", NULL },
        { "{}", OBJECT, "", NULL },
        { "{\"\":1}", OBJECT, "", "1" },
        { "{\"a\":1,\"a\":2}", OBJECT, "a", "2" },
        { "{\"a\":1,\"\\u0061\":[]}", OBJECT, "a", "[]" },
        { "{\"a\\u0000\":1}", OBJECT, "a", NULL },
        { "{\"ab\":1}", OBJECT, "a", NULL },
        { "{\"a\":1}", OBJECT, "ab", NULL },
        { "{\"x\":{\"a\":1}}", OBJECT, "a", NULL },
        { "{\"\\ud83d\\ude00\":1}", OBJECT, "\xf0\x9f\x98\x80", "1" },
        { "{\"\xf0\x9f\x98\x80\":1}", OBJECT, "\xf0\x9f\x98\x80", "1" },
        { "{\"a\\n\":null}", OBJECT, "a\n", "null" },
        { "[\"a\",1]", ARRAY, "a", NULL }
    };

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        object.type = members[i].type;
        object.raw.len = strlen(members[i].object);
        object.raw.data = copy(members[i].object, object.raw.len);

        rc = ngx_http_kairos_json_member(&object, members[i].name, &value);

        p = object.raw.data;

        if (members[i].raw == NULL) {
            if (rc != NGX_DECLINED) {
                fail_msg("%s has %s", members[i].object, members[i].name);
            }

        } else if (rc != NGX_OK || value.raw.len != strlen(members[i].raw)
                   || memcmp(value.raw.data, members[i].raw, value.raw.len))
        {
            fail_msg("%s: %s is another", members[i].object, members[i].name);
        }

        free(p);
    }
}


static void
test_json_unescape(void **state)
{
    size_t      i;
    u_char      dst[64], *last;
    ngx_str_t   raw;

    static const struct {
        const char  *raw;
        const char  *text;
        size_t       len;
    } strings[] = {
        { "\"\"", bytes("") },
        { "\"abc\"", bytes("abc") },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", bytes("\"\\/\b\f\n\r\t") },
        { "\"\\u0000\"", bytes("\0") },
        { "\"a\\u0041b\"", bytes("aAb") },
        { "\"\\u007f\\u0080\"", bytes("\x7f\xc2\x80") },
        { "\"\\u07ff\\u0800\"", bytes("\xdf\xbf\xe0\xa0\x80") },
        { "\"\\uD7FF\\ue000\\uFffF\"",
          bytes("\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf") },
        { "\"\\ud800\\udc00\"", bytes("\xf0\x90\x80\x80") },
        { "\"\\uDBFF\\uDFFF\"", bytes("\xf4\x8f\xbf\xbf") },
        { "\"\\ud83d\\ude00!\\\\u0041\"", bytes("\xf0\x9f\x98\x80!\\u0041") },
        { "\"\xe2\x82\xac\\n\xe2\x82\xac\"",
          bytes("\xe2\x82\xac\n\xe2\x82\xac") }
    };

    for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        raw.len = strlen(strings[i].raw);
        raw.data = copy(strings[i].raw, raw.len);

        last = ngx_http_kairos_json_unescape(dst, &raw);

        assert_int_equal(last - dst, strings[i].len);
        assert_memory_equal(dst, strings[i].text, strings[i].len);

        /* in place */

        last = ngx_http_kairos_json_unescape(raw.data, &raw);

        assert_int_equal(last - raw.data, strings[i].len);
        assert_memory_equal(raw.data, strings[i].text, strings[i].len);

        free(raw.data);
    }
}


/* Every byte that UTF-8 may begin with, written, validated and read back. */
static void
test_json_string(void **state)
{
    u_char                   ch, buf[16], back[16], *p, *pos;
    size_t                   size;
    ngx_str_t                s;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    for (ch = 0; ch < 0x80; ch++) {
        s.data = &ch;
        s.len = 1;

        size = ngx_http_kairos_json_string_size(&s);
        assert_true(size <= sizeof(buf));

        p = ngx_http_kairos_json_string(buf, &s);
        assert_int_equal(p - buf, size);

        pos = buf;
        assert_int_equal(ngx_http_kairos_json_value(&pos, p, &value, &reason),
                         NGX_OK);
        assert_ptr_equal(pos, p);

        p = ngx_http_kairos_json_unescape(back, &value.raw);
        assert_int_equal(p - back, 1);
        assert_int_equal(back[0], ch);
    }
}


static void
test_json_string_forms(void **state)
{
    size_t      i;
    u_char      buf[64], *p;
    ngx_str_t   s;

    static const struct {
        const char  *text;
        size_t       len;
        const char  *json;
    } forms[] = {
        { bytes(""), "\"\"" },
        { bytes("room:1"), "\"room:1\"" },
        { bytes("a\"b\\c/"), "\"a\\\"b\\\\c/\"" },
        { bytes("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
        { bytes("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"" },
        { bytes("\xe2\x82\xac"), "\"\xe2\x82\xac\"" }
    };

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        s.data = (u_char *) forms[i].text;
        s.len = forms[i].len;

        p = ngx_http_kairos_json_string(buf, &s);

        assert_int_equal(p - buf, strlen(forms[i].json));
        assert_memory_equal(buf, forms[i].json, p - buf);
        assert_int_equal(ngx_http_kairos_json_string_size(&s), p - buf);
    }

    s.data = NULL;
    s.len = 0;
    assert_int_equal(ngx_http_kairos_json_string_size(&s), 2);
    assert_int_equal(ngx_http_kairos_json_string(buf, &s) - buf, 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_json_valid),
        cmocka_unit_test(test_json_invalid),
        cmocka_unit_test(test_json_cut),
        cmocka_unit_test(test_json_slice),
        cmocka_unit_test(test_json_depth),
        cmocka_unit_test(test_json_depth_mixed),
        cmocka_unit_test(test_json_walk),
        cmocka_unit_test(test_json_next),
        cmocka_unit_test(test_json_piece),
        cmocka_unit_test(test_json_member),
        cmocka_unit_test(test_json_unescape),
        cmocka_unit_test(test_json_string),
        cmocka_unit_test(test_json_string_forms)
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
