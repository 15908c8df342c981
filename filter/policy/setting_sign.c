/*
 * setting_sign.c - whose mail is signed, with which keys.
 *
 *	sign DOMAIN { selector S key FILE ...  subdomains yes  expire 7d  headers NAME ... }
 *	sign-table file:/path           of lines DOMAIN SELECTOR KEYFILE [subdomains]
 *
 * What is said is kept until all settings are read: only then it is known who must own the keys.
 * Paths that do not begin at the root are beside the file that names them.
 */
#include "sign_keys.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES_MAX (16 * 1024 * 1024)
#define EXPIRE_LEAST_US (3600 * 1000000ll) /* mail waits in queues for hours */

static const char *beside(struct arena *arena, const char *file, struct slice path)
{
	ptrdiff_t slash = slice_find_last(slice_of(file), '/');

	if (path.p[0] == '/' || slash < 0)
		return arena_cstring(arena, path);
	return arena_cstring(arena, arena_printf(arena, "%.*s/%.*s", (int)slash, file, SLICE_ARGS(path)));
}

static struct position where(const struct setting_reader *reader)
{
	struct place place = reader->said->name.place;

	return (struct position){reader->compiler->policy->file, place.line, place.column};
}

/* One more selector and key; -1 when there are too many. */
static int add_key(struct sign_setting *sign, struct slice selector, const char *file)
{
	if (sign->key_count == SIGN_KEYS_MAX)
		return -1;
	sign->keys[sign->key_count++] = (struct signing_key){.selector = selector, .file = file};
	return 0;
}

/* ---- sign DOMAIN { } ---------------------------------------------------------------------- */

enum { NO_KEY, KEY_SELECTOR, KEY_SUBDOMAINS, KEY_EXPIRE, KEY_HEADERS };

static int key_of(const struct word *word)
{
	static const char *const names[] = {
	    [KEY_SELECTOR] = "selector",
	    [KEY_SUBDOMAINS] = "subdomains",
	    [KEY_EXPIRE] = "expire",
	    [KEY_HEADERS] = "headers",
	};

	for (int key = KEY_SELECTOR; key <= KEY_HEADERS; key++)
		if (word->kind == WORD_PLAIN && slice_equal(word->text, slice_of(names[key])))
			return key;
	return NO_KEY;
}

/* Each takes the words behind its key and gives the last one; NULL when an error was reported. */
static const struct word *read_selector(struct setting_reader *reader, struct sign_setting *sign,
					const struct word *key)
{
	const struct word *selector = key->next, *word = selector ? selector->next : NULL;
	struct slice name;
	bool valid;

	if (!word || !slice_equal(word->text, SLICE("key")) || !word->next) {
		setting_wrong(reader, key, "a selector and its key belong together");
		return NULL;
	}
	name = domain_normalise(word_value(selector, reader->arena), reader->arena, &valid);
	if (!valid) {
		setting_wrong(reader, selector, "\"%s\" is no selector", QUOTE(selector->text));
		return NULL;
	}
	word = word->next;
	if (add_key(sign, name,
		    beside(reader->arena, reader->compiler->policy->file, word_value(word, reader->arena))) == 0)
		return word;
	setting_wrong(reader, key, "more than %d keys", SIGN_KEYS_MAX);
	return NULL;
}

static const struct word *read_subdomains(struct setting_reader *reader, struct sign_setting *sign,
					  const struct word *key)
{
	sign->subdomains = key->next && slice_equal(key->next->text, SLICE("yes"));
	if (sign->subdomains || (key->next && slice_equal(key->next->text, SLICE("no"))))
		return key->next;
	setting_wrong(reader, key->next ? key->next : key, "subdomains is yes or no");
	return NULL;
}

static const struct word *read_expire(struct setting_reader *reader, struct sign_setting *sign, const struct word *key)
{
	int64_t us;

	if (key->next && duration_parse(key->next->text, &us) == 0 && us >= EXPIRE_LEAST_US) {
		sign->lifetime_s = us / 1000000;
		return key->next;
	}
	setting_wrong(reader, key->next ? key->next : key, "expire is a time of at least %s",
		      duration_print(EXPIRE_LEAST_US).text);
	return NULL;
}

static const struct word *read_headers(struct setting_reader *reader, struct sign_setting *sign, const struct word *key)
{
	struct slice *names = arena_alloc(reader->arena, reader->said->inside.count * sizeof(*names));
	const struct word *word = key;

	for (size_t i = 0; i < sign->name_count; i++) /* `headers` was said before */
		names[i] = sign->names[i];
	for (; word->next && key_of(word->next) == NO_KEY; word = word->next) {
		names[sign->name_count] = arena_copy(reader->arena, word_value(word->next, reader->arena));
		if (!header_name_valid(names[sign->name_count++])) {
			setting_wrong(reader, word->next, "\"%s\" is no name of a header field",
				      QUOTE(word->next->text));
			return NULL;
		}
	}
	sign->names = names;
	if (sign->name_count > 0)
		return word;
	setting_wrong(reader, key, "headers names the fields to sign");
	return NULL;
}

