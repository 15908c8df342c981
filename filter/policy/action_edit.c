/*
 * action_edit.c - the arguments of actions that change the envelope or the body, and the expression of
 * delete-header.
 */
#include "action.h"

int action_take_pattern(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule,
			const struct word *matching)
{
	const struct word *word = matching->next;
	struct regex *regex;
	struct error err;
	size_t offset;

	if (!word || word->kind != WORD_QUOTED)
		return action_misused(compiler, said, rule, word ? word : matching,
				      "an expression in quotes must follow \"matching\"");
	if (word->next)
		return action_misused(compiler, said, rule, word->next, "one expression fits here");
	regex = regex_compile(word_value(word, compiler->policy->arena), false, &err, &offset);
	if (!regex) {
		diagnostics_error(compiler->diagnostics, word->place,
				  "%s; fix the regular expression (pcre2pattern(3))", err.text);
		return -1;
	}
	policy_add_regex(compiler->policy, regex);
	rule->regex = regex;
	return 0;
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* A text of the file alone can be checked now; what facts make of it is checked when it is known. */
static int check_address(struct compiler *compiler, const struct rule_syntax *said, const struct rule *rule,
			 const struct word *word, bool null)
{
	const struct template *template = &rule->templates[0];
	struct address address;
	bool fixed = template->count == 0 ||
		     (template->count == 1 && !template->parts[0].reading.fact && !template->parts[0].is_capture);

	if (!fixed)
		return 0;
	address = address_parse_path(template->count ? template->parts[0].text : SLICE(""), compiler->policy->arena);
	if (address_usable(&address) || (null && address.valid && address.text.n == 0))
		return 0;
	return action_misused(compiler, said, rule, word, "this is not an address that mail can be sent to");
}

static int take_address(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule, bool null)
{
	const struct word *word = said->arguments.first;
	struct template *template = arena_alloc(compiler->policy->arena, sizeof(*template));

	if (!word)
		return action_misused(compiler, said, rule, NULL, "an address is missing");
	if (word->kind != WORD_QUOTED || word->next)
		return action_misused(compiler, said, rule, word->kind != WORD_QUOTED ? word : word->next,
				      "one address in quotes fits here");
	if (action_add_template(compiler, word, template, rule))
		return -1;
	return check_address(compiler, said, rule, word, null);
}

int compile_sender(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	return take_address(compiler, said, rule, true);
}

int compile_recipient(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	return take_address(compiler, said, rule, false);
}

int compile_deleted_recipient(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	if (said->arguments.count > 0)
		return take_address(compiler, said, rule, false);
	if (compiler->stage == STAGE_RCPT)
		return 0;
	return action_misused(compiler, said, rule, NULL,
			      "only \"on rcpt\" has a recipient at hand; say here which one is deleted");
}

int compile_redirect(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	if (compiler->stage == STAGE_RCPT)
		return action_wrong(
		    compiler, said->action.place,
		    "redirect replaces all recipients and \"on rcpt\" has one; write delete-recipient and "
		    "add-recipient, or redirect in \"on message\"");
	return take_address(compiler, said, rule, false);
}

/* ---- ARC ------------------------------------------------------------------------------------ */

static bool is_for_submission(const struct compiler *compiler)
{
	const struct policy *policy = compiler->policy;

	for (size_t i = 0; i < policy->tenant_count; i++)
		if (policy->tenants[i].rules[KIND_SUBMISSION] == compiler->rules)
			return true;
	return compiler->rules == &policy->rules[KIND_SUBMISSION];
}

/* The domain, and the keys that `sign` gives it. */
int compile_arc_seal(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *word = said->arguments.first;
	const struct sign_setting *sign;
	bool valid = false;

	if (!word)
		return action_misused(compiler, said, rule, NULL, "the domain that seals is missing");
	if (word->next)
		return action_misused(compiler, said, rule, word->next, "one domain fits here");
	rule->name = domain_normalise(word_value(word, compiler->policy->arena), compiler->policy->arena, &valid);
	if (!valid)
		return action_misused(compiler, said, rule, word, "this is not a domain");
	sign = policy_sign(compiler->policy, rule->name);
	if (!sign || !slice_equal(sign->domain, rule->name)) {
		diagnostics_error(
		    compiler->diagnostics, word->place,
		    "there is no key to seal with; write sign %s { selector NAME key /path } in the settings",
		    QUOTE(word->text));
		return -1;
	}
	if (is_for_submission(compiler))
		diagnostics_warning(compiler->diagnostics, said->action.place,
				    "mail of a login begins here, and nothing has happened to it that a seal could "
				    "tell of; write sign");
	compiler->rules->signs = compiler->rules->seals = true;
	return 0;
}

/* ---- footers -------------------------------------------------------------------------------- */

/* Lines of text, of which the last is HTML when there are several. */
int compile_footer(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	struct template *templates =
	    arena_alloc(compiler->policy->arena, (said->arguments.count + 1) * sizeof(*templates));

	if (compiler->stage == STAGE_RCPT)
		return action_wrong(
		    compiler, said->action.place,
		    "footer changes the message for all recipients and \"on rcpt\" has one; move the rule to "
		    "\"on message\"");
	if (said->arguments.count == 0)
		return action_misused(compiler, said, rule, NULL, "the text of the footer is missing");
	for (const struct word *word = said->arguments.first; word; word = word->next) {
		if (word->kind != WORD_QUOTED)
			return action_misused(compiler, said, rule, word, "the texts of a footer are in quotes");
		if (action_add_template(compiler, word, templates, rule))
			return -1;
	}
	compiler->rules->footers = true;
	return 0;
}
