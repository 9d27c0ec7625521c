/* sources: ngx_http_kairos_buf.c */

/*
 * The buffer is driven as the feed and the sockets do: bytes with a known
 * sequence go in at last and must come out at pos.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_buf.h"


static ngx_uint_t  allocations;
static ngx_uint_t  fail;


/* nginx's own, which the buffer is linked with here */
void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    allocations++;

    return fail ? NULL : malloc(size);
}


static void
test_buf_keeps_order(void **state)
{
    size_t                 n;
    u_char                 in, out;
    ngx_uint_t             i, k;
    ngx_http_kairos_buf_t  b;

    memset(&b, 0, sizeof(ngx_http_kairos_buf_t));

    in = 0;
    out = 0;
    srand(1);
    allocations = 0;

    for (i = 0; i < 20000; i++) {
        n = rand() % 3000;

        assert_int_equal(ngx_http_kairos_buf_reserve(&b, n, 1 << 20, NULL),
                         NGX_OK);
        assert_true(b.end - b.last >= (ptrdiff_t) n);

        for (k = 0; k < n; k++) {
            *b.last++ = in++;
        }

        n = ngx_http_kairos_buf_used(&b);
        n = (n > 100000) ? n : rand() % (n + 1);

        for (k = 0; k < n; k++) {
            assert_int_equal(*b.pos++, out++);
        }

        ngx_http_kairos_buf_release(&b, 1 << 20);
    }

    /* it grows to what is under way, not with what went through */

    assert_true(allocations < 20);

    free(b.start);
}


static void
test_buf_ends_at_max(void **state)
{
    ngx_http_kairos_buf_t  b;

    memset(&b, 0, sizeof(ngx_http_kairos_buf_t));

    assert_int_equal(ngx_http_kairos_buf_reserve(&b, 100001, 100000, NULL),
                     NGX_ERROR);
    assert_null(b.start);

    assert_int_equal(ngx_http_kairos_buf_reserve(&b, 60000, 100000, NULL),
                     NGX_OK);
    b.last += 60000;
    b.last[-1] = 'x';

    while (b.last != b.end) {
        *b.last++ = 'y';
    }

    assert_int_equal(ngx_http_kairos_buf_reserve(&b, 60000, 100000, NULL),
                     NGX_ERROR);
    assert_int_equal(b.pos[59999], 'x');

    free(b.start);
}


static void
test_buf_survives_no_memory(void **state)
{
    ngx_http_kairos_buf_t  b;

    memset(&b, 0, sizeof(ngx_http_kairos_buf_t));

    assert_int_equal(ngx_http_kairos_buf_reserve(&b, 1, 1 << 20, NULL),
                     NGX_OK);
    *b.last++ = 'x';

    fail = 1;
    assert_int_equal(ngx_http_kairos_buf_reserve(&b, 1 << 19, 1 << 20, NULL),
                     NGX_ERROR);
    fail = 0;

    assert_int_equal(ngx_http_kairos_buf_used(&b), 1);
    assert_int_equal(*b.pos, 'x');

    free(b.start);
}


static void
test_buf_gives_a_large_block_back(void **state)
{
    ngx_http_kairos_buf_t  b;

    memset(&b, 0, sizeof(ngx_http_kairos_buf_t));

    assert_int_equal(ngx_http_kairos_buf_reserve(&b, 100000, 1 << 20, NULL),
                     NGX_OK);
    b.last += 100000;

    ngx_http_kairos_buf_release(&b, 0);
    assert_int_equal(ngx_http_kairos_buf_used(&b), 100000);

    b.pos = b.last;
    ngx_http_kairos_buf_release(&b, 1 << 20);
    assert_non_null(b.start);
    assert_ptr_equal(b.pos, b.start);
    assert_ptr_equal(b.last, b.start);

    ngx_http_kairos_buf_release(&b, 50000);
    assert_null(b.start);
    assert_null(b.end);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_buf_keeps_order),
        cmocka_unit_test(test_buf_ends_at_max),
        cmocka_unit_test(test_buf_survives_no_memory),
        cmocka_unit_test(test_buf_gives_a_large_block_back)
    };

    return cmocka_run_group_tests_name("feed_buf", tests, NULL, NULL);
}
