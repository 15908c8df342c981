/*
 * control.c - the settings that are needed to talk to a running daemon, read from a
 * file that need not be right otherwise.
 *
 * While an administrator edits the file, monitoring goes on, and a reload is answered by
 * the daemon, which says what is wrong with the file.
 */
#include "compile.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

#define READERS "readers"

/* After the path comes nothing, or what is not needed here. */
static bool says_readers_only(const struct words *values)
{
	const struct word *second = values->count > 1 ? values->first->next : NULL;

	return values->count == 1 || (second && slice_equal(second->text, SLICE(READERS)));
}

/* The first `control` that the parser makes out. */
static bool find_statement(const struct file_syntax *file, struct arena *arena, struct slice *path_r)
{
	for (const struct setting_syntax *said = file->first_setting; said; said = said->next) {
		if (slice_equal(said->name.text, SLICE("control")) && says_readers_only(&said->values) &&
		    !said->braces && control_parse(word_value(said->values.first, arena), path_r) == 0)
			return true;
	}
	return false;
}

/* Where an open brace or quote before it hides it from the parser: the first line that reads "control PATH". */
static bool find_line(struct slice text, struct slice *path_r)
{
	struct slice line, name, path, more;

	while (slice_cut(&text, '\n', &line)) {
		if (slice_word(&line, &name) && slice_equal(name, SLICE("control")) && slice_word(&line, &path) &&
		    (!slice_word(&line, &more) || more.p[0] == '#' || slice_equal(more, SLICE(READERS))) &&
		    control_parse(path, path_r) == 0)
			return true;
	}
	return false;
}

/* ---- the socket of the milter door ------------------------------------------------------ */

#define MILTER_DEFAULT "inet:8891@127.0.0.1"

/* The address after `listen`, or `listen milter`; false for other doors. */
static bool milter_address(const struct setting_syntax *said, struct arena *arena, struct slice *text_r)
{
	const struct word *word = said->values.first;
	struct listen_address ignored;
	struct error err;

	if (!slice_equal(said->name.text, SLICE("listen")) || !word)
		return false;
	if (word->next && slice_equal(word->text, SLICE("milter")))
		word = word->next;
	*text_r = word_value(word, arena);
	return listen_parse(*text_r, &ignored, &err) == 0;
}

static struct slice find_milter(const struct file_syntax *file, struct arena *arena)
{
	struct slice text;

	for (const struct setting_syntax *said = file->first_setting; said; said = said->next)
		if (milter_address(said, arena, &text))
			return text;
	return SLICE(MILTER_DEFAULT);
}

/* ---- reading ------------------------------------------------------------------------------ */

struct control_file {
	struct arena *arena;
	struct diagnostics *ignored;
	struct sources sources;
	struct file_syntax file;
	struct slice text;
};

static int reading_begin(struct control_file *reading, const char *path, struct error *err)
{
	if (file_read_plain(path, POLICY_FILE_MAX, &reading->text, err))
		return -1;
	/* a NUL byte is an error of its own; what comes before it may name the socket */
	reading->text.n = strlen(reading->text.p);
	reading->arena = arena_new();
	reading->ignored = diagnostics_new();
	reading->sources =
	    (struct sources){.names = reading->arena, .texts = reading->arena, .diagnostics = reading->ignored};
	sources_read(&reading->sources, path, &reading->file);
	return 0;
}

static void reading_end(struct control_file *reading)
{
	sources_close(&reading->sources);
	diagnostics_free(reading->ignored);
	arena_free(reading->arena);
	free((char *)reading->text.p);
}

int policy_control(const char *path, char **socket_r, struct error *err)
{
	struct control_file reading;
	struct slice socket;

	if (reading_begin(&reading, path, err) != 0)
		return -1;
	if (!find_statement(&reading.file, reading.arena, &socket) && !find_line(reading.text, &socket))
		socket = SLICE(CONTROL_DEFAULT);
	*socket_r = xstrdup(arena_cstring(reading.arena, socket));
	reading_end(&reading);
	return 0;
}

int policy_milter_socket(const char *path, struct listen_address *address_r, struct error *err)
{
	struct control_file reading;
	int result;

	if (reading_begin(&reading, path, err) != 0)
		return -1;
	result = listen_parse(find_milter(&reading.file, reading.arena), address_r, err);
	reading_end(&reading);
	return result;
}
