/*
 * expand.c - fills the facts into a text when a rule runs.
 *
 * What comes from outside is made safe for where the text goes: printable ASCII in
 * a reply, one folded line in a header field, no control bytes in a log. Every
 * expansion is bounded before it is made.
 */
#include "run.h"

#define HEADER_TEXT_MAX 2000 /* of a field's value: RFC 5322 allows 998 a line, and it is folded */
#define FOOTER_LINE_MAX 4000 /* of a line of a footer, or of its HTML */
#define LOG_TEXT_MAX    1000 /* a record is cut at 2000 bytes for syslog */

static void add_for_reply(struct text *text, char c)
{
	text_add_char(text, is_control(c) ? ' ' : (unsigned char)c >= 0x80 ? '?' : c);
}

static void add_for_header(struct text *text, char c)
{
	text_add_char(text, is_control(c) ? ' ' : c);
}

static void add_for_log(struct text *text, char c)
{
	if (is_control(c))
		text_printf(text, "\\x%02X", (unsigned char)c);
	else
		text_add_char(text, c);
}

/* It is made safe where it is read and goes somewhere. */
static void add_for_variable(struct text *text, char c)
{
	text_add_char(text, c);
}

void add_for_html(struct text *text, char c)
{
	static const struct {
		char c;
		const char *entity;
	} marks[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (marks[i].c == c) {
			text_add(text, slice_of(marks[i].entity));
			return;
		}
	add_for_header(text, c);
}

static const struct {
	void (*add)(struct text *, char);
	size_t limit;
	void (*add_fact)(struct text *, char); /* what is not of the file; NULL: as that */
} uses[] = {
    [FOR_REPLY] = {add_for_reply, REPLY_LINE_MAX},
    [FOR_HEADER] = {add_for_header, HEADER_TEXT_MAX},
    [FOR_SUBJECT] = {add_for_header, HEADER_TEXT_MAX},
    [FOR_LOG] = {add_for_log, LOG_TEXT_MAX},
    [FOR_VARIABLE] = {add_for_variable, VARIABLE_TEXT_MAX},
    [FOR_FOOTER] = {add_for_header, FOOTER_LINE_MAX},
    [FOR_HTML] = {add_for_header, FOOTER_LINE_MAX, add_for_html},
    [FOR_KEY] = {add_for_variable, LOG_TEXT_MAX},
};

/* Does the text say a fact of which the condition found an address that the login does not own? */
static bool is_disowned(const struct run *run, const struct reading *reading)
{
	const struct reading *tested = run->disowned.reading;

	return tested && tested->fact == reading->fact &&
	       slice_equal_nocase(tested->argument.text, reading->argument.text);
}

/* In a key, a number that changes with every message makes no difference. */
static struct slice print_part(struct run *run, const struct part *part, enum template_use use)
{
	struct value value;

	if (part->is_capture)
		return run->captured ? run->captured[part->group] : SLICE("");
	if (!part->reading.fact)
		return part->text;
	if (is_disowned(run, &part->reading))
		return run->disowned.text;
	if (use == FOR_KEY && part->reading.fact->type == TYPE_NUMBER)
		return SLICE("");
	value = run_read(run, &part->reading);
	return value_print(&value, run_arena(run));
}

struct slice template_expand(struct run *run, const struct template *template, enum template_use use,
			     size_t name_length)
{
	struct text text;

	text_init(&text, run_arena(run), uses[use].limit);
	for (size_t i = 0; i < template->count; i++) {
		struct slice piece = print_part(run, &template->parts[i], use);

		bool of_file = !template->parts[i].reading.fact && !template->parts[i].is_capture;
		void (*add)(struct text *, char) = of_file || !uses[use].add_fact ? uses[use].add : uses[use].add_fact;

		for (size_t k = 0; k < piece.n && !text.cut; k++)
			add(&text, piece.p[k]);
	}
	if (use == FOR_HEADER)
		return header_safe(text_slice(&text), name_length, run_arena(run));
	return text_slice(&text);
}
