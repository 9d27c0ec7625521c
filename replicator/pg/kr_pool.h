/*
 * A bounded pool of asynchronous connections to PostgreSQL that run jobs
 * (kr_job.h).  Their sessions have TimeZone UTC, DateStyle ISO, IntervalStyle
 * iso_8601, bytea_output hex, extra_float_digits 3,
 * default_transaction_read_only on, a statement_timeout and a lock_timeout.
 *
 * No job may hold a connection that other jobs wait for.  Every job begins in
 * the lane that its owner sets, with short time-outs.  A job that passes them
 * gives its connection back, and begins anew in the slow lane, which has a
 * part of the connections, and the whole KAIROS_STATEMENT_TIMEOUT.  From then
 * on all jobs of an equal job->about begin in the slow lane.  The owner sees
 * job->slow and the results of the last try alone.
 */

#ifndef _KR_POOL_H_INCLUDED_
#define _KR_POOL_H_INCLUDED_


#include <stdint.h>

#include <event2/event.h>

#include "kr_config.h"
#include "kr_job.h"


typedef struct kr_pool_s  kr_pool_t;


/* A new pool.  NULL: no memory.  base and cf must outlive the pool. */
kr_pool_t *kr_pool_create(struct event_base *base, const kr_config_t *cf);

/*
 * Queues the job, which runs when a connection is free and its lane has room.
 * job->done() is called once, from the loop, never within kr_pool_run(),
 * unless the job is cancelled before; done() may free the job or run it
 * again.
 *
 * A job of ASKS that gets no connection within patience_ms is LOST, or FAILED
 * with 55P03 if it waits for a locked table.  If ten thousand jobs of ASKS
 * wait, the next one is LOST.  Jobs of the other lanes wait without a limit;
 * only if no connection can be made they are LOST after eight seconds.
 */
void kr_pool_run(kr_pool_t *pool, kr_job_t *job);

/*
 * Takes back a job before its done() was called: the pool does not call done()
 * any more, and the owner may free the job at once.  A statement that runs
 * already goes on to its end.
 */
void kr_pool_cancel(kr_pool_t *pool, kr_job_t *job);

/* Whether jobs wait and the last attempt to connect failed. */
int kr_pool_down(const kr_pool_t *pool);

/*
 * Whether the job, for whose changes PostgreSQL keeps `behind` bytes of WAL,
 * is in the slow lane and has passed KAIROS_STUCK_WAL or KAIROS_STUCK_TIME.
 */
int kr_pool_stuck(const kr_pool_t *pool, const kr_job_t *job,
    uint64_t behind);

/*
 * Closes all connections and frees the pool.  Drops the remaining jobs, which
 * their owners free, without a call of done().
 */
void kr_pool_free(kr_pool_t *pool);


#endif /* _KR_POOL_H_INCLUDED_ */
