/* sources: ngx_http_kairos_jwt.c ngx_http_kairos_json.c */
/* sources: ngx_http_kairos_json_string.c ngx_http_kairos_utf8.c */
/* sources: ngx_http_kairos_signature.c */
/* libs: -ljwt -ljansson -lcrypto */

/*
 * Any bytes as a token, and, on two lines, as the header and the claims of a
 * token that is then signed as it should be, so that what lies behind the
 * signature is reached.  The first byte says which keys are allowed.  A token
 * is taken only if its signature is that of an allowed key, and it has not
 * expired; what was taken lies in the token's text, and is what another
 * parser reads there.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <jwt.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_jwt.h"


#define NOW      1950000000
#define SECRET   "0123456789abcdef0123456789abcdef"                           \
                 "0123456789abcdef0123456789abcdef"

#define LEEWAY   1            /* bits of the first byte */
#define SHA512   2
#define OWN      4
#define PUBLIC   8


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const char  public_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEP4MrRa8VUQ1M6yGadZ8pImdkUCl8\n"
    "UHa35PaZNfmKRds8LvR851Y2iqNRML07du//hUkuLc4TmRW7CYZ1SbiVFw==\n"
    "-----END PUBLIC KEY-----\n";


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


static size_t
encode(u_char *dst, const uint8_t *src, size_t len)
{
    size_t    i, n;
    uint32_t  bits;

    static const char  digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (i = 0, n = 0; i < len; i += 3) {
        bits = (uint32_t) src[i] << 16;
        bits |= (i + 1 < len) ? (uint32_t) src[i + 1] << 8 : 0;
        bits |= (i + 2 < len) ? src[i + 2] : 0;

        dst[n++] = digits[bits >> 18];
        dst[n++] = digits[bits >> 12 & 63];

        if (i + 1 < len) {
            dst[n++] = digits[bits >> 6 & 63];
        }

        if (i + 2 < len) {
            dst[n++] = digits[bits & 63];
        }
    }

    return n;
}


/* The HMAC, in base64url, of the token's first two parts. */
static size_t
sign(u_char *dst, int sha512, const u_char *text, size_t len)
{
    uint8_t   mac[EVP_MAX_MD_SIZE];
    unsigned  n;

    check(HMAC(sha512 ? EVP_sha512() : EVP_sha256(), SECRET,
               sizeof(SECRET) - 1, text, len, mac, &n)
          != NULL);

    return encode(dst, mac, n);
}


/* The token's third part is what HS256 or HS512 makes of the others. */
static int
is_signed(const ngx_str_t *token, int sha512)
{
    size_t   len, n;
    u_char   signature[EVP_MAX_MD_SIZE * 2], *buf, *last;

    for (len = token->len; len > 0 && token->data[len - 1] != '.'; len--) {
        /* void */
    }

    check(len > 0);

    n = sign(signature, sha512, token->data, len - 1);

    /* bits that are left over may be anything: not what was made of them */

    buf = malloc(token->len + n);
    check(buf != NULL);

    last = ngx_http_kairos_jwt_decode(buf, &(ngx_str_t) { token->len - len,
                                                          token->data + len });
    check(last != NULL);
    n = ngx_http_kairos_jwt_decode(last, &(ngx_str_t) { n, signature }) - last;

    n = (n == (size_t) (last - buf) && memcmp(buf, last, n) == 0);
    free(buf);

    return (int) n;
}


/* The one token, of the corpus, whose private key made it. */
static int
is_known(const ngx_str_t *token)
{
    static const char  known[] =
        "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImlhd"
        "CI6MTkwMDAwMDAwMCwic3ViIjoidTEifQ.";

    return token->len > sizeof(known) - 1
           && memcmp(token->data, known, sizeof(known) - 1) == 0;
}


