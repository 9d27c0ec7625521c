/*
 * The topics of one hub in this worker, and who is a member of each.
 * Knows no protocol.
 */

#ifndef _NGX_HTTP_KAIROS_TOPIC_H_INCLUDED_
#define _NGX_HTTP_KAIROS_TOPIC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_http_kairos_topic_s   ngx_http_kairos_topic_t;
typedef struct ngx_http_kairos_topics_s  ngx_http_kairos_topics_t;
typedef struct ngx_http_kairos_route_s   ngx_http_kairos_route_t;


struct ngx_http_kairos_topic_s {
    ngx_str_node_t             sn;         /* name, by hash: first member */
    ngx_queue_t                members;    /* of channels, in join order */
    ngx_uint_t                 nmembers;
    ngx_http_kairos_route_t   *route;      /* of query.c; NULL: plain topic */
    ngx_http_kairos_topics_t  *topics;
};


#endif /* _NGX_HTTP_KAIROS_TOPIC_H_INCLUDED_ */
