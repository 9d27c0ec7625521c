#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_shm.h"

/* a platform that has neither (macOS, NetBSD < 10) cannot build kairos */
#include <sys/eventfd.h>
#include <sys/random.h>


/* the part of a zone that counts addresses and users */
#define NGX_HTTP_KAIROS_USAGE_PART  16


static ngx_int_t ngx_http_kairos_shm_wakes(ngx_http_kairos_zone_t *zone,
    ngx_log_t *log);
static ngx_int_t ngx_http_kairos_shm_build(ngx_http_kairos_zone_t *zone,
    ngx_log_t *log);
static ngx_http_kairos_shared_t *ngx_http_kairos_shm_parts(
    ngx_http_kairos_zone_t *zone, ngx_uint_t nslots);
static ngx_int_t ngx_http_kairos_shm_usage(ngx_http_kairos_zone_t *zone,
    ngx_http_kairos_usage_t *usage);
static ngx_uint_t ngx_http_kairos_shm_nslots(ngx_http_kairos_zone_t *zone);
static ngx_int_t ngx_http_kairos_shm_hold(ngx_http_kairos_zone_t *zone,
    ngx_http_kairos_wakes_t *wakes);
static void ngx_http_kairos_shm_release(void *data);


ngx_int_t
ngx_http_kairos_shm_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_kairos_zone_t  *ozone = data;

    ngx_http_kairos_zone_t  *zone;

    zone = shm_zone->data;
    zone->shm_zone = shm_zone;
    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (ozone != NULL) {
        zone->sh = ozone->sh;
        return ngx_http_kairos_shm_hold(zone, ozone->wakes);
    }

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;

    } else if (ngx_http_kairos_shm_build(zone, shm_zone->shm.log) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_kairos_shm_wakes(zone, shm_zone->shm.log);
}


/*
 * Made when the zone is made, because nginx can still refuse the reload then;
 * a failure later would end the master.
 */
static ngx_int_t
ngx_http_kairos_shm_wakes(ngx_http_kairos_zone_t *zone, ngx_log_t *log)
{
    ngx_uint_t                i, n;
    ngx_http_kairos_wakes_t  *wakes;

    n = zone->sh->nslots;

    wakes = ngx_alloc(sizeof(ngx_http_kairos_wakes_t) + n * sizeof(int), log);
    if (wakes == NULL) {
        return NGX_ERROR;
    }

    wakes->refs = 0;
    wakes->n = n;

    for (i = 0; i < n; i++) {
        wakes->fd[i] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (wakes->fd[i] == -1) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          "eventfd() failed for kairos_zone \"%V\", which "
                          "takes %ui of them", &zone->name, n);
            goto failed;
        }
    }

    if (ngx_http_kairos_shm_hold(zone, wakes) != NGX_OK) {
        goto failed;
    }

    return NGX_OK;

failed:

    while (i--) {
        (void) close(wakes->fd[i]);
    }

    ngx_free(wakes);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_kairos_shm_build(ngx_http_kairos_zone_t *zone, ngx_log_t *log)
{
    size_t                     len;
    ngx_uint_t                 nslots;
    ngx_slab_pool_t           *shpool;
    ngx_http_kairos_shared_t  *sh;

    shpool = zone->shpool;
    nslots = ngx_http_kairos_shm_nslots(zone);

    len = sizeof(" in kairos_zone \"\"") + zone->name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(shpool->log_ctx, " in kairos_zone \"%V\"%Z", &zone->name);

    sh = ngx_http_kairos_shm_parts(zone, nslots);
    if (sh == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "kairos_zone \"%V\" is too small for %ui places of "
                      "workers, which are four for each of worker_processes",
                      &zone->name, nslots);
        return NGX_ERROR;
    }

    sh->nslots = nslots;

    if (getrandom(&sh->instance, sizeof(sh->instance), 0)
        != (ssize_t) sizeof(sh->instance))
    {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "getrandom() failed");
        return NGX_ERROR;
    }

    shpool->data = sh;
    zone->sh = sh;

    return NGX_OK;
}


/*
 * Divides the zone: the slots get the room that they need, the usage table its
 * part, and the ring all other pages but one or two, which are kept for what
 * later versions add.  NULL: the zone is too small.
 */
static ngx_http_kairos_shared_t *
ngx_http_kairos_shm_parts(ngx_http_kairos_zone_t *zone, ngx_uint_t nslots)
{
    ngx_uint_t                 pages;
    ngx_slab_pool_t           *shpool;
    ngx_http_kairos_shared_t  *sh;

    shpool = zone->shpool;

    /* the caller logs a better message */
    shpool->log_nomem = 0;

    sh = ngx_slab_calloc(shpool,
                         sizeof(ngx_http_kairos_shared_t)
                         + nslots * sizeof(ngx_http_kairos_shared_slot_t));
    if (sh == NULL
        || ngx_http_kairos_shm_usage(zone, &sh->usage) != NGX_OK)
    {
        return NULL;
    }

    pages = shpool->pfree;
    pages -= (pages > NGX_HTTP_KAIROS_MIN_PAGES);

    if (pages == 0) {
        return NULL;
    }

    sh->size = pages * ngx_pagesize;
    sh->ring = ngx_slab_alloc(shpool, sh->size);

    return (sh->ring == NULL) ? NULL : sh;
}


static ngx_int_t
ngx_http_kairos_shm_usage(ngx_http_kairos_zone_t *zone,
    ngx_http_kairos_usage_t *usage)
{
    size_t  size;

    size = zone->shm_zone->shm.size / NGX_HTTP_KAIROS_USAGE_PART;

    usage->n = ngx_max(size / sizeof(ngx_http_kairos_cell_t),
                       NGX_HTTP_KAIROS_USAGE_MIN);

    usage->cells = ngx_slab_calloc(zone->shpool,
                               usage->n * sizeof(ngx_http_kairos_cell_t));

    return (usage->cells == NULL) ? NGX_ERROR : NGX_OK;
}


/*
 * Four slots for each worker: old workers live on after a reload until their
 * last client has left.
 */
static ngx_uint_t
ngx_http_kairos_shm_nslots(ngx_http_kairos_zone_t *zone)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(zone->cycle->conf_ctx,
                                           ngx_core_module);

    return ngx_max(NGX_HTTP_KAIROS_MIN_SLOTS,
                   4 * (ngx_uint_t) ngx_max(ccf->worker_processes, 1));
}


/*
 * This configuration holds the eventfds until its pool is destroyed.
 */
static ngx_int_t
ngx_http_kairos_shm_hold(ngx_http_kairos_zone_t *zone,
    ngx_http_kairos_wakes_t *wakes)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(zone->cycle->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_kairos_shm_release;
    cln->data = wakes;

    wakes->refs++;
    zone->wakes = wakes;

    return NGX_OK;
}


static void
ngx_http_kairos_shm_release(void *data)
{
    ngx_http_kairos_wakes_t  *wakes = data;

    ngx_uint_t  i;

    if (--wakes->refs) {
        return;
    }

    for (i = 0; i < wakes->n; i++) {
        (void) close(wakes->fd[i]);
    }

    ngx_free(wakes);
}
