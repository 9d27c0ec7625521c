/*
 * Phoenix Channels messages: serializers V1 (JSON object), V2 (JSON array)
 * and V2 binary, as lib/phoenix/socket/serializers of Phoenix 1.7 and
 * assets/js/phoenix/serializer.js write and read them.  Bytes in, bytes out.
 */

#ifndef _NGX_HTTP_KAIROS_PHX_H_INCLUDED_
#define _NGX_HTTP_KAIROS_PHX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_message.h"


/* the serializers: the values of each argument vsn below */
typedef enum {
    NGX_HTTP_KAIROS_PHX_V1 = 0,
    NGX_HTTP_KAIROS_PHX_V2,
    NGX_HTTP_KAIROS_PHX_NVSN
} ngx_http_kairos_phx_vsn_e;


/* a ref is at most this long as JSON: 255 bytes and two quotes */
#define NGX_HTTP_KAIROS_PHX_MAX_REF     257

/* bytes of a field, the payload excepted, in the binary form: the field's
   length is one byte */
#define NGX_HTTP_KAIROS_PHX_MAX_FIELD   255


/*
 * A message with Phoenix' refs.  join_ref and ref are JSON tokens, strings or
 * numbers ("5" and 5 differ and are echoed as they came); a string has no
 * escape that it does not need, as Phoenix writes it, so that equal refs are
 * equal bytes; len 0 stands for null, or for a ref that is not there.  A
 * binary push carries its refs as bare text: the parser puts the quotes around
 * them, so that they compare equal to, and are echoed like, those of a text
 * message, and the writer of a binary message takes them off again.
 */
typedef struct {
    ngx_http_kairos_message_t  message;
    ngx_str_t                  join_ref;
    ngx_str_t                  ref;
} ngx_http_kairos_phx_msg_t;


/*
 * Parses a client's text message (V1 or V2) or, with binary set, a V2 binary
 * push.  Slices of *m point into data, which is changed: topic and event are
 * unescaped in place, needless escapes of the refs as well, and the refs of a
 * binary push are quoted over its header.
 * The payload is validated in full and not touched.
 *
 * V1 is an object: topic, event and payload must be there, join_ref and ref
 * need not be, other names are ignored, the last of equal names counts.  V2
 * is an array of five elements or more, of which five count.
 *
 * NGX_OK.  NGX_DECLINED: a message that cannot be served; the refs, topic and
 * event that could be read are set, the others are empty, and topic and event
 * have no data then; a ref may be longer than NGX_HTTP_KAIROS_PHX_MAX_REF.
 * NGX_ERROR: not a message of this serializer at all, no array, no object, no
 * binary push (the connection is to be closed).  *reason is static text.
 */
ngx_int_t ngx_http_kairos_phx_parse(ngx_uint_t vsn, ngx_uint_t binary,
    u_char *data, size_t len, ngx_http_kairos_phx_msg_t *m,
    const char **reason);

/*
 * The size and the bytes of an outgoing message (a push or broadcast by the
 * server, phx_reply excepted).  Size 0: the message has no form in this
 * serializer and cannot be sent: its payload is binary, and the serializer is
 * V1 or a field has more than NGX_HTTP_KAIROS_PHX_MAX_FIELD bytes.
 *
 * V2 with m->message.binary writes the binary form, for a binary frame: a
 * broadcast if join_ref is null, else a push (without a ref).  All other forms
 * are text.  V1 writes event, payload, ref, topic (no join_ref), as Phoenix'
 * V1 serializer does.
 */
size_t ngx_http_kairos_phx_size(ngx_uint_t vsn,
    const ngx_http_kairos_phx_msg_t *m);
u_char *ngx_http_kairos_phx_write(u_char *p, ngx_uint_t vsn,
    const ngx_http_kairos_phx_msg_t *m);

/*
 * The same for a phx_reply: m's event is ignored; m's payload is the
 * "response"; status is "ok" or "error", written without escapes.
 */
size_t ngx_http_kairos_phx_reply_size(ngx_uint_t vsn,
    const ngx_http_kairos_phx_msg_t *m, const ngx_str_t *status);
u_char *ngx_http_kairos_phx_reply(u_char *p, ngx_uint_t vsn,
    const ngx_http_kairos_phx_msg_t *m, const ngx_str_t *status);


#endif /* _NGX_HTTP_KAIROS_PHX_H_INCLUDED_ */
