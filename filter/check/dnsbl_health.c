/*
 * dnsbl_health.c - are the DNS lists right? (RFC 5782 5 and 7)
 *
 * Every hour, and every minute while something is wrong. The test decides alone whether a list is used: mail only says
 * that it should be made now.
 */
#include "dnsbl_private.h"
#include <stdio.h>

#define SECOND_US      INT64_C(1000000)
#define HOUR_US        (3600 * SECOND_US)
#define AGAIN_US       (60 * SECOND_US)
#define TEST_QUESTIONS (4 * DNSBL_MAX)
#define LINE_MAX       512

const char *const dnsbl_state_names[] = {"untested", "used", "off", "silent", "refusing", NULL};

typedef void (*say_function)(void *context, const char *level, const char *line);

/* One turn of the test. */
struct turn {
	const struct dnsbl *lists;
	size_t count;
	struct dns_budget *budget;
	struct arena *arena;
	int64_t now_us;
	say_function say;
	void *context;
};

static const struct check_block *lists_of(const struct check_settings *settings)
{
	return &settings->blocks[CHECK_NUMBER_dnsbl];
}

struct slice dnsbl_test_name(const struct dnsbl *list, uint8_t family, bool positive, struct arena *arena)
{
	struct ip ip = {.family = 6, .bytes = {[10] = 0xff, 0xff, 127, 0, 0, positive ? 2 : 1}};
	struct slice reverse;

	if (list->of != DNSBL_CLIENT)
		return arena_join(arena, positive ? SLICE("test.") : SLICE("invalid."), list->zone);
	if (family != 6)
		return arena_join(arena, positive ? SLICE("2.0.0.127.") : SLICE("1.0.0.127."), list->zone);
	reverse = dns_reverse_name(ip, arena);
	return arena_join(arena, slice_head(reverse, reverse.n - strlen("ip6.arpa")), list->zone);
}

const char *dnsbl_positive(const struct dnsbl *list)
{
	return list->of == DNSBL_CLIENT ? "127.0.0.2" : "TEST";
}

/* ---- saying ----------------------------------------------------------------------------------------------------- */

