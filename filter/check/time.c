/*
 * time.c - the local time of the message, in the time zone of the host.
 */
#include "check_private.h"
#include <time.h>

static const char *const weekdays[] = {"monday", "tuesday",  "wednesday", "thursday",
				       "friday", "saturday", "sunday",    NULL};

/* A time outside of the calendar (years of ten digits) becomes 1970. */
static struct tm local_time(const struct view *view)
{
	time_t seconds = (time_t)(view->now_us / 1000000);
	struct tm local = {.tm_wday = 4};

	localtime_r(&seconds, &local);
	return local;
}

static struct value get_hour(struct view *view)
{
	return value_number(local_time(view).tm_hour);
}

static struct value get_weekday(struct view *view)
{
	return value_word(weekdays[(local_time(view).tm_wday + 6) % 7]);
}

static const struct fact facts[] = {
    FACT("time.hour", NUMBER, CONNECT, get_hour,
	 "the hour at which the message came, 0 to 23, in the time zone of the host", .replays = true),
    FACT("time.weekday", RESULT, CONNECT, get_weekday, "its day of the week there", .words = weekdays, .replays = true),
};

const struct check check_time = {CHECK_NAMED(time), FACTS(facts)};
