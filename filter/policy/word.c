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
