/*
 * The catalog's answer, as one piece of memory.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_catalog_private.h"


typedef struct {
    const PGresult             **results;
    kr_facts_t                  *facts;
    kr_table_column_t           *columns;
    kr_table_key_t              *keys;
    const kr_table_column_t    **key_columns;
    kr_table_leaf_t             *leaves;
    char                        *strings;
} kr_facts_read_t;


static int kr_facts_alloc(kr_facts_read_t *rd);
static size_t kr_facts_rows(const kr_facts_read_t *rd, int i);
static void *kr_facts_part(char **p, size_t n, size_t size);
static void kr_facts_table(kr_facts_read_t *rd, kr_table_t *t, int row);
static void kr_facts_columns(kr_facts_read_t *rd);
static void kr_facts_keys(kr_facts_read_t *rd);
static const kr_table_column_t *kr_facts_column(const kr_table_t *t,
    const PGresult *res, int row, int column);
static void kr_facts_leaves(kr_facts_read_t *rd);
static void kr_facts_function(kr_function_t *f, const PGresult *res,
    int row, int column);
static void kr_facts_implicit(kr_facts_read_t *rd, kr_implicit_t *h, int row);
static kr_table_t *kr_facts_of(kr_facts_read_t *rd, const PGresult *res,
    int row);
static void kr_facts_string(kr_facts_read_t *rd, kr_str_t *s,
    const PGresult *res, int row, int column);
static int kr_facts_true(const PGresult *res, int row, int column);


kr_facts_t *
kr_facts_read(PGresult **results)
{
    size_t            i;
    kr_facts_t       *fa;
    kr_facts_read_t   rd;

    rd.results = (const PGresult **) results;

    if (kr_facts_alloc(&rd) != KR_OK) {
        return NULL;
    }

    fa = rd.facts;
    fa->refs = 1;

    for (i = 0; i < fa->ntables; i++) {
        kr_facts_table(&rd, &fa->tables[i], (int) i);
    }

    kr_facts_columns(&rd);
    kr_facts_keys(&rd);
    kr_facts_leaves(&rd);

    for (i = 0; i < fa->nfunctions; i++) {
        kr_facts_function(&fa->functions[i], results[KR_ASK_FUNCTIONS],
                          (int) i, 0);
        fa->functions[i].builtin = kr_facts_true(results[KR_ASK_FUNCTIONS],
                                                 (int) i, 3) != 0;
    }

    for (i = 0; i < fa->nimplicit; i++) {
        kr_facts_implicit(&rd, &fa->implicit[i], (int) i);
    }

    return fa;
}


/* All structs but the last hold pointers: no array needs padding before. */
static int
kr_facts_alloc(kr_facts_read_t *rd)
{
    int          i, row, column;
    char        *p;
    size_t       size;
    kr_facts_t  *fa;

    size = sizeof(kr_facts_t)
           + kr_facts_rows(rd, KR_ASK_TABLES) * sizeof(kr_table_t)
           + kr_facts_rows(rd, KR_ASK_COLUMNS) * sizeof(kr_table_column_t)
           + kr_facts_rows(rd, KR_ASK_KEYS) * sizeof(kr_table_key_t)
           + kr_facts_rows(rd, KR_ASK_KEYS) * sizeof(kr_table_column_t *)
           + kr_facts_rows(rd, KR_ASK_LEAVES) * sizeof(kr_table_leaf_t)
           + kr_facts_rows(rd, KR_ASK_IMPLICIT) * sizeof(kr_implicit_t)
           + kr_facts_rows(rd, KR_ASK_FUNCTIONS) * sizeof(kr_function_t);

    for (i = 0; i < KR_ASKS; i++) {
        for (row = 0; row < PQntuples(rd->results[i]); row++) {
            for (column = 0; column < PQnfields(rd->results[i]); column++) {
                size += (size_t) PQgetlength(rd->results[i], row, column) + 1;
            }
        }
    }

    fa = calloc(1, size);
    if (fa == NULL) {
        return KR_ERROR;
    }

    rd->facts = fa;
    p = (char *) (fa + 1);

    fa->ntables = kr_facts_rows(rd, KR_ASK_TABLES);
    fa->nimplicit = kr_facts_rows(rd, KR_ASK_IMPLICIT);
    fa->nfunctions = kr_facts_rows(rd, KR_ASK_FUNCTIONS);

    fa->tables = kr_facts_part(&p, fa->ntables, sizeof(kr_table_t));
    rd->columns = kr_facts_part(&p, kr_facts_rows(rd, KR_ASK_COLUMNS),
                                sizeof(kr_table_column_t));
    rd->keys = kr_facts_part(&p, kr_facts_rows(rd, KR_ASK_KEYS),
                             sizeof(kr_table_key_t));
    rd->key_columns = kr_facts_part(&p, kr_facts_rows(rd, KR_ASK_KEYS),
                                    sizeof(kr_table_column_t *));
    rd->leaves = kr_facts_part(&p, kr_facts_rows(rd, KR_ASK_LEAVES),
                               sizeof(kr_table_leaf_t));
    fa->implicit = kr_facts_part(&p, fa->nimplicit, sizeof(kr_implicit_t));
    fa->functions = kr_facts_part(&p, fa->nfunctions, sizeof(kr_function_t));
    rd->strings = p;

    return KR_OK;
}


static size_t
kr_facts_rows(const kr_facts_read_t *rd, int i)
{
    return (size_t) PQntuples(rd->results[i]);
}


static void *
kr_facts_part(char **p, size_t n, size_t size)
{
    char  *part;

    part = *p;
    *p += n * size;

    return part;
}


