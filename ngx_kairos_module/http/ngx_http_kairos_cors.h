/*
 * Origins: whether the page that sends a request may open a socket or send a
 * POST; CORS headers, and the answers to preflights.
 */

#ifndef _NGX_HTTP_KAIROS_CORS_H_INCLUDED_
#define _NGX_HTTP_KAIROS_CORS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Whether a page of the request's Origin may open a socket: NGX_OK, or
 * NGX_DECLINED, logged (INFO).
 */
ngx_int_t ngx_http_kairos_cors_upgrade(ngx_http_request_t *r);

/*
 * The common checks of the endpoints for POST: the Origin, the CORS headers,
 * the preflight, the method.  NGX_OK: the request is a POST and may go on;
 * NGX_DONE: it was answered, *rc is the content handler's return value.
 */
ngx_int_t ngx_http_kairos_cors_post(ngx_http_request_t *r, ngx_int_t *rc);


#endif /* _NGX_HTTP_KAIROS_CORS_H_INCLUDED_ */
