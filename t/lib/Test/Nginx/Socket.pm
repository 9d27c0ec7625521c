package Test::Nginx::Socket;

# A stand-in for the part of Test::Nginx's language that the suites in t/
# use, for machines that do not have Test::Nginx (it is no package of
# Debian's).  The suites put this folder at the end of @INC, so that the real
# one is taken where it is installed, and must pass under both.
#
# Sections     main_config http_config config request more_headers
#              raw_request error_code response_body response_body_like
#              response_headers raw_response_headers_like error_log
#              no_error_log must_die timeout SKIP ONLY
# Filters      eval chomp chop
# Functions    repeat_each plan blocks run_tests no_shuffle no_long_string
#              master_on workers log_level add_block_preprocessor
# Environment  TEST_NGINX_BINARY TEST_NGINX_LOAD_MODULES TEST_NGINX_PORT
#              TEST_NGINX_SERVROOT TEST_NGINX_NO_CLEAN;
#              $TEST_NGINX_... in a configuration or a request is replaced
#
# As in the original, a block without error_code expects 200, more_headers
# may bring its own Host and Connection, and must_die expects that nginx does
# not start and looks for error_log in what it said.

use strict;
use warnings;

use parent qw(Exporter);

use File::Path qw(make_path remove_tree);
use IO::Select;
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw(repeat_each plan blocks run_tests no_shuffle no_long_string
                 master_on workers log_level add_block_preprocessor);

my $binary   = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $port     = $ENV{TEST_NGINX_PORT} || $ENV{TEST_NGINX_SERVER_PORT} || 1984;
my $servroot = $ENV{TEST_NGINX_SERVROOT} || 't/servroot';

my $repeat   = 1;
my $master   = 'off';
my $workers  = 1;
my $level    = 'debug';
my @preprocessors;

my @blocks;
my ($pid, $running);


# As "use Test::More" does, takes the plan: 'no_plan' or tests => N.
sub import
{
    my ($class, @plan) = @_;

    strict->import;
    warnings->import;
    Test::More::plan(@plan) if @plan;
    $class->export_to_level(1, $class);
}


sub repeat_each { $repeat = shift if @_; return $repeat }
sub plan { Test::More::plan(@_) }
sub no_shuffle { }
sub no_long_string { }
sub master_on { $master = 'on' }
sub workers { $workers = shift }
sub log_level { $level = shift }
sub add_block_preprocessor { push @preprocessors, shift }


sub blocks
{
    @blocks = read_blocks() if !@blocks;

    return scalar @blocks;
}


# The blocks of the suite's __DATA__.
sub read_blocks
{
    my @found;
    my $handle = do { no strict 'refs'; *{'main::DATA'}{IO} };
    my ($block, $section);

    while (my $line = <$handle>) {
        if ($line =~ /^===\s+(.*?)\s*$/) {
            $block = Test::Nginx::Socket::Block->new($1);
            push @found, $block;
            undef $section;

        } elsif ($line =~ /^---\s+(\w+)([^:\n]*)(?::\s*(.*?)\s*)?$/) {
            my ($name, $filters, $inline) = ($1, $2, $3);

            $section = { name => $name, filters => [split ' ', $filters],
                         inline => defined $inline, text => $inline // '' };
            push @{$block->{sections}}, $section;

        } elsif ($section && !$section->{inline}) {
            $section->{text} .= $line;
        }
    }

    $_->filter for @found;

    my @only = grep { defined $_->ONLY } @found;

    return @only ? @only : grep { !defined $_->SKIP } @found;
}


sub run_tests
{
    blocks();

    for my $block (@blocks) {
        $_->($block) for @preprocessors;
        run_block($block);
    }

    stop();
    remove_tree($servroot) if !$ENV{TEST_NGINX_NO_CLEAN};
}


sub run_block
{
    my ($block) = @_;
    my $name = $block->name;

    if (defined $block->must_die) {
        run_dead($block);
        return;
    }

    start($block) or return Test::More::fail("$name - nginx starts");

    for my $i (0 .. $repeat - 1) {
        if (defined $block->request || defined $block->raw_request) {
            my $raw = ask($block);

            check_response($block, $raw) if defined $raw;
        }

        check_log($block, $i);
    }
}


# A configuration that nginx must refuse.
sub run_dead
{
    my ($block) = @_;

    stop();
    write_configuration($block);
    launch();

    my $end = time + 10;
    my $status;

    while (time < $end) {
        if (waitpid($pid, WNOHANG) == $pid) {
            $status = $?;
            undef $pid;
            last;
        }

        sleep 0.02;
    }

    Test::More::ok(defined $status && $status != 0,
                   $block->name . ' - die as expected');
    stop();
    check_log($block, 0);
}


# Starts nginx with the block's configuration, if it is not running so.
sub start
{
    my ($block) = @_;

    my $text = configuration($block);

    if (defined $pid && $running eq $text) {
        # each block has a log of its own
        truncate "$servroot/logs/error.log", 0;
        return 1;
    }

    stop();
    write_configuration($block);
    launch();
    $running = $text;

    my $end = time + 10;

    while (time < $end) {
        if (waitpid($pid, WNOHANG) == $pid) {
            undef $pid;
            Test::More::diag(error_log());
            return 0;
        }

        return 1 if connect_server();
        sleep 0.02;
    }

    return 0;
}


sub launch
{
    $pid = fork // die "could not fork: $!\n";
    return if $pid != 0;

    open STDOUT, '>', '/dev/null';
    open STDERR, '>>', "$servroot/logs/stderr.log";

    no warnings 'exec';
    exec $binary, '-e', "$servroot/logs/error.log", '-p', "$servroot/",
         '-c', "$servroot/conf/nginx.conf";
    POSIX::_exit(127);
}


sub stop
{
    return if !defined $pid;

    kill 'TERM', $pid;

    my $end = time + 10;

    while (waitpid($pid, WNOHANG) == 0) {
        if (time > $end) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            Test::More::fail('nginx stops within 10 seconds');
            last;
        }

        sleep 0.01;
    }

    undef $pid;
}


