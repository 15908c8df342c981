/*
 * run.c - plays scenarios: a policy, a zone, and SMTP conversations with what is
 * expected of each, through the real engine in one process, without a network.
 * tests/README tells how a scenario is written.
 *
 * usage: run FILE.scenario...   exits 1 when a case fails; the last line counts.
 */
#include "engine.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX (1024 * 1024)

struct play {
	const char *file;
	unsigned line;
	struct arena *arena; /* of the file */
	struct slice rest;   /* lines not read yet */
	struct slice title;  /* of the case at hand */
	bool failed;
	unsigned passed, failures;

	struct text zone, config;
	bool changed; /* config or zone, since the engine was made */
	struct policy *policy;
	struct resolver *resolver;
	struct engine *engine;
	struct counters counters;
	struct gate *gate;
	enum gate_answer answer;
	size_t change; /* next to be expected */
};

static void fail(struct play *play, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct play *play, const char *format, ...)
{
	va_list arguments;

	play->failed = true;
	printf("FAILED %s:%u (%.*s): ", play->file, play->line, SLICE_ARGS(play->title));
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static bool next_line(struct play *play, struct slice *line_r)
{
	if (!play->rest.n || !slice_cut(&play->rest, '\n', line_r))
		return false;
	play->line++;
	return true;
}

/* ---- the engine of a case --------------------------------------------------------- */

static void write_file(struct play *play, const char *name, struct slice text)
{
	FILE *file = fopen(name, "w");

	if (!file || fwrite(text.p, 1, text.n, file) != text.n || fclose(file) != 0)
		fail(play, "cannot write %s: %s", name, strerror(errno));
}

static void engine_drop(struct play *play)
{
	gate_close(play->gate);
	engine_release(play->engine);
	resolver_release(play->resolver);
	play->gate = NULL;
	play->engine = NULL;
	play->resolver = NULL;
}

/* The policy is kept from one to the next, as a reload does. */
static void engine_make(struct play *play)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *old = play->policy;
	struct error err;

	engine_drop(play);
	write_file(play, "policy.conf", text_slice(&play->config));
	play->policy = policy_load("policy.conf", old, diagnostics);
	policy_release(old);
	if (!play->policy) {
		char *text = diagnostics_print(diagnostics);
		fail(play, "the policy is wrong:\n%s", text);
		free(text);
	}
	diagnostics_free(diagnostics);
	play->resolver = resolver_open_zone(text_slice(&play->zone), "zone", &err);
	if (!play->resolver)
		fail(play, "%s", err.text);
	if (play->policy && play->resolver)
		play->engine = engine_new(play->policy, play->resolver, NULL, &play->counters);
	play->changed = false;
}

/* ---- what is said ------------------------------------------------------------------ */

static void say_connect(struct play *play, struct slice rest)
{
	struct slice address = {0}, name = {0}, word, daemon = {0};
	struct ip ip = {0};
	uint64_t port = 25;

	if (play->changed || !play->engine)
		engine_make(play);
	gate_close(play->gate);
	play->gate = NULL;
	if (!play->engine)
		return;
	slice_word(&rest, &address);
	slice_word(&rest, &name);
	while (slice_word(&rest, &word)) {
		if (slice_equal(word, SLICE("port")) && slice_word(&rest, &word))
			slice_number(word, 65535, &port);
		else if (slice_equal(word, SLICE("daemon")))
			slice_word(&rest, &daemon);
	}
	bool local = slice_equal(address, SLICE("local"));
	if (!local && ip_parse(address, &ip) != 0)
		fail(play, "connect: no address: %.*s", SLICE_ARGS(address));
	if (slice_equal(name, SLICE("-")))
		name = SLICE("");
	play->gate = gate_open(play->engine);
	gate_connect(play->gate, ip, 40000, name, daemon, (unsigned)port, local);
}

static void say_helo(struct play *play, struct slice rest)
{
	gate_helo(play->gate, rest);
}

static void say_tls(struct play *play, struct slice rest)
{
	struct slice version = {0};

	slice_word(&rest, &version);
	gate_tls(play->gate, version, slice_trim(rest));
}

static void say_auth(struct play *play, struct slice rest)
{
	struct slice user = {0};

	slice_word(&rest, &user);
	gate_auth(play->gate, user, slice_trim(rest));
}

