/*
 * values.c - reads sizes, durations and names of sekisho.conf.
 */
#include "values.h"
#include "policy.h"

#include <stdio.h>

#define SIZE_LIMIT     ((int64_t)1 << 50) /* far beyond any message, and no product below overflows */
#define DURATION_LIMIT ((int64_t)365 * 24 * 3600 * 1000 * 1000)
#define NAME_MAX_BYTES 64

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit sizes[] = {
    {"", 1},         {"b", 1},       {"k", 1 << 10},  {"kb", 1 << 10}, {"M", 1 << 20},
    {"mb", 1 << 20}, {"G", 1 << 30}, {"gb", 1 << 30}, {NULL, 0},
};

static const struct unit durations[] = {
    {"ms", 1000},
    {"s", 1000 * 1000},
    {"m", 60ll * 1000 * 1000},
    {"h", 3600ll * 1000 * 1000},
    {"d", 86400ll * 1000 * 1000},
    {NULL, 0},
};

static int parse(struct slice text, const struct unit *units, int64_t limit, int64_t *value_r)
{
	size_t digits = 0;
	uint64_t number;

	while (digits < text.n && is_digit(text.p[digits]))
		digits++;
	if (slice_number(slice_head(text, digits), (uint64_t)limit, &number))
		return -1;
	for (; units->name; units++) {
		if (!slice_equal_nocase(slice_from(text, digits), slice_of(units->name)))
			continue;
		if ((int64_t)number > limit / units->factor)
			return -1;
		*value_r = (int64_t)number * units->factor;
		return 0;
	}
	return -1;
}

int size_parse(struct slice text, int64_t *bytes_r)
{
	return parse(text, sizes, SIZE_LIMIT, bytes_r);
}

int duration_parse(struct slice text, int64_t *us_r)
{
	return parse(text, durations, DURATION_LIMIT, us_r);
}

/* In the largest unit of which it is a whole number. */
static struct printed print(int64_t value, const struct unit *units)
{
	struct printed printed;
	const struct unit *unit = units;

	if (value == 0)
		return (struct printed){"0"};
	for (const struct unit *larger = units; larger->name; larger++) {
		if (value % larger->factor == 0 && larger->factor > unit->factor)
			unit = larger;
	}
	snprintf(printed.text, sizeof(printed.text), "%lld%s", (long long)(value / unit->factor), unit->name);
	return printed;
}

struct printed size_print(int64_t bytes)
{
	return print(bytes, sizes);
}

struct printed duration_print(int64_t us)
{
	return us ? print(us, durations) : (struct printed){"0s"};
}

static bool may_begin_name(char c)
{
	return is_letter(c) || c == '_';
}

bool name_valid(struct slice name)
{
	if (name.n == 0 || name.n > NAME_MAX_BYTES || !may_begin_name(name.p[0]))
		return false;
	for (size_t i = 1; i < name.n; i++) {
		if (!may_begin_name(name.p[i]) && !is_digit(name.p[i]) && name.p[i] != '-' && name.p[i] != '.')
			return false;
	}
	return true;
}

struct slice file_path(struct slice text)
{
	if (!slice_starts_nocase(text, SLICE("file:")))
		return SLICE("");
	return slice_from(text, 5);
}

int control_parse(struct slice text, struct slice *path_r)
{
	if (slice_starts_nocase(text, SLICE("unix:")))
		text = slice_from(text, 5);
	*path_r = text;
	if (!slice_equal(text, SLICE("off")))
		return text.n && text.p[0] == '/' ? 0 : -1;
	*path_r = SLICE("");
	return 0;
}

const char *path_beside(struct arena *arena, const char *file, struct slice path)
{
	ptrdiff_t slash = slice_find_last(slice_of(file), '/');

	if ((path.n > 0 && path.p[0] == '/') || slash < 0)
		return arena_cstring(arena, path);
	return arena_cstring(arena, arena_printf(arena, "%.*s/%.*s", (int)slash, file, SLICE_ARGS(path)));
}
