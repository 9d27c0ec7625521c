/*
 * JSON, RFC 8259: validate, find slices.
 *
 * Values nest without recursion: the reader keeps one byte per open bracket,
 * so the depth takes nothing of the stack but that.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_json.h"
#include "ngx_http_kairos_utf8.h"


#define NGX_HTTP_KAIROS_JSON_ONES       0x0101010101010101ULL
#define NGX_HTTP_KAIROS_JSON_HIGH_BITS  0x8080808080808080ULL

/* not zero if a byte of the word is below n, n <= 0x80 */
#define ngx_http_kairos_json_below(word, n)                                  \
    (((word) - NGX_HTTP_KAIROS_JSON_ONES * (n)) & ~(word)                    \
     & NGX_HTTP_KAIROS_JSON_HIGH_BITS)

/* not zero if a byte of the word is ch */
#define ngx_http_kairos_json_has(word, ch)                                   \
    ngx_http_kairos_json_below((word) ^ NGX_HTTP_KAIROS_JSON_ONES * (ch), 1)

#define ngx_http_kairos_json_is_digit(ch)  ((ch) >= '0' && (ch) <= '9')


typedef struct {
    u_char       *pos;
    u_char       *last;
    const char   *reason;
    ngx_str_t     name;           /* of the member whose value is next */
    ngx_uint_t    depth;
    u_char        close[NGX_HTTP_KAIROS_JSON_MAX_DEPTH];   /* for each open
                                                    bracket the one that
                                                    closes it; set to depth */
} ngx_http_kairos_json_reader_t;


static void ngx_http_kairos_json_start(ngx_http_kairos_json_reader_t *rd,
    u_char *pos, u_char *last);
static ngx_int_t ngx_http_kairos_json_read(ngx_http_kairos_json_reader_t *rd);
static ngx_int_t ngx_http_kairos_json_read_begin(
    ngx_http_kairos_json_reader_t *rd);
static ngx_int_t ngx_http_kairos_json_read_open(
    ngx_http_kairos_json_reader_t *rd);
static ngx_int_t ngx_http_kairos_json_read_after(
    ngx_http_kairos_json_reader_t *rd);
static ngx_int_t ngx_http_kairos_json_read_item(
    ngx_http_kairos_json_reader_t *rd);
static ngx_int_t ngx_http_kairos_json_read_string(
    ngx_http_kairos_json_reader_t *rd);
static void ngx_http_kairos_json_skip_plain(ngx_http_kairos_json_reader_t *rd);
static ngx_int_t ngx_http_kairos_json_read_escape(
    ngx_http_kairos_json_reader_t *rd);
static ngx_int_t ngx_http_kairos_json_read_unit(
    ngx_http_kairos_json_reader_t *rd, uint32_t *unit);
static ngx_int_t ngx_http_kairos_json_read_number(
    ngx_http_kairos_json_reader_t *rd);
static ngx_int_t ngx_http_kairos_json_read_digits(
    ngx_http_kairos_json_reader_t *rd);
static ngx_int_t ngx_http_kairos_json_read_literal(
    ngx_http_kairos_json_reader_t *rd, const char *literal, size_t len);
static ngx_int_t ngx_http_kairos_json_skip_space(
    ngx_http_kairos_json_reader_t *rd);
static ngx_int_t ngx_http_kairos_json_fail(ngx_http_kairos_json_reader_t *rd,
    const char *reason);
static ngx_http_kairos_json_type_e ngx_http_kairos_json_type(u_char ch);


ngx_int_t
ngx_http_kairos_json_value(u_char **pos, u_char *last,
    ngx_http_kairos_json_t *value, const char **reason)
{
    u_char                         *start;
    ngx_int_t                       rc;
    ngx_http_kairos_json_reader_t   rd;

    ngx_http_kairos_json_start(&rd, *pos, last);

    rc = ngx_http_kairos_json_skip_space(&rd);
    start = rd.pos;

    if (rc == NGX_OK) {
        rc = ngx_http_kairos_json_read(&rd);
    }

    *pos = rd.pos;

    if (rc != NGX_OK) {
        *reason = rd.reason;
        return NGX_ERROR;
    }

    value->type = ngx_http_kairos_json_type(*start);
    value->raw.data = start;
    value->raw.len = rd.pos - start;

    return NGX_OK;
}


