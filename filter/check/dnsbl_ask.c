/*
 * dnsbl_ask.c - what is asked of DNS lists for one message, and when.
 *
 * Queries start as soon as the name is known: of the client at CONNECT, of the HELO name, of the sender, of the author
 * when From arrives; so all lists are asked at the same time, and the budget asks equal questions once. When the first
 * answer is wanted, the others are on their way.
 *
 * A list that says "listed" is asked for its negative test entry too: a list that contains it contains everything. The
 * answer is nearly always in the cache.
 */
#include "dnsbl_private.h"

/* What one message knows of all lists. */
struct state {
	const struct asking *asking; /* NULL: nothing was hinted */
	bool author_hinted;
	bool keyed[DNSBL_OF_COUNT];
	struct slice keys[DNSBL_OF_COUNT]; /* what comes before the zone, with a dot at the end; "": nothing to ask */
	struct dnsbl_met mets[];           /* in the order of the file */
};

static const struct check_block *lists_of(const struct view *view)
{
	return &view->settings->blocks[CHECK_NUMBER_dnsbl];
}

static struct state *state_of(struct view *view)
{
	void **slot = &view->message_slots[CHECK_NUMBER_dnsbl];

	if (!*slot)
		*slot = arena_alloc(view->message->arena,
				    sizeof(struct state) + lists_of(view)->count * sizeof(struct dnsbl_met));
	return *slot;
}

/* ---- what comes before the zone ------------------------------------------------------------------------------- */

/* RFC 5782 2.1, 2.4: octets or nibbles, the last one first. */
struct slice dnsbl_client_key(struct ip client, struct arena *arena)
{
	struct slice reverse;
	struct text text;

	if (client.family == 6) {
		reverse = dns_reverse_name(client, arena);
		return slice_head(reverse, reverse.n - strlen("ip6.arpa"));
	}
	if (client.family != 4)
		return SLICE("");
	text_init(&text, arena, 16);
	for (int i = 3; i >= 0; i--) {
		text_add_number(&text, client.bytes[i], 1);
		text_add_char(&text, '.');
	}
	return text_slice(&text);
}

/* RFC 5782 3: a domain as it is. Addresses and names of one label are in no list. */
struct slice dnsbl_domain_key(struct slice domain, struct arena *arena)
{
	struct ip ip;

	if (slice_find(domain, '.') <= 0 || domain.p[0] == '[' || domain.n > MAIL_DOMAIN_MAX ||
	    ip_parse(domain, &ip) == 0)
		return SLICE("");
	return arena_join(arena, domain, SLICE("."));
}

static struct slice helo_key(struct view *view)
{
	bool valid;
	struct slice domain = domain_normalise(view->session->helo, view->message->arena, &valid);

	return valid ? dnsbl_domain_key(domain, view->message->arena) : SLICE("");
}

static struct slice make_key(struct view *view, enum dnsbl_of of)
{
	struct arena *arena = view->message->arena;
	const struct authors *authors;

	switch (of) {
	case DNSBL_CLIENT:
		return dnsbl_client_key(view->session->client, arena);
	case DNSBL_HELO:
		return helo_key(view);
	case DNSBL_SENDER:
		return view->message->sender.valid ? dnsbl_domain_key(view->message->sender.domain, arena) : SLICE("");
	case DNSBL_FROM:
		authors = check_authors(view);
		return authors->domain_count == 1 ? dnsbl_domain_key(authors->domains[0], arena) : SLICE("");
	}
	return SLICE("");
}

static struct slice key_of(struct view *view, struct state *state, enum dnsbl_of of)
{
	if (!state->keyed[of])
		state->keys[of] = make_key(view, of);
	state->keyed[of] = true;
	return state->keys[of];
}

/* ---- early ------------------------------------------------------------------------------------------------------ */

/* Does a rule read the list, directly or in dnsbl.score, or does Authentication-Results show it? */
static bool is_wanted(const struct dnsbl *list, const struct asking *asking)
{
	if (list->weight < 0 && list->of == DNSBL_CLIENT)
		return true;
	for (size_t i = 0; i < asking->count; i++)
		if (asking->items[i].argument.thing == list || asking->items[i].fact->argument == ARGUMENT_NONE)
			return true;
	return false;
}

static bool is_off(const struct dnsbl *list)
{
	return atomic_load_explicit(&list->health->state, memory_order_relaxed) == DNSBL_OFF;
}

static const struct dns_answer *ask_early(struct view *view, const struct dnsbl *list, struct slice key,
					  struct slice *name_r)
{
	*name_r = arena_join(view->message->arena, key, list->zone);
	return dns_hint(view->budget, *name_r, DNS_A);
}

