#include <ngx_config.h>
#include <ngx_core.h>

#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "ngx_http_kairos_json.h"
#include "ngx_http_kairos_jwt.h"
#include "ngx_http_kairos_signature.h"


/* the latest time of a claim, in seconds: 30000 years from now */
#define NGX_HTTP_KAIROS_JWT_TIME_MAX  999999999999

/* more than a token has digits: the bound of an exponent */
#define NGX_HTTP_KAIROS_JWT_EXP_MAX   (2 * NGX_HTTP_KAIROS_JWT_MAX)


typedef struct {
    ngx_str_t     name;
    jwt_alg_t     algorithm;
    ngx_uint_t    sha;           /* bits of the hash */
    size_t        secret;        /* bytes; 0: a pair of keys */
    int           type;          /* of the key, EVP_PKEY_... */
    int           bits;          /* of an elliptic curve; RSA: at least */
} ngx_http_kairos_jwt_algorithm_t;


static const ngx_http_kairos_jwt_algorithm_t *
    ngx_http_kairos_jwt_find_algorithm(ngx_uint_t algorithm);
static ngx_uint_t ngx_http_kairos_jwt_has_two_keys(const ngx_str_t *pem);
static const char *ngx_http_kairos_jwt_split(const ngx_str_t *token,
    ngx_str_t *parts);
static const char *ngx_http_kairos_jwt_check_header(
    const ngx_http_kairos_jwt_policy_t *policy, const ngx_str_t *part,
    u_char *buf, ngx_uint_t *algorithm, ngx_uint_t *is_access);
static const char *ngx_http_kairos_jwt_check_typ(
    const ngx_http_kairos_json_t *header, ngx_uint_t *is_access);
static const char *ngx_http_kairos_jwt_check_signature(
    const ngx_http_kairos_jwt_policy_t *policy, const ngx_str_t *token,
    ngx_uint_t algorithm, ngx_uint_t is_access,
    const ngx_http_kairos_jwt_key_t **key);
static ngx_uint_t ngx_http_kairos_jwt_signed(
    const ngx_http_kairos_jwt_key_t *key, const char *token);
static ngx_uint_t ngx_http_kairos_jwt_access_signed(
    const ngx_http_kairos_jwt_key_t *key, const ngx_str_t *token);
static const char *ngx_http_kairos_jwt_check_claims(
    const ngx_http_kairos_jwt_policy_t *policy, const ngx_str_t *part,
    time_t now, ngx_http_kairos_jwt_t *jwt);
static ngx_int_t ngx_http_kairos_jwt_object(const ngx_str_t *part,
    u_char *buf, ngx_http_kairos_json_t *object);
static ngx_int_t ngx_http_kairos_jwt_time(const ngx_http_kairos_json_t *claims,
    const char *name, time_t *time);
static ngx_int_t ngx_http_kairos_jwt_seconds(const ngx_str_t *number,
    time_t *time);
static ngx_int_t ngx_http_kairos_jwt_exponent(const u_char *p,
    const u_char *last);
static void ngx_http_kairos_jwt_subject(const ngx_http_kairos_json_t *claims,
    ngx_str_t *subject);
static ngx_uint_t ngx_http_kairos_jwt_is_connection(
    const ngx_http_kairos_jwt_policy_t *policy,
    const ngx_http_kairos_json_t *claims);
static ngx_uint_t ngx_http_kairos_jwt_same(const ngx_str_t *raw,
    const ngx_str_t *text);
static ngx_int_t ngx_http_kairos_jwt_digit(u_char ch);


