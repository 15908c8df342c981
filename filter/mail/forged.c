/*
 * forged.c - which server an Authentication-Results field claims to be from
 * (RFC 8601 2.2), and whether a reader could take it for ours.
 *
 * Mail programs, filters and scripts read the field later, and few of them follow
 * the RFC exactly. A field that any of them could take for ours must be removed
 * (RFC 8601 5). Therefore there are two parsers here.
 *
 * The strict one (authres_parse.c) returns the authserv-id. When the field is
 * plain (it begins with the id, a simple word; the rest follows the RFC; no control
 * bytes anywhere), all readers agree with the strict parser, and nothing else is
 * checked: our name in a comment or a property of another host's field is not a
 * forgery.
 *
 * All other fields are ambiguous: for one reader a comment ends at the first
 * parenthesis, for another at the last; quotes may hide it or not; control bytes or
 * the eighth bit may be dropped. In such a field the id counts as claimed wherever
 * it occurs as a word, whatever bytes are inserted into it. This also removes some
 * fields of others, on purpose: a malformed field proves nothing.
 *
 * Time is linear in the length of the value.
 */
#include "authres_private.h"

#include <string.h>

/* At most this many words with bytes over 127 in one malformed field are converted as domains, which costs time. Honest
 * fields have far fewer; a field with more counts as forged. */
#define ODD_WORDS_MAX 8

/* A word that is longer than any domain in UTF-8 is not a domain. */
#define ODD_WORD_MAX 1024

static bool is_fws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_eight_bit(char c)
{
	return (unsigned char)c >= 0x80;
}

/* The characters that every reader accepts in a host name. A token of RFC 2045 allows more; not all readers do. */
static bool is_word(char c)
{
	return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
}

/* ---- the strict reader ------------------------------------------------------------ */

/* True when no reader can misread the id: see above. */
static bool is_plain(struct slice value, struct slice id)
{
	size_t start = 0;

	while (start < value.n && is_fws(value.p[start]))
		start++;
	if (value.p + start != id.p) /* a comment or a quote comes before it */
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!is_word(id.p[i]))
			return false;
	for (size_t i = 0; i < value.n; i++) {
		size_t line_end = value.p[i] == '\r' && i + 1 < value.n && value.p[i + 1] == '\n' ? i + 1 : i;

		if (value.p[line_end] == '\n' && line_end + 1 < value.n &&
		    (value.p[line_end + 1] == ' ' || value.p[line_end + 1] == '\t'))
			i = line_end; /* folding; any other line end could begin a new field */
		else if (is_control(value.p[i]) && value.p[i] != '\t')
			return false;
	}
	return true;
}

/* ---- all other readers -------------------------------------------------------------- */

/* How a reader treats bytes over 127: it drops them, or clears their highest bit. */
enum eight_bit { DROPPED, MASKED };

static char seen(char c, enum eight_bit eight_bit)
{
	if (eight_bit == MASKED)
		c = (char)(c & 0x7f);
	return to_lower(c);
}

/* Bytes that some readers drop silently. */
static bool is_dropped(char c, enum eight_bit eight_bit)
{
	return (eight_bit == DROPPED && is_eight_bit(c)) || is_control(seen(c, eight_bit)) || c == ' ' || c == '"' ||
	       c == '\\';
}

/* True when `text` begins with the id, whatever droppable bytes are in it, and the word ends there (trailing dots are
 * ignored). */
static bool begins_with(struct slice text, struct slice id, enum eight_bit eight_bit)
{
	size_t i = 0, matched = 0;

	for (; i < text.n && matched < id.n; i++) {
		if (seen(text.p[i], eight_bit) == id.p[matched])
			matched++;
		else if (!is_dropped(text.p[i], eight_bit))
			return false;
	}
	while (i < text.n && text.p[i] == '.')
		i++;
	return matched == id.n && (i == text.n || !is_word(text.p[i]));
}

/* True when a word can begin at `i`. Values of properties and hosts of addresses do not begin a word, quoted or not;
 * but at the start of the field, a reader may skip anything as garbage. */
static bool word_begins(struct slice text, size_t i, bool nothing_before)
{
	char before;

	if (i == 0 || nothing_before)
		return true;
	before = text.p[i - 1];
	if (before == '"' && i > 1)
		before = text.p[i - 2];
	return !is_word(before) && before != '=' && before != '@' && before != '/' && before != ':';
}

