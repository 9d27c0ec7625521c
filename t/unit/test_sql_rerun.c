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


/* Of each function that is called sum it is told that it is an aggregate. */
static void
tell_aggregates(kr_sql_t *sql)
{
    size_t                    i, n;
    const kr_sql_function_t  *f;

    f = kr_sql_functions(sql, &n);

    for (i = 0; i < n; i++) {
        if (f[i].name.len == 3 && memcmp(f[i].name.data, "sum", 3) == 0) {
            kr_sql_set_aggregate(sql, i);
        }
    }
}


static void
test_rerun(void **state)
{
    size_t            i;
    kr_buf_t          reason, out;
    kr_sql_t         *sql;
    kr_sql_target_t   t;

    /* rows with a dash are kept with their ORDER BY and LIMIT */
    static const struct {
        const char  *table;
        const char  *query;
        const char  *rerun;
    } cases[] = {
        { "p", "select p.*, u.name from posts p join users u on u.id ="
          " p.userid where a or b order by 1 desc limit 5",
          ROWS "SELECT p.*, u.name, p.id" KEY " FROM posts p JOIN users u ON"
          " u.id = p.userid WHERE (a OR b) AND p.userid = ANY($1::int[])) q" },

        { "-posts", "select * from posts natural join users order by 1 desc"
          " limit 5 offset 2",
          ROWS "SELECT *, posts.id" KEY " FROM posts NATURAL JOIN users WHERE"
          " posts.userid = ANY($1::int[]) ORDER BY 1 DESC LIMIT 5 OFFSET 2)"
          " q" },

        { "posts", "select from posts, users",
          ROWS "SELECT posts.id" KEY " FROM posts, users WHERE posts.userid"
          " = ANY($1::int[])) q" },

        { "posts", "select *, row_number() over (order by id) from posts"
          " where id in (select x from y)",
          ROWS "SELECT *, row_number() OVER (ORDER BY id), posts.id" KEY
          " FROM posts WHERE id IN (SELECT x FROM y) AND posts.userid ="
          " ANY($1::int[])) q" },

        { "posts", "with x as (select 1 as a) select a from x, posts",
          ROWS "WITH x AS (SELECT 1 AS a) SELECT a, posts.id" KEY " FROM x,"
          " posts WHERE posts.userid = ANY($1::int[])) q" },

        { "posts", "select userid as id, count(*) from posts where a or b"
          " group by userid having count(*) > 1 order by 2 desc limit 3",
          GROUPS "SELECT userid AS id, count(*) FROM posts WHERE (a OR b)"
          " AND posts.userid = ANY($1::int[]) GROUP BY userid"
          " HAVING count(*) > 1) q" },

        { "posts", "select distinct posts.id::int from posts order by 1",
          GROUPS "SELECT DISTINCT posts.id::int FROM posts WHERE"
          " posts.userid = ANY($1::int[])) q" },

        /* here the order says which row is meant */
        { "posts", "select distinct on (a) * from posts order by a, b"
          " fetch first 2 rows with ties",
          GROUPS "SELECT DISTINCT ON (a) * FROM posts WHERE posts.userid ="
          " ANY($1::int[]) ORDER BY a, b) q" },

        { "posts", "select count(*) from posts",
          ONE "SELECT count(*) FROM posts WHERE posts.userid ="
          " ANY($1::int[])) q" },

        { "posts", "select 1 as a from posts having true",
          ONE "SELECT 1 AS a FROM posts WHERE posts.userid = ANY($1::int[])"
          " HAVING true) q" },

        { "posts", "select sum(x) as id from posts",
          GROUPS "SELECT sum(x) AS id FROM posts WHERE posts.userid ="
          " ANY($1::int[])) q" },

        /* aggregates that do not make one row of the query's */
        { "posts", "select sum(x) over () from posts",
          ROWS "SELECT sum(x) OVER (), posts.id" KEY " FROM posts WHERE"
          " posts.userid = ANY($1::int[])) q" },

        { "posts", "select (select sum(x) from y) from posts",
          ROWS "SELECT (SELECT sum(x) FROM y), posts.id" KEY " FROM posts"
          " WHERE posts.userid = ANY($1::int[])) q" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&out, 0, sizeof(out));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql = parse(cases[i].query);
        tell_aggregates(sql);
        assert_int_equal(kr_sql_mode(sql), KR_SQL_RERUN);

        target(&t, cases[i].table + (*cases[i].table == '-'));
        t.window = (*cases[i].table == '-');
        t.key_of_result = (strncmp(cases[i].rerun, GROUPS, sizeof(GROUPS) - 1)
                           == 0);

        kr_buf_reset(&out);

        if (kr_sql_rerun(sql, &t, &out, &reason) != KR_OK) {
            fail_msg("%s: %s", cases[i].query, reason.data);
        }

        plain(&out);
        assert_string_equal(out.data, cases[i].rerun);
        assert_int_equal(kr_sql_refetch(sql, &t, &out), KR_DECLINED);

        kr_sql_free(sql);
    }

    kr_buf_free(&out);
    kr_buf_free(&reason);
}


