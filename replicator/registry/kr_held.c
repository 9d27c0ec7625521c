#include <stdlib.h>
#include <string.h>

#include "kr_held.h"


static void kr_held_row_free(kr_held_rows_t *ks, kr_route_t *rt,
    kr_held_row_t *held);


void
kr_held_snapshot(kr_held_rows_t *ks, kr_route_t *rt, const PGresult *rows,
    uint64_t lsn)
{
    int               row;
    kr_row_key_t      key;
    kr_row_key_buf_t  b;

    memset(&b, 0, sizeof(kr_row_key_buf_t));

    for (row = 0; row < PQntuples(rows) && !rt->held.lost; row++) {

        if (PQgetisnull(rows, row, 0)) {
            continue;
        }

        if (kr_row_key_parse(&rt->template->key, PQgetvalue(rows, row, 0),
                             (size_t) PQgetlength(rows, row, 0), &b, &key)
            != KR_OK)
        {
            kr_held_lose(ks, rt);
            break;
        }

        kr_held_add(ks, rt, &key, lsn);
    }

    kr_row_key_free(&b);
}


void
kr_held_add(kr_held_rows_t *ks, kr_route_t *rt, const kr_row_key_t *key,
    uint64_t lsn)
{
    size_t          size;
    kr_row_key_t    copy;
    kr_held_row_t  *held;

    if (rt->held.lost) {
        return;
    }

    HASH_FIND(hh, rt->held.rows, key->bytes.data, key->bytes.len, held);

    if (held != NULL) {
        if (lsn > held->lsn) {
            held->lsn = lsn;
        }

        return;
    }

    size = sizeof(kr_held_row_t) + kr_row_key_size(key);

    if (HASH_COUNT(rt->held.rows) >= KR_HELD_ROUTE_MAX
        || ks->bytes + size > KR_HELD_BYTES_MAX)
    {
        kr_held_lose(ks, rt);
        return;
    }

    held = malloc(size);
    if (held == NULL) {
        kr_held_lose(ks, rt);
        return;
    }

    held->lsn = lsn;
    held->texts_len = key->texts.len;
    kr_row_key_copy(&copy, held->data, key);

    HASH_ADD_KEYPTR(hh, rt->held.rows, copy.bytes.data, copy.bytes.len, held);

    if (held->hh.tbl == NULL) {
        free(held);
        kr_held_lose(ks, rt);
        return;
    }

    ks->bytes += size;
}


void
kr_held_remove(kr_held_rows_t *ks, kr_route_t *rt, const kr_row_key_t *key,
    uint64_t lsn)
{
    kr_held_row_t  *held;

    HASH_FIND(hh, rt->held.rows, key->bytes.data, key->bytes.len, held);

    if (held != NULL && lsn > held->lsn) {
        kr_held_row_free(ks, rt, held);
    }
}


int
kr_held_has(const kr_route_t *rt, const kr_row_key_t *key)
{
    kr_held_row_t  *held;

    if (rt->held.lost) {
        return 1;
    }

    HASH_FIND(hh, rt->held.rows, key->bytes.data, key->bytes.len, held);

    return held != NULL;
}


void
kr_held_key(const kr_held_row_t *held, kr_row_key_t *key)
{
    key->texts.data = held->data;
    key->texts.len = held->texts_len;
    key->bytes.data = held->data + held->texts_len;
    key->bytes.len = held->hh.keylen;
}


void
kr_held_lose(kr_held_rows_t *ks, kr_route_t *rt)
{
    rt->held.lost = 1;
    kr_held_clear(ks, rt);
}


void
kr_held_clear(kr_held_rows_t *ks, kr_route_t *rt)
{
    while (rt->held.rows != NULL) {
        kr_held_row_free(ks, rt, rt->held.rows);
    }
}


static void
kr_held_row_free(kr_held_rows_t *ks, kr_route_t *rt, kr_held_row_t *held)
{
    ks->bytes -= sizeof(kr_held_row_t) + held->texts_len + held->hh.keylen;

    HASH_DELETE(hh, rt->held.rows, held);
    free(held);
}
