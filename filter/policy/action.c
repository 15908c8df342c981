/*
 * action.c - the table of actions, and how the arguments of an action are read: it
 * checks reply class, names and texts.
 */
#include "action.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

#define REPLY_TEXT_REJECT "Rejected by policy"
#define REPLY_TEXT_DEFER  "Try again later"

/* ---- replies --------------------------------------------------------------------------- */

static bool is_digits(struct slice text)
{
	uint64_t number;

	return slice_number(text, UINT32_MAX, &number) == 0;
}

/* RFC 5321 4.2: three digits, the second of them 0 to 5; `class` is the first. */
static bool is_code(struct slice text, char class)
{
	return text.n == 3 && is_digits(text) && text.p[0] == class && text.p[1] <= '5';
}

/* RFC 3463 2: class.subject.detail, numbers of at most three digits without leading zeros. */
static bool is_enhanced(struct slice text)
{
	struct slice part;
	int parts = 0;

	while (slice_cut(&text, '.', &part)) {
		if (part.n > 3 || !is_digits(part) || (part.n > 1 && part.p[0] == '0'))
			return false;
		parts++;
	}
	return parts == 3;
}

static int wrong_code(struct compiler *compiler, const struct rule *rule, const struct word *word)
{
	char class = rule->action->verdict == VERDICT_REJECT ? '5' : '4';
	const char *other = class == '5' ? "defer" : "reject";

	if (is_code(word->text, class == '5' ? '4' : '5'))
		diagnostics_error(compiler->diagnostics, word->place,
				  "%s takes a %cxx code; write \"%s %.3s\", or another code", rule->action->name, class,
				  other, word->text.p);
	else if (is_enhanced(word->text))
		diagnostics_error(compiler->diagnostics, word->place,
				  "\"%s\" comes after a reply code; write \"%s %c50 %s\"", QUOTE(word->text),
				  rule->action->name, class, QUOTE(word->text));
	else if (is_digits(word->text))
		diagnostics_error(compiler->diagnostics, word->place,
				  "\"%s\" is not a reply code; %s takes %c00 to %c59", QUOTE(word->text),
				  rule->action->name, class, class);
	else
		diagnostics_error(compiler->diagnostics, word->place,
				  "\"%s\" is not expected here; write %s (put a text in quotes)", QUOTE(word->text),
				  rule->action->usage);
	return -1;
}

/* The code and the enhanced code, when they are there; *word is then the first text. */
static int take_codes(struct compiler *compiler, struct rule *rule, const struct word **word)
{
	bool reject = rule->action->verdict == VERDICT_REJECT;
	const struct word *next;

	rule->code = reject ? 550 : 451;
	rule->enhanced = reject ? SLICE("5.7.1") : SLICE("4.7.1");
	if (!*word || (*word)->kind != WORD_PLAIN)
		return 0;
	if (!is_code((*word)->text, reject ? '5' : '4'))
		return wrong_code(compiler, rule, *word);
	rule->code = (unsigned)((*word)->text.p[0] - '0') * 100 + (unsigned)((*word)->text.p[1] - '0') * 10 +
		     (unsigned)((*word)->text.p[2] - '0');
	next = *word = (*word)->next;
	if (!next || next->kind != WORD_PLAIN)
		return 0;
	if (!is_enhanced(next->text)) {
		diagnostics_error(compiler->diagnostics, next->place,
				  "\"%s\" is not an enhanced code; write it as in 5.7.1 (put a text in quotes)",
				  QUOTE(next->text));
		return -1;
	}
	if (next->text.p[0] != (reject ? '5' : '4') || next->text.p[1] != '.') {
		diagnostics_error(compiler->diagnostics, next->place, "\"%s\" is of another class than %u; write %c%s",
				  QUOTE(next->text), rule->code, reject ? '5' : '4', QUOTE(slice_from(next->text, 1)));
		return -1;
	}
	rule->enhanced = arena_copy(compiler->policy->arena, next->text);
	*word = next->next;
	return 0;
}

/* What the file says itself can be checked; what facts say is made safe when it is said. */
static int check_line(struct compiler *compiler, const struct word *word)
{
	if (word->kind != WORD_QUOTED)
		return action_wrong(compiler, word->place, "a text without quotes; write it in \" \"");
	if (word->text.n > REPLY_LINE_MAX)
		return action_wrong(compiler, word->place,
				    "a line of a reply is longer than 480 bytes; write several strings, one a line");
	for (size_t i = 0; i < word->text.n; i++) {
		if ((unsigned char)word->text.p[i] >= 0x80 || word->text.p[i] == '\t')
			return action_wrong(compiler, word->place,
					    "a reply is plain ASCII (RFC 5321 4.2); write it in such letters");
	}
	return 0;
}

