/*
 * The driver, kr_planner_next() and what calls it, takes a planning from step
 * to step, and is the one place where a planning ends.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_owner.h"
#include "kr_planner.h"


struct kr_planner_s {
    kr_pool_t     *pool;
    kr_catalog_t  *catalog;
    size_t         max_bytes;       /* of a job's results */
};


/*
 * A step is a job.  build adds its statements to a job that has none; if the
 * plan does not need the job, build adds none, and the next step follows at
 * once.  answer reads the results.  Each returns KR_OK; KR_DECLINED with a
 * reason; KR_ERROR.  subject appends the subject of PostgreSQL's error, if the
 * job fails; NULL: the query.
 */
struct kr_plan_step_s {
    int    (*build)(kr_planning_t *pn, kr_job_t *job, kr_buf_t *reason);
    int    (*answer)(kr_planning_t *pn, const kr_job_t *job,
                     kr_buf_t *reason);
    void   (*subject)(const kr_planning_t *pn, kr_buf_t *b);
};


static int kr_plan_describe(kr_planning_t *pn, kr_job_t *job,
    kr_buf_t *reason);
static int kr_plan_described(kr_planning_t *pn, const kr_job_t *job,
    kr_buf_t *reason);
static int kr_plan_name_types(kr_planning_t *pn, kr_job_t *job,
    kr_buf_t *reason);
static int kr_plan_types_named(kr_planning_t *pn, const kr_job_t *job,
    kr_buf_t *reason);
static int kr_plan_cast_values(kr_planning_t *pn, kr_job_t *job,
    kr_buf_t *reason);
static int kr_plan_values_cast(kr_planning_t *pn, const kr_job_t *job,
    kr_buf_t *reason);
static void kr_plan_value_subject(const kr_planning_t *pn, kr_buf_t *b);


/* after the look-up; the last has no functions */
static const kr_plan_step_t  kr_plan_steps[] = {

    { kr_plan_describe, kr_plan_described, NULL },

    { kr_plan_name_types, kr_plan_types_named, NULL },

    { kr_plan_cast_values, kr_plan_values_cast, kr_plan_value_subject },

    { NULL, NULL, NULL }
};


static void kr_planner_looked(kr_lookup_t *lk);
static void kr_planner_answered(kr_job_t *job);
static void kr_planner_failed(kr_planning_t *pn, kr_buf_t *reason);
static void kr_planner_next(kr_planning_t *pn);
static void kr_planner_end(kr_planning_t *pn, int rc, const kr_buf_t *reason);
static void kr_planner_release(kr_planning_t *pn);


kr_planner_t *
kr_planner_create(struct event_base *base, const kr_config_t *cf,
    kr_pool_t *pool)
{
    kr_planner_t  *pr;

    pr = calloc(1, sizeof(kr_planner_t));
    if (pr == NULL) {
        return NULL;
    }

    pr->pool = pool;
    pr->max_bytes = cf->snapshot_max;
    pr->catalog = kr_catalog_create(base, pool);

    if (pr->catalog == NULL) {
        free(pr);
        return NULL;
    }

    return pr;
}


void
kr_planner_free(kr_planner_t *pr)
{
    kr_catalog_free(pr->catalog);
    free(pr);
}


int
kr_planner_start(kr_planner_t *pr, kr_planning_t *pn)
{
    kr_plan_reset(pn->plan);

    pn->planner = pr;
    pn->running = 0;
    pn->lookup.done = kr_planner_looked;
    pn->lookup.asker = pn->asker;

    pn->job.lane = KR_LANE_ASKS;
    pn->job.asker = pn->asker;
    pn->job.patience_ms = pn->patience_ms;
    pn->job.max_bytes = pr->max_bytes;

    if (kr_catalog_look(pr->catalog, &pn->lookup, pn->plan->sql, pn->recent)
        != KR_OK)
    {
        return KR_ERROR;
    }

    pn->step = kr_plan_steps;

    return KR_OK;
}


