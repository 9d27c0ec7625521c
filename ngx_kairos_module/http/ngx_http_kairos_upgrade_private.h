/*
 * Declarations that the files ngx_http_kairos_upgrade*.c share.
 */

#ifndef _NGX_HTTP_KAIROS_UPGRADE_PRIVATE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_UPGRADE_PRIVATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_encoding.h"
#include "ngx_http_kairos_jwt.h"
#include "ngx_http_kairos_session.h"
#include "ngx_http_kairos_upgrade.h"


#define NGX_HTTP_UPGRADE_REQUIRED  426


/* a refusal; status 0: none */
typedef struct {
    ngx_uint_t     status;
    const char    *reason;        /* static text, or of the request */
} ngx_http_kairos_refusal_t;


/* of ngx_http_kairos_upgrade_check.c */

/*
 * Checks the request before the 101; the most helpful refusal for a developer
 * comes first.  Leaves no->status 0 if the request is good.
 */
void ngx_http_kairos_upgrade_check(ngx_http_request_t *r,
    ngx_http_kairos_refusal_t *no);

/*
 * The encoding that the argument "vsn" selects: "2.0.0" of today's clients,
 * "1.0.0" or nothing of old ones.  NGX_DECLINED: the argument is another.
 */
ngx_int_t ngx_http_kairos_upgrade_encoding(ngx_http_request_t *r,
    ngx_http_kairos_encoding_e *encoding);

/*
 * Whether the comma-separated lists in the headers of this name contain the
 * token, in any case of letters.
 */
ngx_uint_t ngx_http_kairos_upgrade_has_token(ngx_http_request_t *r,
    const char *name, const char *token);


/* of ngx_http_kairos_upgrade_admit.c */

/* The key of the token's sub for kairos_max_per_user; 0: none, or no limit. */
uint64_t ngx_http_kairos_upgrade_user(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_jwt_t *jwt);

/*
 * Counts the socket, or sets no->status and the reason if one of the limits
 * leaves no room.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_kairos_upgrade_admit(ngx_http_request_t *r,
    ngx_http_kairos_session_t *ks, uint64_t user,
    ngx_http_kairos_refusal_t *no);


#endif /* _NGX_HTTP_KAIROS_UPGRADE_PRIVATE_H_INCLUDED_ */
