/*
 * The stubs of test_rerun.c around kr_rerun.c: a pool that keeps its jobs,
 * routes that record the calls, a clock that stands still.
 */

#ifndef _RERUN_STUBS_H_INCLUDED_
#define _RERUN_STUBS_H_INCLUDED_


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_changes_private.h"
#include "kr_log.h"
#include "kr_rerun.h"


static uint64_t      clock_ms;
static kr_job_t     *jobs[4];    /* the pool's */
static unsigned      njobs;
static unsigned      cancelled;
static unsigned      renewed;
static uint64_t      stuck;      /* bytes that may be kept */
static kr_buf_t      told;       /* what was published, and resets */


uint64_t
kr_now(void)
{
    return clock_ms;
}


void
kr_log(kr_log_level_e level, const char *fmt, ...)
{
    (void) level;
    (void) fmt;
}


void
kr_no_memory(const char *what)
{
    (void) what;

    abort();
}


void
kr_pool_run(kr_pool_t *pool, kr_job_t *job)
{
    (void) pool;

    assert_true(njobs < 4);
    jobs[njobs++] = job;
}


void
kr_pool_cancel(kr_pool_t *pool, kr_job_t *job)
{
    (void) pool;
    (void) job;

    cancelled++;
    njobs--;
}


int
kr_route_tables_names(kr_buf_t *out, const kr_route_table_t *w, size_t n)
{
    (void) w;
    (void) n;

    kr_buf_str(out, "{}");

    return KR_OK;
}


int
kr_pool_stuck(const kr_pool_t *pool, const kr_job_t *job, uint64_t behind)
{
    (void) pool;

    return job->slow && behind > stuck;
}


void
kr_stream_renew(kr_stream_t *st, const char *reason)
{
    (void) st;
    (void) reason;

    renewed++;
}


int
kr_routes_congested(const kr_routes_t *rs)
{
    (void) rs;

    return 0;
}


void
kr_route_publish(kr_routes_t *rs, kr_route_t *rt, const kr_event_t *ev)
{
    (void) rt;

    rs->backlog.number++;
    kr_buf_append(&told, ev->rows->data, ev->rows->len);
    kr_buf_str(&told, "\n");
}


void
kr_route_reset(kr_routes_t *rs, kr_route_t *rt, const char *reason)
{
    kr_buf_printf(&told, "reset: %s\n", reason);

    rt->removed = 1;
    rs->registry->ended(rt->rerun);
    rt->rerun = NULL;
}


static void
confirm(kr_txns_t *ts)
{
    (void) ts;
}


#endif /* _RERUN_STUBS_H_INCLUDED_ */
