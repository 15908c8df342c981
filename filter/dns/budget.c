/*
 * budget.c - what one message may ask, what it was told, and how long it waited.
 *
 * A budget remembers each question it asked, with the answer (held until it is
 * closed) or with the flight a hint began. Asked again, it gives the same answer
 * again, also when that was a time-out: one message sees one DNS. The table's
 * buckets are fixed: the questions are few and their hashes nobody's to choose.
 */
#include "budget.h"

/* Answers that budgets give by themselves. */
enum own { OWN_NO_NAME, OWN_BUDGET, OWN_TIMEOUT, OWN_CROWDED, OWNS };

static const struct dns_answer own_answers[OWNS] = {
    [OWN_NO_NAME] = {.status = DNS_NXDOMAIN},
    [OWN_BUDGET] = {.status = DNS_TEMPFAIL, .reason = DNS_BUDGET},
    [OWN_TIMEOUT] = {.status = DNS_TEMPFAIL, .reason = DNS_TIMEOUT},
    [OWN_CROWDED] = {.status = DNS_TEMPFAIL, .reason = DNS_CROWDED},
};

struct dns_budget *dns_budget_open(struct resolver *resolver, struct arena *arena, unsigned questions)
{
	struct dns_budget *budget = arena_alloc(arena, sizeof(*budget));

	budget->resolver = resolver_hold(resolver);
	budget->arena = arena;
	budget->stripe = resolver_stripe(resolver);
	budget->questions = questions;
	budget->until_us = INT64_MAX;
	return budget;
}

void dns_budget_close(struct dns_budget *budget)
{
	if (!budget)
		return;
	for (struct spare *spare = budget->spares; spare; spare = spare->next)
		spare->parser->free(spare->made);
	for (struct asked *asked = budget->latest; asked; asked = asked->before) {
		answer_release(asked->held);
		resolver_leave(budget->resolver, asked->flight);
	}
	resolver_release(budget->resolver);
}

void dns_budget_for(struct dns_budget *budget, struct ip client)
{
	/* A network of IPv6 is one customer's (RFC 6177); and no client's begins with 32 zero bits, as IPv4's do here.
	 */
	size_t n = client.family == 4 ? 4 : 8;

	budget->whose = 0;
	for (size_t i = 0; i < n && client.family != 0; i++)
		budget->whose = budget->whose << 8 | client.bytes[i];
}

void dns_budget_waiting(struct dns_budget *budget, const struct wait_hook *waiting)
{
	budget->waiting = waiting->waits ? waiting : NULL;
}

void dns_budget_deadline(struct dns_budget *budget, int64_t until_us)
{
	budget->until_us = until_us;
}

/* ---- questions ------------------------------------------------------------------------ */

static bool asked_is(const struct asked *asked, const struct question *question)
{
	if (asked->hash != question->hash)
		return false;
	if (!asked->question)
		return answer_is_for(asked->held, question);
	return question_equal(asked->question, question);
}

static struct asked *asked_find(struct dns_budget *budget, const struct question *question)
{
	struct asked *asked = budget->buckets[question->hash % BUCKETS];

	while (asked && !asked_is(asked, question))
		asked = asked->in_bucket;
	return asked;
}

static struct asked *asked_new(struct dns_budget *budget, uint64_t hash)
{
	struct asked *asked = arena_alloc(budget->arena, sizeof(*asked));
	struct asked **bucket = &budget->buckets[hash % BUCKETS];

	asked->hash = hash;
	asked->in_bucket = *bucket;
	*bucket = asked;
	asked->before = budget->latest;
	budget->latest = asked;
	budget->asked++;
	return asked;
}

/* The cache's answers know their question; where there is none yet, the question is copied. */
static void question_keep(struct dns_budget *budget, struct asked *asked, const struct question *question)
{
	asked->question = arena_raw(budget->arena, sizeof(*question));
	*asked->question = *question;
}

static const struct dns_answer *asked_answer(struct dns_budget *budget, struct asked *asked,
					     const struct dns_answer *given)
{
	asked->given = given;
	if (given->status == DNS_TEMPFAIL) {
		resolver_count(budget->resolver, budget->stripe, COUNT_TEMPFAILS);
		resolver_count(budget->resolver, budget->stripe, (enum resolver_count)(COUNT_FAILURES + given->reason));
		if (given->reason == DNS_TIMEOUT)
			resolver_count(budget->resolver, budget->stripe, COUNT_TIMEOUTS);
	}
	if (given->stale) {
		budget->stale++;
		resolver_count(budget->resolver, budget->stripe, COUNT_STALE);
	}
	return given;
}

