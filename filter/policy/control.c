/*
 * control.c - the one setting that is needed to talk to a running daemon, read from a
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

int policy_control(const char *path, char **socket_r, struct error *err)
{
	struct diagnostics *ignored;
	struct file_syntax file;
	struct sources sources;
	struct arena *arena;
	struct slice text, socket;

	if (file_read_plain(path, POLICY_FILE_MAX, &text, err))
		return -1;
	text.n = strlen(text.p); /* a NUL byte is an error of its own; what comes before it may name the socket */
	arena = arena_new();
	ignored = diagnostics_new();
	sources = (struct sources){.names = arena, .texts = arena, .diagnostics = ignored};
	sources_read(&sources, path, &file);
	if (!find_statement(&file, arena, &socket) && !find_line(text, &socket))
		socket = SLICE(CONTROL_DEFAULT);
	*socket_r = xstrdup(arena_cstring(arena, socket));
	sources_close(&sources);
	diagnostics_free(ignored);
	arena_free(arena);
	free((char *)text.p);
	return 0;
}
