/*
 * The columns of a query's result and of its sub-selects, as PostgreSQL
 * describes them.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_catalog_private.h"
#include "kr_value.h"


static kr_table_column_t *kr_shape_all(const kr_shape_t *sh, size_t *n);
static void kr_shape_type(kr_shape_t *sh, uint32_t type, kr_str_t *name,
    int enumerated);
static size_t kr_shape_strings(const PGresult *res);
static int kr_shape_columns(kr_table_t *t, const PGresult *res, int from,
    int to, char **strings);


const char  kr_shape_types_sql[] =
    "SELECT t.oid, pg_catalog.format_type(t.oid, -1), t.typtype = 'e'"
    " FROM pg_catalog.pg_type t WHERE t.oid = ANY ($1::oid[])";


/* One piece of memory: the structs, then the columns, then the names. */
kr_shape_t *
kr_shape_read(const kr_sql_t *sql, const PGresult *result,
    const PGresult *items)
{
    int          n, from, to, columns;
    char        *strings;
    size_t       i, nitems;
    kr_shape_t  *sh;

    (void) kr_sql_items(sql, &nitems);

    n = items == NULL ? 0 : PQnfields(items);
    columns = PQnfields(result) + n;

    sh = calloc(1, sizeof(kr_shape_t) + nitems * sizeof(kr_table_t)
                + (size_t) columns * sizeof(kr_table_column_t)
                + kr_shape_strings(result)
                + (items == NULL ? 0 : kr_shape_strings(items)));
    if (sh == NULL) {
        return NULL;
    }

    sh->nitems = nitems;
    sh->items = (kr_table_t *) (sh + 1);
    sh->result.columns = (kr_table_column_t *) (sh->items + nitems);
    strings = (char *) (sh->result.columns + columns);

    from = kr_shape_columns(&sh->result, result, 0, PQnfields(result),
                            &strings);

    for (i = 0, to = 0; i < nitems; i++) {
        sh->items[i].columns = sh->result.columns + from;

        for (n = to + 1; items != NULL && n < PQnfields(items)
                         && strcmp(PQfname(items, n), KR_SQL_ITEM) != 0; n++)
        {
            /* void */
        }

        if (items != NULL && n <= PQnfields(items)) {
            from += kr_shape_columns(&sh->items[i], items, to + 1, n,
                                     &strings);
        }

        to = n;
    }

    return sh;
}


int
kr_shape_unknown(const kr_shape_t *sh, kr_buf_t *param, size_t *unknown)
{
    size_t                    i, n;
    const kr_table_column_t  *c;

    c = kr_shape_all(sh, &n);
    *unknown = 0;

    kr_buf_str(param, "{");

    for (i = 0; i < n; i++) {
        if (c[i].type_name.len == 0) {
            kr_buf_printf(param, "%s%u", (*unknown)++ == 0 ? "" : ",",
                          c[i].type);
        }
    }

    kr_buf_str(param, "}");

    return param->failed ? KR_ERROR : KR_OK;
}


int
kr_shape_types(kr_shape_t *sh, const PGresult *res)
{
    int        row;
    char      *p;
    size_t     size;
    kr_str_t   name;

    for (row = 0, size = 1; row < PQntuples(res); row++) {
        size += (size_t) PQgetlength(res, row, 1) + 1;
    }

    sh->types = malloc(size);
    if (sh->types == NULL) {
        return KR_ERROR;
    }

    p = sh->types;

    for (row = 0; row < PQntuples(res); row++) {
        name.data = p;
        name.len = (size_t) PQgetlength(res, row, 1);
        memcpy(p, PQgetvalue(res, row, 1), name.len + 1);
        p += name.len + 1;

        kr_shape_type(sh, (uint32_t) strtoul(PQgetvalue(res, row, 0), NULL,
                                             10), &name,
                      *PQgetvalue(res, row, 2) == 't');
    }

    return KR_OK;
}


/* Those of the items stand behind those of the result. */
static kr_table_column_t *
kr_shape_all(const kr_shape_t *sh, size_t *n)
{
    size_t  i;

    *n = sh->result.ncolumns;

    for (i = 0; i < sh->nitems; i++) {
        *n += sh->items[i].ncolumns;
    }

    return sh->result.columns;
}


static void
kr_shape_type(kr_shape_t *sh, uint32_t type, kr_str_t *name, int enumerated)
{
    size_t              i, n;
    kr_table_column_t  *c;

    c = kr_shape_all(sh, &n);

    for (i = 0; i < n; i++) {
        if (c[i].type == type) {
            c[i].type_name = *name;
            c[i].base_name = *name;
            c[i].enumerated = (enumerated != 0);
        }
    }
}


static size_t
kr_shape_strings(const PGresult *res)
{
    int     i;
    size_t  size;

    size = 0;

    for (i = 0; i < PQnfields(res); i++) {
        size += strlen(PQfname(res, i)) + 1;
    }

    return size;
}


/* A domain is described as what it is of.  Gives their number. */
static int
kr_shape_columns(kr_table_t *t, const PGresult *res, int from, int to,
    char **strings)
{
    int                 i;
    const char         *type;
    kr_table_column_t  *c;

    for (i = from; i < to; i++) {
        c = &t->columns[t->ncolumns++];

        c->name.len = strlen(PQfname(res, i));
        c->name.data = *strings;
        memcpy(*strings, PQfname(res, i), c->name.len + 1);
        *strings += c->name.len + 1;

        c->type = (uint32_t) PQftype(res, i);
        c->base = c->type;
        c->type_name.data = "";
        c->base_name = c->type_name;

        type = kr_value_type_name(c->type);

        if (type != NULL) {
            c->type_name.data = type;
            c->type_name.len = strlen(type);
            c->base_name = c->type_name;
        }
    }

    return (int) t->ncolumns;
}
