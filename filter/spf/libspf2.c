/*
 * libspf2.c - SPF evaluation by libspf2, for users of software that is based on it, and
 * to compare our own evaluator with another one.
 *
 * The library walks through records, follows includes and compares addresses; our code does the rest. The library is
 * not safe with text that a sender wrote, and its limits differ from RFC 7208. So it is never given such text: we parse
 * each record and print it again with aliases (canonical.c). Its queries for aliases come back to the hooks below,
 * which expand names, count lookups and take answers from the budget.
 *
 * Everything is allocated for one check and freed with it; the library keeps no state between checks.
 */
#include "spf_private.h"

#include <netinet/in.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <time.h> /* spf2/spf.h needs this and the first two */
#include <spf2/spf.h>
#include <stdio.h>
#include <string.h>

#define FRAMES_MAX   (SPF_LOOKUPS_MAX + 1) /* every frame but the first costs a lookup */
#define LIBRARY_MAX  1000                  /* its own limits: ours apply first */
#define HOST_NAME    "h%zu.t%u.f%u.s"
#define HOST_ROOM    48
#define ANSWERED     0                 /* NETDB_SUCCESS, which not every C library has */
#define SENDER       "postmaster@f0.s" /* all it is told of the identity */
#define NOTHING_MORE "v=spf1"

struct walked {
	struct spf_frame frame;
	unsigned redirected_to; /* the frame that replaced it; 0: none */
	bool reached_any;
	unsigned reached; /* the term that was asked for last */
	size_t step;      /* of that term, from 1; 0: not in the trace */
};

struct walk {
	struct spf_run *run;
	struct walked frames[FRAMES_MAX];
	unsigned frame_count;
	unsigned current;               /* the frame of the last alias: PTR queries do not name a frame */
	const struct dns_answer *hosts; /* an MX or PTR answer; the library knows its names as h1... */
	bool ended;                     /* one of our limits ended the check: */
	enum spf_result result;
};

const bool spf_libspf2_built = true;

/* ---- what the hooks do ---------------------------------------------------------- */

/* One of our limits or targets ends the check with an error, whatever the library returns. */
static void end_check(struct walk *walk, const struct walked *walked, struct slice term, struct slice why)
{
	if (walk->ended)
		return;
	walk->ended = true;
	walk->result = SPF_PERMERROR;
	spf_reason(walk->run, &walked->frame, term, why);
}

/* The library did something unexpected. A sender should not be able to cause it; if one does, only this check fails. */
static void give_up(struct walk *walk, const char *why)
{
	if (walk->ended)
		return;
	walk->ended = true;
	walk->result = SPF_TEMPERROR;
	spf_reason(walk->run, &walk->frames[0].frame, SLICE(""), slice_of(why));
}

/* Is it the alias of a term that was printed? */
static bool is_known(const struct walk *walk, const struct spf_alias *alias)
{
	const struct spf_record *record =
	    alias->frame < walk->frame_count ? walk->frames[alias->frame].frame.record : NULL;

	if (!record)
		return false;
	return alias->term == SPF_ALIAS_REDIRECT ? record->redirect.count > 0 : alias->term < record->term_count;
}

static void remember(struct walk *walk, struct walked *walked, unsigned term, struct slice word)
{
	size_t before = walk->run->step_count;

	walked->reached_any = true;
	walked->reached = term;
	spf_step_add(walk->run, &walked->frame, word);
	walked->step = walk->run->step_count > before ? walk->run->step_count : 0;
}

static struct spf_step *step_of(struct walk *walk, const struct walked *walked)
{
	return walked->step ? &walk->run->steps[walked->step - 1] : &walk->run->spare;
}

/* Counts a term and finds its target; SPF_MATCH: the target can be queried. */
static enum spf_matched term_open(struct walk *walk, struct walked *walked, unsigned number, struct slice *target_r)
{
	const struct spf_record *record = walked->frame.record;
	bool redirect = number == SPF_ALIAS_REDIRECT;
	struct slice word = redirect ? record->redirect_text : record->terms[number].text;
	struct slice why = SLICE("");
	enum spf_matched found;
	struct spf_step *step;

