/* sources: ngx_http_kairos_handshake.c ngx_http_kairos_origin.c */
/* sources: ngx_http_kairos_mask_text.c ngx_http_kairos_jwt.c */
/* sources: ngx_http_kairos_json.c ngx_http_kairos_json_string.c */
/* sources: ngx_http_kairos_utf8.c */
/* sources: ngx_http_kairos_signature.c */
/* libs: -ljwt -lcrypto */

/*
 * Any bytes as an upgrade request, a line for each header, and "Pattern" for
 * an origin of the configuration.  What each value is found to say must be
 * what a slow and plain reading of it says.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_handshake.h"
#include "ngx_http_kairos_jwt.h"
#include "ngx_http_kairos_mask.h"
#include "ngx_http_kairos_origin.h"


#define BASE64                                                                \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


typedef struct {
    ngx_str_t  origin;
    ngx_str_t  host;
    ngx_str_t  pattern;
} request_t;


typedef struct {
    const char  *name;
    void       (*check)(request_t *rq, ngx_str_t *value);
} header_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


/* A copy of just its size, for the sanitizer; with room for a zero byte. */
static u_char *
copy(const u_char *data, size_t len, size_t room)
{
    u_char  *p;

    p = malloc(len + room ? len + room : 1);
    check(p != NULL);

    if (len > 0) {
        memcpy(p, data, len);
    }

    if (room > 0) {
        p[len] = '\0';
    }

    return p;
}


static int
blank(u_char ch)
{
    return ch == ' ' || ch == '\t';
}


/* The list's element that the text begins, or is; len -1: there is none. */
static ngx_str_t
plain_element(const ngx_str_t *list, const char *text, int whole)
{
    size_t     i, from, to, len;
    ngx_str_t  found;

    len = strlen(text);
    found.len = (size_t) -1;
    found.data = NULL;

    for (i = 0; i <= list->len; i = to + 1) {

        for (to = i; to < list->len && list->data[to] != ','; to++) {
            /* void */
        }

        found.len = to;

        for (from = i; from < to && blank(list->data[from]); from++) {
            /* void */
        }

        while (found.len > from && blank(list->data[found.len - 1])) {
            found.len--;
        }

        found.len -= from;
        found.data = list->data + from;

        if (found.len >= len && (!whole || found.len == len)
            && strncasecmp((char *) found.data, text, len) == 0)
        {
            return found;
        }
    }

    found.len = (size_t) -1;

    return found;
}


static void
check_list(ngx_str_t *value, const char *token)
{
    check(ngx_http_kairos_handshake_has(value, token)
          == (plain_element(value, token, 1).len != (size_t) -1));
}


static void
check_connection(request_t *rq, ngx_str_t *value)
{
    check_list(value, "upgrade");
}


static void
check_upgrade(request_t *rq, ngx_str_t *value)
{
    check_list(value, "websocket");
}


static void
check_key(request_t *rq, ngx_str_t *value)
{
    char  *text;

    text = (char *) copy(value->data, value->len, 1);

    check(ngx_http_kairos_handshake_key(value)
          == (value->len == 24 && strlen(text) == 24
              && strspn(text, BASE64 "+/") == 22
              && strcmp(text + 22, "==") == 0));

    free(text);
}


/* What was decoded, encoded again: the same up to bits that are left over. */
static void
check_base64url(const ngx_str_t *encoded)
{
    size_t   i, n;
    u_char  *buf, *last, *again, digit;

    static const char  digits[] = BASE64 "-_";

    buf = malloc(encoded->len + 1);
    check(buf != NULL);

    last = ngx_http_kairos_jwt_decode(buf, encoded);

    for (i = 0; i < encoded->len; i++) {
        if (memchr(digits, encoded->data[i], 64) == NULL) {
            break;
        }
    }

    check((last != NULL) == (i == encoded->len && i % 4 != 1));

    if (last != NULL) {
        n = last - buf;
        check(n == encoded->len * 3 / 4);

        for (i = 0; i < n * 8 / 6; i++) {
            digit = (u_char) (buf[i * 6 / 8] << (i * 6 % 8));

            if (i * 6 % 8 > 2) {
                digit |= buf[i * 6 / 8 + 1] >> (8 - i * 6 % 8);
            }

            check(encoded->data[i] == digits[digit >> 2]);
        }

        /* in place, as a cookie's or an argument's would be */

        again = copy(encoded->data, encoded->len, 0);
        last = ngx_http_kairos_jwt_decode(again, &(ngx_str_t) { encoded->len,
                                                                again });
        check(last == again + n && memcmp(again, buf, n) == 0);
        free(again);
    }

    free(buf);
}


