/*
 * lookup_sheet.c - collects the lines of a sheet and prints them as columns.
 */
#include "lookup_sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINES_MAX   5000 /* a report is read by a person */
#define TEXT_MAX    4000 /* bytes of one line */
#define LABEL_MAX   26   /* columns; a longer label has its text on the next line */
#define MARK_WIDTH  8    /* with the blanks around it */
#define WIDTH_LEAST 60   /* columns; a narrower terminal folds by itself */

struct line {
	enum mark mark;
	const char *title; /* of a section; then nothing else */
	struct slice label, text;
};

struct sheet {
	struct lookup *lookup;
	struct line *lines;
	size_t count, room;
	unsigned marks[MARK_WRONG + 1];
	json_t *advice;
};

static void release_json(void *advice)
{
	json_decref(advice);
}

struct sheet *sheet_new(struct lookup *lookup)
{
	struct sheet *sheet = arena_alloc(lookup->arena, sizeof(*sheet));

	sheet->lookup = lookup;
	sheet->advice = json_array();
	arena_own(lookup->arena, sheet->advice, release_json);
	return sheet;
}

static struct line *line_new(struct sheet *sheet)
{
	if (sheet->count == LINES_MAX)
		return NULL;
	if (sheet->count == sheet->room) {
		size_t room = sheet->room ? 2 * sheet->room : 64;
		struct line *lines = arena_alloc(sheet->lookup->arena, room * sizeof(*lines));
		if (sheet->count > 0)
			memcpy(lines, sheet->lines, sheet->count * sizeof(*lines));
		sheet->lines = lines;
		sheet->room = room;
	}
	return &sheet->lines[sheet->count++];
}

void sheet_section(struct sheet *sheet, const char *title)
{
	struct line *line = line_new(sheet);

	if (line)
		*line = (struct line){.title = title};
}

static struct slice trim_end(struct slice text)
{
	while (text.n > 0 && text.p[text.n - 1] == ' ')
		text.n--;
	return text;
}

/* The text is in one piece of memory before it is made safe: it may hold any bytes but NUL. */
static struct slice text_make(struct sheet *sheet, const char *format, va_list arguments)
{
	char buffer[TEXT_MAX];
	int n = vsnprintf(buffer, sizeof(buffer), format, arguments);

	return trim_end(lookup_safe(sheet->lookup,
				    (struct slice){buffer, n < (int)sizeof(buffer) ? (size_t)n : sizeof(buffer) - 1}));
}

static void add(struct sheet *sheet, enum mark mark, struct slice label, struct slice text)
{
	struct line *line = line_new(sheet);

	sheet->marks[mark]++;
	if (line)
		*line = (struct line){mark, NULL, lookup_safe(sheet->lookup, label), text};
}

void sheet_line(struct sheet *sheet, enum mark mark, struct slice label, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(sheet, mark, label, text_make(sheet, format, arguments));
	va_end(arguments);
}

void sheet_advice(struct sheet *sheet, enum mark mark, const char *code, const char *format, ...)
{
	struct slice text;
	va_list arguments;

	va_start(arguments, format);
	text = text_make(sheet, format, arguments);
	va_end(arguments);
	add(sheet, mark, slice_of(code), text);
	json_array_append_new(sheet->advice,
			      json_pack("{s:s, s:s, s:o}", "level", mark == MARK_WRONG ? "wrong" : "note", "code", code,
					"text", json_stringn(text.p, text.n)));
}

bool sheet_is_wrong(const struct sheet *sheet)
{
	return sheet->marks[MARK_WRONG] > 0;
}

size_t sheet_advice_count(const struct sheet *sheet)
{
	return json_array_size(sheet->advice);
}

json_t *sheet_advice_json(const struct sheet *sheet)
{
	return json_incref(sheet->advice);
}

/* ---- printing ------------------------------------------------------------------------- */

struct terminal {
	bool colours;
	size_t width; /* 0: lines are not folded */
};

static struct terminal terminal_find(void)
{
	struct terminal terminal = {false, 0};
	const char *type = getenv("TERM"), *none = getenv("NO_COLOR");
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return terminal;
	terminal.colours = type && strcmp(type, "dumb") != 0 && !(none && *none);
	terminal.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
	if (terminal.width < WIDTH_LEAST)
		terminal.width = 0;
	return terminal;
}

