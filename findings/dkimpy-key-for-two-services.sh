#!/bin/sh
# python3-dkim 1.1.4-1 (dkimpy, Debian 12): a key record that is published for mail and for TLS reports is refused, so that
# good signatures fail.
#
# RFC 6376 3.6.1: s= of a key record is a list of service types, separated by colons; the key may be used for mail when
# "email" or "*" is in it. RFC 8460 3 adds the type "tlsrpt", so a domain that signs both with one key publishes
# s=email:tlsrpt. dkimpy compares the value with one word: email and * pass, each list is an unknown service type, and
# dkim.verify() says False. (Mail::DKIM, asked too, takes the same record.)
#
# Who signs mail publishes one key for each service; who verifies by dkimpy knows why such mail fails.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download python3-dkim=1.1.4-1 libmail-dkim-perl=1.20230212-2~deb12u1 libcrypt-openssl-rsa-perl=0.33-3+b1 \
	libcrypt-openssl-bignum-perl=0.09-2+b1 libmailtools-perl=2.21-2 libnet-dns-perl=1.36-1+deb12u1 \
	libmail-authenticationresults-perl=2.20230112-1 libclone-perl=0.46-1 libjson-perl=4.10000-1 >/dev/null 2>&1 ||
	{ echo "the packages cannot be downloaded" >&2; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
PERL5LIB=usr/share/perl5:$(echo usr/lib/*/perl5/5.*)
export PERL5LIB
perl -MMail::DKIM::Verifier -e 1 2>/dev/null || { echo "Mail::DKIM does not load with this Perl" >&2; exit 77; }
command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 77; }
openssl genrsa -out key.pem 2048 2>/dev/null

cat >verify.pl <<'PL'
# verify.pl RECORD < MESSAGE: what Mail::DKIM says when every question to the DNS is answered with RECORD.
use strict;
use warnings;
use Mail::DKIM::Verifier;

{
	package Answer;
	sub new { bless {}, shift }
	sub type { 'TXT' }
	sub txtdata { $ARGV[0] }
	sub char_str_list { $ARGV[0] }
}
{
	no warnings qw(redefine once);
	*Mail::DKIM::DNS::query = sub { Answer->new };
	*Mail::DKIM::DNS::query_async = sub { my ($name, $type, %more) = @_; sub { $more{Callbacks}{Success}->(Answer->new) } };
}
local $/;
my $verifier = Mail::DKIM::Verifier->new;
$verifier->PRINT(scalar <STDIN>);
$verifier->CLOSE;
print $verifier->result, "\n";
PL

cat >ask.py <<'PY'
import base64
import subprocess
import sys

sys.path.insert(0, "usr/lib/python3/dist-packages")
import dkim

with open("key.pem", "rb") as f:
    key = f.read()
public = subprocess.run(["openssl", "rsa", "-in", "key.pem", "-pubout", "-outform", "DER"], capture_output=True, check=True).stdout
message = b"From: alice@example.org\r\nSubject: a report\r\n\r\ntext\r\n"
message = dkim.sign(message, b"s1", b"example.org", key, canonicalize=(b"relaxed", b"relaxed")) + message
otherwise = False
for services, by_dkimpy in (("", True), ("s=email; ", True), ("s=*; ", True), ("s=email:tlsrpt; ", False), ("s=tlsrpt:email; ", False)):
    record = "v=DKIM1; " + services + "p=" + base64.b64encode(public).decode()
    said = dkim.verify(message, dnsfunc=lambda name, timeout=5: record.encode())
    other = subprocess.run(["perl", "verify.pl", record], input=message, capture_output=True, check=True).stdout.decode().strip()
    print(f"{services or '(no s=)':18} dkimpy {said}, Mail::DKIM {other}")
    otherwise |= said != by_dkimpy or other != "pass"
sys.exit(otherwise)
PY
private=
unshare -n true 2>/dev/null || private=-r
unshare $private -n python3 ask.py || { echo "dkimpy 1.1.4 behaves otherwise now" >&2; exit 1; }
