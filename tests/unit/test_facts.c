/*
 * test_facts.c - what a fact can declare, with a check of the test beside those of the program: an argument that is
 * the name of a declared block, a stage and a scope that depend on it, a value that is read anew each time, and hints
 * that see what rules read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../filter/check/check_private.h"
#include "engine.h"
#include "policy_messages.h"
#include "policy_scene.h"

/* ---- meter NAME { of client|sender.domain|recipient|from.domain }: counts how often it was computed -------------- */

enum { OF_CLIENT, OF_SENDER, OF_RECIPIENT, OF_FROM };

struct meter {
	struct slice name;
	int of;
};

static unsigned computed;
static char hints[400];

static struct value get_meter(struct view *view, struct argument argument)
{
	const struct meter *meter = argument.thing;

	(void)view;
	computed++;
	return value_text(TYPE_STRING, meter->name);
}

static struct value get_ticks(struct view *view)
{
	(void)view;
	return value_number(++computed);
}

static struct value get_ticks_of(struct view *view, struct argument argument)
{
	(void)argument;
	return get_ticks(view);
}

/* Not settled before the message stage. */
static struct value get_early(struct view *view, struct argument argument)
{
	struct value value = get_meter(view, argument);

	value.provisional = view->stage < STAGE_MESSAGE;
	return value;
}

static void meter_depends(const void *thing, struct traits *traits)
{
	static const char *const facts[] = {"client", "sender.domain", "recipient", "from.domain"};
	const struct meter *meter = thing;

	traits_add(traits, fact_find(slice_of(facts[meter->of])));
}

static void hint(struct view *view, enum stage stage, const struct asking *asking)
{
	(void)view;
	for (size_t i = 0; i < asking->count; i++)
		snprintf(hints + strlen(hints), sizeof(hints) - strlen(hints), "%s:%s(%.*s) ", stage_names[stage],
			 asking->items[i].fact->name, SLICE_ARGS(asking->items[i].argument.text));
}

static const struct setting_key meter_name = {.type = SETTING_NAME, .offset = offsetof(struct meter, name)};
static const struct setting_key meter_keys[] = {
    {.name = "of",
     .type = SETTING_WORD,
     .offset = offsetof(struct meter, of),
     .words = (const char *const[]){"client", "sender.domain", "recipient", "from.domain", NULL},
     .preset = "client"},
};
static const struct setting_block meter_block = {
    .name = "meter", .size = sizeof(struct meter), .value = &meter_name, SETTING_KEYS(meter_keys), .repeats = true};

static const struct fact meter_facts[] = {
    FACT("meter", STRING, CONNECT, NULL, "a test", .scope = SCOPE_CONNECTION, .argument = ARGUMENT_THING,
	 .get_of = get_meter, .depends = meter_depends),
    FACT("meter.early", STRING, MAIL, NULL, "a test", .argument = ARGUMENT_THING, .get_of = get_early),
    FACT("meter.ticks", NUMBER, MAIL, NULL, "a test", .argument = ARGUMENT_THING, .get_of = get_ticks_of,
	 .changes = true),
    FACT("ticks", NUMBER, MAIL, get_ticks, "a test", .changes = true),
};

static const struct check meter = {
    .number = CHECK_NUMBER_dmarc + 1, .name = "meter", FACTS(meter_facts), .settings = &meter_block, .hint = hint};

const struct check *const checks[] = {
#define CHECK(which) &check_##which,
#include "../../filter/check/check_list.h"
#undef CHECK
    &meter, NULL};

#define METERS                 "meter c { }\nmeter s { of sender.domain }\nmeter r { of recipient }\nmeter f { of from.domain }\n"
#define RULE(stage, condition) METERS "policy inbound {\non " stage " {\nlog \"x\" if " condition "\n}\n}\n"

/* ---- what the compiler says ------------------------------------------------------------------------ */