static int compile_reply(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *word = said->arguments.first;
	bool reject = rule->action->verdict == VERDICT_REJECT;
	struct word preset = {.kind = WORD_QUOTED,
			      .place = said->action.place,
			      .text = reject ? SLICE(REPLY_TEXT_REJECT) : SLICE(REPLY_TEXT_DEFER)};
	struct template *lines;

	if (take_codes(compiler, rule, &word))
		return -1;
	if (!word)
		word = &preset;
	lines = arena_alloc(compiler->policy->arena, (said->arguments.count + 1) * sizeof(*lines));
	for (; word; word = word->next) {
		if (rule->template_count == REPLY_LINES_MAX)
			return action_wrong(compiler, word->place, "more than 32 lines in a reply; say less");
		if (check_line(compiler, word) || action_add_template(compiler, word, lines, rule))
			return -1;
	}
	return 0;
}

/* ---- the others ----------------------------------------------------------------------------- */

static int compile_plain(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	if (said->arguments.count)
		return action_misused(compiler, said, rule, said->arguments.first,
				      "this action takes no arguments; only \"if\" may follow");
	if (rule->action->verdict == VERDICT_DISCARD && compiler->stage == STAGE_RCPT)
		return action_wrong(
		    compiler, said->action.place,
		    "discard concerns the whole message and \"on rcpt\" one recipient; reject that one, or "
		    "discard in \"on message\"");
	return 0;
}

/* One string. */
static int compile_text(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *word = said->arguments.first;
	struct template *template = arena_alloc(compiler->policy->arena, sizeof(*template));

	if (!word)
		return action_misused(compiler, said, rule, NULL, "a text is missing");
	if (word->kind != WORD_QUOTED || word->next)
		return action_misused(compiler, said, rule, word->kind != WORD_QUOTED ? word : word->next,
				      "one text in quotes fits here");
	return action_add_template(compiler, word, template, rule);
}

static int compile_reason(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	return said->arguments.count ? compile_text(compiler, said, rule) : 0;
}

static int take_name(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *word = said->arguments.first;

	if (!word)
		return action_misused(compiler, said, rule, NULL, "the name of a header field is missing");
	rule->name = arena_copy(compiler->policy->arena, word_value(word, compiler->policy->arena));
	if (header_name_valid(rule->name))
		return 0;
	diagnostics_error(compiler->diagnostics, word->place,
			  "\"%s\" is not the name of a header field; write it without \":\" and blanks",
			  QUOTE(word->text));
	return -1;
}

static int compile_field(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	struct template *template = arena_alloc(compiler->policy->arena, sizeof(*template));
	const struct word *value;

	if (take_name(compiler, said, rule))
		return -1;
	value = said->arguments.first->next;
	if (!value)
		return action_misused(compiler, said, rule, NULL, "the value of the field is missing");
	if (value->kind != WORD_QUOTED || value->next)
		return action_misused(compiler, said, rule, value->kind != WORD_QUOTED ? value : value->next,
				      "one value in quotes fits here");
	return action_add_template(compiler, value, template, rule);
}

/* With `bottom` after the value. */
static int compile_added(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	struct rule_syntax short_said = *said;
	const struct word *last = said->arguments.last;
	struct word name, value;

	rule->bottom =
	    said->arguments.count == 3 && last->kind == WORD_PLAIN && slice_equal(last->text, SLICE("bottom"));
	if (!rule->bottom)
		return compile_field(compiler, said, rule);
	name = *said->arguments.first;
	value = *name.next;
	value.next = NULL;
	name.next = &value;
	short_said.arguments = (struct words){&name, &value, 2};
	return compile_field(compiler, &short_said, rule);
}

/* What DMARC reports call it (RFC 9990 3.1.6), and what it is about. */
static int compile_override(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	static const char *const reasons[] = {"trusted_forwarder", "mailing_list", "local_policy", "other", NULL};
	const struct word *reason = said->arguments.first;
	struct template *template = arena_alloc(compiler->policy->arena, sizeof(*template));
	size_t i = 0;

	while (reason && reasons[i] && !slice_equal(reason->text, slice_of(reasons[i])))
		i++;
	if (!reason || reason->kind != WORD_PLAIN || !reasons[i])
		return action_misused(
		    compiler, said, rule, reason,
		    "an override has a reason: trusted_forwarder, mailing_list, local_policy or other");
	if (!reason->next || reason->next->kind != WORD_QUOTED || reason->next->next)
		return action_misused(compiler, said, rule, reason, "one text in quotes comes after the reason");
	rule->name = slice_of(reasons[i]);
	return action_add_template(compiler, reason->next, template, rule);
}

