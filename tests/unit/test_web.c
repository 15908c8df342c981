/*
 * The web: its table of metrics, what is printed of it, hosts, passwords, connections that live too long, and the
 * meters behind the metrics.
 */
#include "assert_slice.h"
#include "../../filter/web/html.h"
#include "policy_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the table ------------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
	return slice_ends_nocase(slice_of(text), slice_of(end));
}

static void every_metric_has_a_name_of_ours_a_sentence_and_its_unit_in_the_name(void **state)
{
	(void)state;
	for (const struct metric *metric = web_metrics; metric->name; metric++) {
		const char *unit = metric->unit;

		assert_memory_equal(metric->name, "sekisho_", strlen("sekisho_"));
		assert_true(ends_with(metric->about, "."));
		assert_false(ends_with(metric->name, "_total")); /* that is printed */
		assert_true(!*unit || ends_with(metric->name, unit));
		assert_non_null(metric->read);
		for (const struct metric *other = web_metrics; other != metric; other++)
			assert_string_not_equal(other->name, metric->name);
	}
}

/* ---- what is printed ---------------------------------------------------------------------------------------- */

struct scene {
	struct counters counters;
	struct policy *policy;
	struct resolver *resolver;
	struct engine *engine;
	struct arena *arena;
	struct web_state now;
};

static void scene_begin(struct scene *scene, const char *policy)
{
	char *messages;
	struct error err;

	memset(scene, 0, sizeof(*scene));
	scene->policy = load_text(policy, NULL, &messages);
	assert_non_null(scene->policy);
	free(messages);
	scene->resolver =
	    resolver_open_zone(SLICE("example.net TXT \"v=spf1 -all\"\nslow.example.net TIMEOUT\n"), "t", &err);
	assert_non_null(scene->resolver);
	scene->counters.meters = meters_new();
	scene->engine = engine_new(scene->policy, scene->resolver, NULL, &scene->counters);
	scene->arena = arena_new();
	scene->now = (struct web_state){.counters = &scene->counters, .report = report_open(REPORT_OFF, NULL, &err)};
}

static void scene_end(struct scene *scene)
{
	report_close((struct report *)(uintptr_t)scene->now.report);
	arena_free(scene->arena);
	engine_release(scene->engine);
	policy_release(scene->policy);
	resolver_release(scene->resolver);
	meters_free(scene->counters.meters);
}

static const char *printed(struct scene *scene, bool openmetrics)
{
	return arena_cstring(scene->arena, web_metrics_print(&scene->now, scene->engine, openmetrics, scene->arena));
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in\n%s", part, text);
}

static void send_one(struct scene *scene, const char *sender)
{
	struct slice recipient = SLICE("<bob@example.org>");
	struct gate *gate = gate_open(scene->engine, &abilities_all);

	gate_time(gate, 0);
	gate_converse(gate, &(struct conversation){.connection = {.client_name = SLICE("")},
						   .helo = SLICE("mx.example.net"),
						   .sender = slice_of(sender),
						   .recipients = &recipient,
						   .recipient_count = 1,
						   .message = SLICE("From: a@example.net\n\nHello\n")});
	gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
	gate_close(gate);
}

