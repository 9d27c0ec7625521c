#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_sha1.h>

#include "ngx_http_kairos_slot.h"


/* seconds between two complaints of a tally without room */
#define NGX_HTTP_KAIROS_PLACE_WARN   60

/* milliseconds that writers wait for a worker that reads nothing */
#define NGX_HTTP_KAIROS_PLACE_STUCK  1000


static ngx_atomic_uint_t ngx_http_kairos_place_slowest(
    const ngx_http_kairos_place_t *place);
static void ngx_http_kairos_place_add(ngx_http_kairos_counters_t *sum,
    const ngx_http_kairos_counters_t *counters);
static ngx_uint_t ngx_http_kairos_place_sweep_locked(
    ngx_http_kairos_zone_t *zone);
static void ngx_http_kairos_place_free_locked(ngx_http_kairos_zone_t *zone,
    ngx_http_kairos_slot_t *slot);
static ngx_uint_t ngx_http_kairos_place_dead(ngx_pid_t pid);
static ngx_http_kairos_admission_e ngx_http_kairos_place_full(
    ngx_http_kairos_place_t *place, const ngx_http_kairos_quota_t *quota,
    uint64_t address, uint64_t user);
static ngx_uint_t ngx_http_kairos_place_sockets(
    const ngx_http_kairos_place_t *place);
static uint32_t ngx_http_kairos_place_sit_locked(
    ngx_http_kairos_place_t *place, uint64_t key);
static ngx_uint_t ngx_http_kairos_place_owner(
    const ngx_http_kairos_zone_t *zone, const ngx_http_kairos_slot_t *slot);
static void ngx_http_kairos_place_note(ngx_http_kairos_place_t *place,
    ngx_http_kairos_admission_e rc);
static void ngx_http_kairos_place_no_room(ngx_http_kairos_place_t *place,
    ngx_log_t *log);


