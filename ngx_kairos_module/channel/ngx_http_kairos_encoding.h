/*
 * How messages are written for a client, and read: a dialect (the text of a
 * message), one of the dialect's versions, and a framing (where the text
 * begins and ends on the transport).  A row of one const table for each
 * combination that is served; a message is encoded once per row and worker.
 *
 * A compression is to be a further column, applied between the two: what the
 * dialect wrote is compressed, then framed.
 */

#ifndef _NGX_HTTP_KAIROS_ENCODING_H_INCLUDED_
#define _NGX_HTTP_KAIROS_ENCODING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_msg.h"
#include "ngx_http_kairos_phx.h"


/* the rows of the table */
typedef enum {
    NGX_HTTP_KAIROS_ENCODING_V1_WS = 0,   /* Phoenix' V1 over WebSocket */
    NGX_HTTP_KAIROS_ENCODING_V2_WS,       /* V2, with its binary messages */
    NGX_HTTP_KAIROS_NENCODINGS
} ngx_http_kairos_encoding_e;


/*
 * The functions of a dialect, with the contracts of the functions of
 * ngx_http_kairos_phx.h.  version is the row's.
 */
typedef struct {
    ngx_int_t  (*parse)(ngx_uint_t version, ngx_uint_t binary, u_char *data,
                        size_t len, ngx_http_kairos_phx_msg_t *m,
                        const char **reason);
    size_t     (*size)(ngx_uint_t version,
                       const ngx_http_kairos_phx_msg_t *m);
    u_char    *(*write)(u_char *p, ngx_uint_t version,
                        const ngx_http_kairos_phx_msg_t *m);
    size_t     (*reply_size)(ngx_uint_t version,
                             const ngx_http_kairos_phx_msg_t *m,
                             const ngx_str_t *status);
    u_char    *(*reply)(u_char *p, ngx_uint_t version,
                        const ngx_http_kairos_phx_msg_t *m,
                        const ngx_str_t *status);
} ngx_http_kairos_dialect_t;


typedef struct {
    /* Bytes that begin() and end() add to a text of len bytes. */
    size_t     (*size)(uint64_t len);

    /* Write what stands before the text and behind it; return its end. */
    u_char    *(*begin)(u_char *p, ngx_uint_t binary, uint64_t len);
    u_char    *(*end)(u_char *p);
} ngx_http_kairos_framing_t;


/*
 * Reads a client's message, see ngx_http_kairos_phx_parse().
 */
ngx_int_t ngx_http_kairos_encoding_parse(ngx_http_kairos_encoding_e encoding,
    ngx_uint_t binary, u_char *data, size_t len, ngx_http_kairos_phx_msg_t *m,
    const char **reason);

/*
 * Encode a message without refs, one with refs, and the reply to m, of which
 * the payload is the response and status "ok" or "error".  NGX_OK: *msg, with
 * one reference, is the caller's.  NGX_DECLINED: the message has no form in
 * the encoding, which is possible for a binary payload alone.  NGX_ERROR: no
 * memory (logged).  *msg is NULL then.
 */
ngx_int_t ngx_http_kairos_encode(ngx_http_kairos_encoding_e encoding,
    const ngx_http_kairos_message_t *m, ngx_http_kairos_msg_t **msg,
    ngx_log_t *log);
ngx_int_t ngx_http_kairos_encode_refs(ngx_http_kairos_encoding_e encoding,
    const ngx_http_kairos_phx_msg_t *m, ngx_http_kairos_msg_t **msg,
    ngx_log_t *log);
ngx_int_t ngx_http_kairos_encode_reply(ngx_http_kairos_encoding_e encoding,
    const ngx_http_kairos_phx_msg_t *m, const ngx_str_t *status,
    ngx_http_kairos_msg_t **msg, ngx_log_t *log);


#endif /* _NGX_HTTP_KAIROS_ENCODING_H_INCLUDED_ */
