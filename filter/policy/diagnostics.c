/*
 * diagnostics.c - the errors and warnings of one policy file, kept in its order
 * and printed with the line and a caret.
 *
 * Contract: diagnostics.h (inside the room), policy.h (outside).
 */
#include "diagnostics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_LINE_MAX 160 /* bytes of a line of the file that are printed; around the caret when it is longer */

struct diagnostic {
	struct place place;
	unsigned order; /* as it was found: keeps the order of equal places */
	bool warning;
	const char *text; /* "file:line:col: what; what to do" */
};

struct source_text {
	const char *file;
	struct slice text;
};

struct diagnostics {
	struct arena *arena;
	struct source_text *sources;
	size_t source_count, source_room;
	bool stale;
	struct diagnostic *found;
	size_t count, room;
	size_t errors, warnings, shown_warnings;
};

struct diagnostics *diagnostics_new(void)
{
	struct diagnostics *d = xmalloc(sizeof(*d));

	d->arena = arena_new();
	return d;
}

void diagnostics_free(struct diagnostics *d)
{
	if (!d)
		return;
	arena_free(d->arena);
	free(d->found);
	free(d->sources);
	free(d);
}

unsigned diagnostics_source(struct diagnostics *d, const char *file)
{
	if (d->source_count == d->source_room) {
		d->source_room = d->source_room ? 2 * d->source_room : 4;
		d->sources = xrealloc(d->sources, d->source_room * sizeof(*d->sources));
	}
	d->sources[d->source_count] = (struct source_text){.file = arena_cstring(d->arena, slice_of(file))};
	return (unsigned)d->source_count++;
}

void diagnostics_text(struct diagnostics *d, unsigned file, struct slice text)
{
	d->sources[file].text = arena_copy(d->arena, text);
}

void diagnostics_set_stale(struct diagnostics *d)
{
	d->stale = true;
}

bool diagnostics_stale(const struct diagnostics *d)
{
	return d->stale;
}

static const char *file_name(const struct diagnostics *d, unsigned file)
{
	return file < d->source_count ? d->sources[file].file : "";
}

size_t diagnostics_errors(const struct diagnostics *d)
{
	return d->errors;
}

size_t diagnostics_warnings(const struct diagnostics *d)
{
	return d->warnings;
}

bool diagnostics_full(const struct diagnostics *d)
{
	return d->errors >= DIAGNOSTICS_MAX;
}

bool diagnostics_knows(const struct diagnostics *d, unsigned statement)
{
	for (size_t i = 0; i < d->count; i++) {
		if (!d->found[i].warning && d->found[i].place.statement == statement)
			return true;
	}
	return false;
}

static bool stands_before(const struct diagnostic *a, const struct diagnostic *b)
{
	if (a->place.file != b->place.file)
		return a->place.file < b->place.file;
	if (a->place.line != b->place.line)
		return a->place.line < b->place.line;
	if (a->place.column != b->place.column)
		return a->place.column < b->place.column;
	return a->order < b->order;
}

/* Keeps the order of the file: there are never many. */
static void keep(struct diagnostics *d, struct diagnostic diagnostic)
{
	size_t at = d->count;

	if (d->count == d->room) {
		d->room = d->room ? 2 * d->room : 16;
		d->found = xrealloc(d->found, d->room * sizeof(*d->found));
	}
	while (at > 0 && stands_before(&diagnostic, &d->found[at - 1])) {
		d->found[at] = d->found[at - 1];
		at--;
	}
	d->found[at] = diagnostic;
	d->count++;
}

static const char *line_of(struct diagnostics *d, struct place place, const char *kind, const char *what)
{
	struct slice line;

	if (place.line)
		line = arena_printf(d->arena, "%s:%u:%u: %s%s", file_name(d, place.file), place.line, place.column,
				    kind, what);
	else
		line = arena_printf(d->arena, "%s: %s%s", file_name(d, place.file), kind, what);
	return arena_cstring(d->arena, line);
}

void diagnostics_error(struct diagnostics *d, struct place place, const char *format, ...)
{
	struct diagnostic diagnostic = {.place = place, .order = (unsigned)d->count};
	char text[DIAGNOSTIC_TEXT_MAX];
	va_list arguments;

	if (place.statement && diagnostics_knows(d, place.statement))
		return;
	if (diagnostics_full(d))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diagnostic.text = line_of(d, place, "", text);
	keep(d, diagnostic);
	d->errors++;
}

static void warn(struct diagnostics *d, struct place place, const char *format, va_list arguments)
{
	struct diagnostic diagnostic = {.place = place, .order = (unsigned)d->count, .warning = true};
	char text[DIAGNOSTIC_TEXT_MAX];

	if (++d->shown_warnings > DIAGNOSTICS_MAX)
		return;
	vsnprintf(text, sizeof(text), format, arguments);
	diagnostic.text = line_of(d, place, "warning: ", text);
	keep(d, diagnostic);
}

