/* sources: ngx_http_kairos_phx.c ngx_http_kairos_json.c */
/* sources: ngx_http_kairos_json_string.c ngx_http_kairos_utf8.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_phx.h"


#define bytes(s)  (s), sizeof(s) - 1

#define V1        NGX_HTTP_KAIROS_PHX_V1
#define V2        NGX_HTTP_KAIROS_PHX_V2

#define TEN       "0123456789"
#define FIFTY     TEN TEN TEN TEN TEN
#define LONG_255  FIFTY FIFTY FIFTY FIFTY FIFTY "01234"


typedef struct {
    const char                 *name;
    ngx_http_kairos_phx_vsn_e   vsn;
    const char                 *text;
    const char                 *join_ref;
    const char                 *ref;
    const char                 *topic;
    const char                 *event;
    const char                 *payload;
} parse_case_t;


static const parse_case_t  parse_cases[] = {

    { "V2", V2, "[\"5\",\"6\",\"room:1\",\"hello\",{\"body\":1}]",
      "\"5\"", "\"6\"", "room:1", "hello", "{\"body\":1}" },
    { "V2 heartbeat", V2, "[null,\"1\",\"phoenix\",\"heartbeat\",{}]",
      "", "\"1\"", "phoenix", "heartbeat", "{}" },
    { "V2 nulls", V2, "[null,null,\"\",\"\",null]", "", "", "", "", "null" },
    { "V2 numbers as refs", V2, "[29,-1.5e3,\"t\",\"e\",[]]",
      "29", "-1.5e3", "t", "e", "[]" },
    { "V2 empty refs", V2, "[\"\",\"\",\"t\",\"e\",0]",
      "\"\"", "\"\"", "t", "e", "0" },
    { "V2 escaped refs, written as Phoenix would", V2,
      "[\"\\u0035\\/\\u0007\\u000a\",\"a\\\"\\ud83d\\ude00\",\"t\",\"e\",0]",
      "\"5/\\u0007\\n\"", "\"a\\\"\xf0\x9f\x98\x80\"", "t", "e", "0" },
    { "V1 escaped refs", V1, "{\"topic\":\"t\",\"event\":\"e\","
      "\"payload\":1,\"ref\":\"\\u0036\",\"join_ref\":\"\\u0035\"}",
      "\"5\"", "\"6\"", "t", "e", "1" },
    { "V2 escapes in topic and event", V2,
      "[null,null,\"a\\n\\u00e9\\ud83d\\ude00\",\"\\\"\\/\",\"\\u0041\"]",
      "", "", "a\n\xc3\xa9\xf0\x9f\x98\x80", "\"/", "\"\\u0041\"" },
    { "V2 six elements", V2, "[null,null,\"t\",\"e\",1,{\"x\":[2]}]",
      "", "", "t", "e", "1" },
    { "V2 white space", V2,
      " \n[ \"1\" , \"2\"\t,\"t\" , \"e\" , { \"a\" : 1 } ]\r\n",
      "\"1\"", "\"2\"", "t", "e", "{ \"a\" : 1 }" },
    { "V2 payload byte for byte", V2,
      "[null,null,\"t\",\"e\",{\"b\":1E400,\"a\":1.0,\"a\":\"\\u0000\\/\"}]",
      "", "", "t", "e", "{\"b\":1E400,\"a\":1.0,\"a\":\"\\u0000\\/\"}" },
    { "V2 payload array", V2, "[null,null,\"t\",\"e\",[1,[2]]]",
      "", "", "t", "e", "[1,[2]]" },
    { "V2 the longest ref", V2, "[\"" LONG_255 "\",null,\"t\",\"e\",1]",
      "\"" LONG_255 "\"", "", "t", "e", "1" },

    { "V1", V1, "{\"topic\":\"room:1\",\"event\":\"hello\","
      "\"payload\":{\"body\":1},\"ref\":\"6\",\"join_ref\":\"5\"}",
      "\"5\"", "\"6\"", "room:1", "hello", "{\"body\":1}" },
    { "V1 no join_ref", V1,
      "{\"topic\":\"t\",\"event\":\"e\",\"payload\":1,\"ref\":2}",
      "", "2", "t", "e", "1" },
    { "V1 no ref", V1, "{\"topic\":\"t\",\"event\":\"e\",\"payload\":1}",
      "", "", "t", "e", "1" },
    { "V1 nulls", V1, "{\"topic\":\"\",\"event\":\"\",\"payload\":null,"
      "\"ref\":null,\"join_ref\":null}", "", "", "", "", "null" },
    { "V1 other names", V1, "{\"x\":{\"topic\":\"no\"},\"topic\":\"t\","
      "\"event\":\"e\",\"payload\":{\"event\":\"no\"},\"refs\":[]}",
      "", "", "t", "e", "{\"event\":\"no\"}" },
    { "V1 equal names, the last counts", V1,
      "{\"topic\":\"a\",\"topic\":\"t\","
      "\"event\":1,\"event\":\"e\",\"payload\":1,\"payload\":2,"
      "\"ref\":[],\"ref\":\"3\"}", "", "\"3\"", "t", "e", "2" },
    { "V1 an equal name takes back", V1, "{\"topic\":\"t\",\"event\":\"e\","
      "\"payload\":1,\"ref\":\"3\",\"ref\":null}", "", "", "t", "e", "1" },
    { "V1 escaped names", V1,
      "{\"\\u0074opic\":\"t\",\"e\\u0076ent\":\"e\",\"payload\":1}",
      "", "", "t", "e", "1" },
    { "V1 white space", V1, " { \"topic\" : \"t\" , \"event\" : \"e\" , "
      "\"payload\" : [ ] } ", "", "", "t", "e", "[ ]" }
};


/* not a message of this serializer at all */
static const struct {
    const char                 *name;
    ngx_http_kairos_phx_vsn_e   vsn;
    const char                 *text;
} foreign_cases[] = {
    { "nothing", V2, "" },
    { "V1 nothing", V1, "" },
    { "white space", V2, " \n" },
    { "no JSON", V2, "hello" },
    { "V2 object", V2, "{\"topic\":\"t\",\"event\":\"e\",\"payload\":1}" },
    { "V1 array", V1, "[null,null,\"t\",\"e\",{}]" },
    { "V2 number", V2, "5" },
    { "V2 string", V2, "\"[null,null,\"" },
    { "V1 null", V1, "null" }
};


