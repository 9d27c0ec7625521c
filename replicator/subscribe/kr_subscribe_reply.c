/*
 * The REPLY of a SUBSCRIBE: its rows, and what the join of its route needs.
 */

#include <string.h>

#include "kr_answer.h"
#include "kr_lsn.h"
#include "kr_row.h"
#include "kr_subscribe_private.h"


/* of PostgreSQL's WAL, as it is built by default */
#define KR_WAL_PAGE         8192
#define KR_WAL_HEADER       24
#define KR_WAL_LONG_HEADER  40


static const char *kr_subscribe_key(const kr_key_columns_t *key,
    const PGresult *res, int row, kr_buf_t *texts);
static int kr_subscribe_cursor(kr_subscribe_t *s);
static uint64_t kr_subscribe_floor(uint64_t lsn);


int
kr_subscribe_reply(kr_subscribe_t *s)
{
    int       rc;
    kr_buf_t  b;

    memset(&b, 0, sizeof(kr_buf_t));

    kr_buf_printf(&b, "{\"received\":true,\"route_topics\":[\"%s\"],"
                  "\"rows\":[", s->sub.route->topic);
    kr_subscribe_rows(&b, &s->sub.route->template->key, s->rows);
    kr_buf_str(&b, "]}");

    rc = b.failed ? KR_ERROR : kr_subscribe_cursor(s);

    if (rc == KR_OK) {
        kr_reply(s->sub.worker, s->req, &b);
    }

    kr_buf_free(&b);

    return rc;
}


/*
 * The cursor keeps the moment of the rows, unless it has an older one already.
 * KR_ERROR: no memory.
 */
static int
kr_subscribe_cursor(kr_subscribe_t *s)
{
    kr_cursor_t  *cu;

    cu = kr_cursor_find(s->socket, s->sub.route);

    if (cu == NULL || cu->lsn != 0 || cu->left) {
        return KR_OK;
    }

    if (kr_snapshot_copy(&cu->snapshot, &s->moment->snapshot) != KR_OK) {
        return KR_ERROR;
    }

    cu->lsn = kr_subscribe_floor(s->moment->lsn);

    if (s->waiter.rows != NULL) {
        cu->first_entry = s->waiter.from;
    }

    return KR_OK;
}


/*
 * The insert position that stands behind the header of a page which holds
 * nothing else is not reached before something is written there.
 */
static uint64_t
kr_subscribe_floor(uint64_t lsn)
{
    uint64_t  offset;

    offset = lsn % KR_WAL_PAGE;

    if (offset == KR_WAL_HEADER || offset == KR_WAL_LONG_HEADER) {
        return lsn - offset;
    }

    return lsn;
}


void
kr_subscribe_rows(kr_buf_t *b, const kr_key_columns_t *key,
    const PGresult *res)
{
    int          row;
    size_t       n;
    kr_str_t     json;
    kr_buf_t     texts;
    const char  *p;

    n = 0;
    memset(&texts, 0, sizeof(kr_buf_t));

    for (row = 0; row < PQntuples(res); row++) {
        json.data = PQgetvalue(res, row, 1);
        json.len = (size_t) PQgetlength(res, row, 1);

        if (json.len < 2) {
            continue;
        }

        p = key->added ? kr_subscribe_key(key, res, row, &texts) : NULL;

        kr_buf_str(b, n++ == 0 ? "" : ",");
        kr_row_full(b, key, p, &json, "query");
        b->failed |= texts.failed;
    }

    kr_buf_free(&texts);
}


/*
 * The texts of a row's key; NULL: the key is SQL's NULL, or texts->failed, for
 * want of memory.
 */
static const char *
kr_subscribe_key(const kr_key_columns_t *key, const PGresult *res, int row,
    kr_buf_t *texts)
{
    int  rc;

    kr_buf_reset(texts);

    if (PQgetisnull(res, row, 0)) {
        return NULL;
    }

    rc = kr_key_texts(key, PQgetvalue(res, row, 0),
                      (size_t) PQgetlength(res, row, 0), texts);

    texts->failed |= (rc == KR_ERROR);

    return rc == KR_OK ? texts->data : NULL;
}
