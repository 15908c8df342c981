/*
 * test_aggregate_xml.c - a report says what was counted: valid by the schema of RFC 9990, with every message once.
 */
#include "aggregate_scene.h"

#include <libxml/parser.h>
#include <libxml/xmlschemas.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <zlib.h>

static void quiet(void *context, const char *format, ...)
{
	(void)context, (void)format;
}

static xmlSchemaPtr schema;

static int read_schema(void **state)
{
	char path[1000];
	xmlSchemaParserCtxtPtr parser;

	(void)state;
	xmlSetGenericErrorFunc(NULL, quiet);
	snprintf(path, sizeof(path), "%s/tests/conformance/aggregate-report.xsd",
		 getenv("srcdir") ? getenv("srcdir") : ".");
	parser = xmlSchemaNewParserCtxt(path);
	schema = xmlSchemaParse(parser);
	xmlSchemaFreeParserCtxt(parser);
	return schema ? 0 : -1;
}

static int free_schema(void **state)
{
	(void)state;
	xmlSchemaFree(schema);
	return 0;
}

/* ---- what the schema says, and what it cannot say (RFC 9990) ------------------------------- */

/* The text at a path, "" when there is none; names are those of the namespace, which the path calls d. */
static struct slice at(struct reports *reports, xmlDocPtr doc, const char *path)
{
	xmlXPathContextPtr context = xmlXPathNewContext(doc);
	xmlXPathObjectPtr found;
	struct slice text = SLICE("");
	xmlChar *string;

	xmlXPathRegisterNs(context, BAD_CAST "d", BAD_CAST "urn:ietf:params:xml:ns:dmarc-2.0");
	found = xmlXPathEvalExpression(BAD_CAST path, context);
	assert_non_null(found);
	string = xmlXPathCastToString(found);
	if (string) {
		text = arena_copy(reports->arena, slice_of((const char *)string));
		xmlFree(string);
	}
	xmlXPathFreeObject(found);
	xmlXPathFreeContext(context);
	return text;
}

static void expect(struct reports *reports, xmlDocPtr doc, const char *path, const char *text)
{
	struct slice found = at(reports, doc, path);

	if (!slice_equal(found, slice_of(text)))
		fail_msg("%s is \"%.*s\", not \"%s\"", path, SLICE_ARGS(found), text);
}

static void check_rules(struct reports *reports, xmlDocPtr doc, const struct aggregate_report *report)
{
	static const char *const none[] = {
	    "count(//d:source_ip[.=''])", "count(//d:selector[.=''])", "count(//d:count[.<1])",
	    "count(//d:domain[.=''])", "count(//*[namespace-uri()=''])",
	    /* an override has a reason */
	    "count(//d:policy_evaluated[d:dkim='fail' and d:spf='fail' and not(d:reason) and "
	    "d:disposition!=/d:feedback/d:policy_published/d:p and /d:feedback/d:policy_published/d:sp=d:p])",
	    "count(//d:policy_evaluated[d:disposition='pass' and d:dkim='fail' and d:spf='fail'])",
	    "count(//d:auth_results[count(d:dkim)>100])"};

	expect(reports, doc, "string(/d:feedback/d:version)", "1.0");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		expect(reports, doc, none[i], "0");
	expect(reports, doc, "string(//d:end - //d:begin)", "86399");
	expect(reports, doc, "string(//d:report_id)", arena_cstring(reports->arena, report->id));
	expect(
	    reports, doc, "string(sum(//d:count))",
	    arena_cstring(reports->arena, arena_printf(reports->arena, "%llu", (unsigned long long)report->messages)));
	expect(reports, doc, "string(count(//d:record))",
	       arena_cstring(reports->arena, arena_printf(reports->arena, "%llu", (unsigned long long)report->rows)));
}

/* gunzips in one member, and gives what keep_xml gave */
static void check_gz(struct reports *reports, const struct aggregate_report *report)
{
	char *text = arena_alloc(reports->arena, report->xml.n + 1);
	z_stream z = {.next_in = (Bytef *)report->gz.p,
		      .avail_in = (uInt)report->gz.n,
		      .next_out = (Bytef *)text,
		      .avail_out = (uInt)report->xml.n + 1};

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, report->xml.n);
	assert_memory_equal(text, report->xml.p, report->xml.n);
	inflateEnd(&z);
}

