#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_access.h"


static const char *ngx_http_kairos_access_size(
    const ngx_http_kairos_access_t *a);
static const char *ngx_http_kairos_access_join(
    const ngx_http_kairos_access_t *a);
static const char *ngx_http_kairos_access_push(
    const ngx_http_kairos_access_t *a);
static const char *ngx_http_kairos_access_broadcast(
    const ngx_http_kairos_access_t *a);
static ngx_uint_t ngx_http_kairos_access_is(const ngx_str_t *name,
    const char *text);
static ngx_uint_t ngx_http_kairos_access_begins(const ngx_str_t *name,
    const char *text);


static const char  ngx_http_kairos_access_phoenix[] =
    "the topic phoenix is the protocol's own";

static const char  ngx_http_kairos_access_read_only[] =
    "topics that begin with rt: are read-only";

static const char  ngx_http_kairos_access_phx[] =
    "events that begin with phx_ are the protocol's own";


const char *
ngx_http_kairos_access(const ngx_http_kairos_access_t *a)
{
    const char  *reason;

    reason = ngx_http_kairos_access_size(a);

    if (reason != NULL) {
        return reason;
    }

    switch (a->action) {

    case NGX_HTTP_KAIROS_ACCESS_JOIN:
        return ngx_http_kairos_access_join(a);

    case NGX_HTTP_KAIROS_ACCESS_PUSH:
        return ngx_http_kairos_access_push(a);

    case NGX_HTTP_KAIROS_ACCESS_BROADCAST:
        return ngx_http_kairos_access_broadcast(a);

    default: /* NGX_HTTP_KAIROS_ACCESS_NAME */
        return NULL;
    }
}


ngx_uint_t
ngx_http_kairos_access_is_route(const ngx_str_t *topic)
{
    return ngx_http_kairos_access_begins(topic, NGX_HTTP_KAIROS_ROUTE_PREFIX);
}


/*
 * A socket's client may use an empty topic and an empty event, as in Phoenix.
 * In an HTTP push an empty name is taken for a mistake of the sender.
 */
static const char *
ngx_http_kairos_access_size(const ngx_http_kairos_access_t *a)
{
    if (a->action == NGX_HTTP_KAIROS_ACCESS_BROADCAST
        && (a->topic.len == 0 || a->topic.len > NGX_HTTP_KAIROS_NAME_MAX
            || a->event.len == 0 || a->event.len > NGX_HTTP_KAIROS_NAME_MAX))
    {
        return "topic and event must have from 1 to 255 bytes";
    }

    if (a->topic.len > NGX_HTTP_KAIROS_NAME_MAX) {
        return "the topic is longer than 255 bytes";
    }

    if (a->event.len > NGX_HTTP_KAIROS_NAME_MAX) {
        return "the event is longer than 255 bytes";
    }

    return NULL;
}


static const char *
ngx_http_kairos_access_join(const ngx_http_kairos_access_t *a)
{
    if (ngx_http_kairos_access_is(&a->topic, "phoenix")) {
        return ngx_http_kairos_access_phoenix;
    }

    return NULL;
}


static const char *
ngx_http_kairos_access_push(const ngx_http_kairos_access_t *a)
{
    if (ngx_http_kairos_access_begins(&a->event, "phx_")) {
        return ngx_http_kairos_access_phx;
    }

    /* "access_token" renews the socket's token and publishes nothing */

    if (ngx_http_kairos_access_is_route(&a->topic)
        && !ngx_http_kairos_access_is(&a->event, "access_token"))
    {
        return ngx_http_kairos_access_read_only;
    }

    return NULL;
}


static const char *
ngx_http_kairos_access_broadcast(const ngx_http_kairos_access_t *a)
{
    if (ngx_http_kairos_access_is_route(&a->topic)) {
        return ngx_http_kairos_access_read_only;
    }

    if (ngx_http_kairos_access_is(&a->topic, "phoenix")) {
        return ngx_http_kairos_access_phoenix;
    }

    if (ngx_http_kairos_access_begins(&a->event, "phx_")) {
        return ngx_http_kairos_access_phx;
    }

    if (ngx_http_kairos_access_is(&a->event, "access_token")) {
        return "the event access_token is for tokens, it is never broadcast";
    }

    return NULL;
}


static ngx_uint_t
ngx_http_kairos_access_is(const ngx_str_t *name, const char *text)
{
    return name->len == ngx_strlen(text)
           && ngx_memcmp(name->data, text, name->len) == 0;
}


static ngx_uint_t
ngx_http_kairos_access_begins(const ngx_str_t *name, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    return name->len >= len && ngx_memcmp(name->data, text, len) == 0;
}
