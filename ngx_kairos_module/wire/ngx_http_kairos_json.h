/*
 * JSON, RFC 8259, for messages that pass byte for byte: validate in full, find
 * slices, decode and encode strings.  No tree, no allocation.  Links (with
 * utf8) and is tested alone.
 */

#ifndef _NGX_HTTP_KAIROS_JSON_H_INCLUDED_
#define _NGX_HTTP_KAIROS_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_utf8.h"


#define NGX_HTTP_KAIROS_JSON_MAX_DEPTH  512


typedef enum {
    NGX_HTTP_KAIROS_JSON_NULL = 0,
    NGX_HTTP_KAIROS_JSON_BOOL,
    NGX_HTTP_KAIROS_JSON_NUMBER,
    NGX_HTTP_KAIROS_JSON_STRING,
    NGX_HTTP_KAIROS_JSON_ARRAY,
    NGX_HTTP_KAIROS_JSON_OBJECT
} ngx_http_kairos_json_type_e;


/* one value, unchanged (a string with its quotes) */
typedef struct {
    ngx_http_kairos_json_type_e  type;
    ngx_str_t                    raw;
} ngx_http_kairos_json_t;


/*
 * Reads one value at *pos (white space before it is skipped), validates it in
 * full (grammar, UTF-8, paired surrogates in \u escapes, depth), and leaves
 * *pos behind the value; the caller checks the text behind it.  NGX_OK, or
 * NGX_ERROR with a static reason and *pos at the fault.
 *
 * Numbers may have any size; \u0000 is a character as any other.  A \u escape
 * that is half of a surrogate pair is refused, though JavaScript's parser
 * accepts such an escape: it stands for no character, and other parsers refuse
 * the text.
 */
ngx_int_t ngx_http_kairos_json_value(u_char **pos, u_char *last,
    ngx_http_kairos_json_t *value, const char **reason);

/* NGX_OK if nothing but white space is left up to last, else NGX_ERROR. */
ngx_int_t ngx_http_kairos_json_end(u_char *pos, u_char *last,
    const char **reason);

/*
 * Walks the elements of an array or the members of an object that was
 * validated by ngx_http_kairos_json_value().  Start with *pos = NULL.
 * NGX_OK: the next one; NGX_DONE: none left.  name is the raw member name
 * with its quotes, empty for an array's element.
 */
ngx_int_t ngx_http_kairos_json_next(const ngx_http_kairos_json_t *in,
    u_char **pos, ngx_str_t *name, ngx_http_kairos_json_t *value);

/*
 * The same for text that was not validated: in->raw is the text from the
 * opening bracket on, in->type the type that the bracket must have.  Validates
 * the text up to *pos; NGX_DONE leaves *pos behind the closing bracket,
 * NGX_ERROR sets *reason.  So a message is split and validated in one pass.
 */
ngx_int_t ngx_http_kairos_json_walk(const ngx_http_kairos_json_t *in,
    u_char **pos, ngx_str_t *name, ngx_http_kairos_json_t *value,
    const char **reason);

/*
 * Cuts text that is no JSON into what may be elements of an array or members
 * of an object: at the commas that are in no string and no inner bracket, up
 * to the closing bracket or last.  Start with *pos behind the opening bracket.
 * NGX_OK: the next piece, which may be empty or no JSON; NGX_DONE: none left.
 */
ngx_int_t ngx_http_kairos_json_piece(u_char **pos, u_char *last,
    ngx_str_t *piece);

/*
 * Finds the member of a validated object by name (compared decoded; the LAST
 * of duplicate names counts, as in JavaScript).  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_http_kairos_json_member(const ngx_http_kairos_json_t *object,
    const char *name, ngx_http_kairos_json_t *value);

/* Whether a validated raw string, quotes included, decodes to this one. */
ngx_uint_t ngx_http_kairos_json_equal(const ngx_str_t *raw, const char *s);

/*
 * Decodes a validated raw string, quotes included, to UTF-8 at dst, which may
 * be raw->data itself (the result is never longer).  Returns its end.
 */
u_char *ngx_http_kairos_json_unescape(u_char *dst, const ngx_str_t *raw);

/*
 * The first returns the bytes that the string, which is UTF-8, takes as JSON,
 * quotes included; the second writes the string, escapes only the characters
 * that must be escaped, and returns the end.
 */
size_t ngx_http_kairos_json_string_size(const ngx_str_t *s);
u_char *ngx_http_kairos_json_string(u_char *p, const ngx_str_t *s);


#endif /* _NGX_HTTP_KAIROS_JSON_H_INCLUDED_ */
