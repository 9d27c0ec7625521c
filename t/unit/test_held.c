/* sources: kr_held.c kr_row.c kr_json.c kr_value.c kr_value_order.c */
/* sources: kr_value_number.c */
/* sources: kr_buf.c */
/* libs: -lpq */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kr_held.h"


static kr_held_rows_t   keys;
static kr_route_t  route;


static int
setup(void **state)
{
    memset(&keys, 0, sizeof(kr_held_rows_t));
    memset(&route, 0, sizeof(kr_route_t));

    return 0;
}


static int
teardown(void **state)
{
    kr_held_clear(&keys, &route);
    assert_int_equal(keys.bytes, 0);

    return 0;
}


static const kr_row_key_t *
key_of(const char *text, size_t len)
{
    static kr_row_key_t  key;

    key.texts.data = text;
    key.texts.len = len + 1;
    key.bytes.data = text;
    key.bytes.len = len;

    return &key;
}


static void
add(const char *key, uint64_t lsn)
{
    kr_held_add(&keys, &route, key_of(key, strlen(key)), lsn);
}


static void
test_keys_events(void **state)
{
    assert_false(kr_held_has(&route, key_of("a", 1)));

    add("a", 0);
    add("b", 0);
    assert_true(kr_held_has(&route, key_of("a", 1)));

    kr_held_remove(&keys, &route, key_of("a", 1), 10);
    assert_false(kr_held_has(&route, key_of("a", 1)));
    assert_true(kr_held_has(&route, key_of("b", 1)));
}


/*
 * The delete is read late, the row was back when the snapshot was taken: the
 * one who has it must be told of its next delete.
 */
static void
test_keys_snapshot_after_delete(void **state)
{
    add("a", 0);
    add("a", 20);

    kr_held_remove(&keys, &route, key_of("a", 1), 10);
    assert_true(kr_held_has(&route, key_of("a", 1)));

    kr_held_remove(&keys, &route, key_of("a", 1), 20);
    assert_true(kr_held_has(&route, key_of("a", 1)));

    kr_held_remove(&keys, &route, key_of("a", 1), 21);
    assert_false(kr_held_has(&route, key_of("a", 1)));
}


/* Beyond the bound nothing is known, and nothing is kept. */
static void
test_keys_bound(void **state)
{
    int   i;
    char  text[16];

    for (i = 0; i <= KR_HELD_ROUTE_MAX; i++) {
        memset(text, 0, sizeof(text));
        memcpy(text, &i, sizeof(i));
        kr_held_add(&keys, &route, key_of(text, sizeof(text) - 1), 0);
    }

    assert_true(route.held.lost);
    assert_null(route.held.rows);
    assert_true(kr_held_has(&route, key_of("never added", 11)));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_keys_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_snapshot_after_delete,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_bound, setup, teardown),
    };

    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
