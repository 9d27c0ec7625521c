#include <stdlib.h>
#include <string.h>

#include "kr_json.h"
#include "kr_oid.h"
#include "kr_row.h"
#include "kr_value.h"


static void kr_rows_begin(kr_rows_writer_t *r);
static int kr_rows_mark(kr_rows_writer_t *r, uint32_t xid);
static int kr_row_by_text(const kr_key_columns_t *key, size_t i);
static void kr_row_key(kr_buf_t *b, const kr_key_columns_t *key,
    const char *texts);
static void kr_row_added(kr_buf_t *b, const kr_key_columns_t *key,
    const char *texts);
static void kr_row_array(kr_buf_t *b, const kr_key_columns_t *key,
    const char *texts);
static void kr_row_column(kr_buf_t *b, const kr_key_columns_t *key, size_t i,
    const char *text);
static void kr_row_text(kr_buf_t *b, uint32_t type, const char *text);
static void kr_row_value(kr_buf_t *b, uint32_t type, const char *text);
static void kr_row_time(kr_buf_t *b, const char *text, size_t len, int zone);


int
kr_rows_full(kr_rows_writer_t *r, const kr_key_columns_t *key,
    const char *texts, const kr_str_t *json, const char *op, uint32_t xid)
{
    kr_rows_begin(r);
    kr_row_full(&r->json, key, texts, json, op);

    return kr_rows_mark(r, xid);
}


void
kr_row_full(kr_buf_t *b, const kr_key_columns_t *key, const char *texts,
    const kr_str_t *json, const char *op)
{
    /* "{...}"; an object without a member takes no comma */

    kr_buf_append(b, json->data, json->len - 1);
    kr_buf_str(b, json->len > 2 ? "," : "");

    if (key->added) {
        kr_row_added(b, key, texts);
        kr_buf_str(b, ",");
    }

    kr_buf_printf(b, "\"database_op\":\"%s\"}", op);
}


int
kr_rows_key(kr_rows_writer_t *r, const kr_key_columns_t *key,
    const char *texts, const char *op, const char *error, uint32_t xid)
{
    kr_rows_begin(r);

    kr_buf_str(&r->json, "{");
    kr_row_key(&r->json, key, texts);

    if (key->added) {
        kr_buf_str(&r->json, ",");
        kr_row_added(&r->json, key, texts);
    }

    if (error != NULL) {
        kr_buf_str(&r->json, ",\"error\":");
        kr_buf_json(&r->json, error, strlen(error));
    }

    kr_buf_printf(&r->json, ",\"database_op\":\"%s\"}", op);

    return kr_rows_mark(r, xid);
}


void
kr_rows_reset(kr_rows_writer_t *r)
{
    kr_buf_reset(&r->json);
    r->n = 0;
}


void
kr_rows_free(kr_rows_writer_t *r)
{
    kr_buf_free(&r->json);
    free(r->marks);
    memset(r, 0, sizeof(kr_rows_writer_t));
}


int
kr_key_texts(const kr_key_columns_t *key, const char *text, size_t len,
    kr_buf_t *texts)
{
    char            *unescaped;
    size_t           n, nulls;
    kr_str_t         v;
    kr_json_t        j;
    kr_json_type_e   type;

    if (key->n == 1) {
        kr_buf_append(texts, text, len);
        kr_buf_append(texts, "", 1);
        return texts->failed ? KR_ERROR : KR_OK;
    }

    unescaped = malloc(len + 1);
    if (unescaped == NULL) {
        return KR_ERROR;
    }

    kr_json_init(&j, text, len, unescaped);
    n = 0;
    nulls = 0;

    if (kr_json_value(&j, &type, &v) == KR_OK && type == KR_JSON_ARRAY) {

        while (kr_json_item(&j) == KR_OK
               && kr_json_value(&j, &type, &v) == KR_OK)
        {
            if (type == KR_JSON_STRING) {
                kr_buf_append(texts, v.data, v.len);

            } else {
                nulls++;
            }

            kr_buf_append(texts, "", 1);
            n++;
        }
    }

    free(unescaped);

    if (n != key->n || texts->failed) {
        return KR_ERROR;
    }

    return nulls == n ? KR_DECLINED : KR_OK;
}


