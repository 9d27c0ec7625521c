/*
 * Phoenix Channels messages: serializers V1, V2 and V2 binary.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_json.h"
#include "ngx_http_kairos_phx.h"
#include "ngx_http_kairos_utf8.h"


/* kinds of a binary message, its first byte */
#define NGX_HTTP_KAIROS_PHX_PUSH        0
#define NGX_HTTP_KAIROS_PHX_REPLY       1
#define NGX_HTTP_KAIROS_PHX_BROADCAST   2

/* kind, lengths of join_ref, ref, topic and event (or status) */
#define NGX_HTTP_KAIROS_PHX_HEADER      5

#define ngx_http_kairos_phx_put(p, literal)                                  \
    ngx_cpymem(p, literal, sizeof(literal) - 1)


/* in the order of a V2 array */
typedef enum {
    NGX_HTTP_KAIROS_PHX_JOIN_REF = 0,
    NGX_HTTP_KAIROS_PHX_REF,
    NGX_HTTP_KAIROS_PHX_TOPIC,
    NGX_HTTP_KAIROS_PHX_EVENT,
    NGX_HTTP_KAIROS_PHX_PAYLOAD,
    NGX_HTTP_KAIROS_PHX_NFIELDS
} ngx_http_kairos_phx_field_e;


/* the parts of a message; a field with an empty raw was not there */
typedef struct {
    ngx_http_kairos_json_t   field[NGX_HTTP_KAIROS_PHX_NFIELDS];
} ngx_http_kairos_phx_parts_t;


static ngx_int_t ngx_http_kairos_phx_split_v1(const ngx_str_t *text,
    ngx_http_kairos_phx_parts_t *parts, const char **reason);
static ngx_int_t ngx_http_kairos_phx_split_v2(const ngx_str_t *text,
    ngx_http_kairos_phx_parts_t *parts, const char **reason);
static u_char *ngx_http_kairos_phx_begin(ngx_uint_t vsn,
    const ngx_str_t *text);
static void ngx_http_kairos_phx_salvage(ngx_uint_t vsn, u_char *pos,
    u_char *last, ngx_http_kairos_phx_parts_t *parts);
static ngx_uint_t ngx_http_kairos_phx_salvage_name(ngx_str_t *piece);
static ngx_uint_t ngx_http_kairos_phx_field(const ngx_str_t *name);
static const char *ngx_http_kairos_phx_parse_parts(
    ngx_http_kairos_phx_parts_t *parts, ngx_http_kairos_phx_msg_t *m);
static const char *ngx_http_kairos_phx_parse_ref(
    ngx_http_kairos_json_t *field, ngx_str_t *ref);
static void ngx_http_kairos_phx_parse_escapes(ngx_str_t *ref);
static ngx_uint_t ngx_http_kairos_phx_parse_string(
    ngx_http_kairos_json_t *field, ngx_str_t *s);
static ngx_int_t ngx_http_kairos_phx_parse_binary(u_char *data, size_t len,
    ngx_http_kairos_phx_msg_t *m, const char **reason);
static const char *ngx_http_kairos_phx_check_binary(ngx_str_t *s,
    ngx_uint_t is_ref);
static u_char *ngx_http_kairos_phx_quote(u_char *p, ngx_str_t *ref);
static size_t ngx_http_kairos_phx_binary_size(
    const ngx_http_kairos_phx_msg_t *m);
static u_char *ngx_http_kairos_phx_write_binary(u_char *p,
    const ngx_http_kairos_phx_msg_t *m);
static size_t ngx_http_kairos_phx_binary_reply_size(
    const ngx_http_kairos_phx_msg_t *m, const ngx_str_t *status);
static u_char *ngx_http_kairos_phx_binary_reply(u_char *p,
    const ngx_http_kairos_phx_msg_t *m, const ngx_str_t *status);
