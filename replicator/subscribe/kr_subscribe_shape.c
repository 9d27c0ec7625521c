/*
 * What columns a query has that is more than its tables: PostgreSQL is asked,
 * after the guard has let it pass.
 */

#include <string.h>

#include "kr_subscribe_private.h"


static void kr_sub_shaped(kr_job_t *job);
static void kr_sub_typed(kr_job_t *job);

static int kr_sub_probes(kr_sub_t *sub, size_t *n);
static void kr_sub_types(kr_sub_t *sub);
static int kr_sub_probed(kr_sub_t *sub);


void
kr_sub_shape(kr_sub_t *sub)
{
    int        rc;
    size_t     i, n;
    kr_job_t  *job;

    rc = kr_sub_probes(sub, &n);

    if (rc != KR_OK) {
        kr_sub_refuse(sub, rc == KR_ERROR ? "no memory"
                           : "the query cannot be rewritten without risk:"
                             " write its expressions in a simpler way");
        return;
    }

    job = &sub->job;

    kr_job_begin(job, KR_JOB_SNAPSHOT, kr_sub_shaped);

    for (i = 0; i < n; i++) {
        kr_job_query(job, sub->probes[i].data);
    }

    job->max_bytes = sub->owner->max_bytes;

    sub->running = 1;
    kr_pool_run(sub->owner->pool, job);
}


static void
kr_sub_shaped(kr_job_t *job)
{
    size_t     unknown;
    kr_sub_t  *sub;

    sub = kr_owner(job, kr_sub_t, job);

    if (kr_sub_probed(sub) != KR_OK) {
        return;
    }

    sub->shape = kr_shape_read(sub->sql, job->results[0],
                               job->nstatements == 2 ? job->results[1]
                                                     : NULL);
    kr_buf_reset(&sub->probes[0]);

    if (sub->shape == NULL
        || kr_shape_unknown(sub->shape, &sub->probes[0], &unknown) != KR_OK)
    {
        kr_sub_refuse(sub, "no memory");

    } else if (unknown != 0) {
        kr_sub_types(sub);

    } else {
        kr_sub_judge(sub);
    }
}


static void
kr_sub_typed(kr_job_t *job)
{
    kr_sub_t  *sub;

    sub = kr_owner(job, kr_sub_t, job);

    if (kr_sub_probed(sub) != KR_OK) {
        return;
    }

    if (kr_shape_types(sub->shape, job->results[0]) != KR_OK) {
        kr_sub_refuse(sub, "no memory");
        return;
    }

    kr_sub_judge(sub);
}


/* *n: how many there are. */
static int
kr_sub_probes(kr_sub_t *sub, size_t *n)
{
    int     rc;
    size_t  items;

    kr_buf_reset(&sub->probes[0]);
    kr_buf_reset(&sub->probes[1]);

    (void) kr_sql_items(sub->sql, &items);
    *n = items == 0 ? 1 : 2;

    rc = kr_sql_probe_result(sub->sql, &sub->probes[0]);

    if (rc == KR_OK && items != 0) {
        rc = kr_sql_probe_items(sub->sql, &sub->probes[1]);
    }

    return rc;
}


static void
kr_sub_types(kr_sub_t *sub)
{
    kr_job_t  *job;

    job = &sub->job;

    kr_job_begin(job, KR_JOB_SNAPSHOT, kr_sub_typed);
    kr_job_query(job, kr_shape_types_sql);
    kr_job_param(job, sub->probes[0].data);
    job->max_bytes = sub->owner->max_bytes;

    sub->running = 1;
    kr_pool_run(sub->owner->pool, job);
}


/* KR_DECLINED: there is no answer, and the request has gone on, or ended. */
static int
kr_sub_probed(kr_sub_t *sub)
{
    sub->running = 0;

    if (sub->job.status == KR_JOB_DONE) {
        return KR_OK;
    }

    if (sub->job.status == KR_JOB_LOST && sub->socket == NULL) {
        kr_sub_wait(sub, KR_RESUME_RETRY);

    } else {
        kr_sub_failed(sub, NULL);
    }

    return KR_DECLINED;
}
