/*
 * fuzz_srs.c - any address as a sender and as a recipient: what is rewritten comes back, and is an address.
 */
#include "fuzz.h"
#include "srs.h"

#define NOW 1795737600 /* 2026-11-27 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct slice domain = SLICE("srs.example.org"), secrets[] = {SLICE("secretone"), SLICE("second")};
	static const struct srs srs = {.domains = &domain,
				       .domain_count = 1,
				       .secrets = secrets,
				       .secret_count = 2,
				       .days = 21,
				       .hash_length = 8,
				       .hash_least = 4,
				       .local_most = SRS_LOCAL_PART};
	struct arena *arena = arena_new();
	struct address address = address_parse_path((struct slice){(const char *)data, size}, arena), made;
	struct slice there, back;

	srs_reverse(&srs, &address, NOW, arena, &back);
	if (srs_forward(&srs, &address, NOW, arena, &there) == SRS_REWRITTEN) {
		made = address_parse_path(there, arena);
		must(made.valid && made.local.n <= SRS_LOCAL_PART && slice_equal(made.domain, domain));
		must(srs_reverse(&srs, &made, NOW, arena, &back) == SRS_REWRITTEN);
		made = address_parse_path(back, arena);
		must(made.valid);
		must(address_equal(&made, &address) || slice_starts_nocase(there, SLICE("SRS1")) ||
		     slice_starts_nocase(there, SLICE("\"SRS1")));
	}
	arena_free(arena);
	return 0;
}
