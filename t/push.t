# POST to the location itself: what is broadcast and what is refused.  That it
# arrives is shown by t/e2e/auth.test.mjs.

use strict;
use warnings;

BEGIN { push @INC, 't/lib' }

use KairosToken;
use Test::Nginx::Socket 'no_plan';


my $secret = SECRET;

add_block_preprocessor(sub {
    my ($block) = @_;
    my $more = $block->config // 'kairos_push on;';

    $block->set_value('http_config', 'kairos_zone live 64k;');
    $block->set_value('config', 'keepalive_timeout 0; location /realtime {'
                                . " kairos live; $more }");
    $block->set_value('more_headers', 'Content-Type: application/json')
        if !defined $block->more_headers;
});


sub message
{
    return '{"topic":"' . ($_[0] // 'room:1') . '","event":"'
           . ($_[1] // 'hello') . '","body":' . ($_[2] // '1') . '}';
}


no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== off unless it is on
--- config
--- request eval
"POST /realtime\n" . main::message()
--- error_code: 404



=== one message
--- request eval
"POST /realtime\n" . main::message()
--- response_headers
Content-Type: application/json
--- response_body chomp
{"ok":true,"sent":1}
--- no_error_log
[error]



=== with a slash
--- request eval
"POST /realtime/\n" . main::message()
--- response_body chomp
{"ok":true,"sent":1}



=== several
--- request eval
"POST /realtime\n[" . CORE::join(', ', (main::message()) x 3) . "]"
--- response_body chomp
{"ok":true,"sent":3}



=== none
--- request
POST /realtime
[]
--- response_body chomp
{"ok":true,"sent":0}



=== a body that goes through a file
--- config
    kairos_push on;
    client_body_in_file_only clean;
--- request eval
"POST /realtime\n[" . CORE::join(',', (main::message()) x 500) . "]"
--- response_body chomp
{"ok":true,"sent":500}



=== a body in a buffer and a file
--- config
    kairos_push on;
    client_body_buffer_size 1k;
--- request eval
"POST /realtime\n[" . CORE::join(',', (main::message()) x 1000) . "]"
--- response_body chomp
{"ok":true,"sent":1000}



=== chunked
--- raw_request eval
my $body = main::message();
"POST /realtime HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
. sprintf("5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", substr($body, 0, 5),
          length($body) - 5, substr($body, 5))
--- response_body chomp
{"ok":true,"sent":1}



=== more than 1000
--- request eval
"POST /realtime\n[" . CORE::join(',', (main::message()) x 1001) . "]"
--- error_code: 413
--- response_body chomp
{"error":"message 1001: a request has at most 1000"}



=== GET
--- request
GET /realtime
--- error_code: 405
--- response_headers
Allow: POST, OPTIONS



=== HEAD
--- request
HEAD /realtime
--- error_code: 405
--- response_headers
Allow: POST, OPTIONS
--- response_body



=== no JSON
--- request
POST /realtime
{"topic":"room:1","event":"hello","body":}
--- error_code: 400
--- response_body_like: \A\{"error":".+"\}\z



=== nothing at all
--- request
POST /realtime
--- error_code: 400
--- response_body_like: \A\{"error":".+"\}\z



=== something behind it
--- request eval
"POST /realtime\n" . main::message() . "x"
--- error_code: 400



=== no UTF-8
--- request eval
"POST /realtime\n" . main::message('room:1', "\xff")
--- error_code: 400



=== another type
--- request eval
"POST /realtime\n" . main::message()
--- more_headers
Content-Type: text/plain
--- error_code: 415
--- response_body chomp
{"error":"the content type must be application/json"}



=== no type
--- request eval
"POST /realtime\n" . main::message()
--- more_headers
X-Nothing: 1
--- error_code: 415



=== a type with parameters
--- request eval
"POST /realtime\n" . main::message()
--- more_headers
Content-Type: Application/JSON; charset=utf-8
--- response_body chomp
{"ok":true,"sent":1}



=== a type that begins so
--- request eval
"POST /realtime\n" . main::message()
--- more_headers
Content-Type: application/jsonp
--- error_code: 415



=== a number
--- request
POST /realtime
1
--- error_code: 400
--- response_body chomp
{"error":"a message must be an object with topic, event and body"}



=== no body
--- request
POST /realtime
{"topic":"room:1","event":"hello"}
--- error_code: 400
--- response_body chomp
{"error":"a message must have a body"}



=== no topic
--- request
POST /realtime
{"event":"hello","body":1}
--- error_code: 400
--- response_body chomp
{"error":"a message must have a topic and an event, strings"}



=== an empty event
--- request eval
"POST /realtime\n" . main::message('room:1', '')
--- error_code: 400
--- response_body chomp
{"error":"topic and event must have from 1 to 255 bytes"}



=== a long topic
--- request eval
"POST /realtime\n" . main::message('x' x 256)
--- error_code: 400
--- response_body chomp
{"error":"topic and event must have from 1 to 255 bytes"}



=== a topic of 255 bytes
--- request eval
"POST /realtime\n" . main::message('x' x 255)
--- response_body chomp
{"ok":true,"sent":1}



=== a route
--- request eval
"POST /realtime\n" . main::message('rt:abc')
--- error_code: 400
--- response_body chomp
{"error":"topics that begin with rt: are read-only"}



=== a route behind escapes
--- request eval
"POST /realtime\n" . main::message('\u0072t:abc')
--- error_code: 400
--- response_body chomp
{"error":"topics that begin with rt: are read-only"}



=== the connection's own topic
--- request eval
"POST /realtime\n" . main::message('phoenix')
--- error_code: 400



=== the protocol's own event
--- request eval
"POST /realtime\n" . main::message('room:1', 'phx_close')
--- error_code: 400
--- response_body chomp
{"error":"events that begin with phx_ are the protocol's own"}



=== the event of renewals
--- request eval
"POST /realtime\n" . main::message('room:1', 'access_token')
--- error_code: 400
--- response_body chomp
{"error":"the event access_token is for tokens, it is never broadcast"}



=== an event that only begins so
--- request eval
"POST /realtime\n" . main::message('room:1', 'access_tokens')
--- response_body chomp
{"ok":true,"sent":1}



=== one bad message in an array
--- request eval
"POST /realtime\n[" . main::message() . ',' . main::message('rt:x') . "]"
--- error_code: 400
--- response_body chomp
{"error":"message 2: topics that begin with rt: are read-only"}



=== larger than kairos_message_size
--- config
    kairos_push on;
    kairos_message_size 1k;
--- request eval
"POST /realtime\n" . main::message('a', 'b', '"' . ('x' x 1014) . '"')
--- error_code: 413
--- response_body chomp
{"error":"a message is larger than kairos_message_size"}



=== just as large
--- config
    kairos_push on;
    kairos_message_size 1k;
--- request eval
"POST /realtime\n" . main::message('a', 'b', '"' . ('x' x 1013) . '"')
--- response_body chomp
{"ok":true,"sent":1}



=== larger than the zone can carry
--- request eval
"POST /realtime\n" . main::message('a', 'b', '"' . ('x' x 65536) . '"')
--- error_code: 413
--- response_body chomp
{"error":"a message is larger than a quarter of kairos_zone"}



=== larger than client_max_body_size
--- config
    kairos_push on;
    client_max_body_size 100;
--- request eval
"POST /realtime\n" . main::message('a', 'b', '"' . ('x' x 100) . '"')
--- error_code: 413



=== from a page that may not
--- request eval
"POST /realtime\n" . main::message()
--- more_headers
Content-Type: application/json
Origin: http://evil.example.com
--- error_code: 403



=== auth: without a token
--- config eval
"kairos_push on; kairos_auth on; kairos_auth_secret '" . main::SECRET . "';"
--- request eval
"POST /realtime\n" . main::message()
--- error_code: 401
--- response_body chomp
{"error":"Unauthorized"}



=== auth: without the directive
--- config eval
"kairos_auth on; kairos_auth_secret '" . main::SECRET . "';"
--- request eval
"POST /realtime\n" . main::message()
--- more_headers eval
"Content-Type: application/json\nAuthorization: Bearer " . main::token()
--- response_body chomp
{"ok":true,"sent":1}



=== auth: switched off
--- config eval
"kairos_push off; kairos_auth on; kairos_auth_secret '" . main::SECRET . "';"
--- request eval
"POST /realtime\n" . main::message()
--- more_headers eval
"Content-Type: application/json\nAuthorization: Bearer " . main::token()
--- error_code: 404



=== auth: with one
--- config eval
"kairos_push on; kairos_auth on; kairos_auth_secret '" . main::SECRET . "';"
--- request eval
"POST /realtime\n" . main::message()
--- more_headers eval
"Content-Type: application/json\nAuthorization: Bearer " . main::token()
--- response_body chomp
{"ok":true,"sent":1}