static u_char *ngx_http_kairos_phx_copy(u_char *p, const ngx_str_t *s);
static size_t ngx_http_kairos_phx_token_size(const ngx_str_t *ref);
static u_char *ngx_http_kairos_phx_token(u_char *p, const ngx_str_t *ref);
static size_t ngx_http_kairos_phx_bare_size(const ngx_str_t *ref);
static u_char *ngx_http_kairos_phx_bare(u_char *p, const ngx_str_t *ref);


static const char  *ngx_http_kairos_phx_names[] = {
    "join_ref", "ref", "topic", "event", "payload"
};


ngx_int_t
ngx_http_kairos_phx_parse(ngx_uint_t vsn, ngx_uint_t binary,
    u_char *data, size_t len, ngx_http_kairos_phx_msg_t *m,
    const char **reason)
{
    u_char                      *begin;
    ngx_int_t                    rc;
    ngx_str_t                    text;
    ngx_http_kairos_phx_parts_t  parts;

    ngx_memzero(m, sizeof(ngx_http_kairos_phx_msg_t));

    if (binary) {

        if (vsn != NGX_HTTP_KAIROS_PHX_V2) {
            *reason = "serializer V1 has no binary messages";
            return NGX_ERROR;
        }

        return ngx_http_kairos_phx_parse_binary(data, len, m, reason);
    }

    ngx_memzero(&parts, sizeof(ngx_http_kairos_phx_parts_t));

    text.data = data;
    text.len = len;

    if (vsn == NGX_HTTP_KAIROS_PHX_V1) {
        rc = ngx_http_kairos_phx_split_v1(&text, &parts, reason);

    } else {
        rc = ngx_http_kairos_phx_split_v2(&text, &parts, reason);
    }

    if (rc == NGX_OK) {
        *reason = ngx_http_kairos_phx_parse_parts(&parts, m);
        return (*reason == NULL) ? NGX_OK : NGX_DECLINED;
    }

    begin = ngx_http_kairos_phx_begin(vsn, &text);

    if (begin == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&parts, sizeof(ngx_http_kairos_phx_parts_t));

    ngx_http_kairos_phx_salvage(vsn, begin + 1, data + len, &parts);
    (void) ngx_http_kairos_phx_parse_parts(&parts, m);

    return NGX_DECLINED;
}


size_t
ngx_http_kairos_phx_size(ngx_uint_t vsn,
    const ngx_http_kairos_phx_msg_t *m)
{
    size_t  size;

    if (m->message.binary) {
        return (vsn == NGX_HTTP_KAIROS_PHX_V2)
               ? ngx_http_kairos_phx_binary_size(m) : 0;
    }

    size = ngx_http_kairos_phx_token_size(&m->ref)
           + ngx_http_kairos_json_string_size(&m->message.topic)
           + ngx_http_kairos_json_string_size(&m->message.event)
           + m->message.payload.len;

    if (vsn == NGX_HTTP_KAIROS_PHX_V1) {
        return size + sizeof("{\"event\":,\"payload\":,\"ref\":,"
                             "\"topic\":}") - 1;
    }

    return size + ngx_http_kairos_phx_token_size(&m->join_ref)
           + sizeof("[,,,,]") - 1;
}


u_char *
ngx_http_kairos_phx_write(u_char *p, ngx_uint_t vsn,
    const ngx_http_kairos_phx_msg_t *m)
{
    if (m->message.binary) {
        return ngx_http_kairos_phx_write_binary(p, m);
    }

    if (vsn == NGX_HTTP_KAIROS_PHX_V1) {
        p = ngx_http_kairos_phx_put(p, "{\"event\":");
        p = ngx_http_kairos_json_string(p, &m->message.event);
        p = ngx_http_kairos_phx_put(p, ",\"payload\":");
        p = ngx_http_kairos_phx_copy(p, &m->message.payload);
        p = ngx_http_kairos_phx_put(p, ",\"ref\":");
        p = ngx_http_kairos_phx_token(p, &m->ref);
        p = ngx_http_kairos_phx_put(p, ",\"topic\":");
        p = ngx_http_kairos_json_string(p, &m->message.topic);
        *p++ = '}';

        return p;
    }

    *p++ = '[';
    p = ngx_http_kairos_phx_token(p, &m->join_ref);
    *p++ = ',';
    p = ngx_http_kairos_phx_token(p, &m->ref);
    *p++ = ',';
    p = ngx_http_kairos_json_string(p, &m->message.topic);
    *p++ = ',';
    p = ngx_http_kairos_json_string(p, &m->message.event);
    *p++ = ',';
    p = ngx_http_kairos_phx_copy(p, &m->message.payload);
    *p++ = ']';

    return p;
}