/* messages that cannot be served, and what can be read; NULL: nothing */
static const struct {
    const char                 *name;
    ngx_http_kairos_phx_vsn_e   vsn;
    const char                 *text;
    const char                 *join_ref;
    const char                 *ref;
    const char                 *topic;
    const char                 *event;
} malformed_cases[] = {
    { "V2 empty", V2, "[]", "", "", NULL, NULL },
    { "V2 one element", V2, "[1]", "1", "", NULL, NULL },
    { "V2 four elements", V2, "[null,\"2\",\"t\",\"e\"]",
      "", "\"2\"", "t", "e" },
    { "V2 topic is a number", V2, "[1,\"2\",5,\"e\",{}]",
      "1", "\"2\"", NULL, "e" },
    { "V2 topic is null", V2, "[null,\"2\",null,\"e\",{}]",
      "", "\"2\"", NULL, "e" },
    { "V2 event is null", V2, "[null,\"2\",\"t\",null,{}]",
      "", "\"2\"", "t", NULL },
    { "V2 event is an object", V2, "[null,\"2\",\"t\",{},{}]",
      "", "\"2\"", "t", NULL },
    { "V2 join_ref is an object", V2, "[{},\"2\",\"t\",\"e\",{}]",
      "", "\"2\"", "t", "e" },
    { "V2 ref is an array", V2, "[\"1\",[],\"t\",\"e\",{}]",
      "\"1\"", "", "t", "e" },
    { "V2 ref is true", V2, "[null,true,\"t\",\"e\",{}]",
      "", "", "t", "e" },
    { "V2 too long join_ref", V2, "[\"" LONG_255 "x\",2,\"t\",\"e\",1]",
      "\"" LONG_255 "x\"", "2", "t", "e" },
    { "V2 too long ref", V2, "[null,\"" LONG_255 "x\",\"t\",\"e\",1]",
      "", "\"" LONG_255 "x\"", "t", "e" },
    { "V2 too long number", V2, "[null,1" LONG_255 "67,\"t\",\"e\",1]",
      "", "1" LONG_255 "67", "t", "e" },
    { "V2 invalid payload", V2, "[null,2,\"t\",\"e\",{]]",
      "", "2", "t", "e" },
    { "V2 payload with half a surrogate pair", V2,
      "[\"\\u0031\",2,\"\\u0074\",\"e\",\"\\ud83d\"]",
      "\"1\"", "2", "t", "e" },
    { "V2 topic with half a surrogate pair", V2,
      "[null,2,\"\\ude00\",\"e\",1]", "", "2", NULL, "e" },
    { "V2 ref with half a surrogate pair", V2,
      "[3,\"\\ude00\",\"t\",\"e\",1]", "3", "", "t", "e" },
    { "V2 NUL", V2, "[1,2,\"t\",\"e\",\"\1\"]", "1", "2", "t", "e" },
    { "V2 payload not UTF-8", V2, "[null,2,\"t\",\"e\",\"\xff\"]",
      "", "2", "t", "e" },
    { "V2 invalid sixth element", V2, "[null,2,\"t\",\"e\",1,01]",
      "", "2", "t", "e" },
    { "V2 without an end", V2, "[null,2,\"t\",\"e\",1", "", "2", "t", "e" },
    { "V2 cut in the payload", V2, "[1,2,\"t\",\"e\",{\"a,b",
      "1", "2", "t", "e" },
    { "V2 cut in the event", V2, "[1,2,\"t\",\"e", "1", "2", "t", NULL },
    { "V2 something behind", V2, "[null,2,\"t\",\"e\",1] 2",
      "", "2", "t", "e" },
    { "V2 two messages", V2, "[null,2,\"t\",\"e\",1][null,3,\"u\",\"f\",1]",
      "", "2", "t", "e" },
    { "V2 commas and brackets within", V2,
      " [ \"a,]\" , \"\\\"\" , \"t[\" , \"e\" , [{\"x\":[,]}] ]",
      "\"a,]\"", "\"\\\"\"", "t[", "e" },
    { "V1 empty", V1, "{}", "", "", NULL, NULL },
    { "V1 no topic", V1, "{\"event\":\"e\",\"payload\":1,\"ref\":2}",
      "", "2", NULL, "e" },
    { "V1 no event", V1, "{\"topic\":\"t\",\"payload\":1}",
      "", "", "t", NULL },
    { "V1 no payload", V1, "{\"topic\":\"t\",\"event\":\"e\"}",
      "", "", "t", "e" },
    { "V1 topic is a number", V1,
      "{\"topic\":1,\"event\":\"e\",\"payload\":1}", "", "", NULL, "e" },
    { "V1 the last topic is a number", V1,
      "{\"topic\":\"t\",\"topic\":1,\"event\":\"e\",\"payload\":1}",
      "", "", NULL, "e" },
    { "V1 the last topic is no JSON", V1,
      "{\"topic\":\"t\",\"topic\":x,\"event\":\"e\",\"payload\":1}",
      "", "", NULL, "e" },
    { "V1 event is null", V1,
      "{\"topic\":\"t\",\"event\":null,\"payload\":1}",
      "", "", "t", NULL },
    { "V1 ref is an object", V1,
      "{\"topic\":\"t\",\"event\":\"e\",\"payload\":1,\"ref\":{}}",
      "", "", "t", "e" },
    { "V1 a bad payload before the ref", V1,
      "{ \"topic\" : \"t\",\"event\":\"e\",\"payload\":{\"a\":\"\\ud800\","
      "\"ref\":9},\"ref\" : \"3\" ,\"join_ref\":4}",
      "4", "\"3\"", "t", "e" },
    { "V1 a bad name, and what is none", V1,
      "{\"\\ud800\":1,topic:\"x\",\"ref\"2,\"ref\",\"ref\":3,,"
      "\"topic\":\"t\"}", "", "3", "t", NULL },
    { "V1 something behind", V1,
      "{\"topic\":\"t\",\"event\":\"e\",\"payload\":1}}",
      "", "", "t", "e" }
};


