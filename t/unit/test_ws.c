/* sources: ngx_http_kairos_ws.c ngx_http_kairos_utf8.c */

/*
 * A case is a list of frames and what a server must make of them, written as
 * a line: "text:hello ping:x close:1000:bye fail:1002".  Each is read whole,
 * byte by byte and at random cuts, from blocks of just the piece's size; the
 * line must always be the same.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_ws.h"
#include "ws_cases.h"


#define MAX_MESSAGE     1000
#define RANDOM_CUTS     20


typedef struct {
    u_char      *data;
    size_t       len;
    size_t       size;
} buf_t;


static uint32_t
next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;

    return *seed;
}


/* Makes room for len bytes more. */
static void
reserve(buf_t *b, size_t len)
{
    if (b->size - b->len >= len) {
        return;
    }

    b->size = 2 * (b->len + len);
    b->data = realloc(b->data, b->size);
    assert_non_null(b->data);
}


/* Appends the frame as a client sends it. */
static void
put_frame(buf_t *b, const frame_t *f, uint32_t *seed)
{
    size_t    i, n, width;
    u_char    mask[4], *p;
    uint64_t  len;

    reserve(b, f->len + 14);

    p = b->data + b->len;
    len = f->len;

    width = (f->form & FORM_64) ? 8 : (f->form & FORM_16) ? 2
            : (len < 126) ? 0 : (len < 65536) ? 2 : 8;

    *p++ = (u_char) f->first;
    *p++ = (u_char) (((f->form & UNMASKED) ? 0 : 0x80)
                     | ((width == 0) ? len : (width == 2) ? 126 : 127));

    for (n = width; n > 0; n--) {
        *p++ = (u_char) (len >> (8 * (n - 1)));
    }

    memset(mask, 0, 4);

    if (!(f->form & UNMASKED)) {
        for (i = 0; i < 4; i++) {
            mask[i] = (u_char) next_random(seed);
            *p++ = mask[i];
        }
    }

    for (i = 0; i < f->len; i++) {
        *p++ = (u_char) f->payload[i] ^ mask[i % 4];
    }

    b->len = p - b->data;
}


static void
put(buf_t *b, const void *data, size_t len)
{
    reserve(b, len + 1);

    if (len > 0) {
        memcpy(b->data + b->len, data, len);
    }

    b->len += len;
    b->data[b->len] = '\0';
}


static void
put_event(buf_t *line, const char *name, ngx_uint_t code)
{
    char  text[64];

    if (code) {
        snprintf(text, sizeof(text), "%s%s:%d", line->len ? " " : "", name,
                 (int) code);
    } else {
        snprintf(text, sizeof(text), "%s%s:", line->len ? " " : "", name);
    }

    put(line, text, strlen(text));
}


/* Adds what one event says to the line; message gathers data until last. */
static void
see_event(const ngx_http_kairos_ws_event_t *ev, buf_t *message, buf_t *line)
{
    switch (ev->type) {

    case NGX_HTTP_KAIROS_WS_DATA:
        assert_true(ev->len > 0 || ev->last);
        put(message, ev->data, ev->len);

        if (ev->last) {
            assert_true(ev->left == 0);
            put_event(line, ev->opcode == TEXT ? "text" : "binary", 0);
            put(line, message->data, message->len);
            message->len = 0;
        }

        break;

    case NGX_HTTP_KAIROS_WS_CTRL:
        if (ev->opcode == CLOSE) {
            put_event(line, "close", ev->code);
            put(line, ":", 1);

        } else {
            put_event(line, ev->opcode == PING ? "ping" : "pong", 0);
        }

        put(line, ev->data, ev->len);
        break;

    default: /* NGX_HTTP_KAIROS_WS_FAIL */
        assert_non_null(ev->reason);
        put_event(line, "fail", ev->code);
    }
}


/*
 * Reads the input in pieces: of step bytes, or, with a seed, of random sizes.
 * Returns the line; the caller frees it.
 */