size_t
ngx_http_kairos_phx_reply_size(ngx_uint_t vsn,
    const ngx_http_kairos_phx_msg_t *m, const ngx_str_t *status)
{
    size_t  size;

    if (m->message.binary) {
        return (vsn == NGX_HTTP_KAIROS_PHX_V2)
               ? ngx_http_kairos_phx_binary_reply_size(m, status) : 0;
    }

    size = ngx_http_kairos_phx_token_size(&m->ref)
           + ngx_http_kairos_json_string_size(&m->message.topic)
           + sizeof("{\"response\":,\"status\":\"\"}") - 1
           + m->message.payload.len + status->len;

    if (vsn == NGX_HTTP_KAIROS_PHX_V1) {
        return size + sizeof("{\"event\":\"phx_reply\",\"payload\":,\"ref\":,"
                             "\"topic\":}") - 1;
    }

    return size + ngx_http_kairos_phx_token_size(&m->join_ref)
           + sizeof("[,,,\"phx_reply\",]") - 1;
}


u_char *
ngx_http_kairos_phx_reply(u_char *p, ngx_uint_t vsn,
    const ngx_http_kairos_phx_msg_t *m, const ngx_str_t *status)
{
    if (m->message.binary) {
        return ngx_http_kairos_phx_binary_reply(p, m, status);
    }

    if (vsn == NGX_HTTP_KAIROS_PHX_V1) {
        p = ngx_http_kairos_phx_put(p, "{\"event\":\"phx_reply\","
                                       "\"payload\":");

    } else {
        *p++ = '[';
        p = ngx_http_kairos_phx_token(p, &m->join_ref);
        *p++ = ',';
        p = ngx_http_kairos_phx_token(p, &m->ref);
        *p++ = ',';
        p = ngx_http_kairos_json_string(p, &m->message.topic);
        p = ngx_http_kairos_phx_put(p, ",\"phx_reply\",");
    }

    p = ngx_http_kairos_phx_put(p, "{\"response\":");
    p = ngx_http_kairos_phx_copy(p, &m->message.payload);
    p = ngx_http_kairos_phx_put(p, ",\"status\":\"");
    p = ngx_http_kairos_phx_copy(p, status);
    p = ngx_http_kairos_phx_put(p, "\"}");

    if (vsn == NGX_HTTP_KAIROS_PHX_V1) {
        p = ngx_http_kairos_phx_put(p, ",\"ref\":");
        p = ngx_http_kairos_phx_token(p, &m->ref);
        p = ngx_http_kairos_phx_put(p, ",\"topic\":");
        p = ngx_http_kairos_json_string(p, &m->message.topic);
        *p++ = '}';

    } else {
        *p++ = ']';
    }

    return p;
}


static ngx_int_t
ngx_http_kairos_phx_split_v1(const ngx_str_t *text,
    ngx_http_kairos_phx_parts_t *parts, const char **reason)
{
    u_char                  *pos;
    ngx_int_t                rc;
    ngx_str_t                name;
    ngx_uint_t               i;
    ngx_http_kairos_json_t   object, value;

    object.type = NGX_HTTP_KAIROS_JSON_OBJECT;
    object.raw = *text;

    pos = NULL;

    for ( ;; ) {
        rc = ngx_http_kairos_json_walk(&object, &pos, &name, &value, reason);

        if (rc != NGX_OK) {
            break;
        }

        i = ngx_http_kairos_phx_field(&name);

        if (i < NGX_HTTP_KAIROS_PHX_NFIELDS) {
            parts->field[i] = value;
        }
    }

    if (rc != NGX_DONE) {
        return NGX_ERROR;
    }

    return ngx_http_kairos_json_end(pos, text->data + text->len, reason);
}


