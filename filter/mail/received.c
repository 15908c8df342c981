/*
 * received.c - reads the Received field (RFC 5321 4.4) that another server wrote:
 * which client it got the mail from, and its own name.
 *
 * The client controls much of the field: HELO, the names of its certificate and login, the envelope. None of this may
 * decide which address is read, or whether one is. So the address is taken only from a place that the server writes:
 * the comment "(NAME [IP])" or "(IP)" that is followed by "by", with nothing but other comments between them. Text
 * before it comes from the client, whatever it looks like. The first such place counts: after it, text of the client
 * follows again (sender, recipient). This holds for all relays that reject a HELO with blanks and parentheses; the ones
 * below do.
 *
 *     from HELO (NAME [IP]) by HOST                Postfix, Sendmail, amavis; NAME may be missing, or come after LOGIN@
 *     (from NAME [IP]) by HOST                     Sendmail, for a client that sent no HELO
 *     from HELO (IP) by HOST (IP)                  Exchange
 *     from NAME ([IP]:PORT helo=HELO) by HOST      Exim
 *     from [IP] (helo=HELO) by HOST                Exim, for a client without a name
 *     from NAME (HELO HELO) (IP) by HOST           qmail
 */
#include "mail.h"

#include <string.h>

#define RECEIVED_MAX 8192 /* bytes of a field; honest ones have some 500, HELO adds 2048 at most */
#define CUT_LINE_MIN 500  /* a longer line of a field was folded only because of its length */

