/*
 * authres.c - writing an Authentication-Results field (RFC 8601 2.2).
 *
 * Results are kept as clauses until they are printed. The parts of a clause are
 * printed in the order of the grammar, whatever order they were added in: result,
 * comments, reason, properties.
 *
 * Values are untrusted. A value that is neither a token nor a plain mailbox is
 * printed as a quoted string; control bytes and invalid UTF-8 become question marks.
 * Comments are only for people: parentheses, quotes and backslashes are replaced,
 * so that even a parser without quoted pairs reads them correctly.
 *
 * Many readers do not parse the field: they search for the text "dmarc=pass". Therefore untrusted text never contains
 * a "=" (see value_fit and note_fit). The only results in the field are those that authres_method() wrote.
 *
 * Nearly every value is a domain or a word and is printed unchanged. One pass over
 * its bytes with a table finds these; only the others need further work.
 */
#include "mail.h"

#include <string.h>

#define LINE_WANTED 78 /* RFC 5322 2.1.1 */
#define TAB_WIDTH   8

/* A word cannot be folded, and a line has at most 998 bytes (RFC 5322 2.1.1); escapes can double a value. */
#define VALUE_MAX 400
/* More than any check reports. */
#define NOTE_MAX 400

struct item {
	struct item *next;
	struct slice text; /* as printed */
};

struct items {
	struct item *first, **end;
};

struct clause {
	struct clause *next;
	struct slice result; /* "spf=pass" */
	struct items comments, reasons, properties;
};

struct authres {
	struct arena *arena;
	struct slice id;
	struct clause *first, *last;
};

/* The classes of a byte. */
enum {
	SHOWN = 1,   /* printable ASCII and space */
	TOKEN = 2,   /* RFC 2045 5.1 token */
	ATOM = 4,    /* RFC 5322 3.2.3 dot-atom-text, wherever the dots are */
	KEYWORD = 8, /* names of methods, results and properties: RFC 5321 Keyword, with _ and / */
};

#define IN_ATOM  (SHOWN | ATOM)
#define IN_TOKEN (IN_ATOM | TOKEN)
#define IN_WORD  (IN_TOKEN | KEYWORD)

static const unsigned char bytes[256] = {
    [' '] = SHOWN,
    ['!'] = IN_TOKEN,
    ['"'] = SHOWN,
    ['#' ... '\''] = IN_TOKEN,
    ['(' ... ')'] = SHOWN,
    ['*' ... '+'] = IN_TOKEN,
    [','] = SHOWN,
    ['-'] = IN_WORD,
    ['.'] = IN_TOKEN,
    ['/'] = IN_ATOM | KEYWORD,
    ['0' ... '9'] = IN_WORD,
    [':' ... '<'] = SHOWN,
    ['='] = IN_ATOM,
    ['>'] = SHOWN,
    ['?'] = IN_ATOM,
    ['@'] = SHOWN,
    ['A' ... 'Z'] = IN_WORD,
    ['[' ... ']'] = SHOWN,
    ['^'] = IN_TOKEN,
    ['_'] = IN_WORD,
    ['`'] = IN_TOKEN,
    ['a' ... 'z'] = IN_WORD,
    ['{' ... '~'] = IN_TOKEN,
};

/* The classes that all bytes of the text share. */
static unsigned all_bytes(struct slice text)
{
	unsigned all = IN_WORD;

	for (size_t i = 0; i < text.n; i++)
		all &= bytes[(unsigned char)text.p[i]];
	return all;
}

static bool is_token(struct slice text)
{
	return text.n > 0 && (all_bytes(text) & TOKEN);
}

static bool is_dot_atom(struct slice text)
{
	return all_bytes(text) & ATOM;
}

/* RFC 8601 2.2 pvalue: [[local-part] "@"] domain-name */
static bool is_plain_mailbox(struct slice text)
{
	ptrdiff_t at = slice_find(text, '@');
	struct slice domain = slice_from(text, (size_t)at + 1);

	return at >= 0 && is_dot_atom(slice_head(text, (size_t)at)) && is_token(domain);
}

/* "=?" could begin an RFC 2047 word. Some readers decode these first, in any position, and the decoded text
 * could end a quoted string and continue as a clause of ours. A value that begins with "?" follows a "=". */
static bool begins_encoded_word(struct slice text, size_t i)
{
	return text.p[i] == '?' && (i == 0 || text.p[i - 1] == '=');
}

static bool has_encoded_word(struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if (begins_encoded_word(text, i))
			return true;
	return false;
}

/* C0, DEL, and C1 in UTF-8 */
static bool is_control_character(struct slice character)
{
	unsigned char c = (unsigned char)character.p[0];

	return c < 0x20 || c == 0x7f || (character.n == 2 && c == 0xc2 && (unsigned char)character.p[1] < 0xa0);
}

