/*
 * action_edit.c - the arguments of actions that change the envelope or the body, and those of delete-header and
 * canonical.
 */
#include "action.h"
#include "implies.h"

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

/* A name, or the beginning of names before "*". */
static int take_pattern_of_name(struct compiler *compiler, const struct word *word, struct slice *name_r)
{
	struct slice name = arena_copy(compiler->policy->arena, word_value(word, compiler->policy->arena));
	bool pattern = name.n > 1 && name.p[name.n - 1] == '*';
	struct slice fixed = slice_head(name, name.n - pattern);

	*name_r = name;
	if (header_name_valid(fixed) && slice_find(fixed, '*') < 0)
		return 0;
	diagnostics_error(compiler->diagnostics, word->place,
			  header_name_valid(fixed) ? "\"%s\": in names of header fields, \"*\" is the end of several, "
						     "as in X-Spam-*"
						   : "\"%s\" is not the name of a header field; write it without "
						     "\":\" and blanks",
			  QUOTE(word->text));
	return -1;
}

static bool is_matching(const struct word *word)
{
	return word->kind == WORD_PLAIN && slice_equal(word->text, SLICE("matching"));
}

/* After "in". */
static int take_list_of_names(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *word = said->arguments.first->next;

	rule->list = policy_list(compiler->policy, word->text);
	if (!rule->list)
		return action_misused(compiler, said, rule, word,
				      "no list has this name; define it with: list NAME file:/path");
	if (list_is_owners(rule->list->list) || list_is_canonical(rule->list->list))
		return action_misused(compiler, said, rule, word, "this list holds logins, not names of header fields");
	rule->name = arena_join(compiler->policy->arena, SLICE("in "), word->text);
	return 0;
}

int compile_deleted_header(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *word = said->arguments.first;
	struct arena *arena = compiler->policy->arena;
	struct slice *names = arena_alloc(arena, (said->arguments.count + 1) * sizeof(*names));

	if (!word)
		return action_misused(compiler, said, rule, NULL, "the name of a header field is missing");
	if (said->arguments.count == 2 && word->kind == WORD_PLAIN && slice_equal(word->text, SLICE("in")))
		return take_list_of_names(compiler, said, rule);
	rule->names = names;
	for (; word && (word == said->arguments.first || !is_matching(word)); word = word->next) {
		if (rule->name_count > 0 && word->kind != WORD_PLAIN)
			return action_misused(compiler, said, rule, word,
					      "after the names of fields only \"matching\" may follow");
		if (take_pattern_of_name(compiler, word, &names[rule->name_count]))
			return -1;
		rule->name =
		    rule->name_count ? arena_join(arena, rule->name, SLICE(" "), names[rule->name_count]) : names[0];
		rule->name_count++;
	}
	return word ? action_take_pattern(compiler, said, rule, word) : 0;
}

/* It needs the login, which is known from MAIL on. */
int compile_canonical(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	struct fact_syntax login = {
	    .name = {.kind = WORD_PLAIN, .text = SLICE("auth.user"), .place = said->action.place}};
	struct reading reading;

	if (said->arguments.count)
		return action_misused(compiler, said, rule, said->arguments.first,
				      "this action takes no arguments; only \"if\" may follow");
	rule->list = compiler->policy->canonical;
	if (!rule->list)
		return action_wrong(compiler, said->action.place,
				    "nobody says which login has which address; define the list: list canonical "
				    "file:/etc/sekisho/canonical");
	return reading_compile(compiler, &login, &reading);
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* A text of the file alone can be checked now; what facts make of it is checked when it is known. */
static int check_address(struct compiler *compiler, const struct rule_syntax *said, const struct rule *rule,
			 const struct word *word, bool null)
{
	const struct template *template = &rule->templates[rule->template_count - 1];
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

static bool is_about_all_recipients(const struct condition_syntax *test)
{
	return test->fact.each == EACH_ALL && slice_equal(test->fact.name.text, SLICE("recipient"));
}

/* The sender is one for all recipients. */
static int compile_srs(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	if (!compiler->policy->settings.srs.said)
		return action_wrong(compiler, said->action.place,
				    "there is no domain to rewrite the sender to; write srs { domain NAME  secret-file "
				    "/path } in the settings");
	if (compiler->stage != STAGE_MESSAGE)
		return action_wrong(compiler, said->action.place,
				    "set-sender srs changes the sender for all recipients, who are known in \"on "
				    "message\"; move the rule there");
	if (!said->condition || !condition_find(said->condition, is_about_all_recipients))
		diagnostics_warning(compiler->diagnostics, said->action.place,
				    "set-sender srs changes the sender for all recipients, also those who are not "
				    "forwarded; add \"if all recipient in LIST\"");
	rule->srs = true;
	rule->name = SLICE("srs");
	return 0;
}

int compile_sender(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *word = said->arguments.first;

	if (said->arguments.count == 1 && word->kind == WORD_PLAIN && slice_equal(word->text, SLICE("srs")))
		return compile_srs(compiler, said, rule);
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

/* ---- signatures ----------------------------------------------------------------------------- */

/* The keys follow from the author domain, at the end of the message, or from the domain that is named. */
int compile_sign(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *word = said->arguments.first;
	bool valid = true;

	if (word && word->next)
		return action_misused(compiler, said, rule, word->next, "one domain fits here");
	if (word)
		rule->name =
		    domain_normalise(word_value(word, compiler->policy->arena), compiler->policy->arena, &valid);
	if (!valid)
		return action_misused(compiler, said, rule, word, "this is not a domain");
	compiler->rules->signs = true;
	if (word && !policy_sign(compiler->policy, rule->name)) {
		diagnostics_error(
		    compiler->diagnostics, word->place,
		    "there is no key to sign with; write sign %s { selector NAME key /path } in the settings",
		    QUOTE(word->text));
		return -1;
	}
	if (compiler->policy->sign_count == 0)
		diagnostics_warning(
		    compiler->diagnostics, said->action.place,
		    "there is no key to sign with; write sign DOMAIN { selector NAME key /path } above");
	return 0;
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

/* The name that readers see, and the address. */
int compile_rewrite_from(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	struct template *templates = arena_alloc(compiler->policy->arena, 2 * sizeof(*templates));
	const struct word *name = said->arguments.first, *address = name ? name->next : NULL;

	if (compiler->stage != STAGE_MESSAGE)
		return action_wrong(compiler, said->action.place,
				    "rewrite-from needs the author, who is known when the header is complete; move the "
				    "rule to \"on message\"");
	if (!address || name->kind != WORD_QUOTED || address->kind != WORD_QUOTED || address->next)
		return action_misused(compiler, said, rule, name, "a name and an address, both in quotes, fit here");
	if (action_add_template(compiler, name, templates, rule) ||
	    action_add_template(compiler, address, templates, rule))
		return -1;
	return check_address(compiler, said, rule, address, false);
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