static const struct dns_answer *asked_own(struct dns_budget *budget, struct asked *asked, enum own own)
{
	return asked_answer(budget, asked, &own_answers[own]);
}

static const struct dns_answer *asked_held(struct dns_budget *budget, struct asked *asked, struct answer *answer)
{
	asked->held = answer;
	return asked_answer(budget, asked, &answer->given);
}

static struct flight *asked_send(struct dns_budget *budget, const struct asked *asked, bool hint)
{
	struct intent intent = {.whose = budget->whose, .hint = hint};

	return resolver_send(budget->resolver, asked->question, intent, budget->stripe);
}

/* A hint's answer is often there already: then nobody hears of it. */
static struct answer *await(struct dns_budget *budget, struct flight *flight)
{
	const struct wait_hook *waiting = resolver_has_landed(budget->resolver, flight) ? NULL : budget->waiting;
	struct answer *answer;

	if (waiting)
		waiting->waits(waiting->context, true);
	answer = resolver_await(budget->resolver, flight, budget->whose, budget->until_us);
	if (waiting)
		waiting->waits(waiting->context, false);
	return answer;
}

/* The answer to a question that the cache cannot answer. */
static const struct dns_answer *asked_wait(struct dns_budget *budget, struct asked *asked)
{
	int64_t start = clock_us();

	if (!asked->flight && start >= budget->until_us)
		return asked_own(budget, asked, OWN_TIMEOUT);
	if (!asked->flight)
		asked->flight = asked_send(budget, asked, false);
	if (!asked->flight)
		return asked_own(budget, asked, OWN_CROWDED);

	struct answer *answer = await(budget, asked->flight);
	budget->waited_us += clock_us() - start;
	return answer ? asked_held(budget, asked, answer) : asked_own(budget, asked, OWN_TIMEOUT);
}

/* A question that is new to this budget: its answer when the cache has it, else without one. */
static struct asked *asked_begin(struct dns_budget *budget, const struct question *question)
{
	struct asked *asked = asked_new(budget, question->hash);
	struct answer *known = resolver_known(budget->resolver, question, budget->stripe);

	if (known)
		asked_held(budget, asked, known);
	else
		question_keep(budget, asked, question);
	return asked;
}

const struct dns_answer *dns_ask(struct dns_budget *budget, struct slice name, enum dns_type type)
{
	struct question question;

	if (question_make(name, type, resolver_hash_seed(budget->resolver), &question) < 0)
		return &own_answers[OWN_NO_NAME];
	resolver_count(budget->resolver, budget->stripe, COUNT_QUESTIONS);

	struct asked *asked = asked_find(budget, &question);
	if (!asked && budget->asked >= budget->questions)
		return &own_answers[OWN_BUDGET];
	if (!asked)
		asked = asked_begin(budget, &question);
	return asked->given ? asked->given : asked_wait(budget, asked);
}

const struct dns_answer *dns_hint(struct dns_budget *budget, struct slice name, enum dns_type type)
{
	struct question question;

	if (!resolver_hints(budget->resolver) ||
	    question_make(name, type, resolver_hash_seed(budget->resolver), &question) < 0)
		return NULL;
	resolver_count(budget->resolver, budget->stripe, COUNT_QUESTIONS);

	struct asked *asked = asked_find(budget, &question);
	if (asked || budget->asked >= budget->questions)
		return asked ? asked->given : NULL;
	asked = asked_begin(budget, &question);
	if (!asked->given)
		asked->flight = asked_send(budget, asked, true);
	return asked->given;
}

/* ---- the parsed form --------------------------------------------------------------------- */

static bool is_own(const struct dns_answer *given)
{
	for (int i = 0; i < OWNS; i++)
		if (given == &own_answers[i])
			return true;
	return false;
}

const void *dns_parsed(struct dns_budget *budget, const struct dns_answer *given, const struct dns_parser *parser)
{
	/* Every answer that came from the resolver is the first member of one of ours. */
	const void *made = is_own(given) ? NULL : answer_form((struct answer *)given, parser);
	if (made)
		return made;
	for (struct spare *spare = budget->spares; spare; spare = spare->next)
		if (spare->answer == given && spare->parser == parser)
			return spare->made;

	struct spare *spare = arena_alloc(budget->arena, sizeof(*spare));
	*spare = (struct spare){budget->spares, given, parser, parser->parse(given)};
	budget->spares = spare;
	return spare->made;
}

unsigned dns_budget_asked(const struct dns_budget *budget)
{
	return budget->asked;
}

int64_t dns_budget_waited_us(const struct dns_budget *budget)
{
	return budget->waited_us;
}

unsigned dns_budget_stale(const struct dns_budget *budget)
{
	return budget->stale;
}
