/*
 * slice.c - text as a pointer and a length: comparing, cutting, reading and printing numbers.
 *
 * No function here allocates, and none reads a byte after the end of the slice. An
 * empty slice may have a NULL pointer, which must not be passed to functions of the
 * C library: hence the tests for n == 0 before such calls.
 */
#include "base.h"

#include <string.h>

bool slice_is_ascii(struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] >= 0x80)
			return false;
	return true;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (a.p[i] != b.p[i] && to_lower(a.p[i]) != to_lower(b.p[i]))
			return false;
	return true;
}

bool slice_starts_nocase(struct slice text, struct slice prefix)
{
	return text.n >= prefix.n && slice_equal_nocase(slice_head(text, prefix.n), prefix);
}

bool slice_ends_nocase(struct slice text, struct slice suffix)
{
	return text.n >= suffix.n && slice_equal_nocase(slice_from(text, text.n - suffix.n), suffix);
}

struct slice slice_trim(struct slice text)
{
	while (text.n > 0 && is_space(text.p[0])) {
		text.p++;
		text.n--;
	}
	while (text.n > 0 && is_space(text.p[text.n - 1]))
		text.n--;
	return text;
}

ptrdiff_t slice_find(struct slice text, char c)
{
	const char *found = text.n > 0 ? memchr(text.p, c, text.n) : NULL;

	return found ? found - text.p : -1;
}

ptrdiff_t slice_find_last(struct slice text, char c)
{
	const char *found = text.n > 0 ? memrchr(text.p, c, text.n) : NULL;

	return found ? found - text.p : -1;
}

bool slice_cut(struct slice *rest, char separator, struct slice *head_r)
{
	ptrdiff_t at;

	if (!rest->p)
		return false;
	at = slice_find(*rest, separator);
	if (at < 0) {
		*head_r = *rest;
		*rest = (struct slice){NULL, 0};
		return true;
	}
	*head_r = slice_head(*rest, (size_t)at);
	*rest = slice_from(*rest, (size_t)at + 1);
	return true;
}

bool slice_word(struct slice *rest, struct slice *word_r)
{
	size_t start = 0, end;

	while (start < rest->n && is_space(rest->p[start]))
		start++;
	end = start;
	while (end < rest->n && !is_space(rest->p[end]))
		end++;
	*word_r = slice_head(slice_from(*rest, start), end - start);
	*rest = slice_from(*rest, end);
	return end > start;
}

int slice_number(struct slice text, uint64_t max, uint64_t *number_r)
{
	uint64_t number = 0;

	if (text.n == 0)
		return -1;
	for (size_t i = 0; i < text.n; i++) {
		unsigned digit = (unsigned char)text.p[i] - (unsigned)'0';

		if (digit > 9 || digit > max || number > (max - digit) / 10)
			return -1;
		number = number * 10 + digit;
	}
	*number_r = number;
	return 0;
}

struct slice number_print(int64_t number, char buffer[NUMBER_TEXT])
{
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number; /* INT64_MIN has no positive counterpart */
	size_t start = NUMBER_TEXT;

	do
		buffer[--start] = (char)('0' + rest % 10);
	while (rest /= 10);
	if (number < 0)
		buffer[--start] = '-';
	return (struct slice){buffer + start, NUMBER_TEXT - start};
}

size_t slice_utf8(struct slice text)
{
	/* By first byte: the length of the character, and the range of the second byte (RFC 3629 4). */
	static const struct {
		uint8_t first, last, length, low, high;
	} forms[] = {
	    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
	    {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
	    {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
	};
	const uint8_t *p = (const uint8_t *)text.p;

	if (text.n > 0 && p[0] < 0x80)
		return 1;
	for (size_t i = 0; text.n > 0 && i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (p[0] < forms[i].first || p[0] > forms[i].last)
			continue;
		if (text.n < forms[i].length || p[1] < forms[i].low || p[1] > forms[i].high)
			return 0;
		for (size_t j = 2; j < forms[i].length; j++)
			if ((p[j] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

bool slice_is_utf8(struct slice text)
{
	while (text.n > 0) {
		size_t length = slice_utf8(text);

		if (length == 0)
			return false;
		text = slice_from(text, length);
	}
	return true;
}
