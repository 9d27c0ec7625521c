/* sources: kr_plan_make.c kr_plan_key.c kr_plan_spec.c kr_arena.c */
/* sources: kr_judge.c kr_judge_column.c kr_judge_guard.c kr_judge_key.c */
/* sources: kr_table_shape.c */
/* sources: kr_judge_output.c kr_judge_name.c kr_facts.c kr_spec.c kr_json.c */
/* sources: kr_sql.c kr_sql_collect.c kr_sql_resolve.c kr_sql_name.c */
/* sources: kr_sql_output.c kr_sql_out.c kr_sql_rerun.c kr_sql_frame.c */
/* sources: kr_sql_template.c kr_sql_tree.c kr_match_predicate.c */
/* sources: kr_op.c kr_value.c kr_value_number.c kr_value_order.c kr_buf.c */
/* libs: -lpg_query */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_plan_make.h"
#include "facts_help.h"


/* The shape is the test's: end() takes it out of the plan. */
static kr_shape_t         shape;
static kr_table_t         item;
static kr_table_column_t  result_columns[3], item_columns[3];

/* of the second table of the next make(), if not NULL */
static const char        *users_shape;


static int
setup(void **state)
{
    (void) state;

    shape.result.columns = result_columns;
    facts_column(&shape.result, "id", KR_OID_INT8, "bigint");
    facts_column(&shape.result, "n", KR_OID_INT4, "integer");

    item.columns = item_columns;
    facts_column(&item, "id", KR_OID_INT8, "bigint");
    facts_column(&item, "n", KR_OID_INT4, "integer");

    shape.nitems = 1;
    shape.items = &item;

    return 0;
}


/* Parses a payload. */
static int
begin(kr_plan_t *pl, const char *json, kr_buf_t *reason)
{
    kr_buf_reset(reason);

    return kr_plan_parse(pl, json, strlen(json), reason);
}


/* Judges and makes a plan that was parsed, of these values. */
static int
make(kr_plan_t *pl, world_t *w, const kr_str_t *values, size_t n,
    kr_buf_t *reason)
{
    int  rc;

    facts_make(w, pl->sql);
    w->facts.refs = 2;

    pl->facts = &w->facts;

    if (users_shape != NULL) {
        w->tables[1].shape = facts_str(users_shape);
    }

    rc = kr_judge_guard(pl->facts, pl->sql, reason);

    if (rc == KR_OK) {
        rc = kr_plan_qualify(pl, reason);
    }

    if (rc == KR_OK) {
        rc = kr_judge(pl->facts, &shape, pl->sql, &pl->spec, &pl->target,
                      reason);
    }

    pl->shape = &shape;

    return rc == KR_OK ? kr_plan_make(pl, values, n, reason) : rc;
}


static void
end(kr_plan_t *pl)
{
    pl->shape = NULL;
    kr_plan_free(pl);
}


static void
check_str(const kr_str_t *s, const char *expected)
{
    assert_int_equal(s->len, strlen(expected));
    assert_memory_equal(s->data, expected, s->len);
    assert_int_equal(s->data[s->len], '\0');
}


/* kr_table_shape_mark() of the shape "t 1 r\n": no file, no column */
#define MARK  "cbf29ce484222325cbf29ce48422232577e5e6e7d6ad850c"


#define SPEC(query, rest)                                                     \
    "{\"query\":\"" query "\",\"event\":\"e\",\"equality\":\"eq\","           \
    "\"field_value\":[\"b\",\"a\",\"b\"]," rest "}"


