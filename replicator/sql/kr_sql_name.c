/*
 * Compares the names in a query with the names that a client writes.
 */

#include <string.h>

#include "kr_sql_private.h"


const kr_str_t *
kr_sql_called(const kr_sql_t *sql, size_t table)
{
    const kr_sql_table_t  *tb;

    tb = &sql->tables[table];

    return tb->alias.len != 0 ? &tb->alias : &tb->name;
}


int
kr_sql_top(const kr_sql_t *sql, const kr_str_t *called)
{
    size_t           i, n;
    const kr_str_t  *name;

    for (i = 0, n = 0; i < sql->ntables; i++) {
        name = kr_sql_called(sql, i);

        n += (sql->tables[i].top && name->len == called->len
              && memcmp(name->data, called->data, name->len) == 0);
    }

    for (i = 0; i < sql->nitems; i++) {
        name = &sql->items[i];

        n += (name->len == called->len
              && memcmp(name->data, called->data, name->len) == 0);
    }

    return n == 1 ? KR_OK : KR_DECLINED;
}


int
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
