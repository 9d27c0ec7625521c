/* sources: kr_decode.c kr_json.c kr_lsn.c kr_buf.c */
/* sources: kr_change.c kr_decode_columns.c */
/* libs: -Wl,--wrap=malloc -Wl,--wrap=realloc */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_decode.h"
#include "wal2json_lines.h"


void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);


/* allocations until one fails; negative: none does */
static int  fail_after = -1;


void *
__wrap_malloc(size_t size)
{
    if (fail_after == 0) {
        return NULL;
    }

    fail_after -= fail_after > 0;

    return __real_malloc(size);
}


void *
__wrap_realloc(void *p, size_t size)
{
    if (fail_after == 0) {
        return NULL;
    }

    fail_after -= fail_after > 0;

    return __real_realloc(p, size);
}


static int
setup(void **state)
{
    *state = kr_decoder_create();

    return *state == NULL;
}


static int
teardown(void **state)
{
    kr_decoder_free(*state);

    return 0;
}


/* Decodes from memory of exactly its size, so that an overrun is noticed. */
static int
decode(kr_decoder_t *d, const char *line, kr_change_t *c)
{
    int          rc;
    char        *copy;
    size_t       len;
    const char  *reason;

    static char  *last;

    len = strlen(line);
    copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, line, len);

    reason = NULL;
    rc = kr_decode(d, copy, len, c, &reason);

    if (rc == KR_DECLINED) {
        assert_non_null(reason);
        assert_true(strlen(reason) > 5);
        assert_true(c->action == KR_MESSAGE || c->action == KR_UNREADABLE);

    } else {
        assert_null(reason);
    }

    /* slices of the line live until the next call */
    free(last);
    last = copy;

    if (line[0] == '\0') {
        free(last);
        last = NULL;
    }

    return rc;
}


static void
is(const kr_str_t *s, const char *text)
{
    assert_int_equal(s->len, strlen(text));
    assert_memory_equal(s->data, text, s->len);
}


static void
column(const kr_column_t *columns, size_t n, const char *name, uint32_t type,
    const char *value)
{
    kr_str_t            s;
    const kr_column_t  *cl;

    s.data = name;
    s.len = strlen(name);

    cl = kr_column_find(columns, n, &s);
    assert_non_null(cl);
    assert_int_equal(cl->type, type);

    if (value == NULL) {
        assert_true(cl->null);
        return;
    }

    assert_false(cl->null);
    is(&cl->value, value);
}


static void
test_transaction(void **state)
{
    kr_change_t    c;
    kr_decoder_t  *d;

    d = *state;

    assert_int_equal(decode(d, line_begin, &c), KR_OK);
    assert_int_equal(c.action, KR_BEGIN);
    assert_int_equal(c.xid, 844);
    assert_int_equal(c.lsn, 0x1663E18);
    assert_int_equal(c.nextlsn, 0x1663E48);

    assert_int_equal(decode(d, line_commit, &c), KR_OK);
    assert_int_equal(c.action, KR_COMMIT);
    assert_int_equal(c.xid, 844);
    assert_int_equal(c.lsn, 0x1663E18);
    assert_int_equal(c.nextlsn, 0x1663E48);

    decode(d, "", &c);
}


