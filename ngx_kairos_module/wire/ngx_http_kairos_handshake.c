#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_handshake.h"


/* digits of a key: 16 bytes are 22 digits of base64 and two fillers */
#define NGX_HTTP_KAIROS_HANDSHAKE_DIGITS  22

/* in Sec-WebSocket-Protocol, as phoenix.js 1.8 writes it */
#define NGX_HTTP_KAIROS_HANDSHAKE_PREFIX  "base64url.bearer.phx."

#define NGX_HTTP_KAIROS_HANDSHAKE_BEARER  "Bearer "


static ngx_int_t ngx_http_kairos_handshake_element(const ngx_str_t *list,
    u_char **pos, ngx_str_t *element);
static ngx_uint_t ngx_http_kairos_handshake_begins(const ngx_str_t *value,
    const char *text, size_t len);


ngx_uint_t
ngx_http_kairos_handshake_has(const ngx_str_t *list, const char *token)
{
    size_t      len;
    u_char     *pos;
    ngx_str_t   element;

    len = ngx_strlen(token);
    pos = list->data;

    while (ngx_http_kairos_handshake_element(list, &pos, &element) == NGX_OK) {

        if (element.len == len
            && ngx_http_kairos_handshake_begins(&element, token, len))
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_kairos_handshake_key(const ngx_str_t *key)
{
    size_t  i;
    u_char  ch;

    if (key->len != NGX_HTTP_KAIROS_HANDSHAKE_DIGITS + 2) {
        return 0;
    }

    for (i = 0; i < NGX_HTTP_KAIROS_HANDSHAKE_DIGITS; i++) {
        ch = key->data[i];

        if ((ch < 'A' || ch > 'Z') && (ch < 'a' || ch > 'z')
            && (ch < '0' || ch > '9') && ch != '+' && ch != '/')
        {
            return 0;
        }
    }

    return key->data[i] == '=' && key->data[i + 1] == '=';
}


ngx_int_t
ngx_http_kairos_handshake_vsn(const ngx_str_t *value,
    ngx_http_kairos_phx_vsn_e *vsn)
{
    size_t  i;

    /* "2.0.0" of today's clients, "1.0.0" of old ones */

    if (value->len < 5 || value->data[1] != '.'
        || value->data[2] != '0' || value->data[3] != '.')
    {
        return NGX_DECLINED;
    }

    for (i = 4; i < value->len; i++) {
        if (value->data[i] < '0' || value->data[i] > '9') {
            return NGX_DECLINED;
        }
    }

    switch (value->data[0]) {

    case '1':
        *vsn = NGX_HTTP_KAIROS_PHX_V1;
        return NGX_OK;

    case '2':
        *vsn = NGX_HTTP_KAIROS_PHX_V2;
        return NGX_OK;

    default:
        return NGX_DECLINED;
    }
}


ngx_int_t
ngx_http_kairos_handshake_token(const ngx_str_t *protocols,
    ngx_str_t *encoded)
{
    size_t      len;
    u_char     *pos;
    ngx_str_t   element;

    len = sizeof(NGX_HTTP_KAIROS_HANDSHAKE_PREFIX) - 1;
    pos = protocols->data;

    while (ngx_http_kairos_handshake_element(protocols, &pos, &element)
           == NGX_OK)
    {
        if (ngx_http_kairos_handshake_begins(&element,
                                      NGX_HTTP_KAIROS_HANDSHAKE_PREFIX, len))
        {
            encoded->data = element.data + len;
            encoded->len = element.len - len;

            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_kairos_handshake_bearer(ngx_str_t *value)
{
    size_t  len;

    len = sizeof(NGX_HTTP_KAIROS_HANDSHAKE_BEARER) - 1;

    if (!ngx_http_kairos_handshake_begins(value,
                                      NGX_HTTP_KAIROS_HANDSHAKE_BEARER, len))
    {
        return 0;
    }

    value->data += len;
    value->len -= len;

    while (value->len && *value->data == ' ') {
        value->data++;
        value->len--;
    }

    return 1;
}


/*
 * Reads the next element of a list, RFC 9110 section 5.6.1, without the blanks
 * around the element; empty elements are skipped.  *pos is list->data at
 * first.  NGX_DONE: there is no further element.
 */
static ngx_int_t
ngx_http_kairos_handshake_element(const ngx_str_t *list, u_char **pos,
    ngx_str_t *element)
{
    u_char  *p, *last, *end;

    p = *pos;
    last = list->data + list->len;

    while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
        p++;
    }

    if (p == last) {
        return NGX_DONE;
    }

    element->data = p;

    while (p < last && *p != ',') {
        p++;
    }

    *pos = p;

    /* the element has at least one character that is no blank */

    for (end = p; end[-1] == ' ' || end[-1] == '\t'; end--) { /* void */ }

    element->len = end - element->data;

    return NGX_OK;
}


/* without nginx's functions, so that this file links alone */
static ngx_uint_t
ngx_http_kairos_handshake_begins(const ngx_str_t *value, const char *text,
    size_t len)
{
    size_t  i;

    if (value->len < len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (ngx_tolower(value->data[i]) != ngx_tolower((u_char) text[i])) {
            return 0;
        }
    }

    return 1;
}
