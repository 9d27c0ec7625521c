/* sources: kr_judge.c kr_judge_column.c kr_judge_guard.c kr_judge_key.c */
/* sources: kr_judge_output.c kr_judge_name.c kr_facts.c kr_spec.c kr_json.c */
/* sources: kr_sql.c kr_sql_collect.c kr_sql_resolve.c kr_sql_name.c */
/* sources: kr_sql_output.c kr_sql_out.c kr_sql_rerun.c kr_sql_frame.c */
/* sources: kr_sql_tree.c */
/* sources: kr_op.c kr_value.c kr_value_number.c kr_buf.c */
/* libs: -lpg_query */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_judge.h"
#include "facts_help.h"


typedef void (*change_pt)(world_t *w);


static kr_sql_t *
parse(const char *query)
{
    kr_buf_t   reason;
    kr_sql_t  *sql;

    memset(&reason, 0, sizeof(reason));

    if (kr_sql_parse(query, strlen(query), KR_SQL_MAX_LEN, &sql, &reason)
        != KR_OK)
    {
        fail_msg("%s: %s", query, reason.data);
    }

    kr_buf_free(&reason);

    return sql;
}


/* The sentence, or that there is none. */
static void
check(const char *query, int rc, const kr_buf_t *reason,
    const char *expected)
{
    const char  *text;

    text = reason->len == 0 ? "" : reason->data;

    if (rc != (expected == NULL ? KR_OK : KR_DECLINED)
        || (expected != NULL && strcmp(text, expected) != 0))
    {
        fail_msg("%s:\n  %d \"%s\", expected\n  \"%s\"", query, rc, text,
                 expected == NULL ? "nothing" : expected);
    }
}


static void no_table(world_t *w) { w->tables[0].exists = 0; }
static void no_right(world_t *w) { w->tables[0].readable = 0; }
static void inherited(world_t *w) { w->tables[0].parent = 1; }
static void view(world_t *w) { w->tables[0].kind = 'v'; }
static void matview(world_t *w) { w->tables[0].kind = 'm'; }
static void foreign(world_t *w) { w->tables[0].kind = 'f'; }
static void sequence(world_t *w) { w->tables[0].kind = 'S'; }
static void parted(world_t *w) { w->tables[0].kind = 'p'; }
static void leaf_foreign(world_t *w) { w->tables[0].leaves[0].kind = 'f'; }
static void leaf_temp(world_t *w) { w->tables[0].leaves[0].persistence = 't'; }
static void is_volatile(world_t *w) { w->functions[0].is_volatile = 1; }
static void is_set(world_t *w) { w->functions[0].set = 1; }
static void is_own(world_t *w) { w->functions[0].builtin = 0; }


static void
catalogs(world_t *w)
{
    w->tables[0].schema = facts_str("pg_catalog");
}


static void
schemas(world_t *w)
{
    w->tables[0].schema = facts_str("information_schema");
}


static void
implicit(world_t *w, char kind, const char *name, unsigned is_volatile)
{
    w->facts.nimplicit = 1;
    w->implicit[0].kind = kind;
    w->implicit[0].name = facts_str(name);
    w->implicit[0].function.is_volatile = is_volatile;
    w->implicit[0].function.aggregate = !is_volatile;
}


static void operator(world_t *w) { implicit(w, 'o', "+", 1); }
static void cast(world_t *w) { implicit(w, 't', "mood", 1); }
static void field(world_t *w) { implicit(w, 'f', "total", 1); }
static void aggregate(world_t *w) { implicit(w, 'f', "total", 0); }


