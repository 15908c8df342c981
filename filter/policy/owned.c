/*
 * owned.c - may a login use an address? The list owners says so, and the setting ownership { } for all logins alike.
 */
#include "run.h"

#include <string.h>

static bool is_self(struct run *run, struct slice login, const struct address *address)
{
	struct address own;

	if (!run->policy->settings.ownership.self || slice_find(login, '@') < 0)
		return false;
	own = address_parse_path(login, run_arena(run));
	return own.valid && own.domain.n > 0 && address_equal(&own, address);
}

/* alice+shop@example.org without its extension. False: there is none. */
static bool without_extension(struct run *run, const struct address *address, struct address *base_r)
{
	struct slice delimiters = run->policy->settings.ownership.delimiters;
	size_t n = 1;

	if (delimiters.n == 0 || address->local.n < 2 || address->local.p[0] == '"')
		return false;
	while (n < address->local.n && slice_find(delimiters, address->local.p[n]) < 0)
		n++;
	if (n == address->local.n)
		return false;
	*base_r = address_parse_path(
	    arena_join(run_arena(run), slice_head(address->local, n), SLICE("@"), address->domain), run_arena(run));
	return base_r->valid && base_r->domain.n > 0;
}

static enum truth owns(struct run *run, const struct policy_list *list, struct slice login,
		       const struct address *address)
{
	if (is_self(run, login, address))
		return TRUTH_TRUE;
	return list ? list_owns(list->list, login, address) : TRUTH_FALSE;
}

enum truth owned_by(struct run *run, const struct policy_list *list, struct slice login, const struct address *address)
{
	enum truth owned = owns(run, list, login, address);
	struct address base;

	if (owned == TRUTH_FALSE && without_extension(run, address, &base))
		owned = owns(run, list, login, &base);
	return owned;
}
