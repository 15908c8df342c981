/*
 * sets.c - the sets of fields in a header (RFC 8617 5.2, steps 1 and 3), before anything is verified.
 *
 * What has a name of ARC and is not part of a complete set makes the whole chain fail: two readers must not be able to
 * choose different fields.
 */
#include "arc_private.h"

static const char *const names[ARC_PARTS] = {"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"};

bool arc_part_of(const struct header_field *field, enum arc_part *part_r)
{
	for (int part = 0; part < ARC_PARTS; part++) {
		if (!header_is_named(field, slice_of(names[part])))
			continue;
		*part_r = (enum arc_part)part;
		return true;
	}
	return false;
}

bool arc_is_field(const struct header_field *field)
{
	enum arc_part part;

	/* Nearly all fields of all messages are others. */
	return field->name.n > 3 && to_lower(field->name.p[0]) == 'a' && to_lower(field->name.p[1]) == 'r' &&
	       arc_part_of(field, &part);
}

static void wrong(struct arc_sets *sets, struct slice reason)
{
	if (sets->wrong.n == 0)
		sets->wrong = reason;
}

static void add(struct arc_sets *sets, const struct header_field *field, struct arena *arena)
{
	const struct header_field **place;
	enum arc_part part;
	unsigned instance;
	struct slice rest;

	if (!arc_part_of(field, &part))
		return;
	sets->fields++;
	if (!arc_instance(part, field->value, &instance, &rest) || instance == 0) {
		wrong(sets, arena_printf(arena, "%s without a usable i=", names[part]));
		return;
	}
	if (instance > sets->highest)
		sets->highest = instance;
	if (instance > ARC_SETS_MAX)
		return;
	place = &sets->list[instance - 1].parts[part];
	if (*place)
		wrong(sets, arena_printf(arena, "set %u has more than one %s", instance, names[part]));
	*place = field;
}

void arc_sets_find(struct arc_sets *sets, const struct header_field *list, size_t count, unsigned most,
		   struct arena *arena)
{
	*sets = (struct arc_sets){.wrong = SLICE("")};
	for (size_t i = 0; i < count; i++)
		if (arc_is_field(&list[i]))
			add(sets, &list[i], arena);
	if (sets->highest > most)
		wrong(sets, arena_printf(arena, "more than %u sets", most));
	for (unsigned i = 0; i < sets->highest && i < ARC_SETS_MAX; i++)
		for (int part = 0; part < ARC_PARTS; part++)
			if (!sets->list[i].parts[part])
				wrong(sets, arena_printf(arena, "set %u has no %s", i + 1, names[part]));
}
