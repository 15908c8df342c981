/*
 * edit.c - the changes that the daemon asks for, and the message that results.
 *
 * What was not changed is written as it came, byte for byte.
 */
#include "queue_private.h"

/* ---- fields -------------------------------------------------------------------------------------- */

/* A line end in a value folds, or it would begin another field. */
static struct slice folded(struct slice value, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, 2 * value.n);
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '\r')
			continue;
		text_add_char(&text, c == '\0' ? ' ' : c);
		if (c == '\n' && (i + 1 == value.n || !is_blank(value.p[i + 1])))
			text_add_char(&text, '\t');
	}
	return text_slice(&text);
}

static struct field *field_new(struct slice name, struct slice value, struct arena *arena)
{
	struct field *field = arena_alloc(arena, sizeof(*field));

	field->name = name;
	field->value = folded(value, arena);
	return field;
}

/* The place of the field number `index` of its name, from 1; of its end when there is none. */
static struct field **find(struct letter *letter, struct slice name, unsigned index)
{
	struct field **link = &letter->fields;

	for (; *link; link = &(*link)->next)
		if (!(*link)->stamp && slice_equal_nocase((*link)->name, name) && (index == 0 || --index == 0))
			break;
	return link;
}

static struct field **place(struct letter *letter, unsigned index)
{
	struct field **link = &letter->fields;

	while (*link && index-- > 0)
		link = &(*link)->next;
	return link;
}

static void put_in(struct field **link, struct field *field)
{
	field->next = *link;
	*link = field;
}

void letter_insert(struct letter *letter, struct slice name, struct slice value, struct arena *arena)
{
	value = arena_join(arena, SLICE(" "), header_safe(value, name.n, arena));
	put_in(&letter->fields, field_new(name, value, arena));
}

void letter_change(struct letter *letter, const struct change *change, struct arena *arena)
{
	struct field **link;

	switch (change->kind) {
	case CHANGE_DELETE:
		link = find(letter, change->name, change->index);
		if (*link)
			*link = (*link)->next;
		return;
	case CHANGE_REPLACE:
		link = find(letter, change->name, change->index);
		if (*link)
			*link = (*link)->next;
		break;
	case CHANGE_INSERT:
		link = place(letter, change->index);
		break;
	case CHANGE_APPEND:
		link = place(letter, (unsigned)-1);
		break;
	default:
		return;
	}
	put_in(link, field_new(change->name, change->value, arena));
}

/* ---- writing --------------------------------------------------------------------------------------- */

struct writing {
	bool (*put)(void *context, struct slice);
	void *context;
	bool failed, cr; /* cr: one came, and what follows it is not known */
};

static void put(struct writing *writing, struct slice bytes)
{
	writing->failed = writing->failed || (bytes.n > 0 && !writing->put(writing->context, bytes));
}

static void put_field(struct writing *writing, const struct field *field)
{
	if (field->raw.p) {
		put(writing, field->raw);
	} else {
		put(writing, field->name);
		put(writing, SLICE(":"));
		put(writing, field->value);
	}
	put(writing, SLICE("\n"));
}

/* CR LF becomes LF; other CRs stay. */
static void put_chunk(void *writing_, struct slice chunk)
{
	struct writing *writing = writing_;

	while (chunk.n > 0) {
		const char *cr = memchr(chunk.p, '\r', chunk.n);
		size_t n = cr ? (size_t)(cr - chunk.p) : chunk.n;

		if (writing->cr && chunk.p[0] != '\n')
			put(writing, SLICE("\r"));
		put(writing, slice_head(chunk, n));
		writing->cr = cr != NULL;
		chunk = slice_from(chunk, n + writing->cr);
	}
}

bool letter_write(const struct letter *letter, bool (*put_bytes)(void *, struct slice), void *context)
{
	struct writing writing = {.put = put_bytes, .context = context};

	for (const struct field *field = letter->fields; field; field = field->next)
		put_field(&writing, field);
	if (letter->separated || letter->new_body || letter->body.n > 0)
		put(&writing, SLICE("\n"));
	if (!letter->new_body) {
		put(&writing, letter->body);
	} else {
		writing.failed |= spool_read(letter->new_body, put_chunk, &writing) != 0;
		if (writing.cr)
			put(&writing, SLICE("\r"));
	}
	return !writing.failed;
}
