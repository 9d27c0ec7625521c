/*
 * The topics of one hub in this worker, and the members of each.  Has no part
 * in any protocol.
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
    ngx_http_kairos_route_t   *route;      /* of query.c: set while a topic
                                              whose name is a route's has
                                              members; NULL: plain topic */
    ngx_http_kairos_topics_t  *topics;
};


struct ngx_http_kairos_topics_s {
    ngx_rbtree_t               rbtree;
    ngx_rbtree_node_t          sentinel;
    ngx_uint_t                 ntopics;
    ngx_log_t                 *log;
};


void ngx_http_kairos_topics_init(ngx_http_kairos_topics_t *topics,
    ngx_log_t *log);

/* The topic of this name, or NULL. */
ngx_http_kairos_topic_t *ngx_http_kairos_topic_find(
    ngx_http_kairos_topics_t *topics, const ngx_str_t *name);

/*
 * Adds a member to the topic of this name, which is made if there is none
 * (the name is copied).  NULL: no memory (logged), nothing was added.
 */
ngx_http_kairos_topic_t *ngx_http_kairos_topic_add(
    ngx_http_kairos_topics_t *topics, const ngx_str_t *name,
    ngx_queue_t *member);

/* Takes the member out; a topic without members is freed. */
void ngx_http_kairos_topic_remove(ngx_http_kairos_topic_t *tp,
    ngx_queue_t *member);

/*
 * Walks all topics, in no particular order; start with NULL.  Before the next
 * call the topic given may be freed, and no other.
 */
ngx_http_kairos_topic_t *ngx_http_kairos_topic_next(
    ngx_http_kairos_topics_t *topics, ngx_http_kairos_topic_t *tp);


#endif /* _NGX_HTTP_KAIROS_TOPIC_H_INCLUDED_ */
