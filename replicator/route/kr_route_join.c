/*
 * The join that loses nothing: a cursor is set before the snapshot is taken
 * and says which events its socket has to be sent when it joins.
 */

#include <string.h>

#include "kr_answer.h"
#include "kr_clock.h"
#include "kr_log.h"
#include "kr_loop.h"
#include "kr_route.h"
#include "kr_route_private.h"


#define KR_JOIN_WAIT      2000       /* ms; for the stream to pass a snapshot:
                                        beyond it rows may come twice */
#define KR_JOIN_LIMIT     20000      /* ms; for the stream to run, and for the
                                        worker to read what it has */
#define KR_JOIN_TICK      10         /* ms */


typedef enum {
    KR_JOIN_READY = 0,
    KR_JOIN_LATER,
    KR_JOIN_NEVER
} kr_join_e;


static void kr_routes_arm(kr_routes_t *rs);
static kr_join_e kr_join_judge(kr_routes_t *rs, const kr_cursor_t *cu,
    uint64_t now, const char **reason);
static void kr_join_admit(kr_routes_t *rs, kr_cursor_t *cu);
static int kr_join_needs(const kr_cursor_t *cu, const kr_entry_t *e);
static int kr_join_lacks(const kr_cursor_t *cu, const kr_row_mark_t *row);
static void kr_join_replay(kr_cursor_t *cu, const kr_entry_t *e, int last);
static kr_cursor_t *kr_join_cursor(kr_routes_t *rs, kr_route_t *rt,
    kr_socket_t *so, uint64_t client, uint64_t now);
static uint64_t kr_join_since(const kr_routes_t *rs, const kr_route_t *rt,
    uint64_t time);
static uint64_t kr_join_lag(const kr_routes_t *rs);
static void kr_route_position(kr_routes_t *rs, kr_route_t *rt,
    kairos_position_t *p);
static int kr_entry_decode(const kr_entry_t *e, kairos_feed_frame_t *f);


kr_cursor_t *
kr_route_expect(kr_routes_t *rs, kr_route_t *rt, kr_socket_t *so)
{
    kr_cursor_t  *cu;

    cu = kr_cursor_find(so, rt);

    if (cu != NULL && cu->left && cu->taken == 0 && !cu->joining) {
        /* it left; what it gets now makes up for what it would miss */
        kr_cursor_free(rs->registry, cu, kr_now());
        cu = NULL;
    }

    if (cu == NULL) {
        if (so->n > KR_WAITING_MAX) {
            return NULL;
        }

        cu = kr_cursor_add(rs->registry, rt, so, rs->backlog.number + 1);
        if (cu == NULL) {
            return NULL;
        }
    }

    cu->taken++;
    rt->join.expecting++;

    return cu;
}


void
kr_route_release_cursor(kr_routes_t *rs, kr_cursor_t *cu)
{
    cu->taken--;
    cu->route->join.expecting--;

    if (cu->taken != 0 || cu->joining) {
        return;
    }

    if (cu->lsn == 0 && !cu->left) {
        kr_cursor_free(rs->registry, cu, kr_now());

    } else {
        kr_cursor_move(rs->registry, cu, 0, kr_now());
    }
}


void
kr_route_join(kr_routes_t *rs, kr_worker_t *wk, const kairos_feed_frame_t *f)
{
    uint64_t      now;
    kr_route_t   *rt;
    kr_cursor_t  *cu;
    kr_socket_t  *so;

    now = kr_now();

    rt = kr_registry_find(rs->registry, (const char *) f->topic.data,
                          f->topic.len);
    if (rt == NULL) {
        kr_refuse(wk, f->req, "unknown or expired route: subscribe again");
        return;
    }

    so = kr_socket_get(wk, f->socket, 1);
    if (so == NULL) {
        kr_refuse(wk, f->req, "no memory");
        return;
    }

    cu = kr_join_cursor(rs, rt, so, f->client, now);

    if (cu == NULL) {
        kr_socket_release(so);
        kr_refuse(wk, f->req, "unknown or expired route: subscribe again");
        return;
    }

    if (cu->joining) {
        kr_refuse(wk, cu->req, "joined again");
    }

    cu->req = f->req;
    cu->deadline_ms = now + KR_JOIN_WAIT;
    kr_cursor_move(rs->registry, cu, 1, now);

    kr_routes_try(rs);
    kr_routes_arm(rs);

    if (rs->registry->joining != NULL && rs->epoch != 0) {
        kr_stream_poke(rs->stream);
    }
}


