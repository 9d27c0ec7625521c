/*
 * Plain HTTP under a kairos location, and what the upgrade shares with it.
 */

#ifndef _NGX_HTTP_KAIROS_HTTP_H_INCLUDED_
#define _NGX_HTTP_KAIROS_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Answers with a line of text that says what was wrong, and logs it (INFO).
 * The return value is a content handler's.
 */
ngx_int_t ngx_http_kairos_http_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *reason);

/*
 * The same as {"error":error}, for endpoints that speak JSON; error is UTF-8
 * text for the client, reason one for the log.
 */
ngx_int_t ngx_http_kairos_http_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *error, const char *reason);

/* The same with status 401 and the error that the original says. */
ngx_int_t ngx_http_kairos_http_unauthorized(ngx_http_request_t *r,
    const char *reason);

/*
 * Answers with JSON, or, for body NULL, without a body; what the client still
 * sends is discarded.  The return value is a content handler's.
 */
ngx_int_t ngx_http_kairos_http_json(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *body);
ngx_int_t ngx_http_kairos_http_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *type, const ngx_str_t *body);

/*
 * A request header by its name in lower case.  NULL: it is not there.  *n,
 * if n is given, is how often it is there.
 */
ngx_str_t *ngx_http_kairos_http_header(ngx_http_request_t *r,
    const char *name, ngx_uint_t *n);

/* Adds a response header; name is static text.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_kairos_http_add(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value);


#endif /* _NGX_HTTP_KAIROS_HTTP_H_INCLUDED_ */
