/*
 * fold.c - which texts are the same mailbox: without regard to case and quotes, and in Unicode NFC (RFC 6532 3.1).
 *
 * libunistring knows the letters beyond ASCII. Their lower case is taken, not their case folding, which would make one
 * mailbox of "strasse" and of the same word with a sharp s.
 */
#include "mail.h"

#include <stdlib.h>
#include <unicase.h>

#define FOLDED_MAX                                                                                                     \
	1024 /* bytes of a local part beyond ASCII; RFC 5321 4.5.3.1.1 allows 64 octets. Longer ones keep them */

size_t mail_fold_into(struct slice text, char *out, size_t room)
{
	size_t n = room;
	uint8_t *folded;

	if (slice_is_ascii(text) || !slice_is_utf8(text)) {
		if (text.n > room)
			return 0;
		for (size_t i = 0; i < text.n; i++)
			out[i] = to_lower(text.p[i]);
		return text.n;
	}
	folded = u8_tolower((const uint8_t *)text.p, text.n, NULL, UNINORM_NFC, (uint8_t *)out, &n);
	if (folded == (uint8_t *)out)
		return n;
	free(folded); /* it needs more room */
	return 0;
}

struct slice mail_fold(struct slice text, struct arena *arena)
{
	size_t room = 3 * text.n; /* the lower case of a letter, in NFC, has at most three times its bytes */
	char *out;
	size_t n;

	if (slice_is_ascii(text))
		return arena_lower(arena, text);
	out = arena_raw(arena, room);
	n = mail_fold_into(text, out, room);
	return n ? (struct slice){out, n} : arena_lower(arena, text);
}

/* The next byte of a local part without quoting; -1 at the end. A bare quote is skipped. */
static int next_meant(struct slice *local)
{
	unsigned char c;

	while (local->n > 0 && local->p[0] == '"')
		*local = slice_from(*local, 1);
	if (local->n > 1 && local->p[0] == '\\')
		*local = slice_from(*local, 1);
	if (local->n == 0)
		return -1;
	c = (unsigned char)local->p[0];
	*local = slice_from(*local, 1);
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Beyond ASCII. 0: it is too long. */
static size_t fold_local(struct slice local, char out[FOLDED_MAX])
{
	char meant[FOLDED_MAX];
	size_t n = 0;
	int c;

	while ((c = next_meant(&local)) >= 0) {
		if (n == sizeof(meant))
			return 0;
		meant[n++] = (char)c;
	}
	return mail_fold_into((struct slice){meant, n}, out, FOLDED_MAX);
}

static bool same_folded(struct slice a, struct slice b, bool *same_r)
{
	char x[FOLDED_MAX], y[FOLDED_MAX];
	size_t n = fold_local(a, x), m = fold_local(b, y);

	if (n == 0 || m == 0)
		return false;
	*same_r = slice_equal((struct slice){x, n}, (struct slice){y, m});
	return true;
}

bool address_same_local(const struct address *a, const struct address *b)
{
	struct slice x = a->local, y = b->local;
	bool same;
	int c;

	if ((!slice_is_ascii(x) || !slice_is_ascii(y)) && same_folded(x, y, &same))
		return same;
	do {
		c = next_meant(&x);
		if (c != next_meant(&y))
			return false;
	} while (c >= 0);
	return true;
}

bool address_equal(const struct address *a, const struct address *b)
{
	if (!a->valid || !b->valid || !slice_equal(a->domain, b->domain) || !address_same_local(a, b))
		return false;
	/* The null sender equals only itself; "" is an empty local part. */
	return (a->text.n == 0) == (b->text.n == 0);
}

struct slice address_fold(const struct address *address, struct arena *arena)
{
	struct slice local = address->local;
	struct text text;
	int c;

	if (!address->valid || address->domain.n == 0)
		return mail_fold(address->text, arena);
	text_init(&text, arena, local.n + 1 + address->domain.n);
	while ((c = next_meant(&local)) >= 0)
		text_add_char(&text, (char)c);
	text_add_char(&text, '@');
	text_add(&text, address->domain);
	return mail_fold(text_slice(&text), arena);
}
