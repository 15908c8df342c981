/*
 * format.c - `sekisho fmt`: reads one policy file and writes it in the one layout.
 *
 * The parser tells each token; comments are what lies between two of them. So nothing here depends on what the grammar
 * makes of the tokens, and a file that the parser refuses is not touched.
 */
#include "config.h"
#include "format.h"
#include "grammar.h"
#include "sources.h"

#include <stdlib.h>

static void add_token(void *context, int token, struct slice text)
{
	struct format *format = context;
	struct format_token added = {.token = token, .text = text};

	if (format->count == format->room) {
		format->room = format->room ? 2 * format->room : 256;
		format->tokens = xrealloc(format->tokens, format->room * sizeof(*format->tokens));
	}
	if (token == END) {
		added.text = SLICE("");
	} else if (token == END_OF_FILE) {
		added.text = SLICE("");
		added.gap = slice_from(format->file->text, format->read);
	} else {
		size_t start = (size_t)(text.p - format->file->text.p);

		added.gap = slice_head(slice_from(format->file->text, format->read), start - format->read);
		format->read = start + text.n;
	}
	format->tokens[format->count++] = added;
}

static int print(struct format *format, struct sources *sources, struct arena *arena, struct slice *after_r)
{
	struct text out;

	text_init(&out, arena, POLICY_FILE_MAX);
	format_print(format, &out);
	*after_r = text_slice(&out);
	if (!out.cut)
		return 0;
	diagnostics_error(sources->diagnostics, (struct place){0},
			  "the file would be longer than 1M in this layout, and could not be read again; split it and "
			  "include the parts");
	return -1;
}

int policy_format(const char *path, struct arena *arena, struct diagnostics *diagnostics, struct slice *before_r,
		  struct slice *after_r)
{
	struct sources sources = {.names = arena, .texts = arena, .diagnostics = diagnostics};
	struct format format = {0};
	struct file_syntax file = {.token = add_token, .context = &format};
	int result;

	format.file = &file;
	result = sources_read_one(&sources, path, &file);
	*before_r = file.text;
	*after_r = SLICE("");
	if (result == 0)
		result = diagnostics_errors(diagnostics) ? -1 : print(&format, &sources, arena, after_r);
	free(format.tokens);
	sources_close(&sources);
	return result;
}
