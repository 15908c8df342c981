/*
 * fuzz_author.c - any bytes as the value of a From field.
 */
#include "fuzz.h"
#include "mail.h"

static void check_domain(struct slice domain, struct arena *arena)
{
	bool valid;

	must(slice_equal(domain_normalise(domain, arena, &valid), domain));
	must(valid && slice_find(domain, '@') < 0 && slice_find(domain, ' ') < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct slice value = {(const char *)data, size};
	struct authors authors, again;

	author_read(value, arena, &authors);
	must(authors.valid == (authors.why[0] == '\0'));
	must(authors.domain_count <= authors.mailbox_count && authors.mailbox_count <= AUTHORS_MAX);
	must(authors.valid || authors.mailbox_count == 0);
	for (size_t i = 0; i < authors.domain_count; i++)
		check_domain(authors.domains[i], arena);
	if (authors.valid && authors.mailbox_count == 1) {
		/* The address alone reads as the same author. */
		author_read(authors.first.text, arena, &again);
		must(again.valid && again.domain_count == authors.domain_count);
		must(authors.domain_count == 0 || slice_equal(again.domains[0], authors.domains[0]));
	}
	/* What two fields say is never the author. */
	if (authors.valid) {
		struct headers headers;

		headers_init(&headers, arena);
		headers_add(&headers, SLICE("From"), value);
		headers_add(&headers, SLICE("From "), value);
		author_find(&headers, arena, &again);
		must(!again.valid);
	}
	arena_free(arena);
	return 0;
}
