/*
 * often.c - how many reports go to one address, and to one organization, within a day. Strangers choose the domains
 * that reports are about, and many domains can name one address.
 */
#include "send.h"

static struct store_limit limit_of(struct slice what, struct slice whom, uint64_t hard, struct arena *arena)
{
	return (struct store_limit){
	    .key = store_key(arena, SLICE("rua"), what, whom), .length_us = STORE_DAY_US, .amount = 1, .hard = hard};
}

enum store_answer report_place_take(const struct report_sender *sender, struct slice address, struct arena *arena,
				    struct report_place *place_r, struct slice *why_r)
{
	unsigned to_address = sender->address_max ? sender->address_max : REPORTS_ADDRESS_MAX;
	unsigned to_org = sender->org_max ? sender->org_max : REPORTS_ORG_MAX;
	struct slice lower = arena_lower(arena, address);
	struct slice org = dmarc_psl_org(slice_from(lower, (size_t)(slice_find_last(lower, '@') + 1)));
	enum store_answer answer;

	place_r->limits[0] = limit_of(SLICE("often"), lower, to_address, arena);
	place_r->limits[1] = limit_of(SLICE("org"), org, to_org, arena);
	answer = store_reserve(sender->store, place_r->limits, REPORT_PLACES, place_r->usage);
	if (answer != STORE_OVER)
		return answer;
	if (place_r->usage[0].wait_us > 0)
		*why_r = arena_printf(arena, "%u reports went to %.*s within a day, and more wait", to_address,
				      SLICE_ARGS(lower));
	else
		*why_r = arena_printf(arena, "%u reports went to addresses at %.*s within a day, and more wait", to_org,
				      SLICE_ARGS(org));
	return answer;
}

void report_place_return(const struct report_sender *sender, const struct report_place *place)
{
	store_release(sender->store, place->limits, REPORT_PLACES, place->usage);
}