void dnsbl_start(struct view *view, enum dnsbl_of of, const struct asking *asking)
{
	struct state *state = view->message_slots ? state_of(view) : NULL;
	const struct dnsbl *lists = lists_of(view)->first;
	struct slice key, name;

	if (state)
		state->asking = asking;
	key = state ? key_of(view, state, of) : make_key(view, of);
	for (size_t i = 0; key.n > 0 && i < lists_of(view)->count; i++) {
		struct dnsbl_met *met = state ? &state->mets[i] : NULL;
		const struct dns_answer *answer;

		if (lists[i].of != of || is_off(&lists[i]) || !is_wanted(&lists[i], asking))
			continue;
		answer = ask_early(view, &lists[i], key, met ? &met->name : &name);
		if (met)
			met->answer = answer;
	}
}

void dnsbl_start_author(struct view *view)
{
	struct state *state = state_of(view);
	const struct authors *authors = state->asking && !state->author_hinted ? check_first_authors(view) : NULL;
	const struct dnsbl *lists = lists_of(view)->first;
	struct slice key, name;

	if (!authors)
		return;
	state->author_hinted = true;
	key = authors->domain_count == 1 ? dnsbl_domain_key(authors->domains[0], view->message->arena) : SLICE("");
	for (size_t i = 0; key.n > 0 && i < lists_of(view)->count; i++)
		if (lists[i].of == DNSBL_FROM && !is_off(&lists[i]) && is_wanted(&lists[i], state->asking))
			(void)ask_early(view, &lists[i], key, &name);
}

/* ---- the answer ---------------------------------------------------------------------------------------------------
 */

/* Each code of a list is logged once, so it is remembered once. */
static void note_unknown(struct dnsbl_health *health, uint32_t code)
{
	for (unsigned i = 0; i < DNSBL_UNKNOWN_MAX; i++) {
		uint32_t there = 0;

		if (atomic_compare_exchange_strong(&health->unknown[i], &there, code) || there == code)
			return;
	}
}

static void note(const struct dnsbl *list, const struct dnsbl_finding *finding)
{
	struct dnsbl_health *health = list->health;
	_Atomic uint64_t *count = finding->result == DNSBL_RESULT_LISTED      ? &health->listed
				  : finding->result == DNSBL_RESULT_TEMPERROR ? &health->failed
									      : NULL;

	atomic_fetch_add_explicit(&health->asked, 1, memory_order_relaxed);
	if (count)
		atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
	if (finding->unknown)
		note_unknown(health, finding->unknown);
	if (finding->refusal)
		atomic_store(&health->refusal, finding->refusal);
	if (finding->foreign)
		atomic_store(&health->foreign, finding->foreign);
}

/* RFC 5782 7: a list that contains what it must not contain is not used. */
static void verify(struct view *view, const struct dnsbl *list, struct dnsbl_finding *finding)
{
	uint8_t family = list->of == DNSBL_CLIENT ? view->session->client.family : 0;
	struct slice name = dnsbl_test_name(list, family, false, view->message->arena);

	if (!dnsbl_contains(dns_ask(view->budget, name, DNS_A)))
		return;
	atomic_store(&list->health->doubted, true);
	*finding =
	    (struct dnsbl_finding){.result = DNSBL_RESULT_TEMPERROR,
				   .why = "the list contains its negative test entry, so it would list everybody"};
}

static void judge(struct view *view, const struct dnsbl *list, struct dnsbl_met *met)
{
	met->judged = true;
	if (is_off(list)) {
		met->finding =
		    (struct dnsbl_finding){.result = DNSBL_RESULT_TEMPERROR,
					   .why = "the list is switched off: it contains its negative test entry"};
		return;
	}
	if (!met->answer)
		met->answer = dns_ask(view->budget, met->name, DNS_A);
	dnsbl_judge(list, met->answer, &met->finding);
	if (met->finding.result == DNSBL_RESULT_LISTED)
		verify(view, list, &met->finding);
	note(list, &met->finding);
}

struct dnsbl_met *dnsbl_meet(struct view *view, const struct dnsbl *list)
{
	struct state *state = state_of(view);
	struct dnsbl_met *met = &state->mets[list - (const struct dnsbl *)lists_of(view)->first];
	struct slice key;

	if (met->judged)
		return met;
	if (met->name.n == 0) {
		key = key_of(view, state, list->of);
		if (key.n == 0)
			return NULL;
		met->name = arena_join(view->message->arena, key, list->zone);
	}
	judge(view, list, met);
	return met;
}

/* All lists that list the message are asked for their texts at once. */
static void start_texts(struct view *view)
{
	struct state *state = state_of(view);

	for (size_t i = 0; i < lists_of(view)->count; i++)
		if (state->mets[i].judged && state->mets[i].finding.result == DNSBL_RESULT_LISTED)
			dns_hint(view->budget, state->mets[i].name, DNS_TXT);
}

struct slice dnsbl_met_text(struct view *view, const struct dnsbl *list, struct dnsbl_met *met)
{
	if (met->finding.result != DNSBL_RESULT_LISTED)
		return SLICE("");
	if (!met->txt) {
		start_texts(view);
		met->txt = dns_ask(view->budget, met->name, DNS_TXT);
	}
	if (met->txt->status != DNS_OK || met->txt->count == 0)
		return SLICE("");
	return dnsbl_text(list, met->txt->records[0].text, view->message->arena);
}
