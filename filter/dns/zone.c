/*
 * zone.c - reads zone text. One line is one record:
 *
 *     NAME [TTL] [IN] TYPE RDATA       presentation form of RFC 1035 5.1
 *     NAME [TYPE] TIMEOUT              the question gets no answer
 *     NAME [TYPE] SERVFAIL             the server says that it failed
 *
 * A ; begins a comment, and so does a # at the start of a word; neither does inside "...".
 * Names are whole (there is no origin) and a trailing dot is optional. TIMEOUT
 * and SERVFAIL are in capitals and without quotes; without a type they apply
 * to every type that the name has no record of. Types that nobody here asks for
 * (NS, SOA, SPF, TYPE99, ...) make the name exist, and that is all they do. The
 * TTL is read and means nothing. A string over 255 bytes is cut into several.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "zone.h"

#define LINE_SHOWN 40 /* bytes of a wrong word that a message repeats */

struct reader {
	struct zone *zone;
	const char *name;
	unsigned line;
	struct error *err;
};

enum token { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_OPEN };

static int wrong(const struct reader *reader, const char *what, struct slice word)
{
	char shown[LINE_SHOWN + 1];
	size_t n = word.n < LINE_SHOWN ? word.n : LINE_SHOWN;

	for (size_t i = 0; i < n; i++)
		shown[i] = word.p[i] >= ' ' && word.p[i] <= '~' ? word.p[i] : '?';
	shown[n] = 0;
	error_set(reader->err, "%s:%u: %s%s%s%s", reader->name, reader->line, what, n > 0 ? ": \"" : "", shown,
		  n > 0 ? "\"" : "");
	return -1;
}

/* Where the quoted string that starts at text[0] ends: the index of its closing quote, or text.n. */
static size_t quote_end(struct slice text)
{
	size_t i = 1;

	while (i < text.n && text.p[i] != '"')
		i += text.p[i] == '\\' ? 2 : 1;
	return i < text.n ? i : text.n;
}

/* Takes a word or a string, still with its escapes, without its quotes, off *rest. */
static enum token token_take(struct slice *rest, struct slice *raw_r)
{
	size_t i = 0;

	while (i < rest->n && is_space(rest->p[i]))
		i++;
	*rest = slice_from(*rest, i);
	*raw_r = (struct slice){"", 0};
	if (rest->n == 0 || rest->p[0] == ';' || rest->p[0] == '#') {
		*rest = (struct slice){"", 0};
		return TOKEN_END;
	}
	if (rest->p[0] == '"') {
		i = quote_end(*rest);
		*raw_r = slice_from(slice_head(*rest, i), 1);
		if (i == rest->n)
			return TOKEN_OPEN;
		*rest = slice_from(*rest, i + 1);
		return TOKEN_STRING;
	}
	for (i = 0; i < rest->n && !is_space(rest->p[i]) && rest->p[i] != ';';)
		i += rest->p[i] == '\\' ? 2 : 1;
	*raw_r = slice_head(*rest, i);
	*rest = slice_from(*rest, i);
	return TOKEN_WORD;
}

static bool word_is(struct slice word, const char *text)
{
	return slice_equal_nocase(word, slice_of(text));
}

/* ---- rdata: each takes it off *rest ---------------------------------------------- */

static int read_address(struct reader *reader, struct slice *rest, struct dns_record *record_r, bool want_ip6)
{
	struct slice word;

	/* A mapped address is an AAAA record too, and "IPv6:" is the MTA's way of writing, not the DNS's. */
	if (token_take(rest, &word) != TOKEN_WORD || ip_parse(word, &record_r->ip) < 0 ||
	    slice_starts_nocase(word, SLICE("IPv6:")) || (slice_find(word, ':') >= 0) != want_ip6)
		return wrong(reader, want_ip6 ? "this is not an IPv6 address" : "this is not an IPv4 address", word);
	return 0;
}

static int read_a(struct reader *reader, struct slice *rest, struct dns_record *record_r)
{
	return read_address(reader, rest, record_r, false);
}

static int read_aaaa(struct reader *reader, struct slice *rest, struct dns_record *record_r)
{
	return read_address(reader, rest, record_r, true);
}

static int read_name(struct reader *reader, struct slice *rest, struct dns_record *record_r)
{
	char buffer[NAME_TEXT_MAX];
	struct slice word;
	struct name name;

	if (token_take(rest, &word) != TOKEN_WORD)
		return wrong(reader, "a host name is missing here", word);
	if (name_parse(word, &name) < 0)
		return wrong(reader, "this is not a host name", word);
	record_r->name = arena_copy(reader->zone->arena, name_print(&name, buffer));
	return 0;
}

static int read_mx(struct reader *reader, struct slice *rest, struct dns_record *record_r)
{
	struct slice word;
	uint64_t preference;

	if (token_take(rest, &word) != TOKEN_WORD || slice_number(word, 65535, &preference) < 0)
		return wrong(reader, "an MX record is a preference from 0 to 65535 and a host name, not", word);
	record_r->preference = (unsigned)preference;
	return read_name(reader, rest, record_r);
}

