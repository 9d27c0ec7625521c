/*
 * From an HTTP request to a socket, RFC 6455 section 4.2.
 *
 * First the request is checked and the session is made, as long as an HTTP
 * response can still refuse the client.  Then the 101 is sent like any
 * response.  After that a posted event frees the request and gives the
 * connection to the session: no function of nginx's HTTP code stands on the
 * stack then.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <ngx_sha1.h>

#include "ngx_http_kairos_auth.h"
#include "ngx_http_kairos_conf.h"
#include "ngx_http_kairos_dispatch.h"
#include "ngx_http_kairos_http.h"
#include "ngx_http_kairos_upgrade_private.h"


#define NGX_HTTP_KAIROS_GUID   "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#define NGX_HTTP_KAIROS_SHA1   20

/* Retry-After, in seconds, of a client that a limit refuses */
#define NGX_HTTP_KAIROS_RETRY  "10"


/* in the request's pool: dies with it */
typedef struct {
    ngx_http_request_t         *request;
    ngx_http_kairos_session_t  *ks;       /* NULL: handed over */
    uint64_t                    user;     /* a key of the slot, or 0 */
    ngx_event_t                 event;
} ngx_http_kairos_upgrade_t;


static void ngx_http_kairos_upgrade_event_handler(ngx_event_t *ev);
static void ngx_http_kairos_upgrade_write_handler(ngx_http_request_t *r);
static void ngx_http_kairos_upgrade_cleanup(void *data);

static ngx_int_t ngx_http_kairos_upgrade_refuse(ngx_http_request_t *r,
    ngx_http_kairos_refusal_t *no);
static ngx_http_kairos_upgrade_t *ngx_http_kairos_upgrade_create(
    ngx_http_request_t *r, ngx_http_kairos_encoding_e encoding);
static void ngx_http_kairos_upgrade_discard(ngx_http_kairos_session_t *ks);
static ngx_int_t ngx_http_kairos_upgrade_permit(
    ngx_http_kairos_upgrade_t *up, ngx_http_kairos_refusal_t *no);
static uint64_t ngx_http_kairos_upgrade_client(ngx_http_request_t *r,
    ngx_http_kairos_session_t *ks);
static ngx_int_t ngx_http_kairos_upgrade_switch(ngx_http_request_t *r);
static ngx_int_t ngx_http_kairos_upgrade_accept(ngx_http_request_t *r);
static ngx_uint_t ngx_http_kairos_upgrade_buffered(ngx_http_request_t *r);
static void ngx_http_kairos_upgrade_wait(ngx_http_request_t *r);
static void ngx_http_kairos_upgrade_hand_over(ngx_http_kairos_upgrade_t *up);
static void ngx_http_kairos_upgrade_free_buffers(ngx_connection_t *c,
    ngx_http_connection_t *hc);
static ngx_int_t ngx_http_kairos_upgrade_nodelay(ngx_connection_t *c,
    ngx_uint_t on);


/*
 * The 101 was passed to nginx's output filters.
 */
static void
ngx_http_kairos_upgrade_event_handler(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_kairos_upgrade_t  *up;

    up = ev->data;
    r = up->request;
    c = r->connection;

    if (c->error) {
        ngx_http_finalize_request(r, NGX_ERROR);
        ngx_http_run_posted_requests(c);
        return;
    }

    if (ngx_http_kairos_upgrade_buffered(r)) {
        r->write_event_handler = ngx_http_kairos_upgrade_write_handler;
        ngx_http_kairos_upgrade_wait(r);
        ngx_http_run_posted_requests(c);
        return;
    }

    ngx_http_kairos_upgrade_hand_over(up);
}


/*
 * The 101 could not be sent at once: the client reads slowly, or limit_rate
 * delays the response.
 */
static void
ngx_http_kairos_upgrade_write_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_event_t                *wev;
    ngx_http_kairos_upgrade_t  *up;

    wev = r->connection->write;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "client timed out");
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (!wev->delayed) {
        rc = ngx_http_output_filter(r, NULL);

        if (rc == NGX_ERROR) {
            ngx_http_finalize_request(r, NGX_ERROR);
            return;
        }
    }

    if (ngx_http_kairos_upgrade_buffered(r)) {
        ngx_http_kairos_upgrade_wait(r);
        return;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    up = ngx_http_get_module_ctx(r, ngx_http_kairos_module);

    ngx_post_event(&up->event, &ngx_posted_events);
}


