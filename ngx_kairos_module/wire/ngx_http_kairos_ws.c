/*
 * WebSocket framing, RFC 6455 section 5.
 *
 * A frame's header is read byte by byte through the states below, and each
 * byte is checked at once; payload is read in pieces.  So no byte is read
 * twice, and a failure does not depend on the sizes of the pieces of input.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_utf8.h"
#include "ngx_http_kairos_ws.h"


#define NGX_HTTP_KAIROS_WS_FIN          0x80
#define NGX_HTTP_KAIROS_WS_RSV          0x70
#define NGX_HTTP_KAIROS_WS_OPCODE       0x0f
#define NGX_HTTP_KAIROS_WS_MASKED       0x80
#define NGX_HTTP_KAIROS_WS_LENGTH       0x7f

#define NGX_HTTP_KAIROS_WS_LENGTH_16    126
#define NGX_HTTP_KAIROS_WS_LENGTH_64    127

#define NGX_HTTP_KAIROS_WS_MAX_REASON   (NGX_HTTP_KAIROS_WS_MAX_CONTROL - 2)

#define ngx_http_kairos_ws_is_control(opcode)  ((opcode) & 0x8)


typedef enum {
    sw_flags = 0,
    sw_length,
    sw_length_16,
    sw_length_64,
    sw_mask,
    sw_data,
    sw_control,
    sw_closed
} ngx_http_kairos_ws_state_e;


static ngx_int_t ngx_http_kairos_ws_read_header(
    ngx_http_kairos_ws_reader_t *rd, u_char ch,
    ngx_http_kairos_ws_event_t *ev);
static ngx_int_t ngx_http_kairos_ws_read_flags(ngx_http_kairos_ws_reader_t *rd,
    u_char ch, ngx_http_kairos_ws_event_t *ev);
static ngx_int_t ngx_http_kairos_ws_read_length(
    ngx_http_kairos_ws_reader_t *rd, u_char ch,
    ngx_http_kairos_ws_event_t *ev);
static ngx_int_t ngx_http_kairos_ws_read_extended(
    ngx_http_kairos_ws_reader_t *rd, u_char ch,
    ngx_http_kairos_ws_event_t *ev);
static ngx_int_t ngx_http_kairos_ws_read_mask(ngx_http_kairos_ws_reader_t *rd,
    u_char ch);
static ngx_int_t ngx_http_kairos_ws_check_size(ngx_http_kairos_ws_reader_t *rd,
    ngx_http_kairos_ws_event_t *ev);
static ngx_int_t ngx_http_kairos_ws_read_data(ngx_http_kairos_ws_reader_t *rd,
    u_char **pos, u_char *last, ngx_http_kairos_ws_event_t *ev);
static ngx_int_t ngx_http_kairos_ws_read_control(
    ngx_http_kairos_ws_reader_t *rd, u_char **pos, u_char *last,
    ngx_http_kairos_ws_event_t *ev);
static ngx_int_t ngx_http_kairos_ws_read_close(ngx_http_kairos_ws_reader_t *rd,
    ngx_http_kairos_ws_event_t *ev);
static ngx_uint_t ngx_http_kairos_ws_valid_code(ngx_uint_t code);
static void ngx_http_kairos_ws_unmask(ngx_http_kairos_ws_reader_t *rd,
    u_char *p, size_t len);
static ngx_int_t ngx_http_kairos_ws_fail(ngx_http_kairos_ws_reader_t *rd,
    ngx_http_kairos_ws_event_t *ev, ngx_uint_t code, const char *reason);


void
ngx_http_kairos_ws_read(ngx_http_kairos_ws_reader_t *rd, u_char **pos,
    u_char *last, ngx_http_kairos_ws_event_t *ev)
{
    ngx_int_t  rc;

    ngx_memzero(ev, sizeof(ngx_http_kairos_ws_event_t));

    ev->type = NGX_HTTP_KAIROS_WS_MORE;

    do {

        switch (rd->state) {

        case sw_data:
            rc = ngx_http_kairos_ws_read_data(rd, pos, last, ev);
            break;

        case sw_control:
            rc = ngx_http_kairos_ws_read_control(rd, pos, last, ev);
            break;

        case sw_closed:
            *pos = last;
            return;

        default:
            if (*pos == last) {
                return;
            }

            rc = ngx_http_kairos_ws_read_header(rd, *(*pos)++, ev);
        }

    } while (rc == NGX_AGAIN);
}


size_t
ngx_http_kairos_ws_header_size(uint64_t len)
{
    if (len < NGX_HTTP_KAIROS_WS_LENGTH_16) {
        return 2;
    }

    return (len <= 0xffff) ? 4 : NGX_HTTP_KAIROS_WS_MAX_HEADER;
}


u_char *
ngx_http_kairos_ws_header(u_char *p, ngx_uint_t opcode, uint64_t len)
{
    ngx_uint_t  shift;

    *p++ = (u_char) (NGX_HTTP_KAIROS_WS_FIN | opcode);

    if (len < NGX_HTTP_KAIROS_WS_LENGTH_16) {
        *p++ = (u_char) len;
        return p;
    }

    if (len <= 0xffff) {
        *p++ = NGX_HTTP_KAIROS_WS_LENGTH_16;
        shift = 16;

    } else {
        *p++ = NGX_HTTP_KAIROS_WS_LENGTH_64;
        shift = 64;
    }

    while (shift) {
        shift -= 8;
        *p++ = (u_char) (len >> shift);
    }

    return p;
}


u_char *
ngx_http_kairos_ws_close_frame(u_char *p, ngx_uint_t code,
    const ngx_str_t *reason)
{
    size_t  len;

    if (code == NGX_HTTP_KAIROS_CLOSE_NO_STATUS) {
        return ngx_http_kairos_ws_header(p, NGX_HTTP_KAIROS_WS_CLOSE, 0);
    }

    len = (reason != NULL) ? reason->len : 0;

    if (len > NGX_HTTP_KAIROS_WS_MAX_REASON) {
        len = NGX_HTTP_KAIROS_WS_MAX_REASON;

        while (len > 0 && (reason->data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    p = ngx_http_kairos_ws_header(p, NGX_HTTP_KAIROS_WS_CLOSE, 2 + len);

    *p++ = (u_char) (code >> 8);
    *p++ = (u_char) code;

    if (len == 0) {
        return p;
    }

    return ngx_cpymem(p, reason->data, len);
}


/*
 * The read functions below return NGX_AGAIN if the reading continues, and
 * NGX_OK if *ev is an event for the caller.
 */

