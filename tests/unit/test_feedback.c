/*
 * test_feedback.c - reports of others are read as they were meant, whatever their namespace and habits; what is not a
 * report, or breaks a bound, is skipped with the reason.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "feedback.h"
#include <stdlib.h>
#include <zlib.h>

/* ---- what comes out, as a text --------------------------------------------------------- */

static const char *const result_names[] = {"none",    "pass",      "fail",      "softfail", "policy",
					   "neutral", "temperror", "permerror", "?"};
static const char *const disposition_names[] = {"none", "quarantine", "reject", "?"};

/* Records that are not followed by their report do not count: they are taken back. */
struct scene {
	struct text text;
	size_t counted;
};

static void told_auth(struct text *told, const char *what, const struct feedback_auth *results, size_t count)
{
	for (size_t i = 0; i < count; i++)
		text_printf(told, " %s=%.*s:%s", what, SLICE_ARGS(results[i].domain), result_names[results[i].result]);
}

static void told_record(void *context, const struct feedback_record *record)
{
	struct text *told = &((struct scene *)context)->text;
	char buffer[IP_TEXT];

	text_printf(told, "%.*s %llu %s %d %d %u %.*s", SLICE_ARGS(ip_print(record->source, buffer)),
		    (unsigned long long)record->count, disposition_names[record->disposition], record->dkim,
		    record->spf, record->reasons, SLICE_ARGS(record->header_from));
	told_auth(told, "dkim", record->dkim_results, record->dkim_count);
	told_auth(told, "spf", record->spf_results, record->spf_count);
	text_add_char(told, '\n');
}

static void told_report(void *context, const struct feedback_report *report)
{
	struct scene *scene = context;

	text_printf(&scene->text, "%.*s %.*s %lld-%lld %.*s p=%.*s %llu notes=%u\n", SLICE_ARGS(report->org),
		    SLICE_ARGS(report->id), (long long)report->begin_s, (long long)report->end_s,
		    SLICE_ARGS(report->domain), SLICE_ARGS(report->p), (unsigned long long)report->records,
		    report->notes);
	scene->counted = scene->text.n;
}

static void told_tls(void *context, const struct feedback_tls *report)
{
	struct scene *scene = context;

	text_printf(&scene->text, "tls %.*s %.*s %lld-%lld", SLICE_ARGS(report->org), SLICE_ARGS(report->id),
		    (long long)report->begin_s, (long long)report->end_s);
	for (size_t i = 0; i < report->policy_count; i++) {
		const struct feedback_tls_policy *policy = &report->policies[i];

		text_printf(&scene->text, " %.*s/%.*s %llu %llu", SLICE_ARGS(policy->domain), SLICE_ARGS(policy->type),
			    (unsigned long long)policy->good, (unsigned long long)policy->failed);
		for (size_t j = 0; j < policy->failure_count; j++)
			text_printf(&scene->text, " %.*s@%.*s:%llu", SLICE_ARGS(policy->failures[j].type),
				    SLICE_ARGS(policy->failures[j].mx),
				    (unsigned long long)policy->failures[j].sessions);
	}
	text_add_char(&scene->text, '\n');
	scene->counted = scene->text.n;
}

static void told_skipped(void *context, struct slice where, struct slice why)
{
	struct scene *scene = context;

	scene->text.n = scene->counted;
	text_printf(&scene->text, "skipped %.*s: %.*s\n", SLICE_ARGS(where), SLICE_ARGS(why));
	scene->counted = scene->text.n;
}

static void told_message(void *context, unsigned reports)
{
	struct scene *scene = context;

	text_printf(&scene->text, "message %u\n", reports);
	scene->counted = scene->text.n;
}

/* Read in pieces of `piece` bytes. */
static struct slice read_pieces(struct slice input, size_t piece, struct arena *arena)
{
	struct scene *scene = arena_alloc(arena, sizeof(*scene));
	struct feedback_take take = {scene, told_record, told_report, told_tls, told_skipped, told_message};
	struct feedback *feedback = feedback_open(&take);