static void
test_types(void **state)
{
    size_t         i;
    kr_change_t    c;
    kr_decoder_t  *d;

    static const struct {
        const char  *name;
        uint32_t     type;
        const char  *value;
    } cases[] = {
        { "id", 20, "1" },
        { "i2", 21, "-32768" },
        { "i4", 23, "2147483647" },
        { "i8", 20, "9223372036854775807" },
        { "f4", 700, "1.5" },
        { "f8", 701, "-0" },
        { "n", 1700, "123456789012345678901234567890.123456789" },
        { "n2", 1700, "1.50" },
        { "b", 16, "t" },
        { "d", 1082, "2026-01-02" },
        { "t", 1083, "03:04:05.6" },
        { "ttz", 1266, "03:04:05+02" },
        { "ts", 1114, "2026-01-02 03:04:05.123456" },
        { "tstz", 1184, "2026-01-02 01:04:05.123456+00" },
        { "iv", 1186, "P1Y2DT3H4M5S" },
        { "u", 2950, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" },
        { "tx", 25, "line\n\"quote\" \\ back \t tab \001 \303\251 "
                    "\360\237\230\200" },
        { "vc", 1043, "vc" },
        { "c", 1042, "ab   " },
        { "by", 17, "\\x00ff5c" },
        { "j", 114, "{\"a\": 1.0}" },
        { "jb", 3802, "{\"a\": 1.0}" },
        { "ia", 1007, "{1,2,NULL}" },
        { "ta", 1009, "{\"a b\",c,\"d\\\"e\"}" },
        { "ip", 869, "10.0.0.1/8" },
        { "mac", 829, "08:00:2b:01:02:03" },
        { "r", 3904, "[1,5)" },
        { "o", 26, "4000000000" },
        { "xm", 142, "<a/>" },
        { "bi", 1560, "1010" },
        { "pt", 600, "(1,2)" },
        { "nm", 19, "nm" },
        { "ch", 18, "x" }
    };

    d = *state;

    assert_int_equal(decode(d, line_types, &c), KR_OK);
    assert_int_equal(c.action, KR_INSERT);
    assert_int_equal(c.xid, 844);
    assert_int_equal(c.ncolumns, 38);
    assert_int_equal(c.nidentity, 0);
    is(&c.schema, "public");
    is(&c.table, "everything");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        column(c.columns, c.ncolumns, cases[i].name, cases[i].type,
               cases[i].value);
    }

    /* what wal2json 2.5 prints for NaN and the infinities */
    assert_int_equal(decode(d, line_nan, &c), KR_OK);
    column(c.columns, c.ncolumns, "b", 16, "f");
    column(c.columns, c.ncolumns, "d", 1082, "infinity");
    column(c.columns, c.ncolumns, "f4", 700, NULL);
    column(c.columns, c.ncolumns, "n", 1700, NULL);

    decode(d, "", &c);
}


static void
test_rows(void **state)
{
    kr_str_t       s;
    kr_change_t    c;
    kr_decoder_t  *d;

    d = *state;

    /* a key that changed */
    assert_int_equal(decode(d, line_pk, &c), KR_OK);
    assert_int_equal(c.action, KR_UPDATE);
    column(c.columns, c.ncolumns, "id", 23, "3");
    column(c.columns, c.ncolumns, "v", 25, "c");
    assert_int_equal(c.nidentity, 1);
    column(c.identity, c.nidentity, "id", 23, "1");

    /* REPLICA IDENTITY FULL, names that need quotes */
    assert_int_equal(decode(d, line_mixed, &c), KR_OK);
    is(&c.table, "Mixed Case");
    assert_int_equal(c.nidentity, 3);
    column(c.columns, c.ncolumns, "a \"q\"", 25, "y");
    column(c.identity, c.nidentity, "a \"q\"", 25, "x");
    column(c.identity, c.nidentity, "\303\274n\303\257", 25, NULL);

    assert_int_equal(decode(d, line_delete, &c), KR_OK);
    assert_int_equal(c.action, KR_DELETE);
    assert_int_equal(c.ncolumns, 0);
    column(c.identity, c.nidentity, "Id", 2950,
           "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");

    /* an unchanged TOAST value is absent, FULL has it in the old row */
    s.data = "big";
    s.len = 3;

    assert_int_equal(decode(d, line_toast, &c), KR_OK);
    assert_int_equal(c.ncolumns, 2);
    assert_null(kr_column_find(c.columns, c.ncolumns, &s));
    assert_null(kr_column_find(c.identity, c.nidentity, &s));

    assert_int_equal(decode(d, line_full, &c), KR_OK);
    assert_null(kr_column_find(c.columns, c.ncolumns, &s));
    column(c.identity, c.nidentity, "big", 25,
           "c4ca4238a0b923820dcc509a6f75849b");

    assert_int_equal(decode(d, line_truncate, &c), KR_OK);
    assert_int_equal(c.action, KR_TRUNCATE);
    is(&c.schema, "s x");
    is(&c.table, "tr");
    assert_int_equal(c.ncolumns + c.nidentity, 0);

    decode(d, "", &c);
}