sub expand
{
    my ($text) = @_;

    $text =~ s/\$(TEST_NGINX_\w+)/$ENV{$1} \/\/ die "$1 is not set\n"/ge;

    return $text;
}


sub configuration
{
    my ($block) = @_;

    my $modules = join '', map { "load_module $_;\n" }
                           split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my ($main, $http, $config) = map { expand($_ // '') }
        $block->main_config, $block->http_config, $block->config;
    my $temp = join '', map { "    ${_}_temp_path $servroot/${_}_temp;\n" }
                        qw(client_body proxy fastcgi uwsgi scgi);

    return <<"EOF";
${modules}worker_processes $workers;
daemon off;
master_process $master;
error_log $servroot/logs/error.log $level;
pid $servroot/logs/nginx.pid;
$main
events {
    worker_connections 256;
}

http {
    access_log off;
    default_type text/plain;
    keepalive_timeout 68;
$temp
$http
    server {
        listen 127.0.0.1:$port;
        server_name localhost;
        client_max_body_size 30M;

$config
        location / {
            root $servroot/html;
            index index.html index.htm;
        }
    }
}
EOF
}


sub write_configuration
{
    my ($block) = @_;

    remove_tree($servroot);
    make_path(map { "$servroot/$_" } qw(conf logs html));

    open my $out, '>', "$servroot/conf/nginx.conf"
        or die "could not write the configuration: $!\n";
    print $out configuration($block);
    close $out;

    open $out, '>', "$servroot/html/index.html" or die "index.html: $!\n";
    print $out "<html><head><title>It works!</title></head></html>\n";
    close $out;
}


sub connect_server
{
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                 PeerPort => $port, Timeout => 5);
}


sub request_text
{
    my ($block) = @_;

    return expand($block->raw_request) if defined $block->raw_request;

    my ($first, $body) = split /\n/, expand($block->request), 2;
    my $more = expand($block->more_headers // '');

    $first .= ' HTTP/1.1' if $first !~ m{ HTTP/\d\.\d$};
    $body //= '';
    $body =~ s/^\s+|\s+$//g;
    $more =~ s/\s*\z//;
    $more =~ s/\r?\n/\r\n/g;
    $more .= "\r\n" if $more ne '';

    my $head = "$first\r\n";

    $head .= "Host: localhost\r\n" if $more !~ /^Host:/mi;
    $head .= "Connection: close\r\n" if $more !~ /^Connection/mi;
    $head .= $more;
    $head .= 'Content-Length: ' . length($body) . "\r\n"
        if $body ne '' && $more !~ /^Content-Length:/mi;

    return "$head\r\n$body";
}


# Sends the request, gives all that comes until the server closes.
sub ask
{
    my ($block) = @_;

    my $name = $block->name;
    my $limit = $block->timeout // 5;
    my $socket = connect_server();

    if (!$socket) {
        Test::More::fail("$name - nginx can be connected to");
        return;
    }

    local $SIG{PIPE} = 'IGNORE';

    my $text = request_text($block);

    while (length $text) {
        my $n = syswrite $socket, $text;

        last if !defined $n;
        substr($text, 0, $n, '');
    }

    my $select = IO::Select->new($socket);
    my $raw = '';

    while ($select->can_read($limit)) {
        my $n = sysread $socket, my $part, 65536;

        return $raw if !$n;
        $raw .= $part;
    }

    Test::More::fail("$name - the server answers and closes within $limit s");
    Test::More::diag($raw);
    return;
}


# Gives (code, raw headers, { name => values }, body).
sub parse_response
{
    my ($raw) = @_;
    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my %headers;

    my ($code) = ($head // '') =~ m{^HTTP/1\.[01] (\d{3})};
    $body //= '';

    for my $line (split /\r\n/, $head // '') {
        push @{$headers{lc $1}}, $2 if $line =~ /^([\w-]+):\s*(.*?)\s*$/;
    }

    if (($headers{'transfer-encoding'} || [''])->[0] eq 'chunked') {
        my $left = $body;

        $body = '';

        while ($left =~ s/^([0-9a-fA-F]+)\r\n//) {
            $body .= substr $left, 0, hex $1, '';
            $left =~ s/^\r\n//;
        }
    }

    return ($code, "$head\r\n", \%headers, $body);
}


sub check_response
{
    my ($block, $raw) = @_;
    my $name = $block->name;
    my ($code, $head, $headers, $body) = parse_response($raw);

    Test::More::is($code // '', $block->error_code // 200,
                   "$name - status code ok");

    if (defined $block->response_headers) {
        check_headers($name, $block->response_headers, $head, $headers);
    }

    if (defined $block->raw_response_headers_like) {
        my $pattern = $block->raw_response_headers_like;

        Test::More::like($head, qr/$pattern/s, "$name - raw headers like");
    }

    if (defined $block->response_body) {
        Test::More::is($body, $block->response_body,
                       "$name - response_body");
    }

    if (defined $block->response_body_like) {
        my $pattern = $block->response_body_like;

        Test::More::like($body, qr/$pattern/s, "$name - response_body_like");
    }
}


# "Name: value" must be so; "!Name" must not be there.
sub check_headers
{
    my ($name, $wanted, $head, $headers) = @_;

    for my $line (split /\n/, $wanted) {
        if ($line =~ /^\s*!\s*(\S+)/) {
            Test::More::unlike($head, qr/^\s*\Q$1\E\s*:/mi,
                               "$name - header $1 not present");

        } elsif ($line =~ /^\s*([^:\s]+):\s*(.*?)\s*$/) {
            Test::More::is(join(', ', @{$headers->{lc $1} || []}), $2,
                           "$name - header $1 ok");
        }
    }
}


sub error_log
{
    open my $in, '<', "$servroot/logs/error.log" or return '';
    local $/;

    return <$in> // '';
}


# Lines of error_log must each be in the log; those of no_error_log must not.
# What is written after the answer is waited for.
sub check_log
{
    my ($block, $i) = @_;
    my $name = $block->name;
    my $end = time + 3;

    for my $pattern (patterns($block->error_log)) {
        my $found;

        until (($found = error_log() =~ $pattern) || time > $end) {
            sleep 0.02;
        }

        Test::More::ok($found, "$name - pattern \"$pattern\" matches a line"
                               . ' in error.log')
            || Test::More::diag(error_log() =~ s/^.*\[debug\].*\n//gmr);
    }

    for my $pattern (patterns($block->no_error_log)) {
        Test::More::unlike(error_log(), $pattern,
                           "$name - pattern \"$pattern\" matches no line");
    }
}


sub patterns
{
    my ($text) = @_;

    return if !defined $text;
    return map { ref $_ ? $_ : qr/\Q$_\E/ }
           ref $text eq 'ARRAY' ? @$text : ref $text ? $text
                                : grep { $_ ne '' } split /\n+/, $text;
}


$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

END {
    my $status = $?;

    if (defined $pid) {
        kill 'KILL', $pid if !kill 'TERM', $pid;
        waitpid $pid, 0;
    }

    $? = $status;
}


package Test::Nginx::Socket::Block;

our $AUTOLOAD;


sub new
{
    my ($class, $name) = @_;

    return bless { name => $name, sections => [], values => {} }, $class;
}


sub name { return $_[0]{name} }


# A section's text without its surrounding empty lines, then its filters.
sub filter
{
    my ($self) = @_;

    for my $section (@{$self->{sections}}) {
        my $value = $section->{text};

        if (!$section->{inline}) {
            $value =~ s/\A\n+//;
            $value =~ s/\n*\z/\n/ if $value ne '';
        }

        for my $filter (@{$section->{filters}}) {
            if ($filter eq 'chomp') {
                chomp $value;

            } elsif ($filter eq 'chop') {
                chop $value;

            } elsif ($filter eq 'eval') {
                $value = eval "package main; $value";
                die "$self->{name}: $section->{name}: $@" if $@;

            } else {
                die "$self->{name}: unknown filter \"$filter\"\n";
            }
        }

        $self->{values}{$section->{name}} = $value;
    }
}


sub set_value
{
    my ($self, $name, $value) = @_;

    $self->{values}{$name} = $value;
}


# $block->NAME gives the section of that name, or undef.
sub AUTOLOAD
{
    my ($self) = @_;
    my $name = $AUTOLOAD =~ s/.*:://r;

    return $name eq 'DESTROY' ? undef : $self->{values}{$name};
}


1;
