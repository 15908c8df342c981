/*
 * reduce.c - what stays the same in an envelope sender that changes from message to message: forwarders (SRS), lists
 * that number their messages (VERP), signed senders (BATV), extensions (user+tag).
 *
 * Nothing is verified: whoever sends can write any of these forms. So the result is a key to compare senders of one
 * network, never a reason to trust one.
 */
#include "mail.h"

#define BATV_TAG    10 /* draft-levine-smtp-batv: a digit, three digits of the day, six hexadecimal digits */
#define BATV_DIGITS 4

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_word(char c)
{
	return is_digit(c) || is_letter(c) || (unsigned char)c >= 0x80;
}

/* ---- BATV --------------------------------------------------------------------------------------- */

static bool is_batv_tag(struct slice text)
{
	if (text.n != BATV_TAG)
		return false;
	for (size_t i = 0; i < BATV_TAG; i++)
		if (i < BATV_DIGITS ? !is_digit(text.p[i]) : !is_hex(text.p[i]))
			return false;
	return true;
}

/* prvs=TAG=user; some write prvs=user=TAG, or prvs=user/TAG as the first drafts did. */
static struct slice without_batv(struct slice local)
{
	struct slice rest = slice_from(local, strlen("prvs="));
	ptrdiff_t last;

	if (!slice_starts_nocase(local, SLICE("prvs=")))
		return local;
	if (rest.n > BATV_TAG + 1 && rest.p[BATV_TAG] == '=' && is_batv_tag(slice_head(rest, BATV_TAG)))
		return slice_from(rest, BATV_TAG + 1);
	last = (ptrdiff_t)rest.n - BATV_TAG - 1;
	if (last > 0 && (rest.p[last] == '=' || rest.p[last] == '/') && is_batv_tag(slice_from(rest, (size_t)last + 1)))
		return slice_head(rest, (size_t)last);
	return local;
}

/* ---- SRS ---------------------------------------------------------------------------------------- */

static bool is_separator(char c)
{
	return c == '=' || c == '+' || c == '-';
}

/* What follows "SRS0=": HASH=TIME=host=user. */
static bool read_srs0(struct slice rest, struct slice *local_r, struct slice *domain_r)
{
	struct slice hash, time, host;

	if (!slice_cut(&rest, '=', &hash) || !slice_cut(&rest, '=', &time) || !slice_cut(&rest, '=', &host))
		return false;
	if (hash.n == 0 || time.n != 2 || host.n == 0 || !rest.p || rest.n == 0)
		return false;
	*local_r = rest;
	*domain_r = host;
	return true;
}

/* Whom an address of a forwarder stands for; also SRS1=HASH=host0=, then what followed "SRS0" with its separator. */
static bool read_srs(struct slice local, struct slice *local_r, struct slice *domain_r)
{
	struct slice rest, part;

	if (local.n < 6 || !is_separator(local.p[4]))
		return false;
	rest = slice_from(local, 5);
	if (slice_starts_nocase(local, SLICE("SRS0")))
		return read_srs0(rest, local_r, domain_r);
	if (!slice_starts_nocase(local, SLICE("SRS1")))
		return false;
	if (!slice_cut(&rest, '=', &part) || !slice_cut(&rest, '=', &part) || !rest.p || rest.n < 2)
		return false;
	return is_separator(rest.p[0]) && read_srs0(slice_from(rest, 1), local_r, domain_r);
}

/* ---- extensions and numbers --------------------------------------------------------------------- */

static struct slice without_tag(struct slice local)
{
	ptrdiff_t plus = slice_find(local, '+');

	return plus > 0 ? slice_head(local, (size_t)plus) : local;
}

static bool is_number(struct slice word)
{
	for (size_t i = 0; i < word.n; i++)
		if (!is_digit(word.p[i]))
			return false;
	return word.n > 0;
}

/* A number that is not part of a word becomes "#". */
static struct slice without_numbers(struct slice local, struct arena *arena)
{
	struct text text;
	size_t end;

	text_init(&text, arena, local.n);
	for (size_t i = 0; i < local.n; i = end) {
		for (end = i; end < local.n && is_word(local.p[end]) == is_word(local.p[i]); end++)
			;
		struct slice part = {local.p + i, end - i};

		text_add(&text, is_number(part) ? SLICE("#") : part);
	}
	return text_slice(&text);
}

/* ---- all of it ---------------------------------------------------------------------------------- */

/* The local part and the domain of a folded address. */
static struct slice local_of(struct slice folded)
{
	ptrdiff_t at = slice_find_last(folded, '@');

	return at < 0 ? folded : slice_head(folded, (size_t)at);
}

struct slice address_mailbox(const struct address *address, struct arena *arena)
{
	struct slice folded = address_fold(address, arena), local = local_of(folded);

	if (!address->valid || address->domain.n == 0)
		return folded;
	return arena_join(arena, without_tag(without_batv(local)), SLICE("@"), address->domain);
}

struct slice address_stable(const struct address *address, struct arena *arena)
{
	struct slice folded = address_fold(address, arena), local = local_of(folded), domain = address->domain;
	bool valid;

	if (!address->valid || address->domain.n == 0)
		return folded;
	if (read_srs(local, &local, &domain))
		domain = domain_normalise(domain, arena, &valid);
	return arena_join(arena, without_numbers(without_tag(without_batv(local)), arena), SLICE("@"), domain);
}
