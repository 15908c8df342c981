/*
 * received.c - reads the Received field (RFC 5321 4.4) that another server wrote:
 * whom it took the mail from, and what it calls itself.
 *
 * Only the forms that servers really write are read, and those strictly, for the HELO name and the reverse
 * name in it are the client's. "from HELO (NAME [IP]) by HOST" is what Postfix and Sendmail write,
 * "from HELO (IP) by HOST (IP)" Exchange, "from NAME ([IP] helo=HELO) by HOST" Exim. The address is the first one of
 * the first comment; what stands before it can only be one name. Nothing else is ever taken for the address.
 */
#include "mail.h"

#define RECEIVED_MAX 8192 /* bytes of a field; honest ones have some 500 */

static bool is_host_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
	       c == '_';
}

/* A host name or an address literal. */
static bool is_host(struct slice word)
{
	struct ip ip;

	if (word.n > 2 && word.p[0] == '[' && word.p[word.n - 1] == ']')
		return ip_parse((struct slice){word.p + 1, word.n - 2}, &ip) == 0;
	for (size_t i = 0; i < word.n; i++)
		if (!is_host_char(word.p[i]))
			return false;
	return word.n > 0 && word.n <= MAIL_DOMAIN_MAX;
}

/* The next word; it ends before a blank, "(" or ";". */
static struct slice take_word(struct slice *rest)
{
	size_t n = 0;
	struct slice word;

	*rest = slice_trim(*rest);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t' && rest->p[n] != '(' && rest->p[n] != ';')
		n++;
	word = slice_head(*rest, n);
	*rest = slice_trim(slice_from(*rest, n));
	return word;
}

/* "( ... )" with comments inside of it; false when the text begins with none that is closed. */
static bool take_comment(struct slice *rest, struct slice *inside_r)
{
	unsigned depth = 0;

	for (size_t i = 0; i < rest->n; i++) {
		if (rest->p[i] == '\\') {
			i++;
			continue;
		}
		depth += rest->p[i] == '(' ? 1 : 0;
		if (depth == 0)
			return false;
		depth -= rest->p[i] == ')' ? 1 : 0;
		if (depth > 0)
			continue;
		*inside_r = slice_trim((struct slice){rest->p + 1, i - 1});
		*rest = slice_trim(slice_from(*rest, i + 1));
		return true;
	}
	return false;
}

/* " helo=NAME" behind the address, as Exim writes it. */
static void read_exim_helo(struct slice tail, struct received *received)
{
	struct slice word;

	while (slice_word(&tail, &word))
		if (slice_starts_nocase(word, SLICE("helo=")) && is_host(slice_from(word, 5)))
			received->helo = slice_from(word, 5);
}

/* "(HELO [IP]) (IP)" of qmail and "(helo=x@[IP])" of Exim: what follows is the client's word, and no address of it. */
static bool is_helo_mark(struct slice before)
{
	return slice_equal_nocase(before, SLICE("helo")) || slice_equal_nocase(before, SLICE("ehlo")) ||
	       slice_find(before, '=') >= 0;
}

/* "NAME [IP]", "[IP] ...", "user@NAME [IP] (may be forged)", or the address alone. */
static bool read_client(struct slice comment, struct received *received)
{
	ptrdiff_t open = slice_find(comment, '['), close;
	struct slice before, tail;

	if (open < 0)
		return ip_parse(comment, &received->ip) == 0;
	before = slice_trim(slice_head(comment, (size_t)open));
	if (is_helo_mark(before))
		return false;
	if (slice_find_last(before, '@') >= 0)
		before = slice_from(before, (size_t)slice_find_last(before, '@') + 1);
	if (before.n > 0 && !is_host(before))
		return false;
	tail = slice_from(comment, (size_t)open + 1);
	close = slice_find(tail, ']');
	if (close < 0 || ip_parse(slice_head(tail, (size_t)close), &received->ip) < 0)
		return false;
	received->name = before;
	read_exim_helo(slice_from(tail, (size_t)close + 1), received);
	return true;
}

static bool read_field(struct slice rest, struct received *received)
{
	struct slice comment;

	if (!slice_equal_nocase(take_word(&rest), SLICE("from")))
		return false;
	received->helo = take_word(&rest);
	/* Servers write a blank behind it: a comment that touches it is a part of what the client said. */
	if (rest.p == received->helo.p + received->helo.n)
		return false;
	if (!is_host(received->helo) || !take_comment(&rest, &comment) || !read_client(comment, received))
		return false;
	while (take_comment(&rest, &comment)) /* of TLS and the like */
		continue;
	if (!slice_equal_nocase(take_word(&rest), SLICE("by")))
		return false;
	received->by = take_word(&rest);
	if (!is_host(received->by))
		return false;
	if (take_comment(&rest, &comment))
		ip_parse(comment, &received->by_ip);
	return true;
}

bool received_parse(struct slice value, struct arena *arena, struct received *received_r)
{
	*received_r = (struct received){.helo = SLICE(""), .name = SLICE(""), .by = SLICE("")};
	if (value.n <= RECEIVED_MAX && read_field(header_unfold(value, arena), received_r))
		return true;
	*received_r = (struct received){.helo = SLICE(""), .name = SLICE(""), .by = SLICE("")};
	return false;
}
