/*
 * Dispatch: carries out the messages of Phoenix' protocol that a client sends.
 */

#ifndef _NGX_HTTP_KAIROS_DISPATCH_H_INCLUDED_
#define _NGX_HTTP_KAIROS_DISPATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_session.h"


/* the handlers of every session */
extern const ngx_http_kairos_session_handlers_t
    ngx_http_kairos_dispatch_handlers;


#endif /* _NGX_HTTP_KAIROS_DISPATCH_H_INCLUDED_ */
