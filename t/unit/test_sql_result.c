/* sources: kr_sql.c kr_sql_collect.c kr_sql_resolve.c kr_sql_template.c */
/* sources: kr_sql_output.c kr_sql_probe.c kr_sql_rerun.c kr_sql_frame.c */
/* sources: kr_sql_tree.c kr_op.c kr_value.c kr_buf.c */
/* sources: kr_value_number.c */
/* sources: kr_sql_name.c */
/* libs: -lpg_query */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql_help.h"
#include "sql_plain.h"


#define RESULT  GROUPS "SELECT * FROM ("
#define PREDICATE  ") w WHERE w.userid = ANY($1::int[])"


/* The predicate is on the result, or the key is, or both. */
static void
test_result(void **state)
{
    size_t            i;
    kr_buf_t          reason, out;
    kr_sql_t         *sql;
    kr_sql_target_t   t;

    /* a table with a dash: its window is kept; none: of the result */
    static const struct {
        const char  *table;
        const char  *query;
        const char  *rerun;
    } cases[] = {
        { "", "select id, userid from a union select * from b order by 1"
          " limit 2",
          RESULT "SELECT id, userid FROM a UNION SELECT * FROM b" PREDICATE
          ") q" },

        { "-", "select id, userid from a union all (select * from b order by x"
          " limit 1) order by userid desc nulls last, 1 limit 5 offset 2",
          RESULT "SELECT id, userid FROM a UNION ALL (SELECT * FROM b ORDER BY"
          " x LIMIT 1)" PREDICATE " ORDER BY userid DESC NULLS LAST, 1 LIMIT 5"
          " OFFSET 2) q" },

        { "-", "with c as (select 1 as n from b) select * from a except"
          " (select * from b intersect all select * from c)"
          " limit (select n from c)",
          GROUPS "WITH c AS (SELECT 1 AS n FROM b) SELECT * FROM (SELECT *"
          " FROM a EXCEPT (SELECT * FROM b INTERSECT ALL SELECT * FROM c)"
          PREDICATE " LIMIT (SELECT n FROM c)) q" },

        { "", "with recursive c as (select * from a union all select b.* from"
          " b, c where c.id = b.up) select * from c union values (1, 2)",
          RESULT "WITH RECURSIVE c AS (SELECT * FROM a UNION ALL SELECT b.*"
          " FROM b, c WHERE c.id = b.up) SELECT * FROM c UNION VALUES (1, 2)"
          PREDICATE ") q" },

        { "-", "select * from a union select * from b order by 1 fetch first"
          " 3 rows with ties",
          RESULT "SELECT * FROM a UNION SELECT * FROM b" PREDICATE
          " ORDER BY 1 FETCH FIRST 3 ROWS WITH TIES) q" },

        { "-", "select s.userid, count(*) as id from (select * from a) s"
          " group by 1 order by max(x)",
          RESULT "SELECT s.userid, count(*) AS id FROM (SELECT * FROM a) s"
          " GROUP BY 1 ORDER BY max(x)" PREDICATE ") q" },

        { "", "select 1 as id, (select count(*) from a) as userid",
          RESULT "SELECT 1 AS id, (SELECT count(*) FROM a) AS userid"
          PREDICATE ") q" },

        { "-c", "with c as (select * from a) select id, x from c order by y"
          " limit 3",
          GROUPS "WITH c AS (SELECT * FROM a) SELECT id, x FROM c WHERE"
          " c.userid = ANY($1::int[]) ORDER BY y LIMIT 3) q" },

        { "s", "select * from (select * from a union table b) s where x or y"
          " order by z",
          GROUPS "SELECT * FROM (SELECT * FROM a UNION SELECT * FROM b) s"
          " WHERE (x OR y) AND s.userid = ANY($1::int[])) q" },

        { "j", "select * from (a join b using (id)) j",
          GROUPS "SELECT * FROM (a JOIN b USING (id) ) j WHERE j.userid ="
          " ANY($1::int[])) q" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&out, 0, sizeof(out));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql = parse(cases[i].query);
        assert_int_equal(kr_sql_mode(sql), KR_SQL_RERUN);

        target(&t, cases[i].table);
        t.window = (*cases[i].table == '-');
        t.table.data += t.window;
        t.table.len -= t.window;
        t.of_result = (t.table.len == 0);
        t.key_of_result = 1;

        kr_buf_reset(&out);

        if (kr_sql_rerun(sql, &t, &out, &reason) != KR_OK) {
            fail_msg("%s: %s", cases[i].query, reason.data);
        }

        plain(&out);
        assert_string_equal(out.data, cases[i].rerun);
        kr_sql_free(sql);
    }

    /* a LIMIT that would come before the filter */
    sql = parse("select x + 1 as userid from (select * from a) s limit 1");
    target(&t, "");
    t.of_result = 1;
    t.key_of_result = 1;
    assert_int_equal(kr_sql_rerun(sql, &t, &out, &reason), KR_DECLINED);
    assert_non_null(strstr(reason.data, "LIMIT"));
    kr_sql_free(sql);

    kr_buf_free(&out);
    kr_buf_free(&reason);
}


