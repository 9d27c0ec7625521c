/*
 * Bytes under way: a block that grows at one end and is used up at the other.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_buf.h"


#define NGX_HTTP_KAIROS_BUF_MIN  16384


ngx_int_t
ngx_http_kairos_buf_reserve(ngx_http_kairos_buf_t *b, size_t size,
    size_t max, ngx_log_t *log)
{
    size_t   used, room;
    u_char  *p;

    if ((size_t) (b->end - b->last) >= size) {
        return NGX_OK;
    }

    used = ngx_http_kairos_buf_used(b);
    room = b->end - b->start;

    if (used + size > max) {
        return NGX_ERROR;
    }

    /* only so that each byte is moved a bounded number of times */

    if (used + size <= room / 2) {
        ngx_memmove(b->start, b->pos, used);

        b->pos = b->start;
        b->last = b->start + used;

        return NGX_OK;
    }

    room = ngx_max(2 * (used + size), NGX_HTTP_KAIROS_BUF_MIN);

    p = ngx_alloc(room, log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (used) {
        ngx_memcpy(p, b->pos, used);
    }

    if (b->start != NULL) {
        ngx_free(b->start);
    }

    b->start = p;
    b->pos = p;
    b->last = p + used;
    b->end = p + room;

    return NGX_OK;
}


void
ngx_http_kairos_buf_release(ngx_http_kairos_buf_t *b, size_t keep)
{
    if (b->start == NULL || b->pos != b->last) {
        return;
    }

    if ((size_t) (b->end - b->start) > keep) {
        ngx_free(b->start);
        ngx_memzero(b, sizeof(ngx_http_kairos_buf_t));
        return;
    }

    b->pos = b->start;
    b->last = b->start;
}
