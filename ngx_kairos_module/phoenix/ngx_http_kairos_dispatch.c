/*
 * Every message that carries a ref is answered, also one that cannot be
 * served, with one exception, which is Phoenix' own: a message with the
 * join_ref of an earlier join of its topic is dropped, because its client has
 * joined the topic anew.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_access.h"
#include "ngx_http_kairos_channel.h"
#include "ngx_http_kairos_dispatch.h"
#include "ngx_http_kairos_hub.h"
#include "ngx_http_kairos_json.h"
#include "ngx_http_kairos_query.h"
#include "ngx_http_kairos_token.h"


static void ngx_http_kairos_dispatch_message(ngx_http_kairos_session_t *ks,
    ngx_uint_t binary, u_char *data, size_t len);
static void ngx_http_kairos_dispatch_gone(ngx_http_kairos_session_t *ks);

static void ngx_http_kairos_dispatch_malformed(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m, const char *reason);
static ngx_uint_t ngx_http_kairos_dispatch_refuse(
    ngx_http_kairos_session_t *ks, ngx_http_kairos_phx_msg_t *m,
    ngx_http_kairos_access_action_e action);
static void ngx_http_kairos_dispatch_join(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m);
static void ngx_http_kairos_dispatch_join_plain(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m, ngx_http_kairos_channel_t *old);
static void ngx_http_kairos_dispatch_leave(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m, u_char *buf);
static void ngx_http_kairos_dispatch_push(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m, u_char *buf);
static void ngx_http_kairos_dispatch_publish(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m);
static ngx_uint_t ngx_http_kairos_dispatch_stale(
    ngx_http_kairos_channel_t *ch, ngx_http_kairos_phx_msg_t *m,
    u_char *buf);
static const char *ngx_http_kairos_dispatch_no_body(
    const ngx_http_kairos_phx_msg_t *m);
static void ngx_http_kairos_dispatch_ok(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m);
static void ngx_http_kairos_dispatch_end(ngx_http_kairos_channel_t *ch,
    ngx_uint_t lost);


const ngx_http_kairos_session_handlers_t  ngx_http_kairos_dispatch_handlers = {
    ngx_http_kairos_dispatch_message,
    ngx_http_kairos_dispatch_gone,
    ngx_http_kairos_token_expired
};


/*
 * A whole message has come.  The data is changed in place.
 */
static void
ngx_http_kairos_dispatch_message(ngx_http_kairos_session_t *ks,
    ngx_uint_t binary, u_char *data, size_t len)
{
    u_char                      join_ref[NGX_HTTP_KAIROS_PHX_MAX_REF];
    ngx_int_t                   rc;
    const char                 *reason;
    ngx_http_kairos_phx_msg_t   m;

    rc = ngx_http_kairos_encoding_parse(ks->client->encoding, binary, data,
                                        len, &m, &reason);

    if (rc == NGX_ERROR) {
        /* as Phoenix does: nothing else of this client would be understood */
        ngx_http_kairos_session_close(ks, NGX_HTTP_KAIROS_CLOSE_INTERNAL,
                                      reason);
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_kairos_dispatch_malformed(ks, &m, reason);
        return;
    }

    if (ngx_http_kairos_dispatch_refuse(ks, &m, NGX_HTTP_KAIROS_ACCESS_NAME)) {
        return;
    }

    if (ngx_http_kairos_is(&m.message.topic, "phoenix")
        && ngx_http_kairos_is(&m.message.event, "heartbeat"))
    {
        /* a reply on the topic of the connection itself has no join_ref */

        ngx_str_null(&m.join_ref);
        ngx_http_kairos_dispatch_ok(ks, &m);
        return;
    }

    if (ngx_http_kairos_is(&m.message.event, "phx_join")) {
        ngx_http_kairos_dispatch_join(ks, &m);
        return;
    }

    if (ngx_http_kairos_is(&m.message.event, "phx_leave")) {
        ngx_http_kairos_dispatch_leave(ks, &m, join_ref);
        return;
    }

    ngx_http_kairos_dispatch_push(ks, &m, join_ref);
}


/*
 * The socket has ended: ends its channels, and sends nothing to the client.
 */
static void
ngx_http_kairos_dispatch_gone(ngx_http_kairos_session_t *ks)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&ks->client->channels)) {
        q = ngx_queue_head(&ks->client->channels);

        ngx_http_kairos_dispatch_end(
                      ngx_queue_data(q, ngx_http_kairos_channel_t, queue), 1);
    }

    ngx_http_kairos_query_gone(ks);
    ngx_http_kairos_client_free(ks);
}