static xmlDocPtr read_report(struct reports *reports, const struct aggregate_report *report)
{
	xmlSchemaValidCtxtPtr valid = xmlSchemaNewValidCtxt(schema);
	xmlDocPtr doc = xmlReadMemory(report->xml.p, (int)report->xml.n, "report", NULL, XML_PARSE_NONET);

	assert_non_null(doc);
	if (xmlSchemaValidateDoc(valid, doc) != 0)
		fail_msg("not valid:\n%.*s", SLICE_ARGS(slice_head(report->xml, 3000)));
	xmlSchemaFreeValidCtxt(valid);
	check_gz(reports, report);
	check_rules(reports, doc, report);
	return doc;
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void equal_messages_are_one_row(void **state)
{
	static const struct {
		const char *path, *text;
	} cases[] = {
	    {"string(//d:org_name)", "Example & <Sons>"},
	    {"string(//d:email)", "dmarc@receiver.example"},
	    {"string(//d:extra_contact_info)", "https://x/"},
	    {"string(//d:begin)", "1795737600"},
	    {"string(//d:end)", "1795823999"},
	    {"string(//d:error)", ""},
	    {"string(//d:generator)", "sekisho 0.1.0"},
	    {"string(//d:policy_published/d:domain)", "example.org"},
	    {"string(//d:discovery_method)", "treewalk"},
	    {"string(//d:p)", "reject"},
	    {"string(//d:sp)", "reject"},
	    {"string(//d:np)", "reject"},
	    {"string(//d:fo)", "0"},
	    {"string(//d:adkim)", "r"},
	    {"string(//d:aspf)", "r"},
	    {"string(//d:testing)", "n"},
	    {"string(//d:source_ip)", "192.0.2.1"},
	    {"string(//d:count)", "3"},
	    {"string(//d:disposition)", "pass"},
	    {"string(//d:policy_evaluated/d:dkim)", "pass"},
	    {"string(//d:policy_evaluated/d:spf)", "pass"},
	    {"string(//d:header_from)", "example.org"},
	    {"string(//d:envelope_from)", "example.org"},
	    {"string(//d:auth_results/d:dkim/d:domain)", "example.org"},
	    {"string(//d:auth_results/d:dkim/d:selector)", "s1"},
	    {"string(//d:auth_results/d:dkim/d:result)", "pass"},
	    {"string(//d:auth_results/d:spf/d:domain)", "example.org"},
	    {"string(//d:auth_results/d:spf/d:scope)", "mfrom"},
	    {"string(//d:auth_results/d:spf/d:result)", "pass"},
	};
	struct reports *reports = reports_new(*state);
	struct aggregate_message message = plain();
	struct aggregate_report report;
	xmlDocPtr doc;

	count(reports, &message, 2);
	stored(reports);
	count(reports, &message, 1);
	stored(reports);
	assert_int_equal(make_part(reports, DAY, "example.org", SLICE(""), &report), 1);
	doc = read_report(reports, &report);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(reports, doc, cases[i].path, cases[i].text);
	xmlFreeDoc(doc);
	assert_null(report.next.p);
	assert_true(slice_equal(report.rua, SLICE("mailto:Rep@example.org")));
	assert_true(
	    slice_starts_nocase(report.file, SLICE("receiver.example!example.org!1795737600!1795823999!20784d")));
	assert_int_equal(make_part(reports, DAY, "example.net", SLICE(""), &report), 0);
	reports_free(reports);
}

/* RFC 9990 3.1.2: one configuration a report. */
static void a_record_that_changes_gives_two_reports(void **state)
{
	struct reports *reports = reports_new(*state);
	struct aggregate_message message = plain();
	struct aggregate_report one, other;
	xmlDocPtr doc;

	count(reports, &message, 5);
	message.record =
	    SLICE("v=DMARC1; p=none; sp=quarantine; t=y; np=bad; aspf=s; fo=1:d; rua=mailto:new@example.org");
	message.disposition = AGGREGATE_NO_ACTION;
	message.trouble = SLICE("2 records at _dmarc.a.example.org");
	message.discovery = DMARC_PSL;
	count(reports, &message, 7);
	stored(reports);
	assert_int_equal(make_part(reports, DAY, "example.org", SLICE(""), &one), 1);
	assert_non_null(one.next.p);
	assert_int_equal(make_part(reports, DAY, "example.org", one.next, &other), 1);
	assert_null(other.next.p);
	assert_int_equal(one.messages + other.messages, 12);
	assert_false(slice_equal(one.id, other.id));
	if (one.messages == 7)
		other = one;
	doc = read_report(reports, &other);
	expect(reports, doc, "string(//d:error)", "2 records at _dmarc.a.example.org; bad tags: np");
	expect(reports, doc, "string(//d:discovery_method)", "psl");
	expect(reports, doc, "string(//d:sp)", "none"); /* np is not a policy: p=none applies (RFC 9989 4.10.1) */
	expect(reports, doc, "string(//d:testing)", "y");
	expect(reports, doc, "string(//d:aspf)", "s");
	expect(reports, doc, "string(//d:fo)", "1:d");
	assert_true(slice_equal(other.rua, SLICE("mailto:new@example.org")));
	xmlFreeDoc(doc);
	reports_free(reports);
}

/* A hundred signatures, texts as long as they get, bytes that are not characters. */
static void hostile_rows_are_bounded_and_clean(void **state)
{
	static char text[300];
	static const char bytes[] =
	    "a\xff\xc0\x80 <b>\"&amp;\x01\x7f\xef\xbf\xbe\xed\xa0\x80\xe2\x82\xac\xf0\x9f\x98\x80]]>";
	struct aggregate_signature dkim[150];
	const struct aggregate_reason reasons[] = {{AGGREGATE_LOCAL_POLICY, {bytes, sizeof(bytes) - 1}},
						   {AGGREGATE_MAILING_LIST, {text, sizeof(text)}},
						   {AGGREGATE_OTHER, SLICE("")},
						   {AGGREGATE_TRUSTED_FORWARDER, SLICE("x")},
						   {AGGREGATE_TEST_MODE, SLICE("left out")}};
	struct reports *reports = reports_new(*state);
	struct aggregate_message message = plain();
	struct aggregate_report report;
	xmlDocPtr doc;

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < 150; i++)
		dkim[i] = (struct aggregate_signature){SLICE("e.example"), {bytes, 12}, AGGREGATE_SOFTFAIL, SLICE("")};
	message.disposition = AGGREGATE_REJECTED;
	message.dkim_aligned = message.spf_aligned = false;
	message.client = (struct ip){6, {0x20, 1, 0xd, 0xb8}};
	message.envelope_from = (struct slice){bytes, sizeof(bytes) - 1};
	message.spf_human = message.spf_domain = (struct slice){text, sizeof(text)};
	message.reasons = reasons;
	message.reason_count = 5;
	message.dkim = dkim;
	message.dkim_count = 150;
	count(reports, &message, 2);
	stored(reports);
	assert_int_equal(make_part(reports, DAY, "example.org", SLICE(""), &report), 1);
	doc = read_report(reports, &report);
	expect(reports, doc, "string(//d:source_ip)", "2001:db8::");
	expect(reports, doc, "string(count(//d:reason))", "4");
	expect(reports, doc, "string(count(//d:auth_results/d:dkim))", "100");
	expect(reports, doc, "string(//d:auth_results/d:dkim/d:result)", "fail");
	expect(reports, doc, "string(string-length(//d:spf/d:domain))", "253");
	expect(reports, doc, "string(//d:envelope_from)",
	       "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
	       "<b>\"&amp;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	       "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe2\x82\xac\xf0\x9f\x98\x80]]>");
	xmlFreeDoc(doc);
	reports_free(reports);
}

