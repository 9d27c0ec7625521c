/* sources: kairos_feed.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kairos_feed.h"


#define slice(s)      { sizeof(s) - 1, (const unsigned char *) (s) }
#define bytes(s)      (s), sizeof(s) - 1

#define epoch_bytes   "\x11\x12\x13\x14\x15\x16\x17\x18"
#define lsn_bytes     "\x21\x22\x23\x24\x25\x26\x27\x28"
#define n_bytes       "\x31\x32\x33\x34"
#define position_bytes  epoch_bytes lsn_bytes n_bytes
#define req_bytes     "\x41\x42\x43\x44\x45\x46\x47\x48"
#define socket_bytes  "\x51\x52\x53\x54\x55\x56\x57\x58"
#define client_bytes  "\x81\x82\x83\x84\x85\x86\x87\x88"


/* every field set; each case sends those of its type */
static const kairos_feed_frame_t  full = {
    .status = 1,
    .lost = 0xf1,
    .version = 0x01020304,
    .pid = 0x05060708,
    .workers = 0x090a0b0c,
    .members = 0x0d0e0f10,
    .instance = 0x6162636465666768,
    .epoch = 0x7172737475767778,
    .req = 0x4142434445464748,
    .socket = 0x5152535455565758,
    .client = 0x8182838485868788,
    .zone = slice("zone"),
    .topic = slice("rt:1"),
    .event = slice("ev"),
    .spec = slice("{\"a\":1}"),
    .claims = slice(""),
    .payload = slice("[\0]"),
    .reason = slice("gone"),
    .position = { 0x1112131415161718, 0x2122232425262728, 0x31323334 }
};


/* the wire, so that no change of the table goes unnoticed */
static const struct {
    const char  *name;
    uint8_t      type;
    const char  *wire;
    size_t       len;
} cases[] = {

    { "HELLO", KAIROS_FEED_HELLO,
      bytes("\0\0\0\x1d" "\x01" "\1\2\3\4" "\5\6\7\x8" "\x9\xa\xb\xc"
            "abcdefgh" "\0\0\0\4" "zone") },

    { "SUBSCRIBE", KAIROS_FEED_SUBSCRIBE,
      bytes("\0\0\0\x20" "\x02" req_bytes socket_bytes
            "\0\0\0\7" "{\"a\":1}" "\0\0\0\0") },

    { "JOIN", KAIROS_FEED_JOIN,
      bytes("\0\0\0\x21" "\x03" req_bytes socket_bytes client_bytes
            "\0\0\0\4" "rt:1") },

    { "LEAVE", KAIROS_FEED_LEAVE,
      bytes("\0\0\0\x1a" "\x04" socket_bytes client_bytes "\xf1"
            "\0\0\0\4" "rt:1") },

    { "GONE", KAIROS_FEED_GONE,
      bytes("\0\0\0\x09" "\x05" socket_bytes) },

    { "RESUME", KAIROS_FEED_RESUME,
      bytes("\0\0\0\x2c" "\x06" "\xd\xe\xf\x10" "\0\0\0\4" "rt:1"
            "\0\0\0\7" "{\"a\":1}" position_bytes) },

    { "READY", KAIROS_FEED_READY,
      bytes("\0\0\0\1" "\x07") },

    { "WELCOME", KAIROS_FEED_WELCOME,
      bytes("\0\0\0\xd" "\x40" "\1\2\3\4" "qrstuvwx") },

    { "REPLY", KAIROS_FEED_REPLY,
      bytes("\0\0\0\x11" "\x41" req_bytes "\1" "\0\0\0\3" "[\0]") },

    { "JOINED", KAIROS_FEED_JOINED,
      bytes("\0\0\0\x30" "\x42" req_bytes "\0\0\0\4" "rt:1"
            "\0\0\0\7" "{\"a\":1}" position_bytes) },

    { "EVENT", KAIROS_FEED_EVENT,
      bytes("\0\0\0\x2a" "\x43" "\0\0\0\4" "rt:1" "\0\0\0\2" "ev"
            "\0\0\0\3" "[\0]" position_bytes) },

    { "EVENT_TO", KAIROS_FEED_EVENT_TO,
      bytes("\0\0\0\x32" "\x44" socket_bytes "\0\0\0\4" "rt:1"
            "\0\0\0\2" "ev" "\0\0\0\3" "[\0]" position_bytes) },

    { "RESET", KAIROS_FEED_RESET,
      bytes("\0\0\0\x11" "\x45" "\0\0\0\4" "rt:1" "\0\0\0\4" "gone") }
};