void
kr_key_bytes(const kr_key_columns_t *key, const char *texts, kr_buf_t *out)
{
    size_t     i, len, begin;
    uint32_t   size;

    for (i = 0; i < key->n; i++) {
        len = strlen(texts);
        begin = out->len;

        if (kr_row_by_text(key, i)
            || kr_value_key(key->types[i], texts, len, out) != KR_OK)
        {
            /* or not of a type that is compared, or not any more */
            kr_buf_append(out, texts, len);
        }

        if (key->n > 1) {
            /* without the length ("a", "bc") would equal ("ab", "c") */
            size = (uint32_t) (out->len - begin);
            kr_buf_append(out, &size, sizeof(uint32_t));
        }

        texts += len + 1;
    }
}


/*
 * Whether a client tells two texts of one number apart: 1.5 and 1.50 are one
 * number of JSON, and two strings.
 */
static int
kr_row_by_text(const kr_key_columns_t *key, size_t i)
{
    return (key->added || key->forms[i] == KR_KEY_TEXT)
           && (key->types[i] == KR_OID_NUMERIC
               || key->types[i] == KR_OID_FLOAT4
               || key->types[i] == KR_OID_FLOAT8);
}


int
kr_row_key_parse(const kr_key_columns_t *columns, const char *text,
    size_t len, kr_row_key_buf_t *b, kr_row_key_t *key)
{
    int  rc;

    kr_buf_reset(&b->texts);
    kr_buf_reset(&b->bytes);

    rc = kr_key_texts(columns, text, len, &b->texts);

    if (rc == KR_OK) {
        kr_key_bytes(columns, b->texts.data, &b->bytes);
        rc = b->bytes.failed ? KR_ERROR : KR_OK;
    }

    if (rc != KR_OK) {
        return rc;
    }

    kr_row_key_set(key, &b->texts, &b->bytes);

    return KR_OK;
}


void
kr_row_key_set(kr_row_key_t *key, const kr_buf_t *texts,
    const kr_buf_t *bytes)
{
    key->texts.data = texts->data;
    key->texts.len = texts->len;

    /* an empty buffer has no data, and memcmp() must not get NULL */
    key->bytes.data = bytes->data == NULL ? "" : bytes->data;
    key->bytes.len = bytes->len;
}


void
kr_row_key_free(kr_row_key_buf_t *b)
{
    kr_buf_free(&b->texts);
    kr_buf_free(&b->bytes);
}


size_t
kr_row_key_size(const kr_row_key_t *key)
{
    return key->texts.len + key->bytes.len;
}


void
kr_row_key_copy(kr_row_key_t *to, char *data, const kr_row_key_t *key)
{
    if (key->texts.len != 0) {
        memcpy(data, key->texts.data, key->texts.len);
    }

    if (key->bytes.len != 0) {
        memcpy(data + key->texts.len, key->bytes.data, key->bytes.len);
    }

    to->texts.data = data;
    to->texts.len = key->texts.len;
    to->bytes.data = data + key->texts.len;
    to->bytes.len = key->bytes.len;
}


static void
kr_rows_begin(kr_rows_writer_t *r)
{
    if (r->n != 0) {
        kr_buf_str(&r->json, ",");
    }
}


/*
 * Adds the mark of the row that was appended; the array grows by doubling.
 * KR_OK; KR_ERROR: no memory, here or for the row's JSON.
 */
static int
kr_rows_mark(kr_rows_writer_t *r, uint32_t xid)
{
    kr_row_mark_t  *marks;

    if ((r->n & (r->n - 1)) == 0) {
        marks = realloc(r->marks, sizeof(kr_row_mark_t)
                                  * (r->n == 0 ? 1 : 2 * r->n));
        if (marks == NULL) {
            return KR_ERROR;
        }

        r->marks = marks;
    }

    r->marks[r->n].xid = xid;
    r->marks[r->n].end = (uint32_t) r->json.len;
    r->n++;

    return r->json.failed ? KR_ERROR : KR_OK;
}


static void
kr_row_key(kr_buf_t *b, const kr_key_columns_t *key, const char *texts)
{
    int          id;
    size_t       i;
    const char  *p, *comma;

    /* a column that is called "id" stands for itself */

    id = 0;

    for (i = 0; i < key->n; i++) {
        id |= strcmp(key->names[i].data, "id") == 0;
    }

    if (!id) {
        kr_buf_str(b, "\"id\":");
        kr_row_array(b, key, texts);
    }

    p = texts;
    comma = id ? "" : ",";

    for (i = 0; i < key->n; i++) {

        /* a column of the name of the added member is in that member alone */

        if (!key->added || strcmp(key->names[i].data, KR_KEY_MEMBER) != 0) {
            kr_buf_str(b, comma);
            kr_buf_json(b, key->names[i].data, key->names[i].len);
            kr_buf_str(b, ":");
            kr_row_column(b, key, i, p);
            comma = ",";
        }

        p = p == NULL ? NULL : p + strlen(p) + 1;
    }
}


