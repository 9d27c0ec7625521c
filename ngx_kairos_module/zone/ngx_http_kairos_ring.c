/*
 * The ring, read by one worker; ring_write.c writes to it.
 *
 * A reader takes no lock.  It copies a record out and looks at sh->reserved
 * afterwards: if that is more than the ring's size ahead of the record, the
 * copy may be torn, and the reader was overrun.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_ring.h"
#include "ngx_http_kairos_ring_write.h"


/* a message takes at most this part of the ring */
#define NGX_HTTP_KAIROS_RING_PART  4

/* milliseconds between two looks of a worker that got no slot */
#define NGX_HTTP_KAIROS_RING_POLL  20


static void ngx_http_kairos_ring_wake_handler(ngx_event_t *rev);
static void ngx_http_kairos_ring_poll_handler(ngx_event_t *ev);

static ngx_uint_t ngx_http_kairos_ring_room(
    const ngx_http_kairos_ring_t *ring, size_t size);
static ngx_int_t ngx_http_kairos_ring_listen(ngx_http_kairos_ring_t *ring,
    int fd);
static void ngx_http_kairos_ring_read(ngx_http_kairos_ring_t *ring,
    ngx_atomic_uint_t until);
static void ngx_http_kairos_ring_notice(ngx_http_kairos_ring_t *ring,
    ngx_uint_t kind, const ngx_http_kairos_message_t *m);
static ngx_int_t ngx_http_kairos_ring_next(ngx_http_kairos_ring_t *ring,
    ngx_uint_t *kind, ngx_http_kairos_message_t *m);
static ngx_int_t ngx_http_kairos_ring_copy(ngx_http_kairos_ring_t *ring,
    size_t len);
static void ngx_http_kairos_ring_overrun(ngx_http_kairos_ring_t *ring);


static void
ngx_http_kairos_ring_wake_handler(ngx_event_t *rev)
{
    uint64_t                 value;
    ngx_connection_t        *c;
    ngx_http_kairos_ring_t  *ring;

    c = rev->data;
    ring = c->data;

    if (read(c->fd, &value, sizeof(uint64_t)) == -1 && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, ring->log, ngx_errno,
                      "read() of an eventfd failed");
    }

    ring->shared->wake = 0;
    ngx_memory_barrier();

    ngx_http_kairos_ring_read(ring, ring->zone->sh->head);
}


static void
ngx_http_kairos_ring_poll_handler(ngx_event_t *ev)
{
    ngx_http_kairos_ring_t  *ring;

    ring = ev->data;

    ngx_http_kairos_ring_read(ring, ring->zone->sh->head);

    ngx_add_timer(ev, NGX_HTTP_KAIROS_RING_POLL);
}


ngx_int_t
ngx_http_kairos_ring_open(ngx_http_kairos_ring_t *ring,
    ngx_http_kairos_slot_t *slot, ngx_http_kairos_hub_t *hub,
    const ngx_http_kairos_ring_handlers_t *handlers, ngx_cycle_t *cycle)
{
    ngx_http_kairos_zone_t  *zone;

    zone = slot->zone;

    ngx_memzero(ring, sizeof(ngx_http_kairos_ring_t));

    ring->zone = zone;
    ring->slot = slot;
    ring->shared = slot->shared;
    ring->hub = hub;
    ring->handlers = handlers;
    ring->log = cycle->log;

    ring->position = zone->sh->head;

    ngx_http_kairos_ring_wake(zone, ring->shared, 1, ring->log);

    if (ring->shared != NULL) {
        return ngx_http_kairos_ring_listen(ring,
                            zone->wakes->fd[ring->shared - zone->sh->slots]);
    }

    ngx_log_error(NGX_LOG_WARN, ring->log, 0,
                  "all %ui places for workers in kairos_zone \"%V\" are "
                  "taken, this one looks for messages every %d ms; restart "
                  "nginx, or let old workers end",
                  zone->sh->nslots, &zone->name, NGX_HTTP_KAIROS_RING_POLL);

    ring->poll.handler = ngx_http_kairos_ring_poll_handler;
    ring->poll.data = ring;
    ring->poll.log = cycle->log;
    ring->poll.cancelable = 1;

    ngx_add_timer(&ring->poll, NGX_HTTP_KAIROS_RING_POLL);

    return NGX_OK;
}


