/*
 * The column that a client names: of a table in the query's own FROM, of
 * what else stands there, or of the result.
 */

#include <string.h>

#include "kr_judge_private.h"


static int kr_judge_lookup(kr_judge_t *jd, const kr_sql_ref_t *ref,
    const kr_found_t *prefer, kr_found_t *found, size_t *n);
static size_t kr_judge_any(kr_judge_t *jd, const kr_sql_ref_t *ref,
    kr_found_t *found);
static size_t kr_judge_in(kr_judge_t *jd, const kr_sql_ref_t *ref,
    kr_target_e of, size_t index, kr_found_t *found);
static void kr_judge_missed(kr_judge_t *jd, const kr_sql_ref_t *ref,
    const kr_found_t *found, size_t n);


int
kr_judge_column(kr_judge_t *jd, const char *what, const kr_str_t *name,
    const kr_found_t *prefer, kr_found_t *found)
{
    int           rc;
    size_t        n;
    kr_buf_t      why;
    kr_sql_ref_t  ref;

    memset(&why, 0, sizeof(kr_buf_t));
    memset(&ref, 0, sizeof(kr_sql_ref_t));

    rc = kr_sql_resolve(jd->sql, name, &ref, &why);

    if (rc == KR_DECLINED) {
        kr_buf_printf(jd->reason, "%s: ", what);
        kr_buf_append(jd->reason, why.data, why.len);

    } else if (rc == KR_OK) {
        rc = kr_judge_lookup(jd, &ref, prefer, found, &n);

        if (rc == KR_DECLINED) {
            kr_buf_printf(jd->reason, "%s ", what);
            kr_buf_json(jd->reason, name->data, name->len);
            kr_judge_missed(jd, &ref, found, n);
        }
    }

    kr_buf_free(&why);
    kr_buf_free(&ref.column);

    return rc;
}


const kr_table_column_t *
kr_table_find(const kr_table_t *t, const kr_sql_ref_t *ref, size_t *n)
{
    size_t                    i, folded;
    kr_str_t                  name;
    const kr_table_column_t  *c, *found;

    name.data = ref->column.data;
    name.len = ref->column.len;
    found = NULL;
    *n = 0;

    /* as it is written; if it has no quotes, in lower case else */

    for (folded = 0; *n == 0 && folded < (ref->quoted ? 1 : 2); folded++) {

        for (i = 0; i < t->ncolumns; i++) {
            c = &t->columns[i];

            if (folded ? kr_same_folded(&name, &c->name)
                       : kr_same(&name, &c->name))
            {
                found = c;
                (*n)++;
            }
        }
    }

    return found;
}


int
kr_judge_named(kr_judge_t *jd, const kr_str_t *table, kr_found_t *found)
{
    int           rc;
    kr_buf_t      name, why;
    kr_str_t      s;
    kr_sql_ref_t  ref;

    memset(&name, 0, sizeof(kr_buf_t));
    memset(&why, 0, sizeof(kr_buf_t));
    memset(&ref, 0, sizeof(kr_sql_ref_t));

    kr_buf_append(&name, table->data, table->len);
    kr_buf_str(&name, ".x");
    rc = KR_ERROR;

    if (!name.failed) {
        s.data = name.data;
        s.len = name.len;
        rc = kr_sql_resolve(jd->sql, &s, &ref, &why);
    }

    found->of = ref.item ? KR_TARGET_ITEM : KR_TARGET_TABLE;
    found->index = ref.table;

    kr_buf_free(&name);
    kr_buf_free(&why);
    kr_buf_free(&ref.column);

    return rc;
}


/*
 * KR_OK: there is exactly one column.  KR_DECLINED: there are *n, and found is
 * the table or item that has them.  If a query has items, a column may be one
 * of its result as well.
 */
static int
kr_judge_lookup(kr_judge_t *jd, const kr_sql_ref_t *ref,
    const kr_found_t *prefer, kr_found_t *found, size_t *n)
{
    size_t  items;

    if (ref->result) {
        *n = kr_judge_in(jd, ref, KR_TARGET_RESULT, 0, found);
        return *n == 1 ? KR_OK : KR_DECLINED;
    }

    if (!ref->any) {
        *n = kr_judge_in(jd, ref, ref->item ? KR_TARGET_ITEM : KR_TARGET_TABLE,
                         ref->table, found);

    } else if (prefer != NULL
               && kr_judge_in(jd, ref, prefer->of, prefer->index, found) == 1)
    {
        *n = 1;

    } else {
        *n = kr_judge_any(jd, ref, found);
    }

    (void) kr_sql_items(jd->sql, &items);

    if (*n == 0 && !ref->named && items != 0
        && kr_judge_in(jd, ref, KR_TARGET_RESULT, 0, found) == 1)
    {
        *n = 1;
    }

    return *n == 1 ? KR_OK : KR_DECLINED;
}


static size_t
kr_judge_any(kr_judge_t *jd, const kr_sql_ref_t *ref, kr_found_t *found)
{
    size_t                 i, n, all, in;
    kr_found_t             one;
    const kr_sql_table_t  *st;

    all = 0;
    st = kr_sql_tables(jd->sql, &n);

    for (i = 0; i < n; i++) {
        in = st[i].top ? kr_judge_in(jd, ref, KR_TARGET_TABLE, i, &one) : 0;
        all += in;

        if (in != 0) {
            *found = one;
        }
    }

    (void) kr_sql_items(jd->sql, &n);

    for (i = 0; i < n; i++) {
        in = kr_judge_in(jd, ref, KR_TARGET_ITEM, i, &one);
        all += in;

        if (in != 0) {
            *found = one;
        }
    }

    return all;
}


/* The number of columns of the name there; found is the last of them. */
static size_t
kr_judge_in(kr_judge_t *jd, const kr_sql_ref_t *ref, kr_target_e of,
    size_t index, kr_found_t *found)
{
    size_t             n;
    const kr_table_t  *t;

    switch (of) {

    case KR_TARGET_TABLE:
        t = &jd->facts->tables[index];
        break;

    case KR_TARGET_ITEM:
        t = &jd->shape->items[index];
        break;

    default: /* KR_TARGET_RESULT */
        t = &jd->shape->result;
        break;
    }

    found->of = of;
    found->index = index;
    found->column = kr_table_find(t, ref, &n);

    return n;
}


/* The rest of a sentence that begins with the name. */
static void
kr_judge_missed(kr_judge_t *jd, const kr_sql_ref_t *ref,
    const kr_found_t *found, size_t n)
{
    size_t           items;
    const kr_str_t  *item;

    item = kr_sql_items(jd->sql, &items);

    if (ref->result) {
        kr_buf_str(jd->reason, n == 0
                   ? " is not a column of the query's result: select it"
                   : " is several columns of the query's result: give each a "
                     "name of its own with AS");

    } else if (ref->any) {
        kr_buf_str(jd->reason, n != 0
                   ? " is a column of several tables in the query's FROM: "
                     "write the table's alias before it"
                   : items == 0
                   ? " is not a column of any table in the query's FROM"
                   : " is not a column of anything in the query's FROM, nor "
                     "of its result: select it in the sub-select or WITH");

    } else {
        kr_buf_str(jd->reason, n == 0 ? " is not a column of "
                                      : " is several columns of ");

        if (found->of == KR_TARGET_TABLE) {
            kr_judge_name(&jd->facts->tables[found->index], jd->reason);

        } else {
            item += ref->table;
            kr_buf_ident(jd->reason, item->data, item->len);
            kr_buf_str(jd->reason, n == 0 ? ": select it there"
                       : ": give each a name of its own there");
        }
    }
}