static void messages_are_counted_by_rule_kind_and_verdict_and_what_would_have_been_too(void **state)
{
	struct scene scene;
	const char *text;

	(void)state;
	scene_begin(&scene,
		    "trusted { }\npolicy inbound {\n on mail {\n  reject 550 5.7.1 \"no\" if sender matches /^bad/\n"
		    "  try defer 451 4.7.1 \"later\" if sender matches /^odd/\n }\n}\n");
	send_one(&scene, "<bad@example.net>");
	send_one(&scene, "<bad@example.net>");
	send_one(&scene, "<odd@example.net>");
	text = printed(&scene, false);
	assert_has(text, "sekisho_verdicts_total{kind=\"inbound\",verdict=\"reject\",rule=\"t:4\"} 2\n");
	assert_has(text, "sekisho_verdicts_total{kind=\"inbound\",verdict=\"accept\",rule=\"\"} 1\n");
	assert_has(text, "sekisho_would_total{kind=\"inbound\",rule=\"t:5\"} 1\n");
	assert_has(text, "sekisho_callback_seconds_count{stage=\"mail\"} 3\n");
	assert_has(text, "sekisho_dns_wait_seconds_count 3\n");
	assert_has(text, "# TYPE sekisho_verdicts_total counter\n");
	assert_null(strstr(text, "example.net")); /* nothing of the mail */
	text = printed(&scene, true);
	assert_has(text, "# TYPE sekisho_verdicts counter\n");
	assert_has(text, "# UNIT sekisho_callback_seconds seconds\n");
	assert_string_equal(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
	scene_end(&scene);
}

static void failures_of_the_dns_are_counted_by_their_reason(void **state)
{
	struct scene scene;
	struct dns_budget *budget;

	(void)state;
	scene_begin(&scene, "policy inbound { }\n");
	budget = dns_budget_open(scene.resolver, scene.arena, 10);
	dns_ask(budget, SLICE("slow.example.net"), DNS_TXT);
	dns_budget_close(budget);
	assert_has(printed(&scene, false), "sekisho_dns_failures_total{reason=\"timeout\"} 1\n");
	assert_has(printed(&scene, false), "sekisho_dns_failures_total{reason=\"budget\"} 0\n");
	scene_end(&scene);
}

static void count_rule(void *context, const struct meter_rule *rule)
{
	size_t *counts = context;

	counts[0]++;
	if (slice_equal(rule->name, SLICE(METER_OTHERS)))
		counts[1] = rule->verdicts[KIND_LOCAL][VERDICT_REJECT];
}

static void more_rules_than_are_told_apart_are_summed(void **state)
{
	struct meters *meters = meters_new();
	size_t counts[2] = {0};
	char name[32];

	(void)state;
	for (int i = 0; i < METER_RULES + 50; i++) {
		snprintf(name, sizeof(name), "f:%d", i);
		meters_verdict(meters, slice_of(name), KIND_LOCAL, VERDICT_REJECT);
	}
	meters_rules(meters, count_rule, counts);
	assert_int_equal(counts[0], METER_RULES + 1);
	assert_int_equal(counts[1], 50);
	meters_free(meters);
}

static void a_time_belongs_to_the_first_bound_that_is_not_below_it(void **state)
{
	struct meters *meters = meters_new();
	struct meter_times times;

	(void)state;
	meters_time(meters, METER_RCPT, 64, meter_bounds_us[2]);
	meters_time(meters, METER_RCPT, 999999, meter_bounds_us[2] + 1);
	meters_time(meters, METER_RCPT, 0, meter_bounds_us[METER_BOUNDS - 1] + 1);
	meters_times(meters, METER_RCPT, &times);
	assert_int_equal(times.counts[2], 1);
	assert_int_equal(times.counts[3], 1);
	assert_int_equal(times.counts[METER_BOUNDS], 1);
	assert_int_equal(times.total, 3);
	assert_int_equal(times.sum_us, 2 * meter_bounds_us[2] + 2 + meter_bounds_us[METER_BOUNDS - 1]);
	meters_free(meters);
}

/* ---- HTML ------------------------------------------------------------------------------------------------------- */

static void what_comes_from_mail_never_becomes_markup(void **state)
{
	static const struct {
		struct slice text;
		const char *html;
	} cases[] = {{SLICE("<script>alert('1')</script>"), "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"},
		     {SLICE("\"&amp;"), "&quot;&amp;amp;"},
		     {SLICE("\0\x1b[31m\x7f"), "\\x00\\x1b[31m\\x7f"},
		     {SLICE("\xff<\xc0\xbc"), "\\xff&lt;\\xc0\\xbc"},
		     {SLICE("M\xc3\xbcller\n"), "M\xc3\xbcller\n"},
		     {SLICE(""), ""}};
	struct arena *arena = arena_new();
	struct text out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		html_begin(&out, arena);
		html_text(&out, cases[i].text);
		assert_string_equal(text_cstring(&out), cases[i].html);
	}
	html_begin(&out, arena);
	html_search_link(&out, SLICE("a\"b&c@d.e"));
	assert_string_equal(text_cstring(&out), "<a href=\"/search?q=a%22b%26c@d.e\">a&quot;b&amp;c@d.e</a>");
	arena_free(arena);
}

