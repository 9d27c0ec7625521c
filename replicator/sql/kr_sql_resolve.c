/*
 * The column that a client names: its table or item in the query, or its name
 * in the result.  The columns of a table are in the catalog; only PostgreSQL
 * can list the columns of an item.
 */

#include <string.h>

#include "kr_sql_private.h"


static int kr_sql_read_name(const kr_sql_t *sql, const kr_str_t *name,
    int result, kr_sql_ref_t *ref, kr_buf_t *reason);
static int kr_sql_split(const kr_str_t *name, kr_sql_part_t *parts,
    size_t *n);
static const char *kr_sql_part(const char *p, const char *end,
    kr_sql_part_t *part);
static int kr_sql_find(const kr_sql_t *sql, const kr_str_t *name,
    const kr_sql_part_t *schema, const kr_sql_part_t *table,
    kr_sql_ref_t *ref, kr_buf_t *reason);
static size_t kr_sql_count(const kr_sql_t *sql, int top, int alias,
    int folded, const kr_sql_part_t *schema, const kr_sql_part_t *table,
    size_t *found);
static size_t kr_sql_count_items(const kr_sql_t *sql, int folded,
    const kr_sql_part_t *table, size_t *found);
static void kr_sql_any(const kr_sql_t *sql, kr_sql_ref_t *ref);
static int kr_sql_in_result(const kr_sql_t *sql, const kr_str_t *name,
    kr_sql_part_t *parts, size_t n, kr_buf_t *reason);


int
kr_sql_resolve(const kr_sql_t *sql, const kr_str_t *name, kr_sql_ref_t *ref,
    kr_buf_t *reason)
{
    return kr_sql_read_name(sql, name, sql->closed, ref, reason);
}


int
kr_sql_resolve_result(const kr_sql_t *sql, const kr_str_t *name,
    kr_sql_ref_t *ref, kr_buf_t *reason)
{
    return kr_sql_read_name(sql, name, 1, ref, reason);
}


static int
kr_sql_read_name(const kr_sql_t *sql, const kr_str_t *name, int result,
    kr_sql_ref_t *ref, kr_buf_t *reason)
{
    int             rc;
    size_t          i, n;
    kr_sql_part_t  *last, parts[KR_SQL_PARTS];

    memset(parts, 0, sizeof(parts));

    ref->table = 0;
    ref->item = 0;
    ref->result = (result != 0);
    ref->any = 0;
    kr_buf_reset(&ref->column);

    rc = kr_sql_split(name, parts, &n);
    ref->named = (n > 1);

    if (rc == KR_DECLINED) {
        kr_buf_json(reason, name->data, name->len);
        kr_buf_str(reason, " is not the name of a column, as \"id\" or"
                   " \"p.id\"");

    } else if (rc == KR_OK && result) {
        rc = kr_sql_in_result(sql, name, parts, n, reason);

    } else if (rc == KR_OK && n == 1) {
        kr_sql_any(sql, ref);

    } else if (rc == KR_OK) {
        rc = kr_sql_find(sql, name, n == 3 ? &parts[0] : NULL, &parts[n - 2],
                         ref, reason);
    }

    if (rc == KR_OK) {
        last = &parts[n - 1];
        ref->quoted = last->quoted;
        kr_buf_append(&ref->column, last->text.data, last->text.len);
        rc = ref->column.failed || last->text.failed ? KR_ERROR : KR_OK;
    }

    for (i = 0; i < KR_SQL_PARTS; i++) {
        kr_buf_free(&parts[i].text);
    }

    return rc;
}


/*
 * Splits a name at its points.  KR_OK: *n parts, none of them empty; KR_ERROR:
 * no memory; KR_DECLINED: it is no name.
 */
static int
kr_sql_split(const kr_str_t *name, kr_sql_part_t *parts, size_t *n)
{
    const char  *p, *end;

    p = name->data;
    end = p + name->len;

    for (*n = 0; *n < KR_SQL_PARTS; p++) {

        p = kr_sql_part(p, end, &parts[*n]);

        if (parts[*n].text.failed) {
            return KR_ERROR;
        }

        if (p == NULL || parts[*n].text.len == 0) {
            return KR_DECLINED;
        }

        (*n)++;

        if (p == end) {
            return KR_OK;
        }
    }

    return KR_DECLINED;
}


