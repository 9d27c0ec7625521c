#!/usr/bin/perl
# tools/check-quotes fails on what docs/operations.md quotes and nobody says.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/../..');

my $module = <<'END';
    /* "a comment is no text at all" */
    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "lost %uz bytes of \"%V\", which "
                  "is %s", n, &name, why);
    close(ks, "the client reads too slowly");
END

my $replicator = <<'END';
    kr_log(said ? KR_LOG_INFO : KR_LOG_ERR, "could not %s: %s%s", a, b, c);
    action = "look the slot up";
END


# The checker's output for a section of faults; empty if it passed.
sub check
{
    my ($section) = @_;
    my $tree = tempdir(CLEANUP => 1);
    my %files = (
        'docs/operations.md'    => "# Operations\n\n## Faults\n\n### One\n\n"
                                   . "$section\n## Files\n",
        'ngx_kairos_module/m.c' => $module,
        'replicator/r.c'        => $replicator,
    );

    for my $path (keys %files) {
        make_path(dirname("$tree/$path"));
        open my $out, '>', "$tree/$path" or die "$path: $!";
        print $out $files{$path};
        close $out;
    }

    my $text = `$root/tools/check-quotes $tree 2>&1`;

    is($? >> 8, $text eq '' ? 0 : 1, 'the status tells whether it passed');
    return $text;
}


sub line
{
    return check("```log\n$_[0]\n```\n");
}


is(line('nginx warn: lost ... bytes of "...", which is ...'), '', 'a line');
is(line('nginx warn: lost 7 bytes of "a", which is '
        . 'the client reads too slowly'), '', 'a text within another');
like(line('nginx warn: lost ... bytes of "...", which is not said at all'),
     qr/does not say/, 'a text within that is none');
like(line('nginx warn: lost ... bytes of "...", which'),
     qr/does not say/, 'the beginning of a line');
like(line('nginx error: lost ... bytes of "...", which is ...'),
     qr/does not say, as error/, 'another level');
is(line("nginx itself: whatever"), '', 'what is not ours');
like(line('nginx warn: a comment is no text at all'), qr/does not say/,
     'a comment');

for my $level (qw(info error)) {
    is(line("kairos-replicator $level: could not look the slot up: ...; ..."),
       '', "one of two levels, $level");
}

like(line('kairos-replicator info: could not look at the slot: ...'),
     qr/does not say/, 'another word');
like(line('postgres info: hello'), qr/not a log line/, 'another program');
like(check('No line.'), qr/"One" quotes no log/, 'a section without a line');

my $log = "\n\n```log\nnginx itself: x\n```\n";

is(check("Users: closed, `the client\nreads too slowly`, 1013.$log"), '',
   'what a client is told');
like(check("Users: `the client is too slow`.$log"), qr/nobody says/,
     'what nobody tells it');
is(check("To do: `rm -rf the log`.$log"), '', 'what is not said to users');

done_testing();