static ngx_int_t
ngx_http_kairos_phx_split_v2(const ngx_str_t *text,
    ngx_http_kairos_phx_parts_t *parts, const char **reason)
{
    u_char                  *pos;
    ngx_int_t                rc;
    ngx_str_t                name;
    ngx_uint_t               n;
    ngx_http_kairos_json_t   array, value;

    array.type = NGX_HTTP_KAIROS_JSON_ARRAY;
    array.raw = *text;

    pos = NULL;

    for (n = 0; /* void */ ; n++) {
        rc = ngx_http_kairos_json_walk(&array, &pos, &name, &value, reason);

        if (rc != NGX_OK) {
            break;
        }

        if (n < NGX_HTTP_KAIROS_PHX_NFIELDS) {
            parts->field[n] = value;
        }
    }

    if (rc != NGX_DONE) {
        return NGX_ERROR;
    }

    if (n < NGX_HTTP_KAIROS_PHX_NFIELDS) {
        *reason = "message has less than five elements";
        return NGX_ERROR;
    }

    return ngx_http_kairos_json_end(pos, text->data + text->len, reason);
}


/*
 * Returns where the array or object of a message begins; NULL: the text is
 * something else, and its sender speaks another protocol.
 */
static u_char *
ngx_http_kairos_phx_begin(ngx_uint_t vsn, const ngx_str_t *text)
{
    u_char  *p, *last;

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') {
            continue;
        }

        return (*p == ((vsn == NGX_HTTP_KAIROS_PHX_V1) ? '{' : '[')) ? p
                                                                     : NULL;
    }

    return NULL;
}


/*
 * Finds what can be read of a message that is no valid JSON: the fields before
 * and, in V1, behind the fault, but the payload.  pos: behind the opening
 * bracket; parts: zeroed.
 */
static void
ngx_http_kairos_phx_salvage(ngx_uint_t vsn, u_char *pos, u_char *last,
    ngx_http_kairos_phx_parts_t *parts)
{
    u_char                  *p, *end;
    ngx_str_t                piece;
    ngx_uint_t               i, n;
    const char              *reason;
    ngx_http_kairos_json_t   value;

    for (n = 0; ngx_http_kairos_json_piece(&pos, last, &piece) == NGX_OK; n++)
    {
        i = (vsn == NGX_HTTP_KAIROS_PHX_V1)
            ? ngx_http_kairos_phx_salvage_name(&piece) : n;

        if (i >= NGX_HTTP_KAIROS_PHX_PAYLOAD) {
            continue;
        }

        p = piece.data;
        end = p + piece.len;

        if (ngx_http_kairos_json_value(&p, end, &value, &reason) != NGX_OK
            || ngx_http_kairos_json_end(p, end, &reason) != NGX_OK)
        {
            ngx_memzero(&value, sizeof(ngx_http_kairos_json_t));
        }

        parts->field[i] = value;
    }
}


/*
 * Takes the name and the colon from a member of V1's object.  Returns the
 * field that it names, NGX_HTTP_KAIROS_PHX_NFIELDS if it names none.
 */
static ngx_uint_t
ngx_http_kairos_phx_salvage_name(ngx_str_t *piece)
{
    u_char                  *p, *end;
    const char              *reason;
    ngx_http_kairos_json_t   name;

    p = piece->data;
    end = p + piece->len;

    if (ngx_http_kairos_json_value(&p, end, &name, &reason) != NGX_OK
        || name.type != NGX_HTTP_KAIROS_JSON_STRING)
    {
        return NGX_HTTP_KAIROS_PHX_NFIELDS;
    }

    while (p < end && *p != ':') {
        p++;
    }

    if (p == end) {
        return NGX_HTTP_KAIROS_PHX_NFIELDS;
    }

    piece->data = p + 1;
    piece->len = end - piece->data;

    return ngx_http_kairos_phx_field(&name.raw);
}


