/*
 * rewrite.c - another author in From (rewrite-from): what a list writes whose changes break the signature of the
 * author.
 */
#include "plan.h"

#define REPLY_MAX 900 /* bytes of a line (RFC 5322 2.1.1 allows 998) */

/* The From field as it is; without its name where that is not ASCII or too long for one line. */
static struct slice reply_of(const struct authors *authors, struct arena *arena)
{
	if (slice_is_ascii(authors->field) && authors->field.n <= REPLY_MAX)
		return authors->field;
	return arena_join(arena, SLICE("<"), authors->first.local, SLICE("@"), authors->first.domain, SLICE(">"));
}

/* The field that has the author now; NULL: none. */
static const struct slice *plan_from(const struct plan *plan)
{
	for (size_t i = 0; i < plan->headers->count; i++)
		if (!plan->fields[i].deleted && author_is_field(plan->headers->fields[i].name))
			return plan->fields[i].replaced ? &plan->fields[i].value : &plan->headers->fields[i].value;
	return NULL;
}

/* NULL; else why From stays: *value_r is then not empty when the rule made an unusable address. */
static const char *find_values(const struct edit *edit, const struct plan *plan, struct slice *value_r,
			       struct slice *reply_r)
{
	const struct slice *from = plan_from(plan);
	struct arena *arena = plan->arena;
	struct address address = address_parse_path(edit->html, arena);
	struct authors authors;
	struct slice name;

	*value_r = edit->html.n > 0 ? edit->html : SLICE("<>");
	if (!address_usable(&address))
		return "the rule made an address that mail cannot be sent to";
	*value_r = SLICE("");
	author_find(plan->headers, arena, &authors);
	if (!authors.valid || authors.mailbox_count == 0 || !from)
		return "it names no author";
	author_read(*from, arena, &authors);
	authors.field = header_unfold(*from, arena);
	if (authors.mailbox_count == 1 && address_equal(&authors.first, &address))
		return "it has this address";
	*reply_r = reply_of(&authors, arena);
	name = header_phrase(edit->value, sizeof("From") - 1, arena);
	*value_r = arena_join(arena, name, name.n > 0 ? SLICE(" <") : SLICE("<"), address.local, SLICE("@"),
			      address.domain, SLICE(">"));
	return NULL;
}

bool rewrite_from(struct gate *gate, const struct edit *edit, const struct plan *plan, struct slice *value_r,
		  struct slice *reply_r)
{
	const char *why = find_values(edit, plan, value_r, reply_r);

	if (!why)
		return true;
	gate->unusable |= value_r->n > 0;
	decision_note(&gate->decision, NOTE_LOG, arena_printf(plan->arena, "From is not rewritten: %s", why),
		      edit->rule);
	return false;
}
