/*
 * The identity of a route: a hash over all that two subscriptions must have
 * in common to share one.
 */

#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>

#include "kr_registry_private.h"


int
kr_topic_hash(char *p, const kr_str_t *parts, size_t n)
{
    size_t          i, len;
    EVP_MD_CTX     *md;
    unsigned        size;
    unsigned char   sum[EVP_MAX_MD_SIZE], prefix[8];

    static const char  hex[] = "0123456789abcdef";

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return KR_ERROR;
    }

    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        for (len = 0; len < 8; len++) {
            prefix[len] = (unsigned char)
                          ((uint64_t) parts[i].len >> (56 - 8 * len));
        }

        if (EVP_DigestUpdate(md, prefix, 8) != 1
            || EVP_DigestUpdate(md, parts[i].data, parts[i].len) != 1)
        {
            goto failed;
        }
    }

    if (EVP_DigestFinal_ex(md, sum, &size) != 1) {
        goto failed;
    }

    EVP_MD_CTX_free(md);

    memcpy(p, "rt:", 3);

    for (i = 0; i < 32; i++) {
        p[3 + 2 * i] = hex[sum[i] >> 4];
        p[4 + 2 * i] = hex[sum[i] & 0xf];
    }

    p[KR_TOPIC_LEN] = '\0';

    return KR_OK;

failed:

    EVP_MD_CTX_free(md);

    return KR_ERROR;
}
