#!/usr/bin/perl
# dkim_oracle.pl KEYS MESSAGE... - what Mail::DKIM says of messages: one line each, the result of every
# signature in the order of its fields ("none" without one). KEYS has lines NAME<tab>RECORD.
use strict;
use warnings;
use Mail::DKIM::Verifier;

my %keys;
open my $in, '<', shift or die "no keys: $!";
while (<$in>) {
	chomp;
	my ($name, $record) = split /\t/, $_, 2;
	push @{ $keys{ lc $name } }, $record;
}

{
	package Answer;
	sub new { my ($class, @strings) = @_; return bless {strings => [@strings]}, $class }
	sub type { return 'TXT' }
	sub txtdata { my $self = shift; return wantarray ? @{ $self->{strings} } : join '', @{ $self->{strings} } }
	sub char_str_list { return @{ $_[0]{strings} } }
}
{
	no warnings qw(redefine once);
	*Mail::DKIM::DNS::query = sub {
		my ($name, $type) = @_;
		return map { Answer->new($_) } @{ $keys{ lc $name } || [] };
	};
	*Mail::DKIM::DNS::query_async = sub {
		my ($name, $type, %prms) = @_;
		my $on = ($prms{Callbacks} || {})->{Success} || sub { $_[0] };
		return sub { return $on->(map { Answer->new($_) } @{ $keys{ lc $name } || [] }) };
	};
}

for my $file (@ARGV) {
	open my $message, '<:raw', $file or die "$file: $!";
	local $/;
	my $text = <$message>;
	my $line = eval {
		my $dkim = Mail::DKIM::Verifier->new(Strict => 1);
		$dkim->PRINT($text);
		$dkim->CLOSE;
		my @results = map { $_->result || 'none' } grep { ref $_ eq 'Mail::DKIM::Signature' } $dkim->signatures;
		join ' ', @results ? @results : 'none';
	};
	print "$file\t", defined $line ? $line : "died", "\n";
}
