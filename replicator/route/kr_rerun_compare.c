/*
 * Two results compared: what is new, what differs, what is gone.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kr_rerun_private.h"


static int kr_compare_read(kr_rerun_t *rr, const PGresult *res,
    kr_result_row_t **rows, const char **reason);
static kr_result_row_t *kr_compare_find(kr_rerun_t *rr, const PGresult *res,
    int row);
static int kr_compare_key(kr_rerun_t *rr, const PGresult *res, int row,
    kr_row_key_t *key);
static kr_result_row_t *kr_result_row_create(kr_rerun_t *rr,
    const kr_row_key_t *key);
static int kr_compare_hash(kr_reruns_t *rn, const char *json, size_t len,
    uint64_t *sum);
static int kr_compare_gone(kr_rerun_t *rr);
static int kr_compare_changed(kr_rerun_t *rr, const PGresult *res,
    kr_result_row_t **rows);
static int kr_compare_sent(kr_rerun_t *rr, int rc);
static void kr_compare_flush(kr_rerun_t *rr);
static void kr_result_row_free(kr_rerun_t *rr, kr_result_row_t *kept);


int
kr_rerun_compare(kr_rerun_t *rr, const PGresult *res, const char **reason)
{
    int                n, row;
    kr_result_row_t  **rows;

    n = PQntuples(res);

    if (n > KR_RERUN_ROWS_MAX) {
        *reason = "the query returns more than 10000 rows, which is the limit"
                  " of queries that are run as a whole: narrow it down";
        return KR_DECLINED;
    }

    rows = calloc((size_t) n + 1, sizeof(kr_result_row_t *));
    if (rows == NULL) {
        *reason = "no memory";
        return KR_DECLINED;
    }

    rr->run++;

    if (kr_compare_read(rr, res, rows, reason) != KR_OK) {
        free(rows);
        return KR_DECLINED;
    }

    if (rr->based && kr_compare_gone(rr) == KR_OK
        && kr_compare_changed(rr, res, rows) == KR_OK)
    {
        kr_compare_flush(rr);
    }

    kr_rows_reset(&rr->owner->rows);

    for (row = 0; row < n && rr->route != NULL; row++) {
        if (rows[row] != NULL) {
            rows[row]->sum[0] = rows[row]->next[0];
            rows[row]->sum[1] = rows[row]->next[1];
            rows[row]->fresh = 0;
        }
    }

    free(rows);

    return KR_OK;
}


void
kr_rerun_forget(kr_rerun_t *rr)
{
    while (rr->kept != NULL) {
        kr_result_row_free(rr, rr->kept);
    }
}


/* Finds the place of each row, and sums up what stands there now. */
static int
kr_compare_read(kr_rerun_t *rr, const PGresult *res, kr_result_row_t **rows,
    const char **reason)
{
    int               row;
    kr_result_row_t  *kept;

    for (row = 0; row < PQntuples(res); row++) {

        if (PQgetlength(res, row, 1) < 2) {
            continue;
        }

        kept = kr_compare_find(rr, res, row);

        if (kept == NULL) {
            *reason = "no memory";
            return KR_DECLINED;
        }

        if (kept->run != rr->run) {
            kept->run = rr->run;
            kept->next[0] = 0;
            kept->next[1] = 0;
        }

        if (kr_compare_hash(rr->owner, PQgetvalue(res, row, 1),
                            (size_t) PQgetlength(res, row, 1), kept->next)
            != KR_OK)
        {
            *reason = "no memory";
            return KR_DECLINED;
        }

        rows[row] = kept;
    }

    if (rr->owner->bytes > KR_RERUN_BYTES_MAX) {
        *reason = "the results of all queries that are run as a whole have"
                  " become too large: try again later, or narrow it down";
        return KR_DECLINED;
    }

    return KR_OK;
}


/* The row of this key in the last result, or a new one; NULL: no memory. */
static kr_result_row_t *
kr_compare_find(kr_rerun_t *rr, const PGresult *res, int row)
{
    kr_row_key_t      key;
    kr_result_row_t  *kept;

    if (kr_compare_key(rr, res, row, &key) != KR_OK) {
        return NULL;
    }

    HASH_FIND(hh, rr->kept, key.bytes.data, key.bytes.len, kept);

    return kept != NULL ? kept : kr_result_row_create(rr, &key);
}


/*
 * The key of a row of the result, in the owner's memory.  A letter ends its
 * bytes, so that a key of no bytes is not the key that is NULL, which has no
 * texts.  KR_OK; KR_ERROR: no memory, or no key.
 */
static int
kr_compare_key(kr_rerun_t *rr, const PGresult *res, int row,
    kr_row_key_t *key)
{
    int                rc;
    kr_row_key_buf_t  *b;

    b = &rr->owner->key;

    rc = PQgetisnull(res, row, 0) ? KR_DECLINED
         : kr_row_key_parse(&rr->route->template->key,
                            PQgetvalue(res, row, 0),
                            (size_t) PQgetlength(res, row, 0), b, key);

    if (rc == KR_ERROR) {
        return KR_ERROR;
    }

    if (rc == KR_DECLINED) {
        memset(key, 0, sizeof(kr_row_key_t));
        kr_buf_reset(&b->bytes);
        kr_buf_str(&b->bytes, "n");

    } else {
        kr_buf_str(&b->bytes, "k");
    }

    key->bytes.data = b->bytes.data;
    key->bytes.len = b->bytes.len;

    return b->bytes.failed ? KR_ERROR : KR_OK;
}


