# CORS of the endpoints that take a POST: the preflight, who may read the
# answer, and a list of origins of their own.

use strict;
use warnings;

BEGIN { push @INC, 't/lib' }

use Test::Nginx::Socket 'no_plan';


add_block_preprocessor(sub {
    my ($block) = @_;
    my $origins = $block->config
                  // 'kairos_origins https://app.example.com;';

    $block->set_value('http_config', 'kairos_zone live 1m;');
    $block->set_value('config', 'keepalive_timeout 0; location /realtime {'
                                . " kairos live; kairos_push on; $origins }");
});

# A POST that names its host in the address alone, as HTTP/3 does.
sub absolute
{
    return "POST http://app.example.com/realtime/auth HTTP/1.0\r\n"
           . "Origin: $_[0]\r\nContent-Length: 0\r\n\r\n";
}


no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== preflight of /auth
--- request
OPTIONS /realtime/auth
--- more_headers
Origin: https://app.example.com
Access-Control-Request-Method: POST
Access-Control-Request-Headers: authorization
--- error_code: 204
--- response_headers
Access-Control-Allow-Origin: https://app.example.com
Access-Control-Allow-Credentials: true
Access-Control-Allow-Methods: POST, OPTIONS
Access-Control-Allow-Headers: Authorization, Content-Type, Accept, Origin, User-Agent, DNT, Cache-Control, X-Mx-ReqToken, Keep-Alive, X-Requested-With, If-Modified-Since, X-CSRF-Token
Access-Control-Max-Age: 1728000
Vary: Origin
!Content-Length



=== preflight of the location itself
--- request
OPTIONS /realtime
--- more_headers
Origin: https://app.example.com
Access-Control-Request-Method: POST
--- error_code: 204
--- response_headers
Access-Control-Allow-Origin: https://app.example.com



=== a preflight from elsewhere finds no permission
--- request
OPTIONS /realtime
--- more_headers
Origin: https://app.example.com.evil.com
Access-Control-Request-Method: POST
--- error_code: 204
--- response_headers
!Access-Control-Allow-Origin
!Access-Control-Allow-Credentials
Vary: Origin



=== a POST from elsewhere
--- request
POST /realtime/auth
--- more_headers
Origin: http://app.example.com
--- error_code: 403
--- response_headers
!Access-Control-Allow-Origin
Vary: Origin



=== a sandboxed page
--- request
OPTIONS /realtime/auth
--- more_headers
Origin: null
Access-Control-Request-Method: POST
--- error_code: 204
--- response_headers
!Access-Control-Allow-Origin



=== an answer with an error can be read too
--- config
    kairos_origins https://app.example.com;
    kairos_auth on;
    kairos_auth_secret "a secret of the tests, with 32 bytes or more";
--- request
POST /realtime/auth
--- more_headers
Origin: https://app.example.com
--- error_code: 401
--- response_headers
Access-Control-Allow-Origin: https://app.example.com
Access-Control-Allow-Credentials: true
--- response_body chomp
{"error":"Unauthorized"}



=== kairos_cors_origins *: any page, without credentials
--- config
    kairos_cors_origins *;
--- request
POST /realtime/auth
--- more_headers
Origin: https://anything.example.com
--- response_headers
Access-Control-Allow-Origin: *
!Access-Control-Allow-Credentials
Vary: Origin



=== kairos_cors_origins *: the preflight
--- config
    kairos_cors_origins *;
--- request
OPTIONS /realtime/auth
--- more_headers
Origin: https://anything.example.com
Access-Control-Request-Method: POST
--- error_code: 204
--- response_headers
Access-Control-Allow-Origin: *
!Access-Control-Allow-Credentials
Access-Control-Allow-Methods: POST, OPTIONS



=== kairos_cors_origins *: a sandboxed page
--- config
    kairos_cors_origins *;
--- request
POST /realtime/auth
--- more_headers
Origin: null
--- response_headers
Access-Control-Allow-Origin: *
!Access-Control-Allow-Credentials



=== kairos_cors_origins *: an origin that is named as well
--- config
    kairos_cors_origins * https://app.example.com;
--- request
POST /realtime/auth
--- more_headers
Origin: https://app.example.com
--- response_headers
Access-Control-Allow-Origin: https://app.example.com
Access-Control-Allow-Credentials: true



=== kairos_cors_origins *: two origins in one request
--- config
    kairos_cors_origins *;
--- request
POST /realtime/auth
--- more_headers
Origin: https://a.example.com
Origin: https://b.example.com
--- error_code: 403
--- response_headers
!Access-Control-Allow-Origin



=== kairos_origins *: a concrete one is named
--- config
    kairos_origins *;
--- request
POST /realtime/auth
--- more_headers
Origin: https://anything.example.com
--- response_headers
Access-Control-Allow-Origin: https://anything.example.com
Access-Control-Allow-Credentials: true



=== a wildcard
--- config
    kairos_origins https://*.example.com;
--- request
POST /realtime/auth
--- more_headers
Origin: https://a.b.example.com
--- response_headers
Access-Control-Allow-Origin: https://a.b.example.com



=== a list of their own
--- config
    kairos_origins https://app.example.com;
    kairos_cors_origins https://admin.example.com;
--- request
POST /realtime/auth
--- more_headers
Origin: https://admin.example.com
--- response_headers
Access-Control-Allow-Origin: https://admin.example.com



=== which takes the place of the other
--- config
    kairos_origins https://app.example.com;
    kairos_cors_origins https://admin.example.com;
--- request
POST /realtime/auth
--- more_headers
Origin: https://app.example.com
--- error_code: 403
--- response_headers
!Access-Control-Allow-Origin



=== no list: a page of the host in the address
--- config
--- raw_request eval
main::absolute('http://app.example.com')
--- response_headers
Access-Control-Allow-Origin: http://app.example.com



=== no list: a page of another
--- config
--- raw_request eval
main::absolute('http://evil.example.com')
--- error_code: 403
--- response_headers
!Access-Control-Allow-Origin



=== a wildcard with a port
--- config
    kairos_origins *.example.com:8443;
--- request
POST /realtime/auth
--- more_headers
Origin: https://app.example.com:8443
--- response_headers
Access-Control-Allow-Origin: https://app.example.com:8443



=== a wildcard with a port, another one
--- config
    kairos_origins *.example.com:8443;
--- request
POST /realtime/auth
--- more_headers
Origin: https://app.example.com
--- error_code: 403



=== a wildcard: nothing in place of the asterisk
--- config
    kairos_origins https://*.example.com;
--- request
POST /realtime/auth
--- more_headers
Origin: https://.example.com
--- error_code: 403



=== any origin: a sandboxed page
--- config
    kairos_origins *;
--- request
POST /realtime/auth
--- more_headers
Origin: null
--- response_headers
Access-Control-Allow-Origin: null
Access-Control-Allow-Credentials: true
