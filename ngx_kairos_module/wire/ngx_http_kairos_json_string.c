/*
 * JSON's strings: compared, decoded, encoded.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_json.h"
#include "ngx_http_kairos_utf8.h"


static size_t ngx_http_kairos_json_decode(u_char *dst, const u_char **src);
static uint32_t ngx_http_kairos_json_decode_unit(const u_char *p);
static u_char ngx_http_kairos_json_escaped(u_char ch);
static u_char ngx_http_kairos_json_escape(u_char ch);


ngx_uint_t
ngx_http_kairos_json_equal(const ngx_str_t *raw, const char *s)
{
    size_t         len, n;
    u_char         ch[4];
    const u_char  *p, *last;

    len = ngx_strlen(s);
    last = raw->data + raw->len - 1;

    for (p = raw->data + 1; p < last; /* void */ ) {
        n = ngx_http_kairos_json_decode(ch, &p);

        if (n > len || ngx_memcmp(ch, s, n) != 0) {
            return 0;
        }

        s += n;
        len -= n;
    }

    return len == 0;
}


u_char *
ngx_http_kairos_json_unescape(u_char *dst, const ngx_str_t *raw)
{
    size_t         n;
    const u_char  *p, *last, *escape;

    p = raw->data + 1;
    last = raw->data + raw->len - 1;

    while (p < last) {
        escape = memchr(p, '\\', last - p);
        n = ((escape != NULL) ? escape : last) - p;

        /* in place, too: the write position never passes the read position */

        if (n > 0) {
            ngx_memmove(dst, p, n);
            dst += n;
            p += n;
        }

        if (escape != NULL) {
            dst += ngx_http_kairos_json_decode(dst, &p);
        }
    }

    return dst;
}


size_t
ngx_http_kairos_json_string_size(const ngx_str_t *s)
{
    u_char  ch;
    size_t  i, size;

    size = 2 + s->len;

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if (ch >= 0x20 && ch != '"' && ch != '\\') {
            continue;
        }

        size += ngx_http_kairos_json_escape(ch)
                ? sizeof("\\n") - 2 : sizeof("\\u0000") - 2;
    }

    return size;
}


u_char *
ngx_http_kairos_json_string(u_char *p, const ngx_str_t *s)
{
    u_char                ch;
    size_t                i;
    static const u_char   hex[] = "0123456789abcdef";

    *p++ = '"';

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if (ch >= 0x20 && ch != '"' && ch != '\\') {
            *p++ = ch;
            continue;
        }

        *p++ = '\\';

        if (ngx_http_kairos_json_escape(ch)) {
            *p++ = ngx_http_kairos_json_escape(ch);
            continue;
        }

        *p++ = 'u';
        *p++ = '0';
        *p++ = '0';
        *p++ = hex[ch >> 4];
        *p++ = hex[ch & 0xf];
    }

    *p++ = '"';

    return p;
}


/*
 * Decodes the escape, or the one byte, at *src in a valid string to dst, which
 * has room for 4 bytes and may be at or before *src; advances *src; returns
 * the number of bytes written.
 */
static size_t
ngx_http_kairos_json_decode(u_char *dst, const u_char **src)
{
    u_char         ch;
    uint32_t       code;
    const u_char  *p;

    p = *src;
    ch = *p++;

    if (ch != '\\') {
        *dst = ch;
        *src = p;
        return 1;
    }

    ch = *p++;

    if (ch != 'u') {
        *dst = ngx_http_kairos_json_escaped(ch);
        *src = p;
        return 1;
    }

    code = ngx_http_kairos_json_decode_unit(p);
    p += 4;

    if (code >= 0xd800 && code <= 0xdbff) {
        code = 0x10000 + ((code - 0xd800) << 10)
               + (ngx_http_kairos_json_decode_unit(p + 2) - 0xdc00);
        p += 6;
    }

    *src = p;

    return ngx_http_kairos_utf8_encode(dst, code) - dst;
}


/* The UTF-16 code unit that four hexadecimal digits stand for. */
static uint32_t
ngx_http_kairos_json_decode_unit(const u_char *p)
{
    uint32_t    unit;
    ngx_uint_t  i;

    unit = 0;

    for (i = 0; i < 4; i++) {
        unit = unit << 4
               | ((p[i] <= '9')
                  ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    }

    return unit;
}


/* The character that a backslash and ch stand for. */
static u_char
ngx_http_kairos_json_escaped(u_char ch)
{
    switch (ch) {

    case 'b':
        return '\b';

    case 'f':
        return '\f';

    case 'n':
        return '\n';

    case 'r':
        return '\r';

    case 't':
        return '\t';
    }

    return ch;
}


/* The character behind the backslash in the escape's short form, or 0. */
static u_char
ngx_http_kairos_json_escape(u_char ch)
{
    switch (ch) {

    case '"':
    case '\\':
        return ch;

    case '\b':
        return 'b';

    case '\f':
        return 'f';

    case '\n':
        return 'n';

    case '\r':
        return 'r';

    case '\t':
        return 't';
    }

    return 0;
}