/* The field of this name; NGX_HTTP_KAIROS_PHX_NFIELDS: there is none. */
static ngx_uint_t
ngx_http_kairos_phx_field(const ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_KAIROS_PHX_NFIELDS; i++) {

        if (ngx_http_kairos_json_equal(name, ngx_http_kairos_phx_names[i])) {
            break;
        }
    }

    return i;
}


/*
 * Fills m with all fields that are right.  Returns NULL, or what is wrong with
 * the first of the others.  Data is changed only here, when nothing of it is
 * to be read again.
 */
static const char *
ngx_http_kairos_phx_parse_parts(ngx_http_kairos_phx_parts_t *parts,
    ngx_http_kairos_phx_msg_t *m)
{
    const char              *reason, *other;
    ngx_http_kairos_json_t  *field;

    field = parts->field;

    reason = ngx_http_kairos_phx_parse_ref(
                         &field[NGX_HTTP_KAIROS_PHX_JOIN_REF], &m->join_ref);
    other = ngx_http_kairos_phx_parse_ref(&field[NGX_HTTP_KAIROS_PHX_REF],
                                          &m->ref);
    if (reason == NULL) {
        reason = other;
    }

    if (!ngx_http_kairos_phx_parse_string(&field[NGX_HTTP_KAIROS_PHX_TOPIC],
                                          &m->message.topic)
        && reason == NULL)
    {
        reason = "message has a topic that is no string, or none";
    }

    if (!ngx_http_kairos_phx_parse_string(&field[NGX_HTTP_KAIROS_PHX_EVENT],
                                          &m->message.event)
        && reason == NULL)
    {
        reason = "message has an event that is no string, or none";
    }

    m->message.payload = field[NGX_HTTP_KAIROS_PHX_PAYLOAD].raw;

    if (m->message.payload.len == 0 && reason == NULL) {
        reason = "message has no payload";
    }

    return reason;
}


/*
 * Returns NULL, or what is wrong with the ref.  A ref that is too long is set
 * all the same, as it came, so that the refusal can carry it.
 */
static const char *
ngx_http_kairos_phx_parse_ref(ngx_http_kairos_json_t *field, ngx_str_t *ref)
{
    switch (field->type) {

    case NGX_HTTP_KAIROS_JSON_NULL:
        return NULL;

    case NGX_HTTP_KAIROS_JSON_NUMBER:
    case NGX_HTTP_KAIROS_JSON_STRING:

        *ref = field->raw;

        if (ref->len > NGX_HTTP_KAIROS_PHX_MAX_REF) {
            return "message has a too long ref";
        }

        ngx_http_kairos_phx_parse_escapes(ref);
        return NULL;

    default:
        return "message has a ref that is no string, number or null";
    }
}


/*
 * Writes the ref, of at most NGX_HTTP_KAIROS_PHX_MAX_REF bytes, anew in its
 * place: with the escapes that it needs, which makes it no longer.
 */
static void
ngx_http_kairos_phx_parse_escapes(ngx_str_t *ref)
{
    u_char     buf[NGX_HTTP_KAIROS_PHX_MAX_REF];
    ngx_str_t  text;

    if (memchr(ref->data, '\\', ref->len) == NULL) {
        return;
    }

    text.data = buf;
    text.len = ngx_http_kairos_json_unescape(buf, ref) - buf;

    ref->len = ngx_http_kairos_json_string(ref->data, &text) - ref->data;
}


/* Returns 0 if the field is no string; s is left as it is then. */
static ngx_uint_t
ngx_http_kairos_phx_parse_string(ngx_http_kairos_json_t *field, ngx_str_t *s)
{
    if (field->type != NGX_HTTP_KAIROS_JSON_STRING) {
        return 0;
    }

    s->data = field->raw.data;
    s->len = ngx_http_kairos_json_unescape(s->data, &field->raw) - s->data;

    return 1;
}