/* Reads a part.  Returns the next point, or the end; NULL: it is no part. */
static const char *
kr_sql_part(const char *p, const char *end, kr_sql_part_t *part)
{
    const char  *s;

    if (p == end || *p != '"') {

        for (s = p; s < end && *s != '.'; s++) {
            if (*s == '"') {
                return NULL;
            }
        }

        kr_buf_append(&part->text, p, (size_t) (s - p));
        return s;
    }

    part->quoted = 1;

    for (p++; p < end; p++) {

        if (*p == '"') {
            if (p + 1 == end || p[1] != '"') {
                return p + 1 == end || p[1] == '.' ? p + 1 : NULL;
            }

            p++;
        }

        kr_buf_append(&part->text, p, 1);
    }

    return NULL;
}


static int
kr_sql_find(const kr_sql_t *sql, const kr_str_t *name,
    const kr_sql_part_t *schema, const kr_sql_part_t *table,
    kr_sql_ref_t *ref, kr_buf_t *reason)
{
    int     alias, folded;
    size_t  n, items;

    n = 0;

    for (alias = 1; n == 0 && alias >= 0; alias--) {
        for (folded = 0; n == 0 && folded < 2; folded++) {
            n = kr_sql_count(sql, 1, alias, folded, schema, table,
                             &ref->table);

            if (alias && schema == NULL) {
                items = kr_sql_count_items(sql, folded, table, &ref->table);
                ref->item = (items != 0);
                n += items;
            }
        }
    }

    if (n == 1) {
        return KR_OK;
    }

    kr_buf_json(reason, name->data, name->len);

    if (n > 1) {
        kr_buf_printf(reason, " is ambiguous: the query reads %zu tables of"
                      " this name, give each an alias of its own", n);

    } else if (kr_sql_count(sql, 0, 0, 1, schema, table, &n) != 0
               || kr_sql_count(sql, 0, 1, 1, schema, table, &n) != 0)
    {
        kr_buf_str(reason, " is of a table that only a sub-select or a WITH"
                   " of the query reads: select it there, and name it as"
                   " the query's own FROM has it");

    } else {
        kr_buf_str(reason, " is of no table in the query's FROM: write the"
                   " table's alias before the point");
    }

    return KR_DECLINED;
}


/* The number of tables that the name may refer to, and the first of them. */
static size_t
kr_sql_count(const kr_sql_t *sql, int top, int alias, int folded,
    const kr_sql_part_t *schema, const kr_sql_part_t *table, size_t *found)
{
    size_t                 i, n;
    const kr_sql_table_t  *tb;

    for (i = 0, n = 0; i < sql->ntables; i++) {
        tb = &sql->tables[i];

        if (tb->top != (unsigned) top
            || !kr_sql_same(alias ? kr_sql_called(sql, i) : &tb->name,
                            table, folded)
            || (schema != NULL && tb->schema.len != 0
                && !kr_sql_same(&tb->schema, schema, folded)))
        {
            continue;
        }

        if (n++ == 0) {
            *found = i;
        }
    }

    return n;
}


static size_t
kr_sql_count_items(const kr_sql_t *sql, int folded,
    const kr_sql_part_t *table, size_t *found)
{
    size_t  i, n;

    for (i = 0, n = 0; i < sql->nitems; i++) {

        if (kr_sql_same(&sql->items[i], table, folded) && n++ == 0) {
            *found = i;
        }
    }

    return n;
}


/* The first table, or item, for a column that is named without one. */
static void
kr_sql_any(const kr_sql_t *sql, kr_sql_ref_t *ref)
{
    size_t  i, n;

    for (i = 0, n = 0; i < sql->ntables; i++) {

        if (sql->tables[i].top && n++ == 0) {
            ref->table = i;
        }
    }

    ref->item = (n == 0);
    ref->any = (n + sql->nitems > 1);
}


/* Replaces the last part of a name with a table by the result's column. */
static int
kr_sql_in_result(const kr_sql_t *sql, const kr_str_t *name,
    kr_sql_part_t *parts, size_t n, kr_buf_t *reason)
{
    kr_str_t        found;
    kr_sql_part_t  *column;

    if (n == 1) {
        return KR_OK;
    }

    column = &parts[n - 1];

    if (kr_sql_output(sql, &parts[n - 2], column, &found) != KR_OK) {
        kr_buf_json(reason, name->data, name->len);
        kr_buf_str(reason, " is no column of the query's result: select it,"
                   " or name a column that the result has");
        return KR_DECLINED;
    }

    if (found.data != column->text.data) {
        kr_buf_reset(&column->text);
        kr_buf_append(&column->text, found.data, found.len);
        column->quoted = 1;
    }

    return KR_OK;
}
