/*
 * HTTP push: one message, or an array of messages, each with a topic, an event
 * and a body.  All messages are read and checked before the first is sent, so
 * that a request is carried out or refused as a whole.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_access.h"
#include "ngx_http_kairos_auth.h"
#include "ngx_http_kairos_conf.h"
#include "ngx_http_kairos_http.h"
#include "ngx_http_kairos_hub.h"
#include "ngx_http_kairos_json.h"
#include "ngx_http_kairos_push.h"


/* messages of one request, all sent in one turn of the event loop */
#define NGX_HTTP_KAIROS_PUSH_MAX   1000


typedef struct {
    ngx_http_request_t          *request;
    ngx_http_kairos_hub_t       *hub;
    size_t                       message_size;
    ngx_array_t                  messages;   /* of ngx_http_kairos_message_t */
    ngx_uint_t                   status;     /* of a refusal */
    const char                  *reason;     /* its static text */
    ngx_uint_t                   number;     /* of the message in an array,
                                                from 1; 0: it stands alone */
} ngx_http_kairos_push_t;


static void ngx_http_kairos_push_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_kairos_push_run(ngx_http_request_t *r);
static ngx_int_t ngx_http_kairos_push_body(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_kairos_push_read(ngx_http_request_t *r,
    const ngx_buf_t *b, u_char *p);
static ngx_int_t ngx_http_kairos_push_parse(ngx_http_kairos_push_t *push,
    const ngx_str_t *body);
static ngx_int_t ngx_http_kairos_push_message(ngx_http_kairos_push_t *push,
    const ngx_http_kairos_json_t *object);
static ngx_int_t ngx_http_kairos_push_name(ngx_http_kairos_push_t *push,
    const ngx_http_kairos_json_t *object, const char *member,
    ngx_str_t *name);
static const char *ngx_http_kairos_push_access(
    const ngx_http_kairos_message_t *m);
static ngx_int_t ngx_http_kairos_push_payload(ngx_http_kairos_push_t *push,
    const ngx_str_t *body, ngx_str_t *payload);
static ngx_int_t ngx_http_kairos_push_size(ngx_http_kairos_push_t *push,
    const ngx_http_kairos_message_t *m);
static ngx_int_t ngx_http_kairos_push_refuse(ngx_http_kairos_push_t *push,
    ngx_uint_t status, const char *reason);
static ngx_int_t ngx_http_kairos_push_error(ngx_http_kairos_push_t *push);
static ngx_int_t ngx_http_kairos_push_answer(ngx_http_kairos_push_t *push);
static ngx_uint_t ngx_http_kairos_push_is_json(ngx_http_request_t *r);


ngx_int_t
ngx_http_kairos_push(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    const char             *reason;
    ngx_http_kairos_jwt_t   jwt;

    if (ngx_http_kairos_auth_post(r, &jwt, &rc) != NGX_OK) {
        return rc;
    }

    if (!ngx_http_kairos_push_is_json(r)) {
        reason = "the content type must be application/json";
        return ngx_http_kairos_http_error(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                          reason, reason);
    }

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_kairos_push_body_handler);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


static void
ngx_http_kairos_push_body_handler(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_kairos_push_run(r));
}


/*
 * The request's body has come.  The return value is a content handler's.
 */
