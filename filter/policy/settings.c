/*
 * settings.c - the table of settings: every row is what the manual says of it.
 *
 * A block that one check reads is not here: it is declared by the check (struct check).
 */
#include "sign_keys.h"
#include "values.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST_NAME_ROOM 256

static int wrong_comma(struct compiler *compiler, const struct word *word)
{
	diagnostics_error(compiler->diagnostics, word->place, "\"%s\" has a comma in it; " COMMA_ADVICE,
			  QUOTE(word->text));
	return -1;
}

/* ---- values of a form of their own ------------------------------------------------------ */

/* RFC 8601 2.2: a token or what could be in a host name. Quotes would be right, and nobody could read them. */
int setting_read_authserv_id(struct setting_told *told, void *item, struct error *err)
{
	bool valid;

	(void)err;
	*(struct slice *)item = domain_normalise(told->words[0], told->arena, &valid);
	return valid ? 0 : -1;
}

static int read_log(struct setting_told *told, void *item, struct error *err)
{
	static const struct {
		const char *word;
		enum log_target target;
	} targets[] = {{"syslog", LOG_TO_SYSLOG}, {"stderr", LOG_TO_STDERR}, {"off", LOG_TO_NOWHERE}};
	struct settings *settings = item;

	(void)err;
	settings->log_file = SLICE("");
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		if (slice_equal(told->words[0], slice_of(targets[i].word))) {
			settings->log = targets[i].target;
			return 0;
		}
	}
	settings->log = LOG_TO_FILE;
	settings->log_file = file_path(told->words[0]);
	return settings->log_file.n > 0 && settings->log_file.p[0] == '/' ? 0 : -1;
}

/* Names of the checks that have a clause in Authentication-Results; `names` has room for CHECK_MAX and a NULL. */
static void list_clauses(const char **names)
{
	for (size_t i = 0; checks[i]; i++) {
		if (checks[i]->authres)
			*names++ = checks[i]->name;
	}
	*names = NULL;
}

static int add_clause(struct slice name, struct settings *settings, struct error *err)
{
	const char *names[CHECK_MAX + 1];
	bool all = slice_equal(name, SLICE("all")), found = all;

	for (size_t i = 0; checks[i]; i++) {
		if (!checks[i]->authres || !(all || slice_equal(name, slice_of(checks[i]->name))))
			continue;
		settings->authres_checks |= 1u << i;
		settings->authres_named |= all ? 0 : 1u << i;
		found = true;
	}
	if (found)
		return 0;
	list_clauses(names);
	error_set(err, "\"%s\" has no clause in Authentication-Results%s", QUOTE(name),
		  suggestion_aside(name, names).text);
	return -1;
}

const char *const conflict_names[5] = {"none", "strictest", "most-lenient", "split", NULL};

static int read_conflict(struct setting_told *told, void *item, struct error *err)
{
	(void)err;
	for (int i = CONFLICT_STRICTEST; conflict_names[i]; i++) {
		if (!slice_equal(told->words[0], slice_of(conflict_names[i])))
			continue;
		*(enum on_conflict *)item = (enum on_conflict)i;
		return 0;
	}
	return -1;
}

/* off, all, or checks by name */
static int read_authres(struct setting_told *told, void *item, struct error *err)
{
	struct settings *settings = item;

	settings->authres_checks = settings->authres_named = 0;
	if (told->count == 1 && slice_equal(told->words[0], SLICE("off")))
		return 0;
	for (told->wrong = 0; told->wrong < told->count; told->wrong++) {
		if (add_clause(told->words[told->wrong], settings, err))
			return -1;
	}
	return 0;
}

/* ---- blocks that belong to no check -------------------------------------------------------- */

static const struct setting_key record_keys[] = {
    {.name = "facts",
     .type = SETTING_BOOL,
     .offset = offsetof(struct settings, record_all_facts),
     .words = (const char *const[]){"used", "all", NULL},
     .preset = "used"},
};

static const struct setting_block record_block = {.name = "record", SETTING_KEYS(record_keys)};

static const struct setting_key submission_keys[] = {
    {.name = "port",
     .type = SETTING_PORT,
     .count = SETTING_MANY,
     .offset = offsetof(struct check_settings, submission_ports),
     .preset = "587 465"},
    {.name = "daemon-name",
     .type = SETTING_TEXT,
     .count = SETTING_MANY,
     .offset = offsetof(struct check_settings, submission_names),
     .usage = "the name that the MTA gives to the service, as in \"ORIGINATING\"",
     .example = "submission { daemon-name \"ORIGINATING\" }"},
    {.name = "clients",
     .type = SETTING_LIST,
     .offset = offsetof(struct check_settings, submission_clients),
     .example = "submission { clients friends }"},
};

