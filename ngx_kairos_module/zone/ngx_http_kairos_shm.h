/*
 * A kairos_zone: what the workers share, and its birth.
 */

#ifndef _NGX_HTTP_KAIROS_SHM_H_INCLUDED_
#define _NGX_HTTP_KAIROS_SHM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_usage.h"


#if (NGX_PTR_SIZE < 8)
#error kairos counts positions in machine words: 64-bit platforms only
#endif


#define NGX_HTTP_KAIROS_MIN_PAGES  8
#define NGX_HTTP_KAIROS_MIN_SLOTS  32


/*
 * One worker's counters.  The worker alone writes them, by plain additions;
 * every worker may read them.  The first three are what the worker has now,
 * and are set to 0 when it ends.  The others only grow, from the zone's birth
 * on: the slot keeps them for its next worker.  All members are of one type,
 * see ngx_http_kairos_slot_sum().
 */
typedef struct {
    ngx_atomic_t     sockets;     /* from the upgrade on */
    ngx_atomic_t     channels;    /* that they joined */
    ngx_atomic_t     feeds;       /* that are up */

    ngx_atomic_t     opened;      /* sockets that were admitted */

    /* refusals, by directive */
    ngx_atomic_t     refused_connections;   /* kairos_max_connections */
    ngx_atomic_t     refused_address;       /* kairos_max_per_address */
    ngx_atomic_t     refused_user;          /* kairos_max_per_user */
    ngx_atomic_t     refused_channels;      /* kairos_max_channels */
    ngx_atomic_t     refused_pending;       /* kairos_max_pending */

    ngx_atomic_t     uncounted;   /* admitted, as the usage table was
                                     full */
    ngx_atomic_t     paused;      /* times that kairos_message_rate held up
                                     a socket */
    ngx_atomic_t     held;        /* times that another worker did */

    /* sockets that were closed, and why */
    ngx_atomic_t     slow;        /* kairos_queue_size */
    ngx_atomic_t     too_large;   /* kairos_message_size */
    ngx_atomic_t     idle;        /* kairos_idle_timeout */
    ngx_atomic_t     failed;      /* no memory */

    ngx_atomic_t     lost_feeds;  /* feeds that were up and ended */
    ngx_atomic_t     resets;      /* members of routes told to join again */
    ngx_atomic_t     overruns;    /* times that the worker lost messages of
                                     the ring */

    ngx_atomic_t     messages_in;   /* whole messages of clients */
    ngx_atomic_t     messages_out;  /* frames that the kernel or TLS took
                                       whole, of all kinds */
    ngx_atomic_t     bytes_in;      /* after the upgrade, without TLS */
    ngx_atomic_t     bytes_out;

    ngx_atomic_t     unanswered;    /* messages that were refused, and had no
                                       ref to answer */
    ngx_atomic_t     unknown_records;   /* of a kind that the reader does not
                                           know, passed over */
} ngx_http_kairos_counters_t;


/*
 * The part of a worker that others read: its slot in the zone, aligned so that
 * no two slots share a cache line.  ngx_http_kairos_slot_t is the worker's
 * own view of it.
 */
typedef struct {
    ngx_atomic_t     pid;         /* 0: free */
    ngx_atomic_t     wake;        /* its eventfd was written to, or will be */
    ngx_atomic_t     position;    /* of the ring, read so far */
    ngx_atomic_t     unused[5];

    ngx_http_kairos_counters_t  counters;
} ngx_http_kairos_shared_slot_t;


/* in shared memory; all workers have it at the same address */
typedef struct {
    uint64_t                 instance;   /* random, of this birth */
    u_char                  *ring;
    size_t                   size;       /* of the ring */
    ngx_uint_t               nslots;

    ngx_atomic_t             reserved;   /* bytes before it may be garbage */
    ngx_atomic_t             head;       /* bytes before it are whole */

    ngx_atomic_t             published;  /* messages, from its birth on */

    ngx_http_kairos_usage_t  usage;
    ngx_atomic_t             unused[7];

    ngx_http_kairos_shared_slot_t  slots[1];
} ngx_http_kairos_shared_t;


/*
 * The slots' eventfds: made once, by the master, and passed on to the zone
 * of the next configuration, so that all generations of workers have them.
 */
typedef struct {
    ngx_uint_t       refs;        /* configurations that hold them */
    ngx_uint_t       n;
    int              fd[1];
} ngx_http_kairos_wakes_t;


/* shm_zone->data: this configuration's view of the zone */
typedef struct {
    ngx_str_t                  name;
    ngx_uint_t                 index;    /* in the main configuration */
    ngx_cycle_t               *cycle;
    ngx_shm_zone_t            *shm_zone;
    ngx_slab_pool_t           *shpool;
    ngx_http_kairos_shared_t  *sh;
    ngx_http_kairos_wakes_t   *wakes;
} ngx_http_kairos_zone_t;


/*
 * shm_zone->init of a zone whose data is a ngx_http_kairos_zone_t with name
 * and cycle set.  NGX_ERROR: logged, the configuration cannot be used.
 */
ngx_int_t ngx_http_kairos_shm_init(ngx_shm_zone_t *shm_zone, void *data);


#endif /* _NGX_HTTP_KAIROS_SHM_H_INCLUDED_ */
