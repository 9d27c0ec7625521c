/*
 * Answers and headers of HTTP requests, for all handlers of this folder.
 */

#ifndef _NGX_HTTP_KAIROS_HTTP_H_INCLUDED_
#define _NGX_HTTP_KAIROS_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Answers with the reason as a line of plain text, and logs it (INFO).  The
 * return value is a content handler's, as it is of all functions up to
 * ngx_http_kairos_http_send().
 */
ngx_int_t ngx_http_kairos_http_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *reason);

/*
 * Answers with {"error":error}, and logs the reason (INFO).  error is UTF-8
 * text for the client.
 */
ngx_int_t ngx_http_kairos_http_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *error, const char *reason);

/*
 * Answers with status 401, WWW-Authenticate and {"error":"Unauthorized"}, as
 * the original does, and logs the reason (INFO).
 */
ngx_int_t ngx_http_kairos_http_unauthorized(ngx_http_request_t *r,
    const char *reason);

/* Answers with the body, JSON. */
ngx_int_t ngx_http_kairos_http_json(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *body);

/*
 * Answers with a body of this content type, or, if body is NULL, without a
 * body; then type is not used.  The body must live as long as the request.
 * The rest of the client's request body is discarded.
 */
ngx_int_t ngx_http_kairos_http_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *type, const ngx_str_t *body);

/*
 * The value of the first request header of this name, in any case of letters,
 * or NULL if there is none.  *n, if n is not NULL, gets the number of such
 * headers.
 */
ngx_str_t *ngx_http_kairos_http_header(ngx_http_request_t *r,
    const char *name, ngx_uint_t *n);

/* Adds a response header; name is static text.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_kairos_http_add(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value);


#endif /* _NGX_HTTP_KAIROS_HTTP_H_INCLUDED_ */
