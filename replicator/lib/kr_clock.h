/*
 * The clock of all deadlines and durations.
 */

#ifndef _KR_CLOCK_H_INCLUDED_
#define _KR_CLOCK_H_INCLUDED_


#include <stdint.h>


/*
 * Milliseconds of the monotonic clock (CLOCK_MONOTONIC), which no change of
 * the system's time moves.  Never 0: a member that is 0 is unset.
 */
uint64_t kr_now(void);


#endif /* _KR_CLOCK_H_INCLUDED_ */
