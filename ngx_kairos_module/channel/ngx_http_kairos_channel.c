#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_channel.h"
#include "ngx_http_kairos_json.h"


/* bytes of a reason; and of what is made of it, at most six for each */
#define NGX_HTTP_KAIROS_REASON_MAX   512
#define NGX_HTTP_KAIROS_REASON_JSON                                          \
    (sizeof("{\"reason\":\"\"}") + 6 * NGX_HTTP_KAIROS_REASON_MAX)

/* bytes of a client's topic or event in the log, before they are escaped */
#define NGX_HTTP_KAIROS_LOG_MAX      64


static ngx_uint_t ngx_http_kairos_channel_replies(
    const ngx_http_kairos_phx_msg_t *m);
static void ngx_http_kairos_channel_send_system(ngx_http_kairos_channel_t *ch,
    const char *event, const ngx_str_t *payload);
static void ngx_http_kairos_channel_send(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m);
static void ngx_http_kairos_channel_pass(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_msg_t *msg);
static u_char *ngx_http_kairos_channel_reason(u_char *p,
    const ngx_str_t *reason);
static void ngx_http_kairos_channel_log_refusal(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *req, const ngx_str_t *reason);
static void ngx_http_kairos_channel_log_name(u_char *buf, ngx_str_t *text,
    const ngx_str_t *name);


ngx_http_kairos_channel_t *
ngx_http_kairos_channel_find(ngx_http_kairos_session_t *ks,
    const ngx_str_t *topic)
{
    ngx_str_t                  *name;
    ngx_queue_t                *q;
    ngx_http_kairos_channel_t  *ch;

    /* at most kairos_max_channels, mostly a handful */

    for (q = ngx_queue_head(&ks->client->channels);
         q != ngx_queue_sentinel(&ks->client->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_http_kairos_channel_t, queue);
        name = &ch->topic->sn.str;

        if (name->len == topic->len
            && ngx_memcmp(name->data, topic->data, topic->len) == 0)
        {
            return ch;
        }
    }

    return NULL;
}


ngx_http_kairos_channel_t *
ngx_http_kairos_channel_open(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *join)
{
    u_char                     *p;
    const ngx_str_t            *join_ref;
    ngx_http_kairos_channel_t  *ch;

    join_ref = (join->join_ref.len > 0) ? &join->join_ref : &join->ref;

    ch = ngx_alloc(sizeof(ngx_http_kairos_channel_t) + join_ref->len,
                   ks->log);
    if (ch == NULL) {
        return NULL;
    }

    ch->topic = ngx_http_kairos_topic_add(&ks->client->hub->topics,
                                          &join->message.topic, &ch->member);
    if (ch->topic == NULL) {
        ngx_free(ch);
        return NULL;
    }

    p = (u_char *) ch + sizeof(ngx_http_kairos_channel_t);

    ch->ks = ks;
    ch->encoding = ks->client->encoding;
    ch->join_ref.len = join_ref->len;
    ch->join_ref.data = p;

    if (join_ref->len) {
        ngx_memcpy(p, join_ref->data, join_ref->len);
    }

    /* the newest first: the next message is most likely for it */

    ngx_queue_insert_head(&ks->client->channels, &ch->queue);
    ks->client->nchannels++;
    ks->slot->counters->channels++;

    return ch;
}


void
ngx_http_kairos_channel_close(ngx_http_kairos_channel_t *ch)
{
    ngx_http_kairos_topic_remove(ch->topic, &ch->member);

    ngx_queue_remove(&ch->queue);
    ch->ks->client->nchannels--;
    ch->ks->slot->counters->channels--;

    ngx_free(ch);
}


void
ngx_http_kairos_channel_reply(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *req, ngx_uint_t ok,
    const ngx_str_t *response)
{
    ngx_str_t                   status;
    ngx_http_kairos_msg_t      *msg;
    ngx_http_kairos_phx_msg_t   m;

    if (!ngx_http_kairos_channel_replies(req)) {
        return;
    }

    m = *req;
    m.message.payload = *response;
    m.message.binary = 0;

    if (ok) {
        ngx_str_set(&status, "ok");

    } else {
        ngx_str_set(&status, "error");
    }

    (void) ngx_http_kairos_encode_reply(ks->client->encoding, &m, &status,
                                        &msg, ks->log);

    ngx_http_kairos_channel_pass(ks, msg);
}


void
ngx_http_kairos_channel_refuse(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *req, const char *reason)
{
    u_char     buf[NGX_HTTP_KAIROS_REASON_JSON];
    ngx_str_t  text, response;

    text.data = (u_char *) reason;
    text.len = ngx_min(ngx_strlen(reason), NGX_HTTP_KAIROS_REASON_MAX);

    response.data = buf;
    response.len = ngx_http_kairos_channel_reason(buf, &text) - buf;

    if (!ngx_http_kairos_channel_replies(req)) {
        ks->slot->counters->unanswered++;
    }

    ngx_http_kairos_channel_log_refusal(ks, req, &text);
    ngx_http_kairos_channel_reply(ks, req, 0, &response);
}


