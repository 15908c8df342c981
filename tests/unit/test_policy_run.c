/*
 * test_policy_run.c - what rules decide: a policy, what is known of a message, and the
 * outcome. Facts that need the DNS are put into the memo, as if they had been computed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_text.h"

/* ---- a message at a stage ------------------------------------------------------- */

struct scene {
	struct arena *arena;
	struct policy *policy;
	struct session session;
	struct message message;
	struct recipient recipient;
	struct view view;
	struct fact_memo connection, of_message, of_recipient;
	struct argument_memo arguments;
	void *slots[2][CHECK_MAX];
	struct decision decision;
	struct outcome outcome;
	char trace[4000];
};

static void remember(struct scene *scene, const char *name, struct value value)
{
	const struct fact *fact = fact_find(slice_of(name));
	struct value *kept = arena_alloc(scene->arena, sizeof(*kept));

	*kept = value;
	kept->type = fact->type;
	(fact->scope == SCOPE_CONNECTION ? &scene->connection : &scene->of_message)->values[fact_number(fact)] = kept;
}

static struct value word(const char *text)
{
	return (struct value){.state = VALUE_SET, .text = slice_of(text)};
}

static struct value failed(void)
{
	return (struct value){.state = VALUE_UNKNOWN, .why = "a test broke it"};
}

static void scene_view(struct scene *scene)
{
	scene->view = (struct view){
	    .settings = &policy_settings(scene->policy)->check,
	    .session = &scene->session,
	    .message = &scene->message,
	    .connection_memo = &scene->connection,
	    .message_memo = &scene->of_message,
	    .recipient_memo = &scene->of_recipient,
	    .argument_memo = &scene->arguments,
	    .connection_slots = scene->slots[0],
	    .message_slots = scene->slots[1],
	};
}

/* alice@example.org from 192.0.2.1, which calls itself mail.example.org, to bob@example.net. */
static struct scene *scene_new(const char *text)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	char *messages;

	scene->policy = load_text(text, NULL, &messages);
	if (!scene->policy)
		fail_msg("%s\n%s", text, messages);
	free(messages);
	scene->arena = arena_new();
	scene->session =
	    (struct session){.arena = scene->arena, .helo = SLICE("mail.example.org"), .client_port = 4321};
	ip_parse(SLICE("192.0.2.1"), &scene->session.client);
	scene->message.arena = scene->arena;
	scene->message.sender = address_parse_path(SLICE("<alice@example.org>"), scene->arena);
	scene->recipient.address = address_parse_path(SLICE("<bob@example.net>"), scene->arena);
	scene->message.size = 5000;
	headers_init(&scene->message.headers, scene->arena);
	headers_add(&scene->message.headers, SLICE("Subject"), SLICE(" Buy now"));
	remember(scene, "spf", word("fail"));
	remember(scene, "spf.explanation", word("not\r\nallowed\xC3\xA9"));
	remember(scene, "client.ptr", (struct value){.state = VALUE_ABSENT});
	decision_init(&scene->decision, scene->arena);
	scene_view(scene);
	return scene;
}

static void scene_free(struct scene *scene)
{
	policy_release(scene->policy);
	arena_free(scene->arena);
	free(scene);
}

static void add_trace(struct scene *scene, const char *format, ...)
{
	size_t n = strlen(scene->trace);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(scene->trace + n, sizeof(scene->trace) - n, format, arguments);
	va_end(arguments);
}

static void keep_trace(void *context, const struct rule_trace *trace)
{
	static const char *const truths[] = {"false", "true", "unknown"};
	struct scene *scene = context;

	add_trace(scene, "%s%u %.*s: %s, %s", *scene->trace ? "\n" : "", trace->where.line, SLICE_ARGS(trace->source),
		  truths[trace->truth], trace->effect);
	for (size_t i = 0; i < trace->seen_count; i++)
		add_trace(scene, " [%.*s=%.*s]", SLICE_ARGS(trace->seen[i].fact), SLICE_ARGS(trace->seen[i].value));
}