#define ncases  (sizeof(cases) / sizeof(cases[0]))


/* What the frame encodes to, in a block of just that size: caller frees. */
static unsigned char *
encode(const kairos_feed_frame_t *f, size_t *size)
{
    unsigned char  *p;

    *size = kairos_feed_size(f);
    assert_true(*size > 0);

    p = malloc(*size);
    assert_non_null(p);
    assert_ptr_equal(kairos_feed_encode(p, f), p + *size);

    return p;
}


static void
test_feed_encode(void **state)
{
    size_t                i, size;
    unsigned char        *p;
    kairos_feed_frame_t   f;

    for (i = 0; i < ncases; i++) {
        f = full;
        f.type = cases[i].type;

        p = encode(&f, &size);

        if (size != cases[i].len || memcmp(p, cases[i].wire, size) != 0) {
            fail_msg("%s is not encoded as expected", cases[i].name);
        }

        free(p);
    }
}


/* Every field comes back, and none that the type does not carry. */
static void
test_feed_decode(void **state)
{
    size_t                i, size, used;
    unsigned char        *p;
    kairos_feed_frame_t   f;

    for (i = 0; i < ncases; i++) {
        memset(&f, 0xee, sizeof(f));

        if (kairos_feed_decode((const unsigned char *) cases[i].wire,
                               cases[i].len, &f, &used)
            != KAIROS_FEED_OK)
        {
            fail_msg("%s is not decoded", cases[i].name);
        }

        assert_int_equal(used, cases[i].len);
        assert_int_equal(f.type, cases[i].type);

        p = encode(&f, &size);
        assert_int_equal(size, cases[i].len);
        assert_memory_equal(p, cases[i].wire, size);
        free(p);

        /* what the type does not carry is zero, not what was there before */

        assert_int_equal(f.lost, cases[i].type == KAIROS_FEED_LEAVE
                                 ? 0xf1 : 0);
        assert_int_equal(f.pid, cases[i].type == KAIROS_FEED_HELLO
                                ? full.pid : 0);
        assert_int_equal(f.members, cases[i].type == KAIROS_FEED_RESUME
                                    ? full.members : 0);
        assert_int_equal(f.reason.len, cases[i].type == KAIROS_FEED_RESET
                                       ? full.reason.len : 0);
    }
}


/* Each cut of each frame wants more; followed by another, only its own. */
static void
test_feed_decode_pieces(void **state)
{
    size_t                i, len, used;
    unsigned char        *p;
    kairos_feed_frame_t   f;

    for (i = 0; i < ncases; i++) {

        for (len = 0; len < cases[i].len; len++) {
            p = malloc(len ? len : 1);
            assert_non_null(p);
            memcpy(p, cases[i].wire, len);

            used = 12345;

            assert_int_equal(kairos_feed_decode(p, len, &f, &used),
                             KAIROS_FEED_AGAIN);
            assert_int_equal(used, len < 4 ? 0 : cases[i].len);

            free(p);
        }

        p = malloc(cases[i].len + 3);
        assert_non_null(p);
        memcpy(p, cases[i].wire, cases[i].len);
        memcpy(p + cases[i].len, "\xff\xff\xff", 3);

        assert_int_equal(kairos_feed_decode(p, cases[i].len + 3, &f, &used),
                         KAIROS_FEED_OK);
        assert_int_equal(used, cases[i].len);

        free(p);
    }
}