static ngx_int_t
ngx_http_kairos_phx_parse_binary(u_char *data, size_t len,
    ngx_http_kairos_phx_msg_t *m, const char **reason)
{
    size_t       left;
    u_char      *p;
    ngx_str_t   *field[4];
    ngx_uint_t   i;
    const char  *fault;

    field[0] = &m->join_ref;
    field[1] = &m->ref;
    field[2] = &m->message.topic;
    field[3] = &m->message.event;

    if (len < NGX_HTTP_KAIROS_PHX_HEADER) {
        *reason = "binary message is too short";
        return NGX_ERROR;
    }

    if (data[0] != NGX_HTTP_KAIROS_PHX_PUSH) {
        *reason = "binary message is no push";
        return NGX_ERROR;
    }

    p = data + NGX_HTTP_KAIROS_PHX_HEADER;
    left = len - NGX_HTTP_KAIROS_PHX_HEADER;

    m->message.binary = 1;
    *reason = NULL;

    for (i = 0; i < 4; i++) {

        if (data[1 + i] > left) {
            *reason = "binary message is too short";
            break;
        }

        field[i]->data = p;
        field[i]->len = data[1 + i];

        p += field[i]->len;
        left -= field[i]->len;

        fault = ngx_http_kairos_phx_check_binary(field[i], i < 2);

        if (fault != NULL) {
            *reason = fault;
            ngx_str_null(field[i]);
        }
    }

    m->message.payload.data = p;
    m->message.payload.len = left;

    /* five bytes of header make room for four quotes */

    p = ngx_http_kairos_phx_quote(data, &m->join_ref);
    (void) ngx_http_kairos_phx_quote(p, &m->ref);

    return (*reason == NULL) ? NGX_OK : NGX_DECLINED;
}


/*
 * Returns NULL, or what is wrong with a field, each of which is judged by
 * itself: a character must not reach from one into the next.
 */
static const char *
ngx_http_kairos_phx_check_binary(ngx_str_t *s, ngx_uint_t is_ref)
{
    if (ngx_http_kairos_utf8_check(s->data, s->len) != NGX_OK) {
        return "binary message has a field that is not UTF-8";
    }

    if (is_ref && ngx_http_kairos_json_string_size(s) != s->len + 2) {
        return "binary message has a ref with a character to escape";
    }

    return NULL;
}


/*
 * Makes the bare ref a JSON string at p, before it in the same buffer; an
 * empty one stays empty, that is null.  Returns the end.
 */
static u_char *
ngx_http_kairos_phx_quote(u_char *p, ngx_str_t *ref)
{
    if (ref->len == 0) {
        return p;
    }

    ngx_memmove(p + 1, ref->data, ref->len);

    p[0] = '"';
    p[ref->len + 1] = '"';

    ref->data = p;
    ref->len += 2;

    return p + ref->len;
}


static size_t
ngx_http_kairos_phx_binary_size(const ngx_http_kairos_phx_msg_t *m)
{
    size_t  join_ref;

    join_ref = ngx_http_kairos_phx_bare_size(&m->join_ref);

    if (join_ref > NGX_HTTP_KAIROS_PHX_MAX_FIELD
        || m->message.topic.len > NGX_HTTP_KAIROS_PHX_MAX_FIELD
        || m->message.event.len > NGX_HTTP_KAIROS_PHX_MAX_FIELD)
    {
        return 0;
    }

    return ((join_ref > 0) ? NGX_HTTP_KAIROS_PHX_HEADER - 1
                           : NGX_HTTP_KAIROS_PHX_HEADER - 2)
           + join_ref + m->message.topic.len + m->message.event.len
           + m->message.payload.len;
}


