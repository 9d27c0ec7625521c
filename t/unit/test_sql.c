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
#include <pg_query.h>

#include "kr_sql.h"
#include "sql_plain.h"


#define OUT_HEAD  "SELECT pg_catalog.to_json(q.id)::pg_catalog.text,"         \
                  " pg_catalog.row_to_json(q.*)::pg_catalog.text FROM ("
#define KEYS(t)   "SELECT " t ".id::pg_catalog.text, " t                      \
                  ".userid::pg_catalog.text, "


/* The parser must not read beyond the text's end. */
static int
parse(const char *query, kr_sql_t **sql, kr_buf_t *reason)
{
    int      rc;
    char    *copy;
    size_t   len;

    len = strlen(query);
    copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, query, len);

    rc = kr_sql_parse(copy, len, KR_SQL_MAX_LEN, sql, reason);
    free(copy);

    return rc;
}


static kr_str_t
str(const char *text)
{
    kr_str_t  s;

    s.data = text;
    s.len = strlen(text);

    return s;
}


static void
target(kr_sql_target_t *t, const kr_sql_t *sql)
{
    size_t                 n;
    const kr_sql_table_t  *tb;

    static const kr_str_t  id = kr_str("id"), bigint = kr_str("bigint");

    tb = kr_sql_tables(sql, &n);
    assert_int_equal(n, 1);

    memset(t, 0, sizeof(kr_sql_target_t));

    t->table = tb->alias.len != 0 ? tb->alias : tb->name;
    t->npk = 1;
    t->pks = &id;
    t->pk_types = &bigint;
    t->field = str("userid");
    t->field_type = str("integer");
}


/* All of the query, with the predicate. */
static int
snapshot(const kr_sql_t *sql, kr_sql_target_t *t, kr_buf_t *out)
{
    t->window = 1;
    t->key_of_result = 1;

    return kr_sql_rerun(sql, t, out, NULL);
}


static void
test_templates(void **state)
{
    size_t            i;
    kr_buf_t          reason, out;
    kr_sql_t         *sql;
    kr_sql_target_t   t;

    static const struct {
        const char  *query;
        const char  *snapshot;
        const char  *refetch;
    } cases[] = {
        { "select * from posts where (userid=57) "
          "order by updated_at desc limit 5",
          OUT_HEAD "SELECT * FROM posts WHERE userid = 57 AND"
          " posts.userid = ANY($1::int[]) ORDER BY updated_at DESC LIMIT 5) q",
          KEYS("posts") "(SELECT pg_catalog.row_to_json(q.*)::pg_catalog.text"
          " FROM (SELECT posts.*) q) FROM posts WHERE userid = 57 AND"
          " posts.id = ANY($1::bigint[])" },

        { "select id, title as \"T\" from public.posts as P",
          OUT_HEAD "SELECT id, title AS \"T\" FROM public.posts p WHERE"
          " p.userid = ANY($1::int[])) q",
          KEYS("p") "(SELECT pg_catalog.row_to_json(q.*)::pg_catalog.text"
          " FROM (SELECT id, title AS \"T\") q) FROM public.posts p WHERE"
          " p.id = ANY($1::bigint[])" },

        /* the client's OR stays together */
        { "select *, p.*, p from posts p where a or b offset 1",
          OUT_HEAD "SELECT *, p.*, p FROM posts p WHERE (a OR b) AND"
          " p.userid = ANY($1::int[]) OFFSET 1) q",
          KEYS("p") "(SELECT pg_catalog.row_to_json(q.*)::pg_catalog.text"
          " FROM (SELECT p.*, p.*, p) q) FROM posts p WHERE (a OR b) AND"
          " p.id = ANY($1::bigint[])" },

        { "select from posts order by id fetch first 3 rows with ties",
          OUT_HEAD "SELECT FROM posts WHERE posts.userid = ANY($1::int[])"
          " ORDER BY id FETCH FIRST 3 ROWS WITH TIES) q",
          KEYS("posts") "(SELECT pg_catalog.row_to_json(q.*)::pg_catalog.text"
          " FROM (SELECT) q) FROM posts WHERE posts.id = ANY($1::bigint[])" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&out, 0, sizeof(out));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (parse(cases[i].query, &sql, &reason) != KR_OK) {
            fail_msg("refused: %s: %s", cases[i].query, reason.data);
        }

        target(&t, sql);

        kr_buf_reset(&out);
        assert_int_equal(snapshot(sql, &t, &out), KR_OK);
        plain(&out);
        assert_string_equal(out.data, cases[i].snapshot);

        kr_buf_reset(&out);
        t.key_of_result = 0;
        assert_int_equal(kr_sql_refetch(sql, &t, &out), KR_OK);
        plain(&out);
        assert_string_equal(out.data, cases[i].refetch);

        kr_sql_free(sql);
    }

    kr_buf_free(&out);
    kr_buf_free(&reason);
}


