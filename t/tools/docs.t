#!/usr/bin/perl
# docs/directives.md and docs/protocol.md say what the sources do: every
# directive with its place, arguments and default, every message that is
# quoted, every close code, every frame of the feed.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

binmode $_, ':utf8' for Test::More->builder->output,
                        Test::More->builder->failure_output;

chdir abs_path(dirname(__FILE__) . '/../..') or die "chdir: $!\n";

my %path = map { m{.*/ngx_http_kairos_(.*)} ? ($1 => $_) : () }
           glob 'ngx_kairos_module/*.[ch] ngx_kairos_module/*/*.[ch]';
my %unit = (k => 1024, m => 1024 ** 2, ms => 1, s => 1000, d => 86400 * 1000);


sub slurp
{
    my ($path) = @_;

    open my $in, '<:encoding(UTF-8)', $path or die "$path: $!\n";
    local $/;

    return <$in>;
}


# A file of the module, by its name without the prefix.
sub source
{
    my ($name) = @_;

    return slurp($path{$name} // die "there is no $name in the module\n");
}


# The strings of C sources, those that follow each other made one.
sub literals
{
    my ($text) = @_;
    my @found;

    $text =~ s{/\*.*?\*/}{}gs;

    while ($text =~ /((?:"(?:[^"\\]|\\.)*"\s*)+)/g) {
        my $joined = join '', $1 =~ /"((?:[^"\\]|\\.)*)"/g;

        $joined =~ s/\\(.)/$1/g;
        push @found, $joined;
    }

    return @found;
}


# name => { place, takes, field, unit } of ngx_command_t's table.
sub commands
{
    my %found;
    my $text = source("module.c");
    my ($table) = $text =~ /ngx_http_kairos_commands\[\] = \{(.*?)\n\};/s;

    while ($table =~ /ngx_string\("(\w+)"\),\s*(\S+),\s*(\w+),\s*\w+,\s*
                      (?:offsetof\(\w+,\s*([\w.]+)\)|0),/xg)
    {
        my ($name, $flags, $setter, $field) = ($1, $2, $3, $4);

        $found{$name} = {
            place => $flags =~ /_ANYWHERE/ ? ''
                     : $flags =~ /MAIN_CONF/ ? 'http' : 'location',
            takes => $flags =~ /NGX_CONF_(\w+)$/,
            setter => $setter,
            field => $field,
        };
    }

    return %found;
}


# field => the default's text in C, of the merge functions.
sub defaults
{
    my $text = source("conf.c") . source("conf_auth.c");
    my %found;

    while ($text =~ /ngx_conf_merge_(?:\w+_)?value\(\s*conf->([\w.]+),\s*
                     prev->[\w.]+,\s*([^;]*)\);/xg)
    {
        $found{$1} = $2;
    }

    return %found;
}


# A section of the page: { syntax, default, context }, as far as they stand.
sub section
{
    my ($page, $name) = @_;
    my ($text) = $page =~ /^### $name\n(.*?)(?=^##|\z)/ms or return;

    return { $text =~ /^    (syntax|default|context)  +(.*?)$/mg };
}


# 64k, 30s, 5: a number, times in milliseconds.
sub number
{
    my ($text) = @_;

    return $text =~ /^(\d+)([a-z]*)$/ ? $1 * ($2 ? $unit{$2} : 1) : undef;
}


my %commands = commands();
my %defaults = defaults();
my $page = slurp('docs/directives.md');
my @sections = $page =~ /^### (kairos\w*)$/mg;

cmp_ok(scalar keys %commands, '>', 20, 'the table of directives is found');
is(join(' ', sort @sections), join(' ', sort keys %commands),
   'each directive has a section, and each section a directive');