static void run(struct scene *scene, enum stage stage, bool accepted)
{
	struct tracer tracer = {keep_trace, scene};

	scene->view.stage = stage;
	scene->view.recipient = stage == STAGE_RCPT ? &scene->recipient : NULL;
	policy_run(scene->policy, KIND_INBOUND, stage, &scene->view, accepted, &scene->decision, &tracer,
		   &scene->outcome);
}

/* "reject 550 5.7.1 text / text" or the verdict alone. */
static const char *outcome_text(const struct scene *scene)
{
	static char text[20000];
	const struct reply *reply = &scene->outcome.reply;
	char *end = text + sprintf(text, "%s", verdict_names[scene->outcome.verdict]);

	if (reply->code)
		end += sprintf(end, " %u %.*s", reply->code, SLICE_ARGS(reply->enhanced));
	for (size_t i = 0; i < reply->line_count; i++)
		end += sprintf(end, "%s%.*s", i ? " / " : " ", SLICE_ARGS(reply->lines[i]));
	return text;
}

#define ON(stage, rules)                                                                                               \
	"list friends file:friends\nlist owners file:owners\nlist absent file:nowhere\n"                               \
	"list softly file:nowhere on-failure skip\n"                                                                   \
	"policy inbound {\non " stage " {\n" rules "\n}\n}\n"
#define FIRST_RULE 7

static void prepare_lists(void)
{
	write_text("friends", "alice@example.org\n192.0.2.0/24\n.example.com\n");
	write_text("owners", "alice: alice@example.org @example.net\n");
}

/* Does `condition` hold? Asked at the end of the message, where all but recipients is known. */
struct question {
	const char *condition;
	enum truth truth;
};

static void check_conditions(const struct question *cases, size_t count)
{
	prepare_lists();
	for (size_t i = 0; i < count; i++) {
		static const char *const truths[] = {"false", "true", "unknown"};
		struct scene *scene;
		char *text = NULL;

		assert_true(asprintf(&text, ON("message", "log \"x\" if %s"), cases[i].condition) > 0);
		scene = scene_new(text);
		remember(scene, "auth.user", word("alice"));
		remember(scene, "spf.helo", failed());
		run(scene, STAGE_MESSAGE, false);
		if (!strstr(scene->trace, truths[cases[i].truth]) ||
		    strncmp(strstr(scene->trace, ": ") + 2, truths[cases[i].truth], 4))
			fail_msg("%s: expected %s, got %s", cases[i].condition, truths[cases[i].truth], scene->trace);
		scene_free(scene);
		free(text);
	}
}

#define YES          TRUTH_TRUE
#define NO           TRUTH_FALSE
#define HUH          TRUTH_UNKNOWN
#define CHECK(cases) check_conditions(cases, sizeof(cases) / sizeof(cases[0]))

static void is_compares_by_type(void **state)
{
	static const struct question cases[] = {
	    {"spf is fail", YES},
	    {"spf is pass", NO},
	    {"spf is { softfail fail }", YES},
	    {"spf is not fail", NO},
	    {"spf is not { pass none }", YES},
	    {"client is 192.0.2.1", YES},
	    {"client is 192.0.2.0/24", YES},
	    {"client is { 198.51.100.0/24 2001:db8::/32 }", NO},
	    {"sender is alice@example.org", YES},
	    {"sender is ALICE@Example.ORG", YES},
	    {"sender is \"\\\"alice\\\"@example.org\"", YES},
	    {"sender is bob@example.org", NO},
	    {"sender is @example.org", YES},
	    {"sender is @EXAMPLE.org", YES},
	    {"sender is @sub.example.org", NO},
	    {"sender is .org", YES},
	    {"sender is .example.org", NO},
	    {"sender is null", NO},
	    {"sender is not null", YES},
	    {"sender.domain is example.org", YES},
	    {"sender.domain is .org", YES},
	    {"sender.domain is .example.org", NO},
	    {"helo is MAIL.example.org", YES},
	    {"helo is .example.org", YES},
	    {"header(\"Subject\") is \"buy NOW\"", YES},
	    {"header(subject) is \"buy\"", NO},
	    {"size > 4k and size < 5k and size >= 5000 and size <= 5000 and size = 5000 and size is 5000", YES},
	    {"size > 5000 or size < 5000 or size = 4999", NO},
	    {"header.count(\"Subject\") = 1", YES},
	};

	(void)state;
	CHECK(cases);
}

