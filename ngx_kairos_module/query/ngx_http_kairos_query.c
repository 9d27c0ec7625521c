/*
 * Queries, the worker's half: passes the clients' requests to the replicator
 * and the answers back.  A subscribe is forgotten when no client waits for it
 * any more.  A join is kept until it is answered, because a JOINED that no
 * client waits for must be answered with a LEAVE.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_query.h"
#include "ngx_http_kairos_request.h"
#include "ngx_http_kairos_route.h"


/* unanswered requests of all sockets; one more is refused */
#define NGX_HTTP_KAIROS_QUERY_PER_FEED    65536

/* milliseconds until a request is refused; and between two looks, at least */
#define NGX_HTTP_KAIROS_QUERY_TIMEOUT     60000
#define NGX_HTTP_KAIROS_QUERY_TIMER       1000

/* of a client's refs and topic together, which are kept with a request */
#define NGX_HTTP_KAIROS_QUERY_MAX_NAMES   4096


struct ngx_http_kairos_query_s {
    ngx_http_kairos_feed_t      *feed;
    ngx_http_kairos_routes_t     routes;
    ngx_http_kairos_requests_t   requests;
    ngx_event_t                  timer;     /* for the oldest that waits */
};


static ngx_int_t ngx_http_kairos_query_start(ngx_http_kairos_feed_t *feed);
static ngx_int_t ngx_http_kairos_query_resume(ngx_http_kairos_feed_t *feed);
static ngx_int_t ngx_http_kairos_query_frame(ngx_http_kairos_feed_t *feed,
    kairos_feed_frame_t *f);
static void ngx_http_kairos_query_down(ngx_http_kairos_feed_t *feed);
static void ngx_http_kairos_query_timer_handler(ngx_event_t *ev);

static ngx_int_t ngx_http_kairos_query_reply(ngx_http_kairos_query_t *q,
    kairos_feed_frame_t *f);
static ngx_int_t ngx_http_kairos_query_joined(ngx_http_kairos_query_t *q,
    kairos_feed_frame_t *f);
static const char *ngx_http_kairos_query_open(ngx_http_kairos_query_t *q,
    ngx_http_kairos_request_t *rq, kairos_feed_frame_t *f);

static void ngx_http_kairos_query_ask(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m, kairos_feed_frame_t *f);
static const char *ngx_http_kairos_query_send(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m, kairos_feed_frame_t *f);
static void ngx_http_kairos_query_arm(ngx_http_kairos_query_t *q,
    ngx_msec_t left);


const ngx_http_kairos_feed_handlers_t  ngx_http_kairos_query_handlers = {
    ngx_http_kairos_query_start,
    ngx_http_kairos_query_resume,
    ngx_http_kairos_query_frame,
    ngx_http_kairos_query_down
};


static ngx_str_t  ngx_http_kairos_query_empty = ngx_string("{}");


static ngx_int_t
ngx_http_kairos_query_start(ngx_http_kairos_feed_t *feed)
{
    ngx_http_kairos_query_t  *q;

    q = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_kairos_query_t));
    if (q == NULL) {
        return NGX_ERROR;
    }

    q->feed = feed;

    ngx_http_kairos_routes_init(&q->routes, feed);
    ngx_http_kairos_requests_init(&q->requests, feed->log);

    q->timer.handler = ngx_http_kairos_query_timer_handler;
    q->timer.data = feed;
    q->timer.log = feed->log;
    q->timer.cancelable = 1;

    feed->query = q;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kairos_query_resume(ngx_http_kairos_feed_t *feed)
{
    return ngx_http_kairos_routes_resume(&feed->query->routes);
}


static ngx_int_t
ngx_http_kairos_query_frame(ngx_http_kairos_feed_t *feed,
    kairos_feed_frame_t *f)
{
    ngx_http_kairos_query_t  *q;

    q = feed->query;

    switch (f->type) {

    case KAIROS_FEED_REPLY:
        return ngx_http_kairos_query_reply(q, f);

    case KAIROS_FEED_JOINED:
        return ngx_http_kairos_query_joined(q, f);

    case KAIROS_FEED_EVENT:
        ngx_http_kairos_route_event(&q->routes, f);
        return NGX_OK;

    case KAIROS_FEED_EVENT_TO:
        ngx_http_kairos_route_event_to(&q->routes,
            ngx_http_kairos_request_session(&q->requests, f->socket), f);
        return NGX_OK;

    case KAIROS_FEED_RESET:
        ngx_http_kairos_route_reset(&q->routes, f);
        return NGX_OK;

    default:
        return NGX_ERROR;
    }
}