/* Names and types of the catalog, however they are written. */
static void
test_names(void **state)
{
    kr_buf_t          reason, out;
    kr_str_t          pk, type;
    kr_sql_t         *sql;
    kr_sql_target_t   t;

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&out, 0, sizeof(out));

    assert_int_equal(parse("select * from \"s x\".\"Mixed \"\"Case\"", &sql,
                           &reason), KR_OK);

    target(&t, sql);
    pk = str("I \"d\"");
    type = str("\"s x\".\"My \"\"T\"");
    t.pks = &pk;
    t.pk_types = &type;
    t.field = str("select");
    t.field_type = str("timestamp without time zone");

    assert_int_equal(kr_sql_refetch(sql, &t, &out), KR_OK);
    plain(&out);
    assert_string_equal(out.data,
        "SELECT \"Mixed \"\"Case\".\"I \"\"d\"\"\"::pg_catalog.text,"
        " \"Mixed \"\"Case\".\"select\"::pg_catalog.text,"
        " (SELECT pg_catalog.row_to_json(q.*)::pg_catalog.text"
        " FROM (SELECT \"Mixed \"\"Case\".*) q)"
        " FROM \"s x\".\"Mixed \"\"Case\" WHERE"
        " \"Mixed \"\"Case\".\"I \"\"d\"\"\""
        " = ANY($1::\"s x\".\"My \"\"T\"[])");

    kr_buf_reset(&out);
    assert_int_equal(snapshot(sql, &t, &out), KR_OK);

    /* a type that is none makes no statement, and no crash */
    type = str("int); drop table posts; --");
    assert_int_equal(kr_sql_refetch(sql, &t, &out), KR_DECLINED);
    type = str("");
    assert_int_equal(kr_sql_refetch(sql, &t, &out), KR_DECLINED);

    kr_sql_free(sql);
    kr_buf_free(&out);
    kr_buf_free(&reason);
}


static void
test_canonical(void **state)
{
    size_t     i;
    kr_buf_t   reason;
    kr_sql_t  *a, *b;

    static const struct {
        const char  *a;
        const char  *b;
        int          equal;
    } cases[] = {
        { "select * from posts where id=1",
          " SELECT  *\nFROM Posts /* c */ WHERE (((id) = 1)) ; -- x", 1 },
        { "select id a from posts", "select id as A from \"posts\"", 1 },
        { "select * from posts where a and (b and c)",
          "select * from posts where (a and b) and c", 1 },
        { "table posts", "select * from posts", 1 },
        { "select * from posts where a and b or c",
          "select * from posts where a and (b or c)", 0 },
        { "select * from posts where a - (b - c) = 1",
          "select * from posts where a - b - c = 1", 0 },
        { "select * from posts where (a = b) = c",
          "select * from posts where a = (b = c)", 0 },
        { "select * from posts where not (a and b)",
          "select * from posts where not a and b", 0 },
        { "select * from posts where id = 1",
          "select * from posts where id = '1'", 0 },
        { "select * from posts", "select * from \"Posts\"", 0 },
        { "select * from posts", "select * from posts limit 5", 0 }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(cases[i].a, &a, &reason), KR_OK);
        assert_int_equal(parse(cases[i].b, &b, &reason), KR_OK);

        if ((strcmp(kr_sql_canonical(a), kr_sql_canonical(b)) == 0)
            != cases[i].equal)
        {
            fail_msg("%s and %s", kr_sql_canonical(a), kr_sql_canonical(b));
        }

        kr_sql_free(a);
        kr_sql_free(b);
    }

    kr_buf_free(&reason);
}


static void
is(const kr_str_t *s, const char *text)
{
    assert_int_equal(s->len, strlen(text));
    assert_memory_equal(s->data, text, s->len);
}


static void
test_collected(void **state)
{
    size_t                    n;
    kr_buf_t                  reason;
    kr_sql_t                 *sql;
    const kr_sql_table_t     *tb;
    const kr_sql_function_t  *f;

    (void) state;

    memset(&reason, 0, sizeof(reason));

    assert_int_equal(parse("select upper(x), case when s.\"F\"(y) then 1 end,"
                           " y::int, y + 1 from s.\"T\" as t"
                           " where pg_sleep(1) is null order by lower(x)"
                           " limit abs(-1)", &sql, &reason), KR_OK);

    tb = kr_sql_tables(sql, &n);
    assert_int_equal(n, 1);
    is(&tb->schema, "s");
    is(&tb->name, "T");
    is(&tb->alias, "t");

    f = kr_sql_functions(sql, &n);
    assert_int_equal(n, 5);
    is(&f[0].name, "upper");
    is(&f[0].schema, "");
    is(&f[1].name, "F");
    is(&f[1].schema, "s");
    is(&f[2].name, "pg_sleep");
    is(&f[3].name, "lower");
    is(&f[4].name, "abs");

    kr_sql_free(sql);
    kr_buf_free(&reason);
}


