/*
 * Whether a request may become a socket, and which.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_cors.h"
#include "ngx_http_kairos_http.h"
#include "ngx_http_kairos_upgrade.h"


#define NGX_HTTP_KAIROS_KEY  24      /* 16 bytes in base64 */


static const char *ngx_http_kairos_upgrade_check_key(ngx_http_request_t *r);
static ngx_uint_t ngx_http_kairos_upgrade_list_has(const ngx_str_t *value,
    const char *token);


void
ngx_http_kairos_upgrade_check(ngx_http_request_t *r,
    ngx_http_kairos_refusal_t *no)
{
    ngx_str_t   *version;
    ngx_uint_t   n;

    no->status = NGX_HTTP_BAD_REQUEST;

    if (r->http_version != NGX_HTTP_VERSION_11) {
        no->reason = "a WebSocket needs HTTP/1.1";
        return;
    }

    if (r->method != NGX_HTTP_GET) {
        no->status = NGX_HTTP_NOT_ALLOWED;
        no->reason = "only GET is allowed here";
        return;
    }

    if (!ngx_http_kairos_upgrade_has_token(r, "connection", "upgrade")) {
        no->reason = "header Connection must contain \"Upgrade\"";
        return;
    }

    if (!ngx_http_kairos_upgrade_has_token(r, "upgrade", "websocket")) {
        no->reason = "header Upgrade must contain \"websocket\"";
        return;
    }

    version = ngx_http_kairos_http_header(r, "sec-websocket-version", &n);

    if (n != 1 || version->len != 2
        || ngx_memcmp(version->data, "13", 2) != 0)
    {
        no->status = NGX_HTTP_UPGRADE_REQUIRED;
        no->reason = "header Sec-WebSocket-Version must be 13";
        return;
    }

    no->reason = ngx_http_kairos_upgrade_check_key(r);

    if (no->reason != NULL) {
        return;
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        no->reason = "a request for a WebSocket has no body";
        return;
    }

    if (ngx_http_kairos_cors_upgrade(r) != NGX_OK) {
        no->status = NGX_HTTP_FORBIDDEN;
        no->reason = "this origin is not allowed here";
        return;
    }

    no->status = 0;
}


/* Returns NULL, or what is wrong. */
static const char *
ngx_http_kairos_upgrade_check_key(ngx_http_request_t *r)
{
    u_char      buf[NGX_HTTP_KAIROS_KEY];
    ngx_str_t  *key, bytes;
    ngx_uint_t  n;

    key = ngx_http_kairos_http_header(r, "sec-websocket-key", &n);

    if (n == 0) {
        return "header Sec-WebSocket-Key is absent";
    }

    if (n > 1) {
        return "header Sec-WebSocket-Key is there more than once";
    }

    bytes.data = buf;

    if (key->len != NGX_HTTP_KAIROS_KEY
        || ngx_decode_base64(&bytes, key) != NGX_OK
        || bytes.len != 16)
    {
        return "header Sec-WebSocket-Key must be 16 bytes in base64";
    }

    return NULL;
}


ngx_uint_t
ngx_http_kairos_upgrade_has_token(ngx_http_request_t *r, const char *name,
    const char *token)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0
                && ngx_http_kairos_upgrade_list_has(&h[i].value, token))
            {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_kairos_upgrade_list_has(const ngx_str_t *value, const char *token)
{
    size_t   len;
    u_char  *p, *last, *start, *end;

    len = ngx_strlen(token);
    p = value->data;
    last = p + value->len;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
            p++;
        }

        start = p;

        while (p < last && *p != ',') {
            p++;
        }

        for (end = p; end > start && (end[-1] == ' ' || end[-1] == '\t');
             end--)
        {
            /* void */
        }

        if ((size_t) (end - start) == len
            && ngx_strncasecmp(start, (u_char *) token, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_kairos_upgrade_vsn(ngx_http_request_t *r,
    ngx_http_kairos_phx_vsn_e *vsn)
{
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) "vsn", 3, &value) != NGX_OK) {
        return NGX_OK;
    }

    if (value.len < 5
        || value.data[1] != '.' || value.data[2] != '0' || value.data[3] != '.'
        || ngx_atoi(value.data + 4, value.len - 4) == NGX_ERROR)
    {
        return NGX_DECLINED;
    }

    if (value.data[0] == '1') {
        return NGX_OK;
    }

    if (value.data[0] == '2') {
        *vsn = NGX_HTTP_KAIROS_PHX_V2;
        return NGX_OK;
    }

    return NGX_DECLINED;
}