static ngx_int_t
ngx_http_kairos_push_run(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     body;
    ngx_http_kairos_push_t        push;
    ngx_http_kairos_zone_t       *zone;
    ngx_http_kairos_loc_conf_t   *klcf;
    ngx_http_kairos_main_conf_t  *kmcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_kairos_module);
    kmcf = ngx_http_get_module_main_conf(r, ngx_http_kairos_module);

    zone = klcf->shm_zone->data;

    ngx_memzero(&push, sizeof(ngx_http_kairos_push_t));

    push.request = r;
    push.hub = &kmcf->hubs[zone->index];
    push.message_size = klcf->limits.message_size;

    if (ngx_array_init(&push.messages, r->pool, 1,
                       sizeof(ngx_http_kairos_message_t))
            != NGX_OK
        || ngx_http_kairos_push_body(r, &body) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_kairos_push_parse(&push, &body);

    if (rc == NGX_DECLINED) {
        return ngx_http_kairos_push_error(&push);
    }

    return (rc == NGX_OK) ? ngx_http_kairos_push_answer(&push)
                          : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * The request's body as one text, from memory or from nginx's temporary file;
 * client_max_body_size bounds its size.  NGX_ERROR: no memory, or the file
 * could not be read, logged.
 */
static ngx_int_t
ngx_http_kairos_push_body(ngx_http_request_t *r, ngx_str_t *body)
{
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *bufs;

    ngx_str_null(body);

    bufs = (r->request_body != NULL) ? r->request_body->bufs : NULL;

    if (bufs != NULL && bufs->next == NULL && !bufs->buf->in_file) {
        body->data = bufs->buf->pos;
        body->len = bufs->buf->last - bufs->buf->pos;
        return NGX_OK;
    }

    for (cl = bufs; cl; cl = cl->next) {
        body->len += (size_t) ngx_buf_size(cl->buf);
    }

    if (body->len == 0) {
        return NGX_OK;
    }

    body->data = ngx_pnalloc(r->pool, body->len);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    p = body->data;

    for (cl = bufs; cl; cl = cl->next) {
        b = cl->buf;

        /* the last buffer of a chunked body is empty */

        if (ngx_buf_size(b) == 0) {
            continue;
        }

        if (ngx_http_kairos_push_read(r, b, p) != NGX_OK) {
            return NGX_ERROR;
        }

        p += ngx_buf_size(b);
    }

    return NGX_OK;
}


/*
 * Copies what is in the buffer to p.  NGX_ERROR: the file could not be read,
 * logged.
 */
static ngx_int_t
ngx_http_kairos_push_read(ngx_http_request_t *r, const ngx_buf_t *b,
    u_char *p)
{
    size_t   size;
    ssize_t  n;

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(p, b->pos, b->last - b->pos);
        return NGX_OK;
    }

    size = (size_t) ngx_buf_size(b);
    n = ngx_read_file(b->file, p, size, b->file_pos);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    if ((size_t) n != size) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "kairos read only %z of %uz bytes of a request's body "
                      "from \"%V\"", n, size, &b->file->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Reads the body into push->messages.  NGX_OK; NGX_DECLINED: refused, with
 * push->status and push->reason; NGX_ERROR: no memory.
 */
static ngx_int_t
ngx_http_kairos_push_parse(ngx_http_kairos_push_t *push, const ngx_str_t *body)
{
    u_char                  *pos, *last;
    ngx_int_t                rc;
    ngx_str_t                name;
    const char              *reason;
    ngx_http_kairos_json_t   value, element;

    pos = body->data;
    last = pos + body->len;

    if (ngx_http_kairos_json_value(&pos, last, &value, &reason) != NGX_OK
        || ngx_http_kairos_json_end(pos, last, &reason) != NGX_OK)
    {
        return ngx_http_kairos_push_refuse(push, NGX_HTTP_BAD_REQUEST, reason);
    }

    if (value.type != NGX_HTTP_KAIROS_JSON_ARRAY) {
        return ngx_http_kairos_push_message(push, &value);
    }

    pos = NULL;

    while (ngx_http_kairos_json_next(&value, &pos, &name, &element) == NGX_OK)
    {
        push->number++;
        rc = ngx_http_kairos_push_message(push, &element);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/*
 * Reads and checks one message.  Returns as ngx_http_kairos_push_parse().
 */
static ngx_int_t
ngx_http_kairos_push_message(ngx_http_kairos_push_t *push,
    const ngx_http_kairos_json_t *object)
{
    ngx_int_t                   rc;
    const char                 *reason;
    ngx_http_kairos_json_t      body;
    ngx_http_kairos_message_t  *m;

    if (object->type != NGX_HTTP_KAIROS_JSON_OBJECT) {
        return ngx_http_kairos_push_refuse(push, NGX_HTTP_BAD_REQUEST,
                     "a message must be an object with topic, event and body");
    }

    if (push->messages.nelts == NGX_HTTP_KAIROS_PUSH_MAX) {
        return ngx_http_kairos_push_refuse(push,
                                           NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                           "a request has at most 1000");
    }

    m = ngx_array_push(&push->messages);
    if (m == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(m, sizeof(ngx_http_kairos_message_t));

    rc = ngx_http_kairos_push_name(push, object, "topic", &m->topic);

    if (rc == NGX_OK) {
        rc = ngx_http_kairos_push_name(push, object, "event", &m->event);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    reason = ngx_http_kairos_push_access(m);

    if (reason == NULL
        && ngx_http_kairos_json_member(object, "body", &body) != NGX_OK)
    {
        reason = "a message must have a body";
    }

    if (reason != NULL) {
        return ngx_http_kairos_push_refuse(push, NGX_HTTP_BAD_REQUEST, reason);
    }

    if (ngx_http_kairos_push_payload(push, &body.raw, &m->payload) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_kairos_push_size(push, m);
}


/*
 * Reads a topic or an event, a string.  NGX_OK, with a copy in the request's
 * pool; NGX_DECLINED: refused; NGX_ERROR: no memory.
 */
static ngx_int_t
ngx_http_kairos_push_name(ngx_http_kairos_push_t *push,
    const ngx_http_kairos_json_t *object, const char *member, ngx_str_t *name)
{
    u_char                  *last;
    ngx_http_kairos_json_t   value;

    if (ngx_http_kairos_json_member(object, member, &value) != NGX_OK
        || value.type != NGX_HTTP_KAIROS_JSON_STRING)
    {
        return ngx_http_kairos_push_refuse(push, NGX_HTTP_BAD_REQUEST,
                       "a message must have a topic and an event, strings");
    }

    /* not unescaped in place: the object is read again for other members */

    name->data = ngx_pnalloc(push->request->pool, value.raw.len);
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    last = ngx_http_kairos_json_unescape(name->data, &value.raw);
    name->len = last - name->data;

    return NGX_OK;
}


/*
 * Returns NULL if the message may be broadcast, else the reason.
 */
static const char *
ngx_http_kairos_push_access(const ngx_http_kairos_message_t *m)
{
    ngx_http_kairos_access_t  a;

    a.action = NGX_HTTP_KAIROS_ACCESS_BROADCAST;
    a.topic = m->topic;
    a.event = m->event;
    ngx_str_null(&a.claims);

    return ngx_http_kairos_access(&a);
}


/*
 * Makes the payload {"body":...} with the value byte for byte, as a client's
 * push is passed on.  NGX_ERROR: no memory.
 */
static ngx_int_t
ngx_http_kairos_push_payload(ngx_http_kairos_push_t *push,
    const ngx_str_t *body, ngx_str_t *payload)
{
    u_char  *p;

    payload->len = sizeof("{\"body\":}") - 1 + body->len;
    payload->data = ngx_pnalloc(push->request->pool, payload->len);
    if (payload->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(payload->data, "{\"body\":", sizeof("{\"body\":") - 1);
    p = ngx_cpymem(p, body->data, body->len);
    *p = '}';

    return NGX_OK;
}


static ngx_int_t
ngx_http_kairos_push_size(ngx_http_kairos_push_t *push,
    const ngx_http_kairos_message_t *m)
{
    if (m->payload.len > push->message_size) {
        return ngx_http_kairos_push_refuse(push,
                                           NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                            "a message is larger than kairos_message_size");
    }

    if (!ngx_http_kairos_hub_fits(push->hub, m)) {
        return ngx_http_kairos_push_refuse(push,
                                           NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                            "a message is larger than a quarter of "
                            "kairos_zone");
    }

    return NGX_OK;
}


/*
 * Notes why the request is refused.  Always NGX_DECLINED.
 */
static ngx_int_t
ngx_http_kairos_push_refuse(ngx_http_kairos_push_t *push, ngx_uint_t status,
    const char *reason)
{
    push->status = status;
    push->reason = reason;

    return NGX_DECLINED;
}


/*
 * Answers with the refusal; of a message in an array, with its number.
 */
static ngx_int_t
ngx_http_kairos_push_error(ngx_http_kairos_push_t *push)
{
    u_char  buf[NGX_MAX_ERROR_STR];

    if (push->number == 0) {
        return ngx_http_kairos_http_error(push->request, push->status,
                                          push->reason, push->reason);
    }

    ngx_snprintf(buf, sizeof(buf), "message %ui: %s%Z", push->number,
                 push->reason);

    return ngx_http_kairos_http_error(push->request, push->status,
                                      (char *) buf, (char *) buf);
}


/*
 * Sends the messages, and answers.
 */
static ngx_int_t
ngx_http_kairos_push_answer(ngx_http_kairos_push_t *push)
{
    u_char                     *p;
    ngx_str_t                   body;
    ngx_uint_t                  i;
    ngx_http_kairos_message_t  *m;

    body.data = ngx_pnalloc(push->request->pool,
                            sizeof("{\"ok\":true,\"sent\":}")
                            + NGX_INT_T_LEN);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    m = push->messages.elts;

    for (i = 0; i < push->messages.nelts; i++) {
        if (ngx_http_kairos_hub_publish(push->hub, &m[i]) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    p = ngx_sprintf(body.data, "{\"ok\":true,\"sent\":%ui}",
                    push->messages.nelts);
    body.len = p - body.data;

    return ngx_http_kairos_http_json(push->request, NGX_HTTP_OK, &body);
}


/*
 * Whether the content type is application/json, with or without parameters.
 */
static ngx_uint_t
ngx_http_kairos_push_is_json(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *type;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;
    len = sizeof("application/json") - 1;

    return type->len >= len
           && ngx_strncasecmp(type->data, (u_char *) "application/json", len)
              == 0
           && (type->len == len
               || type->data[len] == ';' || type->data[len] == ' ');
}