/* What row by row cannot be told. */
static void
test_mode(void **state)
{
    size_t     i;
    kr_buf_t   reason;
    kr_sql_t  *sql;

    static const char  *whole[] = {
        "with x as (select 1) select * from posts",
        "select a from posts union select a from posts",
        "select * from (select * from posts) x",
        "select * from posts where id in (select 1)",
        "select (select 1) from posts",
        "select * from posts limit (select 1)",
        "select * from posts, users",
        "select * from posts join users using (id)",
        "select distinct a from posts",
        "select distinct on (a) a from posts",
        "select a from posts group by a",
        "select a from posts group by ()",
        "select 1 from posts having true",
        "select row_number() over () from posts",
        "select * from posts window w as ()",
        "select count(*) from posts",
        "select sum(a) filter (where b) from posts",
        "select array_agg(a order by b) from posts",
        "select mode() within group (order by a) from posts",
        "select * from posts where id in (values (1))"
    };

    static const char  *rows[] = {
        "select * from posts", "table posts",
        ("select upper(a), b::int from s.posts p where c or d order by 1"
         " limit 5 offset 2")
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));

    for (i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        assert_int_equal(parse(whole[i], &sql, &reason), KR_OK);

        if (kr_sql_mode(sql) != KR_SQL_RERUN) {
            fail_msg("%s", whole[i]);
        }

        kr_sql_free(sql);
    }

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(rows[i], &sql, &reason), KR_OK);
        assert_int_equal(kr_sql_mode(sql), KR_SQL_ROWWISE);
        kr_sql_free(sql);
    }

    kr_buf_free(&reason);
}


