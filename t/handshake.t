# The opening handshake of RFC 6455, section 4.2: what is accepted and how,
# and each refusal with its status and a line that says why.

use strict;
use warnings;

BEGIN { push @INC, 't/lib' }

use Test::Nginx::Socket 'no_plan';


# A request for a WebSocket, followed at once by a close frame with code 1000,
# so that the server ends the connection.  A header that is given as undef is
# left out; a list stands for several of that name.
sub handshake
{
    my (%change) = @_;

    my $first = delete $change{first}
                // 'GET /realtime/websocket?vsn=2.0.0 HTTP/1.1';
    my $body = delete $change{body} // "\x88\x82\0\0\0\0\x03\xe8";

    my %headers = ('Host' => 'localhost', 'Connection' => 'Upgrade',
                   'Upgrade' => 'websocket', 'Sec-WebSocket-Version' => '13',
                   'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==',
                   %change);

    my $head = "$first\r\n";

    for my $name (sort keys %headers) {
        my $value = $headers{$name};

        next if !defined $value;
        $head .= "$name: $_\r\n" for ref $value ? @$value : $value;
    }

    return "$head\r\n$body";
}


add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', 'kairos_zone live 1m;');
    $block->set_value('config', 'keepalive_timeout 0;'
                                . ' location /realtime { kairos live; }')
        if !defined $block->config;
});

no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== the example of RFC 6455, and a close frame that comes with the request
--- raw_request eval
main::handshake()
--- error_code: 101
--- response_headers
Upgrade: websocket
Connection: upgrade
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
!Content-Length
!Transfer-Encoding
!Sec-WebSocket-Protocol
!Sec-WebSocket-Extensions
--- response_body eval
"\x88\x02\x03\xe8"
--- no_error_log
[alert]
[error]



=== another key
--- raw_request eval
main::handshake('Sec-WebSocket-Key' => 'AAAAAAAAAAAAAAAAAAAAAA==')
--- error_code: 101
--- response_headers
Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=



=== a slash behind the address
--- raw_request eval
main::handshake(first => 'GET /realtime/websocket/?vsn=2.0.0 HTTP/1.1')
--- error_code: 101



=== tokens in lists, in any case of letters
--- raw_request eval
main::handshake(Connection => 'keep-alive, UPGRADE', Upgrade => 'WebSocket')
--- error_code: 101



=== the token in the second of two headers
--- raw_request eval
main::handshake(Connection => ['keep-alive', 'Upgrade'])
--- error_code: 101



=== the sub-protocol phoenix is chosen if it is offered
--- raw_request eval
main::handshake('Sec-WebSocket-Protocol' => 'other, phoenix')
--- error_code: 101
--- response_headers
Sec-WebSocket-Protocol: phoenix



=== another sub-protocol is not
--- raw_request eval
main::handshake('Sec-WebSocket-Protocol' => 'other')
--- error_code: 101
--- response_headers
!Sec-WebSocket-Protocol



=== extensions are not negotiated
--- raw_request eval
main::handshake('Sec-WebSocket-Extensions' => 'permessage-deflate')
--- error_code: 101
--- response_headers
!Sec-WebSocket-Extensions



=== vsn 1.0.0
--- raw_request eval
main::handshake(first => 'GET /realtime/websocket?vsn=1.0.0 HTTP/1.1')
--- error_code: 101



=== no vsn
--- raw_request eval
main::handshake(first => 'GET /realtime/websocket HTTP/1.1')
--- error_code: 101



=== vsn 3.0.0
--- raw_request eval
main::handshake(first => 'GET /realtime/websocket?vsn=3.0.0 HTTP/1.1')
--- error_code: 403
--- response_body_like: vsn must be 1\.0\.x or 2\.0\.x



=== vsn 2.1.0
--- raw_request eval
main::handshake(first => 'GET /realtime/websocket?vsn=2.1.0 HTTP/1.1')
--- error_code: 403



