/*
 * place.c - places in the files of a policy: as messages have them, and as rules keep them.
 */
#include "compile.h"

#include <stdio.h>

const char *file_of(const struct compiler *compiler, struct place place)
{
	return source_name(&compiler->sources, place.file);
}

struct position position_of(const struct compiler *compiler, struct place place)
{
	return (struct position){file_of(compiler, place), place.line, place.column};
}

struct place place_of(const struct compiler *compiler, struct position position)
{
	return (struct place){position.line, position.column, 0, source_number(&compiler->sources, position.file)};
}

struct line_said line_said(const struct compiler *compiler, struct place here, struct place there)
{
	struct line_said said;

	if (here.file == there.file)
		snprintf(said.text, sizeof(said.text), "line %u", there.line);
	else
		snprintf(said.text, sizeof(said.text), "line %u of %s", there.line,
			 QUOTE(slice_of(file_of(compiler, there))));
	return said;
}
