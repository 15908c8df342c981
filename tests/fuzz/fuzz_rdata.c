/*
 * fuzz_rdata.c - any bytes as what a name server sends: the first byte chooses the type, the rest is rdata.
 */
#include "../../filter/dns/rdata.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_MX, DNS_TXT, DNS_PTR, DNS_CNAME, DNS_TLSA};
	struct arena *arena = arena_new();
	char buffer[NAME_TEXT_MAX];
	struct dns_record record;
	struct name name;

	if (size > 0 &&
	    rdata_read(types[data[0] % 7], (struct slice){(const char *)data + 1, size - 1}, arena, &record) == 0) {
		must(record.text.n < size && record.strings < size && record.preference <= 65535);
		must(name_parse(record.name, &name) == 0);
		must(slice_equal(name_print(&name, buffer), record.name));
	}
	arena_free(arena);
	return 0;
}
