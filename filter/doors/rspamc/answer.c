/*
 * answer.c - what Exim is told: two lines that its spam condition reads, then what becomes $spam_report: the action,
 * the reply line by line, and the changes of the header for the ACL of conf/exim.conf.
 *
 * A folded line goes on with a tab: no value can look like another line of the answer. The size of the changes comes
 * before them: a message is not accepted with a part of them.
 */
#include "rspamc_private.h"

#define REPLY_ROOM 4000 /* bytes of all lines of a reply */

static const char *const actions[] = {
    [GATE_CONTINUE] = "no action", [GATE_REFUSE] = "reject", [GATE_DISCARD] = "discard"};

/* The condition is true for a verdict, so that an ACL that knows nothing else refuses, too. */
static void print_verdict(const char *action, bool verdict, struct text *text)
{
	text_printf(text, "RSPAMD/1.3 0 EX_OK\r\nMetric: default; %s; %s / 1.00 / 1.00\r\nAction: %s\r\n",
		    verdict ? "True" : "False", verdict ? "1.00" : "0.00", action);
}

/* The code comes with the first line only. */
static void print_reply(const struct reply *reply, struct text *text)
{
	size_t began = text->n;

	for (size_t i = 0; i < reply->line_count; i++) {
		text_add(text, SLICE("Reply: "));
		if (i == 0) {
			text_add_number(text, reply->code, 3);
			text_add_char(text, ' ');
			text_add(text, reply->enhanced);
			text_add_char(text, ' ');
		}
		for (size_t j = 0; j < reply->lines[i].n; j++) {
			char c = reply->lines[i].p[j];

			text_add_char(text, c >= ' ' && c <= '~' ? c : '?');
		}
		text_add(text, SLICE("\r\n"));
		if (text->n - began > REPLY_ROOM && i + 1 < reply->line_count) {
			text_add(text, SLICE("Reply: [...]\r\n"));
			return;
		}
	}
}

/* Printable, without what separates names in the answer, and in Exim's list of them, where one that begins with ^ is a
 * regular expression. */
static bool is_plain_name(struct slice name)
{
	if (name.n > 0 && name.p[0] == '^')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == ':')
			return false;
	return name.n > 0;
}

static void print_line(struct slice line, struct text *text)
{
	for (size_t i = 0; i < line.n; i++)
		text_add_char(text, is_control(line.p[i]) && line.p[i] != '\t' ? '?' : line.p[i]);
	text_add(text, SLICE("\r\n"));
}

static bool print_field(const char *what, const struct header_field *field, struct text *text)
{
	struct slice rest = field->value, line;
	bool first = true;

	if (!is_plain_name(field->name))
		return false;
	text_printf(text, "%s: %.*s: ", what, SLICE_ARGS(field->name));
	for (; slice_cut(&rest, '\n', &line); first = false) {
		line = slice_trim(line);
		if (line.n == 0 && !first)
			continue;
		if (!first)
			text_add_char(text, '\t');
		print_line(line, text);
	}
	if (first)
		text_add(text, SLICE("\r\n"));
	return true;
}

/* False: a name cannot be said. */
static bool print_changes(const struct header_changes *changes, struct text *text)
{
	bool said = true;

	for (size_t i = 0; i < changes->removed_count; i++) {
		said &= is_plain_name(changes->removed[i]);
		text_printf(text, "%s%.*s", i == 0 ? "Remove: " : " : ", SLICE_ARGS(changes->removed[i]));
	}
	if (changes->removed_count > 0)
		text_add(text, SLICE("\r\n"));
	for (size_t i = 0; i < changes->appended_count; i++)
		said &= print_field("Append", &changes->appended[i], text);
	for (size_t i = 0; i < changes->inserted_count; i++)
		said &= print_field("Add", &changes->inserted[i], text);
	return said;
}

static void print_refusal(const struct reply *reply, struct text *text)
{
	print_verdict(reply->code >= 500 ? actions[GATE_REFUSE] : "soft reject", true, text);
	print_reply(reply, text);
}

/* The bytes of these lines as Exim has them in $spam_report: a line end and a blank before each, no CR, and nothing
 * that is blank at the end. An answer that is cut is known by it. */
static size_t reported_size(struct slice lines)
{
	size_t size = 0, blank = 0;
	struct slice line;

	while (slice_cut(&lines, '\n', &line) && line.n > 0) {
		struct slice seen = slice_head(line, line.n - (line.p[line.n - 1] == '\r'));

		size += 2 + seen.n;
		for (blank = 0; blank < seen.n && (unsigned char)seen.p[seen.n - 1 - blank] <= ' ';)
			blank++;
	}
	return size - blank;
}

/* False: they cannot be said. */
static bool print_pass(struct gate *gate, struct slice received, struct text *text)
{
	struct header_changes changes;
	struct text lines;
	bool said;

	gate_header_changes(gate, received, &changes);
	text_init(&lines, text->arena, ANSWER_MAX);
	said = print_changes(&changes, &lines);
	text_printf(text, "Size: %zu\r\n", reported_size(text_slice(&lines)));
	text_add(text, text_slice(&lines));
	return said && !lines.cut && !text->cut;
}

bool answer_print(struct gate *gate, enum gate_answer answer, struct slice received, struct text *text_r)
{
	struct text text;
	bool fits = true;

	text_init(&text, text_r->arena, ANSWER_MAX);
	if (answer == GATE_REFUSE) {
		print_refusal(gate_reply(gate), &text);
	} else {
		print_verdict(actions[answer], answer != GATE_CONTINUE, &text);
		if (answer == GATE_CONTINUE)
			fits = print_pass(gate, received, &text);
	}
	if (!fits) {
		text_init(&text, text_r->arena, ANSWER_MAX);
		print_refusal(gate_reply_unchanged(), &text);
	}
	text_add(text_r, text_slice(&text));
	return fits;
}