static void
test_rows(void **state)
{
    world_t          w;
    kr_buf_t         reason;
    kr_plan_t        pl;
    kr_route_def_t  *def;

    static const kr_str_t  values[] = {
        kr_str("30"), kr_str("4"), kr_str("30"), kr_str("20")
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&pl, 0, sizeof(pl));

    assert_int_equal(begin(&pl, SPEC("SELECT  * from posts as p LIMIT 5",
                                     "\"table_field\":\"userId\","
                                     "\"alias\":\"p\""), &reason), KR_OK);
    assert_int_equal(make(&pl, &w, values, 4, &reason), KR_OK);

    def = &pl.def;

    check_str(&def->canonical,
              "SELECT * FROM \"public\".\"posts\" \"p\" LIMIT 5");
    assert_int_equal(def->event.len, 1);
    assert_memory_equal(def->event.data, "e", 1);
    assert_int_equal(def->alias.len, 1);
    assert_memory_equal(def->alias.data, "p", 1);
    assert_int_equal(def->claims.len, 0);
    assert_false(def->exact);
    assert_false(def->check);

    assert_int_equal(def->key.n, 1);
    check_str(&def->key.names[0], "id");
    assert_int_equal(def->key.types[0], KR_OID_INT8);

    /* sorted, by length first, and each once */
    assert_int_equal(def->predicate.nvalues, 3);
    assert_memory_equal(def->predicate.values[0].data, "4", 1);
    assert_memory_equal(def->predicate.values[1].data, "20", 2);
    assert_memory_equal(def->predicate.values[2].data, "30", 2);

    check_str(&def->predicate.schema, "public");
    check_str(&def->predicate.table, "posts");
    check_str(&def->predicate.column, "userid");
    assert_int_equal(def->predicate.type, KR_OID_INT4);
    assert_int_equal(def->predicate.op, KR_EQ);
    assert_false(def->predicate.result);

    assert_int_equal(def->ntables, 1);
    check_str(&def->tables[0].table.schema, "public");
    check_str(&def->tables[0].table.name, "posts");
    assert_true(def->tables[0].main);
    assert_false(def->tables[0].parted);
    assert_int_equal(def->tables[0].nleaves, 0);

    /* row by row: the snapshot alone has the window */
    assert_int_equal(kr_sql_mode(pl.sql), KR_SQL_ROWWISE);
    assert_int_equal(def->rerun.len, 0);
    assert_non_null(strstr(def->snapshot.data, "LIMIT 5"));
    assert_non_null(strstr(def->refetch.data, "ANY($1::bigint[])"));
    assert_null(strstr(def->refetch.data, "LIMIT"));

    check_str(&def->spec, "{\"equality\":\"eq\",\"exact\":false,"
              "\"query\":\"SELECT * FROM \\\"public\\\".\\\"posts\\\" "
              "\\\"p\\\" LIMIT 5\","
              "\"table_field\":\"\\\"p\\\".\\\"userid\\\"\","
              "\"pk\":\"\\\"p\\\".\\\"id\\\"\",\"event\":\"e\","
              "\"alias\":\"p\","
              "\"table_shapes\":\"" MARK "\","
              "\"field_value\":[\"4\",\"20\",\"30\"]}");

    end(&pl);
    kr_buf_free(&reason);
}


/* A query that keeps its window is run as a whole, if it has a window. */
static void
test_exact(void **state)
{
    size_t     i;
    world_t    w;
    kr_buf_t   reason;
    kr_plan_t  pl;

#define WINDOW  "select * from posts order by topic limit 5"

    static const struct {
        const char  *query;
        unsigned     exact;          /* the plan's */
        int          expected;
    } cases[] = {
        { SPEC(WINDOW, "\"table_field\":\"userid\""), 0, 0 },
        { SPEC(WINDOW, "\"table_field\":\"userid\""), 1, 1 },
        { SPEC(WINDOW, "\"table_field\":\"userid\",\"exact\":true"), 0, 1 },
        { SPEC("select * from posts", "\"table_field\":\"userid\""), 1, 0 },
        { SPEC("select * from posts", "\"table_field\":\"userid\","
               "\"exact\":true"), 0, 0 }
    };

    static const kr_str_t  one = kr_str("1");

    (void) state;

    memset(&reason, 0, sizeof(reason));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&pl, 0, sizeof(pl));
        pl.exact = cases[i].exact;

        assert_int_equal(begin(&pl, cases[i].query, &reason), KR_OK);
        assert_int_equal(make(&pl, &w, &one, 1, &reason), KR_OK);

        assert_int_equal(pl.def.exact, cases[i].expected);
        assert_int_equal(kr_sql_mode(pl.sql) == KR_SQL_RERUN,
                         cases[i].expected);
        assert_int_equal(pl.def.rerun.len != 0, cases[i].expected);
        assert_int_equal(pl.def.refetch.len == 0, cases[i].expected);

        if (cases[i].expected) {
            assert_string_equal(pl.def.rerun.data, pl.def.snapshot.data);
        }

        end(&pl);
    }

    kr_buf_free(&reason);
}


