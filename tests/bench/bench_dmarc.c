/*
 * bench_dmarc.c - what DMARC costs a message for which SPF and DKIM have been checked and every
 * answer is known, beside a message that asks nothing; and a long walk beside its questions alone.
 *
 * One line each: how many times as much as the other way, the difference, and microseconds of processor time.
 * The difference is what DMARC costs beyond SPF and DKIM: From is read, the walk is hinted and walked, and judged.
 */
#include "dmarc.h"
#include "measure.h"

#define TIMES 20000

static const char zone[] =
    "_dmarc.example.net TXT \"v=DMARC1; p=reject; rua=mailto:dmarc@example.net\"\n"
    "_dmarc.example.org TXT \"v=DMARC1; p=reject; sp=quarantine; rua=mailto:dmarc@example.org; adkim=s; aspf=s\"\n"
    "_dmarc.example.com TXT \"v=DMARC1; p=none\"\n"
    "mail.example A 192.0.2.1\n";

static const char *const walk_of_8[] = {
    "_dmarc.a.b.c.d.e.f.g.example", "_dmarc.b.c.d.e.f.g.example", "_dmarc.c.d.e.f.g.example", "_dmarc.d.e.f.g.example",
    "_dmarc.e.f.g.example",         "_dmarc.f.g.example",         "_dmarc.g.example",         "_dmarc.example",
};

struct scene {
	struct arena *arena; /* reset for each message */
	struct resolver *resolver;
	const char *what, *from, *spf, *dkim;
	enum dmarc_result wanted;
};

static void judge(const struct scene *scene, struct dns_budget *budget)
{
	struct dmarc_identifier dkim = {.domain = slice_of(scene->dkim)};
	struct authors authors;
	struct dmarc_request request = {.authors = &authors,
					.spf = {.domain = slice_of(scene->spf)},
					.dkim = &dkim,
					.dkim_count = dkim.domain.n > 0};
	struct dmarc_outcome outcome;

	author_read(slice_of(scene->from), scene->arena, &authors);
	for (size_t i = 0; i < authors.domain_count; i++)
		dmarc_hint(budget, authors.domains[i], DMARC_TREE_WALK);
	dmarc_check(&request, budget, scene->arena, &outcome);
	if (outcome.result != scene->wanted)
		die("%s: %s", scene->what, dmarc_result_names[outcome.result]);
}

static void ask_walk(const struct scene *scene, struct dns_budget *budget)
{
	(void)scene;
	for (size_t i = 0; i < sizeof(walk_of_8) / sizeof(walk_of_8[0]); i++)
		dns_ask(budget, slice_of(walk_of_8[i]), DNS_TXT);
}

static void ask_nothing(const struct scene *scene, struct dns_budget *budget)
{
	(void)scene, (void)budget;
}

static void message(const struct scene *scene, void (*work)(const struct scene *, struct dns_budget *))
{
	struct dns_budget *budget = dns_budget_open(scene->resolver, scene->arena, DNS_BUDGET_QUESTIONS);

	work(scene, budget);
	dns_budget_close(budget);
	arena_reset(scene->arena);
}

static void message_judged(void *scene)
{
	message(scene, judge);
}

static void message_walking(void *scene)
{
	message(scene, ask_walk);
}

static void message_alone(void *scene)
{
	message(scene, ask_nothing);
}

static void bench(struct scene scene)
{
	measure(
	    &(struct measure){scene.what, "a message that asks nothing", message_judged, message_alone, &scene, TIMES});
}

int main(void)
{
	struct error err;
	struct resolver *resolver = resolver_open_zone(slice_of(zone), "bench", &err);
	struct arena *arena = arena_new();
	struct scene walk = {arena, resolver, "a walk of 8 questions", "a@a.b.c.d.e.f.g.example", "", "", DMARC_NONE};

	if (!resolver)
		die("%s", err.text);
	bench((struct scene){arena, resolver, "pass, SPF and DKIM of the author domain", "Alice <alice@example.net>",
			     "example.net", "example.net", DMARC_PASS});
	bench((struct scene){arena, resolver, "pass, all of other subdomains", "Alice <alice@news.example.net>",
			     "bounces.example.net", "mail.example.net", DMARC_PASS});
	bench((struct scene){arena, resolver, "fail, strict, SPF of somebody else", "Alice <alice@example.org>",
			     "example.com", "", DMARC_FAIL});
	bench(walk);
	measure(&(struct measure){walk.what, "the 8 questions alone", message_judged, message_walking, &walk, TIMES});
	arena_free(arena);
	resolver_release(resolver);
	return 0;
}
