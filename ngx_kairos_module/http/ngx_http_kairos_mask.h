/*
 * Keeps tokens out of the logs.
 */

#ifndef _NGX_HTTP_KAIROS_MASK_H_INCLUDED_
#define _NGX_HTTP_KAIROS_MASK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Puts asterisks over the values of the arguments "token", and of those that
 * look like a JWT, from the first '?' of the text on; the length stays.
 */
void ngx_http_kairos_mask_text(u_char *text, size_t len);

/* The same for arguments alone, up to a space. */
void ngx_http_kairos_mask_arguments(u_char *p, u_char *last);

/* For postconfiguration. */
ngx_int_t ngx_http_kairos_mask_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_KAIROS_MASK_H_INCLUDED_ */
