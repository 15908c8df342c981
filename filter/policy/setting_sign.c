/*
 * setting_sign.c - whose mail is signed, with which keys.
 *
 *	sign DOMAIN { selector S key FILE ...  subdomains yes  expire 7d  headers NAME ...  oversign NAME|all ... }
 *	sign DOMAIN { keys DIRECTORY  rotate 90d  type rsa ed25519  check 5m }
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

#define ROTATE_LEAST_US (24 * 3600 * 1000000ll)
#define CHECK_LEAST_US  1000000

static const char *const key_types[] = {"rsa", "ed25519", NULL}; /* in the order of enum dkim_algorithm */

static struct position where(const struct setting_reader *reader)
{
	struct place place = reader->said->name.place;

	return position_of(reader->compiler, place);
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
	if (sign_add_key(sign, (struct signing_key){name, path_beside(told->arena, told->file, told->words[2])}) == 0)
		return 0;
	error_set(err, "sign has more than %d keys", SIGN_KEYS_MAX);
	return -1;
}

/* "all", or a name. What every relay adds or changes is not signed (RFC 6376 5.4). */
static int read_oversigned(struct setting_told *told, void *item, struct error *err)
{
	*(struct slice *)item = told->words[0];
	if (!header_name_valid(told->words[0]))
		return -1;
	if (!dkim_never_signed(told->words[0]))
		return 0;
	error_set(err, "%s is never signed, since mail servers add or change it", QUOTE(told->words[0]));
	return -1;
}

/* Keys are either named one by one, or in a directory that has them all. */
static int finish_sign(void *block, struct setting_told *told, struct error *err)
{
	static const char *const of_directory[] = {"rotate", "type", "check", NULL};
	const struct sign_setting *sign = block;

	if (!sign->directory && sign->key_count == 0) {
		error_set(err, "sign has no selector; write selector NAME key FILE, or keys DIRECTORY");
		return -1;
	}
	if (sign->directory && sign->key_count > 0) {
		told->key = "selector";
		error_set(err, "sign has \"selector\" and \"keys\"; move the key to DIRECTORY/DOMAIN/SELECTOR.pem");
		return -1;
	}
	for (size_t i = 0; of_directory[i] && !sign->directory; i++) {
		if (!setting_said(told, of_directory[i]))
			continue;
		told->key = of_directory[i];
		error_set(err, "\"%s\" is about the keys of a directory; add \"keys DIRECTORY\"", of_directory[i]);
		return -1;
	}
	return 0;
}

#define SIGN(member) .offset = offsetof(struct sign_setting, member)

#define EXAMPLE(more) .example = "sign example.org { selector s1 key /etc/sekisho/s1.pem" more " }"

static const struct setting_key signed_domain = {.type = SETTING_DOMAIN, SIGN(domain), EXAMPLE("")};

static const struct setting_key keys[] = {
    {.name = "selector",
     .type = SETTING_OWN,
     .count = SETTING_EACH,
     .read = read_selector,
     .takes = 3,
     .usage = "selector NAME key FILE",
     EXAMPLE("")},
    {.name = "subdomains", .type = SETTING_BOOL, SIGN(subdomains), EXAMPLE(" subdomains yes")},
    {.name = "expire", .type = SETTING_DURATION, SIGN(lifetime_us), .least = EXPIRE_LEAST_US, EXAMPLE(" expire 7d")},
    {.name = "headers",
     .type = SETTING_HEADER,
     .count = SETTING_MANY,
     SIGN(names),
     EXAMPLE(" headers From To Subject Date")},
    {.name = "oversign",
     .type = SETTING_OWN,
     .count = SETTING_MANY,
     SIGN(oversigned),
     .read = read_oversigned,
     .size = sizeof(struct slice),
     .usage = "names of header fields as in From To Subject, or all",
     EXAMPLE(" oversign all")},
    {.name = "keys",
     .type = SETTING_PATH,
     SIGN(directory),
     .usage = "a directory as in /var/lib/sekisho/keys",
     .example = "sign example.org { keys /var/lib/sekisho/keys }"},
    {.name = "rotate",
     .type = SETTING_DURATION,
     SIGN(rotate_us),
     .least = ROTATE_LEAST_US,
     .example = "sign example.org { rotate 90d  keys /var/lib/sekisho/keys }"},
    {.name = "type",
     .type = SETTING_WORD,
     .count = SETTING_MANY,
     .words = key_types,
     SIGN(types),
     .example = "sign example.org { keys /var/lib/sekisho/keys  type rsa ed25519 }"},
    {.name = "check",
     .type = SETTING_DURATION,
     SIGN(check_us),
     .least = CHECK_LEAST_US,
     .example = "sign example.org { keys /var/lib/sekisho/keys  check 5m }"},
};

