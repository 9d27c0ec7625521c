/*
 * A message on its way out: one framed block, shared by count among all the
 * send queues of this worker.
 */

#ifndef _NGX_HTTP_KAIROS_MSG_H_INCLUDED_
#define _NGX_HTTP_KAIROS_MSG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_uint_t    refs;
    size_t        len;
    u_char        data[1];        /* len bytes, as the encoding framed them */
} ngx_http_kairos_msg_t;


/*
 * Allocates a message with room for len bytes in data, one reference (the
 * caller's).  NULL: no memory (logged).
 */
ngx_http_kairos_msg_t *ngx_http_kairos_msg_alloc(size_t len, ngx_log_t *log);

/* The pair that touches the count; the last release frees. */
ngx_http_kairos_msg_t *ngx_http_kairos_msg_hold(ngx_http_kairos_msg_t *msg);
void ngx_http_kairos_msg_release(ngx_http_kairos_msg_t *msg);


#endif /* _NGX_HTTP_KAIROS_MSG_H_INCLUDED_ */