	text_init(&scene->text, arena, 1 << 20);
	while (input.n > 0 && feedback_bytes(feedback, slice_head(input, piece)))
		input = slice_from(input, piece);
	feedback_end(feedback);
	return text_slice(&scene->text);
}

static void expect(const char *name, struct slice input, const char *wanted)
{
	static const size_t pieces[] = {65536, 7, 1};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct arena *arena = arena_new();
		struct slice told = read_pieces(input, pieces[i], arena);

		if (!slice_equal(told, slice_of(wanted)))
			fail_msg("%s, in pieces of %zu:\n%.*s, not\n%s", name, pieces[i], SLICE_ARGS(told), wanted);
		arena_free(arena);
	}
}

/* ---- XML ----------------------------------------------------------------------------------- */

#define METADATA                                                                                                       \
	"<report_metadata><org_name>receiver.example</org_name><email>a@receiver.example</email>"                      \
	"<report_id>r1</report_id><date_range><begin>1795651200</begin><end>1795737599</end></date_range>"             \
	"</report_metadata>"
#define POLICY "<policy_published><domain>example.org</domain><p>none</p></policy_published>"
#define ROW(source, count, evaluated)                                                                                  \
	"<row><source_ip>" source "</source_ip><count>" count "</count><policy_evaluated>" evaluated                   \
	"</policy_evaluated></row>"
#define PASSES "<disposition>none</disposition><dkim>pass</dkim><spf>fail</spf>"
#define AUTHOR "<identifiers><header_from>example.org</header_from></identifiers>"
#define RESULTS                                                                                                        \
	"<auth_results><dkim><domain>example.org</domain><selector>s</selector><result>pass</result></dkim>"           \
	"<spf><domain>bounce.example</domain><result>softfail</result></spf></auth_results>"
#define RECORD "<record>" ROW("192.0.2.1", "3", PASSES) AUTHOR RESULTS "</record>"
#define REPORT "receiver.example r1 1795651200-1795737599 example.org p=none 1 notes="
#define TOLD   "192.0.2.1 3 none 1 0 0 example.org dkim=example.org:pass spf=bounce.example:softfail\n"
#define WITH(evaluated)                                                                                                \
	"<feedback>" METADATA POLICY "<record>" ROW("192.0.2.1", "3", evaluated) AUTHOR "</record></feedback>"
#define AUTHED(results)                                                                                                \
	"<feedback>" METADATA POLICY "<record>" ROW("192.0.2.1", "3", PASSES) AUTHOR                                   \
	    "<auth_results>" results "</auth_results></record></feedback>"
#define SOURCE(source, count)                                                                                          \
	"<feedback>" METADATA POLICY "<record>" ROW(source, count, PASSES) AUTHOR "</record></feedback>"
#define PERIOD(begin, end)                                                                                             \
	"<feedback><report_metadata><org_name>o</org_name><report_id>i</report_id><date_range><begin>" begin           \
	"</begin><end>" end "</end></date_range></report_metadata>" POLICY "</feedback>"

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

/* ---- archives -------------------------------------------------------------------------------- */

static const char plain[] = "<feedback>" METADATA POLICY RECORD "</feedback>";

static struct slice deflated(struct slice text, int window_bits, struct arena *arena)
{
	z_stream stream = {0};
	size_t room = text.n + 1000;
	unsigned char *out = arena_raw(arena, room);

	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = (Bytef *)(uintptr_t)text.p;
	stream.avail_in = (uInt)text.n;
	stream.next_out = out;
	stream.avail_out = (uInt)room;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return (struct slice){(char *)out, stream.total_out};
}

static struct slice gzipped(struct slice text, struct arena *arena)
{
	return deflated(text, 15 + 16, arena);
}

static void put_number(struct text *out, uint32_t number, unsigned bytes)
{
	for (; bytes-- > 0; number >>= 8)
		text_add_char(out, (char)number);
}

enum descriptor { KNOWN, DESCRIBED, UNSIGNED, DESCRIBED_64 };

