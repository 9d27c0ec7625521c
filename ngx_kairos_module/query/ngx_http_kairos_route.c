/*
 * The routes of one feed.
 *
 * A route's position is that of the last frame that came for its topic, also
 * when that frame was for one member alone.  JOINED gives the position of the
 * socket that joins, which may be behind the others'; the events that the
 * socket missed follow before anything else.  So at every moment all members
 * have the events up to the route's position, and a RESUME from there loses
 * nothing for any member; some members may get an event twice.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_route.h"


struct ngx_http_kairos_route_s {
    ngx_queue_t                queue;       /* in known or silent */
    ngx_http_kairos_routes_t  *routes;
    ngx_http_kairos_topic_t   *topic;
    ngx_uint_t                 connection;  /* that it is known on */
    kairos_position_t          position;
    ngx_str_t                  spec;        /* owned */
};


static ngx_http_kairos_route_t *ngx_http_kairos_route_find(
    ngx_http_kairos_routes_t *rts, const kairos_slice_t *topic);
static void ngx_http_kairos_route_known(ngx_http_kairos_route_t *rt);
static ngx_int_t ngx_http_kairos_route_spec(ngx_http_kairos_route_t *rt,
    const kairos_slice_t *spec);
static void ngx_http_kairos_route_free(ngx_http_kairos_route_t *rt);


void
ngx_http_kairos_routes_init(ngx_http_kairos_routes_t *rts,
    ngx_http_kairos_feed_t *feed)
{
    rts->feed = feed;
    rts->connection = 0;

    ngx_queue_init(&rts->known);
    ngx_queue_init(&rts->silent);
}


ngx_int_t
ngx_http_kairos_routes_resume(ngx_http_kairos_routes_t *rts)
{
    kairos_feed_frame_t       f;
    ngx_http_kairos_route_t  *rt;

    ngx_memzero(&f, sizeof(kairos_feed_frame_t));
    f.type = KAIROS_FEED_RESUME;

    while (!ngx_queue_empty(&rts->silent)) {

        if (ngx_http_kairos_feed_full(rts->feed)) {
            return NGX_AGAIN;
        }

        rt = ngx_queue_data(ngx_queue_head(&rts->silent),
                            ngx_http_kairos_route_t, queue);

        f.members = (uint32_t) rt->topic->nmembers;
        f.topic.len = rt->topic->sn.str.len;
        f.topic.data = rt->topic->sn.str.data;
        f.spec.len = rt->spec.len;
        f.spec.data = rt->spec.data;
        f.position = rt->position;

        /* a spec that came in a frame fits a frame: an error ends the feed */

        if (ngx_http_kairos_feed_send(rts->feed, &f) != NGX_OK) {
            return NGX_AGAIN;
        }

        ngx_queue_remove(&rt->queue);
        ngx_http_kairos_route_known(rt);
    }

    return NGX_OK;
}


void
ngx_http_kairos_routes_down(ngx_http_kairos_routes_t *rts)
{
    rts->connection++;

    if (!ngx_queue_empty(&rts->known)) {
        ngx_queue_add(&rts->silent, &rts->known);
        ngx_queue_init(&rts->known);
    }
}


ngx_uint_t
ngx_http_kairos_route_foreign(ngx_http_kairos_routes_t *rts,
    const ngx_str_t *topic)
{
    ngx_http_kairos_topic_t  *tp;

    tp = ngx_http_kairos_hub_topic(rts->feed->hub, topic);

    return tp != NULL && tp->route != NULL && tp->route->routes != rts;
}


ngx_int_t
ngx_http_kairos_route_joined(ngx_http_kairos_routes_t *rts,
    ngx_http_kairos_channel_t *ch, const kairos_feed_frame_t *f)
{
    ngx_http_kairos_route_t  *rt;

    rt = ch->topic->route;

    if (rt != NULL) {
        if (ngx_http_kairos_route_spec(rt, &f->spec) != NGX_OK) {
            return NGX_ERROR;
        }

        rt->position = f->position;

        return NGX_OK;
    }

    rt = ngx_calloc(sizeof(ngx_http_kairos_route_t), rts->feed->log);
    if (rt == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_kairos_route_spec(rt, &f->spec) != NGX_OK) {
        ngx_free(rt);
        return NGX_ERROR;
    }

    rt->routes = rts;
    rt->topic = ch->topic;
    rt->position = f->position;
    ngx_http_kairos_route_known(rt);

    ch->topic->route = rt;

    return NGX_OK;
}


void
ngx_http_kairos_route_leave(ngx_http_kairos_channel_t *ch, ngx_uint_t lost)
{
    ngx_http_kairos_route_t   *rt;
    ngx_http_kairos_routes_t  *rts;

    rt = ch->topic->route;
    if (rt == NULL) {
        return;
    }

    rts = rt->routes;

    /* the RESUME to come counts the members without this one */

    if (rt->connection == rts->connection) {
        ngx_http_kairos_route_send_leave(rts->feed, ch->ks->id,
                                         ch->ks->client->number,
                                         &ch->topic->sn.str, lost);
    }

    if (ch->topic->nmembers == 1) {
        ngx_http_kairos_route_free(rt);
    }
}