static buf_t
read_pieces(const buf_t *in, size_t max_message, size_t step, uint32_t seed)
{
    buf_t                         message, line;
    size_t                        at, n;
    u_char                       *piece, *pos;
    ngx_http_kairos_ws_event_t    ev;
    ngx_http_kairos_ws_reader_t   rd;

    memset(&rd, 0, sizeof(rd));
    memset(&message, 0, sizeof(message));
    memset(&line, 0, sizeof(line));

    rd.max_message = max_message;

    put(&line, "", 0);

    for (at = 0; at < in->len; at += n) {
        n = seed ? next_random(&seed) % (step + 1) : step;
        n = ngx_min(n, in->len - at);

        piece = malloc(n ? n : 1);
        assert_non_null(piece);
        memcpy(piece, in->data + at, n);

        pos = piece;

        do {
            ngx_http_kairos_ws_read(&rd, &pos, piece + n, &ev);
            assert_true(pos >= piece && pos <= piece + n);

            if (ev.type != NGX_HTTP_KAIROS_WS_MORE) {
                see_event(&ev, &message, &line);
            }

        } while (ev.type != NGX_HTTP_KAIROS_WS_MORE);

        assert_ptr_equal(pos, piece + n);

        free(piece);
    }

    free(message.data);

    return line;
}


static void
expect_line(const char *name, const char *how, const buf_t *in,
    size_t max_message, const char *expect, size_t len, size_t step,
    uint32_t seed)
{
    buf_t  line;

    line = read_pieces(in, max_message, step, seed);

    if (line.len != len || memcmp(line.data, expect, len) != 0) {
        fail_msg("%s, %s %u: \"%.200s\" is not \"%.200s\"", name, how,
                 (unsigned) seed, (char *) line.data, expect);
    }

    free(line.data);
}


/* All the ways to cut the input; fewer of what takes long. */
static void
expect_cuts(const char *name, const buf_t *in, size_t max_message,
    const char *expect, size_t len)
{
    uint32_t  i, ncuts;

    ncuts = (in->len < 4096) ? RANDOM_CUTS : 3;

    expect_line(name, "whole", in, max_message, expect, len, in->len, 0);
    expect_line(name, "by 1", in, max_message, expect, len, 1, 0);
    expect_line(name, "by 2", in, max_message, expect, len, 2, 0);
    expect_line(name, "by 7", in, max_message, expect, len, 7, 0);

    for (i = 1; i <= ncuts; i++) {
        expect_line(name, "seed", in, max_message, expect, len,
                    1 + (i * i * i) % in->len, i);
    }
}


static void
test_ws_cases(void **state)
{
    buf_t       in;
    size_t      i, n;
    uint32_t    seed;

    seed = 20;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&in, 0, sizeof(in));

        for (n = 0; n < MAX_FRAMES && cases[i].frames[n].payload; n++) {
            put_frame(&in, &cases[i].frames[n], &seed);
        }

        expect_cuts(cases[i].name, &in, MAX_MESSAGE, cases[i].expect,
                    strlen(cases[i].expect));

        free(in.data);
    }
}


static void
test_ws_raw_cases(void **state)
{
    buf_t   in;
    size_t  i;

    for (i = 0; i < sizeof(raw_cases) / sizeof(raw_cases[0]); i++) {
        in.data = (u_char *) raw_cases[i].wire;
        in.len = raw_cases[i].len;

        expect_cuts(raw_cases[i].name, &in, MAX_MESSAGE, raw_cases[i].expect,
                    strlen(raw_cases[i].expect));
    }
}


/* Every code that a close frame can have. */
static void
test_ws_close_codes(void **state)
{
    char       payload[2], expect[32];
    buf_t      in;
    frame_t    frame;
    unsigned   code, valid;
    uint32_t   seed;

    seed = 21;

    for (code = 0; code < 65536; code++) {
        valid = (code >= 1000 && code <= 1003)
                || (code >= 1007 && code <= 1014)
                || (code >= 3000 && code <= 4999);

        payload[0] = (char) (code >> 8);
        payload[1] = (char) code;

        frame.first = FIN|CLOSE;
        frame.payload = payload;
        frame.len = 2;
        frame.form = 0;

        memset(&in, 0, sizeof(in));
        put_frame(&in, &frame, &seed);

        if (valid) {
            snprintf(expect, sizeof(expect), "close:%u:", code);
        } else {
            snprintf(expect, sizeof(expect), "fail:1002");
        }

        expect_line("close code", expect, &in, MAX_MESSAGE, expect,
                    strlen(expect), in.len, 0);

        free(in.data);
    }
}


