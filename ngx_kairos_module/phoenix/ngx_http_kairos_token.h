/*
 * A live socket and its token: the end of the one, and the renewal of the
 * other.
 */

#ifndef _NGX_HTTP_KAIROS_TOKEN_H_INCLUDED_
#define _NGX_HTTP_KAIROS_TOKEN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_session.h"


/* The token has expired: every channel is told, and the socket closed. */
void ngx_http_kairos_token_expired(ngx_http_kairos_session_t *ks);

/*
 * A push "access_token" on a joined channel.  Always answers m's ref; a token
 * that is refused leaves the old one as it is.
 */
void ngx_http_kairos_token_renew(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m);


#endif /* _NGX_HTTP_KAIROS_TOKEN_H_INCLUDED_ */
