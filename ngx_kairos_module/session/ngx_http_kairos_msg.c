#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_msg.h"


ngx_http_kairos_msg_t *
ngx_http_kairos_msg_alloc(size_t len, ngx_log_t *log)
{
    ngx_http_kairos_msg_t  *msg;

    msg = ngx_alloc(offsetof(ngx_http_kairos_msg_t, data) + len, log);
    if (msg == NULL) {
        return NULL;
    }

    msg->refs = 1;
    msg->len = len;

    return msg;
}


ngx_http_kairos_msg_t *
ngx_http_kairos_msg_hold(ngx_http_kairos_msg_t *msg)
{
    msg->refs++;

    return msg;
}


void
ngx_http_kairos_msg_release(ngx_http_kairos_msg_t *msg)
{
    if (--msg->refs == 0) {
        ngx_free(msg);
    }
}
