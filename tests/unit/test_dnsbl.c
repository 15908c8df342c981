/*
 * test_dnsbl.c - dnsbl NAME { }: mistakes in it, its bounds, texts of lists that cannot be trusted, and the test of the
 * lists. What answers mean is in tests/scenarios/dnsbl.scenario.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dnsbl.h"
#include "engine.h"
#include "policy_messages.h"

#define LIST(keys)   "dnsbl zen { zone zen.test " keys " }\n"
#define RULES(rules) "policy inbound {\non mail {\n" rules "\n}\n}\n"
#define SECOND       INT64_C(1000000)
#define MINUTE       (60 * SECOND)

/* ---- settings ------------------------------------------------------------------------------------ */

static void a_mistake_in_a_list_is_named(void **state)
{
	static const struct said cases[] = {
	    {"dnsbl zen { of client }\n", "dnsbl has no zone"},
	    {"dnsbl zen { zone zen..test }\n", "zone cannot be \"zen..test\"; write a domain as in example.org"},
	    {LIST("of recipient"), "of cannot be \"recipient\"; write client, helo, sender.domain or from.domain"},
	    {LIST("weight 2000"), "weight cannot be \"2000\"; write a number from -1000 to 1000"},
	    {LIST("code 127.0.0.2"), "code has too few values"},
	    {LIST("code 192.0.2.1 spam"), "192.0.2.1 is outside of 127.0.0.0/8, where lists never answer"},
	    {LIST("code 127.0.0.9-127.0.0.2 spam"),
	     "code cannot be \"127.0.0.9-127.0.0.2\"; write an address or a range"},
	    {LIST("code 127.0.0.256 spam"), "code cannot be \"127.0.0.256\""},
	    {LIST("code 127.0.0 spam"), "code cannot be \"127.0.0\""},
	    {LIST("code 127.0.0.2.3 spam"), "code cannot be \"127.0.0.2.3\""},
	    {LIST("code 127.0.0.2 9spam"), "\"9spam\" cannot be the word for a code"},
	    {LIST("code 127.255.255.254 open"),
	     "127.255.255.254 is how lists refuse to answer, and is never a listing"},
	    {LIST("code 127.0.0.1 bad"), "127.0.0.1 is how lists refuse to answer"},
	    {LIST("bit 3 bad"), "bit cannot be \"3\"; write one of 2, 4, 8, 16"},
	    {LIST("bit 1 bad"), "bit cannot be \"1\""},
	    {LIST("") LIST(""), "dnsbl zen is defined already"},
	    {LIST("") RULES("reject if dnsbl(\"zem\") is listed"), "did you mean \"zen\"?"},
	    {LIST("") RULES("reject if dnsbl(\"zen\") is spam"), "it is one of clean listed temperror"},
	    {LIST("code 127.0.0.2 spam") RULES("reject if dnsbl.code(\"zen\") is spm"),
	     "dnsbl.code(\"zen\") is never \"spm\" (did you mean \"spam\"?); its words are spam"},
	    {LIST("of from.domain") RULES("reject if dnsbl(\"zen\") is listed"),
	     "dnsbl(\"zen\") is known from \"on message\" on"},
	    {"dnsbl zen { zone "
	     "a23456789012345678901234567890123456789012345678901234567890."
	     "b23456789012345678901234567890123456789012345"
	     "678901234567890.c23456789012345678901234567890123456789012345678901234567890.example.org }\n",
	     "the zone has 194 bytes, and with an address before it no name of the DNS; at most 189 can be used"},
	};

	(void)state;
	ASSERT_REFUSED(cases);
}

