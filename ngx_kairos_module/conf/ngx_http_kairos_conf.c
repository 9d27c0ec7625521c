#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_conf_private.h"


static void ngx_http_kairos_conf_merge_limits(ngx_http_kairos_limits_t *prev,
    ngx_http_kairos_limits_t *conf);
static char *ngx_http_kairos_conf_check(ngx_conf_t *cf,
    ngx_http_kairos_loc_conf_t *conf);
static char *ngx_http_kairos_conf_check_zone(ngx_conf_t *cf,
    const ngx_shm_zone_t *shm_zone);
static ngx_http_kairos_upstream_t *ngx_http_kairos_conf_add_upstream(
    ngx_conf_t *cf, ngx_http_kairos_loc_conf_t *conf);
static char *ngx_http_kairos_conf_add_zone(ngx_conf_t *cf,
    ngx_http_kairos_main_conf_t *kmcf, ngx_shm_zone_t *shm_zone);


void *
ngx_http_kairos_conf_create_main(ngx_conf_t *cf)
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

    if (ngx_array_init(&kmcf->upstreams, cf->pool, 1,
                       sizeof(ngx_http_kairos_upstream_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return kmcf;
}


void *
ngx_http_kairos_conf_create_loc(ngx_conf_t *cf)
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
     *     conf->status = NULL;
     *     conf->handler = NULL;
     *     conf->upstream = NULL;
     */

    conf->replicator = NGX_CONF_UNSET_PTR;
    conf->origins = NGX_CONF_UNSET_PTR;
    conf->cors_origins = NGX_CONF_UNSET_PTR;
    conf->origins_required = NGX_CONF_UNSET;
    conf->push = NGX_CONF_UNSET;

    ngx_http_kairos_conf_auth_unset(&conf->auth);

    conf->limits.message_size = NGX_CONF_UNSET_SIZE;
    conf->limits.queue_size = NGX_CONF_UNSET_SIZE;
    conf->client_limits.max_channels = NGX_CONF_UNSET_UINT;
    conf->client_limits.max_pending = NGX_CONF_UNSET_UINT;
    conf->limits.idle_timeout = NGX_CONF_UNSET_MSEC;
    conf->limits.drain = NGX_CONF_UNSET_MSEC;
    conf->limits.message_rate = NGX_CONF_UNSET_UINT;
    conf->limits.quota.connections = NGX_CONF_UNSET_UINT;
    conf->limits.quota.per_address = NGX_CONF_UNSET_UINT;
    conf->limits.quota.per_user = NGX_CONF_UNSET_UINT;

    return conf;
}


char *
ngx_http_kairos_conf_merge_loc(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_kairos_loc_conf_t  *prev = parent;
    ngx_http_kairos_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* nginx makes locations of "if" and limit_except blocks, within this */

    if (clcf->noname && conf->handler == NULL) {
        conf->shm_zone = prev->shm_zone;
        conf->status = prev->status;
        conf->handler = prev->handler;

        if (clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = conf->handler;
        }
    }

    ngx_http_kairos_conf_merge_limits(&prev->limits, &conf->limits);

    ngx_conf_merge_uint_value(conf->client_limits.max_channels,
                              prev->client_limits.max_channels, 100);
    ngx_conf_merge_uint_value(conf->client_limits.max_pending,
                              prev->client_limits.max_pending, 64);

    ngx_conf_merge_ptr_value(conf->replicator, prev->replicator, NULL);

    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);
    ngx_conf_merge_ptr_value(conf->cors_origins, prev->cors_origins, NULL);
    ngx_conf_merge_value(conf->origins_required, prev->origins_required, 0);

    /* not set at all: as kairos_auth of the location in question */
    if (conf->push == NGX_CONF_UNSET) {
        conf->push = prev->push;
    }

    if (ngx_http_kairos_conf_auth_merge(cf, &prev->auth, &conf->auth)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->status != NULL) {
        return ngx_http_kairos_conf_check_zone(cf, conf->status);
    }

    if (conf->shm_zone == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_http_kairos_conf_check(cf, conf);
}


static void
ngx_http_kairos_conf_merge_limits(ngx_http_kairos_limits_t *prev,
    ngx_http_kairos_limits_t *conf)
{
    ngx_conf_merge_size_value(conf->message_size, prev->message_size,
                              1024 * 1024);
    ngx_conf_merge_size_value(conf->queue_size, prev->queue_size,
                              4 * 1024 * 1024);
    ngx_conf_merge_msec_value(conf->idle_timeout, prev->idle_timeout, 60000);
    ngx_conf_merge_msec_value(conf->drain, prev->drain, 30000);
    ngx_conf_merge_uint_value(conf->message_rate, prev->message_rate, 0);

    ngx_conf_merge_uint_value(conf->quota.connections,
                              prev->quota.connections, 0);
    ngx_conf_merge_uint_value(conf->quota.per_address,
                              prev->quota.per_address, 0);
    ngx_conf_merge_uint_value(conf->quota.per_user, prev->quota.per_user, 0);
}


/*
 * Checks the merged configuration of a location with "kairos", and completes
 * it.  NGX_CONF_ERROR: logged.
 */
static char *
ngx_http_kairos_conf_check(ngx_conf_t *cf,
    ngx_http_kairos_loc_conf_t *conf)
{
    if (ngx_http_kairos_conf_check_zone(cf, conf->shm_zone) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->auth.on
        && ngx_http_kairos_conf_auth_check(cf, &conf->auth) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->auth.on && conf->auth.cookie.len
        && conf->origins != NULL && conf->origins->any)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"kairos_origins *\" with kairos_auth_cookie "
                           "lets any page use its visitor's cookie, name the "
                           "origins of your pages");
    }

    if (conf->replicator == NULL) {
        return NGX_CONF_OK;
    }

    conf->upstream = ngx_http_kairos_conf_add_upstream(cf, conf);

    return (conf->upstream == NULL) ? NGX_CONF_ERROR : NGX_CONF_OK;
}


