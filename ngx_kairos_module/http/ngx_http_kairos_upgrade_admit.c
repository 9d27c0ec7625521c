/*
 * Whether the limits leave room for one more socket, before the 101.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_json.h"
#include "ngx_http_kairos_session.h"
#include "ngx_http_kairos_upgrade_private.h"


/* bytes of a reason that names a limit */
#define NGX_HTTP_KAIROS_REASON  128


static uint64_t ngx_http_kairos_upgrade_address(ngx_http_request_t *r,
    ngx_http_kairos_session_t *ks);
static ngx_int_t ngx_http_kairos_upgrade_explain(ngx_http_request_t *r,
    ngx_http_kairos_refusal_t *no, const char *what, const char *directive,
    ngx_uint_t limit);


/*
 * The key is that of the unescaped sub: the same text may be written with
 * escapes and without.
 */
uint64_t
ngx_http_kairos_upgrade_user(ngx_http_kairos_session_t *ks,
    const ngx_http_kairos_jwt_t *jwt)
{
    u_char     text[NGX_HTTP_KAIROS_JWT_MAX];
    ngx_str_t  subject;

    subject = jwt->subject;

    if (subject.len == 0 || ks->limits->quota.per_user == 0) {
        return 0;
    }

    if (subject.data[0] != '"') {
        return ngx_http_kairos_slot_key(ks->slot, "other", &subject);
    }

    subject.len = ngx_http_kairos_json_unescape(text, &subject) - text;
    subject.data = text;

    return ngx_http_kairos_slot_key(ks->slot, "user", &subject);
}


ngx_int_t
ngx_http_kairos_upgrade_admit(ngx_http_request_t *r,
    ngx_http_kairos_session_t *ks, uint64_t user,
    ngx_http_kairos_refusal_t *no)
{
    ngx_http_kairos_admission_e     rc;
    const ngx_http_kairos_quota_t  *quota;

    quota = &ks->limits->quota;

    rc = ngx_http_kairos_session_admit(ks,
                                       ngx_http_kairos_upgrade_address(r, ks),
                                       user);
    switch (rc) {

    case NGX_HTTP_KAIROS_ADMITTED:
        return NGX_OK;

    case NGX_HTTP_KAIROS_FULL:
        no->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        return ngx_http_kairos_upgrade_explain(r, no, "sockets of all clients",
                               "kairos_max_connections", quota->connections);

    case NGX_HTTP_KAIROS_FULL_ADDRESS:
        no->status = NGX_HTTP_TOO_MANY_REQUESTS;
        return ngx_http_kairos_upgrade_explain(r, no, "sockets of one address",
                               "kairos_max_per_address", quota->per_address);

    default: /* NGX_HTTP_KAIROS_FULL_USER */
        no->status = NGX_HTTP_TOO_MANY_REQUESTS;
        return ngx_http_kairos_upgrade_explain(r, no, "sockets of one user",
                               "kairos_max_per_user", quota->per_user);
    }
}


/*
 * The key of the client's address; 0: the client has none (a Unix socket), or
 * kairos_max_per_address is not set.  Of an IPv6 address the network's 64 bits
 * count, because its client can use any address of that network.
 */
static uint64_t
ngx_http_kairos_upgrade_address(ngx_http_request_t *r,
    ngx_http_kairos_session_t *ks)
{
    ngx_str_t             text;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    if (ks->limits->quota.per_address == 0) {
        return 0;
    }

    switch (r->connection->sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) r->connection->sockaddr;
        text.data = (u_char *) &sin->sin_addr;
        text.len = 4;
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;
        text.data = sin6->sin6_addr.s6_addr;
        text.len = 8;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            text.data += 12;
            text.len = 4;
        }

        break;
#endif

    default:
        return 0;
    }

    return ngx_http_kairos_slot_key(ks->slot, "address", &text);
}


/*
 * Sets no->reason to a text that names the limit, in the request's pool.
 * NGX_ERROR: no memory.
 */
static ngx_int_t
ngx_http_kairos_upgrade_explain(ngx_http_request_t *r,
    ngx_http_kairos_refusal_t *no, const char *what, const char *directive,
    ngx_uint_t limit)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_HTTP_KAIROS_REASON);
    if (p == NULL) {
        return NGX_ERROR;
    }

    no->reason = (const char *) p;

    p = ngx_snprintf(p, NGX_HTTP_KAIROS_REASON - 1,
                     "too many %s, %s is %ui", what, directive, limit);
    *p = '\0';

    return NGX_OK;
}