	remember(walk, walked, number, word);
	if (!spf_count_lookup(walk->run)) {
		step_of(walk, walked)->result = SPF_STEP_ERROR;
		end_check(walk, walked, word, SLICE("more than 10 terms ask the DNS"));
		return SPF_PERMANENT;
	}
	found = spf_target(walk->run, &walked->frame, redirect ? &record->redirect : &record->terms[number].target,
			   target_r, &why);
	step = step_of(walk, walked);
	step->target = *target_r;
	step->lookup = walk->run->lookups;
	step->note = why;
	/* RFC 7208 4.3, 5.2, 6.1: an include or redirect to an invalid name cannot be followed. */
	if (found == SPF_PERMANENT ||
	    (found == SPF_NO_NAME && !redirect && record->terms[number].mechanism == SPF_INCLUDE) ||
	    (found != SPF_MATCH && redirect)) {
		step->result = SPF_STEP_ERROR;
		end_check(walk, walked, word, why);
	}
	return found;
}

/* RFC 7208 4.6.4. The answer for a term; NULL when nothing was found, whether or not the check can continue. */
static const struct dns_answer *term_ask(struct walk *walk, struct walked *walked, struct slice name,
					 enum dns_type type, int *trouble_r)
{
	const struct dns_answer *answer = spf_ask(walk->run, name, type);
	const struct spf_term *term = &walked->frame.record->terms[walked->reached];
	struct slice word = term->text, why;

	step_of(walk, walked)->note = spf_note_answer(answer, walk->run->arena);
	if (answer->status == DNS_OK)
		return answer;
	if (answer->status == DNS_TEMPFAIL) {
		*trouble_r = TRY_AGAIN;
		step_of(walk, walked)->result = SPF_STEP_ERROR;
		spf_reason(walk->run, &walked->frame, word, step_of(walk, walked)->note);
	} else if (!spf_count_void(walk->run, name, type, answer, &why)) {
		*trouble_r = TRY_AGAIN;
		end_check(walk, walked, word, why);
	}
	return NULL;
}

/* ---- answers in the library's form -------------------------------------------------- */

static SPF_dns_rr_t *reply_new(SPF_dns_server_t *server, const char *name, ns_type type, int trouble)
{
	SPF_dns_rr_t *reply = SPF_dns_rr_new_init(server, name, type, 0, trouble);

	if (!reply)
		die("out of memory in libspf2");
	return reply;
}

static SPF_dns_rr_data_t *reply_room(SPF_dns_rr_t *reply, size_t size)
{
	if (SPF_dns_rr_buf_realloc(reply, reply->num_rr, size) != SPF_E_SUCCESS)
		die("out of memory in libspf2");
	reply->herrno = ANSWERED;
	return reply->rr[reply->num_rr++];
}

static void add_address(SPF_dns_rr_t *reply, struct ip ip)
{
	SPF_dns_rr_data_t *data = reply_room(reply, sizeof(*data));

	memcpy(data, ip.bytes, ip.family == 4 ? 4 : 16);
}

/* The addresses of the client's family in an answer; for a prefix length of 0, the client's address instead. */
static void add_addresses(SPF_dns_rr_t *reply, const struct walk *walk, const struct dns_answer *answer,
			  const struct spf_term *term)
{
	struct ip client = walk->run->request->client;
	bool any = (client.family == 4 ? term->prefix4 : term->prefix6) == 0 &&
		   (term->mechanism == SPF_A || term->mechanism == SPF_MX);

	for (size_t i = 0; i < answer->count; i++)
		if (answer->records[i].ip.family == client.family)
			add_address(reply, any ? client : answer->records[i].ip);
}

static void add_host(SPF_dns_rr_t *reply, size_t number, const struct walked *walked, unsigned frame)
{
	char name[HOST_ROOM];
	int n = snprintf(name, sizeof(name), HOST_NAME, number + 1, walked->reached, frame);
	SPF_dns_rr_data_t *data = reply_room(reply, (size_t)n + 1);

	memcpy(data, name, (size_t)n + 1);
}

/* ---- the lookup hook ------------------------------------------------------------------ */

