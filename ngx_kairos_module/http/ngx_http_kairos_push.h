/*
 * Broadcasts over HTTP: a POST to the location itself.
 */

#ifndef _NGX_HTTP_KAIROS_PUSH_H_INCLUDED_
#define _NGX_HTTP_KAIROS_PUSH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* The content handler of a location where kairos_push is on. */
ngx_int_t ngx_http_kairos_push(ngx_http_request_t *r);


#endif /* _NGX_HTTP_KAIROS_PUSH_H_INCLUDED_ */
