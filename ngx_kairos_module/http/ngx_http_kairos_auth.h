/*
 * Who asks: where a request has its token, and what it is exchanged for.
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
    NGX_HTTP_KAIROS_AUTH_UPGRADE       /* where a browser can, too */
} ngx_http_kairos_auth_from_e;


/* POST <location>/auth, and its preflight: a content handler */
ngx_int_t ngx_http_kairos_auth(ngx_http_request_t *r);

/*
 * Finds and verifies the request's token; to be called where kairos_auth is
 * on.  NGX_OK; NGX_DECLINED, with static text that says why; NGX_ERROR.
 */
ngx_int_t ngx_http_kairos_auth_verify(ngx_http_request_t *r,
    ngx_http_kairos_auth_from_e from, ngx_http_kairos_jwt_t *jwt,
    const char **reason);


#endif /* _NGX_HTTP_KAIROS_AUTH_H_INCLUDED_ */
