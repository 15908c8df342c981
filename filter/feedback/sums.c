/*
 * sums.c - adds reports up: by domain and source, each report once.
 *
 * The records of a report are kept apart until it is complete, because then it is known whether it counts, and for
 * which domain.
 */
#include "sums_private.h"
#include <stdlib.h>

struct feedback_adder *feedback_adder_new(struct slice domain, int64_t since_s)
{
	struct feedback_adder *adder = xmalloc(sizeof(*adder));

	adder->domain = domain;
	adder->since_s = since_s;
	source_table_open(&adder->pending, FEEDBACK_SOURCES_MAX);
	source_table_open(&adder->kept, FEEDBACK_SOURCES_MAX);
	names_open(&adder->names, FEEDBACK_NAMES_MAX);
	names_open(&adder->domains, FEEDBACK_DOMAINS_MAX);
	names_open(&adder->tls_keys, FEEDBACK_TLS_ROWS_MAX);
	seen_open(&adder->seen);
	return adder;
}

void feedback_adder_free(struct feedback_adder *adder)
{
	if (!adder)
		return;
	source_table_close(&adder->pending);
	source_table_close(&adder->kept);
	names_close(&adder->names);
	names_close(&adder->domains);
	names_close(&adder->tls_keys);
	seen_close(&adder->seen);
	free(adder->sums.domains);
	free(adder->sums.tls);
	free(adder);
}

/* ---- records ------------------------------------------------------------------------ */

static bool is_below(struct slice domain, struct slice parent)
{
	return domain.n > parent.n && domain.p[domain.n - parent.n - 1] == '.' &&
	       slice_equal(slice_from(domain, domain.n - parent.n), parent);
}

bool adder_wants(const struct feedback_adder *adder, struct slice domain)
{
	return adder->domain.n == 0 || slice_equal(domain, adder->domain) || is_below(domain, adder->domain);
}

/* Is it, as far as the names tell, of the author's organization? */
static bool is_related(struct slice domain, struct slice author)
{
	return domain.n > 0 && author.n > 0 &&
	       (slice_equal(domain, author) || is_below(domain, author) || is_below(author, domain));
}

/* The first domain that passed; "" for none. */
static struct slice passed(const struct feedback_auth *results, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (results[i].result == FEEDBACK_PASS)
			return results[i].domain;
	return SLICE("");
}

static bool is_broken(const struct feedback_record *record)
{
	for (size_t i = 0; i < record->dkim_count; i++)
		if (record->dkim_results[i].result != FEEDBACK_PASS &&
		    record->dkim_results[i].result != FEEDBACK_NONE &&
		    is_related(record->dkim_results[i].domain, record->header_from))
			return true;
	return false;
}

/* What speaks for a message that does not pass. */
static enum feedback_likely judge(const struct feedback_record *record, struct slice *near_r)
{
	*near_r = passed(record->dkim_results, record->dkim_count);
	if (near_r->n == 0)
		*near_r = passed(record->spf_results, record->spf_count);
	if (record->reasons & (FEEDBACK_FORWARDED | FEEDBACK_MAILING_LIST))
		return FEEDBACK_LIKELY_FORWARDED;
	if (is_broken(record))
		return FEEDBACK_LIKELY_BROKEN;
	return near_r->n > 0 ? FEEDBACK_LIKELY_NEAR : FEEDBACK_LIKELY_FORGED;
}

void feedback_add_record(void *context, const struct feedback_record *record)
{
	struct feedback_adder *adder = context;
	struct feedback_source one = {.messages = record->count, .reasons = record->reasons};
	struct slice near;

	adder->pending_records++;
	if (record->header_from.n > 0 && !adder_wants(adder, record->header_from))
		return;
	one.dkim = record->dkim ? record->count : 0;
	one.spf = record->spf ? record->count : 0;
	one.dispositions[record->disposition] = record->count;
	if (record->dkim || record->spf) {
		one.pass = record->count;
	} else {
		one.likely[judge(record, &near)] = record->count;
		one.near = names_add(&adder->names, near);
	}
	source_add(source_table_get(&adder->pending, record->header_from.n == 0, record->source), &one);
}

void feedback_forget(void *context)
{
	struct feedback_adder *adder = context;

	adder->pending_records = 0;
	source_table_clear(&adder->pending);
}

/* ---- reports --------------------------------------------------------------------------- */

bool adder_is_new(struct feedback_adder *adder, struct slice org, struct slice id, struct slice domain, int64_t begin_s,
		  int64_t end_s)
{
	struct arena *arena = arena_new();
	const char *zero = "";
	struct slice end = {zero, 1}; /* a NUL: no text has one */
	struct slice key = arena_join(arena, arena_lower(arena, org), end, id, end, domain);
	enum seen_result result;

	if (id.n == 0)
		key = arena_printf(arena, "%.*s/%.*s/%lld/%lld", SLICE_ARGS(org), SLICE_ARGS(domain),
				   (long long)begin_s, (long long)end_s);
	result = seen_add(&adder->seen, key);
	arena_free(arena);
	adder->sums.duplicates += result == SEEN_BEFORE;
	adder->sums.unremembered = adder->sums.unremembered || result == SEEN_FULL;
	if (result == SEEN_BEFORE)
		return false;
	if (adder->since_s > 0 && end_s > 0 && end_s < adder->since_s) {
		adder->sums.older++;
		return false;
	}
	return true;
}

