/* sources: kr_alter.c kr_job.c kr_op.c kr_value.c */
/* sources: kr_value_number.c */
/* sources: kr_value_order.c kr_buf.c */
/* libs: -lcrypto -levent_core -lpq */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kr_alter.h"
#include "kr_log.h"


/* what the judgement does not need */

void
kr_log(kr_log_level_e level, const char *fmt, ...)
{
    (void) level;
    (void) fmt;
}


void
kr_pool_run(kr_pool_t *pool, kr_job_t *job)
{
    (void) pool;
    (void) job;
}


void
kr_pool_cancel(kr_pool_t *pool, kr_job_t *job)
{
    (void) pool;
    (void) job;
}


kr_watched_table_t *
kr_watched_table_find(kr_registry_t *reg, const kr_relation_t *table)
{
    (void) reg;
    (void) table;

    return NULL;
}


int
kr_changes_reset_table(kr_changes_t *cs, const kr_relation_t *table,
    const char *reason)
{
    (void) cs;
    (void) table;
    (void) reason;

    return KR_OK;
}


static void
test_alter_judge(void **state)
{
    size_t       i;
    const char  *reason;

    static const struct {
        const char  *before;
        const char  *now;
        const char  *reason;      /* how it begins; NULL: there is none */
    } cases[] = {
        { "t 1\nc 1 23 id\n", "t 1\nc 1 23 id\n", NULL },
        { "t 1\nc 1 23 id\n", NULL, "the table was dropped or renamed" },
        { "", NULL, "the table was dropped or renamed" },
        { "t 1\nc 1 23 id\n", "t 2\nc 1 23 id\n",
          "the table was dropped and made anew" },
        { "t 1\nc 1 23 id\n", "t 1\nc 1 23 id\nc 2 25 x\n", NULL },
        { "t 1\nc 1 23 id\nc 2 25 x\n", "t 1\nc 1 23 id\n",
          "the table was altered" },
        { "t 1\nc 1 23 id\n", "t 1\nc 1 25 id\n",
          "the table was altered" },
        { "t 1\nc 1 23 id\n", "t 1\nc 1 23 ident\n",
          "the table was altered" },
        { "t 1\nw 5 2 70\n", "t 1\nw 6 2 70\n", NULL },
        { "t 1\nw 5 2 70\n", "t 1\nw 5 2 71\n", NULL },
        { "t 1\nw 5 2 70\n", "t 1\nw 6 3 170\n", NULL },
        { "t 1\nw 5 2 70\nk 1\n", "t 1\nw 6 2 71\nk 1\n",
          "the table was altered" },
        { "t 1\nk 1\n", "t 1\nk 1\nk 1 2\n", NULL },
        { "t 1\nk 1\nk 1 2\n", "t 1\nk 1 2\n",
          "a key of the table was dropped" },
        { "t 1\np 5\n", "t 1\np 5\np 6\n", NULL },
        { "t 1\np 5\n", "t 1\np 5\np 6 attached\n",
          "a partition was attached" },
        { "t 1\np 5 attached\n", "t 1\np 5 attached\np 7\n", NULL },
        { "t 1\np 5\np 6\n", "t 1\np 6\n", "a partition was detached" },
        { "t 1\np 55\n", "t 1\np 5\n", "a partition was detached" },
        { "t 1\nc 1 23 \"a\nb\"\n", "t 1\nc 1 23 \"a\nb\"\nc 2 23 x\n",
          NULL },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reason = kr_alter_judge(cases[i].before, cases[i].now);

        if (cases[i].reason == NULL) {
            assert_null(reason);
            continue;
        }

        assert_non_null(reason);
        assert_int_equal(strncmp(reason, cases[i].reason,
                                 strlen(cases[i].reason)), 0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_alter_judge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