/*
 * Sends text of the length in so many fragments, and expects it back, or a
 * refusal.
 */
static void
try_length(size_t len, size_t fragments, size_t max_message, int fits)
{
    char      *payload;
    buf_t      in, expect;
    size_t     i, at, n;
    frame_t    frame;
    uint32_t   seed;

    seed = (uint32_t) (len + 1);

    memset(&in, 0, sizeof(in));
    memset(&expect, 0, sizeof(expect));

    payload = malloc(len ? len : 1);
    assert_non_null(payload);

    for (i = 0; i < len; i++) {
        payload[i] = (char) ('a' + next_random(&seed) % 26);
    }

    for (i = 0, at = 0; i < fragments; i++, at += n) {
        n = (i == fragments - 1) ? len - at : len / fragments;

        frame.first = (i == 0) ? TEXT : CONT;
        frame.first |= (i == fragments - 1) ? FIN : 0;
        frame.payload = payload + at;
        frame.len = n;
        frame.form = 0;

        put_frame(&in, &frame, &seed);
    }

    if (fits) {
        put(&expect, "text:", 5);
        put(&expect, payload, len);

    } else {
        put(&expect, "fail:1009", 9);
    }

    expect_cuts("length", &in, max_message, (char *) expect.data,
                expect.len);

    free(expect.data);
    free(in.data);
    free(payload);
}


static void
test_ws_lengths(void **state)
{
    size_t  i, n;

    static const size_t  lengths[] = {
        0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 124, 125, 126, 127, 128, 255,
        256, 1000, 65534, 65535, 65536, 65537
    };

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (n = 1; n <= 3; n++) {
            try_length(lengths[i], n, lengths[i], 1);
            try_length(lengths[i], n, (size_t) -1, 1);

            if (lengths[i] > 0) {
                try_length(lengths[i], n, lengths[i] - 1, 0);
            }
        }
    }
}


/* What a message used of the limit is given back at its end. */
static void
test_ws_limit_is_per_message(void **state)
{
    buf_t     in;
    uint32_t  seed;

    static const frame_t  frames[] = {
        { TEXT, bytes("abcde"), 0 },
        { FIN|PING, bytes("longer than ten bytes"), 0 },
        { FIN|CONT, bytes("fghij"), 0 },
        { FIN|BINARY, bytes("0123456789"), 0 },
        { BINARY, bytes("0123456789"), 0 },
        { CONT, bytes(""), 0 },
        { FIN|CONT, bytes("x"), 0 }
    };

    size_t    i;

    seed = 22;
    memset(&in, 0, sizeof(in));

    for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        put_frame(&in, &frames[i], &seed);
    }

    expect_cuts("limit of ten", &in, 10,
                bytes("ping:longer than ten bytes text:abcdefghij "
                      "binary:0123456789 fail:1009"));

    free(in.data);
}


/* The limit is judged by the header: no byte of the payload is waited for. */
static void
test_ws_limit_is_early(void **state)
{
    buf_t  in;

    in.data = (u_char *) "\x82\x8b";
    in.len = 2;

    expect_line("eleven of ten", "whole", &in, 10, bytes("fail:1009"), 2, 0);
}


/* DATA says where its bytes are and how many of the frame are to come. */
static void
test_ws_data_in_place(void **state)
{
    u_char                        in[] = "\x81\x85\0\0\0\0hello";
    u_char                       *pos;
    ngx_http_kairos_ws_event_t    ev;
    ngx_http_kairos_ws_reader_t   rd;

    memset(&rd, 0, sizeof(rd));
    rd.max_message = 5;

    pos = in;
    ngx_http_kairos_ws_read(&rd, &pos, in + 8, &ev);

    assert_int_equal(ev.type, NGX_HTTP_KAIROS_WS_DATA);
    assert_ptr_equal(ev.data, in + 6);
    assert_int_equal(ev.len, 2);
    assert_int_equal(ev.left, 3);
    assert_int_equal(ev.last, 0);
    assert_int_equal(ev.opcode, TEXT);

    ngx_http_kairos_ws_read(&rd, &pos, in + 8, &ev);
    assert_int_equal(ev.type, NGX_HTTP_KAIROS_WS_MORE);

    ngx_http_kairos_ws_read(&rd, &pos, in + 11, &ev);

    assert_int_equal(ev.type, NGX_HTTP_KAIROS_WS_DATA);
    assert_ptr_equal(ev.data, in + 8);
    assert_int_equal(ev.len, 3);
    assert_int_equal(ev.left, 0);
    assert_int_equal(ev.last, 1);
}