void
ngx_http_kairos_channel_push(ngx_http_kairos_channel_t *ch,
    const ngx_str_t *event, const ngx_str_t *payload)
{
    ngx_http_kairos_phx_msg_t  m;

    ngx_memzero(&m, sizeof(ngx_http_kairos_phx_msg_t));

    m.message.topic = ch->topic->sn.str;
    m.message.event = *event;
    m.message.payload = *payload;

    ngx_http_kairos_channel_send(ch->ks, &m);
}


void
ngx_http_kairos_channel_send_close(ngx_http_kairos_channel_t *ch)
{
    ngx_str_t  payload = ngx_string("{}");

    ngx_http_kairos_channel_send_system(ch, "phx_close", &payload);
}


void
ngx_http_kairos_channel_send_error(ngx_http_kairos_channel_t *ch,
    const ngx_str_t *reason)
{
    u_char     buf[NGX_HTTP_KAIROS_REASON_JSON];
    ngx_str_t  text, payload;

    text.data = reason->data;
    text.len = ngx_min(reason->len, NGX_HTTP_KAIROS_REASON_MAX);

    payload.data = buf;
    payload.len = ngx_http_kairos_channel_reason(buf, &text) - buf;

    ngx_http_kairos_channel_send_system(ch, "phx_error", &payload);
}


void
ngx_http_kairos_channel_end_topic(ngx_http_kairos_topic_t *tp,
    const ngx_str_t *reason)
{
    ngx_uint_t                  n;
    ngx_http_kairos_channel_t  *ch;

    /* counted before, because the topic is freed with its last channel */

    for (n = tp->nmembers; n; n--) {
        ch = ngx_queue_data(ngx_queue_head(&tp->members),
                            ngx_http_kairos_channel_t, member);

        ngx_http_kairos_channel_send_error(ch, reason);
        ngx_http_kairos_channel_close(ch);
    }
}


/* Whether the message gets a reply: not a push without a ref. */
static ngx_uint_t
ngx_http_kairos_channel_replies(const ngx_http_kairos_phx_msg_t *m)
{
    const ngx_str_t  *event;

    event = &m->message.event;

    return m->ref.len != 0
           || ngx_http_kairos_is(event, "phx_join")
           || ngx_http_kairos_is(event, "phx_leave")
           || ngx_http_kairos_is(event, "heartbeat");
}


/*
 * With ref as well as join_ref, as Phoenix sends it: a client drops the event
 * if neither is the one of its join.
 */
static void
ngx_http_kairos_channel_send_system(ngx_http_kairos_channel_t *ch,
    const char *event, const ngx_str_t *payload)
{
    ngx_http_kairos_phx_msg_t  m;

    ngx_memzero(&m, sizeof(ngx_http_kairos_phx_msg_t));

    m.message.topic = ch->topic->sn.str;
    m.message.event.data = (u_char *) event;
    m.message.event.len = ngx_strlen(event);
    m.message.payload = *payload;
    m.join_ref = ch->join_ref;
    m.ref = ch->join_ref;

    ngx_http_kairos_channel_send(ch->ks, &m);
}


static void
ngx_http_kairos_channel_send(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m)
{
    ngx_http_kairos_msg_t  *msg;

    (void) ngx_http_kairos_encode_refs(ks->client->encoding, m, &msg,
                                       ks->log);

    ngx_http_kairos_channel_pass(ks, msg);
}


/*
 * Sends the message and releases it.  NULL: there was no memory for the
 * message, as JSON has a form in every encoding.  The session ends then,
 * because its client may wait for an answer.
 */
static void
ngx_http_kairos_channel_pass(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_msg_t *msg)
{
    if (msg == NULL) {
        ngx_http_kairos_session_fail(ks);
        return;
    }

    ngx_http_kairos_session_send(ks, msg);
    ngx_http_kairos_msg_release(msg);
}


static u_char *
ngx_http_kairos_channel_reason(u_char *p, const ngx_str_t *reason)
{
    p = ngx_cpymem(p, "{\"reason\":", sizeof("{\"reason\":") - 1);
    p = ngx_http_kairos_json_string(p, reason);
    *p++ = '}';

    return p;
}


static void
ngx_http_kairos_channel_log_refusal(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *req, const ngx_str_t *reason)
{
    u_char     event_buf[2 + 6 * NGX_HTTP_KAIROS_LOG_MAX];
    u_char     topic_buf[2 + 6 * NGX_HTTP_KAIROS_LOG_MAX];
    ngx_str_t  event, topic;

    if (ks->log->log_level < NGX_LOG_INFO) {
        return;
    }

    ngx_http_kairos_channel_log_name(event_buf, &event, &req->message.event);
    ngx_http_kairos_channel_log_name(topic_buf, &topic, &req->message.topic);

    ngx_log_error(NGX_LOG_INFO, ks->log, 0,
                  "kairos refused %V on topic %V: %V",
                  &event, &topic, reason);
}


/*
 * Makes a JSON string of the name's beginning: a client must not be able to
 * write lines of its own into the log.
 */
static void
ngx_http_kairos_channel_log_name(u_char *buf, ngx_str_t *text,
    const ngx_str_t *name)
{
    ngx_str_t  start;

    start.data = name->data;
    start.len = ngx_min(name->len, NGX_HTTP_KAIROS_LOG_MAX);

    text->data = buf;
    text->len = ngx_http_kairos_json_string(buf, &start) - buf;
}
