/*
 * How long to wait between tries: each wait is twice as long as the one
 * before, up to a limit.
 */

#ifndef _KR_RETRY_H_INCLUDED_
#define _KR_RETRY_H_INCLUDED_


#include <stdint.h>


typedef struct {
    unsigned   min_ms;      /* the first wait; not 0 */
    unsigned   max_ms;      /* no wait is longer */
    unsigned   spread:1;    /* up to a quarter of each wait is left out at
                               random, so that processes that lost the same
                               server do not return to it all at once */
} kr_retry_policy_t;


extern const kr_retry_policy_t  kr_retry_connect;   /* a server is away */
extern const kr_retry_policy_t  kr_retry_lost;      /* a job is to be run
                                                       again */
extern const kr_retry_policy_t  kr_retry_unseen;    /* a commit is decoded a
                                                       moment before it is
                                                       visible */


/*
 * The next wait in ms.  *wait_ms is the last one, before it was spread, and
 * becomes this one; the owner sets it to 0 when it was served.  Policies can
 * change from one wait to the next: a wait below min_ms is followed by min_ms.
 */
uint64_t kr_retry_next(unsigned *wait_ms, const kr_retry_policy_t *policy);


#endif /* _KR_RETRY_H_INCLUDED_ */