ngx_int_t
ngx_http_kairos_json_end(u_char *pos, u_char *last, const char **reason)
{
    ngx_http_kairos_json_reader_t  rd;

    ngx_http_kairos_json_start(&rd, pos, last);

    if (ngx_http_kairos_json_skip_space(&rd) == NGX_OK) {
        *reason = "JSON is followed by something else";
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_kairos_json_next(const ngx_http_kairos_json_t *in, u_char **pos,
    ngx_str_t *name, ngx_http_kairos_json_t *value)
{
    const char  *reason;

    if (ngx_http_kairos_json_walk(in, pos, name, value, &reason) != NGX_OK) {
        return NGX_DONE;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_kairos_json_walk(const ngx_http_kairos_json_t *in, u_char **pos,
    ngx_str_t *name, ngx_http_kairos_json_t *value, const char **reason)
{
    ngx_int_t                      rc;
    ngx_http_kairos_json_reader_t  rd;

    if (*pos == NULL) {
        ngx_http_kairos_json_start(&rd, in->raw.data,
                                   in->raw.data + in->raw.len);
        rc = ngx_http_kairos_json_skip_space(&rd);

        if (rc == NGX_OK && ngx_http_kairos_json_type(*rd.pos) != in->type) {
            rc = ngx_http_kairos_json_fail(&rd, "JSON has the wrong type");
        }

        if (rc == NGX_OK) {
            rc = ngx_http_kairos_json_read_open(&rd);
        }

    } else {
        ngx_http_kairos_json_start(&rd, *pos, in->raw.data + in->raw.len);
        rd.depth = 1;
        rd.close[0] = (in->type == NGX_HTTP_KAIROS_JSON_OBJECT) ? '}' : ']';
        rc = ngx_http_kairos_json_read_after(&rd);
    }

    *pos = rd.pos;

    if (rc == NGX_ERROR) {
        *reason = rd.reason;
        return NGX_ERROR;
    }

    if (rc == NGX_DONE) {
        return NGX_DONE;
    }

    *name = rd.name;

    return ngx_http_kairos_json_value(pos, rd.last, value, reason);
}


ngx_int_t
ngx_http_kairos_json_piece(u_char **pos, u_char *last, ngx_str_t *piece)
{
    u_char      *p, *end;
    ngx_uint_t   quoted, depth;

    if (*pos == last) {
        return NGX_DONE;
    }

    quoted = 0;
    depth = 0;
    end = NULL;

    for (p = *pos; p < last && end == NULL; p++) {

        if (*p == '"') {
            quoted = !quoted;

        } else if (quoted) {
            p += (*p == '\\' && p + 1 < last);

        } else if (*p == '[' || *p == '{') {
            depth++;

        } else if (depth == 0 && (*p == ',' || *p == ']' || *p == '}')) {
            end = p;

        } else if (*p == ']' || *p == '}') {
            depth--;
        }
    }

    piece->data = *pos;
    piece->len = ((end != NULL) ? end : last) - *pos;

    *pos = (end != NULL && *end == ',') ? end + 1 : last;

    return NGX_OK;
}


ngx_int_t
ngx_http_kairos_json_member(const ngx_http_kairos_json_t *object,
    const char *name, ngx_http_kairos_json_t *value)
{
    u_char                  *pos;
    ngx_int_t                rc;
    ngx_str_t                raw;
    ngx_http_kairos_json_t   v;

    if (object->type != NGX_HTTP_KAIROS_JSON_OBJECT) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;
    pos = NULL;

    while (ngx_http_kairos_json_next(object, &pos, &raw, &v) == NGX_OK) {

        if (ngx_http_kairos_json_equal(&raw, name)) {
            *value = v;
            rc = NGX_OK;
        }
    }

    return rc;
}


/* Sets the reader up, all but what it keeps of open brackets. */
static void
ngx_http_kairos_json_start(ngx_http_kairos_json_reader_t *rd, u_char *pos,
    u_char *last)
{
    rd->pos = pos;
    rd->last = last;
    rd->reason = NULL;
    rd->depth = 0;

    ngx_str_null(&rd->name);
}


/* Reads the value that begins at rd->pos, with all that is in it. */
static ngx_int_t
ngx_http_kairos_json_read(ngx_http_kairos_json_reader_t *rd)
{
    ngx_int_t  rc;

    do {
        rc = ngx_http_kairos_json_read_begin(rd);

        while (rc == NGX_DONE && rd->depth > 0) {
            rc = ngx_http_kairos_json_read_after(rd);
        }

    } while (rc == NGX_OK);

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
}


/*
 * Reads a scalar or an opening bracket.  Here and in the next three functions
 * NGX_DONE: a value was read to its end; NGX_OK: rd->pos is where a value
 * begins.
 */
static ngx_int_t
ngx_http_kairos_json_read_begin(ngx_http_kairos_json_reader_t *rd)
{
    ngx_int_t  rc;

    switch (*rd->pos) {

    case '{':
    case '[':
        return ngx_http_kairos_json_read_open(rd);

    case '"':
        rc = ngx_http_kairos_json_read_string(rd);
        break;

    case 't':
        rc = ngx_http_kairos_json_read_literal(rd, "true", 4);
        break;

    case 'f':
        rc = ngx_http_kairos_json_read_literal(rd, "false", 5);
        break;

    case 'n':
        rc = ngx_http_kairos_json_read_literal(rd, "null", 4);
        break;

    default:
        rc = ngx_http_kairos_json_read_number(rd);
    }

    return (rc == NGX_OK) ? NGX_DONE : NGX_ERROR;
}


static ngx_int_t
ngx_http_kairos_json_read_open(ngx_http_kairos_json_reader_t *rd)
{
    u_char  close;

    if (rd->depth == NGX_HTTP_KAIROS_JSON_MAX_DEPTH) {
        return ngx_http_kairos_json_fail(rd, "JSON is nested too deeply");
    }

    close = (*rd->pos == '{') ? '}' : ']';

    rd->close[rd->depth++] = close;
    rd->pos++;

    if (ngx_http_kairos_json_skip_space(rd) != NGX_OK) {
        return NGX_ERROR;
    }

    if (*rd->pos == close) {
        rd->depth--;
        rd->pos++;
        return NGX_DONE;
    }

    return ngx_http_kairos_json_read_item(rd);
}


/* Reads the comma or the closing bracket behind a value within brackets. */
static ngx_int_t
ngx_http_kairos_json_read_after(ngx_http_kairos_json_reader_t *rd)
{
    if (ngx_http_kairos_json_skip_space(rd) != NGX_OK) {
        return NGX_ERROR;
    }

    if (*rd->pos == ',') {
        rd->pos++;

        if (ngx_http_kairos_json_skip_space(rd) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_kairos_json_read_item(rd);
    }

    if (*rd->pos != rd->close[rd->depth - 1]) {
        return ngx_http_kairos_json_fail(rd, "JSON lacks a comma or a "
                                             "closing bracket");
    }

    rd->depth--;
    rd->pos++;

    return NGX_DONE;
}


/* Within an object, reads the name of the next member. */
static ngx_int_t
ngx_http_kairos_json_read_item(ngx_http_kairos_json_reader_t *rd)
{
    u_char  *start;

    if (rd->close[rd->depth - 1] != '}') {
        return NGX_OK;
    }

    start = rd->pos;

    if (*start != '"') {
        return ngx_http_kairos_json_fail(rd, "JSON object lacks a name");
    }

    if (ngx_http_kairos_json_read_string(rd) != NGX_OK) {
        return NGX_ERROR;
    }

    rd->name.data = start;
    rd->name.len = rd->pos - start;

    if (ngx_http_kairos_json_skip_space(rd) != NGX_OK) {
        return NGX_ERROR;
    }

    if (*rd->pos != ':') {
        return ngx_http_kairos_json_fail(rd, "JSON object lacks a colon");
    }

    rd->pos++;

    return ngx_http_kairos_json_skip_space(rd);
}


static ngx_int_t
ngx_http_kairos_json_read_string(ngx_http_kairos_json_reader_t *rd)
{
    u_char  ch;
    size_t  n;

    rd->pos++;

    for ( ;; ) {
        ngx_http_kairos_json_skip_plain(rd);

        if (rd->pos == rd->last) {
            return ngx_http_kairos_json_fail(rd, "JSON string has no end");
        }

        ch = *rd->pos;

        if (ch == '"') {
            rd->pos++;
            return NGX_OK;
        }

        if (ch == '\\') {

            if (ngx_http_kairos_json_read_escape(rd) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        if (ch < 0x20) {
            return ngx_http_kairos_json_fail(rd, "JSON string has a control "
                                                 "character");
        }

        n = ngx_http_kairos_utf8_char(rd->pos, rd->last);
        if (n == 0) {
            return ngx_http_kairos_json_fail(rd, "JSON string is not UTF-8");
        }

        rd->pos += n;
    }
}


/* Skips ASCII in a string up to a quote, a backslash or a control character */
static void
ngx_http_kairos_json_skip_plain(ngx_http_kairos_json_reader_t *rd)
{
    u_char    *p;
    uint64_t   word;

    p = rd->pos;

    while (rd->last - p >= (ssize_t) sizeof(uint64_t)) {
        ngx_memcpy(&word, p, sizeof(uint64_t));

        if ((word & NGX_HTTP_KAIROS_JSON_HIGH_BITS)
            || ngx_http_kairos_json_below(word, 0x20)
            || ngx_http_kairos_json_has(word, '"')
            || ngx_http_kairos_json_has(word, '\\'))
        {
            break;
        }

        p += sizeof(uint64_t);
    }

    while (p < rd->last
           && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
    {
        p++;
    }

    rd->pos = p;
}


static ngx_int_t
ngx_http_kairos_json_read_escape(ngx_http_kairos_json_reader_t *rd)
{
    uint32_t  unit;

    rd->pos++;

    if (rd->pos == rd->last) {
        return ngx_http_kairos_json_fail(rd, "JSON string has no end");
    }

    switch (*rd->pos++) {

    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return NGX_OK;

    case 'u':
        break;

    default:
        return ngx_http_kairos_json_fail(rd, "JSON string has an unknown "
                                             "escape");
    }

    if (ngx_http_kairos_json_read_unit(rd, &unit) != NGX_OK) {
        return NGX_ERROR;
    }

    if (unit < 0xd800 || unit > 0xdfff) {
        return NGX_OK;
    }

    if (unit < 0xdc00 && rd->last - rd->pos >= 6
        && rd->pos[0] == '\\' && rd->pos[1] == 'u')
    {
        rd->pos += 2;

        if (ngx_http_kairos_json_read_unit(rd, &unit) != NGX_OK) {
            return NGX_ERROR;
        }

        if (unit >= 0xdc00 && unit <= 0xdfff) {
            return NGX_OK;
        }
    }

    return ngx_http_kairos_json_fail(rd, "JSON string has half a surrogate "
                                         "pair");
}


/* The UTF-16 code unit that the four digits of a \u escape stand for. */
static ngx_int_t
ngx_http_kairos_json_read_unit(ngx_http_kairos_json_reader_t *rd,
    uint32_t *unit)
{
    u_char      ch;
    ngx_uint_t  i;

    *unit = 0;

    for (i = 0; i < 4; i++) {

        if (rd->pos == rd->last) {
            return ngx_http_kairos_json_fail(rd, "JSON string has no end");
        }

        ch = *rd->pos++;

        if (ngx_http_kairos_json_is_digit(ch)) {
            *unit = *unit << 4 | (ch - '0');
            continue;
        }

        ch |= 0x20;

        if (ch < 'a' || ch > 'f') {
            return ngx_http_kairos_json_fail(rd, "JSON string has an unknown "
                                                 "escape");
        }

        *unit = *unit << 4 | (ch - 'a' + 10);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kairos_json_read_number(ngx_http_kairos_json_reader_t *rd)
{
    if (*rd->pos == '-') {
        rd->pos++;
    }

    if (rd->pos < rd->last && *rd->pos == '0') {
        rd->pos++;

    } else if (ngx_http_kairos_json_read_digits(rd) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rd->pos < rd->last && *rd->pos == '.') {
        rd->pos++;

        if (ngx_http_kairos_json_read_digits(rd) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (rd->pos < rd->last && (*rd->pos == 'e' || *rd->pos == 'E')) {
        rd->pos++;

        if (rd->pos < rd->last && (*rd->pos == '+' || *rd->pos == '-')) {
            rd->pos++;
        }

        return ngx_http_kairos_json_read_digits(rd);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kairos_json_read_digits(ngx_http_kairos_json_reader_t *rd)
{
    if (rd->pos == rd->last || !ngx_http_kairos_json_is_digit(*rd->pos)) {
        return ngx_http_kairos_json_fail(rd, "JSON has an invalid value");
    }

    while (rd->pos < rd->last && ngx_http_kairos_json_is_digit(*rd->pos)) {
        rd->pos++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_kairos_json_read_literal(ngx_http_kairos_json_reader_t *rd,
    const char *literal, size_t len)
{
    if ((size_t) (rd->last - rd->pos) < len
        || ngx_memcmp(rd->pos, literal, len) != 0)
    {
        return ngx_http_kairos_json_fail(rd, "JSON has an invalid value");
    }

    rd->pos += len;

    return NGX_OK;
}


/* Skips white space.  NGX_OK: rd->pos is at another character. */
static ngx_int_t
ngx_http_kairos_json_skip_space(ngx_http_kairos_json_reader_t *rd)
{
    while (rd->pos < rd->last) {

        switch (*rd->pos) {

        case ' ':
        case '\t':
        case '\n':
        case '\r':
            rd->pos++;
            continue;
        }

        return NGX_OK;
    }

    return ngx_http_kairos_json_fail(rd, "JSON ends too early");
}


static ngx_int_t
ngx_http_kairos_json_fail(ngx_http_kairos_json_reader_t *rd,
    const char *reason)
{
    rd->reason = reason;

    return NGX_ERROR;
}


/* The type of the valid value that begins with this character. */
static ngx_http_kairos_json_type_e
ngx_http_kairos_json_type(u_char ch)
{
    switch (ch) {

    case '{':
        return NGX_HTTP_KAIROS_JSON_OBJECT;

    case '[':
        return NGX_HTTP_KAIROS_JSON_ARRAY;

    case '"':
        return NGX_HTTP_KAIROS_JSON_STRING;

    case 't':
    case 'f':
        return NGX_HTTP_KAIROS_JSON_BOOL;

    case 'n':
        return NGX_HTTP_KAIROS_JSON_NULL;
    }

    return NGX_HTTP_KAIROS_JSON_NUMBER;
}
