/* sources: kr_subscribe_reply.c kr_buf.c */
/* libs: -lpq */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_subscribe_private.h"


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
    size_t     i;
    kr_buf_t   b;
    PGresult  *res;

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

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        res = rows(cases[i].json, cases[i].n);

        kr_buf_reset(&b);
        kr_buf_str(&b, "[");
        kr_sub_rows(&b, res);

        assert_int_equal(b.failed, 0);
        assert_string_equal(b.data + 1, cases[i].expected);
        PQclear(res);
    }

    kr_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows)
    };

    return cmocka_run_group_tests_name("subscribe_reply", tests, NULL, NULL);
}
