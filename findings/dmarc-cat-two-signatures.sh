#!/bin/sh
# dmarc-cat 0.15.0-1+b4 (Debian 12): of a record with several DKIM results it shows the last one only, so that aligned mail
# looks as if it had failed.
#
# A record of an aggregate report has one dkim element for each signature (RFC 7489 appendix C, RFC 9990 3.1.1.11), and
# RFC 9990 3.1.3 wants the aligned passes first. dmarc-cat prints one line for a record, with one domain (RFrom) and one
# result (RDKIM): those of the last element. For mail signed by the author's domain (pass) and by a mailing service (fail)
# the line says example.com and "fail", while the report says dkim=pass in policy_evaluated, which is not shown. In the
# other order the same mail is shown as passed.
#
# Who looks for lost mail in its output has to look into the report; who writes reports cannot help it, since the order is set.
set -eu

version=0.15.0-1+b4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download "dmarc-cat=$version" >/dev/null 2>&1 || { echo "dmarc-cat $version cannot be downloaded" >&2; exit 77; }
dpkg -x dmarc-cat_*.deb .

report() { # DKIM-ELEMENTS
	cat <<XML
<?xml version="1.0" encoding="UTF-8"?>
<feedback>
 <report_metadata><org_name>Example Net</org_name><email>reports@example.net</email><report_id>1</report_id>
  <date_range><begin>1764201600</begin><end>1764287999</end></date_range></report_metadata>
 <policy_published><domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct></policy_published>
 <record><row><source_ip>192.0.2.1</source_ip><count>5</count>
  <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
  <identifiers><header_from>example.org</header_from></identifiers>
  <auth_results>$1<spf><domain>example.com</domain><result>pass</result></spf></auth_results></record>
</feedback>
XML
}

own='<dkim><domain>example.org</domain><selector>s1</selector><result>pass</result></dkim>'
other='<dkim><domain>example.com</domain><selector>s2</selector><result>fail</result></dkim>'
otherwise=0
private=
unshare -n true 2>/dev/null || private=-r

shown() { # NAME DKIM-ELEMENTS SEEN: the line of the record, without white space
	report "$2" >'example.net!example.org!1764201600!1764287999.xml'
	line=$(unshare $private -n usr/bin/dmarc-cat -N 'example.net!example.org!1764201600!1764287999.xml' |
		grep '^192\.0\.2\.1' | tr -s ' ' | sed 's/ $//')
	printf '%s\n  IP Count From RFrom RDKIM RSPF\n  %s\n' "$1" "$line"
	[ "$line" = "$3" ] || otherwise=1
}

shown "example.org pass, example.com fail" "$own$other" "192.0.2.1 5 example.org example.com fail pass"
shown "example.com fail, example.org pass" "$other$own" "192.0.2.1 5 example.org example.org pass pass"
[ $otherwise = 0 ] || { echo "dmarc-cat $version behaves otherwise now" >&2; exit 1; }
