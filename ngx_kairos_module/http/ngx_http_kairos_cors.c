#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_conf.h"
#include "ngx_http_kairos_cors.h"
#include "ngx_http_kairos_http.h"


typedef struct {
    const char    *name;
    ngx_str_t      value;
} ngx_http_kairos_cors_header_t;


static ngx_int_t ngx_http_kairos_cors_preflight(ngx_http_request_t *r);
static ngx_int_t ngx_http_kairos_cors_allow(ngx_http_request_t *r,
    const ngx_str_t *origin);
static ngx_uint_t ngx_http_kairos_cors_anonymous(ngx_http_request_t *r,
    const ngx_str_t *origin);
static ngx_int_t ngx_http_kairos_cors_add(ngx_http_request_t *r,
    const ngx_http_kairos_cors_header_t *headers);
static ngx_int_t ngx_http_kairos_cors_origin(ngx_http_request_t *r,
    const ngx_http_kairos_origins_t *origins, ngx_str_t **origin);
static ngx_uint_t ngx_http_kairos_cors_listed(
    const ngx_http_kairos_origins_t *origins,
    const ngx_http_kairos_origin_t *o);
static ngx_uint_t ngx_http_kairos_cors_own(ngx_http_request_t *r,
    const ngx_http_kairos_origin_t *o);


/* the same request headers, for the same time, as the original allows */
static const ngx_http_kairos_cors_header_t
    ngx_http_kairos_cors_preflight_headers[] = {

    { "Access-Control-Allow-Methods", ngx_string("POST, OPTIONS") },
    { "Access-Control-Allow-Headers",
      ngx_string("Authorization, Content-Type, Accept, Origin, User-Agent, "
                 "DNT, Cache-Control, X-Mx-ReqToken, Keep-Alive, "
                 "X-Requested-With, If-Modified-Since, X-CSRF-Token") },
    { "Access-Control-Max-Age", ngx_string("1728000") },
    { NULL, ngx_null_string }
};


