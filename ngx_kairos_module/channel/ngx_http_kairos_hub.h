/*
 * The hub: all topics of one kairos_zone.  Delivers a message to the members
 * in this worker and, through the ring, to those in the others.
 */

#ifndef _NGX_HTTP_KAIROS_HUB_H_INCLUDED_
#define _NGX_HTTP_KAIROS_HUB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_ring.h"
#include "ngx_http_kairos_session.h"
#include "ngx_http_kairos_slot.h"
#include "ngx_http_kairos_topic.h"


struct ngx_http_kairos_hub_s {
    ngx_http_kairos_zone_t    *zone;
    ngx_http_kairos_topics_t   topics;    /* with members in this worker */
    ngx_http_kairos_place_t    place;
    ngx_http_kairos_ring_t     ring;
    ngx_log_t                 *log;
};


/* For init_process and exit_process. */
ngx_int_t ngx_http_kairos_hub_open(ngx_http_kairos_hub_t *hub,
    ngx_http_kairos_zone_t *zone, ngx_cycle_t *cycle);
void ngx_http_kairos_hub_close(ngx_http_kairos_hub_t *hub);

/*
 * Sends m (its topic, event, payload; refs empty) to every member in this
 * worker; frames it once per serializer.  For whom there is no memory its
 * socket is closed.  Returns the number of members.
 */
ngx_uint_t ngx_http_kairos_hub_deliver(ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_phx_msg_t *m);

/*
 * The same for every member in every worker.  NGX_OK; NGX_DECLINED: the
 * message is larger than the ring takes (nobody got it); NGX_ERROR.
 * Any plain topic's channel in this worker may have been closed meanwhile.
 */
ngx_int_t ngx_http_kairos_hub_publish(ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_phx_msg_t *m);

/* Whether ngx_http_kairos_hub_publish() will take the message. */
ngx_uint_t ngx_http_kairos_hub_fits(const ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_phx_msg_t *m);

/* The topic of this name in this worker, or NULL. */
ngx_http_kairos_topic_t *ngx_http_kairos_hub_topic(ngx_http_kairos_hub_t *hub,
    const ngx_str_t *name);


#endif /* _NGX_HTTP_KAIROS_HUB_H_INCLUDED_ */
