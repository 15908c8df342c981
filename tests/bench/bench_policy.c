/*
 * bench_policy.c - what rules cost: one stage of one message, with 10, 100 and 1000 rules of which none is true, so
 * that all are asked, each for something else; 100 rules on 20 facts, which should take 5 us; and how long a file of
 * 10000 rules takes to compile, which should be 200 ms.
 *
 * One line each: nanoseconds of processor time of a run of the stage, and of a rule; the fastest of several rounds.
 * What the rules read is computed once for each run, as for each message.
 */
#include "../unit/policy_text.h"
#include "measure.h"

#define RULES_MOST 1000
#define RULES_FILE 10000
#define ASKED      2000000 /* rules, in one round */

struct scene {
	struct arena *arena, *message_arena; /* the second is reset for each run */
	struct policy *policy;
	struct session session;
	struct message message;
};

/* Rules that are not true for alice@example.org from 192.0.2.1; %1$u is their number, with %2$u.%3$u as parts of an
 * address. */
static const char *const equal = "reject 550 5.7.1 \"no\" if sender.domain is no%1$u.example";
static const char *const network = "reject 550 5.7.1 \"no\" if client is 198.%2$u.%3$u.0/24";
static const char *const listed = "add-header X-Listed \"%1$u\" if sender in friends";
static const char *const several = "log \"%1$u\" if client is 192.0.2.0/24 and helo is \"no%1$u.example\" and not tls";
static const char *const expression = "reject 550 5.7.1 \"no\" if helo matches /^dsl-%1$u[0-9]*\\./i";

/* Twenty facts at MAIL, none of which asks the DNS; five rules on each. */
static const char *const facts[] = {
    "reject \"no\" if sender.domain is no%1$u.example",
    "reject \"no\" if sender is no%1$u@example.net",
    "reject \"no\" if client is 198.%2$u.%3$u.0/24",
    "reject \"no\" if client.name is .no%1$u.example",
    "reject \"no\" if client.port is %1$u",
    "reject \"no\" if helo is \"no%1$u.example\"",
    "reject \"no\" if port = %1$u",
    "reject \"no\" if daemon-name is \"no%1$u\"",
    "reject \"no\" if auth",
    "reject \"no\" if auth.user is \"no%1$u\"",
    "reject \"no\" if auth.method is \"no%1$u\"",
    "reject \"no\" if tls",
    "reject \"no\" if tls.version is \"no%1$u\"",
    "reject \"no\" if tls.cipher is \"no%1$u\"",
    "reject \"no\" if trusted",
    "reject \"no\" if submission",
    "reject \"no\" if local",
    "reject \"no\" if score > %1$u",
    "reject \"no\" if var(\"x\") is \"no%1$u\"",
    "reject \"no\" if time.hour > 23 and sender is null",
};

static void rules_write(struct text *text, const char *const *kinds, size_t kind_count, unsigned rules)
{
	text_add(text, SLICE("list friends file:friends\npolicy inbound {\non connect {\nset x \"y\"\n}\non mail {\n"));
	for (unsigned i = 0; i < rules; i++) {
		char *line;

		if (asprintf(&line, kinds[i % kind_count], i, i / 200, i % 200) < 0)
			die("no memory");
		text_add(text, slice_of(line));
		text_add_char(text, '\n');
		free(line);
	}
	text_add(text, SLICE("}\n}\n"));
}

static void scene_open(struct scene *scene, const char *const *kinds, size_t kind_count, unsigned rules)
{
	struct text text;
	char *messages;

	*scene = (struct scene){.arena = arena_new(), .message_arena = arena_new()};
	text_init(&text, scene->arena, 200 * RULES_FILE);
	rules_write(&text, kinds, kind_count, rules);
	scene->policy = load_text(text_cstring(&text), NULL, &messages);
	if (!scene->policy)
		die("%s", messages);
	free(messages);
	scene->session =
	    (struct session){.arena = scene->arena, .helo = SLICE("mail.example.org"), .client_port = 4321};
	ip_parse(SLICE("192.0.2.1"), &scene->session.client);
	scene->message.arena = scene->message_arena;
	scene->message.sender = address_parse_path(SLICE("<alice@example.org>"), scene->arena);
}

