/*
 * A worker's slot in a zone: what the worker counts there, and whether the
 * zone has room for another socket.
 */

#ifndef _NGX_HTTP_KAIROS_SLOT_H_INCLUDED_
#define _NGX_HTTP_KAIROS_SLOT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_shm.h"


typedef struct {
    ngx_http_kairos_zone_t         *zone;
    ngx_http_kairos_shared_slot_t  *shared;      /* NULL: none was free */
    ngx_http_kairos_counters_t     *counters;    /* shared->counters, or own */
    ngx_http_kairos_counters_t      own;
    time_t                          warned_sec;  /* of a full usage table */
    ngx_atomic_uint_t               slowest;     /* see _slot_backlogged() */
    ngx_msec_t                      stuck_since_msec;
} ngx_http_kairos_slot_t;


/* how many sockets a location's directives allow; 0: any number */
typedef struct {
    ngx_uint_t                   connections;    /* of the zone */
    ngx_uint_t                   per_address;
    ngx_uint_t                   per_user;
} ngx_http_kairos_quota_t;


/* a socket's cells of the zone's usage table: their numbers, 0: none */
typedef struct {
    uint32_t                     address;
    uint32_t                     user;
} ngx_http_kairos_reservation_t;


typedef enum {
    NGX_HTTP_KAIROS_ADMITTED = 0,
    NGX_HTTP_KAIROS_FULL,              /* by quota->connections */
    NGX_HTTP_KAIROS_FULL_ADDRESS,
    NGX_HTTP_KAIROS_FULL_USER
} ngx_http_kairos_admission_e;


/*
 * For init_process: takes a slot that is free, or whose worker was killed; the
 * ring that is opened next wakes the others.
 * A worker that finds none counts for itself alone: its sockets are seen by
 * no other worker, as one that is killed could not be taken back.
 */
void ngx_http_kairos_slot_open(ngx_http_kairos_slot_t *slot,
    ngx_http_kairos_zone_t *zone);

/* For exit_process: gives the slot back, with all that was admitted. */
void ngx_http_kairos_slot_close(ngx_http_kairos_slot_t *slot);

/*
 * A number for the text, never 0.  The number depends on the zone's random
 * instance, so a client cannot choose it.  kind separates addresses from
 * users.
 */
uint64_t ngx_http_kairos_slot_key(const ngx_http_kairos_slot_t *slot,
    const char *kind, const ngx_str_t *text);

/*
 * Counts a socket with this address and user (0: not known, no limit) if the
 * quota leaves room, and fills the reservation; else returns which part of the
 * quota leaves none, and counts that.  Two workers never both get the last
 * place of a quota.
 */
ngx_http_kairos_admission_e ngx_http_kairos_slot_admit(
    ngx_http_kairos_slot_t *slot, const ngx_http_kairos_quota_t *quota,
    uint64_t address, uint64_t user,
    ngx_http_kairos_reservation_t *reservation, ngx_log_t *log);

/* The end of an admitted socket. */
void ngx_http_kairos_slot_leave(ngx_http_kairos_slot_t *slot,
    const ngx_http_kairos_reservation_t *reservation);

/*
 * Whether another worker still has half of the ring to read, so that a client
 * that publishes should wait.  A worker that has read nothing for a second
 * does not count: it will be overrun.
 */
ngx_uint_t ngx_http_kairos_slot_backlogged(ngx_http_kairos_slot_t *slot);

/*
 * The sum over all workers, also those that ended or were killed.  The workers
 * go on counting in the meantime, so the numbers are not of one instant.  The
 * sum lacks the counts of other workers that have no slot.
 */
void ngx_http_kairos_slot_sum(ngx_http_kairos_slot_t *slot,
    ngx_http_kairos_counters_t *sum, ngx_log_t *log);


#endif /* _NGX_HTTP_KAIROS_SLOT_H_INCLUDED_ */