/*
 * The request ends, before or after the connection was handed over.
 */
static void
ngx_http_kairos_upgrade_cleanup(void *data)
{
    ngx_http_kairos_upgrade_t  *up = data;

    if (up->event.posted) {
        ngx_delete_posted_event(&up->event);
    }

    if (up->ks != NULL) {
        ngx_http_kairos_upgrade_discard(up->ks);
        up->ks = NULL;
    }
}


ngx_int_t
ngx_http_kairos_upgrade(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_kairos_refusal_t    no;
    ngx_http_kairos_upgrade_t   *up;
    ngx_http_kairos_encoding_e   encoding;

    ngx_memzero(&no, sizeof(ngx_http_kairos_refusal_t));
    encoding = NGX_HTTP_KAIROS_ENCODING_V1_WS;

    ngx_http_kairos_upgrade_check(r, &no);

    if (no.status == 0
        && ngx_http_kairos_upgrade_encoding(r, &encoding) != NGX_OK)
    {
        no.status = NGX_HTTP_FORBIDDEN;
        no.reason = "parameter vsn must be 1.0.x or 2.0.x";
    }

    if (no.status) {
        return ngx_http_kairos_upgrade_refuse(r, &no);
    }

    up = ngx_http_kairos_upgrade_create(r, encoding);
    if (up == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_kairos_upgrade_permit(up, &no) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (no.status) {
        return ngx_http_kairos_upgrade_refuse(r, &no);
    }

    if (ngx_http_kairos_upgrade_admit(r, up->ks, up->user, &no) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (no.status) {
        return ngx_http_kairos_upgrade_refuse(r, &no);
    }

    up->ks->client->number = ngx_http_kairos_upgrade_client(r, up->ks);

    rc = ngx_http_kairos_upgrade_switch(r);

    if (rc == NGX_ERROR || rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    /* the request stays until our event has come */

    r->main->count++;

    ngx_post_event(&up->event, &ngx_posted_events);

    return NGX_DONE;
}


/*
 * Answers with the refusal, and the header that belongs to its status.  The
 * return value is a content handler's.
 */
static ngx_int_t
ngx_http_kairos_upgrade_refuse(ngx_http_request_t *r,
    ngx_http_kairos_refusal_t *no)
{
    ngx_str_t  value;

    if (no->status == NGX_HTTP_NOT_ALLOWED) {
        ngx_str_set(&value, "GET");

        if (ngx_http_kairos_http_add(r, "Allow", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (no->status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        ngx_str_set(&value, NGX_HTTP_KAIROS_RETRY);

        if (ngx_http_kairos_http_add(r, "Retry-After", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (no->status == NGX_HTTP_UPGRADE_REQUIRED) {
        ngx_str_set(&value, "13");

        if (ngx_http_kairos_http_add(r, "Sec-WebSocket-Version", &value)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        /* nginx has no status line for 426 */
        ngx_str_set(&r->headers_out.status_line, "426 Upgrade Required");
    }

    return ngx_http_kairos_http_refuse(r, no->status, no->reason);
}


/*
 * Makes the session, which the request's end discards unless the connection
 * was handed over.  NULL: no memory.
 */
static ngx_http_kairos_upgrade_t *
ngx_http_kairos_upgrade_create(ngx_http_request_t *r,
    ngx_http_kairos_encoding_e encoding)
{
    ngx_http_cleanup_t           *cln;
    ngx_http_kairos_hub_t        *hub;
    ngx_http_kairos_zone_t       *zone;
    ngx_http_kairos_client_t     *client;
    ngx_http_kairos_session_t    *ks;
    ngx_http_kairos_upgrade_t    *up;
    ngx_http_kairos_loc_conf_t   *klcf;
    ngx_http_kairos_main_conf_t  *kmcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);
    kmcf = ngx_http_get_module_main_conf(r, ngx_http_kairos_module);

    up = ngx_pcalloc(r->pool, sizeof(ngx_http_kairos_upgrade_t));
    if (up == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    zone = klcf->shm_zone->data;
    hub = &kmcf->hubs[zone->index];

    ks = ngx_http_kairos_session_create(&kmcf->sessions, &hub->slot,
                                        &klcf->limits,
                                        &ngx_http_kairos_transport_ws,
                                        &ngx_http_kairos_dispatch_handlers,
                                        r->connection->log);
    if (ks == NULL) {
        return NULL;
    }

    client = ngx_http_kairos_client_create(ks, hub, encoding,
                                           &klcf->client_limits);
    if (client == NULL) {
        ngx_http_kairos_session_discard(ks);
        return NULL;
    }

    client->feed = (klcf->upstream != NULL) ? klcf->upstream->feed : NULL;

    up->request = r;
    up->ks = ks;
    up->event.handler = ngx_http_kairos_upgrade_event_handler;
    up->event.data = up;
    up->event.log = r->connection->log;

    cln->handler = ngx_http_kairos_upgrade_cleanup;
    cln->data = up;

    ngx_http_set_ctx(r, up, ngx_http_kairos_module);

    return up;
}


static void
ngx_http_kairos_upgrade_discard(ngx_http_kairos_session_t *ks)
{
    ngx_http_kairos_client_free(ks);
    ngx_http_kairos_session_discard(ks);
}


/*
 * Where kairos_auth is on, verifies the request's token and gives its claims
 * to the client.  NGX_OK, with no->status set if the token is refused;
 * NGX_ERROR: no memory.
 */
static ngx_int_t
ngx_http_kairos_upgrade_permit(ngx_http_kairos_upgrade_t *up,
    ngx_http_kairos_refusal_t *no)
{
    ngx_int_t                    rc;
    ngx_http_kairos_jwt_t        jwt;
    ngx_http_kairos_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(up->request, ngx_http_kairos_module);

    if (!klcf->auth.on) {
        return NGX_OK;
    }

    rc = ngx_http_kairos_auth_verify(up->request, NGX_HTTP_KAIROS_AUTH_UPGRADE,
                                     &jwt, &no->reason);

    if (rc == NGX_DECLINED) {
        no->status = NGX_HTTP_FORBIDDEN;
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    up->ks->client->policy = &klcf->auth.policy;
    up->user = ngx_http_kairos_upgrade_user(up->ks, &jwt);

    return ngx_http_kairos_client_permit(up->ks, &jwt.claims, jwt.expires);
}


/*
 * A number by which the replicator recognizes a client whose connection was
 * lost and that joins a route again: phoenix.js sends nothing that names the
 * earlier connection.  Address, User-Agent and the token's sub stay the same;
 * the token itself may have been renewed in between.
 */
static uint64_t
ngx_http_kairos_upgrade_client(ngx_http_request_t *r,
    ngx_http_kairos_session_t *ks)
{
    uint32_t   crc, hash;
    ngx_str_t  empty, user, *agent, *addr;

    ngx_str_null(&empty);

    addr = &r->connection->addr_text;
    agent = r->headers_in.user_agent ? &r->headers_in.user_agent->value
                                     : &empty;

    ngx_http_kairos_jwt_user(&ks->client->claims, &user);

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, addr->data, addr->len);
    ngx_crc32_update(&crc, agent->data, agent->len);
    ngx_crc32_update(&crc, user.data, user.len);
    ngx_crc32_final(crc);

    hash = ngx_murmur_hash2(addr->data, addr->len)
           ^ (ngx_murmur_hash2(agent->data, agent->len) * 31)
           ^ (ngx_murmur_hash2(user.data, user.len) * 961);

    return (uint64_t) hash << 32 | crc;
}


/*
 * Sends the 101.  NGX_OK, or NGX_AGAIN if a part of it waits to be sent; else
 * a content handler's return value.
 */
static ngx_int_t
ngx_http_kairos_upgrade_switch(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  value;

    r->keepalive = 0;

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");
    r->headers_out.content_length_n = -1;
    ngx_str_null(&r->headers_out.content_type);

    /* "Connection: upgrade" is nginx's own */

    ngx_str_set(&value, "websocket");

    if (ngx_http_kairos_http_add(r, "Upgrade", &value) != NGX_OK
        || ngx_http_kairos_upgrade_accept(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_kairos_upgrade_has_token(r, "sec-websocket-protocol",
                                          "phoenix"))
    {
        ngx_str_set(&value, "phoenix");

        if (ngx_http_kairos_http_add(r, "Sec-WebSocket-Protocol", &value)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    return ngx_http_send_special(r, NGX_HTTP_FLUSH);
}


/*
 * Adds Sec-WebSocket-Accept.  NGX_ERROR: no memory.
 */
static ngx_int_t
ngx_http_kairos_upgrade_accept(ngx_http_request_t *r)
{
    u_char       digest[NGX_HTTP_KAIROS_SHA1];
    ngx_str_t   *key, hash, accept;
    ngx_sha1_t   sha1;

    key = ngx_http_kairos_http_header(r, "sec-websocket-key", NULL);

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, key->data, key->len);
    ngx_sha1_update(&sha1, NGX_HTTP_KAIROS_GUID,
                    sizeof(NGX_HTTP_KAIROS_GUID) - 1);
    ngx_sha1_final(digest, &sha1);

    hash.len = NGX_HTTP_KAIROS_SHA1;
    hash.data = digest;

    accept.data = ngx_pnalloc(r->pool,
                              ngx_base64_encoded_length(NGX_HTTP_KAIROS_SHA1));
    if (accept.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&accept, &hash);

    return ngx_http_kairos_http_add(r, "Sec-WebSocket-Accept", &accept);
}


/*
 * Whether a part of the 101 has not been sent yet.
 */
static ngx_uint_t
ngx_http_kairos_upgrade_buffered(ngx_http_request_t *r)
{
    return r->buffered || r->connection->buffered || r->out != NULL;
}


/*
 * Waits for the write event, for as long as send_timeout or limit_rate's delay
 * says.  May finalize the request.
 */
static void
ngx_http_kairos_upgrade_wait(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


/*
 * Frees the request and starts the session on its connection.  The buffers
 * that requests share with the connection are freed as nginx frees them before
 * it keeps a connection alive.
 */
static void
ngx_http_kairos_upgrade_hand_over(ngx_http_kairos_upgrade_t *up)
{
    ngx_buf_t                  *b;
    ngx_str_t                   addr_text;
    ngx_uint_t                  nodelay;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_connection_t      *hc;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_kairos_session_t  *ks;

    r = up->request;
    c = r->connection;
    ks = up->ks;
    b = r->header_in;

    if (ngx_http_kairos_session_feed_input(ks, b->pos, b->last - b->pos)
        != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_ERROR);
        ngx_http_run_posted_requests(c);
        return;
    }

    up->ks = NULL;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    hc = r->http_connection;
    nodelay = clcf->tcp_nodelay;

    /*
     * ngx_http_free_request() runs realip's cleanup, which restores the
     * proxy's address; the client's, in c->pool, is put back below
     */

    addr_text = c->addr_text;

    ngx_http_free_request(r, 0);

    c->addr_text = addr_text;
    c->destroyed = 0;
    c->sent = 0;

    ngx_http_kairos_upgrade_free_buffers(c, hc);

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->write->delayed = 0;

    if (ngx_http_kairos_upgrade_nodelay(c, nodelay) != NGX_OK) {
        c->error = 1;
        ngx_http_kairos_upgrade_discard(ks);
        ngx_http_close_connection(c);
        return;
    }

    ngx_http_kairos_session_start(ks, c);
}


static void
ngx_http_kairos_upgrade_free_buffers(ngx_connection_t *c,
    ngx_http_connection_t *hc)
{
    ngx_chain_t  *cl;

    /* a small buffer lies in the pool itself and stays as long as the pool */

    if (ngx_pfree(c->pool, c->buffer->start) == NGX_OK) {
        c->buffer->pos = NULL;
    }

    for (cl = hc->free; cl; cl = cl->next) {
        ngx_pfree(c->pool, cl->buf->start);
    }

    for (cl = hc->busy; cl; cl = cl->next) {
        ngx_pfree(c->pool, cl->buf->start);
    }

    hc->free = NULL;
    hc->busy = NULL;
    hc->nbusy = 0;

#if (NGX_HTTP_SSL)
    if (c->ssl != NULL) {
        ngx_ssl_free_buffer(c);
    }
#endif
}


/*
 * Ends tcp_nopush, which the 101 may have begun, and sets tcp_nodelay if it is
 * on.  NGX_ERROR: the connection has failed, logged.
 */
static ngx_int_t
ngx_http_kairos_upgrade_nodelay(ngx_connection_t *c, ngx_uint_t on)
{
    if (c->tcp_nopush == NGX_TCP_NOPUSH_SET) {

        if (ngx_tcp_push(c->fd) == -1) {
            ngx_connection_error(c, ngx_socket_errno,
                                 ngx_tcp_push_n " failed");
            return NGX_ERROR;
        }

        c->tcp_nopush = NGX_TCP_NOPUSH_UNSET;
    }

    return on ? ngx_tcp_nodelay(c) : NGX_OK;
}
