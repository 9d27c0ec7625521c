/*
 * Signatures of RFC 7515, verified with OpenSSL: HMAC, RSA (PKCS #1 v1.5) and
 * ECDSA.  For tokens that libjwt 1 refuses because of their typ.  Bytes in, a
 * verdict out.
 */

#ifndef _NGX_HTTP_KAIROS_SIGNATURE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_SIGNATURE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Returns 1 if the signature, in bytes, is that of the text, else 0.
 *
 * type is EVP_PKEY_RSA or EVP_PKEY_EC, and key a public key in PEM; or type
 * is 0, and key the secret of an HMAC.  sha is the size of the hash: 256, 384
 * or 512 bits.  May leave errors in OpenSSL's queue.
 */
ngx_uint_t ngx_http_kairos_signature(int type, ngx_uint_t sha,
    const ngx_str_t *key, const ngx_str_t *text, const ngx_str_t *signature);


#endif /* _NGX_HTTP_KAIROS_SIGNATURE_H_INCLUDED_ */
