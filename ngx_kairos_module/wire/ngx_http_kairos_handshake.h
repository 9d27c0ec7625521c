/*
 * Reads the headers and arguments of an upgrade request, RFC 6455 section
 * 4.2.1, and the ones that Phoenix' clients add.  Bytes in, bytes out.
 */

#ifndef _NGX_HTTP_KAIROS_HANDSHAKE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_HANDSHAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_phx.h"


/*
 * Whether the comma-separated list contains the token, in any case of
 * letters.
 */
ngx_uint_t ngx_http_kairos_handshake_has(const ngx_str_t *list,
    const char *token);

/* Whether a Sec-WebSocket-Key is 16 bytes in base64. */
ngx_uint_t ngx_http_kairos_handshake_key(const ngx_str_t *key);

/*
 * The serializer of the argument "vsn".  NGX_DECLINED: there is none of this
 * version.
 */
ngx_int_t ngx_http_kairos_handshake_vsn(const ngx_str_t *value,
    ngx_http_kairos_phx_vsn_e *vsn);

/*
 * Finds the token that phoenix.js puts into Sec-WebSocket-Protocol: in
 * base64url, behind a prefix.  NGX_OK; NGX_DECLINED: there is no token, and
 * *encoded is unchanged.
 */
ngx_int_t ngx_http_kairos_handshake_token(const ngx_str_t *protocols,
    ngx_str_t *encoded);

/*
 * Removes a leading "Bearer ", RFC 6750, in any case of letters.  1, or 0 if
 * the value does not begin with "Bearer ".
 */
ngx_uint_t ngx_http_kairos_handshake_bearer(ngx_str_t *value);


#endif /* _NGX_HTTP_KAIROS_HANDSHAKE_H_INCLUDED_ */
