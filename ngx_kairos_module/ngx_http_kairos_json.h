/*
 * JSON, RFC 8259, as far as a message that must pass byte for byte needs it:
 * validate in full, find slices, decode and encode strings.  No tree, no
 * allocation.  Links and is tested alone.
 */

#ifndef _NGX_HTTP_KAIROS_JSON_H_INCLUDED_
#define _NGX_HTTP_KAIROS_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_KAIROS_JSON_MAX_DEPTH  64


typedef enum {
    NGX_HTTP_KAIROS_JSON_NULL = 0,
    NGX_HTTP_KAIROS_JSON_BOOL,
    NGX_HTTP_KAIROS_JSON_NUMBER,
    NGX_HTTP_KAIROS_JSON_STRING,
    NGX_HTTP_KAIROS_JSON_ARRAY,
    NGX_HTTP_KAIROS_JSON_OBJECT
} ngx_http_kairos_json_type_e;


/* one value, as it stands in the text (a string with its quotes) */
typedef struct {
    ngx_http_kairos_json_type_e  type;
    ngx_str_t                    raw;
} ngx_http_kairos_json_t;


/*
 * Reads one value at *pos (white space before it is skipped), validates it in
 * full (grammar, UTF-8, paired surrogates in \u escapes, depth), and leaves
 * *pos behind it.  NGX_OK, or NGX_ERROR with a static reason.
 */
ngx_int_t ngx_http_kairos_json_value(u_char **pos, u_char *last,
    ngx_http_kairos_json_t *value, const char **reason);

/*
 * Walks the elements of an array or the members of an object that was
 * validated by ngx_http_kairos_json_value().  Start with *pos = NULL.
 * NGX_OK: the next one; NGX_DONE: none left.  name is the raw member name
 * with its quotes, empty for an array's element.
 */
ngx_int_t ngx_http_kairos_json_next(const ngx_http_kairos_json_t *in,
    u_char **pos, ngx_str_t *name, ngx_http_kairos_json_t *value);

/*
 * Finds the member of a validated object by name (compared decoded; the LAST
 * of duplicate names counts, as in JavaScript).  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_http_kairos_json_member(const ngx_http_kairos_json_t *object,
    const char *name, ngx_http_kairos_json_t *value);

/*
 * Decodes a validated raw string, quotes included, to UTF-8 at dst, which may
 * be raw->data itself (the result is never longer).  Returns its end.
 */
u_char *ngx_http_kairos_json_unescape(u_char *dst, const ngx_str_t *raw);

/* Bytes that the string takes as JSON, quotes included; and writes it. */
size_t ngx_http_kairos_json_string_size(const ngx_str_t *s);
u_char *ngx_http_kairos_json_string(u_char *p, const ngx_str_t *s);

/* NGX_OK if the bytes are well-formed UTF-8 (RFC 3629), else NGX_ERROR. */
ngx_int_t ngx_http_kairos_utf8_check(const u_char *data, size_t len);


#endif /* _NGX_HTTP_KAIROS_JSON_H_INCLUDED_ */