static ngx_int_t
ngx_http_kairos_ws_read_header(ngx_http_kairos_ws_reader_t *rd, u_char ch,
    ngx_http_kairos_ws_event_t *ev)
{
    switch (rd->state) {

    case sw_flags:
        return ngx_http_kairos_ws_read_flags(rd, ch, ev);

    case sw_length:
        return ngx_http_kairos_ws_read_length(rd, ch, ev);

    case sw_mask:
        return ngx_http_kairos_ws_read_mask(rd, ch);

    default: /* sw_length_16, sw_length_64 */
        return ngx_http_kairos_ws_read_extended(rd, ch, ev);
    }
}


static ngx_int_t
ngx_http_kairos_ws_read_flags(ngx_http_kairos_ws_reader_t *rd, u_char ch,
    ngx_http_kairos_ws_event_t *ev)
{
    if (ch & NGX_HTTP_KAIROS_WS_RSV) {
        return ngx_http_kairos_ws_fail(rd, ev, NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                       "client sent frame with reserved bit");
    }

    rd->fin = (ch & NGX_HTTP_KAIROS_WS_FIN) ? 1 : 0;
    rd->opcode = ch & NGX_HTTP_KAIROS_WS_OPCODE;
    rd->state = sw_length;

    switch (rd->opcode) {

    case NGX_HTTP_KAIROS_WS_CONTINUATION:
        if (rd->kind == 0) {
            return ngx_http_kairos_ws_fail(rd, ev,
                                           NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                           "client sent continuation of "
                                           "no message");
        }

        return NGX_AGAIN;

    case NGX_HTTP_KAIROS_WS_TEXT:
    case NGX_HTTP_KAIROS_WS_BINARY:
        if (rd->kind != 0) {
            return ngx_http_kairos_ws_fail(rd, ev,
                                           NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                           "client sent message within "
                                           "message");
        }

        rd->kind = rd->opcode;
        return NGX_AGAIN;

    case NGX_HTTP_KAIROS_WS_CLOSE:
    case NGX_HTTP_KAIROS_WS_PING:
    case NGX_HTTP_KAIROS_WS_PONG:
        if (!rd->fin) {
            return ngx_http_kairos_ws_fail(rd, ev,
                                           NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                           "client sent fragmented control "
                                           "frame");
        }

        return NGX_AGAIN;
    }

    return ngx_http_kairos_ws_fail(rd, ev, NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                   "client sent frame with unknown opcode");
}


