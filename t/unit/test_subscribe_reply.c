/* sources: kr_subscribe_reply.c kr_buf.c kr_lsn.c */
/* sources: kr_row.c kr_json.c kr_value.c kr_value_order.c kr_value_number.c */
/* libs: -lpq */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_answer.h"
#include "kr_subscribe_private.h"


/* What stands around the reply: one cursor, and the payload that is sent. */

static kr_buf_t      sent;
static kr_cursor_t  *cursor;


kr_cursor_t *
kr_cursor_find(kr_socket_t *so, const kr_route_t *rt)
{
    (void) so;
    (void) rt;

    return cursor;
}


void
kr_reply(kr_worker_t *wk, uint64_t req, const kr_buf_t *payload)
{
    (void) wk;

    kr_buf_printf(&sent, "%d:%s", (int) req, payload->data);
}


#define QUERY  "\"database_op\":\"query\"}"


/* A result of two columns, the second of which has these texts. */
static PGresult *
rows(const char *const *json, int n)
{
    int           row;
    char          value[64];
    PGresult     *res;
    PGresAttDesc  columns[2];

    memset(columns, 0, sizeof(columns));
    columns[0].name = (char *) "key";
    columns[1].name = (char *) "json";

    res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(res);
    assert_true(PQsetResultAttrs(res, 2, columns));

    for (row = 0; row < n; row++) {
        strcpy(value, json[row]);
        assert_true(PQsetvalue(res, row, 0, (char *) "1", 1));
        assert_true(PQsetvalue(res, row, 1, value, (int) strlen(value)));
    }

    return res;
}


static void
test_rows(void **state)
{
    size_t            i;
    kr_buf_t          b;
    PGresult         *res;
    kr_key_columns_t  key;

    static const struct {
        int          n;
        const char  *json[3];
        const char  *expected;
    } cases[] = {
        { 0, { NULL }, "" },
        { 1, { "{\"a\":1}" }, "{\"a\":1," QUERY },
        { 1, { "{}" }, "{" QUERY },
        { 2, { "{\"a\":1}", "{\"a\":2}" },
          "{\"a\":1," QUERY ",{\"a\":2," QUERY },

        /* what is no object is left out, wherever it stands */
        { 1, { "" }, "" },
        { 2, { "", "{\"a\":2}" }, "{\"a\":2," QUERY },
        { 2, { "{\"a\":1}", "" }, "{\"a\":1," QUERY },
        { 3, { "{\"a\":1}", "", "{\"a\":3}" },
          "{\"a\":1," QUERY ",{\"a\":3," QUERY }
    };

    (void) state;

    memset(&b, 0, sizeof(b));
    memset(&key, 0, sizeof(key));
    key.n = 1;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        res = rows(cases[i].json, cases[i].n);

        kr_buf_reset(&b);
        kr_buf_str(&b, "[");
        kr_subscribe_rows(&b, &key, res);

        assert_int_equal(b.failed, 0);
        assert_string_equal(b.data + 1, cases[i].expected);
        PQclear(res);
    }

    /* the key, which the query lacks */
    key.added = 1;
    res = rows(cases[3].json, 2);
    assert_true(PQsetvalue(res, 1, 0, NULL, -1));

    kr_buf_reset(&b);
    kr_subscribe_rows(&b, &key, res);
    assert_string_equal(b.data, "{\"a\":1,\"key\":\"1\"," QUERY
                        ",{\"a\":2,\"key\":null," QUERY);

    /* not the key of two columns */
    key.n = 2;
    kr_subscribe_rows(&b, &key, res);
    assert_int_equal(b.failed, 1);
    PQclear(res);

    kr_buf_free(&b);
}


/* The reply is whole, and the cursor gets the moment of its rows, once. */
static void
test_reply(void **state)
{
    size_t           i;
    PGresult        *row;
    kr_route_t       rt;
    kr_cursor_t      cu;
    kr_moment_t      moment;
    kr_template_t    tm;
    kr_subscribe_t   s;

    static const char *const  json[] = { "{\"a\":1}" };

    static const struct {
        uint64_t     lsn;
        uint64_t     before;         /* the cursor's, of a snapshot */
        uint64_t     after;
    } cases[] = {
        { 0x2100, 0, 0x2100 },

        /* a page with nothing but its header was not begun yet */
        { 0x2018, 0, 0x2000 },
        { 0x2028, 0, 0x2000 },

        { 0x2100, 0x1000, 0x1000 }
    };

    (void) state;

    row = rows(json, 1);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&rt, 0, sizeof(rt));
        memset(&cu, 0, sizeof(cu));
        memset(&s, 0, sizeof(s));
        memset(&tm, 0, sizeof(tm));
        rt.template = &tm;
        strcpy(rt.topic, "rt:1");

        assert_int_equal(kr_snapshot_parse("10:20:12", 8, &moment.snapshot),
                         KR_OK);
        moment.lsn = cases[i].lsn;
        cu.lsn = cases[i].before;
        cursor = &cu;

        s.sub.route = &rt;
        s.req = 7;
        s.rows = row;
        s.moment = &moment;

        kr_buf_reset(&sent);

        assert_int_equal(kr_subscribe_reply(&s), KR_OK);
        assert_string_equal(sent.data, "7:{\"received\":true,"
                            "\"route_topics\":[\"rt:1\"],\"rows\":["
                            "{\"a\":1," QUERY "]}");

        assert_int_equal(cu.lsn, cases[i].after);
        assert_int_equal(cu.snapshot.xmax, cases[i].before == 0 ? 20 : 0);

        kr_snapshot_free(&moment.snapshot);
        kr_snapshot_free(&cu.snapshot);
    }

    cursor = NULL;
    kr_buf_free(&sent);
    PQclear(row);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_reply)
    };

    return cmocka_run_group_tests_name("subscribe_reply", tests, NULL, NULL);
}