static void put_entry(struct text *out, const char *name, struct slice data, struct slice packed, unsigned method,
		      unsigned flags, enum descriptor descriptor)
{
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)data.p, (uInt)data.n);
	bool known = descriptor == KNOWN;

	text_add(out, (struct slice){"PK\3\4\24\0", 6});
	put_number(out, flags | (known ? 0 : 8), 2);
	put_number(out, method, 2);
	put_number(out, 0, 4);
	put_number(out, known ? crc : 0, 4);
	put_number(out, known ? (uint32_t)packed.n : 0, 4);
	put_number(out, known ? (uint32_t)data.n : 0, 4);
	put_number(out, (uint32_t)strlen(name), 2);
	put_number(out, 3, 2);
	text_add(out, slice_of(name));
	text_add(out, SLICE("ext"));
	text_add(out, packed);
	if (known)
		return;
	if (descriptor != UNSIGNED)
		text_add(out, SLICE("PK\7\10"));
	put_number(out, crc, 4);
	put_number(out, (uint32_t)packed.n, 4);
	put_number(out, descriptor == DESCRIBED_64 ? 0 : (uint32_t)data.n, 4);
	if (descriptor == DESCRIBED_64) {
		put_number(out, (uint32_t)data.n, 4);
		put_number(out, 0, 4);
	}
}

static void gzip_is_unpacked(void **state)
{
	struct arena *arena = arena_new();
	struct slice half = slice_head(slice_of(plain), 100), rest = slice_from(slice_of(plain), 100);
	struct slice one = gzipped(slice_of(plain), arena);
	struct slice two = arena_join(arena, gzipped(half, arena), gzipped(rest, arena));
	char *bad = arena_cstring(arena, one);

	(void)state;
	expect("one member", one, TOLD REPORT "0\n");
	expect("two members", two, TOLD REPORT "0\n");
	expect("padding", arena_join(arena, one, (struct slice){"\0\0\0\0", 4}), TOLD REPORT "0\n");
	expect("cut", slice_head(one, one.n - 5), "skipped : the gzip data ends early\n");
	memcpy(bad, one.p, one.n);
	bad[one.n - 8] ^= 1;
	expect("the check sum", (struct slice){bad, one.n}, "skipped : the archive is damaged: incorrect data check\n");
	expect("gzip in gzip", gzipped(one, arena),
	       "skipped : it is an archive in an archive, which is not unpacked\n");
	expect("mail in gzip", gzipped(SLICE("From: a@example.org\n\nhello\n"), arena),
	       "skipped : the archive holds neither XML nor JSON\n");
	arena_free(arena);
}

static void zip_is_unpacked(void **state)
{
	static const char *const wanted[] = {TOLD REPORT "0\n", TOLD REPORT "0\n", TOLD REPORT "0\n",
					     TOLD REPORT "0\n"};
	struct arena *arena = arena_new();
	struct slice data = slice_of(plain), packed = deflated(data, -15, arena);

	(void)state;
	for (unsigned i = KNOWN; i <= DESCRIBED_64; i++) {
		struct text out;

		text_init(&out, arena, 1 << 20);
		put_entry(&out, "dir/", SLICE(""), SLICE(""), 0, 0, KNOWN);
		put_entry(&out, "dir/report.xml", data, packed, 8, 0, (enum descriptor)i);
		put_entry(&out, "__MACOSX/._report.xml", SLICE("x"), SLICE("x"), 0, 0, KNOWN);
		text_add(&out, SLICE("PK\1\2 and the directory"));
		expect("zip", text_slice(&out), wanted[i]);
	}
	arena_free(arena);
}

static void two_reports_in_a_zip_are_read(void **state)
{
	struct arena *arena = arena_new();
	struct slice data = slice_of(plain);
	struct text out;

	(void)state;
	text_init(&out, arena, 1 << 20);
	put_entry(&out, "1", data, data, 0, 0, KNOWN);
	put_entry(&out, "2", data, deflated(data, -15, arena), 8, 0, DESCRIBED_64);
	put_entry(&out, "3", data, data, 0, 0, KNOWN);
	expect("three", text_slice(&out), TOLD REPORT "0\n" TOLD REPORT "0\n" TOLD REPORT "0\n");
	arena_free(arena);
}