/* A copy in a block of just its size, for the sanitizer: caller frees. */
static u_char *
copy(const char *text, size_t len)
{
    u_char  *p;

    p = malloc(len ? len : 1);
    assert_non_null(p);
    memcpy(p, text, len);

    return p;
}


static void
expect(const char *name, const char *what, const ngx_str_t *s,
    const char *text, size_t len)
{
    if (s->len != len || (len > 0 && memcmp(s->data, text, len) != 0)) {
        fail_msg("%s: %s is \"%.*s\", not \"%s\"", name, what, (int) s->len,
                 (char *) s->data, text);
    }
}


static void
test_phx_parse(void **state)
{
    size_t                       i, len;
    u_char                      *data;
    const char                  *reason;
    const parse_case_t          *c;
    ngx_http_kairos_phx_msg_t    m;

    for (i = 0; i < sizeof(parse_cases) / sizeof(parse_cases[0]); i++) {
        c = &parse_cases[i];
        len = strlen(c->text);
        data = copy(c->text, len);

        if (ngx_http_kairos_phx_parse(c->vsn, 0, data, len, &m, &reason)
            != NGX_OK)
        {
            fail_msg("%s: %s", c->name, reason);
        }

        assert_int_equal(m.message.binary, 0);

        expect(c->name, "join_ref", &m.join_ref, c->join_ref,
               strlen(c->join_ref));
        expect(c->name, "ref", &m.ref, c->ref, strlen(c->ref));
        expect(c->name, "topic", &m.message.topic, c->topic, strlen(c->topic));
        expect(c->name, "event", &m.message.event, c->event, strlen(c->event));
        expect(c->name, "payload", &m.message.payload, c->payload,
               strlen(c->payload));

        free(data);
    }
}


