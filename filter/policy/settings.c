/*
 * settings.c - the table of settings: every row is what the manual says of it.
 *
 * The presets are text in the language of the file and are read by the same
 * functions before it, so that no default is outside of its own limits.
 */
#include "sign_keys.h"
#include "values.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST_NAME_ROOM 256

int setting_wrong(struct setting_reader *reader, const struct word *word, const char *format, ...)
{
	char what[DIAGNOSTIC_TEXT_MAX / 2];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	diagnostics_error(reader->compiler->diagnostics, word ? word->place : reader->said->name.place, "%s; write %s",
			  what, reader->row->usage);
	return -1;
}

int setting_value(struct setting_reader *reader, struct slice *value_r)
{
	const struct words *values = &reader->said->values;

	if (reader->said->braces)
		return setting_wrong(reader, reader->said->inside.first, "%s takes no { }", reader->row->name);
	if (values->count == 0)
		return setting_wrong(reader, NULL, "%s has no value", reader->row->name);
	if (values->count > 1)
		return setting_wrong(reader, values->first->next, "%s takes one value", reader->row->name);
	*value_r = arena_copy(reader->arena, word_value(values->first, reader->arena));
	return 0;
}

static void *member(struct setting_reader *reader)
{
	return (char *)reader->settings + reader->row->offset;
}

/* ---- readers that several settings share -------------------------------------------- */

static int switch_word(struct setting_reader *reader, const struct word *word)
{
	const char *const words[] = {reader->row->words[0], reader->row->words[1], NULL};

	for (int i = 0; i < 2; i++) {
		if (slice_equal(word->text, slice_of(words[i]))) {
			*(bool *)member(reader) = i == 1;
			return 0;
		}
	}
	return setting_wrong(reader, word, "%s is never \"%s\"", reader->row->name, QUOTE(word->text));
}

static int read_switch(struct setting_reader *reader)
{
	struct slice value;

	if (setting_value(reader, &value))
		return -1;
	return switch_word(reader, reader->said->values.first);
}

static int read_duration(struct setting_reader *reader)
{
	const struct setting_row *row = reader->row;
	struct slice value;
	int64_t us;

	if (setting_value(reader, &value))
		return -1;
	if (duration_parse(value, &us))
		return setting_wrong(reader, reader->said->values.first, "\"%s\" is no time", QUOTE(value));
	if (us < row->least || us > row->most)
		return setting_wrong(reader, reader->said->values.first, "%s is between %s and %s", row->name,
				     duration_print(row->least).text, duration_print(row->most).text);
	*(int64_t *)member(reader) = us;
	return 0;
}

static int read_account(struct setting_reader *reader)
{
	struct slice value;

	if (setting_value(reader, &value))
		return -1;
	if (!name_valid(value))
		return setting_wrong(reader, reader->said->values.first, "\"%s\" is no name of a %s", QUOTE(value),
				     reader->row->name);
	*(struct slice *)member(reader) = value;
	return 0;
}

/* ---- single settings ------------------------------------------------------------------ */

/* RFC 8601 2.2: a token or what could stand in a host name. Quotes would be right, and nobody could read them. */
static int read_authserv_id(struct setting_reader *reader)
{
	struct slice value;
	bool valid;

	if (setting_value(reader, &value))
		return -1;
	value = domain_normalise(value, reader->arena, &valid);
	if (!valid)
		return setting_wrong(reader, reader->said->values.first, "\"%s\" is no host name", QUOTE(value));
	reader->settings->check.authserv_id = value;
	return 0;
}

static int read_control(struct setting_reader *reader)
{
	struct slice value;

	if (setting_value(reader, &value))
		return -1;
	if (control_parse(value, &reader->settings->control))
		return setting_wrong(reader, reader->said->values.first, "\"%s\" is no path from the root",
				     QUOTE(value));
	return 0;
}

static int read_log(struct setting_reader *reader)
{
	static const struct {
		const char *word;
		enum log_target target;
	} targets[] = {{"syslog", LOG_TO_SYSLOG}, {"stderr", LOG_TO_STDERR}, {"off", LOG_TO_NOWHERE}};
	struct slice value, path;

	if (setting_value(reader, &value))
		return -1;
	reader->settings->log_file = SLICE("");
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		if (slice_equal(value, slice_of(targets[i].word))) {
			reader->settings->log = targets[i].target;
			return 0;
		}
	}
	path = file_path(value);
	if (path.n == 0 || path.p[0] != '/')
		return setting_wrong(reader, reader->said->values.first, "records do not go to \"%s\"", QUOTE(value));
	reader->settings->log = LOG_TO_FILE;
	reader->settings->log_file = path;
	return 0;
}

