/*
 * fuzz_address.c - any bytes as the argument of MAIL or RCPT.
 */
#include "fuzz.h"
#include "mail.h"

static void check_domain(struct slice domain, struct arena *arena)
{
	bool valid, again;
	struct slice form = domain_normalise(domain, arena, &valid);

	if (!valid)
		return;
	must(form.n > 0 && form.n <= MAIL_DOMAIN_MAX);
	must(slice_equal(domain_normalise(form, arena, &again), form));
	must(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct slice argument = {(const char *)data, size};
	struct address address = address_parse_path(argument, arena), again;

	must(address.text.n <= MAIL_PATH_MAX);
	check_domain(argument, arena);
	if (address.valid) {
		/* What was read reads the same, and holds nothing that could mean something else. */
		again = address_parse_path(address.text, arena);
		must(again.valid);
		must(slice_equal(again.text, address.text));
		must(address_equal(&address, &again));
		for (size_t i = 0; i < address.text.n; i++)
			must((unsigned char)address.text.p[i] >= ' ' && address.text.p[i] != 0x7f);
		must(address.domain.n == 0 || slice_find(address.domain, '@') < 0);
	}
	arena_free(arena);
	return 0;
}