static void absent_is_nothing_and_the_empty_text(void **state)
{
	static const struct question cases[] = {
	    {"client.ptr is example.org", NO},
	    {"client.ptr is not example.org", YES},
	    {"client.ptr is not { example.org .example.com }", YES},
	    {"client.ptr is \"\"", YES},
	    {"client.ptr is not \"\"", NO},
	    {"sender.domain.mx is not ok or client.ptr is \"\"", YES},
	    {"header(\"X-None\") is \"\"", YES},
	    {"header(\"X-None\") is \"x\"", NO},
	    {"header(\"X-None\") is not \"x\"", YES},
	    {"header(\"X-None\") matches /^$/", YES},
	    {"header(\"X-None\") in friends", NO},
	    {"tls.version is not \"TLSv1.3\"", YES},
	    {"auth", NO},
	    {"not auth", YES},
	};

	(void)state;
	/* sender.domain.mx needs the DNS: it is remembered below. */
	prepare_lists();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!strstr(cases[i].condition, "mx"))
			check_conditions(&cases[i], 1);
	}
}

static void not_binds_looser_than_is_and_and_tighter_than_or(void **state)
{
	static const struct question cases[] = {
	    {"not spf is pass", YES},
	    {"not spf is fail", NO},
	    {"not spf is pass and spf is pass", NO},
	    {"spf is fail or spf is fail and spf is pass", YES},
	    {"(spf is fail or spf is fail) and spf is pass", NO},
	    {"spf is pass and spf is fail or spf is fail", YES},
	    {"spf is pass and (spf is fail or spf is fail)", NO},
	    {"not (spf is pass or spf is none)", YES},
	    {"not not spf is fail", YES},
	    {"not sender in friends or spf is fail", YES},
	    {"not sender in friends and spf is fail", NO},
	};

	(void)state;
	CHECK(cases);
}

static void expressions_match_parts_of_texts(void **state)
{
	static const struct question cases[] = {
	    {"header(\"Subject\") matches /now/", YES},          {"header(\"Subject\") matches /NOW/", NO},
	    {"header(\"Subject\") matches /^buy NOW$/i", YES},   {"sender matches /^alice@/", YES},
	    {"helo matches /mail\\.example\\.(org|net)$/", YES}, {"helo matches /a\\/b/", NO},
	};

	(void)state;
	CHECK(cases);
}

static void lists_and_owners_answer(void **state)
{
	static const struct question cases[] = {
	    {"sender in friends", YES},         {"client in friends", YES},          {"helo in friends", NO},
	    {"sender owned by auth.user", YES}, {"sender owned by auth.method", NO},
	};

	(void)state;
	CHECK(cases);
}

static void unknown_spreads_only_where_it_matters(void **state)
{
	static const struct question cases[] = {
	    {"sender in absent", HUH},
	    {"not sender in absent", HUH},
	    {"sender in absent or spf is fail", YES},
	    {"spf is fail or sender in absent", YES},
	    {"sender in absent and spf is pass", NO},
	    {"spf is pass and sender in absent", NO},
	    {"sender in absent and spf is fail", HUH},
	    {"sender in absent or spf is pass", HUH},
	    {"spf.helo is fail", HUH},
	    {"spf.helo is not fail", HUH},
	    {"not (sender in absent and spf is pass)", YES},
	};

	(void)state;
	CHECK(cases);
}