static void a_thousand_lists_are_too_many_and_64_are_not(void **state)
{
	static const unsigned counts[] = {64, 65, 1000};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct arena *arena = arena_new();
		struct text text;
		char *messages;
		struct policy *policy;

		text_init(&text, arena, 200000);
		for (unsigned n = 0; n < counts[i]; n++)
			text_printf(&text, "dnsbl l%u { zone l%u.test }\n", n, n);
		policy = load_text(text_cstring(&text), NULL, &messages);
		assert_int_equal(policy != NULL, counts[i] == 64);
		if (!policy && !strstr(messages, "dnsbl is set more than 64 times; remove some"))
			fail_msg("%s", messages);
		policy_release(policy);
		free(messages);
		arena_free(arena);
	}
}

/* ---- a message --------------------------------------------------------------------------------------- */

static struct counters counters;
static struct report *reporting; /* NULL: nobody keeps records */

struct scene {
	struct policy *policy;
	struct resolver *resolver;
	struct engine *engine;
	struct gate *gate;
};

static void scene_open(struct scene *scene, const char *config, const char *zone, struct ip client)
{
	struct error err;

	scene->policy = load(config);
	scene->resolver = resolver_open_zone(slice_of(zone), "zone", &err);
	if (!scene->resolver)
		fail_msg("%s", err.text);
	scene->engine = engine_new(scene->policy, scene->resolver, reporting, &counters);
	scene->gate = gate_open(scene->engine, &abilities_all);
	gate_connect(scene->gate, &(struct connection){.client = client, .client_name = SLICE("")});
}

static void scene_close(struct scene *scene)
{
	gate_close(scene->gate);
	engine_release(scene->engine);
	resolver_release(scene->resolver);
	policy_release(scene->policy);
}

static struct value read_fact(struct scene *scene, const char *name)
{
	const struct fact *fact = fact_find(slice_of(name));
	struct argument argument = {SLICE("zen"),
				    fact_thing(&policy_settings(scene->policy)->check, fact, SLICE("zen"))};

	return fact_get(gate_view(scene->gate), fact, fact->argument == ARGUMENT_NONE ? NO_ARGUMENT : argument);
}

static const struct ip client = {.family = 4, .bytes = {203, 0, 113, 9}};

static void a_client_without_an_address_is_not_asked_for(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene, LIST(""), "*.zen.test A 127.0.0.2\n", (struct ip){0});
	gate_mail(scene.gate, SLICE("<a@example.net>"), MADE_UNKNOWN, false);
	assert_int_equal(read_fact(&scene, "dnsbl").state, VALUE_ABSENT);
	assert_int_equal(read_fact(&scene, "dnsbl.code").state, VALUE_ABSENT);
	assert_int_equal(read_fact(&scene, "dnsbl.text").state, VALUE_ABSENT);
	assert_int_equal(read_fact(&scene, "dnsbl.score").number, 0);
	scene_close(&scene);
}

static void a_text_of_64_kilobytes_is_cut_and_is_printable(void **state)
{
	enum { STRINGS = 250 };
	struct arena *arena = arena_new();
	struct scene scene;
	struct value text;
	struct text zone;

	(void)state;
	text_init(&zone, arena, 100000);
	text_printf(&zone, "9.113.0.203.zen.test A 127.0.0.2\n9.113.0.203.zen.test TXT");
	for (int i = 0; i < STRINGS; i++)
		text_printf(&zone, " \"\\000\\013\\010250 see zen.TEST \\195\\164 %0200d\"", i);
	text_add_char(&zone, '\n');
	scene_open(&scene, LIST(""), text_cstring(&zone), client);
	gate_mail(scene.gate, SLICE("<a@example.net>"), MADE_UNKNOWN, false);
	text = read_fact(&scene, "dnsbl.text");
	assert_int_equal(text.state, VALUE_SET);
	assert_true(text.text.n > 100 && text.text.n <= 200);
	for (size_t i = 0; i < text.text.n; i++)
		if (text.text.p[i] < 0x20 || text.text.p[i] > 0x7e)
			fail_msg("byte %zu is %d", i, text.text.p[i]);
	assert_true(slice_starts_nocase(text.text, SLICE("250 see zen ?? 000")));
	scene_close(&scene);
	arena_free(arena);
}

