/*
 * Whether a query may run at all: its tables are the users' own, and no
 * function that it calls does more than compute.  What passes runs READ ONLY
 * and for a bounded time.
 */

#include <string.h>

#include "kr_judge_private.h"


static int kr_guard_table(const kr_table_t *t, const kr_sql_table_t *st,
    kr_buf_t *reason);
static int kr_guard_kind(const kr_table_t *t, kr_buf_t *reason);
static int kr_guard_leaves(const kr_table_t *t, kr_buf_t *reason);
static int kr_guard_functions(const kr_facts_t *fa, kr_sql_t *sql,
    kr_buf_t *reason);
static int kr_guard_builtin(const kr_str_t *name, kr_buf_t *reason);
static int kr_guard_implicit(const kr_facts_t *fa, kr_sql_t *sql,
    kr_buf_t *reason);
static int kr_guard_ends(const kr_str_t *name, const char *text);
static int kr_guard_begins(const kr_str_t *name, const char *text);


/*
 * PostgreSQL's own functions named pg_... show the server, its files, its
 * sessions and its statistics.  All but these are refused, although most are
 * not volatile.
 */
static const char *const  kr_guard_allowed[] = {
    "pg_collation_for", "pg_column_size", "pg_size_bytes", "pg_size_pretty",
    "pg_typeof", NULL
};


/* how the names of refused functions begin */
static const char *const  kr_guard_refused[] = {
    "pg_", "current_setting", "inet_client_", "inet_server_", "txid_",
    "database_to_xml", "schema_to_xml", "table_to_xml", NULL
};


int
kr_judge_guard(const kr_facts_t *fa, kr_sql_t *sql, kr_buf_t *reason)
{
    size_t                 i, n;
    const kr_sql_table_t  *st;

    st = kr_sql_tables(sql, &n);

    for (i = 0; i < n; i++) {
        if (kr_guard_table(&fa->tables[i], &st[i], reason) != KR_OK) {
            return KR_DECLINED;
        }
    }

    if (kr_guard_functions(fa, sql, reason) != KR_OK) {
        return KR_DECLINED;
    }

    return kr_guard_implicit(fa, sql, reason);
}


static int
kr_guard_table(const kr_table_t *t, const kr_sql_table_t *st,
    kr_buf_t *reason)
{
    if (!t->exists) {
        kr_buf_str(reason, "there is no table ");

        if (st->schema.len != 0) {
            kr_buf_ident(reason, st->schema.data, st->schema.len);
            kr_buf_str(reason, ".");
        }

        kr_buf_ident(reason, st->name.data, st->name.len);
        return KR_DECLINED;
    }

    if (strcmp(t->schema.data, "information_schema") == 0
        || strncmp(t->schema.data, "pg_", 3) == 0)
    {
        kr_judge_name(t, reason);
        kr_buf_str(reason, " belongs to PostgreSQL itself: only tables of "
                   "your own can be subscribed to");
        return KR_DECLINED;
    }

    if (!t->readable) {
        kr_buf_str(reason, "the replicator's role may not SELECT from ");
        kr_judge_name(t, reason);
        return KR_DECLINED;
    }

    if (kr_guard_kind(t, reason) != KR_OK) {
        return KR_DECLINED;
    }

    return kr_guard_leaves(t, reason);
}


static int
kr_guard_kind(const kr_table_t *t, kr_buf_t *reason)
{
    kr_judge_name(t, reason);

    switch (t->kind) {

    case 'r':
        if (t->parent) {
            kr_buf_str(reason, " has children that inherit from it, and its "
                       "keys are not theirs: subscribe to one of them, or "
                       "make it a partitioned table");
            return KR_DECLINED;
        }

        /* fall through */

    case 'p':
        kr_buf_reset(reason);
        return KR_OK;

    case 'v':
        kr_buf_str(reason, " is not a table but a view, whose changes are "
                   "not in the WAL: subscribe to the tables that it reads");
        return KR_DECLINED;

    case 'm':
        kr_buf_str(reason, " is not a table but a materialized view, whose "
                   "changes are not in the WAL: subscribe to the tables that "
                   "it reads");
        return KR_DECLINED;

    case 'f':
        kr_buf_str(reason, " is a foreign table, whose changes are in the "
                   "WAL of another server");
        return KR_DECLINED;

    default:
        kr_buf_str(reason, " is not a table");
        return KR_DECLINED;
    }
}