for my $name (sort keys %commands) {
    my $command = $commands{$name};
    my $section = section($page, $name) // {};
    my ($operands) = ($section->{syntax} // '') =~ /^$name (.*);$/;

    ok(defined $operands, "$name: a syntax") or next;
    is($section->{context} // '', $command->{place}, "$name: its place");

    my %takes = (FLAG => qr/^on \| off$/, TAKE1 => qr/^\S+(?: \| \S+)*$/,
                 TAKE2 => qr/^\S+ \S+$/, '1MORE' => qr/ \.\.\.$/);

    like($operands, $takes{$command->{takes}}, "$name: its arguments");

    my ($said) = ($section->{default} // '') =~ /^$name (.*);$/;
    my $field = ($command->{field} // '') =~ s/^(?:limits|auth)\.//r;
    my $value = $defaults{$field};

    next if !defined $said;

    if (!defined $value) {
        # of the setters with no field: of their own name
        $value = { kairos_replicator => $defaults{replicator},
                   kairos_auth_algorithm => '"HS256"' }->{$name};
    }

    ok(defined $value, "$name: a default in the sources") or next;

    if ($command->{takes} eq 'FLAG') {
        is($said, $value ? 'on' : 'off', "$name: its default");

    } elsif ($value eq 'NULL') {
        is($said, 'off', "$name: its default");

    } elsif ($value =~ /^"(.*)"$/) {
        is($said, $1, "$name: its default");

    } else {
        my $n = eval $value;

        $n *= 1000 if $command->{setter} eq 'ngx_conf_set_sec_slot';
        is(number($said), $n, "$name: its default");
    }
}


# What nginx says, the parts between the values.
my @texts = map { literals(source($_)) }
            qw(conf.c conf_auth.c module.c jwt.c origin.c shm.c);

# nginx's own, and what is filled in
push @texts, map { "kairos_auth is on and there is no $_" } @texts;
push @texts, 'open() ', 'failed', 'is no file of 1 to 65536 bytes',
             'invalid value, invalid number', 'value must be between 0 and '
             . $1 if source("module.c")
                     =~ /ngx_conf_check_num_bounds, 0, (\d+)/;

for my $table ($page =~ /^\| what nginx says[^\n]*\n\|[-|]+\n((?:\|.*\n)+)/mg)
{
    for my $row (split /\n/, $table) {
        my ($said) = $row =~ /^\| (?:warning: )?(.*?) \|/;
        my @lost;

        for my $part (grep { /\w/ } split /"?\x{2026}"?|, (?=")/, $said) {
            $part =~ s/^\s*secret 1 /secret %ui /;
            $part =~ s/^[\s:]+|\s+$//g;

            push @lost, $part if !grep { index($_, $part) >= 0 } @texts;
        }

        is("@lost", '', "the sources say: $said");
    }
}

# and the other way round: what the configuration is refused for
for my $text (map { literals(source($_)) } qw(conf.c conf_auth.c module.c)) {
    next if $text !~ /[a-z]{3,} .*%/ || $text =~ /^kairos cannot serve/;

    my ($start) = grep { /\w{3}/ && length > 8 } split /"?%\w+"?/, $text;

    $start =~ s/ in kairos_replicator.*//s;
    $start =~ s/^\s+|[\s,]+$//g;
    $start = substr $start, 0, 30;

    ok(index($page, $start) >= 0
       || $start =~ /^(?:could not read|close\(\)|failed)/,
       "the page has: $start");
}


# Close codes, those that the server sends of its own.
my $protocol = slurp('docs/protocol.md');
my ($codes) = $protocol =~ /^\| the server closes with.*?\n\n/ms
              ? $& : die "there is no table of close codes\n";
my %name = source("ws.h")
           =~ /define NGX_HTTP_KAIROS_WS_(\w+) +(1\d{3})\b/g;
my $sources = join '', map { source($_) } grep { /\.c$/ } sort keys %path;

for my $name (sort keys %name) {
    my $sent = $sources =~ /NGX_HTTP_KAIROS_WS_$name\b/
               && $name !~ /^(?:NORMAL|NO_STATUS|UNSUPPORTED)$/;

    is($codes =~ /^\| $name{$name} \|/m ? 1 : 0, $sent ? 1 : 0,
       "close code $name{$name}, $name");
}


# Frames of the feed: number, name, fields in their order.
my %frame = map { m{^KAIROS_FEED_(\w+) = (\d+),?\s*/\* (.*?) \*/}
                  ? ("$2 $1" => $3 eq '-' ? '' : $3) : () }
            map { s/^\s+//r } split /\n/, slurp('common/kairos_feed.h');
my %said;

while ($protocol =~ /^\| (\d+) \| ([A-Z_]+) \| ([^|]*?) *\|/mg) {
    my ($key, $fields) = ("$1 $2", $3);

    $said{$key} = join ' ', map { (split)[-1] } split /, /, $fields;
}

is_deeply(\%said, \%frame, 'the frames of the feed');


# Bounds that cannot be configured.
my %bound = (join '', map { source($_) } sort keys %path)
            =~ /define NGX_HTTP_KAIROS_(\w+) +(\d+)/g;

for (['QUERY_PER_FEED', qr/^\| (\d+) subscribes and joins/m],
     ['NAME_MAX', qr/^\| (\d+) bytes of a topic, \1 of an event/m],
     ['PHX_MAX_REF', qr/^\| (\d+) bytes of a `ref`/m],
     ['JWT_MAX', qr/^\| (\d+) bytes of a token/m],
     ['PUSH_MAX', qr/has at most (\d+)\s+messages/])
{
    my ($name, $pattern) = @$_;

    is(($page =~ $pattern)[0], $bound{$name}, "the bound $name");
}

done_testing();
