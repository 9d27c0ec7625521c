/*
 * Handlers of the stream: transactions, their changes, and lines that could
 * not be read.
 */

#include "kr_core_private.h"
#include "kr_log.h"


static void kr_core_begin(kr_core_t *core, uint64_t epoch, uint64_t lsn);
static void kr_core_change(kr_core_t *core, const kr_change_t *c);
static void kr_core_passed(kr_core_t *core, uint64_t lsn);
static void kr_core_lost(kr_core_t *core);

static int kr_core_row(kr_core_t *core, const kr_change_t *c);
static void kr_core_unreadable(kr_core_t *core);


const kr_stream_handlers_t  kr_core_stream_handlers = {
    kr_core_begin,
    kr_core_change,
    kr_core_passed,
    kr_core_lost
};


static void
kr_core_begin(kr_core_t *core, uint64_t epoch, uint64_t lsn)
{
    if (core->routes.epoch != 0 && core->routes.epoch != epoch) {
        kr_txns_forget(&core->txns);
    }

    core->dropping = 0;
    core->noted = 0;

    kr_routes_begin(&core->routes, epoch, lsn);
}


static void
kr_core_change(kr_core_t *core, const kr_change_t *c)
{
    int         rc;
    kr_txns_t  *ts;

    rc = KR_OK;
    ts = &core->txns;

    switch (c->action) {

    case KR_BEGIN:
        rc = kr_txn_begin(ts, c->xid, c->nextlsn);
        core->dropping = rc == KR_DECLINED;
        break;

    case KR_COMMIT:
        core->dropping = 0;
        kr_changes_commit(core->changes);
        kr_txn_commit(ts);
        kr_routes_advance(&core->routes, c->nextlsn);

        if (core->noted) {
            core->noted = 0;
            kr_alters_noticed(core->alters);
        }

        break;

    case KR_MESSAGE:
        break;

    case KR_UNREADABLE:
        if (c->table.len == 0) {
            kr_core_unreadable(core);
            break;
        }

        /* fall through */

    default: /* a row, or a table */
        if (!core->dropping) {
            rc = kr_core_row(core, c);
        }

        break;
    }

    if (rc == KR_ERROR) {
        kr_no_memory("a change");
    }
}


static void
kr_core_passed(kr_core_t *core, uint64_t lsn)
{
    kr_txn_passed(&core->txns, lsn);

    if (core->txns.open == NULL) {
        kr_routes_advance(&core->routes, lsn);
    }
}


static void
kr_core_lost(kr_core_t *core)
{
    core->dropping = 0;
    core->noted = 0;
    kr_txn_abort(&core->txns);

    /* the rows that were read are committed, so they are fetched now */
    kr_changes_commit(core->changes);
}


/*
 * Routes a row or a TRUNCATE.  If the B of its transaction could not be read,
 * a transaction is begun here: its commit is after this row and after the last
 * commit, so the larger of both positions stands for it.  Returns KR_OK;
 * KR_ERROR: no memory.
 */
static int
kr_core_row(kr_core_t *core, const kr_change_t *c)
{
    uint64_t    lsn;
    kr_txns_t  *ts;

    ts = &core->txns;

    if (ts->open == NULL) {
        lsn = c->lsn > ts->last ? c->lsn : ts->last + 1;

        if (kr_txn_begin(ts, c->xid, lsn) == KR_ERROR) {
            return KR_ERROR;
        }
    }

    if (kr_alter_is_note(c)) {
        core->noted = 1;
    }

    return kr_changes_route(core->changes, c, ts->open);
}


/*
 * Handles a line that could not be read at all: a row of any table, a B or a
 * C. All routes are reset, so none waits for the rest of the transaction.
 */
static void
kr_core_unreadable(kr_core_t *core)
{
    kr_routes_reset(&core->routes, "a change could not be read: subscribe"
                    " again");
    kr_changes_commit(core->changes);
    kr_txn_abort(&core->txns);
}
