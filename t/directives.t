# Each directive: where it may stand, what it takes, and what nginx says of a
# value that it cannot take.

use strict;
use warnings;

BEGIN { push @INC, 't/lib' }

use Test::Nginx::Socket 'no_plan';


# A block that is not to die asks for something, to see that nginx serves.
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', '') if !defined $block->config;
    $block->set_value('http_config', 'kairos_zone live 1m;')
        if !defined $block->http_config;
    $block->set_value('request', "GET /realtime/nowhere\n")
        if !defined $block->must_die;
    $block->set_value('error_code', 404) if !defined $block->must_die;
});

no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== kairos_zone and kairos
--- config
    location /realtime { kairos live; }
--- no_error_log
[alert]
[emerg]



=== two zones
--- http_config
    kairos_zone live 1m;
    kairos_zone other 256k;
--- config
    location /realtime { kairos live; }
    location /other { kairos other; }
--- no_error_log
[alert]
[emerg]



=== two locations with one zone
--- config
    location /realtime { kairos live; }
    location /other { kairos live; }
--- no_error_log
[alert]
[emerg]



=== all directives in the location
--- config
    location /realtime {
        kairos live;
        kairos_replicator unix:/nowhere/replicator.sock;
        kairos_origins https://a.example.com http://localhost:3000;
        kairos_message_size 64k;
        kairos_queue_size 1m;
        kairos_max_channels 10;
        kairos_max_pending 10;
        kairos_idle_timeout 90s;
        kairos_drain 10s;
    }
--- no_error_log
[alert]
[emerg]



=== all that may be inherited in the http block
--- http_config
    kairos_zone live 1m;
    kairos_replicator unix:/nowhere/replicator.sock;
    kairos_origins https://a.example.com;
    kairos_message_size 64k;
    kairos_queue_size 1m;
    kairos_max_channels 10;
    kairos_idle_timeout 90s;
    kairos_drain 0;
--- config
    location /realtime { kairos live; }
--- no_error_log
[alert]
[emerg]



=== and in the server block
--- config
    kairos_replicator off;
    kairos_origins *;
    kairos_message_size 64k;
    kairos_queue_size 1m;
    kairos_max_channels 10;
    kairos_idle_timeout 90s;
    kairos_drain 10s;
    location /realtime { kairos live; }
--- no_error_log
[alert]
[emerg]



=== kairos_replicator off in a location
--- config
    kairos_replicator unix:/nowhere/replicator.sock;
    location /realtime { kairos live; kairos_replicator off; }
--- no_error_log
[alert]
[emerg]



=== kairos_zone without a size
--- http_config
    kairos_zone live;
--- must_die
--- error_log
invalid number of arguments in "kairos_zone" directive



=== kairos_zone with a third argument
--- http_config
    kairos_zone live 1m 2m;
--- must_die
--- error_log
invalid number of arguments in "kairos_zone" directive



=== kairos_zone with an empty name
--- http_config
    kairos_zone "" 1m;
--- must_die
--- error_log
"kairos_zone" directive has an empty name



=== kairos_zone with a size that is none
--- http_config
    kairos_zone live 8x;
--- must_die
--- error_log
invalid size "8x" of kairos_zone "live", give it as in "8m"



=== kairos_zone that is too small
--- http_config
    kairos_zone live 4k;
--- must_die
--- error_log
kairos_zone "live" of size "4k" is too small



=== kairos_zone twice
--- http_config
    kairos_zone live 1m;
    kairos_zone live 2m;
--- must_die
--- error_log
kairos_zone "live" is declared a second time, with size "2m"



=== kairos_zone in a server
--- config
    kairos_zone live 1m;
--- must_die
--- error_log
"kairos_zone" directive is not allowed here



=== kairos without a name
--- config
    location /realtime { kairos; }
--- must_die
--- error_log
invalid number of arguments in "kairos" directive



=== kairos with an empty name
--- config
    location /realtime { kairos ""; }
--- must_die
--- error_log
"kairos" directive has an empty name



=== kairos with an unknown zone
--- config
    location /realtime { kairos lvie; }
--- must_die
--- error_log
unknown kairos zone "lvie", declare it in the "http" block: "kairos_zone lvie 8m;"



=== kairos twice
--- http_config
    kairos_zone live 1m;
    kairos_zone other 1m;
--- config
    location /realtime { kairos live; kairos other; }
--- must_die
--- error_log
"kairos other" is the second in this location, which has zone "live" already



=== kairos in a server
--- config
    kairos live;
--- must_die
--- error_log
"kairos" directive is not allowed here



=== kairos in an exact location
--- config
    location = /realtime { kairos live; }
--- must_die
--- error_log
"kairos live" cannot be in location "/realtime", which is not given by a prefix



=== kairos in a location by regular expression
--- config
    location ~ ^/re { kairos live; }
--- must_die
--- error_log
"kairos live" cannot be in location "^/re", which is not given by a prefix



=== kairos in a named location
--- config
    location @re { kairos live; }