void
kr_planner_cancel(kr_planning_t *pn)
{
    if (pn->step == NULL) {
        return;
    }

    if (pn->running) {
        kr_pool_cancel(pn->planner->pool, &pn->job);

    } else {
        kr_catalog_cancel(&pn->lookup);
    }

    kr_planner_release(pn);
}


static void
kr_planner_looked(kr_lookup_t *lk)
{
    int             rc;
    kr_buf_t        reason;
    kr_planning_t  *pn;

    pn = kr_owner(lk, kr_planning_t, lookup);
    pn->plan->facts = lk->facts;

    memset(&reason, 0, sizeof(kr_buf_t));

    if (lk->facts == NULL) {
        rc = lk->lost ? KR_AGAIN : KR_DECLINED;
        kr_buf_str(&reason, lk->message == NULL ? "the catalog did not answer"
                                                : lk->message);
    } else {
        rc = kr_judge_guard(lk->facts, pn->plan->sql, &reason);

        if (rc == KR_OK) {
            rc = kr_plan_qualify(pn->plan, &reason);
        }
    }

    if (rc == KR_OK) {
        kr_planner_next(pn);

    } else {
        kr_planner_end(pn, rc, &reason);
    }

    kr_buf_free(&reason);
}


static void
kr_planner_answered(kr_job_t *job)
{
    int             rc;
    kr_buf_t        reason;
    kr_planning_t  *pn;

    pn = kr_owner(job, kr_planning_t, job);
    pn->running = 0;

    memset(&reason, 0, sizeof(kr_buf_t));

    if (job->status == KR_JOB_DONE) {
        rc = pn->step->answer(pn, job, &reason);

    } else {
        rc = job->status == KR_JOB_LOST ? KR_AGAIN : KR_DECLINED;
        kr_planner_failed(pn, &reason);
    }

    if (rc == KR_OK) {
        pn->step++;
        kr_planner_next(pn);

    } else {
        kr_planner_end(pn, rc, &reason);
    }

    kr_buf_free(&reason);
}


/* The reason of a step whose job is not DONE. */
static void
kr_planner_failed(kr_planning_t *pn, kr_buf_t *reason)
{
    kr_buf_t  subject, text;

    memset(&subject, 0, sizeof(kr_buf_t));
    memset(&text, 0, sizeof(kr_buf_t));

    if (pn->step->subject != NULL) {
        pn->step->subject(pn, &subject);
    }

    kr_buf_str(reason, kr_job_reason(&pn->job, subject.data, &text));

    kr_buf_free(&subject);
    kr_buf_free(&text);
}


/* From the step on: to the first that has a job, or to the end. */
static void
kr_planner_next(kr_planning_t *pn)
{
    int        rc;
    kr_buf_t   reason;
    kr_job_t  *job;

    memset(&reason, 0, sizeof(kr_buf_t));

    rc = KR_OK;
    job = &pn->job;
    kr_job_begin(job, KR_JOB_SNAPSHOT, kr_planner_answered);

    while (rc == KR_OK && pn->step->build != NULL) {
        kr_buf_reset(&pn->texts[0]);
        kr_buf_reset(&pn->texts[1]);

        rc = pn->step->build(pn, job, &reason);

        if (rc == KR_OK && job->nstatements != 0) {
            pn->running = 1;
            kr_pool_run(pn->planner->pool, job);
            return;
        }

        pn->step++;
    }

    kr_planner_end(pn, rc, &reason);
    kr_buf_free(&reason);
}


/* Calls done(), after which pn may not be there any more. */
static void
kr_planner_end(kr_planning_t *pn, int rc, const kr_buf_t *reason)
{
    const char  *text;

    kr_planner_release(pn);

    text = rc == KR_ERROR || reason->failed || reason->len == 0
           ? "no memory" : reason->data;

    pn->done(pn, rc, text);
}


static void
kr_planner_release(kr_planning_t *pn)
{
    pn->step = NULL;
    kr_buf_free(&pn->texts[0]);
    kr_buf_free(&pn->texts[1]);
}


