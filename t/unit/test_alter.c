/* sources: kr_table_shape.c kr_buf.c */
/* libs: -lcrypto */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kr_table_shape.h"


static void
test_shape_judge(void **state)
{
    size_t       i;
    const char  *reason;

    static const struct {
        const char  *before;
        const char  *now;
        const char  *reason;      /* how it begins; NULL: there is none */
    } cases[] = {
        { "t 1 r\nc 1 23 id\n", "t 1 r\nc 1 23 id\n", NULL },
        { "t 1 r\nc 1 23 id\n", NULL, "the table was dropped or renamed" },
        { "", NULL, "the table was dropped or renamed" },
        { "t 1 r\nc 1 23 id\n", "t 2 r\nc 1 23 id\n",
          "the table was dropped and made anew" },

        /* a rename back, another owner, rights, row security */
        { "t 1 r\nn 8\n", "t 1 r\nn 9\n", "the table was renamed" },
        { "t 1 r\na tt\n", "t 1 r\na tf\n", "the replicator's rights" },
        { "r f\n", "r t\n", "the table's row security" },
        { "r t\nq *t 5 p\n", "r t\nq *t 6 p\n", "the table's row security" },
        { "r t\n", "r t\nq *t 6 p\n", "the table's row security" },
        { "r t\nq *t 6 p\n", "r t\n", "the table's row security" },

        /* columns */
        { "t 1 r\nc 1 23 id\n", "t 1 r\nc 1 23 id\nc 2 25 x\n", NULL },
        { "t 1 r\nc 1 23 id\nc 2 25 x\n", "t 1 r\nc 1 23 id\n",
          "the table was altered" },
        { "t 1 r\nc 1 23 id\n", "t 1 r\nc 1 25 id\n",
          "the table was altered" },
        { "t 1 r\nc 1 23 id\n", "t 1 r\nc 1 23 ident\n",
          "the table was altered" },
        { "t 1 r\nc 1 23 -1 0 v77  id\n", "t 1 r\nc 1 23 -1 0 v78  id\n",
          "the table was altered" },
        { "t 1 r\nc 1 23 \"a\nb\"\n", "t 1 r\nc 1 23 \"a\nb\"\nc 2 23 x\n",
          NULL },

        /* files: another one, and a column that was there and was written */
        { "w 1 5 1:70\n", "w 1 6 1:70\n", NULL },
        { "w 1 5 1:70\n", "w 1 5 1:71\n", NULL },
        { "w 1 5 1:70\n", "w 1 6 1:70 2:71\n", NULL },
        { "w 1 5 1:70 2:70\n", "w 1 6 2:70 3:71\n", NULL },
        { "w 1 5 1:70\nk 1\n", "w 1 6 1:71\nk 1\n", "the table was altered" },
        { "w 1 5 1:70 2:70\n", "w 1 6 1:70 2:71 3:71\n",
          "the table was altered" },
        { "w 1 5 1:70 2:70 3:70\n", "w 1 6 1:70 3:71\n",
          "the table was altered" },
        { "w 1 0 1:70\nw 2 5 1:70\nw 3 6 1:70\n",
          "w 1 0 1:71\nw 2 7 1:70\nw 3 8 1:71\n", "the table was altered" },
        { "w 1 0 1:70\nw 2 5 1:70\n", "w 1 0 1:71\nw 2 5 1:71\n", NULL },

        /* keys */
        { "k 1\n", "k 1\nk 1 2\n", NULL },
        { "k 1\nk 1 2\n", "k 1 2\n", "a key of the table was dropped" },

        /* types */
        { "y 9 e 0 mood\ne 9 a\ne 9 b\n", "y 9 e 0 mood\ne 9 a\ne 9 z\n",
          "a type of the table" },
        { "y 9 e 0 mood\ne 9 a\ne 9 b\n",
          "y 9 e 0 mood\ne 9 a\ne 9 ab\ne 9 b\n", NULL },
        { "y 9 e 0 mood\n", "y 9 e 0 temper\n", "a type of the table" },
        { "f 9 1 23 x\nf 9 2 23 y\n", "f 9 1 23 x\nf 9 2 23 z\n",
          "a type of the table" },
        { "f 9 1 23 x\nf 9 2 23 y\n", "f 9 1 23 x\n", "a type of the table" },
        { "f 9 1 23 x\n", "f 9 1 23 x\nf 9 2 23 y\n", "a type of the table" },
        { "c 1 23 id\n", "c 1 23 id\nc 2 9 m\ny 9 e 0 mood\ne 9 a\n", NULL },

        /* persistence, replica identity */
        { "i p f\n", "i u f\n", "the table was altered" },
        { "i p f\n", "i p n\n", "the table was altered" },
        { "i p d[0:0]={1}\n", "i p d\n", "the table was altered" },

        /* partitions */
        { "t 1 p\np 5 r p f 9\n", "t 1 p\np 5 r p f 9\np 6 r p f 10\n",
          NULL },
        { "t 1 p\np 5 r p f 9\n", "t 1 p\np 5 r p f 9\np 6 p p d 10\n",
          NULL },
        { "t 1 p\np 5 r p d{1} 9\n", "t 1 p\np 5 r p d{1} 9\np 6 r p d{2} 1\n",
          NULL },
        { "t 1 p\np 5 r p f 9\n", "t 1 p\np 5 r p f 9\np 6 r p d{2} 10\n",
          "a partition was added" },
        { "t 1 p\np 5 r p d{1} 9\n", "t 1 p\np 5 r p d{1} 9\np 6 r p d 10\n",
          "a partition was added" },
        { "t 1 p\np 5 r p f 9\n", "t 1 p\np 5 r p f 9\np 6 r u f 10\n",
          "a partition was added" },
        { "t 1 p\np 5 r p f 9\n", "t 1 p\np 5 r p f 9\np 6 f p f 10\n",
          "a partition was added" },
        { "t 1 p\np 5 r p f 9\n",
          "t 1 p\np 5 r p f 9\np 6 r p f 10 attached\n",
          "a partition was attached" },
        { "t 1 p\np 5 r p f 9\n", "t 1 p\np 5 r p f 9 attached\n",
          "a partition was attached" },
        { "t 1 p\np 5 r p f 9 attached\n",
          "t 1 p\np 5 r p f 9 attached\np 7 r p f 9\n", NULL },
        { "t 1 p\np 5 r p f 9\np 6 r p f 9\n", "t 1 p\np 6 r p f 9\n",
          "a partition was detached" },
        { "t 1 p\np 55 r p f 9\n", "t 1 p\np 5 r p f 9\n",
          "a partition was detached" },
        { "t 1 p\np 5 r p f 9\n", "t 1 p\np 5 r p n 9\n",
          "a partition was altered" },
        { "t 1 p\np 5 r p f 9\n", "t 1 p\np 5 r u f 9\n",
          "a partition was altered" },
        { "t 1 p\np 5 r p f 9\n", "t 1 p\np 5 r p f 12\n",
          "a partition was altered or renamed" },
        { "t 1 r\n", "t 1 r\np 5 r p f 9\n", "another table inherits" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reason = kr_table_shape_judge(cases[i].before, cases[i].now);

        if (cases[i].reason == NULL) {
            if (reason != NULL) {
                fail_msg("%zu: %s", i, reason);
            }

            continue;
        }

        if (reason == NULL) {
            fail_msg("%zu: no reason", i);
        }

        assert_int_equal(strncmp(reason, cases[i].reason,
                                 strlen(cases[i].reason)), 0);
    }
}


/* Whether the marks of two shapes differ. */
static int
differ(const char *one, const char *two)
{
    int       rc;
    kr_buf_t  a, b;

    memset(&a, 0, sizeof(kr_buf_t));
    memset(&b, 0, sizeof(kr_buf_t));

    kr_table_shape_mark(&a, one);
    kr_table_shape_mark(&b, two);

    assert_int_equal(a.len, KR_TABLE_SHAPE_MARK);
    assert_int_equal(b.len, KR_TABLE_SHAPE_MARK);

    rc = kr_table_shape_differs(a.data, b.data);

    kr_buf_free(&a);
    kr_buf_free(&b);

    return rc;
}


static void
test_shape_mark(void **state)
{
    static const char  shape[] = "t 1 r\nc 1 23 id\nw 1 5 1:70\nk 1\ni p f\n";

    (void) state;

    assert_false(differ("", ""));
    assert_false(differ(shape, shape));

    /* VACUUM FULL; a column's statistics; both are a rewrite */
    assert_false(differ(shape,
                        "t 1 r\nc 1 23 id\nw 1 6 1:70\nk 1\ni p f\n"));
    assert_false(differ(shape,
                        "t 1 r\nc 1 23 id\nw 1 5 1:71\nk 1\ni p f\n"));
    assert_true(differ(shape,
                       "t 1 r\nc 1 23 id\nw 1 6 1:71\nk 1\ni p f\n"));

    assert_true(differ(shape,
                       "t 2 r\nc 1 23 id\nw 1 5 1:70\nk 1\ni p f\n"));
    assert_true(differ(shape,
                       "t 1 r\nc 1 23 id\nw 1 5 1:70\nk 1\ni p n\n"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_shape_judge),
        cmocka_unit_test(test_shape_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