static void an_expression_beyond_its_limits_is_unknown(void **state)
{
	struct scene *scene;
	char *value = malloc(100001);

	(void)state;
	prepare_lists();
	memset(value, 'a', 100000);
	value[100000] = '\0';
	scene = scene_new(
	    ON("message", "reject if header(\"X-Long\") matches /b/\nreject if header(\"X-Evil\") matches /^(a+)+$/\n"
			  "reject if header(\"X-Slow\") matches /(a+)+[bc]/"));
	headers_add(&scene->message.headers, SLICE("X-Long"), (struct slice){value, 16385});
	value[40] = '!';
	headers_add(&scene->message.headers, SLICE("X-Evil"), (struct slice){value, 41});
	value[40] = 'a';
	headers_add(&scene->message.headers, SLICE("X-Slow"), (struct slice){value, 16384});
	int64_t before = clock_us();
	run(scene, STAGE_MESSAGE, false);
	assert_true(clock_us() - before < 3000000);
	assert_string_equal(outcome_text(scene), "none");
	assert_int_equal(scene->decision.note_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(scene->decision.notes[i].kind, NOTE_UNKNOWN);
	scene_free(scene);
	free(value);
}

/* ---- rules ------------------------------------------------------------------------- */

static void verdicts_come_with_their_reply(void **state)
{
	static const struct {
		const char *rule, *outcome;
	} cases[] = {
	    {"accept", "accept"},
	    {"discard", "discard"},
	    {"reject", "reject 550 5.7.1 Rejected by policy"},
	    {"defer", "defer 451 4.7.1 Try again later"},
	    {"reject 554", "reject 554 5.7.1 Rejected by policy"},
	    {"reject 550 5.7.23 \"one\" \"two %{sender}\"", "reject 550 5.7.23 one / two alice@example.org"},
	    {"reject \"100%% of %{sender.domain}\"", "reject 550 5.7.1 100% of example.org"},
	    {"reject \"%{spf.explanation}.\"", "reject 550 5.7.1 not  allowed??."},
	    {"reject \"[%{client.ptr}] \\\"%{client}\\\"\"", "reject 550 5.7.1 [] \"192.0.2.1\""},
	    {"reject if spf is pass", "none"},
	    {"quarantine", "none"},
	};

	(void)state;
	prepare_lists();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = NULL;
		struct scene *scene;

		assert_true(asprintf(&text, ON("mail", "%s"), cases[i].rule) > 0);
		scene = scene_new(text);
		run(scene, STAGE_MAIL, false);
		if (strcmp(outcome_text(scene), cases[i].outcome))
			fail_msg("%s: expected %s, got %s", cases[i].rule, cases[i].outcome, outcome_text(scene));
		if (scene->outcome.verdict) {
			assert_int_equal(scene->outcome.rule.line, FIRST_RULE);
			assert_string_equal(scene->outcome.rule.file, "t");
		}
		scene_free(scene);
		free(text);
	}
}

static void the_first_rule_that_decides_ends_the_stage(void **state)
{
	struct scene *scene =
	    scene_new(ON("mail", "log \"a\"\nreject \"x\" if spf is pass\ndefer \"y\"\nlog \"b\"\nreject \"z\""));

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(outcome_text(scene), "defer 451 4.7.1 y");
	assert_int_equal(scene->outcome.rule.line, FIRST_RULE + 2);
	assert_int_equal(scene->decision.note_count, 1);
	scene_free(scene);
}

static void accept_ends_verdicts_and_not_edits(void **state)
{
	struct scene *scene = scene_new(ON(
	    "mail", "accept if client in friends\nreject\nquarantine \"q\"\nadd-header X \"y\"\nlog \"z\"\ndiscard"));

	(void)state;
	prepare_lists();
	scene_free(scene);
	scene = scene_new(ON(
	    "mail", "accept if client in friends\nreject\nquarantine \"q\"\nadd-header X \"y\"\nlog \"z\"\ndiscard"));
	run(scene, STAGE_MAIL, false);
	assert_string_equal(outcome_text(scene), "accept");
	assert_int_equal(scene->outcome.rule.line, FIRST_RULE);
	assert_false(scene->decision.quarantined);
	assert_int_equal(scene->decision.edit_count, 1);
	assert_int_equal(scene->decision.note_count, 1);
	scene_free(scene);

	/* what an earlier stage accepted */
	scene = scene_new(ON("mail", "reject\nquarantine\nadd-header X \"y\""));
	run(scene, STAGE_MAIL, true);
	assert_string_equal(outcome_text(scene), "none");
	assert_false(scene->decision.quarantined);
	assert_int_equal(scene->decision.edit_count, 1);
	scene_free(scene);
}