static void
check_claims(const ngx_http_kairos_jwt_t *jwt, time_t leeway)
{
    json_t        *tree, *exp;
    double         late;
    json_error_t   error;

    check(jwt->claims.data >= jwt->text
          && jwt->claims.data + jwt->claims.len
             <= jwt->text + sizeof(jwt->text));
    check(jwt->subject.len == 0
          || (jwt->subject.data > jwt->claims.data
              && jwt->subject.data + jwt->subject.len
                 < jwt->claims.data + jwt->claims.len));
    check(jwt->expires > NOW);
    check(ngx_http_kairos_jwt_same_subject(&jwt->claims, jwt));

    tree = json_loadb((char *) jwt->claims.data, jwt->claims.len,
                      JSON_ALLOW_NUL, &error);

    /* the points on which the two parsers differ, see fuzz_json.c */

    if (tree == NULL) {
        check(json_error_code(&error) == json_error_numeric_overflow
              || json_error_code(&error) == json_error_null_byte_in_key);
        return;
    }

    exp = json_object_get(tree, "exp");
    check(json_is_number(exp));

    if (json_is_integer(exp)) {
        check(json_integer_value(exp) + leeway == jwt->expires);

    } else {

        /* rounded up, but for what a double cannot tell */

        late = (double) (jwt->expires - leeway) - json_real_value(exp);
        check(late > -0.001 && late < 1.001);
    }

    json_decref(tree);
}


static void
check_token(int flags, const u_char *data, size_t size)
{
    ngx_int_t                      rc;
    ngx_str_t                      token;
    const char                    *reason;
    ngx_http_kairos_jwt_t         *jwt;
    ngx_http_kairos_jwt_key_t      keys[2];
    ngx_http_kairos_jwt_policy_t   policy;

    memset(keys, 0, sizeof(keys));
    memset(&policy, 0, sizeof(policy));

    keys[0].algorithm = (flags & SHA512) ? JWT_ALG_HS512 : JWT_ALG_HS256;
    ngx_str_set(&keys[0].key, SECRET);
    keys[0].own = (flags & OWN) ? 1 : 0;

    keys[1].algorithm = JWT_ALG_ES256;
    ngx_str_set(&keys[1].key, public_key);

    policy.keys = keys;
    policy.nkeys = (flags & PUBLIC) ? 2 : 1;
    policy.leeway = (flags & LEEWAY) ? 60 : 0;
    ngx_str_set(&policy.issuer, "kairos");

    token.len = size;
    token.data = malloc(size ? size : 1);
    jwt = malloc(sizeof(ngx_http_kairos_jwt_t));

    check(token.data != NULL && jwt != NULL);

    if (size > 0) {
        memcpy(token.data, data, size);
    }

    reason = NULL;
    rc = ngx_http_kairos_jwt_verify(&policy, &token, NOW, jwt, &reason);

    check(rc == NGX_OK || (rc == NGX_DECLINED && reason != NULL));
    check(ERR_peek_error() == 0);

    if (rc == NGX_OK) {
        check_claims(jwt, policy.leeway);

        if (is_signed(&token, flags & SHA512)) {
            check(!(flags & OWN) || jwt->connection);

        } else {
            check((flags & PUBLIC) && is_known(&token));
        }
    }

    free(token.data);
    free(jwt);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             flags;
    size_t          n, len;
    u_char         *token;
    const uint8_t  *claims;

    if (size == 0 || size > NGX_HTTP_KAIROS_JWT_MAX) {
        return 0;
    }

    flags = data[0];
    data++;
    size--;

    check_token(flags, data, size);

    claims = size ? memchr(data, '\n', size) : NULL;

    if (claims == NULL) {
        return 0;
    }

    len = claims - data;
    claims++;

    token = malloc(size * 2 + EVP_MAX_MD_SIZE * 2);
    check(token != NULL);

    n = encode(token, data, len);
    token[n++] = '.';
    n += encode(token + n, claims, size - len - 1);
    len = sign(token + n + 1, flags & SHA512, token, n);
    token[n] = '.';

    check_token(flags, token, n + 1 + len);

    free(token);

    return 0;
}
