/*
 * subject.c - a prefix of the subject.
 *
 * The prefix is encoded separately, so that the text of the sender stays unchanged. A subject that already has the
 * prefix, encoded or not, is left as it is: a reply to a message of a list comes back with "Re: [list] ...". So
 * reply marks and other texts in brackets before it are skipped.
 */
#include "gate_private.h"
#include "mime.h"

#include <string.h>

static bool is_blank_at(struct slice text, size_t i)
{
	return i < text.n && (text.p[i] == ' ' || text.p[i] == '\t');
}

/* The text of the sender, unchanged, except for line ends that are not folds: after one of them a new field would
 * begin. MTAs do not pass them, but another program that speaks the protocol may. */
static struct slice kept(struct slice old, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, old.n);
	for (size_t i = 0; i < old.n; i++) {
		bool cr_of_fold = old.p[i] == '\r' && i + 1 < old.n && old.p[i + 1] == '\n' && is_blank_at(old, i + 2);
		bool lf_of_fold = old.p[i] == '\n' && is_blank_at(old, i + 1);

		if (cr_of_fold)
			continue;
		text_add_char(&text, (old.p[i] == '\r' || old.p[i] == '\n') && !lf_of_fold ? ' ' : old.p[i]);
	}
	return text_slice(&text);
}

/* ---- is it there? -------------------------------------------------------------------------- */

/* The length of a number in brackets at the start of the text, as in "Re[2]:". */
static size_t counter_length(struct slice text)
{
	size_t n = 1;

	if (text.n == 0 || (text.p[0] != '[' && text.p[0] != '(' && text.p[0] != '^'))
		return 0;
	while (n < text.n && is_digit(text.p[n]))
		n++;
	if (n == 1)
		return 0;
	return text.p[0] == '^' ? n : n < text.n && (text.p[n] == ']' || text.p[n] == ')') ? n + 1 : 0;
}

/* The length of a mark of a reply or of forwarding at the start of the text, including the colon; 0: none. */
static size_t mark_length(struct slice text)
{
	static const char *const marks[] = {"Re", "Fw", "Fwd", "Aw", "Wg", "Sv", "Vs", "Antw", "Tr", "Rv", NULL};

	for (size_t i = 0; marks[i]; i++) {
		size_t n = strlen(marks[i]);

		if (!slice_starts_nocase(text, slice_of(marks[i])))
			continue;
		n += counter_length(slice_from(text, n));
		if (n < text.n && text.p[n] == ':')
			return n + 1;
	}
	return 0;
}

static size_t bracket_length(struct slice text)
{
	if (text.n == 0 || text.p[0] != '[')
		return 0;
	return (size_t)(slice_find(text, ']') + 1);
}

static bool has_prefix(struct slice subject, struct slice prefix, struct arena *arena)
{
	struct slice rest = slice_trim(header_decode(subject, arena));
	size_t passed;

	do {
		if (slice_starts_nocase(rest, prefix))
			return true;
		passed = mark_length(rest);
		if (passed == 0)
			passed = bracket_length(rest);
		rest = slice_trim(slice_from(rest, passed));
	} while (passed > 0);
	return false;
}

bool subject_prefix(struct slice prefix, struct slice old, struct arena *arena, struct slice *value_r)
{
	struct slice words = slice_trim(prefix);
	struct slice safe = header_safe(words, sizeof("Subject: ") - 1, arena);
	bool blank = prefix.n && is_blank_at(prefix, prefix.n - 1);

	if (has_prefix(old, words, arena))
		return false;
	old = kept(is_blank_at(old, 0) ? slice_from(old, 1) : old, arena);
	if (!slice_equal(safe, words))
		blank = true; /* an encoded word ends at a blank (RFC 2047 5) */
	*value_r = arena_join(arena, SLICE(" "), safe, blank && old.n ? SLICE(" ") : SLICE(""), old);
	return true;
}