/* Adds what `raw` stands for to text; how many bytes that was, or -1. */
static ptrdiff_t string_decode(struct slice raw, struct text *text)
{
	size_t before = text->n;

	while (raw.n > 0) {
		uint8_t byte = (uint8_t)raw.p[0];
		size_t used = byte == '\\' ? escape_read(raw, &byte) : 1;
		if (used == 0)
			return -1;
		text_add_char(text, (char)byte);
		raw = slice_from(raw, used);
	}
	return (ptrdiff_t)(text->n - before);
}

static int read_txt(struct reader *reader, struct slice *rest, struct dns_record *record_r)
{
	struct text text;
	struct slice raw;
	enum token token;

	text_init(&text, reader->zone->arena, DNS_TEXT_MAX);
	while ((token = token_take(rest, &raw)) != TOKEN_END) {
		if (token == TOKEN_OPEN)
			return wrong(reader, "this string has no closing quote", raw);
		ptrdiff_t n = string_decode(raw, &text);
		if (n < 0)
			return wrong(reader,
				     "a backslash is followed by three digits up to 255, or by one other character",
				     raw);
		record_r->strings += n <= 255 ? 1 : (unsigned)(n + 254) / 255;
	}
	if (record_r->strings == 0)
		return wrong(reader, "a TXT record has one string at least; the empty one is \"\"", raw);
	if (text.cut)
		return wrong(reader, "a TXT record holds 65535 bytes at most", (struct slice){"", 0});
	record_r->text = text_slice(&text);
	return 0;
}

static int read_tlsa(struct reader *reader, struct slice *rest, struct dns_record *record_r)
{
	struct slice word;
	struct text text;
	uint64_t number;

	text_init(&text, reader->zone->arena, DNS_TEXT_MAX);
	for (int i = 0; i < 3; i++) {
		if (token_take(rest, &word) != TOKEN_WORD || slice_number(word, 255, &number) < 0)
			return wrong(reader, "a TLSA record is three numbers up to 255 and hexadecimal digits, not",
				     word);
		text_add_char(&text, (char)number);
	}
	while (token_take(rest, &word) == TOKEN_WORD && word.n % 2 == 0)
		for (size_t i = 0; i < word.n; i += 2) {
			unsigned byte;
			if (!isxdigit((unsigned char)word.p[i]) || !isxdigit((unsigned char)word.p[i + 1]) ||
			    sscanf(word.p + i, "%2x", &byte) != 1)
				return wrong(reader, "these are not hexadecimal digits", word);
			text_add_char(&text, (char)byte);
		}
	if (word.n > 0 || text.n < 4 || text.cut)
		return wrong(reader, "a TLSA record ends with pairs of hexadecimal digits, not with", word);
	record_r->text = text_slice(&text);
	return 0;
}

static int read_other(struct reader *reader, struct slice *rest, struct dns_record *record_r)
{
	struct slice raw;
	enum token token;

	(void)record_r;
	while ((token = token_take(rest, &raw)) != TOKEN_END)
		if (token == TOKEN_OPEN)
			return wrong(reader, "this string has no closing quote", raw);
	return 0;
}

/* ---- one line --------------------------------------------------------------------- */

static const struct kind_of_rdata {
	const char *word;
	unsigned type;
	int (*read)(struct reader *, struct slice *rest, struct dns_record *record_r);
} kinds[] = {
    {"A", DNS_A, read_a},          {"AAAA", DNS_AAAA, read_aaaa},   {"MX", DNS_MX, read_mx},
    {"TXT", DNS_TXT, read_txt},    {"CNAME", DNS_CNAME, read_name}, {"PTR", DNS_PTR, read_name},
    {"TLSA", DNS_TLSA, read_tlsa},
};
static const struct kind_of_rdata other_kind = {"", ZONE_TYPE_OTHER, read_other};

static enum zone_fault fault_of(struct slice word)
{
	if (slice_equal(word, SLICE("TIMEOUT")))
		return ZONE_TIMEOUT;
	return slice_equal(word, SLICE("SERVFAIL")) ? ZONE_SERVFAIL : ZONE_NO_FAULT;
}

/* The kind of a type's name; NULL when no type is called that. */
static const struct kind_of_rdata *kind_find(struct slice word)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (word_is(word, kinds[i].word))
			return &kinds[i];
	if (word.n == 0 || (word.p[0] | 32) < 'a' || (word.p[0] | 32) > 'z')
		return NULL;
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];
		if (!((c | 32) >= 'a' && (c | 32) <= 'z') && !is_digit(c) && c != '-')
			return NULL;
	}
	return &other_kind;
}

static bool is_ttl(struct slice word)
{
	uint64_t number;

	if (word.n > 1 && memchr("smhdwSMHDW", word.p[word.n - 1], 10))
		word.n--;
	return slice_number(word, INT32_MAX, &number) == 0;
}

