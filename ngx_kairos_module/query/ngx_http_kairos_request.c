/*
 * The requests that sockets have sent to one feed and that have no answer yet.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_request.h"


static ngx_rbtree_node_t *ngx_http_kairos_request_lookup(ngx_rbtree_t *tree,
    uint64_t id);
static u_char *ngx_http_kairos_request_copy(u_char *p, ngx_str_t *dst,
    const ngx_str_t *src);


void
ngx_http_kairos_requests_init(ngx_http_kairos_requests_t *rqs, ngx_log_t *log)
{
    rqs->log = log;
    rqs->nrequests = 0;
    rqs->number = 0;

    ngx_rbtree_init(&rqs->requests, &rqs->requests_sentinel,
                    ngx_rbtree_insert_value);
    ngx_rbtree_init(&rqs->requesters, &rqs->requesters_sentinel,
                    ngx_rbtree_insert_value);
    ngx_queue_init(&rqs->waiting);
}


ngx_http_kairos_request_t *
ngx_http_kairos_requests_any(ngx_http_kairos_requests_t *rqs)
{
    if (rqs->requests.root == rqs->requests.sentinel) {
        return NULL;
    }

    return (ngx_http_kairos_request_t *) rqs->requests.root;
}


ngx_http_kairos_requester_t *
ngx_http_kairos_request_requester(ngx_http_kairos_requests_t *rqs,
    ngx_http_kairos_session_t *ks)
{
    ngx_http_kairos_requester_t  *requester;

    if (ks->client->requester != NULL) {
        return ks->client->requester;
    }

    requester = ngx_calloc(sizeof(ngx_http_kairos_requester_t), rqs->log);
    if (requester == NULL) {
        return NULL;
    }

    requester->ks = ks;
    ngx_queue_init(&requester->requests);

    requester->node.key = (ngx_rbtree_key_t) ks->id;
    ngx_rbtree_insert(&rqs->requesters, &requester->node);

    ks->client->requester = requester;

    return requester;
}


void
ngx_http_kairos_request_gone(ngx_http_kairos_requests_t *rqs,
    ngx_http_kairos_requester_t *requester)
{
    ngx_http_kairos_request_t  *rq;

    while (!ngx_queue_empty(&requester->requests)) {
        rq = ngx_queue_data(ngx_queue_head(&requester->requests),
                            ngx_http_kairos_request_t, queue);

        if (!rq->join) {
            ngx_http_kairos_request_forget(rqs, rq);
            continue;
        }

        ngx_http_kairos_request_unwait(rq);

        ngx_queue_remove(&rq->queue);
        rq->requester = NULL;
    }

    requester->ks->client->requester = NULL;

    ngx_rbtree_delete(&rqs->requesters, &requester->node);
    ngx_free(requester);
}


ngx_http_kairos_session_t *
ngx_http_kairos_request_session(ngx_http_kairos_requests_t *rqs, uint64_t id)
{
    ngx_http_kairos_requester_t  *requester;

    requester = (ngx_http_kairos_requester_t *)
                    ngx_http_kairos_request_lookup(&rqs->requesters, id);

    return requester != NULL && requester->ks->id == id ? requester->ks : NULL;
}


ngx_http_kairos_request_t *
ngx_http_kairos_request_add(ngx_http_kairos_requests_t *rqs,
    ngx_http_kairos_requester_t *requester, const ngx_http_kairos_phx_msg_t *m,
    ngx_uint_t join)
{
    ngx_http_kairos_request_t  *rq;

    rq = ngx_calloc(sizeof(ngx_http_kairos_request_t), rqs->log);
    if (rq == NULL) {
        return NULL;
    }

    if (ngx_http_kairos_request_wait(rqs, rq, m) != NGX_OK) {
        ngx_free(rq);
        return NULL;
    }

    rq->requester = requester;
    rq->socket = requester->ks->id;
    rq->client = requester->ks->client->number;
    rq->number = ++rqs->number;
    rq->join = (join != 0);

    if (join) {
        ngx_str_set(&rq->m.message.event, "phx_join");

    } else {
        ngx_str_set(&rq->m.message.event, "subscribe");
    }

    rq->node.key = (ngx_rbtree_key_t) rq->number;
    ngx_rbtree_insert(&rqs->requests, &rq->node);
    rqs->nrequests++;

    ngx_queue_insert_tail(&requester->requests, &rq->queue);
    requester->nrequests++;

    return rq;
}


ngx_http_kairos_request_t *
ngx_http_kairos_request_find(ngx_http_kairos_requests_t *rqs, uint64_t number)
{
    ngx_http_kairos_request_t  *rq;

    rq = (ngx_http_kairos_request_t *)
             ngx_http_kairos_request_lookup(&rqs->requests, number);

    return rq != NULL && rq->number == number ? rq : NULL;
}


ngx_http_kairos_request_t *
ngx_http_kairos_request_find_join(ngx_http_kairos_session_t *ks,
    const ngx_str_t *topic)
{
    ngx_str_t                    *name;
    ngx_queue_t                  *queue;
    ngx_http_kairos_requester_t  *requester;
    ngx_http_kairos_request_t    *rq;

    requester = ks->client->requester;
    if (requester == NULL) {
        return NULL;
    }

    for (queue = ngx_queue_head(&requester->requests);
         queue != ngx_queue_sentinel(&requester->requests);
         queue = ngx_queue_next(queue))
    {
        rq = ngx_queue_data(queue, ngx_http_kairos_request_t, queue);

        name = &rq->m.message.topic;

        if (rq->join
            && name->len == topic->len
            && ngx_memcmp(name->data, topic->data, topic->len) == 0)
        {
            return rq;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_kairos_request_wait(ngx_http_kairos_requests_t *rqs,
    ngx_http_kairos_request_t *rq, const ngx_http_kairos_phx_msg_t *m)
{
    u_char                     *p;
    ngx_http_kairos_phx_msg_t   old;

    old = rq->m;

    p = ngx_alloc(m->message.topic.len + m->join_ref.len + m->ref.len + 1,
                  rqs->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* the topic's copy, first in its block, is never NULL */

    p = ngx_http_kairos_request_copy(p, &rq->m.message.topic,
                                     &m->message.topic);
    p = ngx_http_kairos_request_copy(p, &rq->m.join_ref, &m->join_ref);
    (void) ngx_http_kairos_request_copy(p, &rq->m.ref, &m->ref);

    if (old.message.topic.data != NULL) {
        ngx_free(old.message.topic.data);
    }

    ngx_http_kairos_request_unwait(rq);

    rq->waited = 1;
    rq->asked_msec = ngx_current_msec;
    ngx_queue_insert_tail(&rqs->waiting, &rq->order);

    return NGX_OK;
}


