/*
 * Facts made by hand, as PostgreSQL would give them for three tables:
 *
 *     posts   id bigint, userid integer, topic text, state an enum,
 *             doc jsonb, folded text with a nondeterministic collation,
 *             score of a domain over integer; primary key id; unique
 *             (userid, topic)
 *     users   id integer, name text, twice integer, which is virtual; primary
 *             key id
 *     notes   a bigint, b bigint, c text, without a key
 *
 * cmocka.h comes before it.
 */

#ifndef _FACTS_HELP_H_INCLUDED_
#define _FACTS_HELP_H_INCLUDED_


#include "kr_facts.h"
#include "kr_oid.h"
#include "kr_sql.h"


#define OID_STATE   70001
#define OID_JSONB   3802
#define OID_SCORE   70002

#define MAX_TABLES  4
#define MAX_LEAVES  12


typedef struct {
    kr_table_column_t         columns[7];
    const kr_table_column_t  *parts[3];
    kr_table_key_t            keys[2];
    kr_table_leaf_t           leaves[MAX_LEAVES];
} table_t;


typedef struct {
    table_t                   storage[MAX_TABLES];
    kr_table_t                tables[MAX_TABLES];
    kr_function_t             functions[4];
    kr_implicit_t             implicit[1];
    kr_facts_t                facts;
} world_t;


static kr_str_t
facts_str(const char *text)
{
    kr_str_t  s;

    s.data = text;
    s.len = strlen(text);

    return s;
}


static kr_table_column_t *
facts_column(kr_table_t *t, const char *name, uint32_t type,
    const char *type_name)
{
    kr_table_column_t  *c;

    c = &t->columns[t->ncolumns++];
    memset(c, 0, sizeof(kr_table_column_t));

    c->name = facts_str(name);
    c->type = type;
    c->type_name = facts_str(type_name);
    c->base = type;
    c->base_name = c->type_name;
    c->printed = (type != OID_JSONB);
    c->identity = 1;

    return c;
}


static void
facts_posts(kr_table_t *t, table_t *st)
{
    kr_table_column_t  *c;

    facts_column(t, "id", KR_OID_INT8, "bigint");
    facts_column(t, "userid", KR_OID_INT4, "integer");
    facts_column(t, "topic", KR_OID_TEXT, "text");
    facts_column(t, "state", OID_STATE, "mood")->enumerated = 1;
    facts_column(t, "doc", OID_JSONB, "jsonb");
    facts_column(t, "folded", KR_OID_TEXT, "text")->fuzzy = 1;

    c = facts_column(t, "score", OID_SCORE, "points");
    c->base = KR_OID_INT4;
    c->base_name = facts_str("integer");

    st->parts[0] = &t->columns[0];
    st->keys[0].primary = 1;
    st->keys[0].ncolumns = 1;
    st->keys[0].columns = &st->parts[0];

    st->parts[1] = &t->columns[1];
    st->parts[2] = &t->columns[2];
    st->keys[1].primary = 0;
    st->keys[1].ncolumns = 2;
    st->keys[1].columns = &st->parts[1];

    t->nkeys = 2;
}


static void
facts_table(kr_table_t *t, table_t *st, const kr_str_t *name)
{
    memset(t, 0, sizeof(kr_table_t));
    memset(st, 0, sizeof(table_t));

    t->schema = facts_str("public");
    t->name = *name;
    t->shape = facts_str("t 1 r\n");
    t->exists = 1;
    t->readable = 1;
    t->kind = 'r';
    t->persistence = 'p';
    t->columns = st->columns;
    t->keys = st->keys;

    t->nleaves = 1;
    t->leaves = st->leaves;
    t->leaves[0].schema = t->schema;
    t->leaves[0].name = t->name;
    t->leaves[0].kind = 'r';
    t->leaves[0].persistence = 'p';
    t->leaves[0].logged = 1;

    if (strcmp(name->data, "posts") == 0) {
        facts_posts(t, st);

    } else if (strcmp(name->data, "users") == 0) {
        facts_column(t, "id", KR_OID_INT4, "integer");
        facts_column(t, "name", KR_OID_TEXT, "text");
        facts_column(t, "twice", KR_OID_INT4, "integer")->computed = 1;

        st->parts[0] = &t->columns[0];
        st->keys[0].primary = 1;
        st->keys[0].ncolumns = 1;
        st->keys[0].columns = st->parts;
        t->nkeys = 1;

    } else if (strcmp(name->data, "notes") == 0) {
        facts_column(t, "a", KR_OID_INT8, "bigint");
        facts_column(t, "b", KR_OID_INT8, "bigint");
        facts_column(t, "c", KR_OID_TEXT, "text");

    } else {
        t->exists = 0;
    }
}


/* The facts of the query's tables and functions, all of which are plain. */
static void
facts_make(world_t *w, const kr_sql_t *sql)
{
    size_t                 i, n;
    const kr_sql_table_t  *tables;

    memset(w, 0, sizeof(world_t));

    tables = kr_sql_tables(sql, &n);
    assert_true(n <= MAX_TABLES);

    w->facts.refs = 1;
    w->facts.ntables = n;
    w->facts.tables = w->tables;

    for (i = 0; i < n; i++) {
        facts_table(&w->tables[i], &w->storage[i], &tables[i].name);
    }

    (void) kr_sql_functions(sql, &n);
    assert_true(n <= 4);

    w->facts.nfunctions = n;
    w->facts.functions = w->functions;
    w->facts.implicit = w->implicit;

    for (i = 0; i < n; i++) {
        w->functions[i].builtin = 1;
    }
}


#endif /* _FACTS_HELP_H_INCLUDED_ */
