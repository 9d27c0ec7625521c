/*
 * The token of an open socket: its expiry and its renewal.
 */

#ifndef _NGX_HTTP_KAIROS_TOKEN_H_INCLUDED_
#define _NGX_HTTP_KAIROS_TOKEN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_session.h"


/*
 * The token has expired: sends phx_error to every channel, and closes the
 * socket.
 */
void ngx_http_kairos_token_expired(ngx_http_kairos_session_t *ks);

/*
 * A push "access_token" on a joined channel.  Always answers m's ref.  If the
 * new token is refused, the old one stays in force.
 */
void ngx_http_kairos_token_renew(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m);


#endif /* _NGX_HTTP_KAIROS_TOKEN_H_INCLUDED_ */
