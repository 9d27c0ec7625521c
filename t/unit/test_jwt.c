/* sources: ngx_http_kairos_jwt.c ngx_http_kairos_json.c */
/* sources: ngx_http_kairos_json_string.c ngx_http_kairos_utf8.c */
/* sources: ngx_http_kairos_signature.c */
/* libs: -ljwt -lcrypto */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jwt.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ngx_http_kairos_jwt.h"
#include "jwt_cases.h"


#define NOW      1950000000

#define EXPIRED  "the token has expired"
#define FOREIGN  "the token has another algorithm than the one allowed here"
#define FORGED   "the token's signature is wrong"
#define NO_JWT   "the token is no signed JWT"
#define NO_EXP   "the token has no exp"
#define BAD_EXP  "the token's exp is no time in seconds"
#define BAD_NBF  "the token's nbf is no time in seconds"


static ngx_http_kairos_jwt_t         jwt;
static ngx_http_kairos_jwt_key_t     keys[3];
static ngx_http_kairos_jwt_policy_t  policy = {
    keys, 1, ngx_string("kairos"), 0
};


static ngx_str_t
str(const char *s)
{
    ngx_str_t  value;

    value.data = (u_char *) s;
    value.len = strlen(s);

    return value;
}


static void
set_key(ngx_uint_t i, const char *algorithm, const char *text)
{
    ngx_str_t  name;

    name = str(algorithm);
    memset(&keys[i], 0, sizeof(ngx_http_kairos_jwt_key_t));
    assert_int_equal(ngx_http_kairos_jwt_algorithm(&name, &keys[i].algorithm),
                     NGX_OK);
    keys[i].key = str(text);
    policy.nkeys = i + 1;
}


static int
setup(void **state)
{
    (void) state;

    policy.leeway = 0;
    set_key(0, "HS256", JWT_SECRET);

    return 0;
}


/* What is wrong with the token, or NULL. */
static const char *
verify_n(const char *text, size_t len, time_t now)
{
    char        *copy;
    ngx_int_t    rc;
    ngx_str_t    token;
    const char  *reason;

    /* of just its size, for the sanitizer */

    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);

    token.data = (u_char *) copy;
    token.len = len;

    rc = ngx_http_kairos_jwt_verify(&policy, &token, now, &jwt, &reason);
    free(copy);

    assert_int_equal(rc, reason ? NGX_DECLINED : NGX_OK);
    assert_int_equal(ERR_peek_error(), 0);

    return reason;
}


static const char *
verify(const char *text)
{
    return verify_n(text, strlen(text), NOW);
}


static void
good(const char *text)
{
    const char  *reason;

    reason = verify(text);

    if (reason != NULL) {
        fail_msg("%s: %s", text, reason);
    }
}


static void
bad(const char *text, const char *expected)
{
    const char  *reason;

    reason = verify(text);
    assert_non_null(reason);
    assert_string_equal(reason, expected);
}


/* A token with these claims, signed by libjwt with key 0. */
static const char *
token(const char *claims)
{
    static char  text[NGX_HTTP_KAIROS_JWT_MAX + 1];

    ngx_str_t  result;

    assert_int_equal(ngx_http_kairos_jwt_sign(&keys[0], claims,
                                              (u_char *) text, &result),
                     NGX_OK);
    text[result.len] = '\0';

    return text;
}


/* The same, of any text: libjwt has to parse what it signs. */
static const char *
raw_token(const char *header, const char *claims)
{
    static char  text[NGX_HTTP_KAIROS_JWT_MAX + 1];

    char          sig[128];
    size_t        n;
    u_char        mac[EVP_MAX_MD_SIZE];
    const char   *parts[2];
    unsigned int  i, len;

    parts[0] = header;
    parts[1] = claims;
    n = 0;

    for (i = 0; i < 2; i++) {
        len = (unsigned int) EVP_EncodeBlock((u_char *) text + n,
                                             (const u_char *) parts[i],
                                             (int) strlen(parts[i]));
        n += len;
        text[n++] = '.';
    }

    for (i = 0, len = 0; i < n; i++) {
        if (text[i] != '=') {
            text[len++] = (text[i] == '+') ? '-'
                          : (text[i] == '/') ? '_' : text[i];
        }
    }

    n = len;
    text[n - 1] = '\0';

    assert_non_null(HMAC(EVP_sha256(), JWT_SECRET, sizeof(JWT_SECRET) - 1,
                         (u_char *) text, n - 1, mac, &len));
    EVP_EncodeBlock((u_char *) sig, mac, (int) len);

    text[n - 1] = '.';

    for (i = 0; sig[i] != '\0' && sig[i] != '='; i++) {
        text[n++] = (sig[i] == '+') ? '-' : (sig[i] == '/') ? '_' : sig[i];
    }

    text[n] = '\0';

    return text;
}