/* The index of a domain; domains beyond FEEDBACK_DOMAINS_MAX share the first. */
static unsigned domain_index(struct feedback_adder *adder, struct slice name)
{
	struct feedback_sums *sums = &adder->sums;
	unsigned index = names_add(&adder->domains, name);

	while (index >= sums->domain_count) {
		if (sums->domain_count == adder->domain_room) {
			adder->domain_room = adder->domain_room ? 2 * adder->domain_room : 16;
			sums->domains = xrealloc(sums->domains, adder->domain_room * sizeof(*sums->domains));
		}
		sums->domains[sums->domain_count] =
		    (struct feedback_domain){.name = names_get(&adder->domains, (unsigned)sums->domain_count)};
		sums->domain_count++;
	}
	return index;
}

static void add_period(int64_t *begin_s, int64_t *end_s, int64_t more_begin_s, int64_t more_end_s)
{
	if (more_end_s <= 0)
		return;
	if (*end_s == 0 || more_begin_s < *begin_s)
		*begin_s = more_begin_s;
	if (more_end_s > *end_s)
		*end_s = more_end_s;
}

static void keep_policy(struct feedback_adder *adder, struct feedback_domain *domain,
			const struct feedback_report *report)
{
	const struct slice from[] = {report->p,    report->sp,      report->np, report->adkim,
				     report->aspf, report->testing, report->pct};
	struct slice *const to[] = {&domain->p,    &domain->sp,      &domain->np, &domain->adkim,
				    &domain->aspf, &domain->testing, &domain->pct};

	if (domain->reports > 1 && report->end_s <= domain->policy_s)
		return;
	domain->policy_s = report->end_s;
	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++)
		*to[i] = names_get(&adder->names, names_add(&adder->names, from[i]));
}

/* The records of the report that is complete. */
static void merge(struct feedback_adder *adder, const struct feedback_report *report)
{
	unsigned index = domain_index(adder, report->domain), reporter = names_add(&adder->names, report->org);
	struct feedback_domain *domain = &adder->sums.domains[index];

	domain->reports++;
	add_period(&domain->begin_s, &domain->end_s, report->begin_s, report->end_s);
	keep_policy(adder, domain, report);
	for (size_t i = 0; i < adder->pending.count; i++) {
		struct feedback_source *one = &adder->pending.items[i];

		if (one->domain && !adder_wants(adder, report->domain))
			continue;
		one->reporters[0] = reporter;
		domain->messages = sums_add(domain->messages, one->messages);
		domain->pass = sums_add(domain->pass, one->pass);
		if (one->beyond)
			source_add(source_table_get_beyond(&adder->kept, index), one);
		else
			source_add(source_table_get(&adder->kept, index, one->source), one);
	}
}

/* Is the report, or one of its records, about a domain that is wanted? */
static bool is_wanted(const struct feedback_adder *adder, struct slice domain)
{
	for (size_t i = 0; i < adder->pending.count; i++)
		if (!adder->pending.items[i].domain)
			return true;
	return adder_wants(adder, domain);
}

void feedback_add_report(void *context, const struct feedback_report *report)
{
	struct feedback_adder *adder = context;
	struct feedback_sums *sums = &adder->sums;

	if (!is_wanted(adder, report->domain)) {
		sums->others++;
	} else if (adder_is_new(adder, report->org, report->id, report->domain, report->begin_s, report->end_s)) {
		sums->reports++;
		sums->records += adder->pending_records;
		for (size_t i = 0; i < FEEDBACK_NOTES; i++)
			sums->noted[i] += report->notes >> i & 1;
		merge(adder, report);
	}
	feedback_forget(adder);
}

/* ---- the result ---------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct feedback_source *x = a, *y = b;

	if (x->domain != y->domain)
		return x->domain < y->domain ? -1 : 1;
	if (x->messages != y->messages)
		return x->messages > y->messages ? -1 : 1;
	if (x->source.family != y->source.family)
		return x->source.family < y->source.family ? -1 : 1;
	return memcmp(x->source.bytes, y->source.bytes, sizeof(x->source.bytes));
}

const struct feedback_sums *feedback_added(struct feedback_adder *adder)
{
	qsort(adder->kept.items, adder->kept.count, sizeof(*adder->kept.items), compare);
	adder->sums.sources = adder->kept.items;
	adder->sums.source_count = adder->kept.count;
	return &adder->sums;
}

struct slice feedback_name(const struct feedback_adder *adder, unsigned name)
{
	return names_get(&adder->names, name);
}