void
ngx_http_kairos_ring_close(ngx_http_kairos_ring_t *ring)
{
    if (ring->poll.timer_set) {
        ngx_del_timer(&ring->poll);
    }

    /* the eventfd is the zone's, and ends with the process */

    ring->shared = NULL;

    if (ring->buffer != NULL) {
        ngx_free(ring->buffer);
        ring->buffer = NULL;
    }
}


ngx_uint_t
ngx_http_kairos_ring_fits(const ngx_http_kairos_ring_t *ring,
    const ngx_http_kairos_message_t *m)
{
    return ngx_http_kairos_ring_room(ring, ngx_http_kairos_record_size(m));
}


ngx_int_t
ngx_http_kairos_ring_publish(ngx_http_kairos_ring_t *ring,
    const ngx_http_kairos_message_t *m)
{
    size_t             size;
    ngx_atomic_uint_t  end;

    size = ngx_http_kairos_record_size(m);

    if (!ngx_http_kairos_ring_room(ring, size)) {
        return NGX_DECLINED;
    }

    ngx_shmtx_lock(&ring->zone->shpool->mutex);

    end = ngx_http_kairos_ring_append_locked(ring->zone,
                                             NGX_HTTP_KAIROS_RECORD_BROADCAST,
                                             m, size);
    ring->zone->sh->published++;

    ngx_shmtx_unlock(&ring->zone->shpool->mutex);

    ngx_http_kairos_ring_wake(ring->zone, ring->shared, 0, ring->log);
    ngx_http_kairos_ring_read(ring, end);

    return NGX_OK;
}


/*
 * Whether a record of this size, as record_size() returned it, has room.
 */
static ngx_uint_t
ngx_http_kairos_ring_room(const ngx_http_kairos_ring_t *ring, size_t size)
{
    return size != 0
           && size <= ring->zone->sh->size / NGX_HTTP_KAIROS_RING_PART;
}


