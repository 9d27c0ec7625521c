/*
 * Directives, and the start and end of processes.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "ngx_http_kairos_conf.h"
#include "ngx_http_kairos_http.h"
#include "ngx_http_kairos_query.h"
#include "ngx_http_kairos_upgrade.h"


static ngx_int_t ngx_http_kairos_handler(ngx_http_request_t *r);

static void *ngx_http_kairos_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_kairos_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_kairos_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_kairos_merge_location(ngx_conf_t *cf,
    ngx_http_kairos_loc_conf_t *conf);
static ngx_http_kairos_link_t *ngx_http_kairos_add_link(ngx_conf_t *cf,
    ngx_http_kairos_loc_conf_t *conf);

static char *ngx_http_kairos_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_kairos(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_kairos_replicator(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_kairos_origins(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_kairos_not_zero(ngx_conf_t *cf, void *post, void *data);

static ngx_int_t ngx_http_kairos_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_kairos_init_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_kairos_init_links(ngx_cycle_t *cycle,
    ngx_http_kairos_main_conf_t *kmcf);
static void ngx_http_kairos_exit_process(ngx_cycle_t *cycle);
static ngx_uint_t ngx_http_kairos_is_worker(void);


#define NGX_HTTP_KAIROS_ANYWHERE                                             \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static ngx_conf_post_t  ngx_http_kairos_positive = {
    ngx_http_kairos_not_zero
};


static ngx_command_t  ngx_http_kairos_commands[] = {

    { ngx_string("kairos_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_kairos_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_kairos,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos_replicator"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_kairos_replicator,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("kairos_origins"),
      NGX_HTTP_KAIROS_ANYWHERE|NGX_CONF_1MORE,
      ngx_http_kairos_origins,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
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
      offsetof(ngx_http_kairos_loc_conf_t, limits.max_channels),
      &ngx_http_kairos_positive },

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
    NULL,                                  /* postconfiguration */

    ngx_http_kairos_create_main_conf,      /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_kairos_create_loc_conf,       /* create location configuration */
    ngx_http_kairos_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_kairos_module = {
    NGX_MODULE_V1,
    &ngx_http_kairos_module_ctx,           /* module context */
    ngx_http_kairos_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_kairos_init_module,           /* init module */
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
    size_t                     len;
    ngx_str_t                  path;
    ngx_http_core_loc_conf_t  *clcf;

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
        return ngx_http_kairos_http_auth(r);
    }

    return ngx_http_kairos_http_refuse(r, NGX_HTTP_NOT_FOUND,
                                       "there is nothing here");
}


static void *
ngx_http_kairos_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_kairos_main_conf_t  *kmcf;

    kmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_kairos_main_conf_t));
    if (kmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&kmcf->zones, cf->pool, 1,
                       sizeof(ngx_http_kairos_zone_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&kmcf->links, cf->pool, 1,
                       sizeof(ngx_http_kairos_link_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return kmcf;
}


static void *
ngx_http_kairos_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_kairos_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_kairos_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->shm_zone = NULL;
     *     conf->link = NULL;
     */

    conf->replicator = NGX_CONF_UNSET_PTR;
    conf->origins = NGX_CONF_UNSET_PTR;
    conf->any_origin = NGX_CONF_UNSET;

    conf->limits.message_size = NGX_CONF_UNSET_SIZE;
    conf->limits.queue_size = NGX_CONF_UNSET_SIZE;
    conf->limits.max_channels = NGX_CONF_UNSET_UINT;
    conf->limits.idle_timeout = NGX_CONF_UNSET_MSEC;
    conf->limits.drain = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_http_kairos_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_kairos_loc_conf_t  *prev = parent;
    ngx_http_kairos_loc_conf_t  *conf = child;

    ngx_http_kairos_limits_t  *limits, *above;

    limits = &conf->limits;
    above = &prev->limits;

    ngx_conf_merge_size_value(limits->message_size, above->message_size,
                              1024 * 1024);
    ngx_conf_merge_size_value(limits->queue_size, above->queue_size,
                              4 * 1024 * 1024);
    ngx_conf_merge_uint_value(limits->max_channels, above->max_channels, 100);
    ngx_conf_merge_msec_value(limits->idle_timeout, above->idle_timeout,
                              60000);
    ngx_conf_merge_msec_value(limits->drain, above->drain, 30000);

    ngx_conf_merge_ptr_value(conf->replicator, prev->replicator, NULL);

    /* one directive sets both */

    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);
    ngx_conf_merge_value(conf->any_origin, prev->any_origin, 0);

    if (conf->shm_zone == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_http_kairos_merge_location(cf, conf);
}


static char *
ngx_http_kairos_merge_location(ngx_conf_t *cf,
    ngx_http_kairos_loc_conf_t *conf)
{
    if (conf->shm_zone->shm.size == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown kairos zone \"%V\", declare it in the "
                           "\"http\" block: \"kairos_zone %V 8m;\"",
                           &conf->shm_zone->shm.name,
                           &conf->shm_zone->shm.name);
        return NGX_CONF_ERROR;
    }

    if (conf->replicator == NULL) {
        return NGX_CONF_OK;
    }

    conf->link = ngx_http_kairos_add_link(cf, conf);

    return (conf->link == NULL) ? NGX_CONF_ERROR : NGX_CONF_OK;
}