static void answer_exists(struct walk *walk, struct walked *walked, struct slice target, SPF_dns_rr_t *reply)
{
	const struct dns_answer *answer = term_ask(walk, walked, target, DNS_A, &reply->herrno);

	if (answer)
		add_address(reply, (struct ip){.family = 4, .bytes = {127, 0, 0, 2}});
}

static void answer_addresses(struct walk *walk, struct walked *walked, struct slice target, SPF_dns_rr_t *reply)
{
	const struct dns_answer *answer = term_ask(walk, walked, target, (enum dns_type)reply->rr_type, &reply->herrno);

	if (answer)
		add_addresses(reply, walk, answer, &walked->frame.record->terms[walked->reached]);
}

static void answer_mx(struct walk *walk, struct walked *walked, unsigned frame, struct slice target,
		      SPF_dns_rr_t *reply)
{
	const struct dns_answer *answer = term_ask(walk, walked, target, DNS_MX, &reply->herrno);

	if (!answer)
		return;
	if (answer->count > SPF_MX_MAX) {
		reply->herrno = TRY_AGAIN;
		end_check(walk, walked, walked->frame.record->terms[walked->reached].text,
			  SLICE("there are more than 10 MX hosts"));
		return;
	}
	walk->hosts = answer;
	for (size_t i = 0; i < answer->count; i++)
		if (answer->records[i].name.n) /* RFC 7505: the root is not a host */
			add_host(reply, i, walked, frame);
}

/* The query of a term, by its alias. */
static void answer_term(struct walk *walk, const struct spf_alias *alias, SPF_dns_rr_t *reply)
{
	struct walked *walked = &walk->frames[alias->frame];
	struct slice target = SLICE("");

	walk->current = alias->frame;
	if (alias->reached && walked->frame.record->terms[alias->term].mechanism == SPF_PTR) {
		walked->reached = alias->term; /* its query comes next, and counts the term */
		return;
	}
	if (alias->reached) {
		remember(walk, walked, alias->term, walked->frame.record->terms[alias->term].text);
		return;
	}
	if (term_open(walk, walked, alias->term, &target) != SPF_MATCH) {
		reply->herrno = walk->ended ? TRY_AGAIN : HOST_NOT_FOUND;
		return;
	}
	if (reply->rr_type == ns_t_mx)
		answer_mx(walk, walked, alias->frame, target, reply);
	else if (walked->frame.record->terms[alias->term].mechanism == SPF_EXISTS)
		answer_exists(walk, walked, target, reply);
	else
		answer_addresses(walk, walked, target, reply);
}

/* The addresses of a host from an earlier answer. RFC 7208 5.5: a DNS error for a name of the client is not a match,
 * unless our own limit caused it. */
static void answer_host(struct walk *walk, const struct spf_alias *alias, SPF_dns_rr_t *reply)
{
	struct walked *walked = &walk->frames[alias->frame];
	const struct spf_term *term = &walked->frame.record->terms[alias->term];
	const struct dns_answer *answer;

	if (!walk->hosts || alias->host > walk->hosts->count)
		return;
	answer = spf_ask(walk->run, walk->hosts->records[alias->host - 1].name, (enum dns_type)reply->rr_type);
	if (answer->status == DNS_TEMPFAIL) {
		bool ours = spf_limit_is_ours(answer);

		reply->herrno = term->mechanism == SPF_MX || ours ? TRY_AGAIN : HOST_NOT_FOUND;
		step_of(walk, walked)->note = spf_note_answer(answer, walk->run->arena);
		if (reply->herrno == TRY_AGAIN)
			spf_reason(walk->run, &walked->frame, term->text, step_of(walk, walked)->note);
		return;
	}
	add_addresses(reply, walk, answer, term);
}

/* The term whose mark was queried last. Only names in the target can match, and only these are given to the library, as
 * names below the alias. */