=== vsn that is no version
--- raw_request eval
main::handshake(first => 'GET /realtime/websocket?vsn=2 HTTP/1.1')
--- error_code: 403



=== a plain GET
--- request
GET /realtime/websocket?vsn=2.0.0
--- error_code: 400
--- response_headers
Content-Type: text/plain
--- response_body_like: header Connection must contain "Upgrade"



=== no Upgrade header
--- raw_request eval
main::handshake(Upgrade => undef)
--- error_code: 400
--- response_body_like: header Upgrade must contain "websocket"



=== an upgrade to something else
--- raw_request eval
main::handshake(Upgrade => 'h2c')
--- error_code: 400
--- response_body_like: header Upgrade must contain "websocket"



=== a token that only begins like ours
--- raw_request eval
main::handshake(Connection => 'Upgraded')
--- error_code: 400



=== another version
--- raw_request eval
main::handshake('Sec-WebSocket-Version' => '8')
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- response_body_like: Sec-WebSocket-Version must be 13



=== no version
--- raw_request eval
main::handshake('Sec-WebSocket-Version' => undef)
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13



=== no key
--- raw_request eval
main::handshake('Sec-WebSocket-Key' => undef)
--- error_code: 400
--- response_body_like: Sec-WebSocket-Key is absent



=== two keys
--- raw_request eval
main::handshake('Sec-WebSocket-Key' => [('dGhlIHNhbXBsZSBub25jZQ==') x 2])
--- error_code: 400
--- response_body_like: more than once



=== a key of 15 bytes
--- raw_request eval
main::handshake('Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25j')
--- error_code: 400
--- response_body_like: 16 bytes in base64



=== a key that is not base64
--- raw_request eval
main::handshake('Sec-WebSocket-Key' => '!GhlIHNhbXBsZSBub25jZQ==')
--- error_code: 400
--- response_body_like: 16 bytes in base64



=== POST
--- raw_request eval
main::handshake(first => 'POST /realtime/websocket?vsn=2.0.0 HTTP/1.1',
                'Content-Length' => 0, body => '')
--- error_code: 405
--- response_headers
Allow: GET



=== HEAD
--- raw_request eval
main::handshake(first => 'HEAD /realtime/websocket?vsn=2.0.0 HTTP/1.1',
                body => '')
--- error_code: 405



=== HTTP/1.0
--- raw_request eval
main::handshake(first => 'GET /realtime/websocket?vsn=2.0.0 HTTP/1.0')
--- error_code: 400
--- response_body_like: needs HTTP/1\.1



=== a request with a body
--- raw_request eval
main::handshake('Content-Length' => 3, body => 'abc')
--- error_code: 400
--- response_body_like: has no body



=== a chunked body
--- raw_request eval
main::handshake('Transfer-Encoding' => 'chunked', body => "0\r\n\r\n")
--- error_code: 400



=== a frame without a mask, right behind the request
--- raw_request eval
main::handshake(body => "\x81\x02hi")
--- error_code: 101
--- response_body_like eval
qr/\A\x88.\x03\xea/s



=== a refusal is told to the log of clients' errors
--- raw_request eval
main::handshake('Sec-WebSocket-Key' => undef)
--- error_code: 400
--- error_log
kairos refused a request with status 400: header Sec-WebSocket-Key is absent
--- no_error_log
[error]



=== access rules come first
--- config
    location /realtime { deny all; kairos live; }
--- raw_request eval
main::handshake()
--- error_code: 403
--- error_log
access forbidden by rule



=== a location that ends with a slash
--- config
    location /rt/ { kairos live; }
--- raw_request eval
main::handshake(first => 'GET /rt/websocket HTTP/1.1')
--- error_code: 101



=== a prefix that ends the search for another
--- config
    location /x { return 204; }
    location ^~ /a/b { kairos live; }
--- raw_request eval
main::handshake(first => 'GET /a/b/websocket HTTP/1.1')
--- error_code: 101