void
kr_route_leave(kr_routes_t *rs, kr_worker_t *wk, const kairos_feed_frame_t *f)
{
    uint64_t      now;
    kr_route_t   *rt;
    kr_cursor_t  *cu;
    kr_socket_t  *so;

    rt = kr_registry_find(rs->registry, (const char *) f->topic.data,
                          f->topic.len);
    if (rt == NULL) {
        return;
    }

    now = kr_now();
    so = kr_socket_get(wk, f->socket, !f->lost);
    cu = so == NULL ? NULL : kr_cursor_find(so, rt);

    if (cu != NULL && cu->joining) {
        /* it did not wait for the answer */
        kr_join_refuse(rs, cu, "left");
        return;
    }

    if (f->lost) {
        kr_ticket_add(rs->registry, rt, f->client, now);

    } else if (so != NULL && cu == NULL) {

        /*
         * The same socket may join again: what comes is kept for it, and what
         * may have been on its way when its channel was closed.
         */

        if (so->n < KR_WAITING_MAX) {
            cu = kr_cursor_add(rs->registry, rt, so,
                               kr_join_since(rs, rt, now));
        }

        if (cu != NULL) {
            cu->left = 1;
            kr_cursor_move(rs->registry, cu, 0, now);
        }

        kr_socket_release(so);
    }

    if (kr_member_leave(rs->registry, rt, wk, now) != KR_OK) {
        kr_log(KR_LOG_ERR, "worker %u left %s without a member", wk->pid,
               rt->topic);
    }
}


void
kr_route_gone(kr_routes_t *rs, kr_worker_t *wk, uint64_t socket)
{
    kr_socket_t  *so;

    so = kr_socket_get(wk, socket, 0);

    if (so != NULL) {
        kr_socket_gone(rs->registry, so, kr_now());
    }
}


void
kr_routes_tick(evutil_socket_t fd, short what, void *data)
{
    kr_routes_t  *rs;

    (void) fd;
    (void) what;

    rs = data;

    kr_routes_try(rs);
    kr_routes_arm(rs);
}


static void
kr_routes_arm(kr_routes_t *rs)
{
    if (rs->registry->joining != NULL
        && !event_pending(rs->timer, EV_TIMEOUT, NULL))
    {
        kr_loop_timer(rs->timer, KR_JOIN_TICK);
    }
}


/* Answers the joins that need not wait any more. */
void
kr_routes_try(kr_routes_t *rs)
{
    uint64_t      now;
    const char   *reason;
    kr_cursor_t  *cu, *next;

    if (rs->registry->joining == NULL) {
        return;
    }

    now = kr_now();

    DL_FOREACH_SAFE2(rs->registry->joining, cu, next, qnext) {

        switch (kr_join_judge(rs, cu, now, &reason)) {

        case KR_JOIN_READY:
            kr_join_admit(rs, cu);
            break;

        case KR_JOIN_NEVER:
            kr_join_refuse(rs, cu, reason);
            break;

        default: /* KR_JOIN_LATER */
            break;
        }
    }
}


/*
 * A snapshot that was one of the route's runs stands between two events.  Any
 * other waits until the stream has passed it, and the changes that were read
 * before have become events: then visibility tells apart what is in the
 * snapshot, and nothing of it comes again.  That wait is bounded: what comes
 * again is applied again.  A stream that does not run, and a worker that does
 * not read, are waited for longer.
 */
