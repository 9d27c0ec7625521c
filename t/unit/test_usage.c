/* sources: ngx_http_kairos_usage.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ngx_http_kairos_usage.h"


#define REACH   NGX_HTTP_KAIROS_USAGE_REACH
#define HOMES   16
#define CELLS   (HOMES + REACH)

#define KEYS    60
#define OWNERS  3


static ngx_http_kairos_cell_t   cells[CELLS];
static ngx_http_kairos_usage_t  usage = { cells, CELLS };


static int
start(void **state)
{
    (void) state;

    ngx_memzero(cells, sizeof(cells));

    return 0;
}


static ngx_uint_t
used(void)
{
    ngx_uint_t  i, n;

    for (i = 0, n = 0; i < CELLS; i++) {
        n += (cells[i].key != 0);
    }

    return n;
}


static void
test_counts_over_owners(void **state)
{
    uint32_t  a, b;

    (void) state;

    assert_int_equal(ngx_http_kairos_usage_count(&usage, 5), 0);

    a = ngx_http_kairos_usage_add(&usage, 5, 1);
    b = ngx_http_kairos_usage_add(&usage, 5, 2);

    assert_int_not_equal(a, 0);
    assert_int_not_equal(a, b);
    assert_int_equal(ngx_http_kairos_usage_add(&usage, 5, 1), a);
    assert_int_equal(ngx_http_kairos_usage_count(&usage, 5), 3);

    /* a key that begins its search at the same cell is another's */
    assert_int_equal(ngx_http_kairos_usage_count(&usage, 5 + HOMES), 0);

    ngx_http_kairos_usage_remove(&usage, a);
    assert_int_equal(ngx_http_kairos_usage_count(&usage, 5), 2);
    ngx_http_kairos_usage_remove(&usage, a);
    ngx_http_kairos_usage_remove(&usage, b);
    assert_int_equal(ngx_http_kairos_usage_count(&usage, 5), 0);
    assert_int_equal(used(), 0);
}


static void
test_a_stone_does_not_end_a_search(void **state)
{
    uint32_t  first, second;

    (void) state;

    first = ngx_http_kairos_usage_add(&usage, 3, 1);
    second = ngx_http_kairos_usage_add(&usage, HOMES + 3, 1);

    assert_int_equal(first, 4);
    assert_int_equal(second, 5);

    ngx_http_kairos_usage_remove(&usage, first);
    assert_int_equal(ngx_http_kairos_usage_count(&usage, HOMES + 3), 1);

    /* nor is it lost: the next one takes it */
    assert_int_equal(ngx_http_kairos_usage_add(&usage, 2 * HOMES + 3, 1),
                     first);

    ngx_http_kairos_usage_remove(&usage, second);
    ngx_http_kairos_usage_remove(&usage, first);
    assert_int_equal(used(), 0);
}


static void
test_no_room(void **state)
{
    uint32_t    last;
    ngx_uint_t  i, home;

    (void) state;

    /* all begin at the last home: the table's last cell stays unused */
    home = HOMES - 1;
    last = 0;

    for (i = 1; i <= REACH; i++) {
        last = ngx_http_kairos_usage_add(&usage, i * HOMES + home, 1);
        assert_int_not_equal(last, 0);
    }

    assert_int_equal(last, CELLS - 1);
    assert_int_equal(ngx_http_kairos_usage_add(&usage, home, 1), 0);
    assert_int_equal(ngx_http_kairos_usage_count(&usage, home), 0);
    assert_int_equal(ngx_http_kairos_usage_add(&usage, REACH * HOMES + home,
                                               1),
                     last);

    ngx_http_kairos_usage_forget(&usage, 1);
    assert_int_equal(used(), 0);
    assert_int_not_equal(ngx_http_kairos_usage_add(&usage, home, 1), 0);
}


/* a worker that was killed between the two stores of an add */
static void
test_a_key_alone_counts_nothing(void **state)
{
    (void) state;

    cells[7].key = 7;

    assert_int_equal(ngx_http_kairos_usage_count(&usage, 7), 0);
    assert_int_equal(ngx_http_kairos_usage_add(&usage, 7 + HOMES, 1), 8);
    ngx_http_kairos_usage_remove(&usage, 8);
    assert_int_equal(used(), 0);
}


/* against plain arrays: what is counted is right, whatever was before it */
static void
test_at_random(void **state)
{
    uint32_t    number[KEYS][OWNERS + 1];
    ngx_uint_t  i, k, o, n, round, model[KEYS][OWNERS + 1];

    (void) state;

    ngx_memzero(model, sizeof(model));
    srandom(7);

    for (round = 0; round < 50000; round++) {
        k = random() % KEYS;
        o = 1 + random() % OWNERS;

        if (random() % 500 == 0) {
            ngx_http_kairos_usage_forget(&usage, o);

            for (i = 0; i < KEYS; i++) {
                model[i][o] = 0;
            }

        } else if (model[k][o] != 0 && random() % 2) {
            ngx_http_kairos_usage_remove(&usage, number[k][o]);
            model[k][o]--;

        } else if (model[k][o] < 4) {
            number[k][o] = ngx_http_kairos_usage_add(&usage, k * 7 + 1, o);

            if (number[k][o] != 0) {
                model[k][o]++;
            }
        }

        for (n = 0, i = 1; i <= OWNERS; i++) {
            n += model[k][i];
        }

        assert_int_equal(ngx_http_kairos_usage_count(&usage, k * 7 + 1), n);
    }

    for (o = 1; o <= OWNERS; o++) {
        ngx_http_kairos_usage_forget(&usage, o);
    }

    for (i = 0; i < CELLS; i++) {
        assert_true(cells[i].value == 0);
    }

    assert_int_equal(used(), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_counts_over_owners, start),
        cmocka_unit_test_setup(test_a_stone_does_not_end_a_search, start),
        cmocka_unit_test_setup(test_no_room, start),
        cmocka_unit_test_setup(test_a_key_alone_counts_nothing, start),
        cmocka_unit_test_setup(test_at_random, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
