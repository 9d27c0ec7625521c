#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_sha1.h>

#include "ngx_http_kairos_ring_write.h"
#include "ngx_http_kairos_slot.h"


/* seconds between two warnings of a full usage table */
#define NGX_HTTP_KAIROS_SLOT_WARN   60

/* milliseconds that writers wait for a worker that reads nothing */
#define NGX_HTTP_KAIROS_SLOT_STUCK  1000


static ngx_atomic_uint_t ngx_http_kairos_slot_slowest(
    const ngx_http_kairos_slot_t *slot);
static void ngx_http_kairos_slot_add(ngx_http_kairos_counters_t *sum,
    const ngx_http_kairos_counters_t *counters);
static ngx_uint_t ngx_http_kairos_slot_sweep_locked(
    ngx_http_kairos_zone_t *zone);
static void ngx_http_kairos_slot_bury_locked(ngx_http_kairos_zone_t *zone,
    const ngx_http_kairos_shared_slot_t *shared);
static void ngx_http_kairos_slot_free_locked(ngx_http_kairos_zone_t *zone,
    ngx_http_kairos_shared_slot_t *shared);
static ngx_uint_t ngx_http_kairos_slot_dead(ngx_pid_t pid);
static ngx_http_kairos_admission_e ngx_http_kairos_slot_full(
    ngx_http_kairos_slot_t *slot, const ngx_http_kairos_quota_t *quota,
    uint64_t address, uint64_t user);
static ngx_uint_t ngx_http_kairos_slot_sockets(
    const ngx_http_kairos_slot_t *slot);
static uint32_t ngx_http_kairos_slot_sit_locked(
    ngx_http_kairos_slot_t *slot, uint64_t key);
static ngx_uint_t ngx_http_kairos_slot_owner(
    const ngx_http_kairos_zone_t *zone,
    const ngx_http_kairos_shared_slot_t *shared);
static void ngx_http_kairos_slot_note(ngx_http_kairos_slot_t *slot,
    ngx_http_kairos_admission_e rc);
static void ngx_http_kairos_slot_no_room(ngx_http_kairos_slot_t *slot,
    ngx_log_t *log);


