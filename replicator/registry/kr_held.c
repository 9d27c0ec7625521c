#include <stdlib.h>
#include <string.h>

#include "kr_held.h"
#include "kr_row.h"


#define kr_held_size(held, len)                                               \
    (sizeof(kr_held_t) + (held)->texts_len + (len))


static void kr_held_free(kr_keys_t *ks, kr_route_t *rt, kr_held_t *held);


void
kr_keys_snapshot(kr_keys_t *ks, kr_route_t *rt, const PGresult *rows,
    uint64_t lsn)
{
    int              row, rc;
    kr_buf_t         texts, bytes;
    const kr_key_t  *key;

    memset(&texts, 0, sizeof(kr_buf_t));
    memset(&bytes, 0, sizeof(kr_buf_t));

    key = &rt->template->key;

    for (row = 0; row < PQntuples(rows) && !rt->keys_lost; row++) {

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
            kr_keys_lose(ks, rt);
            break;
        }

        kr_keys_add(ks, rt, texts.data, texts.len, bytes.data, bytes.len,
                    lsn);
    }

    kr_buf_free(&texts);
    kr_buf_free(&bytes);
}


void
kr_keys_add(kr_keys_t *ks, kr_route_t *rt, const char *texts,
    size_t texts_len, const char *bytes, size_t len, uint64_t lsn)
{
    size_t      size;
    kr_held_t  *held;

    if (rt->keys_lost) {
        return;
    }

    HASH_FIND(hh, rt->held, bytes, len, held);

    if (held != NULL) {
        if (lsn > held->lsn) {
            held->lsn = lsn;
        }

        return;
    }

    size = sizeof(kr_held_t) + texts_len + len;

    if (HASH_COUNT(rt->held) >= KR_KEYS_ROUTE_MAX
        || ks->bytes + size > KR_KEYS_BYTES_MAX)
    {
        kr_keys_lose(ks, rt);
        return;
    }

    held = malloc(size);
    if (held == NULL) {
        kr_keys_lose(ks, rt);
        return;
    }

    held->lsn = lsn;
    held->texts_len = texts_len;
    memcpy(held->data, texts, texts_len);
    memcpy(held->data + texts_len, bytes, len);

    HASH_ADD_KEYPTR(hh, rt->held, held->data + texts_len, len, held);

    if (held->hh.tbl == NULL) {
        free(held);
        kr_keys_lose(ks, rt);
        return;
    }

    ks->bytes += size;
}


void
kr_keys_remove(kr_keys_t *ks, kr_route_t *rt, const char *bytes, size_t len,
    uint64_t lsn)
{
    kr_held_t  *held;

    HASH_FIND(hh, rt->held, bytes, len, held);

    if (held != NULL && lsn > held->lsn) {
        kr_held_free(ks, rt, held);
    }
}


int
kr_keys_has(const kr_route_t *rt, const char *bytes, size_t len)
{
    kr_held_t  *held;

    if (rt->keys_lost) {
        return 1;
    }

    HASH_FIND(hh, rt->held, bytes, len, held);

    return held != NULL;
}


void
kr_keys_lose(kr_keys_t *ks, kr_route_t *rt)
{
    rt->keys_lost = 1;
    kr_keys_clear(ks, rt);
}


void
kr_keys_clear(kr_keys_t *ks, kr_route_t *rt)
{
    while (rt->held != NULL) {
        kr_held_free(ks, rt, rt->held);
    }
}


static void
kr_held_free(kr_keys_t *ks, kr_route_t *rt, kr_held_t *held)
{
    ks->bytes -= kr_held_size(held, held->hh.keylen);

    HASH_DELETE(hh, rt->held, held);
    free(held);
}