/* record { facts used } */
static int read_record(struct setting_reader *reader)
{
	const struct words *inside = &reader->said->inside;

	if (reader->said->values.count || inside->count != 2 || !slice_equal(inside->first->text, SLICE("facts")))
		return setting_wrong(reader, inside->first, "record says which facts it keeps");
	return switch_word(reader, inside->last);
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

static int add_clause(struct setting_reader *reader, const struct word *word)
{
	const char *names[CHECK_MAX + 1];

	for (size_t i = 0; checks[i]; i++) {
		if (!checks[i]->authres || !slice_equal(word->text, slice_of(checks[i]->name)))
			continue;
		reader->settings->authres_checks |= 1u << i;
		return 0;
	}
	list_clauses(names);
	return setting_wrong(reader, word, "\"%s\" has no clause in Authentication-Results%s", QUOTE(word->text),
			     suggestion_aside(word->text, names).text);
}

static int read_authres(struct setting_reader *reader)
{
	const struct setting_syntax *said = reader->said;

	reader->settings->authres_checks = 0;
	if (!said->braces && said->values.count == 1 && slice_equal(said->values.first->text, SLICE("off")))
		return 0;
	if (said->values.count || said->inside.count == 0)
		return setting_wrong(reader, said->values.first,
				     "authentication-results says which checks have a clause");
	for (const struct word *word = said->inside.first; word; word = word->next) {
		if (add_clause(reader, word))
			return -1;
	}
	return 0;
}

/* ---- the table --------------------------------------------------------------------------- */

#define SECOND 1000000ll

static const struct setting_row rows[] = {
    {.name = "listen",
     .read = setting_read_listen,
     .preset = "inet:8891@127.0.0.1",
     .usage = "inet:PORT@HOST, inet6:PORT@[ADDRESS], fd:N or unix:/path [mode 0660] [group NAME]"},
    {.name = "authserv-id", .read = read_authserv_id, .usage = "a name as in mx.example.org"},
    {.name = "trusted",
     .read = setting_read_trusted,
     .preset = "{ 127.0.0.0/8 ::1/128 }",
     .usage = "networks as in trusted { 127.0.0.0/8 ::1 10.0.0.0/8 }"},
    {.name = "submission",
     .read = setting_read_submission,
     .preset = "{ port 587 465 }",
     .usage = "submission { port 587 465 } or submission { daemon-name \"ORIGINATING\" }"},
    {.name = "user",
     .read = read_account,
     .offset = offsetof(struct settings, user),
     .usage = "a name as in user sekisho"},
    {.name = "group",
     .read = read_account,
     .offset = offsetof(struct settings, group),
     .usage = "a name as in group sekisho"},
    {.name = "control",
     .read = read_control,
     .preset = CONTROL_DEFAULT,
     .usage = "a path as in /run/sekisho/control.sock, or off"},
    {.name = "log", .read = read_log, .preset = "syslog", .usage = "syslog, stderr, off or file:/path"},
    {.name = "record",
     .read = read_record,
     .preset = "{ facts used }",
     .words = {"used", "all"},
     .offset = offsetof(struct settings, record_all_facts),
     .usage = "record { facts used } or record { facts all }"},
    {.name = "mode",
     .read = read_switch,
     .preset = "enforce",
     .words = {"enforce", "report"},
     .offset = offsetof(struct settings, report_mode),
     .usage = "enforce or report"},
    {.name = "authentication-results",
     .read = read_authres,
     .usage = "authentication-results { spf auth } or authentication-results off"},
    {.name = "dmarc",
     .read = setting_read_dmarc,
     .preset = "{ organizational-domain tree-walk }",
     .usage = "dmarc { organizational-domain tree-walk } or dmarc { organizational-domain psl }"},
    {.name = "received-spf",
     .read = read_switch,
     .preset = "no",
     .words = {"no", "yes"},
     .offset = offsetof(struct settings, check.received_spf),
     .usage = "yes or no"},
    {.name = "drain",
     .read = read_duration,
     .preset = "30s",
     .least = 0,
     .most = 600 * SECOND,
     .offset = offsetof(struct settings, drain_us),
     .usage = "a time as in 30s or 2m"},
    {.name = "resolver",
     .read = setting_read_resolver,
     .preset = "{ timeout 3s system cache 65536 }",
     .usage = "resolver { timeout 3s  dnssec permissive  system }"},
    {.name = "dkim",
     .read = setting_read_dkim,
     .preset = "{ minimum-key-bits 1024 maximum-signatures 10 }",
     .usage = "dkim { minimum-key-bits 1024  maximum-signatures 10  allow-length example.net  engine native }"},
    {.name = "sign",
     .read = setting_read_sign,
     .repeats = true,
     .usage = "sign DOMAIN { selector NAME key /path [subdomains yes] [expire 7d] [headers From To Subject] }"},
    {.name = "sign-table", .read = setting_read_sign_table, .usage = "sign-table file:/path"},
    {.name = "spf",
     .read = setting_read_spf,
     .preset = "{ engine native }",
     .usage = "spf { engine native }, spf { engine libspf2 } or spf { engine compare }"},
    {.name = "list",
     .read = setting_read_list,
     .repeats = true,
     .usage = "list NAME file:/path [on-failure defer|skip]"},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* ---- reading them -------------------------------------------------------------------------- */

static const struct setting_row *find_row(struct slice name)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (slice_equal(name, slice_of(rows[i].name)))
			return &rows[i];
	}
	return NULL;
}

