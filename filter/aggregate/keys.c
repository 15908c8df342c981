/*
 * keys.c - the keys of reports in the store (aggregate.h).
 */
#include "aggregate_private.h"

#include <stdio.h>

#define LIFE_MIN_US (INT64_C(3600) * 1000 * 1000) /* a clock that was set forth makes nothing vanish at once */

/* As domain_normalise() writes it: it goes into keys, header fields and the name of a file, also as a store gives it.
 */
bool domain_is_plain(struct slice domain)
{
	for (size_t i = 0; i < domain.n; i++)
		if (!is_letter(domain.p[i]) && !is_digit(domain.p[i]) && slice_find(SLICE("-_."), domain.p[i]) < 0)
			return false;
	return domain.n > 0 && domain.n <= ROW_DOMAIN_MAX;
}

struct slice key_day(unsigned day, char buffer[REPORT_KEY])
{
	int n = snprintf(buffer, REPORT_KEY, "report:%u", day);

	return (struct slice){buffer, (size_t)n};
}

struct slice key_domain(unsigned day, struct slice domain, char buffer[REPORT_KEY])
{
	int n = snprintf(buffer, REPORT_KEY, "report:%u:%.*s", day, SLICE_ARGS(slice_head(domain, ROW_DOMAIN_MAX)));

	return (struct slice){buffer, (size_t)n};
}

struct slice key_policy(unsigned day, struct slice domain, uint32_t policy, char buffer[REPORT_KEY])
{
	int n = snprintf(buffer, REPORT_KEY, "report:%u:policy:%08x:%.*s", day, policy,
			 SLICE_ARGS(slice_head(domain, ROW_DOMAIN_MAX)));

	return (struct slice){buffer, (size_t)n};
}

struct slice key_row(unsigned day, const unsigned char member[ROW_LONG_SIZE], char buffer[REPORT_KEY])
{
	int n = snprintf(buffer, REPORT_KEY, "report:%u:row:", day);

	for (size_t i = ROW_POLICY + 1; i < ROW_LONG_SIZE; i++)
		n += snprintf(buffer + n, REPORT_KEY - (size_t)n, "%02x", member[i]);
	return (struct slice){buffer, (size_t)n};
}

int64_t day_life_us(unsigned day, int64_t wall_us)
{
	int64_t life = ((int64_t)day + 1) * STORE_DAY_US + AGGREGATE_KEEP_US - wall_us;

	if (life > STORE_LIFE_MAX_US)
		return STORE_LIFE_MAX_US;
	return life < LIFE_MIN_US ? LIFE_MIN_US : life;
}
