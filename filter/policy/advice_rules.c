/*
 * advice_rules.c - what `sekisho check` says of rules that cannot act, or refuse what is hardly meant, and of lists
 * that nobody asks for.
 *
 * Only what is certain from the text of the policy is said.
 */
#include "compile.h"
#include "implies.h"

#define STEPS_MAX 10000000 /* of comparing conditions in one file: a fraction of a second */

static bool is_action(const struct rule_syntax *rule, const char *name)
{
	return slice_equal(rule->action.text, slice_of(name));
}

static bool is_verdict(const struct rule_syntax *rule)
{
	return is_action(rule, "accept") || is_action(rule, "reject") || is_action(rule, "defer") ||
	       is_action(rule, "discard");
}

/* No later rule of its stage is tried when its condition is true, and after `accept` none with a verdict. `stop` does
 * so under `try`, too. */
static bool ends_stage(const struct rule_syntax *rule)
{
	return is_action(rule, "stop") || (is_verdict(rule) && !rule->try);
}

/* ---- rules that are never tried ----------------------------------------------------------------- */

/* A message that an earlier stage has accepted passes rules with a verdict, and meets what comes after them. */
struct rule_advice {
	struct compiler *compiler;
	bool accepts[STAGE_COUNT]; /* some rule of the stage accepts, in any policy */
	bool signs;                /* some rule for mail from outside signs it */
	bool accepted;             /* an earlier stage of the one at hand may have accepted */
	unsigned steps;
};

/* No message that makes the condition of the earlier rule true gets to this one. `accepted`: some message gets there
 * accepted already. */
static bool hides(struct rule_advice *advice, const struct rule_syntax *earlier, const struct rule_syntax *rule,
		  bool accepted)
{
	bool verdict = is_verdict(rule) || is_action(rule, "quarantine");

	if (!ends_stage(earlier))
		return false;
	if (is_verdict(earlier) && !verdict && (accepted || is_action(earlier, "accept")))
		return false;
	if (!earlier->condition)
		return true;
	return rule->condition && condition_implies(rule->condition, earlier->condition, &advice->steps);
}

static void check_shadow(struct rule_advice *advice, const struct stage_syntax *stage, const struct rule_syntax *rule)
{
	struct compiler *compiler = advice->compiler;
	struct place place = rule->action.place;
	bool accepted = advice->accepted;

	for (const struct rule_syntax *earlier = stage->first; earlier != rule && advice->steps;
	     earlier = earlier->next) {
		advice->steps--;
		if (hides(advice, earlier, rule, accepted)) {
			diagnostics_advice(
			    compiler->diagnostics, place,
			    "this rule never acts: the %s in %s %s; remove this rule, or move it before that one",
			    QUOTE(earlier->action.text), line_said(compiler, place, earlier->action.place).text,
			    earlier->condition ? "acts on all that this condition is true for" : "has no condition");
			return;
		}
		accepted |= is_action(earlier, "accept") && !earlier->try;
	}
}

static void check_never(struct rule_advice *advice, const struct rule_syntax *rule)
{
	if (rule->condition && condition_is_never(rule->condition, &advice->steps))
		diagnostics_advice(
		    advice->compiler->diagnostics, rule->action.place,
		    "this rule never acts: its condition asks for two results of one fact at once; write "
		    "\"is { a b }\" for one of both");
}

/* ---- refusals ------------------------------------------------------------------------------------- */

static bool asks_result(const struct condition_syntax *test, const char *result)
{
	if (test->test != TEST_IS || test->negated)
		return false;
	for (const struct word *word = test->values.first; word; word = word->next)
		if (slice_equal(word->text, slice_of(result)))
			return true;
	return false;
}

static bool asks_temperror(const struct condition_syntax *test)
{
	return asks_result(test, "temperror");
}

static bool asks_spf_fail(const struct condition_syntax *test)
{
	return slice_equal(test->fact.name.text, SLICE("spf")) && asks_result(test, "fail");
}

static void check_temperror(struct compiler *compiler, const struct rule_syntax *rule)
{
	const struct condition_syntax *test = condition_find(rule->condition, asks_temperror);

	if (test)
		diagnostics_advice(compiler->diagnostics, rule->action.place,
				   "reject when %s is temperror: mail is lost when the DNS fails for a moment; write "
				   "defer, and the client tries again",
				   QUOTE(test->fact.name.text));
}

static bool asks_list(const struct condition_syntax *said)
{
	if (said->kind == CONDITION_TEST)
		return said->test == TEST_IN;
	for (const struct condition_syntax *part = said->first; part; part = part->next)
		if (asks_list(part))
			return true;
	return false;
}

