#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_channel.h"
#include "ngx_http_kairos_hub.h"


static void ngx_http_kairos_hub_message(ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_message_t *m);
static void ngx_http_kairos_hub_overrun(ngx_http_kairos_hub_t *hub);
static void ngx_http_kairos_hub_slot_died(ngx_http_kairos_hub_t *hub,
    ngx_uint_t slot, ngx_pid_t pid);


static const ngx_http_kairos_ring_handlers_t  ngx_http_kairos_hub_handlers = {
    ngx_http_kairos_hub_message,
    ngx_http_kairos_hub_overrun,
    ngx_http_kairos_hub_slot_died
};


static void
ngx_http_kairos_hub_message(ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_message_t *m)
{
    ngx_http_kairos_topic_t  *tp;

    tp = ngx_http_kairos_topic_find(&hub->topics, &m->topic);

    if (tp != NULL) {
        ngx_http_kairos_hub_deliver(hub, tp, m);
    }
}


/*
 * Events of routes come from the replicator, not through the ring, so the
 * members of routes lost nothing.
 */
static void
ngx_http_kairos_hub_overrun(ngx_http_kairos_hub_t *hub)
{
    ngx_str_t                 reason;
    ngx_http_kairos_topic_t  *tp, *next;

    ngx_str_set(&reason, "messages were lost, join again");

    for (tp = ngx_http_kairos_topic_next(&hub->topics, NULL);
         tp != NULL;
         tp = next)
    {
        next = ngx_http_kairos_topic_next(&hub->topics, tp);

        if (tp->route == NULL) {
            ngx_http_kairos_channel_end_topic(tp, &reason);
        }
    }
}


/*
 * Each worker keeps its own members alone, so no member has to be removed.
 */
static void
ngx_http_kairos_hub_slot_died(ngx_http_kairos_hub_t *hub, ngx_uint_t slot,
    ngx_pid_t pid)
{
    ngx_log_error(NGX_LOG_INFO, hub->log, 0,
                  "worker %P in slot %ui of kairos_zone \"%V\" has died",
                  pid, slot, &hub->zone->name);
}


ngx_int_t
ngx_http_kairos_hub_open(ngx_http_kairos_hub_t *hub,
    ngx_http_kairos_zone_t *zone, ngx_cycle_t *cycle)
{
    hub->zone = zone;
    hub->log = cycle->log;

    ngx_http_kairos_topics_init(&hub->topics, cycle->log);

    ngx_http_kairos_slot_open(&hub->slot, zone);

    return ngx_http_kairos_ring_open(&hub->ring, &hub->slot, hub,
                                     &ngx_http_kairos_hub_handlers, cycle);
}


void
ngx_http_kairos_hub_close(ngx_http_kairos_hub_t *hub)
{
    ngx_http_kairos_ring_close(&hub->ring);
    ngx_http_kairos_slot_close(&hub->slot);
}


void
ngx_http_kairos_hub_deliver(ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_topic_t *tp, const ngx_http_kairos_message_t *m)
{
    ngx_int_t                    rc[NGX_HTTP_KAIROS_NENCODINGS];
    ngx_queue_t                 *q;
    ngx_http_kairos_msg_t       *msgs[NGX_HTTP_KAIROS_NENCODINGS];
    ngx_http_kairos_channel_t   *ch;
    ngx_http_kairos_encoding_e   e;

    for (e = 0; e < NGX_HTTP_KAIROS_NENCODINGS; e++) {
        rc[e] = NGX_AGAIN;
        msgs[e] = NULL;
    }

    for (q = ngx_queue_head(&tp->members);
         q != ngx_queue_sentinel(&tp->members);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_http_kairos_channel_t, member);
        e = ch->encoding;

        if (rc[e] == NGX_AGAIN) {
            rc[e] = ngx_http_kairos_encode(e, m, &msgs[e], hub->log);
        }

        if (rc[e] == NGX_OK) {
            ngx_http_kairos_session_send(ch->ks, msgs[e]);

        } else if (rc[e] == NGX_ERROR) {
            ngx_http_kairos_session_fail(ch->ks);
        }
    }

    for (e = 0; e < NGX_HTTP_KAIROS_NENCODINGS; e++) {
        if (msgs[e] != NULL) {
            ngx_http_kairos_msg_release(msgs[e]);
        }
    }
}


ngx_int_t
ngx_http_kairos_hub_publish(ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_message_t *m)
{
    return ngx_http_kairos_ring_publish(&hub->ring, m);
}


ngx_uint_t
ngx_http_kairos_hub_fits(const ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_message_t *m)
{
    return ngx_http_kairos_ring_fits(&hub->ring, m);
}


ngx_http_kairos_topic_t *
ngx_http_kairos_hub_topic(ngx_http_kairos_hub_t *hub, const ngx_str_t *name)
{
    return ngx_http_kairos_topic_find(&hub->topics, name);
}