static void print_mark(const struct terminal *terminal, enum mark mark)
{
	static const char *const words[] = {"", "ok", "note", "WRONG"};
	static const char *const colours[] = {"", "\033[32m", "\033[33m", "\033[1;31m"};
	bool coloured = terminal->colours && mark != MARK_NONE;

	printf("  %s%-*s%s", coloured ? colours[mark] : "", MARK_WIDTH - 2, words[mark], coloured ? "\033[0m" : "");
}

/* How many bytes of the text fit into so many columns: up to the last blank, if there is one. */
static size_t fold(struct slice text, size_t columns)
{
	size_t n = columns;

	if (columns == 0 || text.n <= columns)
		return text.n;
	while (n > 0 && text.p[n] != ' ')
		n--;
	return n > columns / 3 ? n : columns;
}

static void print_text(const struct terminal *terminal, struct slice text, size_t column)
{
	size_t columns = terminal->width > column + 20 ? terminal->width - column : 0;

	for (;;) {
		size_t n = fold(text, columns);
		fwrite(text.p, 1, trim_end(slice_head(text, n)).n, stdout);
		putchar('\n');
		text = slice_from(text, n);
		while (text.n > 0 && text.p[0] == ' ')
			text = slice_from(text, 1);
		if (text.n == 0)
			return;
		printf("%*s", (int)column, "");
	}
}

/* Labels of one section are as wide as the longest of them. */
static size_t label_width(const struct sheet *sheet, size_t from)
{
	size_t width = 0;

	for (size_t i = from; i < sheet->count && !sheet->lines[i].title; i++)
		if (sheet->lines[i].label.n <= LABEL_MAX && sheet->lines[i].label.n > width)
			width = sheet->lines[i].label.n;
	return width;
}

static void print_line(const struct terminal *terminal, const struct line *line, size_t width)
{
	print_mark(terminal, line->mark);
	if (line->label.n > width) {
		printf("%.*s\n", SLICE_ARGS(line->label));
		if (line->text.n == 0)
			return;
		printf("%*s", (int)(MARK_WIDTH + width + 2), "");
	} else if (width > 0) {
		printf("%-*.*s%s", (int)width, SLICE_ARGS(line->label), line->text.n ? "  " : "");
	}
	print_text(terminal, line->text, MARK_WIDTH + (width > 0 ? width + 2 : 0));
}

void sheet_print(const struct sheet *sheet)
{
	struct terminal terminal = terminal_find();
	size_t width = label_width(sheet, 0);

	for (size_t i = 0; i < sheet->count; i++) {
		const struct line *line = &sheet->lines[i];

		if (!line->title) {
			print_line(&terminal, line, width);
			continue;
		}
		width = label_width(sheet, i + 1);
		printf("%s%s%s%s\n", i > 0 ? "\n" : "", terminal.colours ? "\033[1m" : "", line->title,
		       terminal.colours ? "\033[0m" : "");
	}
	printf("\n%u wrong, %u note%s\n", sheet->marks[MARK_WRONG], sheet->marks[MARK_NOTE],
	       sheet->marks[MARK_NOTE] == 1 ? "" : "s");
}

void sheet_finish(struct sheet *sheet, json_t *object)
{
	if (sheet->lookup->json) {
		json_object_set_new(object, "advice", sheet_advice_json(sheet));
		lookup_print_json(object);
		return;
	}
	json_decref(object);
	sheet_print(sheet);
}

struct slice sheet_took(struct lookup *lookup, int64_t us)
{
	return us < 1000000 ? arena_printf(lookup->arena, "%.*f ms", us < 10000 ? 1 : 0, (double)us / 1000)
			    : arena_printf(lookup->arena, "%.1f s", (double)us / 1000000);
}

struct slice sheet_ttl(struct lookup *lookup, uint32_t seconds)
{
	static const struct {
		uint32_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}};

	if (seconds == 0)
		return SLICE("");
	for (size_t i = 0; i < 3; i++)
		if (seconds % units[i].seconds == 0)
			return arena_printf(lookup->arena, "TTL %u%c", seconds / units[i].seconds, units[i].unit);
	return arena_printf(lookup->arena, "TTL %us", seconds);
}