static void quarantine_is_remembered_and_a_later_reject_wins(void **state)
{
	struct scene *scene = scene_new(ON("mail", "quarantine \"one %{sender}\"\nquarantine \"two\"\nreject"));

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_true(scene->decision.quarantined);
	assert_true(slice_equal(scene->decision.quarantine_reason, SLICE("one alice@example.org")));
	assert_int_equal(scene->decision.quarantine_rule.line, FIRST_RULE);
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 Rejected by policy");
	scene_free(scene);
}

static void rules_are_those_of_their_stage_and_kind(void **state)
{
	struct scene *scene =
	    scene_new("policy inbound { on mail { reject \"mail\" } on rcpt { reject \"%{recipient}\" } }\n"
		      "policy local { on mail { reject \"local\" } }\n");

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 mail");
	run(scene, STAGE_RCPT, false);
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 bob@example.net");
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(outcome_text(scene), "none");
	policy_run(scene->policy, KIND_LOCAL, STAGE_MAIL, &scene->view, false, &scene->decision, NULL, &scene->outcome);
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 local");
	policy_run(scene->policy, KIND_SUBMISSION, STAGE_MAIL, &scene->view, false, &scene->decision, NULL,
		   &scene->outcome);
	assert_string_equal(outcome_text(scene), "none");
	scene_free(scene);
}

static const char *note_text(const struct scene *scene, size_t i)
{
	static char text[2000];

	if (i >= scene->decision.note_count)
		return "none";
	snprintf(text, sizeof(text), "%.*s", SLICE_ARGS(scene->decision.notes[i].text));
	return text;
}

static void try_does_nothing_but_note_what_it_would(void **state)
{
	static const struct {
		const char *rule, *would;
	} cases[] = {
	    {"reject 550 5.7.23 \"SPF: %{spf}\" \"two\"", "reject 550 5.7.23 SPF: fail / two"},
	    {"defer", "defer 451 4.7.1 Try again later"},
	    {"accept", "accept"},
	    {"discard", "discard"},
	    {"quarantine", "quarantine"},
	    {"quarantine \"why\"", "quarantine why"},
	    {"add-header X-Spf \"%{spf}\"", "add-header X-Spf: fail"},
	    {"delete-header X-Spf", "delete-header X-Spf"},
	    {"prefix-subject \"[x] \"", "prefix-subject [x] "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int whole_file = 0; whole_file < 2; whole_file++) {
			struct scene *scene;
			char *text = NULL;

			assert_true(
			    asprintf(&text,
				     "mode %s\npolicy inbound { on mail {\n%s %s if spf is fail\nlog \"on\"\n} }\n",
				     whole_file ? "report" : "enforce", whole_file ? "" : "try", cases[i].rule) > 0);
			scene = scene_new(text);
			run(scene, STAGE_MAIL, false);
			assert_string_equal(outcome_text(scene), "none");
			assert_int_equal(scene->decision.edit_count, 0);
			assert_false(scene->decision.quarantined);
			assert_int_equal(scene->decision.notes[0].kind, NOTE_WOULD);
			assert_string_equal(note_text(scene, 0), cases[i].would);
			assert_int_equal(scene->decision.notes[1].kind, NOTE_LOG); /* the rules go on */
			scene_free(scene);
			free(text);
		}
	}
}

static void edits_are_kept_in_order_and_once(void **state)
{
	struct scene *scene =
	    scene_new(ON("rcpt", "add-header X-To \"%{recipient}\"\nadd-header X-One \"same\"\ndelete-header X-Old\n"
				 "replace-header X-New \"%{sender}\"\nprefix-subject \"[%{spf}] \""));

	(void)state;
	run(scene, STAGE_RCPT, false);
	assert_int_equal(scene->decision.edit_count, 5);
	memset(&scene->of_recipient, 0, sizeof(scene->of_recipient));
	scene->recipient.address = address_parse_path(SLICE("<eve@example.net>"), scene->arena);
	run(scene, STAGE_RCPT, false);
	assert_int_equal(scene->decision.edit_count, 6); /* only what differs by recipient is there twice */
	assert_int_equal(scene->decision.edits[0].kind, EDIT_ADD_HEADER);
	assert_int_equal(scene->decision.edits[2].kind, EDIT_DELETE_HEADER);
	assert_int_equal(scene->decision.edits[3].kind, EDIT_REPLACE_HEADER);
	assert_int_equal(scene->decision.edits[4].kind, EDIT_PREFIX_SUBJECT);
	assert_true(slice_equal(scene->decision.edits[0].value, SLICE("bob@example.net")));
	assert_true(slice_equal(scene->decision.edits[4].value, SLICE("[fail] ")));
	assert_true(slice_equal(scene->decision.edits[5].value, SLICE("eve@example.net")));
	assert_int_equal(scene->decision.edits[5].rule.line, FIRST_RULE);
	scene_free(scene);
}