static void
test_ws_header(void **state)
{
    size_t  i;
    u_char  buf[NGX_HTTP_KAIROS_WS_MAX_HEADER], *last;

    static const struct {
        ngx_uint_t   opcode;
        uint64_t     payload;
        const char  *wire;
        size_t       len;
    } headers[] = {
        { TEXT, 0, bytes("\x81\0") },
        { PONG, 125, bytes("\x8a\x7d") },
        { BINARY, 126, bytes("\x82\x7e\0\x7e") },
        { TEXT, 65535, bytes("\x81\x7e\xff\xff") },
        { TEXT, 65536, bytes("\x81\x7f\0\0\0\0\0\1\0\0") },
        { TEXT, 0x0102030405060708ULL,
          bytes("\x81\x7f\1\2\3\4\5\6\7\x8") }
    };

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        last = ngx_http_kairos_ws_header(buf, headers[i].opcode,
                                         headers[i].payload);

        assert_int_equal(last - buf, headers[i].len);
        assert_memory_equal(buf, headers[i].wire, headers[i].len);
        assert_int_equal(ngx_http_kairos_ws_header_size(headers[i].payload),
                         headers[i].len);
    }
}


static void
test_ws_close_frame(void **state)
{
    size_t     i;
    u_char     buf[2 + 2 + 123], *last, text[126];
    ngx_str_t  reason;

    reason.data = text;
    reason.len = 0;

    last = ngx_http_kairos_ws_close_frame(buf, NGX_HTTP_KAIROS_CLOSE_NO_STATUS,
                                          NULL);
    assert_int_equal(last - buf, 2);
    assert_memory_equal(buf, "\x88\0", 2);

    last = ngx_http_kairos_ws_close_frame(buf, 1001, NULL);
    assert_int_equal(last - buf, 4);
    assert_memory_equal(buf, "\x88\2\x03\xe9", 4);

    last = ngx_http_kairos_ws_close_frame(buf, 1001, &reason);
    assert_int_equal(last - buf, 4);

    reason.data = (u_char *) "bye";
    reason.len = 3;

    last = ngx_http_kairos_ws_close_frame(buf, 1013, &reason);
    assert_int_equal(last - buf, 7);
    assert_memory_equal(buf, "\x88\5\x03\xf5" "bye", 7);

    memset(text, 'x', sizeof(text));
    reason.data = text;
    reason.len = 123;

    last = ngx_http_kairos_ws_close_frame(buf, 1000, &reason);
    assert_int_equal(last - buf, 127);
    assert_int_equal(buf[1], 125);

    /* a character of three bytes that ends at, or reaches over, byte 123 */

    for (i = 119; i < 123; i++) {
        memset(text, 'x', sizeof(text));
        memcpy(text + i, "\xe2\x82\xac", 3);
        reason.len = sizeof(text);

        last = ngx_http_kairos_ws_close_frame(buf, 1000, &reason);

        assert_int_equal(last - buf, 4 + ((i <= 120) ? 123 : i));
        assert_int_equal(buf[1], 2 + ((i <= 120) ? 123 : i));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_ws_cases),
        cmocka_unit_test(test_ws_raw_cases),
        cmocka_unit_test(test_ws_close_codes),
        cmocka_unit_test(test_ws_lengths),
        cmocka_unit_test(test_ws_limit_is_per_message),
        cmocka_unit_test(test_ws_limit_is_early),
        cmocka_unit_test(test_ws_data_in_place),
        cmocka_unit_test(test_ws_header),
        cmocka_unit_test(test_ws_close_frame)
    };

    return cmocka_run_group_tests_name("ws", tests, NULL, NULL);
}
