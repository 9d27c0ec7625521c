#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kr_answer.h"
#include "kr_clock.h"
#include "kr_log.h"
#include "kr_route.h"
#include "kr_route_private.h"


static void kr_routes_sweep(kr_routes_t *rs, uint64_t now);
static kr_block_t *kr_route_block(kr_route_t *rt, const kr_event_t *ev);
static void kr_route_remove(kr_routes_t *rs, kr_route_t *rt);
static int kr_resume_gap(kr_routes_t *rs, const kr_route_t *rt,
    const kairos_position_t *p);


int
kr_routes_init(kr_routes_t *rs, struct event_base *base,
    const kr_config_t *cf, kr_registry_t *reg, kr_txns_t *txns)
{
    memset(rs, 0, sizeof(kr_routes_t));

    rs->base = base;
    rs->registry = reg;
    rs->txns = txns;

    rs->backlog.route_max_bytes = cf->backlog_max;
    rs->backlog.total_max_bytes = cf->backlog_total;
    rs->backlog.keep_ms = (uint64_t) cf->route_grace + KR_LOST_LAG;

    rs->timer = event_new(base, -1, 0, kr_routes_tick, rs);

    return rs->timer == NULL ? KR_ERROR : KR_OK;
}


void
kr_routes_free(kr_routes_t *rs)
{
    kr_route_t  *rt, *next;

    HASH_ITER(hh, rs->registry->routes, rt, next) {
        kr_route_remove(rs, rt);
    }

    if (rs->timer != NULL) {
        event_free(rs->timer);
    }
}


/*
 * A new epoch, or a slot that was moved forward, means that changes are
 * missing.  The server may have crashed, and give the xids of transactions
 * that were rolled back, of which it kept no trace, to others: a snapshot
 * from before then takes those for what it has seen.
 */
void
kr_routes_begin(kr_routes_t *rs, uint64_t epoch, uint64_t lsn)
{
    int           gap;
    kr_route_t   *rt, *next;
    kr_cursor_t  *cu;

    gap = rs->epoch != 0 && lsn > rs->position;

    if (rs->epoch != epoch || gap) {
        rs->epoch = epoch;
        rs->start = lsn;
        rs->position = 0;
    }

    HASH_ITER(hh, rs->registry->routes, rt, next) {
        if (gap || (rt->last.epoch != 0 && rt->last.epoch != epoch)) {
            kr_route_reset(rs, rt, "changes were missed: subscribe again");
            continue;
        }

        DL_FOREACH(rt->cursors, cu) {
            cu->unsure = 1;
        }
    }

    kr_routes_advance(rs, lsn);
}


void
kr_routes_advance(kr_routes_t *rs, uint64_t lsn)
{
    if (lsn > rs->position) {
        rs->position = lsn;
    }

    kr_routes_try(rs);
}


void
kr_routes_expire(kr_routes_t *rs)
{
    uint64_t        now;
    kr_route_t     *rt;
    kr_registry_t  *reg;

    now = kr_now();
    reg = rs->registry;

    kr_routes_sweep(rs, now);
    kr_backlog_expire(&rs->backlog, now);

    while (reg->waiting != NULL && reg->waiting->expires_ms <= now) {
        kr_cursor_free(reg, reg->waiting, now);
    }

    while (reg->idle != NULL) {
        rt = reg->idle;

        if (now - rt->idle.since_ms <= reg->grace_ms) {
            break;
        }

        kr_route_remove(rs, rt);
    }
}


int
kr_routes_congested(const kr_routes_t *rs)
{
    int           congested;
    uint64_t      now;
    kr_worker_t  *wk;

    congested = 0;
    now = 0;

    DL_FOREACH(rs->registry->workers, wk) {

        if (kr_conn_queued(wk->conn) <= KR_QUEUE_HIGH) {
            wk->slow_since_ms = 0;
            continue;
        }

        now = now == 0 ? kr_now() : now;

        if (wk->slow_since_ms == 0) {
            wk->slow_since_ms = now;
        }

        congested |= now - wk->slow_since_ms < KR_QUEUE_PATIENCE;
    }

    return congested;
}


void
kr_route_publish(kr_routes_t *rs, kr_route_t *rt, const kr_event_t *ev)
{
    kr_block_t   *b;
    kr_member_t  *mb;

    /* in the order of their sending, and never back, whatever lsn is */

    if (ev->lsn > rt->last.lsn || rt->last.epoch != rs->epoch) {
        rt->last.epoch = rs->epoch;
        rt->last.lsn = ev->lsn;
        rt->last.n = 0;

    } else {
        rt->last.n++;
    }

    b = kr_route_block(rt, ev);

    if (b == NULL) {
        kr_log(KR_LOG_ERR, "could not make an event of %zu bytes",
               ev->rows->len);
        kr_route_reset(rs, rt, "an event could not be made: subscribe again");
        return;
    }

    DL_FOREACH(rt->members, mb) {
        kr_server_send(mb->worker->conn, b,
                       ev->txn == NULL ? NULL : kr_txn_hold(ev->txn));
    }

    kr_backlog_add(&rs->backlog, rt, b, ev->marks, ev->nrows, kr_now());

    kr_block_release(b);
}