static void
test_guard(void **state)
{
    int        rc;
    size_t     i;
    world_t    w;
    kr_buf_t   reason;
    kr_sql_t  *sql;

#define POSTS  "\"public\".\"posts\""

    static const struct {
        const char  *query;
        change_pt    change;
        const char  *expected;
    } cases[] = {
        { "select * from posts", NULL, NULL },
        { "select * from posts", parted, NULL },
        { "select * from posts", no_table, "there is no table \"posts\"" },
        { "select * from s.posts", no_table,
          "there is no table \"s\".\"posts\"" },
        { "select * from posts", catalogs, "\"pg_catalog\".\"posts\" belongs "
          "to PostgreSQL itself: only tables of your own can be subscribed "
          "to" },
        { "select * from posts", schemas, "\"information_schema\".\"posts\" "
          "belongs to PostgreSQL itself: only tables of your own can be "
          "subscribed to" },
        { "select * from posts", no_right,
          "the replicator's role may not SELECT from " POSTS },
        { "select * from posts", inherited, POSTS " has children that inherit "
          "from it, and its keys are not theirs: subscribe to one of them, "
          "or make it a partitioned table" },
        { "select * from posts", view, POSTS " is not a table but a view, "
          "whose changes are not in the WAL: subscribe to the tables that it "
          "reads" },
        { "select * from posts", matview, POSTS " is not a table but a "
          "materialized view, whose changes are not in the WAL: subscribe to "
          "the tables that it reads" },
        { "select * from posts", foreign, POSTS " is a foreign table, whose "
          "changes are in the WAL of another server" },
        { "select * from posts", sequence, POSTS " is not a table" },
        { "select * from posts", leaf_foreign, POSTS " is a foreign table: "
          "its changes are in the WAL of another server" },
        { "select * from posts", leaf_temp, POSTS " is unlogged or "
          "temporary: its changes are not in the WAL" },

        /* a sub-select's table, too */
        { "select * from users where id in (select userid from gone)", NULL,
          "there is no table \"gone\"" },

        { "select lower(topic) from posts", NULL, NULL },
        { "select f(topic) from posts", is_volatile, "function \"f\" is not "
          "allowed here, it is volatile: it may do or return something else "
          "each time" },
        { "select f(topic) from posts", is_set, "function \"f\" is not "
          "allowed here, it returns a set: a realtime query has one row per "
          "key" },
        { "select pg_typeof(topic) from posts", NULL, NULL },
        { "select pg_backend_pid() from posts", NULL, "function "
          "\"pg_backend_pid\" is not allowed here, it tells more of the "
          "server than the query's tables" },
        { "select current_setting('port') from posts", NULL, "function "
          "\"current_setting\" is not allowed here, it tells more of the "
          "server than the query's tables" },
        { "select pg_backend_pid() from posts", is_own, NULL },

        { "select id + 1 from posts", operator, "operator \"+\" is not "
          "allowed here, its function is volatile" },
        { "select topic::mood from posts", cast, "a cast to \"mood\" is not "
          "allowed here, its function is volatile" },
        { "select posts.total from posts", field, "a field cannot be told "
          "from the function \"total\", which is volatile" },
        { "select posts.total from posts", aggregate, "a field cannot be told "
          "from the function \"total\", which is not of one row: call it as "
          "a function" },

        /* where a query is run as a whole a volatile one alone is refused */
        { "select s.total from (select 1 as total from posts) s", aggregate,
          NULL },
        { "select s.total from (select 1 as total from posts) s", field,
          "a field cannot be told from the function \"total\", which is "
          "volatile" }
    };

    (void) state;

    memset(&reason, 0, sizeof(reason));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql = parse(cases[i].query);
        facts_make(&w, sql);

        if (cases[i].change != NULL) {
            cases[i].change(&w);
        }

        kr_buf_reset(&reason);
        rc = kr_judge_guard(&w.facts, sql, &reason);
        check(cases[i].query, rc, &reason, cases[i].expected);

        kr_sql_free(sql);
    }

    kr_buf_free(&reason);
}


/* An aggregate of the catalog makes another query of it. */
static void
test_guard_aggregate(void **state)
{
    world_t    w;
    kr_buf_t   reason;
    kr_sql_t  *sql;

    (void) state;

    memset(&reason, 0, sizeof(reason));

    sql = parse("select mine(userid) from posts");
    facts_make(&w, sql);

    assert_int_equal(kr_judge_guard(&w.facts, sql, &reason), KR_OK);
    assert_int_equal(kr_sql_mode(sql), KR_SQL_ROWWISE);
    assert_false(kr_judge_needs_shape(sql));

    w.functions[0].aggregate = 1;

    assert_int_equal(kr_judge_guard(&w.facts, sql, &reason), KR_OK);
    assert_int_equal(kr_sql_mode(sql), KR_SQL_RERUN);
    assert_true(kr_sql_is_grouped(sql));
    assert_true(kr_judge_needs_shape(sql));

    kr_sql_free(sql);
    kr_buf_free(&reason);
}


