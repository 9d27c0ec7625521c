/*
 * UTF-8, RFC 3629: checks whether text is well-formed, and writes characters.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_utf8.h"


#define NGX_HTTP_KAIROS_UTF8_HIGH_BITS  0x8080808080808080ULL

/*
 * Within a character the state holds the number of bytes to come and the least
 * and greatest value of the next byte.  These bounds exclude overlong forms,
 * surrogates and numbers above U+10FFFF.
 */
#define ngx_http_kairos_utf8_state(more, low, high)                          \
    ((uint32_t) (more) << 16 | (low) << 8 | (high))


static uint32_t ngx_http_kairos_utf8_lead(u_char ch);


ngx_int_t
ngx_http_kairos_utf8_next(uint32_t *state, const u_char *data, size_t len)
{
    u_char         ch;
    uint32_t       st;
    uint64_t       word;
    const u_char  *p, *last;

    st = *state;
    last = data + len;

    for (p = data; p < last; /* void */ ) {

        if (st == 0) {
            while (last - p >= (ssize_t) sizeof(uint64_t)) {
                ngx_memcpy(&word, p, sizeof(uint64_t));

                if (word & NGX_HTTP_KAIROS_UTF8_HIGH_BITS) {
                    break;
                }

                p += sizeof(uint64_t);
            }

            while (p < last && *p < 0x80) {
                p++;
            }

            if (p == last) {
                break;
            }

            st = ngx_http_kairos_utf8_lead(*p++);
            if (st == 0) {
                return NGX_ERROR;
            }

            continue;
        }

        ch = *p++;

        if (ch < (st >> 8 & 0xff) || ch > (st & 0xff)) {
            return NGX_ERROR;
        }

        st >>= 16;
        st = (st > 1) ? ngx_http_kairos_utf8_state(st - 1, 0x80, 0xbf) : 0;
    }

    *state = st;

    return NGX_OK;
}


ngx_int_t
ngx_http_kairos_utf8_check(const u_char *data, size_t len)
{
    uint32_t  state;

    state = 0;

    if (ngx_http_kairos_utf8_next(&state, data, len) != NGX_OK || state) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


size_t
ngx_http_kairos_utf8_char(const u_char *p, const u_char *last)
{
    size_t    n;
    uint32_t  state;

    state = 0;

    for (n = 0; n < 4 && p + n < last; n++) {

        if (ngx_http_kairos_utf8_next(&state, p + n, 1) != NGX_OK) {
            return 0;
        }

        if (state == 0) {
            return n + 1;
        }
    }

    return 0;
}


u_char *
ngx_http_kairos_utf8_encode(u_char *p, uint32_t code)
{
    if (code < 0x80) {
        *p++ = (u_char) code;
        return p;
    }

    if (code < 0x800) {
        *p++ = (u_char) (0xc0 | code >> 6);

    } else {

        if (code < 0x10000) {
            *p++ = (u_char) (0xe0 | code >> 12);

        } else {
            *p++ = (u_char) (0xf0 | code >> 18);
            *p++ = (u_char) (0x80 | (code >> 12 & 0x3f));
        }

        *p++ = (u_char) (0x80 | (code >> 6 & 0x3f));
    }

    *p++ = (u_char) (0x80 | (code & 0x3f));

    return p;
}


/* The state after the first byte of several; 0: no character begins so. */
static uint32_t
ngx_http_kairos_utf8_lead(u_char ch)
{
    if (ch < 0xc2 || ch > 0xf4) {
        return 0;
    }

    if (ch < 0xe0) {
        return ngx_http_kairos_utf8_state(1, 0x80, 0xbf);
    }

    switch (ch) {

    case 0xe0:
        return ngx_http_kairos_utf8_state(2, 0xa0, 0xbf);

    case 0xed:
        return ngx_http_kairos_utf8_state(2, 0x80, 0x9f);

    case 0xf0:
        return ngx_http_kairos_utf8_state(3, 0x90, 0xbf);

    case 0xf4:
        return ngx_http_kairos_utf8_state(3, 0x80, 0x8f);
    }

    return ngx_http_kairos_utf8_state((ch < 0xf0) ? 2 : 3, 0x80, 0xbf);
}