static void
test_algorithms(void **state)
{
    ngx_str_t    name;
    ngx_uint_t   algorithm;
    const char **p;

    static const char  *none[] = { "none", "None", "hs256", "HS25", "HS2567",
                                   "EdDSA", "", NULL };

    (void) state;

    for (p = none; *p != NULL; p++) {
        name = str(*p);
        assert_int_equal(ngx_http_kairos_jwt_algorithm(&name, &algorithm),
                         NGX_DECLINED);
    }

    name = str("HS384");
    assert_int_equal(ngx_http_kairos_jwt_algorithm(&name, &algorithm), NGX_OK);
    assert_int_equal(ngx_http_kairos_jwt_secret_size(algorithm), 48);

    name = str("ES256");
    assert_int_equal(ngx_http_kairos_jwt_algorithm(&name, &algorithm), NGX_OK);
    assert_int_equal(ngx_http_kairos_jwt_secret_size(algorithm), 0);
}


static void
test_hmac(void **state)
{
    (void) state;

    good(jwt_hs256);
    assert_int_equal(jwt.expires, 2000000000);
    assert_false(jwt.connection);
    assert_int_equal(jwt.subject.len, 4);
    assert_memory_equal(jwt.subject.data, "\"u1\"", 4);
    assert_memory_equal(jwt.claims.data,
                        "{\"exp\":2000000000,\"iat\":1900000000,"
                        "\"sub\":\"u1\"}", jwt.claims.len);

    bad(jwt_hs384, FOREIGN);
    bad(jwt_hs512, FOREIGN);

    set_key(0, "HS384", JWT_SECRET);
    good(jwt_hs384);
    bad(jwt_hs256, FOREIGN);

    set_key(0, "HS512", JWT_SECRET);
    good(jwt_hs512);

    set_key(0, "HS512", "another");
    bad(jwt_hs512, FORGED);
}


static void
test_public_keys(void **state)
{
    (void) state;

    set_key(0, "RS256", jwt_rsa_key);
    good(jwt_rs256);
    bad(jwt_rs512, FOREIGN);
    bad(jwt_es256, FOREIGN);

    set_key(0, "RS512", jwt_rsa_key);
    good(jwt_rs512);

    set_key(0, "ES256", jwt_es256_key);
    good(jwt_es256);
    bad(jwt_eddsa, FOREIGN);

    set_key(0, "ES384", jwt_es384_key);
    good(jwt_es384);

    set_key(0, "ES512", jwt_es512_key);
    good(jwt_es512);

    /* the wrong kind of key must be no crash, and leave no OpenSSL error */

    set_key(0, "RS256", jwt_es256_key);
    bad(jwt_rs256, FORGED);

    set_key(0, "ES256", jwt_es384_key);
    bad(jwt_es256, FORGED);

    set_key(0, "RS256", "nonsense");
    bad(jwt_rs256, FORGED);
}


