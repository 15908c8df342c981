/*
 * login_map.c - lists of logins: which addresses each of them owns, or the only address that it may use.
 *
 *	login: entry entry ...     or "login entry,entry"; a login may have several lines
 *	*@example.org: entry ...   every login of that domain, in addition to its own lines
 *	*: entry ...               every login
 *
 * Of a list canonical a login has one line and one address, and the most particular line counts.
 *
 * The login as it is written wins; else it is looked for without regard to case, and taken when only one login reads
 *so. Beyond ASCII, case and the form in Unicode do not count, and the domain of a login is compared in A-labels.
 */
#include "reader.h"

#include <stdlib.h>

/* Keys of a login map in the same set: no other key begins with one of these marks. */
#define MARK_EXACT      3
#define MARK_LOGIN      4 /* in the form for comparison */
#define MARK_OWNS       5
#define MARK_WILD       6          /* the logins of a domain; with none, all */
#define NUMBER_FOLDED   0x80000000 /* of a MARK_LOGIN: the only login that reads so is written so */
#define LOGIN_AMBIGUOUS UINT32_MAX /* of a MARK_LOGIN: several read so */

static struct slice key_slice(const struct key *key)
{
	return (struct slice){key->bytes, key->n};
}

/* ---- keys ------------------------------------------------------------------------------------------- */

static void key_marked(char mark, struct slice text, struct key *key_r)
{
	key_r->n = 0;
	if (text.n > LIST_ENTRY_MAX)
		return;
	key_r->bytes[0] = mark;
	memcpy(key_r->bytes + 1, text.p, text.n);
	key_r->n = text.n + 1;
}

/* A domain after "@" with letters beyond ASCII, in A-labels. */
static struct slice domain_of_login(struct slice domain, struct arena *arena)
{
	bool valid;
	struct slice normal = domain_normalise(domain, arena, &valid);

	return valid ? normal : domain;
}

/* The login in the form for comparison. */
static void key_of_login(struct slice login, struct key *key_r)
{
	ptrdiff_t at = slice_find_last(login, '@');
	struct arena *arena;
	struct key folded;

	key_r->n = 0;
	if (login.n == 0 || login.n > LIST_ENTRY_MAX)
		return;
	if (slice_is_ascii(login) || at < 0) {
		key_of_text(login, &folded);
		key_marked(MARK_LOGIN, key_slice(&folded), key_r);
		return;
	}
	arena = arena_new();
	key_of_text(arena_join(arena, slice_head(login, (size_t)at + 1),
			       domain_of_login(slice_from(login, (size_t)at + 1), arena)),
		    &folded);
	key_marked(MARK_LOGIN, key_slice(&folded), key_r);
	arena_free(arena);
}

/* An entry as the property of a login. */
static void key_of_owned(uint32_t login, const struct key *entry, struct key *key_r)
{
	key_r->n = 0;
	if (entry->n == 0 || entry->n + 1 + sizeof(login) > KEY_MAX)
		return;
	key_r->bytes[0] = MARK_OWNS;
	memcpy(key_r->bytes + 1, &login, sizeof(login));
	memcpy(key_r->bytes + 1 + sizeof(login), entry->bytes, entry->n);
	key_r->n = 1 + sizeof(login) + entry->n;
}

