/* sources: ngx_http_kairos_record.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ngx_http_kairos_record.h"


#define RING  208


static void
message(ngx_http_kairos_message_t *m, const char *topic, const char *event,
    u_char *payload, size_t len)
{
    ngx_memzero(m, sizeof(ngx_http_kairos_message_t));

    m->topic.data = (u_char *) topic;
    m->topic.len = ngx_strlen(topic);
    m->event.data = (u_char *) event;
    m->event.len = ngx_strlen(event);
    m->payload.data = payload;
    m->payload.len = len;
}


static void
test_size(void **state)
{
    u_char                     name[NGX_HTTP_KAIROS_RECORD_NAME + 1];
    ngx_http_kairos_message_t  m;

    (void) state;

    message(&m, "", "", NULL, 0);
    assert_int_equal(ngx_http_kairos_record_size(&m),
                     sizeof(ngx_http_kairos_record_t));

    message(&m, "t", "e", (u_char *) "{}", 2);
    assert_int_equal(ngx_http_kairos_record_size(&m) % 16, 0);

    ngx_memset(name, 'x', sizeof(name));

    m.topic.data = name;
    m.topic.len = NGX_HTTP_KAIROS_RECORD_NAME;
    assert_true(ngx_http_kairos_record_size(&m) != 0);

    m.topic.len++;
    assert_int_equal(ngx_http_kairos_record_size(&m), 0);

    message(&m, "t", "e", name, (size_t) 1 << 32);
    assert_int_equal(ngx_http_kairos_record_size(&m), 0);
}


/* every position in the ring, so that each part wraps at each of its bytes */
static void
test_wrap(void **state)
{
    u_char                     ring[RING + 16], payload[100], copy[RING];
    size_t                     len, size;
    uint64_t                   pos;
    ngx_uint_t                 kind;
    ngx_http_kairos_message_t  m, out;

    (void) state;

    ngx_memset(ring, 0xa5, sizeof(ring));

    for (len = 0; len < sizeof(payload); len++) {
        payload[len] = (u_char) (len * 7);
    }

    for (pos = 0; pos < 3 * RING; pos += NGX_HTTP_KAIROS_RECORD_ALIGN) {

        for (len = 0; len < sizeof(payload); len++) {
            message(&m, "room:1", "hello", payload, len);
            m.binary = len & 1;

            size = ngx_http_kairos_record_size(&m);
            assert_in_range(size, 1, RING);

            ngx_http_kairos_record_write(ring, RING, pos, len % 3, &m,
                                         size);
            ngx_http_kairos_record_copy(copy, ring, RING, pos, size);

            assert_int_equal(((ngx_http_kairos_record_t *) copy)->size, size);
            assert_int_equal(ngx_http_kairos_record_parse(copy, size, &kind,
                                                          &out),
                             NGX_OK);

            /* also a kind that is not known yet */
            assert_int_equal(kind, len % 3);
            assert_int_equal(out.topic.len, 6);
            assert_memory_equal(out.topic.data, "room:1", 6);
            assert_int_equal(out.event.len, 5);
            assert_memory_equal(out.event.data, "hello", 5);
            assert_int_equal(out.payload.len, len);
            assert_memory_equal(out.payload.data, payload, len);
            assert_int_equal(out.binary, len & 1);
        }
    }

    /* nothing was written behind the ring */

    for (len = RING; len < sizeof(ring); len++) {
        assert_int_equal(ring[len], 0xa5);
    }
}


static void
test_neighbours(void **state)
{
    u_char                     ring[RING], before[RING];
    size_t                     i, size;
    ngx_http_kairos_message_t  m;

    (void) state;

    ngx_memset(before, 0x5a, sizeof(before));
    ngx_memcpy(ring, before, RING);

    message(&m, "t", "e", (u_char *) "{}", 2);
    size = sizeof(ngx_http_kairos_record_t) + 4;

    ngx_http_kairos_record_write(ring, RING, RING - 16,
                                 NGX_HTTP_KAIROS_RECORD_BROADCAST, &m, size);

    for (i = size - 16; i < RING - 16; i++) {
        assert_int_equal(ring[i], before[i]);
    }
}


static void
test_malformed(void **state)
{
    u_char                     copy[64];
    ngx_uint_t                 kind;
    ngx_http_kairos_record_t   rec;
    ngx_http_kairos_message_t  m;

    (void) state;

    ngx_memzero(copy, sizeof(copy));
    assert_int_equal(ngx_http_kairos_record_parse(copy, 8, &kind, &m),
                     NGX_ERROR);
    assert_int_equal(ngx_http_kairos_record_parse(copy, 64, &kind, &m),
                     NGX_ERROR);

    ngx_memzero(&rec, sizeof(rec));
    rec.size = 64;
    rec.payload = 64;
    ngx_memcpy(copy, &rec, sizeof(rec));
    assert_int_equal(ngx_http_kairos_record_parse(copy, 64, &kind, &m),
                     NGX_ERROR);

    rec.payload = 64 - sizeof(rec);
    ngx_memcpy(copy, &rec, sizeof(rec));
    assert_int_equal(ngx_http_kairos_record_parse(copy, 64, &kind, &m),
                     NGX_OK);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_malformed)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
