/*
 * Phoenix Channels messages: serializers V1 (JSON object), V2 (JSON array)
 * and V2 binary, as lib/phoenix/socket/serializers of Phoenix 1.7 and
 * assets/js/phoenix/serializer.js write and read them.  Bytes in, bytes out.
 */

#ifndef _NGX_HTTP_KAIROS_PHX_H_INCLUDED_
#define _NGX_HTTP_KAIROS_PHX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_HTTP_KAIROS_PHX_V1 = 0,
    NGX_HTTP_KAIROS_PHX_V2,
    NGX_HTTP_KAIROS_PHX_NVSN
} ngx_http_kairos_phx_vsn_e;


/*
 * A message.  join_ref and ref are raw JSON tokens as the client wrote them
 * ("5", 5 and null differ and are echoed as they came); len 0 stands for
 * null.  In a binary push they are made into JSON strings when encoded.
 * topic and event are decoded UTF-8.  payload is raw JSON, or, with binary
 * set, any bytes.
 */
typedef struct {
    ngx_str_t    join_ref;
    ngx_str_t    ref;
    ngx_str_t    topic;
    ngx_str_t    event;
    ngx_str_t    payload;
    unsigned     binary:1;
} ngx_http_kairos_phx_msg_t;


/*
 * Parses a client's text message (V1 or V2) or, with opcode binary, a V2
 * binary push.  Slices of *m point into data; topic and event are unescaped
 * in place, so data is changed.  Refs of a binary push are given as raw JSON
 * strings without their quotes escaped; see the .c file.
 * NGX_OK; NGX_ERROR: not a message, *reason is static text (the connection
 * is to be closed).  The payload is validated in full.
 */
ngx_int_t ngx_http_kairos_phx_parse(ngx_http_kairos_phx_vsn_e vsn,
    ngx_uint_t binary, u_char *data, size_t len, ngx_http_kairos_phx_msg_t *m,
    const char **reason);

/*
 * Size and bytes of an outgoing message (a push or broadcast by the server,
 * phx_reply excepted).  *binary tells the WebSocket opcode to use: a binary
 * payload is sent as V2 binary; V1 has no such form (size 0: do not send).
 * V1 writes topic, event, payload, ref (as Phoenix' V1 serializer does).
 */
size_t ngx_http_kairos_phx_size(ngx_http_kairos_phx_vsn_e vsn,
    const ngx_http_kairos_phx_msg_t *m);
u_char *ngx_http_kairos_phx_write(u_char *p, ngx_http_kairos_phx_vsn_e vsn,
    const ngx_http_kairos_phx_msg_t *m);

/*
 * The same for a phx_reply: m's event is ignored; its payload is the
 * "response", status "ok" or "error".
 */
size_t ngx_http_kairos_phx_reply_size(ngx_http_kairos_phx_vsn_e vsn,
    const ngx_http_kairos_phx_msg_t *m, const ngx_str_t *status);
u_char *ngx_http_kairos_phx_reply(u_char *p, ngx_http_kairos_phx_vsn_e vsn,
    const ngx_http_kairos_phx_msg_t *m, const ngx_str_t *status);


#endif /* _NGX_HTTP_KAIROS_PHX_H_INCLUDED_ */
