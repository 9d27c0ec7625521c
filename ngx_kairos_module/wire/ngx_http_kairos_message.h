/*
 * A message on a topic, independent of its sender's and receivers' dialects.
 */

#ifndef _NGX_HTTP_KAIROS_MESSAGE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_MESSAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Whether a topic, an event or a payload is this literal. */
#define ngx_http_kairos_is(s, text)                                          \
    ((s)->len == sizeof(text) - 1                                            \
     && ngx_memcmp((s)->data, text, sizeof(text) - 1) == 0)


typedef struct {
    ngx_str_t    topic;       /* decoded UTF-8, as is event */
    ngx_str_t    event;
    ngx_str_t    payload;     /* raw JSON or, with binary set, any bytes */
    unsigned     binary:1;
} ngx_http_kairos_message_t;


#endif /* _NGX_HTTP_KAIROS_MESSAGE_H_INCLUDED_ */
