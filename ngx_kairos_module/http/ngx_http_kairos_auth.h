/*
 * Authentication: finds and verifies a request's token, and exchanges it for a
 * connection token.
 */

#ifndef _NGX_HTTP_KAIROS_AUTH_H_INCLUDED_
#define _NGX_HTTP_KAIROS_AUTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_jwt.h"


/* where a client may put its token */
typedef enum {
    NGX_HTTP_KAIROS_AUTH_POST = 0,     /* Authorization alone */
    NGX_HTTP_KAIROS_AUTH_UPGRADE       /* and where a browser's WebSocket can:
                                          argument, subprotocol, cookie */
} ngx_http_kairos_auth_from_e;


/* The content handler of <location>/auth: POST, and its preflight. */
ngx_int_t ngx_http_kairos_auth(ngx_http_request_t *r);

/*
 * The first step of every endpoint for POST: the checks and headers of
 * ngx_http_kairos_cors_post(), and, where kairos_auth is on, the token.
 * NGX_OK: the request may go on, and *jwt is its verified token, or has no
 * claims if kairos_auth is off.  NGX_DONE: the request was answered, and *rc
 * is the content handler's return value.
 */
ngx_int_t ngx_http_kairos_auth_post(ngx_http_request_t *r,
    ngx_http_kairos_jwt_t *jwt, ngx_int_t *rc);

/*
 * Finds and verifies the request's token; for locations where kairos_auth is
 * on.  NGX_OK: *jwt is filled.  NGX_DECLINED: there is no token, or a bad
 * one, and *reason is static text.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_kairos_auth_verify(ngx_http_request_t *r,
    ngx_http_kairos_auth_from_e from, ngx_http_kairos_jwt_t *jwt,
    const char **reason);


#endif /* _NGX_HTTP_KAIROS_AUTH_H_INCLUDED_ */