/* Bytes that separate an extension in a local part, as recipient_delimiter of Postfix. */
static int read_delimiters(struct setting_told *told, void *item, struct error *err)
{
	struct slice said = told->words[0];

	(void)err;
	for (size_t i = 0; i < said.n; i++)
		if (!strchr("!#$%&'*+-/=?^_`{|}~.", said.p[i]) || said.p[i] == '\0')
			return -1;
	*(struct slice *)item = said;
	return said.n > 0 ? 0 : -1;
}

static const struct setting_key ownership_keys[] = {
    {.name = "self", .type = SETTING_BOOL, .offset = offsetof(struct ownership_setting, self), .preset = "no"},
    {.name = "recipient-delimiter",
     .type = SETTING_OWN,
     .offset = offsetof(struct ownership_setting, delimiters),
     .read = read_delimiters,
     .usage = "the bytes that begin an extension, as in recipient-delimiter +",
     .example = "ownership { recipient-delimiter + }"},
};

static const struct setting_block ownership_block = {
    .name = "ownership", .size = sizeof(struct ownership_setting), SETTING_KEYS(ownership_keys)};

/* What is said replaces the preset as a whole. */
static const struct setting_block submission_block = {
    .name = "submission", SETTING_KEYS(submission_keys), .preset_only = true};

/* ---- the table --------------------------------------------------------------------------------- */

#define SECOND     1000000ll
#define AT(member) .offset = offsetof(struct settings, member)

