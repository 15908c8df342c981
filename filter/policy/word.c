/*
 * word.c - what a word of the file says.
 */
#include "syntax.h"

struct slice word_value(const struct word *word, struct arena *arena)
{
	struct text text;

	if (word->kind != WORD_QUOTED || slice_find(word->text, '\\') < 0)
		return word->text;
	text_init(&text, arena, word->text.n);
	for (size_t i = 0; i < word->text.n; i++) {
		if (word->text.p[i] == '\\' && i + 1 < word->text.n)
			i++;
		text_add_char(&text, word->text.p[i]);
	}
	return text_slice(&text);
}

bool word_has_comma(const struct word *word)
{
	return word->kind == WORD_PLAIN && slice_find(word->text, ',') >= 0;
}

bool syntax_is_condition_first(struct slice word)
{
	static const char *const words[] = {"if", "when", "unless"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_equal_nocase(word, slice_of(words[i])))
			return true;
	return false;
}
