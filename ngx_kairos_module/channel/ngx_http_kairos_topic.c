#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_topic.h"


static ngx_http_kairos_topic_t *ngx_http_kairos_topic_create(
    ngx_http_kairos_topics_t *topics, const ngx_str_t *name);
static uint32_t ngx_http_kairos_topic_hash(const ngx_str_t *name);


void
ngx_http_kairos_topics_init(ngx_http_kairos_topics_t *topics, ngx_log_t *log)
{
    ngx_rbtree_init(&topics->rbtree, &topics->sentinel,
                    ngx_str_rbtree_insert_value);

    topics->ntopics = 0;
    topics->log = log;
}


ngx_http_kairos_topic_t *
ngx_http_kairos_topic_find(ngx_http_kairos_topics_t *topics,
    const ngx_str_t *name)
{
    ngx_str_t  key;

    key = *name;

    /* the node is the first member of the topic */

    return (ngx_http_kairos_topic_t *)
               ngx_str_rbtree_lookup(&topics->rbtree, &key,
                                     ngx_http_kairos_topic_hash(name));
}


ngx_http_kairos_topic_t *
ngx_http_kairos_topic_add(ngx_http_kairos_topics_t *topics,
    const ngx_str_t *name, ngx_queue_t *member)
{
    ngx_http_kairos_topic_t  *tp;

    tp = ngx_http_kairos_topic_find(topics, name);

    if (tp == NULL) {
        tp = ngx_http_kairos_topic_create(topics, name);
        if (tp == NULL) {
            return NULL;
        }
    }

    ngx_queue_insert_tail(&tp->members, member);
    tp->nmembers++;

    return tp;
}


void
ngx_http_kairos_topic_remove(ngx_http_kairos_topic_t *tp, ngx_queue_t *member)
{
    ngx_queue_remove(member);

    if (--tp->nmembers) {
        return;
    }

    ngx_rbtree_delete(&tp->topics->rbtree, &tp->sn.node);
    tp->topics->ntopics--;

    ngx_free(tp);
}


ngx_http_kairos_topic_t *
ngx_http_kairos_topic_next(ngx_http_kairos_topics_t *topics,
    ngx_http_kairos_topic_t *tp)
{
    ngx_rbtree_t       *tree;
    ngx_rbtree_node_t  *node;

    tree = &topics->rbtree;

    if (tp != NULL) {
        node = ngx_rbtree_next(tree, &tp->sn.node);

    } else if (tree->root != tree->sentinel) {
        node = ngx_rbtree_min(tree->root, tree->sentinel);

    } else {
        node = NULL;
    }

    return (ngx_http_kairos_topic_t *) node;
}


static ngx_http_kairos_topic_t *
ngx_http_kairos_topic_create(ngx_http_kairos_topics_t *topics,
    const ngx_str_t *name)
{
    u_char                   *p;
    ngx_http_kairos_topic_t  *tp;

    tp = ngx_alloc(sizeof(ngx_http_kairos_topic_t) + name->len, topics->log);
    if (tp == NULL) {
        return NULL;
    }

    p = (u_char *) tp + sizeof(ngx_http_kairos_topic_t);
    ngx_memcpy(p, name->data, name->len);

    tp->sn.str.len = name->len;
    tp->sn.str.data = p;
    tp->sn.node.key = ngx_http_kairos_topic_hash(name);
    tp->nmembers = 0;
    tp->route = NULL;
    tp->topics = topics;

    ngx_queue_init(&tp->members);

    ngx_rbtree_insert(&topics->rbtree, &tp->sn.node);
    topics->ntopics++;

    return tp;
}


/*
 * Names with equal hashes are ordered by their bytes in the tree, so a client
 * that makes collisions on purpose gains nothing.
 */
static uint32_t
ngx_http_kairos_topic_hash(const ngx_str_t *name)
{
    return ngx_murmur_hash2(name->data, name->len);
}