/* ---- the table --------------------------------------------------------------------------------- */

#define VERDICT  .class = ACTION_VERDICT, .use = FOR_LOG
#define EDIT     .class = ACTION_EDIT, .use = FOR_HEADER, .act = act_edit
#define ENVELOPE .class = ACTION_EDIT, .use = FOR_LOG
#define NOTE     .class = ACTION_NOTE, .use = FOR_LOG, .act = act_note

static const struct action actions[] = {
    {.name = "accept",
     VERDICT,
     .verdict = VERDICT_ACCEPT,
     .compile = compile_plain,
     .act = act_verdict,
     .usage = "accept"},
    {.name = "reject",
     VERDICT,
     .verdict = VERDICT_REJECT,
     .compile = compile_reply,
     .act = act_verdict,
     .usage = "reject [CODE [ENHANCED]] [\"text\" ...]",
     .example = "reject 550 5.7.1 \"not accepted here\""},
    {.name = "defer",
     VERDICT,
     .verdict = VERDICT_DEFER,
     .compile = compile_reply,
     .act = act_verdict,
     .usage = "defer [CODE [ENHANCED]] [\"text\" ...]",
     .example = "defer 451 4.7.1 \"come again later\""},
    {.name = "discard",
     VERDICT,
     .verdict = VERDICT_DISCARD,
     .compile = compile_plain,
     .act = act_verdict,
     .usage = "discard"},
    {.name = "quarantine",
     VERDICT,
     .verdict = VERDICT_QUARANTINE,
     .compile = compile_reason,
     .act = act_quarantine,
     .usage = "quarantine [\"reason\"]",
     .example = "quarantine \"SPF failed\""},
    {.name = "add-header",
     EDIT,
     .edit = EDIT_ADD_HEADER,
     .compile = compile_added,
     .usage = "add-header NAME \"value\" [bottom]",
     .example = "add-header X-Spam \"yes\" bottom"},
    {.name = "delete-header",
     .class = ACTION_EDIT,
     .edit = EDIT_DELETE_HEADER,
     .needs = NEED_HEADERS,
     .compile = compile_deleted_header,
     .act = act_delete_header,
     .usage = "delete-header NAME ... [matching \"expression\"], or delete-header in LIST",
     .example = "delete-header X-Spam X-Spam-* matching \"^yes\""},
    {.name = "replace-header",
     EDIT,
     .edit = EDIT_REPLACE_HEADER,
     .needs = NEED_HEADERS,
     .compile = compile_field,
     .usage = "replace-header NAME \"value\"",
     .example = "replace-header X-Spam \"no\""},
    {.name = "prefix-subject",
     .class = ACTION_EDIT,
     .edit = EDIT_PREFIX_SUBJECT,
     .use = FOR_SUBJECT,
     .needs = NEED_HEADERS,
     .compile = compile_text,
     .act = act_edit,
     .usage = "prefix-subject \"text\"",
     .example = "prefix-subject \"[external] \""},
    {.name = "add-missing",
     EDIT,
     .edit = EDIT_ADD_MISSING,
     .needs = NEED_HEADERS,
     .compile = compile_plain,
     .usage = "add-missing"},
    {.name = "canonical",
     .class = ACTION_EDIT,
     .edit = EDIT_CANONICAL,
     .use = FOR_LOG,
     .needs = NEED_HEADERS | NEED_SENDER,
     .compile = compile_canonical,
     .act = act_canonical,
     .usage = "canonical"},
    {.name = "footer",
     .class = ACTION_EDIT,
     .edit = EDIT_FOOTER,
     .use = FOR_FOOTER,
     .needs = NEED_HEADERS | NEED_BODY | NEED_NEW_BODY,
     .compile = compile_footer,
     .act = act_footer,
     .usage = "footer \"text\" [\"HTML\"]",
     .example = "footer \"from outside\" \"<p>from outside</p>\""},
    {.name = "rewrite-from",
     .class = ACTION_EDIT,
     .edit = EDIT_REWRITE_FROM,
     .use = FOR_SUBJECT,
     .needs = NEED_HEADERS,
     .compile = compile_rewrite_from,
     .act = act_rewrite_from,
     .usage = "rewrite-from \"name\" \"user@domain\"",
     .example = "rewrite-from \"%{from.name} via list\" \"list@example.org\""},
    {.name = "set-sender",
     ENVELOPE,
     .edit = EDIT_SET_SENDER,
     .needs = NEED_SENDER,
     .compile = compile_sender,
     .act = act_sender,
     .usage = "set-sender \"user@domain\", or \"\" for the null sender, or srs",
     .example = "set-sender \"bounces@example.org\""},
    {.name = "add-recipient",
     ENVELOPE,
     .edit = EDIT_ADD_RECIPIENT,
     .needs = NEED_ADD_RECIPIENT,
     .compile = compile_recipient,
     .act = act_edit,
     .usage = "add-recipient \"user@domain\"",
     .example = "add-recipient \"archive@example.org\""},
    {.name = "delete-recipient",
     ENVELOPE,
     .edit = EDIT_DELETE_RECIPIENT,
     .needs = NEED_DELETE_RECIPIENT,
     .compile = compile_deleted_recipient,
     .act = act_delete_recipient,
     .usage = "delete-recipient [\"user@domain\"]",
     .example = "delete-recipient \"archive@example.org\""},
    {.name = "redirect",
     ENVELOPE,
     .edit = EDIT_REDIRECT,
     .needs = NEED_ADD_RECIPIENT | NEED_DELETE_RECIPIENT,
     .compile = compile_redirect,
     .act = act_edit,
     .usage = "redirect \"user@domain\"",
     .example = "redirect \"postmaster@example.org\""},
    {.name = "sign",
     EDIT,
     .edit = EDIT_SIGN,
     .needs = NEED_HEADERS | NEED_BODY,
     .compile = compile_sign,
     .usage = "sign [DOMAIN]",
     .example = "sign"},
    {.name = "arc-seal",
     EDIT,
     .edit = EDIT_ARC_SEAL,
     .needs = NEED_HEADERS | NEED_BODY,
     .compile = compile_arc_seal,
     .usage = "arc-seal DOMAIN",
     .example = "arc-seal example.org"},
    {.name = "log", NOTE, .note = NOTE_LOG, .compile = compile_text, .usage = "log \"text\""},
    {.name = "override",
     NOTE,
     .note = NOTE_OVERRIDE,
     .compile = compile_override,
     .usage = "override trusted_forwarder \"why\""},
    {.name = "notify",
     .class = ACTION_NOTE,
     .use = FOR_LOG,
     .needs = NEED_HEADERS,
     .compile = compile_notify,
     .act = act_notify,
     .usage = "notify \"user@domain\" \"text\" [once 1h]",
     .example = "notify \"postmaster@example.org\" \"%{client} was refused\" once 1h"},
    {.name = "score",
     .class = ACTION_NOTE,
     .use = FOR_LOG,
     .always = true,
     .compile = score_compile,
     .act = act_score,
     .usage = "score NUMBER \"why\"",
     .example = "score 5 \"SPF failed\""},
    {.name = "set",
     .class = ACTION_NOTE,
     .use = FOR_VARIABLE,
     .always = true,
     .compile = set_compile,
     .act = act_set,
     .usage = "set NAME \"text\""},
    {.name = "stop",
     .class = ACTION_NOTE,
     .always = true,
     .ends_stage = true,
     .compile = compile_plain,
     .act = act_stop,
     .usage = "stop"},
};