static void
test_declined(void **state)
{
    size_t            i;
    kr_buf_t          reason, out;
    kr_sql_t         *sql;
    kr_sql_target_t   t;

    static const char  *cases[][2] = {
        { "select id, userid from posts union select 1, 2", "UNION" },
        { "select * from (select * from posts) s", "own FROM" },
        { "select * from users where id in (select userid from posts)",
          "own FROM" },
        { "with p as (select * from posts) select * from p", "own FROM" },
        { "select * from s.posts, posts", "own FROM" },
        { "select * from (posts join users using (a)) j", "own FROM" },
        { "select title from posts group by title", "no columns" },
        { "select distinct upper(id) from posts", "no columns" },
        { "select id as x, count(*) from posts group by id", "no columns" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&out, 0, sizeof(out));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql = parse(cases[i][0]);
        target(&t, "posts");
        kr_buf_reset(&reason);

        assert_int_equal(kr_sql_rerun(sql, &t, &out, &reason), KR_DECLINED);
        assert_int_equal(kr_sql_rerun(sql, &t, &out, NULL), KR_DECLINED);

        if (strstr(reason.data, cases[i][1]) == NULL) {
            fail_msg("%s: %s", cases[i][0], reason.data);
        }

        kr_sql_free(sql);
    }

    kr_buf_free(&out);
    kr_buf_free(&reason);
}


/* Each operator as SQL, by itself and in a refetch that must check it. */
static void
test_predicates(void **state)
{
    size_t            i;
    kr_buf_t          out, want;
    kr_sql_t         *sql;
    kr_sql_target_t   t;

    static const struct {
        kr_op_e      op;
        const char  *one;
        const char  *two;
    } cases[] = {
        { KR_EQ, "p.userid = ANY($1::bpchar[])",
          "p.userid = ANY($2::bpchar[])" },
        { KR_NE, "p.userid <> ALL($1::bpchar[])",
          "p.userid <> ALL($2::bpchar[])" },
        { KR_GT, "p.userid > $1::bpchar", "p.userid > $2::bpchar" },
        { KR_GTE, "p.userid >= $1::bpchar", "p.userid >= $2::bpchar" },
        { KR_LT, "p.userid < $1::bpchar", "p.userid < $2::bpchar" },
        { KR_LTE, "p.userid <= $1::bpchar", "p.userid <= $2::bpchar" },
        { KR_CONTAINS, "pg_catalog.strpos(p.userid::pg_catalog.text,"
          " $1::pg_catalog.text) > 0",
          "pg_catalog.strpos(p.userid::pg_catalog.text,"
          " $2::pg_catalog.text) > 0" },
        { KR_STARTS_WITH, "pg_catalog.starts_with(p.userid::pg_catalog.text,"
          " $1::pg_catalog.text)",
          "pg_catalog.starts_with(p.userid::pg_catalog.text,"
          " $2::pg_catalog.text)" },
        { KR_ENDS_WITH, "pg_catalog.\"right\"(p.userid::pg_catalog.text,"
          " pg_catalog.length($1::pg_catalog.text)) = $1::pg_catalog.text",
          "pg_catalog.\"right\"(p.userid::pg_catalog.text,"
          " pg_catalog.length($2::pg_catalog.text)) = $2::pg_catalog.text" }
    };

    (void) state;

    memset(&out, 0, sizeof(out));
    memset(&want, 0, sizeof(want));

    sql = parse("select a from posts p");
    assert_int_equal(kr_sql_mode(sql), KR_SQL_ROWWISE);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        target(&t, "p");
        t.field_type = str("bpchar");
        t.op = cases[i].op;
        t.check = 1;
        t.key_of_result = 1;

        kr_buf_reset(&out);
        kr_buf_reset(&want);
        assert_int_equal(kr_sql_rerun(sql, &t, &out, NULL), KR_OK);
        kr_buf_printf(&want, GROUPS "SELECT a FROM posts p WHERE %s) q",
                      cases[i].one);
        plain(&out);
        assert_string_equal(out.data, want.data);

        kr_buf_reset(&out);
        kr_buf_reset(&want);
        t.key_of_result = 0;
        assert_int_equal(kr_sql_refetch(sql, &t, &out), KR_OK);
        kr_buf_printf(&want, "SELECT p.id::pg_catalog.text, p.userid::"
                      "pg_catalog.text, (SELECT " JSON " FROM (SELECT a) q)"
                      " FROM posts p WHERE p.id = ANY($1::bigint[]) AND %s",
                      cases[i].two);
        plain(&out);
        assert_string_equal(out.data, want.data);
    }

    target(&t, "p");
    t.field_type = str("\"a\".\"Mood\"");
    t.cast = 1;
    kr_buf_reset(&out);
    assert_int_equal(kr_sql_rerun(sql, &t, &out, NULL), KR_OK);
    plain(&out);
    assert_non_null(strstr(out.data, "WHERE p.userid::a.\"Mood\" ="
                                     " ANY($1::a.\"Mood\"[])) q"));

    kr_sql_free(sql);
    kr_buf_free(&want);
    kr_buf_free(&out);
}


