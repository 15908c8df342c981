/*
 * reports.c - what DMARC reports say of a message: counted when it is over, for each author domain whose record asks
 * for reports.
 *
 * Counted is mail of strangers that was judged to its end and got its answer: accepted, quarantined, rejected,
 * discarded. A message that was deferred comes again. Not counted are reports themselves, which pass DMARC, and answers
 * to our own: two receivers would write to each other about their reports for ever.
 */
#include "aggregate.h"
#include "gate_private.h"

#include <string.h>

void reports_judge(struct gate *gate)
{
	if (gate->engine->aggregate && gate->settings->reports.said && !gate->replay &&
	    gate->view.kind == KIND_INBOUND && !gate->message.headers.too_large)
		check_dmarc_evaluate(&gate->view);
}

/* ---- what is not counted ------------------------------------------------------------------------- */

static struct slice field_of(struct gate *gate, struct slice name)
{
	const struct header_field *field = headers_find(&gate->message.headers, name, 1);

	return field ? header_unfold(field->value, gate->message.arena) : SLICE("");
}

/* RFC 9990 3.5.2, RFC 8460 5.3: "Report Domain: ... Submitter: ..." */
static bool is_report(struct gate *gate, const struct dmarc_outcome *outcome)
{
	struct slice subject = field_of(gate, SLICE("Subject")), label = SLICE("Report Domain:");

	return outcome->result == DMARC_PASS && slice_equal(slice_head(subject, label.n), label);
}

/* With any extension, as reverse-paths of reports have one. */
static bool is_to_us(const struct gate *gate, const struct address *recipient)
{
	const struct address *from = &gate->settings->reports.from;
	struct slice delimiters = gate->settings->ownership.delimiters, local = recipient->local;

	if (address_equal(recipient, from))
		return true;
	return slice_equal(recipient->domain, from->domain) && local.n > from->local.n &&
	       slice_starts_nocase(local, from->local) && slice_find(delimiters, local.p[from->local.n]) >= 0;
}

/* A bounce, or an automatic answer, to the address that our reports come from. */
static bool is_answer(struct gate *gate)
{
	const struct message *message = &gate->message;
	struct slice automatic = field_of(gate, SLICE("Auto-Submitted"));
	bool to_us = message->recipient_count > 0;

	for (size_t i = 0; i < message->recipient_count; i++)
		to_us = to_us && is_to_us(gate, &message->recipients[i].address);
	return to_us &&
	       (message->sender.text.n == 0 || (automatic.n > 0 && !slice_starts_nocase(automatic, SLICE("no"))));
}

/* ---- disposition and reasons (RFC 9990 3.1.1.9, 3.1.6) ----------------------------------------------- */

static enum aggregate_disposition disposition_of(const struct dmarc_outcome *outcome, enum verdict verdict)
{
	if (outcome->result == DMARC_PASS)
		return outcome->policy > DMARC_POLICY_NONE ? AGGREGATE_PASSED : AGGREGATE_NO_ACTION;
	if (verdict == VERDICT_REJECT || verdict == VERDICT_DISCARD)
		return AGGREGATE_REJECTED;
	return verdict == VERDICT_QUARANTINE ? AGGREGATE_QUARANTINED : AGGREGATE_NO_ACTION;
}

static enum aggregate_disposition asked(enum dmarc_policy policy)
{
	if (policy == DMARC_REJECT)
		return AGGREGATE_REJECTED;
	return policy == DMARC_QUARANTINE ? AGGREGATE_QUARANTINED : AGGREGATE_NO_ACTION;
}

struct reasons {
	struct aggregate_reason items[AGGREGATE_REASONS];
	size_t count;
};

static void add_reason(struct reasons *reasons, enum aggregate_why why, struct slice comment)
{
	if (reasons->count < AGGREGATE_REASONS)
		reasons->items[reasons->count++] = (struct aggregate_reason){why, comment};
}

/* "rule sekisho.conf:41": its file without the directory, which concerns nobody else. */
static struct slice rule_text(struct position rule, struct arena *arena)
{
	struct slice file = slice_of(rule.file ? rule.file : "");
	char line[NUMBER_TEXT];

	if (file.n == 0)
		return SLICE("");
	return arena_join(arena, SLICE("rule "), slice_from(file, (size_t)(slice_find_last(file, '/') + 1)), SLICE(":"),
			  number_print(rule.line, line));
}

