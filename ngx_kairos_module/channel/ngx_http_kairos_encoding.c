#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_encoding.h"
#include "ngx_http_kairos_ws.h"


/* a row of the table */
typedef struct {
    const ngx_http_kairos_dialect_t  *dialect;
    ngx_uint_t                        version;    /* of the dialect */
    const ngx_http_kairos_framing_t  *framing;
} ngx_http_kairos_encoding_t;


static u_char *ngx_http_kairos_encoding_ws_begin(u_char *p, ngx_uint_t binary,
    uint64_t len);
static u_char *ngx_http_kairos_encoding_ws_end(u_char *p);

static u_char *ngx_http_kairos_encoding_begin(
    const ngx_http_kairos_encoding_t *e, ngx_uint_t binary, size_t len,
    ngx_http_kairos_msg_t **msg, ngx_log_t *log);


static const ngx_http_kairos_dialect_t  ngx_http_kairos_encoding_phx = {
    ngx_http_kairos_phx_parse,
    ngx_http_kairos_phx_size,
    ngx_http_kairos_phx_write,
    ngx_http_kairos_phx_reply_size,
    ngx_http_kairos_phx_reply
};


static const ngx_http_kairos_framing_t  ngx_http_kairos_encoding_ws = {
    ngx_http_kairos_ws_header_size,
    ngx_http_kairos_encoding_ws_begin,
    ngx_http_kairos_encoding_ws_end
};


static const ngx_http_kairos_encoding_t
    ngx_http_kairos_encodings[NGX_HTTP_KAIROS_NENCODINGS] =
{
    /* NGX_HTTP_KAIROS_ENCODING_V1_WS */
    { &ngx_http_kairos_encoding_phx, NGX_HTTP_KAIROS_PHX_V1,
      &ngx_http_kairos_encoding_ws },

    /* NGX_HTTP_KAIROS_ENCODING_V2_WS */
    { &ngx_http_kairos_encoding_phx, NGX_HTTP_KAIROS_PHX_V2,
      &ngx_http_kairos_encoding_ws }
};


static u_char *
ngx_http_kairos_encoding_ws_begin(u_char *p, ngx_uint_t binary, uint64_t len)
{
    return ngx_http_kairos_ws_header(p, binary ? NGX_HTTP_KAIROS_WS_BINARY
                                               : NGX_HTTP_KAIROS_WS_TEXT, len);
}


static u_char *
ngx_http_kairos_encoding_ws_end(u_char *p)
{
    return p;
}


ngx_int_t
ngx_http_kairos_encoding_parse(ngx_http_kairos_encoding_e encoding,
    ngx_uint_t binary, u_char *data, size_t len, ngx_http_kairos_phx_msg_t *m,
    const char **reason)
{
    const ngx_http_kairos_encoding_t  *e;

    e = &ngx_http_kairos_encodings[encoding];

    return e->dialect->parse(e->version, binary, data, len, m, reason);
}


ngx_int_t
ngx_http_kairos_encode(ngx_http_kairos_encoding_e encoding,
    const ngx_http_kairos_message_t *m, ngx_http_kairos_msg_t **msg,
    ngx_log_t *log)
{
    ngx_http_kairos_phx_msg_t  with;

    with.message = *m;
    ngx_str_null(&with.join_ref);
    ngx_str_null(&with.ref);

    return ngx_http_kairos_encode_refs(encoding, &with, msg, log);
}


ngx_int_t
ngx_http_kairos_encode_refs(ngx_http_kairos_encoding_e encoding,
    const ngx_http_kairos_phx_msg_t *m, ngx_http_kairos_msg_t **msg,
    ngx_log_t *log)
{
    u_char                            *p;
    size_t                             len;
    const ngx_http_kairos_encoding_t  *e;

    *msg = NULL;

    e = &ngx_http_kairos_encodings[encoding];

    len = e->dialect->size(e->version, m);
    if (len == 0) {
        return NGX_DECLINED;
    }

    p = ngx_http_kairos_encoding_begin(e, m->message.binary, len, msg, log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p = e->dialect->write(p, e->version, m);
    (void) e->framing->end(p);

    return NGX_OK;
}


ngx_int_t
ngx_http_kairos_encode_reply(ngx_http_kairos_encoding_e encoding,
    const ngx_http_kairos_phx_msg_t *m, const ngx_str_t *status,
    ngx_http_kairos_msg_t **msg, ngx_log_t *log)
{
    u_char                            *p;
    size_t                             len;
    const ngx_http_kairos_encoding_t  *e;

    *msg = NULL;

    e = &ngx_http_kairos_encodings[encoding];

    len = e->dialect->reply_size(e->version, m, status);
    if (len == 0) {
        return NGX_DECLINED;
    }

    p = ngx_http_kairos_encoding_begin(e, m->message.binary, len, msg, log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p = e->dialect->reply(p, e->version, m, status);
    (void) e->framing->end(p);

    return NGX_OK;
}


/*
 * Allocates *msg for a text of len bytes and begins its frame.  Returns where
 * the text is to be written; NULL: no memory (logged).
 */
static u_char *
ngx_http_kairos_encoding_begin(const ngx_http_kairos_encoding_t *e,
    ngx_uint_t binary, size_t len, ngx_http_kairos_msg_t **msg, ngx_log_t *log)
{
    *msg = ngx_http_kairos_msg_alloc(e->framing->size(len) + len, log);
    if (*msg == NULL) {
        return NULL;
    }

    return e->framing->begin((*msg)->data, binary, len);
}
