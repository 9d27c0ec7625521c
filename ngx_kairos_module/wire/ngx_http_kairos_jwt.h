/*
 * JSON Web Tokens, RFC 7519: verify and sign.  libjwt makes and verifies the
 * signatures, except the signatures of access tokens, RFC 9068.  This file
 * decides which algorithm may be used, and checks the claims.  Bytes in, bytes
 * out.
 */

#ifndef _NGX_HTTP_KAIROS_JWT_H_INCLUDED_
#define _NGX_HTTP_KAIROS_JWT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* bytes of a token; a longer one is refused */
#define NGX_HTTP_KAIROS_JWT_MAX       8192

/* the claim "device" of a connection token, as the original has it */
#define NGX_HTTP_KAIROS_JWT_DEVICE    "nexus"


typedef struct {
    ngx_uint_t    algorithm;     /* a jwt_alg_t of libjwt */
    ngx_str_t     key;           /* the secret, or a public key in PEM */
    unsigned      own:1;         /* for connection tokens, and no others */
} ngx_http_kairos_jwt_key_t;


/* the rules for tokens; lives with the cycle */
typedef struct {
    ngx_http_kairos_jwt_key_t  *keys;    /* all of the algorithm are tried */
    ngx_uint_t                  nkeys;
    ngx_str_t                   issuer;  /* of connection tokens */
    time_t                      leeway;  /* seconds */
} ngx_http_kairos_jwt_policy_t;


/* a verified token; the slices point into text */
typedef struct {
    ngx_str_t     claims;        /* JSON, byte for byte as it was signed */
    ngx_str_t     subject;       /* raw JSON; empty: none, or null */
    time_t        expires;       /* seconds since 1970: the first second at
                                    which the token is void, with the leeway */
    unsigned      connection:1;  /* a connection token, made by us */
    u_char        text[NGX_HTTP_KAIROS_JWT_MAX];
} ngx_http_kairos_jwt_t;


/*
 * The algorithm of this name, as RFC 7518 spells it.  NGX_DECLINED: this
 * libjwt has none, or it is "none".
 */
ngx_int_t ngx_http_kairos_jwt_algorithm(const ngx_str_t *name,
    ngx_uint_t *algorithm);

/*
 * Bytes that a secret must have for its HMAC, RFC 7518 section 3.2; 0: the
 * algorithm takes a pair of keys.
 */
size_t ngx_http_kairos_jwt_secret_size(ngx_uint_t algorithm);

/*
 * Returns NULL if the PEM text is one public key for the algorithm, else the
 * reason, static text.
 */
const char *ngx_http_kairos_jwt_check_key(const ngx_str_t *pem,
    ngx_uint_t algorithm);

/*
 * Checks the algorithm of the header, then the signature, then the claims:
 * exp must be a time in the future, nbf, if there is one, a time not in the
 * future; both are JSON numbers of seconds, whose fractions are rounded up.
 * NGX_OK, or NGX_DECLINED with the reason, static text.
 */
ngx_int_t ngx_http_kairos_jwt_verify(
    const ngx_http_kairos_jwt_policy_t *policy, const ngx_str_t *token,
    time_t now, ngx_http_kairos_jwt_t *jwt, const char **reason);

/*
 * Whether these claims, of a token that was verified before, have the same
 * subject as the token.
 */
ngx_uint_t ngx_http_kairos_jwt_same_subject(const ngx_str_t *claims,
    const ngx_http_kairos_jwt_t *jwt);

/*
 * The user of verified claims: their sub, as JSON, or, without a sub, the text
 * of all claims.
 */
void ngx_http_kairos_jwt_user(const ngx_str_t *claims, ngx_str_t *user);

/*
 * Signs the claims, JSON that ends with a zero byte, and writes the token, at
 * most NGX_HTTP_KAIROS_JWT_MAX bytes, to buf.  NGX_OK; NGX_ERROR: the token
 * would be longer, or no memory.
 */
ngx_int_t ngx_http_kairos_jwt_sign(const ngx_http_kairos_jwt_key_t *key,
    const char *claims, u_char *buf, ngx_str_t *token);

/*
 * Decodes base64url without padding; dst may be src->data.  Returns the end of
 * the decoded bytes; NULL: src is not base64url.
 */
u_char *ngx_http_kairos_jwt_decode(u_char *dst, const ngx_str_t *src);


#endif /* _NGX_HTTP_KAIROS_JWT_H_INCLUDED_ */