static void
test_feed_decode_errors(void **state)
{
    size_t                i, used;
    kairos_feed_frame_t   f;

    static const struct {
        const char  *name;
        const char  *wire;
        size_t       len;
        int          rc;
    } errors[] = {
        { "no type", bytes("\0\0\0\0"), KAIROS_FEED_ERROR },
        { "type 0", bytes("\0\0\0\1\0"), KAIROS_FEED_ERROR },
        { "type 8", bytes("\0\0\0\1\x08"), KAIROS_FEED_ERROR },
        { "type 63", bytes("\0\0\0\1\x3f"), KAIROS_FEED_ERROR },
        { "type 70", bytes("\0\0\0\1\x46"), KAIROS_FEED_ERROR },
        { "type 255", bytes("\0\0\0\1\xff"), KAIROS_FEED_ERROR },
        { "an unknown type, before its fields",
          bytes("\0\1\0\0\xff"), KAIROS_FEED_ERROR },
        { "HTTP", bytes("GET / HTTP/1.1"), KAIROS_FEED_ERROR },
        { "the largest size", bytes("\x03\xff\xff\xfc\x05"),
          KAIROS_FEED_AGAIN },
        { "one byte more", bytes("\x03\xff\xff\xfd\x05"),
          KAIROS_FEED_ERROR },
        { "all of 32 bits", bytes("\xff\xff\xff\xff"), KAIROS_FEED_ERROR },
        { "a byte too few for u64",
          bytes("\0\0\0\x08\x05" "1234567"), KAIROS_FEED_ERROR },
        { "a byte behind the last field",
          bytes("\0\0\0\x0a\x05" "123456789"), KAIROS_FEED_ERROR },
        { "fields where none are",
          bytes("\0\0\0\x02\x07" "1"), KAIROS_FEED_ERROR },
        { "no fields where some are",
          bytes("\0\0\0\x01\x05"), KAIROS_FEED_ERROR },
        { "a string longer than the frame",
          bytes("\0\0\0\x0a\x45" "\0\0\0\1a" "\0\0\0\1"), KAIROS_FEED_ERROR },
        { "a string of 4 GB",
          bytes("\0\0\0\x0a\x45" "\xff\xff\xff\xff" "a" "\0\0\0\0"),
          KAIROS_FEED_ERROR },
        { "two empty strings",
          bytes("\0\0\0\x09\x45" "\0\0\0\0" "\0\0\0\0"), KAIROS_FEED_OK },
        { "a length cut in the middle",
          bytes("\0\0\0\x06\x45" "\0\0\0\0" "\0"), KAIROS_FEED_ERROR },
        { "a position cut in the middle",
          bytes("\0\0\0\x14\x43" "\0\0\0\0\0\0\0\0\0\0\0\0" "1234567"),
          KAIROS_FEED_ERROR }
    };

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {

        if (kairos_feed_decode((const unsigned char *) errors[i].wire,
                               errors[i].len, &f, &used)
            != errors[i].rc)
        {
            fail_msg("%s: is not %d", errors[i].name, errors[i].rc);
        }

        if (errors[i].rc == KAIROS_FEED_ERROR) {
            assert_int_equal(used, 0);
        }
    }
}


static void
test_feed_size(void **state)
{
    kairos_feed_frame_t  f;

    memset(&f, 0, sizeof(f));
    assert_int_equal(kairos_feed_size(&f), 0);

    f.type = 200;
    assert_int_equal(kairos_feed_size(&f), 0);

    f.type = KAIROS_FEED_RESET;
    assert_int_equal(kairos_feed_size(&f), 13);

    f.topic.len = KAIROS_FEED_MAX - 13;
    assert_int_equal(kairos_feed_size(&f), KAIROS_FEED_MAX);

    f.topic.len++;
    assert_int_equal(kairos_feed_size(&f), 0);

    f.topic.len = SIZE_MAX;
    assert_int_equal(kairos_feed_size(&f), 0);

    f.reason.len = SIZE_MAX - 3;
    assert_int_equal(kairos_feed_size(&f), 0);

    f.topic.len = 0;
    assert_int_equal(kairos_feed_size(&f), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_feed_encode),
        cmocka_unit_test(test_feed_decode),
        cmocka_unit_test(test_feed_decode_pieces),
        cmocka_unit_test(test_feed_decode_errors),
        cmocka_unit_test(test_feed_size)
    };

    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