void diagnostics_warning(struct diagnostics *d, struct place place, const char *format, ...)
{
	va_list arguments;

	d->warnings++;
	va_start(arguments, format);
	warn(d, place, format, arguments);
	va_end(arguments);
}

void diagnostics_advice(struct diagnostics *d, struct place place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	warn(d, place, format, arguments);
	va_end(arguments);
}

void diagnostics_advise(struct diagnostics *d, struct position where, const char *text)
{
	struct place place = {.line = where.line, .column = where.column};

	while (place.file + 1 < d->source_count && strcmp(d->sources[place.file].file, where.file) != 0)
		place.file++;
	diagnostics_advice(d, place, "%s", text);
}

const char *diagnostics_line(const struct diagnostics *d, size_t number)
{
	if (number < d->count)
		return d->found[number].text;
	if (number == d->count && diagnostics_full(d))
		return "and perhaps more errors; fix these first, then check again";
	return NULL;
}

/* ---- printing ------------------------------------------------------------- */

static struct slice source_line(const struct diagnostics *d, const struct place *place)
{
	struct slice rest = place->file < d->source_count ? d->sources[place->file].text : SLICE(""), text = {0};

	for (unsigned i = 0; i < place->line; i++) {
		if (!slice_cut(&rest, '\n', &text))
			return (struct slice){0};
	}
	return text;
}

static bool is_continuation(char c) /* of a UTF-8 sequence: takes no column of its own */
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

static char shown(char c)
{
	if (c == '\t')
		return c;
	return (unsigned char)c < 0x20 || c == 0x7F ? '?' : c;
}

/* The line, and below it a caret; a tab stays a tab in both, so that they agree. */
static void print_source(FILE *out, struct slice line, unsigned column)
{
	size_t caret = column - 1, start = 0;

	if (caret > line.n)
		caret = line.n;
	if (line.n > SHOWN_LINE_MAX && caret > SHOWN_LINE_MAX / 2)
		start = caret - SHOWN_LINE_MAX / 2;
	while (start > 0 && start < line.n && is_continuation(line.p[start]))
		start--;
	fputs("\t", out);
	for (size_t i = start; i < line.n && i < start + SHOWN_LINE_MAX; i++)
		fputc(shown(line.p[i]), out);
	fputs("\n\t", out);
	for (size_t i = start; i < caret; i++) {
		if (!is_continuation(line.p[i]))
			fputc(line.p[i] == '\t' ? '\t' : ' ', out);
	}
	fputs("^\n", out);
}

/* The next one is about the same place, which is then shown once, after it. */
static bool is_repeated(const struct diagnostics *d, size_t number)
{
	const struct place *place = &d->found[number].place, *next = place;

	if (number + 1 < d->count)
		next = &d->found[number + 1].place;
	return next != place && next->file == place->file && next->line == place->line && next->column == place->column;
}

char *diagnostics_print(const struct diagnostics *d)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		die("no memory for the messages about %s", file_name(d, 0));
	for (size_t i = 0; i < d->count; i++) {
		const struct diagnostic *diagnostic = &d->found[i];

		fprintf(out, "%s\n", diagnostic->text);
		if (diagnostic->place.line && !is_repeated(d, i))
			print_source(out, source_line(d, &diagnostic->place), diagnostic->place.column);
	}
	if (diagnostics_full(d))
		fprintf(out, "%s\n", diagnostics_line(d, d->count));
	if (fclose(out))
		die("no memory for the messages about %s", file_name(d, 0));
	return text;
}

/* ---- texts inside of messages --------------------------------------------- */

struct quoted quote(struct slice text)
{
	struct quoted quoted;
	size_t n = 0;

	for (size_t i = 0; i < text.n && n < QUOTE_MAX; i++)
		quoted.text[n++] = text.p[i] == '\t' ? ' ' : shown(text.p[i]);
	while (n < text.n && n > 0 && is_continuation(text.p[n]))
		n--;
	if (n < text.n)
		memcpy(quoted.text + n, "...", 4);
	else
		quoted.text[n] = '\0';
	return quoted;
}

struct quoted suggestion(struct slice wrong, const char *const *words)
{
	struct quoted quoted = {""};
	const char *near = nearest_word(wrong, words);

	if (near)
		snprintf(quoted.text, sizeof(quoted.text), "did you mean \"%.40s\"?", near);
	return quoted;
}

struct quoted suggestion_aside(struct slice wrong, const char *const *words)
{
	struct quoted quoted = {""};
	const char *near = nearest_word(wrong, words);

	if (near)
		snprintf(quoted.text, sizeof(quoted.text), " (did you mean \"%.40s\"?)", near);
	return quoted;
}