/* Without control bytes, in UTF-8, at most `max` bytes; a cut text ends with dots. Returns the text itself when it
 * needs no change. */
static struct slice clean(struct arena *arena, struct slice text, size_t max)
{
	static const struct slice dots = SLICE("...");
	struct text out;
	size_t i = 0;

	if (text.n <= max && (all_bytes(text) & SHOWN))
		return text;
	text_init(&out, arena, max + dots.n);
	while (i < text.n) {
		struct slice character = slice_head(slice_from(text, i), slice_utf8(slice_from(text, i)));

		i += character.n > 0 ? character.n : 1;
		if (character.n == 0 || is_control_character(character))
			character = SLICE("?");
		if (out.n + character.n > max) {
			text_add(&out, dots);
			break;
		}
		text_add(&out, character);
	}
	return text_slice(&out);
}

static struct slice quoted(struct arena *arena, struct slice text)
{
	struct text out;

	text_init(&out, arena, 2 * text.n + 2);
	text_add_char(&out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\' || begins_encoded_word(text, i))
			text_add_char(&out, '\\');
		text_add_char(&out, text.p[i]);
	}
	text_add_char(&out, '"');
	return text_slice(&out);
}

/* ---- what may be shown -------------------------------------------------------------------------- */

/* All algorithms ever registered for DKIM: the signer controls the text of a=. */
static bool is_algorithm(struct slice value, struct arena *arena)
{
	static const char *const known[] = {"rsa-sha1", "rsa-sha256", "ed25519-sha256"};

	(void)arena;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_equal_nocase(value, slice_of(known[i])))
			return true;
	return false;
}

/* A host name, an address literal, or an address: the client can send any text as HELO. */
static bool is_host(struct slice value, struct arena *arena)
{
	struct ip ip;
	bool valid;

	if (value.n > 2 && value.p[0] == '[' && value.p[value.n - 1] == ']')
		return ip_parse((struct slice){value.p + 1, value.n - 2}, &ip) == 0;
	if (value.n > MAIL_PATH_MAX)
		return false;
	if (ip_parse(value, &ip) == 0)
		return true;
	domain_normalise(value, arena, &valid);
	return valid;
}

static bool has_equals(struct slice text)
{
	return slice_find(text, '=') >= 0;
}

/* Properties with a fixed form. */
static const struct {
	const char *type, *property;
	bool (*fits)(struct slice value, struct arena *);
} forms[] = {
    {"header", "a", is_algorithm},
    {"smtp", "helo", is_host},
};

/* The part of a value that is shown: all of it, only the domain of a mailbox ("@example.org"), or nothing (false). */
static bool value_fit(const struct authres *authres, struct slice type, struct slice property, struct slice *value)
{
	ptrdiff_t at = slice_find_last(*value, '@');

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (slice_equal(type, slice_of(forms[i].type)) && slice_equal(property, slice_of(forms[i].property)))
			return forms[i].fits(*value, authres->arena);
	if (has_equals(*value) && at >= 0)
		*value = slice_from(*value, (size_t)at);
	return !has_equals(*value);
}

/* In a note, only the tags of DKIM and SPF records keep their "=": "t=s". No method of RFC 8601 has a name of one or
 * two letters. */
static bool ends_tag_name(const char *p, size_t equals)
{
	size_t letters = 0;

	while (letters < equals && p[equals - letters - 1] >= 'a' && p[equals - letters - 1] <= 'z')
		letters++;
	return (letters == 1 || letters == 2) &&
	       (letters == equals || p[equals - letters - 1] == ' ' || p[equals - letters - 1] == '(');
}

/* A reason or a comment, which can quote untrusted text. */
static struct slice note_fit(struct arena *arena, struct slice note)
{
	char *p;

	note = clean(arena, note, NOTE_MAX);
	if (!has_equals(note))
		return note;
	p = arena_raw(arena, note.n);
	memcpy(p, note.p, note.n);
	for (size_t i = 0; i < note.n; i++)
		if (p[i] == '=' && !ends_tag_name(p, i))
			p[i] = '?';
	return (struct slice){p, note.n};
}

/* A mailbox that is too long keeps its domain: its first bytes could read as another domain. */
static struct slice value_print(struct arena *arena, struct slice value)
{
	ptrdiff_t at = slice_find_last(value, '@');

	if (value.n > VALUE_MAX && at >= 0 && value.n - (size_t)at <= MAIL_DOMAIN_MAX + 1)
		value = slice_from(value, (size_t)at);
	value = clean(arena, value, VALUE_MAX);
	if (is_token(value) || (is_plain_mailbox(value) && !has_encoded_word(value)))
		return value;
	return quoted(arena, value);
}

