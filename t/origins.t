# Who may connect: kairos_origins against the Origin of a handshake, RFC 6454.

use strict;
use warnings;

BEGIN { push @INC, 't/lib' }

use Test::Nginx::Socket 'no_plan';


# A handshake with these headers, and a close frame.
sub from
{
    my ($origin, $host) = @_;

    $host //= 'app.example.com';

    return "GET /realtime/websocket HTTP/1.1\r\nHost: $host\r\n"
           . join('', map { "Origin: $_\r\n" }
                      ref $origin ? @$origin : defined $origin ? $origin : ())
           . "Connection: Upgrade\r\nUpgrade: websocket\r\n"
           . "Sec-WebSocket-Version: 13\r\n"
           . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
           . "\x88\x82\0\0\0\0\x03\xe8";
}


add_block_preprocessor(sub {
    my ($block) = @_;
    my $origins = $block->config // '';

    $block->set_value('http_config', 'kairos_zone live 1m;');
    $block->set_value('config', 'keepalive_timeout 0; location /realtime {'
                                . " kairos live; $origins }");
});

no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== no directive: a page of our own host
--- raw_request eval
main::from("http://app.example.com")
--- error_code: 101



=== no directive: the same host by https, as behind a proxy
--- raw_request eval
main::from("https://app.example.com")
--- error_code: 101



=== no directive: another host
--- raw_request eval
main::from("http://evil.example.com")
--- error_code: 403
--- response_body
this origin is not allowed here
--- error_log
origin "http://evil.example.com" is not allowed, see kairos_origins
--- no_error_log
[error]



=== no directive: a host that ends with ours
--- raw_request eval
main::from("http://evilapp.example.com")
--- error_code: 403
--- response_body
this origin is not allowed here



=== no directive: a host that begins with ours
--- raw_request eval
main::from("http://app.example.com.evil.com")
--- error_code: 403
--- response_body
this origin is not allowed here



=== no directive: another port of our host
--- raw_request eval
main::from("http://app.example.com:8081")
--- error_code: 403
--- response_body
this origin is not allowed here



=== no directive: our host and port
--- raw_request eval
main::from("http://app.example.com:8080", "app.example.com:8080")
--- error_code: 101



=== no directive: our host without its port
--- raw_request eval
main::from("http://app.example.com", "app.example.com:8080")
--- error_code: 403
--- response_body
this origin is not allowed here



=== no directive: no page at all
--- raw_request eval
main::from(undef)
--- error_code: 101



=== no directive: the opaque origin
--- raw_request eval
main::from("null")
--- error_code: 403
--- response_body
this origin is not allowed here



=== no directive: an empty origin
--- raw_request eval
main::from("")
--- error_code: 403
--- response_body
this origin is not allowed here



=== a list: the first
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("https://app.example.com")
--- error_code: 101



=== a list: the second
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("http://localhost:3000")
--- error_code: 101



=== a list: in capitals
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("HTTPS://App.Example.COM")
--- error_code: 101



=== a list: with the scheme's own port
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("https://app.example.com:443")
--- error_code: 101



=== a list: another scheme
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("http://app.example.com")
--- error_code: 403
--- response_body
this origin is not allowed here



=== a list: another port
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("http://localhost:3001")
--- error_code: 403
--- response_body
this origin is not allowed here



=== a list: no port
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("http://localhost")
--- error_code: 403
--- response_body
this origin is not allowed here



=== a list: our own host is not in it
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("http://other.example.com", "other.example.com")
--- error_code: 403
--- response_body
this origin is not allowed here



=== a list: with a path
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("https://app.example.com/")
--- error_code: 403
--- response_body
this origin is not allowed here



=== a list: with a user
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("https://app.example.com\@evil.example.com")
--- error_code: 403
--- response_body
this origin is not allowed here



=== a list: the opaque origin
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("null")
--- error_code: 403
--- response_body
this origin is not allowed here



=== a list: two origins in one header
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from("https://app.example.com https://app.example.com")
--- error_code: 403
--- response_body
this origin is not allowed here



=== a list: two headers
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from(["https://app.example.com", "https://app.example.com"])
--- error_code: 403
--- response_body
this origin is not allowed here



=== a list: no page at all
--- config
    kairos_origins https://app.example.com http://localhost:3000;
--- raw_request eval
main::from(undef)
--- error_code: 101



=== IPv6
--- config
    kairos_origins http://[::1]:3000;
--- raw_request eval
main::from("http://[::1]:3000")
--- error_code: 101



=== IPv6: another port
--- config
    kairos_origins http://[::1]:3000;
--- raw_request eval
main::from("http://[::1]:3001")
--- error_code: 403
--- response_body
this origin is not allowed here



=== a scheme of its own
--- config
    kairos_origins tauri://localhost;
--- raw_request eval
main::from("tauri://localhost")
--- error_code: 101



=== all
--- config
    kairos_origins *;
--- raw_request eval
main::from("http://evil.example.com")
--- error_code: 101



=== all: the opaque origin
--- config
    kairos_origins *;
--- raw_request eval
main::from("null")
--- error_code: 101



=== all, among others
--- config
    kairos_origins https://app.example.com *;
--- raw_request eval
main::from("http://evil.example.com")
--- error_code: 101



=== any host below a domain, by https
--- config
    kairos_origins https://*.example.com;
--- raw_request eval
main::from("https://a.b.example.com", "realtime.example.org")
--- error_code: 101



=== but not the domain itself
--- config
    kairos_origins https://*.example.com;
--- raw_request eval
main::from("https://example.com", "realtime.example.org")
--- error_code: 403



=== nor by http
--- config
    kairos_origins https://*.example.com;
--- raw_request eval
main::from("http://a.example.com", "realtime.example.org")
--- error_code: 403



=== nor what ends so by chance
--- config
    kairos_origins https://*.example.com;
--- raw_request eval
main::from("https://evilexample.com", "realtime.example.org")
--- error_code: 403



=== any host below a domain, by any scheme
--- config
    kairos_origins *.example.com;
--- raw_request eval
main::from("http://a.example.com", "realtime.example.org")
--- error_code: 101



=== not on another port
--- config
    kairos_origins *.example.com;
--- raw_request eval
main::from("http://a.example.com:8080", "realtime.example.org")
--- error_code: 403



=== no origin, where one is required
--- config
    kairos_origins_required on;
--- raw_request eval
main::from()
--- error_code: 403
--- response_body
this origin is not allowed here
--- error_log
a request without an origin is not allowed, see kairos_origins_required



=== an origin, where one is required
--- config
    kairos_origins_required on;
--- raw_request eval
main::from("http://app.example.com")
--- error_code: 101



=== kairos_cors_origins is not for sockets
--- config
    kairos_cors_origins https://admin.example.com;
--- raw_request eval
main::from("https://admin.example.com")
--- error_code: 403
