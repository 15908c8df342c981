/*
 * mechanism.c - does a term match this client? One function for each mechanism
 * (RFC 7208 5), in a table.
 *
 * Each returns match, no match, or the kind of error that ends the check, and adds a
 * note of what it found.
 */
#include "spf_private.h"

struct attempt {
	struct spf_run *run;
	struct spf_frame *frame;
	const struct spf_term *term;
	struct slice target, note;
	struct slice why; /* the reason of an error, when the note has more detail */
	unsigned lookup;
};

static enum spf_matched give_up(struct attempt *at, enum spf_matched result, struct slice note)
{
	at->note = note;
	return result;
}

/* Counts the term and finds its domain. Any result but SPF_MATCH: no query is needed. */
static enum spf_matched target_open(struct attempt *at)
{
	enum spf_matched result;

	if (!spf_count_lookup(at->run))
		return give_up(at, SPF_PERMANENT, SLICE("more than 10 terms ask the DNS"));
	at->lookup = at->run->lookups;
	result = spf_target(at->run, at->frame, &at->term->target, &at->target, &at->note);
	if (result != SPF_NO_NAME)
		return result;
	/* RFC 7208 4.8 leaves it open; 4.3 and 5.2 make it an error for an include. */
	return at->term->mechanism == SPF_INCLUDE ? SPF_PERMANENT : SPF_NO_MATCH;
}

/* Queries the target of the term. SPF_MATCH: there are records. RFC 7208 4.6.4: a term counts as void at most once. */
static enum spf_matched ask(struct attempt *at, struct slice name, enum dns_type type,
			    const struct dns_answer **answer_r)
{
	const struct dns_answer *answer = spf_ask(at->run, name, type);

	*answer_r = answer;
	if (answer->status == DNS_OK)
		return SPF_MATCH;
	at->note = spf_note_answer(answer, at->run->arena);
	if (answer->status == DNS_TEMPFAIL)
		return SPF_TEMPORARY;
	if (!spf_count_void(at->run, name, type, answer, &at->why))
		return give_up(at, SPF_PERMANENT, at->why);
	return SPF_NO_MATCH;
}

static enum dns_type address_type(const struct attempt *at)
{
	return at->run->request->client.family == 4 ? DNS_A : DNS_AAAA;
}

/* The addresses that were found are needed only for the trace. */
static struct slice note_found(const struct attempt *at, const struct dns_answer *answer)
{
	return at->run->request->trace ? spf_note_answer(answer, at->run->arena) : SLICE("");
}

static bool has_client(const struct attempt *at, const struct dns_answer *answer)
{
	struct ip client = at->run->request->client;
	struct ip_net net = {.prefix = client.family == 4 ? at->term->prefix4 : at->term->prefix6};

	for (size_t i = 0; i < answer->count; i++) {
		net.ip = answer->records[i].ip;
		if (ip_net_contains(&net, client))
			return true;
	}
	return false;
}

static enum spf_matched match_all(struct attempt *at)
{
	(void)at;
	return SPF_MATCH;
}

static enum spf_matched match_network(struct attempt *at)
{
	return ip_net_contains(&at->term->net, at->run->request->client) ? SPF_MATCH : SPF_NO_MATCH;
}

static enum spf_matched match_a(struct attempt *at)
{
	const struct dns_answer *answer;
	enum spf_matched result = target_open(at);

	if (result == SPF_MATCH)
		result = ask(at, at->target, address_type(at), &answer);
	if (result != SPF_MATCH)
		return result;
	at->note = note_found(at, answer);
	return has_client(at, answer) ? SPF_MATCH : SPF_NO_MATCH;
}

/* RFC 7208 5.7: the type is A, whatever the client's family. */
static enum spf_matched match_exists(struct attempt *at)
{
	const struct dns_answer *answer;
	enum spf_matched result = target_open(at);

	if (result == SPF_MATCH)
		result = ask(at, at->target, DNS_A, &answer);
	if (result == SPF_MATCH)
		at->note = note_found(at, answer);
	return result;
}

static void note_host(struct text *note, struct slice host, const struct dns_answer *answer, struct arena *arena)
{
	text_add(note, note->n ? SLICE(", ") : SLICE(""));
	text_add(note, host);
	text_add(note, answer->status == DNS_OK ? SLICE(" ") : SLICE(": "));
	text_add(note, spf_note_answer(answer, arena));
}

/* One MX host. RFC 7208 5.4: a host without an address does not match; only a DNS error ends the check. */
static enum spf_matched match_host(struct attempt *at, struct slice host, struct text *note)
{
	const struct dns_answer *answer;

	if (host.n == 0) /* RFC 7505: the root is not a host */
		return SPF_NO_MATCH;
	answer = spf_ask(at->run, host, address_type(at));
	if (at->run->request->trace)
		note_host(note, host, answer, at->run->arena);
	if (answer->status == DNS_TEMPFAIL) {
		at->why = arena_join(at->run->arena, host, SLICE(": "), spf_note_answer(answer, at->run->arena));
		return SPF_TEMPORARY;
	}
	return has_client(at, answer) ? SPF_MATCH : SPF_NO_MATCH;
}

static enum spf_matched match_mx(struct attempt *at)
{
	const struct dns_answer *answer;
	enum spf_matched result = target_open(at);
	struct text note;