/* Without a predicate every table is watched, and none is the main one. */
static void
test_all(void **state)
{
    size_t     i, k;
    world_t    w, v;
    kr_buf_t   reason;
    kr_plan_t  pl, two;

#define ALL(query, rest)  "{\"query\":\"" query "\",\"event\":\"e\"" rest "}"

    static const struct {
        const char  *json;
        int          rows;
        size_t       ntables;
        const char  *table;          /* of the predicate */
        const char  *key;            /* the first column's */
        const char  *snapshot;       /* a part of it */
    } cases[] = {
        { ALL("select * from posts", ""), 1, 1, "posts", "id",
          "FROM \"public\".\"posts\") \"q\"" },
        { ALL("select * from posts where topic = 'a' or true",
              ",\"topic\":\"posts\""), 1, 1, "posts", "id",
          "WHERE \"topic\" = 'a' OR true) \"q\"" },
        { ALL("select * from posts order by topic limit 3", ""), 0, 1, "posts",
          "id", "ORDER BY \"topic\" LIMIT 3) \"q\"" },
        { ALL("select p.*, u.id as author from posts p join users u"
              " on u.id = p.userid", ",\"pk\":\"p.id\""), 0, 2, "posts", "id",
          "ON \"u\".\"id\" = \"p\".\"userid\") \"q\"" },
        { ALL("select u.* from posts p join users u on u.id = p.userid",
              ",\"alias\":\"u\""), 0, 2, "posts", "id",
          "ON \"u\".\"id\" = \"p\".\"userid\") \"q\"" },
        { ALL("select id, n from posts group by id, n", ",\"pk\":\"id\""), 0,
          1, "posts", "id", "GROUP BY \"id\", \"n\") \"q\"" },
        { ALL("select id, n from posts union select id, n from users"
              " order by id limit 2", ",\"pk\":\"id\""), 0, 2, "posts", "id",
          "ORDER BY \"id\" LIMIT 2) \"q\"" },
        { ALL("with r as (select id, n from posts) select id, n from r",
              ",\"pk\":\"id\""), 0, 1, "posts", "id", "FROM \"r\") \"q\"" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&pl, 0, sizeof(pl));
        pl.exact = 1;

        assert_int_equal(begin(&pl, cases[i].json, &reason), KR_OK);

        if (make(&pl, &w, NULL, 0, &reason) != KR_OK) {
            fail_msg("%s: %s", cases[i].json, reason.data);
        }

        assert_int_equal(kr_sql_mode(pl.sql) == KR_SQL_ROWWISE,
                         cases[i].rows);
        assert_true(pl.def.predicate.all);
        assert_true(pl.def.predicate.result);
        assert_int_equal(pl.def.predicate.nvalues, 0);
        check_str(&pl.def.predicate.table, cases[i].table);
        check_str(&pl.def.predicate.column, "");
        check_str(&pl.def.key.names[0], cases[i].key);
        assert_int_equal(pl.def.ntables, cases[i].ntables);

        for (k = 0; k < pl.def.ntables; k++) {
            assert_false(pl.def.tables[k].main);
        }

        if (strstr(pl.def.snapshot.data, cases[i].snapshot) == NULL) {
            fail_msg("%s", pl.def.snapshot.data);
        }

        assert_null(strstr(pl.def.snapshot.data, "$1"));
        assert_int_equal(pl.def.check, 0);

        if (cases[i].rows) {
            assert_non_null(strstr(pl.def.refetch.data,
                                   "NULL::\"pg_catalog\".text"));
            assert_null(strstr(pl.def.refetch.data, "$2"));
        }

        /* the route's spec gives the same route */

        memset(&two, 0, sizeof(two));
        two.of_route = 1;
        assert_int_equal(begin(&two, pl.def.spec.data, &reason), KR_OK);
        assert_true(two.spec.all);

        if (make(&two, &v, NULL, 0, &reason) != KR_OK) {
            fail_msg("%s: %s", pl.def.spec.data, reason.data);
        }

        assert_string_equal(two.def.spec.data, pl.def.spec.data);
        assert_string_equal(two.def.snapshot.data, pl.def.snapshot.data);
        check_str(&two.def.predicate.table, cases[i].table);

        end(&two);
        end(&pl);
    }

    kr_buf_free(&reason);
}