static void edits_and_notes_of_a_message_are_bounded(void **state)
{
	struct scene *scene = scene_new(ON("rcpt", "add-header X-To \"%{recipient}\"\nlog \"%{recipient}\""));
	char address[64];

	(void)state;
	for (int i = 0; i < 400; i++) {
		snprintf(address, sizeof(address), "<user%d@example.net>", i);
		memset(&scene->of_recipient, 0, sizeof(scene->of_recipient));
		scene->recipient.address = address_parse_path(slice_of(address), scene->arena);
		*scene->trace = '\0';
		run(scene, STAGE_RCPT, false);
	}
	assert_int_equal(scene->decision.edit_count, DECISION_EDITS_MAX);
	assert_int_equal(scene->decision.note_count, DECISION_NOTES_MAX);
	scene_free(scene);
}

static void what_comes_from_outside_is_made_safe_for_where_it_goes(void **state)
{
	struct scene *scene =
	    scene_new(ON("message", "add-header X-A \"%{header(X-Evil)}\"\nprefix-subject \"%{header(X-Evil)}\"\n"
				    "log \"%{header(X-Evil)}\"\nreject \"%{header(X-Evil)}\""));

	(void)state;
	headers_add(&scene->message.headers, SLICE("X-Evil"), SLICE(" a\x01\x7F%n\xC3\xA9"));
	run(scene, STAGE_MESSAGE, false);
	assert_null(memchr(scene->decision.edits[0].value.p, 1, scene->decision.edits[0].value.n));
	assert_null(memchr(scene->decision.edits[0].value.p, 0xC3, scene->decision.edits[0].value.n));
	assert_true(slice_equal(scene->decision.edits[1].value, SLICE("a  %n\xC3\xA9")));
	assert_string_equal(note_text(scene, 0), "a\\x01\\x7F%n\xC3\xA9");
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 a  %n??");
	scene_free(scene);
}

static void expansions_are_bounded(void **state)
{
	struct scene *scene =
	    scene_new(ON("message", "log \"%{header(X-Long)}\"\nadd-header X-A \"%{header(X-Long)}\"\n"
				    "reject \"%{header(X-Long)}\" \"two\""));
	char *value = malloc(200000);

	(void)state;
	memset(value, 'x', 200000);
	headers_add(&scene->message.headers, SLICE("X-Long"), (struct slice){value, 200000});
	run(scene, STAGE_MESSAGE, false);
	assert_int_equal(scene->outcome.reply.lines[0].n, REPLY_LINE_MAX);
	assert_int_equal(scene->outcome.reply.line_count, 2);
	assert_int_equal(scene->decision.notes[0].text.n, 1000);
	assert_true(scene->decision.edits[0].value.n < 4000); /* 2000 bytes, as encoded words */
	scene_free(scene);
	free(value);
}

