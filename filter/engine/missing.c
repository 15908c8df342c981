/*
 * missing.c - the fields that a message must have and that a submission server supplies (RFC 6409 8.1, 8.2).
 */
#include "gate_private.h"

#include <time.h>

#define SECOND 1000000

/* RFC 5322 3.3, in UTC: the time zone of the author is not known. */
struct slice missing_date(int64_t now_us, struct arena *arena)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(now_us / SECOND);
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	return arena_printf(arena, "%s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
			    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* RFC 5322 3.6.4: the time and 64 random bits; on the right the host that made it. */
struct slice missing_message_id(int64_t now_us, struct slice host, struct arena *arena)
{
	return arena_printf(arena, "<%lld.%016llx@%.*s>", (long long)(now_us / SECOND),
			    (unsigned long long)random_seed(), SLICE_ARGS(host));
}