/* More rows than fit: parts with every row once, each with the same identifier whenever it is made. */
static void large_reports_have_parts(void **state)
{
	enum { ROWS = 15000 };
	struct reports *reports = reports_new(*state);
	struct aggregate_report report = {.next = SLICE("")}, again;
	uint64_t rows = 0, parts = 0;
	struct slice ids[20];

	for (unsigned i = 0; i < ROWS; i++) {
		struct aggregate_message message = plain();
		char selector[20];
		const struct aggregate_signature dkim = {
		    SLICE("example.org"), {selector, 16}, AGGREGATE_PASS, SLICE("")};

		snprintf(selector, sizeof(selector), "%016llx",
			 (unsigned long long)hash_slice((struct slice){(char *)&i, sizeof(i)}, 1));
		message.dkim = &dkim;
		message.client.bytes[2] = (uint8_t)(i >> 8);
		message.client.bytes[3] = (uint8_t)i;
		count(reports, &message, 1);
	}
	stored(reports);
	do {
		struct slice part = report.next;
		xmlDocPtr doc;

		assert_int_equal(make_part(reports, DAY, "example.org", part, &report), 1);
		assert_int_equal(make_part(reports, DAY, "example.org", part, &again), 1);
		assert_true(slice_equal(report.id, again.id));
		assert_true(slice_equal(report.gz, again.gz));
		assert_true(report.gz.n <= AGGREGATE_BYTES_MIN);
		for (size_t i = 0; i < parts; i++)
			assert_false(slice_equal(ids[i], report.id));
		assert_true(parts < 20);
		ids[parts++] = report.id;
		doc = read_report(reports, &report);
		xmlFreeDoc(doc);
		rows += report.rows;
	} while (report.next.p);
	assert_int_equal(rows, ROWS);
	assert_true(parts > 1);
	reports_free(reports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN("memory:", equal_messages_are_one_row),
	    IN("lmdb:", equal_messages_are_one_row),
	    IN("memory:", a_record_that_changes_gives_two_reports),
	    IN("lmdb:", hostile_rows_are_bounded_and_clean),
	    IN("memory:", hostile_rows_are_bounded_and_clean),
	    IN("lmdb:", large_reports_have_parts),
	};

	return cmocka_run_group_tests(tests, read_schema, free_schema);
}