static void
test_messages(void **state)
{
    kr_change_t    c;
    kr_decoder_t  *d;

    d = *state;

    assert_int_equal(decode(d, line_message, &c), KR_OK);
    assert_int_equal(c.action, KR_MESSAGE);
    assert_int_equal(c.xid, 864);

    assert_int_equal(decode(d, line_beat, &c), KR_OK);
    assert_int_equal(c.action, KR_MESSAGE);
    assert_int_equal(c.xid, 0);
    assert_int_equal(c.lsn, 0x1667F70);

    /* anybody may write one of any bytes: it must not stop the stream */
    assert_int_equal(decode(d, "{\"action\":\"M\",\"xid\":1,\"lsn\":\"0/1\","
                               "\"prefix\":\"x\",\"content\":\"\377\"}", &c),
                     KR_DECLINED);
    assert_int_equal(c.action, KR_MESSAGE);
    assert_int_equal(decode(d, "{\"action\":\"Z\",\"xid\":1}", &c),
                     KR_DECLINED);
    assert_int_equal(c.action, KR_MESSAGE);

    decode(d, "", &c);
}


#define ROW(columns)                                                          \
    "{\"action\":\"I\",\"xid\":1,\"lsn\":\"0/1\",\"schema\":\"s\","           \
    "\"table\":\"t\",\"columns\":" columns "}"

static void
test_values(void **state)
{
    size_t         i;
    kr_change_t    c;
    kr_decoder_t  *d;

    static const struct {
        const char  *typeoid;
        const char  *json;
        uint32_t     type;
        const char  *value;
    } cases[] = {
        { "-294967296", "\"x\"", 4000000000u, "x" },
        { "-1", "\"x\"", 4294967295u, "x" },
        { "4294967295", "\"x\"", 4294967295u, "x" },

        /* numeric-data-types-as-string */
        { "1700", "\"NaN\"", 1700, "NaN" },
        { "20", "\"9223372036854775807\"", 20, "9223372036854775807" },
        { "701", "1e+300", 701, "1e+300" },
        { "701", "-1.5E-7", 701, "-1.5E-7" },

        { "16", "false", 16, "f" },
        { "17", "\"\"", 17, "\\x" },
        { "17", "null", 17, NULL },
        { "25", "\"\"", 25, "" },
        { "25", "\"\\u00e9\\u20AC\\ud83d\\ude00\"", 25,
          "\303\251\342\202\254\360\237\230\200" },
        { "25", "\"a\\/\\b\\f\\n\\r\\t\\\\\\\"\\u0041\"", 25,
          "a/\b\f\n\r\t\\\"A" }
    };

    char           line[512];

    d = *state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void) snprintf(line, sizeof(line),
                        ROW("[{\"name\":\"a\\u0062\",\"type\":\"z\","
                            "\"typeoid\":%s,\"optional\":[{\"x\":[true]}],"
                            "\"value\":%s}]"),
                        cases[i].typeoid, cases[i].json);
        assert_int_equal(decode(d, line, &c), KR_OK);
        assert_int_equal(c.ncolumns, 1);
        column(c.columns, 1, "ab", cases[i].type, cases[i].value);
    }

    decode(d, "", &c);
}