static void say_mail(struct play *play, struct slice rest)
{
	play->change = 0;
	play->answer = gate_mail(play->gate, rest, false);
}

static void say_rcpt(struct play *play, struct slice rest)
{
	play->answer = gate_rcpt(play->gate, rest);
}

static void say_header(struct play *play, struct slice rest)
{
	ptrdiff_t colon = slice_find(rest, ':');
	struct text value;

	if (colon < 0) {
		fail(play, "header: no colon");
		return;
	}
	/* \n and \t in the file stand for folding. */
	text_init(&value, play->arena, TEXT_MAX);
	struct slice raw = slice_from(rest, (size_t)colon + 1);
	for (size_t i = 0; i < raw.n; i++) {
		bool escape = raw.p[i] == '\\' && i + 1 < raw.n && (raw.p[i + 1] == 'n' || raw.p[i + 1] == 't');
		text_add_char(&value, !escape ? raw.p[i] : raw.p[i + 1] == 'n' ? '\n' : '\t');
		i += escape;
	}
	gate_header(play->gate, slice_head(rest, (size_t)colon), text_slice(&value));
}

static void say_body(struct play *play, struct slice rest)
{
	gate_body(play->gate, rest);
	gate_body(play->gate, SLICE("\r\n"));
}

static void say_end(struct play *play, struct slice rest)
{
	(void)rest;
	play->answer = gate_end(play->gate);
}

static void say_queue_id(struct play *play, struct slice rest)
{
	gate_queue_id(play->gate, rest);
}

static void say_rset(struct play *play, struct slice rest)
{
	(void)rest;
	gate_abort(play->gate);
}

/* ---- what is expected ---------------------------------------------------------------- */

static struct slice reply_text(struct play *play)
{
	const struct reply *reply = gate_reply(play->gate);
	struct text text;

	text_init(&text, play->arena, TEXT_MAX);
	text_printf(&text, "%u %.*s", reply->code, SLICE_ARGS(reply->enhanced));
	for (size_t i = 0; i < reply->line_count; i++)
		text_printf(&text, "%s%.*s", i ? " / " : " ", SLICE_ARGS(reply->lines[i]));
	return text_slice(&text);
}

static void expect_reply(struct play *play, struct slice rest)
{
	struct slice got = play->answer == GATE_CONTINUE  ? SLICE("ok")
			   : play->answer == GATE_DISCARD ? SLICE("discard")
							  : reply_text(play);

	if (!slice_starts_nocase(got, rest))
		fail(play, "reply: expected %.*s, got %.*s", SLICE_ARGS(rest), SLICE_ARGS(got));
}

static struct slice json_value(struct play *play, json_t *record, const char *key)
{
	json_t *value = json_object_get(record, key);

	if (!value)
		value = json_object_get(json_object_get(record, "facts"), key);
	if (!value)
		return SLICE("(absent)");
	if (json_is_string(value))
		return arena_copy(play->arena, (struct slice){json_string_value(value), json_string_length(value)});
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	struct slice copy = arena_copy(play->arena, slice_of(text));
	free(text);
	return copy;
}

static void expect_record(struct play *play, struct slice rest)
{
	const struct record *record = gate_record(play->gate);
	struct slice word;

	if (!record) {
		fail(play, "there is no record yet");
		return;
	}
	json_t *json = record_json(record);
	while (slice_word(&rest, &word)) {
		ptrdiff_t equal = slice_find(word, '=');
		if (equal < 1) {
			fail(play, "record: no KEY=VALUE: %.*s", SLICE_ARGS(word));
			break;
		}
		const char *key = arena_cstring(play->arena, slice_head(word, (size_t)equal));
		struct slice got = json_value(play, json, key);
		if (!slice_equal(got, slice_from(word, (size_t)equal + 1)))
			fail(play, "record: expected %.*s, got %s=%.*s", SLICE_ARGS(word), key, SLICE_ARGS(got));
	}
	json_decref(json);
}