/*
 * No request will be answered any more: refuses the requests that clients wait
 * for, and forgets all.
 */
static void
ngx_http_kairos_query_down(ngx_http_kairos_feed_t *feed)
{
    ngx_http_kairos_query_t    *q;
    ngx_http_kairos_request_t  *rq;

    q = feed->query;

    ngx_http_kairos_routes_down(&q->routes);

    for ( ;; ) {
        rq = ngx_http_kairos_requests_any(&q->requests);
        if (rq == NULL) {
            return;
        }

        if (rq->waited) {
            ngx_http_kairos_channel_refuse(rq->requester->ks, &rq->m,
                                 "the query engine was lost, try again");
        }

        ngx_http_kairos_request_forget(&q->requests, rq);
    }
}


/*
 * Refuses the requests that waited too long.
 */
static void
ngx_http_kairos_query_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t                  n;
    ngx_queue_t                *waiting;
    ngx_msec_int_t              left;
    ngx_http_kairos_feed_t     *feed;
    ngx_http_kairos_query_t    *q;
    ngx_http_kairos_request_t  *rq;

    feed = ev->data;
    q = feed->query;
    waiting = &q->requests.waiting;

    for (n = 0; !ngx_queue_empty(waiting); n++) {
        rq = ngx_queue_data(ngx_queue_head(waiting),
                            ngx_http_kairos_request_t, order);

        left = (ngx_msec_int_t) (rq->asked_msec + NGX_HTTP_KAIROS_QUERY_TIMEOUT
                                 - ngx_current_msec);
        if (left > 0) {
            ngx_http_kairos_query_arm(q, (ngx_msec_t) left);
            break;
        }

        ngx_http_kairos_channel_refuse(rq->requester->ks, &rq->m,
                       "the query engine did not answer in time, try again");

        if (rq->join) {
            ngx_http_kairos_request_unwait(rq);

        } else {
            ngx_http_kairos_request_forget(&q->requests, rq);
        }
    }

    if (n) {
        ngx_log_error(NGX_LOG_ERR, feed->log, 0,
                      "kairos-replicator at %V left %ui requests without an "
                      "answer for %d ms, the clients were told to try again",
                      &feed->addr->name, n, NGX_HTTP_KAIROS_QUERY_TIMEOUT);
    }
}


void
ngx_http_kairos_query_subscribe(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m)
{
    kairos_feed_frame_t               f;
    const ngx_http_kairos_message_t  *message;

    message = &m->message;

    if (message->binary
        || message->payload.len == 0
        || message->payload.data[0] != '{')
    {
        ngx_http_kairos_channel_refuse(ks, m,
                                   "the payload of subscribe is no object");
        return;
    }

    ngx_memzero(&f, sizeof(kairos_feed_frame_t));

    f.type = KAIROS_FEED_SUBSCRIBE;
    f.spec.len = message->payload.len;
    f.spec.data = message->payload.data;
    f.claims.len = ks->client->claims.len;
    f.claims.data = ks->client->claims.data;

    ngx_http_kairos_query_ask(ks, m, &f);
}


void
ngx_http_kairos_query_join(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m)
{
    kairos_feed_frame_t         f;
    ngx_http_kairos_query_t    *q;
    ngx_http_kairos_request_t  *rq;

    /*
     * One join is enough: two would be answered by two JOINED, and the LEAVE
     * for one of them could be taken for the other's.
     */

    rq = ngx_http_kairos_request_find_join(ks, &m->message.topic);

    if (rq != NULL) {
        q = ks->client->feed->query;

        if (ngx_http_kairos_request_wait(&q->requests, rq, m) != NGX_OK) {
            ngx_http_kairos_channel_refuse(ks, m,
                                           "the server is out of memory");
            return;
        }

        ngx_http_kairos_query_arm(q, NGX_HTTP_KAIROS_QUERY_TIMEOUT);

        return;
    }

    ngx_memzero(&f, sizeof(kairos_feed_frame_t));

    f.type = KAIROS_FEED_JOIN;
    f.topic.len = m->message.topic.len;
    f.topic.data = m->message.topic.data;

    ngx_http_kairos_query_ask(ks, m, &f);
}