/*
 * A failure needs no action: the feed is lost then, and the RESUME of the next
 * feed counts the members of that time.
 */
void
ngx_http_kairos_route_send_leave(ngx_http_kairos_feed_t *feed,
    uint64_t socket, uint64_t client, const ngx_str_t *topic, ngx_uint_t lost)
{
    kairos_feed_frame_t  f;

    ngx_memzero(&f, sizeof(kairos_feed_frame_t));

    f.type = KAIROS_FEED_LEAVE;
    f.socket = socket;
    f.client = client;
    f.lost = (uint8_t) lost;
    f.topic.len = topic->len;
    f.topic.data = topic->data;

    (void) ngx_http_kairos_feed_send(feed, &f);
}


void
ngx_http_kairos_route_event(ngx_http_kairos_routes_t *rts,
    const kairos_feed_frame_t *f)
{
    ngx_http_kairos_route_t    *rt;
    ngx_http_kairos_message_t   m;

    rt = ngx_http_kairos_route_find(rts, &f->topic);
    if (rt == NULL) {
        return;
    }

    rt->position = f->position;

    ngx_memzero(&m, sizeof(ngx_http_kairos_message_t));

    m.topic = rt->topic->sn.str;
    ngx_http_kairos_slice_str(&m.event, &f->event);
    ngx_http_kairos_slice_str(&m.payload, &f->payload);

    ngx_http_kairos_hub_deliver(rts->feed->hub, rt->topic, &m);
}


void
ngx_http_kairos_route_event_to(ngx_http_kairos_routes_t *rts,
    ngx_http_kairos_session_t *ks, const kairos_feed_frame_t *f)
{
    ngx_str_t                   event, payload;
    ngx_http_kairos_route_t    *rt;
    ngx_http_kairos_channel_t  *ch;

    rt = ngx_http_kairos_route_find(rts, &f->topic);
    if (rt == NULL) {
        return;
    }

    rt->position = f->position;

    if (ks == NULL) {
        return;
    }

    ch = ngx_http_kairos_channel_find(ks, &rt->topic->sn.str);
    if (ch == NULL) {
        return;
    }

    ngx_http_kairos_slice_str(&event, &f->event);
    ngx_http_kairos_slice_str(&payload, &f->payload);

    ngx_http_kairos_channel_push(ch, &event, &payload);
}


/*
 * Sends no LEAVE: the replicator forgets the topic when it sends RESET.
 */
void
ngx_http_kairos_route_reset(ngx_http_kairos_routes_t *rts,
    const kairos_feed_frame_t *f)
{
    ngx_str_t                 reason;
    ngx_http_kairos_route_t  *rt;
    ngx_http_kairos_topic_t  *tp;

    rt = ngx_http_kairos_route_find(rts, &f->topic);
    if (rt == NULL) {
        return;
    }

    ngx_http_kairos_slice_str(&reason, &f->reason);

    tp = rt->topic;

    rts->feed->hub->slot.counters->resets += tp->nmembers;

    ngx_log_error(NGX_LOG_WARN, rts->feed->log, 0,
                  "route \"%V\" was reset, %ui members were told: %V",
                  &tp->sn.str, tp->nmembers, &reason);

    ngx_http_kairos_route_free(rt);

    ngx_http_kairos_channel_end_topic(tp, &reason);
}


/*
 * The route of a topic, if this feed serves it.
 */
static ngx_http_kairos_route_t *
ngx_http_kairos_route_find(ngx_http_kairos_routes_t *rts,
    const kairos_slice_t *topic)
{
    ngx_str_t                 name;
    ngx_http_kairos_topic_t  *tp;

    ngx_http_kairos_slice_str(&name, topic);

    tp = ngx_http_kairos_hub_topic(rts->feed->hub, &name);

    if (tp == NULL || tp->route == NULL || tp->route->routes != rts) {
        return NULL;
    }

    return tp->route;
}


/*
 * The route is on no queue.
 */
static void
ngx_http_kairos_route_known(ngx_http_kairos_route_t *rt)
{
    rt->connection = rt->routes->connection;
    ngx_queue_insert_tail(&rt->routes->known, &rt->queue);
}


/*
 * Keeps a copy; NGX_ERROR: no memory, the old one stays.
 */
static ngx_int_t
ngx_http_kairos_route_spec(ngx_http_kairos_route_t *rt,
    const kairos_slice_t *spec)
{
    u_char  *p;

    if (rt->spec.len == spec->len
        && (spec->len == 0
            || ngx_memcmp(rt->spec.data, spec->data, spec->len) == 0))
    {
        return NGX_OK;
    }

    p = NULL;

    if (spec->len) {
        p = ngx_alloc(spec->len, ngx_cycle->log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, spec->data, spec->len);
    }

    if (rt->spec.data != NULL) {
        ngx_free(rt->spec.data);
    }

    rt->spec.data = p;
    rt->spec.len = spec->len;

    return NGX_OK;
}


static void
ngx_http_kairos_route_free(ngx_http_kairos_route_t *rt)
{
    rt->topic->route = NULL;
    ngx_queue_remove(&rt->queue);

    if (rt->spec.data != NULL) {
        ngx_free(rt->spec.data);
    }

    ngx_free(rt);
}