/*
 * Refuses a message of which m has what could be read.  If that is not the
 * topic, the reply comes on the topic of the connection itself.
 */
static void
ngx_http_kairos_dispatch_malformed(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m, const char *reason)
{
    if (m->message.topic.data == NULL) {
        ngx_str_set(&m->message.topic, "phoenix");
        ngx_str_null(&m->join_ref);
    }

    ngx_http_kairos_channel_refuse(ks, m, reason);
}


/*
 * Returns 0 if the client may do what the message asks for, else 1: the
 * message was answered with the reason.
 */
static ngx_uint_t
ngx_http_kairos_dispatch_refuse(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m, ngx_http_kairos_access_action_e action)
{
    const char                *reason;
    ngx_http_kairos_access_t   a;

    a.action = action;
    a.topic = m->message.topic;
    a.event = m->message.event;
    a.claims = ks->client->claims;

    reason = ngx_http_kairos_access(&a);

    if (reason == NULL) {
        return 0;
    }

    ngx_http_kairos_channel_refuse(ks, m, reason);

    return 1;
}


/*
 * Joins a topic, or, if the topic is a route, sends the replicator a JOIN, the
 * answer to which opens the channel.
 */
static void
ngx_http_kairos_dispatch_join(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m)
{
    ngx_http_kairos_channel_t  *old;

    if (ngx_http_kairos_dispatch_refuse(ks, m, NGX_HTTP_KAIROS_ACCESS_JOIN)) {
        return;
    }

    if (m->message.binary
        || (m->message.payload.data[0] != '{'
            && !ngx_http_kairos_is(&m->message.payload, "null")))
    {
        ngx_http_kairos_channel_refuse(ks, m,
                            "the payload of a join must be an object or null");
        return;
    }

    old = ngx_http_kairos_channel_find(ks, &m->message.topic);

    if (old == NULL
        && ks->client->nchannels >= ks->client->limits->max_channels)
    {
        ks->slot->counters->refused_channels++;
        ngx_http_kairos_channel_refuse(ks, m,
                                       "too many channels joined");
        return;
    }

    if (!ngx_http_kairos_access_is_route(&m->message.topic)) {
        ngx_http_kairos_dispatch_join_plain(ks, m, old);
        return;
    }

    if (old != NULL) {
        ngx_http_kairos_channel_send_close(old);
        ngx_http_kairos_dispatch_end(old, 1);
    }

    ngx_http_kairos_query_join(ks, m);
}


/*
 * Joins a topic that is not a route.  old: the channel of an earlier join of
 * the topic, or NULL.  The old channel is closed after the reply to the new
 * join, as in Phoenix: the client tells the two apart by their join_ref.
 */
static void
ngx_http_kairos_dispatch_join_plain(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m, ngx_http_kairos_channel_t *old)
{
    if (ngx_http_kairos_channel_open(ks, m) == NULL) {
        ngx_http_kairos_channel_refuse(ks, m, "the server is out of memory");
        return;
    }

    ngx_http_kairos_dispatch_ok(ks, m);

    if (old != NULL) {
        ngx_http_kairos_channel_send_close(old);
        ngx_http_kairos_channel_close(old);
    }
}


/*
 * buf: see ngx_http_kairos_dispatch_stale().
 */
static void
ngx_http_kairos_dispatch_leave(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m, u_char *buf)
{
    ngx_http_kairos_channel_t  *ch;

    ch = ngx_http_kairos_channel_find(ks, &m->message.topic);

    if (ch == NULL) {
        ngx_str_null(&m->join_ref);

        /* the same reply for a topic that was never joined, as in Phoenix */
        (void) ngx_http_kairos_query_cancel_join(ks, &m->message.topic);
        ngx_http_kairos_dispatch_ok(ks, m);
        return;
    }

    if (ngx_http_kairos_dispatch_stale(ch, m, buf)) {
        return;
    }

    ngx_http_kairos_dispatch_ok(ks, m);

    ngx_http_kairos_channel_send_close(ch);
    ngx_http_kairos_dispatch_end(ch, 0);
}


/*
 * A push on a channel: renews the token, subscribes, or is published to the
 * topic.  buf: see ngx_http_kairos_dispatch_stale().
 */
