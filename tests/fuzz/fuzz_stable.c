/*
 * fuzz_stable.c - any bytes as a sender: what greylisting compares of it.
 */
#include "fuzz.h"
#include "mail.h"

#define GROWTH 4 /* bytes that one byte can become: a label in A-labels */

static bool has_capital(struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] >= 'A' && text.p[i] <= 'Z')
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice path = {(const char *)data, size};
	struct arena *arena = arena_new();
	struct address sender = address_parse_path(path, arena), again;
	struct slice stable = address_stable(&sender, arena), mailbox = address_mailbox(&sender, arena);

	must(stable.n <= GROWTH * size + MAIL_DOMAIN_MAX && mailbox.n <= GROWTH * size + MAIL_DOMAIN_MAX);
	if (sender.valid && sender.domain.n > 0) {
		must(slice_find(stable, '@') >= 0 && slice_find(mailbox, '@') >= 0);
		must(!has_capital(stable) && !has_capital(mailbox));
		/* the case in which it is written says nothing */
		again = address_parse_path(arena_lower(arena, path), arena);
		must(!again.valid || slice_equal(address_stable(&again, arena), stable));
	}
	arena_free(arena);
	return 0;
}