/* The tables beside the main one, and partitions. */
static void
test_tables(void **state)
{
    world_t                  w;
    kr_buf_t                 reason;
    kr_plan_t                pl;
    const kr_route_table_t  *t;

    static const kr_str_t  one = kr_str("1");

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&pl, 0, sizeof(pl));

    assert_int_equal(begin(&pl, SPEC("select u.* from users u where id in "
                                     "(select userid from posts union all "
                                     "select id from users union all "
                                     "select userid from posts)",
                                     "\"table_field\":\"u.id\""), &reason),
                     KR_OK);

    facts_make(&w, pl.sql);
    w.facts.refs = 2;
    pl.facts = &w.facts;

    w.tables[1].kind = 'p';
    w.tables[1].nleaves = 2;
    w.tables[1].leaves[0].name = facts_str("posts_a");
    w.tables[1].leaves[1] = w.tables[1].leaves[0];
    w.tables[1].leaves[1].name = facts_str("posts_b");

    assert_int_equal(kr_judge(pl.facts, NULL, pl.sql, &pl.spec, &pl.target,
                              &reason), KR_OK);
    assert_int_equal(kr_plan_make(&pl, &one, 1, &reason), KR_OK);

    /* the main table, which is read once more, and the other, once */
    t = pl.def.tables;
    assert_int_equal(pl.def.ntables, 3);

    check_str(&t[0].table.name, "users");
    assert_true(t[0].main);

    check_str(&t[1].table.name, "posts");
    assert_false(t[1].main);
    assert_true(t[1].parted);
    assert_int_equal(t[1].nleaves, 2);
    check_str(&t[1].leaves[0].name, "posts_a");
    check_str(&t[1].leaves[1].name, "posts_b");

    check_str(&t[2].table.name, "users");
    assert_false(t[2].main);

    end(&pl);
    kr_buf_free(&reason);
}


static void
test_cast(void **state)
{
    size_t     i;
    world_t    w;
    kr_buf_t   reason, sql, param;
    kr_plan_t  pl;

    static const struct {
        const char  *op;
        uint32_t     type;
        const char  *name;
        const char  *sql;
    } cases[] = {
        { "eq", KR_OID_TEXT, "text", "SELECT u.v::text::pg_catalog.text" },
        { "eq", KR_OID_UUID, "uuid", "SELECT pg_catalog.btrim(u.v, "
          "E' \\t\\r\\n\\f\\v')::uuid::pg_catalog.text" },

        /* char(n) would cut the blanks of a pattern off */
        { "contains", KR_OID_BPCHAR, "character",
          "SELECT u.v::pg_catalog.text::pg_catalog.text" }
    };

#define FROM_VALUES  " FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY"    \
                     " AS u(v, n) ORDER BY u.n"

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&sql, 0, sizeof(sql));
    memset(&param, 0, sizeof(param));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kr_buf_reset(&param);
        kr_buf_printf(&param, "{\"query\":\"select * from posts\",\"event\":"
                      "\"e\",\"table_field\":\"topic\",\"field_value\":"
                      "[\" b\\\"\"],\"equality\":\"%s\"}", cases[i].op);

        memset(&pl, 0, sizeof(pl));
        assert_int_equal(begin(&pl, param.data, &reason), KR_OK);

        facts_make(&w, pl.sql);
        w.facts.refs = 2;
        pl.facts = &w.facts;
        w.tables[0].columns[2].base = cases[i].type;
        w.tables[0].columns[2].base_name = facts_str(cases[i].name);

        assert_int_equal(kr_judge(pl.facts, NULL, pl.sql, &pl.spec,
                                  &pl.target, &reason), KR_OK);

        kr_buf_reset(&sql);
        kr_buf_reset(&param);
        kr_plan_cast(&pl, &sql, &param);

        assert_memory_equal(sql.data, cases[i].sql, strlen(cases[i].sql));
        assert_string_equal(sql.data + strlen(cases[i].sql), FROM_VALUES);
        assert_string_equal(param.data, "{\" b\\\"\"}");

        end(&pl);
    }

    kr_buf_free(&reason);
    kr_buf_free(&sql);
    kr_buf_free(&param);
}


