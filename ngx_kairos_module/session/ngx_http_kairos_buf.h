/*
 * Bytes under way: a block that grows at one end and is used up at the other.
 */

#ifndef _NGX_HTTP_KAIROS_BUF_H_INCLUDED_
#define _NGX_HTTP_KAIROS_BUF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * From pos to last: read at pos, write at last, within start and end.  Zeroed
 * memory is an empty buffer without a block.
 */
typedef struct {
    u_char    *start;
    u_char    *pos;
    u_char    *last;
    u_char    *end;
} ngx_http_kairos_buf_t;


#define ngx_http_kairos_buf_used(b)  ((size_t) ((b)->last - (b)->pos))


/*
 * Makes room for size more bytes behind last; may move the bytes in the
 * buffer.  NGX_ERROR: no memory, or the buffer would hold more than max bytes.
 */
ngx_int_t ngx_http_kairos_buf_reserve(ngx_http_kairos_buf_t *b, size_t size,
    size_t max, ngx_log_t *log);

/*
 * Resets an empty buffer, and frees its block if that is larger than keep
 * bytes.  Does nothing while there are bytes in the buffer.
 */
void ngx_http_kairos_buf_release(ngx_http_kairos_buf_t *b, size_t keep);


#endif /* _NGX_HTTP_KAIROS_BUF_H_INCLUDED_ */
