/*
 * report_aligned.c - will the mails with our reports pass DMARC (RFC 9990 3.5)? They go to our own mail server, and
 * come from it to us as local mail: the policy for local mail signs them, or SPF covers the hosts of the mail server.
 * Whether it signs, the rules themselves tell, with a mail like a report (report_trial.h).
 */
#include "daemon_private.h"
#include "keys.h"
#include "report_thread.h"
#include "report_trial.h"
#include "spf.h"

#define QUESTIONS  200
#define TRIALS_MAX 100
#define DNS_US     (INT64_C(20) * 1000 * 1000)

struct looking {
	struct policy *policy;
	const struct address *from;
	struct dns_budget *budget;
	struct arena *arena;
	bool unknown;     /* an answer of the DNS is missing */
	struct error why; /* not signed */
};

/* ---- DKIM ------------------------------------------------------------------------------------------------ */

/* A key in the DNS that belongs to ours. */
static bool is_published(struct looking *looking, struct slice domain, struct slice selector,
			 const struct dkim_private *key)
{
	const struct dkim_rules rules = {
	    .now_s = clock_wall_us() / 1000000, .minimum_bits = DKIM_RSA_BITS_MIN, .signatures = 1};
	struct dkim_published published;

	dkim_published_find(looking->budget, selector, domain, &rules, key, looking->arena, &published);
	if (published.chosen.result == DKIM_PASS && published.chosen.matches)
		return true;
	looking->unknown |= published.chosen.result == DKIM_TEMPERROR;
	error_set(&looking->why, "the DNS has no record of our key at %.*s", SLICE_ARGS(published.name));
	return false;
}

static bool ring_has(struct looking *looking, const struct sign_setting *sign, struct slice selector)
{
	const struct managed_key *signers[KEYS_SIGNING_MAX];
	struct key_set *set = key_ring_set(sign->ring);
	size_t count = key_set_signers(set, policy_key_rules(sign).types, clock_wall_us() / 1000000, signers);
	bool found = false;

	for (size_t i = 0; i < count && !found; i++)
		found = slice_equal(signers[i]->selector, selector) &&
			is_published(looking, sign->domain, selector, signers[i]->private);
	key_set_release(set);
	return found;
}

/* A signature that the world can verify. */
static bool verifies(struct looking *looking, const struct report_signature *signature)
{
	const struct sign_setting *sign = policy_sign(looking->policy, signature->domain);
	bool found = false;

	error_set(&looking->why, "no key of %.*s signs yet", SLICE_ARGS(signature->domain));
	if (sign && sign->ring)
		return ring_has(looking, sign, signature->selector);
	for (size_t i = 0; sign && !found && i < sign->key_count; i++)
		found = slice_equal(sign->keys[i].selector, signature->selector) &&
			is_published(looking, sign->domain, signature->selector, sign->keys[i].key);
	return found;
}

/* ---- SPF --------------------------------------------------------------------------------------------------- */

static bool spf_passes(struct looking *looking, const struct dns_answer *answer, size_t *count)
{
	struct spf_request request = {.helo = policy_settings(looking->policy)->check.authserv_id,
				      .local = looking->from->local,
				      .domain = looking->from->domain,
				      .receiver = SLICE("localhost"),
				      .now_us = clock_wall_us()};
	struct spf_outcome outcome;

	looking->unknown |= answer->status == DNS_TEMPFAIL;
	for (size_t i = 0; i < answer->count; i++) {
		if (ip_use(answer->records[i].ip) == IP_USE_SPECIAL)
			continue;
		++*count;
		request.client = answer->records[i].ip;
		spf_check(&request, looking->budget, looking->arena, &outcome);
		looking->unknown |= outcome.result == SPF_TEMPERROR;
		if (outcome.result != SPF_PASS)
			return false;
	}
	return true;
}

/* Every address of the host that the authserv-id names: mail leaves from there, as far as we know. */
static bool spf_covers(struct looking *looking)
{
	struct slice host = policy_settings(looking->policy)->check.authserv_id;
	size_t count = 0;

	return spf_passes(looking, dns_ask(looking->budget, host, DNS_A), &count) &&
	       spf_passes(looking, dns_ask(looking->budget, host, DNS_AAAA), &count) && count > 0;
}

/* ---- DMARC --------------------------------------------------------------------------------------------------- */

static bool passes(struct looking *looking, struct slice dkim, struct slice spf)
{
	struct slice domain = looking->from->domain;
	struct authors authors = {.valid = true, .why = "", .domain_count = 1, .mailbox_count = 1, .domains = &domain};
	struct dmarc_identifier signer = {dkim, false};
	struct dmarc_request request = {.authors = &authors,
					.spf = {spf, false},
					.dkim = &signer,
					.dkim_count = dkim.n > 0,
					.discovery = DMARC_TREE_WALK,
					.recordless = true};
	struct dmarc_outcome outcome;

	if (dkim.n == 0 && spf.n == 0)
		return false;
	dmarc_check(&request, looking->budget, looking->arena, &outcome);
	looking->unknown |= outcome.result == DMARC_TEMPERROR;
	if (dkim.n > 0 && outcome.result == DMARC_FAIL)
		error_set(&looking->why, "a signature of %.*s is not aligned with %.*s, by its DMARC record",
			  SLICE_ARGS(dkim), SLICE_ARGS(domain));
	return outcome.result == DMARC_PASS;
}

static bool trial_passes(struct looking *looking, struct resolver *resolver, struct slice daemon_name)
{
	struct report_trial trial;

	report_trial(looking->policy, resolver, daemon_name, looking->arena, &trial);
	if (trial.count == 0)
		looking->why = trial.why;
	for (size_t i = 0; i < trial.count; i++)
		if (verifies(looking, &trial.signatures[i]) && passes(looking, trial.signatures[i].domain, SLICE("")))
			return true;
	return false;
}

/* Under which name the mail server will give our mail to us, and so for which tenant, is not known: one that signs is
 * enough. */
static bool is_signed(struct looking *looking, struct resolver *resolver)
{
	bool passes = trial_passes(looking, resolver, SLICE(""));
	struct error first = looking->why;
	struct slice name;

	for (size_t i = 0; !passes && i < TRIALS_MAX && (name = policy_daemon_name(looking->policy, i)).n > 0; i++)
		passes = trial_passes(looking, resolver, name);
	if (!passes)
		looking->why = first;
	return passes;
}

bool reports_aligned(struct policy *policy, struct resolver *resolver, const struct address *from, struct error *why_r)
{
	struct arena *arena = arena_new();
	struct looking looking = {.policy = policy, .from = from, .arena = arena};
	bool aligned;

	looking.budget = dns_budget_open(resolver, arena, QUESTIONS);
	dns_budget_deadline(looking.budget, clock_us() + DNS_US);
	aligned = is_signed(&looking, resolver) || (spf_covers(&looking) && passes(&looking, SLICE(""), from->domain));
	if (!aligned)
		error_set(why_r,
			  "no report is sent, because it would not pass DMARC: %.300s, and SPF does not cover this "
			  "host%s",
			  looking.why.text, looking.unknown ? " (an answer of the DNS is missing)" : "");
	dns_budget_close(looking.budget);
	arena_free(arena);
	return aligned;
}