static int read_inside(struct setting_reader *reader, struct sign_setting *sign)
{
	static const struct word *(*const readers[])(struct setting_reader *, struct sign_setting *,
						     const struct word *) = {
	    [KEY_SELECTOR] = read_selector,
	    [KEY_SUBDOMAINS] = read_subdomains,
	    [KEY_EXPIRE] = read_expire,
	    [KEY_HEADERS] = read_headers,
	};

	for (const struct word *word = reader->said->inside.first; word; word = word->next) {
		int key = key_of(word);

		if (key == NO_KEY)
			return setting_wrong(reader, word, "sign knows no \"%s\"", QUOTE(word->text));
		word = readers[key](reader, sign, word);
		if (!word)
			return -1;
	}
	return sign->key_count > 0 ? 0 : setting_wrong(reader, NULL, "sign has no selector and key");
}

int setting_read_sign(struct setting_reader *reader)
{
	struct sign_setting sign = {.where = where(reader)};
	const struct words *values = &reader->said->values;
	bool valid;

	if (values->count != 1 || !reader->said->braces)
		return setting_wrong(reader, NULL, "sign has a domain and { }");
	sign.domain = domain_normalise(word_value(values->first, reader->arena), reader->arena, &valid);
	if (!valid)
		return setting_wrong(reader, values->first, "\"%s\" is no domain", QUOTE(values->first->text));
	if (read_inside(reader, &sign))
		return -1;
	if (sign_add(reader->compiler->policy, &sign))
		return setting_wrong(reader, NULL, "more than %d domains are signed for", SIGN_DOMAINS_MAX);
	return 0;
}

/* ---- sign-table ---------------------------------------------------------------------------------- */

struct table {
	struct setting_reader *reader;
	const char *file;
	unsigned line;
};

static int wrong_line(const struct table *table, const char *what)
{
	diagnostics_error(table->reader->compiler->diagnostics, table->reader->said->name.place,
			  "%s:%u: %s; a line is DOMAIN SELECTOR KEYFILE [subdomains]", table->file, table->line, what);
	return -1;
}

/* A domain may stand on several lines: then it has several keys. */
static int read_line(const struct table *table, struct slice line, struct sign_setting *last)
{
	struct policy *policy = table->reader->compiler->policy;
	struct slice domain, selector, key, word;
	struct sign_setting sign = {.where = where(table->reader)};
	bool domain_valid, selector_valid;

	if (!slice_word(&line, &domain) || domain.p[0] == '#')
		return 0;
	if (!slice_word(&line, &selector) || !slice_word(&line, &key))
		return wrong_line(table, "a word is missing");
	domain = domain_normalise(domain, policy->arena, &domain_valid);
	selector = domain_normalise(selector, policy->arena, &selector_valid);
	if (!domain_valid || !selector_valid)
		return wrong_line(table,
				  domain_valid ? "the second word is no selector" : "the first word is no domain");
	if (slice_word(&line, &word))
		sign.subdomains = slice_equal(word, SLICE("subdomains"));
	if (word.n > 0 && !sign.subdomains && word.p[0] != '#')
		return wrong_line(table, "the fourth word is not \"subdomains\"");
	sign.domain = domain;
	add_key(&sign, selector, beside(policy->arena, table->file, key));
	if (last && slice_equal(last->domain, domain) && last->where.line == sign.where.line)
		return add_key(last, selector, sign.keys[0].file) ? wrong_line(table, "too many keys of one domain")
								  : 0;
	return sign_add(policy, &sign) ? wrong_line(table, "too many domains") : 0;
}

static int read_table(struct table *table, struct slice text)
{
	struct policy *policy = table->reader->compiler->policy;
	struct slice line;

	while (slice_cut(&text, '\n', &line)) {
		table->line++;
		if (read_line(table, line, policy->sign_count > 0 ? &policy->signs[policy->sign_count - 1] : NULL))
			return -1;
	}
	return 0;
}

int setting_read_sign_table(struct setting_reader *reader)
{
	struct table table = {.reader = reader};
	struct slice path, text;
	struct error err;
	int result;

	if (setting_value(reader, &path))
		return -1;
	path = file_path(path);
	if (path.n == 0)
		return setting_wrong(reader, reader->said->values.first, "this names no file");
	table.file = beside(reader->arena, reader->compiler->policy->file, path);
	if (file_read(table.file, TABLE_BYTES_MAX, &text, &err))
		return setting_wrong(reader, reader->said->values.first, "%s", err.text);
	result = read_table(&table, text);
	free((char *)text.p);
	return result;
}