static void zips_that_cannot_be_read_say_why(void **state)
{
	struct arena *arena = arena_new();
	struct slice data = slice_of(plain), packed = deflated(data, -15, arena);
	const struct {
		const char *why;
		struct slice data, packed;
		unsigned method, flags;
		enum descriptor descriptor;
	} cases[] = {
	    {"skipped : the zip file is encrypted\n", data, packed, 8, 1, KNOWN},
	    {"skipped : the zip file uses method 12; only deflate is read\n", data, packed, 12, 0, KNOWN},
	    {"skipped : the zip file does not tell the size of what it holds\n", data, data, 0, 0, DESCRIBED},
	    {"skipped : the zip file is damaged: its check sum is wrong\n", SLICE("other"), packed, 8, 0, KNOWN},
	    {"skipped : it is an archive in an archive, which is not unpacked\n", packed, gzipped(data, arena), 0, 0,
	     KNOWN},
	    {"skipped : the zip file is empty\n", SLICE(""), SLICE(""), 0, 0, KNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool directory = cases[i].data.n == 0;
		struct text out;

		text_init(&out, arena, 1 << 20);
		put_entry(&out, directory ? "dir/" : "report", cases[i].data, cases[i].packed, cases[i].method,
			  cases[i].flags, cases[i].descriptor);
		expect(cases[i].why, text_slice(&out), cases[i].why);
	}
	expect("cut", SLICE("PK\3\4\24"), "skipped : the zip file ends early\n");
	arena_free(arena);
}

/* ---- mail --------------------------------------------------------------------------------------- */

#define HEAD "From: a@receiver.example\nSubject: Report Domain: example.org\nMIME-Version: 1.0\n"

static struct slice mail_of(const char *type, const char *encoding, struct slice body, struct arena *arena)
{
	return arena_join(arena, SLICE(HEAD "Content-Type: "), slice_of(type), SLICE("\nContent-Transfer-Encoding: "),
			  slice_of(encoding), SLICE("\n\n"), body);
}

/* In lines, as mail has it. */
static struct slice base64(struct slice bytes, struct arena *arena)
{
	struct slice all = base64_encode(bytes, arena);
	struct text out;

	text_init(&out, arena, 1 << 20);
	for (; all.n > 0; all = slice_from(all, 76)) {
		text_add(&out, slice_head(all, 76));
		text_add(&out, SLICE("\r\n"));
	}
	return text_slice(&out);
}

static void reports_are_found_in_mail(void **state)
{
	struct arena *arena = arena_new();
	struct slice zipped = base64(gzipped(slice_of(plain), arena), arena);
	struct slice parts = arena_join(
	    arena,
	    SLICE(HEAD "Content-Type: multipart/mixed;\n boundary=\"b 1\"\n\npreamble\n--b 1\n\nSee below.\n--b 1\n"
		       "Content-Type: application/octet-stream; name=x y.gz\nContent-Transfer-Encoding: BASE64\n\n"),
	    zipped, SLICE("--b 1--\nepilogue\n"));
	struct slice forwarded = arena_join(
	    arena, SLICE("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"), parts,
	    SLICE("\n--b--\n"));
	struct slice box = arena_join(arena, SLICE("From a@b Thu Nov 26 00:00:00 2026\n"), parts,
				      SLICE("\nFrom x y\n" HEAD "\nhello\n\n"), SLICE("From x y\n"),
				      mail_of("application/gzip", "base64", zipped, arena));

	(void)state;
	expect("a single part", mail_of("application/gzip", "base64", zipped, arena), TOLD REPORT "0\nmessage 1\n");
	expect("XML as it is", mail_of("text/xml", "8bit", slice_of(plain), arena), TOLD REPORT "0\nmessage 1\n");
	expect("in text/plain", mail_of("text/plain", "7bit", slice_of(plain), arena), TOLD REPORT "0\nmessage 1\n");
	expect("quoted-printable",
	       mail_of("application/xml", "quoted-printable",
		       SLICE("<feedback>" METADATA POLICY "<rec=6Frd>" ROW("192.=\r\n0.2.1", "=33", PASSES) AUTHOR
			     "= \t\r\n" RESULTS "</record></fee=\ndback>\n"),
		       arena),
	       TOLD REPORT "0\nmessage 1\n");
	expect("several parts", parts, TOLD REPORT "0\nmessage 1\n");
	expect("forwarded", forwarded, TOLD REPORT "0\nmessage 1\n");
	expect("a mailbox", box, TOLD REPORT "0\nmessage 1\nmessage 0\n" TOLD REPORT "0\nmessage 1\n");
	expect("in a line of its own",
	       mail_of("application/gzip", "base64",
		       arena_join(arena, base64_encode(gzipped(slice_of(plain), arena), arena), SLICE("\n")), arena),
	       TOLD REPORT "0\nmessage 1\n");
	expect("XHTML", SLICE(HEAD "Content-Type: text/html\n\n<?xml version=\"1.0\"?><html></html>\n"), "message 0\n");
	expect("From in a text",
	       arena_join(arena, SLICE("From a\n" HEAD "\nhello\nFrom here on\nthere is nothing\n\n>From b\n")),
	       "message 0\n");
	expect(
	    "after the end",
	    arena_join(arena, parts, SLICE("--b 1\nContent-Type: text/xml\n\n"), slice_of(plain), SLICE("\n--b 1--\n")),
	    TOLD REPORT "0\nmessage 1\n");
	expect("no report", SLICE(HEAD "Content-Type: text/html\n\n<html></html>\n"), "message 0\n");
	arena_free(arena);
}

static void what_is_wrong_with_a_message_is_told(void **state)
{
	struct arena *arena = arena_new();
	struct slice zipped = base64(gzipped(slice_of(plain), arena), arena);
	struct slice box =
	    arena_join(arena, SLICE("From a\n"), mail_of("application/gzip", "base64", slice_head(zipped, 76), arena),
		       SLICE("\n\nFrom b\n"), mail_of("application/gzip", "base64", zipped, arena));

	(void)state;
	expect("a cut attachment", box,
	       "skipped message 1: the gzip data ends early\nmessage 1\n" TOLD REPORT "0\nmessage 1\n");
	expect("broken base64", mail_of("application/gzip", "base64", SLICE("H4sI!!!!\n"), arena),
	       "skipped : its base64 is damaged\nmessage 1\n");
	expect("base64 that is cut in a group", mail_of("application/gzip", "base64", SLICE("H4sIA\n"), arena),
	       "skipped : its base64 is damaged\nmessage 1\n");
	arena_free(arena);
}

/* ---- bounds ---------------------------------------------------------------------------------------- */

static struct slice repeat(const char *text, size_t times, struct arena *arena)
{
	struct text out;

	text_init(&out, arena, SIZE_MAX / 8);
	text_reserve(&out, strlen(text) * times);
	while (times-- > 0)
		text_add(&out, slice_of(text));
	return text_slice(&out);
}

static void expect_whole(const char *name, struct slice input, const char *wanted)
{
	struct arena *arena = arena_new();
	struct slice told = read_pieces(input, 65536, arena);

	if (!slice_equal(told, slice_of(wanted)))
		fail_msg("%s: %.*s, not\n%s", name, SLICE_ARGS(slice_head(told, 1000)), wanted);
	arena_free(arena);
}

static void depth_is_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct slice open = SLICE("<feedback>" METADATA POLICY), close = SLICE("</feedback>");
	struct slice most = arena_join(arena, open, repeat("<x>", FEEDBACK_DEPTH_MAX - 1, arena),
				       repeat("</x>", FEEDBACK_DEPTH_MAX - 1, arena), close);

	(void)state;
	expect_whole("as deep as may be", most,
		     "receiver.example r1 1795651200-1795737599 example.org p=none 0 notes=0\n");
	expect_whole("one deeper", arena_join(arena, open, repeat("<x>", FEEDBACK_DEPTH_MAX, arena)),
		     "skipped : its elements are nested too deep\n");
	arena_free(arena);
}