static void
check_protocol(request_t *rq, ngx_str_t *value)
{
    ngx_int_t  rc;
    ngx_str_t  encoded, plain;

    check_list(value, "phoenix");

    plain = plain_element(value, "base64url.bearer.phx.", 0);
    rc = ngx_http_kairos_handshake_token(value, &encoded);

    check((rc == NGX_OK) == (plain.len != (size_t) -1));

    if (rc == NGX_OK) {
        check(encoded.len == plain.len - 21
              && encoded.data == plain.data + 21);
        check_base64url(&encoded);
    }
}


static void
check_bearer(request_t *rq, ngx_str_t *value)
{
    ngx_str_t   token;
    ngx_uint_t  rc;

    token = *value;
    rc = ngx_http_kairos_handshake_bearer(&token);

    check(rc == (value->len >= 7
                 && strncasecmp((char *) value->data, "Bearer ", 7) == 0));
    check(token.data + token.len == value->data + value->len);
    check(!rc || token.len == 0 || token.data[0] != ' ');
    check(rc || token.len == value->len);
}


static void
keep_origin(request_t *rq, ngx_str_t *value)
{
    rq->origin = *value;
}


static void
keep_host(request_t *rq, ngx_str_t *value)
{
    rq->host = *value;
}


static void
keep_pattern(request_t *rq, ngx_str_t *value)
{
    rq->pattern = *value;
}


/* An origin's parts are those of its text, and it is its own pattern. */
static void
check_parts(const ngx_str_t *text, const ngx_http_kairos_origin_t *o)
{
    ngx_int_t                  rc;
    ngx_str_t                  host;
    const char                *reason;
    ngx_http_kairos_origin_t   same;

    check(o->scheme.data == text->data && o->scheme.len > 0
          && o->host.data == text->data + o->scheme.len + 3 && o->host.len > 0
          && o->host.len <= text->len - o->scheme.len - 3
          && o->port <= 65535);

    host.data = o->host.data;
    host.len = text->len - o->scheme.len - 3;

    /* a Host without a port stands for a default that may be unknown */
    check(ngx_http_kairos_origin_is_host(o, &host)
          == (o->port != 0));

    rc = ngx_http_kairos_origin_pattern(text, &same, &reason);
    check(rc == NGX_OK || reason != NULL);

    if (rc == NGX_OK && !same.any_label) {
        check(ngx_http_kairos_origin_match(&same, o));
    }
}


static void
check_origin(const request_t *rq)
{
    ngx_int_t                  rc, known;
    const char                *reason;
    ngx_http_kairos_origin_t   o, pattern;

    reason = NULL;
    known = ngx_http_kairos_origin_parse(&rq->origin, &o, &reason);
    check(known == NGX_OK || reason != NULL);

    if (known == NGX_OK) {
        check_parts(&rq->origin, &o);
        (void) ngx_http_kairos_origin_is_host(&o, &rq->host);
    }

    reason = NULL;
    rc = ngx_http_kairos_origin_pattern(&rq->pattern, &pattern, &reason);
    check(rc == NGX_OK || reason != NULL);

    if (rc != NGX_OK || known != NGX_OK
        || !ngx_http_kairos_origin_match(&pattern, &o))
    {
        return;
    }

    /* nobody comes with another host or port than those meant */

    check(o.host.len >= pattern.host.len
          && strncasecmp((char *) o.host.data + o.host.len - pattern.host.len,
                         (char *) pattern.host.data, pattern.host.len) == 0);
    check(o.host.len == pattern.host.len
          || (pattern.any_label && pattern.host.data[0] == '.'));
    check(pattern.port == o.port
          || (pattern.any_scheme && pattern.port == 0 && o.default_port));
}


