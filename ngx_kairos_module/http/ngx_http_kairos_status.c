#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_conf.h"
#include "ngx_http_kairos_http.h"
#include "ngx_http_kairos_json.h"
#include "ngx_http_kairos_status.h"


typedef struct {
    const char    *name;
    size_t         offset;
} ngx_http_kairos_status_counter_t;


/*
 * bytes of the answer for one worker, one counter, and all else but the zone's
 * name; a name takes less than 40 bytes, a number at most 20
 */
#define NGX_HTTP_KAIROS_STATUS_WORKER   160
#define NGX_HTTP_KAIROS_STATUS_COUNTER  64
#define NGX_HTTP_KAIROS_STATUS_ZONE     160


#define ngx_http_kairos_status_counter(name)                                 \
    { #name, offsetof(ngx_http_kairos_counters_t, name) }


static size_t ngx_http_kairos_status_size(
    const ngx_http_kairos_zone_t *zone);
static u_char *ngx_http_kairos_status_zone(u_char *p,
    const ngx_http_kairos_zone_t *zone);
static u_char *ngx_http_kairos_status_counters(u_char *p,
    const ngx_http_kairos_counters_t *sum);
static u_char *ngx_http_kairos_status_workers(u_char *p,
    const ngx_http_kairos_zone_t *zone);


/* in the order in which docs/directives.md explains them */
static const ngx_http_kairos_status_counter_t
    ngx_http_kairos_status_names[] =
{
    ngx_http_kairos_status_counter(sockets),
    ngx_http_kairos_status_counter(channels),
    ngx_http_kairos_status_counter(feeds),
    ngx_http_kairos_status_counter(opened),
    ngx_http_kairos_status_counter(refused_connections),
    ngx_http_kairos_status_counter(refused_address),
    ngx_http_kairos_status_counter(refused_user),
    ngx_http_kairos_status_counter(refused_channels),
    ngx_http_kairos_status_counter(refused_pending),
    ngx_http_kairos_status_counter(unanswered),
    ngx_http_kairos_status_counter(uncounted),
    ngx_http_kairos_status_counter(paused),
    ngx_http_kairos_status_counter(held),
    ngx_http_kairos_status_counter(slow),
    ngx_http_kairos_status_counter(too_large),
    ngx_http_kairos_status_counter(idle),
    ngx_http_kairos_status_counter(failed),
    ngx_http_kairos_status_counter(lost_feeds),
    ngx_http_kairos_status_counter(resets),
    ngx_http_kairos_status_counter(overruns),
    ngx_http_kairos_status_counter(unknown_records),
    ngx_http_kairos_status_counter(messages_in),
    ngx_http_kairos_status_counter(messages_out),
    ngx_http_kairos_status_counter(bytes_in),
    ngx_http_kairos_status_counter(bytes_out),
    { NULL, 0 }
};


ngx_int_t
ngx_http_kairos_status(ngx_http_request_t *r)
{
    u_char                       *p;
    ngx_str_t                     body;
    ngx_http_kairos_zone_t       *zone;
    ngx_http_kairos_loc_conf_t   *klcf;
    ngx_http_kairos_counters_t    sum;
    ngx_http_kairos_main_conf_t  *kmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);
    kmcf = ngx_http_get_module_main_conf(r, ngx_http_kairos_module);

    zone = klcf->status->data;

    body.data = ngx_pnalloc(r->pool, ngx_http_kairos_status_size(zone));
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_kairos_slot_sum(&kmcf->hubs[zone->index].slot, &sum,
                             r->connection->log);

    p = ngx_http_kairos_status_zone(body.data, zone);
    p = ngx_http_kairos_status_counters(p, &sum);
    p = ngx_http_kairos_status_workers(p, zone);

    body.len = p - body.data;

    return ngx_http_kairos_http_json(r, NGX_HTTP_OK, &body);
}


/*
 * An upper bound of the answer's size, in bytes.
 */
static size_t
ngx_http_kairos_status_size(const ngx_http_kairos_zone_t *zone)
{
    return ngx_http_kairos_json_string_size(&zone->name)
           + NGX_HTTP_KAIROS_STATUS_ZONE
           + sizeof(ngx_http_kairos_status_names)
             / sizeof(ngx_http_kairos_status_counter_t)
             * NGX_HTTP_KAIROS_STATUS_COUNTER
           + zone->sh->nslots * NGX_HTTP_KAIROS_STATUS_WORKER;
}


static u_char *
ngx_http_kairos_status_zone(u_char *p, const ngx_http_kairos_zone_t *zone)
{
    p = ngx_cpymem(p, "{\"zone\":", sizeof("{\"zone\":") - 1);
    p = ngx_http_kairos_json_string(p, &zone->name);

    return ngx_sprintf(p, ",\"ring_size\":%uz,\"published\":%uA",
                       zone->sh->size, zone->sh->published);
}


static u_char *
ngx_http_kairos_status_counters(u_char *p,
    const ngx_http_kairos_counters_t *sum)
{
    ngx_atomic_uint_t                        value;
    const ngx_http_kairos_status_counter_t  *counter;

    for (counter = ngx_http_kairos_status_names; counter->name; counter++) {
        value = *(const ngx_atomic_t *) ((const u_char *) sum
                                         + counter->offset);
        p = ngx_sprintf(p, ",\"%s\":%uA", counter->name, value);
    }

    return p;
}


/*
 * The workers that have a slot in the zone, and how many bytes of the ring
 * each has not read yet.
 */
static u_char *
ngx_http_kairos_status_workers(u_char *p, const ngx_http_kairos_zone_t *zone)
{
    const char                     *comma;
    ngx_uint_t                      i;
    ngx_atomic_uint_t               behind;
    ngx_http_kairos_shared_slot_t  *shared;
    ngx_http_kairos_shared_t       *sh;

    sh = zone->sh;
    comma = "";

    p = ngx_cpymem(p, ",\"workers\":[", sizeof(",\"workers\":[") - 1);

    for (i = 0; i < sh->nslots; i++) {
        shared = &sh->slots[i];

        if (shared->pid == 0) {
            continue;
        }

        /* the position first: it does not pass the head that is read after */

        behind = shared->position;
        ngx_memory_barrier();
        behind = sh->head - behind;

        p = ngx_sprintf(p, "%s{\"pid\":%uA,\"sockets\":%uA,\"channels\":%uA,"
                        "\"feeds\":%uA,\"behind\":%uA}", comma, shared->pid,
                        shared->counters.sockets, shared->counters.channels,
                        shared->counters.feeds, behind);
        comma = ",";
    }

    return ngx_cpymem(p, "]}\n", sizeof("]}\n") - 1);
}