static int unknown_setting(struct compiler *compiler, const struct word *name)
{
	const char *names[ROW_COUNT + 2];
	const char *near;

	for (size_t i = 0; i < ROW_COUNT; i++)
		names[i] = rows[i].name;
	names[ROW_COUNT] = "policy";
	names[ROW_COUNT + 1] = NULL;
	near = nearest_word(name->text, names);
	diagnostics_error(compiler->diagnostics, name->place, "unknown setting \"%s\"; %s", QUOTE(name->text),
			  near ? suggestion(name->text, names).text
			       : "sekisho.conf(5) names them all (rules stand in \"policy KIND { on STAGE { } }\")");
	return -1;
}

/* Reads all settings of a tree; each at most once unless it repeats. */
static int read_all(struct compiler *compiler, const struct setting_syntax *said)
{
	const struct setting_syntax *first[ROW_COUNT] = {NULL};
	int result = 0;

	for (; said && !diagnostics_full(compiler->diagnostics); said = said->next) {
		struct setting_reader reader = {compiler, &compiler->policy->settings, compiler->policy->arena,
						find_row(said->name.text), said};
		size_t row = reader.row ? (size_t)(reader.row - rows) : 0;

		if (!reader.row) {
			result = unknown_setting(compiler, &said->name);
		} else if (first[row] && !reader.row->repeats) {
			diagnostics_error(compiler->diagnostics, said->name.place,
					  "%s is set already in line %u; remove one of them", reader.row->name,
					  first[row]->name.place.line);
			result = -1;
		} else {
			first[row] = said;
			result |= reader.row->read(&reader);
		}
	}
	return result ? -1 : 0;
}

/* The presets as a file of their own. */
static void read_presets(struct compiler *compiler)
{
	struct arena *scratch = arena_new();
	struct compiler presets = *compiler;
	struct file_syntax file;
	struct text text;

	text_init(&text, scratch, POLICY_FILE_MAX);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].preset)
			text_printf(&text, "%s %s\n", rows[i].name, rows[i].preset);
	}
	presets.diagnostics = diagnostics_new();
	diagnostics_source(presets.diagnostics, "presets", text_slice(&text));
	syntax_read(text_slice(&text), scratch, presets.diagnostics, &file);
	if (read_all(&presets, file.first_setting) || diagnostics_errors(presets.diagnostics))
		die("a preset is wrong: %s", diagnostics_line(presets.diagnostics, 0));
	diagnostics_free(presets.diagnostics);
	arena_free(scratch);
}

int settings_compile(struct compiler *compiler, const struct file_syntax *file)
{
	struct settings *settings = &compiler->policy->settings;
	char host[HOST_NAME_ROOM] = "localhost";

	gethostname(host, sizeof(host) - 1);
	settings->check.authserv_id = arena_lower(compiler->policy->arena, slice_of(host));
	for (size_t i = 0; checks[i]; i++)
		settings->authres_checks |= checks[i]->authres ? 1u << i : 0;
	read_presets(compiler);
	settings->listen.where = (struct position){compiler->policy->file, 0, 0};
	if (read_all(compiler, file->first_setting))
		return -1;
	return sign_finish(compiler);
}