static void answer_ptr(struct walk *walk, SPF_dns_rr_t *reply)
{
	struct walked *walked = &walk->frames[walk->current];
	struct slice target = SLICE("");
	const struct dns_answer *answer;
	int trouble = HOST_NOT_FOUND;

	if (walked->reached >= walked->frame.record->term_count) {
		give_up(walk, "libspf2 asked for names that no term needs");
		return;
	}
	if (term_open(walk, walked, walked->reached, &target) != SPF_MATCH) {
		reply->herrno = walk->ended ? TRY_AGAIN : HOST_NOT_FOUND;
		return;
	}
	answer = spf_ask(walk->run, dns_reverse_name(walk->run->request->client, walk->run->arena), DNS_PTR);
	if (answer->status == DNS_TEMPFAIL && !spf_limit_is_ours(answer))
		return;
	answer =
	    term_ask(walk, walked, dns_reverse_name(walk->run->request->client, walk->run->arena), DNS_PTR, &trouble);
	reply->herrno = trouble;
	walk->hosts = answer;
	for (size_t i = 0; answer && i < answer->count && i < DNS_PTR_NAMES_MAX; i++)
		if (spf_name_is_in(answer->records[i].name, target))
			add_host(reply, i, walked, walk->current);
}

static SPF_dns_rr_t *lookup(SPF_dns_server_t *server, const char *name, ns_type type, int should_cache)
{
	struct walk *walk = server->hook;
	SPF_dns_rr_t *reply = reply_new(server, name, type, HOST_NOT_FOUND);
	struct spf_alias alias;

	(void)should_cache;
	if (walk->ended)
		reply->herrno = TRY_AGAIN;
	else if (type == ns_t_ptr)
		answer_ptr(walk, reply);
	else if (!spf_alias_parse(name, &alias) || alias.term == SPF_ALIAS_REDIRECT || !is_known(walk, &alias))
		give_up(walk, "libspf2 asked for a name that it was not given");
	else if (alias.host)
		answer_host(walk, &alias, reply);
	else
		answer_term(walk, &alias, reply);
	reply->herrno = walk->ended ? TRY_AGAIN : reply->herrno;
	return reply;
}

/* ---- records ------------------------------------------------------------------------------ */

static SPF_errcode_t compile(struct walk *walk, SPF_server_t *server, SPF_response_t *response, SPF_record_t **record_r,
			     struct slice text)
{
	SPF_errcode_t error = SPF_record_compile(server, response, record_r, arena_cstring(walk->run->arena, text));

	if (error != SPF_E_SUCCESS)
		give_up(walk, "libspf2 rejected the record that was made for it");
	return error;
}

/* Opens the next frame with its record. SPF_PASS: there is a record that can be evaluated. */
static enum spf_result frame_open(struct walk *walk, struct slice domain, unsigned depth, unsigned *number_r)
{
	struct walked *walked = &walk->frames[walk->frame_count];

	*number_r = walk->current = walk->frame_count++;
	*walked = (struct walked){.frame = {.domain = domain, .depth = depth}};
	return spf_record_fetch(walk->run, &walked->frame);
}

/* Include and redirect query the record of an alias. */
static SPF_errcode_t get_record(SPF_server_t *server, SPF_request_t *request, SPF_response_t *response,
				SPF_record_t **record_r)
{
	struct walk *walk = server->resolver->hook;
	struct spf_alias alias;
	struct walked *walked;
	struct slice target = SLICE("");
	enum spf_matched found;
	unsigned number;

	*record_r = NULL;
	if (!spf_alias_parse(request->cur_dom, &alias) || !is_known(walk, &alias)) {
		give_up(walk, "libspf2 asked for a record that it was not given");
		return SPF_E_INTERNAL_ERROR;
	}
	walked = &walk->frames[alias.frame];
	found = term_open(walk, walked, alias.term, &target);
	if (walk->ended)
		return SPF_E_BIG_DNS;
	if (found != SPF_MATCH) /* a local part that cannot be part of a name: no match */
		return compile(walk, server, response, record_r, SLICE(NOTHING_MORE));
	step_of(walk, walked)->result = SPF_STEP_ENTER;
	switch (frame_open(walk, target, walked->frame.depth + 1, &number)) {
	case SPF_PASS:
		break;
	case SPF_TEMPERROR:
		return SPF_E_DNS_ERROR;
	default:
		return SPF_E_NOT_SPF;
	}
	if (alias.term == SPF_ALIAS_REDIRECT)
		walked->redirected_to = number;
	return compile(walk, server, response, record_r, spf_canonical(walk->run, &walk->frames[number].frame, number));
}

