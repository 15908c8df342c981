/*
 * walk.c - the tree walk from a domain upwards (RFC 9989 4.10): finds the records on the
 * way, the Organizational Domain, and the record that applies to the domain.
 *
 * A walk sends at most DMARC_QUERIES_MAX queries: a name with eight labels or more is
 * cut to seven in the first step. When an answer is missing, the walk ends, because
 * the result above it is unknown.
 */
#include "dmarc.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX     "_dmarc."
#define LABELS_CUT 7 /* RFC 9989 4.10 step 4 */

/* ---- records of a name ----------------------------------------------------------------- */

/* The parsed form that is kept with an answer. */
struct parsed {
	size_t count;               /* number of DMARC records */
	struct dmarc_record record; /* when there is exactly one */
};

static void *parse(const struct dns_answer *answer)
{
	struct parsed *parsed = xmalloc(sizeof(*parsed));

	for (size_t i = 0; i < answer->count; i++) {
		struct dmarc_record record;

		if (!dmarc_is_record(answer->records[i].text))
			continue;
		dmarc_record_parse(answer->records[i].text, &record);
		if (record.repeated.n == 0 && parsed->count++ == 0)
			parsed->record = record;
	}
	return parsed;
}

static const struct dns_parser parser = {parse, free};

/* The name to query; "" when it would be longer than a name can be. */
static struct slice question(struct slice name, char buffer[MAIL_DOMAIN_MAX])
{
	const size_t n = strlen(PREFIX);

	if (name.n == 0 || name.n + n > MAIL_DOMAIN_MAX)
		return SLICE("");
	memcpy(buffer, PREFIX, n);
	memcpy(buffer + n, name.p, name.n);
	return (struct slice){buffer, name.n + n};
}

static void ask(struct dns_budget *budget, struct slice name, struct dmarc_step *step)
{
	char buffer[MAIL_DOMAIN_MAX];
	struct slice asked = question(name, buffer);
	const struct dns_answer *answer;
	const struct parsed *parsed;

	*step = (struct dmarc_step){.name = name, .status = DNS_NXDOMAIN};
	if (asked.n == 0)
		return;
	step->answer = answer = dns_ask(budget, asked, DNS_TXT);
	step->status = answer->status;
	step->reason = answer->reason;
	if (answer->status != DNS_OK)
		return;
	parsed = dns_parsed(budget, answer, &parser);
	step->records = parsed->count;
	step->record = parsed->count == 1 ? &parsed->record : NULL;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* The domain without its first label; "" for the last one. */
static struct slice domain_parent(struct slice domain)
{
	ptrdiff_t dot = slice_find(domain, '.');

	return dot < 0 ? SLICE("") : slice_from(domain, (size_t)dot + 1);
}

static size_t count_labels(struct slice domain)
{
	size_t labels = domain.n > 0;

	for (size_t i = 0; i < domain.n; i++)
		labels += domain.p[i] == '.';
	return labels;
}

/* The next name after `name`, which has `labels` labels; "" at the top. */
static struct slice next_name(struct slice name, size_t *labels)
{
	do {
		name = domain_parent(name);
	} while (--*labels > LABELS_CUT);
	return name;
}

/* The name one label longer than `above` on the way down to `domain`. */
static struct slice one_below(struct slice domain, struct slice above)
{
	struct slice parent;

	while (parent = domain_parent(domain), parent.n > above.n)
		domain = parent;
	return domain;
}

/* ---- the tree walk -------------------------------------------------------------------------- */

/* RFC 9989 4.10.2. A psd tag ends the walk, so only the last step can have one. */
static struct slice organization(const struct dmarc_walk *walk)
{
	const struct dmarc_step *last = &walk->steps[walk->count - 1];
	struct slice org = walk->domain;

	if (last->record && last->record->psd == DMARC_PSD_Y && walk->count > 1)
		return one_below(walk->domain, last->name);
	for (size_t i = 0; i < walk->count; i++)
		if (walk->steps[i].record)
			org = walk->steps[i].name;
	return org;
}

/* RFC 9989 4.10.1: the record of the author domain, else of its Organizational Domain, else of the public suffix. */
const struct dmarc_step *dmarc_walk_policy(const struct dmarc_walk *walk)
{
	const struct dmarc_step *last = &walk->steps[walk->count - 1];

	if (walk->steps[0].record)
		return walk->steps;
	if (walk->failed)
		return NULL;
	for (size_t i = 1; i < walk->count; i++)
		if (walk->steps[i].record && slice_equal(walk->steps[i].name, walk->org))
			return &walk->steps[i];
	return last->record && last->record->psd == DMARC_PSD_Y ? last : NULL;
}

static void walk_tree(struct dns_budget *budget, struct dmarc_walk *walk)
{
	struct slice name = walk->domain;
	size_t labels = count_labels(name);

	while (name.n > 0 && walk->count < DMARC_QUERIES_MAX) {
		struct dmarc_step *step = &walk->steps[walk->count++];

		ask(budget, name, step);
		walk->failed = step->status == DNS_TEMPFAIL;
		if (walk->failed || (step->record && step->record->psd != DMARC_PSD_U))
			break;
		name = next_name(name, &labels);
	}
	walk->org = walk->failed ? SLICE("") : organization(walk);
}

/* RFC 7489 6.6.3: the author domain, then the Organizational Domain by the list. */
static void walk_list(struct dns_budget *budget, struct dmarc_walk *walk)
{
	walk->org = dmarc_psl_org(walk->domain);
	ask(budget, walk->domain, &walk->steps[walk->count++]);
	if (!walk->steps[0].record && walk->steps[0].status != DNS_TEMPFAIL && walk->org.n < walk->domain.n)
		ask(budget, walk->org, &walk->steps[walk->count++]);
	walk->failed = walk->steps[walk->count - 1].status == DNS_TEMPFAIL;
}

void dmarc_walk(struct slice domain, enum dmarc_discovery discovery, struct dns_budget *budget,
		struct dmarc_walk *walk_r)
{
	*walk_r = (struct dmarc_walk){.domain = domain};
	if (discovery == DMARC_PSL)
		walk_list(budget, walk_r);
	else
		walk_tree(budget, walk_r);
}

void dmarc_hint(struct dns_budget *budget, struct slice domain, enum dmarc_discovery discovery)
{
	char buffer[MAIL_DOMAIN_MAX];
	size_t labels = count_labels(domain);

	for (unsigned asked = 0; domain.n > 0 && asked < DMARC_QUERIES_MAX; asked++) {
		struct slice name = question(domain, buffer);

		if (name.n > 0)
			dns_hint(budget, name, DNS_TXT);
		if (discovery == DMARC_PSL && asked > 0)
			return;
		domain = discovery == DMARC_PSL ? dmarc_psl_org(domain) : next_name(domain, &labels);
	}
}
