#!/usr/bin/perl
# tools/check-arrows fails on each arrow that the layers forbid.

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


is(check('replicator/kr_buf.h' => [],
         'replicator/kr_match.c' => ['kr_buf.h', 'kairos_feed.h'],
         'common/kairos_feed.h' => []), '', 'an arrow down');

like(check('replicator/kr_buf.c' => ['kr_match.h'],
           'replicator/kr_match.h' => []),
     qr{^replicator/kr_buf\.c:1: includes "kr_match\.h" of layer 2,},
     'an arrow up');

like(check('replicator/kr_buf.h' => ['kr_lsn.h'],
           'replicator/kr_lsn.h' => ['kr_decode.h'],
           'replicator/kr_decode.h' => ['kr_buf.h']),
     qr{closes the circle (?:replicator/\w+(?: -> )?){4}$},
     'a circle within a layer');

like(check('replicator/kr_sql_walk.c' => ['kr_match.h'],
           'replicator/kr_match.h' => []),
     qr{kr_sql_walk\.c:1: includes}, 'a part of a unit counts as the unit');

like(check('replicator/kr_main.c' => ['ngx_http_kairos_ws.h'],
           'ngx_kairos_module/ngx_http_kairos_ws.h' => []),
     qr{of the other program}, 'an arrow into the other program');

like(check('common/kairos_feed.c' => ['kr_buf.h'],
           'replicator/kr_buf.h' => []),
     qr{of the other program}, 'an arrow out of common');

like(check('replicator/kr_new.c' => []), qr{kr_new\.c: is in no layer},
     'a file without a layer');

like(check('replicator/kr_buf.c' => ['kr_gone.h']),
     qr{which is not in this tree}, 'a header that is not there');

done_testing();
