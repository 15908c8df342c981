#!/usr/bin/perl
# arc_oracle.pl verify KEYS MESSAGE... - what Mail::DKIM says of the chains of messages: "MESSAGE<tab>RESULT", one line each.
# KEYS has lines NAME<tab>RECORD.
# arc_oracle.pl seal KEY DOMAIN SELECTOR CHAIN < MESSAGE - the set of fields that it puts on top.
use strict;
use warnings;
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::ARC::Signer;

my %keys;

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

sub verify {
	open my $in, '<', shift or die "no keys: $!";
	while (<$in>) {
		chomp;
		my ($name, $record) = split /\t/, $_, 2;
		push @{ $keys{ lc $name } }, $record;
	}
	for my $file (@_) {
		open my $message, '<:raw', $file or die "$file: $!";
		local $/;
		my $text = <$message>;
		my $line = eval {
			my $arc = Mail::DKIM::ARC::Verifier->new(Strict => 1);
			$arc->PRINT($text);
			$arc->CLOSE;
			$arc->result;
		};
		print "$file\t", defined $line ? $line : 'died', "\n";
	}
}

sub seal {
	my ($key, $domain, $selector, $chain) = @_;
	my $signer = Mail::DKIM::ARC::Signer->new(Algorithm => 'rsa-sha256', Chain => $chain, Domain => $domain,
		SrvId => 'mx.example.net', Selector => $selector, KeyFile => $key);
	binmode STDIN;
	local $/;
	$signer->PRINT(scalar <STDIN>);
	$signer->CLOSE;
	die $signer->result_detail unless $signer->result eq 'sealed';
	print $signer->as_string;
}

my $mode = shift;
$mode eq 'verify' ? verify(@ARGV) : seal(@ARGV);
