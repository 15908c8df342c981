/*
 * test_reports.c - what becomes a row of a DMARC report: which messages are counted, for whom, with which disposition
 * and reasons; and the block dmarc-reports.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "aggregate.h"
#include "engine.h"
#include "policy_text.h"

#define SOON    (clock_us() + 10 * 1000 * 1000)
#define DAY     20784u
#define NOON_US ((int64_t)DAY * STORE_DAY_US + STORE_DAY_US / 2)
#define BLOCK   "dmarc-reports { from dmarc@mx.example every 1d }\n"
#define ENFORCE                                                                                                        \
	"policy inbound { on message { reject 550 5.7.1 \"no\" if dmarc is fail and dmarc.policy is reject } }\n"

static const char zone[] =
    "pass.example TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
    "_dmarc.reject.example TXT \"v=DMARC1; p=reject; rua=mailto:r@reject.example\"\n"
    "reject.example TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
    "sub.reject.example A 192.0.2.1\n"
    "_dmarc.none.example TXT \"v=DMARC1; p=none; rua=mailto:r@none.example\"\n"
    "_dmarc.quarantine.example TXT \"v=DMARC1; p=quarantine; sp=none; rua=mailto:r@quarantine.example\"\n"
    "a.quarantine.example A 192.0.2.1\n"
    "_dmarc.test.example TXT \"v=DMARC1; p=reject; t=y; rua=mailto:r@test.example\"\n"
    "_dmarc.silent.example TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.two.example TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.two.example TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.a.two.example TXT \"v=DMARC1; p=none; psd=n; rua=mailto:r@two.example\"\n";

static struct counters counters;

static struct resolver *open_zone(void)
{
	struct error err;
	struct resolver *resolver = resolver_open_zone(slice_of(zone), "zone", &err);

	if (!resolver)
		fail_msg("%s", err.text);
	return resolver;
}

struct site {
	struct store *store;
	struct aggregate *aggregate;
	struct engine *engine;
	struct arena *arena;
};

static void site_open(struct site *site, const char *text)
{
	static const struct aggregate_settings settings = {SLICE("us"), SLICE("dmarc@mx.example"), SLICE("")};
	struct resolver *resolver = open_zone();
	struct policy *policy;
	struct error err;
	char *messages;

	policy = load_text(text, NULL, &messages);
	if (!policy || *messages)
		fail_msg("%s: %s", text, messages);
	free(messages);
	site->arena = arena_new();
	site->store = store_open(&(struct store_settings){.url = SLICE("memory:")}, &err);
	site->aggregate = aggregate_open(site->store, &settings, &err);
	site->engine = engine_new(policy, resolver, NULL, &counters);
	engine_lend_store(site->engine, site->store);
	engine_lend_aggregate(site->engine, site->aggregate);
	policy_release(policy);
	resolver_release(resolver);
}

static void site_close(struct site *site)
{
	engine_release(site->engine);
	aggregate_close(site->aggregate);
	store_close(site->store);
	arena_free(site->arena);
}

struct mail {
	const char *client, *sender, *recipient, *from, *subject;
	const char *more; /* another field, or NULL */
	enum told_how how;
};

static void send(struct site *site, const struct mail *mail)
{
	struct gate *gate = gate_open(site->engine, &abilities_all);
	struct connection connection = {.daemon_port = 25};

	ip_parse(slice_of(mail->client), &connection.client);
	gate_time(gate, NOON_US);
	gate_connect(gate, &connection);
	gate_helo(gate, SLICE("mail.pass.example"));
	gate_mail(gate, slice_of(mail->sender), MADE_UNKNOWN, false);
	if (gate_rcpt(gate, slice_of(mail->recipient ? mail->recipient : "<bob@mx.example>"), MADE_UNKNOWN) !=
	    GATE_CONTINUE) {
		gate_close(gate);
		return;
	}
	gate_header(gate, SLICE("From"), slice_of(mail->from));
	gate_header(gate, SLICE("Subject"), slice_of(mail->subject ? mail->subject : " hello"));
	if (mail->more)
		gate_header(gate, SLICE("Auto-Submitted"), slice_of(mail->more));
	gate_body(gate, SLICE("hello\r\n"));
	gate_end(gate);
	gate_done(gate, &(struct told){.how = mail->how});
	gate_close(gate);
}

