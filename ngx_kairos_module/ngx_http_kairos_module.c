/*
 * Directives, and the start and end of processes.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "ngx_http_kairos_auth.h"
#include "ngx_http_kairos_conf.h"
#include "ngx_http_kairos_http.h"
#include "ngx_http_kairos_mask.h"
#include "ngx_http_kairos_push.h"
#include "ngx_http_kairos_query.h"
#include "ngx_http_kairos_status.h"
#include "ngx_http_kairos_upgrade.h"


static ngx_int_t ngx_http_kairos_handler(ngx_http_request_t *r);

static char *ngx_http_kairos(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_kairos_conf_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

static ngx_int_t ngx_http_kairos_init_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_kairos_init_upstreams(ngx_cycle_t *cycle,
    ngx_http_kairos_main_conf_t *kmcf);
static void ngx_http_kairos_exit_process(ngx_cycle_t *cycle);
static ngx_uint_t ngx_http_kairos_is_worker(void);


#define NGX_HTTP_KAIROS_ANYWHERE                                             \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static ngx_conf_post_t  ngx_http_kairos_positive = {
    ngx_http_kairos_conf_not_zero
};


/* the bucket of a socket is counted in thousandths, by 32 bits */
static ngx_conf_num_bounds_t  ngx_http_kairos_rate_bounds = {
    ngx_conf_check_num_bounds, 0, 1000000
};