/* The columns of the result, and of the items if there are any. */
static int
kr_plan_describe(kr_planning_t *pn, kr_job_t *job, kr_buf_t *reason)
{
    int             rc;
    size_t          items;
    const kr_sql_t  *sql;

    sql = pn->plan->sql;

    if (!kr_judge_needs_shape(sql)) {
        return KR_OK;
    }

    (void) kr_sql_items(sql, &items);

    rc = kr_sql_probe_result(sql, &pn->texts[0]);

    if (rc == KR_OK && items != 0) {
        rc = kr_sql_probe_items(sql, &pn->texts[1]);
    }

    if (rc == KR_DECLINED) {
        kr_buf_str(reason, "the query cannot be rewritten without risk: write "
                   "its expressions in a simpler way");
    }

    if (rc != KR_OK) {
        return rc;
    }

    kr_job_query(job, pn->texts[0].data);

    if (items != 0) {
        kr_job_query(job, pn->texts[1].data);
    }

    return KR_OK;
}


static int
kr_plan_described(kr_planning_t *pn, const kr_job_t *job, kr_buf_t *reason)
{
    (void) reason;

    pn->plan->shape = kr_shape_read(pn->plan->sql, job->results[0],
                                    job->nstatements == 2 ? job->results[1]
                                                          : NULL);

    return pn->plan->shape == NULL ? KR_ERROR : KR_OK;
}


/* Those that cannot be compared have no name here yet. */
static int
kr_plan_name_types(kr_planning_t *pn, kr_job_t *job, kr_buf_t *reason)
{
    size_t  unknown;

    (void) reason;

    if (pn->plan->shape == NULL) {
        return KR_OK;
    }

    if (kr_shape_unknown(pn->plan->shape, &pn->texts[0], &unknown) != KR_OK) {
        return KR_ERROR;
    }

    if (unknown != 0) {
        kr_job_query(job, kr_shape_types_sql);
        kr_job_param(job, pn->texts[0].data);
    }

    return KR_OK;
}


static int
kr_plan_types_named(kr_planning_t *pn, const kr_job_t *job, kr_buf_t *reason)
{
    (void) reason;

    return kr_shape_types(pn->plan->shape, job->results[0]);
}


/* All is known by which the query is judged. */
static int
kr_plan_cast_values(kr_planning_t *pn, kr_job_t *job, kr_buf_t *reason)
{
    int         rc;
    kr_plan_t  *pl;

    pl = pn->plan;

    rc = kr_judge(pl->facts, pl->shape, pl->sql, &pl->spec, &pl->target,
                  reason);
    if (rc != KR_OK) {
        return rc;
    }

    if (pl->of_route || pl->spec.all) {
        return kr_plan_make(pl, pl->spec.values, pl->spec.nvalues, reason);
    }

    kr_plan_cast(pl, &pn->texts[0], &pn->texts[1]);

    if (pn->texts[0].failed || pn->texts[1].failed) {
        return KR_ERROR;
    }

    kr_job_query(job, pn->texts[0].data);
    kr_job_param(job, pn->texts[1].data);

    return KR_OK;
}


static int
kr_plan_values_cast(kr_planning_t *pn, const kr_job_t *job, kr_buf_t *reason)
{
    int              rc, row, n;
    kr_str_t        *values;
    const PGresult  *res;

    res = job->results[0];
    n = PQntuples(res);

    values = malloc((size_t) (n + 1) * sizeof(kr_str_t));
    if (values == NULL) {
        return KR_ERROR;
    }

    for (row = 0; row < n; row++) {
        values[row].data = PQgetvalue(res, row, 0);
        values[row].len = (size_t) PQgetlength(res, row, 0);
    }

    rc = kr_plan_make(pn->plan, values, (size_t) n, reason);
    free(values);

    return rc;
}


static void
kr_plan_value_subject(const kr_planning_t *pn, kr_buf_t *b)
{
    kr_buf_printf(b, "field_value for \"%s\" of type %s",
                  kr_op_name(pn->plan->spec.op),
                  pn->plan->target.field->type_name.data);
}
