/*
 * The key: the columns by which a client tells rows apart.  A row that stands
 * for many rows of a table, or is of no table, has a key of columns of the
 * result; the plan finds these by their names.
 */

#include <string.h>

#include "kr_judge_private.h"
#include "kr_oid.h"
#include "kr_template.h"
#include "kr_value.h"


static int kr_judge_by_result(kr_judge_t *jd, const kr_str_t *pk);
static int kr_judge_primary(kr_judge_t *jd);
static int kr_judge_match(kr_judge_t *jd, const kr_table_column_t **columns,
    size_t n);
static int kr_judge_has(const kr_table_column_t *const *columns, size_t n,
    const kr_table_column_t *column);
static int kr_judge_key_types(kr_judge_t *jd);
static int kr_judge_seen(kr_judge_t *jd);
static int kr_judge_form(kr_judge_t *jd, const kr_sql_out_t *out, size_t k,
    unsigned *seen);
static int kr_judge_added(kr_judge_t *jd);
static int kr_judge_is_other(const kr_judge_t *jd, const kr_sql_out_t *out,
    const kr_str_t *column);
static int kr_judge_star(const kr_judge_t *jd, const kr_sql_out_t *out,
    const kr_str_t *column);
static int kr_judge_brings(const kr_table_t *t, const kr_str_t *called,
    const kr_sql_out_t *out, const kr_str_t *column);
static void kr_judge_columns(kr_buf_t *b, const kr_table_key_t *key);


int
kr_judge_key(kr_judge_t *jd)
{
    int                       rc;
    size_t                    i;
    kr_found_t                prefer, found;
    const kr_spec_t          *spec;
    const kr_table_column_t  *columns[KR_SPEC_PKS_MAX];

    spec = jd->spec;

    if (spec->npks == 0) {
        return kr_judge_primary(jd);
    }

    rc = kr_judge_by_result(jd, &spec->pks[0]);

    if (rc != KR_DECLINED) {
        jd->target->key_of_result = 1;
        return rc;
    }

    prefer.of = jd->target->of;
    prefer.index = jd->target->index;

    for (i = 0; i < spec->npks; i++) {
        rc = kr_judge_column(jd, "pk", &spec->pks[i], &prefer, &found);

        if (rc != KR_OK) {
            return rc;
        }

        if (i == 0 && found.of != KR_TARGET_TABLE) {
            jd->target->key_of_result = 1;
            return KR_OK;
        }

        columns[i] = found.column;

        if (i != 0 && (found.of != KR_TARGET_TABLE
                       || found.index != jd->target->key_index))
        {
            kr_buf_str(jd->reason, "pk ");
            kr_buf_json(jd->reason, spec->pk.data, spec->pk.len);
            kr_buf_str(jd->reason, " names columns of more than one table");
            return KR_DECLINED;
        }

        jd->target->key_index = found.index;
        prefer = found;
    }

    jd->target->key_table = &jd->facts->tables[jd->target->key_index];

    if (kr_judge_match(jd, columns, spec->npks) != KR_OK) {
        return KR_DECLINED;
    }

    return kr_judge_key_types(jd);
}


/*
 * KR_OK: it is of the result, whatever it names; KR_DECLINED: it is looked
 * for elsewhere first.
 */
static int
kr_judge_by_result(kr_judge_t *jd, const kr_str_t *pk)
{
    int           rc;
    size_t        n;
    kr_buf_t      why;
    kr_sql_ref_t  ref;

    if (jd->target->of == KR_TARGET_RESULT || kr_sql_is_grouped(jd->sql)) {
        return KR_OK;
    }

    if (jd->target->of == KR_TARGET_TABLE) {
        return KR_DECLINED;
    }

    memset(&why, 0, sizeof(kr_buf_t));
    memset(&ref, 0, sizeof(kr_sql_ref_t));

    rc = kr_sql_resolve(jd->sql, pk, &ref, &why);

    if (rc == KR_OK) {
        (void) kr_table_find(&jd->shape->result, &ref, &n);
        rc = ref.item || (!ref.named && n == 1) ? KR_OK : KR_DECLINED;
    }

    kr_buf_free(&why);
    kr_buf_free(&ref.column);

    return rc;
}


/* Of the field's table; of the result the columns that are called so. */
static int
kr_judge_primary(kr_judge_t *jd)
{
    const kr_table_t  *t;

    t = jd->target->table != NULL ? jd->target->table : kr_judge_read(jd);
    jd->target->key_of_result = (jd->target->table == NULL
                              || kr_sql_is_grouped(jd->sql));

    if (t->nkeys == 0 || !t->keys[0].primary) {
        kr_judge_name(t, jd->reason);
        kr_buf_str(jd->reason, " has no primary key: name the columns of a "
                   "unique index, none of which may be NULL, in pk");
        return KR_DECLINED;
    }

    jd->target->key_index = jd->target->index;
    jd->target->key_table = t;
    jd->target->key = &t->keys[0];

    return kr_judge_key_types(jd);
}


