/* sources: ngx_http_kairos_access.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ngx_http_kairos_access.h"


#define NAME       NGX_HTTP_KAIROS_ACCESS_NAME
#define JOIN       NGX_HTTP_KAIROS_ACCESS_JOIN
#define PUSH       NGX_HTTP_KAIROS_ACCESS_PUSH
#define BROADCAST  NGX_HTTP_KAIROS_ACCESS_BROADCAST

#define PHOENIX    "the topic phoenix is the protocol's own"
#define PHX        "events that begin with phx_ are the protocol's own"
#define READ_ONLY  "topics that begin with rt: are read-only"
#define TOKEN      "the event access_token is for tokens, it is never "       \
                   "broadcast"
#define SIZE       "topic and event must have from 1 to 255 bytes"


/* A copy of just its size, without a zero byte, for the sanitizer. */
static ngx_str_t
copy(const char *s)
{
    ngx_str_t  value;

    value.len = strlen(s);
    value.data = malloc(value.len ? value.len : 1);
    assert_non_null(value.data);
    memcpy(value.data, s, value.len);

    return value;
}


static const char *
verdict(ngx_http_kairos_access_action_e action, const char *topic,
    const char *event)
{
    const char                *reason;
    ngx_http_kairos_access_t   a;

    memset(&a, 0, sizeof(ngx_http_kairos_access_t));

    a.action = action;
    a.topic = copy(topic);
    a.event = copy(event);

    reason = ngx_http_kairos_access(&a);

    free(a.topic.data);
    free(a.event.data);

    return reason;
}


static void
may(ngx_http_kairos_access_action_e action, const char *topic,
    const char *event)
{
    const char  *reason;

    reason = verdict(action, topic, event);

    if (reason != NULL) {
        fail_msg("%s, %s: %s", topic, event, reason);
    }
}


static void
may_not(ngx_http_kairos_access_action_e action, const char *topic,
    const char *event, const char *expected)
{
    const char  *reason;

    reason = verdict(action, topic, event);

    if (reason == NULL) {
        fail_msg("%s, %s: expected \"%s\"", topic, event, expected);
    }

    assert_string_equal(reason, expected);
}


static void
test_size(void **state)
{
    char                             fits[256], longer[257];
    ngx_http_kairos_access_action_e  action;

    (void) state;

    memset(fits, 'x', 255);
    memset(longer, 'x', 256);
    fits[255] = '\0';
    longer[256] = '\0';

    for (action = NAME; action <= PUSH; action++) {
        may(action, "", "");
        may(action, fits, fits);
        may_not(action, longer, "e", "the topic is longer than 255 bytes");
        may_not(action, "t", longer, "the event is longer than 255 bytes");
    }

    may(BROADCAST, "t", "e");
    may(BROADCAST, fits, fits);
    may_not(BROADCAST, "", "e", SIZE);
    may_not(BROADCAST, "t", "", SIZE);
    may_not(BROADCAST, longer, "e", SIZE);
    may_not(BROADCAST, "t", longer, SIZE);
}


static void
test_phoenix(void **state)
{
    (void) state;

    may(NAME, "phoenix", "heartbeat");
    may_not(JOIN, "phoenix", "phx_join", PHOENIX);
    may_not(BROADCAST, "phoenix", "e", PHOENIX);

    may(JOIN, "phoenix:1", "phx_join");
    may(JOIN, "phoeni", "phx_join");
    may(JOIN, "Phoenix", "phx_join");
    may(BROADCAST, "phoenix:1", "e");
}


static void
test_route(void **state)
{
    (void) state;

    may(NAME, "rt:1", "phx_leave");
    may(JOIN, "rt:1", "phx_join");
    may(PUSH, "rt:1", "access_token");
    may_not(PUSH, "rt:1", "e", READ_ONLY);
    may_not(PUSH, "rt:", "e", READ_ONLY);
    may_not(PUSH, "rt:1", "subscribe", READ_ONLY);
    may_not(PUSH, "rt:1", "access_tokens", READ_ONLY);
    may_not(BROADCAST, "rt:1", "e", READ_ONLY);

    /* of two reasons a broadcast gets the topic's */
    may_not(BROADCAST, "rt:1", "phx_close", READ_ONLY);

    may(PUSH, "rt", "e");
    may(PUSH, "RT:1", "e");
    may(PUSH, "art:1", "e");
}


static void
test_event(void **state)
{
    (void) state;

    may(NAME, "room", "phx_leave");
    may_not(PUSH, "room", "phx_", PHX);
    may_not(PUSH, "room", "phx_reply", PHX);
    may_not(BROADCAST, "room", "phx_close", PHX);

    /* of two reasons a push gets the event's */
    may_not(PUSH, "rt:1", "phx_close", PHX);

    may(PUSH, "room", "phx");
    may(PUSH, "room", "access_token");
    may(PUSH, "room", "subscribe");
    may_not(BROADCAST, "room", "access_token", TOKEN);
    may(BROADCAST, "room", "access_tokens");
    may(BROADCAST, "room", "access_toke");
    may(BROADCAST, "room", "subscribe");
}


static void
test_is_route(void **state)
{
    ngx_str_t  route = ngx_string("rt:1"), room = ngx_string("r:t");

    (void) state;

    assert_true(ngx_http_kairos_access_is_route(&route));
    assert_false(ngx_http_kairos_access_is_route(&room));

    route.len = 2;
    assert_false(ngx_http_kairos_access_is_route(&route));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_phoenix),
        cmocka_unit_test(test_route),
        cmocka_unit_test(test_event),
        cmocka_unit_test(test_is_route)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
