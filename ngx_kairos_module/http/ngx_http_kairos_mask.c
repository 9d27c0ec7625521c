/*
 * A browser can give its token in the address alone, and nginx logs the
 * address: in the access log's "combined" format, and in each line of the
 * error log about a request.  So that no log format has to be adapted, the
 * token is masked in both, for requests that a kairos location serves or
 * whose path ends as a socket's does (an error_page may have sent the request
 * to another location).
 *
 * Variables keep the token until the request is logged: "kairos_auth_token
 * $arg_token", maps and other modules read it.  Lines that nginx logs before
 * it has read the whole header (at level "info") are not masked.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_conf.h"
#include "ngx_http_kairos_mask.h"


static ngx_int_t ngx_http_kairos_mask_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_kairos_mask_log_handler(ngx_http_request_t *r);
static u_char *ngx_http_kairos_mask_error_handler(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);
static ngx_uint_t ngx_http_kairos_mask_wanted(ngx_http_request_t *r);
static ngx_uint_t ngx_http_kairos_mask_is_socket(const ngx_str_t *target);
static ngx_int_t ngx_http_kairos_mask_add_handler(ngx_conf_t *cf,
    ngx_uint_t phase, ngx_http_handler_pt handler);


/*
 * The first phase: from here on no line of the error log has a token.
 */
static ngx_int_t
ngx_http_kairos_mask_post_read_handler(ngx_http_request_t *r)
{
    ngx_http_kairos_main_conf_t  *kmcf;

    if (r != r->main || r->args.len == 0
        || r->log_handler == ngx_http_kairos_mask_error_handler)
    {
        return NGX_DECLINED;
    }

    kmcf = ngx_http_get_module_main_conf(r, ngx_http_kairos_module);

    /* nginx's own, the same for all requests */
    kmcf->log_handler = r->log_handler;

    r->log_handler = ngx_http_kairos_mask_error_handler;

    return NGX_DECLINED;
}


/*
 * Runs before the access log.  The three strings are usually slices of one
 * text, and so are the variables that were made of them.
 */
static ngx_int_t
ngx_http_kairos_mask_log_handler(ngx_http_request_t *r)
{
    if (r->args.len == 0 && r->unparsed_uri.len == r->uri.len) {
        return NGX_OK;
    }

    if (ngx_http_kairos_mask_wanted(r)) {
        ngx_http_kairos_mask_text(r->request_line.data, r->request_line.len);
        ngx_http_kairos_mask_text(r->unparsed_uri.data, r->unparsed_uri.len);

        ngx_http_kairos_mask_arguments(r->args.data,
                                       r->args.data + r->args.len);
    }

    return NGX_OK;
}


/*
 * nginx's own handler writes the line's end, with a masked copy of the
 * request's first line, as much as a line of the log can take.
 */
static u_char *
ngx_http_kairos_mask_error_handler(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len)
{
    u_char                        text[NGX_MAX_ERROR_STR], *p;
    ngx_str_t                     line;
    ngx_http_kairos_main_conf_t  *kmcf;

    kmcf = ngx_http_get_module_main_conf(r, ngx_http_kairos_module);

    line = r->request_line;

    if (line.data != NULL && ngx_http_kairos_mask_wanted(r)) {
        r->request_line.len = ngx_min(line.len, sizeof(text));
        r->request_line.data = text;

        ngx_memcpy(text, line.data, r->request_line.len);
        ngx_http_kairos_mask_text(text, r->request_line.len);
    }

    p = kmcf->log_handler(r, sr, buf, len);

    r->request_line = line;

    return p;
}


/*
 * Whether tokens of this request are masked.
 */
static ngx_uint_t
ngx_http_kairos_mask_wanted(ngx_http_request_t *r)
{
    ngx_http_kairos_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);

    return klcf->shm_zone != NULL
           || ngx_http_kairos_mask_is_socket(&r->unparsed_uri);
}


/*
 * Whether the path of a request's target, before its arguments, ends with
 * "/websocket" or "/websocket/".
 */
static ngx_uint_t
ngx_http_kairos_mask_is_socket(const ngx_str_t *target)
{
    u_char  *p, *last;
    size_t   len;

    len = sizeof("/websocket") - 1;
    last = target->data + target->len;

    for (p = target->data; p < last && *p != '?'; p++) { /* void */ }

    if (p > target->data && p[-1] == '/') {
        p--;
    }

    return (size_t) (p - target->data) >= len
           && ngx_strncasecmp(p - len, (u_char *) "/websocket", len) == 0;
}


ngx_int_t
ngx_http_kairos_mask_init(ngx_conf_t *cf)
{
    ngx_array_t                  *handlers;
    ngx_http_handler_pt          *h;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_kairos_main_conf_t  *kmcf;

    kmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_kairos_module);

    if (kmcf->zones.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_http_kairos_mask_add_handler(cf, NGX_HTTP_POST_READ_PHASE,
                                       ngx_http_kairos_mask_post_read_handler)
            != NGX_OK
        || ngx_http_kairos_mask_add_handler(cf, NGX_HTTP_LOG_PHASE,
                                            ngx_http_kairos_mask_log_handler)
            != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* nginx calls them in the array's order, the access log's first */

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handlers = &cmcf->phases[NGX_HTTP_LOG_PHASE].handlers;
    h = handlers->elts;

    ngx_memmove(&h[1], &h[0], (handlers->nelts - 1) * sizeof(h[0]));
    h[0] = ngx_http_kairos_mask_log_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kairos_mask_add_handler(ngx_conf_t *cf, ngx_uint_t phase,
    ngx_http_handler_pt handler)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[phase].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = handler;

    return NGX_OK;
}
