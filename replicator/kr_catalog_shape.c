/*
 * The columns of a query's result and of its sub-selects, as PostgreSQL
 * describes them.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_catalog_private.h"
#include "kr_value.h"


static size_t kr_shape_strings(const PGresult *res);
static int kr_shape_columns(kr_table_t *t, const PGresult *res, int from,
    int to, char **strings);


int
kr_shape_needed(const kr_sql_t *sql)
{
    size_t  items;

    (void) kr_sql_items(sql, &items);

    return items != 0 || kr_sql_is_closed(sql) || kr_sql_is_grouped(sql);
}


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


void
kr_shape_free(kr_shape_t *sh)
{
    free(sh);
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

        type = kr_value_type_name(c->type);

        if (type != NULL) {
            c->type_name.data = type;
            c->type_name.len = strlen(type);
            c->base_name = c->type_name;
        }
    }

    return (int) t->ncolumns;
}
