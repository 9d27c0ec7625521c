#include <event2/util.h>

#include "kr_retry.h"


const kr_retry_policy_t  kr_retry_connect = { 100, 5000, 1 };
const kr_retry_policy_t  kr_retry_lost = { 100, 5000, 0 };
const kr_retry_policy_t  kr_retry_unseen = { 1, 100, 0 };


uint64_t
kr_retry_next(unsigned *wait_ms, const kr_retry_policy_t *policy)
{
    uint64_t       ms;
    unsigned char  r;

    *wait_ms = *wait_ms < policy->min_ms ? policy->min_ms : 2 * *wait_ms;

    if (*wait_ms > policy->max_ms) {
        *wait_ms = policy->max_ms;
    }

    ms = *wait_ms;

    if (policy->spread) {
        evutil_secure_rng_get_bytes(&r, 1);
        ms = ms - ms / 4 + ms / 4 * r / 256;
    }

    return ms;
}
