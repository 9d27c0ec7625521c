#include <stdlib.h>

#include "kr_txn.h"


static kr_txn_t *kr_txn_create(kr_txns_t *ts);
static void kr_txn_finish(kr_txns_t *ts, kr_txn_t *txn);
static void kr_txn_done(kr_txns_t *ts, uint64_t lsn);


int
kr_txn_begin(kr_txns_t *ts, uint32_t xid, uint64_t nextlsn)
{
    kr_txn_t  *txn;

    if (ts->open != NULL) {
        /* a commit that we were not shown: never confirm beyond it */
        kr_txn_abort(ts);
    }

    if (nextlsn <= ts->last) {
        return KR_DECLINED;
    }

    txn = kr_txn_create(ts);
    if (txn == NULL) {
        return KR_ERROR;
    }

    ts->recent[ts->begun++ % KR_RECENT_MAX] = xid;

    if (ts->begun - ts->oldest > KR_RECENT_MAX) {
        ts->oldest = ts->begun - KR_RECENT_MAX;
    }

    if (ts->first < ts->oldest) {
        ts->first = ts->oldest;
    }

    txn->xid = xid;
    txn->lsn = nextlsn;

    txn->prev = ts->tail;

    if (ts->tail != NULL) {
        ts->tail->next = txn;

    } else {
        ts->head = txn;
    }

    ts->tail = txn;
    ts->open = txn;

    return KR_OK;
}


void
kr_txn_commit(kr_txns_t *ts)
{
    kr_txn_t  *txn;

    txn = ts->open;

    if (txn == NULL) {
        return;
    }

    ts->open = NULL;
    ts->last = txn->lsn;

    if (txn->upto < txn->lsn) {
        txn->upto = txn->lsn;
    }

    kr_txn_release(txn);
}


void
kr_txn_abort(kr_txns_t *ts)
{
    kr_txn_t  *txn;

    txn = ts->open;

    if (txn == NULL) {
        return;
    }

    ts->open = NULL;
    kr_txn_release(txn);
}


void
kr_txns_forget(kr_txns_t *ts)
{
    kr_txn_t  *txn;

    kr_txn_abort(ts);

    for (txn = ts->head; txn != NULL; txn = txn->next) {
        txn->upto = 0;
    }

    ts->last = 0;
    ts->done = 0;
    ts->oldest = ts->begun;
    ts->first = ts->begun;
}


void
kr_txn_passed(kr_txns_t *ts, uint64_t lsn)
{
    if (ts->open != NULL) {
        return;
    }

    if (ts->tail == NULL) {
        kr_txn_done(ts, lsn);
        return;
    }

    if (ts->tail->upto < lsn) {
        ts->tail->upto = lsn;
    }
}


int
kr_txn_settled(kr_txns_t *ts, const kr_snapshot_t *s, uint64_t since,
    uint64_t before)
{
    uint64_t  i;

    while (ts->first < ts->begun
           && kr_snapshot_sees(s, ts->recent[ts->first % KR_RECENT_MAX]))
    {
        ts->first++;
    }

    if (since < ts->oldest && since < before) {
        return 0;
    }

    for (i = since; i < before; i++) {
        if (!kr_snapshot_sees(s, ts->recent[i % KR_RECENT_MAX])) {
            return 0;
        }
    }

    return 1;
}


kr_txn_t *
kr_txn_barrier(kr_txns_t *ts)
{
    kr_txn_t  *txn;

    txn = kr_txn_create(ts);
    if (txn == NULL) {
        return NULL;
    }

    txn->next = ts->head;

    if (ts->head != NULL) {
        ts->head->prev = txn;

    } else {
        ts->tail = txn;
    }

    ts->head = txn;

    return txn;
}


kr_txn_t *
kr_txn_hold(kr_txn_t *txn)
{
    txn->refs++;

    return txn;
}


void
kr_txn_release(kr_txn_t *txn)
{
    if (--txn->refs == 0) {
        kr_txn_finish(txn->list, txn);
    }
}


void
kr_txns_free(kr_txns_t *ts)
{
    kr_txn_t  *txn;

    while (ts->head != NULL) {
        txn = ts->head;
        ts->head = txn->next;
        free(txn);
    }

    ts->tail = NULL;
    ts->open = NULL;
    ts->n = 0;
}


static kr_txn_t *
kr_txn_create(kr_txns_t *ts)
{
    kr_txn_t  *txn;

    txn = calloc(1, sizeof(kr_txn_t));
    if (txn == NULL) {
        return NULL;
    }

    txn->list = ts;
    txn->refs = 1;
    ts->n++;

    return txn;
}


/* Nobody holds it any more: takes it out and passes on what it confirms. */
static void
kr_txn_finish(kr_txns_t *ts, kr_txn_t *txn)
{
    uint64_t   upto;
    kr_txn_t  *prev;

    upto = txn->upto;
    prev = txn->prev;

    if (prev != NULL) {
        prev->next = txn->next;

    } else {
        ts->head = txn->next;
    }

    if (txn->next != NULL) {
        txn->next->prev = prev;

    } else {
        ts->tail = prev;
    }

    free(txn);
    ts->n--;

    if (prev == NULL) {
        kr_txn_done(ts, upto);

    } else if (prev->upto < upto) {
        prev->upto = upto;
    }
}


static void
kr_txn_done(kr_txns_t *ts, uint64_t lsn)
{
    if (lsn > ts->done && !ts->frozen) {
        ts->done = lsn;
        ts->confirm(ts);
    }
}
