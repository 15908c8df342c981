/*
 * sums_tls.c - adds TLS reports up, by the domain and type of the policy, the result and the receiving host.
 */
#include "sums_private.h"

static void add_row(struct feedback_adder *adder, const struct feedback_tls_row *row)
{
	struct feedback_sums *sums = &adder->sums;
	struct arena *arena = arena_new();
	struct slice end = SLICE("\n");
	unsigned number = names_add(&adder->tls_keys, arena_join(arena, row->domain, end, row->type, end, row->result,
								 end, row->mx, end, row->reason));

	arena_free(arena);
	if (number == 0) {
		sums->tls_more = true;
		return;
	}
	if (number > sums->tls_count) {
		struct slice key = names_get(&adder->tls_keys, number), text[5];

		if (sums->tls_count == adder->tls_room) {
			adder->tls_room = adder->tls_room ? 2 * adder->tls_room : 16;
			sums->tls = xrealloc(sums->tls, adder->tls_room * sizeof(*sums->tls));
		}
		for (size_t i = 0; i < 5; i++) /* texts that live as long as the adder; a LF in one only divides it */
			if (!slice_cut(&key, '\n', &text[i]))
				text[i] = SLICE("");
		sums->tls[sums->tls_count++] =
		    (struct feedback_tls_row){text[0], text[1], text[2], text[3], text[4], 0};
	}
	sums->tls[number - 1].sessions = sums_add(sums->tls[number - 1].sessions, row->sessions);
}

static void add_policy(struct feedback_adder *adder, const struct feedback_tls_policy *policy)
{
	struct feedback_tls_row row = {.domain = policy->domain, .type = policy->type, .sessions = policy->good};
	uint64_t told = 0;

	add_row(adder, &row);
	for (size_t i = 0; i < policy->failure_count; i++) {
		const struct feedback_tls_failure *failure = &policy->failures[i];

		row.result = failure->type.n > 0 ? failure->type : SLICE("unknown");
		row.mx = failure->mx;
		row.reason = failure->reason;
		row.sessions = failure->sessions;
		told = sums_add(told, failure->sessions);
		add_row(adder, &row);
	}
	row.result = SLICE("unknown"); /* failures without details */
	row.mx = row.reason = SLICE("");
	row.sessions = policy->failed > told ? policy->failed - told : 0;
	if (row.sessions > 0)
		add_row(adder, &row);
}

void feedback_add_tls(void *context, const struct feedback_tls *report)
{
	struct feedback_adder *adder = context;
	struct feedback_sums *sums = &adder->sums;
	struct slice domain = report->policy_count > 0 ? report->policies[0].domain : SLICE("");
	bool wanted = false;

	for (size_t i = 0; i < report->policy_count; i++)
		wanted = wanted || adder_wants(adder, report->policies[i].domain);
	if (!wanted) {
		sums->others++;
		return;
	}
	if (!adder_is_new(adder, report->org, report->id, domain, report->begin_s, report->end_s))
		return;
	sums->tls_reports++;
	if (report->end_s > 0 && (sums->tls_end_s == 0 || report->begin_s < sums->tls_begin_s))
		sums->tls_begin_s = report->begin_s;
	if (report->end_s > sums->tls_end_s)
		sums->tls_end_s = report->end_s;
	for (size_t i = 0; i < report->policy_count; i++)
		if (adder_wants(adder, report->policies[i].domain))
			add_policy(adder, &report->policies[i]);
}
