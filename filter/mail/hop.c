/*
 * hop.c - a Received field as its writer meant it, for a person who reads a header: all its parts, whoever wrote them.
 *
 * Nothing is decided by this: received.c says which client can be believed. Here a part is missing when it cannot be
 * read, and text inside comments never counts as a part.
 */
#include "mail.h"

#include <string.h>
#include <time.h>

#define HOP_BYTES_MAX  8192 /* honest fields have some 500 */
#define DATE_BYTES_MAX 200

/* ---- dates (RFC 5322 3.3, 4.3) ---------------------------------------------------------- */

/* Without comments, which may be nested; a comment without an end is dropped with all after it. */
static struct slice without_comments(struct slice text, struct arena *arena)
{
	struct text out;
	unsigned depth = 0;

	text_init(&out, arena, text.n);
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == '\\') {
			i++;
			continue;
		}
		if (c == '(' && depth++ == 0)
			text_add_char(&out, ' ');
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth == 0)
			text_add_char(&out, c);
	}
	return text_slice(&out);
}

static int month_read(struct slice word)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (int month = 0; word.n == 3 && month < 12; month++)
		if (slice_equal_nocase(word, (struct slice){names + 3 * month, 3}))
			return month;
	return -1;
}

/* "17:39:40", "17:39" */
static bool clock_read(struct slice text, struct tm *tm)
{
	int *parts[] = {&tm->tm_hour, &tm->tm_min, &tm->tm_sec};
	static const uint64_t most[] = {23, 59, 60};
	struct slice part;
	size_t count = 0;

	while (slice_cut(&text, ':', &part)) {
		uint64_t number;
		if (count == 3 || part.n == 0 || part.n > 2 || slice_number(part, most[count], &number) < 0)
			return false;
		*parts[count++] = (int)number;
	}
	return count >= 2;
}

/* "+0100" in seconds; unknown names count as UTC (RFC 5322 4.3). */
static bool zone_read(struct slice word, int64_t *offset_r)
{
	static const struct {
		const char *name;
		int hours;
	} names[] = {{"EDT", -4}, {"EST", -5}, {"CDT", -5}, {"CST", -6},
		     {"MDT", -6}, {"MST", -7}, {"PDT", -7}, {"PST", -8}};
	uint64_t number;

	*offset_r = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_equal_nocase(word, slice_of(names[i].name)))
			*offset_r = names[i].hours * 3600;
	if (word.n == 0 || (word.p[0] != '+' && word.p[0] != '-'))
		return true;
	if (word.n != 5 || slice_number(slice_from(word, 1), 9959, &number) < 0 || number % 100 > 59)
		return false;
	*offset_r = (int64_t)(number / 100 * 3600 + number % 100 * 60) * (word.p[0] == '-' ? -1 : 1);
	return true;
}

static bool year_read(struct slice word, struct tm *tm)
{
	uint64_t year;

	if (word.n < 2 || word.n > 4 || slice_number(word, 9999, &year) < 0)
		return false;
	if (word.n == 2) /* RFC 5322 4.3 */
		year += year < 50 ? 2000 : 1900;
	else if (word.n == 3)
		year += 1900;
	tm->tm_year = (int)year - 1900;
	return year >= 1900;
}

bool date_read(struct slice text, struct arena *arena, int64_t *seconds_r)
{
	struct slice rest = without_comments(slice_head(text, DATE_BYTES_MAX), arena), word, zone = SLICE("");
	ptrdiff_t comma = slice_find(rest, ',');
	struct tm tm = {0};
	uint64_t day;
	int64_t offset;

	rest = slice_from(rest, (size_t)(comma + 1));
	if (!slice_word(&rest, &word) || slice_number(word, 31, &day) < 0 || day == 0)
		return false;
	tm.tm_mday = (int)day;
	if (!slice_word(&rest, &word) || (tm.tm_mon = month_read(word)) < 0)
		return false;
	if (!slice_word(&rest, &word) || !year_read(word, &tm))
		return false;
	if (!slice_word(&rest, &word) || !clock_read(word, &tm))
		return false;
	slice_word(&rest, &zone);
	if (!zone_read(zone, &offset))
		return false;
	*seconds_r = (int64_t)timegm(&tm) - offset;
	return true;
}

/* ---- the field --------------------------------------------------------------------------- */

/* "TLSv1.3", "TLS1_2" in a comment that the server wrote about the connection. */
static struct slice tls_version(struct slice comment)
{
	for (size_t i = 0; i + 4 < comment.n; i++) {
		struct slice rest = slice_from(comment, i);
		size_t n = 3;

		if (!slice_starts_nocase(rest, SLICE("TLSv1")) && !slice_starts_nocase(rest, SLICE("TLS1")))
			continue;
		while (n < rest.n && (is_digit(rest.p[n]) || rest.p[n] == '.' || rest.p[n] == '_' || rest.p[n] == 'v'))
			n++;
		return slice_head(rest, n);
	}
	return SLICE("");
}

