# Tokens stay out of the logs.  The access log is written to the error log's
# file, where the suite looks.

use strict;
use warnings;

BEGIN { push @INC, 't/lib' }

use KairosToken;
use Test::Nginx::Socket 'no_plan';


my $secret = SECRET;

log_level('info');

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', 'kairos_zone live 1m;'
        . ' log_format all "$request | $request_uri | $args | $arg_token |'
        . ' $arg_x";');
    $block->set_value('config', 'keepalive_timeout 0;'
        . ' access_log logs/error.log;'
        . ' location /realtime { kairos live; kairos_auth on;'
        . " kairos_auth_secret '$secret'; " . ($block->config // '') . ' }'
        . ' location /other { access_log logs/error.log all; return 204; }')
        if ($block->config // '') !~ /location/;
});

no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== the access log's default format
--- raw_request eval
main::upgrade('/realtime/websocket?token=' . main::token() . '&vsn=2.0.0')
--- error_code: 101
--- error_log eval
qr{"GET /realtime/websocket\?token=\*+&vsn=2\.0\.0 HTTP/1\.1" 101 }
--- no_error_log
eyJ
[error]



=== all variables of the address
--- config
    access_log logs/error.log all;
--- raw_request eval
main::upgrade('/realtime/websocket?a=b&TOKEN=' . main::token() . '&x=y&z')
--- error_code: 101
--- error_log eval
qr{websocket\?a=b&TOKEN=\*+&x=y&z HTTP/1\.1 \| /realtime/websocket\?a=b&TOKEN=\*+&x=y&z \| a=b&TOKEN=\*+&x=y&z \| \*+ \| y}
--- no_error_log
eyJ



=== a refused one, in both logs
--- raw_request eval
main::upgrade('/realtime/websocket?token=' . main::token(exp => 1))
--- error_code: 403
--- error_log eval
[qr{kairos refused a request with status 403: the token has expired, client: .*, request: "GET /realtime/websocket\?token=\*+ HTTP/1\.1"},
 qr{"GET /realtime/websocket\?token=\*+ HTTP/1\.1" 403 }]
--- no_error_log
eyJ



=== lines of other modules
--- config
    deny all;
--- raw_request eval
main::upgrade('/realtime/websocket?token=' . main::token())
--- error_code: 403
--- error_log eval
[qr{\[error\] .* access forbidden by rule, .* request: "GET /realtime/websocket\?token=\*+ HTTP/1\.1"},
 qr{"GET /realtime/websocket\?token=\*+ HTTP/1\.1" 403 }]
--- no_error_log
eyJ



=== a path that only looks like ours
--- config
    keepalive_timeout 0;
    location /nowhere { access_log logs/error.log all; return 204; }
--- raw_request eval
main::upgrade('/nowhere/websocket/?token=' . main::token())
--- error_code: 204
--- error_log eval
qr{/nowhere/websocket/\?token=\*+ HTTP}
--- no_error_log
eyJ



=== an argument of another name
--- config
    kairos_auth_token $arg_x;
    access_log logs/error.log all;
--- raw_request eval
main::upgrade('/realtime/websocket?x=' . main::token())
--- error_code: 101
--- error_log eval
qr{websocket\?x=\*+ HTTP/1\.1 \| /realtime/websocket\?x=\*+ \| x=\*+ \| - \| \*+}
--- no_error_log
eyJ



=== the auth endpoint
--- raw_request eval
"POST /realtime/auth?token=" . main::token() . " HTTP/1.1\r\n"
. "Host: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
--- error_code: 401
--- error_log eval
qr{"POST /realtime/auth\?token=\*+ HTTP/1\.1" 401 }
--- no_error_log
eyJ



=== other locations are none of our business
--- raw_request eval
"GET /other?token=secret HTTP/1.1\r\nHost: localhost\r\n"
. "Connection: close\r\n\r\n"
--- error_code: 204
--- error_log
GET /other?token=secret HTTP/1.1 | /other?token=secret | token=secret | secret | -
