/*
 * feed.h - the thread that hands questions to a backend that may block.
 *
 * No session ever waits in a library: it waits for its flight, with a deadline, while this thread is in the library.
 * So a library that is stuck costs answers and nothing else. Its end is not waited for either: the thread closes the
 * backend, and when that takes longer than FEED_END_US it goes on alone, with memory of its own only.
 */
#ifndef SEKISHO_DNS_FEED_H
#define SEKISHO_DNS_FEED_H

#include "backend.h"
#include "flight.h"

#define FEED_END_US (INT64_C(500) * 1000) /* libunbound ends within milliseconds unless it is stuck */

struct feed;

/* What becomes of answers: called from any thread, but not after feed_close has returned. */
struct feed_sink {
	void (*settle)(void *keeper, void *ticket, const struct dns_answer *draft, int64_t ttl_us);
	void *keeper;
};

/* Begins to take flights and to start them. NULL: the system's limit of threads is reached. */
struct feed *feed_new(struct backend *, struct flights *, struct feed_sink);

/* Nothing reaches the sink or the flights any more. The backend is closed, or will be. */
void feed_close(struct feed *);

/* Closed feeds whose backends have not ended yet. */
unsigned feeds_ending(void);

#endif