static void the_name_of_a_thing_that_is_not_declared_is_an_error(void **state)
{
	static const struct said cases[] = {
	    {METERS "meter hourly { }\npolicy inbound { on mail {\nlog \"x\" if meter(\"hourli\") is \"a\"\n} }\n",
	     "t:7:18: no meter is named \"hourli\"; did you mean \"hourly\"?"},
	    {RULE("mail", "meter(\"zzzzz\") is \"a\""),
	     "t:7:18: no meter is named \"zzzzz\"; declare it before the policies: meter NAME { ... }"},
	    {RULE("mail", "meter is \"a\""), "t:7:12: meter needs the name of a meter; write meter(\"NAME\")"},
	    {RULE("mail", "ticks(\"c\") > 1"), "t:7:18: ticks takes no argument; write ticks alone"},
	    {METERS "policy inbound { on mail {\nlog \"%{meter(x)}\"\n} }\n",
	     "t:6:14: no meter is named \"x\"; declare it before the policies: meter NAME { ... }"},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void the_stage_of_a_fact_follows_from_its_argument(void **state)
{
	static const struct {
		const char *stage, *condition, *message;
	} cases[] = {
	    {"connect", "meter(\"c\") is \"a\"", ""},
	    {"connect", "meter(\"s\") is \"a\"",
	     "t:7:12: meter(\"s\") is known from \"on mail\" on (this rule is in \"on connect\", line 6); move the "
	     "rule to \"on mail\" or later"},
	    {"mail", "meter(\"s\") is \"a\"", ""},
	    {"rcpt", "meter(\"r\") is \"a\"", ""},
	    {"message", "meter(\"r\") is \"a\"",
	     "t:7:12: meter(\"r\") belongs to one recipient and a message can have several (this rule is in "
	     "\"on message\", line 6); write \"any meter(\"r\")\" or \"all meter(\"r\")\" in a condition, or ask for "
	     "it "
	     "in \"on rcpt\""},
	    {"message", "any meter(\"r\") is \"r\"", ""},
	    {"rcpt", "meter(\"f\") is \"a\"",
	     "t:7:12: meter(\"f\") is known from \"on message\" on (this rule is in \"on rcpt\", line 6); move the "
	     "rule to \"on message\""},
	    {"message", "meter(\"f\") is \"a\"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[400], *messages;
		struct policy *policy;

		snprintf(text, sizeof(text), METERS "policy inbound {\non %s {\nlog \"x\" if %s\n}\n}\n",
			 cases[i].stage, cases[i].condition);
		policy = load_text(text, NULL, &messages);
		if (strcmp(messages, cases[i].message))
			fail_msg("of %s expected\n%s\ngot\n%s", text, cases[i].message, messages);
		policy_release(policy);
		free(messages);
	}
}

/* What it is made of is read, too: its needs are the message's, and its check gets the header. */
static void what_a_fact_is_made_of_is_read_with_it(void **state)
{
	struct policy *policy;
	char *messages;

	(void)state;
	policy = load_text("authentication-results off\n" RULE("mail", "meter(\"s\") is \"a\""), NULL, &messages);
	assert_int_equal(policy_needs(policy), 0);
	assert_true(policy_uses_check(policy, NULL, KIND_INBOUND, &check_envelope));
	assert_false(policy_uses_check(policy, NULL, KIND_INBOUND, &check_from));
	policy_release(policy);
	free(messages);
	policy = load_text("authentication-results off\n" RULE("message", "meter(\"f\") is \"a\""), NULL, &messages);
	assert_int_equal(policy_needs(policy), NEED_HEADERS);
	assert_true(policy_uses_check(policy, NULL, KIND_INBOUND, &check_from));
	policy_release(policy);
	free(messages);
}

/* ---- values ---------------------------------------------------------------------------------------------- */

static struct argument named(const struct scene *scene, const char *fact, const char *name)
{
	struct argument argument = {slice_of(name), fact_thing(&policy_settings(scene->policy)->check,
							       fact_find(slice_of(fact)), slice_of(name))};

	assert_non_null(argument.thing);
	return argument;
}

static struct value get(struct scene *scene, const char *fact, const char *name)
{
	return fact_get(&scene->view, fact_find(slice_of(fact)), named(scene, fact, name));
}

static void a_value_is_computed_once_for_each_argument_and_kept_as_long_as_its_scope(void **state)
{
	struct scene *scene = scene_new(METERS "mode enforce\n");

	(void)state;
	computed = 0;
	scene->view.stage = STAGE_RCPT;
	scene->view.recipient = &scene->recipient;
	for (int i = 0; i < 2; i++) {
		assert_true(slice_equal(get(scene, "meter", "c").text, SLICE("c")));
		assert_true(slice_equal(get(scene, "meter", "s").text, SLICE("s")));
		assert_true(slice_equal(get(scene, "meter", "r").text, SLICE("r")));
		assert_int_equal(computed, 3);
	}
	assert_int_equal(scene->connection.with_argument.count, 1);
	assert_int_equal(scene->of_message.with_argument.count, 1);
	assert_int_equal(scene->recipient.known->count, 1);
	scene->recipient.known = NULL; /* the next recipient */
	get(scene, "meter", "c");
	get(scene, "meter", "s");
	assert_int_equal(computed, 3);
	get(scene, "meter", "r");
	assert_int_equal(computed, 4);
	memset(&scene->of_message, 0, sizeof(scene->of_message)); /* the next message of the session */
	get(scene, "meter", "c");
	assert_int_equal(computed, 4);
	get(scene, "meter", "s");
	assert_int_equal(computed, 5);
	scene_free(scene);
}

/* A name in another case is the same name; and a file has as many names as it likes. */
static void header_fields_are_found_by_any_number_of_names(void **state)
{
	char *text = NULL;
	struct scene *scene;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	fprintf(out, "policy inbound { on message {\n");
	for (int i = 0; i < 300; i++)
		fprintf(out, "log \"%d\" if header(\"X-%d\") is \"%d\" and header(x-%d) is %d\n", i, i, i, i, i);
	fprintf(out, "} }\n");
	fclose(out);
	scene = scene_new(text);
	headers_add(&scene->message.headers, SLICE("X-2"), SLICE(" 2"));
	headers_add(&scene->message.headers, SLICE("x-299"), SLICE(" 299"));
	run(scene, STAGE_MESSAGE, false);
	assert_int_equal(scene->decision.note_count, 2);
	assert_true(slice_equal(scene->decision.notes[0].text, SLICE("2")));
	assert_true(slice_equal(scene->decision.notes[1].text, SLICE("299")));
	assert_int_equal(scene->of_message.with_argument.count, KNOWN_MAX);
	assert_true(slice_equal(scene->of_message.with_argument.items[1].argument.text, SLICE("X-1")));
	scene_free(scene);
	free(text);
}

static void a_value_before_the_stage_of_its_argument_is_absent(void **state)
{
	struct scene *scene = scene_new(METERS "mode enforce\n");

	(void)state;
	scene->view.stage = STAGE_CONNECT;
	assert_int_equal(get(scene, "meter", "c").state, VALUE_SET);
	assert_int_equal(get(scene, "meter", "s").state, VALUE_ABSENT);
	scene->view.stage = STAGE_MAIL;
	assert_int_equal(get(scene, "meter", "s").state, VALUE_SET);
	assert_int_equal(get(scene, "meter", "r").state, VALUE_ABSENT);
	scene_free(scene);
}

static void what_changes_is_read_again_each_time(void **state)
{
	struct scene *scene = scene_new(METERS "mode enforce\n");
	const struct fact *ticks = fact_find(SLICE("ticks"));

	(void)state;
	computed = 0;
	scene->view.stage = STAGE_MAIL;
	for (int i = 1; i <= 3; i++)
		assert_int_equal(fact_get(&scene->view, ticks, NO_ARGUMENT).number, i);
	assert_int_equal(scene->of_message.values[fact_number(ticks)]->number, 3); /* the record has the last one */
	for (int i = 4; i <= 6; i++)
		assert_int_equal(get(scene, "meter.ticks", "c").number, i);
	assert_int_equal(scene->of_message.with_argument.count, 1);
	assert_int_equal(scene->of_message.with_argument.items[0].value.number, 6);
	scene_free(scene);
}

static void what_is_not_settled_before_the_message_stage_is_read_again_there(void **state)
{
	struct scene *scene = scene_new(METERS "mode enforce\n");

	(void)state;
	computed = 0;
	scene->view.stage = STAGE_MAIL;
	get(scene, "meter.early", "c");
	get(scene, "meter.early", "c");
	assert_int_equal(computed, 1);
	scene->view.stage = STAGE_MESSAGE;
	get(scene, "meter.early", "c");
	get(scene, "meter.early", "c");
	assert_int_equal(computed, 2);
	scene_free(scene);
}

/* More arguments than there is room for are computed each time; those before stay known. */
static void the_memo_of_arguments_is_bounded(void **state)
{
	struct scene *scene = scene_new("mode enforce\n");
	const struct fact *header = fact_find(SLICE("header.count"));

	(void)state;
	scene->view.stage = STAGE_MESSAGE;
	for (int i = 0; i < KNOWN_MAX + 10; i++) {
		struct slice name = arena_printf(scene->arena, "X-%d", i);

		assert_int_equal(fact_get(&scene->view, header, (struct argument){name, NULL}).number, 0);
	}
	assert_int_equal(scene->of_message.with_argument.count, KNOWN_MAX);
	assert_int_equal(fact_get(&scene->view, header, (struct argument){SLICE("x-3"), NULL}).number, 0);
	assert_int_equal(scene->of_message.with_argument.count, KNOWN_MAX);
	scene_free(scene);
}

/* ---- hints and time --------------------------------------------------------------------------------------- */

static struct gate *open_gate(const char *text, struct engine **engine_r, struct counters *counters)
{
	struct error err;
	char *messages;
	struct policy *policy = load_text(text, NULL, &messages);
	struct resolver *resolver = resolver_open_zone(SLICE(""), "zone", &err);

	if (!policy || !resolver)
		fail_msg("%s", messages);
	free(messages);
	*engine_r = engine_new(policy, resolver, NULL, counters);
	policy_release(policy);
	resolver_release(resolver);
	return gate_open(*engine_r, &abilities_all);
}

static void hints_see_the_arguments_that_rules_read_and_no_others(void **state)
{
	struct counters counters = {0};
	struct engine *engine;
	struct gate *gate = open_gate(
	    METERS "policy inbound {\non connect {\nlog \"x\" if meter(\"c\") is \"a\" or meter(\"c\") is \"b\"\n}\n"
		   "on mail {\nlog \"%{meter(s)}\"\n}\n}\n"
		   "policy local { on mail { log \"%{meter.early(f)}\"\n} }\n",
	    &engine, &counters);

	(void)state;
	hints[0] = '\0';
	gate_connect(gate, &(struct connection){.client = {.family = 4, .bytes = {192, 0, 2, 1}}});
	assert_string_equal(hints, "connect:meter(c) connect:meter(s) ");
	gate_close(gate);
	engine_release(engine);
}

static void the_time_of_a_message_can_be_set(void **state)
{
	struct counters counters = {0};
	struct engine *engine;
	struct gate *gate = open_gate("mode enforce\n", &engine, &counters);
	int64_t before = clock_wall_us();

	(void)state;
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	assert_true(gate_view(gate)->now_us >= before);
	gate_time(gate, 1234567890000000);
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	assert_int_equal(gate_view(gate)->now_us, 1234567890000000);
	gate_close(gate);
	engine_release(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_name_of_a_thing_that_is_not_declared_is_an_error),
	    cmocka_unit_test(the_stage_of_a_fact_follows_from_its_argument),
	    cmocka_unit_test(what_a_fact_is_made_of_is_read_with_it),
	    cmocka_unit_test(a_value_is_computed_once_for_each_argument_and_kept_as_long_as_its_scope),
	    cmocka_unit_test(header_fields_are_found_by_any_number_of_names),
	    cmocka_unit_test(a_value_before_the_stage_of_its_argument_is_absent),
	    cmocka_unit_test(what_changes_is_read_again_each_time),
	    cmocka_unit_test(what_is_not_settled_before_the_message_stage_is_read_again_there),
	    cmocka_unit_test(the_memo_of_arguments_is_bounded),
	    cmocka_unit_test(hints_see_the_arguments_that_rules_read_and_no_others),
	    cmocka_unit_test(the_time_of_a_message_can_be_set),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