/* The XML about a domain; "" when there is none. */
static struct slice report_of(struct site *site, const char *domain)
{
	const struct aggregate_request request = {
	    .day = DAY, .domain = slice_of(domain), .max_bytes = AGGREGATE_BYTES_MIN, .keep_xml = true};
	struct aggregate_report report;
	struct error err;

	assert_int_equal(aggregate_flush(site->aggregate, SOON), STORE_OK);
	if (aggregate_make(site->aggregate, &request, site->arena, &report, &err) != 1)
		return SLICE("");
	return report.xml;
}

static bool has(struct slice text, const char *part)
{
	return text.n > 0 && memmem(text.p, text.n, part, strlen(part)) != NULL;
}

/* Between <policy_evaluated> and its end, without blanks and line ends between elements. */
static const char *evaluated(struct site *site, struct slice xml)
{
	const char *begin = xml.n ? memmem(xml.p, xml.n, "<policy_evaluated>", 18) : NULL, *end;
	char *out, *p;

	if (!begin)
		return "nothing";
	begin += 18;
	end = memmem(begin, (size_t)(xml.p + xml.n - begin), "</policy_evaluated>", 19);
	p = out = arena_alloc(site->arena, (size_t)(end - begin) + 1);
	for (bool inside = false; begin < end; begin++) {
		inside = *begin == '<' ? true : *begin == '>' ? false : inside;
		if (inside || !strchr(" \n", *begin) || (begin[1] != '<' && begin[1] != ' '))
			*p++ = *begin;
	}
	return out;
}

#define D(word)            "<disposition>" word "</disposition>"
#define AUTH(dkim, spf)    "<dkim>" dkim "</dkim><spf>" spf "</spf>"
#define WHY(type, comment) "<reason><type>" type "</type><comment>" comment "</comment></reason>"

