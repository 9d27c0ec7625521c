/* sources: ngx_http_kairos_phx.c ngx_http_kairos_json.c */
/* sources: ngx_http_kairos_json_string.c ngx_http_kairos_utf8.c */

/*
 * Any bytes as a client's message; the first says of which kind.  What can be
 * read of a malformed one can be written into its refusal.  What is taken is
 * written in all forms, each of the size that was told, and, where a client
 * could send that form, is read back as it was.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_phx.h"
#include "ngx_http_kairos_utf8.h"


#define V1  NGX_HTTP_KAIROS_PHX_V1
#define V2  NGX_HTTP_KAIROS_PHX_V2


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


static void
check_equal(const ngx_str_t *a, const ngx_str_t *b)
{
    check(a->len == b->len
          && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0));
}


/* A text message, written and parsed again. */
static void
check_text(ngx_http_kairos_phx_vsn_e vsn, const ngx_http_kairos_phx_msg_t *m)
{
    size_t                      size;
    u_char                     *p;
    const char                 *reason;
    ngx_http_kairos_phx_msg_t   again;

    size = ngx_http_kairos_phx_size(vsn, m);
    p = malloc(size);

    check(size > 0 && p != NULL);
    check(ngx_http_kairos_phx_write(p, vsn, m) == p + size);
    check(ngx_http_kairos_phx_parse(vsn, 0, p, size, &again, &reason)
          == NGX_OK);

    if (vsn == V2) {
        check_equal(&again.join_ref, &m->join_ref);
    }

    check_equal(&again.ref, &m->ref);
    check_equal(&again.message.topic, &m->message.topic);
    check_equal(&again.message.event, &m->message.event);
    check_equal(&again.message.payload, &m->message.payload);

    free(p);
}


static void
check_reply(ngx_http_kairos_phx_vsn_e vsn, const ngx_http_kairos_phx_msg_t *m)
{
    size_t                      size;
    u_char                     *p;
    ngx_str_t                   ok = ngx_string("ok");
    ngx_str_t                   event = ngx_string("phx_reply");
    const char                 *reason;
    ngx_http_kairos_phx_msg_t   again;

    size = ngx_http_kairos_phx_reply_size(vsn, m, &ok);

    if (size == 0) {
        check(m->message.binary);
        return;
    }

    p = malloc(size);

    check(p != NULL);
    check(ngx_http_kairos_phx_reply(p, vsn, m, &ok) == p + size);

    if (!m->message.binary) {
        check(ngx_http_kairos_phx_parse(vsn, 0, p, size, &again, &reason)
              == NGX_OK);
        check_equal(&again.ref, &m->ref);
        check_equal(&again.message.topic, &m->message.topic);
        check_equal(&again.message.event, &event);
    }

    free(p);
}


static void
check_binary(const ngx_http_kairos_phx_msg_t *m)
{
    size_t   size, tail;
    u_char  *p;

    check(ngx_http_kairos_phx_size(V1, m) == 0);

    size = ngx_http_kairos_phx_size(V2, m);
    if (size == 0) {
        return;
    }

    p = malloc(size);

    check(p != NULL);
    check(ngx_http_kairos_phx_write(p, V2, m) == p + size);
    check(p[0] == 2 || (p[0] == 0 && m->join_ref.len > 0));

    tail = m->message.payload.len;
    check(tail == 0
          || memcmp(p + size - tail, m->message.payload.data, tail) == 0);

    free(p);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                      *text;
    ngx_int_t                    rc;
    ngx_str_t                    payload = ngx_string("{}"), got;
    const char                  *reason;
    ngx_http_kairos_phx_msg_t    m;
    ngx_http_kairos_phx_vsn_e    vsn;

    if (size == 0) {
        return 0;
    }

    text = malloc(size);
    check(text != NULL);
    memcpy(text, data + 1, size - 1);

    vsn = (data[0] & 1) ? V2 : V1;
    reason = NULL;

    rc = ngx_http_kairos_phx_parse(vsn, data[0] & 2, text, size - 1, &m,
                                   &reason);

    if (rc != NGX_OK) {
        check(reason != NULL);

        if (rc == NGX_DECLINED
            && m.ref.len <= NGX_HTTP_KAIROS_PHX_MAX_REF
            && m.join_ref.len <= NGX_HTTP_KAIROS_PHX_MAX_REF)
        {
            m.message.binary = 0;
            m.message.payload = payload;
            check_reply(V1, &m);
            check_reply(V2, &m);
        }

        free(text);
        return 0;
    }

    check(ngx_http_kairos_utf8_check(m.message.topic.data,
                                     m.message.topic.len) == NGX_OK);
    check(ngx_http_kairos_utf8_check(m.message.event.data,
                                     m.message.event.len) == NGX_OK);

    got = m.message.payload;
    check(got.data >= text && got.data + got.len <= text + size - 1);

    /* as it came: the payload is never touched */
    check(got.len == 0
          || memcmp(got.data, data + 1 + (got.data - text), got.len) == 0);

    check_reply(V1, &m);
    check_reply(V2, &m);

    if (m.message.binary) {
        check_binary(&m);
        m.message.binary = 0;
        m.message.payload = payload;
    }

    check_text(V1, &m);
    check_text(V2, &m);
    check_reply(V1, &m);
    check_reply(V2, &m);

    m.message.binary = 1;
    check_binary(&m);

    free(text);

    return 0;
}