/* "*" or "*@example.org": -1 when it is neither. */
static int key_of_wild(struct slice login, struct key *key_r)
{
	struct slice domain = slice_from(login, 2);
	struct arena *arena;
	bool valid = true;

	if (login.n > 1 && (login.p[0] != '*' || login.p[1] != '@'))
		return -1;
	arena = arena_new();
	if (login.n > 1)
		domain = domain_normalise(domain, arena, &valid);
	key_marked(MARK_WILD, login.n > 1 ? domain : SLICE(""), key_r);
	arena_free(arena);
	return valid ? 0 : -1;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

/* Takes "login", "login:" or the login of "login:entry" off the line; true when there was a colon. */
static bool take_login(struct slice *line, struct slice *login_r)
{
	struct slice word, rest = *line;
	ptrdiff_t colon;

	slice_word(&rest, &word);
	colon = slice_find(word, ':');
	*login_r = colon < 0 ? word : slice_head(word, (size_t)colon);
	*line = slice_from(*line, login_r->n + (colon >= 0));
	return colon >= 0;
}

static void warn_about(struct list_reader *reader, struct slice login, const char *what)
{
	struct error text;

	error_set(&text, "the login %.*s %s", SLICE_ARGS(slice_head(login, ENTRY_SHOWN_MAX)), what);
	reader_warn(reader, text.text);
}

static void add_exact(struct list_content *content, struct slice login, uint32_t number)
{
	struct key exact;

	key_marked(MARK_EXACT, login, &exact);
	textset_add(&content->entries, key_slice(&exact), number);
	content->has_exact = true;
}

/* Another login reads the same without regard to case: from now on each must be written as it is. */
static void part_logins(struct list_content *content, struct slice login, const struct key *folded, uint32_t known,
			uint32_t number)
{
	if (known != LOGIN_AMBIGUOUS && (known & NUMBER_FOLDED))
		add_exact(content, slice_from(key_slice(folded), 1), known & ~NUMBER_FOLDED);
	textset_change(&content->entries, key_slice(folded), LOGIN_AMBIGUOUS);
	add_exact(content, login, number);
}

/* The number of a login; a new one when it was not seen before. */
static uint32_t add_login(struct list_reader *reader, struct slice login)
{
	struct list_content *content = reader->content;
	bool is_folded;
	struct key exact, folded;
	uint32_t number, known;

	key_marked(MARK_EXACT, login, &exact);
	if (content->has_exact && textset_find(&content->entries, key_slice(&exact), &number))
		return number;
	key_of_login(login, &folded);
	is_folded = slice_equal(slice_from(key_slice(&folded), 1), login);
	if (textset_find(&content->entries, key_slice(&folded), &known)) {
		if (is_folded && known != LOGIN_AMBIGUOUS && (known & NUMBER_FOLDED))
			return known & ~NUMBER_FOLDED;
		number = ++content->logins;
		part_logins(content, login, &folded, known, number);
		warn_about(reader, login,
			   "differs from another one in case alone; whoever logs in with a third way to write it is "
			   "none of them");
		return number;
	}
	number = ++content->logins;
	textset_add(&content->entries, key_slice(&folded), number | (is_folded ? NUMBER_FOLDED : 0));
	if (!is_folded)
		add_exact(content, login, number);
	return number;
}

/* 0: the line was refused. */
static uint32_t add_any_login(struct list_reader *reader, struct slice login)
{
	struct list_content *content = reader->content;
	struct key wild;
	uint32_t number;

	if (slice_find(login, '*') < 0)
		return add_login(reader, login);
	if (key_of_wild(login, &wild)) {
		reader_refuse(reader, "a wildcard is for all logins or for those of a domain; write \"*: ...\" or "
				      "\"*@example.org: ...\"");
		return 0;
	}
	content->has_wild = true;
	if (textset_find(&content->entries, key_slice(&wild), &number))
		return number;
	number = ++content->logins;
	textset_add(&content->entries, key_slice(&wild), number);
	return number;
}

static int add_owned(struct list_reader *reader, struct slice login, uint32_t number, struct slice text)
{
	enum entry_kind kind;
	struct key key, owned;
	struct ip_net net;

	if (reader_key(reader, text, &kind, &key, &net))
		return -1;
	if (slice_find(text, '@') < 0 && text.p[0] != '.' && !slice_equal(text, SLICE("<>")))
		return reader_refuse(reader,
				     "a login owns addresses and domains; write alice@example.org or @example.org");
	reader->content->owns_domains |= text.p[0] == '@';
	reader->content->owns_below |= text.p[0] == '.';
	key_of_owned(number, &key, &owned);
	if (!textset_add(&reader->content->entries, key_slice(&owned), 0))
		warn_about(reader, login,
			   arena_printf(reader->scratch, "owns %.*s already; remove one of them",
					SLICE_ARGS(slice_head(text, ENTRY_SHOWN_MAX)))
			       .p);
	return 0;
}

static int read_owned(struct list_reader *reader, struct slice login, uint32_t number, struct slice rest, bool any)
{
	struct slice entry;

	while (reader_next(&rest, true, &entry)) {
		if (add_owned(reader, login, number, entry))
			return -1;
		any = true;
	}
	return any ? 0 : reader_refuse(reader, "a login without addresses; write \"login: address @domain\"");
}

/* ---- the only address of a login ----------------------------------------------------------------- */

static void key_of_value(uint32_t login, struct key *key_r)
{
	key_r->bytes[0] = MARK_OWNS;
	memcpy(key_r->bytes + 1, &login, sizeof(login));
	key_r->n = 1 + sizeof(login);
}

static struct slice value_at(const struct list_content *content, uint32_t place)
{
	uint16_t length;

	memcpy(&length, content->values + place, sizeof(length));
	return (struct slice){content->values + place + sizeof(length), length};
}

static uint32_t keep_value(struct list_content *content, struct slice value)
{
	uint16_t length = (uint16_t)value.n;
	size_t place = content->values_used, size = sizeof(length) + value.n;

	if (place + size > content->values_reserved) {
		content->values_reserved = 2 * (place + size);
		content->values = xrealloc(content->values, content->values_reserved);
	}
	memcpy(content->values + place, &length, sizeof(length));
	memcpy(content->values + place + sizeof(length), value.p, value.n);
	content->values_used += size;
	return (uint32_t)place; /* the text of the list is smaller than 64 MB */
}

static bool value_find(const struct list_content *content, uint32_t login, struct slice *value_r)
{
	struct key key;
	uint32_t place;

	key_of_value(login, &key);
	if (!textset_find(&content->entries, key_slice(&key), &place))
		return false;
	*value_r = value_at(content, place);
	return true;
}

static int read_value(struct list_reader *reader, struct slice login, uint32_t number, struct slice rest)
{
	struct slice value, more, known;
	struct address address;
	struct key key;

	if (!reader_next(&rest, true, &value) || value.n > LIST_ENTRY_MAX || reader_next(&rest, true, &more))
		return reader_refuse(reader, "a login has one address here; write \"login: alice@example.org\"");
	if (++reader->entries > LIST_ENTRIES_MAX)
		return reader_refuse(reader, "too many logins for one list");
	address = address_parse_path(value, reader->scratch);
	if (!address_usable(&address))
		return reader_refuse(reader,
				     "not an address that mail can come from; write \"login: alice@example.org\"");
	key_of_value(number, &key);
	if (!value_find(reader->content, number, &known)) {
		textset_add(&reader->content->entries, key_slice(&key), keep_value(reader->content, value));
		arena_reset(reader->scratch);
		return 0;
	}
	if (!slice_equal_nocase(known, value))
		return reader_refuse(reader, "the login has another address already; remove one of the lines");
	warn_about(reader, login, "is there already; remove one of the lines");
	return 0;
}

int login_map_line(struct list_reader *reader, struct slice line)
{
	struct slice rest = slice_trim(line), login;
	uint32_t number;
	bool colon;

	if (rest.n == 0 || rest.p[0] == '#')
		return 0;
	colon = take_login(&rest, &login);
	if (login.n && login.p[0] == '"')
		return reader_refuse(reader, "write the login as users enter it, without quotes");
	if (login.n == 0 || login.n > LIST_ENTRY_MAX)
		return reader_refuse(reader, "no login at the start of the line; write \"login: address @domain\"");
	number = add_any_login(reader, login);
	if (!number)
		return -1;
	if (reader->content->kind == LIST_CANONICAL)
		return read_value(reader, login, number, rest);
	return read_owned(reader, login, number, rest, colon);
}

static void check_value(struct list_reader *reader, struct slice login, struct slice value)
{
	struct slice next;
	struct error text;

	if (slice_find(login, '*') >= 0 || !list_content_value(reader->content, value, &next) ||
	    slice_equal_nocase(next, value))
		return;
	error_set(&text,
		  "the login %.*s becomes %.*s, which is a login that becomes %.*s; a list canonical is used once, so "
		  "write the last address",
		  SLICE_ARGS(slice_head(login, ENTRY_SHOWN_MAX)), SLICE_ARGS(slice_head(value, ENTRY_SHOWN_MAX)),
		  SLICE_ARGS(slice_head(next, ENTRY_SHOWN_MAX)));
	reader_warn(reader, text.text);
}

/* Chains and loops: an address that is a login with another address. */
void login_map_end(struct list_reader *reader, struct slice text)
{
	struct slice line, login, value;

	reader->line = 0;
	while (reader->content->kind == LIST_CANONICAL && slice_cut(&text, '\n', &line)) {
		struct slice rest = slice_trim(line);

		reader->line++;
		if (rest.n == 0 || rest.p[0] == '#')
			continue;
		take_login(&rest, &login);
		if (reader_next(&rest, true, &value))
			check_value(reader, login, value);
	}
}

/* ---- asking ----------------------------------------------------------------------------------------- */

/* Whose entries count for a login: its own, those of all logins of its domain, those of all logins. */
#define WAYS 3

static size_t add_wild(const struct list_content *content, const struct key *folded, uint32_t numbers_r[WAYS], size_t n)
{
	struct slice login = slice_from(key_slice(folded), 1);
	ptrdiff_t at = slice_find_last(login, '@');
	struct key wild;

	if (at >= 0) {
		key_marked(MARK_WILD, slice_from(login, (size_t)at + 1), &wild);
		n += wild.n > 1 && textset_find(&content->entries, key_slice(&wild), &numbers_r[n]);
	}
	key_marked(MARK_WILD, SLICE(""), &wild);
	return n + textset_find(&content->entries, key_slice(&wild), &numbers_r[n]);
}

/* The numbers, the most particular first. */
static size_t find_login(const struct list_content *content, struct slice login, uint32_t numbers_r[WAYS])
{
	struct key key, folded;
	size_t n = 0;

	key_of_login(login, &folded);
	if (folded.n == 0)
		return 0;
	key.n = 0;
	if (content->has_exact)
		key_marked(MARK_EXACT, login, &key);
	if (textset_find(&content->entries, key_slice(&key), &numbers_r[0]))
		n = 1;
	else if (textset_find(&content->entries, key_slice(&folded), &numbers_r[0]) && numbers_r[0] != LOGIN_AMBIGUOUS)
		n = 1;
	numbers_r[0] &= ~NUMBER_FOLDED;
	return content->has_wild ? add_wild(content, &folded, numbers_r, n) : n;
}

static bool owns_key(const struct list_content *content, uint32_t login, const struct key *entry)
{
	struct key owned;

	key_of_owned(login, entry, &owned);
	return textset_find(&content->entries, key_slice(&owned), NULL);
}

static bool owns_below(const struct list_content *content, uint32_t login, struct slice domain)
{
	struct key key;

	if (domain.n > MAIL_DOMAIN_MAX)
		return false;
	for (size_t i = 1; i + 1 < domain.n; i++) {
		if (domain.p[i] != '.')
			continue;
		key_of_domain('.', slice_from(domain, i + 1), &key);
		if (owns_key(content, login, &key))
			return true;
	}
	return false;
}

static bool owns(const struct list_content *content, uint32_t login, const struct address *address)
{
	struct key key;

	key_of_address(address, &key);
	if (key.n && (unsigned char)key.bytes[0] >= 0x20 && key.bytes[0] != '.' && owns_key(content, login, &key))
		return true;
	key_of_domain('@', address->domain, &key);
	if (content->owns_domains && owns_key(content, login, &key))
		return true;
	return content->owns_below && owns_below(content, login, address->domain);
}

bool list_content_owns(const struct list_content *content, struct slice login, const struct address *address)
{
	uint32_t numbers[WAYS] = {0};
	size_t n = find_login(content, login, numbers);

	for (size_t i = 0; i < n; i++)
		if (owns(content, numbers[i], address))
			return true;
	return false;
}

bool login_map_has(const struct list_content *content, struct slice login)
{
	uint32_t numbers[WAYS] = {0};

	return find_login(content, login, numbers) > 0;
}

/* The most particular line counts. */
bool list_content_value(const struct list_content *content, struct slice login, struct slice *value_r)
{
	uint32_t numbers[WAYS] = {0};
	size_t n = find_login(content, login, numbers);

	for (size_t i = 0; i < n; i++)
		if (value_find(content, numbers[i], value_r))
			return true;
	return false;
}
