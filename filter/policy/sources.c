/*
 * sources.c - reads the policy file and the files that it includes.
 *
 * An included file takes the place of its statement. It is named beside the file that includes it, and a directory
 * means its *.conf, in the order of their bytes. Everything read is remembered as it was before: a reload looks again
 * whether somebody wrote meanwhile.
 */
#include "sources.h"
#include "values.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".conf"

static const struct place beginning = {1, 1, 0, 0};

/* ---- what was looked at ------------------------------------------------------------------------- */

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A path that is not there is all zeros. */
static struct stat look(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		memset(&status, 0, sizeof(status));
	return status;
}

static struct source *remember(struct sources *sources, const char *path)
{
	if (sources->count == sources->room) {
		sources->room = sources->room ? 2 * sources->room : 8;
		sources->items = xrealloc(sources->items, sources->room * sizeof(*sources->items));
	}
	sources->items[sources->count] = (struct source){.path = path, .before = look(path)};
	return &sources->items[sources->count++];
}

bool sources_changed(const struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		struct stat now = look(sources->items[i].path);

		if (!is_same(&now, &sources->items[i].before))
			return true;
	}
	return false;
}

void sources_close(struct sources *sources)
{
	free(sources->items);
}

const char *source_name(const struct sources *sources, unsigned number)
{
	for (size_t i = 0; i < sources->count; i++)
		if (sources->items[i].is_file && sources->items[i].number == number)
			return sources->items[i].path;
	return "";
}

unsigned source_number(const struct sources *sources, const char *name)
{
	for (size_t i = 0; i < sources->count; i++)
		if (sources->items[i].is_file && sources->items[i].path == name)
			return sources->items[i].number;
	return 0;
}

/* ---- the bytes ------------------------------------------------------------------------------------ */

static bool has_bytes(struct slice text, const char *bytes)
{
	return text.n >= strlen(bytes) && memcmp(text.p, bytes, strlen(bytes)) == 0;
}

/* A byte order mark becomes blank, so that the rest of the file is read all the same. */
static void take_mark(struct sources *sources, unsigned number, struct slice text)
{
	bool marked = has_bytes(text, BYTE_ORDER_MARK);

	if (marked)
		memset((char *)text.p, ' ', sizeof(BYTE_ORDER_MARK) - 1);
	diagnostics_text(sources->diagnostics, number, text);
	if (marked)
		diagnostics_error(sources->diagnostics, (struct place){1, 1, 0, number},
				  "a byte order mark comes before the first word; save the file as UTF-8 without one");
}

/* -1 when it is not a text. */
static int check_text(struct sources *sources, unsigned number, struct slice text)
{
	const char *nul = text.n ? memchr(text.p, '\0', text.n) : NULL;
	struct place nowhere = {0, 0, 0, number};

	if (!nul) {
		take_mark(sources, number, text);
		return 0;
	}
	if (has_bytes(text, "\xFF\xFE") || has_bytes(text, "\xFE\xFF"))
		diagnostics_error(sources->diagnostics, nowhere, "this file is UTF-16; save it as UTF-8");
	else
		diagnostics_error(sources->diagnostics, nowhere,
				  "byte %zu is NUL, so this is not a text file; name the policy file",
				  (size_t)(nul - text.p) + 1);
	return -1;
}

static void free_text(void *text)
{
	free(text);
}

/* Reads one file into the tree. `where`: what is to blame when it cannot be read; statement 0 and line 0: the file. */
static int read_source(struct sources *sources, const char *path, struct place where, struct file_syntax *file)
{
	unsigned number = diagnostics_source(sources->diagnostics, path);
	struct source *source = remember(sources, path);
	struct slice text;
	struct error err;

	source->is_file = true;
	source->number = number;
	if (file_read_plain(path, POLICY_FILE_MAX, &text, &err)) {
		diagnostics_error(sources->diagnostics, where, "%s; name a policy file that we may read", err.text);
		return -1;
	}
	arena_own(sources->texts, (char *)text.p, free_text);
	sources->bytes += text.n;
	if (check_text(sources, number, text))
		return -1;
	if (where.line && text.n == 0)
		diagnostics_error(sources->diagnostics, where,
				  "%s is empty; remove it, or write a comment into it when it is meant to be", path);
	sources->open[sources->depth++] = &(struct source){.path = path, .before = source->before};
	syntax_read_more(text, number, sources->texts, sources->diagnostics, file);
	sources->depth--;
	return 0;
}

