/*
 * A channel: one join of a topic on a socket.  Opens, closes, and sends what
 * the server sends on it.  dispatch.c interprets the client's messages.
 */

#ifndef _NGX_HTTP_KAIROS_CHANNEL_H_INCLUDED_
#define _NGX_HTTP_KAIROS_CHANNEL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_client.h"
#include "ngx_http_kairos_encoding.h"
#include "ngx_http_kairos_session.h"
#include "ngx_http_kairos_topic.h"


typedef struct {
    ngx_queue_t                 member;     /* in topic->members */
    ngx_queue_t                 queue;      /* in ks->client->channels */
    ngx_http_kairos_session_t  *ks;
    ngx_http_kairos_encoding_e  encoding;   /* of ks->client, kept here for
                                               the loop of a delivery */
    ngx_http_kairos_topic_t    *topic;
    ngx_str_t                   join_ref;   /* raw JSON token, owned; empty: a
                                               join without any ref */
} ngx_http_kairos_channel_t;


/* The socket's channel on this topic, or NULL. */
ngx_http_kairos_channel_t *ngx_http_kairos_channel_find(
    ngx_http_kairos_session_t *ks, const ngx_str_t *topic);

/*
 * Makes the socket a member of the join's topic.  The socket is no member yet,
 * or the caller closes the older channel right after.  If the join has no
 * join_ref, as those of the oldest clients, its ref is the channel's join_ref.
 * Copies topic and join_ref.  Sends nothing.  NULL: no memory (logged).
 */
ngx_http_kairos_channel_t *ngx_http_kairos_channel_open(
    ngx_http_kairos_session_t *ks, const ngx_http_kairos_phx_msg_t *join);

/* Ends the membership and frees the channel (and an empty topic). */
void ngx_http_kairos_channel_close(ngx_http_kairos_channel_t *ch);

/*
 * Sends a phx_reply: req gives join_ref, ref, topic and event.  A push without
 * a ref wants no reply, and nothing is sent; a heartbeat, a join and a leave
 * are answered all the same, as in Phoenix.  response is JSON.
 */
void ngx_http_kairos_channel_reply(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *req, ngx_uint_t ok,
    const ngx_str_t *response);

/*
 * The same with {"reason": text}; text is UTF-8, cut at 512 bytes.  The log
 * gets a line at level info, and if there is no reply, unanswered counts it.
 */
void ngx_http_kairos_channel_refuse(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *req, const char *reason);

/* Sends [null,null,topic,event,payload] to this one member. */
void ngx_http_kairos_channel_push(ngx_http_kairos_channel_t *ch,
    const ngx_str_t *event, const ngx_str_t *payload);

/*
 * Sends phx_close, or phx_error (after which phoenix.js joins again), with
 * the channel's join_ref; does not close the channel.
 */
void ngx_http_kairos_channel_send_close(ngx_http_kairos_channel_t *ch);
void ngx_http_kairos_channel_send_error(ngx_http_kairos_channel_t *ch,
    const ngx_str_t *reason);

/*
 * Sends phx_error with the reason to each member of the topic and closes the
 * members' channels, the last of which frees the topic.
 */
void ngx_http_kairos_channel_end_topic(ngx_http_kairos_topic_t *tp,
    const ngx_str_t *reason);


#endif /* _NGX_HTTP_KAIROS_CHANNEL_H_INCLUDED_ */
