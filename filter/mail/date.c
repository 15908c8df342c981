/*
 * date.c - a date and time as it is written in a header (RFC 5322 3.3).
 */
#include "mail.h"
#include <time.h>

struct slice date_print(int64_t wall_us, struct arena *arena)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	return arena_printf(arena, "%s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
			    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
