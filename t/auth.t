# kairos_auth: which tokens open a socket, where they may stand, and what
# POST /auth makes of them.

use strict;
use warnings;

BEGIN { push @INC, 't/lib' }

use Digest::SHA qw(hmac_sha512);
use File::Temp qw(tempdir);
use KairosToken;
use MIME::Base64 qw(encode_base64url);
use Test::Nginx::Socket 'no_plan';


my $secret = SECRET;

my $dir = $ENV{TEST_NGINX_KEYS} = tempdir(CLEANUP => 1);

chmod 0755, $dir;

$ENV{KAIROS_TEST_SECRET} = SECRET;

# a line's end that editors put there
for (['unix', "\n"], ['windows', "\r\n"], ['two', "\n\n"]) {
    open my $out, '>', "$dir/$_->[0]" or die "$_->[0]: $!\n";
    print $out SECRET . $_->[1];
    close $out or die "$_->[0]: $!\n";
}


# A handshake with this token in the address.
sub with
{
    return upgrade("/realtime/websocket?token=$_[0]");
}


# POST /auth with this Authorization.
sub post
{
    my ($authorization) = @_;

    return "POST /realtime/auth HTTP/1.1\r\nHost: localhost\r\n"
           . (defined $authorization ? "Authorization: $authorization\r\n"
                                     : '')
           . "Connection: close\r\nContent-Length: 0\r\n\r\n";
}


# A token of at most so many bytes, as long as can be; or the next longer one.
sub long
{
    my ($size, $longer) = @_;
    my $last;

    for my $n (1 .. $size) {
        my $token = token(x => '"' . ('x' x $n) . '"');

        return $longer ? $token : $last if length $token > $size;
        $last = $token;
    }
}


# An OAuth 2.0 access token, RFC 9068.
sub access_token
{
    return raw_token('{"alg":"HS512","typ":"at+jwt"}',
                     '{"exp":' . (time + 60) . '}', SECRET, \&hmac_sha512);
}


sub other_algorithm
{
    return raw_token('{"alg":"HS512"}', '{"exp":' . (time + 60) . '}', SECRET,
                     \&hmac_sha512);
}


sub no_algorithm
{
    return encode_base64url('{"alg":"none"}') . '.'
           . encode_base64url('{"exp":' . (time + 60) . '}') . '.';
}


sub forged
{
    return raw_token('{"alg":"HS256"}', '{"exp":' . (time + 60) . '}',
                     'another secret of 32 bytes or more');
}


add_block_preprocessor(sub {
    my ($block) = @_;
    my $more = $block->config // '';

    $block->set_value('http_config', 'kairos_zone live 1m;'
                                     . ' large_client_header_buffers 4 32k;');
    $block->set_value('config', 'keepalive_timeout 0; location /realtime {'
                                . ' kairos live; kairos_auth on;'
                                . ($more =~ /kairos_auth_secret/ ? ''
                                   : " kairos_auth_secret '$secret';")
                                . " $more }");
});

no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== a good token
--- raw_request eval
main::with(main::token())
--- error_code: 101
--- no_error_log
[error]
[alert]



=== no token
--- raw_request eval
main::upgrade('/realtime/websocket?vsn=2.0.0')
--- error_code: 403
--- response_body
the request has no token



=== an empty one
--- raw_request eval
main::with('')
--- error_code: 403
--- response_body
the request has no token



=== an array, which the original let in
--- raw_request eval
main::upgrade('/realtime/websocket?token[]=x')
--- error_code: 403
--- response_body
the request has no token



=== nonsense
--- raw_request eval
main::with('nonsense')
--- error_code: 403
--- response_body
the token is no signed JWT



=== another secret
--- raw_request eval
main::with(main::forged())
--- error_code: 403
--- response_body
the token's signature is wrong
--- no_error_log
[error]
[alert]



=== no signature
--- raw_request eval
main::with(main::no_algorithm())
--- error_code: 403



=== another algorithm, with the right secret
--- raw_request eval
main::with(main::other_algorithm())
--- error_code: 403
--- response_body
the token has another algorithm than the one allowed here



=== that algorithm, where it is the configured one
--- config
    kairos_auth_algorithm HS512;
--- raw_request eval
main::with(main::other_algorithm())
--- error_code: 101



=== expired
--- raw_request eval
main::with(main::token(exp => time - 10))
--- error_code: 403
--- response_body
the token has expired



=== expired within the leeway
--- config
    kairos_auth_leeway 60s;