static ngx_int_t
ngx_http_kairos_ws_read_length(ngx_http_kairos_ws_reader_t *rd, u_char ch,
    ngx_http_kairos_ws_event_t *ev)
{
    if (!(ch & NGX_HTTP_KAIROS_WS_MASKED)) {
        return ngx_http_kairos_ws_fail(rd, ev, NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                       "client sent frame without mask");
    }

    ch &= NGX_HTTP_KAIROS_WS_LENGTH;

    if (ch > NGX_HTTP_KAIROS_WS_MAX_CONTROL
        && ngx_http_kairos_ws_is_control(rd->opcode))
    {
        return ngx_http_kairos_ws_fail(rd, ev, NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                       "client sent too long control frame");
    }

    rd->left = 0;

    switch (ch) {

    case NGX_HTTP_KAIROS_WS_LENGTH_16:
        rd->state = sw_length_16;
        rd->todo = 2;
        return NGX_AGAIN;

    case NGX_HTTP_KAIROS_WS_LENGTH_64:
        rd->state = sw_length_64;
        rd->todo = 8;
        return NGX_AGAIN;
    }

    rd->left = ch;

    return ngx_http_kairos_ws_check_size(rd, ev);
}


static ngx_int_t
ngx_http_kairos_ws_read_extended(ngx_http_kairos_ws_reader_t *rd, u_char ch,
    ngx_http_kairos_ws_event_t *ev)
{
    uint64_t  least;

    if (rd->state == sw_length_64 && rd->todo == 8 && (ch & 0x80)) {
        return ngx_http_kairos_ws_fail(rd, ev, NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                       "client sent frame with negative "
                                       "length");
    }

    rd->left = rd->left << 8 | ch;

    if (--rd->todo) {
        return NGX_AGAIN;
    }

    least = (rd->state == sw_length_16) ? NGX_HTTP_KAIROS_WS_LENGTH_16
                                        : 0x10000;

    if (rd->left < least) {
        return ngx_http_kairos_ws_fail(rd, ev, NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                       "client sent frame whose length is "
                                       "not in its shortest form");
    }

    return ngx_http_kairos_ws_check_size(rd, ev);
}


/*
 * Checks a header that is complete except for the mask: whether the frame's
 * payload is allowed.
 */