/*
 * NGX_CONF_ERROR, logged, if no kairos_zone declares the zone: its size is 0
 * until then.
 */
static char *
ngx_http_kairos_conf_check_zone(ngx_conf_t *cf,
    const ngx_shm_zone_t *shm_zone)
{
    if (shm_zone->shm.size != 0) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown kairos zone \"%V\", declare it in the "
                       "\"http\" block: \"kairos_zone %V 8m;\"",
                       &shm_zone->shm.name, &shm_zone->shm.name);

    return NGX_CONF_ERROR;
}


/*
 * Finds or adds the pair of the location's zone and replicator, whose feed all
 * locations with that pair share.  NULL: no memory.
 */
static ngx_http_kairos_upstream_t *
ngx_http_kairos_conf_add_upstream(ngx_conf_t *cf,
    ngx_http_kairos_loc_conf_t *conf)
{
    ngx_uint_t                     i;
    ngx_http_kairos_upstream_t   **upstreams, *upstream;
    ngx_http_kairos_main_conf_t   *kmcf;

    kmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_kairos_module);

    upstreams = kmcf->upstreams.elts;

    for (i = 0; i < kmcf->upstreams.nelts; i++) {

        if (upstreams[i]->shm_zone == conf->shm_zone
            && ngx_cmp_sockaddr(upstreams[i]->addr->sockaddr,
                                upstreams[i]->addr->socklen,
                                conf->replicator->sockaddr,
                                conf->replicator->socklen, 0)
               == NGX_OK)
        {
            return upstreams[i];
        }
    }

    upstreams = ngx_array_push(&kmcf->upstreams);
    if (upstreams == NULL) {
        return NULL;
    }

    upstream = ngx_pcalloc(cf->pool, sizeof(ngx_http_kairos_upstream_t));
    if (upstream == NULL) {
        return NULL;
    }

    upstream->shm_zone = conf->shm_zone;
    upstream->addr = conf->replicator;

    *upstreams = upstream;

    return upstream;
}


char *
ngx_http_kairos_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t          size;
    ngx_str_t       *value;
    ngx_shm_zone_t  *shm_zone;

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

    shm_zone = ngx_shared_memory_add(cf, &value[1], 0,
                                     &ngx_http_kairos_module);
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

    shm_zone->shm.size = size;

    return ngx_http_kairos_conf_add_zone(cf, conf, shm_zone);
}


/*
 * Adds a declared zone to those that workers open.  NGX_CONF_ERROR: no memory.
 */
static char *
ngx_http_kairos_conf_add_zone(ngx_conf_t *cf,
    ngx_http_kairos_main_conf_t *kmcf, ngx_shm_zone_t *shm_zone)
{
    ngx_http_kairos_zone_t  *zone, **zones;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_kairos_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zones = ngx_array_push(&kmcf->zones);
    if (zones == NULL) {
        return NGX_CONF_ERROR;
    }

    *zones = zone;

    zone->name = shm_zone->shm.name;
    zone->index = kmcf->zones.nelts - 1;
    zone->cycle = cf->cycle;
    zone->shm_zone = shm_zone;

    shm_zone->init = ngx_http_kairos_shm_init;
    shm_zone->data = zone;

    return NGX_CONF_OK;
}


char *
ngx_http_kairos_conf_replicator(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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


/*
 * The setter of kairos_origins and of kairos_cors_origins.
 */
char *
ngx_http_kairos_conf_origins(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                   *value;
    const char                  *reason;
    ngx_uint_t                   i;
    ngx_http_kairos_origin_t    *o;
    ngx_http_kairos_origins_t  **origins;

    origins = (ngx_http_kairos_origins_t **) (p + cmd->offset);

    if (*origins != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    *origins = ngx_pcalloc(cf->pool, sizeof(ngx_http_kairos_origins_t));

    if (*origins == NULL
        || ngx_array_init(&(*origins)->patterns, cf->pool, cf->args->nelts,
                          sizeof(ngx_http_kairos_origin_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "*") == 0) {
            (*origins)->any = 1;
            continue;
        }

        o = ngx_array_push(&(*origins)->patterns);
        if (o == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_kairos_origin_pattern(&value[i], o, &reason) != NGX_OK) {
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
char *
ngx_http_kairos_conf_not_zero(ngx_conf_t *cf, void *post, void *data)
{
    ngx_uint_t  *np = data;

    return (*np == 0) ? "must not be 0" : NGX_CONF_OK;
}