static void
ngx_http_kairos_dispatch_push(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m, u_char *buf)
{
    ngx_http_kairos_channel_t  *ch;

    ch = ngx_http_kairos_channel_find(ks, &m->message.topic);

    if (ch == NULL) {
        ngx_str_null(&m->join_ref);
        ngx_http_kairos_channel_refuse(ks, m, "unmatched topic");
        return;
    }

    if (ngx_http_kairos_dispatch_stale(ch, m, buf)) {
        return;
    }

    if (ngx_http_kairos_dispatch_refuse(ks, m, NGX_HTTP_KAIROS_ACCESS_PUSH)) {
        return;
    }

    if (ngx_http_kairos_is(&m->message.event, "access_token")) {
        ngx_http_kairos_token_renew(ks, m);
        return;
    }

    if (ngx_http_kairos_is(&m->message.event, "subscribe")
        || ngx_http_kairos_is(&m->message.event, "WAL"))
    {
        ngx_http_kairos_query_subscribe(ks, m);
        return;
    }

    ngx_http_kairos_dispatch_publish(ks, m);
}


static void
ngx_http_kairos_dispatch_publish(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_phx_msg_t *m)
{
    u_char       buf[512], *p;
    ngx_int_t    rc;
    const char  *reason;

    reason = ngx_http_kairos_dispatch_no_body(m);

    if (reason != NULL) {
        ngx_http_kairos_channel_refuse(ks, m, reason);
        return;
    }

    rc = ngx_http_kairos_hub_publish(ks->client->hub, &m->message);

    if (rc == NGX_OK) {
        ngx_http_kairos_dispatch_ok(ks, m);

        /* a fast client must not overrun slower workers by itself */

        if (ngx_http_kairos_slot_backlogged(ks->slot)) {
            ngx_http_kairos_session_await_ring(ks);
        }

        return;
    }

    p = ngx_snprintf(buf, sizeof(buf) - 1,
                     "a message of %uz bytes is too large for kairos_zone "
                     "\"%V\", which must be at least four times as large",
                     m->message.payload.len, &ks->client->hub->zone->name);
    *p = '\0';

    ngx_http_kairos_channel_refuse(ks, m, (char *) buf);
}


/*
 * Returns 1 if the message has the join_ref of another join of the topic than
 * the channel's, else 0; 0 also if the channel's join had no ref at all.  A
 * message without a join_ref is for the open channel, and gets that channel's
 * join_ref, for the reply: a copy in buf, of NGX_HTTP_KAIROS_PHX_MAX_REF
 * bytes, because a push may close the channel before the reply is made.
 */
static ngx_uint_t
ngx_http_kairos_dispatch_stale(ngx_http_kairos_channel_t *ch,
    ngx_http_kairos_phx_msg_t *m, u_char *buf)
{
    if (m->join_ref.len == 0) {
        ngx_memcpy(buf, ch->join_ref.data, ch->join_ref.len);

        m->join_ref.len = ch->join_ref.len;
        m->join_ref.data = buf;

        return 0;
    }

    if (ch->join_ref.len == 0) {
        return 0;
    }

    return m->join_ref.len != ch->join_ref.len
           || ngx_memcmp(m->join_ref.data, ch->join_ref.data, m->join_ref.len)
              != 0;
}


/*
 * The original's clients read a push's content from its "body", so a push
 * without a body is refused as a mistake.  Returns NULL if the push has a body
 * or is binary, else the reason, static text.
 */
static const char *
ngx_http_kairos_dispatch_no_body(const ngx_http_kairos_phx_msg_t *m)
{
    ngx_http_kairos_json_t  object, body;

    if (m->message.binary) {
        return NULL;
    }

    if (m->message.payload.data[0] != '{') {
        return "the payload of a push must be an object with a \"body\"";
    }

    object.type = NGX_HTTP_KAIROS_JSON_OBJECT;
    object.raw = m->message.payload;

    if (ngx_http_kairos_json_member(&object, "body", &body) != NGX_OK) {
        return "the payload of a push must have a \"body\"";
    }

    return NULL;
}


static void
ngx_http_kairos_dispatch_ok(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m)
{
    ngx_str_t  response = ngx_string("{}");

    ngx_http_kairos_channel_reply(ks, m, 1, &response);
}


/*
 * Ends the channel.  lost: 1 if its client may join a route again without a
 * subscribe, 0 if the client sent phx_leave.
 */
static void
ngx_http_kairos_dispatch_end(ngx_http_kairos_channel_t *ch, ngx_uint_t lost)
{
    ngx_http_kairos_query_leave(ch, lost);
    ngx_http_kairos_channel_close(ch);
}