static void tokens_and_names_are_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct slice letters = repeat("a", FEEDBACK_TOKEN_MAX + 65536, arena);
	struct text names;

	(void)state;
	expect_whole("a tag", arena_join(arena, SLICE("<feedback><a x=\""), letters),
		     "skipped : one tag or comment is longer than 256 KB\n");
	expect_whole("a comment", arena_join(arena, SLICE("<feedback><!--"), letters),
		     "skipped : one tag or comment is longer than 256 KB\n");
	expect_whole("a long text is not a token",
		     arena_join(arena, SLICE("<feedback>" METADATA POLICY "<x>"), letters, SLICE("</x></feedback>")),
		     "receiver.example r1 1795651200-1795737599 example.org p=none 0 notes=0\n");
	text_init(&names, arena, SIZE_MAX / 8);
	text_add(&names, SLICE("<feedback>"));
	for (unsigned i = 0; i < 200000; i++)
		text_printf(&names, "<name%u/>", i);
	expect_whole("names", text_slice(&names), "skipped : it has more than 1024 KB of different names\n");
	arena_free(arena);
}

static void values_and_results_are_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct slice fits = repeat("x", FEEDBACK_TEXT_MAX, arena), results;
	struct slice begin = SLICE("<feedback><report_metadata><report_id>");
	struct slice end = SLICE("</report_id></report_metadata>" POLICY "</feedback>");

	(void)state;
	expect_whole(
	    "fits", arena_join(arena, begin, fits, end),
	    arena_cstring(arena, arena_join(arena, SLICE(" "), fits, SLICE(" 0-0 example.org p=none 0 notes=16\n"))));
	expect_whole(
	    "too long", arena_join(arena, begin, fits, SLICE("y"), end),
	    arena_cstring(arena, arena_join(arena, SLICE(" "), fits, SLICE(" 0-0 example.org p=none 0 notes=80\n"))));
	expect_whole(
	    "a long comment is not a value",
	    arena_join(arena,
		       SLICE("<feedback>" METADATA POLICY "<record>"
			     "<row><source_ip>192.0.2.1</source_ip><count>3</count><policy_evaluated>" PASSES
			     "<reason><comment>"),
		       fits,
		       SLICE("y arc=pass</comment></reason></policy_evaluated></row>" AUTHOR "</record></feedback>")),
	    "192.0.2.1 3 none 1 0 0 example.org\n" REPORT "0\n");
	results =
	    repeat("<dkim><domain>a.example</domain><result>pass</result></dkim>", FEEDBACK_RESULTS_MAX + 1, arena);
	expect_whole("results",
		     arena_join(arena,
				SLICE("<feedback>" METADATA POLICY "<record>" ROW("192.0.2.1", "3", PASSES) AUTHOR
				      "<auth_results>"),
				results, SLICE("</auth_results></record></feedback>")),
		     arena_cstring(arena, arena_join(arena, SLICE("192.0.2.1 3 none 1 0 0 example.org"),
						     repeat(" dkim=a.example:pass", FEEDBACK_RESULTS_MAX, arena),
						     SLICE("\n" REPORT "128\n"))));
	arena_free(arena);
}

