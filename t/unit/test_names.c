/* sources: kr_registry_names.c kr_buf.c kr_op.c */
/* sources: kr_value.c kr_value_order.c */
/* sources: kr_value_number.c */
/* libs: -lcrypto */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_registry.h"


static void
test_names(void **state)
{
    kr_buf_t          out;
    kr_relation_t     leaves[2];
    kr_route_table_t  w[2];

    (void) state;

    memset(&out, 0, sizeof(kr_buf_t));
    memset(w, 0, sizeof(w));

    assert_int_equal(kr_route_tables_names(&out, w, 0), KR_OK);
    assert_string_equal(out.data, "{}");
    kr_buf_reset(&out);

    w[0].table = (kr_relation_t) { kr_str("public"), kr_str("posts") };
    w[1].table = (kr_relation_t) { kr_str("a \"b\""), kr_str("c,\\") };
    leaves[0] = (kr_relation_t) { kr_str("public"), kr_str("p1") };
    leaves[1] = (kr_relation_t) { kr_str("public"), kr_str("P2") };
    w[0].leaves = leaves;
    w[0].nleaves = 2;

    assert_int_equal(kr_route_tables_names(&out, w, 2), KR_OK);
    assert_string_equal(out.data,
                        "{\"\\\"public\\\".\\\"posts\\\"\","
                        "\"\\\"public\\\".\\\"p1\\\"\","
                        "\"\\\"public\\\".\\\"P2\\\"\","
                        "\"\\\"a \\\"\\\"b\\\"\\\"\\\".\\\"c,\\\\\\\"\"}");
    kr_buf_free(&out);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