static const struct setting_row rows[] = {
    {.key = {.name = "listen"}, .block = &listen_block, .keep = setting_keep_listen},
    {.key = {.name = "authserv-id",
	     .type = SETTING_OWN,
	     AT(check.authserv_id),
	     .read = setting_read_authserv_id,
	     .usage = "a name as in mx.example.org",
	     .example = "authserv-id mx.example.org"}},
    {.key = {.name = "trusted",
	     .type = SETTING_NETWORK,
	     .count = SETTING_MANY,
	     AT(check.trusted),
	     .preset = "127.0.0.0/8 ::1/128"}},
    {.key = {.name = "submission", AT(check)}, .block = &submission_block},
    {.key = {.name = "user",
	     .type = SETTING_NAME,
	     AT(user),
	     .usage = "a name as in user sekisho",
	     .example = "user sekisho"}},
    {.key = {.name = "group",
	     .type = SETTING_NAME,
	     AT(group),
	     .usage = "a name as in group sekisho",
	     .example = "group sekisho"}},
    {.key = {.name = "key-access",
	     .type = SETTING_WORD,
	     AT(key_access),
	     .words = (const char *const[]){[KEY_ACCESS_OWNER] = "owner", [KEY_ACCESS_GROUP] = "group", NULL},
	     .preset = "owner"}},
    {.key = {.name = "control", AT(control)}, .block = &control_setting_block},
    {.key = {.name = "log",
	     .type = SETTING_OWN,
	     .read = read_log,
	     .preset = "syslog",
	     .usage = "syslog, stderr, off or file:/path"}},
    {.key = {.name = "record"}, .block = &record_block},
    {.key = {.name = "mode",
	     .type = SETTING_BOOL,
	     .words = (const char *const[]){"enforce", "report", NULL},
	     .preset = "enforce",
	     AT(report_mode)}},
    {.key = {.name = "authentication-results",
	     .type = SETTING_OWN,
	     .takes = SETTING_REST,
	     .read = read_authres,
	     .preset = "all",
	     .usage = "authentication-results { spf auth }, or all, or off",
	     .example = "authentication-results { spf dkim dmarc }"}},
    {.key = {.name = "received-spf", .type = SETTING_BOOL, .preset = "no", AT(check.received_spf)}},
    {.key = {.name = "on-conflict",
	     .type = SETTING_OWN,
	     AT(on_conflict),
	     .read = read_conflict,
	     .usage = "strictest, most-lenient or split",
	     .example = "on-conflict strictest"}},
    {.key =
	 {.name = "drain", .type = SETTING_DURATION, .preset = "30s", .least = 0, .most = 600 * SECOND, AT(drain_us)}},
    {.key = {.name = "resolver", AT(resolver)}, .block = &resolver_block},
    {.key = {.name = "ownership", AT(ownership)}, .block = &ownership_block},
    {.key = {.name = "store", AT(store)}, .block = &store_block},
    {.key = {.name = "history", AT(history)}, .block = &history_block},
    {.key = {.name = "mailer", AT(mailer)}, .block = &mailer_block},
    {.key = {.name = "dmarc-reports", AT(reports)}, .block = &reports_block},
    {.key = {.name = "web", AT(web)}, .block = &web_block},
    {.key = {.name = "sign"}, .block = &sign_block, .keep = setting_keep_sign},
    {.key = {.name = "sign-table"}, .block = &sign_table_block, .keep = setting_keep_sign_table},
    {.key = {.name = "srs"}, .block = &srs_block, .keep = setting_keep_srs},
    {.key = {.name = "tenant"}, .block = &tenant_block, .keep = setting_keep_tenant},
    {.key = {.name = "check-tests", .type = SETTING_BOOL, .preset = "no", AT(check_tests)}},
    {.key = {.name = "test"}, .block = &test_block, .keep = setting_keep_test},
    {.key = {.name = "list"}, .block = &list_block, .keep = setting_keep_list, .declares = true},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* ---- going through the file -------------------------------------------------------------------- */

/* All that a file can say: the rows above and the blocks of the checks. */
struct table {
	struct setting_row *rows;
	const struct setting_syntax **first; /* the statement that said it first; NULL: none */
	size_t count;
};

bool setting_row_at(size_t number, struct setting_row *row_r)
{
	size_t next = ROW_COUNT;

	if (number < ROW_COUNT)
		*row_r = rows[number];
	for (size_t i = 0; number >= next && checks[i]; i++) {
		if (!checks[i]->settings || next++ < number)
			continue;
		*row_r = (struct setting_row){
		    .key.name = checks[i]->settings->name, .block = checks[i]->settings, .check = checks[i]};
	}
	return number < next;
}

static struct table make_table(struct arena *arena)
{
	struct table table = {.rows = arena_alloc(arena, (ROW_COUNT + CHECK_MAX) * sizeof(*table.rows)),
			      .first = arena_alloc(arena, (ROW_COUNT + CHECK_MAX) * sizeof(const void *))};

	while (setting_row_at(table.count, &table.rows[table.count]))
		table.count++;
	return table;
}

static int unknown_setting(struct compiler *compiler, const struct table *table, const struct word *name)
{
	const char *names[ROW_COUNT + CHECK_MAX + 3];
	const char *near;

	for (size_t i = 0; i < table->count; i++)
		names[i] = table->rows[i].key.name;
	names[table->count] = "policy";
	names[table->count + 1] = "include";
	names[table->count + 2] = NULL;
	near = nearest_word(name->text, names);
	diagnostics_error(compiler->diagnostics, name->place, "unknown setting \"%s\"; %s", QUOTE(name->text),
			  near ? suggestion(name->text, names).text
			       : "sekisho.conf(5) names them all (rules are in \"policy KIND { on STAGE { } }\")");
	return -1;
}

static bool repeats(const struct setting_row *row)
{
	return row->block && row->block->repeats;
}

/* A struct for one more block of a check. The blocks of one check lie one after the other. */
static void *new_block(struct setting_reader *reader)
{
	struct check_block *blocks = &reader->settings->check.blocks[check_number(reader->row->check)];
	size_t size = reader->row->block->size;
	char *first = arena_alloc(reader->arena, (blocks->count + 1) * size);

	if (blocks->count)
		memcpy(first, blocks->first, blocks->count * size);
	blocks->first = first;
	return first + blocks->count++ * size;
}

static int check_most(struct setting_reader *reader)
{
	const struct setting_block *block = reader->row->block;

	if (!block->most || reader->settings->check.blocks[check_number(reader->row->check)].count < block->most)
		return 0;
	diagnostics_error(reader->compiler->diagnostics, reader->said->name.place,
			  "%s is set more than %zu times; remove some", block->name, block->most);
	return -1;
}

/* A thing is declared once. Its name is the value before the keys. */
static int check_name(struct setting_reader *reader, const char *declared)
{
	const struct check_block *blocks = &reader->settings->check.blocks[check_number(reader->row->check)];
	size_t offset = reader->row->block->value->offset, size = reader->row->block->size;
	const struct slice *name = (const void *)(declared + offset);

	for (size_t i = 0; i + 1 < blocks->count; i++) {
		const struct slice *other = (const void *)((const char *)blocks->first + i * size + offset);

		if (!slice_equal(*name, *other))
			continue;
		diagnostics_error(reader->compiler->diagnostics, reader->said->values.first->place,
				  "%s %.*s is defined already; give one of them another name", reader->row->key.name,
				  SLICE_ARGS(*name));
		return -1;
	}
	return 0;
}

static int read_block(struct setting_reader *reader)
{
	const struct setting_row *row = reader->row;
	void *base = (char *)reader->settings + row->key.offset;

	if (row->check && check_most(reader))
		return -1;
	if (row->check)
		base = new_block(reader);
	else if (row->keep)
		base = arena_alloc(reader->arena, row->block->size);
	if (setting_read_block(reader, row->block, base))
		return -1;
	if (row->keep)
		return row->keep(reader, base);
	return row->check && row->block->repeats ? check_name(reader, base) : 0;
}

static int read_row(struct setting_reader *reader)
{
	return reader->row->block ? read_block(reader) : setting_read_value(reader);
}

/* The first word that ends with a comma: with another one after it, it is never meant as part of the value. */
static const struct word *first_list_mark(const struct setting_syntax *said)
{
	const struct words *parts[] = {&said->values, &said->inside};

	for (size_t i = 0; i < 2; i++)
		for (const struct word *word = parts[i]->first; word && word->next; word = word->next)
			if (word_has_comma(word) && word->text.p[word->text.n - 1] == ',')
				return word;
	return NULL;
}

/* A statement of the file: at most one of each kind unless it repeats. What declares is read on its own. */
static int read_statement(struct compiler *compiler, struct table *table, const struct setting_syntax *said,
			  bool declares)
{
	struct setting_reader reader = {.compiler = compiler,
					.settings = &compiler->policy->settings,
					.arena = compiler->policy->arena,
					.said = said};
	size_t i = 0;

	while (i < table->count && !slice_equal(said->name.text, slice_of(table->rows[i].key.name)))
		i++;
	if (i == table->count)
		return declares ? 0 : unknown_setting(compiler, table, &said->name);
	reader.row = &table->rows[i];
	if (reader.row->declares != declares)
		return 0;
	if (table->first[i] && !repeats(reader.row)) {
		diagnostics_error(compiler->diagnostics, said->name.place,
				  "%s is set already in %s; remove one of them", reader.row->key.name,
				  line_said(compiler, said->name.place, table->first[i]->name.place).text);
		return -1;
	}
	table->first[i] = said;
	if (first_list_mark(said))
		return wrong_comma(compiler, first_list_mark(said));
	return read_row(&reader);
}

static int read_statements(struct compiler *compiler, struct table *table, const struct file_syntax *file,
			   bool declares)
{
	int result = 0;

	for (const struct setting_syntax *said = file->first_setting; said && !diagnostics_full(compiler->diagnostics);
	     said = said->next)
		result |= read_statement(compiler, table, said, declares);
	return result;
}

/* What no statement says: presets alone. */
static int read_preset(struct compiler *compiler, const struct setting_row *row)
{
	struct setting_reader reader = {.compiler = compiler,
					.settings = &compiler->policy->settings,
					.arena = compiler->policy->arena,
					.row = row};
	struct setting_syntax said = {.name.text = slice_of(row->key.name)};
	const struct setting_key *value = row->block ? row->block->value : &row->key;

	if (!value || !value->preset) /* a block has those of its keys */
		return row->block && !row->keep && !repeats(row) ? read_block(&reader) : 0;
	said.braces = !row->block && (value->count == SETTING_MANY || value->takes == SETTING_REST);
	*(said.braces ? &said.inside : &said.values) = setting_words(slice_of(value->preset), reader.arena);
	reader.said = &said;
	reader.preset = true;
	return read_row(&reader);
}

int settings_compile(struct compiler *compiler, const struct file_syntax *file)
{
	struct settings *settings = &compiler->policy->settings;
	struct table table = make_table(compiler->policy->arena);
	char host[HOST_NAME_ROOM] = "localhost";
	int result;

	gethostname(host, sizeof(host) - 1);
	settings->check.authserv_id = arena_lower(compiler->policy->arena, slice_of(host));
	result = read_statements(compiler, &table, file, true);
	result |= read_statements(compiler, &table, file, false);
	for (size_t i = 0; i < table.count; i++) {
		if (!table.first[i])
			result |= read_preset(compiler, &table.rows[i]);
	}
	if (compiler->effective && !result)
		settings_show(compiler, table.rows, table.count, file);
	tenants_finish(compiler->policy);
	if (result)
		return -1;
	result = sign_finish(compiler);
	return srs_finish(compiler) || result ? -1 : 0;
}