/* From the spec of a route the same route is made. */
static void
test_again(void **state)
{
    size_t     i, k;
    world_t    w, v;
    kr_buf_t   reason;
    kr_plan_t  one, two;

    static const char *const  specs[] = {
        SPEC("select * from posts", "\"table_field\":\"userid\""),
        SPEC("select * from posts limit 3",
             "\"table_field\":\"posts.userid\",\"exact\":true"),
        SPEC("select * from posts \\\"P\\\"", "\"table_field\":\"topic\","
             "\"pk\":\"Topic,userid\",\"topic\":\"posts:1\""),
        SPEC("select u.id, p.topic from posts p join users u on "
             "u.id = p.userid", "\"table_field\":\"topic\","
             "\"pk\":\"u.id\",\"alias\":\"p\""),
        SPEC("select s.n, s.id from (select id, userid as n from posts) s",
             "\"table_field\":\"n\",\"pk\":\"s.id\""),
        SPEC("select id, userid as n from posts union all select id, id from "
             "users", "\"table_field\":\"N\",\"pk\":\"id\""),
        SPEC("select userid as id, count(*) as n from posts group by userid",
             "\"table_field\":\"userid\",\"pk\":\"id\""),

        /* a result of one row needs no column of the key */
        SPEC("select count(*) as n from posts", "\"table_field\":\"userid\","
             "\"pk\":\"none\"")
    };

    static const kr_str_t  values[] = { kr_str("b"), kr_str("a\"") };

    (void) state;

    memset(&reason, 0, sizeof(reason));

    for (i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        memset(&one, 0, sizeof(one));
        memset(&two, 0, sizeof(two));

        if (begin(&one, specs[i], &reason) != KR_OK
            || make(&one, &w, values, 2, &reason) != KR_OK
            || begin(&two, one.def.spec.data, &reason) != KR_OK)
        {
            fail_msg("%s: %s", specs[i], reason.data);
        }

        two.of_route = 1;

        if (make(&two, &v, two.spec.values, two.spec.nvalues, &reason)
            != KR_OK)
        {
            fail_msg("%s: %s", one.def.spec.data, reason.data);
        }

        assert_string_equal(one.def.spec.data, two.def.spec.data);
        assert_false(two.altered);
        assert_string_equal(one.def.canonical.data, two.def.canonical.data);
        assert_string_equal(one.def.snapshot.data, two.def.snapshot.data);
        assert_string_equal(one.def.rerun.data, two.def.rerun.data);
        assert_string_equal(one.def.refetch.data, two.def.refetch.data);
        assert_int_equal(one.def.exact, two.def.exact);
        assert_int_equal(one.def.ntables, two.def.ntables);
        assert_int_equal(one.def.key.n, two.def.key.n);

        for (k = 0; k < one.def.key.n; k++) {
            check_str(&two.def.key.names[k], one.def.key.names[k].data);
            assert_int_equal(one.def.key.types[k], two.def.key.types[k]);
        }

        end(&one);
        end(&two);
    }

    kr_buf_free(&reason);
}


/*
 * A route's spec has the canonical text, with quotes and schemas that the
 * client did not write: it may be longer than a client's query may be.
 */
static void
test_long(void **state)
{
    world_t    w, v;
    kr_buf_t   spec, reason;
    kr_plan_t  one, two;

    static const kr_str_t  value = kr_str("1");

    (void) state;

    memset(&one, 0, sizeof(one));
    memset(&two, 0, sizeof(two));
    memset(&spec, 0, sizeof(spec));
    memset(&reason, 0, sizeof(reason));

    kr_buf_str(&spec, "{\"table_field\":\"userid\",\"field_value\":1,"
               "\"equality\":\"eq\",\"event\":\"rows\",\"pk\":\"id\","
               "\"query\":\"select * from posts where id=0");

    while (spec.len < KR_SQL_MAX_LEN - 100) {
        kr_buf_str(&spec, " or id=userid");
    }

    kr_buf_str(&spec, "\"}");

    assert_int_equal(begin(&one, spec.data, &reason), KR_OK);
    assert_int_equal(make(&one, &w, &value, 1, &reason), KR_OK);
    assert_true(one.def.canonical.len > KR_SQL_MAX_LEN);

    two.of_route = 1;

    assert_int_equal(begin(&two, one.def.spec.data, &reason), KR_OK);
    assert_int_equal(make(&two, &v, two.spec.values, two.spec.nvalues,
                          &reason), KR_OK);
    assert_string_equal(one.def.canonical.data, two.def.canonical.data);

    end(&one);
    end(&two);
    kr_buf_free(&spec);
    kr_buf_free(&reason);
}


