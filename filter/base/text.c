/*
 * text.c - text that grows in an arena up to a limit, and the text of errors.
 *
 * When the buffer is full, a piece twice as big is taken from the arena. The old one
 * stays there until the arena is freed, so a text costs at most about three times
 * its length.
 */
#include "base.h"

#include <stdio.h>
#include <string.h>

#define TEXT_FIRST 64
#define DIGITS_MAX 20 /* of 2^64 - 1 */

void text_init(struct text *text, struct arena *arena, size_t limit)
{
	*text = (struct text){.arena = arena, .limit = limit};
}

/* The extra byte is for a NUL (vsnprintf writes one). */
void text_reserve(struct text *text, size_t more)
{
	size_t wanted = text->n + more + 1, room = text->room > 0 ? text->room : TEXT_FIRST;
	char *p;

	if (wanted <= text->room)
		return;
	while (room < wanted)
		room *= 2;
	p = arena_raw(text->arena, room);
	if (text->n > 0)
		memcpy(p, text->p, text->n);
	text->p = p;
	text->room = room;
}

void text_add(struct text *text, struct slice addition)
{
	if (addition.n > text->limit - text->n) {
		text->cut = true;
		addition.n = text->limit - text->n;
	}
	if (addition.n == 0)
		return;
	if (addition.n >= text->room - text->n)
		text_reserve(text, addition.n);
	memcpy(text->p + text->n, addition.p, addition.n);
	text->n += addition.n;
}

void text_add_char(struct text *text, char c)
{
	if (text->n == text->limit) {
		text->cut = true;
		return;
	}
	if (text->room - text->n <= 1)
		text_reserve(text, 1);
	text->p[text->n++] = c;
}

void text_add_number(struct text *text, uint64_t number, unsigned digits)
{
	char buffer[DIGITS_MAX];
	size_t start = DIGITS_MAX;

	do {
		buffer[--start] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0 || (start > 0 && DIGITS_MAX - start < digits));
	text_add(text, (struct slice){buffer + start, DIGITS_MAX - start});
}

/* Prints into the free space at once; prints a second time only when it does not fit. */
void text_printf(struct text *text, const char *format, ...)
{
	va_list arguments;
	size_t n, left = text->limit - text->n, room = text->room - text->n;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->p ? text->p + text->n : NULL, room, format, arguments);
	va_end(arguments);
	if (length < 0)
		die("a text cannot be formatted, or is over 2 GB");
	n = (size_t)length;
	if (n > left) {
		text->cut = true;
		n = left;
	}
	if (n >= room) {
		text_reserve(text, n);
		va_start(arguments, format);
		vsnprintf(text->p + text->n, n + 1, format, arguments);
		va_end(arguments);
	}
	text->n += n;
}

struct slice text_slice(const struct text *text)
{
	return (struct slice){text->p ? text->p : "", text->n};
}

char *text_cstring(struct text *text)
{
	text_reserve(text, 0);
	text->p[text->n] = '\0';
	return text->p;
}

void error_set(struct error *err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(err->text, sizeof(err->text), format, arguments);
	va_end(arguments);
}

struct slice arena_without(struct arena *arena, struct slice slice, char unwanted)
{
	struct text text;

	text_init(&text, arena, slice.n);
	for (size_t i = 0; i < slice.n; i++)
		if (slice.p[i] != unwanted)
			text_add_char(&text, slice.p[i]);
	return text_slice(&text);
}