/* With hints, the queries of a message are on their way before it is read: equal ones once. */
static void equal_questions_of_two_lists_are_asked_once(void **state)
{
	struct resolver_counters asked;
	struct scene scene;

	(void)state;
	scene_open(&scene,
		   "authentication-results off\n" LIST("") "dnsbl two { zone ZEN.test. weight 3 }\n" RULES(
		       "log \"x\" if dnsbl.score > 5"),
		   "", client);
	resolver_counters(scene.resolver, &asked);
	assert_int_equal(asked.asked, 1); /* at CONNECT */
	gate_mail(scene.gate, SLICE("<a@example.net>"), MADE_UNKNOWN, false);
	resolver_counters(scene.resolver, &asked);
	assert_int_equal(asked.asked, 1);
	scene_close(&scene);
}

/* Other hints ask early as well: a HELO name that is none would be the name of the root. */
static void a_helo_name_that_is_none_is_not_asked_for(void **state)
{
	static const struct {
		struct slice helo;
		unsigned asked;
	} cases[] = {{SLICE("[203.0.113.9]"), 0}, {SLICE("localhost"), 0}, {SLICE("mail.example.net"), 2}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct resolver_counters before, after;
		struct scene scene;

		scene_open(&scene, "authentication-results off\n" RULES("log \"x\" if helo.resolves"), "", client);
		resolver_counters(scene.resolver, &before);
		gate_helo(scene.gate, cases[i].helo);
		resolver_counters(scene.resolver, &after);
		assert_int_equal(after.asked - before.asked, cases[i].asked);
		scene_close(&scene);
	}
}

/* A history has the questions of a message: the key in the name of a zone stays out of it. */
static void a_history_does_not_get_the_key_of_a_zone(void **state)
{
	static const char zone[] = "9.113.0.203.q7x2.zen.test A 127.0.0.2\n"
				   "9.113.0.203.q7x2.zen.test TXT \"see Q7X2.zen.test\"\n";
	struct history *history;
	const struct record *record;
	struct scene scene;
	struct error err;

	(void)state;
	history = history_open(
	    &(struct history_settings){"history.db", HISTORY_DAY_US, HISTORY_AT_MOST_MIN, HISTORY_PLAIN}, &err);
	reporting = report_open(REPORT_OFF, NULL, &err);
	assert_non_null(history);
	assert_non_null(reporting);
	report_keep(reporting, history);
	scene_open(&scene, "dnsbl zen { zone q7x2.zen.test }\n", zone, client);
	gate_mail(scene.gate, SLICE("<a@example.net>"), MADE_UNKNOWN, false);
	assert_true(slice_equal(read_fact(&scene, "dnsbl").text, SLICE("listed")));
	assert_true(slice_equal(read_fact(&scene, "dnsbl.text").text, SLICE("see zen")));
	gate_abort(scene.gate);
	record = gate_record(scene.gate);
	assert_int_equal(record->question_count, 3);
	assert_true(slice_equal(record->questions[0].name, SLICE("9.113.0.203.zen")));
	assert_true(slice_equal(record->questions[1].name, SLICE("1.0.0.127.zen")));
	assert_true(slice_equal(record->questions[2].answer, SLICE("see zen")));
	scene_close(&scene);
	report_close(reporting);
	history_close(history);
	reporting = NULL;
	assert_int_equal(system("rm -f history.db*"), 0);
}

/* ---- the test of the lists ----------------------------------------------------------------------------- */

/* What was logged, one line each. */
static char said[8192];

static void say(void *context, const char *level, const char *line)
{
	(void)context;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s %s\n", level, line);
}

static void tend(struct policy *policy, const char *zone, int64_t now_us)
{
	struct error err;
	struct resolver *resolver = resolver_open_zone(slice_of(zone), "zone", &err);

	said[0] = '\0';
	if (!resolver)
		fail_msg("%s", err.text);
	dnsbl_tend(&policy_settings(policy)->check, resolver, now_us, say, NULL);
	resolver_release(resolver);
}