static bool contains(struct slice text, struct slice id, enum eight_bit eight_bit)
{
	bool nothing_before = true;

	for (size_t i = 0; i < text.n; i++) {
		if (seen(text.p[i], eight_bit) == id.p[0] && word_begins(text, i, nothing_before) &&
		    begins_with(slice_from(text, i), id, eight_bit))
			return true;
		if (is_word(text.p[i]))
			nothing_before = false;
	}
	return false;
}

/* The text without its comments, for ids with comments between their parts (RFC 5322 4.4 allows them in domains).
 * `naive`: comments do not nest, and backslashes and quotes mean nothing. */
static struct slice without_comments(struct slice text, bool naive, struct arena *arena)
{
	char *kept = arena_raw(arena, text.n);
	size_t n = 0, depth = 0;
	bool in_quotes = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\\' && !naive && i + 1 < text.n) {
			if (depth == 0)
				kept[n++] = text.p[i + 1];
			i++;
			continue;
		}
		if (c == '"' && !naive && depth == 0)
			in_quotes = !in_quotes;
		if (c == '(' && !in_quotes)
			depth = naive ? 1 : depth + 1;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth == 0)
			kept[n++] = c;
	}
	return (struct slice){kept, n};
}

/* The next word that contains bytes over 127, without droppable bytes; false at the end. */
static bool next_odd_word(struct slice *rest, char buffer[ODD_WORD_MAX], struct slice *word_r)
{
	size_t i = 0, n = 0;
	bool odd = false;

	for (; i < rest->n; i++) {
		char c = rest->p[i];

		if (is_word(c) || is_eight_bit(c)) {
			odd = odd || is_eight_bit(c);
			if (n < ODD_WORD_MAX)
				buffer[n] = c;
			n++;
		} else if (c == '\\' || (is_control(c) && !is_fws(c))) {
			continue;
		} else if (odd) {
			break;
		} else {
			n = 0;
		}
	}
	*rest = slice_from(*rest, i);
	*word_r = (struct slice){buffer, n < ODD_WORD_MAX ? n : ODD_WORD_MAX};
	return odd;
}

/* Normalises an id for comparison: as a domain, whatever it is, without trailing dots. */
static struct slice id_normalise(struct slice id, struct arena *arena)
{
	bool valid;

	id = slice_trim(id);
	while (id.n > 0 && id.p[id.n - 1] == '.')
		id.n--;
	return domain_normalise(id, arena, &valid);
}

/* Our id in U-labels, or in other characters that IDNA maps to it. */
static bool contains_odd(struct slice value, struct slice id, struct arena *arena)
{
	char buffer[ODD_WORD_MAX];
	struct slice word;

	for (unsigned words = 0; next_odd_word(&value, buffer, &word); words++)
		if (words == ODD_WORDS_MAX || slice_equal(id_normalise(word, arena), id))
			return true;
	return false;
}

/* RFC 2047 words are not allowed in the field (RFC 2047 5), but some readers decode them first. */
static bool contains_encoded_word(struct slice value)
{
	return value.p && memmem(value.p, value.n, "=?", 2) && memmem(value.p, value.n, "?=", 2);
}

static bool could_be_taken_for(struct slice value, struct slice id, struct arena *arena)
{
	struct slice texts[] = {value, without_comments(value, false, arena), without_comments(value, true, arena)};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (contains(texts[i], id, DROPPED) || contains(texts[i], id, MASKED))
			return true;
	return contains_odd(value, id, arena) || contains_encoded_word(value);
}

/* Ignores blanks at the ends of the name, and droppable bytes anywhere in it. */
static bool is_authentication_results(struct slice name)
{
	static const struct slice wanted = SLICE("authentication-results");
	size_t matched = 0;

	name = slice_trim(name);
	for (size_t i = 0; i < name.n; i++) {
		if (is_control(name.p[i]) || is_eight_bit(name.p[i]))
			continue;
		if (matched == wanted.n || seen(name.p[i], DROPPED) != wanted.p[matched])
			return false;
		matched++;
	}
	return matched == wanted.n;
}

bool authres_is_forged(const struct header_field *field, struct slice id, struct arena *arena)
{
	struct slice claimed, rest, ours;
	uint64_t version;

	if (!is_authentication_results(field->name))
		return false;
	ours = id_normalise(id, arena);
	if (ours.n == 0)
		return false;
	if (!authres_read_id(field->value, arena, &claimed, &version, &rest))
		return could_be_taken_for(field->value, ours, arena);
	if (slice_equal(id_normalise(claimed, arena), ours))
		return true;
	/* A plain field can be misread in one way: "mx 1" as the id mx1. */
	if (is_plain(field->value, claimed))
		return begins_with(slice_trim(field->value), ours, DROPPED);
	return could_be_taken_for(field->value, ours, arena);
}