/* ---- the check ------------------------------------------------------------------------------ */

static SPF_request_t *request_new(const struct walk *walk, SPF_server_t *server)
{
	SPF_request_t *request = SPF_request_new(server);
	struct ip client = walk->run->request->client;
	struct in6_addr ip6;
	struct in_addr ip4;

	if (!request)
		die("out of memory in libspf2");
	memcpy(&ip4, client.bytes, sizeof(ip4));
	memcpy(&ip6, client.bytes, sizeof(ip6));
	if (client.family == 4)
		SPF_request_set_ipv4(request, ip4);
	else
		SPF_request_set_ipv6(request, ip6);
	SPF_request_set_env_from(request, SENDER);
	request->cur_dom = "f0.s";
	return request;
}

/* The record whose term decided, after redirects. */
static struct walked *decider(struct walk *walk)
{
	struct walked *walked = &walk->frames[0];

	while (walked->redirected_to)
		walked = &walk->frames[walked->redirected_to];
	return walked;
}

static enum spf_result result_of(struct walk *walk, SPF_response_t *response, struct spf_match *match)
{
	static const enum spf_result results[] = {
	    [SPF_RESULT_INVALID] = SPF_PERMERROR,   [SPF_RESULT_NEUTRAL] = SPF_NEUTRAL,
	    [SPF_RESULT_PASS] = SPF_PASS,           [SPF_RESULT_FAIL] = SPF_FAIL,
	    [SPF_RESULT_SOFTFAIL] = SPF_SOFTFAIL,   [SPF_RESULT_NONE] = SPF_NONE,
	    [SPF_RESULT_TEMPERROR] = SPF_TEMPERROR, [SPF_RESULT_PERMERROR] = SPF_PERMERROR,
	};
	struct walked *walked = decider(walk);
	const struct spf_record *record = walked->frame.record;

	if (walk->ended)
		return walk->result;
	if (SPF_response_reason(response) == SPF_REASON_MECH && walked->reached_any) {
		match->term = record->terms[walked->reached].text;
		match->domain = walked->frame.domain;
		match->explanation = record->explanation.count ? &record->explanation : NULL;
		step_of(walk, walked)->result = SPF_STEP_MATCH;
	}
	return results[SPF_response_result(response)];
}

static enum spf_result interpret(struct walk *walk, SPF_server_t *server, struct spf_match *match)
{
	SPF_request_t *request = request_new(walk, server);
	SPF_response_t *response = SPF_response_new(request);
	SPF_record_t *record = NULL;
	enum spf_result result;

	if (!response)
		die("out of memory in libspf2");
	SPF_server_set_max_dns_mech(server, LIBRARY_MAX);
	SPF_server_set_max_dns_mx(server, LIBRARY_MAX);
	SPF_server_set_max_dns_ptr(server, LIBRARY_MAX);
	if (compile(walk, server, response, &record, spf_canonical(walk->run, &walk->frames[0].frame, 0)) ==
	    SPF_E_SUCCESS) {
		response->spf_record_exp = record;
		SPF_record_interpret(record, request, response, 0);
	}
	result = result_of(walk, response, match);
	if (record)
		SPF_record_free(record);
	SPF_response_free(response);
	SPF_request_free(request);
	return result;
}

enum spf_result spf_libspf2_check(struct spf_run *run, struct spf_match *match_r)
{
	struct walk walk = {.run = run};
	SPF_dns_server_t hooks = {.lookup = lookup, .get_spf = get_record, .name = "sekisho", .hook = &walk};
	enum spf_result result;
	SPF_server_t *server;
	unsigned number;

	*match_r = (struct spf_match){.term = SLICE("")};
	result = frame_open(&walk, run->identity, 0, &number);
	if (result != SPF_PASS)
		return result;
	server = SPF_server_new_dns(&hooks, 0);
	if (!server)
		die("out of memory in libspf2");
	result = interpret(&walk, server, match_r);
	SPF_server_free(server);
	return result;
}
