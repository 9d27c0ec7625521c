/* sources: kr_mark.c kr_log.c */
/* libs: -levent_core */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kr_log.h"
#include "kr_mark.h"


#define END  1000    /* of the WAL */


static const kr_origin_t  origin = { 1234567890123456789ULL, 7, "kairos" };


static int
setup(void **state)
{
    int   fd;
    char  path[] = "/tmp/kairos-mark.XXXXXX";

    kr_log_set_level(KR_LOG_ALERT);

    fd = mkstemp(path);
    assert_int_not_equal(fd, -1);
    close(fd);

    *state = strdup(path);

    return 0;
}


static int
teardown(void **state)
{
    unlink(*state);
    free(*state);

    return 0;
}


/* Begins a stream, confirms 500, and closes the mark: its epoch. */
static uint64_t
leave(const char *path)
{
    uint64_t   epoch;
    kr_mark_t  m;

    kr_mark_open(&m, path);
    epoch = kr_mark_begin(&m, &origin, 100, END, 0);
    kr_mark_confirm(&m, 500);
    kr_mark_confirm(&m, 400);
    kr_mark_close(&m);

    assert_int_not_equal(epoch, 0);

    return epoch;
}


static void
test_same(void **state)
{
    uint64_t   epoch;
    kr_mark_t  m;

    epoch = leave(*state);

    /* PostgreSQL may have forgotten the last of what it was told */
    kr_mark_open(&m, *state);
    assert_int_equal(m.confirmed, 500);
    assert_true(kr_mark_begin(&m, &origin, 500, END, 0) == epoch);
    assert_true(kr_mark_begin(&m, &origin, 100, END, 0) == epoch);
    assert_int_equal(m.confirmed, 500);
    kr_mark_close(&m);
}


static void
test_another(void **state)
{
    size_t       i;
    uint64_t     epoch;
    kr_mark_t    m;
    kr_origin_t  o;

    static const struct {
        uint64_t     system;
        uint32_t     timeline;
        const char  *slot;
        uint64_t     lsn;
        uint64_t     end;
        int          created;
    } cases[] = {
        { 1234567890123456789ULL, 7, "kairos", 501, END, 0 },   /* ahead */
        { 1234567890123456789ULL, 7, "kairos", 100, 499, 0 },   /* set back */
        { 1234567890123456789ULL, 7, "kairos", 500, END, 1 },
        { 1234567890123456789ULL, 8, "kairos", 500, END, 0 },
        { 1234567890123456788ULL, 7, "kairos", 500, END, 0 },
        { 1234567890123456789ULL, 7, "kairo", 500, END, 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(truncate(*state, 0), 0);
        epoch = leave(*state);

        memset(&o, 0, sizeof(o));
        o.system = cases[i].system;
        o.timeline = cases[i].timeline;
        snprintf(o.slot, sizeof(o.slot), "%s", cases[i].slot);

        kr_mark_open(&m, *state);
        assert_true(kr_mark_begin(&m, &o, cases[i].lsn, cases[i].end,
                                  cases[i].created) != epoch);

        /* and this one lasts */
        epoch = m.epoch;
        kr_mark_close(&m);
        kr_mark_open(&m, *state);
        assert_true(kr_mark_begin(&m, &o, cases[i].lsn, cases[i].end, 0)
                    == epoch);
        kr_mark_close(&m);
    }
}


/* a file that is not ours, or torn, is as good as none */
static void
test_damaged(void **state)
{
    long       len, whole;
    FILE      *f;
    uint64_t   epoch;
    kr_mark_t  m;

    leave(*state);

    f = fopen(*state, "r");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    whole = ftell(f);
    fclose(f);
    assert_true(whole > 0);
    assert_int_equal(truncate(*state, 0), 0);

    for (len = 0; len < whole; len++) {
        epoch = leave(*state);
        assert_int_equal(truncate(*state, len), 0);

        kr_mark_open(&m, *state);
        assert_int_equal(m.epoch, 0);
        assert_true(kr_mark_begin(&m, &origin, 500, END, 0) != epoch);
        kr_mark_close(&m);

        assert_int_equal(truncate(*state, 0), 0);
    }

    f = fopen(*state, "w");
    assert_non_null(f);
    fputs("root:x:0:0:root:/root:/bin/bash\n", f);
    fclose(f);

    kr_mark_open(&m, *state);
    assert_int_equal(m.epoch, 0);
    kr_mark_close(&m);
}


/* without the file the epoch holds as long as the process */
static void
test_no_file(void **state)
{
    uint64_t   epoch;
    kr_mark_t  m;

    (void) state;

    kr_mark_open(&m, "/nonexistent/mark");
    epoch = kr_mark_begin(&m, &origin, 100, END, 0);
    kr_mark_confirm(&m, 500);
    assert_true(kr_mark_begin(&m, &origin, 500, END, 0) == epoch);
    kr_mark_close(&m);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test(test_no_file)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
