# kairos_auth and its kin in the configuration: what nginx says of a secret or
# a key that it cannot use.

use strict;
use warnings;

BEGIN { push @INC, 't/lib' }

use File::Temp qw(tempdir);
use Test::Nginx::Socket 'no_plan';


my $long = '0123456789abcdef' x 4;
my $dir = $ENV{TEST_NGINX_KEYS} = tempdir(CLEANUP => 1);

chmod 0755, $dir;

$ENV{KAIROS_TEST_SECRET} = $long;
$ENV{KAIROS_TEST_EMPTY} = '';
delete $ENV{KAIROS_TEST_NONE};


sub file
{
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name" or die "$name: $!\n";
    print $out $text;
    close $out or die "$name: $!\n";
}


# Public keys made with Node.js' crypto, of the unit test.
sub key
{
    my ($name) = @_;

    open my $in, '<', 't/unit/jwt_cases.h' or die "jwt_cases.h: $!\n";
    local $/;

    my ($text) = <$in> =~ /jwt_${name}_key\[\] =\n(.*?);\n/s
        or die "there is no key $name\n";

    return join '', map { s/\\n/\n/r } $text =~ /"(.*)"/g;
}


file('secret', "$long\n");
file('newline', "\n");
file('empty', '');
file('nonsense', "nonsense\n");
file('large', 'x' x 65537);
file('rsa.pem', key('rsa'));
file('small.pem', key('rsa_small'));
file('p256.pem', key('es256'));
file('p384.pem', key('es384'));
file('ed.pem', key('ed'));
file('two.pem', key('es256') . key('es256'));


