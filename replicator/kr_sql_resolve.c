/*
 * The column that a client names, and the table of the query that it must
 * belong to.  What columns a table has, only the catalog knows.
 */

#include <string.h>

#include "kr_sql_private.h"


#define KR_SQL_PARTS  3      /* schema.table.column */


/* one part of a name */
typedef struct {
    kr_buf_t    text;
    unsigned    quoted:1;
} kr_sql_part_t;


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
static int kr_sql_any(const kr_sql_t *sql, kr_sql_ref_t *ref,
    kr_buf_t *reason);
static const kr_str_t *kr_sql_called(const kr_sql_table_t *tb);
static int kr_sql_same(const kr_str_t *name, const kr_sql_part_t *part,
    int folded);


int
kr_sql_resolve(const kr_sql_t *sql, const kr_str_t *name, kr_sql_ref_t *ref,
    kr_buf_t *reason)
{
    int             rc;
    size_t          i, n;
    kr_sql_part_t   parts[KR_SQL_PARTS];

    memset(parts, 0, sizeof(parts));

    ref->table = 0;
    ref->any = 0;
    kr_buf_reset(&ref->column);

    rc = kr_sql_split(name, parts, &n);

    if (rc == KR_DECLINED) {
        kr_buf_json(reason, name->data, name->len);
        kr_buf_str(reason, " is not the name of a column, as \"id\" or"
                   " \"p.id\"");
    }

    if (rc == KR_OK && n == 1) {
        rc = kr_sql_any(sql, ref, reason);

    } else if (rc == KR_OK) {
        rc = kr_sql_find(sql, name, n == 3 ? &parts[0] : NULL, &parts[n - 2],
                         ref, reason);
    }

    if (rc == KR_OK) {
        ref->quoted = parts[n - 1].quoted;
        kr_buf_append(&ref->column, parts[n - 1].text.data,
                      parts[n - 1].text.len);
        rc = ref->column.failed ? KR_ERROR : KR_OK;
    }

    for (i = 0; i < KR_SQL_PARTS; i++) {
        kr_buf_free(&parts[i].text);
    }

    return rc;
}


int
kr_sql_top(const kr_sql_t *sql, const kr_str_t *called)
{
    size_t                 i, n;
    const kr_str_t        *name;
    const kr_sql_table_t  *tb;

    for (i = 0, n = 0; i < sql->ntables; i++) {
        tb = &sql->tables[i];
        name = kr_sql_called(tb);

        n += (tb->top && name->len == called->len
              && memcmp(name->data, called->data, name->len) == 0);
    }

    return n == 1 ? KR_OK : KR_DECLINED;
}


/* KR_OK: there are *n parts, each of which is not empty. */
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


/* Reads to the next point; the place of it, or the end, or NULL. */
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
    size_t  n;

    n = 0;

    for (alias = 1; n == 0 && alias >= 0; alias--) {
        for (folded = 0; n == 0 && folded < 2; folded++) {
            n = kr_sql_count(sql, 1, alias, folded, schema, table,
                             &ref->table);
        }
    }

    if (n == 1) {
        return KR_OK;
    }

    kr_buf_json(reason, name->data, name->len);

    if (n > 1) {
        kr_buf_printf(reason, " is ambiguous: the query reads %zu tables of"
                      " this name, give each an alias of its own", n);

    } else if (sql->compound) {
        kr_buf_str(reason, " cannot be told in a UNION, INTERSECT or EXCEPT:"
                   " subscribe to each SELECT by itself");

    } else if (kr_sql_count(sql, 0, 0, 1, schema, table, &n) != 0
               || kr_sql_count(sql, 0, 1, 1, schema, table, &n) != 0)
    {
        kr_buf_str(reason, " is of a table that only a sub-select or a WITH"
                   " of the query reads: name a column of the query's own"
                   " FROM");

    } else {
        kr_buf_str(reason, " is of no table in the query's FROM: write the"
                   " table's alias before the point");
    }

    return KR_DECLINED;
}


/* The number of tables that are meant, and the first of them. */
static size_t
kr_sql_count(const kr_sql_t *sql, int top, int alias, int folded,
    const kr_sql_part_t *schema, const kr_sql_part_t *table, size_t *found)
{
    size_t                 i, n;
    const kr_sql_table_t  *tb;

    for (i = 0, n = 0; i < sql->ntables; i++) {
        tb = &sql->tables[i];

        if (tb->top != (unsigned) top
            || !kr_sql_same(alias ? kr_sql_called(tb) : &tb->name, table,
                            folded)
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


/* The first of the tables that a name without one may be of. */
static int
kr_sql_any(const kr_sql_t *sql, kr_sql_ref_t *ref, kr_buf_t *reason)
{
    size_t  i, n;

    for (i = 0, n = 0; i < sql->ntables; i++) {

        if (sql->tables[i].top && n++ == 0) {
            ref->table = i;
        }
    }

    ref->any = (n > 1);

    if (n != 0) {
        return KR_OK;
    }

    kr_buf_str(reason, sql->compound
               ? "a UNION, INTERSECT or EXCEPT has no table of its own to"
                 " filter by: subscribe to each SELECT by itself"
               : "the query has no table in its own FROM to filter by: move"
                 " one out of the sub-select or WITH");

    return KR_DECLINED;
}


static const kr_str_t *
kr_sql_called(const kr_sql_table_t *tb)
{
    return tb->alias.len != 0 ? &tb->alias : &tb->name;
}


/* folded: as SQL folds what is not quoted, ASCII letters alone */
static int
kr_sql_same(const kr_str_t *name, const kr_sql_part_t *part, int folded)
{
    char    ch;
    size_t  i;

    if (name->len != part->text.len) {
        return 0;
    }

    if (!folded || part->quoted) {
        return memcmp(name->data, part->text.data, name->len) == 0;
    }

    for (i = 0; i < name->len; i++) {
        ch = part->text.data[i];

        if (ch >= 'A' && ch <= 'Z') {
            ch = (char) (ch | 0x20);
        }

        if (name->data[i] != ch) {
            return 0;
        }
    }

    return 1;
}
