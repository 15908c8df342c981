/*
 * fuzz_hop.c - any bytes as the value of a Received field, and as a date.
 */
#include "fuzz.h"
#include "mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice value = {(const char *)data, size};
	struct arena *arena = arena_new();
	int64_t seconds;
	struct hop hop;

	hop_read(value, arena, &hop);
	must(hop.from.n + hop.by.n + hop.with.n + hop.id.n + hop.recipient.n + hop.date.n <= size);
	must(!hop.dated || hop.date.n > 0);
	if (date_read(value, arena, &seconds))
		must(seconds > -3000000000 && seconds < INT64_C(300000000000));
	arena_free(arena);
	return 0;
}