/* RFC 3848, 6531: ESMTPS, ESMTPSA, UTF8SMTPS, LMTPS */
static bool is_encrypted(struct slice with)
{
	ptrdiff_t at = -1;

	for (size_t i = 0; i + 4 <= with.n; i++)
		if (slice_equal_nocase(slice_head(slice_from(with, i), 3), SLICE("MTP")))
			at = (ptrdiff_t)i + 3;
	return at >= 0 && (size_t)at < with.n && to_lower(with.p[at]) == 's';
}

enum token { TOKEN_END, TOKEN_WORD, TOKEN_COMMENT, TOKEN_DATE };

/* The text begins with "(". A comment without an end is dropped with all after it. */
static enum token comment_take(struct slice *rest, struct slice *comment_r)
{
	unsigned depth = 0;

	for (size_t i = 0; i < rest->n; i++) {
		if (rest->p[i] == '\\') {
			i++;
		} else if (rest->p[i] == '(') {
			depth++;
		} else if (rest->p[i] == ')' && --depth == 0) {
			*comment_r = slice_head(slice_from(*rest, 1), i - 1);
			*rest = slice_from(*rest, i + 1);
			return TOKEN_COMMENT;
		}
	}
	return TOKEN_END;
}

/* Takes off the next word or comment. What is after a ";" is the date, unless parts follow: a client may have said
 * ";" in HELO. */
static enum token token_take(struct slice *rest, struct slice *text_r)
{
	size_t n = 0;

	*rest = slice_trim(*rest);
	if (rest->n == 0)
		return TOKEN_END;
	if (rest->p[0] == '(')
		return comment_take(rest, text_r);
	if (rest->p[0] == ';') {
		*rest = slice_from(*rest, 1);
		*text_r = slice_trim(*rest);
		return TOKEN_DATE;
	}
	while (n < rest->n && !is_space(rest->p[n]) && rest->p[n] != '(' && rest->p[n] != ';')
		n++;
	*text_r = slice_head(*rest, n);
	*rest = slice_from(*rest, n);
	return TOKEN_WORD;
}

static struct slice *part_of(struct slice word, struct hop *hop)
{
	const struct {
		const char *name;
		struct slice *part;
	} parts[] = {
	    {"from", &hop->from}, {"by", &hop->by}, {"with", &hop->with}, {"id", &hop->id}, {"for", &hop->recipient}};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (slice_equal_nocase(word, slice_of(parts[i].name)))
			return parts[i].part;
	return NULL;
}

/* The first part of its name counts, since a server writes its parts before anybody else's text. Of recipients the last
 * address: HELO has no blanks at the servers that write the field, but it comes before. */
static void part_set(struct slice *part, struct slice word, struct hop *hop, struct arena *arena)
{
	struct address address;

	if (part == &hop->recipient && slice_find(word, '@') > 0) {
		address = address_parse_path(word, arena);
		if (address.valid && address.domain.n > 0) {
			hop->address = address;
			*part = word;
		}
	}
	if (part->n == 0)
		*part = word;
}

static void parts_read(struct slice rest, struct hop *hop, struct arena *arena)
{
	struct slice *wanted = NULL, text;
	enum token token;

	while ((token = token_take(&rest, &text)) != TOKEN_END) {
		if (token == TOKEN_COMMENT && hop->tls.n == 0)
			hop->tls = tls_version(text);
		if (token == TOKEN_DATE)
			hop->date = text;
		if (token != TOKEN_WORD)
			continue;
		if (wanted) {
			part_set(wanted, text, hop, arena);
			hop->date = SLICE("");
		}
		wanted = wanted ? NULL : part_of(text, hop);
	}
}

bool received_for(struct slice value, struct arena *arena, struct address *address_r)
{
	struct hop hop = {.tls = SLICE("")};

	parts_read(slice_head(value, HOP_BYTES_MAX), &hop, arena);
	if (hop.address.valid)
		*address_r = hop.address;
	return hop.address.valid;
}

void hop_read(struct slice value, struct arena *arena, struct hop *hop_r)
{
	*hop_r = (struct hop){.tls = SLICE("")};
	value = header_unfold(slice_head(value, HOP_BYTES_MAX), arena);
	hop_r->known = received_parse(value, arena, &hop_r->received);
	parts_read(value, hop_r, arena);
	hop_r->encrypted = hop_r->tls.n > 0 || is_encrypted(hop_r->with);
	hop_r->dated = date_read(hop_r->date, arena, &hop_r->when_s);
}
