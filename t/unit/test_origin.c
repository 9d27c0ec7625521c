/* sources: ngx_http_kairos_origin.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ngx_http_kairos_origin.h"


static ngx_str_t
str(const char *s)
{
    ngx_str_t  value;

    value.data = (u_char *) s;
    value.len = ngx_strlen(s);

    return value;
}


static ngx_http_kairos_origin_t
parse(const char *s)
{
    ngx_str_t                  text;
    const char                *reason;
    ngx_http_kairos_origin_t   o;

    text = str(s);
    assert_int_equal(ngx_http_kairos_origin_parse(&text, &o, &reason), NGX_OK);

    return o;
}


static void
refuse(const char *s, const char *expected)
{
    ngx_str_t                  text;
    const char                *reason;
    ngx_http_kairos_origin_t   o;

    text = str(s);
    assert_int_equal(ngx_http_kairos_origin_parse(&text, &o, &reason),
                     NGX_ERROR);
    assert_string_equal(reason, expected);
}


static ngx_uint_t
match(const char *pattern, const char *origin)
{
    ngx_str_t                  text;
    const char                *reason;
    ngx_http_kairos_origin_t   o, p;

    text = str(pattern);
    assert_int_equal(ngx_http_kairos_origin_pattern(&text, &p, &reason),
                     NGX_OK);
    o = parse(origin);

    return ngx_http_kairos_origin_match(&p, &o);
}


static void
refuse_pattern(const char *s, const char *expected)
{
    ngx_str_t                  text;
    const char                *reason;
    ngx_http_kairos_origin_t   p;

    text = str(s);
    assert_int_equal(ngx_http_kairos_origin_pattern(&text, &p, &reason),
                     NGX_ERROR);
    assert_string_equal(reason, expected);
}


static ngx_uint_t
is_host(const char *origin, const char *host)
{
    ngx_str_t                 h;
    ngx_http_kairos_origin_t  o;

    o = parse(origin);
    h = str(host);

    return ngx_http_kairos_origin_is_host(&o, &h);
}


static void
test_parse(void **state)
{
    ngx_http_kairos_origin_t  o;

    (void) state;

    o = parse("https://app.example.com");
    assert_int_equal(o.scheme.len, 5);
    assert_int_equal(o.host.len, 15);
    assert_int_equal(o.port, 443);
    assert_true(o.default_port);

    o = parse("http://[::1]:8080");
    assert_int_equal(o.host.len, 5);
    assert_int_equal(o.port, 8080);
    assert_false(o.default_port);

    o = parse("capacitor://localhost");
    assert_int_equal(o.port, 0);
}


static void
test_refuse(void **state)
{
    (void) state;

    refuse("", "it has no scheme");
    refuse("null", "it has no scheme");
    refuse("app.example.com", "it has no scheme");
    refuse("localhost:3000", "it has no scheme");
    refuse("://a", "it has no scheme");
    refuse("1a://a", "it has no scheme");
    refuse("http:/", "it has no scheme");
    refuse("http://", "it has no host");
    refuse("http://:80", "it has no host");
    refuse("http://a/", "it has a path or a trailing slash");
    refuse("http://a:80/", "its port is not a number from 1 to 65535");
    refuse("http://u@a", "it has more than a host and a port");
    refuse("http://a b", "it has more than a host and a port");
    refuse("http://a?b", "it has more than a host and a port");
    refuse("http://[::1", "its IPv6 address has no closing bracket");
    refuse("http://[::1]x", "it has more than a host and a port");
    refuse("http://a:", "its port is not a number from 1 to 65535");
    refuse("http://a:0", "its port is not a number from 1 to 65535");
    refuse("http://a:65536", "its port is not a number from 1 to 65535");
    refuse("http://a:000080", "its port is not a number from 1 to 65535");
    refuse("http://a:8x", "its port is not a number from 1 to 65535");
}


static void
test_match(void **state)
{
    (void) state;

    assert_true(match("http://a.com", "http://a.com:80"));
    assert_true(match("HTTPS://A.com", "https://a.com:443"));
    assert_false(match("http://a.com", "https://a.com"));
    assert_false(match("http://a.com", "https://a.com:80"));
    assert_false(match("http://a.com", "http://a.com:8080"));
    assert_false(match("http://a.com", "http://a.com.evil.com"));
    assert_false(match("http://a.com", "http://b.a.com"));
    assert_false(match("http://b.a.com", "http://a.com"));
}


static void
test_wildcard(void **state)
{
    (void) state;

    assert_true(match("https://*.a.com", "https://b.a.com"));
    assert_true(match("https://*.a.com", "https://c.b.A.com:443"));
    assert_false(match("https://*.a.com", "https://a.com"));
    assert_false(match("https://*.a.com", "https://.a.com"));
    assert_false(match("https://*.a.com", "https://xa.com"));
    assert_false(match("https://*.a.com", "https://b.a.com.evil.com"));
    assert_false(match("https://*.a.com", "http://b.a.com"));
    assert_false(match("https://*.a.com", "https://b.a.com:8443"));
    assert_true(match("https://*.a.com:8443", "https://b.a.com:8443"));

    assert_true(match("*.a.com", "https://b.a.com"));
    assert_true(match("*.a.com", "http://b.a.com"));
    assert_false(match("*.a.com", "http://a.com"));
    assert_false(match("*.a.com", "http://b.a.com:8080"));
    assert_false(match("*.a.com", "app://b.a.com"));
    assert_true(match("*.a.com:8080", "http://b.a.com:8080"));
    assert_false(match("*.a.com:8080", "http://b.a.com"));

    refuse_pattern("a.com", "it has no scheme");
    refuse_pattern("*.", "it has no scheme");
    refuse_pattern("*.a.com/", "it has a path or a trailing slash");
    refuse_pattern("*.*.com", "its asterisk is not the first label");
    refuse_pattern("https://a.*.com", "its asterisk is not the first label");
    refuse_pattern("https://*", "its asterisk is not the first label");
    refuse_pattern("https://*.", "its asterisk is not the first label");
    refuse_pattern("https://*a.com", "its asterisk is not the first label");
}


static void
test_is_host(void **state)
{
    (void) state;

    assert_true(is_host("http://a.com", "a.com"));
    assert_true(is_host("https://a.com", "A.COM"));
    assert_true(is_host("https://a.com", "a.com:443"));
    assert_true(is_host("http://a.com:8080", "a.com:8080"));
    assert_true(is_host("http://[::1]:8080", "[::1]:8080"));
    assert_false(is_host("http://a.com:8080", "a.com"));
    assert_false(is_host("http://a.com", "a.com:8080"));
    assert_false(is_host("http://a.com", "b.com"));
    assert_false(is_host("http://a.com", ""));
    assert_false(is_host("http://a.com", "a.com:x"));
    assert_false(is_host("capacitor://localhost", "localhost"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_wildcard),
        cmocka_unit_test(test_is_host)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