static const struct {
	const char *rules;
	struct mail mail;
	const char *domain, *evaluated;
} judged[] = {
    /* pass, by SPF */
    {ENFORCE,
     {"192.0.2.1", "<a@reject.example>", NULL, " a@reject.example"},
     "reject.example",
     D("pass") AUTH("fail", "pass")},
    /* nothing passes, and the rule does what the policy asks for */
    {ENFORCE,
     {"192.0.2.9", "<a@reject.example>", NULL, " a@reject.example"},
     "reject.example",
     D("reject") AUTH("fail", "fail")},
    /* of a subdomain: the record is that above */
    {ENFORCE,
     {"192.0.2.9", "<a@x.example>", NULL, " a@sub.reject.example"},
     "reject.example",
     D("reject") AUTH("fail", "fail")},
    /* no rule enforces it */
    {"policy inbound { }\n",
     {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example"},
     "reject.example",
     D("none") AUTH("fail", "fail") WHY("local_policy", "no rule enforces the policy")},
    {"mode report\n" ENFORCE,
     {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example"},
     "reject.example",
     D("none") AUTH("fail", "fail") WHY("local_policy", "policies are not enforced yet")},
    /* a rule lets it through, and says why, or not */
    {"policy inbound { on message {\noverride mailing_list \"known\" if dmarc is fail\naccept\n} }\n",
     {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example"},
     "reject.example",
     D("none") AUTH("fail", "fail") WHY("mailing_list", "known (rule t:3)")},
    {"policy inbound { on message { accept if dmarc is fail } }\n",
     {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example"},
     "reject.example",
     D("none") AUTH("fail", "fail") WHY("local_policy", "rule t:2")},
    /* another disposition than the policy: held, or refused though the policy is none */
    {"policy inbound { on message { quarantine \"bad\" if dmarc is fail } }\n",
     {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example"},
     "reject.example",
     D("quarantine") AUTH("fail", "fail") WHY("local_policy", "rule t:2")},
    {"policy inbound { on message { reject 550 5.7.1 \"spam\" } }\n",
     {"192.0.2.9", "<a@x.example>", NULL, " a@none.example"},
     "none.example",
     D("reject") AUTH("fail", "fail") WHY("local_policy", "rule t:2")},
    /* p=none asks for nothing */
    {ENFORCE, {"192.0.2.9", "<a@x.example>", NULL, " a@none.example"}, "none.example", D("none") AUTH("fail", "fail")},
    /* sp as applied: p=quarantine does not hold for the subdomain */
    {ENFORCE,
     {"192.0.2.9", "<a@x.example>", NULL, " a@a.quarantine.example"},
     "quarantine.example",
     D("none") AUTH("fail", "fail")},
    /* t=y: one step less */
    {"policy inbound { on message { quarantine \"bad\" if dmarc.policy is quarantine } }\n",
     {"192.0.2.9", "<a@x.example>", NULL, " a@test.example"},
     "test.example",
     D("quarantine") AUTH("fail", "fail") "<reason><type>policy_test_mode</type></reason>"},
    /* passed for DMARC, refused for something else: DMARC did nothing */
    {"policy inbound { on message { reject 550 5.7.1 \"spam\" } }\n",
     {"192.0.2.1", "<a@reject.example>", NULL, " a@reject.example"},
     "reject.example",
     D("pass") AUTH("fail", "pass")},
};

static void dispositions_and_reasons_are_those_of_the_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
		struct site site;
		char text[2000];
		const char *found;

		snprintf(text, sizeof(text), BLOCK "%s", judged[i].rules);
		site_open(&site, text);
		send(&site, &judged[i].mail);
		found = evaluated(&site, report_of(&site, judged[i].domain));
		if (strcmp(found, judged[i].evaluated) != 0)
			fail_msg("case %zu:\n%s\nnot\n%s", i, found, judged[i].evaluated);
		site_close(&site);
	}
}

/* Mail that is not judged to its end, that is not of strangers, that nobody asks about, and reports. */
static void what_is_not_counted(void **state)
{
	static const struct {
		const char *text;
		struct mail mail;
		const char *domain;
	} cases[] = {
	    {BLOCK "policy inbound { on message { defer 451 4.2.0 \"later\" } }\n",
	     {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example"},
	     "reject.example"},
	    {BLOCK "policy inbound { on rcpt { reject 550 5.7.1 \"no\" } }\n",
	     {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example"},
	     "reject.example"},
	    {BLOCK,
	     {.client = "192.0.2.9", .sender = "<a@x.example>", .from = " a@reject.example", .how = TOLD_NOBODY},
	     "reject.example"},
	    {BLOCK "trusted { 192.0.2.9 }\n",
	     {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example"},
	     "reject.example"},
	    {BLOCK, {"192.0.2.9", "<a@x.example>", NULL, " a@silent.example"}, "silent.example"},
	    {BLOCK, {"192.0.2.9", "<a@x.example>", NULL, " a@nowhere.example"}, "nowhere.example"},
	    {BLOCK, {"192.0.2.9", "<a@x.example>", NULL, " nobody"}, "reject.example"},
	    {"authserv-id mx.example\n", {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example"}, "reject.example"},
	    /* a report that passes; an answer to ours */
	    {BLOCK,
	     {"192.0.2.1", "<a@reject.example>", NULL, " a@reject.example",
	      " Report Domain: mx.example Submitter: reject.example Report-ID: <1>"},
	     "reject.example"},
	    {BLOCK, {"192.0.2.9", "<>", "<dmarc@mx.example>", " a@reject.example"}, "reject.example"},
	    {BLOCK,
	     {"192.0.2.9", "<a@x.example>", "<dmarc@mx.example>", " a@reject.example", NULL, " auto-replied"},
	     "reject.example"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aggregate_counters counted;
		struct site site;

		site_open(&site, cases[i].text);
		send(&site, &cases[i].mail);
		aggregate_counters(site.aggregate, &counted);
		if (counted.messages != 0 || report_of(&site, cases[i].domain).n > 0)
			fail_msg("case %zu is counted", i);
		site_close(&site);
	}
}

/* A forged report does not pass, so it is counted like anything else; so is what only looks like an answer. */
static void nobody_hides_as_a_report(void **state)
{
	static const struct mail mails[] = {
	    {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example", " Report Domain: a Submitter: b"},
	    {"192.0.2.9", "<>", "<bob@mx.example>", " a@reject.example"},
	    {"192.0.2.9", "<a@x.example>", "<dmarc@mx.example>", " a@reject.example", NULL, " no"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		struct site site;

		site_open(&site, BLOCK);
		send(&site, &mails[i]);
		assert_true(has(report_of(&site, "reject.example"), "<count>1</count>"));
		site_close(&site);
	}
}

/* Each author domain has its own record, and gets its own row. */
static void several_authors_are_each_reported(void **state)
{
	static const struct mail mail = {"192.0.2.9", "<Bounce@X.Example>", NULL, " a@reject.example, b@none.example"};
	struct site site;
	struct slice one, other;

	(void)state;
	site_open(&site, BLOCK);
	send(&site, &mail);
	one = report_of(&site, "reject.example");
	other = report_of(&site, "none.example");
	assert_true(has(one, "<header_from>reject.example</header_from>"));
	assert_true(has(one, "<envelope_from>x.example</envelope_from>"));
	assert_true(has(other, "<header_from>none.example</header_from>"));
	assert_true(has(other, "<p>none</p>"));
	site_close(&site);
}

static void the_null_sender_is_reported_empty(void **state)
{
	static const struct mail mail = {"192.0.2.9", "<>", NULL, " a@reject.example"};
	struct site site;
	struct slice xml;

	(void)state;
	site_open(&site, BLOCK);
	send(&site, &mail);
	xml = report_of(&site, "reject.example");
	assert_true(has(xml, "<envelope_from></envelope_from>") || has(xml, "<envelope_from/>"));
	assert_true(has(xml, "<scope>mfrom</scope>"));
	assert_true(has(xml, "<domain>mail.pass.example</domain>"));
	site_close(&site);
}

static void several_records_at_a_name_are_told(void **state)
{
	static const struct mail mail = {"192.0.2.9", "<a@x.example>", NULL, " a@b.a.two.example"};
	struct site site;

	(void)state;
	site_open(&site, BLOCK);
	send(&site, &mail);
	assert_true(report_of(&site, "a.two.example").n > 0);
	site_close(&site);
}

/* The list of exclude names a domain and all below it; one that cannot be read excludes all. */
static void excluded_domains_are_not_counted(void **state)
{
	static const struct {
		const char *line;
		bool counted;
	} cases[] = {
	    {"reject.example\n", false}, {"example\n", false}, {"ject.example\n", true}, {"other.example\n", true}};
	static const struct mail mail = {"192.0.2.9", "<a@x.example>", NULL, " a@reject.example"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[] = "/tmp/sekisho-excluded.XXXXXX", text[300];
		int fd = mkstemp(path);
		struct site site;

		assert_int_equal(write(fd, cases[i].line, strlen(cases[i].line)), strlen(cases[i].line));
		close(fd);
		snprintf(text, sizeof(text),
			 "list quiet file:%s\ndmarc-reports { from dmarc@mx.example exclude quiet }\n", path);
		site_open(&site, text);
		unlink(path);
		send(&site, &mail);
		assert_int_equal(report_of(&site, "reject.example").n > 0, cases[i].counted);
		site_close(&site);
	}
}

/* The milter needs header and body although no rule reads them. */
static void the_block_alone_reads_mail(void **state)
{
	char *messages;
	struct policy *policy = load_text(BLOCK "authentication-results off\n", NULL, &messages);

	(void)state;
	assert_non_null(policy);
	assert_int_equal(policy_needs(policy) & (NEED_HEADERS | NEED_BODY), NEED_HEADERS | NEED_BODY);
	assert_true(policy_needs_store(policy));
	policy_release(policy);
	free(messages);
}

#define TEN   "xxxxxxxxxx"
#define FIFTY TEN TEN TEN TEN TEN
#define LONG  FIFTY FIFTY FIFTY FIFTY "x"

static void wrong_settings_are_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
	    {"dmarc-reports { organization x }\n", "dmarc-reports has no from; write from and"},
	    {"dmarc-reports { from <> }\n", "expected"},
	    {"dmarc-reports { from a@b.example contact \"" LONG "\" }\n",
	     "a text in a report has at most 200 bytes; write a shorter one"},
	    {"dmarc-reports { from a@b.example exclude nolist }\n", "nolist"},
	    {"dmarc-reports { from a@b.example every 12h }\n",
	     "a report is about one day, from midnight to midnight (UTC); write every 1d"},
	    {"dmarc-reports { from a@b.example every daily }\n", "every cannot be \"daily\"; write 1d"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *messages;
		struct policy *policy = load_text(cases[i].text, NULL, &messages);

		if (policy || !strstr(messages, cases[i].error))
			fail_msg("%s: %s", cases[i].text, messages);
		free(messages);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dispositions_and_reasons_are_those_of_the_rules),
	    cmocka_unit_test(what_is_not_counted),
	    cmocka_unit_test(nobody_hides_as_a_report),
	    cmocka_unit_test(several_authors_are_each_reported),
	    cmocka_unit_test(the_null_sender_is_reported_empty),
	    cmocka_unit_test(several_records_at_a_name_are_told),
	    cmocka_unit_test(excluded_domains_are_not_counted),
	    cmocka_unit_test(the_block_alone_reads_mail),
	    cmocka_unit_test(wrong_settings_are_errors),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