void
ngx_http_kairos_query_leave(ngx_http_kairos_channel_t *ch, ngx_uint_t lost)
{
    ngx_http_kairos_route_leave(ch, lost);
}


ngx_int_t
ngx_http_kairos_query_cancel_join(ngx_http_kairos_session_t *ks,
    const ngx_str_t *topic)
{
    ngx_http_kairos_request_t  *rq;

    rq = ngx_http_kairos_request_find_join(ks, topic);

    if (rq == NULL || !rq->waited) {
        return NGX_DECLINED;
    }

    ngx_http_kairos_request_unwait(rq);

    return NGX_OK;
}


void
ngx_http_kairos_query_gone(ngx_http_kairos_session_t *ks)
{
    kairos_feed_frame_t           f;
    ngx_http_kairos_requester_t  *requester;
    ngx_http_kairos_query_t      *q;

    requester = ks->client->requester;
    if (requester == NULL) {
        return;
    }

    q = ks->client->feed->query;

    if (requester->connection == q->routes.connection) {
        ngx_memzero(&f, sizeof(kairos_feed_frame_t));

        f.type = KAIROS_FEED_GONE;
        f.socket = ks->id;

        (void) ngx_http_kairos_feed_send(q->feed, &f);
    }

    ngx_http_kairos_request_gone(&q->requests, requester);
}


/*
 * NGX_ERROR: a join is accepted with JOINED, not with this.
 */
static ngx_int_t
ngx_http_kairos_query_reply(ngx_http_kairos_query_t *q,
    kairos_feed_frame_t *f)
{
    ngx_str_t                   response;
    ngx_http_kairos_request_t  *rq;

    rq = ngx_http_kairos_request_find(&q->requests, f->req);
    if (rq == NULL) {
        return NGX_OK;
    }

    if (rq->join && f->status == 0) {
        return NGX_ERROR;
    }

    if (rq->waited) {
        ngx_http_kairos_slice_str(&response, &f->payload);

        ngx_http_kairos_channel_reply(rq->requester->ks, &rq->m,
                                      f->status == 0, &response);
    }

    ngx_http_kairos_request_forget(&q->requests, rq);

    return NGX_OK;
}


/*
 * NGX_ERROR: no such join was asked for.
 */
static ngx_int_t
ngx_http_kairos_query_joined(ngx_http_kairos_query_t *q,
    kairos_feed_frame_t *f)
{
    const char                 *reason;
    ngx_http_kairos_request_t  *rq;

    rq = ngx_http_kairos_request_find(&q->requests, f->req);

    if (rq == NULL
        || !rq->join
        || rq->m.message.topic.len != f->topic.len
        || ngx_memcmp(rq->m.message.topic.data, f->topic.data, f->topic.len)
           != 0)
    {
        return NGX_ERROR;
    }

    if (rq->waited) {
        reason = ngx_http_kairos_query_open(q, rq, f);

        if (reason == NULL) {
            ngx_http_kairos_channel_reply(rq->requester->ks, &rq->m, 1,
                                          &ngx_http_kairos_query_empty);
            ngx_http_kairos_request_forget(&q->requests, rq);

            return NGX_OK;
        }

        ngx_http_kairos_channel_refuse(rq->requester->ks, &rq->m, reason);
    }

    /*
     * The events that follow JOINED reach no socket.  A client that comes back
     * must get them then, as phoenix.js does by itself after a join that took
     * too long: so the LEAVE says lost, also for a client that sent phx_leave.
     */

    ngx_http_kairos_route_send_leave(q->feed, rq->socket, rq->client,
                                     &rq->m.message.topic, 1);

    ngx_http_kairos_request_forget(&q->requests, rq);

    return NGX_OK;
}


