/*
 * run.c - plays scenarios: a policy, a zone, and SMTP conversations with what is
 * expected of each, through the real engine in one process, without a network.
 * tests/README tells how a scenario is written.
 *
 * usage: run FILE.scenario...   exits 1 when a case fails; the last line counts.
 */
#include "block.h"
#include "play.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fail(struct play *play, const char *format, ...)
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
	store_close(play->store);
	play->store = NULL;
	play->gate = NULL;
	play->engine = NULL;
	play->resolver = NULL;
}

/* The time of the case, for the store. */
static int64_t scene_us;

static int64_t read_scene_time(void)
{
	return scene_us ? scene_us : clock_us();
}

/* A new one, which is empty. */
static void store_make(struct play *play)
{
	struct store_settings settings = {.url = SLICE("memory:"), .clock = {read_scene_time, read_scene_time}};
	struct error err;

	if (!play->policy || !policy_needs_store(play->policy))
		return;
	play->store = store_open(&settings, &err);
	if (!play->store)
		fail(play, "%s", err.text);
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
	store_make(play);
	if (play->engine)
		engine_lend_store(play->engine, play->store);
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
	play->gate = gate_open(play->engine, &abilities_all);
	gate_time(play->gate, play->time_us);
	gate_connect(play->gate, &(struct connection){ip, 40000, name, daemon, (unsigned)port, local});
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
	if (slice_equal(user, SLICE("-")))
		user = SLICE("");
	gate_auth(play->gate, user, slice_trim(rest));
}

static void say_mail(struct play *play, struct slice rest)
{
	play->change = 0;
	play->answer = gate_mail(play->gate, rest, MADE_UNKNOWN, false);
	if (play->answer != GATE_CONTINUE)
		gate_done(play->gate, &(struct told){.how = TOLD_AS_DECIDED});
}

static void say_rcpt(struct play *play, struct slice rest)
{
	play->answer = gate_rcpt(play->gate, rest, MADE_UNKNOWN);
}

static void say_header(struct play *play, struct slice rest)
{
	ptrdiff_t colon = slice_find(rest, ':');
	struct text value;

	if (colon < 0) {
		fail(play, "header: no colon");
		return;
	}
	/* \n and \t in the file mean folding. */
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
	gate_done(play->gate, &(struct told){.how = TOLD_AS_DECIDED});
}

static void say_queue_id(struct play *play, struct slice rest)
{
	gate_queue_id(play->gate, rest);
}

/* block WHAT WHY: as `sekisho block` does, for an hour. */
static void say_block(struct play *play, struct slice rest)
{
	struct block block = {.life_us = INT64_C(3600) * 1000000};
	struct slice what;
	struct error err;

	slice_word(&rest, &block.what);
	block.why = slice_trim(rest);
	if (!play->store || block_add(play->store, &block, play->arena, &what, &err) != 0)
		fail(play, "block: %s", play->store ? err.text : "no rule needs a store");
}

static void say_unblock(struct play *play, struct slice rest)
{
	struct error err;

	if (!play->store || block_remove(play->store, rest, play->arena, &err) != 1)
		fail(play, "unblock: %.*s was not blocked", SLICE_ARGS(rest));
}

static void say_rset(struct play *play, struct slice rest)
{
	(void)rest;
	gate_abort(play->gate);
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

/* Seconds since 1970; for the sessions of the case that begin after it. */
static void set_time(struct play *play, struct slice rest)
{
	uint64_t seconds;

	if (slice_number(rest, UINT32_MAX, &seconds))
		fail(play, "time: no number of seconds: %.*s", SLICE_ARGS(rest));
	else
		play->time_us = scene_us = (int64_t)seconds * 1000000;
}

static const struct command commands[] = {
    {"case", case_begin, false},
    {"config", read_config, false},
    {"file", read_list, false},
    {"remove-file", remove_list, false},
    {"zone", add_zone, false},
    {"clear-zone", clear_zone, false},
    {"time", set_time, false},
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
    {"block", say_block, true},
    {"unblock", say_unblock, true},
    {"reply", expect_reply, true},
    {"record", expect_record, true},
    {"rule", expect_rule, true},
    {"note", expect_note, true},
    {"score", expect_score, true},
    {"no-notes", expect_no_notes, true},
    {"change", expect_change, true},
    {"no-more-changes", expect_no_more_changes, true},
    {"quarantine", expect_quarantine, true},
    {"footer", expect_footer, true},
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
	play->time_us = scene_us = 0;
	play->changed |= play->store != NULL; /* what one case counts does not count in the next */
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
	fail(play, "unknown command %.*s", SLICE_ARGS(word));
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
		fail(play, "the file has no case");
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
