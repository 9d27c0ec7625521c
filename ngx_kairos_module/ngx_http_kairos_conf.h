/*
 * The configuration, and what a worker makes of it.
 */

#ifndef _NGX_HTTP_KAIROS_CONF_H_INCLUDED_
#define _NGX_HTTP_KAIROS_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_feed.h"
#include "ngx_http_kairos_hub.h"
#include "ngx_http_kairos_origin.h"
#include "ngx_http_kairos_session.h"
#include "ngx_http_kairos_shm.h"


/* a zone that is asked a replicator about; one feed in each worker */
typedef struct {
    ngx_shm_zone_t              *shm_zone;
    ngx_addr_t                  *addr;
    ngx_http_kairos_feed_t      *feed;       /* set when a worker starts */
} ngx_http_kairos_link_t;


typedef struct {
    ngx_array_t                  zones;      /* of ngx_http_kairos_zone_t * */
    ngx_array_t                  links;      /* of ngx_http_kairos_link_t * */

    /* the worker's; the cycle's configuration is its own after the fork */
    ngx_http_kairos_sessions_t   sessions;
    ngx_http_kairos_hub_t       *hubs;       /* as zones */
} ngx_http_kairos_main_conf_t;


typedef struct {
    ngx_shm_zone_t              *shm_zone;   /* NULL: no kairos here */
    ngx_addr_t                  *replicator; /* NULL: off */
    ngx_http_kairos_link_t      *link;

    ngx_array_t                 *origins;    /* of ngx_http_kairos_origin_t;
                                                NULL: the same host */
    ngx_flag_t                   any_origin;

    ngx_http_kairos_limits_t     limits;
} ngx_http_kairos_loc_conf_t;


extern ngx_module_t  ngx_http_kairos_module;


void *ngx_http_kairos_conf_create_main(ngx_conf_t *cf);
void *ngx_http_kairos_conf_create_loc(ngx_conf_t *cf);
char *ngx_http_kairos_conf_merge_loc(ngx_conf_t *cf, void *parent,
    void *child);

/* setters */
char *ngx_http_kairos_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_kairos_conf_replicator(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_kairos_conf_origins(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* for ngx_conf_post_t */
char *ngx_http_kairos_conf_not_zero(ngx_conf_t *cf, void *post, void *data);


#endif /* _NGX_HTTP_KAIROS_CONF_H_INCLUDED_ */
