#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_conf.h"
#include "ngx_http_kairos_http.h"


static ngx_int_t ngx_http_kairos_http_preflight(ngx_http_request_t *r,
    ngx_str_t *origin);
static ngx_int_t ngx_http_kairos_http_cors(ngx_http_request_t *r,
    ngx_str_t *origin);
static ngx_int_t ngx_http_kairos_http_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *type, ngx_str_t *body);


static ngx_str_t  ngx_http_kairos_http_text = ngx_string("text/plain");
static ngx_str_t  ngx_http_kairos_http_json = ngx_string("application/json");


/*
 * Without a token to be checked everybody is welcome.
 */
ngx_int_t
ngx_http_kairos_http_auth(ngx_http_request_t *r)
{
    ngx_str_t  *origin, allow;
    ngx_str_t   body = ngx_string("{\"ok\":true}");

    if (ngx_http_kairos_http_origin(r, &origin) != NGX_OK) {
        return ngx_http_kairos_http_refuse(r, NGX_HTTP_FORBIDDEN,
                                 "this origin is not allowed here");
    }

    if (ngx_http_kairos_http_cors(r, origin) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_http_kairos_http_preflight(r, origin);
    }

    if (r->method != NGX_HTTP_POST) {
        ngx_str_set(&allow, "POST, OPTIONS");

        if (ngx_http_kairos_http_add(r, "Allow", &allow) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_kairos_http_refuse(r, NGX_HTTP_NOT_ALLOWED,
                                           "only POST is allowed here");
    }

    return ngx_http_kairos_http_send(r, NGX_HTTP_OK,
                                     &ngx_http_kairos_http_json, &body);
}


ngx_int_t
ngx_http_kairos_http_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *reason)
{
    size_t     len;
    u_char    *p;
    ngx_str_t  body;

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

    return ngx_http_kairos_http_send(r, status, &ngx_http_kairos_http_text,
                                     &body);
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
ngx_http_kairos_http_origin(ngx_http_request_t *r, ngx_str_t **origin)
{
    ngx_str_t                   *host;
    const char                  *reason;
    ngx_uint_t                   i, n;
    ngx_http_kairos_origin_t     o, *allowed;
    ngx_http_kairos_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    *origin = ngx_http_kairos_http_header(r, "origin", &n);

    if (n == 0 || (n == 1 && klcf->any_origin)) {
        return NGX_OK;
    }

    if (n == 1 && ngx_http_kairos_origin_parse(*origin, &o, &reason) == NGX_OK)
    {
        if (klcf->origins == NULL) {
            host = ngx_http_kairos_http_header(r, "host", NULL);

            if (host != NULL && ngx_http_kairos_origin_is_host(&o, host)) {
                return NGX_OK;
            }

        } else {
            allowed = klcf->origins->elts;

            for (i = 0; i < klcf->origins->nelts; i++) {
                if (ngx_http_kairos_origin_equal(&o, &allowed[i])) {
                    return NGX_OK;
                }
            }
        }
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "origin \"%V\" is not allowed, see kairos_origins", *origin);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_kairos_http_preflight(ngx_http_request_t *r, ngx_str_t *origin)
{
    ngx_str_t  methods, headers, age;

    ngx_str_set(&methods, "POST, OPTIONS");
    ngx_str_set(&headers, "Authorization, Content-Type, Accept, "
                          "Cache-Control, X-Requested-With");
    ngx_str_set(&age, "86400");

    if (origin != NULL
        && (ngx_http_kairos_http_add(r, "Access-Control-Allow-Methods",
                                     &methods) != NGX_OK
            || ngx_http_kairos_http_add(r, "Access-Control-Allow-Headers",
                                        &headers) != NGX_OK
            || ngx_http_kairos_http_add(r, "Access-Control-Max-Age", &age)
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kairos_http_send(r, NGX_HTTP_NO_CONTENT, NULL, NULL);
}


/*
 * Credentials are sent along only to a concrete origin, never to "*".
 */
static ngx_int_t
ngx_http_kairos_http_cors(ngx_http_request_t *r, ngx_str_t *origin)
{
    ngx_str_t  yes, vary;

    ngx_str_set(&vary, "Origin");

    if (ngx_http_kairos_http_add(r, "Vary", &vary) != NGX_OK) {
        return NGX_ERROR;
    }

    if (origin == NULL) {
        return NGX_OK;
    }

    ngx_str_set(&yes, "true");

    if (ngx_http_kairos_http_add(r, "Access-Control-Allow-Origin", origin)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_kairos_http_add(r, "Access-Control-Allow-Credentials",
                                    &yes);
}


/*
 * The return value is a content handler's.  body NULL: none.
 */
static ngx_int_t
ngx_http_kairos_http_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body)
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