void
ngx_http_kairos_slot_open(ngx_http_kairos_slot_t *slot,
    ngx_http_kairos_zone_t *zone)
{
    ngx_uint_t                      i, n;
    ngx_http_kairos_shared_slot_t  *shared;
    ngx_http_kairos_shared_t       *sh;

    ngx_memzero(slot, sizeof(ngx_http_kairos_slot_t));

    slot->zone = zone;
    slot->counters = &slot->own;

    sh = zone->sh;

    /* without eventfds a slot is of no use */
    n = (zone->wakes != NULL) ? zone->wakes->n : 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    (void) ngx_http_kairos_slot_sweep_locked(zone);

    for (i = 0; i < n; i++) {
        shared = &sh->slots[i];

        if (shared->pid == 0) {
            shared->wake = 0;
            shared->position = sh->head;
            shared->pid = (ngx_atomic_uint_t) ngx_pid;

            slot->shared = shared;
            slot->counters = &shared->counters;
            break;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_http_kairos_slot_close(ngx_http_kairos_slot_t *slot)
{
    if (slot->shared == NULL) {
        return;
    }

    ngx_shmtx_lock(&slot->zone->shpool->mutex);

    ngx_http_kairos_slot_free_locked(slot->zone, slot->shared);

    ngx_shmtx_unlock(&slot->zone->shpool->mutex);

    slot->shared = NULL;
    slot->counters = &slot->own;
}


uint64_t
ngx_http_kairos_slot_key(const ngx_http_kairos_slot_t *slot,
    const char *kind, const ngx_str_t *text)
{
    u_char      digest[20];
    uint64_t    key;
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, &slot->zone->sh->instance, sizeof(uint64_t));
    ngx_sha1_update(&sha1, kind, ngx_strlen(kind) + 1);
    ngx_sha1_update(&sha1, text->data, text->len);
    ngx_sha1_final(digest, &sha1);

    ngx_memcpy(&key, digest, sizeof(uint64_t));

    return key ? key : 1;
}


ngx_http_kairos_admission_e
ngx_http_kairos_slot_admit(ngx_http_kairos_slot_t *slot,
    const ngx_http_kairos_quota_t *quota, uint64_t address, uint64_t user,
    ngx_http_kairos_reservation_t *reservation, ngx_log_t *log)
{
    ngx_uint_t                   swept;
    ngx_http_kairos_admission_e  rc;

    reservation->address = 0;
    reservation->user = 0;

    address = quota->per_address ? address : 0;
    user = quota->per_user ? user : 0;

    if (quota->connections == 0 && address == 0 && user == 0) {
        slot->counters->sockets++;
        slot->counters->opened++;
        return NGX_HTTP_KAIROS_ADMITTED;
    }

    ngx_shmtx_lock(&slot->zone->shpool->mutex);

    rc = ngx_http_kairos_slot_full(slot, quota, address, user);

    /* the master does not replace an old worker that was killed */

    swept = 0;

    if (rc != NGX_HTTP_KAIROS_ADMITTED) {
        swept = ngx_http_kairos_slot_sweep_locked(slot->zone);
    }

    if (swept) {
        rc = ngx_http_kairos_slot_full(slot, quota, address, user);
    }

    if (rc == NGX_HTTP_KAIROS_ADMITTED) {
        slot->counters->sockets++;

        reservation->address = ngx_http_kairos_slot_sit_locked(slot, address);
        reservation->user = ngx_http_kairos_slot_sit_locked(slot, user);
    }

    ngx_shmtx_unlock(&slot->zone->shpool->mutex);

    if (swept) {
        ngx_http_kairos_ring_wake(slot->zone, NULL, 0, log);
    }

    ngx_http_kairos_slot_note(slot, rc);

    if (rc == NGX_HTTP_KAIROS_ADMITTED && slot->shared != NULL
        && ((address && !reservation->address)
            || (user && !reservation->user)))
    {
        ngx_http_kairos_slot_no_room(slot, log);
    }

    return rc;
}


void
ngx_http_kairos_slot_leave(ngx_http_kairos_slot_t *slot,
    const ngx_http_kairos_reservation_t *reservation)
{
    ngx_http_kairos_usage_t  *usage;

    slot->counters->sockets--;

    if (reservation->address == 0 && reservation->user == 0) {
        return;
    }

    usage = &slot->zone->sh->usage;

    ngx_shmtx_lock(&slot->zone->shpool->mutex);

    if (reservation->address != 0) {
        ngx_http_kairos_usage_remove(usage, reservation->address);
    }

    if (reservation->user != 0) {
        ngx_http_kairos_usage_remove(usage, reservation->user);
    }

    ngx_shmtx_unlock(&slot->zone->shpool->mutex);
}


ngx_uint_t
ngx_http_kairos_slot_backlogged(ngx_http_kairos_slot_t *slot)
{
    ngx_atomic_uint_t  slowest;

    slowest = ngx_http_kairos_slot_slowest(slot);

    if (slot->zone->sh->head - slowest < slot->zone->sh->size / 2) {
        return 0;
    }

    if (slowest != slot->slowest || slot->stuck_since_msec == 0) {
        slot->slowest = slowest;
        slot->stuck_since_msec = ngx_current_msec;
    }

    return ngx_current_msec - slot->stuck_since_msec
           < NGX_HTTP_KAIROS_SLOT_STUCK;
}


/*
 * The least position of the other workers.  A worker that was overrun does not
 * count: waiting for it would save nothing.
 */
static ngx_atomic_uint_t
ngx_http_kairos_slot_slowest(const ngx_http_kairos_slot_t *slot)
{
    ngx_uint_t                      i;
    ngx_atomic_uint_t               head, behind, most;
    ngx_http_kairos_shared_slot_t  *shared;
    ngx_http_kairos_shared_t       *sh;

    sh = slot->zone->sh;
    head = sh->head;
    most = 0;

    for (i = 0; i < sh->nslots; i++) {
        shared = &sh->slots[i];

        if (shared->pid == 0 || shared == slot->shared) {
            continue;
        }

        /* more than there is if it reads on meanwhile */

        behind = head - shared->position;

        if (behind <= sh->size) {
            most = ngx_max(most, behind);
        }
    }

    return head - most;
}


void
ngx_http_kairos_slot_sum(ngx_http_kairos_slot_t *slot,
    ngx_http_kairos_counters_t *sum, ngx_log_t *log)
{
    ngx_uint_t               i, swept;
    ngx_http_kairos_zone_t  *zone;

    zone = slot->zone;
    *sum = slot->own;

    ngx_shmtx_lock(&zone->shpool->mutex);

    swept = ngx_http_kairos_slot_sweep_locked(zone);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (swept) {
        ngx_http_kairos_ring_wake(zone, NULL, 0, log);
    }

    for (i = 0; i < zone->sh->nslots; i++) {
        ngx_http_kairos_slot_add(sum, &zone->sh->slots[i].counters);
    }
}


static void
ngx_http_kairos_slot_add(ngx_http_kairos_counters_t *sum,
    const ngx_http_kairos_counters_t *counters)
{
    ngx_uint_t           i;
    ngx_atomic_t        *to;
    const ngx_atomic_t  *from;

    to = (ngx_atomic_t *) sum;
    from = (const ngx_atomic_t *) counters;

    for (i = 0;
         i < sizeof(ngx_http_kairos_counters_t) / sizeof(ngx_atomic_t);
         i++)
    {
        to[i] += from[i];
    }
}


/*
 * Frees the slots of dead workers, and appends a record of each to the ring
 * before, so that no record of the slot's next worker can precede it.  Returns
 * how many slots there were; if any, the caller wakes the readers.
 */
static ngx_uint_t
ngx_http_kairos_slot_sweep_locked(ngx_http_kairos_zone_t *zone)
{
    ngx_uint_t                      i, n;
    ngx_http_kairos_shared_slot_t  *shared;

    n = 0;

    for (i = 0; i < zone->sh->nslots; i++) {
        shared = &zone->sh->slots[i];

        if (shared->pid != 0
            && ngx_http_kairos_slot_dead((ngx_pid_t) shared->pid))
        {
            ngx_http_kairos_slot_bury_locked(zone, shared);
            ngx_http_kairos_slot_free_locked(zone, shared);
            n++;
        }
    }

    return n;
}


static void
ngx_http_kairos_slot_bury_locked(ngx_http_kairos_zone_t *zone,
    const ngx_http_kairos_shared_slot_t *shared)
{
    ngx_http_kairos_message_t      m;
    ngx_http_kairos_record_died_t  died;

    died.slot = shared - zone->sh->slots;
    died.pid = shared->pid;

    ngx_memzero(&m, sizeof(ngx_http_kairos_message_t));

    m.payload.data = (u_char *) &died;
    m.payload.len = sizeof(ngx_http_kairos_record_died_t);
    m.binary = 1;

    (void) ngx_http_kairos_ring_append_locked(zone,
                                         NGX_HTTP_KAIROS_RECORD_SLOT_DIED, &m,
                                         ngx_http_kairos_record_size(&m));
}


/*
 * Frees the slot.  The counts of past events stay, the counts of open sockets,
 * channels and feeds become 0.
 */
static void
ngx_http_kairos_slot_free_locked(ngx_http_kairos_zone_t *zone,
    ngx_http_kairos_shared_slot_t *shared)
{
    shared->counters.sockets = 0;
    shared->counters.channels = 0;
    shared->counters.feeds = 0;

    ngx_http_kairos_usage_forget(&zone->sh->usage,
                                 ngx_http_kairos_slot_owner(zone, shared));

    ngx_memory_barrier();

    shared->pid = 0;
}


static ngx_uint_t
ngx_http_kairos_slot_dead(ngx_pid_t pid)
{
    return kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}


static ngx_http_kairos_admission_e
ngx_http_kairos_slot_full(ngx_http_kairos_slot_t *slot,
    const ngx_http_kairos_quota_t *quota, uint64_t address, uint64_t user)
{
    ngx_http_kairos_usage_t  *usage;

    usage = &slot->zone->sh->usage;

    if (quota->connections != 0
        && ngx_http_kairos_slot_sockets(slot) >= quota->connections)
    {
        return NGX_HTTP_KAIROS_FULL;
    }

    if (address != 0
        && ngx_http_kairos_usage_count(usage, address) >= quota->per_address)
    {
        return NGX_HTTP_KAIROS_FULL_ADDRESS;
    }

    if (user != 0
        && ngx_http_kairos_usage_count(usage, user) >= quota->per_user)
    {
        return NGX_HTTP_KAIROS_FULL_USER;
    }

    return NGX_HTTP_KAIROS_ADMITTED;
}


static ngx_uint_t
ngx_http_kairos_slot_sockets(const ngx_http_kairos_slot_t *slot)
{
    ngx_uint_t                 i, n;
    ngx_http_kairos_shared_t  *sh;

    sh = slot->zone->sh;
    n = slot->own.sockets;

    for (i = 0; i < sh->nslots; i++) {
        n += sh->slots[i].counters.sockets;
    }

    return n;
}


/*
 * Counts the key, if it is one.  Returns the cell's number, or 0.
 */
static uint32_t
ngx_http_kairos_slot_sit_locked(ngx_http_kairos_slot_t *slot, uint64_t key)
{
    if (key == 0 || slot->shared == NULL) {
        return 0;
    }

    return ngx_http_kairos_usage_add(&slot->zone->sh->usage, key,
                         ngx_http_kairos_slot_owner(slot->zone,
                                                    slot->shared));
}


static ngx_uint_t
ngx_http_kairos_slot_owner(const ngx_http_kairos_zone_t *zone,
    const ngx_http_kairos_shared_slot_t *shared)
{
    return shared - zone->sh->slots + 1;
}


static void
ngx_http_kairos_slot_note(ngx_http_kairos_slot_t *slot,
    ngx_http_kairos_admission_e rc)
{
    switch (rc) {

    case NGX_HTTP_KAIROS_ADMITTED:
        slot->counters->opened++;
        break;

    case NGX_HTTP_KAIROS_FULL:
        slot->counters->refused_connections++;
        break;

    case NGX_HTTP_KAIROS_FULL_ADDRESS:
        slot->counters->refused_address++;
        break;

    default: /* NGX_HTTP_KAIROS_FULL_USER */
        slot->counters->refused_user++;
        break;
    }
}


/*
 * A client that fills the usage table shall neither shut others out nor fill
 * the log.
 */
static void
ngx_http_kairos_slot_no_room(ngx_http_kairos_slot_t *slot, ngx_log_t *log)
{
    slot->counters->uncounted++;

    if (ngx_time() - slot->warned_sec < NGX_HTTP_KAIROS_SLOT_WARN) {
        return;
    }

    slot->warned_sec = ngx_time();

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "kairos_zone \"%V\" has no room to count another address "
                  "or user for kairos_max_per_address or kairos_max_per_user, "
                  "who is let in uncounted; a larger zone has more",
                  &slot->zone->name);
}
