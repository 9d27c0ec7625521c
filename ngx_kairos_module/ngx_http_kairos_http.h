/*
 * Plain HTTP under a kairos location, and what the upgrade shares with it.
 */

#ifndef _NGX_HTTP_KAIROS_HTTP_H_INCLUDED_
#define _NGX_HTTP_KAIROS_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* POST <location>/auth, and its preflight */
ngx_int_t ngx_http_kairos_http_auth(ngx_http_request_t *r);

/*
 * Answers with a line of text that says what was wrong, and logs it (INFO).
 * The return value is a content handler's.
 */
ngx_int_t ngx_http_kairos_http_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *reason);

/*
 * A request header by its name in lower case.  NULL: it is not there.  *n,
 * if n is given, is how often it is there.
 */
ngx_str_t *ngx_http_kairos_http_header(ngx_http_request_t *r,
    const char *name, ngx_uint_t *n);

/* Adds a response header; name is static text.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_kairos_http_add(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value);

/*
 * Whether the request's Origin may use this location.  NGX_OK, with *origin
 * NULL if the request has none (no browser sent it); NGX_DECLINED, logged.
 */
ngx_int_t ngx_http_kairos_http_origin(ngx_http_request_t *r,
    ngx_str_t **origin);


#endif /* _NGX_HTTP_KAIROS_HTTP_H_INCLUDED_ */
