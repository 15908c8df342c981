/*
 * act_edit.c - edits that are more than one text: footers, and the recipient at hand.
 */
#include "run.h"

#define FOOTER_MAX 16384 /* bytes of all lines, and of the HTML; a line has 4000 at most */

/* What is not UTF-8 comes from outside, and cannot be put in any charset. */
static struct slice as_utf8(struct slice text, struct arena *arena)
{
	char *out = arena_raw(arena, text.n + 1);

	for (size_t i = 0; i < text.n;) {
		size_t n = slice_utf8(slice_from(text, i));

		if (n == 0)
			out[i++] = '?';
		for (; n > 0; n--, i++)
			out[i] = text.p[i];
	}
	return (struct slice){out, text.n};
}

static struct slice footer_line(struct run *run, const struct template *line, enum template_use use)
{
	return as_utf8(template_expand(run, line, use, 0), run_arena(run));
}

static struct slice footer_text(struct run *run, const struct rule *rule, size_t lines)
{
	struct text text;

	text_init(&text, run_arena(run), FOOTER_MAX);
	for (size_t i = 0; i < lines; i++) {
		text_add(&text, i ? SLICE("\n") : SLICE(""));
		text_add(&text, footer_line(run, &rule->templates[i], FOR_FOOTER));
	}
	return text_slice(&text);
}

/* A footer that says no HTML is a paragraph of its lines. */
static struct slice html_of(struct run *run, struct slice text)
{
	struct text html;

	text_init(&html, run_arena(run), FOOTER_MAX);
	text_add(&html, SLICE("<p>"));
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n')
			text_add(&html, SLICE("<br>\n"));
		else
			add_for_html(&html, text.p[i]);
	}
	text_add(&html, SLICE("</p>"));
	return text_slice(&html);
}

bool act_rewrite_from(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	struct edit edit = {.kind = EDIT_REWRITE_FROM, .rule = rule->where, .name = SLICE("")};

	(void)outcome;
	edit.value = as_utf8(template_expand(run, &rule->templates[0], FOR_SUBJECT, 0), run_arena(run));
	edit.html = template_expand(run, &rule->templates[1], FOR_SUBJECT, 0);
	decision_edit(run->decision, &edit);
	return false;
}

bool act_footer(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	size_t lines = rule->template_count > 1 ? rule->template_count - 1 : 1;
	struct edit edit = {.kind = EDIT_FOOTER, .rule = rule->where, .name = SLICE("")};

	(void)outcome;
	edit.value = footer_text(run, rule, lines);
	edit.html =
	    rule->template_count > 1 ? footer_line(run, &rule->templates[lines], FOR_HTML) : html_of(run, edit.value);
	decision_edit(run->decision, &edit);
	return false;
}

bool act_delete_header(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	struct edit edit = {.kind = EDIT_DELETE_HEADER,
			    .name = rule->name,
			    .value = SLICE(""),
			    .names = rule->names,
			    .name_count = rule->name_count,
			    .list = rule->list ? rule->list->list : NULL,
			    .regex = rule->regex,
			    .rule = rule->where};

	(void)outcome;
	decision_edit(run->decision, &edit);
	return false;
}

bool edit_names(const struct edit *edit, struct store *store, struct slice field)
{
	struct list_key key = {.kind = LIST_TEXT, .text = slice_trim(field)};

	for (size_t i = 0; i < edit->name_count; i++) {
		struct slice name = edit->names[i];
		bool pattern = name.p[name.n - 1] == '*';

		if (pattern ? slice_starts_nocase(key.text, slice_head(name, name.n - 1))
			    : slice_equal_nocase(key.text, name))
			return true;
	}
	return edit->list && list_has(edit->list, store, &key) == TRUTH_TRUE;
}

/* A login that the list does not name may use other addresses, too. */
bool act_canonical(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	struct edit edit = {.kind = EDIT_CANONICAL, .name = SLICE(""), .rule = rule->where};

	(void)outcome;
	if (list_value(rule->list->list, run->view->session->auth_user, run_arena(run), &edit.value) == TRUTH_TRUE)
		decision_edit(run->decision, &edit);
	return false;
}

/* The SRS address of the sender; one that has none stays. */
static bool act_srs(struct run *run, const struct rule *rule)
{
	struct edit edit = {.kind = EDIT_SET_SENDER, .name = SLICE(""), .rule = rule->where};
	struct arena *arena = run_arena(run);
	const struct view *view = run->view;
	enum srs_result result =
	    policy_srs(run->policy, view->store, SRS_FORWARD, &view->message->sender, view->now_us, arena, &edit.value);
	struct address made;

	if (result == SRS_REWRITTEN) {
		made = address_parse_path(edit.value, arena);
		result = address_usable(&made) ? result : SRS_TOO_LONG;
	}
	if (result == SRS_REWRITTEN)
		decision_edit(run->decision, &edit);
	else if (result != SRS_OWN)
		decision_note(run->decision, NOTE_LOG, arena_printf(arena, "the sender stays: %s", srs_results[result]),
			      rule->where);
	return false;
}

bool act_sender(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	return rule->srs ? act_srs(run, rule) : act_edit(run, rule, outcome);
}

/* Of the recipient at hand it is not an edit, of which a rule can leave a bounded number: no recipient is forgotten. */
bool act_delete_recipient(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	if (rule->template_count)
		return act_edit(run, rule, outcome);
	if (!run->decision->recipient_deleted)
		run->decision->recipient_rule = rule->where;
	run->decision->recipient_deleted = true;
	return false;
}