void
ngx_http_kairos_place_open(ngx_http_kairos_place_t *place,
    ngx_http_kairos_zone_t *zone)
{
    ngx_uint_t                 i, n;
    ngx_http_kairos_slot_t    *slot;
    ngx_http_kairos_shared_t  *sh;

    ngx_memzero(place, sizeof(ngx_http_kairos_place_t));

    place->zone = zone;
    place->counters = &place->own;

    sh = zone->sh;

    /* without eventfds a slot is of no use */
    n = (zone->wakes != NULL) ? zone->wakes->n : 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    (void) ngx_http_kairos_place_sweep_locked(zone);

    for (i = 0; i < n; i++) {
        slot = &sh->slots[i];

        if (slot->pid == 0) {
            slot->wake = 0;
            slot->position = sh->head;
            slot->pid = (ngx_atomic_uint_t) ngx_pid;

            place->slot = slot;
            place->counters = &slot->counters;
            break;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_http_kairos_place_close(ngx_http_kairos_place_t *place)
{
    if (place->slot == NULL) {
        return;
    }

    ngx_shmtx_lock(&place->zone->shpool->mutex);

    ngx_http_kairos_place_free_locked(place->zone, place->slot);

    ngx_shmtx_unlock(&place->zone->shpool->mutex);

    place->slot = NULL;
    place->counters = &place->own;
}


uint64_t
ngx_http_kairos_place_key(const ngx_http_kairos_place_t *place,
    const char *kind, const ngx_str_t *text)
{
    u_char      digest[20];
    uint64_t    key;
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, &place->zone->sh->instance, sizeof(uint64_t));
    ngx_sha1_update(&sha1, kind, ngx_strlen(kind) + 1);
    ngx_sha1_update(&sha1, text->data, text->len);
    ngx_sha1_final(digest, &sha1);

    ngx_memcpy(&key, digest, sizeof(uint64_t));

    return key ? key : 1;
}


ngx_http_kairos_admission_e
ngx_http_kairos_place_admit(ngx_http_kairos_place_t *place,
    const ngx_http_kairos_quota_t *quota, uint64_t address, uint64_t user,
    ngx_http_kairos_seat_t *seat, ngx_log_t *log)
{
    ngx_http_kairos_admission_e  rc;

    seat->address = 0;
    seat->user = 0;

    address = quota->per_address ? address : 0;
    user = quota->per_user ? user : 0;

    if (quota->connections == 0 && address == 0 && user == 0) {
        place->counters->sockets++;
        place->counters->opened++;
        return NGX_HTTP_KAIROS_ADMITTED;
    }

    ngx_shmtx_lock(&place->zone->shpool->mutex);

    rc = ngx_http_kairos_place_full(place, quota, address, user);

    /* the master does not replace an old worker that was killed */

    if (rc != NGX_HTTP_KAIROS_ADMITTED
        && ngx_http_kairos_place_sweep_locked(place->zone))
    {
        rc = ngx_http_kairos_place_full(place, quota, address, user);
    }

    if (rc == NGX_HTTP_KAIROS_ADMITTED) {
        place->counters->sockets++;

        seat->address = ngx_http_kairos_place_sit_locked(place, address);
        seat->user = ngx_http_kairos_place_sit_locked(place, user);
    }

    ngx_shmtx_unlock(&place->zone->shpool->mutex);

    ngx_http_kairos_place_note(place, rc);

    if (rc == NGX_HTTP_KAIROS_ADMITTED && place->slot != NULL
        && ((address && !seat->address) || (user && !seat->user)))
    {
        ngx_http_kairos_place_no_room(place, log);
    }

    return rc;
}


void
ngx_http_kairos_place_leave(ngx_http_kairos_place_t *place,
    const ngx_http_kairos_seat_t *seat)
{
    ngx_http_kairos_tally_t  *tally;

    place->counters->sockets--;

    if (seat->address == 0 && seat->user == 0) {
        return;
    }

    tally = &place->zone->sh->tally;

    ngx_shmtx_lock(&place->zone->shpool->mutex);

    if (seat->address != 0) {
        ngx_http_kairos_tally_remove(tally, seat->address);
    }

    if (seat->user != 0) {
        ngx_http_kairos_tally_remove(tally, seat->user);
    }

    ngx_shmtx_unlock(&place->zone->shpool->mutex);
}


ngx_uint_t
ngx_http_kairos_place_crowded(ngx_http_kairos_place_t *place)
{
    ngx_atomic_uint_t  slowest;

    slowest = ngx_http_kairos_place_slowest(place);

    if (place->zone->sh->head - slowest < place->zone->sh->size / 2) {
        return 0;
    }

    if (slowest != place->slowest || place->since == 0) {
        place->slowest = slowest;
        place->since = ngx_current_msec;
    }

    return ngx_current_msec - place->since < NGX_HTTP_KAIROS_PLACE_STUCK;
}


/*
 * The least position of the other workers; who was overrun has lost already
 * what it could be waited for.
 */
static ngx_atomic_uint_t
ngx_http_kairos_place_slowest(const ngx_http_kairos_place_t *place)
{
    ngx_uint_t                 i;
    ngx_atomic_uint_t          head, behind, most;
    ngx_http_kairos_slot_t    *slot;
    ngx_http_kairos_shared_t  *sh;

    sh = place->zone->sh;
    head = sh->head;
    most = 0;

    for (i = 0; i < sh->nslots; i++) {
        slot = &sh->slots[i];

        if (slot->pid == 0 || slot == place->slot) {
            continue;
        }

        /* more than there is if it reads on meanwhile */

        behind = head - slot->position;

        if (behind <= sh->size) {
            most = ngx_max(most, behind);
        }
    }

    return head - most;
}


void
ngx_http_kairos_place_sum(ngx_http_kairos_place_t *place,
    ngx_http_kairos_counters_t *sum)
{
    ngx_uint_t               i;
    ngx_http_kairos_zone_t  *zone;

    zone = place->zone;
    *sum = place->own;

    ngx_shmtx_lock(&zone->shpool->mutex);

    (void) ngx_http_kairos_place_sweep_locked(zone);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    for (i = 0; i < zone->sh->nslots; i++) {
        ngx_http_kairos_place_add(sum, &zone->sh->slots[i].counters);
    }
}


static void
ngx_http_kairos_place_add(ngx_http_kairos_counters_t *sum,
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
 * Frees the slots of dead workers.  Returns how many there were.
 */
static ngx_uint_t
ngx_http_kairos_place_sweep_locked(ngx_http_kairos_zone_t *zone)
{
    ngx_uint_t               i, n;
    ngx_http_kairos_slot_t  *slot;

    n = 0;

    for (i = 0; i < zone->sh->nslots; i++) {
        slot = &zone->sh->slots[i];

        if (slot->pid != 0
            && ngx_http_kairos_place_dead((ngx_pid_t) slot->pid))
        {
            ngx_http_kairos_place_free_locked(zone, slot);
            n++;
        }
    }

    return n;
}


/*
 * What happened stays counted; what is there no more does not.
 */
static void
ngx_http_kairos_place_free_locked(ngx_http_kairos_zone_t *zone,
    ngx_http_kairos_slot_t *slot)
{
    slot->counters.sockets = 0;
    slot->counters.channels = 0;
    slot->counters.feeds = 0;

    ngx_http_kairos_tally_forget(&zone->sh->tally,
                                 ngx_http_kairos_place_owner(zone, slot));

    ngx_memory_barrier();

    slot->pid = 0;
}


static ngx_uint_t
ngx_http_kairos_place_dead(ngx_pid_t pid)
{
    return kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}


static ngx_http_kairos_admission_e
ngx_http_kairos_place_full(ngx_http_kairos_place_t *place,
    const ngx_http_kairos_quota_t *quota, uint64_t address, uint64_t user)
{
    ngx_http_kairos_tally_t  *tally;

    tally = &place->zone->sh->tally;

    if (quota->connections != 0
        && ngx_http_kairos_place_sockets(place) >= quota->connections)
    {
        return NGX_HTTP_KAIROS_FULL;
    }

    if (address != 0
        && ngx_http_kairos_tally_count(tally, address) >= quota->per_address)
    {
        return NGX_HTTP_KAIROS_FULL_ADDRESS;
    }

    if (user != 0
        && ngx_http_kairos_tally_count(tally, user) >= quota->per_user)
    {
        return NGX_HTTP_KAIROS_FULL_USER;
    }

    return NGX_HTTP_KAIROS_ADMITTED;
}


static ngx_uint_t
ngx_http_kairos_place_sockets(const ngx_http_kairos_place_t *place)
{
    ngx_uint_t                 i, n;
    ngx_http_kairos_shared_t  *sh;

    sh = place->zone->sh;
    n = place->own.sockets;

    for (i = 0; i < sh->nslots; i++) {
        n += sh->slots[i].counters.sockets;
    }

    return n;
}


/*
 * Counts the key, if it is one.  Returns the cell's number, or 0.
 */
static uint32_t
ngx_http_kairos_place_sit_locked(ngx_http_kairos_place_t *place, uint64_t key)
{
    if (key == 0 || place->slot == NULL) {
        return 0;
    }

    return ngx_http_kairos_tally_add(&place->zone->sh->tally, key,
                         ngx_http_kairos_place_owner(place->zone,
                                                     place->slot));
}


static ngx_uint_t
ngx_http_kairos_place_owner(const ngx_http_kairos_zone_t *zone,
    const ngx_http_kairos_slot_t *slot)
{
    return slot - zone->sh->slots + 1;
}


static void
ngx_http_kairos_place_note(ngx_http_kairos_place_t *place,
    ngx_http_kairos_admission_e rc)
{
    switch (rc) {

    case NGX_HTTP_KAIROS_ADMITTED:
        place->counters->opened++;
        break;

    case NGX_HTTP_KAIROS_FULL:
        place->counters->refused_connections++;
        break;

    case NGX_HTTP_KAIROS_FULL_ADDRESS:
        place->counters->refused_address++;
        break;

    default: /* NGX_HTTP_KAIROS_FULL_USER */
        place->counters->refused_user++;
        break;
    }
}


/*
 * Who fills the tally shall neither keep others out nor fill the log.
 */
static void
ngx_http_kairos_place_no_room(ngx_http_kairos_place_t *place, ngx_log_t *log)
{
    place->counters->uncounted++;

    if (ngx_time() - place->warned < NGX_HTTP_KAIROS_PLACE_WARN) {
        return;
    }

    place->warned = ngx_time();

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "kairos_zone \"%V\" has no room to count another address "
                  "or user for kairos_max_per_address or kairos_max_per_user, "
                  "who is let in uncounted; a larger zone has more",
                  &place->zone->name);
}