/* A key of several columns, under names that must be quoted. */
static void
test_keys(void **state)
{
    kr_buf_t          out;
    kr_sql_t         *sql;
    kr_sql_target_t   t;

    static const kr_str_t  pks[] = { kr_str("I d"), kr_str("N\xc3\xa9") };
    static const kr_str_t  types[] = { kr_str("bigint"), kr_str("uuid") };
    static const kr_str_t  bpchar = kr_str("bpchar");

#define COMPOSITE  "pg_catalog.json_build_array(\"P\".\"I d\"::"              \
                   "pg_catalog.text, \"P\".\"N\xc3\xa9\"::pg_catalog.text)"   \
                   "::pg_catalog.text"

    (void) state;

    memset(&out, 0, sizeof(out));

    sql = parse("select a from \"S x\".\"T\xc3\xa9\" as \"P\" where b");
    target(&t, "P");
    t.npk = 2;
    t.pks = pks;
    t.pk_types = types;

    assert_int_equal(kr_sql_refetch(sql, &t, &out), KR_OK);
    plain(&out);
    assert_string_equal(out.data, "SELECT " COMPOSITE
        ", \"P\".userid::pg_catalog.text, (SELECT " JSON " FROM (SELECT a)"
        " q) FROM \"S x\".\"T\xc3\xa9\" \"P\" WHERE b AND (\"P\".\"I d\","
        " \"P\".\"N\xc3\xa9\") IN (SELECT * FROM ROWS FROM"
        " (pg_catalog.unnest($1::bigint[]) , pg_catalog.unnest($2::uuid[]) )"
        " k)");

    kr_buf_reset(&out);
    t.check = 1;
    t.op = KR_GT;
    assert_int_equal(kr_sql_refetch(sql, &t, &out), KR_OK);
    plain(&out);
    assert_non_null(strstr(out.data, " k) AND \"P\".userid > $3::int"));

    kr_buf_reset(&out);
    kr_sql_set_rerun(sql);
    assert_int_equal(kr_sql_mode(sql), KR_SQL_RERUN);
    assert_int_equal(kr_sql_rerun(sql, &t, &out, NULL), KR_OK);
    plain(&out);
    assert_non_null(strstr(out.data, "(SELECT a, " COMPOSITE
                                     " AS \"kairos key\" FROM \"S x\""));
    kr_sql_free(sql);

    /* of another table than the one that is filtered by */
    kr_buf_reset(&out);
    sql = parse("select * from a, b");
    target(&t, "a");
    t.op = KR_LT;
    t.pk_table = str("b");
    assert_int_equal(kr_sql_rerun(sql, &t, &out, NULL), KR_OK);
    plain(&out);
    assert_non_null(strstr(out.data, "(SELECT *, b.id" KEY " FROM a, b"
                                     " WHERE a.userid < $1::int) q"));
    t.pk_table = str("c");
    assert_int_equal(kr_sql_rerun(sql, &t, &out, NULL), KR_DECLINED);

    /* char(n) with its blanks, as the WAL has it */
    kr_buf_reset(&out);
    t.pk_table = str("b");
    t.pk_types = &bpchar;
    assert_int_equal(kr_sql_rerun(sql, &t, &out, NULL), KR_OK);
    plain(&out);
    assert_non_null(strstr(out.data, "(SELECT *, pg_catalog.textin("
                                     "pg_catalog.bpcharout(b.id))"
                                     " AS \"kairos key\" FROM a, b"));
    kr_sql_free(sql);

    kr_buf_free(&out);
}


