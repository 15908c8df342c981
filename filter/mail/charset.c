/*
 * charset.c - texts in the charsets of mail, by iconv(3).
 *
 * Only names from this table reach iconv, never a name that a sender chose. All these charsets contain ASCII unchanged,
 * so a line of ASCII can be added to a text in any of them.
 */
#include "mime.h"

#include <errno.h>
#include <iconv.h>

#define UTF8       "UTF-8"
#define ASCII      "US-ASCII"
#define GROWTH_MAX 4 /* one input byte becomes at most this many: the longest UTF-8 character */

static const char *const charsets[] = {
    ASCII,          UTF8,           "ISO-8859-1",   "ISO-8859-2",   "ISO-8859-3",   "ISO-8859-4",   "ISO-8859-5",
    "ISO-8859-6",   "ISO-8859-7",   "ISO-8859-8",   "ISO-8859-9",   "ISO-8859-10",  "ISO-8859-11",  "ISO-8859-13",
    "ISO-8859-14",  "ISO-8859-15",  "ISO-8859-16",  "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253",
    "WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "KOI8-R",       "KOI8-U",
    "GB2312",       "EUC-KR",       "EUC-JP",       NULL,
};

/* The name in the table, or NULL. */
static const char *charset_find(struct slice name)
{
	if (slice_equal_nocase(name, SLICE("utf8")))
		return UTF8;
	if (slice_equal_nocase(name, SLICE("ascii")))
		return ASCII;
	for (size_t i = 0; charsets[i]; i++)
		if (slice_equal_nocase(name, slice_of(charsets[i])))
			return charsets[i];
	return NULL;
}

bool charset_known(struct slice name)
{
	return charset_find(name) != NULL;
}

/* Converts all of it, or returns -1. Also ends an open shift state, although none of these charsets has one. */
static int convert(iconv_t converter, struct slice text, struct arena *arena, struct slice *text_r)
{
	size_t room = text.n * GROWTH_MAX + 1, left = room, in_left = text.n;
	char *out = arena_raw(arena, room), *at = out, *in = (char *)(uintptr_t)text.p;

	/* A number above 0: some characters were not converted exactly. */
	if (iconv(converter, &in, &in_left, &at, &left) != 0 || in_left > 0)
		return -1;
	*text_r = (struct slice){out, room - left};
	return 0;
}

static int recode(const char *to, const char *from, struct slice text, struct arena *arena, struct slice *text_r)
{
	iconv_t converter;
	int result;

	if (slice_is_ascii(text)) {
		*text_r = text;
		return 0;
	}
	if (to == from && slice_equal(slice_of(to), SLICE(UTF8))) {
		*text_r = text;
		return slice_is_utf8(text) ? 0 : -1;
	}
	converter = iconv_open(to, from);
	if (converter == (iconv_t)-1)
		return -1;
	result = convert(converter, text, arena, text_r);
	iconv_close(converter);
	return result;
}

int charset_encode(struct slice name, struct slice utf8, struct arena *arena, struct slice *text_r)
{
	const char *to = charset_find(name);

	return to ? recode(to, charset_find(SLICE(UTF8)), utf8, arena, text_r) : -1;
}

int charset_decode(struct slice name, struct slice text, struct arena *arena, struct slice *utf8_r)
{
	const char *from = charset_find(name);

	return from ? recode(charset_find(SLICE(UTF8)), from, text, arena, utf8_r) : -1;
}
