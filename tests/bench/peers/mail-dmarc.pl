#!/usr/bin/perl
# mail-dmarc.pl DIRECTORY MESSAGES ROWS DOMAINS - the day of bench_reports for Mail::DMARC (package libmail-dmarc-perl) with
# SQLite: prints the seconds of processor time that storing the messages took, and making the reports; and how many reports
# and rows.
use strict;
use warnings;

my ($directory, $messages, $rows, $domains) = @ARGV;
my ($now, $day) = (time, 86400);
my $config = "$directory/mail-dmarc.ini";

open(my $file, '>', $config) or die "$config: $!";
print $file <<"EOF";
[organization]
domain = mx.example.org
org_name = Example Ltd
email = dmarc\@mx.example.org
extra_contact_info = https://example.org/dmarc
[report_store]
backend = SQL
dsn = dbi:SQLite:dbname=$directory/reports.sqlite
user =
pass =
[dns]
timeout = 1
public_suffix_list = /usr/share/publicsuffix/public_suffix_list.dat
[dmarc]
backend = perl
EOF
close($file);
$ENV{MAIL_DMARC_CONFIG_FILE} = $config;

require Mail::DMARC::Base;
require Mail::DMARC::Policy;
require Mail::DMARC::Report;
require Mail::DMARC::Report::Aggregate::Record;
require IO::Compress::Gzip;

sub used { # processor time: what the disk does is left out
	my ($user, $system) = times;

	return $user + $system;
}

sub record {
	my ($row) = @_;
	my ($domain, $number) = ($row % $domains, int($row / $domains));
	my $name = sprintf('d%05d.example.org', $domain);
	my $fails = $row % 10 == 0;

	return ($name, Mail::DMARC::Report::Aggregate::Record->new(
		identifiers => { header_from => $name, envelope_from => $name },
		auth_results => {
			dkim => [ { domain => $name, selector => 's1', result => $fails ? 'fail' : 'pass' } ],
			spf => [ { domain => $name, scope => 'mfrom', result => $fails ? 'softfail' : 'pass' } ],
		},
		row => {
			source_ip => join('.', 10, $row % 250, $number % 250, int($number / 250) % 250),
			policy_evaluated => { disposition => 'none', dkim => $fails ? 'fail' : 'pass', spf => $fails ? 'fail' : 'pass' },
		}));
}

my $from = used();
for my $i (0 .. $messages - 1) {
	my ($name, $record) = record($i * 2654435761 % $rows);
	my $report = Mail::DMARC::Report->new;
	my $aggregate = $report->aggregate;

	$aggregate->metadata->org_name('Example Ltd');
	$aggregate->metadata->email('dmarc@mx.example.org');
	$aggregate->metadata->begin($now);
	$aggregate->metadata->end($now + $day);
	$aggregate->policy_published(Mail::DMARC::Policy->new(
		"v=DMARC1; p=reject; domain=$name; rua=mailto:dmarc\@$name"));
	$aggregate->record($record);
	$report->save_aggregate;
}
printf("%.3f ", used() - $from);

{
	no warnings qw(redefine once);
	*Mail::DMARC::Base::time = sub { return $now + 2 * $day };
}
my ($made, $written) = (0, 0);
my $store = Mail::DMARC::Report->new->store;
$from = used();
while (defined(my $report = $store->next_todo)) {
	my ($xml, $gz) = ($report->as_xml);

	IO::Compress::Gzip::gzip(\$xml => \$gz) or die 'gzip';
	$written += () = $xml =~ /<record>/g;
	$made++;
}
printf("%.3f %d %d\n", used() - $from, $made, $written);
