/*
 * The requests that sockets have sent to one feed and that have no answer yet.
 *
 * The replicator names a request by its number.  An answer whose number is not
 * found is normal: the request was forgotten.
 */

#ifndef _NGX_HTTP_KAIROS_REQUEST_H_INCLUDED_
#define _NGX_HTTP_KAIROS_REQUEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_client.h"
#include "ngx_http_kairos_session.h"


typedef struct {
    ngx_rbtree_node_t           node;       /* in rqs->requests, by number */
    ngx_queue_t                 queue;      /* in requester->requests */
    ngx_queue_t                 order;      /* in rqs->waiting, if waited */
    uint64_t                    number;
    uint64_t                    socket;
    uint64_t                    client;
    ngx_http_kairos_requester_t *requester; /* NULL: the socket is gone */
    ngx_http_kairos_phx_msg_t   m;          /* join_ref, ref, topic: owned;
                                               event: static text */
    ngx_msec_t                  asked_msec;
    unsigned                    join:1;
    unsigned                    waited:1;   /* the client is to be answered;
                                               then requester is set */
} ngx_http_kairos_request_t;


/* a socket that has sent requests to its feed */
struct ngx_http_kairos_requester_s {
    ngx_rbtree_node_t           node;       /* in rqs->requesters, by id */
    ngx_http_kairos_session_t  *ks;
    ngx_queue_t                 requests;
    ngx_uint_t                  nrequests;
    ngx_uint_t                  connection; /* of the feed, when last asked */
};


typedef struct {
    ngx_log_t                  *log;
    ngx_rbtree_t                requests;
    ngx_rbtree_node_t           requests_sentinel;
    ngx_rbtree_t                requesters;
    ngx_rbtree_node_t           requesters_sentinel;
    ngx_queue_t                 waiting;    /* oldest first */
    ngx_uint_t                  nrequests;
    uint64_t                    number;     /* of the last request */
} ngx_http_kairos_requests_t;


void ngx_http_kairos_requests_init(ngx_http_kairos_requests_t *rqs,
    ngx_log_t *log);

/* Any request that is left, or NULL. */
ngx_http_kairos_request_t *ngx_http_kairos_requests_any(
    ngx_http_kairos_requests_t *rqs);

/* The socket's requester, made if there is none yet; NULL: no memory. */
ngx_http_kairos_requester_t *ngx_http_kairos_request_requester(
    ngx_http_kairos_requests_t *rqs, ngx_http_kairos_session_t *ks);

/*
 * The socket is gone: its subscribes are forgotten, its joins stay, without
 * a requester, because their JOINED must be answered.
 */
void ngx_http_kairos_request_gone(ngx_http_kairos_requests_t *rqs,
    ngx_http_kairos_requester_t *requester);

/* The session of this id, or NULL if it is gone or never sent a request. */
ngx_http_kairos_session_t *ngx_http_kairos_request_session(
    ngx_http_kairos_requests_t *rqs, uint64_t id);

/* A new request, for whose answer the client waits; NULL: no memory. */
ngx_http_kairos_request_t *ngx_http_kairos_request_add(
    ngx_http_kairos_requests_t *rqs, ngx_http_kairos_requester_t *requester,
    const ngx_http_kairos_phx_msg_t *m, ngx_uint_t join);

/* The request of this number, or NULL. */
ngx_http_kairos_request_t *ngx_http_kairos_request_find(
    ngx_http_kairos_requests_t *rqs, uint64_t number);

/*
 * The socket's join of this topic that has no answer yet, whether the client
 * waits for it or not; NULL: there is none.
 */
ngx_http_kairos_request_t *ngx_http_kairos_request_find_join(
    ngx_http_kairos_session_t *ks, const ngx_str_t *topic);

/*
 * The client waits for the request's answer from now on, which gets m's refs;
 * the request keeps copies of them.  NGX_ERROR: no memory, nothing is changed.
 */
ngx_int_t ngx_http_kairos_request_wait(ngx_http_kairos_requests_t *rqs,
    ngx_http_kairos_request_t *rq, const ngx_http_kairos_phx_msg_t *m);

/* The client is not to be answered any more. */
void ngx_http_kairos_request_unwait(ngx_http_kairos_request_t *rq);

/* The only place where a request ends. */
void ngx_http_kairos_request_forget(ngx_http_kairos_requests_t *rqs,
    ngx_http_kairos_request_t *rq);


#endif /* _NGX_HTTP_KAIROS_REQUEST_H_INCLUDED_ */