static void expect_state(struct policy *policy, const char *state, const char *line)
{
	struct dnsbl_status status;

	assert_int_equal(dnsbl_count(&policy_settings(policy)->check), 1);
	dnsbl_status(&policy_settings(policy)->check, 0, &status);
	if (strcmp(dnsbl_state_names[status.state], state) != 0)
		fail_msg("expected %s, got %s\n%s", state, dnsbl_state_names[status.state], said);
	if (*line ? !strstr(said, line) : *said)
		fail_msg("expected \"%s\", got \"%s\"", line, said);
}

#define RIGHT "2.0.0.127.zen.test A 127.0.0.2\n"
#define WRONG RIGHT "1.0.0.127.zen.test A 127.0.0.2\n"

static void a_list_is_off_while_it_contains_its_negative_entry(void **state)
{
	struct policy *policy = load(LIST(""));
	int64_t now = 1000 * MINUTE;

	(void)state;
	expect_state(policy, "untested", "");
	tend(policy, RIGHT, now);
	expect_state(policy, "used", "");
	tend(policy, WRONG, now + 59 * MINUTE);
	expect_state(policy, "used", "");
	tend(policy, WRONG, now + 60 * MINUTE);
	expect_state(policy, "off", "error dnsbl zen: switched off: it contains its negative test entry (127.0.0.1)");
	tend(policy, "zen.test TIMEOUT\n*.zen.test TIMEOUT\n", now + 61 * MINUTE);
	expect_state(policy, "off", "");
	tend(policy, WRONG, now + 121 * MINUTE);
	expect_state(policy, "off", "error dnsbl zen: switched off");
	tend(policy, RIGHT, now + 122 * MINUTE);
	expect_state(policy, "used", "warning dnsbl zen: it is right again, and used again");
	policy_release(policy);
}

