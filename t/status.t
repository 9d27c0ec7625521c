# kairos_status: what it answers, and where it may stand.

use strict;
use warnings;

BEGIN { push @INC, 't/lib' }

use Test::Nginx::Socket 'no_plan';


add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', 'kairos_zone live 1m;')
        if !defined $block->http_config;
});

no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== kairos_status answers with JSON
--- config
    location = /status { kairos_status live; }
--- request
GET /status
--- error_code: 200
--- response_headers
Content-Type: application/json
--- response_body_like eval
qr/^\{"zone":"live","ring_size":\d+,"published":0,"sockets":0,.*"bytes_out":0,"workers":\[\{"pid":\d+,"sockets":0,"channels":0,"feeds":0,"behind":0\}\]\}\n$/
--- no_error_log
[alert]
[emerg]



=== kairos_status of a zone that no location serves, in other locations
--- http_config
    kairos_zone other 1m;
--- config
    location ~ ^/sta { if ($arg_x) { set $y 1; } kairos_status other; }
--- request
GET /status?x=1
--- error_code: 200
--- response_body_like eval
qr/^\{"zone":"other",/



=== kairos_status takes no POST
--- config
    location = /status { kairos_status live; }
--- request
POST /status
--- error_code: 405



=== kairos_status with an unknown zone
--- config
    location = /status { kairos_status lvie; }
--- must_die
--- error_log
unknown kairos zone "lvie", declare it in the "http" block: "kairos_zone lvie 8m;"



=== kairos_status behind kairos
--- config
    location /realtime { kairos live; kairos_status live; }
--- must_die
--- error_log
"kairos_status live" must have a location of its own



=== kairos behind kairos_status
--- config
    location /realtime { kairos_status live; kairos live; }
--- must_die
--- error_log
"kairos live" cannot be in a location with kairos_status



=== kairos_status twice
--- config
    location /status { kairos_status live; kairos_status live; }
--- must_die
--- error_log
"kairos_status live" must have a location of its own
