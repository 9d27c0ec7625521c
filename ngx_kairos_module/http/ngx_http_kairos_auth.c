#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_auth.h"
#include "ngx_http_kairos_conf.h"
#include "ngx_http_kairos_cors.h"
#include "ngx_http_kairos_handshake.h"
#include "ngx_http_kairos_http.h"
#include "ngx_http_kairos_json.h"


static ngx_int_t ngx_http_kairos_auth_find(ngx_http_request_t *r,
    ngx_http_kairos_auth_from_e from, ngx_str_t *token);
static ngx_int_t ngx_http_kairos_auth_variable(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_kairos_auth_argument(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_kairos_auth_protocol(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_kairos_auth_cookie(ngx_http_request_t *r,
    ngx_str_t *token);
static void ngx_http_kairos_auth_bearer(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_kairos_auth_claims(ngx_http_request_t *r,
    const ngx_http_kairos_jwt_t *jwt, ngx_str_t *claims);
static ngx_int_t ngx_http_kairos_auth_answer(ngx_http_request_t *r,
    const ngx_str_t *claims, const ngx_str_t *token);


ngx_int_t
ngx_http_kairos_auth(ngx_http_request_t *r)
{
    u_char                       buf[NGX_HTTP_KAIROS_JWT_MAX];
    ngx_int_t                    rc;
    ngx_str_t                    claims, token;
    ngx_str_t                    welcome = ngx_string("{\"ok\":true}");
    ngx_http_kairos_jwt_t        jwt;
    ngx_http_kairos_loc_conf_t  *klcf;

    if (ngx_http_kairos_auth_post(r, &jwt, &rc) != NGX_OK) {
        return rc;
    }

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    if (!klcf->auth.on) {
        return ngx_http_kairos_http_json(r, NGX_HTTP_OK, &welcome);
    }

    if (jwt.connection) {
        return ngx_http_kairos_http_unauthorized(r,
                           "a connection token is not exchanged for another");
    }

    if (klcf->auth.signer == NULL) {

        /* no secret to sign with: the client goes on using its own token */

        if (ngx_http_kairos_auth_find(r, NGX_HTTP_KAIROS_AUTH_POST, &token)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_kairos_auth_answer(r, &jwt.claims, &token);
    }

    if (ngx_http_kairos_auth_claims(r, &jwt, &claims) != NGX_OK
        || ngx_http_kairos_jwt_sign(klcf->auth.signer, (char *) claims.data,
                                    buf, &token)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "kairos could not sign a connection token");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_kairos_auth_answer(r, &claims, &token);
}


ngx_int_t
ngx_http_kairos_auth_post(ngx_http_request_t *r, ngx_http_kairos_jwt_t *jwt,
    ngx_int_t *rc)
{
    ngx_int_t                    verified;
    const char                  *reason;
    ngx_http_kairos_loc_conf_t  *klcf;

    if (ngx_http_kairos_cors_post(r, rc) != NGX_OK) {
        return NGX_DONE;
    }

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    if (!klcf->auth.on) {
        ngx_str_null(&jwt->claims);
        ngx_str_null(&jwt->subject);
        jwt->connection = 0;
        return NGX_OK;
    }

    verified = ngx_http_kairos_auth_verify(r, NGX_HTTP_KAIROS_AUTH_POST, jwt,
                                           &reason);

    if (verified == NGX_OK) {
        return NGX_OK;
    }

    *rc = (verified == NGX_DECLINED)
              ? ngx_http_kairos_http_unauthorized(r, reason)
              : NGX_HTTP_INTERNAL_SERVER_ERROR;

    return NGX_DONE;
}


ngx_int_t
ngx_http_kairos_auth_verify(ngx_http_request_t *r,
    ngx_http_kairos_auth_from_e from, ngx_http_kairos_jwt_t *jwt,
    const char **reason)
{
    ngx_str_t                    token;
    ngx_http_kairos_loc_conf_t  *klcf;

    if (ngx_http_kairos_auth_find(r, from, &token) != NGX_OK) {
        return NGX_ERROR;
    }

    if (token.len == 0) {
        *reason = "the request has no token";
        return NGX_DECLINED;
    }

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    return ngx_http_kairos_jwt_verify(&klcf->auth.policy, &token, ngx_time(),
                                      jwt, reason);
}


/*
 * Finds the token: the first place that has one decides.  NGX_OK, with an
 * empty token if no place has one; NGX_ERROR: no memory.  The functions for a
 * single place, below, return the same.
 */
static ngx_int_t
ngx_http_kairos_auth_find(ngx_http_request_t *r,
    ngx_http_kairos_auth_from_e from, ngx_str_t *token)
{
    ngx_http_kairos_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    ngx_str_null(token);

    if (klcf->auth.token != NULL) {
        return ngx_http_kairos_auth_variable(r, token);
    }

    if (from == NGX_HTTP_KAIROS_AUTH_UPGRADE
        && (ngx_http_kairos_auth_argument(r, token) != NGX_OK
            || (token->len == 0
                && ngx_http_kairos_auth_protocol(r, token) != NGX_OK)))
    {
        return NGX_ERROR;
    }

    if (token->len == 0) {
        ngx_http_kairos_auth_bearer(r, token);
    }

    if (token->len == 0
        && from == NGX_HTTP_KAIROS_AUTH_UPGRADE
        && klcf->auth.cookie.len)
    {
        return ngx_http_kairos_auth_cookie(r, token);
    }

    return NGX_OK;
}


/*
 * The value of kairos_auth_token.
 */
static ngx_int_t
ngx_http_kairos_auth_variable(ngx_http_request_t *r, ngx_str_t *token)
{
    ngx_http_kairos_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    if (ngx_http_complex_value(r, klcf->auth.token, token) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the value may be $http_authorization: "Bearer TOKEN" */
    (void) ngx_http_kairos_handshake_bearer(token);

    return NGX_OK;
}


/*
 * The argument "token".
 */
static ngx_int_t
ngx_http_kairos_auth_argument(ngx_http_request_t *r, ngx_str_t *token)
{
    u_char     *dst, *src;
    ngx_str_t   value;

    if (ngx_http_arg(r, (u_char *) "token", 5, &value) != NGX_OK
        || value.len == 0)
    {
        return NGX_OK;
    }

    token->data = ngx_pnalloc(r->pool, value.len);
    if (token->data == NULL) {
        return NGX_ERROR;
    }

    dst = token->data;
    src = value.data;

    ngx_unescape_uri(&dst, &src, value.len, 0);

    token->len = dst - token->data;

    return NGX_OK;
}


/*
 * Sec-WebSocket-Protocol, as phoenix.js 1.8 writes the token there.  The
 * request may have several such headers, RFC 6455 section 11.3.4.
 */
static ngx_int_t
ngx_http_kairos_auth_protocol(ngx_http_request_t *r, ngx_str_t *token)
{
    u_char           *p;
    ngx_str_t         encoded;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_str_null(&encoded);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts && encoded.len == 0; i++) {

            if (h[i].key.len == sizeof("sec-websocket-protocol") - 1
                && ngx_strncasecmp(h[i].key.data,
                                   (u_char *) "sec-websocket-protocol",
                                   sizeof("sec-websocket-protocol") - 1)
                   == 0)
            {
                (void) ngx_http_kairos_handshake_token(&h[i].value, &encoded);
            }
        }
    }

    if (encoded.len == 0) {
        return NGX_OK;
    }

    token->data = ngx_pnalloc(r->pool, encoded.len);
    if (token->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_http_kairos_jwt_decode(token->data, &encoded);

    if (p == NULL) {

        /* a bad token, which verification refuses, not a missing one */

        *token = encoded;
        return NGX_OK;
    }

    token->len = p - token->data;

    return NGX_OK;
}


/*
 * The cookie that kairos_auth_cookie names, read as nginx's variable
 * $cookie_NAME: the request's list of cookies differs between nginx versions.
 */
static ngx_int_t
ngx_http_kairos_auth_cookie(ngx_http_request_t *r, ngx_str_t *token)
{
    ngx_uint_t                   key;
    ngx_http_variable_value_t   *vv;
    ngx_http_kairos_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    key = ngx_hash_key(klcf->auth.cookie.data, klcf->auth.cookie.len);

    vv = ngx_http_get_variable(r, &klcf->auth.cookie, key);
    if (vv == NULL) {
        return NGX_ERROR;
    }

    if (!vv->not_found) {
        token->data = vv->data;
        token->len = vv->len;
    }

    return NGX_OK;
}


/*
 * "Authorization: Bearer TOKEN".  Leaves token as it is if the header is
 * absent, of another scheme, or there more than once.
 */
static void
ngx_http_kairos_auth_bearer(ngx_http_request_t *r, ngx_str_t *token)
{
    ngx_str_t  *value;
    ngx_uint_t  n;

    value = ngx_http_kairos_http_header(r, "authorization", &n);

    if (n != 1) {
        return;
    }

    *token = *value;

    if (!ngx_http_kairos_handshake_bearer(token)) {
        ngx_str_null(token);
    }
}


/*
 * Makes the claims of a connection token in the request's pool, as JSON, in
 * the original's order; claims->len does not count the zero byte at the end.
 * jwt: the token that is exchanged.  NGX_ERROR: no memory.
 */
static ngx_int_t
ngx_http_kairos_auth_claims(ngx_http_request_t *r,
    const ngx_http_kairos_jwt_t *jwt, ngx_str_t *claims)
{
    size_t                       size;
    u_char                      *p;
    time_t                       now;
    ngx_str_t                   *issuer;
    ngx_http_kairos_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    issuer = &klcf->auth.policy.issuer;
    now = ngx_time();

    size = sizeof("{\"device\":\"" NGX_HTTP_KAIROS_JWT_DEVICE "\",\"exp\":"
                  ",\"iat\":,\"iss\":,\"sub\":null}")
           + 2 * NGX_TIME_T_LEN
           + ngx_http_kairos_json_string_size(issuer)
           + jwt->subject.len;

    claims->data = ngx_pnalloc(r->pool, size);
    if (claims->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(claims->data, "{\"device\":\"" NGX_HTTP_KAIROS_JWT_DEVICE
                                  "\",\"exp\":%T,\"iat\":%T,\"iss\":",
                    now + klcf->auth.lifetime, now);
    p = ngx_http_kairos_json_string(p, issuer);
    p = ngx_cpymem(p, ",\"sub\":", sizeof(",\"sub\":") - 1);

    if (jwt->subject.len) {
        p = ngx_cpymem(p, jwt->subject.data, jwt->subject.len);

    } else {
        p = ngx_cpymem(p, "null", 4);
    }

    *p++ = '}';
    *p = '\0';

    claims->len = p - claims->data;

    return NGX_OK;
}


/*
 * Answers POST <location>/auth.  The return value is a content handler's.
 */
static ngx_int_t
ngx_http_kairos_auth_answer(ngx_http_request_t *r, const ngx_str_t *claims,
    const ngx_str_t *token)
{
    u_char     *p;
    ngx_str_t   body, no_store;

    ngx_str_set(&no_store, "no-store");

    if (ngx_http_kairos_http_add(r, "Cache-Control", &no_store) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = ngx_pnalloc(r->pool,
                            sizeof("{\"claims\":,\"ok\":true,\"token\":\"\"}")
                            + claims->len + token->len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* no byte of a verified token is escaped in JSON */

    p = ngx_sprintf(body.data, "{\"claims\":%V,\"ok\":true,\"token\":\"%V\"}",
                    claims, token);
    body.len = p - body.data;

    return ngx_http_kairos_http_json(r, NGX_HTTP_OK, &body);
}
