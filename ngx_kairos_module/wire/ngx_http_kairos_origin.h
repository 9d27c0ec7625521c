/*
 * Origins, RFC 6454: parse and compare.  Bytes in, bytes out.
 */

#ifndef _NGX_HTTP_KAIROS_ORIGIN_H_INCLUDED_
#define _NGX_HTTP_KAIROS_ORIGIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* slices point into the text; an IPv6 host keeps its brackets */
typedef struct {
    ngx_str_t    scheme;
    ngx_str_t    host;
    ngx_uint_t   port;           /* 0: none given and none known */
    unsigned     default_port:1; /* port is the scheme's default */

    /* of a pattern alone */
    unsigned     any_scheme:1;   /* http or https, if no port is given */
    unsigned     any_label:1;    /* an origin's host must end with host */
} ngx_http_kairos_origin_t;


/*
 * Reads "scheme://host[:port]".  NGX_OK, or NGX_ERROR with the reason, static
 * text.
 */
ngx_int_t ngx_http_kairos_origin_parse(const ngx_str_t *text,
    ngx_http_kairos_origin_t *o, const char **reason);

/*
 * Reads an origin, or one whose host begins with "*.", or "*.example.com" for
 * any scheme; the asterisk stands for one label or more.  Returns as
 * ngx_http_kairos_origin_parse().
 */
ngx_int_t ngx_http_kairos_origin_pattern(const ngx_str_t *text,
    ngx_http_kairos_origin_t *pattern, const char **reason);

/*
 * 1 if scheme, host and port are those of the pattern; letters' case does
 * not matter.
 */
ngx_uint_t ngx_http_kairos_origin_match(
    const ngx_http_kairos_origin_t *pattern,
    const ngx_http_kairos_origin_t *o);

/*
 * 1 if a request with this Host header went to the origin's own host.  The
 * scheme cannot be compared (TLS may end before us), so a Host without a
 * port stands for the default port of the origin's scheme.
 */
ngx_uint_t ngx_http_kairos_origin_is_host(const ngx_http_kairos_origin_t *o,
    const ngx_str_t *host);


#endif /* _NGX_HTTP_KAIROS_ORIGIN_H_INCLUDED_ */