static void say(const struct turn *turn, const char *level, const struct dnsbl *list, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void say(const struct turn *turn, const char *level, const struct dnsbl *list, const char *format, ...)
{
	char line[LINE_MAX];
	va_list arguments;
	int n = snprintf(line, sizeof(line), "dnsbl %.*s: ", SLICE_ARGS(list->name));

	va_start(arguments, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n, format, arguments);
	va_end(arguments);
	turn->say(turn->context, level, line);
}

/* At once, and then every hour while it lasts. */
static bool is_time(const struct turn *turn, int64_t *said_us)
{
	if (*said_us && turn->now_us - *said_us < HOUR_US)
		return false;
	*said_us = turn->now_us;
	return true;
}

static void say_unknown(const struct turn *turn, const struct dnsbl *list)
{
	struct dnsbl_health *health = list->health;
	char code[DNSBL_CODE_TEXT];

	for (; health->unknown_said < DNSBL_UNKNOWN_MAX; health->unknown_said++) {
		uint32_t number = atomic_load(&health->unknown[health->unknown_said]);

		if (number == 0)
			return;
		dnsbl_code_print(number, code);
		say(turn, "warning", list,
		    "it answered %s, which is not in its table and so does not count as listed; see what the list "
		    "documents, and add: code %s WORD",
		    code, code);
	}
}

static void say_refusal(const struct turn *turn, const struct dnsbl *list)
{
	struct dnsbl_health *health = list->health;
	uint32_t number = atomic_exchange(&health->refusal, 0);
	char code[DNSBL_CODE_TEXT];

	if (number == 0)
		return;
	if (number != health->refusal_said)
		health->refusal_said_us = 0;
	health->refusal_said = number;
	if (!is_time(turn, &health->refusal_said_us))
		return;
	dnsbl_code_print(number, code);
	say(turn, "error", list, "it answered %s, so its result is temperror: %s", code,
	    dnsbl_refusal(number) ? dnsbl_refusal(number) : dnsbl_refusal(0x7f000001));
}

static void say_foreign(const struct turn *turn, const struct dnsbl *list)
{
	uint32_t number = atomic_exchange(&list->health->foreign, 0);
	char code[DNSBL_CODE_TEXT];

	if (number == 0 || !is_time(turn, &list->health->foreign_said_us))
		return;
	dnsbl_code_print(number, code);
	say(turn, "error", list,
	    "it answered %s, which no list does, so it does not count as listed: the resolver answers names that do "
	    "not "
	    "exist with an address (use another one), or the list has ended (remove it)",
	    code);
}

static void say_findings(const struct turn *turn, const struct dnsbl *list)
{
	say_unknown(turn, list);
	say_refusal(turn, list);
	say_foreign(turn, list);
}

/* ---- the test -----------------------------------------------------------------------------------------------------
 */

static void say_state(const struct turn *turn, const struct dnsbl *list, enum dnsbl_state before,
		      enum dnsbl_state state)
{
	struct dnsbl_health *health = list->health;

	if (before == DNSBL_OFF && state == DNSBL_USED) {
		say(turn, "warning", list, "it is right again, and used again");
		health->off_said_us = 0;
	}
	if (before == DNSBL_SILENT && state == DNSBL_USED)
		say(turn, "info", list, "it answers again");
	if (state == DNSBL_USED)
		health->silent_said_us = 0;
	if (state == DNSBL_OFF && is_time(turn, &health->off_said_us))
		say(turn, "error", list,
		    "switched off: it contains its negative test entry (%s), so it would list everybody. It is tested "
		    "every minute, and used when that is over; if the list has ended, remove it",
		    list->of == DNSBL_CLIENT ? "127.0.0.1" : "INVALID");
	if (state == DNSBL_SILENT && is_time(turn, &health->silent_said_us))
		say(turn, "warning", list,
		    "its test has no answer, and so will mail: the list or the resolver does not work");
}

static void say_incomplete(const struct turn *turn, const struct dnsbl *list, bool incomplete)
{
	struct dnsbl_health *health = list->health;

	atomic_store(&health->incomplete, incomplete);
	if (incomplete && !health->incomplete_said)
		say(turn, "warning", list,
		    "it does not contain its test entry (%s), which every list should: check the name of the zone",
		    dnsbl_positive(list));
	health->incomplete_said = incomplete;
}

/* What one negative entry says: a list is off when it contains any of them. */
static enum dnsbl_state test_negative(const struct turn *turn, const struct dnsbl *list, uint8_t family)
{
	const struct dns_answer *answer =
	    dns_ask(turn->budget, dnsbl_test_name(list, family, false, turn->arena), DNS_A);
	struct dnsbl_finding finding;

	dnsbl_judge(list, answer, &finding);
	if (answer->status == DNS_TEMPFAIL || answer->stale)
		return DNSBL_SILENT;
	if (finding.foreign)
		atomic_store(&list->health->foreign, finding.foreign);
	if (finding.refusal) {
		atomic_store(&list->health->refusal, finding.refusal);
		return DNSBL_REFUSING;
	}
	return dnsbl_contains(answer) ? DNSBL_OFF : DNSBL_USED;
}

static bool lacks_positive(const struct turn *turn, const struct dnsbl *list)
{
	const struct dns_answer *answer = dns_ask(turn->budget, dnsbl_test_name(list, 4, true, turn->arena), DNS_A);

	return answer->status != DNS_TEMPFAIL && !dnsbl_contains(answer);
}

static void test(const struct turn *turn, const struct dnsbl *list)
{
	struct dnsbl_health *health = list->health;
	enum dnsbl_state before = (enum dnsbl_state)atomic_load(&health->state), state, other;

	state = test_negative(turn, list, 4);
	other = list->of == DNSBL_CLIENT ? test_negative(turn, list, 6) : state;
	if (other == DNSBL_OFF || state == DNSBL_USED)
		state = other;
	/* A list that was wrong stays off until it is known to be right. */
	if (before == DNSBL_OFF && state != DNSBL_USED)
		state = DNSBL_OFF;
	if (state != before)
		atomic_store(&health->since_us, clock_wall_us());
	atomic_store(&health->state, state);
	health->test_at_us = turn->now_us + (state == DNSBL_USED ? HOUR_US : AGAIN_US);
	say_state(turn, list, before, state);
	if (state == DNSBL_USED)
		say_incomplete(turn, list, lacks_positive(turn, list));
}

static void hint_tests(const struct turn *turn, const struct dnsbl *list)
{
	dns_hint(turn->budget, dnsbl_test_name(list, 4, false, turn->arena), DNS_A);
	dns_hint(turn->budget, dnsbl_test_name(list, 4, true, turn->arena), DNS_A);
	if (list->of == DNSBL_CLIENT)
		dns_hint(turn->budget, dnsbl_test_name(list, 6, false, turn->arena), DNS_A);
}

static bool is_due(const struct turn *turn, const struct dnsbl *list)
{
	if (atomic_exchange(&list->health->doubted, false))
		list->health->test_at_us = 0;
	return turn->now_us >= list->health->test_at_us;
}

static void test_due(struct turn *turn, struct resolver *resolver)
{
	bool due[DNSBL_MAX], any = false;

	for (size_t i = 0; i < turn->count; i++)
		any |= due[i] = is_due(turn, &turn->lists[i]);
	if (!any)
		return;
	turn->arena = arena_new();
	turn->budget = dns_budget_open(resolver, turn->arena, TEST_QUESTIONS);
	dns_budget_deadline(turn->budget, clock_us() + DNSBL_TEST_US);
	for (size_t i = 0; i < turn->count; i++)
		if (due[i])
			hint_tests(turn, &turn->lists[i]);
	for (size_t i = 0; i < turn->count; i++)
		if (due[i])
			test(turn, &turn->lists[i]);
	dns_budget_close(turn->budget);
	arena_free(turn->arena);
}

void dnsbl_tend(const struct check_settings *settings, struct resolver *resolver, int64_t now_us, say_function say_,
		void *context)
{
	struct turn turn = {.lists = lists_of(settings)->first,
			    .count = lists_of(settings)->count,
			    .now_us = now_us,
			    .say = say_,
			    .context = context};

	test_due(&turn, resolver);
	for (size_t i = 0; i < turn.count; i++)
		say_findings(&turn, &turn.lists[i]);
}

/* ---- for the daemon ------------------------------------------------------------------------------------------------
 */

size_t dnsbl_count(const struct check_settings *settings)
{
	return lists_of(settings)->count;
}

void dnsbl_status(const struct check_settings *settings, size_t number, struct dnsbl_status *status_r)
{
	const struct dnsbl *list = (const struct dnsbl *)lists_of(settings)->first + number;
	struct dnsbl_health *health = list->health;

	*status_r = (struct dnsbl_status){.name = list->name,
					  .state = (enum dnsbl_state)atomic_load(&health->state),
					  .since_us = atomic_load(&health->since_us),
					  .incomplete = atomic_load(&health->incomplete),
					  .asked = atomic_load(&health->asked),
					  .listed = atomic_load(&health->listed),
					  .failed = atomic_load(&health->failed)};
}

static bool is_same(const struct dnsbl *a, const struct dnsbl *b)
{
	return slice_equal(a->name, b->name) && slice_equal(a->zone, b->zone) && a->of == b->of;
}

/* Codes in no table are said again after a reload, since the table may have changed. It is tested at once. */
static void adopt(struct dnsbl_health *now, struct dnsbl_health *before)
{
	atomic_store(&now->state, atomic_load(&before->state));
	atomic_store(&now->since_us, atomic_load(&before->since_us));
	atomic_store(&now->asked, atomic_load(&before->asked));
	atomic_store(&now->listed, atomic_load(&before->listed));
	atomic_store(&now->failed, atomic_load(&before->failed));
	atomic_store(&now->incomplete, atomic_load(&before->incomplete));
}

void dnsbl_adopt(const struct check_settings *now, const struct check_settings *before)
{
	const struct dnsbl *lists = lists_of(now)->first, *old = lists_of(before)->first;

	for (size_t i = 0; i < lists_of(now)->count; i++)
		for (size_t k = 0; k < lists_of(before)->count; k++)
			if (is_same(&lists[i], &old[k]))
				adopt(lists[i].health, old[k].health);
}