/*
 * Locations with the same zone and the same replicator share a feed.
 */
static ngx_http_kairos_link_t *
ngx_http_kairos_add_link(ngx_conf_t *cf, ngx_http_kairos_loc_conf_t *conf)
{
    ngx_uint_t                     i;
    ngx_http_kairos_link_t       **links, *link;
    ngx_http_kairos_main_conf_t   *kmcf;

    kmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_kairos_module);

    links = kmcf->links.elts;

    for (i = 0; i < kmcf->links.nelts; i++) {

        if (links[i]->shm_zone == conf->shm_zone
            && ngx_cmp_sockaddr(links[i]->addr->sockaddr,
                                links[i]->addr->socklen,
                                conf->replicator->sockaddr,
                                conf->replicator->socklen, 0)
               == NGX_OK)
        {
            return links[i];
        }
    }

    links = ngx_array_push(&kmcf->links);
    if (links == NULL) {
        return NULL;
    }

    link = ngx_pcalloc(cf->pool, sizeof(ngx_http_kairos_link_t));
    if (link == NULL) {
        return NULL;
    }

    link->shm_zone = conf->shm_zone;
    link->addr = conf->replicator;

    *links = link;

    return link;
}


static char *
ngx_http_kairos_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_kairos_main_conf_t *kmcf = conf;

    ssize_t                   size;
    ngx_str_t                *value;
    ngx_shm_zone_t           *shm_zone;
    ngx_http_kairos_zone_t   *zone, **zones;

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "has an empty name";
    }

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of kairos_zone \"%V\", give "
                           "it as in \"8m\"", &value[2], &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) (NGX_HTTP_KAIROS_MIN_PAGES * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kairos_zone \"%V\" of size \"%V\" is too small, "
                           "give it at least %ui bytes", &value[1], &value[2],
                           NGX_HTTP_KAIROS_MIN_PAGES * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    shm_zone = ngx_shared_memory_add(cf, &value[1], 0, &ngx_http_kairos_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (shm_zone->data != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kairos_zone \"%V\" is declared a second time, "
                           "with size \"%V\" (it has %uz bytes already), "
                           "remove one of the two",
                           &value[1], &value[2], shm_zone->shm.size);
        return NGX_CONF_ERROR;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_kairos_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zones = ngx_array_push(&kmcf->zones);
    if (zones == NULL) {
        return NGX_CONF_ERROR;
    }

    *zones = zone;

    zone->name = value[1];
    zone->index = kmcf->zones.nelts - 1;
    zone->cycle = cf->cycle;
    zone->shm_zone = shm_zone;

    shm_zone->shm.size = size;
    shm_zone->init = ngx_http_kairos_shm_init;
    shm_zone->data = zone;

    return NGX_CONF_OK;
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

    clcf->handler = ngx_http_kairos_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_kairos_replicator(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_kairos_loc_conf_t *klcf = conf;

    ngx_url_t   u;
    ngx_str_t  *value;

    if (klcf->replicator != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        klcf->replicator = NULL;
        return NGX_CONF_OK;
    }

    if (value[1].len < 5
        || ngx_strncasecmp(value[1].data, (u_char *) "unix:", 5) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid kairos_replicator \"%V\", give it as in "
                           "\"unix:/run/kairos/replicator.sock\" or \"off\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = value[1];
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs != 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in kairos_replicator \"%V\", give it as in "
                           "\"unix:/run/kairos/replicator.sock\" or \"off\"",
                           u.err ? u.err : "no address", &value[1]);
        return NGX_CONF_ERROR;
    }

    klcf->replicator = u.addrs;

    return NGX_CONF_OK;
}


static char *
ngx_http_kairos_origins(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_kairos_loc_conf_t *klcf = conf;

    ngx_str_t                 *value;
    const char                *reason;
    ngx_uint_t                 i;
    ngx_http_kairos_origin_t  *o;

    if (klcf->origins != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    klcf->any_origin = 0;
    klcf->origins = ngx_array_create(cf->pool, cf->args->nelts,
                                     sizeof(ngx_http_kairos_origin_t));
    if (klcf->origins == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "*") == 0) {
            klcf->any_origin = 1;
            continue;
        }

        o = ngx_array_push(klcf->origins);
        if (o == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_kairos_origin_parse(&value[i], o, &reason) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid origin \"%V\": %s, give it as in "
                               "\"https://app.example.com\" or "
                               "\"http://localhost:3000\"",
                               &value[i], reason);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/*
 * For sizes, numbers and times alike: each is as wide as a machine word.
 */
static char *
ngx_http_kairos_not_zero(ngx_conf_t *cf, void *post, void *data)
{
    ngx_uint_t  *np = data;

    return (*np == 0) ? "must not be 0" : NGX_CONF_OK;
}


static ngx_int_t
ngx_http_kairos_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_http_kairos_zone_t       **zones;
    ngx_http_kairos_main_conf_t   *kmcf;

    kmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_kairos_module);

    if (kmcf == NULL || ngx_test_config) {
        return NGX_OK;
    }

    zones = kmcf->zones.elts;

    for (i = 0; i < kmcf->zones.nelts; i++) {
        if (ngx_http_kairos_shm_wakes(zones[i], cycle->log) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
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

    return ngx_http_kairos_init_links(cycle, kmcf);
}


static ngx_int_t
ngx_http_kairos_init_links(ngx_cycle_t *cycle,
    ngx_http_kairos_main_conf_t *kmcf)
{
    ngx_uint_t                       i;
    ngx_core_conf_t                 *ccf;
    ngx_http_kairos_link_t         **links;
    ngx_http_kairos_zone_t          *zone;
    ngx_http_kairos_feed_params_t    params;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    links = kmcf->links.elts;

    for (i = 0; i < kmcf->links.nelts; i++) {
        zone = links[i]->shm_zone->data;

        params.instance = zone->sh->instance;
        params.workers = ngx_max(ccf->worker_processes, 1);
        params.zone = zone->name;

        links[i]->feed = ngx_http_kairos_feed_create(cycle->pool,
                                                &kmcf->hubs[zone->index],
                                                links[i]->addr,
                                                &ngx_http_kairos_query_handlers,
                                                &params);
        if (links[i]->feed == NULL
            || ngx_http_kairos_feed_start(links[i]->feed, cycle) != NGX_OK)
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
    ngx_http_kairos_link_t       **links;
    ngx_http_kairos_main_conf_t   *kmcf;

    kmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_kairos_module);

    if (kmcf == NULL || kmcf->hubs == NULL) {
        return;
    }

    links = kmcf->links.elts;

    for (i = 0; i < kmcf->links.nelts; i++) {
        if (links[i]->feed != NULL) {
            ngx_http_kairos_feed_stop(links[i]->feed);
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