/* Finds the key that has these columns, in any order, and no others. */
static int
kr_judge_match(kr_judge_t *jd, const kr_table_column_t **columns, size_t n)
{
    size_t                 i, k, in;
    const kr_table_t      *t;
    const kr_table_key_t  *key, *part;

    t = jd->target->key_table;
    part = NULL;

    for (i = 0; i < t->nkeys; i++) {
        key = &t->keys[i];

        for (k = 0, in = 0; k < n; k++) {
            in += (size_t) kr_judge_has(key->columns, key->ncolumns,
                                        columns[k]);
        }

        if (in == n && key->ncolumns == n) {
            jd->target->key = key;
            return KR_OK;
        }

        if (in == n && part == NULL) {
            part = key;
        }
    }

    kr_buf_str(jd->reason, "pk ");
    kr_buf_json(jd->reason, jd->spec->pk.data, jd->spec->pk.len);

    if (part != NULL) {
        kr_buf_str(jd->reason, " is only a part of a key of ");
        kr_judge_name(t, jd->reason);
        kr_buf_str(jd->reason, ": name the whole, ");
        kr_judge_columns(jd->reason, part);
        return KR_DECLINED;
    }

    kr_buf_str(jd->reason, " is neither the primary key nor unique and never "
               "NULL in ");
    kr_judge_name(t, jd->reason);

    if (t->nkeys != 0) {
        kr_buf_str(jd->reason, ": use ");
        kr_judge_columns(jd->reason, &t->keys[0]);
    }

    return KR_DECLINED;
}


static int
kr_judge_has(const kr_table_column_t *const *columns, size_t n,
    const kr_table_column_t *column)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (columns[i] == column) {
            return 1;
        }
    }

    return 0;
}


/* Keys are compared as texts: the text in the WAL with a cast to text. */
static int
kr_judge_key_types(kr_judge_t *jd)
{
    size_t                    i;
    const kr_table_key_t     *key;
    const kr_table_column_t  *c;

    key = jd->target->key;

    if (key->ncolumns > KR_KEY_MAX) {
        kr_buf_printf(jd->reason, "a key of %zu columns cannot be served, "
                      "which may have %d", key->ncolumns, KR_KEY_MAX);
        return KR_DECLINED;
    }

    for (i = 0; i < key->ncolumns; i++) {
        c = key->columns[i];

        if (c->fuzzy || (!kr_value_supported(c->base) && !c->printed)) {
            kr_buf_printf(jd->reason, "pk \"%s\" is of type %s%s, which "
                          "cannot tell rows apart here", c->name.data,
                          c->type_name.data, c->fuzzy
                          ? " with a nondeterministic collation" : "");
            return KR_DECLINED;
        }
    }

    return jd->target->key_of_result ? KR_OK : kr_judge_seen(jd);
}


/*
 * A client tells rows apart by the columns of the result that have the names
 * of the key's columns.  No other column may have one of these names.
 */
static int
kr_judge_seen(kr_judge_t *jd)
{
    size_t           i, k;
    unsigned         seen;
    kr_sql_out_t     out;
    const kr_str_t  *column;

    seen = 0;

    for (i = 0; i < kr_sql_outs(jd->sql); i++) {
        kr_sql_out(jd->sql, i, &out);

        for (k = 0; k < jd->target->key->ncolumns; k++) {
            column = &jd->target->key->columns[k]->name;

            if (!kr_judge_is_other(jd, &out, column)) {
                if (kr_judge_form(jd, &out, k, &seen) != KR_OK) {
                    return KR_DECLINED;
                }

                continue;
            }

            kr_buf_printf(jd->reason, "the query has a column \"%s\" that is "
                          "not that of the key, ", column->data);
            kr_judge_name(jd->target->key_table, jd->reason);
            kr_buf_printf(jd->reason, ".\"%s\": give it another name with "
                          "AS%s", column->data, out.star
                          ? ", and each a place instead of \"*\"" : "");

            return KR_DECLINED;
        }
    }

    jd->target->key_missing = seen != (1u << jd->target->key->ncolumns) - 1;

    return jd->target->key_missing ? kr_judge_added(jd) : KR_OK;
}


