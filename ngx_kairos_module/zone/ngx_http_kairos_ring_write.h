/*
 * Writing to a zone's ring: for the ring itself, and for the slots.
 */

#ifndef _NGX_HTTP_KAIROS_RING_WRITE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_RING_WRITE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_record.h"
#include "ngx_http_kairos_shm.h"


/*
 * Appends the message, of which record_size() is size and which has room,
 * under the zone's mutex.  Returns the position behind it.  Wakes nobody.
 */
ngx_atomic_uint_t ngx_http_kairos_ring_append_locked(
    ngx_http_kairos_zone_t *zone, ngx_http_kairos_record_kind_e kind,
    const ngx_http_kairos_message_t *m, size_t size);

/*
 * Wakes the workers of all slots but self (NULL: of all) that sleep; force:
 * also those that were woken already.
 */
void ngx_http_kairos_ring_wake(const ngx_http_kairos_zone_t *zone,
    const ngx_http_kairos_shared_slot_t *self, ngx_uint_t force,
    ngx_log_t *log);


#endif /* _NGX_HTTP_KAIROS_RING_WRITE_H_INCLUDED_ */