static void scene_close(struct scene *scene)
{
	policy_release(scene->policy);
	arena_free(scene->message_arena);
	arena_free(scene->arena);
}

static void stage_run(void *with)
{
	struct scene *scene = with;
	struct fact_memo connection = {0}, message = {0};
	void *slots[2][CHECK_MAX] = {0};
	struct view view = {.settings = &policy_settings(scene->policy)->check,
			    .stage = STAGE_MAIL,
			    .session = &scene->session,
			    .message = &scene->message,
			    .connection_memo = &connection,
			    .message_memo = &message,
			    .connection_slots = slots[0],
			    .message_slots = slots[1]};
	struct decision decision;
	struct outcome outcome;

	decision_init(&decision, scene->message_arena);
	policy_run(scene->policy, KIND_INBOUND, STAGE_MAIL, &view, false, &decision, NULL, &outcome);
	if (outcome.verdict != VERDICT_NONE || decision.edit_count || decision.note_count)
		die("rule %u was true", outcome.rule.line);
	arena_reset(scene->message_arena);
}

static void file_compile(void *text)
{
	char *messages;
	struct policy *policy = load_text(text, NULL, &messages);

	if (!policy)
		die("%s", messages);
	free(messages);
	policy_release(policy);
}

static double run_ns(const char *const *kinds, size_t kind_count, unsigned rules)
{
	struct scene scene;
	double best = 1e18;

	scene_open(&scene, kinds, kind_count, rules);
	for (int round = 0; round < MEASURE_ROUNDS; round++) {
		double ns = 1000 * measure_us(stage_run, &scene, ASKED / (rules + 10));
		best = ns < best ? ns : best;
	}
	scene_close(&scene);
	return best;
}

static void bench(const char *what, const char *const *kinds, size_t kind_count, unsigned rules, double without)
{
	double ns = run_ns(kinds, kind_count, rules);

	printf("policy, %4u rules: %-40s %10.0f ns a run %8.1f ns a rule\n", rules, what, ns, (ns - without) / rules);
}

/* What a reload takes, without lists and DNS. */
static void bench_compile(const char *what, const char *const *kinds, size_t kind_count)
{
	struct arena *arena = arena_new();
	double best = 1e18;
	struct text text;

	text_init(&text, arena, 200 * RULES_FILE);
	rules_write(&text, kinds, kind_count, RULES_FILE);
	for (int round = 0; round < MEASURE_ROUNDS; round++) {
		double ms;

		ms = measure_us(file_compile, (void *)(uintptr_t)text_cstring(&text), 1) / 1000;
		best = ms < best ? ms : best;
	}
	printf("policy, %4u rules: %-40s %10.1f ms\n", RULES_FILE, what, best);
	arena_free(arena);
}

int main(void)
{
	const char *const mixed[] = {equal, network, listed, several, equal, network, expression};
	const size_t mixed_count = sizeof(mixed) / sizeof(mixed[0]);
	double without;

	if (enter_directory(NULL) != 0)
		die("no directory can be made in /tmp");
	write_text("friends", "bob@example.net\n198.51.100.0/24\n.example.com\n");
	without = run_ns(mixed, mixed_count, 0);
	printf("policy, %4u rules: %-40s %10.0f ns a run\n", 0U, "", without);
	for (unsigned rules = 10; rules <= RULES_MOST; rules *= 10)
		bench("of all kinds", mixed, mixed_count, rules, without);
	bench("sender.domain is", &equal, 1, 100, without);
	bench("client is (a network)", &network, 1, 100, without);
	bench("sender in (a list)", &listed, 1, 100, without);
	bench("three conditions", &several, 1, 100, without);
	bench("helo matches", &expression, 1, 100, without);
	bench("on 20 facts", facts, sizeof(facts) / sizeof(facts[0]), 100, without);
	bench_compile("compiled, on 20 facts", facts, sizeof(facts) / sizeof(facts[0]));
	bench_compile("compiled, of all kinds but expressions", mixed, mixed_count - 1);
	bench_compile("compiled, expressions", &expression, 1);
	return leave_directory(NULL) == 0 ? 0 : 1;
}