void
ngx_http_kairos_request_unwait(ngx_http_kairos_request_t *rq)
{
    if (rq->waited) {
        ngx_queue_remove(&rq->order);
        rq->waited = 0;
    }
}


void
ngx_http_kairos_request_forget(ngx_http_kairos_requests_t *rqs,
    ngx_http_kairos_request_t *rq)
{
    ngx_http_kairos_request_unwait(rq);

    if (rq->requester != NULL) {
        ngx_queue_remove(&rq->queue);
        rq->requester->nrequests--;
    }

    ngx_rbtree_delete(&rqs->requests, &rq->node);
    rqs->nrequests--;

    ngx_free(rq->m.message.topic.data);
    ngx_free(rq);
}


/*
 * By the id's low bits where ngx_rbtree_key_t is narrower: the caller
 * compares the whole.
 */
static ngx_rbtree_node_t *
ngx_http_kairos_request_lookup(ngx_rbtree_t *tree, uint64_t id)
{
    ngx_rbtree_key_t    key;
    ngx_rbtree_node_t  *node;

    key = (ngx_rbtree_key_t) id;
    node = tree->root;

    while (node != tree->sentinel) {

        if (key == node->key) {
            return node;
        }

        node = (key < node->key) ? node->left : node->right;
    }

    return NULL;
}


static u_char *
ngx_http_kairos_request_copy(u_char *p, ngx_str_t *dst, const ngx_str_t *src)
{
    dst->data = p;
    dst->len = src->len;

    if (src->len) {
        p = ngx_cpymem(p, src->data, src->len);
    }

    return p;
}
