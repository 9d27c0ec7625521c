/*
 * Refetches that hang, behind a lock or with a slow query: they delay their
 * own routes, and these are ended before others have to wait for them.
 */

#include "kr_fetch_private.h"


static void kr_stuck_end(kr_pending_t *pe);
static size_t kr_stuck_load(const kr_pending_t *pe);


void
kr_fetch_sweep(kr_changes_t *cs)
{
    uint64_t       last, oldest;
    kr_fetch_t    *fe;
    kr_pending_t  *pe, *next;

    fe = cs->fetch;
    last = fe->routes->txns->last;

    DL_FOREACH_SAFE(fe->pending, pe, next) {

        if (!pe->running) {
            continue;
        }

        oldest = pe->template->oldest_lsn;

        if (kr_pool_stuck(fe->pool, &pe->job,
                          last > oldest ? last - oldest : 0))
        {
            kr_stuck_end(pe);
        }
    }
}


/*
 * The stream is read on when less than a half is left, so those that hang may
 * not have more than a quarter.  The one that has most goes first.
 */
void
kr_fetch_shed(kr_changes_t *cs)
{
    size_t         n, sum, most;
    kr_pending_t  *pe, *worst;

    while (cs->paused) {
        sum = 0;
        most = 0;
        worst = NULL;

        DL_FOREACH(cs->fetch->pending, pe) {

            if (!pe->running || !pe->job.slow) {
                continue;
            }

            n = kr_stuck_load(pe);
            sum += n;

            if (n > most) {
                most = n;
                worst = pe;
            }
        }

        if (sum <= KR_CHANGES_LOAD_MAX / 4) {
            break;
        }

        kr_stuck_end(worst);
    }
}


static void
kr_stuck_end(kr_pending_t *pe)
{
    pe->busy = 1;
    kr_fetch_end(pe, kr_job_stuck(&pe->job));
    pe->busy = 0;

    kr_pending_free(pe);
}


static size_t
kr_stuck_load(const kr_pending_t *pe)
{
    size_t      i, n;
    kr_item_t  *it;

    n = 0;

    for (i = pe->pos; i < pe->n; i++) {
        n += kr_item_load(pe->items[i]);
    }

    for (it = pe->gathering; it != NULL; it = it->hh.next) {
        n += kr_item_load(it);
    }

    return n;
}