static void
test_refused(void **state)
{
    size_t         i;
    kr_change_t    c;
    kr_decoder_t  *d;

    static const char  *cases[] = {
        "",
        " ",
        "{",
        "{}",
        "[]",
        "null",
        "{\"action\":1}",
        "{\"action\":\"B\"}",
        "{\"action\":\"B\",\"xid\":1,\"lsn\":\"0/1\"}",
        "{\"action\":\"B\",\"xid\":-1,\"lsn\":\"0/1\",\"nextlsn\":\"0/1\"}",
        "{\"action\":\"B\",\"xid\":4294967296,\"lsn\":\"0/1\","
            "\"nextlsn\":\"0/1\"}",
        "{\"action\":\"B\",\"xid\":1,\"lsn\":\"0\",\"nextlsn\":\"0/1\"}",
        "{\"action\":\"B\",\"xid\":1,\"lsn\":\"0/1\",\"nextlsn\":\"0/1\"} x",
        "{\"action\":\"B\",\"xid\":1,\"lsn\":\"0/1\",\"nextlsn\":\"0/1\",}",
        "{\"action\":\"B\",\"xid\":1 \"lsn\":\"0/1\",\"nextlsn\":\"0/1\"}",
        "{\"action\":\"B\",\"action\":\"C\",\"xid\":1,\"lsn\":\"0/1\","
            "\"nextlsn\":\"0/1\"}",
        "{\"action\":\"D\",\"xid\":1,\"schema\":\"s\",\"table\":\"t\"}",
        "{\"action\":\"U\",\"xid\":1,\"schema\":\"s\",\"table\":\"t\","
            "\"columns\":[]}",
        ROW("{}"),
        ROW("[1]"),
        ROW("[{}]"),
        ROW("[{\"name\":\"a\"}]"),
        ROW("[{\"value\":1}]"),
        ROW("[{\"name\":\"a\",\"value\":[1]}]"),
        ROW("[{\"name\":\"a\",\"value\":01}]"),
        ROW("[{\"name\":\"a\",\"value\":1.}]"),
        ROW("[{\"name\":\"a\",\"value\":1e}]"),
        ROW("[{\"name\":\"a\",\"value\":-}]"),
        ROW("[{\"name\":\"a\",\"value\":nul}]"),
        ROW("[{\"name\":\"a\",\"value\":NaN}]"),
        ROW("[{\"name\":\"a\",\"value\":1},]"),
        ROW("[,{\"name\":\"a\",\"value\":1}]"),
        ROW("[{\"name\":\"a\",\"value\":1,\"typeoid\":17}]"),
        ROW("[{\"name\":\"a\",\"typeoid\":1.5,\"value\":1}]"),
        ROW("[{\"name\":\"a\",\"typeoid\":4294967296,\"value\":1}]"),
        ROW("[{\"name\":\"a\",\"typeoid\":17,\"value\":\"abc\\\\\"}]"),
        ROW("[{\"name\":\"a\",\"typeoid\":17,\"value\":\"\\u0030\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\\u0000\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\\ud800\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\\ud800\\u0041\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\\udc00\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\\x\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\\u12\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\n\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\300\200\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\355\240\200\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\364\220\200\200\"}]"),
        ROW("[{\"name\":\"a\",\"value\":\"\342\202\"}]"),
        ROW("[]") "}",
        "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]"
            "]]]]]]]]]]]]}",
        "{\"a\":[}]}"
    };

    d = *state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (decode(d, cases[i], &c) != KR_DECLINED
            || c.action != KR_UNREADABLE)
        {
            fail_msg("accepted: %s", cases[i]);
        }
    }

    /* every line that ends too early is refused */
    for (i = 0; i < strlen(line_mixed); i++) {
        char  *cut;

        cut = strdup(line_mixed);
        assert_non_null(cut);
        cut[i] = '\0';
        assert_int_equal(decode(d, cut, &c), KR_DECLINED);
        assert_int_equal(c.action, KR_UNREADABLE);
        free(cut);
    }

    decode(d, "", &c);
}


/* What cannot be read says whom it concerns, as far as that was read. */
static void
test_unreadable(void **state)
{
    size_t         i;
    kr_change_t    c;
    kr_decoder_t  *d;

    static const struct {
        const char  *line;
        uint32_t     xid;
        const char  *schema;
        const char  *table;
    } cases[] = {
        { ROW("[{\"name\":\"a\",\"value\":\"\377\"}]"), 1, "s", "t" },
        { ROW("[{\"name\":\"a\",\"value\":"), 1, "s", "t" },
        { "{\"action\":\"U\",\"xid\":7,\"schema\":\"s\","
          "\"table\":\"t\",\"columns\":[]}", 7, "s", "t" },

        /* of a later version: whatever it is, it is of this table */
        { "{\"action\":\"Z\",\"xid\":7,\"schema\":\"s\","
          "\"table\":\"t\"}", 7, "s", "t" },
        { "{\"action\":\"Z\",\"xid\":7,\"schema\":\"s\","
          "\"table\":\"t\",", 7, "s", "t" },

        /* the table's name is what cannot be read, or was not reached */
        { "{\"action\":\"I\",\"xid\":7,\"schema\":\"s\","
          "\"table\":\"\377\"}", 7, "", "" },
        { "{\"action\":\"I\",\"xid\":7,\"schema\":\"s\","
          "\"table\":1}", 7, "", "" },
        { "{\"action\":\"I\",\"xid\":7,\"schema\":\"s\"}", 7, "", "" },
        { "{\"action\":\"I\",\"schema\":\"s\",\"table\":\"t\","
          "\"columns\":[]}", 0, "", "" },
        { "{\"action\":\"I\",\"xid\":x", 0, "", "" },
        { "{\"action\":\"C\",\"xid\":7,\"lsn\":\"0/1\"}", 7, "", "" },
        { "", 0, "", "" }
    };

    d = *state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(decode(d, cases[i].line, &c), KR_DECLINED);
        assert_int_equal(c.action, KR_UNREADABLE);
        assert_int_equal(c.xid, cases[i].xid);
        is(&c.schema, cases[i].schema);
        is(&c.table, cases[i].table);
        assert_int_equal(c.ncolumns + c.nidentity, 0);
    }

    decode(d, "", &c);
}