--- raw_request eval
main::with(main::token(exp => time - 10))
--- error_code: 101



=== not valid yet
--- raw_request eval
main::with(main::token(nbf => time + 30))
--- error_code: 403
--- response_body
the token is not valid yet



=== an access token
--- config
    kairos_auth_algorithm HS512;
--- raw_request eval
main::with(main::access_token())
--- error_code: 101



=== an access token of another algorithm
--- raw_request eval
main::with(main::access_token())
--- error_code: 403
--- response_body
the token has another algorithm than the one allowed here



=== exp a fraction
--- raw_request eval
main::with(main::token(exp => (time + 60) . '.5'))
--- error_code: 101



=== exp a string
--- raw_request eval
main::with(main::token(exp => '"' . (time + 60) . '"'))
--- error_code: 403
--- response_body
the token's exp is no time in seconds



=== no exp
--- raw_request eval
main::with(main::token(exp => undef))
--- error_code: 403
--- response_body
the token has no exp



=== without sub
--- raw_request eval
main::with(main::token(sub => undef))
--- error_code: 101



=== in Authorization, in any case of letters
--- raw_request eval
main::upgrade('/realtime/websocket', 'Authorization: bearer ' . main::token())
--- error_code: 101



=== in another scheme
--- raw_request eval
main::upgrade('/realtime/websocket', 'Authorization: Basic ' . main::token())
--- error_code: 403



=== the address comes before Authorization
--- raw_request eval
main::upgrade('/realtime/websocket?token=' . main::forged(),
              'Authorization: Bearer ' . main::token())
--- error_code: 403
--- response_body
the token's signature is wrong



=== in Sec-WebSocket-Protocol, as phoenix.js 1.8 has it
--- raw_request eval
main::upgrade('/realtime/websocket', 'Sec-WebSocket-Protocol: phoenix, '
              . 'base64url.bearer.phx.'
              . MIME::Base64::encode_base64url(main::token()))
--- error_code: 101
--- response_headers
Sec-WebSocket-Protocol: phoenix



=== there, in the second of two headers
--- raw_request eval
main::upgrade('/realtime/websocket', 'Sec-WebSocket-Protocol: phoenix',
              'Sec-WebSocket-Protocol: base64url.bearer.phx.'
              . MIME::Base64::encode_base64url(main::token()))
--- error_code: 101
--- response_headers
Sec-WebSocket-Protocol: phoenix



=== there, and empty
--- raw_request eval
main::upgrade('/realtime/websocket',
              'Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.')
--- error_code: 403
--- response_body
the request has no token



=== there, and bad
--- raw_request eval
main::upgrade('/realtime/websocket', 'Sec-WebSocket-Protocol: phoenix, '
              . 'base64url.bearer.phx.'
              . MIME::Base64::encode_base64url(main::forged()))
--- error_code: 403



=== there, and no base64url
--- raw_request eval
main::upgrade('/realtime/websocket', 'Sec-WebSocket-Protocol: phoenix, '
              . 'base64url.bearer.phx.%%%')
--- error_code: 403
--- response_body
the token is no signed JWT



=== in a cookie that nobody named
--- raw_request eval
main::upgrade('/realtime/websocket', 'Cookie: kairos=' . main::token())
--- error_code: 403
--- response_body
the request has no token



=== in the cookie
--- config
    kairos_auth_cookie kairos-token;
--- raw_request eval
main::upgrade('/realtime/websocket', 'Cookie: a=b; kairos-token='
              . main::token() . '; c=d')
--- error_code: 101



=== in a bad one
--- config
    kairos_auth_cookie kairos;
--- raw_request eval
main::upgrade('/realtime/websocket', 'Cookie: kairos=' . main::forged())
--- error_code: 403



=== in a variable
--- config
    kairos_auth_token $http_x_token;
--- raw_request eval
main::upgrade('/realtime/websocket', 'X-Token: ' . main::token())
--- error_code: 101



=== in a variable, and nowhere else
--- config
    kairos_auth_token $http_x_token;
--- raw_request eval
main::with(main::token())
--- error_code: 403
--- response_body
the request has no token



=== in a variable with its scheme
--- config
    kairos_auth_token $http_authorization;
--- raw_request eval
main::upgrade('/realtime/websocket', 'Authorization: Bearer ' . main::token())
--- error_code: 101



