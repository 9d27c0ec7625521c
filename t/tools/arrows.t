#!/usr/bin/perl
# tools/check-arrows fails on each arrow that the folders' order forbids.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/../..');


# The checker's output on a tree of these files; empty if it passed.
sub check
{
    my (%files) = @_;
    my $tree = tempdir(CLEANUP => 1);

    for my $path (keys %files) {
        make_path(dirname("$tree/$path"));
        open my $out, '>', "$tree/$path" or die "$path: $!";
        print $out map { qq{#include "$_"\n} } @{$files{$path}};
        close $out;
    }

    my $text = `$root/tools/check-arrows $tree 2>&1`;

    is($? >> 8, $text eq '' ? 0 : 1, 'the status tells whether it passed');
    return $text;
}


is(check('replicator/lib/kr_buf.h' => [],
         'replicator/match/kr_match.c' => ['kr_buf.h', 'kairos_feed.h'],
         'common/kairos_feed.h' => []), '', 'an arrow down');

like(check('replicator/lib/kr_buf.c' => ['kr_match.h'],
           'replicator/match/kr_match.h' => []),
     qr{^replicator/lib/kr_buf\.c:1: includes "kr_match\.h", an arrow up},
     'an arrow up');

like(check('replicator/sql/kr_sql.h' => ['kr_pool.h'],
           'replicator/pg/kr_pool.h' => ['kr_sql.h']),
     qr{^replicator/pg/kr_pool\.h:1: includes "kr_sql\.h", an arrow up},
     'a circle of two folders');

is(check('replicator/pg/kr_pg.h' => ['kr_pool.h'],
         'replicator/pg/kr_pool.h' => []), '', 'an arrow within a folder');

is(check('replicator/kr_core.c' => ['kr_core_private.h'],
         'replicator/kr_core_private.h' => ['kr_check.h'],
         'replicator/check/kr_check.h' => []), '',
   'the top folder, and its private header');

like(check('replicator/match/kr_match.c' => ['kr_pool_private.h'],
           'replicator/pg/kr_pool_private.h' => []),
     qr{includes "kr_pool_private\.h", which is private to replicator/pg},
     'a private header of another folder');

like(check('replicator/kr_main.c' => ['ngx_http_kairos_ws.h'],
           'ngx_kairos_module/wire/ngx_http_kairos_ws.h' => []),
     qr{of the other program}, 'an arrow into the other program');

like(check('common/kairos_feed.c' => ['kr_buf.h'],
           'replicator/lib/kr_buf.h' => []),
     qr{of the other program}, 'an arrow out of common');

like(check('replicator/new/kr_new.c' => []), qr{kr_new\.c: is in no layer},
     'a folder without a place');

like(check('replicator/lib/kr_buf.h' => [], 'replicator/pg/kr_buf.h' => []),
     qr{its name is not unique}, 'two files of one name');

like(check('replicator/lib/kr_buf.c' => ['kr_gone.h']),
     qr{which is not in this tree}, 'a header that is not there');


# docs/architecture.md shows the folders in the checker's order.
my $page = do {
    open my $in, '<', "$root/docs/architecture.md" or die "architecture: $!";
    local $/;
    <$in>;
};
my ($list) = $page =~ /^## Layers\n.*?\n\n((?:    .*\n)+)/ms;
my %shown = map { /^ +(\S+?)\/ +(.*)$/ ? ($1 => $2) : () }
            split /\n/, $list // '';

chomp(my @order = `$root/tools/check-arrows --order`);

is_deeply(\%shown, { map { /^(\S+) (.*)$/ ? ($1 => $2) : () } @order },
          'docs/architecture.md shows the same order');

done_testing();
