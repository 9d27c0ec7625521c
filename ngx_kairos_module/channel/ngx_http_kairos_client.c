#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_client.h"


ngx_http_kairos_client_t *
ngx_http_kairos_client_create(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_hub_t *hub, ngx_http_kairos_encoding_e encoding,
    const ngx_http_kairos_client_limits_t *limits)
{
    ngx_http_kairos_client_t  *client;

    client = ngx_calloc(sizeof(ngx_http_kairos_client_t), ks->log);
    if (client == NULL) {
        return NULL;
    }

    client->hub = hub;
    client->encoding = encoding;
    client->limits = limits;

    ngx_queue_init(&client->channels);

    ks->client = client;

    return client;
}


void
ngx_http_kairos_client_free(ngx_http_kairos_session_t *ks)
{
    ngx_http_kairos_client_t  *client;

    client = ks->client;
    if (client == NULL) {
        return;
    }

    if (client->claims.data != NULL) {
        ngx_free(client->claims.data);
    }

    ngx_free(client);

    ks->client = NULL;
}


ngx_int_t
ngx_http_kairos_client_permit(ngx_http_kairos_session_t *ks,
    const ngx_str_t *claims, time_t expires)
{
    u_char                    *p;
    ngx_http_kairos_client_t  *client;

    client = ks->client;

    p = ngx_alloc(claims->len, ks->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (client->claims.data != NULL) {
        ngx_free(client->claims.data);
    }

    ngx_memcpy(p, claims->data, claims->len);

    client->claims.data = p;
    client->claims.len = claims->len;

    ngx_http_kairos_session_expire(ks, expires);

    return NGX_OK;
}