/* The tables of a query as "name", "+name" (top), "=alias" behind it. */
static void
test_tables(void **state)
{
    size_t                 i, k, n;
    kr_buf_t               out;
    kr_sql_t              *sql;
    const kr_sql_table_t  *tb;

    static const char  *cases[][2] = {
        { "select * from a, s.b as c join d on (select true from e)",
          "+a +s.b=c +d e" },
        { "select (select 1 from a) from b where exists (select from c)",
          "a +b c" },
        { "select * from a union select * from b", "a b" },
        { "select * from (a join b using (x)) j, c", "a b +c" },
        { "select * from a join b using (x) as j", "+a +b" },
        { "select * from (select * from a) s, lateral (select * from b) t",
          "a b" },
        { "with x as (select * from a) select * from x, b, y", "+b +y a" },
        { "with x as (select * from y), y as (select * from x)"
          " select * from x, y", "y" },
        { "with recursive x as (select * from y), y as (select * from x)"
          " select * from x, y, z", "+z" },
        { "with x as (select * from x) select * from x", "x" },
        { "with recursive x as (select 1 union select * from x)"
          " select * from x, a", "+a" },
        { "with x as (select 1) select * from s.x", "+s.x" },
        { "with x as (select 1) select * from a where exists"
          " (with y as (select * from x) select from y, x, b)", "+a b" },
        { "select * from a where exists (with a as (select 1)"
          " select from a)", "+a" },
        { "select * from (with x as (select 1) select * from x, b) s, x",
          "b +x" },
        { "with x as (select 1 from b) (select * from x) union"
          " select * from x", "b" }
    };

    (void) state;

    memset(&out, 0, sizeof(out));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql = parse(cases[i][0]);
        tb = kr_sql_tables(sql, &n);
        kr_buf_reset(&out);

        for (k = 0; k < n; k++) {
            kr_buf_printf(&out, "%s%s%.*s%s%.*s%s%.*s", k == 0 ? "" : " ",
                          tb[k].top ? "+" : "", (int) tb[k].schema.len,
                          tb[k].schema.data, tb[k].schema.len ? "." : "",
                          (int) tb[k].name.len, tb[k].name.data,
                          tb[k].alias.len ? "=" : "",
                          (int) tb[k].alias.len, tb[k].alias.data);
        }

        if (strcmp(out.data, cases[i][1]) != 0) {
            fail_msg("%s: %s", cases[i][0], out.data);
        }

        kr_sql_free(sql);
    }

    kr_buf_free(&out);
}


