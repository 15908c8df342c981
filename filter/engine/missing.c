/*
 * missing.c - the fields that a message must have and that a submission server supplies (RFC 6409 8.1, 8.2).
 */
#include "gate_private.h"

#define SECOND 1000000

/* RFC 5322 3.6.4: the time and 64 random bits; on the right the host that made it. */
struct slice missing_message_id(int64_t now_us, struct slice host, struct arena *arena)
{
	return arena_printf(arena, "<%lld.%016llx@%.*s>", (long long)(now_us / SECOND),
			    (unsigned long long)random_seed(), SLICE_ARGS(host));
}