static void a_page_that_is_too_long_ends_and_stays_within_its_bound(void **state)
{
	struct arena *arena = arena_new();
	struct text out;

	(void)state;
	html_begin(&out, arena);
	for (size_t i = 0; i < 300000; i++)
		html_text(&out, SLICE("<<<<"));
	assert_true(text_slice(&out).n <= HTML_MAX);
	arena_free(arena);
}

static void the_style_sheet_loads_nothing(void **state)
{
	(void)state;
	assert_null(strstr(style_sheet, "url("));
	assert_null(strstr(style_sheet, "@import"));
	assert_null(strstr(page_icon_svg, "script"));
}

/* ---- hosts ---------------------------------------------------------------------------------------------------- */

static void a_page_of_a_stranger_cannot_use_its_own_name(void **state)
{
	static const struct slice names[] = {SLICE("mx.example.org")};
	const struct web_setting setting = {.address = {.family = LISTEN_INET, .host = "127.0.0.1"},
					    .hosts = {names, 1}};
	static const char *const ours[] = {"127.0.0.1:9891", "127.0.0.1", "localhost:9891", "[::1]:9891",
					   "MX.example.org"},
				 *const strangers[] = {
				     "evil.example:9891",      "127.0.0.1.evil.example",     "", "[", ":9891",
				     "localhost.evil.example", "mx.example.org.evil.example"};

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!host_is_ours(&setting, ours[i]))
			fail_msg("%s is refused", ours[i]);
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (host_is_ours(&setting, strangers[i]))
			fail_msg("%s is answered", strangers[i]);
	assert_false(host_is_ours(&setting, NULL));
	assert_true(host_is_ours(&(struct web_setting){.address = {.family = LISTEN_UNIX}}, "any"));
}

/* ---- headers -------------------------------------------------------------------------------------------------- */

static void every_answer_forbids_scripts_and_what_is_loaded_from_elsewhere(void **state)
{
	(void)state;
	assert_string_equal(web_headers[0], "Content-Security-Policy");
	assert_has(web_headers[1], "default-src 'none'");
	assert_has(web_headers[1], "frame-ancestors 'none'");
	assert_null(strstr(web_headers[1], "unsafe"));
	assert_null(strstr(web_headers[1], "script-src"));
	assert_null(strstr(web_headers[1], "http"));
}

/* ---- passwords -------------------------------------------------------------------------------------------------- */

static void only_the_password_of_the_hash_matches(void **state)
{
	struct arena *arena = arena_new();
	struct slice line = password_hash(SLICE("correct horse"), arena);

	(void)state;
	assert_true(password_is_hash(line));
	assert_true(password_matches(line, SLICE("correct horse")));
	assert_false(password_matches(line, SLICE("correct horse ")));
	assert_false(password_matches(line, SLICE("")));
	assert_false(slice_equal(line, password_hash(SLICE("correct horse"), arena))); /* another salt */
	/* made by another program, with the salt "NaCl" */
	assert_true(password_matches(SLICE("$scrypt$ln=10,r=8,p=1$TmFDbA$fkcX73pWfPHPoQdd1v4kFBUjMMjXAiMlWrBqvoSGkzA"),
				     SLICE("vector")));
	arena_free(arena);
}

