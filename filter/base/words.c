/*
 * words.c - finds the intended word for a typing error: "did you mean".
 *
 * The distance is that of Damerau and Levenshtein: an extra, missing or wrong letter,
 * and two swapped neighbours, count one each.
 */
#include "base.h"

#include <string.h>

#define WORD_MAX 64 /* none of our words is longer, and the table stays small */

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Three rows of the table are enough: a swap of neighbours needs the row before the last. */
static unsigned distance(struct slice a, struct slice b)
{
	unsigned rows[3][WORD_MAX + 1];

	for (unsigned j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			char x = to_lower(a.p[i - 1]), y = to_lower(b.p[j - 1]);

			row[j] = smaller(smaller(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == to_lower(b.p[j - 2]) && y == to_lower(a.p[i - 2]))
				row[j] = smaller(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[a.n % 3][b.n];
}

/* An incomplete word: the only word that begins with it. */
static const char *only_longer(struct slice wrong, const char *const *words)
{
	const char *found = NULL;

	for (; wrong.n >= 3 && *words; words++) {
		if (!slice_starts_nocase(slice_of(*words), wrong))
			continue;
		if (found)
			return NULL;
		found = *words;
	}
	return found;
}

const char *nearest_word(struct slice wrong, const char *const *words)
{
	const char *const *all = words;
	/* One error in a short word, two in others, and never so many that little of the word is left. */
	unsigned allowed = smaller(wrong.n <= 4 ? 1 : 2, (unsigned)(wrong.n < WORD_MAX ? wrong.n + 1 : WORD_MAX) / 3);
	const char *nearest = NULL;

	if (wrong.n > WORD_MAX)
		return NULL;
	for (; *words; words++) {
		struct slice word = slice_of(*words);
		unsigned d;

		if (word.n > WORD_MAX)
			continue;
		d = distance(wrong, word);
		if (d > allowed || (nearest && d == allowed))
			continue;
		allowed = d;
		nearest = *words;
	}
	return nearest ? nearest : only_longer(wrong, all);
}