--- must_die
--- error_log
"kairos live" cannot be in location "@re", which is not given by a prefix



=== kairos in an if
--- config
    location /realtime { if ($arg_x) { kairos live; } }
--- must_die
--- error_log
"kairos" directive is not allowed here



=== kairos with the zone of another module
--- http_config
    limit_req_zone $remote_addr zone=one:1m rate=1r/s;
    kairos_zone one 1m;
--- must_die
--- error_log
the shared memory zone "one" is already declared for a different use



=== kairos_replicator that is no Unix socket
--- config
    location /realtime { kairos live; kairos_replicator 127.0.0.1:5000; }
--- must_die
--- error_log
invalid kairos_replicator "127.0.0.1:5000", give it as in "unix:/run/kairos/replicator.sock" or "off"



=== kairos_replicator without a path
--- config
    location /realtime { kairos live; kairos_replicator unix:; }
--- must_die
--- error_log
no path in the unix domain socket in kairos_replicator "unix:"



=== kairos_replicator with a path that is too long
--- config
    location /realtime { kairos live; kairos_replicator unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; }
--- must_die
--- error_log
too long path in the unix domain socket in kairos_replicator "unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"



=== kairos_replicator twice
--- config
    location /realtime { kairos live; kairos_replicator off; kairos_replicator unix:/a; }
--- must_die
--- error_log
"kairos_replicator" directive is duplicate



=== kairos_replicator off, then another
--- config
    location /realtime { kairos live; kairos_replicator unix:/a; kairos_replicator off; }
--- must_die
--- error_log
"kairos_replicator" directive is duplicate



=== kairos_origins without a value
--- config
    location /realtime { kairos live; kairos_origins; }
--- must_die
--- error_log
invalid number of arguments in "kairos_origins" directive



=== kairos_origins example.com
--- config
    location /realtime { kairos live; kairos_origins example.com; }
--- must_die
--- error_log
invalid origin "example.com": it has no scheme