/* RFC 8601 2.2 authserv-id: unlike the value of a property, it is not a mailbox. */
static struct slice id_print(struct arena *arena, struct slice id)
{
	id = clean(arena, id, VALUE_MAX);
	return is_token(id) ? id : quoted(arena, id);
}

/* Names of methods, results and properties come from our code; this enforces it. */
static struct slice keyword(struct arena *arena, struct slice word)
{
	char *p;

	if (all_bytes(word) & KEYWORD)
		return word;
	p = arena_raw(arena, word.n);
	for (size_t i = 0; i < word.n; i++)
		p[i] = bytes[(unsigned char)word.p[i]] & KEYWORD ? word.p[i] : '-';
	return (struct slice){p, word.n};
}

static void items_add(struct authres *authres, struct items *items, struct slice text)
{
	struct item *item = arena_alloc(authres->arena, sizeof(*item));

	item->text = text;
	*items->end = item;
	items->end = &item->next;
}

struct authres *authres_new(struct arena *arena, struct slice id)
{
	struct authres *authres = arena_alloc(arena, sizeof(*authres));

	authres->arena = arena;
	authres->id = arena_copy(arena, id_print(arena, id));
	return authres;
}

bool authres_empty(const struct authres *authres)
{
	return !authres->first;
}

void authres_method(struct authres *authres, struct slice method, struct slice result)
{
	struct clause *clause = arena_alloc(authres->arena, sizeof(*clause));
	struct slice name = keyword(authres->arena, method), word = keyword(authres->arena, result);

	clause->result = arena_join(authres->arena, name, SLICE("="), word);
	clause->comments.end = &clause->comments.first;
	clause->reasons.end = &clause->reasons.first;
	clause->properties.end = &clause->properties.first;
	if (authres->last)
		authres->last->next = clause;
	else
		authres->first = clause;
	authres->last = clause;
}

void authres_reason(struct authres *authres, struct slice reason)
{
	struct slice text = quoted(authres->arena, note_fit(authres->arena, reason));

	if (authres->last && !authres->last->reasons.first) /* RFC 8601 2.2: one reason in a clause */
		items_add(authres, &authres->last->reasons, arena_join(authres->arena, SLICE("reason="), text));
}

/* Each word is a separate item, so a long comment can be folded. */
void authres_comment(struct authres *authres, struct slice comment)
{
	static const char dangerous[] = "()\\\";", harmless[] = "[]/',";
	struct slice rest = note_fit(authres->arena, slice_trim(comment)), word;
	char *p = arena_raw(authres->arena, rest.n + 2);
	size_t n = 0;

	if (!authres->last || rest.n == 0)
		return;
	p[n++] = '(';
	for (size_t i = 0; i < rest.n; i++) {
		const char *found = strchr(dangerous, rest.p[i]);

		p[n] = found ? harmless[found - dangerous] : rest.p[i];
		if (begins_encoded_word((struct slice){p, n + 1}, n))
			p[n] = '.';
		n++;
	}
	p[n++] = ')';
	rest = (struct slice){p, n};
	while (slice_word(&rest, &word))
		items_add(authres, &authres->last->comments, word);
}

void authres_property(struct authres *authres, struct slice type, struct slice property, struct slice value)
{
	struct slice class = keyword(authres->arena, type), name = keyword(authres->arena, property);
	struct slice full = arena_join(authres->arena, class, SLICE("."), name, SLICE("="));

	if (!authres->last)
		return;
	if (value_fit(authres, class, name, &value))
		items_add(authres, &authres->last->properties,
			  arena_join(authres->arena, full, value_print(authres->arena, value)));
	else
		authres_comment(authres, arena_join(authres->arena, class, SLICE("."), name, SLICE(" left out")));
}

/* Returns the column after the last item. */
static size_t print_items(struct text *out, const struct items *items, size_t column)
{
	for (const struct item *item = items->first; item; item = item->next) {
		if (column + 1 + item->text.n > LINE_WANTED - 1) { /* -1: for the semicolon */
			text_add(out, SLICE("\n\t"));
			column = TAB_WIDTH;
		} else {
			text_add_char(out, ' ');
			column++;
		}
		text_add(out, item->text);
		column += item->text.n;
	}
	return column;
}

struct slice authres_print(struct authres *authres)
{
	struct text out;

	text_init(&out, authres->arena, SIZE_MAX / 4); /* each item is bounded, and checks add a few */
	text_add(&out, authres->id);
	if (!authres->first)
		text_add(&out, SLICE("; none"));
	for (const struct clause *clause = authres->first; clause; clause = clause->next) {
		size_t column = TAB_WIDTH + clause->result.n;

		text_add(&out, SLICE(";\n\t"));
		text_add(&out, clause->result);
		column = print_items(&out, &clause->comments, column);
		column = print_items(&out, &clause->reasons, column);
		print_items(&out, &clause->properties, column);
	}
	return text_slice(&out);
}