static u_char *
ngx_http_kairos_phx_write_binary(u_char *p, const ngx_http_kairos_phx_msg_t *m)
{
    size_t  join_ref;

    join_ref = ngx_http_kairos_phx_bare_size(&m->join_ref);

    if (join_ref > 0) {
        *p++ = NGX_HTTP_KAIROS_PHX_PUSH;
        *p++ = (u_char) join_ref;

    } else {
        *p++ = NGX_HTTP_KAIROS_PHX_BROADCAST;
    }

    *p++ = (u_char) m->message.topic.len;
    *p++ = (u_char) m->message.event.len;

    p = ngx_http_kairos_phx_bare(p, &m->join_ref);
    p = ngx_http_kairos_phx_copy(p, &m->message.topic);
    p = ngx_http_kairos_phx_copy(p, &m->message.event);

    return ngx_http_kairos_phx_copy(p, &m->message.payload);
}


static size_t
ngx_http_kairos_phx_binary_reply_size(const ngx_http_kairos_phx_msg_t *m,
    const ngx_str_t *status)
{
    size_t  join_ref, ref;

    join_ref = ngx_http_kairos_phx_bare_size(&m->join_ref);
    ref = ngx_http_kairos_phx_bare_size(&m->ref);

    if (join_ref > NGX_HTTP_KAIROS_PHX_MAX_FIELD
        || ref > NGX_HTTP_KAIROS_PHX_MAX_FIELD
        || m->message.topic.len > NGX_HTTP_KAIROS_PHX_MAX_FIELD
        || status->len > NGX_HTTP_KAIROS_PHX_MAX_FIELD)
    {
        return 0;
    }

    return NGX_HTTP_KAIROS_PHX_HEADER + join_ref + ref + m->message.topic.len
           + status->len + m->message.payload.len;
}


static u_char *
ngx_http_kairos_phx_binary_reply(u_char *p, const ngx_http_kairos_phx_msg_t *m,
    const ngx_str_t *status)
{
    *p++ = NGX_HTTP_KAIROS_PHX_REPLY;
    *p++ = (u_char) ngx_http_kairos_phx_bare_size(&m->join_ref);
    *p++ = (u_char) ngx_http_kairos_phx_bare_size(&m->ref);
    *p++ = (u_char) m->message.topic.len;
    *p++ = (u_char) status->len;

    p = ngx_http_kairos_phx_bare(p, &m->join_ref);
    p = ngx_http_kairos_phx_bare(p, &m->ref);
    p = ngx_http_kairos_phx_copy(p, &m->message.topic);
    p = ngx_http_kairos_phx_copy(p, status);

    return ngx_http_kairos_phx_copy(p, &m->message.payload);
}


/* An empty string may have no data. */
static u_char *
ngx_http_kairos_phx_copy(u_char *p, const ngx_str_t *s)
{
    return (s->len > 0) ? ngx_cpymem(p, s->data, s->len) : p;
}


/* A ref as JSON. */
static size_t
ngx_http_kairos_phx_token_size(const ngx_str_t *ref)
{
    return (ref->len > 0) ? ref->len : sizeof("null") - 1;
}


static u_char *
ngx_http_kairos_phx_token(u_char *p, const ngx_str_t *ref)
{
    if (ref->len == 0) {
        return ngx_http_kairos_phx_put(p, "null");
    }

    return ngx_http_kairos_phx_copy(p, ref);
}


/*
 * A ref as the bare text of a binary message: a string without its quotes
 * and escapes, a number as it stands, null as nothing.
 */
static size_t
ngx_http_kairos_phx_bare_size(const ngx_str_t *ref)
{
    u_char  buf[NGX_HTTP_KAIROS_PHX_MAX_REF];

    if (ref->len > NGX_HTTP_KAIROS_PHX_MAX_REF) {
        return ref->len;
    }

    return ngx_http_kairos_phx_bare(buf, ref) - buf;
}


static u_char *
ngx_http_kairos_phx_bare(u_char *p, const ngx_str_t *ref)
{
    if (ref->len > 0 && ref->data[0] == '"') {
        return ngx_http_kairos_json_unescape(p, ref);
    }

    return ngx_http_kairos_phx_copy(p, ref);
}
