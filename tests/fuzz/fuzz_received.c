/*
 * fuzz_received.c - any bytes as a Received field. What is read of it must be fit to be compared:
 * names of hosts, and an address that is in the field. HELO alone is any text on one line.
 */
#include "fuzz.h"
#include "mail.h"

static void must_be_host(struct slice name)
{
	for (size_t i = 0; i < name.n; i++)
		must(name.p[i] > ' ' && name.p[i] <= '~' && name.p[i] != '(' && name.p[i] != ')');
	must(name.n <= MAIL_DOMAIN_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct received received;
	bool read = received_parse((struct slice){(const char *)data, size}, arena, &received);

	for (size_t i = 0; i < received.helo.n; i++)
		must(received.helo.p[i] != '\n' && received.helo.p[i] != '\r');
	must_be_host(received.name);
	must_be_host(received.by);
	must(read == (received.ip.family != 0));
	must(!read || received.by.n > 0);
	arena_free(arena);
	return 0;
}