static void archives_are_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct slice blanks = repeat(" ", 4 * FEEDBACK_RATIO_FREE, arena), bomb = gzipped(blanks, arena);
	struct text out;

	(void)state;
	expect_whole(
	    "blanks become nothing",
	    gzipped(arena_join(arena, SLICE("<feedback>"), slice_head(blanks, FEEDBACK_RATIO_FREE - 100)), arena),
	    "skipped : the report ends early, before </feedback>\n");
	assert_true(bomb.n * FEEDBACK_RATIO_MAX < blanks.n);
	expect_whole("a bomb", gzipped(arena_join(arena, SLICE("<feedback>"), blanks), arena),
		     "skipped : the archive becomes more than 250 times its size, as reports do not\n");
	text_init(&out, arena, 1 << 20);
	for (unsigned i = 0; i <= FEEDBACK_ENTRIES_MAX; i++)
		put_entry(&out, "x/", SLICE(""), SLICE(""), 0, 0, KNOWN);
	expect_whole("files in a zip", text_slice(&out), "skipped : the zip file holds more than 16 files\n");
	expect_whole("a TLS report", arena_join(arena, SLICE("{"), slice_head(blanks, FEEDBACK_TLS_MAX)),
		     "skipped : the TLS report is larger than 256 KB\n");
	arena_free(arena);
}

