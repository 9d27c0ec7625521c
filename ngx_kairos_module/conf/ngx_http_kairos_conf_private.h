/*
 * Declarations that the files ngx_http_kairos_conf*.c share.
 */

#ifndef _NGX_HTTP_KAIROS_CONF_PRIVATE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_CONF_PRIVATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_conf.h"


/* of ngx_http_kairos_conf_auth.c */
void ngx_http_kairos_conf_auth_unset(ngx_http_kairos_auth_conf_t *auth);
char *ngx_http_kairos_conf_auth_merge(ngx_conf_t *cf,
    ngx_http_kairos_auth_conf_t *prev, ngx_http_kairos_auth_conf_t *conf);
char *ngx_http_kairos_conf_auth_check(ngx_conf_t *cf,
    ngx_http_kairos_auth_conf_t *auth);


#endif /* _NGX_HTTP_KAIROS_CONF_PRIVATE_H_INCLUDED_ */
