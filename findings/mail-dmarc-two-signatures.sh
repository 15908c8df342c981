#!/bin/sh
# libmail-dmarc-perl 1.20211209-4 (Mail::DMARC, Debian 12; dmarc_receive): a received aggregate report with two signatures in a
# record is stored with the first one twice.
#
# A record has one dkim element for each signature (RFC 7489 appendix C, RFC 9990 3.1.1.11). Mail::DMARC makes one row of the
# table report_record_dkim for each, but fills every row with what the first element says. Here example.org passed and example.com
# failed; stored are two passes of example.org, so that failures of a mailing service are never seen, and its domain
# is not in the database at all. The reasons of the same record, also several, are stored as they are.
#
# Who asks that database about signatures keeps the reports; who writes reports puts the aligned pass first, as RFC 9990 3.1.3
# wants it, so that this reader has at least the one that counted.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download libmail-dmarc-perl=1.20211209-4 libclass-inspector-perl libconfig-tiny-perl libdbd-sqlite3-perl libdbi-perl \
	libdbix-simple-perl libemail-messageid-perl libemail-mime-contenttype-perl libemail-mime-encodings-perl libemail-mime-perl \
	libemail-simple-perl libfile-sharedir-perl libmodule-runtime-perl libnet-dns-perl libnet-idn-encode-perl libnet-ip-perl \
	libparams-util-perl libregexp-common-perl libsocket6-perl libtext-unidecode-perl liburi-perl libxml-libxml-perl \
	libxml-sax-base-perl >/dev/null 2>&1 ||
	{ echo "libmail-dmarc-perl 1.20211209-4 and what it needs cannot be downloaded" >&2; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
PERL5LIB=usr/share/perl5:$(echo usr/lib/*/perl5/5.*)
export PERL5LIB
perl -MMail::DMARC::Report -MDBD::SQLite -e 1 2>/dev/null || { echo "Mail::DMARC does not load with this Perl" >&2; exit 77; }

cat >mail-dmarc.ini <<'INI'
[organization]
domain = example.net
org_name = Example Net
email = reports@example.net
[report_store]
backend = SQL
dsn = dbi:SQLite:dbname=reports.sqlite
user =
pass =
INI

cat >report.xml <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<feedback>
 <version>1.0</version>
 <report_metadata><org_name>Example Com</org_name><email>reports@example.com</email><report_id>1</report_id>
  <date_range><begin>1764201600</begin><end>1764287999</end></date_range></report_metadata>
 <policy_published><domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct></policy_published>
 <record><row><source_ip>192.0.2.1</source_ip><count>5</count>
  <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf>
   <reason><type>local_policy</type><comment>one</comment></reason>
   <reason><type>mailing_list</type><comment>two</comment></reason></policy_evaluated></row>
  <identifiers><header_from>example.org</header_from></identifiers>
  <auth_results><dkim><domain>example.org</domain><selector>s1</selector><result>pass</result></dkim>
   <dkim><domain>example.com</domain><selector>s2</selector><result>fail</result></dkim>
   <spf><domain>example.net</domain><scope>mfrom</scope><result>pass</result></spf></auth_results></record>
</feedback>
XML

cat >receive.pl <<'PL'
use strict;
use warnings;
use Mail::DMARC::Report;

my $report = Mail::DMARC::Report->new;
$report->config("mail-dmarc.ini");
open my $in, "<", "report.xml" or die "report.xml: $!";
{ local $/; $report->receive->handle_body(<$in>); }
my $store = $report->store->backend;

sub rows { return join ", ", map { my $row = $_; join " ", map { $row->{$_} // "" } @_[1 .. $#_] } @{ $store->query($_[0]) } }
my $signatures = rows("SELECT d.domain, k.selector, k.result FROM report_record_dkim k JOIN domain d ON d.id = k.domain_id",
	"domain", "selector", "result");
my $reasons = rows("SELECT type, comment FROM report_record_reason", "type", "comment");
my $domain = rows("SELECT domain FROM domain WHERE domain = 'example.com'", "domain");
print "received: example.org s1 pass, example.com s2 fail\nstored: $signatures\nreasons stored: $reasons\n",
	"example.com in the database: ", $domain eq "" ? "no" : "yes", "\n";
exit !($signatures eq "example.org s1 pass, example.org s1 pass" && $reasons eq "local_policy one, mailing_list two" && $domain eq "");
PL
private=
unshare -n true 2>/dev/null || private=-r
unshare $private -n perl receive.pl || { echo "Mail::DMARC 1.20211209 behaves otherwise now" >&2; exit 1; }
