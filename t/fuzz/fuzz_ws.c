/* sources: ngx_http_kairos_ws.c ngx_http_kairos_utf8.c */

/*
 * Any bytes as what a client sends.  The first two say how large a message
 * may be and how the rest is cut; read whole, byte by byte and cut so, it
 * must come to the same messages, control frames and failure.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_utf8.h"
#include "ngx_http_kairos_ws.h"


#define FNV_BASIS  0xcbf29ce484222325ULL
#define FNV_PRIME  0x00000100000001b3ULL


typedef struct {
    u_char    *message;
    size_t     len;
    size_t     max;
    uint64_t   hash;              /* of all that was met */
    ngx_uint_t closed;            /* by a close frame or a failure */
} seen_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
add(seen_t *seen, const void *data, size_t len)
{
    size_t         i;
    const u_char  *p;

    p = data;

    for (i = 0; i < len; i++) {
        seen->hash = (seen->hash ^ p[i]) * FNV_PRIME;
    }
}


static void
see_data(seen_t *seen, const ngx_http_kairos_ws_event_t *ev)
{
    if (ev->len > seen->max - seen->len || (ev->len == 0 && !ev->last)) {
        abort();
    }

    if (ev->len > 0) {
        memcpy(seen->message + seen->len, ev->data, ev->len);
        seen->len += ev->len;
    }

    if (!ev->last) {
        return;
    }

    if (ev->opcode == NGX_HTTP_KAIROS_WS_TEXT
        && ngx_http_kairos_utf8_check(seen->message, seen->len) != NGX_OK)
    {
        abort();
    }

    add(seen, "message", 7);
    add(seen, &ev->opcode, sizeof(ev->opcode));
    add(seen, seen->message, seen->len);

    seen->len = 0;
}


static void
see(seen_t *seen, const ngx_http_kairos_ws_event_t *ev)
{
    if (seen->closed) {
        abort();
    }

    if (ev->type == NGX_HTTP_KAIROS_WS_DATA) {
        see_data(seen, ev);
        return;
    }

    if (ev->type == NGX_HTTP_KAIROS_WS_FAIL) {

        if (ev->reason == NULL || ev->code < 1000) {
            abort();
        }

        seen->closed = 1;

    } else if (ev->len > NGX_HTTP_KAIROS_WS_MAX_CONTROL) {
        abort();
    }

    if (ev->opcode == NGX_HTTP_KAIROS_WS_CLOSE) {
        seen->closed = 1;
    }

    add(seen, &ev->type, sizeof(ev->type));
    add(seen, &ev->opcode, sizeof(ev->opcode));
    add(seen, &ev->code, sizeof(ev->code));
    add(seen, ev->data, ev->len);
}


/* Reads pieces of step bytes, or, with a seed, of 0 to step bytes. */
static uint64_t
read_pieces(const uint8_t *data, size_t size, size_t max, size_t step,
    uint32_t seed)
{
    size_t                        at, n;
    u_char                       *piece, *pos;
    seen_t                        seen;
    ngx_http_kairos_ws_event_t    ev;
    ngx_http_kairos_ws_reader_t   rd;

    memset(&rd, 0, sizeof(rd));
    memset(&seen, 0, sizeof(seen));

    rd.max_message = max;
    seen.max = max;
    seen.hash = FNV_BASIS;
    seen.message = malloc(max + 1);

    for (at = 0; at < size; at += n) {
        seed = seed * 1664525 + (seed ? 1013904223 : 0);
        n = seed ? (seed >> 16) % (step + 1) : step;
        n = ngx_min(n, size - at);

        piece = malloc(n + 1);

        if (piece == NULL || seen.message == NULL) {
            abort();
        }

        memcpy(piece, data + at, n);
        pos = piece;

        for ( ;; ) {
            ngx_http_kairos_ws_read(&rd, &pos, piece + n, &ev);

            if (ev.type == NGX_HTTP_KAIROS_WS_MORE) {
                break;
            }

            see(&seen, &ev);
        }

        if (pos != piece + n) {
            abort();
        }

        free(piece);
    }

    free(seen.message);

    return seen.hash;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t    max;
    uint32_t  seed;
    uint64_t  whole;

    if (size < 3) {
        return 0;
    }

    max = data[0] * 8;
    seed = data[1] + 1;

    data += 2;
    size -= 2;

    whole = read_pieces(data, size, max, size, 0);

    if (read_pieces(data, size, max, 1, 0) != whole
        || read_pieces(data, size, max, 1 + seed % 32, seed) != whole)
    {
        abort();
    }

    return 0;
}
