/* sources: ngx_http_kairos_json.c ngx_http_kairos_json_string.c */
/* sources: ngx_http_kairos_utf8.c */
/* libs: -ljansson */

/*
 * Any bytes as JSON: what is taken must be what another parser takes, and
 * what is refused must be refused by it, but for the few points on which the
 * two differ by intent.  What is taken comes to the same when it is walked,
 * and its strings when they are decoded and encoded again.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_json.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/*
 * Whether the other parser agrees.  It knows neither numbers beyond its own
 * types nor NUL in a name, nor our bound on the depth, and takes a NUL byte
 * for the end of the text.
 */
static int
check_verdict(const uint8_t *data, size_t size, ngx_int_t rc,
    const char *reason)
{
    json_t        *tree;
    json_error_t   error;

    if (memchr(data, '\0', size) != NULL) {
        return 1;
    }

    tree = json_loadb((const char *) data, size,
                      JSON_DECODE_ANY|JSON_ALLOW_NUL, &error);

    if (tree != NULL) {
        json_decref(tree);
        return rc == NGX_OK
               || strcmp(reason, "JSON is nested too deeply") == 0;
    }

    return rc != NGX_OK
           || json_error_code(&error) == json_error_numeric_overflow
           || json_error_code(&error) == json_error_null_byte_in_key;
}


static void
check_string(const ngx_str_t *raw)
{
    u_char                  *text, *again, *pos, *last;
    ngx_str_t                s;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    text = malloc(raw->len);
    if (text == NULL) {
        abort();
    }

    s.data = text;
    s.len = ngx_http_kairos_json_unescape(text, raw) - text;

    again = malloc(ngx_http_kairos_json_string_size(&s));

    if (again == NULL || s.len > raw->len - 2
        || ngx_http_kairos_utf8_check(s.data, s.len) != NGX_OK)
    {
        abort();
    }

    last = ngx_http_kairos_json_string(again, &s);
    pos = again;

    if (last != again + ngx_http_kairos_json_string_size(&s)
        || ngx_http_kairos_json_value(&pos, last, &value, &reason) != NGX_OK
        || pos != last)
    {
        abort();
    }

    /* in place: to what it was before it was encoded */

    last = ngx_http_kairos_json_unescape(again, &value.raw);

    if ((size_t) (last - again) != s.len || memcmp(again, text, s.len) != 0) {
        abort();
    }

    free(again);
    free(text);
}


/* All that is within the value, from one level to the next. */
static void
check_value(const ngx_http_kairos_json_t *in)
{
    u_char                  *pos, *rest;
    ngx_int_t                rc;
    ngx_str_t                name, piece;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    if (in->type == NGX_HTTP_KAIROS_JSON_STRING) {
        check_string(&in->raw);
        return;
    }

    if (in->type < NGX_HTTP_KAIROS_JSON_ARRAY) {
        return;
    }

    pos = NULL;
    rest = in->raw.data + 1;

    for ( ;; ) {
        rc = ngx_http_kairos_json_walk(in, &pos, &name, &value, &reason);

        if (rc != NGX_OK) {
            break;
        }

        if ((name.len > 0) != (in->type == NGX_HTTP_KAIROS_JSON_OBJECT)) {
            abort();
        }

        if (name.len > 0) {
            check_string(&name);
        }

        /* the text of valid JSON is cut where its elements end */

        if (ngx_http_kairos_json_piece(&rest, in->raw.data + in->raw.len,
                                       &piece)
            != NGX_OK
            || value.raw.data < piece.data
            || value.raw.data + value.raw.len > piece.data + piece.len)
        {
            abort();
        }

        check_value(&value);
    }

    if (rc != NGX_DONE || pos != in->raw.data + in->raw.len) {
        abort();
    }
}


/* Any text is cut into pieces, each behind the one before. */
static void
check_pieces(u_char *pos, u_char *last)
{
    u_char     *end;
    ngx_str_t   piece;

    end = pos;

    while (ngx_http_kairos_json_piece(&pos, last, &piece) == NGX_OK) {

        if (piece.data < end || piece.data + piece.len > last) {
            abort();
        }

        end = piece.data + piece.len;
    }

    if (pos != last) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                  *text, *pos;
    ngx_int_t                rc;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    text = malloc(size + 1);
    if (text == NULL) {
        abort();
    }

    memcpy(text, data, size);

    check_pieces(text, text + size);

    pos = text;
    rc = ngx_http_kairos_json_value(&pos, text + size, &value, &reason);

    if (rc == NGX_OK) {
        check_value(&value);
        rc = ngx_http_kairos_json_end(pos, text + size, &reason);
    }

    if (memcmp(text, data, size) != 0
        || !check_verdict(data, size, rc, reason))
    {
        abort();
    }

    free(text);

    return 0;
}
