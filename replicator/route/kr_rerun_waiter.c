/*
 * The subscribers that wait for the rows of a route: they come with a run,
 * and get its result, or the reason why there is none.
 */

#include "kr_clock.h"
#include "kr_rerun_private.h"


static void kr_waiter_refuse(kr_waiter_t *wt, const char *reason);


int
kr_rerun_ask(kr_reruns_t *rn, kr_route_t *rt, kr_waiter_t *wt)
{
    kr_rerun_t  *rr;

    rr = kr_rerun_get(rn, rt);
    if (rr == NULL) {
        return KR_ERROR;
    }

    wt->list = NULL;
    wt->since_ms = kr_now();
    kr_waiter_move(wt, &rr->waiting);

    kr_rerun_next(rr);

    return KR_OK;
}


void
kr_rerun_cancel(kr_waiter_t *wt)
{
    kr_waiter_move(wt, NULL);
}


void
kr_waiter_move(kr_waiter_t *wt, kr_waiter_t **to)
{
    if (wt->list != NULL) {
        DL_DELETE(*wt->list, wt);
    }

    wt->list = to;

    if (to != NULL) {
        DL_APPEND(*to, wt);
    }
}


void
kr_waiters_move(kr_waiter_t **from, kr_waiter_t **to)
{
    while (*from != NULL) {
        kr_waiter_move(*from, to);
    }
}


void
kr_waiters_answer(kr_rerun_t *rr)
{
    kr_waiter_t  *wt;

    while (rr->served != NULL) {
        wt = rr->served;
        kr_waiter_move(wt, NULL);

        wt->moment = &rr->job.moment;
        wt->rows = rr->job.results[rr->job.nstatements - 1];
        wt->from = rr->owner->routes->backlog.number + 1;
        wt->reason = NULL;

        wt->done(wt);
    }
}


void
kr_waiters_refuse(kr_waiter_t **list, const char *reason)
{
    while (*list != NULL) {
        kr_waiter_refuse(*list, reason);
    }
}


void
kr_waiters_expire(kr_waiter_t **list, uint64_t before_ms, const char *reason)
{
    while (*list != NULL && (*list)->since_ms < before_ms) {
        kr_waiter_refuse(*list, reason);
    }
}


static void
kr_waiter_refuse(kr_waiter_t *wt, const char *reason)
{
    kr_waiter_move(wt, NULL);

    wt->rows = NULL;
    wt->moment = NULL;
    wt->reason = reason;

    wt->done(wt);
}