static void each_family_and_kind_has_its_entries(void **state)
{
	static const struct {
		const char *config, *zone, *state, *line;
	} cases[] = {
	    {LIST(""), "", "used", "warning dnsbl zen: it does not contain its test entry (127.0.0.2)"},
	    {LIST("of helo"), "", "used", "warning dnsbl zen: it does not contain its test entry (TEST)"},
	    {LIST("of helo"), "TEST.zen.test A 127.0.1.2\n", "used", ""},
	    {LIST("of from.domain"), "invalid.zen.test A 127.0.1.2\n", "off",
	     "switched off: it contains its negative test entry (INVALID)"},
	    {LIST(""), RIGHT "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.zen.test A 127.0.0.2\n",
	     "off", "switched off"},
	    {LIST(""), "*.zen.test A 127.255.255.254\n", "refusing",
	     "error dnsbl zen: it answered 127.255.255.254, so its result is temperror: the list does not answer "
	     "public "
	     "resolvers: ask with a resolver of your own"},
	    {LIST(""), "*.zen.test A 127.0.0.1\n", "refusing", "error dnsbl zen: it answered 127.0.0.1"},
	    {LIST(""), RIGHT "*.zen.test A 198.51.100.80\n", "used",
	     "error dnsbl zen: it answered 198.51.100.80, which no list does, so it does not count as listed: the "
	     "resolver answers names that do not exist with an address"},
	    {LIST(""), "zen.test TIMEOUT\n*.zen.test TIMEOUT\n", "silent",
	     "warning dnsbl zen: its test has no answer, and so will mail"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *policy = load(cases[i].config);

		tend(policy, cases[i].zone, MINUTE);
		expect_state(policy, cases[i].state, cases[i].line);
		policy_release(policy);
	}
}

static void a_silent_list_that_answers_again_says_so(void **state)
{
	struct policy *policy = load(LIST(""));

	(void)state;
	tend(policy, "zen.test TIMEOUT\n*.zen.test TIMEOUT\n", MINUTE);
	expect_state(policy, "silent", "warning");
	tend(policy, RIGHT, 2 * MINUTE);
	expect_state(policy, "used", "info dnsbl zen: it answers again");
	policy_release(policy);
}

/* What mail finds is logged once for each code, and an error every hour. */
static void what_mail_finds_is_logged_once(void **state)
{
	static const char zone[] = "9.113.0.203.zen.test A 127.0.0.77\n10.113.0.203.zen.test A 127.255.255.255\n";
	struct ip other = client;
	struct scene scene;

	(void)state;
	other.bytes[3] = 10;
	scene_open(&scene, LIST("code 127.0.0.2 spam"), zone, client);
	tend(scene.policy, RIGHT, MINUTE);
	for (int i = 1; i <= 3; i++) {
		gate_connect(scene.gate, &(struct connection){.client = i < 3 ? client : other});
		gate_mail(scene.gate, SLICE("<a@example.net>"), MADE_UNKNOWN, false);
		assert_true(slice_equal(read_fact(&scene, "dnsbl").text, i < 3 ? SLICE("clean") : SLICE("temperror")));
		tend(scene.policy, RIGHT, (1 + i) * MINUTE);
		expect_state(
		    scene.policy, "used",
		    i == 1   ? "warning dnsbl zen: it answered 127.0.0.77, which is not in its table and so does "
			       "not count as listed; see what the list documents, and add: code 127.0.0.77 WORD"
		    : i == 2 ? ""
			     : "error dnsbl zen: it answered 127.255.255.255, so its result is temperror: this "
			       "resolver asks more than the list allows");
	}
	scene_close(&scene);
}

/* Mail that is listed while the list contains everything is not refused, and has the list tested at once. */
static void mail_has_a_list_tested_that_contains_everything(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene, LIST(""), "*.zen.test A 127.0.0.2\n", client);
	tend(scene.policy, RIGHT, MINUTE);
	expect_state(scene.policy, "used", "");
	gate_mail(scene.gate, SLICE("<a@example.net>"), MADE_UNKNOWN, false);
	assert_true(slice_equal(read_fact(&scene, "dnsbl").text, SLICE("temperror")));
	tend(scene.policy, WRONG, 2 * MINUTE);
	expect_state(scene.policy, "off", "error dnsbl zen: switched off");
	scene_close(&scene);
}

static void a_reload_keeps_a_list_off(void **state)
{
	struct policy *old = load(LIST("")), *same = load(LIST("weight 7")),
		      *other = load("dnsbl zen { zone zen2.test }\n");

	(void)state;
	tend(old, WRONG, MINUTE);
	dnsbl_adopt(&policy_settings(same)->check, &policy_settings(old)->check);
	dnsbl_adopt(&policy_settings(other)->check, &policy_settings(old)->check);
	said[0] = '\0';
	expect_state(same, "off", "");
	expect_state(other, "untested", "");
	tend(same, RIGHT, MINUTE);
	expect_state(same, "used", "it is right again");
	policy_release(old);
	policy_release(same);
	policy_release(other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mistake_in_a_list_is_named),
	    cmocka_unit_test(a_thousand_lists_are_too_many_and_64_are_not),
	    cmocka_unit_test(a_client_without_an_address_is_not_asked_for),
	    cmocka_unit_test(a_text_of_64_kilobytes_is_cut_and_is_printable),
	    cmocka_unit_test(equal_questions_of_two_lists_are_asked_once),
	    cmocka_unit_test(a_helo_name_that_is_none_is_not_asked_for),
	    cmocka_unit_test(a_history_does_not_get_the_key_of_a_zone),
	    cmocka_unit_test(a_list_is_off_while_it_contains_its_negative_entry),
	    cmocka_unit_test(each_family_and_kind_has_its_entries),
	    cmocka_unit_test(a_silent_list_that_answers_again_says_so),
	    cmocka_unit_test(what_mail_finds_is_logged_once),
	    cmocka_unit_test(mail_has_a_list_tested_that_contains_everything),
	    cmocka_unit_test(a_reload_keeps_a_list_off),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