static ngx_command_t  ngx_http_kairos_commands[] = {

    { ngx_string("kairos_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_kairos_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_kairos,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_kairos_conf_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos_replicator"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_kairos_conf_replicator,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos_origins"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_1MORE,
      ngx_http_kairos_conf_origins,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, origins),
      NULL },

    { ngx_string("kairos_origins_required"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, origins_required),
      NULL },

    { ngx_string("kairos_cors_origins"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_1MORE,
      ngx_http_kairos_conf_origins,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, cors_origins),
      NULL },

    { ngx_string("kairos_auth"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, auth.on),
      NULL },

    { ngx_string("kairos_auth_secret"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_1MORE,
      ngx_http_kairos_conf_auth_secret,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos_auth_key"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_kairos_conf_auth_key,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos_auth_algorithm"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_kairos_conf_auth_algorithm,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos_auth_token"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, auth.token),
      NULL },

    { ngx_string("kairos_auth_cookie"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_kairos_conf_auth_cookie,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos_auth_issuer"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, auth.policy.issuer),
      NULL },

    { ngx_string("kairos_auth_lifetime"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, auth.lifetime),
      &ngx_http_kairos_positive },

    { ngx_string("kairos_auth_leeway"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, auth.policy.leeway),
      NULL },

    { ngx_string("kairos_push"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, push),
      NULL },

    { ngx_string("kairos_message_size"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, limits.message_size),
      &ngx_http_kairos_positive },

    { ngx_string("kairos_queue_size"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, limits.queue_size),
      &ngx_http_kairos_positive },

    { ngx_string("kairos_max_channels"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, client_limits.max_channels),
      &ngx_http_kairos_positive },

    { ngx_string("kairos_max_pending"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, client_limits.max_pending),
      &ngx_http_kairos_positive },

    { ngx_string("kairos_max_connections"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, limits.quota.connections),
      NULL },

    { ngx_string("kairos_max_per_address"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, limits.quota.per_address),
      NULL },

    { ngx_string("kairos_max_per_user"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, limits.quota.per_user),
      NULL },

    { ngx_string("kairos_message_rate"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, limits.message_rate),
      &ngx_http_kairos_rate_bounds },

    { ngx_string("kairos_idle_timeout"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, limits.idle_timeout),
      &ngx_http_kairos_positive },

    { ngx_string("kairos_drain"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_kairos_loc_conf_t, limits.drain),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_kairos_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_kairos_mask_init,             /* postconfiguration */

    ngx_http_kairos_conf_create_main,      /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_kairos_conf_create_loc,       /* create location configuration */
    ngx_http_kairos_conf_merge_loc         /* merge location configuration */
};


ngx_module_t  ngx_http_kairos_module = {
    NGX_MODULE_V1,
    &ngx_http_kairos_module_ctx,           /* module context */
    ngx_http_kairos_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_kairos_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_kairos_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * The content handler: what follows the location's name decides.
 */
static ngx_int_t
ngx_http_kairos_handler(ngx_http_request_t *r)
{
    size_t                       len;
    ngx_str_t                    path;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_kairos_loc_conf_t  *klcf;

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "kairos cannot serve the subrequest \"%V\"", &r->uri);
        return NGX_HTTP_NOT_FOUND;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    len = clcf->name.len;
    len -= (len && clcf->name.data[len - 1] == '/');

    if (r->uri.len < len) {
        return ngx_http_kairos_http_refuse(r, NGX_HTTP_NOT_FOUND,
                                           "there is nothing here");
    }

    path.data = r->uri.data + len;
    path.len = r->uri.len - len;

    if ((path.len == sizeof("/websocket") - 1
         || (path.len == sizeof("/websocket/") - 1
             && path.data[path.len - 1] == '/'))
        && ngx_memcmp(path.data, "/websocket", sizeof("/websocket") - 1) == 0)
    {
        return ngx_http_kairos_upgrade(r);
    }

    if (path.len == sizeof("/auth") - 1
        && ngx_memcmp(path.data, "/auth", sizeof("/auth") - 1) == 0)
    {
        return ngx_http_kairos_auth(r);
    }

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    if ((klcf->push == NGX_CONF_UNSET ? klcf->auth.on : klcf->push)
        && (path.len == 0 || (path.len == 1 && path.data[0] == '/')))
    {
        return ngx_http_kairos_push(r);
    }

    return ngx_http_kairos_http_refuse(r, NGX_HTTP_NOT_FOUND,
                                       "there is nothing here");
}


static char *
ngx_http_kairos(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_kairos_loc_conf_t *klcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    if (klcf->shm_zone != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"kairos %V\" is the second in this location, "
                           "which has zone \"%V\" already",
                           &value[1], &klcf->shm_zone->shm.name);
        return NGX_CONF_ERROR;
    }

    if (klcf->status != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"kairos %V\" cannot be in a location with "
                           "kairos_status", &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->exact_match || clcf->named
#if (NGX_PCRE)
        || clcf->regex != NULL
#endif
       )
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"kairos %V\" cannot be in location \"%V\", which "
                           "is not given by a prefix",
                           &value[1], &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (value[1].len == 0) {
        return "has an empty name";
    }

    klcf->shm_zone = ngx_shared_memory_add(cf, &value[1], 0,
                                           &ngx_http_kairos_module);
    if (klcf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    klcf->handler = ngx_http_kairos_handler;
    clcf->handler = ngx_http_kairos_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_kairos_conf_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_kairos_loc_conf_t *klcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    if (klcf->handler != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"kairos_status %V\" must have a location of "
                           "its own", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (value[1].len == 0) {
        return "has an empty name";
    }

    klcf->status = ngx_shared_memory_add(cf, &value[1], 0,
                                         &ngx_http_kairos_module);
    if (klcf->status == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    klcf->handler = ngx_http_kairos_status;
    clcf->handler = ngx_http_kairos_status;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_kairos_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i, n;
    ngx_http_kairos_zone_t       **zones;
    ngx_http_kairos_main_conf_t   *kmcf;

    kmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_kairos_module);

    if (kmcf == NULL || kmcf->zones.nelts == 0
        || !ngx_http_kairos_is_worker())
    {
        return NGX_OK;
    }

    if (ngx_http_kairos_sessions_init(&kmcf->sessions, cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    zones = kmcf->zones.elts;
    n = kmcf->zones.nelts;

    kmcf->hubs = ngx_pcalloc(cycle->pool, n * sizeof(ngx_http_kairos_hub_t));
    if (kmcf->hubs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_kairos_hub_open(&kmcf->hubs[i], zones[i], cycle)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_kairos_init_upstreams(cycle, kmcf);
}


static ngx_int_t
ngx_http_kairos_init_upstreams(ngx_cycle_t *cycle,
    ngx_http_kairos_main_conf_t *kmcf)
{
    ngx_uint_t                       i;
    ngx_core_conf_t                 *ccf;
    ngx_http_kairos_upstream_t     **upstreams;
    ngx_http_kairos_zone_t          *zone;
    ngx_http_kairos_feed_params_t    params;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    upstreams = kmcf->upstreams.elts;

    for (i = 0; i < kmcf->upstreams.nelts; i++) {
        zone = upstreams[i]->shm_zone->data;

        params.slot = &kmcf->hubs[zone->index].slot;
        params.instance = zone->sh->instance;
        params.workers = ngx_max(ccf->worker_processes, 1);
        params.zone = zone->name;

        upstreams[i]->feed = ngx_http_kairos_feed_create(cycle->pool,
                             &kmcf->hubs[zone->index], upstreams[i]->addr,
                             &ngx_http_kairos_query_handlers, &params);
        if (upstreams[i]->feed == NULL
            || ngx_http_kairos_feed_start(upstreams[i]->feed, cycle) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_kairos_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_http_kairos_feed_t        *feed;
    ngx_http_kairos_upstream_t   **upstreams;
    ngx_http_kairos_main_conf_t   *kmcf;

    kmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_kairos_module);

    if (kmcf == NULL || kmcf->hubs == NULL) {
        return;
    }

    ngx_http_kairos_sessions_goodbye(cycle);

    upstreams = kmcf->upstreams.elts;

    for (i = 0; i < kmcf->upstreams.nelts; i++) {
        feed = upstreams[i]->feed;

        if (feed != NULL) {
            ngx_http_kairos_feed_stop(feed);
        }

        /* joins whose sockets are gone wait for an answer */

        if (feed != NULL && feed->query != NULL) {
            feed->handlers->down(feed);
        }
    }

    for (i = 0; i < kmcf->zones.nelts; i++) {
        ngx_http_kairos_hub_close(&kmcf->hubs[i]);
    }
}


/* not the cache manager and its like, which run init_process too */
static ngx_uint_t
ngx_http_kairos_is_worker(void)
{
    return ngx_process == NGX_PROCESS_WORKER
           || ngx_process == NGX_PROCESS_SINGLE;
}