/* A spec has the shapes of its tables: a plan of others is another one. */
static void
test_altered(void **state)
{
    size_t     i;
    world_t    w, v;
    kr_buf_t   reason;
    kr_plan_t  one, two;

    static const struct {
        const char  *shape;
        unsigned     altered;
    } cases[] = {
        { "t 1 r\n", 0 },
        { "t 2 r\n", 1 },
        { "t 1 r\nc 1 23 id\n", 1 }
    };

    static const kr_str_t  values[] = { kr_str("1"), kr_str("2") };

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&one, 0, sizeof(one));

    assert_int_equal(begin(&one, SPEC("select u.id, p.topic from posts p join "
                                      "users u on u.id = p.userid",
                                      "\"table_field\":\"topic\","
                                      "\"pk\":\"u.id\",\"alias\":\"p\""),
                           &reason), KR_OK);
    assert_int_equal(make(&one, &w, values, 2, &reason), KR_OK);
    assert_false(one.altered);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&two, 0, sizeof(two));
        assert_int_equal(begin(&two, one.def.spec.data, &reason), KR_OK);
        two.of_route = 1;

        users_shape = cases[i].shape;
        assert_int_equal(make(&two, &v, values, 2, &reason), KR_OK);
        users_shape = NULL;

        assert_int_equal(two.altered, cases[i].altered);
        end(&two);
    }

    end(&one);

    /* a spec of a version that had none */

    memset(&two, 0, sizeof(two));
    assert_int_equal(begin(&two, SPEC("select * from posts",
                                      "\"table_field\":\"userid\""), &reason),
                     KR_OK);
    two.of_route = 1;
    assert_int_equal(make(&two, &v, values, 2, &reason), KR_OK);
    assert_true(two.altered);
    end(&two);

    kr_buf_free(&reason);
}


/* A plan is made anew from its spec, and nothing of the first is left. */
static void
test_reset(void **state)
{
    world_t    w;
    char      *spec;
    kr_buf_t   reason;
    kr_plan_t  pl;

    static const kr_str_t  values[] = { kr_str("1"), kr_str("2") };

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&pl, 0, sizeof(pl));

    assert_int_equal(begin(&pl, SPEC("select * from posts",
                                     "\"table_field\":\"userid\""), &reason),
                     KR_OK);
    assert_int_equal(make(&pl, &w, values, 2, &reason), KR_OK);
    spec = strdup(pl.def.spec.data);

    pl.shape = NULL;
    kr_plan_reset(&pl);

    assert_null(pl.facts);
    assert_null(pl.def.spec.data);
    assert_int_equal(pl.def.predicate.nvalues, 0);
    assert_int_equal(w.facts.refs, 1);

    assert_int_equal(make(&pl, &w, values, 2, &reason), KR_OK);
    assert_string_equal(pl.def.spec.data, spec);

    end(&pl);
    free(spec);
    kr_buf_free(&reason);
}


static void
test_refused(void **state)
{
    int        rc;
    char       query[2048];
    size_t     i;
    world_t    w;
    kr_buf_t   reason, many;
    kr_plan_t  pl;

    static const struct {
        const char  *spec;
        const char  *expected;
    } cases[] = {
        { SPEC("select id, n from (select id, userid as n from posts) s",
               "\"table_field\":\"n\",\"pk\":\"id,n,a,b,c\""),
          "pk names 5 columns, and may name 4" },
        { SPEC("select n from (select id, userid as n from posts) s",
               "\"table_field\":\"n\",\"pk\":\"s.id\""),
          "\"s.id\" is no column of the query's result: select it, or name a "
          "column that the result has" },
        { SPEC("select id, n from (select id, userid as n from posts) s",
               "\"table_field\":\"n\",\"pk\":\"s.id,gone\""),
          "the query has no column \"gone\" to tell its rows apart by: select "
          "it, or one AS it" },
        { SPEC("insert into posts values (1)", "\"table_field\":\"id\""),
          NULL }
    };

    static const kr_str_t  one = kr_str("1");

    (void) state;

    memset(&reason, 0, sizeof(reason));
    memset(&many, 0, sizeof(many));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&pl, 0, sizeof(pl));

        rc = begin(&pl, cases[i].spec, &reason);

        if (rc == KR_OK) {
            rc = make(&pl, &w, &one, 1, &reason);
        }

        assert_int_equal(rc, KR_DECLINED);

        if (cases[i].expected != NULL) {
            assert_string_equal(reason.data, cases[i].expected);
        }

        end(&pl);
    }

    for (i = 0; i < 33; i++) {
        kr_buf_str(&many, i == 0 ? "select 1 from posts" : ", posts");
    }

    snprintf(query, sizeof(query), "{\"query\":\"%s\",\"event\":\"e\","
             "\"equality\":\"eq\",\"table_field\":\"id\","
             "\"field_value\":\"1\"}", many.data);

    memset(&pl, 0, sizeof(pl));
    assert_int_equal(begin(&pl, query, &reason), KR_DECLINED);
    assert_string_equal(reason.data, "the query reads tables 33 times, and "
                        "may do so 32 times");
    kr_plan_free(&pl);

    kr_buf_free(&many);
    kr_buf_free(&reason);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_cast),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_altered),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_refused)
    };

    return cmocka_run_group_tests_name("plan", tests, setup, NULL);
}