static void
test_check_key(void **state)
{
    ngx_str_t   rsa, small, curve, ed, nonsense;

    (void) state;

    rsa = str(jwt_rsa_key);
    small = str(jwt_rsa_small_key);
    curve = str(jwt_es256_key);
    ed = str(jwt_ed_key);
    nonsense = str("-----BEGIN PUBLIC KEY-----\nAAAA\n");

    assert_null(ngx_http_kairos_jwt_check_key(&rsa, JWT_ALG_RS256));
    assert_null(ngx_http_kairos_jwt_check_key(&curve, JWT_ALG_ES256));
    assert_string_equal(ngx_http_kairos_jwt_check_key(&curve, JWT_ALG_RS256),
                        "it is no RSA key");
    assert_string_equal(ngx_http_kairos_jwt_check_key(&rsa, JWT_ALG_ES256),
                        "it is no key of a curve");
    assert_string_equal(ngx_http_kairos_jwt_check_key(&ed, JWT_ALG_ES256),
                        "it is no key of a curve");
    assert_string_equal(ngx_http_kairos_jwt_check_key(&curve, JWT_ALG_ES384),
                        "its curve is not the algorithm's");
    assert_string_equal(ngx_http_kairos_jwt_check_key(&small, JWT_ALG_RS256),
                        "it has fewer than 2048 bits");
    assert_string_equal(ngx_http_kairos_jwt_check_key(&nonsense,
                                                      JWT_ALG_RS256),
                        "it is no public key in PEM");
    assert_int_equal(ERR_peek_error(), 0);
}


static void
check_two(const char *first, const char *second, const char *expected)
{
    char         text[2048];
    ngx_str_t    pem;
    const char  *reason;

    snprintf(text, sizeof(text), "# a comment\n%s\n%s", first, second);
    pem = str(text);
    reason = ngx_http_kairos_jwt_check_key(&pem, JWT_ALG_ES256);

    if (expected == NULL) {
        assert_null(reason);

    } else {
        assert_non_null(reason);
        assert_string_equal(reason, expected);
    }

    assert_int_equal(ERR_peek_error(), 0);
}


static void
test_check_two_keys(void **state)
{
    const char  *two = "it has more than one public key";

    (void) state;

    check_two(jwt_es256_key, "", NULL);
    check_two(jwt_es256_key, "some text behind the key\n", NULL);
    check_two(jwt_es256_key, jwt_es256_key, two);
    check_two(jwt_es256_key, jwt_rsa_key, two);
    check_two(jwt_es256_key, "-----BEGIN PUBLIC KEY-----\n!\n"
              "-----END PUBLIC KEY-----\n", two);
    check_two(jwt_es256_key, "-----BEGIN PUBLIC KEY-----\nMFk", two);
}


/* the attacks that a JWT library is known for */
static void
test_confusion(void **state)
{
    (void) state;

    /* no signature, in all its spellings */

    bad(jwt_none, NO_JWT);
    bad(raw_token("{\"alg\":\"none\"}", "{\"exp\":2000000000}"), FOREIGN);
    bad(raw_token("{\"alg\":\"NONE\"}", "{\"exp\":2000000000}"), FOREIGN);
    bad(raw_token("{\"alg\":\"hs256\"}", "{\"exp\":2000000000}"), FOREIGN);
    bad(raw_token("{\"alg\":null}", "{\"exp\":2000000000}"),
        "the token's header names no algorithm");
    bad(raw_token("{}", "{\"exp\":2000000000}"),
        "the token's header names no algorithm");
    bad(raw_token("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}",
                  "{\"exp\":2000000000}"),
        "the token's header has \"crit\", which is not supported");
    good(raw_token("{\"alg\":\"HS256\"}", "{\"exp\":2000000000}"));

    /* two in one: libjwt and we read the same one, the last */

    bad(raw_token("{\"alg\":\"HS256\",\"alg\":\"none\"}",
                  "{\"exp\":2000000000}"), FOREIGN);
    good(raw_token("{\"alg\":\"none\",\"alg\":\"HS256\"}",
                   "{\"exp\":2000000000}"));

    /* a public key is no secret */

    set_key(0, "RS256", jwt_rsa_key);
    bad(jwt_confused, FOREIGN);

    set_key(1, "HS256", JWT_SECRET);
    keys[1].own = 1;
    good(jwt_rs256);
    bad(jwt_confused, FORGED);
}


static void
typ(const char *value, const char *expected)
{
    char         header[128];
    const char  *text;

    snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"typ\":%s}",
             value);
    text = raw_token(header, "{\"exp\":2000000000}");

    if (expected == NULL) {
        good(text);

    } else {
        bad(text, expected);
    }
}


