#include <string.h>

#include "kr_change.h"


const kr_column_t *
kr_column_find(const kr_column_t *columns, size_t n, const kr_str_t *name)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (columns[i].name.len == name->len
            && memcmp(columns[i].name.data, name->data, name->len) == 0)
        {
            return &columns[i];
        }
    }

    return NULL;
}