/* What follows the type: a lone fault, or rdata and nothing after it. */
static int record_read(struct reader *reader, const struct kind_of_rdata *kind, struct slice rest,
		       struct zone_record *record)
{
	struct slice after = rest, word;
	enum token token = token_take(&after, &word);

	record->type = kind->type;
	if (token == TOKEN_WORD && fault_of(word) != ZONE_NO_FAULT) {
		record->fault = fault_of(word);
		if (token_take(&after, &word) == TOKEN_END)
			return 0;
		record->fault = ZONE_NO_FAULT;
	}
	if (kind->read(reader, &rest, &record->data) < 0)
		return -1;
	if (token_take(&rest, &word) != TOKEN_END)
		return wrong(reader, "nothing may follow the record, but here is", word);
	return 0;
}

static int owner_read(struct reader *reader, struct slice word, struct zone_record *record)
{
	char buffer[ZONE_KEY_MAX];
	struct name name;

	if (word.p[0] == '$')
		return wrong(reader, "directives are not read; write every name in full", word);
	if (name_parse(word, &name) < 0)
		return wrong(reader, "this is not a domain name", word);
	name_lower(&name);
	record->key = arena_copy(reader->zone->arena, zone_key(&name, buffer));
	record->line = reader->line;
	return 0;
}

static void record_add(struct zone *zone, const struct zone_record *record)
{
	if (zone->count == zone->room) {
		zone->room = zone->room > 0 ? 2 * zone->room : 64;
		zone->records = xrealloc(zone->records, zone->room * sizeof(*zone->records));
	}
	zone->records[zone->count++] = *record;
}

static int line_read(struct reader *reader, struct slice line)
{
	struct zone_record record = {0};
	struct slice word;
	enum token token = token_take(&line, &word);

	if (token == TOKEN_END)
		return 0;
	if (token != TOKEN_WORD)
		return wrong(reader, "a line begins with a domain name, not with a string", word);
	if (owner_read(reader, word, &record) < 0)
		return -1;

	do {
		token = token_take(&line, &word);
	} while (token == TOKEN_WORD && (is_ttl(word) || word_is(word, "IN")));
	if (token != TOKEN_WORD)
		return wrong(reader, "a record type (A, TXT, MX, ...), TIMEOUT or SERVFAIL is missing after the name",
			     word);

	record.fault = fault_of(word);
	if (record.fault != ZONE_NO_FAULT) {
		if (token_take(&line, &word) != TOKEN_END)
			return wrong(reader, "nothing may follow TIMEOUT or SERVFAIL, but here is", word);
		record_add(reader->zone, &record);
		return 0;
	}
	const struct kind_of_rdata *kind = kind_find(word);
	if (!kind)
		return wrong(reader, "this is not a record type", word);
	if (record_read(reader, kind, line, &record) < 0)
		return -1;
	record_add(reader->zone, &record);
	return 0;
}

/* ---- the whole ---------------------------------------------------------------------- */

static int record_order(const void *a_, const void *b_)
{
	const struct zone_record *a = a_, *b = b_;
	int order = memcmp(a->key.p, b->key.p, a->key.n < b->key.n ? a->key.n : b->key.n);

	if (order == 0)
		order = (a->key.n > b->key.n) - (a->key.n < b->key.n);
	return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

/* RFC 1034 3.6.2: a name has one canonical name. */
static int aliases_check(struct reader *reader)
{
	const struct zone_record *alias = NULL;

	for (size_t i = 0; i < reader->zone->count; i++) {
		const struct zone_record *record = &reader->zone->records[i];
		if (record->type != DNS_CNAME || record->fault != ZONE_NO_FAULT)
			continue;
		reader->line = record->line;
		if (alias && slice_equal(alias->key, record->key))
			return wrong(reader, "this name has a CNAME record already; another leads to",
				     record->data.name);
		alias = record;
	}
	return 0;
}

static int lines_read(struct reader *reader, struct slice text)
{
	struct slice line;

	while (slice_cut(&text, '\n', &line)) {
		reader->line++;
		if (line_read(reader, line) < 0)
			return -1;
	}
	if (reader->zone->count > 0)
		qsort(reader->zone->records, reader->zone->count, sizeof(*reader->zone->records), record_order);
	return aliases_check(reader);
}

struct zone *zone_read(struct slice text, const char *name, struct error *err)
{
	if (text.n > ZONE_BYTES_MAX) {
		error_set(err, "%s:1: zone text of %zu bytes; %u are the most that is read", name, text.n,
			  ZONE_BYTES_MAX);
		return NULL;
	}
	struct zone *zone = xmalloc(sizeof(*zone));
	zone->arena = arena_new();
	struct reader reader = {zone, name, 0, err};
	if (lines_read(&reader, text) < 0) {
		zone_free(zone);
		return NULL;
	}
	return zone;
}

void zone_free(struct zone *zone)
{
	if (!zone)
		return;
	arena_free(zone->arena);
	free(zone->records);
	free(zone);
}
