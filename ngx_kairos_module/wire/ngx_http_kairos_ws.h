/*
 * WebSocket framing, RFC 6455 section 5: bytes in, bytes out.
 * Types of nginx's core, none of its functions: links (with utf8) and is
 * tested alone.
 */

#ifndef _NGX_HTTP_KAIROS_WS_H_INCLUDED_
#define _NGX_HTTP_KAIROS_WS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_close.h"


#define NGX_HTTP_KAIROS_WS_CONTINUATION  0x0
#define NGX_HTTP_KAIROS_WS_TEXT          0x1
#define NGX_HTTP_KAIROS_WS_BINARY        0x2
#define NGX_HTTP_KAIROS_WS_CLOSE         0x8
#define NGX_HTTP_KAIROS_WS_PING          0x9
#define NGX_HTTP_KAIROS_WS_PONG          0xa

#define NGX_HTTP_KAIROS_WS_MAX_HEADER    10     /* server side: no mask */
#define NGX_HTTP_KAIROS_WS_MAX_CONTROL   125


/*
 * The reader of one connection's frames.  The reader owns memory for one
 * control frame alone: data is handed over in pieces, in place, and the caller
 * collects the pieces of a message.  Zeroed memory with max_message set is a
 * new reader.
 */
typedef struct {
    size_t       max_message;     /* bytes of a whole message; set by caller */

    /* private to ngx_http_kairos_ws.c */
    size_t       message;         /* bytes of the message so far, with those
                                     that this frame's header promises */
    uint64_t     left;            /* payload bytes of this frame to come */
    uint32_t     utf8;            /* state of the UTF-8 check */
    u_char       state;
    u_char       todo;            /* header bytes of this state to come */
    u_char       opcode;          /* of the frame */
    u_char       kind;            /* of the message: text, binary, 0: none */
    u_char       phase;           /* position in mask */
    u_char       ncontrol;
    u_char       fin;
    u_char       mask[4];
    u_char       control[NGX_HTTP_KAIROS_WS_MAX_CONTROL];
} ngx_http_kairos_ws_reader_t;


/* results of ngx_http_kairos_ws_read() */
typedef enum {
    NGX_HTTP_KAIROS_WS_MORE = 0,  /* all input used, nothing complete */
    NGX_HTTP_KAIROS_WS_DATA,      /* the next bytes of a message */
    NGX_HTTP_KAIROS_WS_CTRL,      /* a whole control frame */
    NGX_HTTP_KAIROS_WS_FAIL       /* the connection is to be closed */
} ngx_http_kairos_ws_event_e;


typedef struct {
    ngx_http_kairos_ws_event_e   type;
    ngx_uint_t                   opcode;  /* DATA: of the message (TEXT or
                                             BINARY); CTRL: of the frame */
    u_char                      *data;    /* DATA: within the input, unmasked
                                             in place; CTRL: in the reader,
                                             valid until the next call, of a
                                             close the reason alone */
    size_t                       len;     /* of data; may be 0 */
    uint64_t                     left;    /* DATA: bytes of this frame that are
                                             still to come */
    ngx_uint_t                   last;    /* DATA: ends the message */
    ngx_uint_t                   code;    /* FAIL: to close with; CTRL close:
                                             the peer's code or NO_STATUS */
    const char                  *reason;  /* FAIL: static text for the log */
} ngx_http_kairos_ws_event_t;


/*
 * Consumes bytes from *pos up to last, one event at a time; advances *pos.
 * Call until MORE.  How the input is cut makes no difference to messages,
 * control frames and failures, only to the pieces that messages come in.
 * Checks all that section 5 and 8.1 ask of a server: mask present, no RSV
 * bits, known opcodes, control frames whole and <= 125 bytes, minimal length
 * forms, continuation order, UTF-8 of text across fragments and of close
 * reasons, close codes, message size (by what the headers promise).
 * After FAIL or a close frame all further input is dropped: MORE.
 */
void ngx_http_kairos_ws_read(ngx_http_kairos_ws_reader_t *rd, u_char **pos,
    u_char *last, ngx_http_kairos_ws_event_t *ev);

/* Bytes that the header of an unmasked frame of len payload bytes takes. */
size_t ngx_http_kairos_ws_header_size(uint64_t len);

/* Writes that header (FIN set) at p; returns its end. */
u_char *ngx_http_kairos_ws_header(u_char *p, ngx_uint_t opcode, uint64_t len);

/*
 * Writes a whole close frame at p (room for 2 + 2 + 123 bytes); reason is cut
 * at 123 bytes on a character's border, and may be NULL.  code NO_STATUS: an
 * empty close.
 */
u_char *ngx_http_kairos_ws_close_frame(u_char *p, ngx_uint_t code,
    const ngx_str_t *reason);


#endif /* _NGX_HTTP_KAIROS_WS_H_INCLUDED_ */
