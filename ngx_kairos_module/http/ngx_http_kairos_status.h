/*
 * kairos_status: the counters of a zone's workers, as JSON.
 */

#ifndef _NGX_HTTP_KAIROS_STATUS_H_INCLUDED_
#define _NGX_HTTP_KAIROS_STATUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* the content handler of a location with kairos_status */
ngx_int_t ngx_http_kairos_status(ngx_http_request_t *r);


#endif /* _NGX_HTTP_KAIROS_STATUS_H_INCLUDED_ */
