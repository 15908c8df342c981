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

/* selector NAME key FILE */
static int read_selector(struct setting_told *told, void *item, struct error *err)
{
	struct sign_setting *sign = item;
	struct slice name;
	bool valid;

	told->wrong = 1;
	if (!slice_equal(told->words[1], SLICE("key"))) {
		error_set(err, "a selector and its key belong together");
		return -1;
	}
	told->wrong = 0;
	name = domain_normalise(told->words[0], told->arena, &valid);
	if (!valid) {
		error_set(err, "\"%s\" is not a selector", QUOTE(told->words[0]));
		return -1;
	}
	if (add_key(sign, name, path_beside(told->arena, told->file, told->words[2])) == 0)
		return 0;
	error_set(err, "sign has more than %d keys", SIGN_KEYS_MAX);
	return -1;
}

#define SIGN(member) .offset = offsetof(struct sign_setting, member)

static const struct setting_key signed_domain = {.type = SETTING_DOMAIN, SIGN(domain)};

static const struct setting_key keys[] = {
    {.name = "selector",
     .type = SETTING_OWN,
     .count = SETTING_EACH,
     .read = read_selector,
     .takes = 3,
     .required = true,
     .usage = "selector NAME key FILE"},
    {.name = "subdomains", .type = SETTING_BOOL, SIGN(subdomains)},
    {.name = "expire", .type = SETTING_DURATION, SIGN(lifetime_us), .least = EXPIRE_LEAST_US},
    {.name = "headers", .type = SETTING_HEADER, .count = SETTING_MANY, SIGN(names)},
};

const struct setting_block sign_block = {
    .name = "sign", .size = sizeof(struct sign_setting), .value = &signed_domain, SETTING_KEYS(keys), .repeats = true};

int setting_keep_sign(struct setting_reader *reader, const void *block)
{
	struct sign_setting sign = *(const struct sign_setting *)block;

	sign.where = where(reader);
	if (sign_add(reader->compiler->policy, &sign) == 0)
		return 0;
	diagnostics_error(reader->compiler->diagnostics, reader->said->name.place,
			  "more than %d domains are signed for; use fewer", SIGN_DOMAINS_MAX);
	return -1;
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
	add_key(&sign, selector, path_beside(policy->arena, table->file, key));
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
	table.file = path_beside(reader->arena, reader->compiler->policy->file, path);
	if (file_read_plain(table.file, TABLE_BYTES_MAX, &text, &err))
		return setting_wrong(reader, reader->said->values.first, "%s", err.text);
	result = read_table(&table, text);
	free((char *)text.p);
	return result;
}