=== rotation: the old secret
--- config eval
"kairos_auth_secret 'the new secret, with 32 bytes or more' '"
. main::SECRET . "';"
--- raw_request eval
main::with(main::token())
--- error_code: 101



=== a secret of the environment
--- config
    kairos_auth_secret env:KAIROS_TEST_SECRET;
--- raw_request eval
main::with(main::token())
--- error_code: 101



=== a secret of a file, without its line's end
--- config
    kairos_auth_secret file:$TEST_NGINX_KEYS/unix;
--- raw_request eval
main::with(main::token())
--- error_code: 101



=== nor that of Windows
--- config
    kairos_auth_secret file:$TEST_NGINX_KEYS/windows;
--- raw_request eval
main::with(main::token())
--- error_code: 101



=== a second line's end is the secret's
--- config
    kairos_auth_secret file:$TEST_NGINX_KEYS/two;
--- raw_request eval
main::with(main::token())
--- error_code: 403
--- response_body
the token's signature is wrong



=== as large as a token may be
--- raw_request eval
main::with(main::long(8192))
--- error_code: 101



=== larger
--- raw_request eval
main::with(main::long(8192, 1))
--- error_code: 403
--- response_body
the token is longer than 8192 bytes



=== /auth: a token for a token
--- raw_request eval
main::post('Bearer ' . main::token())
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like eval
qr/\A\{"claims":\{"device":"nexus","exp":\d+,"iat":\d+,"iss":"kairos","sub":"u1"\},"ok":true,"token":"eyJ[\w.-]+"\}\z/
--- no_error_log
[error]



=== /auth: sub as it is, the issuer as it was given
--- config
    kairos_auth_issuer "my\"app";
--- raw_request eval
main::post('bearer ' . main::token(sub => '{"a":[1]}'))
--- response_body_like eval
qr/"iss":"my\\"app","sub":\{"a":\[1\]\}\}/



=== /auth: no sub
--- raw_request eval
main::post('Bearer ' . main::token(sub => undef))
--- response_body_like: "iss":"kairos","sub":null\}



=== /auth: for as long as it was said
--- config
    kairos_auth_lifetime 12h;
--- raw_request eval
main::post('Bearer ' . main::token())
--- response_body_like eval
qr/\A\{"claims":\{"device":"nexus","exp":(\d+),"iat":(\d+),(?(?{ $1 - $2 == 12 * 3600 })|(?!))/



=== /auth: in a variable
--- config
    kairos_auth_token $http_x_token;
--- request
POST /realtime/auth
--- more_headers eval
'X-Token: ' . main::token()
--- response_body_like: "ok":true,"token":"eyJ



=== /auth: in a variable, and nowhere else
--- config
    kairos_auth_token $http_x_token;
--- raw_request eval
main::post('Bearer ' . main::token())
--- error_code: 401



=== /auth: larger than a token may be
--- raw_request eval
main::post('Bearer ' . main::long(8192, 1))
--- error_code: 401
--- error_log
kairos refused a request with status 401: the token is longer than 8192 bytes



=== /auth: no Authorization
--- raw_request eval
main::post()
--- error_code: 401
--- response_headers
Content-Type: application/json
WWW-Authenticate: Bearer
--- response_body chomp
{"error":"Unauthorized"}



=== /auth: another scheme
--- raw_request eval
main::post('Basic dTE6eA==')
--- error_code: 401
--- response_body chomp
{"error":"Unauthorized"}



=== /auth: expired, which the original took
--- raw_request eval
main::post('Bearer ' . main::token(exp => time - 10))
--- error_code: 401
--- response_body chomp
{"error":"Unauthorized"}
--- error_log
kairos refused a request with status 401: the token has expired



=== /auth: forged
--- raw_request eval
main::post('Bearer ' . main::forged())
--- error_code: 401



=== /auth: what the SDK sends without a token
--- raw_request eval
main::post('Bearer undefined')
--- error_code: 401



=== /auth: a connection token is not exchanged for another
--- raw_request eval
main::post('Bearer ' . main::token(device => '"nexus"', iss => '"kairos"'))
--- error_code: 401



=== but it opens a socket
--- raw_request eval
main::with(main::token(device => '"nexus"', iss => '"kairos"'))
--- error_code: 101



=== /auth: a cookie is not looked at
--- config
    kairos_auth_cookie kairos;
--- raw_request eval
"POST /realtime/auth HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Cookie: kairos=" . main::token() . "\r\nContent-Length: 0\r\n\r\n"
--- error_code: 401