static const ngx_http_kairos_jwt_algorithm_t
    ngx_http_kairos_jwt_algorithms[] = {

    { ngx_string("HS256"), JWT_ALG_HS256, 256, 32, 0, 0 },
    { ngx_string("HS384"), JWT_ALG_HS384, 384, 48, 0, 0 },
    { ngx_string("HS512"), JWT_ALG_HS512, 512, 64, 0, 0 },
    { ngx_string("RS256"), JWT_ALG_RS256, 256, 0, EVP_PKEY_RSA, 2048 },
    { ngx_string("RS384"), JWT_ALG_RS384, 384, 0, EVP_PKEY_RSA, 2048 },
    { ngx_string("RS512"), JWT_ALG_RS512, 512, 0, EVP_PKEY_RSA, 2048 },
    { ngx_string("ES256"), JWT_ALG_ES256, 256, 0, EVP_PKEY_EC, 256 },
    { ngx_string("ES384"), JWT_ALG_ES384, 384, 0, EVP_PKEY_EC, 384 },
    { ngx_string("ES512"), JWT_ALG_ES512, 512, 0, EVP_PKEY_EC, 521 },
    { ngx_null_string, JWT_ALG_NONE, 0, 0, 0, 0 }
};


ngx_int_t
ngx_http_kairos_jwt_algorithm(const ngx_str_t *name, ngx_uint_t *algorithm)
{
    const ngx_http_kairos_jwt_algorithm_t  *a;

    for (a = ngx_http_kairos_jwt_algorithms; a->name.len; a++) {

        if (a->name.len == name->len
            && ngx_memcmp(a->name.data, name->data, name->len) == 0)
        {
            *algorithm = a->algorithm;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


size_t
ngx_http_kairos_jwt_secret_size(ngx_uint_t algorithm)
{
    return ngx_http_kairos_jwt_find_algorithm(algorithm)->secret;
}


const char *
ngx_http_kairos_jwt_check_key(const ngx_str_t *pem, ngx_uint_t algorithm)
{
    BIO                                    *bio;
    EVP_PKEY                               *key;
    const char                             *reason;
    const ngx_http_kairos_jwt_algorithm_t  *a;

    a = ngx_http_kairos_jwt_find_algorithm(algorithm);
    reason = NULL;
    key = NULL;

    bio = BIO_new_mem_buf(pem->data, (int) pem->len);

    if (bio != NULL) {
        key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }

    if (key == NULL) {
        reason = "it is no public key in PEM";

    } else if (EVP_PKEY_base_id(key) != a->type) {
        reason = (a->type == EVP_PKEY_RSA) ? "it is no RSA key"
                                           : "it is no key of a curve";

    } else if (a->type == EVP_PKEY_RSA && EVP_PKEY_bits(key) < a->bits) {
        reason = "it has fewer than 2048 bits";

    } else if (a->type == EVP_PKEY_EC && EVP_PKEY_bits(key) != a->bits) {
        reason = "its curve is not the algorithm's";

    } else if (ngx_http_kairos_jwt_has_two_keys(pem)) {
        reason = "it has more than one public key";
    }

    EVP_PKEY_free(key);
    ERR_clear_error();

    return reason;
}


ngx_int_t
ngx_http_kairos_jwt_verify(const ngx_http_kairos_jwt_policy_t *policy,
    const ngx_str_t *token, time_t now, ngx_http_kairos_jwt_t *jwt,
    const char **reason)
{
    ngx_str_t                         parts[3];
    ngx_uint_t                        algorithm, is_access;
    const ngx_http_kairos_jwt_key_t  *key;

    algorithm = 0;
    is_access = 0;
    key = NULL;

    *reason = ngx_http_kairos_jwt_split(token, parts);

    if (*reason == NULL) {
        *reason = ngx_http_kairos_jwt_check_header(policy, &parts[0],
                                                   jwt->text, &algorithm,
                                                   &is_access);
    }

    if (*reason == NULL) {
        *reason = ngx_http_kairos_jwt_check_signature(policy, token, algorithm,
                                                      is_access, &key);
    }

    if (*reason == NULL) {
        *reason = ngx_http_kairos_jwt_check_claims(policy, &parts[1], now,
                                                   jwt);
    }

    if (*reason == NULL && key != NULL && key->own && !jwt->connection) {
        *reason = "the token's algorithm is for connection tokens alone";
    }

    return (*reason == NULL) ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_http_kairos_jwt_same_subject(const ngx_str_t *claims,
    const ngx_http_kairos_jwt_t *jwt)
{
    u_char                  buf[NGX_HTTP_KAIROS_JWT_MAX];
    ngx_str_t               subject, text;
    ngx_http_kairos_json_t  object;

    object.type = NGX_HTTP_KAIROS_JSON_OBJECT;
    object.raw = *claims;

    ngx_http_kairos_jwt_subject(&object, &subject);

    if (subject.len == 0 || jwt->subject.len == 0) {
        return subject.len == jwt->subject.len;
    }

    if (subject.len == jwt->subject.len
        && ngx_memcmp(subject.data, jwt->subject.data, subject.len) == 0)
    {
        return 1;
    }

    /* equal strings may have different escapes */

    if (subject.len > sizeof(buf)
        || subject.data[0] != '"' || jwt->subject.data[0] != '"')
    {
        return 0;
    }

    text.data = buf;
    text.len = ngx_http_kairos_json_unescape(buf, &subject) - buf;

    return ngx_http_kairos_jwt_same(&jwt->subject, &text);
}


void
ngx_http_kairos_jwt_user(const ngx_str_t *claims, ngx_str_t *user)
{
    ngx_http_kairos_json_t  object;

    *user = *claims;

    if (claims->len == 0) {
        return;
    }

    object.type = NGX_HTTP_KAIROS_JSON_OBJECT;
    object.raw = *claims;

    ngx_http_kairos_jwt_subject(&object, user);

    if (user->len == 0) {
        *user = *claims;
    }
}


ngx_int_t
ngx_http_kairos_jwt_sign(const ngx_http_kairos_jwt_key_t *key,
    const char *claims, u_char *buf, ngx_str_t *token)
{
    char   *text;
    jwt_t  *jwt;

    if (jwt_new(&jwt) != 0) {
        return NGX_ERROR;
    }

    text = NULL;

    if (jwt_set_alg(jwt, (jwt_alg_t) key->algorithm, key->key.data,
                    (int) key->key.len)
            == 0
        && jwt_add_grants_json(jwt, claims) == 0)
    {
        text = jwt_encode_str(jwt);
    }

    jwt_free(jwt);
    ERR_clear_error();

    if (text == NULL) {
        return NGX_ERROR;
    }

    token->data = buf;
    token->len = ngx_strlen(text);

    if (token->len <= NGX_HTTP_KAIROS_JWT_MAX) {
        ngx_memcpy(buf, text, token->len);
    }

    free(text);

    return (token->len <= NGX_HTTP_KAIROS_JWT_MAX) ? NGX_OK : NGX_ERROR;
}


u_char *
ngx_http_kairos_jwt_decode(u_char *dst, const ngx_str_t *src)
{
    size_t      i;
    uint32_t    bits;
    ngx_int_t   digit;
    ngx_uint_t  n;

    if (src->len % 4 == 1) {
        return NULL;
    }

    bits = 0;
    n = 0;

    for (i = 0; i < src->len; i++) {
        digit = ngx_http_kairos_jwt_digit(src->data[i]);

        if (digit == NGX_ERROR) {
            return NULL;
        }

        bits = (bits << 6 | (uint32_t) digit) & 0xffff;
        n += 6;

        if (n >= 8) {
            n -= 8;
            *dst++ = (u_char) (bits >> n);
        }
    }

    return dst;
}


static const ngx_http_kairos_jwt_algorithm_t *
ngx_http_kairos_jwt_find_algorithm(ngx_uint_t algorithm)
{
    const ngx_http_kairos_jwt_algorithm_t  *a;

    for (a = ngx_http_kairos_jwt_algorithms; a->name.len; a++) {
        if (a->algorithm == (jwt_alg_t) algorithm) {
            break;
        }
    }

    return a;
}


/*
 * Whether the text has a second block of PEM with a public key, be the block
 * damaged or whole: libjwt and OpenSSL read the first key and ignore what
 * follows.  Leaves errors in OpenSSL's queue.
 */
static ngx_uint_t
ngx_http_kairos_jwt_has_two_keys(const ngx_str_t *pem)
{
    BIO         *bio;
    char        *name, *header;
    long         len;
    u_char      *data;
    ngx_uint_t   n;

    n = 0;

    bio = BIO_new_mem_buf(pem->data, (int) pem->len);
    if (bio == NULL) {
        return 0;
    }

    ERR_clear_error();

    while (PEM_read_bio(bio, &name, &header, &data, &len) == 1) {

        if (ngx_strcmp(name, PEM_STRING_PUBLIC) == 0) {
            n++;
        }

        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }

    /* the loop ends at a block that is damaged, or where no block follows */

    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        n++;
    }

    BIO_free(bio);

    return n > 1;
}


/*
 * "header.payload.signature": three parts in base64url, none of them empty.
 * libjwt is not so strict.
 */
static const char *
ngx_http_kairos_jwt_split(const ngx_str_t *token, ngx_str_t *parts)
{
    u_char      *p, *last;
    ngx_uint_t   i;

    if (token->len > NGX_HTTP_KAIROS_JWT_MAX) {
        return "the token is longer than 8192 bytes";
    }

    p = token->data;
    last = p + token->len;

    for (i = 0; i < 3; i++) {
        parts[i].data = p;

        while (p < last && ngx_http_kairos_jwt_digit(*p) != NGX_ERROR) {
            p++;
        }

        parts[i].len = p - parts[i].data;

        if (parts[i].len == 0
            || (i == 2 && p != last)
            || (i < 2 && (p == last || *p != '.')))
        {
            return "the token is no signed JWT";
        }

        p++;
    }

    return NULL;
}


/*
 * The first check of a token: its algorithm must be one of the policy's.
 * Returns NULL, with the algorithm, and with *is_access set if the token is an
 * access token of RFC 9068, else the reason.  buf is as large as a token.
 */
static const char *
ngx_http_kairos_jwt_check_header(const ngx_http_kairos_jwt_policy_t *policy,
    const ngx_str_t *part, u_char *buf, ngx_uint_t *algorithm,
    ngx_uint_t *is_access)
{
    ngx_uint_t                              i;
    const char                             *reason;
    ngx_http_kairos_json_t                  header, value;
    const ngx_http_kairos_jwt_algorithm_t  *a;

    if (ngx_http_kairos_jwt_object(part, buf, &header) != NGX_OK) {
        return "the token's header is no JSON object in base64url";
    }

    /* extensions that must be understood, RFC 7515 section 4.1.11 */

    if (ngx_http_kairos_json_member(&header, "crit", &value) == NGX_OK) {
        return "the token's header has \"crit\", which is not supported";
    }

    reason = ngx_http_kairos_jwt_check_typ(&header, is_access);

    if (reason != NULL) {
        return reason;
    }

    if (ngx_http_kairos_json_member(&header, "alg", &value) != NGX_OK
        || value.type != NGX_HTTP_KAIROS_JSON_STRING)
    {
        return "the token's header names no algorithm";
    }

    for (i = 0; i < policy->nkeys; i++) {
        a = ngx_http_kairos_jwt_find_algorithm(policy->keys[i].algorithm);

        if (ngx_http_kairos_jwt_same(&value.raw, &a->name)) {
            *algorithm = policy->keys[i].algorithm;
            return NULL;
        }
    }

    return "the token has another algorithm than the one allowed here";
}


/*
 * A token may have no typ, or "JWT"; an access token has "at+jwt" or, in full,
 * the media type "application/at+jwt"; all in any case of letters.  Returns
 * NULL, with *is_access, or the reason.
 */
static const char *
ngx_http_kairos_jwt_check_typ(const ngx_http_kairos_json_t *header,
    ngx_uint_t *is_access)
{
    size_t                  len;
    u_char                  text[sizeof("\"application/at+jwt\"") - 1];
    ngx_http_kairos_json_t  value;

    if (ngx_http_kairos_json_member(header, "typ", &value) != NGX_OK) {
        *is_access = 0;
        return NULL;
    }

    len = 0;

    if (value.type == NGX_HTTP_KAIROS_JSON_STRING
        && value.raw.len <= sizeof(text))
    {
        len = ngx_http_kairos_json_unescape(text, &value.raw) - text;
    }

    if (len == sizeof("JWT") - 1
        && strncasecmp((char *) text, "JWT", len) == 0)
    {
        *is_access = 0;
        return NULL;
    }

    if ((len == sizeof("at+jwt") - 1
         && strncasecmp((char *) text, "at+jwt", len) == 0)
        || (len == sizeof("application/at+jwt") - 1
            && strncasecmp((char *) text, "application/at+jwt", len) == 0))
    {
        *is_access = 1;
        return NULL;
    }

    return "the token's header has another typ than JWT or at+jwt";
}


/*
 * Tries each key of the algorithm.  Returns NULL, with the key that verified
 * the signature, or the reason.
 */
static const char *
ngx_http_kairos_jwt_check_signature(const ngx_http_kairos_jwt_policy_t *policy,
    const ngx_str_t *token, ngx_uint_t algorithm, ngx_uint_t is_access,
    const ngx_http_kairos_jwt_key_t **key)
{
    char        text[NGX_HTTP_KAIROS_JWT_MAX + 1];
    ngx_uint_t  i, good;

    ngx_memcpy(text, token->data, token->len);
    text[token->len] = '\0';

    for (i = 0; i < policy->nkeys; i++) {
        *key = &policy->keys[i];

        if ((*key)->algorithm != algorithm) {
            continue;
        }

        good = is_access ? ngx_http_kairos_jwt_access_signed(*key, token)
                         : ngx_http_kairos_jwt_signed(*key, text);

        if (good) {
            return NULL;
        }
    }

    return "the token's signature is wrong";
}


/* The signature of a token whose typ is JWT, by libjwt. */
static ngx_uint_t
ngx_http_kairos_jwt_signed(const ngx_http_kairos_jwt_key_t *key,
    const char *token)
{
    jwt_t       *jwt;
    ngx_uint_t   good;

    jwt = NULL;
    good = 0;

    if (jwt_decode(&jwt, token, key->key.data, (int) key->key.len) == 0) {

        /* libjwt has read the header with a parser of its own */
        good = (jwt_get_alg(jwt) == (jwt_alg_t) key->algorithm);

        jwt_free(jwt);
    }

    /* nginx takes what is left there for an error of a TLS connection */
    ERR_clear_error();

    return good;
}


/* The same for an access token, whose typ libjwt 1 refuses. */
static ngx_uint_t
ngx_http_kairos_jwt_access_signed(const ngx_http_kairos_jwt_key_t *key,
    const ngx_str_t *token)
{
    u_char                                  buf[NGX_HTTP_KAIROS_JWT_MAX];
    u_char                                 *p;
    ngx_str_t                               text, encoded, signature;
    ngx_uint_t                              good;
    const ngx_http_kairos_jwt_algorithm_t  *a;

    for (p = token->data + token->len; p[-1] != '.'; p--) { /* void */ }

    text.data = token->data;
    text.len = p - 1 - token->data;

    encoded.data = p;
    encoded.len = token->data + token->len - p;

    p = ngx_http_kairos_jwt_decode(buf, &encoded);
    if (p == NULL) {
        return 0;
    }

    signature.data = buf;
    signature.len = p - buf;

    a = ngx_http_kairos_jwt_find_algorithm(key->algorithm);
    good = ngx_http_kairos_signature(a->type, a->sha, &key->key, &text,
                                     &signature);
    ERR_clear_error();

    return good;
}


static const char *
ngx_http_kairos_jwt_check_claims(const ngx_http_kairos_jwt_policy_t *policy,
    const ngx_str_t *part, time_t now, ngx_http_kairos_jwt_t *jwt)
{
    time_t                  not_before;
    ngx_int_t               rc;
    ngx_http_kairos_json_t  claims;

    if (ngx_http_kairos_jwt_object(part, jwt->text, &claims) != NGX_OK) {
        return "the token's claims are no JSON object in base64url";
    }

    rc = ngx_http_kairos_jwt_time(&claims, "exp", &jwt->expires);

    if (rc == NGX_DECLINED) {
        return "the token has no exp";
    }

    if (rc != NGX_OK) {
        return "the token's exp is no time in seconds";
    }

    jwt->expires += policy->leeway;

    if (now >= jwt->expires) {
        return "the token has expired";
    }

    rc = ngx_http_kairos_jwt_time(&claims, "nbf", &not_before);

    if (rc == NGX_ERROR) {
        return "the token's nbf is no time in seconds";
    }

    if (rc == NGX_OK && now < not_before - policy->leeway) {
        return "the token is not valid yet";
    }

    jwt->claims = claims.raw;
    jwt->connection = ngx_http_kairos_jwt_is_connection(policy, &claims);

    ngx_http_kairos_jwt_subject(&claims, &jwt->subject);

    return NULL;
}


/*
 * The JSON object in a part of the token, decoded to buf, which is as large
 * as a token.
 */
static ngx_int_t
ngx_http_kairos_jwt_object(const ngx_str_t *part, u_char *buf,
    ngx_http_kairos_json_t *object)
{
    u_char      *pos, *last;
    const char  *reason;

    last = ngx_http_kairos_jwt_decode(buf, part);
    pos = buf;

    if (last == NULL
        || ngx_http_kairos_json_value(&pos, last, object, &reason) != NGX_OK
        || object->type != NGX_HTTP_KAIROS_JSON_OBJECT)
    {
        return NGX_ERROR;
    }

    return ngx_http_kairos_json_end(pos, last, &reason);
}


/*
 * A claim that is a time, RFC 7519 section 2: a JSON number of seconds since
 * 1970, rounded up to a whole second.  NGX_OK; NGX_DECLINED: the claim is not
 * there; NGX_ERROR: it is something else, "1" and -1 included.
 */
static ngx_int_t
ngx_http_kairos_jwt_time(const ngx_http_kairos_json_t *claims,
    const char *name, time_t *time)
{
    ngx_http_kairos_json_t  value;

    if (ngx_http_kairos_json_member(claims, name, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (value.type != NGX_HTTP_KAIROS_JSON_NUMBER) {
        return NGX_ERROR;
    }

    return ngx_http_kairos_jwt_seconds(&value.raw, time);
}


/*
 * Reads a JSON number, which may have a fraction and an exponent, digit by
 * digit: a double would round it.  A fraction counts as a whole second,
 * because "now >= time" for a now in whole seconds is the same as "now >=
 * time, rounded up".  NGX_ERROR: below 0, or above
 * NGX_HTTP_KAIROS_JWT_TIME_MAX.
 */
static ngx_int_t
ngx_http_kairos_jwt_seconds(const ngx_str_t *number, time_t *time)
{
    u_char      *p, *end, *last;
    int64_t      seconds;
    ngx_int_t    places;
    ngx_uint_t   fraction;

    last = number->data + number->len;

    for (end = number->data; end < last; end++) {
        if (*end == 'e' || *end == 'E') {
            break;
        }
    }

    /* of the digits up to end, how many stand before the decimal point */

    places = ngx_http_kairos_jwt_exponent(end, last);

    for (p = number->data; p < end && *p != '.'; p++) {
        places++;
    }

    seconds = 0;
    fraction = 0;

    for (p = number->data; p < end && seconds <= NGX_HTTP_KAIROS_JWT_TIME_MAX;
         p++)
    {
        if (*p == '-') {
            return NGX_ERROR;
        }

        if (*p == '.') {
            continue;
        }

        if (places-- > 0) {
            seconds = seconds * 10 + (*p - '0');

        } else if (*p != '0') {
            fraction = 1;
        }
    }

    while (places-- > 0 && seconds > 0
           && seconds <= NGX_HTTP_KAIROS_JWT_TIME_MAX)
    {
        seconds *= 10;
    }

    seconds += fraction;

    if (seconds > NGX_HTTP_KAIROS_JWT_TIME_MAX) {
        return NGX_ERROR;
    }

    *time = (time_t) seconds;

    return NGX_OK;
}


/*
 * The value of a JSON number's exponent, from its 'e' on, or 0 if p is last.
 * A larger one than NGX_HTTP_KAIROS_JWT_EXP_MAX is as good as that bound: no
 * token has so many digits that the difference matters.
 */
static ngx_int_t
ngx_http_kairos_jwt_exponent(const u_char *p, const u_char *last)
{
    ngx_int_t   value;
    ngx_uint_t  negative;

    value = 0;
    negative = 0;

    for ( /* void */ ; p < last; p++) {

        if (*p == '-') {
            negative = 1;
        }

        if (*p >= '0' && *p <= '9') {
            value = value * 10 + (*p - '0');
            value = ngx_min(value, NGX_HTTP_KAIROS_JWT_EXP_MAX);
        }
    }

    return negative ? -value : value;
}


static void
ngx_http_kairos_jwt_subject(const ngx_http_kairos_json_t *claims,
    ngx_str_t *subject)
{
    ngx_http_kairos_json_t  value;

    if (ngx_http_kairos_json_member(claims, "sub", &value) == NGX_OK
        && value.type != NGX_HTTP_KAIROS_JSON_NULL)
    {
        *subject = value.raw;
        return;
    }

    ngx_str_null(subject);
}


static ngx_uint_t
ngx_http_kairos_jwt_is_connection(const ngx_http_kairos_jwt_policy_t *policy,
    const ngx_http_kairos_json_t *claims)
{
    ngx_http_kairos_json_t  device, issuer;

    return ngx_http_kairos_json_member(claims, "device", &device) == NGX_OK
           && device.type == NGX_HTTP_KAIROS_JSON_STRING
           && ngx_http_kairos_json_equal(&device.raw,
                                         NGX_HTTP_KAIROS_JWT_DEVICE)
           && ngx_http_kairos_json_member(claims, "iss", &issuer) == NGX_OK
           && issuer.type == NGX_HTTP_KAIROS_JSON_STRING
           && ngx_http_kairos_jwt_same(&issuer.raw, &policy->issuer);
}


/*
 * Whether a raw JSON string decodes to the text.
 */
static ngx_uint_t
ngx_http_kairos_jwt_same(const ngx_str_t *raw, const ngx_str_t *text)
{
    u_char  buf[NGX_HTTP_KAIROS_JWT_MAX], *last;

    if (raw->len > sizeof(buf)) {
        return 0;
    }

    last = ngx_http_kairos_json_unescape(buf, raw);

    return (size_t) (last - buf) == text->len
           && ngx_memcmp(buf, text->data, text->len) == 0;
}


static ngx_int_t
ngx_http_kairos_jwt_digit(u_char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }

    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }

    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }

    if (ch == '-') {
        return 62;
    }

    return (ch == '_') ? 63 : NGX_ERROR;
}