void
kr_route_resume(kr_routes_t *rs, kr_route_t *rt, kr_worker_t *wk,
    uint32_t members, const kairos_position_t *p)
{
    kr_entry_t  *e;

    if (!rt->template->plan->resumable) {
        kr_send_reset(wk, rt->topic, KR_TOPIC_LEN,
                      "the query must be run anew: subscribe again");
        return;
    }

    kr_held_lose(&rs->held, rt);

    if (kr_resume_gap(rs, rt, p)) {
        kr_send_reset(wk, rt->topic, KR_TOPIC_LEN,
                      "changes were missed: subscribe again");
        return;
    }

    if (kr_member_add(rs->registry, rt, wk, members) != KR_OK) {
        kr_send_reset(wk, rt->topic, KR_TOPIC_LEN, "no memory");
        return;
    }

    rt->join.resumed_ms = kr_now();

    if (rt->last.epoch == 0
        || (rt->last.epoch == p->epoch && kr_position_cmp(&rt->last, p) < 0))
    {
        rt->last = *p;
    }

    DL_FOREACH(rt->backlog.entries, e) {
        if (kr_position_cmp(&e->position, p) > 0) {
            kr_server_send(wk->conn, e->block, NULL);
        }
    }
}


void
kr_route_reset(kr_routes_t *rs, kr_route_t *rt, const char *reason)
{
    kr_cursor_t  *cu, *next;
    kr_member_t  *mb;

    kr_log(KR_LOG_NOTICE, "route %s was reset: %s", rt->topic, reason);

    DL_FOREACH(rt->members, mb) {
        kr_send_reset(mb->worker, rt->topic, KR_TOPIC_LEN, reason);
    }

    DL_FOREACH_SAFE(rt->cursors, cu, next) {
        if (cu->joining) {
            kr_join_refuse(rs, cu, reason);
        }
    }

    kr_route_remove(rs, rt);
}


void
kr_routes_reset(kr_routes_t *rs, const char *reason)
{
    kr_route_t  *rt, *next;

    HASH_ITER(hh, rs->registry->routes, rt, next) {
        kr_route_reset(rs, rt, reason);
    }
}


/*
 * Its members may come back through another worker: what was in its queue
 * did not reach them, nor perhaps what it had read.
 */
void
kr_routes_worker_gone(kr_routes_t *rs, kr_worker_t *wk)
{
    uint64_t      now;
    kr_member_t  *mb;

    now = kr_now();

    DL_FOREACH2(wk->members, mb, wnext) {
        kr_ticket_add(rs->registry, mb->route, 0, now);
    }

    kr_worker_remove(rs->registry, wk, now);
    kr_worker_unhold(wk);
}


/* Of the stalls in the time of grace the longest counts. */
static void
kr_routes_sweep(kr_routes_t *rs, uint64_t now)
{
    uint64_t  pause;

    pause = rs->swept == 0 ? 0 : now - rs->swept;

    if (rs->stalled != 0 && now - rs->stalled > rs->registry->grace_ms) {
        rs->stalled = 0;
        rs->stall = 0;
    }

    if (pause >= KR_STALL_MIN && pause > rs->stall) {
        rs->stall = pause;
        rs->stalled = now;
    }

    rs->swept = now;
}


static kr_block_t *
kr_route_block(kr_route_t *rt, const kr_event_t *ev)
{
    char                  lsn[KR_LSN_LEN + 1];
    kr_buf_t              b;
    kr_block_t           *block;
    struct timespec       ts;
    kairos_feed_frame_t   f;

    memset(&b, 0, sizeof(kr_buf_t));
    memset(&f, 0, sizeof(kairos_feed_frame_t));

    clock_gettime(CLOCK_REALTIME, &ts);
    kr_lsn_format(lsn, rt->last.lsn);

    kr_buf_str(&b, KR_ROWS_PREFIX);
    kr_buf_append(&b, ev->rows->data, ev->rows->len);
    kr_buf_printf(&b, "],\"sent_at\":%llu,\"position\":\"%llx/%s/%u\"}",
                  (unsigned long long) ts.tv_sec * 1000
                  + (unsigned long long) ts.tv_nsec / 1000000,
                  (unsigned long long) rt->last.epoch, lsn, rt->last.n);

    if (b.failed) {
        kr_buf_free(&b);
        return NULL;
    }

    f.type = KAIROS_FEED_EVENT;
    f.position = rt->last;
    kr_slice(&f.topic, rt->topic, KR_TOPIC_LEN);
    kr_slice(&f.event, rt->event, strlen(rt->event));
    kr_slice(&f.payload, b.data, b.len);

    block = kr_block_frame(&f);
    kr_buf_free(&b);

    return block;
}


static void
kr_route_remove(kr_routes_t *rs, kr_route_t *rt)
{
    kr_backlog_clear(&rs->backlog, rt);
    kr_held_clear(&rs->held, rt);
    kr_registry_remove(rs->registry, rt);
}


/*
 * Before the stream began nothing of it was sent: what the worker has is
 * compared then.  Later the route must have been there, and its backlog
 * whole, since the position.
 */
static int
kr_resume_gap(kr_routes_t *rs, const kr_route_t *rt,
    const kairos_position_t *p)
{
    if (p->epoch == 0) {
        /* it was lost between a JOINED and the last of what follows it */
        return 1;
    }

    if (rs->epoch == 0) {
        return rt->last.epoch != 0 && rt->last.epoch != p->epoch;
    }

    if (p->epoch != rs->epoch || p->lsn < rt->join.created_lsn) {
        return 1;
    }

    return rt->backlog.dropped != 0
           && kr_position_cmp(&rt->backlog.dropped_position, p) > 0;
}
