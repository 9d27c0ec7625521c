#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_record.h"


static uint64_t ngx_http_kairos_record_put(u_char *ring, size_t size,
    uint64_t pos, const void *data, size_t len);


size_t
ngx_http_kairos_record_size(const ngx_http_kairos_message_t *m)
{
    uint64_t  size;

    if (m->topic.len > NGX_HTTP_KAIROS_RECORD_NAME
        || m->event.len > NGX_HTTP_KAIROS_RECORD_NAME)
    {
        return 0;
    }

    size = sizeof(ngx_http_kairos_record_t) + m->topic.len + m->event.len
           + (uint64_t) m->payload.len;

    size = ngx_align(size, (uint64_t) NGX_HTTP_KAIROS_RECORD_ALIGN);

    return (size > NGX_MAX_UINT32_VALUE) ? 0 : (size_t) size;
}


void
ngx_http_kairos_record_write(u_char *ring, size_t size, uint64_t pos,
    ngx_http_kairos_record_kind_e kind, const ngx_http_kairos_message_t *m,
    size_t len)
{
    ngx_http_kairos_record_t  rec;

    ngx_memzero(&rec, sizeof(ngx_http_kairos_record_t));

    rec.size = (uint32_t) len;
    rec.payload = (uint32_t) m->payload.len;
    rec.topic = (u_char) m->topic.len;
    rec.event = (u_char) m->event.len;
    rec.binary = m->binary;
    rec.kind = (u_char) kind;

    pos = ngx_http_kairos_record_put(ring, size, pos, &rec, sizeof(rec));
    pos = ngx_http_kairos_record_put(ring, size, pos, m->topic.data,
                                     m->topic.len);
    pos = ngx_http_kairos_record_put(ring, size, pos, m->event.data,
                                     m->event.len);

    (void) ngx_http_kairos_record_put(ring, size, pos, m->payload.data,
                                      m->payload.len);
}


void
ngx_http_kairos_record_copy(u_char *dst, const u_char *ring, size_t size,
    uint64_t pos, size_t len)
{
    size_t  at, n;

    at = (size_t) (pos % size);
    n = ngx_min(len, size - at);

    dst = ngx_cpymem(dst, ring + at, n);
    ngx_memcpy(dst, ring, len - n);
}


ngx_int_t
ngx_http_kairos_record_parse(u_char *data, size_t len, ngx_uint_t *kind,
    ngx_http_kairos_message_t *m)
{
    ngx_http_kairos_record_t  rec;

    if (len < sizeof(ngx_http_kairos_record_t)) {
        return NGX_ERROR;
    }

    ngx_memcpy(&rec, data, sizeof(ngx_http_kairos_record_t));
    data += sizeof(ngx_http_kairos_record_t);

    ngx_memzero(m, sizeof(ngx_http_kairos_message_t));

    m->topic.len = rec.topic;
    m->topic.data = data;
    m->event.len = rec.event;
    m->event.data = m->topic.data + m->topic.len;
    m->payload.len = rec.payload;
    m->payload.data = m->event.data + m->event.len;
    m->binary = (rec.binary != 0);

    *kind = rec.kind;

    if (rec.size != len || ngx_http_kairos_record_size(m) != len) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static uint64_t
ngx_http_kairos_record_put(u_char *ring, size_t size, uint64_t pos,
    const void *data, size_t len)
{
    size_t  at, n;

    if (len == 0) {
        return pos;
    }

    at = (size_t) (pos % size);
    n = ngx_min(len, size - at);

    ngx_memcpy(ring + at, data, n);
    ngx_memcpy(ring, (const u_char *) data + n, len - n);

    return pos + len;
}
