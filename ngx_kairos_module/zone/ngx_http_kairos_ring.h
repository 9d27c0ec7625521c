/*
 * The ring: what one worker publishes, all workers of the zone read, each
 * from its own position, in the same order.
 */

#ifndef _NGX_HTTP_KAIROS_RING_H_INCLUDED_
#define _NGX_HTTP_KAIROS_RING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_record.h"
#include "ngx_http_kairos_shm.h"
#include "ngx_http_kairos_slot.h"


typedef struct ngx_http_kairos_hub_s  ngx_http_kairos_hub_t;


/* one const table, given when the ring is opened */
typedef struct {
    /* a message for this worker's members; valid during the call */
    void  (*message)(ngx_http_kairos_hub_t *hub,
                     const ngx_http_kairos_message_t *m);

    /* records, of any kind, were overwritten before this worker read them */
    void  (*overrun)(ngx_http_kairos_hub_t *hub);

    /*
     * The worker of this slot, from 0, was killed, and the slot is free, or
     * has another worker already.  Each worker that lives is called once, when
     * it has read all that the dead worker published and nothing that the
     * slot's next worker did; twice if a third worker was killed at the
     * instant in which it freed the slot.
     */
    void  (*slot_died)(ngx_http_kairos_hub_t *hub, ngx_uint_t slot,
                       ngx_pid_t pid);
} ngx_http_kairos_ring_handlers_t;


/* one worker's end of a zone's ring */
typedef struct {
    ngx_http_kairos_zone_t                 *zone;
    ngx_http_kairos_slot_t                 *slot;
    ngx_http_kairos_hub_t                  *hub;
    const ngx_http_kairos_ring_handlers_t  *handlers;
    ngx_log_t                              *log;

    ngx_http_kairos_shared_slot_t          *shared;    /* NULL: none free */
    ngx_connection_t                       *connection; /* of its eventfd */
    ngx_event_t                             poll;      /* without a slot */

    ngx_atomic_uint_t                       position;
    u_char                                 *buffer;    /* of a record */
    size_t                                  buffer_size;
} ngx_http_kairos_ring_t;


/*
 * For init_process: starts to read from the ring's head on.  A worker with a
 * slot in the zone is woken through the slot's eventfd, another one polls.
 * NGX_ERROR: no memory or no connection (logged).
 */
ngx_int_t ngx_http_kairos_ring_open(ngx_http_kairos_ring_t *ring,
    ngx_http_kairos_slot_t *slot, ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_ring_handlers_t *handlers, ngx_cycle_t *cycle);

/* For exit_process, before the slot is given back; calls no handler. */
void ngx_http_kairos_ring_close(ngx_http_kairos_ring_t *ring);

/* Whether ngx_http_kairos_ring_publish() will take the message. */
ngx_uint_t ngx_http_kairos_ring_fits(const ngx_http_kairos_ring_t *ring,
    const ngx_http_kairos_message_t *m);

/*
 * Appends the message, then reads the ring up to it, so that this worker's
 * handlers get the message, too.  NGX_OK; NGX_DECLINED: the message is larger
 * than a quarter of the ring, or has too long a name, and no worker gets it.
 */
ngx_int_t ngx_http_kairos_ring_publish(ngx_http_kairos_ring_t *ring,
    const ngx_http_kairos_message_t *m);


#endif /* _NGX_HTTP_KAIROS_RING_H_INCLUDED_ */