/* The text of the policy's line that decided. */
static void expect_rule(struct play *play, struct slice rest)
{
	const struct record *record = gate_record(play->gate);
	struct slice config = text_slice(&play->config), line = SLICE(""), number;
	uint64_t wanted = 0;

	if (!record) {
		fail(play, "there is no record yet");
		return;
	}
	number = slice_from(record->rule, (size_t)(slice_find_last(record->rule, ':') + 1));
	if (slice_number(number, 100000, &wanted) != 0)
		wanted = 0;
	for (uint64_t i = 0; i < wanted && slice_cut(&config, '\n', &line); i++)
		continue;
	if (!memmem(line.p ? line.p : "", line.n, rest.p, rest.n) || !wanted)
		fail(play, "rule: expected %.*s, decided by %.*s %.*s", SLICE_ARGS(rest), SLICE_ARGS(record->rule),
		     SLICE_ARGS(slice_trim(line)));
}

static void expect_note(struct play *play, struct slice rest)
{
	const struct record *record = gate_record(play->gate);
	struct slice kind = {0};

	slice_word(&rest, &kind);
	rest = slice_trim(rest);
	for (size_t i = 0; record && i < record->note_count; i++)
		if (slice_equal(record->notes[i].kind, kind) && slice_starts_nocase(record->notes[i].text, rest))
			return;
	fail(play, "note: there is no %.*s note: %.*s", SLICE_ARGS(kind), SLICE_ARGS(rest));
}

static void expect_no_notes(struct play *play, struct slice rest)
{
	const struct record *record = gate_record(play->gate);

	(void)rest;
	if (!record || record->note_count)
		fail(play, "no-notes: there are some, beginning with: %.*s",
		     SLICE_ARGS(record && record->note_count ? record->notes[0].text : SLICE("")));
}

static struct slice change_text(struct play *play, const struct change *change)
{
	struct slice value = header_unfold(change->value, play->arena);

	switch (change->kind) {
	case CHANGE_DELETE:
		return arena_printf(play->arena, "delete %.*s %u", SLICE_ARGS(change->name), change->index);
	case CHANGE_REPLACE:
		return arena_printf(play->arena, "replace %.*s %u: %.*s", SLICE_ARGS(change->name), change->index,
				    SLICE_ARGS(value));
	case CHANGE_INSERT:
		break;
	}
	return arena_printf(play->arena, "insert %.*s: %.*s", SLICE_ARGS(change->name), SLICE_ARGS(value));
}

/* The changes stand in the scenario in the order in which they are made. */
static void expect_change(struct play *play, struct slice rest)
{
	size_t count;
	const struct change *changes = gate_changes(play->gate, &count);
	struct slice got = play->change < count ? change_text(play, &changes[play->change]) : SLICE("no more changes");

	play->change++;
	if (!slice_starts_nocase(got, rest))
		fail(play, "change %zu: expected %.*s, got %.*s", play->change, SLICE_ARGS(rest), SLICE_ARGS(got));
}

static void expect_no_more_changes(struct play *play, struct slice rest)
{
	size_t count;
	const struct change *changes = gate_changes(play->gate, &count);

	(void)rest;
	if (play->change < count)
		fail(play, "no-more-changes: there is %.*s", SLICE_ARGS(change_text(play, &changes[play->change])));
}

static void expect_quarantine(struct play *play, struct slice rest)
{
	const struct slice *reason = gate_quarantine(play->gate);

	if (!reason || !slice_equal(*reason, rest))
		fail(play, "quarantine: got %.*s", SLICE_ARGS(reason ? *reason : SLICE("none")));
}

/* ---- the file ---------------------------------------------------------------------- */

struct command {
	const char *name;
	void (*run)(struct play *, struct slice rest);
	bool needs_gate;
};

static void case_begin(struct play *play, struct slice title);

static void add_zone(struct play *play, struct slice rest)
{
	text_add(&play->zone, rest);
	text_add_char(&play->zone, '\n');
	play->changed = true;
}

static void clear_zone(struct play *play, struct slice rest)
{
	(void)rest;
	play->zone.n = 0;
	play->changed = true;
}

static void read_block(struct play *play, struct text *text)
{
	struct slice line;

	while (next_line(play, &line)) {
		if (slice_equal(slice_trim(line), SLICE("end")))
			return;
		text_add(text, line);
		text_add_char(text, '\n');
	}
	fail(play, "a block has no end");
}

