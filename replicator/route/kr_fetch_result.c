/*
 * What the result of a refetch says: whether it saw the changes, and which
 * row is whose.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_fetch_private.h"


static int kr_item_find(kr_pending_t *pe, const char *text, size_t len,
    kr_item_t **it);
static int kr_item_cmp(const void *one, const void *two);


int
kr_batch_visible(const kr_pending_t *pe)
{
    size_t                i, k;
    const kr_item_t      *it;
    const kr_snapshot_t  *s;

    s = &pe->job.moment.snapshot;

    for (i = pe->pos; i < pe->pos + pe->take; i++) {
        it = pe->items[i];

        for (k = 0; k < it->nxids && kr_item_asked(it); k++) {
            if (!kr_snapshot_sees(s, it->xids[k])) {
                return 0;
            }
        }
    }

    return 1;
}


int
kr_batch_assign(kr_pending_t *pe, const PGresult *res)
{
    int         row;
    kr_item_t  *it, **sorted;

    sorted = pe->items + pe->n;
    memcpy(sorted, pe->items + pe->pos, pe->take * sizeof(kr_item_t *));
    qsort(sorted, pe->take, sizeof(kr_item_t *), kr_item_cmp);

    for (row = 0; row < PQntuples(res); row++) {

        if (PQgetisnull(res, row, 0)) {
            continue;
        }

        if (kr_item_find(pe, PQgetvalue(res, row, 0),
                          (size_t) PQgetlength(res, row, 0), &it)
            != KR_OK)
        {
            return KR_ERROR;
        }

        if (it == NULL) {
            continue;
        }

        it->json = PQgetvalue(res, row, 2);
        it->json_len = (size_t) PQgetlength(res, row, 2);

        if (!PQgetisnull(res, row, 1)) {
            it->field = PQgetvalue(res, row, 1);
            it->field_len = (size_t) PQgetlength(res, row, 1);
        }
    }

    return KR_OK;
}


/* *it is NULL if nobody asked for this row. */
static int
kr_item_find(kr_pending_t *pe, const char *text, size_t len, kr_item_t **it)
{
    kr_item_t  want, *p, **found;

    if (kr_row_key_parse(&pe->template->key, text, len, &pe->fetch->key,
                         &want.key)
        != KR_OK)
    {
        return KR_ERROR;
    }

    p = &want;

    found = bsearch(&p, pe->items + pe->n, pe->take, sizeof(kr_item_t *),
                    kr_item_cmp);

    *it = found == NULL ? NULL : *found;

    return KR_OK;
}


static int
kr_item_cmp(const void *one, const void *two)
{
    const kr_item_t  *a, *b;

    a = *(kr_item_t *const *) one;
    b = *(kr_item_t *const *) two;

    if (a->key.bytes.len != b->key.bytes.len) {
        return a->key.bytes.len < b->key.bytes.len ? -1 : 1;
    }

    return memcmp(a->key.bytes.data, b->key.bytes.data, a->key.bytes.len);
}