static void
test_phx_parse_foreign(void **state)
{
    size_t                      i, len;
    u_char                     *data;
    const char                 *reason;
    ngx_http_kairos_phx_msg_t   m;

    for (i = 0; i < sizeof(foreign_cases) / sizeof(foreign_cases[0]); i++) {
        len = strlen(foreign_cases[i].text);
        data = copy(foreign_cases[i].text, len);
        reason = NULL;

        if (ngx_http_kairos_phx_parse(foreign_cases[i].vsn, 0, data, len, &m,
                                      &reason)
            != NGX_ERROR)
        {
            fail_msg("%s: is taken", foreign_cases[i].name);
        }

        assert_non_null(reason);
        free(data);
    }
}


/* text NULL: the part was not read, which is not the same as an empty one */
static void
expect_part(const char *name, const char *what, const ngx_str_t *s,
    const char *text)
{
    if (text == NULL) {
        assert_null(s->data);
        text = "";
    }

    expect(name, what, s, text, strlen(text));
}


static void
test_phx_parse_malformed(void **state)
{
    size_t                      i, len;
    u_char                     *data;
    const char                 *name, *reason;
    ngx_http_kairos_phx_msg_t   m;

    for (i = 0; i < sizeof(malformed_cases) / sizeof(malformed_cases[0]); i++)
    {
        name = malformed_cases[i].name;
        len = strlen(malformed_cases[i].text);
        data = copy(malformed_cases[i].text, len);
        reason = NULL;

        if (ngx_http_kairos_phx_parse(malformed_cases[i].vsn, 0, data, len,
                                      &m, &reason)
            != NGX_DECLINED)
        {
            fail_msg("%s: is taken", name);
        }

        assert_non_null(reason);
        expect(name, "join_ref", &m.join_ref, malformed_cases[i].join_ref,
               strlen(malformed_cases[i].join_ref));
        expect(name, "ref", &m.ref, malformed_cases[i].ref,
               strlen(malformed_cases[i].ref));
        expect_part(name, "topic", &m.message.topic, malformed_cases[i].topic);
        expect_part(name, "event", &m.message.event, malformed_cases[i].event);
        free(data);
    }
}


/* Whatever text a message is cut to is none. */
static void
test_phx_parse_cut(void **state)
{
    size_t                      i, len, end;
    u_char                     *data;
    const char                 *reason;
    ngx_http_kairos_phx_msg_t   m;

    for (i = 0; i < sizeof(parse_cases) / sizeof(parse_cases[0]); i++) {
        end = strrchr(parse_cases[i].text,
                      (parse_cases[i].vsn == V1) ? '}' : ']')
              - parse_cases[i].text;

        for (len = 0; len <= end; len++) {
            data = copy(parse_cases[i].text, len);

            if (ngx_http_kairos_phx_parse(parse_cases[i].vsn, 0, data, len,
                                          &m, &reason)
                == NGX_OK)
            {
                fail_msg("%s: is taken when cut at %d", parse_cases[i].name,
                         (int) len);
            }

            free(data);
        }
    }
}


