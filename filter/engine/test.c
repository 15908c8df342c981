/*
 * test.c - runs the tests that a policy file carries: each is a conversation with the real engine, whose DNS is the
 * zone text of the test.
 *
 * It is not counted or recorded, it does not use the network or the store of the daemon, and it ignores `mode report`:
 * a test checks what the rules do when they are enforced.
 */
#include "gate_private.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX (64u * 1024 * 1024)
#define SAID_MAX    2000 /* bytes of a message about an expectation: a reply has 32 lines at most */

/* A test that runs. */
struct running {
	const struct policy_test *test;
	struct arena *arena;
	struct gate *gate;
	FILE *out;
	struct trace trace;
	bool failed; /* and the first line about it is written */
};

static void fail(struct running *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct running *run, const char *format, ...)
{
	const struct policy_test *test = run->test;
	char text[SAID_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(run->out, "%s:%u: test \"", test->where.file, test->where.line);
	trace_print_text(run->out, test->name);
	fputs("\": ", run->out);
	trace_print_text(run->out, slice_of(text));
	fputc('\n', run->out);
	run->failed = true;
}

/* ---- what is expected ----------------------------------------------------------------------------- */

/* "550 5.7.1 text" or "550-5.7.1 text" begins with the codes. */
static bool has_codes(struct slice reply, const struct expected *expected)
{
	struct slice code = slice_head(reply, 3), rest = slice_from(reply, reply.n > 4 ? 4 : reply.n), enhanced;

	if (!slice_word(&rest, &enhanced))
		enhanced = SLICE("");
	return (!expected->code.n || slice_equal(code, expected->code)) &&
	       (!expected->enhanced.n || slice_equal(enhanced, expected->enhanced));
}

static void check_verdict(struct running *run, const struct expected *expected)
{
	const struct record *record = gate_record(run->gate);

	if (!slice_equal(record->verdict, expected->verdict) || !has_codes(record->reply, expected))
		fail(run, "expected %.*s, got %.*s%s%.*s%s%.*s", SLICE_ARGS(expected->text),
		     SLICE_ARGS(record->verdict), record->reply.n ? " " : "", SLICE_ARGS(record->reply),
		     record->rule.n ? " by " : "", SLICE_ARGS(record->rule));
}

static void check_fact(struct running *run, const struct expected *expected)
{
	struct value value = fact_get(gate_view(run->gate), expected->fact, NO_ARGUMENT);
	struct slice got = value_print(&value, run->arena);

	if (!slice_equal(got, expected->value))
		fail(run, "expected %.*s, got \"%.*s\"%s%s", SLICE_ARGS(expected->text), SLICE_ARGS(got),
		     value.state == VALUE_UNKNOWN ? ": unknown, " : "",
		     value.state == VALUE_UNKNOWN && value.why ? value.why : "");
}

static void check_change(struct running *run, const struct expected *expected)
{
	bool adds = expected->kind == EXPECT_ADD_HEADER;
	size_t count;
	const struct change *change = gate_changes(run->gate, &count);

	for (; count > 0; count--, change++)
		if ((change->kind == CHANGE_DELETE) == !adds && slice_equal_nocase(change->name, expected->name) &&
		    (!expected->value.p || slice_equal(slice_trim(change->value), expected->value)))
			return;
	fail(run, "expected %.*s, and no change of the header is that", SLICE_ARGS(expected->text));
}

static void check(struct running *run, const struct expected *expected)
{
	static void (*const checks_of[])(struct running *, const struct expected *) = {
	    [EXPECT_VERDICT] = check_verdict,
	    [EXPECT_FACT] = check_fact,
	    [EXPECT_ADD_HEADER] = check_change,
	    [EXPECT_DELETE_HEADER] = check_change,
	};

	checks_of[expected->kind](run, expected);
}

/* ---- running ------------------------------------------------------------------------------------------ */

/* The header lines of the test, then the file; -1 when that cannot be read. */
static int read_message(struct running *run, struct slice *message_r)
{
	const struct policy_test *test = run->test;
	struct slice *parts = arena_alloc(run->arena, (2 * test->headers.count + 1) * sizeof(*parts)), text;
	struct error err;
	size_t count = 0;

	for (size_t i = 0; i < test->headers.count; i++) {
		parts[count++] = test->headers.items[i];
		parts[count++] = SLICE("\r\n");
	}
	parts[count] = SLICE("\r\n");
	if (!test->message) {
		*message_r = arena_join_parts(run->arena, parts, count + 1);
		return 0;
	}
	if (file_read_plain(test->message, MESSAGE_MAX, &text, &err)) {
		fail(run, "%s", err.text);
		return -1;
	}
	parts[count] = text;
	*message_r = arena_join_parts(run->arena, parts, count + 1);
	free((char *)text.p);
	return 0;
}

static void converse(struct running *run, struct slice message)
{
	const struct policy_test *test = run->test;
	struct conversation said = {
	    .connection = {.client = test->client,
			   .client_name = test->client_name,
			   .daemon_name = test->daemon_name,
			   .daemon_port = test->local_program ? 0 : test->port,
			   .local_program = test->local_program},
	    .helo = test->helo,
	    .tls = test->tls != 0,
	    .auth_user = test->auth_user,
	    .sender = test->sender,
	    .recipients = test->recipients.items,
	    .recipient_count = test->recipients.count,
	    .message = message,
	};

	gate_converse(run->gate, &said);
}

static void run_with(struct running *run, struct policy *policy, struct resolver *resolver, struct slice message)
{
	struct counters counters = {0};
	struct engine *engine = engine_new(policy, resolver, NULL, &counters);
	struct store *store = engine_trial_store(policy);
	struct tracer tracer = {trace_keep, &run->trace};

	engine_lend_store(engine, store);
	run->gate = gate_open(engine, &abilities_all);
	run->gate->enforced = run->gate->decision.enforced = true;
	gate_trace(run->gate, &tracer);
	converse(run, message);
	for (size_t i = 0; i < run->test->expectations.count; i++)
		check(run, &run->test->expectations.items[i]);
	if (run->failed)
		trace_print(&run->trace, run->out);
	gate_close(run->gate);
	engine_release(engine);
	store_close(store);
}

/* True when all is as expected. */
static bool run_test(const struct policy_test *test, struct policy *policy, FILE *out)
{
	struct arena *arena = arena_new();
	struct running run = {.test = test, .arena = arena, .out = out, .trace.arena = arena};
	struct resolver *resolver;
	struct slice message;
	struct error err;

	if (read_message(&run, &message) == 0) {
		resolver = resolver_open_zone(policy_test_zone(test, arena), "test", &err);
		if (resolver)
			run_with(&run, policy, resolver, message);
		else
			fail(&run, "%s", err.text);
		resolver_release(resolver);
	}
	arena_free(arena);
	return !run.failed;
}

size_t engine_test(struct policy *policy, FILE *out, size_t *count_r)
{
	size_t failed = 0;

	*count_r = 0;
	for (const struct policy_test *test = policy_tests(policy); test; test = test->next) {
		*count_r += 1;
		failed += !run_test(test, policy, out);
	}
	return failed;
}