/*
 * The member by which a client finds a row whose query does not select the
 * key: a text, or an array of the texts of several columns.
 */
static void
kr_row_added(kr_buf_t *b, const kr_key_columns_t *key, const char *texts)
{
    size_t            i;
    kr_key_columns_t  as;

    as = *key;

    for (i = 0; i < as.n; i++) {
        as.forms[i] = KR_KEY_TEXT;
    }

    kr_buf_str(b, "\"" KR_KEY_MEMBER "\":");
    kr_row_array(b, &as, texts);
}


/* The value of the one column, or an array of those of several. */
static void
kr_row_array(kr_buf_t *b, const kr_key_columns_t *key, const char *texts)
{
    size_t       i;
    const char  *p;

    if (key->n == 1) {
        kr_row_column(b, key, 0, texts);
        return;
    }

    p = texts;

    for (i = 0; i < key->n; i++) {
        kr_buf_str(b, i == 0 ? "[" : ",");
        kr_row_column(b, key, i, p);

        p = p == NULL ? NULL : p + strlen(p) + 1;
    }

    kr_buf_str(b, "]");
}


/* A column of a key as the query's rows have it; text NULL: SQL's NULL. */
static void
kr_row_column(kr_buf_t *b, const kr_key_columns_t *key, size_t i,
    const char *text)
{
    if (text == NULL) {
        kr_buf_str(b, "null");
        return;
    }

    switch (key->forms[i]) {

    case KR_KEY_JSON:
        /* no JSON is empty: one of several columns is NULL */
        kr_buf_str(b, *text == '\0' ? "null" : text);
        return;

    case KR_KEY_TEXT:
        kr_row_text(b, key->types[i], text);
        return;

    default: /* KR_KEY_VALUE */
        kr_row_value(b, key->types[i], text);
        return;
    }
}


/*
 * A value as to_json() prints it when it is cast to text: the cast writes
 * booleans as words, and takes the blanks of char(n) away.
 */
static void
kr_row_text(kr_buf_t *b, uint32_t type, const char *text)
{
    size_t  len;

    if (type == KR_OID_BOOL) {
        kr_buf_str(b, text[0] == 't' ? "\"true\"" : "\"false\"");
        return;
    }

    len = strlen(text);

    while (type == KR_OID_BPCHAR && len != 0 && text[len - 1] == ' ') {
        len--;
    }

    kr_buf_json(b, text, len);
}


/* A value as to_json() prints it. */
static void
kr_row_value(kr_buf_t *b, uint32_t type, const char *text)
{
    size_t  len;

    len = strlen(text);

    switch (type) {

    case KR_OID_INT2:
    case KR_OID_INT4:
    case KR_OID_INT8:
    case KR_OID_FLOAT4:
    case KR_OID_FLOAT8:
    case KR_OID_NUMERIC:

        /* NaN and the infinities are no numbers of JSON */

        if (len == 0 || text[len - 1] < '0' || text[len - 1] > '9') {
            break;
        }

        kr_buf_append(b, text, len);
        return;

    case KR_OID_BOOL:
        kr_buf_str(b, text[0] == 't' ? "true" : "false");
        return;

    case KR_OID_TIMESTAMP:
        kr_row_time(b, text, len, 0);
        return;

    case KR_OID_TIMESTAMPTZ:
        kr_row_time(b, text, len, 1);
        return;

    default:
        break;
    }

    kr_buf_json(b, text, len);
}


/*
 * "2026-01-01 00:00:00+00" becomes "2026-01-01T00:00:00+00:00"; infinities
 * have no blank and stay.  The session's zone is UTC; " BC" may follow.
 */
static void
kr_row_time(kr_buf_t *b, const char *text, size_t len, int zone)
{
    size_t       bc;
    const char  *blank;

    blank = memchr(text, ' ', len);

    if (blank == NULL) {
        kr_buf_json(b, text, len);
        return;
    }

    bc = len > 3 && memcmp(text + len - 3, " BC", 3) == 0 ? 3 : 0;

    kr_buf_str(b, "\"");
    kr_buf_append(b, text, (size_t) (blank - text));
    kr_buf_str(b, "T");
    kr_buf_append(b, blank + 1, len - bc - (size_t) (blank + 1 - text));
    kr_buf_str(b, zone ? ":00" : "");
    kr_buf_str(b, bc ? " BC\"" : "\"");
}
