/*
 * The columns of a row, and the words of which all members are made.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_decode_private.h"
#include "kr_oid.h"


#define KR_DECODE_COLUMNS  64


static int kr_decode_column(kr_decoder_t *d, kr_column_t *cl);
static int kr_decode_oid(kr_decoder_t *d, uint32_t *oid);
static int kr_decode_value(kr_decoder_t *d, kr_column_t *cl);
static int kr_decode_bytea(kr_decoder_t *d, kr_column_t *cl);


int
kr_decode_string(kr_decoder_t *d, kr_str_t *v)
{
    kr_json_type_e  type;

    if (kr_json_value(&d->json, &type, v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_STRING) {
        return kr_decode_error(d, "not a string");
    }

    return KR_OK;
}


int
kr_decode_integer(const kr_str_t *v, int64_t *n)
{
    size_t  i;

    i = v->data[0] == '-';

    if (v->len == i || v->len - i > 18) {
        return KR_ERROR;
    }

    for (*n = 0; i < v->len; i++) {
        if (v->data[i] < '0' || v->data[i] > '9') {
            return KR_ERROR;
        }

        *n = *n * 10 + (v->data[i] - '0');
    }

    if (v->data[0] == '-') {
        *n = -*n;
    }

    return KR_OK;
}


int
kr_decode_error(kr_decoder_t *d, const char *error)
{
    d->json.error = error;

    return KR_ERROR;
}


int
kr_decode_array(kr_decoder_t *d, kr_columns_t *columns)
{
    int              rc;
    size_t           size;
    kr_str_t         v;
    kr_column_t     *elts;
    kr_json_type_e   type;

    if (kr_json_value(&d->json, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_ARRAY) {
        return kr_decode_error(d, "not an array");
    }

    for ( ;; ) {
        rc = kr_json_item(&d->json);

        if (rc != KR_OK) {
            return rc == KR_DECLINED ? KR_OK : KR_ERROR;
        }

        if (columns->n == columns->size) {
            size = columns->size == 0 ? KR_DECODE_COLUMNS : columns->size * 2;

            elts = realloc(columns->elts, size * sizeof(kr_column_t));
            if (elts == NULL) {
                d->failed = 1;
                return kr_decode_error(d, "no memory for a column");
            }

            columns->elts = elts;
            columns->size = size;
        }

        if (kr_decode_column(d, &columns->elts[columns->n]) != KR_OK) {
            return KR_ERROR;
        }

        columns->n++;
    }
}


/*
 * One {"name": ..., "typeoid": ..., "value": ...}.  The type must come before
 * the value, as it does, for the value is read by it.
 */
static int
kr_decode_column(kr_decoder_t *d, kr_column_t *cl)
{
    int             rc, value, typed;
    kr_str_t        v;
    kr_json_type_e  type;

    memset(cl, 0, sizeof(kr_column_t));
    value = 0;
    typed = 0;

    if (kr_json_value(&d->json, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_OBJECT) {
        return kr_decode_error(d, "not an object");
    }

    for ( ;; ) {
        rc = kr_json_key(&d->json, &v);

        if (rc == KR_DECLINED) {
            break;
        }

        if (rc == KR_ERROR) {
            return KR_ERROR;
        }

        if (v.len == 4 && memcmp(v.data, "name", 4) == 0) {
            rc = kr_decode_string(d, &cl->name);

        } else if (v.len == 7 && memcmp(v.data, "typeoid", 7) == 0) {
            rc = value ? kr_decode_error(d, "a type follows its value")
                       : kr_decode_oid(d, &cl->type);
            typed = 1;

        } else if (v.len == 5 && memcmp(v.data, "value", 5) == 0) {
            rc = kr_decode_value(d, cl);
            value = 1;

        } else {
            rc = kr_json_skip(&d->json);
        }

        if (rc != KR_OK) {
            return rc;
        }
    }

    if (cl->name.data == NULL || !value) {
        return kr_decode_error(d, "a column lacks its name or its value");
    }

    if (!typed) {
        d->untyped = 1;
        return kr_decode_error(d, "a column lacks its type");
    }

    return KR_OK;
}


/* wal2json prints the 32 bits as a signed number. */
static int
kr_decode_oid(kr_decoder_t *d, uint32_t *oid)
{
    int64_t         n;
    kr_str_t        v;
    kr_json_type_e  type;

    if (kr_json_value(&d->json, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_NUMBER || kr_decode_integer(&v, &n) != KR_OK
        || n < INT32_MIN || n > UINT32_MAX)
    {
        return kr_decode_error(d, "not an oid");
    }

    *oid = (uint32_t) n;

    return KR_OK;
}


static int
kr_decode_value(kr_decoder_t *d, kr_column_t *cl)
{
    kr_json_type_e  type;

    if (kr_json_value(&d->json, &type, &cl->value) != KR_OK) {
        return KR_ERROR;
    }

    switch (type) {

    case KR_JSON_NULL:
        cl->null = 1;
        return KR_OK;

    case KR_JSON_TRUE:
    case KR_JSON_FALSE:
        cl->value.data = type == KR_JSON_TRUE ? "t" : "f";
        cl->value.len = 1;
        return KR_OK;

    case KR_JSON_STRING:
        return cl->type == KR_OID_BYTEA ? kr_decode_bytea(d, cl) : KR_OK;

    case KR_JSON_NUMBER:
        return KR_OK;

    default:
        return kr_decode_error(d, "a value is neither text nor number");
    }
}


/*
 * wal2json cuts the \x off, and asks no one whether it stood there.  The two
 * quotes of the JSON string make the room in d->text for it.
 */
static int
kr_decode_bytea(kr_decoder_t *d, kr_column_t *cl)
{
    char    *p;
    size_t   i;

    p = d->json.text;

    for (i = 0; i < cl->value.len; i++) {
        if (strchr("0123456789abcdef", cl->value.data[i]) == NULL) {
            return kr_decode_error(d, "bytea that is not hexadecimal: set"
                                      " bytea_output to hex");
        }
    }

    if (cl->value.data + cl->value.len == p) {
        /* it was copied for its escapes, which hexadecimal needs not */
        return kr_decode_error(d, "escaped bytea");
    }

    p[0] = '\\';
    p[1] = 'x';
    memcpy(p + 2, cl->value.data, cl->value.len);

    cl->value.data = p;
    cl->value.len += 2;
    d->json.text += cl->value.len;

    return KR_OK;
}
