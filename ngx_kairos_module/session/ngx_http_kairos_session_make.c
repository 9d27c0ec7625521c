/*
 * What a socket is made of, before it has its connection and after.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_session.h"


ngx_http_kairos_session_t *
ngx_http_kairos_session_create(ngx_http_kairos_sessions_t *sessions,
    ngx_http_kairos_place_t *place, const ngx_http_kairos_limits_t *limits,
    const ngx_http_kairos_session_handlers_t *handlers, ngx_log_t *log)
{
    ngx_http_kairos_session_t  *ks;

    ks = ngx_calloc(sizeof(ngx_http_kairos_session_t), log);
    if (ks == NULL) {
        return NULL;
    }

    ks->id = ++sessions->last_id;
    ks->sessions = sessions;
    ks->place = place;
    ks->limits = limits;
    ks->handlers = handlers;
    ks->reader.max_message = limits->message_size;

    /* the bucket is full: it is cut down when it is looked at */
    ks->credit = NGX_MAX_UINT32_VALUE;

    ngx_queue_init(&ks->channels);
    ngx_queue_init(&ks->dirty);

    sessions->nsessions++;

    return ks;
}


ngx_http_kairos_admission_e
ngx_http_kairos_session_admit(ngx_http_kairos_session_t *ks, uint64_t address,
    uint64_t user, ngx_log_t *log)
{
    ngx_http_kairos_admission_e  rc;

    rc = ngx_http_kairos_place_admit(ks->place, &ks->limits->quota, address,
                                     user, &ks->seat, log);

    ks->counted = (rc == NGX_HTTP_KAIROS_ADMITTED);

    return rc;
}


void
ngx_http_kairos_session_discard(ngx_http_kairos_session_t *ks)
{
    if (ks->counted) {
        ngx_http_kairos_place_leave(ks->place, &ks->seat);
    }

    ngx_http_kairos_session_drop(ks, 1);

    if (!ngx_queue_empty(&ks->dirty)) {
        ngx_queue_remove(&ks->dirty);
    }

    if (ks->queue != NULL) {
        ngx_free(ks->queue);
    }

    if (ks->input.start != NULL) {
        ngx_free(ks->input.start);
    }

    if (ks->partial.start != NULL) {
        ngx_free(ks->partial.start);
    }

    if (ks->claims.data != NULL) {
        ngx_free(ks->claims.data);
    }

    ks->sessions->nsessions--;

    ngx_free(ks);
}


ngx_int_t
ngx_http_kairos_session_feed_input(ngx_http_kairos_session_t *ks,
    u_char *data, size_t len, ngx_log_t *log)
{
    if (len == 0) {
        return NGX_OK;
    }

    /* bounded by what was read at once */

    if (ngx_http_kairos_buf_reserve(&ks->input, len, NGX_MAX_SIZE_T_VALUE, log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ks->input.last = ngx_cpymem(ks->input.last, data, len);

    return NGX_OK;
}


ngx_int_t
ngx_http_kairos_session_permit(ngx_http_kairos_session_t *ks,
    const ngx_str_t *claims, time_t expires, ngx_log_t *log)
{
    u_char  *p;

    p = ngx_alloc(claims->len, log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ks->claims.data != NULL) {
        ngx_free(ks->claims.data);
    }

    ngx_memcpy(p, claims->data, claims->len);

    ks->claims.data = p;
    ks->claims.len = claims->len;
    ks->expires = expires;

    if (ks->connection != NULL && !ks->ending) {
        ngx_http_kairos_session_arm(ks);
    }

    return NGX_OK;
}
