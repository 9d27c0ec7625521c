#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_origin.h"


#define NGX_HTTP_KAIROS_ORIGIN_BAD_PORT  ((ngx_uint_t) -1)


static const char *ngx_http_kairos_origin_host(const ngx_str_t *text,
    ngx_str_t *host, ngx_uint_t *port);
static ngx_uint_t ngx_http_kairos_origin_port(const u_char *p,
    const u_char *last);
static ngx_uint_t ngx_http_kairos_origin_default_port(const ngx_str_t *scheme);
static ngx_uint_t ngx_http_kairos_origin_same(const ngx_str_t *a,
    const ngx_str_t *b);


ngx_int_t
ngx_http_kairos_origin_parse(const ngx_str_t *text,
    ngx_http_kairos_origin_t *o, const char **reason)
{
    u_char      *p, *last, ch;
    ngx_str_t    rest;
    ngx_uint_t   port;

    ngx_memzero(o, sizeof(ngx_http_kairos_origin_t));

    last = text->data + text->len;

    for (p = text->data; p < last && *p != ':'; p++) {
        ch = (u_char) (*p | 0x20);

        if ((ch < 'a' || ch > 'z')
            && (p == text->data
                || ((*p < '0' || *p > '9')
                    && *p != '+' && *p != '-' && *p != '.')))
        {
            *reason = "it has no scheme";
            return NGX_ERROR;
        }
    }

    if (p == text->data || last - p < 3 || p[1] != '/' || p[2] != '/') {
        *reason = "it has no scheme";
        return NGX_ERROR;
    }

    o->scheme.data = text->data;
    o->scheme.len = p - text->data;

    rest.data = p + 3;
    rest.len = last - rest.data;

    *reason = ngx_http_kairos_origin_host(&rest, &o->host, &o->port);
    if (*reason != NULL) {
        return NGX_ERROR;
    }

    port = ngx_http_kairos_origin_default_port(&o->scheme);

    if (o->port == 0) {
        o->port = port;
    }

    o->default_port = (port != 0 && o->port == port);

    return NGX_OK;
}


ngx_int_t
ngx_http_kairos_origin_pattern(const ngx_str_t *text,
    ngx_http_kairos_origin_t *pattern, const char **reason)
{
    size_t  i;

    if (text->len > 2 && text->data[0] == '*' && text->data[1] == '.') {
        ngx_memzero(pattern, sizeof(ngx_http_kairos_origin_t));
        pattern->any_scheme = 1;

        *reason = ngx_http_kairos_origin_host(text, &pattern->host,
                                              &pattern->port);
        if (*reason != NULL) {
            return NGX_ERROR;
        }

    } else if (ngx_http_kairos_origin_parse(text, pattern, reason) != NGX_OK) {
        return NGX_ERROR;
    }

    if (pattern->host.len > 2
        && pattern->host.data[0] == '*' && pattern->host.data[1] == '.')
    {
        pattern->any_label = 1;
        pattern->host.data++;
        pattern->host.len--;
    }

    for (i = 0; i < pattern->host.len; i++) {
        if (pattern->host.data[i] == '*') {
            *reason = "its asterisk is not the first label";
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_kairos_origin_match(const ngx_http_kairos_origin_t *pattern,
    const ngx_http_kairos_origin_t *o)
{
    ngx_str_t  end;

    if (!pattern->any_scheme
        && !ngx_http_kairos_origin_same(&pattern->scheme, &o->scheme))
    {
        return 0;
    }

    if (pattern->any_scheme && pattern->port == 0) {

        if (!o->default_port) {
            return 0;
        }

    } else if (pattern->port != o->port) {
        return 0;
    }

    end = o->host;

    if (pattern->any_label) {

        if (end.len <= pattern->host.len) {
            return 0;
        }

        end.data += end.len - pattern->host.len;
        end.len = pattern->host.len;
    }

    return ngx_http_kairos_origin_same(&pattern->host, &end);
}


ngx_uint_t
ngx_http_kairos_origin_is_host(const ngx_http_kairos_origin_t *o,
    const ngx_str_t *host)
{
    ngx_str_t   name;
    ngx_uint_t  port;

    if (ngx_http_kairos_origin_host(host, &name, &port) != NULL
        || !ngx_http_kairos_origin_same(&o->host, &name))
    {
        return 0;
    }

    return (port == 0) ? o->default_port : (o->port == port);
}


/*
 * Splits "host[:port]"; port is 0 if none is given.  Returns NULL, or the
 * fault, static text.
 */
static const char *
ngx_http_kairos_origin_host(const ngx_str_t *text, ngx_str_t *host,
    ngx_uint_t *port)
{
    u_char  *p, *last;

    *port = 0;

    p = text->data;
    last = text->data + text->len;

    if (p < last && *p == '[') {

        while (p < last && *p != ']') {
            p++;
        }

        if (p == last) {
            return "its IPv6 address has no closing bracket";
        }

        p++;

    } else {

        while (p < last && *p > ' ' && *p != 0x7f
               && ngx_strchr("/:?#@[]", *p) == NULL)
        {
            p++;
        }
    }

    host->data = text->data;
    host->len = p - text->data;

    if (host->len == 0) {
        return "it has no host";
    }

    if (p == last) {
        return NULL;
    }

    if (*p != ':') {
        return (*p == '/') ? "it has a path or a trailing slash"
                           : "it has more than a host and a port";
    }

    *port = ngx_http_kairos_origin_port(p + 1, last);

    return (*port == NGX_HTTP_KAIROS_ORIGIN_BAD_PORT)
               ? "its port is not a number from 1 to 65535" : NULL;
}


static ngx_uint_t
ngx_http_kairos_origin_port(const u_char *p, const u_char *last)
{
    ngx_uint_t  port;

    port = 0;

    if (last - p > 5) {
        return NGX_HTTP_KAIROS_ORIGIN_BAD_PORT;
    }

    for ( /* void */ ; p < last; p++) {
        if (*p < '0' || *p > '9') {
            return NGX_HTTP_KAIROS_ORIGIN_BAD_PORT;
        }

        port = port * 10 + (*p - '0');
    }

    if (port == 0 || port > 65535) {
        return NGX_HTTP_KAIROS_ORIGIN_BAD_PORT;
    }

    return port;
}


static ngx_uint_t
ngx_http_kairos_origin_default_port(const ngx_str_t *scheme)
{
    static ngx_str_t  http = ngx_string("http");
    static ngx_str_t  https = ngx_string("https");

    if (ngx_http_kairos_origin_same(scheme, &http)) {
        return 80;
    }

    if (ngx_http_kairos_origin_same(scheme, &https)) {
        return 443;
    }

    return 0;
}


/* without nginx's functions, so that this file links alone */
static ngx_uint_t
ngx_http_kairos_origin_same(const ngx_str_t *a, const ngx_str_t *b)
{
    size_t  i;

    if (a->len != b->len) {
        return 0;
    }

    for (i = 0; i < a->len; i++) {
        if (ngx_tolower(a->data[i]) != ngx_tolower(b->data[i])) {
            return 0;
        }
    }

    return 1;
}
