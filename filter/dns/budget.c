/*
 * budget.c - what one message may ask, what it was told, and how long it waited.
 *
 * A budget remembers each question it asked, with the answer (held until it is
 * closed) or with the flight a hint began. Asked again, it gives the same answer
 * again, also when that was a time-out: one message sees one DNS. The table's
 * buckets are fixed: the questions are few and their hashes nobody's to choose.
 */
#include "resolver.h"

#define BUCKETS 64

struct asked {
	struct asked *in_bucket; /* the next of its bucket */
	uint64_t hash;
	struct question *question; /* while the answer is on its way */
	struct answer *answer;     /* NULL: on its way */
	struct flight *flight;     /* of a hint */
};

/* A parsed form that could not stay with its answer, because another parser's is there. */
struct spare {
	struct spare *next;
	const struct dns_answer *answer;
	const struct dns_parser *parser;
	void *made;
};

/* Answers that a budget gives by itself. */
enum own { OWN_NO_NAME, OWN_BUDGET, OWN_TIMEOUT, OWN_BUSY, OWNS };

static const struct dns_answer own_answers[OWNS] = {
    [OWN_NO_NAME] = {.status = DNS_NXDOMAIN},
    [OWN_BUDGET] = {.status = DNS_TEMPFAIL, .why = "budget"},
    [OWN_TIMEOUT] = {.status = DNS_TEMPFAIL, .why = "timeout"},
    [OWN_BUSY] = {.status = DNS_TEMPFAIL, .why = "too many questions"},
};

struct dns_budget {
	struct resolver *resolver;
	struct arena *arena;
	unsigned stripe;
	unsigned questions, asked, stale;
	int64_t until_us, waited_us;
	struct answer own[OWNS];
	struct spare *spares;
	struct asked *buckets[BUCKETS];
};

struct dns_budget *dns_budget_open(struct resolver *resolver, struct arena *arena, unsigned questions)
{
	struct dns_budget *budget = arena_alloc(arena, sizeof *budget);
	budget->resolver = resolver_hold(resolver);
	budget->arena = arena;
	budget->stripe = resolver_stripe(resolver);
	budget->questions = questions;
	budget->until_us = INT64_MAX;
	for (int i = 0; i < OWNS; i++) {
		budget->own[i].given = own_answers[i];
		atomic_init(&budget->own[i].form, NULL);
	}
	return budget;
}

/* Only what came from the resolver is counted; it knows its question. */
static bool answer_is_own(const struct answer *answer)
{
	return answer->name == NULL;
}

void dns_budget_close(struct dns_budget *budget)
{
	if (budget == NULL)
		return;
	for (struct spare *spare = budget->spares; spare != NULL; spare = spare->next)
		spare->parser->free(spare->made);
	for (int i = 0; i < BUCKETS; i++)
		for (struct asked *asked = budget->buckets[i]; asked != NULL; asked = asked->in_bucket) {
			if (asked->answer != NULL && !answer_is_own(asked->answer))
				answer_release(asked->answer);
			resolver_leave(budget->resolver, asked->flight);
		}
	for (int i = 0; i < OWNS; i++)
		answer_form_free(&budget->own[i]);
	resolver_release(budget->resolver);
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
	if (asked->answer != NULL && asked->question == NULL)
		return answer_is_for(asked->answer, question);
	return asked->question->type == question->type &&
	       slice_equal((struct slice){(const char *)asked->question->name.wire, asked->question->name.n},
			   (struct slice){(const char *)question->name.wire, question->name.n});
}

static struct asked *asked_find(struct dns_budget *budget, const struct question *question)
{
	struct asked *asked = budget->buckets[question->hash % BUCKETS];
	while (asked != NULL && !asked_is(asked, question))
		asked = asked->in_bucket;
	return asked;
}

static struct asked *asked_new(struct dns_budget *budget, uint64_t hash)
{
	struct asked *asked = arena_alloc(budget->arena, sizeof *asked);
	struct asked **bucket = &budget->buckets[hash % BUCKETS];
	asked->hash = hash;
	asked->in_bucket = *bucket;
	*bucket = asked;
	budget->asked++;
	return asked;
}