static void
test_refused(void **state)
{
    size_t     i;
    kr_buf_t   reason;
    kr_sql_t  *sql;

    /* the query, and a word of the sentence */
    static const char  *cases[][2] = {
        { "", "empty" }, { " \n", "empty" }, { ";", "empty" },
        { "-- x", "empty" },
        { "selec * from posts", "\"selec\", character 1" },
        { "select * from posts where", "end of input" },
        { "select * from posts where \"x", "character 27" },
        { "select * from posts where 'x", "not valid SQL" },
        { "select * from posts where /* x", "not valid SQL" },
        { "select 1; select 2", "2 statements" },
        { "select * from posts; drop table posts", "2 statements" },
        { "insert into posts values (1)", "INSERT" },
        { "update posts set a = 1", "UPDATE" },
        { "delete from posts", "DELETE" },
        { "explain select * from posts", "EXPLAIN" },
        { "copy posts to program 'x'", "COPY" },
        { "create table x as select * from posts", "CREATE TABLE AS" },
        { "set x = 1", "SET" }, { "do 'x'", "DO" },
        { "select * into x from posts", "INTO" },
        { "select * from posts for update", "FOR UPDATE" },
        { "select * from posts for key share nowait", "FOR UPDATE" },
        { "select * from posts where id = $1", "$1" },
        { "with x as (insert into posts values (1) returning *)"
          " select * from x", "WITH" },
        { "values (1)", "VALUES" },
        { "select 1", "reads no table" },
        { "select now()", "reads no table" },
        { "select * from f()", "function in FROM" },
        { "select * from rows from (f(), g())", "function in FROM" },
        { "select * from posts, lateral f(posts.id)", "function in FROM" },
        { "select * from xmltable('/x' passing a columns b int)",
          "function in FROM" },
        { "select * from posts tablesample system (1)", "TABLESAMPLE" },
        { "select * from posts p(a, b)", "column names" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kr_buf_reset(&reason);

        if (parse(cases[i][0], &sql, &reason) != KR_DECLINED) {
            fail_msg("accepted: %s", cases[i][0]);
        }

        if (strstr(reason.data, cases[i][1]) == NULL) {
            fail_msg("%s: %s", cases[i][0], reason.data);
        }
    }

    kr_buf_reset(&reason);
    assert_int_equal(kr_sql_parse("select * from posts\0 where x", 28,
                                  KR_SQL_MAX_LEN, &sql, &reason),
                     KR_DECLINED);
    assert_non_null(strstr(reason.data, "NUL"));

    kr_buf_free(&reason);
}


/* head, then n times open, middle, n times close */
static int
nested(const char *head, const char *open, const char *middle,
    const char *close, size_t n, kr_buf_t *reason)
{
    int        rc;
    size_t     i;
    kr_buf_t   query;
    kr_sql_t  *sql;

    memset(&query, 0, sizeof(query));
    kr_buf_reset(reason);
    kr_buf_str(&query, head);

    for (i = 0; i < n; i++) {
        kr_buf_str(&query, open);
    }

    kr_buf_str(&query, middle);

    for (i = 0; i < n; i++) {
        kr_buf_str(&query, close);
    }

    rc = kr_sql_parse(query.data, query.len, KR_SQL_MAX_LEN, &sql, reason);

    if (rc == KR_OK) {
        kr_sql_free(sql);
    }

    kr_buf_free(&query);

    return rc;
}


/* What would overflow the parser's stack is refused before it sees it. */
static void
test_deep(void **state)
{
    size_t    i;
    kr_buf_t  reason;

    static const char  head[] = "select * from t where ";
    static const char  *deep[][3] = {
        { "(", "1", ")" },
        { "not ", "a", "" },
        { "", "a", "+1" },
        { "- ", "a", "" },
        { "", "a", "::x" },
        { "f(", "1", ")" },
        { "array[", "1", "]" },
        { "(select ", "1", ")" },
        { "(a is null and ", "1", ")" },
        { "", "1", " union select 1,1" },
        { "", "a", "+case when a and b then c end" },
        { "case when a then ", "1", " end" },
        { "1", "", "(" },
        { "", "", ")" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));

    for (i = 0; i < sizeof(deep) / sizeof(deep[0]); i++) {
        assert_int_equal(nested(head, deep[i][0], deep[i][1], deep[i][2],
                                2000, &reason), KR_DECLINED);
    }

    for (i = 0; i < 6; i++) {
        assert_int_equal(nested(head, deep[i][0], deep[i][1], deep[i][2],
                                100, &reason), KR_OK);
    }

    /* broad is not deep */
    assert_int_equal(nested(head, "a in (1,2,3) and ", "b", "", 900,
                            &reason), KR_OK);
    assert_int_equal(nested("select ", "a, ", "b from t", "", 5000, &reason),
                     KR_OK);
    assert_int_equal(nested(head, "a = 1 and ", "b", " or c", 1000, &reason),
                     KR_OK);

    assert_int_equal(nested(head, "a and ", "b", "", 20000, &reason),
                     KR_DECLINED);
    assert_non_null(strstr(reason.data, "longer than 16384"));

    kr_buf_free(&reason);
}


/* Each table gets its schema, and nothing else that is called like one. */
static void
test_sql_qualify(void **state)
{
    size_t     i;
    kr_str_t   schemas[4];
    kr_sql_t  *a, *b;
    kr_buf_t   reason;

    static const struct {
        const char  *query;
        const char  *qualified;
    } cases[] = {
        { "select * from posts", "select * from s0.posts" },
        { "select posts.id from posts", "select posts.id from s0.posts" },
        { "select * from other.posts p join users u on u.id = p.userid",
          "select * from other.posts p join s1.users u on u.id = p.userid" },
        { "select * from posts where id in (select id from users)",
          "select * from s0.posts where id in (select id from s1.users)" },
        { "with users as (select * from posts) select * from users",
          "with users as (select * from s0.posts) select * from users" },
        { "with t as (select * from posts) select * from t, users where "
          "exists (select from t x) and exists (select from posts)",
          "with t as (select * from s2.posts) select * from t, s0.users "
          "where exists (select from t x) and exists (select from s1.posts)" },
        { "select id from posts union select id from \"a.b\"",
          "select id from s0.posts union select id from s1.\"a.b\"" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));

    schemas[0].data = "s0";
    schemas[1].data = "s1";
    schemas[2].data = "s2";
    schemas[3].data = "s3";

    for (i = 0; i < 4; i++) {
        schemas[i].len = 2;
    }

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(cases[i].query, &a, &reason), KR_OK);
        assert_int_equal(parse(cases[i].qualified, &b, &reason), KR_OK);

        assert_int_equal(kr_sql_qualify(a, schemas), KR_OK);
        assert_string_equal(kr_sql_canonical(a), kr_sql_canonical(b));

        /* a query that has its schemas keeps them */
        assert_int_equal(kr_sql_qualify(b, schemas), KR_OK);
        assert_string_equal(kr_sql_canonical(a), kr_sql_canonical(b));

        kr_sql_free(a);
        kr_sql_free(b);
    }

    kr_buf_free(&reason);
}


int
main(void)
{
    int  rc;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_sql_qualify),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_collected),
        cmocka_unit_test(test_mode),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deep)
    };

    rc = cmocka_run_group_tests(tests, NULL, NULL);

    pg_query_exit();

    return rc;
}