static void
test_resolve(void **state)
{
    int            rc;
    size_t         i;
    kr_buf_t       reason;
    kr_str_t       name;
    kr_sql_t      *sql;
    kr_sql_ref_t   ref;

    /* table is -1 of what is refused, and column a word of why */
    static const struct {
        const char  *query;
        const char  *name;
        long         table;
        const char  *column;
    } cases[] = {
        { "select * from posts", "id", 0, "id" },
        { "select * from posts", "posts.id", 0, "id" },
        { "select * from posts p", "p.id", 0, "id" },
        { "select * from posts p", "posts.userId", 0, "userId" },
        { "select * from posts p", "P.id", 0, "id" },
        { "select * from posts p", "\"P\".id", -1, "no table" },
        { "select * from posts p", "x.id", -1, "no table" },
        { "select * from posts \"P\"", "P.id", 0, "id" },
        { "select * from posts \"P\"", "p.id", -1, "no table" },
        { "select * from posts \"a.\"\"b\"", "\"a.\"\"b\".\"c\"\"\"", 0,
          "c\"" },
        { "select * from a, b", "b.id", 1, "id" },
        { "select * from a, b", "id", 0, "id" },
        { "select * from a b, c a", "a.id", 1, "id" },
        { "select * from a b, c a", "c.id", 1, "id" },
        { "select * from a x, a y", "a.id", -1, "ambiguous" },
        { "select * from a x, a y", "y.id", 1, "id" },
        { "select * from s.a, t.a", "a.id", -1, "ambiguous" },
        { "select * from s.a, t.a", "t.a.id", 1, "id" },
        { "select * from a", "s.a.id", 0, "id" },
        { "select * from t.a", "s.a.id", -1, "no table" },
        { "select * from (select * from a) s, b", "b.id", 1, "id" },
        { "select * from (select * from a) s, b", "a.id", -1, "sub-select" },
        { "select * from (select * from a) s", "id", 0, "id" },
        { "select * from b, (select * from a) x, c \"X\"", "x.id", 0, "id" },
        { "select * from b, (select * from a) x, c \"X\"", "X.id", 2, "id" },
        { "with x as (select * from a) select * from x", "x.id", 0, "id" },
        { "with x as (select * from a) select * from x y", "x.id", -1,
          "no table" },
        { "select * from a union select * from b", "id", 0, "id" },
        { "select * from a union select * from b", "a.id", 0, "id" },
        { "select a.id from a union select 1 from b", "c.id", -1, "result" },
        { "select * from \"T\xc3\xa9\"", "T\xc3\xa9.\xc3\x89", 0,
          "\xc3\x89" },
        { "select * from a", "", -1, "not the name" },
        { "select * from a", ".", -1, "not the name" },
        { "select * from a", "a.", -1, "not the name" },
        { "select * from a", ".id", -1, "not the name" },
        { "select * from a", "a\"b\"", -1, "not the name" },
        { "select * from a", "\"b", -1, "not the name" },
        { "select * from a", "\"b\"c", -1, "not the name" },
        { "select * from a", "\"\"", -1, "not the name" },
        { "select * from a", "w.x.y.z", -1, "not the name" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&ref, 0, sizeof(ref));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql = parse(cases[i].query);
        name = str(cases[i].name);
        kr_buf_reset(&reason);

        rc = kr_sql_resolve(sql, &name, &ref, &reason);

        if (rc != (cases[i].table < 0 ? KR_DECLINED : KR_OK)
            || (rc == KR_OK && ((long) ref.table != cases[i].table
                                || strcmp(ref.column.data, cases[i].column)))
            || (rc != KR_OK && !strstr(reason.data, cases[i].column)))
        {
            fail_msg("%s, %s: %d %zu %s", cases[i].query, cases[i].name, rc,
                     ref.table, rc == KR_OK ? ref.column.data : reason.data);
        }

        assert_int_equal(ref.quoted && rc == KR_OK,
                         rc == KR_OK
                         && cases[i].name[name.len - 1] == '"');
        assert_int_equal(ref.any, rc == KR_OK
                                  && strcmp(cases[i].name, "id") == 0
                                  && strstr(cases[i].query, "a, b") != NULL);
        kr_sql_free(sql);
    }

    kr_buf_free(&ref.column);
    kr_buf_free(&reason);
}


static void
test_refused(void **state)
{
    size_t     i;
    kr_buf_t   reason;
    kr_sql_t  *sql;

    static const char  *cases[][2] = {
        { "with x as (insert into a values (1) returning *) select * from x,"
          " b", "INSERT" },
        { "with x as (insert into a select * from b returning *)"
          " select * from x, b", "INSERT" },
        { "with x as (delete from a returning *) select * from b", "DELETE" },
        { "with x as (update a set b = 1 returning *) select * from c",
          "UPDATE" },
        { "select * from a where exists (select from b for update)",
          "FOR UPDATE" },
        { "select * from a join b on a.x = $1", "$1" },
        { "select * into x from a join b using (c)", "INTO" },
        { "values ((select id from a))", "VALUES" },
        { "select * from a, generate_series(1, 2)", "function in FROM" },
        { "select * from a, b tablesample system (1)", "TABLESAMPLE" },
        { "select * from a x(y), b", "column names" },
        { "select count(*) from (select 1) x", "reads no table" },
        { "with x as (select 1) select * from x", "reads no table" },
        { "select 1 union select 2", "reads no table" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kr_buf_reset(&reason);

        if (kr_sql_parse(cases[i][0], strlen(cases[i][0]), KR_SQL_MAX_LEN,
                         &sql, &reason)
            != KR_DECLINED)
        {
            fail_msg("accepted: %s", cases[i][0]);
        }

        if (strstr(reason.data, cases[i][1]) == NULL) {
            fail_msg("%s: %s", cases[i][0], reason.data);
        }
    }

    kr_buf_free(&reason);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rerun),
        cmocka_unit_test(test_declined),
        cmocka_unit_test(test_predicates),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_refused)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
