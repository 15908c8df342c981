/*
 * rewrite.c - SRS as the file sets it: whose senders are rewritten, and whose are not.
 */
#include "compiled.h"

/* An address of our own passes SPF as it is. */
static enum truth is_own(const struct policy *policy, struct store *store, const struct address *address)
{
	const struct srs_setting *setting = &policy->settings.srs;
	const struct list_key key = {.kind = LIST_ADDRESS, .address = address};

	if (policy_sign(policy, address->domain))
		return TRUTH_TRUE;
	return setting->own ? list_has(setting->own, store, &key) : TRUTH_FALSE;
}

enum srs_result policy_srs(const struct policy *policy, struct store *store, enum srs_direction direction,
			   const struct address *address, int64_t now_us, struct arena *arena, struct slice *address_r)
{
	const struct srs *srs = &policy->settings.srs.srs;
	enum srs_result result;

	if (direction == SRS_REVERSE)
		return srs_reverse(srs, address, now_us / 1000000, arena, address_r);
	result = srs_forward(srs, address, now_us / 1000000, arena, address_r);
	if (result != SRS_REWRITTEN && result != SRS_TOO_LONG)
		return result;
	switch (is_own(policy, store, address)) {
	case TRUTH_FALSE:
		return result;
	case TRUTH_TRUE:
		return SRS_OWN;
	default:
		return SRS_NO_ANSWER;
	}
}
