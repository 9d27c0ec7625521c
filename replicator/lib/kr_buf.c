/*
 * The growing byte buffer.  A failed allocation sets `failed`, and the appends
 * after it do nothing, so that a caller checks `failed` once at the end, and
 * not after each piece.
 */

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kr_buf.h"


#define KR_BUF_MIN  64


static int kr_buf_grow(kr_buf_t *b, size_t len);


static const char  kr_buf_hex[] = "0123456789abcdef";

/* the letter behind the backslash of a control character, as in to_json() */
static const char  kr_buf_short[32] = {
    ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
};


char *
kr_buf_reserve(kr_buf_t *b, size_t len)
{
    if (b->failed) {
        return NULL;
    }

    if ((b->data == NULL || len > b->size - b->len - 1)
        && kr_buf_grow(b, len) != KR_OK)
    {
        return NULL;
    }

    return b->data + b->len;
}


void
kr_buf_append(kr_buf_t *b, const void *data, size_t len)
{
    char  *p;

    p = kr_buf_reserve(b, len);
    if (p == NULL) {
        return;
    }

    if (len != 0) {
        memcpy(p, data, len);
    }

    b->len += len;
    b->data[b->len] = '\0';
}


void
kr_buf_str(kr_buf_t *b, const char *text)
{
    kr_buf_append(b, text, strlen(text));
}


void
kr_buf_printf(kr_buf_t *b, const char *fmt, ...)
{
    int      n;
    char    *p;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    if (n < 0) {
        b->failed = 1;
        return;
    }

    p = kr_buf_reserve(b, (size_t) n);
    if (p == NULL) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(p, (size_t) n + 1, fmt, args);
    va_end(args);

    b->len += (size_t) n;
}


/*
 * Escapes only the characters that RFC 8259 requires to be escaped; the
 * others, UTF-8 included, are copied in runs.
 */
void
kr_buf_json(kr_buf_t *b, const char *data, size_t len)
{
    char           esc[6];
    size_t         i, from;
    unsigned char  ch;

    kr_buf_append(b, "\"", 1);

    for (i = 0, from = 0; i < len; i++) {
        ch = (unsigned char) data[i];

        if (ch >= 0x20 && ch != '"' && ch != '\\') {
            continue;
        }

        kr_buf_append(b, data + from, i - from);
        from = i + 1;

        esc[0] = '\\';
        esc[1] = ch >= 0x20 ? (char) ch : kr_buf_short[ch];

        if (esc[1] != '\0') {
            kr_buf_append(b, esc, 2);
            continue;
        }

        memcpy(esc, "\\u00", 4);
        esc[4] = kr_buf_hex[ch >> 4];
        esc[5] = kr_buf_hex[ch & 0xf];
        kr_buf_append(b, esc, 6);
    }

    kr_buf_append(b, data + from, len - from);
    kr_buf_append(b, "\"", 1);
}


void
kr_buf_ident(kr_buf_t *b, const char *data, size_t len)
{
    size_t  i, from;

    kr_buf_append(b, "\"", 1);

    for (i = 0, from = 0; i < len; i++) {
        if (data[i] == '"') {
            /* up to the quote, which is also the first byte of the next run */
            kr_buf_append(b, data + from, i + 1 - from);
            from = i;
        }
    }

    kr_buf_append(b, data + from, len - from);
    kr_buf_append(b, "\"", 1);
}


void
kr_buf_array(kr_buf_t *b, const kr_str_t *values, size_t n)
{
    char    ch;
    size_t  i, k;

    kr_buf_str(b, "{");

    for (i = 0; i < n; i++) {
        kr_buf_str(b, i == 0 ? "\"" : ",\"");

        for (k = 0; k < values[i].len; k++) {
            ch = values[i].data[k];

            if (ch == '"' || ch == '\\') {
                kr_buf_append(b, "\\", 1);
            }

            kr_buf_append(b, &ch, 1);
        }

        kr_buf_str(b, "\"");
    }

    kr_buf_str(b, "}");
}


void
kr_buf_reset(kr_buf_t *b)
{
    b->len = 0;
    b->failed = 0;

    if (b->data != NULL) {
        b->data[0] = '\0';
    }
}


void
kr_buf_free(kr_buf_t *b)
{
    free(b->data);
    memset(b, 0, sizeof(kr_buf_t));
}


/* Doubles the size at least, so that many small appends cost few copies. */
static int
kr_buf_grow(kr_buf_t *b, size_t len)
{
    char    *data;
    size_t   size;

    if (len > SIZE_MAX / 2 - b->len - 1) {
        b->failed = 1;
        return KR_ERROR;
    }

    size = b->size < KR_BUF_MIN ? KR_BUF_MIN : b->size;

    while (size < b->len + len + 1) {
        size *= 2;
    }

    data = realloc(b->data, size);
    if (data == NULL) {
        b->failed = 1;
        return KR_ERROR;
    }

    data[b->len] = '\0';

    b->data = data;
    b->size = size;

    return KR_OK;
}