static void
test_typ(void **state)
{
    const char  *other = "the token's header has another typ than JWT or "
                         "at+jwt";

    (void) state;

    typ("\"JWT\"", NULL);
    typ("\"J\\u0057T\"", NULL);
    typ("\"jwt\"", NULL);

    /* RFC 9068 section 2.1, and RFC 7515 section 4.1.9: with any case */

    typ("\"at+jwt\"", NULL);
    typ("\"AT+JWT\"", NULL);
    typ("\"application/at+jwt\"", NULL);
    typ("\"application/jwt\"", other);
    typ("\"\\u0061t+jwt\"", NULL);

    typ("\"JWS\"", other);
    typ("\"\"", other);
    typ("\"at+jwts\"", other);
    typ("\"application/\"", other);
    typ("\"dpop+jwt\"", other);
    typ("null", other);
    typ("1", other);
}


/* access tokens of another implementation, RFC 9068 */
static void
test_access_tokens(void **state)
{
    size_t       i, j;
    char         text[1024];
    const char  *dot;

    static const struct {
        const char  *algorithm, *other, *key, *other_key, *text;
    } cases[] = {
        { "RS256", "RS512", jwt_at_rs256_key, jwt_rsa_key, jwt_at_rs256 },
        { "ES256", "ES384", jwt_at_es256_key, jwt_es256_key, jwt_at_es256 },
        { "ES384", "ES256", jwt_at_es384_key, jwt_es384_key, jwt_at_es384 },
        { "ES512", "ES256", jwt_at_es512_key, jwt_es512_key, jwt_at_es512 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_key(0, cases[i].algorithm, cases[i].key);
        good(cases[i].text);
        assert_int_equal(jwt.expires, 2000000000);
        assert_memory_equal(jwt.subject.data, "\"u1\"", 4);

        /* any byte changed, but the last, which has bits to spare */

        strcpy(text, cases[i].text);

        for (j = 0; text[j + 1] != '\0'; j++) {
            text[j] = (text[j] == 'A') ? 'B' : 'A';
            assert_non_null(verify(text));
            text[j] = cases[i].text[j];
        }

        /* a part cut off the signature, nothing but zeros, and longer */

        dot = strrchr(text, '.');

        for (j = strlen(text) - 1; j > (size_t) (dot - text); j--) {
            assert_non_null(verify_n(text, j, NOW));
        }

        memset(text + (dot - text) + 1, 'A', strlen(dot) - 1);
        bad(text, FORGED);

        strcpy(text, cases[i].text);
        strcat(text, "AAAA");
        bad(text, FORGED);

        /* another key, another kind of key, no key */

        set_key(0, cases[i].algorithm, cases[i].other_key);
        bad(cases[i].text, FORGED);
        set_key(0, cases[i].algorithm,
                cases[i].key == jwt_at_rs256_key ? jwt_es256_key
                                                 : jwt_rsa_key);
        bad(cases[i].text, FORGED);
        set_key(0, cases[i].algorithm, "nonsense");
        bad(cases[i].text, FORGED);

        set_key(0, cases[i].other, cases[i].key);
        bad(cases[i].text, FOREIGN);

        /* the second of two keys verifies, too */

        set_key(0, cases[i].algorithm, cases[i].other_key);
        set_key(1, cases[i].algorithm, cases[i].key);
        good(cases[i].text);
    }
}


static void
test_access_hmac(void **state)
{
    char         text[1024];
    size_t       i;
    const char  *made;

    const char  *none = "{\"alg\":\"none\",\"typ\":\"at+jwt\"}";
    const char  *hmac = "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}";

    (void) state;

    bad(raw_token(none, "{\"exp\":2000000000}"), FOREIGN);

    made = raw_token(hmac, "{\"exp\":2000000000}");
    strcpy(text, made);
    good(text);

    for (i = 0; text[i + 1] != '\0'; i++) {
        text[i] = (text[i] == 'A') ? 'B' : 'A';
        assert_non_null(verify(text));
        text[i] = made[i];
        assert_non_null(verify_n(text, i, NOW));
    }

    set_key(0, "HS256", "another");
    bad(text, FORGED);

    /* a public key is no secret */

    set_key(0, "RS256", jwt_rsa_key);
    bad(text, FOREIGN);

    /* a secret beside a public key signs connection tokens alone */

    set_key(0, "HS256", JWT_SECRET);
    keys[0].own = 1;
    bad(text, "the token's algorithm is for connection tokens alone");
}


static void
test_tampered(void **state)
{
    char    text[sizeof(jwt_hs256)];
    size_t  i;

    (void) state;

    /* any byte changed; the last digit of base64 has bits to spare */

    for (i = 0; i < sizeof(jwt_hs256) - 2; i++) {
        memcpy(text, jwt_hs256, sizeof(text));
        text[i] = (text[i] == 'A') ? 'B' : 'A';

        assert_non_null(verify(text));
    }

    /* cut anywhere */

    for (i = 0; i < sizeof(jwt_hs256) - 1; i++) {
        assert_non_null(verify_n(jwt_hs256, i, NOW));
    }

    bad("", NO_JWT);
    bad("..", NO_JWT);
    bad("a.b", NO_JWT);
    bad("a.b.c.d", NO_JWT);
    bad("a.b.c", "the token's header is no JSON object in base64url");
    bad("W10.e30.x", "the token's header is no JSON object in base64url");
    bad("e30=.e30.x", NO_JWT);
    bad("e30.e30.x\"", NO_JWT);
    bad("e.e30.x", "the token's header is no JSON object in base64url");
}


static void
test_size(void **state)
{
    static char  text[NGX_HTTP_KAIROS_JWT_MAX + 2];

    (void) state;

    memset(text, 'a', sizeof(text));
    assert_string_equal(verify_n(text, NGX_HTTP_KAIROS_JWT_MAX, NOW), NO_JWT);
    assert_string_equal(verify_n(text, NGX_HTTP_KAIROS_JWT_MAX + 1, NOW),
                        "the token is longer than 8192 bytes");
}


static void
test_claims(void **state)
{
    const char  *h = "{\"alg\":\"HS256\"}";

    (void) state;

    bad(token("{}"), NO_EXP);
    bad(token("{\"exp\":null}"), BAD_EXP);
    bad(token("{\"exp\":\"2000000000\"}"), BAD_EXP);
    bad(token("{\"exp\":-1}"), BAD_EXP);
    bad(token("{\"exp\":true}"), BAD_EXP);
    bad(raw_token(h, "[2000000000]"),
        "the token's claims are no JSON object in base64url");
    bad(raw_token(h, "{\"exp\":2000000000}x"), FORGED);
    good(token("{\"exp\":1950000001}"));
    bad(token("{\"exp\":1950000000}"), EXPIRED);
    bad(token("{\"exp\":0}"), EXPIRED);

    good(token("{\"exp\":2000000000,\"nbf\":1950000000}"));
    bad(token("{\"exp\":2000000000,\"nbf\":1950000001}"),
        "the token is not valid yet");
    bad(token("{\"exp\":2000000000,\"nbf\":\"1\"}"), BAD_NBF);

    policy.leeway = 60;
    good(token("{\"exp\":1949999941}"));
    assert_int_equal(jwt.expires, 1950000001);
    bad(token("{\"exp\":1949999940}"), EXPIRED);
    good(token("{\"exp\":2000000000,\"nbf\":1950000060}"));
    bad(token("{\"exp\":2000000000,\"nbf\":1950000061}"),
        "the token is not valid yet");
}


/* When a token with this exp ends; 0: it has expired; -1: it is refused. */
static time_t
expires(const char *exp)
{
    char         claims[1024];
    const char  *reason;

    snprintf(claims, sizeof(claims), "{\"exp\":%s}", exp);
    reason = verify(raw_token("{\"alg\":\"HS256\"}", claims));

    if (reason == NULL) {
        return jwt.expires;
    }

    if (strcmp(reason, EXPIRED) == 0) {
        return 0;
    }

    /* libjwt reads the claims as well, and refuses what overflows a double */

    if (strcmp(reason, FORGED) != 0) {
        assert_string_equal(reason, BAD_EXP);
    }

    return -1;
}


/* RFC 7519 section 2: a NumericDate may have a fraction, and an exponent */
static void
test_numeric_date(void **state)
{
    char  digits[513];

    (void) state;

    assert_int_equal(expires("2000000000.0"), 2000000000);
    assert_int_equal(expires("2e9"), 2000000000);
    assert_int_equal(expires("2E+9"), 2000000000);
    assert_int_equal(expires("2.000000001e9"), 2000000001);
    assert_int_equal(expires("0.02e11"), 2000000000);
    assert_int_equal(expires("20000000000e-1"), 2000000000);
    assert_int_equal(expires("0.0000000000002e22"), 2000000000);
    assert_int_equal(expires("2000000000000000000000e-12"), 2000000000);
    assert_int_equal(expires("999999999999"), 999999999999);

    /* the first whole second at which the token is void */

    assert_int_equal(expires("2000000000.5"), 2000000001);
    assert_int_equal(expires("2000000000.000"), 2000000000);
    assert_int_equal(expires("2000000000.0000000000000000001"), 2000000001);
    assert_int_equal(expires("20000000001e-1"), 2000000001);
    assert_int_equal(expires("1950000000.5"), 1950000001);
    assert_int_equal(expires("1949999999.5"), 0);

    /* small ones, and zero in all its forms */

    assert_int_equal(expires("0.5"), 0);
    assert_int_equal(expires("0e999999999999999999999"), 0);
    assert_int_equal(expires("0.000e5"), 0);
    assert_int_equal(expires("2e-999999999999999999999"), 0);

    /* too late a time, or before 1970 */

    assert_int_equal(expires("1e12"), -1);
    assert_int_equal(expires("1000000000000"), -1);
    assert_int_equal(expires("999999999999.5"), -1);
    assert_int_equal(expires("1e999999999999999999999"), -1);
    assert_int_equal(expires("1e4294967296"), -1);
    assert_int_equal(expires("1e18446744073709551616"), -1);
    assert_int_equal(expires("-1"), -1);
    assert_int_equal(expires("-0.0"), -1);
    assert_int_equal(expires("-2e9"), -1);

    /* more digits than any integer type has */

    memset(digits, '9', sizeof(digits) - 1);
    digits[sizeof(digits) - 1] = '\0';
    assert_int_equal(expires(digits), -1);

    memset(digits, '0', sizeof(digits) - 1);
    memcpy(digits, "2000000000.", 11);
    assert_int_equal(expires(digits), 2000000000);
}


static void
test_not_before(void **state)
{
    const char  *h = "{\"alg\":\"HS256\"}";

    (void) state;

    good(raw_token(h, "{\"exp\":2e9,\"nbf\":1.95e9}"));
    good(raw_token(h, "{\"exp\":2e9,\"nbf\":1949999999.5}"));
    bad(raw_token(h, "{\"exp\":2e9,\"nbf\":1950000000.5}"),
        "the token is not valid yet");
    bad(raw_token(h, "{\"exp\":2e9,\"nbf\":1e12}"), BAD_NBF);
}


static void
test_rotation(void **state)
{
    (void) state;

    set_key(0, "HS256", "the new secret, which is long enough");
    bad(jwt_hs256, FORGED);

    set_key(1, "HS256", JWT_SECRET);
    good(jwt_hs256);
    good(token("{\"exp\":2000000000}"));
}


static void
test_connection(void **state)
{
    (void) state;

    good(token("{\"exp\":2000000000,\"device\":\"nexus\","
               "\"iss\":\"kairos\"}"));
    assert_true(jwt.connection);
    good(token("{\"exp\":2000000000,\"device\":\"nexus\"}"));
    assert_false(jwt.connection);
    good(token("{\"exp\":2000000000,\"device\":\"nexus\",\"iss\":\"x\"}"));
    assert_false(jwt.connection);
    good(token("{\"exp\":2000000000,\"device\":1,\"iss\":\"kairos\"}"));
    assert_false(jwt.connection);

    /* a secret beside a public key signs connection tokens alone */

    keys[0].own = 1;
    good(token("{\"exp\":2000000000,\"device\":\"nexus\","
               "\"iss\":\"kairos\"}"));
    bad(token("{\"exp\":2000000000}"),
        "the token's algorithm is for connection tokens alone");
}


static void
same(const char *claims, const char *other, ngx_uint_t expected)
{
    ngx_str_t  old;

    old = str(claims);
    good(raw_token("{\"alg\":\"HS256\"}", other));
    assert_int_equal(ngx_http_kairos_jwt_same_subject(&old, &jwt), expected);
}


static void
test_subject(void **state)
{
    (void) state;

    same("{\"sub\":\"u1\"}", "{\"sub\":\"u1\",\"exp\":2000000000}", 1);
    same("{\"sub\":\"u1\"}", "{\"sub\":\"u2\",\"exp\":2000000000}", 0);
    same("{\"sub\":\"u1\"}", "{\"exp\":2000000000}", 0);
    same("{\"sub\":\"u1\"}", "{\"sub\":null,\"exp\":2000000000}", 0);
    same("{}", "{\"sub\":null,\"exp\":2000000000}", 1);
    same("{}", "{\"exp\":2000000000}", 1);
    same("{}", "{\"sub\":\"\",\"exp\":2000000000}", 0);
    same("{\"sub\":7}", "{\"sub\":7,\"exp\":2000000000}", 1);
    same("{\"sub\":7}", "{\"sub\":\"7\",\"exp\":2000000000}", 0);
    same("{\"sub\":\"\\u00e9\\/\"}",
         "{\"sub\":\"\xc3\xa9/\",\"exp\":2000000000}", 1);
    same("{\"sub\":\"\xc3\xa9/\"}",
         "{\"sub\":\"\\u00e9\\/\",\"exp\":2000000000}", 1);
}


static void
user(const char *claims, const char *expected)
{
    ngx_str_t  text, found;

    text = str(claims);
    ngx_http_kairos_jwt_user(&text, &found);

    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.data, expected, found.len);
}


