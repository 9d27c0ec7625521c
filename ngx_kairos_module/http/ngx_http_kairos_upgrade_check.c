/*
 * Whether a request may become a socket, and which serializer it selects.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_cors.h"
#include "ngx_http_kairos_handshake.h"
#include "ngx_http_kairos_http.h"
#include "ngx_http_kairos_upgrade_private.h"


static const char *ngx_http_kairos_upgrade_check_key(ngx_http_request_t *r);


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


/* Returns NULL, or the fault, static text. */
static const char *
ngx_http_kairos_upgrade_check_key(ngx_http_request_t *r)
{
    ngx_str_t  *key;
    ngx_uint_t  n;

    key = ngx_http_kairos_http_header(r, "sec-websocket-key", &n);

    if (n == 0) {
        return "header Sec-WebSocket-Key is absent";
    }

    if (n > 1) {
        return "header Sec-WebSocket-Key is there more than once";
    }

    if (!ngx_http_kairos_handshake_key(key)) {
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
                && ngx_http_kairos_handshake_has(&h[i].value, token))
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_int_t
ngx_http_kairos_upgrade_encoding(ngx_http_request_t *r,
    ngx_http_kairos_encoding_e *encoding)
{
    ngx_str_t                  value;
    ngx_http_kairos_phx_vsn_e  vsn;

    vsn = NGX_HTTP_KAIROS_PHX_V1;

    if (ngx_http_arg(r, (u_char *) "vsn", 3, &value) == NGX_OK
        && ngx_http_kairos_handshake_vsn(&value, &vsn) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    *encoding = (vsn == NGX_HTTP_KAIROS_PHX_V2)
                ? NGX_HTTP_KAIROS_ENCODING_V2_WS
                : NGX_HTTP_KAIROS_ENCODING_V1_WS;

    return NGX_OK;
}
