# Plain HTTP below a kairos location: the auth endpoint, its preflight, and
# what is not there.

use strict;
use warnings;

BEGIN { push @INC, 't/lib' }

use Test::Nginx::Socket 'no_plan';


add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', 'kairos_zone live 1m;');
    $block->set_value('config', 'location /realtime { kairos live;'
                                . ' kairos_origins http://localhost:3000; }')
        if !defined $block->config;
});

no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== auth, without a token to be checked
--- request
POST /realtime/auth
--- response_headers
Content-Type: application/json
Content-Length: 11
Vary: Origin
!Access-Control-Allow-Origin
!Access-Control-Allow-Credentials
--- response_body chomp
{"ok":true}
--- no_error_log
[error]



=== auth, with a body and a header that nobody reads
--- request
POST /realtime/auth
{"token":"x"}
--- more_headers
Authorization: Bearer x
Content-Type: application/json
--- response_body chomp
{"ok":true}



=== auth, a large body is discarded
--- request eval
"POST /realtime/auth\n" . ("x" x 200000)
--- response_body chomp
{"ok":true}



=== auth, from a page that may
--- request
POST /realtime/auth
--- more_headers
Origin: http://localhost:3000
--- response_headers
Access-Control-Allow-Origin: http://localhost:3000
Access-Control-Allow-Credentials: true
Vary: Origin
--- response_body chomp
{"ok":true}



=== auth, from a page that may not
--- request
POST /realtime/auth
--- more_headers
Origin: http://evil.example.com
--- error_code: 403
--- response_headers
!Access-Control-Allow-Origin
!Access-Control-Allow-Credentials
--- error_log
origin "http://evil.example.com" is not allowed, see kairos_origins



=== preflight, from a page that may
--- request
OPTIONS /realtime/auth
--- more_headers
Origin: http://localhost:3000
Access-Control-Request-Method: POST
Access-Control-Request-Headers: authorization,content-type
--- error_code: 204
--- response_headers
Access-Control-Allow-Origin: http://localhost:3000
Access-Control-Allow-Credentials: true
Access-Control-Allow-Methods: POST, OPTIONS
Access-Control-Max-Age: 1728000
Vary: Origin
!Content-Length
!Content-Type
--- raw_response_headers_like: Access-Control-Allow-Headers: Authorization, Content-Type
--- response_body eval
""



=== preflight, from a page that may not
--- request
OPTIONS /realtime/auth
--- more_headers
Origin: http://evil.example.com
Access-Control-Request-Method: POST
--- error_code: 204
--- response_headers
Vary: Origin
Access-Control-Allow-Methods: POST, OPTIONS
!Access-Control-Allow-Origin
!Access-Control-Allow-Credentials
--- error_log
origin "http://evil.example.com" is not allowed, see kairos_origins



=== GET of auth
--- request
GET /realtime/auth
--- error_code: 405
--- response_headers
Allow: POST, OPTIONS
Content-Type: text/plain
--- response_body
only POST is allowed here



=== the location itself
--- request
GET /realtime
--- error_code: 404
--- response_body
there is nothing here



=== long polling
--- request
GET /realtime/longpoll?vsn=2.0.0
--- error_code: 404



=== the original's intake of changes, which took them from anybody
--- request
POST /realtime/d
{}
--- error_code: 404



=== and its list of all queries
--- request
GET /realtime/all
--- error_code: 404



=== a name that begins with ours
--- request
GET /realtime/websockets
--- error_code: 404



=== a name that ours begins with
--- request
GET /realtime/web
--- error_code: 404



=== auth with a slash
--- request
POST /realtime/auth/
--- error_code: 404



=== what the location's name does not end
--- request
POST /realtimes/auth
--- error_code: 404



=== a location within
--- config
    location /realtime {
        kairos live;
        location /realtime/health { return 204; }
    }
--- request
GET /realtime/health
--- error_code: 204



=== the rest of the server is not touched
--- config
    location /realtime { kairos live; }
    location /hello { return 200 "hi"; }
--- request
GET /hello
--- response_body chomp
hi



=== two requests on one connection
--- raw_request eval
"POST /realtime/auth HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"
. "abc"
. "GET /realtime/auth HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
--- response_body_like eval
qr/\A\{"ok":true\}/
--- error_log
kairos refused a request with status 405: only POST is allowed here
