/*
 * The names of the tables that hold a query's rows, for PostgreSQL.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_registry.h"


static size_t kr_names_of(kr_buf_t *names, const kr_relation_t *tables,
    size_t n, kr_str_t *s);


/* The names' addresses are set last: the buffer moves while it grows. */
int
kr_route_tables_names(kr_buf_t *out, const kr_route_table_t *w, size_t n)
{
    size_t     i, k, max, offset;
    kr_buf_t   names;
    kr_str_t  *s;

    max = 1;

    for (i = 0; i < n; i++) {
        max += 1 + w[i].nleaves;
    }

    s = malloc(max * sizeof(kr_str_t));
    if (s == NULL) {
        return KR_ERROR;
    }

    memset(&names, 0, sizeof(kr_buf_t));

    for (i = 0, k = 0; i < n; i++) {
        k += kr_names_of(&names, &w[i].table, 1, &s[k]);
        k += kr_names_of(&names, w[i].leaves, w[i].nleaves, &s[k]);
    }

    for (i = 0, offset = 0; i < k && !names.failed; i++) {
        s[i].data = names.data + offset;
        offset += s[i].len;
    }

    if (!names.failed) {
        kr_buf_array(out, s, k);
    }

    out->failed |= names.failed;

    kr_buf_free(&names);
    free(s);

    return out->failed ? KR_ERROR : KR_OK;
}


static size_t
kr_names_of(kr_buf_t *names, const kr_relation_t *tables, size_t n,
    kr_str_t *s)
{
    size_t  i, from;

    for (i = 0; i < n; i++) {
        from = names->len;

        kr_buf_ident(names, tables[i].schema.data, tables[i].schema.len);
        kr_buf_str(names, ".");
        kr_buf_ident(names, tables[i].name.data, tables[i].name.len);

        s[i].len = names->len - from;
    }

    return n;
}