static ngx_int_t
ngx_http_kairos_ring_listen(ngx_http_kairos_ring_t *ring, int fd)
{
    ngx_int_t          event;
    ngx_connection_t  *c;

    c = ngx_get_connection(fd, ring->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = ring;
    c->log = ring->log;
    c->read->log = ring->log;
    c->write->log = ring->log;
    c->read->handler = ngx_http_kairos_ring_wake_handler;

    /* not a client: nginx does not wait for it when the worker ends */
    c->read->channel = 1;
    c->write->channel = 1;

    ring->connection = c;

    event = (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT
                                                    : NGX_LEVEL_EVENT;

    return ngx_add_event(c->read, NGX_READ_EVENT, event);
}


/*
 * Reads the records between this worker's position and until, and calls the
 * handler of each.
 */
static void
ngx_http_kairos_ring_read(ngx_http_kairos_ring_t *ring,
    ngx_atomic_uint_t until)
{
    ngx_uint_t                 kind;
    ngx_http_kairos_message_t  m;

    while (ring->position < until) {

        if (ngx_http_kairos_ring_next(ring, &kind, &m) != NGX_OK) {
            ngx_http_kairos_ring_overrun(ring);
            break;
        }

        if (ring->shared != NULL) {
            ring->shared->position = ring->position;
        }

        if (kind == NGX_HTTP_KAIROS_RECORD_BROADCAST) {
            ring->handlers->message(ring->hub, &m);

        } else {
            ngx_http_kairos_ring_notice(ring, kind, &m);
        }
    }
}


/*
 * Calls the handler of a record that is no broadcast, or counts the record if
 * this program does not know its kind.
 */
static void
ngx_http_kairos_ring_notice(ngx_http_kairos_ring_t *ring, ngx_uint_t kind,
    const ngx_http_kairos_message_t *m)
{
    ngx_http_kairos_record_died_t  died;

    if (kind != NGX_HTTP_KAIROS_RECORD_SLOT_DIED
        || m->payload.len != sizeof(ngx_http_kairos_record_died_t))
    {
        ring->slot->counters->unknown_records++;
        return;
    }

    ngx_memcpy(&died, m->payload.data, sizeof(ngx_http_kairos_record_died_t));

    ring->handlers->slot_died(ring->hub, (ngx_uint_t) died.slot,
                              (ngx_pid_t) died.pid);
}


/*
 * Copies the record at this worker's position, and moves the position past it.
 * NGX_OK; NGX_DECLINED: the record was overwritten; NGX_ERROR: the record
 * cannot be read (logged).
 */
static ngx_int_t
ngx_http_kairos_ring_next(ngx_http_kairos_ring_t *ring, ngx_uint_t *kind,
    ngx_http_kairos_message_t *m)
{
    size_t                     size;
    ngx_http_kairos_record_t  *rec;

    if (ngx_http_kairos_ring_copy(ring, sizeof(ngx_http_kairos_record_t))
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    rec = (ngx_http_kairos_record_t *) ring->buffer;
    size = rec->size;

    if (size < sizeof(ngx_http_kairos_record_t)
        || size > ring->zone->sh->size / NGX_HTTP_KAIROS_RING_PART)
    {
        ngx_log_error(NGX_LOG_ALERT, ring->log, 0,
                      "record of %uz bytes in kairos_zone \"%V\"",
                      size, &ring->zone->name);
        return NGX_ERROR;
    }

    if (ngx_http_kairos_ring_copy(ring, size) != NGX_OK) {
        return NGX_DECLINED;
    }

    ring->position += size;

    if (ngx_http_kairos_record_parse(ring->buffer, size, kind, m) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ring->log, 0,
                      "malformed record in kairos_zone \"%V\"",
                      &ring->zone->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Copies len bytes from this worker's position to the buffer.  NGX_DECLINED:
 * the bytes were overwritten, or there is no memory, which loses the message
 * as well.
 */
static ngx_int_t
ngx_http_kairos_ring_copy(ngx_http_kairos_ring_t *ring, size_t len)
{
    ngx_http_kairos_shared_t  *sh;

    sh = ring->zone->sh;

    if (len > ring->buffer_size) {

        if (ring->buffer != NULL) {
            ngx_free(ring->buffer);
        }

        ring->buffer_size = ngx_max(2 * len, 4096);
        ring->buffer = ngx_alloc(ring->buffer_size, ring->log);

        if (ring->buffer == NULL) {
            ring->buffer_size = 0;
            return NGX_DECLINED;
        }
    }

    ngx_http_kairos_record_copy(ring->buffer, sh->ring, sh->size,
                                ring->position, len);

    ngx_memory_barrier();

    return (sh->reserved - ring->position > sh->size) ? NGX_DECLINED : NGX_OK;
}


static void
ngx_http_kairos_ring_overrun(ngx_http_kairos_ring_t *ring)
{
    ngx_atomic_uint_t          head;
    ngx_http_kairos_shared_t  *sh;

    sh = ring->zone->sh;
    head = sh->head;

    ring->slot->counters->overruns++;

    ngx_log_error(NGX_LOG_WARN, ring->log, 0,
                  "this worker lost %uA bytes of messages in kairos_zone "
                  "\"%V\" of %uz bytes; its clients are told to join again, "
                  "a larger zone makes this rarer",
                  head - ring->position, &ring->zone->name, sh->size);

    ring->position = head;

    if (ring->shared != NULL) {
        ring->shared->position = head;
    }

    ring->handlers->overrun(ring->hub);
}