=== kairos_origins https://
--- config
    location /realtime { kairos live; kairos_origins https://; }
--- must_die
--- error_log
invalid origin "https://": it has no host



=== kairos_origins https://a.example.com/
--- config
    location /realtime { kairos live; kairos_origins https://a.example.com/; }
--- must_die
--- error_log
invalid origin "https://a.example.com/": it has a path or a trailing slash



=== kairos_origins https://a.example.com:0
--- config
    location /realtime { kairos live; kairos_origins https://a.example.com:0; }
--- must_die
--- error_log
invalid origin "https://a.example.com:0": its port is not a number from 1 to 65535



=== kairos_origins https://a.example.com:65536
--- config
    location /realtime { kairos live; kairos_origins https://a.example.com:65536; }
--- must_die
--- error_log
invalid origin "https://a.example.com:65536": its port is not a number from 1 to 65535



=== kairos_origins https://a.example.com:
--- config
    location /realtime { kairos live; kairos_origins https://a.example.com:; }
--- must_die
--- error_log
invalid origin "https://a.example.com:": its port is not a number from 1 to 65535



=== kairos_origins https://[::1
--- config
    location /realtime { kairos live; kairos_origins https://[::1; }
--- must_die
--- error_log
invalid origin "https://[::1": its IPv6 address has no closing bracket



=== kairos_origins https://a@b
--- config
    location /realtime { kairos live; kairos_origins https://a@b; }
--- must_die
--- error_log
invalid origin "https://a@b": it has more than a host and a port



=== kairos_origins null
--- config
    location /realtime { kairos live; kairos_origins null; }
--- must_die
--- error_log
invalid origin "null": it has no scheme



=== kairos_origins, the second of two
--- config
    location /realtime { kairos live; kairos_origins https://a.example.com b.example.com; }
--- must_die
--- error_log
invalid origin "b.example.com": it has no scheme



=== kairos_origins twice
--- config
    location /realtime { kairos live; kairos_origins *; kairos_origins *; }
--- must_die
--- error_log
"kairos_origins" directive is duplicate



=== kairos_message_size 1x
--- config
    location /realtime { kairos live; kairos_message_size 1x; }
--- must_die
--- error_log
"kairos_message_size" directive invalid value



=== kairos_message_size twice
--- config
    location /realtime { kairos live; kairos_message_size 1; kairos_message_size 2; }
--- must_die
--- error_log
"kairos_message_size" directive is duplicate



=== kairos_message_size 0
--- config
    location /realtime { kairos live; kairos_message_size 0; }
--- must_die
--- error_log
"kairos_message_size" directive must not be 0



=== kairos_queue_size -1
--- config
    location /realtime { kairos live; kairos_queue_size -1; }
--- must_die
--- error_log
"kairos_queue_size" directive invalid value



=== kairos_queue_size twice
--- config
    location /realtime { kairos live; kairos_queue_size 1; kairos_queue_size 2; }
--- must_die
--- error_log
"kairos_queue_size" directive is duplicate



=== kairos_queue_size 0
--- config
    location /realtime { kairos live; kairos_queue_size 0; }
--- must_die
--- error_log
"kairos_queue_size" directive must not be 0



=== kairos_max_channels many
--- config
    location /realtime { kairos live; kairos_max_channels many; }
--- must_die
--- error_log
"kairos_max_channels" directive invalid number



=== kairos_max_channels twice
--- config
    location /realtime { kairos live; kairos_max_channels 1; kairos_max_channels 2; }
--- must_die
--- error_log
"kairos_max_channels" directive is duplicate



=== kairos_max_channels 0
--- config
    location /realtime { kairos live; kairos_max_channels 0; }
--- must_die
--- error_log
"kairos_max_channels" directive must not be 0



=== kairos_max_pending twice
--- config
    location /realtime {
        kairos live;
        kairos_max_pending 10;
        kairos_max_pending 20;
    }
--- must_die
--- error_log
"kairos_max_pending" directive is duplicate



=== kairos_max_pending 0
--- config
    location /realtime { kairos live; kairos_max_pending 0; }
--- must_die
--- error_log
"kairos_max_pending" directive must not be 0



=== kairos_idle_timeout soon
--- config
    location /realtime { kairos live; kairos_idle_timeout soon; }
--- must_die
--- error_log
"kairos_idle_timeout" directive invalid value



=== kairos_idle_timeout twice
--- config
    location /realtime { kairos live; kairos_idle_timeout 1; kairos_idle_timeout 2; }
--- must_die
--- error_log
"kairos_idle_timeout" directive is duplicate



=== kairos_idle_timeout 0
--- config
    location /realtime { kairos live; kairos_idle_timeout 0; }
--- must_die
--- error_log
"kairos_idle_timeout" directive must not be 0



=== kairos_drain -5s
--- config
    location /realtime { kairos live; kairos_drain -5s; }
--- must_die
--- error_log
"kairos_drain" directive invalid value



=== kairos_drain twice
--- config
    location /realtime { kairos live; kairos_drain 1; kairos_drain 2; }
--- must_die
--- error_log
"kairos_drain" directive is duplicate



=== kairos_max_connections, everywhere
--- http_config
    kairos_zone live 1m;
    kairos_max_connections 5;
--- config
    kairos_max_connections 0;
    location /realtime { kairos live; kairos_max_connections 7; }
--- no_error_log
[alert]
[emerg]



=== kairos_max_connections many
--- config
    location /realtime { kairos live; kairos_max_connections many; }
--- must_die
--- error_log
"kairos_max_connections" directive invalid number



=== kairos_max_connections twice
--- config
    location /realtime { kairos live; kairos_max_connections 1; kairos_max_connections 2; }
--- must_die
--- error_log
"kairos_max_connections" directive is duplicate



=== kairos_max_per_address, everywhere
--- http_config
    kairos_zone live 1m;
    kairos_max_per_address 5;
--- config
    kairos_max_per_address 0;
    location /realtime { kairos live; kairos_max_per_address 7; }
--- no_error_log
[alert]
[emerg]



=== kairos_max_per_address many
--- config
    location /realtime { kairos live; kairos_max_per_address many; }
--- must_die
--- error_log
"kairos_max_per_address" directive invalid number



=== kairos_max_per_address twice
--- config
    location /realtime { kairos live; kairos_max_per_address 1; kairos_max_per_address 2; }
--- must_die
--- error_log
"kairos_max_per_address" directive is duplicate



=== kairos_max_per_user, everywhere
--- http_config
    kairos_zone live 1m;
    kairos_max_per_user 5;
--- config
    kairos_max_per_user 0;
    location /realtime { kairos live; kairos_max_per_user 7; }
--- no_error_log
[alert]
[emerg]



=== kairos_max_per_user many
--- config
    location /realtime { kairos live; kairos_max_per_user many; }
--- must_die
--- error_log
"kairos_max_per_user" directive invalid number



=== kairos_max_per_user twice
--- config
    location /realtime { kairos live; kairos_max_per_user 1; kairos_max_per_user 2; }
--- must_die
--- error_log
"kairos_max_per_user" directive is duplicate



=== kairos_message_rate, everywhere
--- http_config
    kairos_zone live 1m;
    kairos_message_rate 5;
--- config
    kairos_message_rate 0;
    location /realtime { kairos live; kairos_message_rate 7; }
--- no_error_log
[alert]
[emerg]



=== kairos_message_rate many
--- config
    location /realtime { kairos live; kairos_message_rate many; }
--- must_die
--- error_log
"kairos_message_rate" directive invalid number



=== kairos_message_rate twice
--- config
    location /realtime { kairos live; kairos_message_rate 1; kairos_message_rate 2; }
--- must_die
--- error_log
"kairos_message_rate" directive is duplicate



=== kairos_message_rate 1000001
--- config
    location /realtime { kairos live; kairos_message_rate 1000001; }
--- must_die
--- error_log
value must be between 0 and 1000000