/*
 * Makes the socket a member.  NULL, or why it cannot be one.
 */
static const char *
ngx_http_kairos_query_open(ngx_http_kairos_query_t *q,
    ngx_http_kairos_request_t *rq, kairos_feed_frame_t *f)
{
    ngx_http_kairos_channel_t  *ch;
    ngx_http_kairos_session_t  *ks;

    ks = rq->requester->ks;

    if (ngx_http_kairos_route_foreign(&q->routes, &rq->m.message.topic)) {
        return "this topic is served by another kairos-replicator";
    }

    /* other joins may have been answered since the client sent this one */

    if (ks->client->nchannels >= ks->client->limits->max_channels) {
        ks->slot->counters->refused_channels++;
        return "too many channels joined";
    }

    ch = ngx_http_kairos_channel_open(ks, &rq->m);
    if (ch == NULL) {
        return "the server is out of memory";
    }

    if (ngx_http_kairos_route_joined(&q->routes, ch, f) != NGX_OK) {
        ngx_http_kairos_channel_close(ch);
        return "the server is out of memory";
    }

    return NULL;
}


/*
 * Sends the frame as a new request of this socket, to be answered with m's
 * refs; or refuses m.
 */
static void
ngx_http_kairos_query_ask(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m, kairos_feed_frame_t *f)
{
    const char  *reason;

    if (ks->client->feed == NULL) {
        reason = "this server serves no queries: kairos_replicator is not "
                 "set for this location";

    } else if (!ks->client->feed->up) {
        reason = "the query engine is not connected, try again";

    } else {
        reason = ngx_http_kairos_query_send(ks, m, f);
    }

    if (reason != NULL) {
        ngx_http_kairos_channel_refuse(ks, m, reason);
    }
}


/*
 * NULL, or why the request was not sent.
 */
static const char *
ngx_http_kairos_query_send(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m, kairos_feed_frame_t *f)
{
    ngx_int_t                     rc;
    ngx_http_kairos_requester_t  *requester;
    ngx_http_kairos_query_t      *q;
    ngx_http_kairos_request_t    *rq;

    q = ks->client->feed->query;

    requester = ngx_http_kairos_request_requester(&q->requests, ks);
    if (requester == NULL) {
        return "the server is out of memory";
    }

    if (requester->nrequests >= ks->client->limits->max_pending) {
        ks->slot->counters->refused_pending++;
        return "too many requests of this connection are unanswered";
    }

    if (q->requests.nrequests >= NGX_HTTP_KAIROS_QUERY_PER_FEED) {
        ks->slot->counters->refused_pending++;
        return "the query engine has too much to do, try again";
    }

    if (m->message.topic.len + m->join_ref.len + m->ref.len
        > NGX_HTTP_KAIROS_QUERY_MAX_NAMES)
    {
        return "the topic or the refs are too long";
    }

    rq = ngx_http_kairos_request_add(&q->requests, requester, m,
                                     f->type == KAIROS_FEED_JOIN);
    if (rq == NULL) {
        return "the server is out of memory";
    }

    f->req = rq->number;
    f->socket = rq->socket;
    f->client = rq->client;

    rc = ngx_http_kairos_feed_send(q->feed, f);

    if (rc == NGX_OK) {
        requester->connection = q->routes.connection;
        ngx_http_kairos_query_arm(q, NGX_HTTP_KAIROS_QUERY_TIMEOUT);

        return NULL;
    }

    ngx_http_kairos_request_forget(&q->requests, rq);

    return rc == NGX_DECLINED ? "the subscribe is too large"
                              : "the query engine was lost, try again";
}


/*
 * Every request waits equally long, so a timer that runs is for an older one.
 */
static void
ngx_http_kairos_query_arm(ngx_http_kairos_query_t *q, ngx_msec_t left)
{
    if (!q->timer.timer_set) {
        ngx_add_timer(&q->timer,
                      ngx_max(left, NGX_HTTP_KAIROS_QUERY_TIMER));
    }
}
