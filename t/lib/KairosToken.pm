package KairosToken;

# Tokens for the suites: JSON Web Tokens, RFC 7519, signed with HMAC.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha512);
use Exporter qw(import);
use MIME::Base64 qw(encode_base64url);

our @EXPORT = qw(SECRET token raw_token upgrade);

use constant SECRET => 'a secret of the tests, with 32 bytes or more';


# upgrade(PATH, HEADER...): a handshake, and a close frame behind it.
sub upgrade
{
    my ($path, @headers) = @_;

    return "GET $path HTTP/1.1\r\nHost: localhost\r\n"
           . join('', map { "$_\r\n" } @headers)
           . "Connection: Upgrade\r\nUpgrade: websocket\r\n"
           . "Sec-WebSocket-Version: 13\r\n"
           . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
           . "\x88\x82\0\0\0\0\x03\xe8";
}


# token(CLAIM => JSON, ...): valid for an hour unless exp says otherwise: the
# blocks of a suite are read at its start, and the real Test::Nginx takes long.
sub token
{
    my %claims = (exp => time + 3600, sub => '"u1"', @_);
    my $payload = join ',', map { "\"$_\":$claims{$_}" }
                            grep { defined $claims{$_} } sort keys %claims;

    return raw_token('{"alg":"HS256","typ":"JWT"}', "{$payload}", SECRET);
}


# raw_token(HEADER, PAYLOAD, SECRET [, HMAC])
sub raw_token
{
    my ($header, $payload, $secret, $hmac) = @_;
    my $text = encode_base64url($header) . '.' . encode_base64url($payload);

    $hmac //= \&hmac_sha256;

    return "$text." . encode_base64url($hmac->($text, $secret));
}

1;