static bool is_host_char(char c)
{
	return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
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

/* "( ... )" with nested comments; false when the text does not begin with a closed comment. */
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

/* Only characters of names, logins and addresses. */
static bool is_word_char(char c)
{
	return c > ' ' && c != '(' && c != ')' && c != '[' && c != ']' && c != '"';
}

/* "[IP]" at the start, as the servers write it. */
static bool take_literal(struct slice *rest, struct ip *ip_r)
{
	ptrdiff_t close = slice_find(*rest, ']');

	if (rest->n == 0 || rest->p[0] != '[' || close < 0)
		return false;
	if (ip_parse(slice_from(slice_head(*rest, (size_t)close), 1), ip_r) < 0)
		return false;
	*rest = slice_from(*rest, (size_t)close + 1);
	return true;
}

/* "HELO" of qmail and "helo=x@" of Exim: text of the client follows, not its address. */
static bool is_helo_mark(struct slice before)
{
	return slice_equal_nocase(before, SLICE("helo")) || slice_equal_nocase(before, SLICE("ehlo")) ||
	       slice_find(before, '=') >= 0;
}

/* " helo=NAME" after the address, as Exim writes it. */
static void read_exim_helo(struct slice tail, struct received *received)
{
	struct slice word;

	while (slice_word(&tail, &word))
		if (slice_starts_nocase(word, SLICE("helo=")))
			received->helo = slice_from(word, strlen("helo="));
}

/* Inside a comment: "NAME [IP]", "[IP] ...", "user@NAME [IP] (may be forged)", or the address alone. */
static bool read_client(struct slice inside, struct received *client_r)
{
	struct slice name;
	size_t n = 0;

	*client_r = (struct received){.helo = SLICE(""), .name = SLICE(""), .by = SLICE("")};
	if (ip_parse(inside, &client_r->ip) == 0)
		return true;
	while (n < inside.n && is_word_char(inside.p[n]))
		n++;
	name = slice_head(inside, n);
	inside = slice_trim(slice_from(inside, n));
	if (is_helo_mark(name) || !take_literal(&inside, &client_r->ip))
		return false;
	if (slice_find_last(name, '@') >= 0)
		name = slice_from(name, (size_t)slice_find_last(name, '@') + 1);
	client_r->name = is_host(name) ? name : SLICE("");
	read_exim_helo(inside, client_r);
	return true;
}

/* "by HOST (IP)" */
static bool read_by(struct slice rest, struct received *received)
{
	struct received self;
	struct slice comment;

	if (!slice_equal_nocase(take_word(&rest), SLICE("by")))
		return false;
	received->by = take_word(&rest);
	if (!is_host(received->by))
		return false;
	comment = received->by;
	if (!take_literal(&comment, &received->by_ip) && ip_parse(received->by, &received->by_ip) < 0 &&
	    take_comment(&rest, &comment) && read_client(comment, &self))
		received->by_ip = self.ip;
	return true;
}

/* At a "(": can this comment name a client? A cheap test, because a field can have thousands of comments. */
static bool may_name_client(struct slice text)
{
	size_t i = 1;

	while (i < text.n && text.p[i] == ' ')
		i++;
	while (i < text.n && is_word_char(text.p[i]))
		i++;
	while (i < text.n && text.p[i] == ' ')
		i++;
	return i < text.n && (text.p[i] == '[' || text.p[i] == ')');
}

/* At a "(": the comments from here on, up to "by". The last one that names a client is from the server: text of the
 * client comes before it, or has another form. */
static bool read_comments(struct slice rest, struct received *received, const char **at_r)
{
	const char *at = rest.p;
	struct received client;
	struct slice comment;
	bool found = false;

	while (take_comment(&rest, &comment)) {
		if (read_client(comment, &client)) {
			*received = client;
			*at_r = at;
			found = true;
		} else if (!found) {
			return false;
		}
		at = rest.p;
	}
	return found && read_by(rest, received);
}

/* The next place where a server describes its client: *at_r is the start of the comment. */
static bool find_place(struct slice text, size_t from, struct received *received, size_t *at_r)
{
	const char *at;

	for (size_t i = from; i < text.n; i++) {
		struct slice rest = slice_from(text, i);

		if (text.p[i] != '(' || !may_name_client(rest) || !read_comments(rest, received, &at))
			continue;
		*at_r = (size_t)(at - text.p);
		return true;
	}
	return false;
}

/* "NAME (HELO x)": the name that qmail found, and the HELO of the client. */
static void split_qmail_helo(struct received *received)
{
	struct slice rest = received->helo, name = take_word(&rest), comment;

	if (!take_comment(&rest, &comment) || rest.n > 0 || !slice_starts_nocase(comment, SLICE("helo ")))
		return;
	received->helo = slice_trim(slice_from(comment, strlen("helo ")));
	received->name = is_host(name) ? name : SLICE("");
}

static bool has_open_quote(struct slice text)
{
	size_t quotes = 0;

	for (size_t i = 0; i < text.n; i++)
		quotes += text.p[i] == '"';
	return quotes % 2 > 0;
}

/* After "from": "HELO (NAME [IP]) by HOST" */
static bool read_with_comment(struct slice rest, struct received *received)
{
	struct received other;
	struct slice helo;
	size_t at, again;

	if (!find_place(rest, 0, received, &at))
		return false;
	helo = slice_trim(slice_head(rest, at));
	/* One is inside a quote, and there is another: it is not clear which one the server wrote. */
	if (has_open_quote(helo) && find_place(rest, at + 1, &other, &again))
		return false;
	if (received->helo.n == 0)
		received->helo = helo;
	split_qmail_helo(received);
	return true;
}

/* After "from": "[IP] by HOST", "[IP] (port=N helo=HELO ident=X) by HOST" */
static bool read_without_name(struct slice rest, struct received *received)
{
	static const struct slice marks[] = {SLICE("helo="), SLICE("port="), SLICE("ident=")};
	struct slice literal = take_word(&rest), comment;
	bool marked = false;

	received->helo = literal;
	if (!take_literal(&literal, &received->ip) || (literal.n > 0 && literal.p[0] != ':'))
		return false;
	if (!take_comment(&rest, &comment))
		return read_by(rest, received);
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		marked = marked || slice_starts_nocase(comment, marks[i]);
	read_exim_helo(comment, received);
	return marked && read_by(rest, received);
}

/* "(from NAME [IP]) by HOST" */
static bool read_without_helo(struct slice rest, struct received *received)
{
	struct slice comment, inside;

	if (!take_comment(&rest, &comment))
		return false;
	inside = comment;
	if (!slice_equal_nocase(take_word(&inside), SLICE("from")))
		return false;
	return read_client(inside, received) && read_by(rest, received);
}

static bool read_field(struct slice rest, struct received *received)
{
	*received = (struct received){.helo = SLICE(""), .name = SLICE(""), .by = SLICE("")};
	if (rest.n > 0 && rest.p[0] == '(')
		return read_without_helo(rest, received);
	if (!slice_equal_nocase(take_word(&rest), SLICE("from")))
		return false;
	if (read_with_comment(rest, received))
		return true;
	*received = (struct received){.helo = SLICE(""), .name = SLICE(""), .by = SLICE("")};
	return read_without_name(rest, received);
}

/* A server splits a line that is longer than SMTP allows at any byte, even inside an address; a client with a long HELO
 * chooses where. Removes the line ends of such lines, and the blank after each. */
static struct slice without_cuts(struct slice value, struct arena *arena)
{
	struct text out;
	size_t line = 0;

	text_init(&out, arena, value.n);
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] != '\n') {
			text_add_char(&out, value.p[i]);
			line++;
			continue;
		}
		if (line < CUT_LINE_MIN)
			text_add_char(&out, '\n');
		else
			i++;
		line = 0;
	}
	return text_slice(&out);
}

bool received_parse(struct slice value, struct arena *arena, struct received *received_r)
{
	if (value.n <= RECEIVED_MAX) {
		value = arena_without(arena, value, '\r');
		if (read_field(header_unfold(value, arena), received_r) ||
		    read_field(header_unfold(without_cuts(value, arena), arena), received_r))
			return true;
	}
	*received_r = (struct received){.helo = SLICE(""), .name = SLICE(""), .by = SLICE("")};
	return false;
}
