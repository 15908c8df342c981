/*
 * notify.c - notify "user@domain" "text" once TIME: compiled, and what it leaves in the decision. The engine sends it
 * when the message is over.
 */
#include "action.h"
#include "run.h"

#define ONCE_US    (INT64_C(3600) * 1000 * 1000) /* when the rule does not say it: nobody wants one for each message */
#define ONCE_LEAST (INT64_C(1000) * 1000)

/* ---- the arguments ------------------------------------------------------------------------------ */

static int check_recipient(struct compiler *compiler, const struct rule_syntax *said, const struct rule *rule,
			   const struct word *word)
{
	const struct template *template = &rule->templates[0];
	struct address address;

	for (size_t i = 0; i < template->count; i++)
		if (template->parts[i].reading.fact || template->parts[i].is_capture)
			return 0; /* seen when it is known */
	address = address_parse_path(template->count ? template->parts[0].text : SLICE(""), compiler->policy->arena);
	if (address_usable(&address))
		return 0;
	return action_misused(compiler, said, rule, word, "this is not an address that mail can be sent to");
}

/* "once TIME" */
static int take_once(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule,
		     const struct word *word)
{
	rule->once_us = ONCE_US;
	if (!word)
		return 0;
	if (word->kind != WORD_PLAIN || !slice_equal(word->text, SLICE("once")))
		return action_misused(compiler, said, rule, word, "after the text only \"once\" and a time may follow");
	if (!word->next)
		return action_misused(compiler, said, rule, word, "a time must follow \"once\"");
	if (duration_parse(word_value(word->next, compiler->policy->arena), &rule->once_us) != 0 ||
	    rule->once_us < ONCE_LEAST || rule->once_us > STORE_WINDOW_MAX_US)
		return action_misused(compiler, said, rule, word->next, "once takes a time from 1s to 366d");
	return word->next->next ? action_misused(compiler, said, rule, word->next->next, "nothing may follow the time")
				: 0;
}

int compile_notify(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *recipient = said->arguments.first, *text = recipient ? recipient->next : NULL;
	struct template *templates = arena_alloc(compiler->policy->arena, 2 * sizeof(*templates));

	if (!recipient || recipient->kind != WORD_QUOTED)
		return action_misused(compiler, said, rule, recipient, "the address, in quotes, comes first");
	if (!text || text->kind != WORD_QUOTED)
		return action_misused(compiler, said, rule, text ? text : recipient,
				      "the text, in quotes, comes after the address");
	if (action_add_template(compiler, recipient, templates, rule) ||
	    action_add_template(compiler, text, templates, rule) || check_recipient(compiler, said, rule, recipient) ||
	    take_once(compiler, said, rule, text->next))
		return -1;
	compiler->policy->notifies = true;
	if (compiler->policy->settings.mailer.text.n == 0)
		diagnostics_warning(compiler->diagnostics, said->action.place,
				    "there is no mailer, so nothing is sent; write mailer inet:25@127.0.0.1 from "
				    "MAILBOX above");
	return 0;
}

/* ---- acting ---------------------------------------------------------------------------------------- */

static bool has_notice(const struct decision *decision, struct slice recipient, struct slice key)
{
	for (size_t i = 0; i < decision->notice_count; i++)
		if (slice_equal(decision->notices[i].recipient, recipient) &&
		    slice_equal(decision->notices[i].key, key))
			return true;
	return false;
}

/* At RCPT it acts for one recipient after the other: equal notes are sent once. */
bool act_notify(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	struct decision *decision = run->decision;
	struct slice recipient = template_expand(run, &rule->templates[0], FOR_LOG, 0);
	struct slice key = template_expand(run, &rule->templates[1], FOR_KEY, 0);

	(void)outcome;
	if (has_notice(decision, recipient, key))
		return false;
	if (decision->notice_count == DECISION_NOTICES_MAX) {
		decision_note(decision, NOTE_NOTIFY, SLICE("further notes about this message were left out"),
			      rule->where);
		return false;
	}
	if (!decision->notices)
		decision->notices = arena_alloc(decision->arena, DECISION_NOTICES_MAX * sizeof(*decision->notices));
	decision->notices[decision->notice_count++] =
	    (struct notice){.recipient = arena_copy(decision->arena, recipient),
			    .text = arena_copy(decision->arena, template_expand(run, &rule->templates[1], FOR_LOG, 0)),
			    .key = arena_copy(decision->arena, key),
			    .once_us = rule->once_us,
			    .rule = rule->where};
	return false;
}