static const struct {
    const char  *name;
    const char  *wire;
    size_t       len;
    const char  *join_ref;
    const char  *ref;
    const char  *topic;
    const char  *event;
    const char  *payload;
    size_t       payload_len;
} binary_cases[] = {
    { "push", bytes("\0\1\2\6\5" "7" "12" "room:1" "hello" "\1\0\xff"),
      "\"7\"", "\"12\"", "room:1", "hello", bytes("\1\0\xff") },
    { "no payload", bytes("\0\1\1\1\1" "1" "2" "t" "e"),
      "\"1\"", "\"2\"", "t", "e", bytes("") },
    { "nothing at all", bytes("\0\0\0\0\0"),
      "", "", "", "", bytes("") },
    { "no refs", bytes("\0\0\0\1\1" "t" "e" "x"),
      "", "", "t", "e", bytes("x") },
    { "no join_ref", bytes("\0\0\3\1\1" "abc" "t" "e" "x"),
      "", "\"abc\"", "t", "e", bytes("x") },
    { "no ref", bytes("\0\3\0\1\1" "abc" "t" "e" "x"),
      "\"abc\"", "", "t", "e", bytes("x") },
    { "the longest refs",
      bytes("\0\xff\xff\1\1" LONG_255 LONG_255 "t" "e" "x"),
      "\"" LONG_255 "\"", "\"" LONG_255 "\"", "t", "e", bytes("x") },
    { "the longest topic and event",
      bytes("\0\0\0\xff\xff" LONG_255 LONG_255 "x"),
      "", "", LONG_255, LONG_255, bytes("x") },
    { "UTF-8, and what JSON would escape",
      bytes("\0\2\0\4\2" "\xc3\xa9" "\xe2\x82\xac\n" "\"\\" "\xff"),
      "\"\xc3\xa9\"", "", "\xe2\x82\xac\n", "\"\\", bytes("\xff") }
};


static void
test_phx_parse_binary(void **state)
{
    size_t                      i;
    u_char                     *data;
    const char                 *reason, *name;
    ngx_http_kairos_phx_msg_t   m;

    for (i = 0; i < sizeof(binary_cases) / sizeof(binary_cases[0]); i++) {
        name = binary_cases[i].name;
        data = copy(binary_cases[i].wire, binary_cases[i].len);

        if (ngx_http_kairos_phx_parse(V2, 1, data, binary_cases[i].len, &m,
                                      &reason)
            != NGX_OK)
        {
            fail_msg("%s: %s", name, reason);
        }

        assert_int_equal(m.message.binary, 1);

        expect(name, "join_ref", &m.join_ref, binary_cases[i].join_ref,
               strlen(binary_cases[i].join_ref));
        expect(name, "ref", &m.ref, binary_cases[i].ref,
               strlen(binary_cases[i].ref));
        expect(name, "topic", &m.message.topic, binary_cases[i].topic,
               strlen(binary_cases[i].topic));
        expect(name, "event", &m.message.event, binary_cases[i].event,
               strlen(binary_cases[i].event));
        expect(name, "payload", &m.message.payload, binary_cases[i].payload,
               binary_cases[i].payload_len);

        free(data);
    }
}


static void
test_phx_parse_binary_foreign(void **state)
{
    size_t                      i;
    u_char                     *data;
    const char                 *reason;
    ngx_http_kairos_phx_msg_t   m;

    static const struct {
        const char  *name;
        const char  *wire;
        size_t       len;
    } cases[] = {
        { "nothing", bytes("") },
        { "a kind alone", bytes("\0") },
        { "a header that is cut", bytes("\0\1\1\1") },
        { "a reply", bytes("\1\1\1\1\1" "1234") },
        { "a broadcast", bytes("\2\1\1" "1234") },
        { "a user's broadcast", bytes("\3\1\1\1\1\0\1" "1234{}") },
        { "an unknown kind", bytes("\xff\1\1\1\1" "1234") },
        { "text", bytes("[null,null,\"t\",\"e\",1]") }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        data = copy(cases[i].wire, cases[i].len);
        reason = NULL;

        if (ngx_http_kairos_phx_parse(V2, 1, data, cases[i].len, &m, &reason)
            != NGX_ERROR)
        {
            fail_msg("%s: is taken", cases[i].name);
        }

        assert_non_null(reason);
        free(data);
    }

    data = copy(bytes("\0\1\1\1\1" "1234"));
    reason = NULL;
    assert_int_equal(ngx_http_kairos_phx_parse(V1, 1, data, 9, &m, &reason),
                     NGX_ERROR);
    assert_non_null(reason);
    free(data);
}


