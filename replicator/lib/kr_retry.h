/*
 * The waits between tries: each wait is twice as long as the one before, up to
 * a limit.
 */

#ifndef _KR_RETRY_H_INCLUDED_
#define _KR_RETRY_H_INCLUDED_


#include <stdint.h>


typedef struct {
    unsigned   min_ms;      /* the first wait; not 0 */
    unsigned   max_ms;      /* no wait is longer */
    unsigned   spread:1;    /* each wait is shortened at random by up to a
                               quarter, so that processes that lost the same
                               server do not return to it all at once */
} kr_retry_policy_t;


extern const kr_retry_policy_t  kr_retry_connect;   /* a server is away */
extern const kr_retry_policy_t  kr_retry_lost;      /* a job is run again */
extern const kr_retry_policy_t  kr_retry_unseen;    /* a commit is decoded a
                                                       moment before it is
                                                       visible */


/*
 * Returns the next wait in ms.  *wait_ms is the last wait before its spread,
 * and gets the next one; after a success the owner sets *wait_ms to 0.  The
 * policy may change from one wait to the next: a wait below min_ms is followed
 * by min_ms.
 */
uint64_t kr_retry_next(unsigned *wait_ms, const kr_retry_policy_t *policy);


#endif /* _KR_RETRY_H_INCLUDED_ */
