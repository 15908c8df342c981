/*
 * author_form.c - does another form of a From field, as mail servers write it, name the same authors?
 */
#include "mail.h"

static bool is_same(const struct authors *a, const struct authors *b)
{
	if (a->mailbox_count != b->mailbox_count || a->domain_count != b->domain_count || a->literal != b->literal)
		return false;
	for (size_t i = 0; i < a->domain_count; i++)
		if (!slice_equal(a->domains[i], b->domains[i]))
			return false;
	return a->mailbox_count == 0 || address_equal(&a->first, &b->first);
}

bool author_stays(struct slice before, struct slice after, struct arena *arena)
{
	struct authors old, new;

	author_read(before, arena, &old);
	author_read(after, arena, &new);
	if (old.valid)
		return new.valid &&is_same(&old, &new);
	if (!new.valid)
		return slice_equal(old.shown, new.shown);
	return old.shown.n > 0 && new.domain_count == 1 && !new.literal &&slice_equal(old.shown, new.domains[0]);
}