/* Forwarders can also be accepted by an earlier rule, of this stage or of one before. */
static bool has_exemption(const struct rule_advice *advice, const struct stage_syntax *stage,
			  const struct rule_syntax *rule)
{
	if (advice->accepted)
		return true;
	for (const struct rule_syntax *earlier = stage->first; earlier != rule; earlier = earlier->next)
		if (ends_stage(earlier) && earlier->condition && asks_list(earlier->condition))
			return true;
	return false;
}

/* "forwarder is none", which is always true as long as no list names any. */
static bool asks_no_forwarder(const struct condition_syntax *test)
{
	return test->kind == CONDITION_TEST && slice_equal(test->fact.name.text, SLICE("forwarder")) &&
	       asks_result(test, "none");
}

/* "spf is fail and forwarder is none" */
static bool hopes_for_forwarders(const struct condition_syntax *said)
{
	const struct condition_syntax *first = said->first, *second = first ? first->next : NULL;

	return said->kind == CONDITION_AND && second && !second->next && first->kind == CONDITION_TEST &&
	       asks_spf_fail(first) && asks_no_forwarder(second);
}

/* That SPF fails is enough for the rule; with an `and` its author has thought of more. */
static bool suffices(const struct rule_advice *advice, const struct condition_syntax *said)
{
	if (said->kind == CONDITION_TEST)
		return asks_spf_fail(said);
	if (!advice->compiler->policy->settings.check.forwarders && hopes_for_forwarders(said))
		return true;
	for (const struct condition_syntax *part = said->first; part && said->kind == CONDITION_OR; part = part->next)
		if (suffices(advice, part))
			return true;
	return false;
}

static void check_spf(const struct rule_advice *advice, const struct stage_syntax *stage,
		      const struct rule_syntax *rule)
{
	if (suffices(advice, rule->condition) && !has_exemption(advice, stage, rule))
		diagnostics_advice(
		    advice->compiler->diagnostics, rule->action.place,
		    "SPF also fails for mail that a forwarder or a relay of your own hands on; name them in the "
		    "list trusted-forwarders and add: and forwarder is none");
}

/* ---- edits ---------------------------------------------------------------------------------------- */

/* RFC 6376 5.4.1: what signatures usually cover. */
static bool is_signed_field(struct slice name)
{
	static const char *const names[] = {"From", "Reply-To",    "Subject",    "Date", "To",
					    "Cc",   "In-Reply-To", "References", NULL};

	for (size_t i = 0; names[i]; i++)
		if (slice_equal_nocase(name, slice_of(names[i])))
			return true;
	return false;
}

static bool is_about_authentication(const struct condition_syntax *said)
{
	if (said->kind == CONDITION_TEST)
		return slice_starts_nocase(said->fact.name.text, SLICE("dkim")) ||
		       slice_starts_nocase(said->fact.name.text, SLICE("dmarc"));
	for (const struct condition_syntax *part = said->first; part; part = part->next)
		if (is_about_authentication(part))
			return true;
	return false;
}

/* Mail from outside has the signature of its author. Who signs anew, or asks for DKIM first, knows what it does. */
static void check_edit(const struct rule_advice *advice, const struct rule_syntax *rule)
{
	const struct word *name = rule->arguments.first;
	struct slice field = is_action(rule, "prefix-subject") ? SLICE("Subject") : name ? name->text : SLICE("");

	if (!is_action(rule, "prefix-subject") && !is_action(rule, "replace-header") &&
	    !is_action(rule, "delete-header"))
		return;
	if (advice->signs || rule->try || !is_signed_field(field))
		return;
	if (!rule->condition || !is_about_authentication(rule->condition))
		diagnostics_advice(
		    advice->compiler->diagnostics, rule->action.place,
		    "this changes %s, which the DKIM signature of the author covers: mail that is forwarded "
		    "later has a broken signature; add a field of your own, as in add-header X-Warning \"text\"",
		    QUOTE(field));
}

static bool asks_dmarc_policy(const struct condition_syntax *test)
{
	return slice_equal(test->fact.name.text, SLICE("dmarc.policy"));
}

static void check_rewrite(const struct rule_advice *advice, const struct rule_syntax *rule)
{
	if (!is_action(rule, "rewrite-from") || (rule->condition && condition_find(rule->condition, asks_dmarc_policy)))
		return;
	diagnostics_advice(advice->compiler->diagnostics, rule->action.place,
			   "this takes every author out of From, also those whose domain does not ask for it; add: if "
			   "dmarc.policy is { quarantine reject }");
}

/* ---- all rules ------------------------------------------------------------------------------------ */