static void read_config(struct play *play, struct slice rest)
{
	(void)rest;
	play->config.n = 0;
	read_block(play, &play->config);
	play->changed = true;
}

static void read_list(struct play *play, struct slice rest)
{
	struct text text;

	text_init(&text, play->arena, TEXT_MAX);
	read_block(play, &text);
	write_file(play, arena_cstring(play->arena, rest), text_slice(&text));
	play->changed = true;
}

static void remove_list(struct play *play, struct slice rest)
{
	unlink(arena_cstring(play->arena, rest));
	play->changed = true;
}

static const struct command commands[] = {
    {"case", case_begin, false},
    {"config", read_config, false},
    {"file", read_list, false},
    {"remove-file", remove_list, false},
    {"zone", add_zone, false},
    {"clear-zone", clear_zone, false},
    {"connect", say_connect, false},
    {"helo", say_helo, true},
    {"tls", say_tls, true},
    {"auth", say_auth, true},
    {"mail", say_mail, true},
    {"rcpt", say_rcpt, true},
    {"queue-id", say_queue_id, true},
    {"header", say_header, true},
    {"body", say_body, true},
    {"end", say_end, true},
    {"rset", say_rset, true},
    {"reply", expect_reply, true},
    {"record", expect_record, true},
    {"rule", expect_rule, true},
    {"note", expect_note, true},
    {"no-notes", expect_no_notes, true},
    {"change", expect_change, true},
    {"no-more-changes", expect_no_more_changes, true},
    {"quarantine", expect_quarantine, true},
};

static void case_end(struct play *play)
{
	if (!play->title.n)
		return;
	if (play->failed)
		play->failures++;
	else
		play->passed++;
}

static void case_begin(struct play *play, struct slice title)
{
	case_end(play);
	gate_close(play->gate);
	play->gate = NULL;
	play->title = title;
	play->failed = false;
}

static void play_line(struct play *play, struct slice line)
{
	struct slice word;

	line = slice_trim(line);
	if (!line.n || line.p[0] == '#')
		return;
	slice_word(&line, &word);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!slice_equal(word, slice_of(commands[i].name)))
			continue;
		if (commands[i].needs_gate && !play->gate)
			fail(play, "%s before connect", commands[i].name);
		else
			commands[i].run(play, slice_trim(line));
		return;
	}
	fail(play, "there is no command %.*s", SLICE_ARGS(word));
}

static void play_file(struct play *play, const char *file)
{
	struct error err;
	struct slice text, line;
	const char *base = strrchr(file, '/');

	play->file = base ? base + 1 : file;
	play->line = 0;
	play->arena = arena_new();
	text_init(&play->zone, play->arena, TEXT_MAX);
	text_init(&play->config, play->arena, TEXT_MAX);
	play->changed = true;
	play->title = SLICE("");
	if (file_read(file, TEXT_MAX, &text, &err) != 0) {
		fail(play, "%s", err.text);
		play->failures++;
		return;
	}
	play->rest = text;
	while (next_line(play, &line))
		play_line(play, line);
	if (!play->title.n)
		fail(play, "there is no case in it");
	play->failures += !play->title.n;
	case_end(play);
	engine_drop(play);
	policy_release(play->policy);
	play->policy = NULL;
	arena_free(play->arena);
	free((void *)(uintptr_t)text.p);
}

int main(int argc, char **argv)
{
	static struct play play;
	char directory[] = "/tmp/sekisho-scenarios.XXXXXX";
	char **files = xmalloc(sizeof(*files) * (size_t)argc);

	for (int i = 1; i < argc; i++)
		files[i] = realpath(argv[i], NULL);
	if (!mkdtemp(directory) || chdir(directory) != 0)
		die("no temporary directory: %s", strerror(errno));
	for (int i = 1; i < argc; i++)
		play_file(&play, files[i] ? files[i] : argv[i]);
	if (chdir("/") != 0)
		die("cannot leave the temporary directory");
	char *command[] = {"rm", "-rf", directory, NULL};
	printf("%u passed, %u failed\n", play.passed, play.failures);
	fflush(stdout);
	for (int i = 1; i < argc; i++)
		free(files[i]);
	free(files);
	if (play.failures || argc < 2)
		return 1;
	execvp(command[0], command);
	return 1;
}