/* An `override`: its note is "trusted_forwarder: why". */
static void add_override(struct reasons *reasons, const struct note *note, struct arena *arena)
{
	struct slice rest = note->text, word, rule = rule_text(note->rule, arena);
	enum aggregate_why why = AGGREGATE_OTHER;

	slice_cut(&rest, ':', &word);
	for (size_t i = 0; aggregate_why_names[i]; i++)
		if (slice_equal(word, slice_of(aggregate_why_names[i])))
			why = (enum aggregate_why)i;
	rest = slice_trim(rest);
	add_reason(reasons, why, rest.n ? arena_join(arena, rest, SLICE(" ("), rule, SLICE(")")) : rule);
}

/* Did a rule read that the message came by a chain or a forwarder that we trust? */
static bool is_trusted(const struct gate *gate, struct slice *why_r)
{
	const struct fact *arc = fact_find(SLICE("arc.trusted")), *by = fact_find(SLICE("forwarder"));
	const struct value *chain = arc ? gate->view.message_memo->values[fact_number(arc)] : NULL;
	const struct value *forwarder = by ? gate->view.message_memo->values[fact_number(by)] : NULL;

	*why_r = SLICE("arc");
	if (chain && chain->state == VALUE_SET && chain->boolean)
		return true;
	*why_r = SLICE("forwarder");
	return forwarder && forwarder->state == VALUE_SET && !slice_equal(forwarder->text, SLICE("none"));
}

/* What no rule has named: who decided, and why so, as far as that is known. */
static void add_own(struct gate *gate, const struct told *told, struct reasons *reasons, bool weaker)
{
	struct arena *arena = gate->message.arena;
	bool held = told->verdict == VERDICT_QUARANTINE;
	struct slice rule = rule_text(held ? gate->decision.quarantine_rule : gate->outcome->rule, arena), why;

	if (weaker && gate->settings->report_mode)
		add_reason(reasons, AGGREGATE_LOCAL_POLICY, SLICE("policies are not enforced yet"));
	else if (weaker && is_trusted(gate, &why))
		add_reason(reasons, AGGREGATE_TRUSTED_FORWARDER,
			   rule.n ? arena_join(arena, why, SLICE(" ("), rule, SLICE(")")) : why);
	else
		add_reason(reasons, AGGREGATE_LOCAL_POLICY, rule.n ? rule : SLICE("no rule enforces the policy"));
}

static void find_reasons(struct gate *gate, const struct told *told, const struct dmarc_outcome *outcome,
			 enum aggregate_disposition disposition, struct reasons *reasons)
{
	enum aggregate_disposition wanted = asked(outcome->policy), published = asked(outcome->published);

	if (outcome->result == DMARC_PASS || disposition == published)
		return;
	if (outcome->result == DMARC_TEMPERROR)
		add_reason(reasons, AGGREGATE_OTHER, SLICE("temporary error: a DNS answer is missing"));
	for (size_t i = 0; i < gate->decision.note_count; i++)
		if (gate->decision.notes[i].kind == NOTE_OVERRIDE)
			add_override(reasons, &gate->decision.notes[i], gate->message.arena);
	if (wanted != published)
		add_reason(reasons, AGGREGATE_TEST_MODE, SLICE(""));
	if (reasons->count == 0 || (disposition != wanted && wanted != published))
		add_own(gate, told, reasons, disposition < wanted);
}

/* ---- results ------------------------------------------------------------------------------------------------ */

static enum aggregate_result spf_result(enum spf_result result)
{
	static const enum aggregate_result results[] = {
	    [SPF_NONE] = AGGREGATE_NONE,           [SPF_NEUTRAL] = AGGREGATE_NEUTRAL,
	    [SPF_PASS] = AGGREGATE_PASS,           [SPF_FAIL] = AGGREGATE_FAIL,
	    [SPF_SOFTFAIL] = AGGREGATE_SOFTFAIL,   [SPF_TEMPERROR] = AGGREGATE_TEMPERROR,
	    [SPF_PERMERROR] = AGGREGATE_PERMERROR,
	};

	return results[result];
}

static enum aggregate_result dkim_result(enum dkim_result result)
{
	static const enum aggregate_result results[] = {
	    [DKIM_NONE] = AGGREGATE_NONE,           [DKIM_PASS] = AGGREGATE_PASS,
	    [DKIM_FAIL] = AGGREGATE_FAIL,           [DKIM_POLICY] = AGGREGATE_POLICY,
	    [DKIM_NEUTRAL] = AGGREGATE_NEUTRAL,     [DKIM_TEMPERROR] = AGGREGATE_TEMPERROR,
	    [DKIM_PERMERROR] = AGGREGATE_PERMERROR,
	};

	return results[result];
}