/* The server adds the key as "key": no column may have that name. */
static int
kr_judge_added(kr_judge_t *jd)
{
    size_t        i;
    kr_sql_out_t  out;

    static const kr_str_t  key = kr_str(KR_KEY_MEMBER);

    for (i = 0; i < kr_sql_outs(jd->sql); i++) {
        kr_sql_out(jd->sql, i, &out);

        if (out.star ? kr_judge_star(jd, &out, &key)
                     : kr_same(&out.name, &key))
        {
            kr_buf_str(jd->reason, "the query does not select its key, ");
            kr_judge_columns(jd->reason, jd->target->key);
            kr_buf_str(jd->reason, ", and has another column \""
                       KR_KEY_MEMBER "\", where the server would add it: "
                       "select the key, or give the other column another name "
                       "with AS");
            return KR_DECLINED;
        }
    }

    return KR_OK;
}


/*
 * Notes how a column of the result prints the k-th column of the key, and
 * sets bit k of *seen, if it is that.  Of two columns of one name the last one
 * counts, as it does for JSON.parse().  The key of a deleted row is known by
 * its texts alone, so the texts must give what the query prints: KR_DECLINED,
 * with a reason, if a cast prints something else.
 */
static int
kr_judge_form(kr_judge_t *jd, const kr_sql_out_t *out, size_t k,
    unsigned *seen)
{
    const kr_str_t           *called;
    const kr_table_column_t  *c;

    c = jd->target->key->columns[k];

    if (out->star) {
        called = kr_sql_called(jd->sql, jd->target->key_index);

        if (out->table.len == 0 || kr_same(&out->table, called)) {
            jd->target->key_texts &= ~(1u << k);
            *seen |= 1u << k;
        }

        return KR_OK;
    }

    if (!kr_same(&out->name, &c->name)) {
        return KR_OK;
    }

    if (out->cast
        || (out->whole && c->base != KR_OID_INT2 && c->base != KR_OID_INT4
            && c->base != KR_OID_INT8))
    {
        kr_buf_printf(jd->reason, "a cast may change what tells the rows "
                      "apart, \"%s\": select the column as it is, or as "
                      "\"%s\"::text, or give the cast another name with AS",
                      c->name.data, c->name.data);
        return KR_DECLINED;
    }

    jd->target->key_texts &= ~(1u << k);
    jd->target->key_texts |= (unsigned) out->text << k;
    *seen |= 1u << k;

    return KR_OK;
}


static int
kr_judge_is_other(const kr_judge_t *jd, const kr_sql_out_t *out,
    const kr_str_t *column)
{
    if (out->star) {
        return kr_judge_star(jd, out, column);
    }

    if (!kr_same(&out->name, column)) {
        return 0;
    }

    return !kr_same(&out->column, column)
           || (out->table.len != 0
               && !kr_same(&out->table,
                           kr_sql_called(jd->sql, jd->target->key_index)));
}


/* Of columns that become one no "*" brings two. */
static int
kr_judge_star(const kr_judge_t *jd, const kr_sql_out_t *out,
    const kr_str_t *column)
{
    size_t                 i, n;
    const kr_str_t        *items;
    const kr_sql_table_t  *tables;

    if (out->table.len == 0 && kr_sql_merges(jd->sql)) {
        return 0;
    }

    tables = kr_sql_tables(jd->sql, &n);

    for (i = 0; i < n; i++) {
        if (tables[i].top && i != jd->target->key_index
            && kr_judge_brings(&jd->facts->tables[i],
                               kr_sql_called(jd->sql, i), out, column))
        {
            return 1;
        }
    }

    items = kr_sql_items(jd->sql, &n);

    for (i = 0; i < n && jd->shape != NULL; i++) {
        if (kr_judge_brings(&jd->shape->items[i], &items[i], out, column)) {
            return 1;
        }
    }

    return 0;
}


static int
kr_judge_brings(const kr_table_t *t, const kr_str_t *called,
    const kr_sql_out_t *out, const kr_str_t *column)
{
    size_t  i;

    if (out->table.len != 0 && !kr_same(&out->table, called)) {
        return 0;
    }

    for (i = 0; i < t->ncolumns; i++) {
        if (kr_same(&t->columns[i].name, column)) {
            return 1;
        }
    }

    return 0;
}


/* As a client writes them in pk. */
static void
kr_judge_columns(kr_buf_t *b, const kr_table_key_t *key)
{
    size_t    i;
    kr_buf_t  list;

    memset(&list, 0, sizeof(kr_buf_t));

    for (i = 0; i < key->ncolumns; i++) {
        kr_buf_str(&list, i == 0 ? "" : ",");
        kr_buf_append(&list, key->columns[i]->name.data,
                      key->columns[i]->name.len);
    }

    kr_buf_json(b, list.data, list.len);
    kr_buf_free(&list);
}
