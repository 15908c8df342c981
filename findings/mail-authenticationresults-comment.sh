#!/bin/sh
# libmail-authenticationresults-perl 2.20230112-1 (Mail::AuthenticationResults, Debian 12; Mail::DKIM reads and makes ARC fields
# by it): a parenthesis that is escaped in a comment makes the field unreadable, and a quoted local part is taken apart.
#
# RFC 8601 2.2 has the comments of RFC 5322 3.2.2: they nest, and a backslash takes the meaning from a parenthesis. Nested
# ones are read; after `\)` the parser takes the comment for closed and dies with "not expecting a string". And
# `smtp.mailfrom="odd one"@example.org` (2.2: pvalue is [local-part] "@" domain-name, RFC 5321 4.1.2 has quoted local parts)
# becomes a property of the value "odd one" and a property named @example.org with an empty value.
#
# Who writes comments takes parentheses and backslashes out of them; who reads has to catch the exception.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download libmail-authenticationresults-perl=2.20230112-1 libclone-perl=0.46-1 libjson-perl=4.10000-1 >/dev/null 2>&1 ||
	{ echo "the packages cannot be downloaded" >&2; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
PERL5LIB=usr/share/perl5:$(echo usr/lib/*/perl5/5.*)
export PERL5LIB
perl -MMail::AuthenticationResults::Parser -e 1 2>/dev/null || { echo "Mail::AuthenticationResults does not load with this Perl" >&2; exit 77; }

cat >ask.pl <<'PL'
use strict;
use warnings;
use Mail::AuthenticationResults::Parser;

my @cases = ( # the result, and what is seen of it
	['spf=pass (a (nested) comment) smtp.mailfrom=example.org', 'spf=pass (a (nested) comment) smtp.mailfrom=example.org'],
	['spf=pass (a smile :-\) here) smtp.mailfrom=example.org', 'not expecting a string'],
	['spf=pass smtp.mailfrom=odd.one@example.org', 'spf=pass smtp.mailfrom=odd.one@example.org'],
	['spf=pass smtp.mailfrom="odd one"@example.org', 'spf=pass smtp.mailfrom="odd one" @example.org=""'],
);
my $otherwise = 0;
for my $case (@cases) {
	my ($result, $seen) = @$case;
	my $said = eval { Mail::AuthenticationResults::Parser->new->parse("mx.example.net; $result")->as_string } // $@;
	$said =~ s/^mx\.example\.net;\s+//;
	$said =~ s/ at .* line \d+\.?\n//;
	print "$result\n  $said\n";
	$otherwise = 1 if $said ne $seen;
}
exit $otherwise;
PL
private=
unshare -n true 2>/dev/null || private=-r
unshare $private -n perl ask.pl || { echo "Mail::AuthenticationResults behaves otherwise now" >&2; exit 1; }