	if (result == SPF_MATCH)
		result = ask(at, at->target, DNS_MX, &answer);
	if (result != SPF_MATCH)
		return result;
	if (answer->count > SPF_MX_MAX) /* RFC 7208 4.6.4 */
		return give_up(at, SPF_PERMANENT, SLICE("there are more than 10 MX hosts"));
	for (size_t i = 0; i < answer->count; i++)
		if (answer->records[i].name.n)
			dns_hint(at->run->budget, answer->records[i].name, address_type(at));
	text_init(&note, at->run->arena, SPF_NOTE_MAX);
	result = SPF_NO_MATCH;
	for (size_t i = 0; i < answer->count && result == SPF_NO_MATCH; i++)
		result = match_host(at, answer->records[i].name, &note);
	at->note = text_slice(&note);
	return result;
}

/* RFC 7208 5.5: a DNS error for a name of the client means no match, not an error. Our own limits are different: they
 * must not lead to a fail (4.6.4). */
static enum spf_matched names_trouble(struct attempt *at, const struct dns_answer *answer)
{
	at->note = spf_note_answer(answer, at->run->arena);
	return spf_limit_is_ours(answer) ? SPF_TEMPORARY : SPF_NO_MATCH;
}

/* Does the name resolve to the client's address? */
static enum spf_matched match_name(struct attempt *at, struct slice name)
{
	const struct dns_answer *answer = spf_ask(at->run, name, address_type(at));

	if (answer->status == DNS_TEMPFAIL)
		return names_trouble(at, answer);
	for (size_t i = 0; i < answer->count; i++)
		if (ip_equal(answer->records[i].ip, at->run->request->client))
			return give_up(at, SPF_MATCH, arena_copy(at->run->arena, name));
	return SPF_NO_MATCH;
}

/* Only names in the target can match, so only these are queried. */
static enum spf_matched match_ptr(struct attempt *at)
{
	struct spf_run *run = at->run;
	const struct dns_answer *answer;
	enum spf_matched result = target_open(at);

	if (result == SPF_MATCH)
		result = ask(at, dns_reverse_name(run->request->client, run->arena), DNS_PTR, &answer);
	if (result == SPF_TEMPORARY)
		return names_trouble(at, answer);
	if (result == SPF_NO_MATCH && at->target.n)
		at->note = SLICE("the client's address has no name");
	if (result != SPF_MATCH)
		return result;
	at->note = SLICE("no validated name of the client is in this domain");
	result = SPF_NO_MATCH;
	for (size_t i = 0; i < answer->count && i < DNS_PTR_NAMES_MAX && result == SPF_NO_MATCH; i++)
		if (spf_name_is_in(answer->records[i].name, at->target))
			result = match_name(at, answer->records[i].name);
	return result;
}

/* RFC 7208 5.2, the table of results. */
static enum spf_matched match_include(struct attempt *at)
{
	static const enum spf_matched meaning[] = {
	    [SPF_NONE] = SPF_PERMANENT,      [SPF_NEUTRAL] = SPF_NO_MATCH,  [SPF_PASS] = SPF_MATCH,
	    [SPF_FAIL] = SPF_NO_MATCH,       [SPF_SOFTFAIL] = SPF_NO_MATCH, [SPF_TEMPERROR] = SPF_TEMPORARY,
	    [SPF_PERMERROR] = SPF_PERMANENT,
	};
	static const char *const notes[] = {
	    [SPF_NONE] = "the included domain has no SPF record",
	    [SPF_NEUTRAL] = "the included record says neutral",
	    [SPF_PASS] = "the included record says pass",
	    [SPF_FAIL] = "the included record says fail",
	    [SPF_SOFTFAIL] = "the included record says softfail",
	    [SPF_TEMPERROR] = "the included record cannot be read now",
	    [SPF_PERMERROR] = "the included record has an error",
	};
	enum spf_matched result = target_open(at);
	struct spf_match inner;
	enum spf_result said;
	struct spf_step *step;

	if (result != SPF_MATCH)
		return result;
	step = spf_step_add(at->run, at->frame, at->term->text);
	step->result = SPF_STEP_ENTER;
	step->target = at->target;
	step->lookup = at->lookup;
	at->lookup = 0;
	said = at->run->check_domain(at->run, at->target, at->frame->depth + 1, &inner);
	return give_up(at, meaning[said], slice_of(notes[said]));
}

static enum spf_matched (*const matchers[])(struct attempt *) = {
    [SPF_ALL] = match_all, [SPF_INCLUDE] = match_include, [SPF_A] = match_a,         [SPF_MX] = match_mx,
    [SPF_PTR] = match_ptr, [SPF_IP4] = match_network,     [SPF_IP6] = match_network, [SPF_EXISTS] = match_exists,
};

enum spf_matched spf_mechanism_match(struct spf_run *run, struct spf_frame *frame, const struct spf_term *term)
{
	static const enum spf_step_result results[] = {
	    [SPF_NO_MATCH] = SPF_STEP_NO_MATCH,
	    [SPF_MATCH] = SPF_STEP_MATCH,
	    [SPF_TEMPORARY] = SPF_STEP_ERROR,
	    [SPF_PERMANENT] = SPF_STEP_ERROR,
	};
	struct attempt at = {
	    .run = run, .frame = frame, .term = term, .target = SLICE(""), .note = SLICE(""), .why = SLICE("")};
	struct slice word = term->text;
	enum spf_matched matched = matchers[term->mechanism](&at);
	struct spf_step *step = spf_step_add(run, frame, word);

	step->target = at.target;
	step->note = at.note;
	step->lookup = at.lookup;
	step->result = results[matched];
	if (matched == SPF_TEMPORARY || matched == SPF_PERMANENT)
		spf_reason(run, frame, word, at.why.n ? at.why : at.note);
	return matched;
}