/* What may be named in the query's own FROM, and what its columns are. */
static void
test_probes(void **state)
{
    size_t            i, k, n;
    kr_buf_t          out;
    kr_sql_t         *sql;
    const kr_str_t   *items;

    static const struct {
        const char  *query;
        const char  *items;
        const char  *probe;
    } cases[] = {
        { "select a from posts where b", "", NULL },
        { "select a from posts p join users u using (x) as j", "", NULL },
        { "select a from (select * from posts) \"S\" where b order by c"
          " limit 5", "S",
          "SELECT NULL AS \"kairos item\", \"S\".* FROM (SELECT * FROM posts)"
          " \"S\" LIMIT 0" },
        { "with c as (select * from posts), d as (select 1) select count(*)"
          " from c join d x on true, lateral (select c.id) y, posts"
          " group by z having w", "y c x",
          NULL },
        { "select * from (posts join users using (id)) j", "j",
          "SELECT NULL AS \"kairos item\", j.* FROM (posts JOIN users USING"
          " (id) ) j LIMIT 0" },
        { "select * from posts, (values (1)) v (x)", "v",
          "SELECT NULL AS \"kairos item\", v.* FROM posts, (VALUES (1)) v(x)"
          " LIMIT 0" }
    };

    (void) state;

    memset(&out, 0, sizeof(out));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql = parse(cases[i].query);
        items = kr_sql_items(sql, &n);
        assert_false(kr_sql_is_closed(sql));

        kr_buf_reset(&out);
        kr_buf_str(&out, "");

        for (k = 0; k < n; k++) {
            kr_buf_str(&out, k == 0 ? "" : " ");
            kr_buf_append(&out, items[k].data, items[k].len);
        }

        assert_string_equal(out.data == NULL ? "" : out.data, cases[i].items);

        if (cases[i].probe != NULL) {
            kr_buf_reset(&out);
            assert_int_equal(kr_sql_probe_items(sql, &out), KR_OK);
            plain(&out);
            assert_string_equal(out.data, cases[i].probe);
        }

        kr_sql_free(sql);
    }

    sql = parse("select a from b union select c from d order by 1");
    assert_true(kr_sql_is_closed(sql));
    kr_buf_reset(&out);
    assert_int_equal(kr_sql_probe_result(sql, &out), KR_OK);
    plain(&out);
    assert_string_equal(out.data, "SELECT * FROM (SELECT a FROM b UNION SELECT"
                        " c FROM d ORDER BY 1) q LIMIT 0");
    kr_sql_free(sql);

    kr_buf_free(&out);
}


static void
test_outputs(void **state)
{
    int            rc;
    size_t         i;
    kr_buf_t       reason;
    kr_str_t       name;
    kr_sql_t      *sql;
    kr_sql_ref_t   ref;

    /* column: what it is called in the result, NULL of what is refused */
    static const struct {
        const char  *query;
        const char  *name;
        const char  *column;
    } cases[] = {
        { "select id from a union select x from b", "id", "id" },
        { "select id from a union select x from b", "whatever", "whatever" },
        { "select id from a union select x from b", "a.id", "id" },
        { "select id from a union select x from b", "b.x", "id" },
        { "select id from a union select x from b", "b.id", "id" },
        { "select id from a union select x from b", "a.x", NULL },
        { "select p.id as \"N\" from a p union select o.x from b o", "P.ID",
          "N" },
        { "select p.id as \"N\" from a p union select o.x from b o", "o.x",
          "N" },
        { "select p.id as \"N\" from a p union select o.x from b o", "b.x",
          NULL },
        { "select p.id as n, u.id from a p, u union select 1, 2", "p.id",
          "n" },
        { "select p.id as n, u.id from a p, u union select 1, 2", "u.id",
          "id" },
        { "select u.id from a p, u union select 1", "p.id", NULL },
        { "select id from a p, u union select 1", "p.id", "id" },
        { "select * from a p union select * from b", "p.Id", "Id" },
        { "select p.*, u.x from a p, u union select * from b", "p.id", "id" },
        { "select p.*, u.x as y from a p, u union select * from b", "u.x",
          "y" },
        { "select p.*, u.x as y from a p, u union select 1, o.z from b o",
          "o.z", NULL },
        { "select a, b from t union select *, o.z from b o", "o.z", NULL },
        { "select x from (select 1 from q) s union select 2", "s.x", "x" },
        { "select x from t intersect (select y from u except select z from v)",
          "v.z", "x" },
        { "values (1) union select id from a", "a.id", NULL },
        { "select count(*) + 1 from a union select id from b", "b.id", NULL },
        { "select lower(x) from a union select id from b", "b.id", "lower" },
        { "select p.id as rid, u.id from p, u", "p.id", "rid" },
        { "select u.id from p, u", "p.id", NULL },
        { "select upper(p.kind) as kind from p group by 1", "p.kind",
          "kind" },
        { "select * from p, u", "p.id", "id" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&ref, 0, sizeof(ref));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql = parse(cases[i].query);
        name = str(cases[i].name);
        kr_buf_reset(&reason);

        rc = kr_sql_resolve_result(sql, &name, &ref, &reason);

        if (rc != (cases[i].column == NULL ? KR_DECLINED : KR_OK)
            || (rc == KR_OK && strcmp(ref.column.data, cases[i].column) != 0)
            || (rc != KR_OK && !strstr(reason.data, "no column of")))
        {
            fail_msg("%s, %s: %d %s", cases[i].query, cases[i].name, rc,
                     rc == KR_OK ? ref.column.data : reason.data);
        }

        assert_int_equal(ref.result, 1);
        kr_sql_free(sql);
    }

    kr_buf_free(&ref.column);
    kr_buf_free(&reason);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_outputs)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