#define ACTION_COUNT (sizeof(actions) / sizeof(actions[0]))

static int unknown_action(struct compiler *compiler, const struct word *word)
{
	const char *names[ACTION_COUNT + 1] = {NULL};
	const char *near;

	if (syntax_is_condition_first(word->text)) {
		diagnostics_error(compiler->diagnostics, word->place, "\"%s\" comes first; " CONDITION_FIRST_ADVICE,
				  QUOTE(word->text));
		return -1;
	}
	for (size_t i = 0; i < ACTION_COUNT; i++)
		names[i] = actions[i].name;
	/* "not" is not misspelt: it belongs to a condition of the line before */
	near = slice_equal(word->text, SLICE("not")) ? NULL : nearest_word(word->text, names);
	diagnostics_error(compiler->diagnostics, word->place, "unknown action \"%s\"; %s", QUOTE(word->text),
			  near ? suggestion(word->text, names).text
			       : "a rule is [try] ACTION [if CONDITION], and sekisho.conf(5) names the actions");
	return -1;
}

const struct action *action_at(size_t number)
{
	return number < ACTION_COUNT ? &actions[number] : NULL;
}

static const struct action *find_action(struct slice name)
{
	for (size_t i = 0; i < ACTION_COUNT; i++) {
		if (slice_equal(name, slice_of(actions[i].name)))
			return &actions[i];
	}
	return NULL;
}

bool action_exists(struct slice name)
{
	return find_action(name) != NULL;
}

int action_compile(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	rule->action = find_action(said->action.text);
	if (!rule->action)
		return unknown_action(compiler, &said->action);
	compiler->policy->needs |= rule->action->needs;
	compiler->verdict = rule->action->class == ACTION_VERDICT;
	return rule->action->compile(compiler, said, rule);
}
