/*
 * test_feedback.c - reports of others are read as they were meant, whatever their namespace and habits; what is not a
 * report is skipped with the reason.
 */
#include "feedback_scene.h"

static const char *const documents[][3] = {
    {"without a namespace", "<feedback>" METADATA POLICY RECORD "</feedback>", TOLD REPORT "0\n"},
    {"with a declaration and a byte order mark",
     "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<feedback>" METADATA POLICY RECORD "</feedback>\n",
     TOLD REPORT "0\n"},
    {"RFC 9990",
     "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\"><version>1.0</version>" METADATA POLICY RECORD "</feedback>",
     TOLD REPORT "0\n"},
    {"the draft, with a prefix",
     "<ns1:feedback xmlns:ns1='http://dmarc.org/dmarc-xml/0.1'>" METADATA POLICY RECORD "</ns1:feedback>",
     TOLD REPORT "0\n"},
    {"a namespace of its own", "<feedback xmlns=\"http://receiver.example/x\">" METADATA POLICY RECORD "</feedback>",
     TOLD REPORT "1\n"},
    {"the policy after the records", "<feedback>" RECORD POLICY METADATA "</feedback>", TOLD REPORT "0\n"},
    {"the parts of a record in another order",
     "<feedback>" METADATA POLICY "<record>" RESULTS AUTHOR ROW("192.0.2.1", "3", PASSES) "</record></feedback>",
     TOLD REPORT "0\n"},
    {"identities, as in the drafts",
     "<feedback>" METADATA POLICY
     "<record>" ROW("192.0.2.1", "3", PASSES) "<identities><header_from>example.org</header_from></identities>" RESULTS
					      "</record></feedback>",
     TOLD REPORT "0\n"},
    {"extensions with elements of the same names",
     "<feedback xmlns:x=\"http://x.example/\">" METADATA POLICY "<x:record><row/></x:record><record>"
     "<x:row><source_ip>198.51.100.1</source_ip></x:row>" ROW("192.0.2.1", "3", PASSES) AUTHOR RESULTS
     "<more><row><count>7</count></row></more></record></feedback>",
     TOLD REPORT "0\n"},
    {"what may be there once is there twice: the first counts",
     "<feedback>" METADATA POLICY "<policy_published><domain>other.example</domain><p>reject</p></policy_published>"
     "<record>" ROW("192.0.2.1", "3", PASSES) ROW("192.0.2.9", "4", PASSES) AUTHOR RESULTS "</record></feedback>",
     TOLD REPORT "0\n"},
    {"upper case, blanks, trailing dots",
     "<feedback>" METADATA "<policy_published><domain> Example.ORG.\n</domain><p>none</p></policy_published><record>"
     "<row><source_ip> 192.0.2.1 </source_ip><count> 3 </count><policy_evaluated><disposition>None</disposition>"
     "<dkim>PASS</dkim><spf>Fail</spf></policy_evaluated></row><identifiers><header_from>EXAMPLE.org."
     "</header_from></identifiers></record></feedback>",
     "192.0.2.1 3 none 1 0 0 example.org\n" REPORT "0\n"},
    {"CDATA and character references",
     "<feedback>" METADATA POLICY "<record>" ROW("192.0.2.&#49;", "<![CDATA[3]]>", PASSES) AUTHOR RESULTS
     "</record></feedback>",
     TOLD REPORT "0\n"},
    {"remains after the root element", "<feedback>" METADATA POLICY RECORD "</feedback>\n\n--\nbye <",
     TOLD REPORT "0\n"},
    /* dispositions and aligned results */
    {"disposition pass", WITH("<disposition>pass</disposition><dkim>pass</dkim><spf>pass</spf>"),
     "192.0.2.1 3 none 1 1 0 example.org\n" REPORT "0\n"},
    {"disposition unknown", WITH("<disposition>unknown</disposition><dkim>fail</dkim><spf>fail</spf>"),
     "192.0.2.1 3 ? 0 0 0 example.org\n" REPORT "2\n"},
    {"no disposition", WITH("<dkim>fail</dkim><spf>fail</spf>"), "192.0.2.1 3 ? 0 0 0 example.org\n" REPORT "0\n"},
    {"the result of SPF in place of the aligned one",
     WITH("<disposition>reject</disposition><dkim>neutral</dkim><spf>hardfail</spf>"),
     "192.0.2.1 3 reject 0 0 0 example.org\n" REPORT "0\n"},
    {"reasons, also the removed ones",
     WITH(PASSES "<reason><type>mailing_list</type></reason><reason><type>Forwarded</type><comment/></reason>"),
     "192.0.2.1 3 none 1 0 3 example.org\n" REPORT "0\n"},
    {"ARC in a comment", WITH(PASSES "<reason><comment>as[1] arc=pass</comment><type>local_policy</type></reason>"),
     "192.0.2.1 3 none 1 0 5 example.org\n" REPORT "0\n"},
    {"another reason", WITH(PASSES "<reason><type>whim</type></reason>"),
     "192.0.2.1 3 none 1 0 16 example.org\n" REPORT "2\n"},
    {"sampled out", WITH("<disposition>none</disposition><reason><type>sampled_out</type></reason>"),
     "192.0.2.1 3 none 0 0 8 example.org\n" REPORT "0\n"},
    /* results */
    {"temperror twice, no selector",
     AUTHED("<dkim><domain>example.org</domain><result>temperror</result></dkim>"
	    "<dkim><domain>example.org</domain><result>temperror</result></dkim>"),
     "192.0.2.1 3 none 1 0 0 example.org dkim=example.org:temperror dkim=example.org:temperror\n" REPORT "0\n"},
    {"SPF before DKIM, twice, with the scope helo",
     AUTHED("<spf><domain>mail.example</domain><scope>helo</scope><result>pass</result></spf>"
	    "<spf><domain>Bounce.example</domain><scope>mfrom</scope><result>hardfail</result></spf>"
	    "<dkim><domain>x.example</domain><result>invalid</result></dkim>"),
     "192.0.2.1 3 none 1 0 0 example.org dkim=x.example:permerror spf=mail.example:pass "
     "spf=bounce.example:fail\n" REPORT "0\n"},
    {"words of SPF before RFC 7208",
     AUTHED("<spf><domain>a.example</domain><result>unknown</result></spf>"
	    "<spf><domain>b.example</domain><result>error</result></spf>"),
     "192.0.2.1 3 none 1 0 0 example.org spf=a.example:permerror spf=b.example:temperror\n" REPORT "0\n"},
    {"a result that nobody knows, and empty ones",
     AUTHED("<dkim><domain>a.example</domain><result>maybe</result></dkim><dkim/>"
	    "<dkim><domain/><result>none</result></dkim>"),
     "192.0.2.1 3 none 1 0 0 example.org dkim=a.example:? dkim=:none\n" REPORT "2\n"},
    /* sources, counts, times */
    {"IPv6", SOURCE("2001:DB8::1", "1"), "2001:db8::1 1 none 1 0 0 example.org\n" REPORT "0\n"},
    {"IPv6 in brackets", SOURCE("[2001:db8::1]", "1"), "2001:db8::1 1 none 1 0 0 example.org\n" REPORT "0\n"},
    {"a source that is not an address", SOURCE("192r.0.2.1", "1"), " 1 none 1 0 0 example.org\n" REPORT "4\n"},
    {"no source", SOURCE("", "1"), " 1 none 1 0 0 example.org\n" REPORT "4\n"},
    {"a count with a fraction", SOURCE("192.0.2.1", "2.0"), "192.0.2.1 2 none 1 0 0 example.org\n" REPORT "0\n"},
    {"a negative count", SOURCE("192.0.2.1", "-5"),
     "receiver.example r1 1795651200-1795737599 example.org p=none 0 notes=8\n"},
    {"a count that nobody has", SOURCE("192.0.2.1", "1000000000001"),
     "receiver.example r1 1795651200-1795737599 example.org p=none 0 notes=8\n"},
    {"times with a fraction", PERIOD("1795651200.0", "1795737599.00"),
     "o i 1795651200-1795737599 example.org p=none 0 notes=0\n"},
    {"times in milliseconds", PERIOD("1795651200000", "1795737599999"),
     "o i 1795651200-1795737599 example.org p=none 0 notes=0\n"},
    {"times of RFC 3339", PERIOD("2026-11-26T00:00:00Z", "2026-11-26 23:59:59"),
     "o i 1795651200-1795737599 example.org p=none 0 notes=0\n"},
    {"times that are none", PERIOD("yesterday", "1795737599"), "o i 0-0 example.org p=none 0 notes=16\n"},
    {"a period that ends before it begins", PERIOD("1795737599", "1795651200"),
     "o i 1795737599-1795651200 example.org p=none 0 notes=16\n"},
    {"no report id, no period, no organization", "<feedback>" POLICY RECORD "</feedback>",
     TOLD "  0-0 example.org p=none 1 notes=48\n"},
    /* refused */
    {"no domain", "<feedback>" METADATA RECORD "</feedback>",
     "skipped : it does not name the domain that it is about\n"},
    {"another root element", "<html><body>hello</body></html>",
     "skipped : it is not a DMARC report: its root element is not <feedback>\n"},
    {"an end that is missing", "<feedback>" METADATA POLICY RECORD,
     "skipped : the report ends early, before </feedback>\n"},
    {"an external document type", "<!DOCTYPE feedback SYSTEM \"file:///etc/passwd\"><feedback/>",
     "skipped : it has a document type (DOCTYPE), which attacks with entities need and reports do not have\n"},
    {"entities in entities",
     "<?xml version=\"1.0\"?><!DOCTYPE feedback [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b "
     "\"&a;&a;\">]><feedback>&b;</feedback>",
     "skipped : it has a document type (DOCTYPE), which attacks with entities need and reports do not have\n"},
    {"an entity that nobody declared", "<feedback>" METADATA "&lol;</feedback>",
     "skipped : it is not correct XML: line 1: Entity 'lol' not defined\n"},
    {"neither", "hello, world\n", "skipped : it is neither XML, JSON, gzip, zip, a message nor a mailbox\n"},
    {"nothing", "", "skipped : it is empty\n"},
    /* TLS reports */
    {"a TLS report",
     "{\"organization-name\":\"Receiver\",\"report-id\":\"t1\",\"date-range\":{\"start-datetime\":"
     "\"2026-11-26T00:00:00Z\",\"end-datetime\":\"2026-11-26T23:59:59Z\"},\"policies\":[{\"policy\":{\"policy-type\":"
     "\"sts\",\"policy-domain\":\"Example.org\"},\"summary\":{\"total-successful-session-count\":5,"
     "\"total-failure-session-count\":\"2\"},\"failure-details\":[{\"result-type\":\"certificate-expired\","
     "\"receiving-mx-hostname\":\"MX.example.org\",\"failed-session-count\":2}]},{\"policy\":3}]}",
     "tls Receiver t1 1795651200-1795737599 example.org/sts 5 2 certificate-expired@mx.example.org:2 / 0 0\n"},
    {"another JSON", "{\"a\": [1, 2]}", "skipped : it is JSON, but not a TLS report (RFC 8460): it has no policies\n"},
    {"broken JSON", "{\"policies\": [", "skipped : it is not correct JSON: line 1: ']' expected near end of file\n"},
};

static void documents_are_read_as_they_were_meant(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
		expect(documents[i][0], slice_of(documents[i][1]), documents[i][2]);
}

static void utf_16_is_read(void **state)
{
	static const char report[] = "<feedback>" METADATA POLICY RECORD "</feedback>";
	char wide[2 * sizeof(report) + 2] = "\xff\xfe";

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(report); i++) {
		wide[2 + 2 * i] = report[i];
		wide[3 + 2 * i] = '\0';
	}
	expect("UTF-16", (struct slice){wide, 2 * sizeof(report)}, TOLD REPORT "0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(documents_are_read_as_they_were_meant),
	    cmocka_unit_test(utf_16_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
