#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_http.h"
#include "ngx_http_kairos_json.h"


ngx_int_t
ngx_http_kairos_http_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *reason)
{
    size_t     len;
    u_char    *p;
    ngx_str_t  body;
    ngx_str_t  type = ngx_string("text/plain");

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "kairos refused a request with status %ui: %s",
                  status, reason);

    len = ngx_strlen(reason);

    body.len = len + 1;
    body.data = ngx_pnalloc(r->pool, body.len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_cpymem(body.data, reason, len);
    *p = LF;

    return ngx_http_kairos_http_send(r, status, &type, &body);
}


ngx_int_t
ngx_http_kairos_http_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *error, const char *reason)
{
    u_char     *p;
    ngx_str_t   text, body;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "kairos refused a request with status %ui: %s",
                  status, reason);

    text.data = (u_char *) error;
    text.len = ngx_strlen(error);

    body.data = ngx_pnalloc(r->pool, sizeof("{\"error\":}") - 1
                                + ngx_http_kairos_json_string_size(&text));
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_cpymem(body.data, "{\"error\":", sizeof("{\"error\":") - 1);
    p = ngx_http_kairos_json_string(p, &text);
    *p++ = '}';
    body.len = p - body.data;

    return ngx_http_kairos_http_json(r, status, &body);
}


ngx_int_t
ngx_http_kairos_http_unauthorized(ngx_http_request_t *r, const char *reason)
{
    ngx_str_t  scheme;

    ngx_str_set(&scheme, "Bearer");

    if (ngx_http_kairos_http_add(r, "WWW-Authenticate", &scheme) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kairos_http_error(r, NGX_HTTP_UNAUTHORIZED,
                                      "Unauthorized", reason);
}


ngx_int_t
ngx_http_kairos_http_json(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *body)
{
    ngx_str_t  type = ngx_string("application/json");

    return ngx_http_kairos_http_send(r, status, &type, body);
}


ngx_str_t *
ngx_http_kairos_http_header(ngx_http_request_t *r, const char *name,
    ngx_uint_t *n)
{
    size_t            len;
    ngx_str_t        *value;
    ngx_uint_t        i, found;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    value = NULL;
    found = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != len
                || ngx_strncasecmp(h[i].key.data, (u_char *) name, len) != 0)
            {
                continue;
            }

            if (found++ == 0) {
                value = &h[i].value;
            }
        }
    }

    if (n != NULL) {
        *n = found;
    }

    return value;
}


ngx_int_t
ngx_http_kairos_http_add(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}


ngx_int_t
ngx_http_kairos_http_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *type, const ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = status;

    if (body == NULL) {
        r->header_only = 1;
        r->headers_out.content_length_n = -1;

        return ngx_http_send_header(r);
    }

    r->headers_out.content_length_n = body->len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
