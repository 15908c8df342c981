/*
 * round.c - a round through all days that are over: which domain is due. Contract: reports.h.
 */
#include "mail.h"
#include "send.h"

#define FLUSH_US (INT64_C(5) * 1000 * 1000)

/* A time of its own for each domain, each day and each of us. */
static int64_t due_us(const struct report_sender *sender, unsigned day, struct slice domain)
{
	uint64_t spread = hash_slice(domain, hash_slice(sender->from, day));

	return ((int64_t)day + 1) * STORE_DAY_US + REPORTS_START_US + (int64_t)(spread % (uint64_t)REPORTS_SPREAD_US);
}

bool report_clock_steady(struct report_clock *clock, int64_t wall_us, int64_t steady_us, int64_t *jump_us_r)
{
	int64_t difference = wall_us - steady_us, jump = clock->began ? difference - clock->difference_us : 0;

	*jump_us_r = jump > REPORTS_JUMP_US || jump < -REPORTS_JUMP_US ? jump : 0;
	clock->difference_us = difference;
	if (*jump_us_r != 0)
		clock->quiet_us = steady_us + REPORTS_QUIET_US;
	else if (!clock->began)
		clock->quiet_us = steady_us;
	clock->began = true;
	return steady_us >= clock->quiet_us;
}

struct round {
	struct report_run run;
	const struct report_round *asked;
	uint64_t waiting;
	bool ends;
};

static void break_off(struct round *round, const char *why)
{
	error_set(&round->run.why, "%s", why);
	round->ends = true;
}

static bool is_due(struct round *round, const struct aggregate_total *total)
{
	const struct report_round *asked = round->asked;

	if (asked->domain.n > 0 && !slice_equal_nocase(total->domain, asked->domain))
		return false;
	return asked->now || round->run.now_us >= due_us(round->run.sender, total->day, total->domain);
}

static void take_domain(struct round *round, const struct aggregate_total *total)
{
	const struct report_sender *sender = round->run.sender;
	enum delivered delivered = DELIVERED_LATER;

	round->run.now_us = report_now(sender);
	round->run.tried = false;
	if (is_due(round, total)) {
		delivered = report_deliver(&round->run, total, round->asked->now);
		if (delivered == DELIVERY_BROKEN)
			round->ends = true;
		else if (sender->rest && round->run.tried && !round->asked->now)
			sender->rest(sender->context, REPORTS_REST_US);
	}
	round->waiting += delivered != DELIVERED;
	if (!round->ends && sender->stopped(sender->context))
		break_off(round, "the daemon ends");
}

/* ---- days ---------------------------------------------------------------------------------------------- */

static void take_day(struct round *round, unsigned day)
{
	struct arena *arena = arena_new();
	char after[MAIL_DOMAIN_MAX];
	size_t n = 0;

	while (!round->ends) {
		struct aggregate_total total;
		int found;

		arena_reset(arena);
		found = aggregate_next(round->run.sender->aggregate, day, (struct slice){after, n}, arena, &total);
		if (found < 0)
			break_off(round, "the store does not answer");
		if (found <= 0 || total.domain.n > sizeof(after))
			break;
		n = total.domain.n;
		memcpy(after, total.domain.p, n);
		take_domain(round, &total);
	}
	arena_free(arena);
}

/* Both the clock and the store have passed it. */
static bool is_over(const struct report_sender *sender, unsigned day)
{
	return day < aggregate_today(sender->aggregate) && ((int64_t)day + 1) * STORE_DAY_US <= report_now(sender);
}

static void take_days(struct round *round)
{
	const struct report_sender *sender = round->run.sender;
	struct arena *arena = arena_new();
	struct aggregate_total total = {.day = 0};

	while (!round->ends) {
		int found;

		arena_reset(arena);
		found = aggregate_next_day(sender->aggregate, total.day, arena, &total);
		if (found < 0)
			break_off(round, "the store does not answer");
		if (found <= 0)
			break;
		if (sender->stopped(sender->context)) {
			break_off(round, "the daemon ends");
			break;
		}
		if (is_over(sender, total.day) && (round->asked->day == 0 || round->asked->day == total.day))
			take_day(round, total.day);
	}
	arena_free(arena);
}

/* ---- all --------------------------------------------------------------- */

enum report_end reports_round(const struct report_sender *sender, const struct report_round *asked, struct error *why_r)
{
	struct round round = {.run = {.sender = sender}, .asked = asked};
	bool whole = asked->domain.n == 0 && asked->day == 0;

	why_r->text[0] = '\0';
	aggregate_flush(sender->aggregate, clock_us() + FLUSH_US);
	if (!report_lease(&round.run)) {
		*why_r = round.run.why;
		return REPORTS_ELSEWHERE;
	}
	take_days(&round);
	report_lease_end(&round.run);
	if (whole && !round.ends)
		sender->counters->waiting = round.waiting;
	if (!round.ends)
		return REPORTS_DONE;
	*why_r = round.run.why;
	return REPORTS_BROKEN;
}
