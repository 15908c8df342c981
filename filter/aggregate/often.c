/*
 * often.c - how many reports go to one address, and to one organization, within a day. Strangers choose the domains
 * that reports are about, and many domains can name one address. Whoever has a domain has any number of domains below
 * it: these get a share, so they do not take the places of all others.
 */
#include "send.h"

static struct store_limit limit_of(struct slice key, uint64_t hard)
{
	return (struct store_limit){.key = key, .length_us = STORE_DAY_US, .amount = 1, .hard = hard};
}

enum store_answer report_place_take(const struct report_sender *sender, struct slice domain, struct slice address,
				    struct arena *arena, struct report_place *place_r, struct slice *why_r)
{
	unsigned to_share = sender->share_max ? sender->share_max : REPORTS_SHARE_MAX;
	unsigned to_address = sender->address_max ? sender->address_max : REPORTS_ADDRESS_MAX;
	unsigned to_org = sender->org_max ? sender->org_max : REPORTS_ORG_MAX;
	struct slice lower = arena_lower(arena, address);
	struct slice org = dmarc_psl_org(slice_from(lower, (size_t)(slice_find_last(lower, '@') + 1)));
	struct slice about = dmarc_psl_org(arena_lower(arena, domain));
	enum store_answer answer;

	place_r->limits[0] = limit_of(store_key(arena, SLICE("rua"), SLICE("often"), lower), to_address);
	place_r->limits[1] = limit_of(store_key(arena, SLICE("rua"), SLICE("org"), org), to_org);
	place_r->limits[2] = limit_of(store_key(arena, SLICE("rua"), SLICE("share"), org, about),
				      slice_equal(org, about) ? to_org : to_share);
	answer = store_reserve(sender->store, place_r->limits, REPORT_PLACES, place_r->usage);
	if (answer != STORE_OVER)
		return answer;
	if (place_r->usage[0].wait_us > 0)
		*why_r = arena_printf(arena, "%u reports went to %.*s within a day, and more wait", to_address,
				      SLICE_ARGS(lower));
	else if (place_r->usage[1].wait_us > 0)
		*why_r = arena_printf(arena, "%u reports went to addresses at %.*s within a day, and more wait", to_org,
				      SLICE_ARGS(org));
	else
		*why_r = arena_printf(arena,
				      "%u reports about domains below %.*s went to addresses at %.*s within a day, and "
				      "more wait",
				      to_share, SLICE_ARGS(about), SLICE_ARGS(org));
	return answer;
}

void report_place_return(const struct report_sender *sender, const struct report_place *place)
{
	store_release(sender->store, place->limits, REPORT_PLACES, place->usage);
}
