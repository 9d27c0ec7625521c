/*
 * Names: those of the query and of the catalog, compared with a client's.
 */

#include <string.h>

#include "kr_judge_private.h"
#include "kr_oid.h"


const kr_table_t *
kr_judge_read(const kr_judge_t *jd)
{
    size_t           i, n;
    kr_str_t         name, schema, rest;
    const kr_str_t  *items;

    if (jd->spec->table.len == 0) {
        return &jd->facts->tables[0];
    }

    name = jd->spec->table;
    kr_split(&name, &schema);
    kr_split(&schema, &rest);

    for (i = 0; i < jd->facts->ntables; i++) {
        if (kr_judge_is(&name, &schema, &jd->facts->tables[i],
                        kr_sql_called(jd->sql, i)))
        {
            return &jd->facts->tables[i];
        }
    }

    items = kr_sql_items(jd->sql, &n);

    for (i = 0; i < n; i++) {
        if (schema.len == 0 && kr_same_folded(&name, &items[i])) {
            return &jd->facts->tables[0];
        }
    }

    return NULL;
}


int
kr_judge_is(const kr_str_t *name, const kr_str_t *schema,
    const kr_table_t *t, const kr_str_t *called)
{
    if (kr_same_folded(name, &t->name)
        && (schema->len == 0 || kr_same_folded(schema, &t->schema)))
    {
        return 1;
    }

    return schema->len == 0 && kr_same_folded(name, called);
}


void
kr_split(kr_str_t *name, kr_str_t *before)
{
    size_t  i;

    before->len = 0;
    before->data = "";

    for (i = name->len; i > 0; i--) {
        if (name->data[i - 1] == '.') {
            before->data = name->data;
            before->len = i - 1;
            name->data += i;
            name->len -= i;
            break;
        }
    }

    if (name->len >= 2 && name->data[0] == '"'
        && name->data[name->len - 1] == '"')
    {
        name->data++;
        name->len -= 2;
    }
}


void
kr_judge_name(const kr_table_t *t, kr_buf_t *reason)
{
    kr_buf_ident(reason, t->schema.data, t->schema.len);
    kr_buf_str(reason, ".");
    kr_buf_ident(reason, t->name.data, t->name.len);
}


int
kr_same(const kr_str_t *a, const kr_str_t *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}


int
kr_same_folded(const kr_str_t *a, const kr_str_t *b)
{
    char    ch;
    size_t  i;

    if (kr_same(a, b)) {
        return 1;
    }

    if (a->len != b->len) {
        return 0;
    }

    for (i = 0; i < a->len; i++) {
        ch = a->data[i];

        if (ch >= 'A' && ch <= 'Z') {
            ch = (char) (ch | 0x20);
        }

        if (ch != b->data[i]) {
            return 0;
        }
    }

    return 1;
}


uint32_t
kr_column_type(const kr_table_column_t *c)
{
    return c->enumerated ? KR_OID_TEXT : c->base;
}


const kr_str_t *
kr_target_called(const kr_target_t *target, const kr_sql_t *sql)
{
    size_t  n;

    return target->of == KR_TARGET_ITEM
           ? &kr_sql_items(sql, &n)[target->index]
           : kr_sql_called(sql, target->index);
}
