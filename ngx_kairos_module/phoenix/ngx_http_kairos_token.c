#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_channel.h"
#include "ngx_http_kairos_json.h"
#include "ngx_http_kairos_jwt.h"
#include "ngx_http_kairos_token.h"


static const char *ngx_http_kairos_token_replace(ngx_http_kairos_session_t *ks,
    const ngx_str_t *payload);
static const char *ngx_http_kairos_token_read(const ngx_str_t *payload,
    u_char *buf, ngx_str_t *token);


void
ngx_http_kairos_token_expired(ngx_http_kairos_session_t *ks)
{
    ngx_str_t     reason = ngx_string("the token has expired");
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&ks->client->channels);
         q != ngx_queue_sentinel(&ks->client->channels);
         q = ngx_queue_next(q))
    {
        ngx_http_kairos_channel_send_error(
                  ngx_queue_data(q, ngx_http_kairos_channel_t, queue),
                  &reason);
    }

    ngx_http_kairos_session_close(ks, NGX_HTTP_KAIROS_CLOSE_POLICY,
                                  "the token has expired");
}


void
ngx_http_kairos_token_renew(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_phx_msg_t *m)
{
    ngx_str_t    response = ngx_string("{}");
    const char  *reason;

    /* without kairos_auth the socket has no token to renew */

    reason = NULL;

    if (ks->client->policy != NULL) {
        reason = m->message.binary
                 ? "the payload must be JSON"
                 : ngx_http_kairos_token_replace(ks, &m->message.payload);
    }

    if (reason != NULL) {
        ngx_log_error(NGX_LOG_INFO, ks->log, 0,
                      "kairos refused a new token of socket %uL: %s",
                      ks->id, reason);

        ngx_http_kairos_channel_refuse(ks, m, reason);
        return;
    }

    ngx_http_kairos_channel_reply(ks, m, 1, &response);
}


/*
 * Verifies the token in the payload and puts it in the place of the session's.
 * Returns NULL, or the reason of a refusal, static text.
 */
static const char *
ngx_http_kairos_token_replace(ngx_http_kairos_session_t *ks,
    const ngx_str_t *payload)
{
    u_char                  buf[NGX_HTTP_KAIROS_JWT_MAX];
    ngx_str_t               token;
    const char             *reason;
    ngx_http_kairos_jwt_t   jwt;

    reason = ngx_http_kairos_token_read(payload, buf, &token);

    if (reason != NULL) {
        return reason;
    }

    if (ngx_http_kairos_jwt_verify(ks->client->policy, &token, ngx_time(),
                                   &jwt, &reason)
        != NGX_OK)
    {
        return reason;
    }

    /* the socket's channels and subscriptions are those of its first sub */

    if (!ngx_http_kairos_jwt_same_subject(&ks->client->claims, &jwt)) {
        return "the token has another sub than the first one";
    }

    if (ngx_http_kairos_client_permit(ks, &jwt.claims, jwt.expires) != NGX_OK)
    {
        return "the server is out of memory";
    }

    return NULL;
}


/*
 * Reads the member "access_token" of the payload, valid JSON, into buf, of
 * NGX_HTTP_KAIROS_JWT_MAX bytes.  Returns NULL, or the reason of a refusal.
 */
static const char *
ngx_http_kairos_token_read(const ngx_str_t *payload, u_char *buf,
    ngx_str_t *token)
{
    u_char                  *last;
    ngx_http_kairos_json_t   object, value;

    object.type = NGX_HTTP_KAIROS_JSON_OBJECT;
    object.raw = *payload;

    if (payload->data[0] != '{'
        || ngx_http_kairos_json_member(&object, "access_token", &value)
           != NGX_OK
        || value.type != NGX_HTTP_KAIROS_JSON_STRING)
    {
        return "the payload must have an \"access_token\", a string";
    }

    /* the raw text is never shorter than the token, which has no escapes */

    if (value.raw.len > NGX_HTTP_KAIROS_JWT_MAX) {
        return "the token is too long";
    }

    last = ngx_http_kairos_json_unescape(buf, &value.raw);

    token->data = buf;
    token->len = last - buf;

    return NULL;
}
