/*
 * header.c - the header fields of a message as received, bounded in number and
 * in bytes, and found by name and index as milters count.
 *
 * A hash table counts the fields of each name, so storing the next field takes
 * constant time.
 */
#include "mail.h"

#include <string.h>

#define FIELDS_FIRST 32
#define NAME_MAX     76 /* of a field that we write: name and colon must fit a line of 78 (RFC 5322 2.1.1) */

/* Open addressing; the size is a power of two and at least twice the number of entries. */
struct header_name {
	struct slice name;
	uint64_t hash;
	unsigned count; /* 0: this slot is free */
};

/* Ignores case. The hash of each piece is the seed of the next. */
static uint64_t name_hash(struct slice name, uint64_t seed)
{
	char lower[64];

	do {
		size_t n = name.n < sizeof(lower) ? name.n : sizeof(lower);

		for (size_t i = 0; i < n; i++)
			lower[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 0x20) : name.p[i];
		seed = hash_slice((struct slice){lower, n}, seed);
		name = slice_from(name, n);
	} while (name.n > 0);
	return seed;
}

/* An attacker does not know the address of the arena, so cannot choose names that collide. */
static uint64_t seed_of(const struct headers *headers)
{
	return (uint64_t)(uintptr_t)headers->arena;
}

/* The slot of a name in the table: the one it uses, or the free one where it would go. */
static struct header_name *name_place(const struct headers *headers, struct slice name, uint64_t hash)
{
	size_t at = hash & (headers->name_room - 1);

	for (;;) {
		struct header_name *place = &headers->names[at];

		if (place->count == 0 || (place->hash == hash && slice_equal_nocase(place->name, name)))
			return place;
		at = (at + 1) & (headers->name_room - 1);
	}
}

static void names_grow(struct headers *headers)
{
	struct header_name *old = headers->names;
	size_t room = headers->name_room;

	headers->name_room = room > 0 ? room * 2 : 2 * FIELDS_FIRST;
	headers->names = arena_alloc(headers->arena, headers->name_room * sizeof(*headers->names));
	for (size_t i = 0; i < room; i++)
		if (old[i].count > 0)
			*name_place(headers, old[i].name, old[i].hash) = old[i];
}

static void fields_grow(struct headers *headers)
{
	struct header_field *old = headers->fields;

	headers->room = headers->room > 0 ? headers->room * 2 : FIELDS_FIRST;
	headers->fields = arena_raw(headers->arena, headers->room * sizeof(*headers->fields));
	if (headers->count > 0)
		memcpy(headers->fields, old, headers->count * sizeof(*old));
}

/* One allocation for both. */
static void field_copy(struct headers *headers, struct header_field *field, struct slice name, struct slice value)
{
	char *copy = arena_raw(headers->arena, name.n + value.n);

	if (name.n > 0)
		memcpy(copy, name.p, name.n);
	if (value.n > 0)
		memcpy(copy + name.n, value.p, value.n);
	field->name = (struct slice){copy, name.n};
	field->value = (struct slice){copy + name.n, value.n};
}

void headers_init(struct headers *headers, struct arena *arena)
{
	*headers = (struct headers){.arena = arena};
}

void headers_add(struct headers *headers, struct slice name, struct slice value)
{
	struct header_field *field;
	struct header_name *place;
	uint64_t hash;

	if (headers->count >= HEADER_COUNT_MAX || name.n > HEADER_BYTES_MAX - headers->bytes ||
	    value.n > HEADER_BYTES_MAX - headers->bytes - name.n)
		headers->too_large = true;
	if (headers->too_large)
		return;
	if (headers->count == headers->room)
		fields_grow(headers);
	if (2 * (headers->name_count + 1) > headers->name_room)
		names_grow(headers);
	field = &headers->fields[headers->count++];
	field_copy(headers, field, name, value);
	headers->bytes += name.n + value.n;

	hash = name_hash(name, seed_of(headers));
	place = name_place(headers, name, hash);
	if (place->count == 0) {
		headers->name_count++;
		place->name = field->name;
		place->hash = hash;
	}
	field->index = ++place->count;
}

unsigned headers_count(const struct headers *headers, struct slice name)
{
	if (headers->name_room == 0)
		return 0;
	return name_place(headers, name, name_hash(name, seed_of(headers)))->count;
}

const struct header_field *headers_find(const struct headers *headers, struct slice name, unsigned index)
{
	if (index == 0 || index > headers_count(headers, name))
		return NULL;
	for (size_t i = index - 1; i < headers->count; i++)
		if (headers->fields[i].index == index && slice_equal_nocase(headers->fields[i].name, name))
			return &headers->fields[i];
	return NULL;
}

/* Called for every field. Most names differ early; the blanks are checked only when they do not. */
bool header_is_named(const struct header_field *field, struct slice name)
{
	struct slice text = field->name;

	if (text.n > 0 && text.p[0] <= ' ')
		text = slice_trim(text);
	return slice_starts_nocase(text, name) && slice_trim(slice_from(text, name.n)).n == 0;
}

bool header_name_valid(struct slice name)
{
	if (name.n == 0 || name.n > NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == ':')
			return false;
	return true;
}