static void an_unknown_list_defers_or_skips_as_it_says(void **state)
{
	static const struct {
		const char *rule, *outcome, *note;
		bool accepted;
	} cases[] = {
	    {"reject if sender in absent", "defer 451 4.3.0 Temporary failure of a list, try again later",
	     "list absent: its file could not be read; deferred"},
	    {"accept if sender in absent", "defer 451 4.3.0 Temporary failure of a list, try again later",
	     "list absent: its file could not be read; deferred"},
	    {"add-header X \"y\" if not sender in absent",
	     "defer 451 4.3.0 Temporary failure of a list, try again later",
	     "list absent: its file could not be read; deferred"},
	    {"reject if sender in softly", "none", "list softly: its file could not be read; rule skipped"},
	    {"accept if sender in softly", "none", "list softly: its file could not be read; rule skipped"},
	    {"reject if sender in softly or sender in absent",
	     "defer 451 4.3.0 Temporary failure of a list, try again later",
	     "list absent: its file could not be read; deferred"},
	    {"reject if sender in absent or sender in softly",
	     "defer 451 4.3.0 Temporary failure of a list, try again later",
	     "list absent: its file could not be read; deferred"},
	    {"try reject if sender in absent", "none", "list absent: its file could not be read; rule skipped"},
	    {"log \"x\" if sender in absent", "none", "list absent: its file could not be read; rule skipped"},
	    {"add-header X \"y\" if sender in absent", "none", "list absent: its file could not be read; rule skipped",
	     true},
	    {"discard if spf.helo is fail", "none", "a test broke it; rule skipped"},
	    {"reject if not (sender in absent) and spf is pass", "none", "none"},
	};

	(void)state;
	prepare_lists();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene *scene;
		char *text = NULL;

		assert_true(asprintf(&text, ON("mail", "%s"), cases[i].rule) > 0);
		scene = scene_new(text);
		remember(scene, "spf.helo", failed());
		run(scene, STAGE_MAIL, cases[i].accepted);
		if (strcmp(outcome_text(scene), cases[i].outcome) || strcmp(note_text(scene, 0), cases[i].note))
			fail_msg("%s: got %s, noted %s", cases[i].rule, outcome_text(scene), note_text(scene, 0));
		if (scene->outcome.verdict)
			assert_int_equal(scene->outcome.rule.line, FIRST_RULE);
		assert_int_equal(scene->decision.edit_count, 0);
		scene_free(scene);
		free(text);
	}
}

static void a_trace_shows_the_rules_tried_with_what_they_saw(void **state)
{
	struct scene *scene = scene_new(ON("message", "accept   if  spf is pass # never\nreject \"a  b\"\n  if header( "
						      "Subject ) matches /now/ and\tclient is 192.0.2.1\nlog \"x\""));

	(void)state;
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(
	    scene->trace, "7 accept if spf is pass: false, no effect [spf=fail]\n"
			  "8 reject \"a  b\" if header( Subject ) matches /now/ and client is 192.0.2.1: true, decides "
			  "[header(\"Subject\")=Buy now] [client=192.0.2.1]");
	scene_free(scene);
}

static void facts_that_nobody_needs_are_not_computed(void **state)
{
	struct scene *scene =
	    scene_new(ON("mail", "reject if spf is fail or sender is null\nreject if spf is pass and sender is null"));

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(scene->trace, "7 reject if spf is fail or sender is null: true, decides [spf=fail]");
	scene_free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_compares_by_type),
	    cmocka_unit_test(absent_is_nothing_and_the_empty_text),
	    cmocka_unit_test(not_binds_looser_than_is_and_and_tighter_than_or),
	    cmocka_unit_test(expressions_match_parts_of_texts),
	    cmocka_unit_test(lists_and_owners_answer),
	    cmocka_unit_test(unknown_spreads_only_where_it_matters),
	    cmocka_unit_test(an_expression_beyond_its_limits_is_unknown),
	    cmocka_unit_test(verdicts_come_with_their_reply),
	    cmocka_unit_test(the_first_rule_that_decides_ends_the_stage),
	    cmocka_unit_test(accept_ends_verdicts_and_not_edits),
	    cmocka_unit_test(quarantine_is_remembered_and_a_later_reject_wins),
	    cmocka_unit_test(rules_are_those_of_their_stage_and_kind),
	    cmocka_unit_test(try_does_nothing_but_note_what_it_would),
	    cmocka_unit_test(edits_are_kept_in_order_and_once),
	    cmocka_unit_test(edits_and_notes_of_a_message_are_bounded),
	    cmocka_unit_test(what_comes_from_outside_is_made_safe_for_where_it_goes),
	    cmocka_unit_test(expansions_are_bounded),
	    cmocka_unit_test(an_unknown_list_defers_or_skips_as_it_says),
	    cmocka_unit_test(a_trace_shows_the_rules_tried_with_what_they_saw),
	    cmocka_unit_test(facts_that_nobody_needs_are_not_computed),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