/* wal2json 2.3 and 2.4; a NULL has its type too. */
static void
test_untyped(void **state)
{
    size_t         i;
    kr_change_t    c;
    const char    *reason;
    kr_decoder_t  *d;

    static const struct {
        const char  *line;
        int          rc;
        int          untyped;
    } cases[] = {
        { ROW("[{\"name\":\"a\",\"value\":1}]"), KR_DECLINED, 1 },
        { ROW("[{\"name\":\"a\",\"typeoid\":23,\"value\":1},"
              "{\"name\":\"b\",\"value\":null}]"), KR_DECLINED, 1 },
        { ROW("[{\"name\":\"a\",\"typeoid\":23,\"value\":null}]"), KR_OK, 0 },
        { ROW("[{\"name\":\"a\"}]"), KR_DECLINED, 0 },
        { ROW("[]"), KR_OK, 0 }
    };

    d = *state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(kr_decode(d, cases[i].line, strlen(cases[i].line), &c,
                                   &reason), cases[i].rc);
        assert_int_equal(kr_decode_untyped(d), cases[i].untyped);
    }
}


/* No memory is not a fault of the line, which is whole the next time. */
static void
test_no_memory(void **state)
{
    int            n, rc;
    size_t         i, len;
    char          *line;
    kr_change_t    c;
    const char    *reason;
    kr_decoder_t  *d;

    static const char  head[] = "{\"action\":\"I\",\"xid\":1,"
        "\"schema\":\"s\",\"table\":\"t\",\"columns\":[";
    static const char  column[] = "{\"name\":\"a\",\"typeoid\":23,"
        "\"value\":1},";

    (void) state;

    line = malloc(sizeof(head) + 1000 * sizeof(column) + 8);
    assert_non_null(line);

    len = (size_t) sprintf(line, "%s", head);

    for (i = 0; i < 1000; i++) {
        len += (size_t) sprintf(line + len, "%s", column);
    }

    len = (size_t) (len - 1 + (size_t) sprintf(line + len - 1, "]}"));

    for (n = 0, rc = KR_ERROR; n < 100 && rc != KR_OK; n++) {
        d = kr_decoder_create();
        assert_non_null(d);

        fail_after = n;
        rc = kr_decode(d, line, len, &c, &reason);
        fail_after = -1;

        if (rc != KR_OK) {
            assert_int_equal(rc, KR_ERROR);
            assert_int_equal(kr_decode(d, line, len, &c, &reason), KR_OK);
        }

        assert_int_equal(c.ncolumns, 1000);
        kr_decoder_free(d);
    }

    assert_int_equal(rc, KR_OK);
    assert_true(n > 3);
    free(line);
}


/* A large row does not keep its memory, and a small one follows rightly. */
static void
test_large(void **state)
{
    char          *line;
    size_t         n;
    kr_change_t    c;
    kr_decoder_t  *d;

    static const char  head[] = ROW("[{\"name\":\"a\",\"typeoid\":25,"
                                    "\"value\":\"\\n");
    static const char  tail[] = "\"}]}";

    d = *state;
    n = 4 * 1024 * 1024;

    line = malloc(n + sizeof(head) + sizeof(tail));
    assert_non_null(line);

    /* ROW() closes an object that here is still open */
    memcpy(line, head, sizeof(head) - 2);
    memset(line + sizeof(head) - 2, 'x', n);
    memcpy(line + sizeof(head) - 2 + n, tail, sizeof(tail));

    assert_int_equal(decode(d, line, &c), KR_OK);
    assert_int_equal(c.columns[0].value.len, n + 1);
    free(line);

    assert_int_equal(decode(d, line_mixed, &c), KR_OK);
    column(c.columns, c.ncolumns, "a \"q\"", 25, "y");

    decode(d, "", &c);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_untyped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test_setup_teardown(test_large, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
