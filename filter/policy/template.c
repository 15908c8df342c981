/*
 * template.c - compiles texts with facts in them: "%{sender} may not do that".
 */
#include "compile.h"

#include <string.h>

#define PARTS_MAX 64 /* facts and texts of one string */

struct builder {
	struct compiler *compiler;
	const struct word *word;
	struct part parts[PARTS_MAX];
	size_t count;
	struct text text; /* before the next fact */
};

static struct place place_at(const struct builder *builder, size_t offset)
{
	struct place place = builder->word->place;

	place.column += (unsigned)offset + 1; /* after the quote */
	return place;
}

static int wrong(struct builder *builder, size_t offset, const char *what)
{
	diagnostics_error(builder->compiler->diagnostics, place_at(builder, offset), "%s", what);
	return -1;
}

static int add_part(struct builder *builder, struct part part)
{
	if (builder->count == PARTS_MAX)
		return wrong(builder, 0, "more than 64 parts in one string; make it simpler");
	builder->parts[builder->count++] = part;
	return 0;
}

static int flush_text(struct builder *builder)
{
	struct slice text = text_slice(&builder->text);

	text_init(&builder->text, builder->compiler->policy->arena, builder->word->text.n);
	return text.n ? add_part(builder, (struct part){.text = text}) : 0;
}

/* %{1}; whether an expression of the rule has such a group is known when its condition is compiled. */
static int add_capture(struct builder *builder, struct slice digits, size_t offset)
{
	struct captures *captures = &builder->compiler->captures;
	struct part part = {.is_capture = true};

	if (digits.n > 1)
		return wrong(
		    builder, offset,
		    "the groups of an expression are %{1} to %{9}, and %{0} is all that it matched; use fewer, or "
		    "name a fact");
	part.group = (unsigned)(digits.p[0] - '0');
	if (!captures->used || part.group > captures->highest)
		*captures = (struct captures){.used = true, .highest = part.group, .place = place_at(builder, offset)};
	return flush_text(builder) ? -1 : add_part(builder, part);
}

static bool is_capture(struct slice inside)
{
	size_t digits = 0;

	while (digits < inside.n && is_digit(inside.p[digits]))
		digits++;
	return digits > 0 && digits == inside.n;
}

/* "fact" or "fact(argument)" between %{ and }; `offset` is where it begins in the string. */
static int add_fact(struct builder *builder, struct slice inside, size_t offset)
{
	struct word argument = {.kind = WORD_PLAIN, .place = place_at(builder, offset)};
	struct fact_syntax fact = {.name = {.kind = WORD_PLAIN, .place = argument.place}};
	struct part part = {0};
	ptrdiff_t open = slice_find(inside, '(');

	fact.name.text = inside;
	if (open >= 0) {
		if (inside.p[inside.n - 1] != ')')
			return wrong(builder, offset,
				     "a ( without its ) inside of %{ }; write it as %{header(Subject)}");
		fact.name.text = slice_head(inside, (size_t)open);
		argument.text = slice_head(slice_from(inside, (size_t)open + 1), inside.n - (size_t)open - 2);
		argument.place.column += (unsigned)open + 1;
		fact.argument = &argument;
	}
	/* "Subject" and \"Subject\" are the same name. */
	for (int i = 0; i < 2; i++) {
		while (argument.text.n && (argument.text.p[0] == '"' || argument.text.p[0] == '\\'))
			argument.text = slice_from(argument.text, 1);
		while (argument.text.n &&
		       (argument.text.p[argument.text.n - 1] == '"' || argument.text.p[argument.text.n - 1] == '\\'))
			argument.text.n--;
	}
	if (flush_text(builder) || reading_compile(builder->compiler, &fact, &part.reading))
		return -1;
	return add_part(builder, part);
}

/* At a "%": takes what it means; the bytes used, or -1. */
static ptrdiff_t percent(struct builder *builder, size_t at)
{
	struct slice rest = slice_from(builder->word->text, at), inside;
	ptrdiff_t end;

	if (rest.n > 1 && rest.p[1] == '%') {
		text_add_char(&builder->text, '%');
		return 2;
	}
	if (rest.n < 2 || rest.p[1] != '{')
		return wrong(builder, at, "a lone \"%\"; write %% for the character, %{fact} for a fact");
	end = slice_find(rest, '}');
	if (end < 0)
		return wrong(builder, at, "%{ without }; write %{fact}, or %% for the character");
	if (end == 2)
		return wrong(builder, at, "%{} names no fact; write %{fact}, or %% for the character");
	inside = slice_head(slice_from(rest, 2), (size_t)end - 2);
	if ((is_capture(inside) ? add_capture : add_fact)(builder, inside, at + 2))
		return -1;
	return end + 1;
}

int template_compile(struct compiler *compiler, const struct word *word, struct template *template_r)
{
	struct builder builder = {.compiler = compiler, .word = word};
	struct slice text = word->text;
	struct part *parts;

	text_init(&builder.text, compiler->policy->arena, text.n);
	for (size_t i = 0; i < text.n;) {
		ptrdiff_t used = 1;

		if (text.p[i] == '%')
			used = percent(&builder, i);
		else if (text.p[i] == '\\' && i + 1 < text.n)
			text_add_char(&builder.text, text.p[++i]);
		else
			text_add_char(&builder.text, text.p[i]);
		if (used < 0)
			return -1;
		i += (size_t)used;
	}
	if (flush_text(&builder))
		return -1;
	parts = arena_alloc(compiler->policy->arena, (builder.count + 1) * sizeof(*parts));
	memcpy(parts, builder.parts, builder.count * sizeof(*parts));
	*template_r = (struct template){parts, builder.count};
	return 0;
}

/* ---- %{1} and the expressions of the rule ------------------------------------------------------- */

void captures_offer(struct compiler *compiler, unsigned groups)
{
	struct captures *captures = &compiler->captures;

	captures->matches = true;
	if (groups > captures->groups)
		captures->groups = groups;
}

int captures_check(struct compiler *compiler)
{
	const struct captures *captures = &compiler->captures;

	if (!captures->used || (captures->matches && captures->highest <= captures->groups))
		return 0;
	if (!captures->matches)
		diagnostics_error(
		    compiler->diagnostics, captures->place,
		    "%%{%u} is what an expression of this rule matched, and the rule has none; write if FACT "
		    "matches /(...)/, or name a fact",
		    captures->highest);
	else
		diagnostics_error(
		    compiler->diagnostics, captures->place,
		    "%%{%u} is group %u of an expression of this rule, and it has %u; put ( ) around what is "
		    "meant, or use another number",
		    captures->highest, captures->highest, captures->groups);
	return -1;
}