/* The cache's answers know their question; where there is none yet, the question is copied. */
static void question_keep(struct dns_budget *budget, struct asked *asked, const struct question *question)
{
	asked->question = arena_alloc(budget->arena, sizeof *question);
	*asked->question = *question;
}

static const struct dns_answer *asked_answer(struct dns_budget *budget, struct asked *asked, struct answer *answer)
{
	asked->answer = answer;
	if (answer->given.status == DNS_TEMPFAIL) {
		resolver_count(budget->resolver, budget->stripe, COUNT_TEMPFAILS);
		if (slice_equal(slice_of(answer->given.why), SLICE("timeout")))
			resolver_count(budget->resolver, budget->stripe, COUNT_TIMEOUTS);
	}
	if (answer->given.stale) {
		budget->stale++;
		resolver_count(budget->resolver, budget->stripe, COUNT_STALE);
	}
	return &answer->given;
}

/* The answer to a question that the cache cannot answer. */
static const struct dns_answer *asked_wait(struct dns_budget *budget, struct asked *asked)
{
	int64_t start = clock_us();
	if (asked->flight == NULL && start >= budget->until_us)
		return asked_answer(budget, asked, &budget->own[OWN_TIMEOUT]);
	if (asked->flight == NULL)
		asked->flight = resolver_send(budget->resolver, asked->question, budget->stripe);
	if (asked->flight == NULL)
		return asked_answer(budget, asked, &budget->own[OWN_BUSY]);

	struct answer *answer = resolver_await(budget->resolver, asked->flight, budget->until_us);
	budget->waited_us += clock_us() - start;
	return asked_answer(budget, asked, answer != NULL ? answer : &budget->own[OWN_TIMEOUT]);
}

const struct dns_answer *dns_ask(struct dns_budget *budget, struct slice name, enum dns_type type)
{
	struct question question;
	if (question_make(name, type, resolver_hash_seed(budget->resolver), &question) < 0)
		return &budget->own[OWN_NO_NAME].given;
	resolver_count(budget->resolver, budget->stripe, COUNT_QUESTIONS);

	struct asked *asked = asked_find(budget, &question);
	if (asked != NULL)
		return asked->answer != NULL ? &asked->answer->given : asked_wait(budget, asked);
	if (budget->asked >= budget->questions)
		return &budget->own[OWN_BUDGET].given;

	asked = asked_new(budget, question.hash);
	struct answer *known = resolver_known(budget->resolver, &question, budget->stripe);
	if (known != NULL)
		return asked_answer(budget, asked, known);
	question_keep(budget, asked, &question);
	return asked_wait(budget, asked);
}

void dns_hint(struct dns_budget *budget, struct slice name, enum dns_type type)
{
	struct question question;
	if (!resolver_hints(budget->resolver) ||
	    question_make(name, type, resolver_hash_seed(budget->resolver), &question) < 0)
		return;
	resolver_count(budget->resolver, budget->stripe, COUNT_QUESTIONS);
	if (asked_find(budget, &question) != NULL || budget->asked >= budget->questions)
		return;

	struct asked *asked = asked_new(budget, question.hash);
	struct answer *known = resolver_known(budget->resolver, &question, budget->stripe);
	if (known != NULL) {
		asked_answer(budget, asked, known);
		return;
	}
	question_keep(budget, asked, &question);
	asked->flight = resolver_send(budget->resolver, &question, budget->stripe);
}

/* ---- the parsed form --------------------------------------------------------------------- */

const void *dns_parsed(struct dns_budget *budget, const struct dns_answer *given, const struct dns_parser *parser)
{
	/* Every answer that a budget gives is the first member of one of ours. */
	const void *made = answer_form((struct answer *)given, parser);
	if (made != NULL)
		return made;
	for (struct spare *spare = budget->spares; spare != NULL; spare = spare->next)
		if (spare->answer == given && spare->parser == parser)
			return spare->made;

	struct spare *spare = arena_alloc(budget->arena, sizeof *spare);
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
