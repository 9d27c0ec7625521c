/*
 * UTF-8, RFC 3629: checks whether text is well-formed, and writes characters.
 * Links and is tested alone.
 */

#ifndef _NGX_HTTP_KAIROS_UTF8_H_INCLUDED_
#define _NGX_HTTP_KAIROS_UTF8_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Checks the next bytes of a text that comes in pieces.  *state is 0 before
 * the first piece, and after a piece that ends with a complete character; so a
 * text is complete if *state is 0 at the end.  NGX_OK, or NGX_ERROR: with any
 * continuation the text is no UTF-8, and *state is not usable any more.
 */
ngx_int_t ngx_http_kairos_utf8_next(uint32_t *state, const u_char *data,
    size_t len);

/* NGX_OK if the bytes are well-formed UTF-8, else NGX_ERROR. */
ngx_int_t ngx_http_kairos_utf8_check(const u_char *data, size_t len);

/* Bytes of the well-formed character at p, 1 to 4; 0: there is none. */
size_t ngx_http_kairos_utf8_char(const u_char *p, const u_char *last);

/*
 * Writes a character (no surrogate, at most U+10FFFF) at p, which has room
 * for 4 bytes; returns its end.
 */
u_char *ngx_http_kairos_utf8_encode(u_char *p, uint32_t code);


#endif /* _NGX_HTTP_KAIROS_UTF8_H_INCLUDED_ */
