/*
 * The configuration, and the objects that a worker makes from it.
 */

#ifndef _NGX_HTTP_KAIROS_CONF_H_INCLUDED_
#define _NGX_HTTP_KAIROS_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_client.h"
#include "ngx_http_kairos_feed.h"
#include "ngx_http_kairos_hub.h"
#include "ngx_http_kairos_jwt.h"
#include "ngx_http_kairos_origin.h"
#include "ngx_http_kairos_session.h"
#include "ngx_http_kairos_shm.h"


/*
 * A zone and the replicator that serves the zone's queries: each worker has
 * one feed for the pair.
 */
typedef struct {
    ngx_shm_zone_t              *shm_zone;
    ngx_addr_t                  *addr;
    ngx_http_kairos_feed_t      *feed;       /* set when a worker starts */
} ngx_http_kairos_upstream_t;


typedef struct {
    ngx_array_t                  zones;      /* of ngx_http_kairos_zone_t * */
    ngx_array_t                  upstreams;  /* of
                                                ngx_http_kairos_upstream_t * */

    /* the worker's; the cycle's configuration is its own after the fork */
    ngx_http_kairos_sessions_t   sessions;
    ngx_http_kairos_hub_t       *hubs;       /* as zones */
    ngx_http_log_handler_pt      log_handler; /* nginx's own, see mask.c */
} ngx_http_kairos_main_conf_t;


/* of kairos_origins and kairos_cors_origins */
typedef struct {
    ngx_array_t                  patterns;   /* of ngx_http_kairos_origin_t */
    ngx_uint_t                   any;        /* 1: "*" is one of the values */
} ngx_http_kairos_origins_t;


/* of the directives kairos_auth* */
typedef struct {
    ngx_flag_t                   on;
    ngx_array_t                 *secrets;    /* of ngx_str_t */
    ngx_str_t                    key;        /* the file's text, PEM */
    ngx_str_t                    key_file;
    ngx_uint_t                   algorithm;
    time_t                       lifetime;   /* of a connection token */
    ngx_str_t                    cookie;     /* a variable, "cookie_NAME" */
    ngx_http_complex_value_t    *token;

    /* set by ngx_http_kairos_conf_auth_check(), where kairos_auth is on */
    ngx_http_kairos_jwt_policy_t policy;
    ngx_http_kairos_jwt_key_t   *signer;     /* NULL: no secret to sign with */
} ngx_http_kairos_auth_conf_t;


typedef struct {
    ngx_shm_zone_t              *shm_zone;   /* NULL: no kairos here */
    ngx_shm_zone_t              *status;     /* NULL: no kairos_status */
    ngx_http_handler_pt          handler;    /* of the location, of either */
    ngx_addr_t                  *replicator; /* NULL: off */
    ngx_http_kairos_upstream_t  *upstream;

    ngx_http_kairos_origins_t   *origins;    /* NULL: the same host */
    ngx_http_kairos_origins_t   *cors_origins;   /* NULL: as origins */
    ngx_flag_t                   origins_required;

    ngx_flag_t                   push;       /* NGX_CONF_UNSET: as auth.on */

    ngx_http_kairos_auth_conf_t  auth;
    ngx_http_kairos_limits_t     limits;
    ngx_http_kairos_client_limits_t  client_limits;
} ngx_http_kairos_loc_conf_t;


extern ngx_module_t  ngx_http_kairos_module;


void *ngx_http_kairos_conf_create_main(ngx_conf_t *cf);
void *ngx_http_kairos_conf_create_loc(ngx_conf_t *cf);
char *ngx_http_kairos_conf_merge_loc(ngx_conf_t *cf, void *parent,
    void *child);

/*
 * Setters of directives.  Each returns NGX_CONF_OK, NGX_CONF_ERROR, which is
 * logged, or text that nginx logs behind the directive's name.
 */
char *ngx_http_kairos_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_kairos_conf_replicator(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_kairos_conf_origins(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

char *ngx_http_kairos_conf_auth_secret(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_kairos_conf_auth_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_kairos_conf_auth_algorithm(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_kairos_conf_auth_cookie(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* for ngx_conf_post_t: refuses the value 0 */
char *ngx_http_kairos_conf_not_zero(ngx_conf_t *cf, void *post, void *data);


#endif /* _NGX_HTTP_KAIROS_CONF_H_INCLUDED_ */