static kr_result_row_t *
kr_result_row_create(kr_rerun_t *rr, const kr_row_key_t *key)
{
    size_t            size;
    kr_row_key_t      copy;
    kr_result_row_t  *kept;

    size = sizeof(kr_result_row_t) + kr_row_key_size(key);

    kept = malloc(size);
    if (kept == NULL) {
        return NULL;
    }

    memset(kept, 0, sizeof(kr_result_row_t));

    kept->fresh = 1;
    kept->texts_len = key->texts.len;
    kr_row_key_copy(&copy, kept->data, key);

    HASH_ADD_KEYPTR(hh, rr->kept, copy.bytes.data, copy.bytes.len, kept);

    if (kept->hh.tbl == NULL) {
        free(kept);
        return NULL;
    }

    rr->owner->bytes += size;

    return kept;
}


/*
 * Added, so that the order of rows that have one key does not count: where
 * none was asked for, PostgreSQL is free to change it.
 */
static int
kr_compare_hash(kr_reruns_t *rn, const char *json, size_t len, uint64_t *sum)
{
    uint64_t       part[2];
    unsigned       size;
    unsigned char  digest[EVP_MAX_MD_SIZE];

    if (EVP_DigestInit_ex(rn->md, EVP_sha256(), NULL) != 1
        || EVP_DigestUpdate(rn->md, json, len) != 1
        || EVP_DigestFinal_ex(rn->md, digest, &size) != 1)
    {
        return KR_ERROR;
    }

    memcpy(part, digest, sizeof(part));

    sum[0] += part[0];
    sum[1] += part[1];

    return KR_OK;
}


/* KR_ERROR: the route is gone. */
static int
kr_compare_gone(kr_rerun_t *rr)
{
    int               rc;
    kr_result_row_t  *kept, *next;

    HASH_ITER(hh, rr->kept, kept, next) {

        if (kept->run == rr->run) {
            continue;
        }

        rc = kr_rows_key(&rr->owner->rows, &rr->route->template->key,
                         kept->texts_len == 0 ? NULL : kept->data, "delete",
                         NULL, 0);

        if (kr_compare_sent(rr, rc) != KR_OK) {
            return KR_ERROR;
        }

        kr_result_row_free(rr, kept);
    }

    return KR_OK;
}


/* KR_ERROR: the route is gone. */
static int
kr_compare_changed(kr_rerun_t *rr, const PGresult *res, kr_result_row_t **rows)
{
    int               rc, row;
    kr_str_t          json;
    kr_result_row_t  *kept;

    for (row = 0; row < PQntuples(res); row++) {
        kept = rows[row];

        if (kept == NULL
            || (!kept->fresh && kept->sum[0] == kept->next[0]
                && kept->sum[1] == kept->next[1]))
        {
            continue;
        }

        json.data = PQgetvalue(res, row, 1);
        json.len = (size_t) PQgetlength(res, row, 1);

        rc = kr_rows_full(&rr->owner->rows, &rr->route->template->key,
                          kept->texts_len == 0 ? NULL : kept->data, &json,
                          kept->fresh ? "insert" : "update", 0);

        if (kr_compare_sent(rr, rc) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


/* A row was appended, with rc.  KR_ERROR: the route is gone. */
static int
kr_compare_sent(kr_rerun_t *rr, int rc)
{
    kr_reruns_t  *rn;

    rn = rr->owner;

    if (rc != KR_OK) {
        kr_rows_free(&rn->rows);
        kr_route_reset(rn->routes, rr->route, "no memory");
        return KR_ERROR;
    }

    if (rn->rows.n == rn->chunk_size || rn->rows.json.len >= KR_CHUNK_BYTES) {
        kr_compare_flush(rr);
    }

    return rr->route == NULL ? KR_ERROR : KR_OK;
}


static void
kr_compare_flush(kr_rerun_t *rr)
{
    kr_event_t    ev;
    kr_reruns_t  *rn;

    rn = rr->owner;

    if (rn->rows.n == 0) {
        return;
    }

    ev.rows = &rn->rows.json;
    ev.marks = rn->rows.marks;
    ev.nrows = rn->rows.n;
    ev.txn = rr->answered;
    ev.lsn = rr->answered != NULL ? rr->answered->lsn : rn->routes->position;

    kr_route_publish(rn->routes, rr->route, &ev);
    kr_rows_reset(&rn->rows);
}


static void
kr_result_row_free(kr_rerun_t *rr, kr_result_row_t *kept)
{
    size_t  size;

    size = sizeof(kr_result_row_t) + kept->texts_len + kept->hh.keylen;

    rr->owner->bytes -= size;

    HASH_DELETE(hh, rr->kept, kept);
    free(kept);
}
