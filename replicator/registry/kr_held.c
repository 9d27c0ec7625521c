#include <stdlib.h>
#include <string.h>

#include "kr_held.h"
#include "kr_row.h"


#define kr_held_row_size(held, len)                                           \
    (sizeof(kr_held_row_t) + (held)->texts_len + (len))


static void kr_held_row_free(kr_held_rows_t *ks, kr_route_t *rt,
    kr_held_row_t *held);


void
kr_held_snapshot(kr_held_rows_t *ks, kr_route_t *rt, const PGresult *rows,
    uint64_t lsn)
{
    int                      row, rc;
    kr_buf_t                 texts, bytes;
    const kr_key_columns_t  *key;

    memset(&texts, 0, sizeof(kr_buf_t));
    memset(&bytes, 0, sizeof(kr_buf_t));

    key = &rt->template->key;

    for (row = 0; row < PQntuples(rows) && !rt->held.lost; row++) {

        if (PQgetisnull(rows, row, 0)) {
            continue;
        }

        kr_buf_reset(&texts);
        kr_buf_reset(&bytes);

        rc = kr_key_texts(key, PQgetvalue(rows, row, 0),
                          (size_t) PQgetlength(rows, row, 0), &texts);
        if (rc == KR_OK) {
            kr_key_bytes(key, texts.data, &bytes);
        }

        if (rc != KR_OK || bytes.failed) {
            kr_held_lose(ks, rt);
            break;
        }

        kr_held_add(ks, rt, texts.data, texts.len, bytes.data, bytes.len,
                    lsn);
    }

    kr_buf_free(&texts);
    kr_buf_free(&bytes);
}


void
kr_held_add(kr_held_rows_t *ks, kr_route_t *rt, const char *texts,
    size_t texts_len, const char *bytes, size_t len, uint64_t lsn)
{
    size_t          size;
    kr_held_row_t  *held;

    if (rt->held.lost) {
        return;
    }

    HASH_FIND(hh, rt->held.rows, bytes, len, held);

    if (held != NULL) {
        if (lsn > held->lsn) {
            held->lsn = lsn;
        }

        return;
    }

    size = sizeof(kr_held_row_t) + texts_len + len;

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
    held->texts_len = texts_len;
    memcpy(held->data, texts, texts_len);
    memcpy(held->data + texts_len, bytes, len);

    HASH_ADD_KEYPTR(hh, rt->held.rows, held->data + texts_len, len, held);

    if (held->hh.tbl == NULL) {
        free(held);
        kr_held_lose(ks, rt);
        return;
    }

    ks->bytes += size;
}


void
kr_held_remove(kr_held_rows_t *ks, kr_route_t *rt, const char *bytes,
    size_t len, uint64_t lsn)
{
    kr_held_row_t  *held;

    HASH_FIND(hh, rt->held.rows, bytes, len, held);

    if (held != NULL && lsn > held->lsn) {
        kr_held_row_free(ks, rt, held);
    }
}


int
kr_held_has(const kr_route_t *rt, const char *bytes, size_t len)
{
    kr_held_row_t  *held;

    if (rt->held.lost) {
        return 1;
    }

    HASH_FIND(hh, rt->held.rows, bytes, len, held);

    return held != NULL;
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
    ks->bytes -= kr_held_row_size(held, held->hh.keylen);

    HASH_DELETE(hh, rt->held.rows, held);
    free(held);
}
