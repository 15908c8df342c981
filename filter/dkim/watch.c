/*
 * watch.c - does a body hold what mail servers change on the way: long lines, bytes of eight bits?
 *
 * Nearly all lines are short, so not every line end is searched: from the last known one, a whole line length is
 * skipped, and the nearest line end before that place is found within a few bytes.
 */
#include "dkim_private.h"
#include <string.h>

#define WORDS    8 /* compared together */
#define LINE_END 2

static bool has_eight_bits(struct slice chunk)
{
	const uint64_t eighth = 0x8080808080808080;
	uint64_t words[WORDS], seen = 0;
	unsigned char rest = 0;

	for (; chunk.n >= sizeof(words); chunk = slice_from(chunk, sizeof(words))) {
		memcpy(words, chunk.p, sizeof(words));
		for (int i = 0; i < WORDS; i++)
			seen |= words[i];
	}
	for (size_t i = 0; i < chunk.n; i++)
		rest |= (unsigned char)chunk.p[i];
	return (seen & eighth) != 0 || rest > 0x7f;
}

/* Where the text after its last line end begins; 0: it has no line end. */
static size_t after_last_line(struct slice text)
{
	size_t n = text.n;

	while (n > 0 && text.p[n - 1] != '\n')
		n--;
	return n;
}

void watch_add(struct watch *watch, struct slice chunk)
{
	struct dkim_noticed *noticed = &watch->noticed;

	noticed->eight_bits = noticed->eight_bits || has_eight_bits(chunk);
	while (!noticed->long_line && chunk.n > 0) {
		struct slice near = slice_head(chunk, watch->most - watch->line);
		size_t next = after_last_line(near);

		if (next == 0)
			watch->line += near.n;
		else
			watch->line = 0;
		noticed->long_line = watch->line == watch->most;
		chunk = slice_from(chunk, next > 0 ? next : near.n);
	}
}

void watch_end(struct watch *watch)
{
	if (watch->most > 0 && watch->line > watch->most - LINE_END)
		watch->noticed.long_line = true;
}
