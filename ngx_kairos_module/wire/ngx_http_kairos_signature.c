#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "ngx_http_kairos_signature.h"


/* bytes of an ECDSA signature in DER: two numbers of 521 bits, and headers */
#define NGX_HTTP_KAIROS_SIGNATURE_DER  160


static ngx_uint_t ngx_http_kairos_signature_hmac(const EVP_MD *md,
    const ngx_str_t *key, const ngx_str_t *text, const ngx_str_t *signature);
static EVP_PKEY *ngx_http_kairos_signature_key(int type,
    const ngx_str_t *pem);
static ngx_uint_t ngx_http_kairos_signature_public(const EVP_MD *md,
    EVP_PKEY *key, const ngx_str_t *text, const ngx_str_t *signature);
static ngx_int_t ngx_http_kairos_signature_der(EVP_PKEY *key,
    const ngx_str_t *signature, u_char *buf, ngx_str_t *der);


ngx_uint_t
ngx_http_kairos_signature(int type, ngx_uint_t sha, const ngx_str_t *key,
    const ngx_str_t *text, const ngx_str_t *signature)
{
    u_char         buf[NGX_HTTP_KAIROS_SIGNATURE_DER];
    EVP_PKEY      *public;
    ngx_str_t      der;
    ngx_uint_t     good;
    const EVP_MD  *md;

    md = (sha == 256) ? EVP_sha256()
         : (sha == 384) ? EVP_sha384() : EVP_sha512();

    if (type == 0) {
        return ngx_http_kairos_signature_hmac(md, key, text, signature);
    }

    public = ngx_http_kairos_signature_key(type, key);
    if (public == NULL) {
        return 0;
    }

    der = *signature;
    good = 1;

    if (type == EVP_PKEY_EC
        && ngx_http_kairos_signature_der(public, signature, buf, &der)
           != NGX_OK)
    {
        good = 0;
    }

    if (good) {
        good = ngx_http_kairos_signature_public(md, public, text, &der);
    }

    EVP_PKEY_free(public);

    return good;
}


static ngx_uint_t
ngx_http_kairos_signature_hmac(const EVP_MD *md, const ngx_str_t *key,
    const ngx_str_t *text, const ngx_str_t *signature)
{
    u_char        mac[EVP_MAX_MD_SIZE];
    unsigned int  len;

    if (HMAC(md, key->data, (int) key->len, text->data, text->len, mac, &len)
        == NULL)
    {
        return 0;
    }

    return signature->len == len
           && CRYPTO_memcmp(signature->data, mac, len) == 0;
}


/*
 * Reads a public key of this type in PEM; the caller calls EVP_PKEY_free().
 * NULL: the text is no such key, or no memory.
 */
static EVP_PKEY *
ngx_http_kairos_signature_key(int type, const ngx_str_t *pem)
{
    BIO       *bio;
    EVP_PKEY  *key;

    bio = BIO_new_mem_buf(pem->data, (int) pem->len);
    if (bio == NULL) {
        return NULL;
    }

    key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);

    if (key != NULL && EVP_PKEY_base_id(key) != type) {
        EVP_PKEY_free(key);
        return NULL;
    }

    return key;
}


/*
 * Whether the signature, in OpenSSL's form, is the text's.
 */
static ngx_uint_t
ngx_http_kairos_signature_public(const EVP_MD *md, EVP_PKEY *key,
    const ngx_str_t *text, const ngx_str_t *signature)
{
    EVP_MD_CTX  *ctx;
    ngx_uint_t   good;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return 0;
    }

    good = EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1
           && EVP_DigestVerify(ctx, signature->data, signature->len,
                               text->data, text->len)
              == 1;

    EVP_MD_CTX_free(ctx);

    return good;
}


/*
 * RFC 7518 section 3.4: a signature is two numbers side by side, each as wide
 * as the curve.  Writes both numbers to buf in OpenSSL's form, DER.
 * NGX_DECLINED: the signature has another size; NGX_ERROR: no memory.
 */
static ngx_int_t
ngx_http_kairos_signature_der(EVP_PKEY *key, const ngx_str_t *signature,
    u_char *buf, ngx_str_t *der)
{
    int         width, len;
    BIGNUM     *r, *s;
    ECDSA_SIG  *sig;

    width = (EVP_PKEY_bits(key) + 7) / 8;

    if (signature->len != 2 * (size_t) width) {
        return NGX_DECLINED;
    }

    sig = ECDSA_SIG_new();
    r = BN_bin2bn(signature->data, width, NULL);
    s = BN_bin2bn(signature->data + width, width, NULL);

    if (sig == NULL || r == NULL || s == NULL
        || ECDSA_SIG_set0(sig, r, s) != 1)
    {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return NGX_ERROR;
    }

    /* r and s are freed with sig from here on */

    len = i2d_ECDSA_SIG(sig, NULL);

    if (len <= 0 || len > NGX_HTTP_KAIROS_SIGNATURE_DER) {
        ECDSA_SIG_free(sig);
        return NGX_DECLINED;
    }

    der->data = buf;
    der->len = (size_t) i2d_ECDSA_SIG(sig, &buf);

    ECDSA_SIG_free(sig);

    return NGX_OK;
}
