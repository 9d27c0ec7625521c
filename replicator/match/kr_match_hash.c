/*
 * SipHash-1-3 (Aumasson, Bernstein), its two halves folded.  The hash has a
 * secret key, because clients choose the values.
 */

#include <string.h>

#include "kr_match_private.h"


#define kr_rotate(x, n)  ((x) << (n) | (x) >> (64 - (n)))

#define kr_sip_round(v)                                                       \
    do {                                                                      \
        v[0] += v[1]; v[1] = kr_rotate(v[1], 13) ^ v[0];                      \
        v[0] = kr_rotate(v[0], 32);                                           \
        v[2] += v[3]; v[3] = kr_rotate(v[3], 16) ^ v[2];                      \
        v[0] += v[3]; v[3] = kr_rotate(v[3], 21) ^ v[0];                      \
        v[2] += v[1]; v[1] = kr_rotate(v[1], 17) ^ v[2];                      \
        v[2] = kr_rotate(v[2], 32);                                           \
    } while (0)


unsigned
kr_match_hash(const kr_match_t *m, const char *key, size_t len)
{
    size_t    i;
    uint64_t  v[4], word;

    v[0] = m->seed[0] ^ 0x736f6d6570736575;
    v[1] = m->seed[1] ^ 0x646f72616e646f6d;
    v[2] = m->seed[0] ^ 0x6c7967656e657261;
    v[3] = m->seed[1] ^ 0x7465646279746573;

    for (i = 0; i + 8 <= len; i += 8) {
        memcpy(&word, key + i, 8);
        v[3] ^= word;
        kr_sip_round(v);
        v[0] ^= word;
    }

    word = 0;
    memcpy(&word, key + i, len - i);
    word ^= (uint64_t) len << 56;

    v[3] ^= word;
    kr_sip_round(v);
    v[0] ^= word;

    v[2] ^= 0xff;
    kr_sip_round(v);
    kr_sip_round(v);
    kr_sip_round(v);

    word = v[0] ^ v[1] ^ v[2] ^ v[3];

    return (unsigned) (word ^ word >> 32);
}