/* ---- include ---------------------------------------------------------------------------------------- */

/* False and an error when there is no room for one more. */
static bool check_bounds(struct sources *sources, const char *path, struct place where)
{
	struct stat status = look(path);

	for (size_t i = 0; i < sources->depth; i++) {
		const struct stat *open = &sources->open[i]->before;

		if (status.st_ino && open->st_dev == status.st_dev && open->st_ino == status.st_ino) {
			diagnostics_error(sources->diagnostics, where,
					  "%s includes itself by way of this line; remove one of the includes", path);
			return false;
		}
	}
	if (sources->depth < INCLUDE_DEPTH_MAX && sources->count < SOURCES_MAX && sources->bytes < SOURCES_BYTES_MAX)
		return true;
	diagnostics_error(sources->diagnostics, where,
			  "more than %d files in each other, %d in all, or 16M; put several files into one",
			  INCLUDE_DEPTH_MAX, SOURCES_MAX);
	return false;
}

static int is_policy(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > strlen(SUFFIX) && strcmp(entry->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static int compare_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void include_file(struct sources *sources, const char *path, struct place where, struct file_syntax *file)
{
	if (check_bounds(sources, path, where))
		read_source(sources, path, where, file);
}

static void include_directory(struct sources *sources, const char *path, struct place where, struct file_syntax *file)
{
	struct dirent **entries;
	int count;

	remember(sources, path);
	count = scandir(path, &entries, is_policy, compare_bytes);
	if (count < 0) {
		diagnostics_error(sources->diagnostics, where, "cannot read the directory %s: %s", path,
				  strerror(errno));
		return;
	}
	where.statement = 0; /* each file of it may be wrong */
	for (int i = 0; i < count; i++) {
		const char *name = arena_cstring(sources->names, arena_printf(sources->names, "%s%s%s", path,
									      path[strlen(path) - 1] == '/' ? "" : "/",
									      entries[i]->d_name));

		if (!diagnostics_full(sources->diagnostics))
			include_file(sources, name, where, file);
		free(entries[i]);
	}
	free(entries);
}

static void include(struct file_syntax *file, const struct setting_syntax *said)
{
	struct sources *sources = file->context;
	struct place where = said->name.place;
	const struct word *word = said->values.first;
	const char *path;
	struct stat status;

	if (!word || word->next || said->braces || word_value(word, sources->names).n == 0) {
		diagnostics_error(sources->diagnostics, where,
				  "include takes one file or directory; write include /etc/sekisho/conf.d");
		return;
	}
	path = path_beside(sources->names, source_name(sources, where.file), word_value(word, sources->names));
	status = look(path);
	if (S_ISDIR(status.st_mode))
		include_directory(sources, path, word->place, file);
	else
		include_file(sources, path, word->place, file);
}

int sources_read_one(struct sources *sources, const char *path, struct file_syntax *file)
{
	return read_source(sources, arena_cstring(sources->names, slice_of(path)), (struct place){0}, file);
}

int sources_read(struct sources *sources, const char *path, struct file_syntax *file_r)
{
	const char *name = arena_cstring(sources->names, slice_of(path));

	*file_r = (struct file_syntax){.include = include, .context = sources};
	if (read_source(sources, name, (struct place){0}, file_r))
		return -1;
	/* An editor that is not done yet, or a disk that is full: no reload may take all rules away. */
	if (!file_r->first_setting && !file_r->first_policy && diagnostics_errors(sources->diagnostics) == 0)
		diagnostics_error(sources->diagnostics, beginning,
				  "there is nothing in this file; write a setting or a policy");
	return 0;
}
