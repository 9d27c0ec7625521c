#!/usr/bin/perl
# make run: what it promises about ports, data, ends and leftovers.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

chdir abs_path(dirname(__FILE__) . '/../..') or die "chdir: $!\n";

my $dir = tempdir('kairos-test-run.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $limit = 180;
my @started;

# what an outer make tells its children is not for ours
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};
$ENV{KAIROS_RUN_DIR} = "$dir/run";
$ENV{KAIROS_TEST} = 1;


# A port that is free, and the database's that follows from it.
sub free_port
{
    for (1 .. 100) {
        my $p = 10000 + int rand 10000;

        return $p if !connected($p) && !connected($p + 10000);
    }

    die "found no free port\n";
}


sub connected
{
    return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$_[0]", Timeout => 5);
}


# Starts make run, its output in a file; gives the pid of make.
sub start
{
    my ($port) = @_;
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        # a group of its own, as a terminal makes it
        setpgrp;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/out";
        open STDERR, '>&', \*STDOUT;
        exec 'make', '--no-print-directory', 'run', "PORT=$port"
            or POSIX::_exit(127);
    }

    push @started, $pid;
    return $pid;
}


sub output
{
    return slurp("$dir/out");
}


sub slurp
{
    open my $in, '<', $_[0] or return '';
    local $/;

    return <$in> // '';
}


# Waits until it serves: .run/env is written last.
sub serves
{
    my ($pid) = @_;
    my $end = time + $limit;

    while (time < $end) {
        return 1 if -e "$dir/run/env";
        return 0 if waitpid($pid, WNOHANG) == $pid;
        sleep 0.1;
    }

    return 0;
}


# The exit status, or undef if it does not end.
sub ended
{
    my ($pid) = @_;
    my $end = time + 60;

    while (time < $end) {
        my $got = waitpid($pid, WNOHANG);

        return $? if $got == $pid;
        return if $got < 0;
        sleep 0.05;
    }

    return;
}


# pid => parent of all processes.
sub parents
{
    my %parent;

    for my $path (glob '/proc/[0-9]*/stat') {
        my $stat = slurp($path);

        # the name, in parentheses, may hold anything
        $parent{$1} = $2 if $stat =~ /^(\d+) \(.*\) [^Z] (\d+)/s;
    }

    return \%parent;
}


sub descendants
{
    my ($root) = @_;
    my $parent = parents();
    my @found = ($root);

    for (my $i = 0; $i < @found; $i++) {
        push @found, grep { $parent->{$_} == $found[$i] } keys %$parent;
    }

    return @found;
}


# Those of the processes that are still there (zombies are not).
sub left
{
    my $end = time + 5;
    my @left;

    do {
        my $parent = parents();

        @left = grep { exists $parent->{$_} } @_;
        sleep 0.05 if @left;
    } while (@left && time < $end);

    return join ', ', map { "$_ " . slurp("/proc/$_/cmdline") =~ tr/\0/ /r }
                      @left;
}


sub setting
{
    my ($name) = @_;

    return `. '$dir/run/env' && printf %s "\$$name"`;
}


sub psql
{
    my $url = setting('DATABASE_URL');

    chomp(my $text = `psql -XAtq '$url' -c "$_[0]" 2>&1`);
    return $text;
}


# The first line of the server's answer.
sub http
{
    my ($port, @lines) = @_;
    my $socket = connected($port) or return 'no connection';

    print $socket map { "$_\r\n" } @lines, '';
    return scalar(<$socket>) // 'no answer';
}


my $port = free_port();
my $pid = start($port);

ok(serves($pid), 'it serves') or BAIL_OUT(output());

is(setting('PORT'), $port, '.run/env: PORT');
is(setting('BASE'), "ws://127.0.0.1:$port/realtime", '.run/env: BASE');
like(output(), qr{http://127\.0\.0\.1:$port/}, 'it prints the page');
like(output(), qr{ws://127\.0\.0\.1:$port/realtime}, 'and the address');

like(http($port, 'GET / HTTP/1.0'), qr/ 200 /, 'the page is there');
like(http($port, 'GET /realtime/websocket?vsn=2.0.0 HTTP/1.1',
          "Host: 127.0.0.1:$port", 'Connection: Upgrade',
          'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='),
     qr/ 101 /, 'the WebSocket address answers');

my ($command) = output() =~ /^.*(psql '.*)$/m;

is(system("$command > /dev/null"), 0, 'the psql command works as printed');
is(psql('select relreplident from pg_class where relname = \'posts\''), 'f',
   'the demo table has REPLICA IDENTITY FULL');

my $rows = psql('select count(*) from posts');
my ($scratch) = slurp("$dir/run/nginx/nginx.conf")
                =~ m{root (/tmp/kairos-run\.\w+)/www;};
my @processes = descendants($pid);

cmp_ok(scalar @processes, '>', 6, 'there are processes to be stopped');

# somebody else on the same port
{
    local $ENV{KAIROS_RUN_DIR} = "$dir/other";

    my $said = `make --no-print-directory run PORT=$port 2>&1 < /dev/null`;

    isnt($?, 0, 'a port that is taken is an error');
    like($said, qr/\A.*port $port is taken.*\nmake: .*\n\z/,
         'which is told in one line');
}

kill 'TERM', $pid;
ok(defined ended($pid), 'SIGTERM to make ends it');
is(left(@processes), '', 'and leaves no process');
ok(!connected($port), 'nor a port');
ok($scratch && !-e $scratch, 'nor its folder in /tmp');

$pid = start($port);
ok(serves($pid), 'it serves again') or BAIL_OUT(output());
is(psql('select count(*) from posts'), $rows, 'and has kept the data');

@processes = descendants($pid);
kill 'INT', $pid;
ok(defined ended($pid), 'SIGINT to make alone ends it');
is(left(@processes), '', 'and leaves no process');

for my $name (qw(nginx kairos-replicator postgres)) {
    $pid = start($port);
    ok(serves($pid), "it serves, before $name is killed")
        or BAIL_OUT(output());

    @processes = descendants($pid);

    # the eldest of that name: nginx's and PostgreSQL's master
    my ($victim) = sort { $a <=> $b }
                   grep { (readlink "/proc/$_/exe" // '') =~ m{/$name$} }
                   @processes;

    kill 'KILL', $victim;

    my $status = ended($pid);

    ok($status, "the death of $name ends it with an error");
    like(output(), qr/ended by itself/, 'which says who it was');
    is(left(@processes), '', 'and leaves no process');
}

$pid = start($port);
ok(serves($pid), 'it serves, before Ctrl-C') or BAIL_OUT(output());
@processes = descendants($pid);
kill 'INT', -$pid;
ok(defined ended($pid), 'Ctrl-C ends it');
is(left(@processes), '', 'and leaves no process');

done_testing();


END {
    my $status = $?;

    for my $pid (@started) {
        kill 'TERM', $pid;
        ended($pid);
    }

    # its data may lie elsewhere
    system 'tools/postgres', 'remove', "$dir/run/postgresql";
    $? = $status;
}