static void
test_user(void **state)
{
    (void) state;

    user("{\"exp\":1,\"sub\":\"u1\"}", "\"u1\"");
    user("{\"sub\":{\"a\":1},\"exp\":1}", "{\"a\":1}");
    user("{\"sub\":null,\"exp\":1}", "{\"sub\":null,\"exp\":1}");
    user("{\"exp\":1}", "{\"exp\":1}");
    user("", "");
}


static void
test_decode(void **state)
{
    u_char       buf[16], *last;
    ngx_str_t    src;

    (void) state;

    src = str("-_8AYg");
    last = ngx_http_kairos_jwt_decode(buf, &src);
    assert_ptr_equal(last, buf + 4);
    assert_memory_equal(buf, "\xfb\xff\0b", 4);

    src = str("");
    assert_ptr_equal(ngx_http_kairos_jwt_decode(buf, &src), buf);

    src = str("a");
    assert_null(ngx_http_kairos_jwt_decode(buf, &src));

    src = str("ab+/");
    assert_null(ngx_http_kairos_jwt_decode(buf, &src));

    src = str("YQ==");
    assert_null(ngx_http_kairos_jwt_decode(buf, &src));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_algorithms),
        cmocka_unit_test_setup(test_hmac, setup),
        cmocka_unit_test_setup(test_public_keys, setup),
        cmocka_unit_test(test_check_key),
        cmocka_unit_test(test_check_two_keys),
        cmocka_unit_test_setup(test_confusion, setup),
        cmocka_unit_test_setup(test_typ, setup),
        cmocka_unit_test_setup(test_access_tokens, setup),
        cmocka_unit_test_setup(test_access_hmac, setup),
        cmocka_unit_test_setup(test_tampered, setup),
        cmocka_unit_test_setup(test_size, setup),
        cmocka_unit_test_setup(test_claims, setup),
        cmocka_unit_test_setup(test_numeric_date, setup),
        cmocka_unit_test_setup(test_not_before, setup),
        cmocka_unit_test_setup(test_rotation, setup),
        cmocka_unit_test_setup(test_connection, setup),
        cmocka_unit_test_setup(test_subject, setup),
        cmocka_unit_test(test_user),
        cmocka_unit_test(test_decode)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