add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', 'kairos_zone live 1m; '
                                     . ($block->http_config // ''));
    $block->set_value('config', 'location /realtime { kairos live; '
                                . ($block->config // '') . ' }');
    $block->set_value('request', "GET /realtime/nowhere\n")
        if !defined $block->must_die;
    $block->set_value('error_code', 404) if !defined $block->must_die;
});

no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== all that may be inherited
--- http_config
    kairos_auth on;
    kairos_auth_secret 0123456789abcdef0123456789abcdef;
    kairos_auth_algorithm HS256;
    kairos_auth_token $arg_jwt;
    kairos_auth_cookie kairos;
    kairos_auth_issuer my_app;
    kairos_auth_lifetime 12h;
    kairos_auth_leeway 10s;
    kairos_push on;
    kairos_origins_required on;
    kairos_cors_origins https://app.example.com;
--- no_error_log
[warn]
[emerg]



=== a secret of a file, of the environment, and of the line
--- config
    kairos_auth on;
    kairos_auth_secret file:$TEST_NGINX_KEYS/secret env:KAIROS_TEST_SECRET
                       0123456789abcdef0123456789abcdef;
--- no_error_log
[warn]
[emerg]



=== kairos_auth without a secret
--- config
    kairos_auth on;
--- must_die
--- error_log
kairos_auth is on and there is no kairos_auth_secret



=== off in the location, with nothing to check
--- http_config
    kairos_auth on;
--- config
    kairos_auth off;
--- no_error_log
[emerg]



=== kairos_auth maybe
--- config
    kairos_auth maybe;
--- must_die
--- error_log
invalid value "maybe" in "kairos_auth" directive



=== a secret that is shorter than its hash
--- config
    kairos_auth on;
    kairos_auth_algorithm HS512;
    kairos_auth_secret 0123456789abcdef0123456789abcdef;
--- error_log
[warn]
secret 1 of kairos_auth_secret has 32 bytes, it can be guessed, give it 64 or more



=== a cookie, and pages of any site
--- config
    kairos_auth on;
    kairos_auth_secret 0123456789abcdef0123456789abcdef;
    kairos_auth_cookie kairos;
    kairos_origins *;
--- error_log
"kairos_origins *" with kairos_auth_cookie lets any page use its visitor's cookie



=== an empty secret
--- config
    kairos_auth on;
    kairos_auth_secret "";
--- must_die
--- error_log
kairos_auth_secret is empty



=== a variable that is not set
--- config
    kairos_auth_secret env:KAIROS_TEST_NONE;
--- must_die
--- error_log
environment variable "KAIROS_TEST_NONE" of kairos_auth_secret is not set, or empty



=== a variable that is empty
--- config
    kairos_auth_secret env:KAIROS_TEST_EMPTY;
--- must_die
--- error_log
environment variable "KAIROS_TEST_EMPTY" of kairos_auth_secret is not set, or empty



=== no name of a variable
--- config
    kairos_auth_secret env:;
--- must_die
--- error_log
environment variable "" of kairos_auth_secret is not set, or empty



=== a file that is not there
--- config
    kairos_auth_secret file:$TEST_NGINX_KEYS/none;
--- must_die
--- error_log
/none" failed (2: No such file or directory)



=== a file that is empty
--- config
    kairos_auth_secret file:$TEST_NGINX_KEYS/empty;
--- must_die
--- error_log
/empty" is no file of 1 to 65536 bytes



=== a file with a line's end alone
--- config
    kairos_auth_secret file:$TEST_NGINX_KEYS/newline;
--- must_die
--- error_log
kairos_auth_secret is empty



=== a file that is too large
--- config
    kairos_auth_secret file:$TEST_NGINX_KEYS/large;
--- must_die
--- error_log
/large" is no file of 1 to 65536 bytes



=== a folder
--- config
    kairos_auth_secret file:$TEST_NGINX_KEYS;
--- must_die
--- error_log
is no file of 1 to 65536 bytes



=== kairos_auth_secret twice
--- config
    kairos_auth_secret a; kairos_auth_secret b;
--- must_die
--- error_log
"kairos_auth_secret" directive is duplicate



=== an algorithm that is not there
--- config
    kairos_auth_algorithm EdDSA;
--- must_die
--- error_log
kairos_auth_algorithm "EdDSA" is not supported, it must be HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384 or ES512



=== no algorithm
--- config
    kairos_auth_algorithm none;
--- must_die
--- error_log
kairos_auth_algorithm "none" is not supported



=== kairos_auth_algorithm twice
--- config
    kairos_auth_algorithm HS256; kairos_auth_algorithm HS256;
--- must_die
--- error_log
"kairos_auth_algorithm" directive is duplicate



=== a public key
--- config
    kairos_auth on;
    kairos_auth_algorithm RS256;
    kairos_auth_key $TEST_NGINX_KEYS/rsa.pem;
--- no_error_log
[warn]
[emerg]



=== a public key, and a secret for connection tokens
--- config
    kairos_auth on;
    kairos_auth_algorithm ES256;
    kairos_auth_key $TEST_NGINX_KEYS/p256.pem;
    kairos_auth_secret 0123456789abcdef0123456789abcdef;
--- no_error_log
[warn]
[emerg]



=== an algorithm without its key
--- config
    kairos_auth on;
    kairos_auth_algorithm RS256;
    kairos_auth_secret 0123456789abcdef0123456789abcdef;
--- must_die
--- error_log
kairos_auth_algorithm takes a public key, and there is no kairos_auth_key



=== a key for an algorithm that takes a secret
--- config
    kairos_auth on;
    kairos_auth_secret 0123456789abcdef0123456789abcdef;
    kairos_auth_key $TEST_NGINX_KEYS/rsa.pem;
--- must_die
--- error_log
/rsa.pem" is of no use to kairos_auth_algorithm HS..., which takes a kairos_auth_secret



=== a key of another kind
--- config
    kairos_auth on;
    kairos_auth_algorithm RS256;
    kairos_auth_key $TEST_NGINX_KEYS/p256.pem;
--- must_die
--- error_log
/p256.pem" cannot be used: it is no RSA key



=== Ed25519
--- config
    kairos_auth on;
    kairos_auth_algorithm ES256;
    kairos_auth_key $TEST_NGINX_KEYS/ed.pem;
--- must_die
--- error_log
/ed.pem" cannot be used: it is no key of a curve



=== another curve
--- config
    kairos_auth on;
    kairos_auth_algorithm ES256;
    kairos_auth_key $TEST_NGINX_KEYS/p384.pem;
--- must_die
--- error_log
/p384.pem" cannot be used: its curve is not the algorithm's



=== a small key
--- config
    kairos_auth on;
    kairos_auth_algorithm RS256;
    kairos_auth_key $TEST_NGINX_KEYS/small.pem;
--- must_die
--- error_log
/small.pem" cannot be used: it has fewer than 2048 bits



=== no key at all
--- config
    kairos_auth on;
    kairos_auth_algorithm RS256;
    kairos_auth_key $TEST_NGINX_KEYS/nonsense;
--- must_die
--- error_log
/nonsense" cannot be used: it is no public key in PEM



=== two keys in one file
--- config
    kairos_auth on;
    kairos_auth_algorithm ES256;
    kairos_auth_key $TEST_NGINX_KEYS/two.pem;
--- must_die
--- error_log
/two.pem" cannot be used: it has more than one public key



=== kairos_auth_key twice
--- config
    kairos_auth_key $TEST_NGINX_KEYS/rsa.pem;
    kairos_auth_key $TEST_NGINX_KEYS/rsa.pem;
--- must_die
--- error_log
"kairos_auth_key" directive is duplicate



=== kairos_auth_cookie without a name
--- config
    kairos_auth_cookie "";
--- must_die
--- error_log
"kairos_auth_cookie" directive has an empty name



=== kairos_auth_token of an unknown variable
--- config
    kairos_auth_token $nowhere;
--- must_die
--- error_log
unknown "nowhere" variable



=== kairos_auth_lifetime 0
--- config
    kairos_auth_lifetime 0;
--- must_die
--- error_log
"kairos_auth_lifetime" directive must not be 0



=== kairos_auth_leeway long
--- config
    kairos_auth_leeway long;
--- must_die
--- error_log
"kairos_auth_leeway" directive invalid value



=== kairos_push perhaps
--- config
    kairos_push perhaps;
--- must_die
--- error_log
invalid value "perhaps" in "kairos_push" directive



=== kairos_origins_required perhaps
--- config
    kairos_origins_required perhaps;
--- must_die
--- error_log
invalid value "perhaps" in "kairos_origins_required" directive



=== kairos_cors_origins without a scheme
--- config
    kairos_cors_origins example.com;
--- must_die
--- error_log
invalid origin "example.com": it has no scheme



=== an asterisk where it cannot stand
--- config
    kairos_origins https://a.*.example.com;
--- must_die
--- error_log
invalid origin "https://a.*.example.com": its asterisk is not the first label



=== kairos_cors_origins twice
--- config
    kairos_cors_origins *; kairos_cors_origins *;
--- must_die
--- error_log
"kairos_cors_origins" directive is duplicate
