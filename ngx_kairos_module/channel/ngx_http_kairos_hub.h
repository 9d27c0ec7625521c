/*
 * The hub: all topics of one kairos_zone.  Delivers a message to the members
 * in this worker and, through the ring, to those in the others.
 */

#ifndef _NGX_HTTP_KAIROS_HUB_H_INCLUDED_
#define _NGX_HTTP_KAIROS_HUB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_ring.h"
#include "ngx_http_kairos_slot.h"
#include "ngx_http_kairos_topic.h"


struct ngx_http_kairos_hub_s {
    ngx_http_kairos_zone_t    *zone;
    ngx_http_kairos_topics_t   topics;    /* with members in this worker */
    ngx_http_kairos_slot_t     slot;      /* of this worker in the zone */
    ngx_http_kairos_ring_t     ring;
    ngx_log_t                 *log;
};


/* For init_process and exit_process. */
ngx_int_t ngx_http_kairos_hub_open(ngx_http_kairos_hub_t *hub,
    ngx_http_kairos_zone_t *zone, ngx_cycle_t *cycle);
void ngx_http_kairos_hub_close(ngx_http_kairos_hub_t *hub);

/*
 * Sends m to every member of the topic in this worker, and encodes m once per
 * encoding.  A member whose encoding has no form of m is passed over; a member
 * for which there is no memory loses its socket.
 */
void ngx_http_kairos_hub_deliver(ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_topic_t *tp, const ngx_http_kairos_message_t *m);

/*
 * Sends m to every member of the topic that it names, in every worker.
 * NGX_OK; NGX_DECLINED: the ring does not take m, see _hub_fits(), and nobody
 * got it.  Each channel of a plain topic in this worker may have been closed
 * when this returns.
 */
ngx_int_t ngx_http_kairos_hub_publish(ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_message_t *m);

/* Whether ngx_http_kairos_hub_publish() will take the message. */
ngx_uint_t ngx_http_kairos_hub_fits(const ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_message_t *m);

/* The topic of this name in this worker, or NULL. */
ngx_http_kairos_topic_t *ngx_http_kairos_hub_topic(ngx_http_kairos_hub_t *hub,
    const ngx_str_t *name);


#endif /* _NGX_HTTP_KAIROS_HUB_H_INCLUDED_ */
