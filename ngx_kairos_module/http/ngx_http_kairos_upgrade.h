/*
 * From an HTTP request to a socket.
 */

#ifndef _NGX_HTTP_KAIROS_UPGRADE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_UPGRADE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* <location>/websocket: a content handler */
ngx_int_t ngx_http_kairos_upgrade(ngx_http_request_t *r);


#endif /* _NGX_HTTP_KAIROS_UPGRADE_H_INCLUDED_ */