ngx_int_t
ngx_http_kairos_cors_upgrade(ngx_http_request_t *r)
{
    ngx_str_t                   *origin;
    ngx_http_kairos_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    if (ngx_http_kairos_cors_origin(r, klcf->origins, &origin) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (origin == NULL && klcf->origins_required) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "a request without an origin is not allowed, see "
                      "kairos_origins_required");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_kairos_cors_post(ngx_http_request_t *r, ngx_int_t *rc)
{
    ngx_int_t                    allowed;
    ngx_str_t                   *origin, allow;
    ngx_http_kairos_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    allowed = ngx_http_kairos_cors_origin(r, klcf->cors_origins ?
                                             klcf->cors_origins
                                             : klcf->origins, &origin);

    if (ngx_http_kairos_cors_allow(r, (allowed == NGX_OK) ? origin : NULL)
        != NGX_OK)
    {
        *rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        return NGX_DONE;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        *rc = ngx_http_kairos_cors_preflight(r);
        return NGX_DONE;
    }

    if (allowed != NGX_OK) {
        *rc = ngx_http_kairos_http_refuse(r, NGX_HTTP_FORBIDDEN,
                                          "this origin is not allowed here");
        return NGX_DONE;
    }

    if (r->method == NGX_HTTP_POST) {
        return NGX_OK;
    }

    ngx_str_set(&allow, "POST, OPTIONS");

    *rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (ngx_http_kairos_http_add(r, "Allow", &allow) == NGX_OK) {
        *rc = ngx_http_kairos_http_refuse(r, NGX_HTTP_NOT_ALLOWED,
                                          "only POST is allowed here");
    }

    return NGX_DONE;
}


/*
 * Answers a preflight.  A page that is not allowed gets the same answer, but
 * without Access-Control-Allow-Origin, so its browser refuses the request.
 */
static ngx_int_t
ngx_http_kairos_cors_preflight(ngx_http_request_t *r)
{
    if (ngx_http_kairos_cors_add(r, ngx_http_kairos_cors_preflight_headers)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kairos_http_send(r, NGX_HTTP_NO_CONTENT, NULL, NULL);
}


/*
 * Adds the headers that every answer has.  origin: the request's, or NULL if
 * the request has none or its page may not read the answer.  NGX_ERROR: no
 * memory.
 */
static ngx_int_t
ngx_http_kairos_cors_allow(ngx_http_request_t *r, const ngx_str_t *origin)
{
    ngx_http_kairos_cors_header_t  headers[4];

    ngx_memzero(headers, sizeof(headers));

    /* a cache must not give the answer to a page of another origin */

    headers[0].name = "Vary";
    ngx_str_set(&headers[0].value, "Origin");

    if (origin == NULL) {
        return ngx_http_kairos_cors_add(r, headers);
    }

    headers[1].name = "Access-Control-Allow-Origin";

    if (ngx_http_kairos_cors_anonymous(r, origin)) {
        ngx_str_set(&headers[1].value, "*");

    } else {
        headers[1].value = *origin;
        headers[2].name = "Access-Control-Allow-Credentials";
        ngx_str_set(&headers[2].value, "true");
    }

    return ngx_http_kairos_cors_add(r, headers);
}


/*
 * Whether the origin may read answers by "kairos_cors_origins *" alone: then
 * its browser must not send the visitor's credentials.  An origin that the
 * directive names besides gets them.
 */
static ngx_uint_t
ngx_http_kairos_cors_anonymous(ngx_http_request_t *r, const ngx_str_t *origin)
{
    const char                  *reason;
    ngx_http_kairos_origin_t     o;
    ngx_http_kairos_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    if (klcf->cors_origins == NULL || !klcf->cors_origins->any) {
        return 0;
    }

    return ngx_http_kairos_origin_parse(origin, &o, &reason) != NGX_OK
           || !ngx_http_kairos_cors_listed(klcf->cors_origins, &o);
}


/* Adds headers, up to one without a name.  NGX_ERROR: no memory. */
static ngx_int_t
ngx_http_kairos_cors_add(ngx_http_request_t *r,
    const ngx_http_kairos_cors_header_t *headers)
{
    const ngx_http_kairos_cors_header_t  *h;

    for (h = headers; h->name != NULL; h++) {
        if (ngx_http_kairos_http_add(r, h->name, &h->value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Whether the request's Origin is among the origins, or, if these are NULL, is
 * the host that the request was sent to.  NGX_OK, with *origin NULL if the
 * request has none (it comes from no browser); NGX_DECLINED, logged (INFO).
 */
static ngx_int_t
ngx_http_kairos_cors_origin(ngx_http_request_t *r,
    const ngx_http_kairos_origins_t *origins, ngx_str_t **origin)
{
    ngx_uint_t                 n;
    const char                *reason;
    ngx_http_kairos_origin_t   o;

    *origin = ngx_http_kairos_http_header(r, "origin", &n);

    if (n == 0 || (n == 1 && origins != NULL && origins->any)) {
        return NGX_OK;
    }

    if (n == 1 && ngx_http_kairos_origin_parse(*origin, &o, &reason) == NGX_OK)
    {
        if ((origins != NULL) ? ngx_http_kairos_cors_listed(origins, &o)
                              : ngx_http_kairos_cors_own(r, &o))
        {
            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "origin \"%V\" is not allowed, see kairos_origins", *origin);

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_kairos_cors_listed(const ngx_http_kairos_origins_t *origins,
    const ngx_http_kairos_origin_t *o)
{
    ngx_uint_t                 i;
    ngx_http_kairos_origin_t  *patterns;

    patterns = origins->patterns.elts;

    for (i = 0; i < origins->patterns.nelts; i++) {
        if (ngx_http_kairos_origin_match(&patterns[i], o)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Whether the origin is the host that the request was sent to.  A request of
 * HTTP/3, or with an absolute address, may name its host without a header.
 */
static ngx_uint_t
ngx_http_kairos_cors_own(ngx_http_request_t *r,
    const ngx_http_kairos_origin_t *o)
{
    ngx_str_t  *header, host;

    header = ngx_http_kairos_http_header(r, "host", NULL);

    if (header != NULL) {
        return ngx_http_kairos_origin_is_host(o, header);
    }

    if (r->host_start == NULL || r->host_end == NULL) {
        return 0;
    }

    host.data = r->host_start;
    host.len = r->host_end - r->host_start;

    return ngx_http_kairos_origin_is_host(o, &host);
}