static void
kr_facts_table(kr_facts_read_t *rd, kr_table_t *t, int row)
{
    const PGresult  *res;

    res = rd->results[KR_ASK_TABLES];

    kr_facts_string(rd, &t->schema, res, row, 0);
    kr_facts_string(rd, &t->name, res, row, 1);
    t->exists = !PQgetisnull(res, row, 1);
    t->kind = *PQgetvalue(res, row, 2);
    t->persistence = *PQgetvalue(res, row, 3);
    t->readable = kr_facts_true(res, row, 4) != 0;
    t->parent = kr_facts_true(res, row, 5) != 0;
    kr_facts_string(rd, &t->shape, res, row, 6);
}


/* The rows are in the order of the tables, here and below. */
static void
kr_facts_columns(kr_facts_read_t *rd)
{
    int                 row;
    kr_table_t         *t;
    const PGresult     *res;
    kr_table_column_t  *c;

    res = rd->results[KR_ASK_COLUMNS];

    for (row = 0; row < PQntuples(res); row++) {
        c = &rd->columns[row];
        t = kr_facts_of(rd, res, row);

        if (t->ncolumns++ == 0) {
            t->columns = c;
        }

        kr_facts_string(rd, &c->name, res, row, 1);
        c->type = (uint32_t) strtoul(PQgetvalue(res, row, 2), NULL, 10);
        kr_facts_string(rd, &c->type_name, res, row, 3);
        c->base = (uint32_t) strtoul(PQgetvalue(res, row, 4), NULL, 10);
        kr_facts_string(rd, &c->base_name, res, row, 5);
        c->printed = kr_facts_true(res, row, 6) != 0;
        c->identity = kr_facts_true(res, row, 7) != 0;
        c->fuzzy = kr_facts_true(res, row, 8) != 0;
        c->c_collation = kr_facts_true(res, row, 9) != 0;
        c->enumerated = kr_facts_true(res, row, 10) != 0;
        c->computed = kr_facts_true(res, row, 11) != 0;
    }
}


/* A row is a column of a key; its first has the number 1. */
static void
kr_facts_keys(kr_facts_read_t *rd)
{
    int              row;
    kr_table_t      *t;
    const PGresult  *res;
    kr_table_key_t  *key;

    res = rd->results[KR_ASK_KEYS];
    key = rd->keys;

    for (row = 0; row < PQntuples(res); row++) {
        t = kr_facts_of(rd, res, row);

        if (strcmp(PQgetvalue(res, row, 2), "1") == 0) {
            key = row == 0 ? rd->keys : key + 1;
            key->columns = &rd->key_columns[row];

            if (t->nkeys++ == 0) {
                t->keys = key;
            }
        }

        key->primary = kr_facts_true(res, row, 1) != 0;
        key->columns[key->ncolumns++] = kr_facts_column(t, res, row, 3);
    }
}


/* One snapshot has both: the column is there. */
static const kr_table_column_t *
kr_facts_column(const kr_table_t *t, const PGresult *res, int row,
    int column)
{
    size_t       i;
    const char  *name;

    name = PQgetvalue(res, row, column);

    for (i = 0; i + 1 < t->ncolumns; i++) {
        if (strcmp(t->columns[i].name.data, name) == 0) {
            break;
        }
    }

    return &t->columns[i];
}


static void
kr_facts_leaves(kr_facts_read_t *rd)
{
    int               row;
    kr_table_t       *t;
    const PGresult   *res;
    kr_table_leaf_t  *leaf;

    res = rd->results[KR_ASK_LEAVES];

    for (row = 0; row < PQntuples(res); row++) {
        leaf = &rd->leaves[row];
        t = kr_facts_of(rd, res, row);

        if (t->nleaves++ == 0) {
            t->leaves = leaf;
        }

        kr_facts_string(rd, &leaf->schema, res, row, 1);
        kr_facts_string(rd, &leaf->name, res, row, 2);
        leaf->kind = *PQgetvalue(res, row, 3);
        leaf->persistence = *PQgetvalue(res, row, 4);
        leaf->logged = kr_facts_true(res, row, 5) != 0;
    }
}


static void
kr_facts_function(kr_function_t *f, const PGresult *res, int row, int column)
{
    f->is_volatile = kr_facts_true(res, row, column) != 0;
    f->aggregate = kr_facts_true(res, row, column + 1) != 0;
    f->set = kr_facts_true(res, row, column + 2) != 0;
}


static void
kr_facts_implicit(kr_facts_read_t *rd, kr_implicit_t *h, int row)
{
    const PGresult  *res;

    res = rd->results[KR_ASK_IMPLICIT];

    h->kind = *PQgetvalue(res, row, 0);
    kr_facts_string(rd, &h->name, res, row, 1);
    kr_facts_function(&h->function, res, row, 2);
}


/* The table that the row's number is of. */
static kr_table_t *
kr_facts_of(kr_facts_read_t *rd, const PGresult *res, int row)
{
    size_t  n;

    n = (size_t) strtoul(PQgetvalue(res, row, 0), NULL, 10);

    return &rd->facts->tables[n - 1];
}


static void
kr_facts_string(kr_facts_read_t *rd, kr_str_t *s, const PGresult *res,
    int row, int column)
{
    s->len = (size_t) PQgetlength(res, row, column);
    s->data = rd->strings;

    memcpy(rd->strings, PQgetvalue(res, row, column), s->len + 1);
    rd->strings += s->len + 1;
}


static int
kr_facts_true(const PGresult *res, int row, int column)
{
    return *PQgetvalue(res, row, column) == 't';
}