const struct setting_block sign_block = {.name = "sign",
					 .size = sizeof(struct sign_setting),
					 .value = &signed_domain,
					 SETTING_KEYS(keys),
					 .repeats = true,
					 .finish = finish_sign};

int setting_keep_sign(struct setting_reader *reader, const void *block)
{
	struct sign_setting sign = *(const struct sign_setting *)block;

	for (size_t i = 0; i < sign.oversigned.count; i++)
		sign.oversigned_all |= slice_equal(sign.oversigned.items[i], SLICE("all"));
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

/* Every line that is wrong is told: it belongs to no statement, of which one error would be told. */
static int wrong_line(const struct table *table, const char *what)
{
	struct place place = table->reader->said->name.place;

	place.statement = 0;
	diagnostics_error(table->reader->compiler->diagnostics, place,
			  "%s:%u: %s; a line is DOMAIN SELECTOR KEYFILE [subdomains]", table->file, table->line, what);
	return -1;
}

/* The words of a line. 1: it says nothing; -1: it is wrong. */
static int parse_line(const struct table *table, struct slice line, struct sign_setting *sign)
{
	struct arena *arena = table->reader->arena;
	struct slice domain, selector, key, word = {0};
	bool domain_valid, selector_valid;

	if (!slice_word(&line, &domain) || domain.p[0] == '#')
		return 1;
	if (!slice_word(&line, &selector) || !slice_word(&line, &key))
		return wrong_line(table, "a word is missing");
	sign->domain = domain_normalise(domain, arena, &domain_valid);
	selector = domain_normalise(selector, arena, &selector_valid);
	if (!domain_valid)
		return wrong_line(table, "the first word is not a domain");
	if (!selector_valid)
		return wrong_line(table, "the second word is not a selector");
	if (slice_word(&line, &word))
		sign->subdomains = slice_equal(word, SLICE("subdomains"));
	if (word.n > 0 && !sign->subdomains && word.p[0] != '#')
		return wrong_line(table, "the fourth word is not \"subdomains\"");
	sign_add_key(sign, (struct signing_key){selector, path_beside(arena, table->file, key), table->line});
	return 0;
}

/* A domain may be on several lines: then it has several keys. Lines that follow each other are one entry at once. */
static int read_line(const struct table *table, struct slice line)
{
	struct policy *policy = table->reader->compiler->policy;
	struct sign_setting sign = {.where = where(table->reader), .table = table->file};
	struct sign_setting *last = policy->sign_count > 0 ? &policy->signs[policy->sign_count - 1] : NULL;
	int result = parse_line(table, line, &sign);

	if (result)
		return result < 0 ? -1 : 0;
	if (last && slice_equal(last->domain, sign.domain) && last->where.file == sign.where.file &&
	    last->where.line == sign.where.line && sign_add_key(last, sign.keys[0]) == 0) {
		last->subdomains |= sign.subdomains;
		return 0;
	}
	return sign_add(policy, &sign) ? wrong_line(table, "too many domains") : 0;
}

static int read_table(struct table *table, struct slice text)
{
	struct slice line;
	int result = 0;

	while (slice_cut(&text, '\n', &line) && !diagnostics_full(table->reader->compiler->diagnostics)) {
		table->line++;
		result |= read_line(table, line);
	}
	return result;
}

struct sign_table {
	const char *path;
};

static int read_place(struct setting_told *told, void *item, struct error *err)
{
	struct slice path = file_path(told->words[0]);

	(void)err;
	*(const char **)item = path_beside(told->arena, told->file, path);
	return path.n > 0 ? 0 : -1;
}

static const struct setting_key table_place = {.type = SETTING_OWN,
					       .offset = offsetof(struct sign_table, path),
					       .read = read_place,
					       .usage = "file:/path",
					       .example = "sign-table file:/etc/sekisho/domains"};

const struct setting_block sign_table_block = {
    .name = "sign-table", .size = sizeof(struct sign_table), .value = &table_place, .line = true};

int setting_keep_sign_table(struct setting_reader *reader, const void *block)
{
	struct table table = {.reader = reader, .file = ((const struct sign_table *)block)->path};
	struct slice text;
	struct error err;
	int result;

	if (file_read_plain(table.file, TABLE_BYTES_MAX, &text, &err)) {
		diagnostics_error(reader->compiler->diagnostics, reader->said->values.first->place,
				  "%s; name a table that we may read", err.text);
		return -1;
	}
	result = read_table(&table, text);
	free((char *)text.p);
	return result;
}