static kr_join_e
kr_join_judge(kr_routes_t *rs, const kr_cursor_t *cu, uint64_t now,
    const char **reason)
{
    if (cu->route->backlog.dropped >= cu->first_entry) {
        *reason = "too much happened since: subscribe again";
        return KR_JOIN_NEVER;
    }

    if (rs->epoch != 0 && cu->lsn != 0 && cu->lsn < rs->start) {
        *reason = "the replication stream began after the rows were read:"
                  " subscribe again";
        return KR_JOIN_NEVER;
    }

    if (now > cu->deadline_ms - KR_JOIN_WAIT + KR_JOIN_LIMIT) {
        *reason = "the replication stream is not running, try again";
        return KR_JOIN_NEVER;
    }

    if (rs->epoch == 0 || cu->taken
        || kr_conn_queued(cu->socket->worker->conn) > KR_QUEUE_HIGH)
    {
        return KR_JOIN_LATER;
    }

    if (now >= cu->deadline_ms
        || cu->route->template->plan->joinable
        || (rs->position >= cu->lsn
            && cu->route->template->oldest_lsn > cu->lsn))
    {
        return KR_JOIN_READY;
    }

    return KR_JOIN_LATER;
}


/*
 * A worker resumes from the position of the last frame that it got, which
 * must not hide that some of what follows JOINED did not come: all but the
 * last have a position without an epoch, which no RESUME is served from.
 */
static void
kr_join_admit(kr_routes_t *rs, kr_cursor_t *cu)
{
    kr_entry_t           *e, *last;
    kr_route_t           *rt;
    kr_worker_t          *wk;
    kairos_feed_frame_t   f;

    rt = cu->route;
    wk = cu->socket->worker;

    if (kr_member_add(rs->registry, rt, wk, 1) != KR_OK) {
        kr_join_refuse(rs, cu, "no memory");
        return;
    }

    last = NULL;

    DL_FOREACH(rt->backlog.entries, e) {
        if (kr_join_needs(cu, e)) {
            last = e;
        }
    }

    memset(&f, 0, sizeof(kairos_feed_frame_t));

    f.type = KAIROS_FEED_JOINED;
    f.req = cu->req;
    kr_slice(&f.topic, rt->topic, KR_TOPIC_LEN);
    kr_slice(&f.spec, rt->spec, strlen(rt->spec));

    if (last == NULL) {
        kr_route_position(rs, rt, &f.position);
    }

    kr_send(wk, &f);

    for (e = rt->backlog.entries; last != NULL; e = e->next) {

        if (kr_join_needs(cu, e)) {
            kr_join_replay(cu, e, e == last);
        }

        if (e == last) {
            break;
        }
    }

    kr_cursor_free(rs->registry, cu, kr_now());
}


/* Whether the event has a row that the socket's snapshot does not have. */
static int
kr_join_needs(const kr_cursor_t *cu, const kr_entry_t *e)
{
    size_t  i;

    if (e->number < cu->first_entry) {
        return 0;
    }

    for (i = 0; i < e->nrows; i++) {
        if (kr_join_lacks(cu, &e->rows[i])) {
            return 1;
        }
    }

    return 0;
}


/*
 * Where no xid can be compared, cu->first_entry alone decides, and rows that
 * the snapshot has may be sent again.
 */
static int
kr_join_lacks(const kr_cursor_t *cu, const kr_row_mark_t *row)
{
    return cu->lsn == 0 || cu->unsure || row->xid == 0
           || !kr_snapshot_sees(&cu->snapshot, row->xid);
}