static void
test_needs_shape(void **state)
{
    size_t     i;
    kr_sql_t  *sql;

    static const struct {
        const char  *query;
        int          needed;
    } cases[] = {
        { "select * from posts", 0 },
        { "select * from posts p join users u on u.id = p.userid", 0 },
        { "select * from users where id in (select userid from posts)", 0 },
        { "select * from (select * from posts) p", 1 },
        { "with w as (select * from posts) select * from w", 1 },
        { "select id from posts union select id from users", 1 },
        { "select userid from posts group by userid", 1 },
        { "select distinct userid from posts", 1 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql = parse(cases[i].query);

        if (kr_judge_needs_shape(sql) != cases[i].needed) {
            fail_msg("%s", cases[i].query);
        }

        kr_sql_free(sql);
    }
}


static void
judge(const char *query, const char *spec, change_pt change,
    const kr_shape_t *shape, const char *expected,
    void (*found)(const world_t *w, const kr_target_t *t))
{
    int          rc;
    char         json[1024];
    world_t      w;
    kr_buf_t     reason;
    kr_sql_t    *sql;
    kr_spec_t    s;
    kr_target_t  target;

    memset(&reason, 0, sizeof(reason));

    snprintf(json, sizeof(json), "{\"field_value\":[\"1\"],\"event\":\"e\","
             "\"query\":\"select 1\",%s}", spec);

    if (kr_spec_parse(&s, json, strlen(json), &reason) != KR_OK) {
        fail_msg("%s: %s", json, reason.data);
    }

    sql = parse(query);
    facts_make(&w, sql);

    if (change != NULL) {
        change(&w);
    }

    rc = kr_judge(&w.facts, shape, sql, &s, &target, &reason);
    check(query, rc, &reason, expected);

    if (found != NULL) {
        found(&w, &target);
    }

    kr_sql_free(sql);
    kr_spec_free(&s);
    kr_buf_free(&reason);
}


#define EQ(field)  "\"equality\":\"eq\",\"table_field\":\"" field "\""
#define BOTH       "select p.* from posts p join users u on u.id = p.userid"


static void
test_field(void **state)
{
    size_t  i;

    static const struct {
        const char  *query;
        const char  *spec;
        const char  *expected;
    } cases[] = {
        { "select * from posts", EQ("userid"), NULL },
        { "select * from posts", EQ("USERID"), NULL },
        { "select * from posts", EQ("posts.userid"), NULL },
        { "select * from posts p", EQ("p.userid"), NULL },
        { "select * from posts p", EQ("p.userid") ",\"topic\":\"posts:1\"",
          NULL },
        { "select * from posts p", EQ("p.userid") ",\"topic\":\"p:1\"", NULL },
        { "select * from posts p", EQ("p.userid")
          ",\"topic\":\"public.posts:1\"", NULL },
        { BOTH, EQ("topic"), NULL },
        { BOTH, EQ("id") ",\"alias\":\"p\"", NULL },
        { BOTH, EQ("id") ",\"topic\":\"posts:1\"", NULL },
        { "select * from posts", EQ("score"), NULL },
        { "select * from posts", EQ("state"), NULL },

        { "select * from posts", EQ("nope"), "table_field \"nope\" is not a "
          "column of \"public\".\"posts\"" },
        { "select * from posts", EQ("\\\"USERID\\\""), "table_field "
          "\"\\\"USERID\\\"\" is not a column of \"public\".\"posts\"" },
        { BOTH, EQ("id"), "table_field \"id\" is a column of several tables "
          "in the query's FROM: write the table's alias before it" },
        { BOTH, EQ("nope"), "table_field \"nope\" is not a column of any "
          "table in the query's FROM" },
        { BOTH, EQ("id") ",\"alias\":\"x\"", "alias \"x\" is not what one "
          "table of the query's FROM is called" },
        { BOTH, EQ("p.userid") ",\"topic\":\"users:1\"", "topic \"users:1\" "
          "names another table than table_field, which is of "
          "\"public\".\"posts\"" },
        { "select * from posts", EQ("userid")
          ",\"topic\":\"other.posts:1\"", "topic \"other.posts:1\" names "
          "another table than table_field, which is of "
          "\"public\".\"posts\"" },

        { "select * from posts", EQ("doc"), "table_field \"doc\" is of type "
          "jsonb, which cannot be compared here" },
        { "select * from posts", EQ("folded"), "table_field \"folded\" is of "
          "type text with a nondeterministic collation, which cannot be "
          "compared here" },
        { "select * from users", EQ("twice"), "table_field \"twice\" is of "
          "type integer and computed when it is read (GENERATED ALWAYS AS ... "
          "VIRTUAL): its values are not in the WAL, make it STORED" },
        { "select * from posts", "\"equality\":\"contains\","
          "\"table_field\":\"state\"", "table_field \"state\" of type mood: "
          "equality \"contains\" is for text, and this is an enum" },
        { "select * from posts", "\"equality\":\"contains\","
          "\"table_field\":\"userid\"", "table_field \"userid\" of type "
          "integer: equality \"contains\" is for text, and the column is of "
          "type integer: use \"eq\"" },
        { "select * from posts", "\"equality\":\"gt\","
          "\"table_field\":\"userid\",\"field_value\":[\"1\",\"2\"]",
          "table_field \"userid\" of type integer: equality \"gt\" takes one "
          "value, not 2: a list is for \"eq\" and \"!eq\"" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        judge(cases[i].query, cases[i].spec, NULL, NULL, cases[i].expected,
              NULL);
    }
}


static void
is_primary(const world_t *w, const kr_target_t *t)
{
    assert_int_equal(t->of, KR_TARGET_TABLE);
    assert_int_equal(t->index, 0);
    assert_ptr_equal(t->table, &w->tables[0]);
    assert_ptr_equal(t->field, &w->tables[0].columns[1]);
    assert_int_equal(t->op, KR_EQ);
    assert_false(t->key_of_result);
    assert_int_equal(t->key_index, 0);
    assert_ptr_equal(t->key_table, &w->tables[0]);
    assert_ptr_equal(t->key, &w->tables[0].keys[0]);
}


static void
is_pair(const world_t *w, const kr_target_t *t)
{
    assert_ptr_equal(t->key, &w->tables[0].keys[1]);
}


static void
is_users(const world_t *w, const kr_target_t *t)
{
    assert_ptr_equal(t->table, &w->tables[0]);
    assert_int_equal(t->key_index, 1);
    assert_ptr_equal(t->key_table, &w->tables[1]);
    assert_ptr_equal(t->key, &w->tables[1].keys[0]);
}


static void
is_value(const world_t *w, const kr_target_t *t)
{
    is_primary(w, t);
    assert_int_equal(t->key_texts, 0);
    assert_false(t->key_missing);
}


static void
is_text(const world_t *w, const kr_target_t *t)
{
    is_primary(w, t);
    assert_int_equal(t->key_texts, 1);
}


static void
is_second_text(const world_t *w, const kr_target_t *t)
{
    is_pair(w, t);
    assert_int_equal(t->key_texts, 2);
    assert_false(t->key_missing);
}


static void
is_missing(const world_t *w, const kr_target_t *t)
{
    (void) w;

    assert_true(t->key_missing);
}


static void
wide_key(world_t *w)
{
    static const kr_table_column_t  *columns[5];

    columns[0] = &w->tables[0].columns[0];
    columns[1] = &w->tables[0].columns[1];
    columns[2] = &w->tables[0].columns[2];
    columns[3] = &w->tables[0].columns[3];
    columns[4] = &w->tables[0].columns[6];

    w->tables[0].keys[0].ncolumns = 5;
    w->tables[0].keys[0].columns = columns;
}


static void
doc_key(world_t *w)
{
    w->storage[0].parts[0] = &w->tables[0].columns[4];
}


static void
folded_key(world_t *w)
{
    w->storage[0].parts[0] = &w->tables[0].columns[5];
}


static void
test_key(void **state)
{
    size_t  i;

#define NOTES  "select * from notes"
#define NO_KEY "\"public\".\"notes\" has no primary key: name the columns of "\
               "a unique index, none of which may be NULL, in pk"
#define OTHER  "the query has a column \"id\" that is not that of the key, "  \
               "\"public\".\"posts\".\"id\": give it another name with AS"
#define CAST(name)  "a cast may change what tells the rows apart, \"" name    \
                    "\": select the column as it is, or as \"" name           \
                    "\"::text, or give the cast another name with AS"

    static const struct {
        const char  *query;
        const char  *spec;
        change_pt    change;
        const char  *expected;
        void       (*found)(const world_t *w, const kr_target_t *t);
    } cases[] = {
        { "select * from posts", EQ("userid"), NULL, NULL, is_primary },
        { "select * from posts", EQ("userid") ",\"pk\":\"id\"", NULL, NULL,
          is_primary },
        { "select * from posts", EQ("id") ",\"pk\":\"topic,userid\"", NULL,
          NULL, is_pair },
        { BOTH, EQ("topic") ",\"pk\":\"u.id\"", NULL, "the query has a "
          "column \"id\" that is not that of the key, \"public\".\"users\"."
          "\"id\": give it another name with AS, and each a place instead "
          "of \"*\"", NULL },
        { "select u.id, p.topic from posts p join users u on u.id = p.userid",
          EQ("topic") ",\"pk\":\"u.id\"", NULL, NULL, is_users },

        { NOTES, EQ("c"), NULL, NO_KEY, NULL },
        { NOTES, EQ("c") ",\"pk\":\"a\"", NULL, "pk \"a\" is neither the "
          "primary key nor unique and never NULL in "
          "\"public\".\"notes\"", NULL },
        { "select * from posts", EQ("id") ",\"pk\":\"topic\"", NULL,
          "pk \"topic\" is only a part of a key of \"public\".\"posts\": "
          "name the whole, \"userid,topic\"", NULL },
        { "select * from posts", EQ("id") ",\"pk\":\"score\"", NULL,
          "pk \"score\" is neither the primary key nor unique and never NULL "
          "in \"public\".\"posts\": use \"id\"", NULL },
        { "select * from posts", EQ("id") ",\"pk\":\"nope\"", NULL,
          "pk \"nope\" is not a column of \"public\".\"posts\"", NULL },
        { BOTH, EQ("topic") ",\"pk\":\"p.id,u.id\"", NULL, "pk \"p.id,u.id\" "
          "names columns of more than one table", NULL },
        { "select * from posts", EQ("id"), wide_key, "a key of 5 columns "
          "cannot be served, which may have 4", NULL },
        { "select * from posts", EQ("id"), doc_key, "pk \"doc\" is of type "
          "jsonb, which cannot tell rows apart here", NULL },
        { "select * from posts", EQ("id"), folded_key, "pk \"folded\" is of "
          "type text with a nondeterministic collation, which cannot tell "
          "rows apart here", NULL },

        /* a column that is called like the key's, and is another */
        { "select userid as id, topic from posts", EQ("userid"), NULL, OTHER,
          NULL },
        { "select p.*, u.* from posts p join users u on true",
          EQ("p.userid") ",\"pk\":\"p.id\"", NULL, OTHER
          ", and each a place instead of \"*\"", NULL },
        { "select id::date from posts", EQ("userid") ",\"pk\":\"topic,"
          "userid\"", NULL, NULL, is_pair },

        /* its name, where there is no AS */
        { "select (topic collate \"C\")::text, case when true then userid "
          "else id end from posts", EQ("userid"), NULL, OTHER, NULL },
        { "select (doc).id from posts", EQ("userid"), NULL, OTHER, NULL },
        { "select (select u.id from users u union select 1) from posts p",
          EQ("p.userid"), NULL, OTHER, NULL },

        /* how the result prints it; the last column of the name counts */
        { "select * from posts", EQ("userid"), NULL, NULL, is_value },
        { "select p.id::text, topic from posts p", EQ("userid"), NULL, NULL,
          is_text },
        { "select cast(id as varchar) as id from posts", EQ("userid"), NULL,
          NULL, is_text },
        { "select id::pg_catalog.text from posts", EQ("userid"), NULL, NULL,
          is_text },
        { "select id::numeric::text from posts", EQ("userid"), NULL, NULL,
          is_text },
        { "select id::text::numeric from posts", EQ("userid"), NULL, NULL,
          is_value },
        { "select *, id::text from posts", EQ("userid"), NULL, NULL,
          is_text },
        { "select id::text, * from posts", EQ("userid"), NULL, NULL,
          is_value },
        { "select id::text as post from posts", EQ("userid"), NULL, NULL,
          is_missing },
        { "select userid, topic collate \"C\"::text from posts",
          EQ("id") ",\"pk\":\"userid,topic\"", NULL, NULL, is_second_text },

        /* not at all, or not all of it */
        { "select from posts", EQ("userid"), NULL, NULL, is_missing },
        { "select userid from posts", EQ("id") ",\"pk\":\"userid,topic\"",
          NULL, NULL, is_missing },
        { "select u.* from posts p join users u on true", EQ("p.userid"),
          NULL, OTHER ", and each a place instead of \"*\"", NULL },
        { "select n.* from posts p join notes n on true", EQ("p.userid"),
          NULL, NULL, is_missing },
        { "select id, topic as key from posts", EQ("userid"), NULL, NULL,
          is_value },
        { "select topic as key from posts", EQ("userid"), NULL,
          "the query does not select its key, \"id\", and has another column "
          "\"key\", where the server would add it: select the key, or give "
          "the other column another name with AS", NULL },

        { "select id::float8 from posts", EQ("userid"), NULL, CAST("id"),
          NULL },
        { "select id::float8::text as id from posts", EQ("userid"), NULL,
          CAST("id"), NULL },
        { "select id::my.text from posts", EQ("userid"), NULL, CAST("id"),
          NULL },
        { "select id::text[] from posts", EQ("userid"), NULL, CAST("id"),
          NULL },
        { "select topic::varchar(3), userid from posts", EQ("id")
          ",\"pk\":\"userid,topic\"", NULL, CAST("topic"), NULL },
        { "select topic::int, userid from posts", EQ("id")
          ",\"pk\":\"userid,topic\"", NULL, CAST("topic"), NULL }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        judge(cases[i].query, cases[i].spec, cases[i].change, NULL,
              cases[i].expected, cases[i].found);
    }
}


static void
no_field(world_t *w)
{
    w->tables[0].columns[1].identity = 0;
}


static void
no_id(world_t *w)
{
    w->tables[0].columns[0].identity = 0;
}


static void
not_logged(world_t *w)
{
    w->tables[1].leaves[0].logged = 0;
}


static void
leaves(world_t *w, size_t n)
{
    size_t  i;

    w->tables[0].kind = 'p';
    w->tables[0].nleaves = n;

    for (i = 0; i < n; i++) {
        w->tables[0].leaves[i] = w->tables[0].leaves[0];
        w->tables[0].leaves[i].name = facts_str("part");
    }

    no_field(w);
}


static void two(world_t *w) { leaves(w, 2); }
static void ten(world_t *w) { leaves(w, 10); }
static void eleven(world_t *w) { leaves(w, 11); }


/* The WAL must hold what tells who loses a row. */
static void
test_identity(void **state)
{
    size_t  i;

#define LACKS(table)                                                          \
    "the WAL does not hold the old rows of " table ", which are needed to"    \
    " tell who loses a row: run"
#define ALTER(table)  " ALTER TABLE \"public\".\"" table                      \
                      "\" REPLICA IDENTITY FULL;"
#define FIVE  ALTER("part") ALTER("part") ALTER("part") ALTER("part")         \
              ALTER("part")

    static const struct {
        const char  *query;
        change_pt    change;
        const char  *expected;
    } cases[] = {
        { "select * from posts", NULL, NULL },
        { "select * from posts", no_field, LACKS(POSTS) ALTER("posts") },
        { "select * from posts", no_id, LACKS(POSTS) ALTER("posts") },
        { "select * from posts", two,
          LACKS(POSTS) ALTER("part") ALTER("part") },
        { "select * from posts", ten, LACKS(POSTS) FIVE FIVE },
        { "select * from posts", eleven, LACKS(POSTS) FIVE FIVE
          " and so on for each partition" },

        /* of a query that is run as a whole the key is not needed */
        { BOTH, no_id, NULL },
        { BOTH, no_field, LACKS(POSTS) ALTER("posts") },

        /* nor is more of its other tables than that there was a change */
        { BOTH, not_logged, "the WAL does not tell of updates and deletes in "
          "\"public\".\"users\", which are needed to tell who loses a row: "
          "run" ALTER("users") }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        judge(cases[i].query, EQ("userid"), cases[i].change, NULL,
              cases[i].expected, NULL);
    }
}


static void
is_item(const world_t *w, const kr_target_t *t)
{
    (void) w;

    assert_int_equal(t->of, KR_TARGET_ITEM);
    assert_int_equal(t->index, 0);
    assert_null(t->table);
    assert_string_equal(t->field->name.data, "n");
    assert_true(t->key_of_result);
}


static void
is_result(const world_t *w, const kr_target_t *t)
{
    (void) w;

    assert_int_equal(t->of, KR_TARGET_RESULT);
    assert_null(t->table);
    assert_string_equal(t->field->name.data, "n");
    assert_true(t->key_of_result);
}


static void
is_grouped(const world_t *w, const kr_target_t *t)
{
    assert_int_equal(t->of, KR_TARGET_TABLE);
    assert_ptr_equal(t->table, &w->tables[0]);
    assert_true(t->key_of_result);
}


/* Columns that are of no table: what PostgreSQL describes. */
static void
test_shape(void **state)
{
    size_t             i;
    kr_shape_t         shape;
    kr_table_t         item;
    kr_table_column_t  result[3], columns[3];

#define SUB    "select s.n, s.id from (select id, userid as n from posts) s"
#define UNION  "select id, userid as n from posts union all"                  \
               " select id, id from users"

    static const struct {
        const char  *query;
        const char  *spec;
        const char  *expected;
        void       (*found)(const world_t *w, const kr_target_t *t);
    } cases[] = {
        { SUB, EQ("s.n") ",\"pk\":\"id\"", NULL, is_item },
        { SUB, EQ("n") ",\"pk\":\"s.id\"", NULL, is_item },
        { SUB, EQ("n") ",\"topic\":\"posts:1\"", NULL, is_item },
        { SUB, EQ("n") ",\"topic\":\"s:1\"", NULL, is_item },
        { UNION, EQ("n") ",\"pk\":\"id\"", NULL, is_result },
        { UNION, EQ("N") ",\"topic\":\"users:1\"", NULL, is_result },
        { "select userid, count(*) as n from posts group by userid",
          EQ("userid") ",\"pk\":\"userid\"", NULL, is_grouped },

        { SUB, EQ("s.nope") ",\"pk\":\"id\"", "table_field \"s.nope\" is not "
          "a column of \"s\": select it there", NULL },
        { SUB, EQ("nope") ",\"pk\":\"id\"", "table_field \"nope\" is not a "
          "column of \"s\": select it there", NULL },
        { SUB " join users u on true", EQ("nope") ",\"pk\":\"id\"",
          "table_field \"nope\" is not a column of anything in the query's "
          "FROM, nor of its result: select it in the sub-select or WITH",
          NULL },
        { SUB " join users u on true", EQ("id") ",\"pk\":\"id\"",
          "table_field \"id\" is a column of several tables in the query's "
          "FROM: write the table's alias before it", NULL },
        { SUB, EQ("n") ",\"topic\":\"users:1\"", "topic \"users:1\" names a "
          "table that the query does not read", NULL },
        { UNION, EQ("nope") ",\"pk\":\"id\"", "table_field \"nope\" is not a "
          "column of the query's result: select it", NULL },
        { UNION, EQ("doc") ",\"pk\":\"id\"", "table_field \"doc\" is of type "
          "jsonb, which cannot be compared here", NULL }
    };

    (void) state;

    memset(&shape, 0, sizeof(shape));
    memset(&item, 0, sizeof(item));

    shape.result.columns = result;
    facts_column(&shape.result, "n", KR_OID_INT4, "integer");
    facts_column(&shape.result, "id", KR_OID_INT8, "bigint");
    facts_column(&shape.result, "doc", OID_JSONB, "jsonb");

    item.columns = columns;
    facts_column(&item, "id", KR_OID_INT8, "bigint");
    facts_column(&item, "n", KR_OID_INT4, "integer");

    shape.nitems = 1;
    shape.items = &item;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        judge(cases[i].query, cases[i].spec, NULL, &shape, cases[i].expected,
              cases[i].found);
    }

    facts_column(&item, "n", KR_OID_INT4, "integer");

    judge(SUB, EQ("s.n") ",\"pk\":\"id\"", NULL, &shape, "table_field \"s.n\""
          " is several columns of \"s\": give each a name of its own there",
          NULL);

    shape.result.columns[2] = shape.result.columns[0];

    judge(UNION, EQ("n") ",\"pk\":\"id\"", NULL, &shape, "table_field \"n\" "
          "is several columns of the query's result: give each a name of its "
          "own with AS", NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_guard_aggregate),
        cmocka_unit_test(test_needs_shape),
        cmocka_unit_test(test_field),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_shape)
    };

    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