static void check_stage(struct rule_advice *advice, const struct stage_syntax *stage, bool inbound)
{
	for (const struct rule_syntax *rule = stage->first; rule; rule = rule->next) {
		check_shadow(advice, stage, rule);
		check_never(advice, rule);
		check_rewrite(advice, rule);
		if (inbound)
			check_edit(advice, rule);
		if (!is_action(rule, "reject") || rule->try || !rule->condition)
			continue;
		check_temperror(advice->compiler, rule);
		if (inbound)
			check_spf(advice, stage, rule);
	}
}

static int stage_number(const struct stage_syntax *stage)
{
	for (int i = 0; i < STAGE_COUNT; i++)
		if (slice_equal(stage->name.text, slice_of(stage_names[i])))
			return i;
	return -1;
}

static bool is_inbound(const struct policy_syntax *policy)
{
	return slice_equal(policy->kind.text, slice_of(kind_names[KIND_INBOUND]));
}

static void look_ahead(struct rule_advice *advice, const struct stage_syntax *stage, bool inbound)
{
	int number = stage_number(stage);

	for (const struct rule_syntax *rule = stage->first; number >= 0 && rule; rule = rule->next) {
		advice->accepts[number] |= is_action(rule, "accept") && !rule->try;
		advice->signs |= inbound && is_action(rule, "sign");
	}
}

static void check_policy(struct rule_advice *advice, const struct policy_syntax *policy)
{
	for (const struct stage_syntax *stage = policy->first; stage; stage = stage->next) {
		int number = stage_number(stage);

		advice->accepted = false;
		for (int i = 0; i < number; i++)
			advice->accepted |= advice->accepts[i];
		check_stage(advice, stage, is_inbound(policy));
	}
}

/* ---- lists ------------------------------------------------------------------------------------------ */

static bool condition_names(const struct condition_syntax *said, struct slice name)
{
	if (said->kind == CONDITION_TEST)
		return said->test == TEST_IN && said->values.first && slice_equal(said->values.first->text, name);
	for (const struct condition_syntax *part = said->first; part; part = part->next)
		if (condition_names(part, name))
			return true;
	return false;
}

/* delete-header in NAME, canonical */
static bool action_names(const struct rule_syntax *rule, struct slice name)
{
	const struct word *first = rule->arguments.first;

	if (is_action(rule, "canonical"))
		return slice_equal(name, SLICE("canonical"));
	return is_action(rule, "delete-header") && first && first->next && slice_equal(first->text, SLICE("in")) &&
	       slice_equal(first->next->text, name);
}

static bool rules_name(const struct file_syntax *file, struct slice name)
{
	for (const struct policy_syntax *policy = file->first_policy; policy; policy = policy->next)
		for (const struct stage_syntax *stage = policy->first; stage; stage = stage->next)
			for (const struct rule_syntax *rule = stage->first; rule; rule = rule->next)
				if ((rule->condition && condition_names(rule->condition, name)) ||
				    action_names(rule, name))
					return true;
	return false;
}

static bool words_name(const struct words *words, struct slice name)
{
	for (const struct word *word = words->first; word; word = word->next)
		if (slice_equal(word->text, name))
			return true;
	return false;
}

/* Some setting may mean the list by that word. */
static bool settings_name(const struct file_syntax *file, struct slice name)
{
	for (const struct setting_syntax *said = file->first_setting; said; said = said->next)
		if (!slice_equal(said->name.text, SLICE("list")) &&
		    (words_name(&said->values, name) || words_name(&said->inside, name)))
			return true;
	return false;
}

static void check_lists(struct compiler *compiler, const struct file_syntax *file)
{
	for (const struct setting_syntax *said = file->first_setting; said; said = said->next) {
		const struct word *name = said->values.first;

		if (!slice_equal(said->name.text, SLICE("list")) || !name)
			continue;
		if (slice_equal(name->text, SLICE("owners")) || slice_equal(name->text, SLICE("relays")) ||
		    slice_equal(name->text, SLICE("trusted-forwarders")) ||
		    slice_equal(name->text, SLICE("dynamic-names")))
			continue; /* they mean something by themselves */
		if (!rules_name(file, name->text) && !settings_name(file, name->text))
			diagnostics_advice(
			    compiler->diagnostics, name->place,
			    "no rule and no setting names the list %s; remove it, or ask for it, as in client in "
			    "%s",
			    QUOTE(name->text), QUOTE(name->text));
	}
}

void advice_rules(struct compiler *compiler, const struct file_syntax *file)
{
	struct rule_advice advice = {.compiler = compiler, .steps = STEPS_MAX};

	for (const struct policy_syntax *policy = file->first_policy; policy; policy = policy->next)
		for (const struct stage_syntax *stage = policy->first; stage; stage = stage->next)
			look_ahead(&advice, stage, is_inbound(policy));
	for (const struct policy_syntax *policy = file->first_policy; policy; policy = policy->next)
		check_policy(&advice, policy);
	check_lists(compiler, file);
}
