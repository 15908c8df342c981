/*
 * fields.c - canonical header fields (RFC 6376 3.4.1, 3.4.2), and which of them a
 * signature covers: for each name in h= the lowest that is not used yet (5.4.2).
 *
 * Ten signatures may name each of thousands of fields. So each canonical form is made
 * once, and a table finds the fields of a name, from the lowest up.
 */
#include "dkim_private.h"
#include <string.h>

struct field {
	struct slice name; /* lower case, without trailing blanks */
	struct slice canonical[2];
	int above; /* the next higher of the same name; -1: none */
	unsigned name_number;
};

struct name {
	struct slice name;
	int lowest;
	unsigned count, number;
};

struct dkim_fields {
	struct arena *arena;
	const struct header_field *list;
	size_t count;
	struct field *fields;
	struct name *names; /* open addressing */
	size_t room;        /* of names; a power of two, at least twice the number in use */
	unsigned name_count;
	int *lowest; /* of each name, by its number */
	int *cursor; /* the same while a signature takes its fields */
};

static struct name *name_place(const struct dkim_fields *fields, struct slice name)
{
	/* Nobody outside knows the address of the arena, so nobody can choose names that collide. */
	size_t at = hash_slice(name, (uint64_t)(uintptr_t)fields->arena) & (fields->room - 1);

	while (fields->names[at].count > 0 && !slice_equal(fields->names[at].name, name))
		at = (at + 1) & (fields->room - 1);
	return &fields->names[at];
}

static void field_place(struct dkim_fields *fields, size_t i)
{
	struct field *field = &fields->fields[i];
	struct name *name;

	field->name = arena_lower(fields->arena, slice_trim(fields->list[i].name));
	name = name_place(fields, field->name);
	if (name->count++ == 0) {
		name->name = field->name;
		name->lowest = -1;
		name->number = fields->name_count++;
	}
	field->name_number = name->number;
	field->above = name->lowest;
	name->lowest = (int)i;
}

struct dkim_fields *dkim_fields_new(const struct header_field *list, size_t count, struct arena *arena)
{
	struct dkim_fields *fields = arena_alloc(arena, sizeof(*fields));

	*fields = (struct dkim_fields){.arena = arena, .list = list, .count = count, .room = 16};
	while (fields->room < 2 * (count + 1))
		fields->room *= 2;
	fields->fields = arena_alloc(arena, (count + 1) * sizeof(*fields->fields));
	fields->names = arena_alloc(arena, fields->room * sizeof(*fields->names));
	for (size_t i = 0; i < count; i++)
		field_place(fields, i);
	fields->lowest = arena_alloc(arena, (fields->name_count + 1) * sizeof(int));
	fields->cursor = arena_alloc(arena, (fields->name_count + 1) * sizeof(int));
	for (size_t i = 0; i < fields->room; i++)
		if (fields->names[i].count > 0)
			fields->lowest[fields->names[i].number] = fields->names[i].lowest;
	return fields;
}

unsigned fields_count(const struct dkim_fields *fields, struct slice name)
{
	return name_place(fields, arena_lower(fields->arena, name))->count;
}

const struct header_field *fields_list(const struct dkim_fields *fields, size_t *count_r)
{
	*count_r = fields->count;
	return fields->list;
}

/* ---- canonical forms ------------------------------------------------------------------ */

/* As it came, except that the folding of milters (bare LF) becomes CRLF as on the wire. */
static struct slice simple_value(struct slice value, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\n' && (i == 0 || value.p[i - 1] != '\r'))
			out[n++] = '\r';
		out[n++] = value.p[i];
	}
	return (struct slice){out, n};
}

/* Unfolded; blanks become one space and are removed at both ends. */
static struct slice relaxed_value(struct slice value, char *out)
{
	const char *p = value.p;
	bool blank = false;
	size_t n = 0, i = 0;

	while (i < value.n) {
		if (p[i] == '\n' || (p[i] == '\r' && i + 1 < value.n && p[i + 1] == '\n')) {
			i++;
			continue;
		}
		if (is_blank(p[i])) {
			blank = true;
			i++;
			continue;
		}
		if (blank && n > 0)
			out[n++] = ' ';
		blank = false;
		do
			out[n++] = p[i++];
		while (i < value.n && (unsigned char)p[i] > ' ');
	}
	return (struct slice){out, n};
}

struct slice field_canonical(struct slice name, struct slice value, enum dkim_canon kind, struct arena *arena)
{
	char *out;
	size_t n;

	if (kind == DKIM_RELAXED) {
		while (name.n > 0 && is_blank(name.p[name.n - 1]))
			name.n--;
		name = arena_lower(arena, name);
	}
	out = arena_raw(arena, name.n + 1 + 2 * value.n + 2);
	if (name.n > 0)
		memcpy(out, name.p, name.n);
	out[name.n] = ':';
	n = name.n + 1;
	n += kind == DKIM_RELAXED ? relaxed_value(value, out + n).n : simple_value(value, out + n).n;
	memcpy(out + n, "\r\n", 2);
	return (struct slice){out, n};
}

struct slice value_without(struct slice value, struct slice b, struct arena *arena)
{
	size_t before = (size_t)(b.p - value.p);
	char *out = arena_raw(arena, value.n);

	memcpy(out, value.p, before);
	memcpy(out + before, b.p + b.n, value.n - before - b.n);
	return (struct slice){out, value.n - b.n};
}

/* ---- what a signature covers --------------------------------------------------------------- */

static void field_hash(struct dkim_fields *fields, size_t i, enum dkim_canon kind, EVP_MD_CTX *hash)
{
	struct slice *canonical = &fields->fields[i].canonical[kind];

	if (!canonical->p)
		*canonical = field_canonical(fields->list[i].name, fields->list[i].value, kind, fields->arena);
	EVP_DigestUpdate(hash, canonical->p, canonical->n + 2);
}

void fields_hash(struct dkim_fields *fields, struct slice names, enum dkim_canon kind, const struct header_field *skip,
		 EVP_MD_CTX *hash)
{
	struct slice item;

	memcpy(fields->cursor, fields->lowest, (fields->name_count + 1) * sizeof(int));
	while (items_next(&names, &item)) {
		const struct name *name = name_place(fields, arena_lower(fields->arena, item));
		int at = name->count > 0 ? fields->cursor[name->number] : -1;

		if (at >= 0 && &fields->list[at] == skip)
			at = fields->fields[at].above;
		if (at < 0)
			continue; /* RFC 6376 3.5: an absent field counts as empty, so it cannot be added later */
		field_hash(fields, (size_t)at, kind, hash);
		fields->cursor[name->number] = fields->fields[at].above;
	}
}
