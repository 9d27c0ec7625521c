/*
 * When a session's client may send its next message.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_session_private.h"


/* seconds of kairos_message_rate that a client may send at once */
#define NGX_HTTP_KAIROS_BURST   2

/* what a message takes of the bucket: see _session_rate() */
#define NGX_HTTP_KAIROS_COST    1000

/* milliseconds between two looks at a backlogged ring */
#define NGX_HTTP_KAIROS_RING_PAUSE  5


static ngx_msec_t ngx_http_kairos_session_rate(ngx_http_kairos_session_t *ks);


void
ngx_http_kairos_session_await_ring(ngx_http_kairos_session_t *ks)
{
    ks->awaits_ring = 1;
}


ngx_uint_t
ngx_http_kairos_session_pause(ngx_http_kairos_session_t *ks)
{
    if (ks->ending || ngx_http_kairos_session_wait(ks) == 0) {
        return 0;
    }

    ks->paused = 1;

    if (ks->awaits_ring) {
        ks->slot->counters->held++;

    } else {
        ks->slot->counters->paused++;
    }

    if (!ks->awaits_ring && !ks->rate_logged) {
        ks->rate_logged = 1;

        ngx_log_error(NGX_LOG_INFO, ks->log, 0,
                      "kairos holds up socket %uL, which sends more than "
                      "kairos_message_rate %ui allows",
                      ks->id, ks->limits->message_rate);
    }

    ngx_http_kairos_session_arm(ks);
    ngx_http_kairos_session_abandon(ks);

    return 1;
}


/*
 * A sender that is gone has had no reply to what was not read, and would else
 * publish for hours, as a member of its topics that takes a place of its
 * user's quota.  A pause for the ring is short, and the sender did not cause
 * it: behind such a pause all is published.
 */
void
ngx_http_kairos_session_abandon(ngx_http_kairos_session_t *ks)
{
    if (!ks->awaits_ring && ks->connection->read->pending_eof) {
        ngx_http_kairos_session_lose(ks);
    }
}


ngx_msec_t
ngx_http_kairos_session_wait(ngx_http_kairos_session_t *ks)
{
    if (ks->awaits_ring) {

        if (ngx_http_kairos_slot_backlogged(ks->slot)) {
            return NGX_HTTP_KAIROS_RING_PAUSE;
        }

        ks->awaits_ring = 0;
    }

    return ngx_http_kairos_session_rate(ks);
}


/*
 * The bucket is counted in thousandths of messages: as many flow in within a
 * millisecond as messages are allowed in a second.
 */
static ngx_msec_t
ngx_http_kairos_session_rate(ngx_http_kairos_session_t *ks)
{
    uint32_t  now;
    uint64_t  rate, credit, most;

    rate = ks->limits->message_rate;

    if (rate == 0) {
        return 0;
    }

    now = (uint32_t) ngx_current_msec;

    credit = ks->credit + (uint32_t) (now - ks->credited_msec) * rate;
    most = rate * NGX_HTTP_KAIROS_BURST * NGX_HTTP_KAIROS_COST;

    ks->credit = (uint32_t) ngx_min(credit, most);
    ks->credited_msec = now;

    if (ks->credit >= NGX_HTTP_KAIROS_COST) {
        return 0;
    }

    return (NGX_HTTP_KAIROS_COST - ks->credit + rate - 1) / rate;
}


void
ngx_http_kairos_session_spend(ngx_http_kairos_session_t *ks)
{
    ks->credit -= ngx_min(ks->credit, NGX_HTTP_KAIROS_COST);
}


void
ngx_http_kairos_session_resume(ngx_http_kairos_session_t *ks)
{
    if (ngx_http_kairos_session_wait(ks) == 0) {
        ks->paused = 0;

        /* a session that was not read was not idle */
        ks->active_msec = ngx_current_msec;
        ks->pinged = 0;

        ngx_post_event(ks->connection->read, &ngx_posted_events);
    }

    ngx_http_kairos_session_arm(ks);
}