static ngx_int_t
ngx_http_kairos_ws_check_size(ngx_http_kairos_ws_reader_t *rd,
    ngx_http_kairos_ws_event_t *ev)
{
    if (!ngx_http_kairos_ws_is_control(rd->opcode)) {

        if (rd->message > rd->max_message
            || rd->left > rd->max_message - rd->message)
        {
            return ngx_http_kairos_ws_fail(rd, ev,
                                           NGX_HTTP_KAIROS_CLOSE_TOO_BIG,
                                           "client sent too large message");
        }

        rd->message += (size_t) rd->left;
    }

    rd->state = sw_mask;
    rd->todo = 4;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_kairos_ws_read_mask(ngx_http_kairos_ws_reader_t *rd, u_char ch)
{
    rd->mask[4 - rd->todo] = ch;

    if (--rd->todo) {
        return NGX_AGAIN;
    }

    rd->phase = 0;

    if (ngx_http_kairos_ws_is_control(rd->opcode)) {
        rd->ncontrol = 0;
        rd->state = sw_control;

    } else {
        rd->state = sw_data;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_kairos_ws_read_data(ngx_http_kairos_ws_reader_t *rd, u_char **pos,
    u_char *last, ngx_http_kairos_ws_event_t *ev)
{
    size_t  len;

    len = last - *pos;

    if (len == 0 && rd->left > 0) {
        return NGX_OK;
    }

    len = (size_t) ngx_min((uint64_t) len, rd->left);

    ngx_http_kairos_ws_unmask(rd, *pos, len);

    rd->left -= len;

    ev->data = *pos;
    ev->len = len;
    ev->left = rd->left;
    ev->opcode = rd->kind;
    ev->last = (rd->fin && rd->left == 0);

    *pos += len;

    if (rd->kind == NGX_HTTP_KAIROS_WS_TEXT) {

        if (ngx_http_kairos_utf8_next(&rd->utf8, ev->data, len) != NGX_OK
            || (ev->last && rd->utf8 != 0))
        {
            return ngx_http_kairos_ws_fail(rd, ev,
                                           NGX_HTTP_KAIROS_CLOSE_INVALID,
                                           "client sent text that is not "
                                           "UTF-8");
        }
    }

    if (rd->left == 0) {
        rd->state = sw_flags;
    }

    if (ev->last) {
        rd->kind = 0;
        rd->message = 0;

    } else if (len == 0) {
        return NGX_AGAIN;
    }

    ev->type = NGX_HTTP_KAIROS_WS_DATA;

    return NGX_OK;
}


static ngx_int_t
ngx_http_kairos_ws_read_control(ngx_http_kairos_ws_reader_t *rd, u_char **pos,
    u_char *last, ngx_http_kairos_ws_event_t *ev)
{
    size_t  len;

    len = (size_t) ngx_min((uint64_t) (last - *pos), rd->left);

    if (len > 0) {
        ngx_memcpy(rd->control + rd->ncontrol, *pos, len);

        *pos += len;
        rd->ncontrol += (u_char) len;
        rd->left -= len;
    }

    if (rd->left > 0) {
        return NGX_OK;
    }

    ngx_http_kairos_ws_unmask(rd, rd->control, rd->ncontrol);

    rd->state = sw_flags;

    ev->type = NGX_HTTP_KAIROS_WS_CTRL;
    ev->opcode = rd->opcode;
    ev->data = rd->control;
    ev->len = rd->ncontrol;

    if (rd->opcode == NGX_HTTP_KAIROS_WS_CLOSE) {
        return ngx_http_kairos_ws_read_close(rd, ev);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kairos_ws_read_close(ngx_http_kairos_ws_reader_t *rd,
    ngx_http_kairos_ws_event_t *ev)
{
    rd->state = sw_closed;

    if (ev->len == 0) {
        ev->code = NGX_HTTP_KAIROS_CLOSE_NO_STATUS;
        return NGX_OK;
    }

    if (ev->len == 1) {
        return ngx_http_kairos_ws_fail(rd, ev, NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                       "client sent close with half a code");
    }

    ev->code = ev->data[0] << 8 | ev->data[1];
    ev->data += 2;
    ev->len -= 2;

    if (!ngx_http_kairos_ws_valid_code(ev->code)) {
        return ngx_http_kairos_ws_fail(rd, ev, NGX_HTTP_KAIROS_CLOSE_PROTOCOL,
                                       "client sent close with a code that is "
                                       "not to be sent");
    }

    if (ngx_http_kairos_utf8_check(ev->data, ev->len) != NGX_OK) {
        return ngx_http_kairos_ws_fail(rd, ev, NGX_HTTP_KAIROS_CLOSE_INVALID,
                                       "client sent close with a reason that "
                                       "is not UTF-8");
    }

    return NGX_OK;
}


/* Whether an endpoint may send the code: 1004 to 1006, 1015 are reserved. */
static ngx_uint_t
ngx_http_kairos_ws_valid_code(ngx_uint_t code)
{
    return (code >= 1000 && code <= 1003)
           || (code >= 1007 && code <= 1014)
           || (code >= 3000 && code <= 4999);
}


/* Unmasks the frame's next len bytes, eight at a time. */
static void
ngx_http_kairos_ws_unmask(ngx_http_kairos_ws_reader_t *rd, u_char *p,
    size_t len)
{
    u_char      mask[sizeof(uint64_t)];
    uint64_t    key, word;
    ngx_uint_t  i;

    for (i = 0; i < sizeof(uint64_t); i++) {
        mask[i] = rd->mask[(rd->phase + i) & 3];
    }

    rd->phase = (rd->phase + len) & 3;

    ngx_memcpy(&key, mask, sizeof(uint64_t));

    while (len >= sizeof(uint64_t)) {
        ngx_memcpy(&word, p, sizeof(uint64_t));
        word ^= key;
        ngx_memcpy(p, &word, sizeof(uint64_t));

        p += sizeof(uint64_t);
        len -= sizeof(uint64_t);
    }

    for (i = 0; i < len; i++) {
        p[i] ^= mask[i];
    }
}


/* Ends the reading for good, and makes *ev a failure. */
static ngx_int_t
ngx_http_kairos_ws_fail(ngx_http_kairos_ws_reader_t *rd,
    ngx_http_kairos_ws_event_t *ev, ngx_uint_t code, const char *reason)
{
    ngx_memzero(ev, sizeof(ngx_http_kairos_ws_event_t));

    rd->state = sw_closed;

    ev->type = NGX_HTTP_KAIROS_WS_FAIL;
    ev->code = code;
    ev->reason = reason;

    return NGX_OK;
}
