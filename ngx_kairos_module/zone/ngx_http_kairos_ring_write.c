/*
 * A writer, under the zone's mutex, moves sh->reserved past the record it is
 * about to write, writes, and moves sh->head last: a record is read only when
 * it is whole, and what a writer that died left behind is written over.
 *
 * Waking: a writer that moved the head sets wake of each other slot, and the
 * first to set it writes to the eventfd.  A reader clears wake before it looks
 * at the head.  Of the two, both with a barrier in between, at least one sees
 * the other.  A worker that is killed between the flag and the eventfd leaves
 * a slot that nobody wakes any more: so each worker that starts, also the one
 * that replaces the killed one, wakes all.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_ring_write.h"


ngx_atomic_uint_t
ngx_http_kairos_ring_append_locked(ngx_http_kairos_zone_t *zone,
    ngx_http_kairos_record_kind_e kind, const ngx_http_kairos_message_t *m,
    size_t size)
{
    ngx_atomic_uint_t          head, end;
    ngx_http_kairos_shared_t  *sh;

    sh = zone->sh;

    head = sh->head;
    end = head + size;

    /* it may be further already, if a writer died */

    if (end > sh->reserved) {
        sh->reserved = end;
    }

    ngx_memory_barrier();

    ngx_http_kairos_record_write(sh->ring, sh->size, head, kind, m, size);

    ngx_memory_barrier();

    sh->head = end;

    return end;
}


void
ngx_http_kairos_ring_wake(const ngx_http_kairos_zone_t *zone,
    const ngx_http_kairos_shared_slot_t *self, ngx_uint_t force,
    ngx_log_t *log)
{
    uint64_t                        one;
    ngx_uint_t                      i, n;
    ngx_http_kairos_shared_slot_t  *shared;

    n = (zone->wakes != NULL) ? zone->wakes->n : 0;
    shared = zone->sh->slots;
    one = 1;

    ngx_memory_barrier();

    for (i = 0; i < n; i++, shared++) {

        if (shared->pid == 0 || shared == self) {
            continue;
        }

        if (!force
            && (shared->wake != 0 || !ngx_atomic_cmp_set(&shared->wake, 0, 1)))
        {
            continue;
        }

        /* EAGAIN: the counter is full, so its reader has been woken */

        if (write(zone->wakes->fd[i], &one, sizeof(uint64_t)) == -1
            && ngx_errno != NGX_EAGAIN)
        {
            ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                          "write() to an eventfd failed");
        }
    }
}