/* An argument of this name, as nginx finds it. */
static int
find_argument(const u_char *p, const u_char *last, const char *name,
    ngx_str_t *value)
{
    size_t         len;
    const u_char  *end;

    len = strlen(name);

    for ( /* void */ ; p < last; p = end + 1) {

        for (end = p; end < last && *end != '&'; end++) { /* void */ }

        if ((size_t) (end - p) > len && p[len] == '='
            && strncasecmp((char *) p, name, len) == 0)
        {
            value->data = (u_char *) p + len + 1;
            value->len = end - value->data;
            return 1;
        }
    }

    return 0;
}


static void
check_vsn(const ngx_str_t *value)
{
    char                       *text;
    ngx_int_t                   rc;
    ngx_http_kairos_phx_vsn_e   vsn;

    text = (char *) copy(value->data, value->len, 1);
    vsn = NGX_HTTP_KAIROS_PHX_NVSN;

    rc = ngx_http_kairos_handshake_vsn(value, &vsn);

    check((rc == NGX_OK)
          == (strlen(text) == value->len && value->len > 4
              && strchr("12", text[0]) != NULL
              && strncmp(text + 1, ".0.", 3) == 0
              && strspn(text + 4, "0123456789") == value->len - 4));
    check(vsn == (rc != NGX_OK ? NGX_HTTP_KAIROS_PHX_NVSN
                               : text[0] == '2' ? NGX_HTTP_KAIROS_PHX_V2
                                                : NGX_HTTP_KAIROS_PHX_V1));

    free(text);
}


/* The first line: no token is left in it, and nothing else is missing. */
static void
check_target(const u_char *data, size_t len)
{
    size_t      i;
    u_char     *text, *args, *last;
    ngx_str_t   value;

    text = copy(data, len, 0);
    ngx_http_kairos_mask_text(text, len);

    for (i = 0; i < len; i++) {
        check(text[i] == data[i] || text[i] == '*');
    }

    args = len ? memchr(text, '?', len) : NULL;

    if (args != NULL) {
        args++;
        last = memchr(args, ' ', text + len - args);
        last = last ? last : text + len;

        if (find_argument(args, last, "vsn", &value)) {
            check_vsn(&value);
        }

        if (find_argument(args, last, "token", &value)) {
            for (i = 0; i < value.len; i++) {
                check(value.data[i] == '*');
            }
        }
    }

    free(text);
}


static void
check_line(request_t *rq, const u_char *line, size_t len)
{
    size_t      i, n;
    ngx_str_t   value;

    static const header_t  headers[] = {
        { "Connection: ", check_connection },
        { "Upgrade: ", check_upgrade },
        { "Sec-WebSocket-Key: ", check_key },
        { "Sec-WebSocket-Protocol: ", check_protocol },
        { "Authorization: ", check_bearer },
        { "Origin: ", keep_origin },
        { "Host: ", keep_host },
        { "Pattern: ", keep_pattern }
    };

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        n = strlen(headers[i].name);

        if (len >= n && memcmp(line, headers[i].name, n) == 0) {
            value.data = (u_char *) line + n;
            value.len = len - n;
            headers[i].check(rq, &value);
            return;
        }
    }

    check_target(line, len);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char     *lines[16];
    size_t      n, len;
    request_t   rq;

    ngx_str_set(&rq.origin, "");
    ngx_str_set(&rq.host, "");
    ngx_str_set(&rq.pattern, "");
    n = 0;

    while (size > 0 && n < sizeof(lines) / sizeof(lines[0])) {

        for (len = 0; len < size && data[len] != '\n'; len++) { /* void */ }

        lines[n] = copy(data, len, 0);
        check_line(&rq, lines[n++], len);

        len += (len < size);
        data += len;
        size -= len;
    }

    check_origin(&rq);

    while (n > 0) {
        free(lines[--n]);
    }

    return 0;
}