static void what_is_not_a_hash_or_would_take_too_long_is_none(void **state)
{
	static const char *const wrong[] = {
	    "",
	    "secret",
	    "$scrypt$",
	    "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
	    "$scrypt$ln=30,r=8,p=1$TmFDbA$fkcX73pWfPHPoQdd1v4kFBUjMMjXAiMlWrBqvoSGkzA",
	    "$scrypt$ln=10,r=800,p=1$TmFDbA$fkcX73pWfPHPoQdd1v4kFBUjMMjXAiMlWrBqvoSGkzA",
	    "$scrypt$ln=10,r=8,p=99$TmFDbA$fkcX73pWfPHPoQdd1v4kFBUjMMjXAiMlWrBqvoSGkzA",
	    "$scrypt$ln=0,r=8,p=1$TmFDbA$fkcX73pWfPHPoQdd1v4kFBUjMMjXAiMlWrBqvoSGkzA",
	    "$scrypt$ln=10,r=8,p=1$$fkcX73pWfPHPoQdd1v4kFBUjMMjXAiMlWrBqvoSGkzA",
	    "$scrypt$ln=10,r=8,p=1$TmFDbA$ODZ8OzM8NnHj",
	    "$scrypt$ln=10,r=8,p=1$TmFDbA$*",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (password_is_hash(slice_of(wrong[i])))
			fail_msg("%s is taken", wrong[i]);
}

static void a_password_file_that_others_can_read_is_refused(void **state)
{
	char path[] = "/tmp/sekisho-web-XXXXXX";
	int fd = mkstemp(path);
	struct arena *arena = arena_new();
	struct error err;

	(void)state;
	dprintf(fd, "%.*s\n", SLICE_ARGS(password_hash(SLICE("x"), arena)));
	assert_int_equal(login_file_check(path, &err), 0);
	fchmod(fd, 0604);
	assert_int_equal(login_file_check(path, &err), -1);
	assert_has(err.text, "every user of this host can read it");
	fchmod(fd, 0600);
	assert_int_equal(ftruncate(fd, 3), 0);
	assert_int_equal(login_file_check(path, &err), -1);
	assert_has(err.text, "this is not a password hash");
	close(fd);
	unlink(path);
	assert_int_equal(login_file_check(path, &err), -1);
	arena_free(arena);
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static void a_connection_that_lives_too_long_is_cut_off(void **state)
{
	struct connections connections;
	int ends[2];
	char byte;

	(void)state;
	connections_init(&connections);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	connection_begins(&connections, ends[0]);
	connections_sweep(&connections, clock_us() + CONNECTION_US / 2);
	assert_int_equal(read(ends[1], &byte, 1), -1); /* open */
	connections_sweep(&connections, clock_us() + CONNECTION_US + 1000000);
	assert_int_equal(read(ends[1], &byte, 1), 0); /* its end */
	connection_ends(&connections, ends[0]);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		assert_int_equal(connections.items[i].fd, -1);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_metric_has_a_name_of_ours_a_sentence_and_its_unit_in_the_name),
	    cmocka_unit_test(messages_are_counted_by_rule_kind_and_verdict_and_what_would_have_been_too),
	    cmocka_unit_test(failures_of_the_dns_are_counted_by_their_reason),
	    cmocka_unit_test(more_rules_than_are_told_apart_are_summed),
	    cmocka_unit_test(a_time_belongs_to_the_first_bound_that_is_not_below_it),
	    cmocka_unit_test(what_comes_from_mail_never_becomes_markup),
	    cmocka_unit_test(a_page_that_is_too_long_ends_and_stays_within_its_bound),
	    cmocka_unit_test(the_style_sheet_loads_nothing),
	    cmocka_unit_test(a_page_of_a_stranger_cannot_use_its_own_name),
	    cmocka_unit_test(every_answer_forbids_scripts_and_what_is_loaded_from_elsewhere),
	    cmocka_unit_test(only_the_password_of_the_hash_matches),
	    cmocka_unit_test(what_is_not_a_hash_or_would_take_too_long_is_none),
	    cmocka_unit_test(a_password_file_that_others_can_read_is_refused),
	    cmocka_unit_test(a_connection_that_lives_too_long_is_cut_off),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