static void
test_phx_parse_binary_malformed(void **state)
{
    size_t                      i;
    u_char                     *data;
    const char                 *name, *reason;
    ngx_http_kairos_phx_msg_t   m;

    /* topic and event NULL: not read */
    static const struct {
        const char  *name;
        const char  *wire;
        size_t       len;
        const char  *join_ref;
        const char  *ref;
        const char  *topic;
        const char  *event;
    } cases[] = {
        { "join_ref reaches too far", bytes("\0\5\0\0\0" "1234"),
          "", "", NULL, NULL },
        { "ref reaches too far", bytes("\0\1\4\0\0" "1234"),
          "\"1\"", "", NULL, NULL },
        { "topic reaches too far", bytes("\0\1\1\3\0" "1234"),
          "\"1\"", "\"2\"", NULL, NULL },
        { "event reaches too far", bytes("\0\1\1\1\2" "1234"),
          "\"1\"", "\"2\"", "3", NULL },
        { "join_ref not UTF-8", bytes("\0\1\1\1\1" "\xff" "234"),
          "", "\"2\"", "3", "4" },
        { "ref not UTF-8", bytes("\0\1\1\1\1" "1\x80" "34"),
          "\"1\"", "", "3", "4" },
        { "topic not UTF-8", bytes("\0\1\1\2\1" "12\xc0\x80" "4"),
          "\"1\"", "\"2\"", NULL, "4" },
        { "event not UTF-8", bytes("\0\1\1\1\1" "123\xe2"),
          "\"1\"", "\"2\"", "3", NULL },
        { "a character from topic into event",
          bytes("\0\1\1\1\1" "12\xc3\xa9"), "\"1\"", "\"2\"", NULL, NULL },
        { "a quote in a join_ref", bytes("\0\1\1\1\1" "\"234"),
          "", "\"2\"", "3", "4" },
        { "a backslash in a ref", bytes("\0\1\1\1\1" "1\\34"),
          "\"1\"", "", "3", "4" },
        { "a line feed in a ref", bytes("\0\0\1\0\0" "\n"),
          "", "", "", "" },
        { "a quote in the one, room in the other",
          bytes("\0\1\1\0\0" "\"a"), "", "\"a\"", "", "" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        name = cases[i].name;
        data = copy(cases[i].wire, cases[i].len);
        reason = NULL;

        if (ngx_http_kairos_phx_parse(V2, 1, data, cases[i].len, &m, &reason)
            != NGX_DECLINED)
        {
            fail_msg("%s: is taken", name);
        }

        assert_non_null(reason);
        expect(name, "join_ref", &m.join_ref, cases[i].join_ref,
               strlen(cases[i].join_ref));
        expect(name, "ref", &m.ref, cases[i].ref, strlen(cases[i].ref));
        expect_part(name, "topic", &m.message.topic, cases[i].topic);
        expect_part(name, "event", &m.message.event, cases[i].event);
        free(data);
    }
}


/* status NULL: no reply */
static const struct {
    const char                 *name;
    ngx_http_kairos_phx_vsn_e   vsn;
    const char                 *status;
    unsigned                    binary;
    const char                 *join_ref;
    const char                 *ref;
    const char                 *topic;
    const char                 *event;
    const char                 *payload;
    const char                 *wire;
    size_t                      len;
} write_cases[] = {

    { "V2 broadcast", V2, NULL, 0, "", "", "room:1", "hello", "{\"body\":1}",
      bytes("[null,null,\"room:1\",\"hello\",{\"body\":1}]") },
    { "V2 push", V2, NULL, 0, "\"5\"", "\"5\"", "t", "phx_close", "{}",
      bytes("[\"5\",\"5\",\"t\",\"phx_close\",{}]") },
    { "V2 refs as they came", V2, NULL, 0, "5", "\"\\u0035\"", "t", "e", "1",
      bytes("[5,\"\\u0035\",\"t\",\"e\",1]") },
    { "V2 escapes", V2, NULL, 0, "", "", "a\"\n", "\\\x01\xc3\xa9", "\"\\/\"",
      bytes("[null,null,\"a\\\"\\n\",\"\\\\\\u0001\xc3\xa9\",\"\\/\"]") },
    { "V2 reply", V2, "ok", 0, "\"5\"", "\"6\"", "room:1", "phx_join", "{}",
      bytes("[\"5\",\"6\",\"room:1\",\"phx_reply\","
            "{\"response\":{},\"status\":\"ok\"}]") },
    { "V2 refusal", V2, "error", 0, "", "6", "t", "", "{\"reason\":\"no\"}",
      bytes("[null,6,\"t\",\"phx_reply\","
            "{\"response\":{\"reason\":\"no\"},\"status\":\"error\"}]") },

    { "V1 broadcast", V1, NULL, 0, "", "", "room:m", "hello", "{\"body\":1}",
      bytes("{\"event\":\"hello\",\"payload\":{\"body\":1},\"ref\":null,"
            "\"topic\":\"room:m\"}") },
    { "V1 has no join_ref", V1, NULL, 0, "\"5\"", "5", "t", "e", "[]",
      bytes("{\"event\":\"e\",\"payload\":[],\"ref\":5,\"topic\":\"t\"}") },
    { "V1 escapes", V1, NULL, 0, "", "", "\"", "\\", "1",
      bytes("{\"event\":\"\\\\\",\"payload\":1,\"ref\":null,"
            "\"topic\":\"\\\"\"}") },
    { "V1 reply", V1, "ok", 0, "\"1\"", "\"1\"", "room:m", "phx_join", "{}",
      bytes("{\"event\":\"phx_reply\","
            "\"payload\":{\"response\":{},\"status\":\"ok\"},\"ref\":\"1\","
            "\"topic\":\"room:m\"}") },

    { "binary broadcast", V2, NULL, 1, "", "", "room:1", "hello", "\1\xff",
      bytes("\2\6\5" "room:1" "hello" "\1\xff") },
    { "binary broadcast, empty", V2, NULL, 1, "", "", "", "", "",
      bytes("\2\0\0") },
    { "binary push", V2, NULL, 1, "\"7\"", "", "t", "ev", "x",
      bytes("\0\1\1\2" "7" "t" "ev" "x") },
    { "binary push has no ref", V2, NULL, 1, "\"7\"", "\"8\"", "t", "ev", "x",
      bytes("\0\1\1\2" "7" "t" "ev" "x") },
    { "binary push, a number as join_ref", V2, NULL, 1, "12", "", "t", "e",
      "x", bytes("\0\2\1\1" "12" "t" "e" "x") },
    { "binary reply", V2, "ok", 1, "\"7\"", "\"12\"", "t", "", "x",
      bytes("\1\1\2\1\2" "7" "12" "t" "ok" "x") },
    { "binary reply, refs unescaped", V2, "error", 1, "\"\\u0041\\n\"", "",
      "t", "", "", bytes("\1\2\0\1\5" "A\n" "t" "error") },
    { "binary, the longest fields", V2, NULL, 1, "\"" LONG_255 "\"", "",
      LONG_255, LONG_255, "x",
      bytes("\0\xff\xff\xff" LONG_255 LONG_255 LONG_255 "x") },

    { "binary reply, the longest fields", V2, "ok", 1, "\"" LONG_255 "\"",
      "\"" LONG_255 "\"", LONG_255, "", "x",
      bytes("\1\xff\xff\xff\2" LONG_255 LONG_255 LONG_255 "okx") },

    { "binary in V1", V1, NULL, 1, "", "", "t", "e", "x", NULL, 0 },
    { "binary reply in V1", V1, "ok", 1, "", "", "t", "e", "x", NULL, 0 },
    { "binary, too long topic", V2, NULL, 1, "", "", LONG_255 "5", "e", "",
      NULL, 0 },
    { "binary, too long event", V2, NULL, 1, "", "", "t", LONG_255 "5", "",
      NULL, 0 },
    { "binary, too long join_ref", V2, NULL, 1, LONG_255 "5", "", "t", "e",
      "", NULL, 0 },
    { "binary reply, too long topic", V2, "ok", 1, "", "", LONG_255 "5", "",
      "", NULL, 0 },
    { "binary reply, too long join_ref", V2, "ok", 1, LONG_255 "56", "", "t",
      "", "", NULL, 0 },
    { "binary reply, too long ref", V2, "ok", 1, "", LONG_255 "567", "t", "",
      "", NULL, 0 }
};


static ngx_str_t
str(const char *text)
{
    ngx_str_t  s;

    s.len = strlen(text);
    s.data = (s.len > 0) ? (u_char *) text : NULL;

    return s;
}


static void
test_phx_write(void **state)
{
    size_t                      i, size;
    u_char                     *p, *last;
    ngx_str_t                   status;
    const char                 *name;
    ngx_http_kairos_phx_msg_t   m;
    ngx_http_kairos_phx_vsn_e   vsn;

    for (i = 0; i < sizeof(write_cases) / sizeof(write_cases[0]); i++) {
        name = write_cases[i].name;
        vsn = write_cases[i].vsn;

        m.join_ref = str(write_cases[i].join_ref);
        m.ref = str(write_cases[i].ref);
        m.message.topic = str(write_cases[i].topic);
        m.message.event = str(write_cases[i].event);
        m.message.payload = str(write_cases[i].payload);
        m.message.binary = write_cases[i].binary;

        if (write_cases[i].status) {
            status = str(write_cases[i].status);
            size = ngx_http_kairos_phx_reply_size(vsn, &m, &status);

        } else {
            size = ngx_http_kairos_phx_size(vsn, &m);
        }

        if (size != write_cases[i].len) {
            fail_msg("%s: size is %d, not %d", name, (int) size,
                     (int) write_cases[i].len);
        }

        if (size == 0) {
            continue;
        }

        p = malloc(size);
        assert_non_null(p);

        if (write_cases[i].status) {
            last = ngx_http_kairos_phx_reply(p, vsn, &m, &status);

        } else {
            last = ngx_http_kairos_phx_write(p, vsn, &m);
        }

        assert_ptr_equal(last, p + size);

        if (memcmp(p, write_cases[i].wire, size) != 0) {
            fail_msg("%s: is \"%.*s\"", name, (int) size, (char *) p);
        }

        free(p);
    }
}


/*
 * A binary push that is answered in text and in binary carries the refs it
 * came with, and they equal those of a text message.
 */
static void
test_phx_binary_refs(void **state)
{
    u_char                      buf[128], *last;
    u_char                      push[] = "\0\1\2\1\1" "7" "12" "t" "e" "x";
    u_char                      join[] = "[\"7\",\"7\",\"t\",\"phx_join\",{}]";
    ngx_str_t                   ok;
    const char                 *reason;
    ngx_http_kairos_phx_msg_t   b, m;

    ok = str("ok");

    assert_int_equal(ngx_http_kairos_phx_parse(V2, 0, join, sizeof(join) - 1,
                                               &m, &reason), NGX_OK);
    assert_int_equal(ngx_http_kairos_phx_parse(V2, 1, push, sizeof(push) - 1,
                                               &b, &reason), NGX_OK);

    assert_int_equal(b.join_ref.len, m.join_ref.len);
    assert_memory_equal(b.join_ref.data, m.join_ref.data, m.join_ref.len);

    last = ngx_http_kairos_phx_reply(buf, V2, &b, &ok);
    assert_int_equal(last - buf, 12);
    assert_memory_equal(buf, "\1\1\2\1\2" "7" "12" "t" "ok" "x", 12);

    b.message.binary = 0;
    b.message.payload = str("{}");

    last = ngx_http_kairos_phx_reply(buf, V2, &b, &ok);
    *last = '\0';
    assert_string_equal(buf, "[\"7\",\"12\",\"t\",\"phx_reply\","
                             "{\"response\":{},\"status\":\"ok\"}]");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_phx_parse),
        cmocka_unit_test(test_phx_parse_foreign),
        cmocka_unit_test(test_phx_parse_malformed),
        cmocka_unit_test(test_phx_parse_cut),
        cmocka_unit_test(test_phx_parse_binary),
        cmocka_unit_test(test_phx_parse_binary_foreign),
        cmocka_unit_test(test_phx_parse_binary_malformed),
        cmocka_unit_test(test_phx_write),
        cmocka_unit_test(test_phx_binary_refs)
    };

    return cmocka_run_group_tests_name("phx", tests, NULL, NULL);
}
