/*
 * received_for.c - the recipient that a server wrote into its Received field: "for <bob@example.org>" (RFC 5321 4.4).
 *
 * What the client says (HELO, names in comments) comes before it. A word "for" outside of comments that is followed by
 * an address counts; the last one, since HELO can have no blanks at the servers that write the field. Nothing rests on
 * it: whoever sends can write such fields.
 */
#include "mail.h"

#define RECEIVED_MAX 8192 /* bytes of a field, as received_parse reads */

/* Skips a comment with those in it; the text begins with "(". */
static struct slice without_comment(struct slice rest)
{
	size_t depth = 0, i = 0;

	for (; i < rest.n; i++) {
		if (rest.p[i] == '\\')
			i++;
		else if (rest.p[i] == '(')
			depth++;
		else if (rest.p[i] == ')' && --depth == 0)
			return slice_from(rest, i + 1);
	}
	return slice_from(rest, rest.n);
}

/* The next word outside of comments; false at the end. */
static bool next_word(struct slice *rest, struct slice *word_r)
{
	size_t n = 0;

	for (*rest = slice_trim(*rest); rest->n > 0 && (rest->p[0] == '(' || rest->p[0] == ';');
	     *rest = slice_trim(*rest))
		*rest = rest->p[0] == '(' ? without_comment(*rest) : slice_from(*rest, 1);
	while (n < rest->n && !is_space(rest->p[n]) && rest->p[n] != '(' && rest->p[n] != ';')
		n++;
	*word_r = slice_head(*rest, n);
	*rest = slice_from(*rest, n);
	return n > 0;
}

bool received_for(struct slice value, struct arena *arena, struct address *address_r)
{
	struct slice rest = slice_head(value, RECEIVED_MAX), word;
	bool follows = false, found = false;

	while (next_word(&rest, &word)) {
		struct address address;

		if (follows && slice_find(word, '@') > 0) {
			address = address_parse_path(word, arena);
			if (address.valid && address.domain.n > 0) {
				*address_r = address;
				found = true;
			}
		}
		follows = slice_equal_nocase(word, SLICE("for"));
	}
	return found;
}