/* RFC 9990 3.1.3: those that align strictly, those that align, others that pass, the rest. */
static unsigned rank(const struct dmarc_outcome *outcome, const struct dkim_signature *signature)
{
	if (signature->result != DKIM_PASS)
		return 3;
	if (slice_equal(signature->domain, outcome->author))
		return 0;
	for (size_t i = 0; i < outcome->dkim_aligned_count; i++)
		if (slice_equal(signature->domain, outcome->dkim_aligned[i]))
			return 1;
	return 2;
}

static struct aggregate_signature *sort_signatures(const struct dkim_outcome *dkim, const struct dmarc_outcome *outcome,
						   struct arena *arena, size_t *count_r)
{
	struct aggregate_signature *sorted = arena_alloc(arena, (AGGREGATE_DKIM_MAX + 1) * sizeof(*sorted));

	*count_r = 0;
	for (unsigned wanted = 0; wanted <= 3; wanted++)
		for (size_t i = 0; i < dkim->count && *count_r < AGGREGATE_DKIM_MAX; i++) {
			const struct dkim_signature *signature = &dkim->signatures[i];

			if (signature->domain.n == 0 || signature->selector.n == 0 ||
			    rank(outcome, signature) != wanted)
				continue;
			sorted[(*count_r)++] = (struct aggregate_signature){
			    signature->domain, signature->selector, dkim_result(signature->result), signature->reason};
		}
	return sorted;
}

/* RFC 9990 3.1.5: what the text of the record does not show. */
static struct slice find_trouble(const struct dmarc_walk *walk, struct arena *arena)
{
	for (size_t i = 0; i < walk->count; i++)
		if (walk->steps[i].records > 1)
			return arena_printf(arena, "%zu DMARC records at _dmarc.%.*s", walk->steps[i].records,
					    SLICE_ARGS(walk->steps[i].name));
	return SLICE("");
}

/* ---- a message ------------------------------------------------------------------------------------------------- */

static void count_author(struct gate *gate, const struct told *told, const struct dmarc_evaluation *evaluation,
			 const struct dmarc_outcome *outcome)
{
	struct arena *arena = gate->message.arena;
	struct reasons reasons = {.count = 0};
	struct aggregate_message message = {
	    .time_us = gate->began_wall_us,
	    .domain = outcome->domain,
	    .record = outcome->record->text,
	    .discovery = evaluation->discovery,
	    .trouble = find_trouble(&outcome->walk, arena),
	    .client = gate->session.client,
	    .header_from = outcome->author,
	    .envelope_from = arena_lower(arena, gate->message.sender.domain),
	    .disposition = disposition_of(outcome, told->verdict),
	    .dkim_aligned = outcome->dkim_aligned_count > 0,
	    .spf_aligned = outcome->spf_aligned.n > 0,
	    .reasons = reasons.items,
	    .spf_domain = evaluation->spf->domain,
	    .spf = spf_result(evaluation->spf->result),
	    .spf_human = evaluation->spf->reason,
	};

	find_reasons(gate, told, outcome, message.disposition, &reasons);
	message.reason_count = reasons.count;
	message.dkim = sort_signatures(evaluation->dkim, outcome, arena, &message.dkim_count);
	aggregate_count(gate->engine->aggregate, &message);
}

/* One of our own reports that leaves as it came: its reader cannot know that it is from us. */
static void note_unsigned(struct gate *gate, const struct told *told)
{
	const struct reports_setting *reports = &gate->settings->reports;
	struct slice label = SLICE("Report Domain:");

	if (!reports->said || gate->replay || gate->view.kind == KIND_INBOUND || told->verdict != VERDICT_ACCEPT ||
	    gate->signer_count > 0 || !is_to_us(gate, &gate->message.sender) ||
	    !policy_sign(gate->engine->policy, reports->from.domain) ||
	    !slice_equal(slice_head(field_of(gate, SLICE("Subject")), label.n), label))
		return;
	decision_note(&gate->decision, NOTE_LOG,
		      SLICE("this DMARC report of ours leaves without a signature: no rule signed it"),
		      (struct position){0});
}

void reports_count(struct gate *gate, const struct told *told)
{
	const struct dmarc_evaluation *evaluation = check_dmarc_evaluated(&gate->view);
	const struct reports_setting *reports = &gate->settings->reports;

	note_unsigned(gate, told);
	if (!evaluation || !gate->engine->aggregate || told->verdict == VERDICT_NONE ||
	    told->verdict == VERDICT_DEFER || is_answer(gate))
		return;
	for (size_t i = 0; i < evaluation->count; i++) {
		const struct dmarc_outcome *outcome = &evaluation->outcomes[i];

		if (outcome->record && outcome->record->rua.n > 0 && !is_report(gate, outcome) &&
		    reports_excluded(reports, gate->engine->store, outcome->domain) == TRUTH_FALSE)
			count_author(gate, told, evaluation, outcome);
	}
}