static void messages_are_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct slice endless = repeat("X: y\n", FEEDBACK_HEADER_MAX / 5 + 1, arena);
	struct text deep, nested;

	(void)state;
	expect_whole("a header that does not end", endless, "skipped : its header is larger than 1024 KB\nmessage 1\n");
	expect_whole("a field that does not end",
		     arena_join(arena, SLICE("X: "), repeat("y", FEEDBACK_HEADER_MAX, arena)),
		     "skipped : its header is larger than 1024 KB\nmessage 1\n");
	expect_whole("the next message is read",
		     arena_join(arena, SLICE("From a\n"), endless,
				SLICE("\n\nFrom b\n" HEAD "Content-Type: text/xml\n\n"), slice_of(plain)),
		     "skipped message 1: its header is larger than 1024 KB\nmessage 1\n" TOLD REPORT "0\nmessage 1\n");
	/* a Content-Type that is too long to be kept: the part is found by its content, a multipart is not */
	expect_whole("a field",
		     mail_of(arena_cstring(arena, arena_join(arena, SLICE("text/xml; x="),
							     repeat("y", FEEDBACK_FIELD_MAX, arena))),
			     "8bit", slice_of(plain), arena),
		     TOLD REPORT "0\nmessage 1\n");
	expect_whole(
	    "a boundary",
	    mail_of(arena_cstring(arena, arena_join(arena, SLICE("multipart/mixed; x="),
						    repeat("y", FEEDBACK_FIELD_MAX, arena), SLICE("; boundary=b"))),
		    "8bit", arena_join(arena, SLICE("--b\n\n"), slice_of(plain), SLICE("\n--b--\n")), arena),
	    "message 0\n");
	expect_whole("MIME fields",
		     arena_join(arena, repeat("Content-X: y\n", 8, arena),
				SLICE("Content-Transfer-Encoding: base64\n\n"), slice_of(plain)),
		     TOLD REPORT "0\nmessage 1\n");
	text_init(&deep, arena, 1 << 20);
	text_init(&nested, arena, 1 << 20);
	for (unsigned i = 0; i <= FEEDBACK_NESTED_MAX; i++) {
		text_printf(&deep, "Content-Type: multipart/mixed; boundary=b%u\n\n--b%u\n", i, i);
		text_printf(&nested, "Content-Type: message/rfc822\n\n");
	}
	expect_whole("multiparts", text_slice(&deep), "skipped : its parts are nested more than 8 deep\nmessage 1\n");
	expect_whole("messages", text_slice(&nested), "skipped : messages are nested more than 8 deep\nmessage 1\n");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(documents_are_read_as_they_were_meant),
	    cmocka_unit_test(utf_16_is_read),
	    cmocka_unit_test(gzip_is_unpacked),
	    cmocka_unit_test(zip_is_unpacked),
	    cmocka_unit_test(two_reports_in_a_zip_are_read),
	    cmocka_unit_test(zips_that_cannot_be_read_say_why),
	    cmocka_unit_test(reports_are_found_in_mail),
	    cmocka_unit_test(what_is_wrong_with_a_message_is_told),
	    cmocka_unit_test(depth_is_bounded),
	    cmocka_unit_test(tokens_and_names_are_bounded),
	    cmocka_unit_test(values_and_results_are_bounded),
	    cmocka_unit_test(archives_are_bounded),
	    cmocka_unit_test(messages_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