/* Sends the event's rows that are lacked. */
static void
kr_join_replay(kr_cursor_t *cu, const kr_entry_t *e, int last)
{
    size_t               i, begin;
    kr_buf_t             b;
    const char          *rows;
    kairos_feed_frame_t  f;

    if (kr_entry_decode(e, &f) != KR_OK) {
        kr_log(KR_LOG_ALERT, "an event of %s cannot be decoded",
               cu->route->topic);
        kr_server_close(cu->socket->worker->conn, "an event is missing");
        return;
    }

    memset(&b, 0, sizeof(kr_buf_t));

    kr_buf_str(&b, KR_ROWS_PREFIX);
    rows = (const char *) f.payload.data + b.len;
    begin = 0;

    for (i = 0; i < e->nrows; i++) {

        if (kr_join_lacks(cu, &e->rows[i])) {
            kr_buf_str(&b, b.len == sizeof(KR_ROWS_PREFIX) - 1 ? "" : ",");
            kr_buf_append(&b, rows + begin, e->rows[i].end - begin);
        }

        begin = e->rows[i].end + 1;
    }

    /* what stands behind the last row */

    rows += begin - 1;
    kr_buf_append(&b, rows, (size_t) ((const char *) f.payload.data
                                      + f.payload.len - rows));

    f.type = KAIROS_FEED_EVENT_TO;
    f.socket = cu->socket->id;
    kr_slice(&f.payload, b.data, b.len);

    if (!last) {
        memset(&f.position, 0, sizeof(kairos_position_t));
    }

    if (b.failed) {
        kr_server_close(cu->socket->worker->conn, "no memory");

    } else {
        kr_send(cu->socket->worker, &f);
    }

    kr_buf_free(&b);
}


void
kr_join_refuse(kr_routes_t *rs, kr_cursor_t *cu, const char *reason)
{
    if (cu->joining) {
        kr_refuse(cu->socket->worker, cu->req, reason);
    }

    kr_cursor_free(rs->registry, cu, kr_now());
}


/*
 * The cursor of a socket that subscribed, or left; or one for a socket whose
 * client came back after its connection was lost, which gets all since then.
 * Of a worker that died nobody knows whom it had: whoever comes may be one of
 * them, and is served as the one that misses most.
 */
static kr_cursor_t *
kr_join_cursor(kr_routes_t *rs, kr_route_t *rt, kr_socket_t *so,
    uint64_t client, uint64_t now)
{
    uint64_t      first;
    kr_cursor_t  *cu;

    cu = kr_cursor_find(so, rt);

    if (cu != NULL) {
        return cu;
    }

    first = kr_ticket_first(rs->registry, rt, client, now);

    if (first == 0) {
        return NULL;
    }

    if (rt->join.resumed_ms != 0
        && first < rt->join.resumed_ms + kr_join_lag(rs))
    {
        /* another process may have sent what its dead connection swallowed */
        return NULL;
    }

    cu = kr_cursor_add(rs->registry, rt, so, kr_join_since(rs, rt, first));

    if (cu != NULL) {
        cu->left = 1;
    }

    return cu;
}


/* The first event that may not have reached who was missed at that time. */
static uint64_t
kr_join_since(const kr_routes_t *rs, const kr_route_t *rt, uint64_t time)
{
    uint64_t  lag;

    lag = kr_join_lag(rs);

    return kr_backlog_first_entry(&rs->backlog, rt,
                                  time > lag ? time - lag : 0);
}


/*
 * How long before it was read that a connection is lost nothing may have
 * reached it: nginx noticed it late, and its frame waited while we did not
 * run (stopped, or in a virtual machine that was).
 */
static uint64_t
kr_join_lag(const kr_routes_t *rs)
{
    uint64_t  late;

    late = rs->swept == 0 ? 0 : kr_now() - rs->swept;

    return KR_LOST_LAG + (late < KR_STALL_MIN ? 0 : late) + rs->stall;
}


/*
 * What a new member has when it joins: all before the oldest change that
 * still waits for its refetch.
 */
static void
kr_route_position(kr_routes_t *rs, kr_route_t *rt, kairos_position_t *p)
{
    uint64_t  lsn;

    lsn = rs->position;

    if (rt->template->oldest_lsn <= lsn) {
        lsn = rt->template->oldest_lsn - 1;
    }

    p->epoch = rs->epoch;
    p->lsn = lsn;
    p->n = 0;

    if (rt->last.epoch == rs->epoch && kr_position_cmp(&rt->last, p) > 0) {
        *p = rt->last;
    }
}


static int
kr_entry_decode(const kr_entry_t *e, kairos_feed_frame_t *f)
{
    size_t  used;

    if (kairos_feed_decode(e->block->data, e->block->len, f, &used)
        != KAIROS_FEED_OK)
    {
        return KR_ERROR;
    }

    return KR_OK;
}