static int
kr_guard_leaves(const kr_table_t *t, kr_buf_t *reason)
{
    size_t                  i;
    const char             *what;
    const kr_table_leaf_t  *leaf;

    for (i = 0; i < t->nleaves; i++) {
        leaf = &t->leaves[i];

        if (leaf->kind != 'r') {
            what = "a foreign table: its changes are in the WAL of another "
                   "server";

        } else if (leaf->persistence != 'p') {
            what = "unlogged or temporary: its changes are not in the WAL";

        } else {
            continue;
        }

        kr_buf_ident(reason, leaf->schema.data, leaf->schema.len);
        kr_buf_str(reason, ".");
        kr_buf_ident(reason, leaf->name.data, leaf->name.len);
        kr_buf_printf(reason, " is %s", what);
        return KR_DECLINED;
    }

    return KR_OK;
}


static int
kr_guard_functions(const kr_facts_t *fa, kr_sql_t *sql, kr_buf_t *reason)
{
    size_t                    i, n;
    const char               *why;
    const kr_function_t      *f;
    const kr_sql_function_t  *sf;

    sf = kr_sql_functions(sql, &n);

    for (i = 0; i < n; i++) {
        f = &fa->functions[i];

        if (f->is_volatile) {
            why = "is volatile: it may do or return something else each time";

        } else if (f->set) {
            why = "returns a set: a realtime query has one row per key";

        } else if (f->builtin
                   && kr_guard_builtin(&sf[i].name, reason) != KR_OK)
        {
            return KR_DECLINED;

        } else {
            if (f->aggregate) {
                kr_sql_set_aggregate(sql, i);
            }

            continue;
        }

        kr_buf_str(reason, "function ");
        kr_buf_ident(reason, sf[i].name.data, sf[i].name.len);
        kr_buf_printf(reason, " is not allowed here, it %s", why);
        return KR_DECLINED;
    }

    return KR_OK;
}


static int
kr_guard_builtin(const kr_str_t *name, kr_buf_t *reason)
{
    const char *const  *p;

    for (p = kr_guard_allowed; *p != NULL; p++) {
        if (kr_guard_begins(name, *p) && kr_guard_ends(name, *p)) {
            return KR_OK;
        }
    }

    for (p = kr_guard_refused; *p != NULL; p++) {
        if (kr_guard_begins(name, *p)) {
            kr_buf_str(reason, "function ");
            kr_buf_ident(reason, name->data, name->len);
            kr_buf_str(reason, " is not allowed here, it tells more of the "
                       "server than the query's tables");
            return KR_DECLINED;
        }
    }

    return KR_OK;
}


static int
kr_guard_implicit(const kr_facts_t *fa, kr_sql_t *sql, kr_buf_t *reason)
{
    size_t              i;
    const char         *what;
    const kr_implicit_t  *h;

    for (i = 0; i < fa->nimplicit; i++) {
        h = &fa->implicit[i];

        /* one among many tables may be the name of a sub-select's column */

        if (!h->function.is_volatile && kr_sql_mode(sql) == KR_SQL_RERUN) {
            continue;
        }

        what = h->kind == 'o' ? "operator" : h->kind == 't' ? "a cast to"
               : "a field cannot be told from the function";

        kr_buf_printf(reason, "%s ", what);
        kr_buf_ident(reason, h->name.data, h->name.len);
        kr_buf_str(reason, h->function.is_volatile
                   ? (h->kind == 'f' ? ", which is volatile"
                      : " is not allowed here, its function is volatile")
                   : ", which is not of one row: call it as a function");
        return KR_DECLINED;
    }

    return KR_OK;
}


static int
kr_guard_begins(const kr_str_t *name, const char *text)
{
    size_t  len;

    len = strlen(text);

    return name->len >= len && memcmp(name->data, text, len) == 0;
}


static int
kr_guard_ends(const kr_str_t *name, const char *text)
{
    return name->len == strlen(text);
}
