/*
 * lease.c - what a round has in common with each of its domains: who sends, what time it is, who is told.
 */
#include "send.h"

#define LEASE_KEY SLICE("rua:lease")
#define LEASE_US  (INT64_C(150) * 1000 * 1000) /* longer than one mail takes with all that belongs to it */

int64_t report_now(const struct report_sender *sender)
{
	return sender->wall_us ? sender->wall_us() : clock_wall_us();
}

void report_tell(const struct report_sender *sender, const struct aggregate_total *total, struct slice address,
		 enum report_fate fate, struct slice text)
{
	struct report_told told = {.day = total->day,
				   .domain = total->domain,
				   .address = address,
				   .fate = fate,
				   .text = text,
				   .messages = total->messages};

	if (fate != REPORT_SENT_BEFORE)
		report_last_put(sender->store, &told, report_now(sender));
	sender->told(sender->context, &told);
}

bool report_lease(struct report_run *run)
{
	switch (store_lease_take(run->sender->store, LEASE_KEY, run->sender->holder, LEASE_US)) {
	case STORE_OK:
		return true;
	case STORE_EXISTS:
		error_set(&run->why, "another daemon that shares the store sends reports at the moment");
		return false;
	default:
		error_set(&run->why, "the store does not answer");
		return false;
	}
}

void report_lease_end(struct report_run *run)
{
	store_lease_release(run->sender->store, LEASE_KEY, run->sender->holder);
}
