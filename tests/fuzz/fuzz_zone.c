/*
 * fuzz_zone.c - any bytes as zone text, and its own first words as the questions.
 */
#include "../../filter/dns/name.h"
#include "dns.h"
#include "fuzz.h"

#define QUESTIONS 40

static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_MX, DNS_TXT, DNS_PTR, DNS_CNAME};

/* A printed name is read as the same name again, and printed the same. */
static void check_name(struct slice text)
{
	char buffer[NAME_TEXT_MAX];
	struct name name;

	must(name_parse(text, &name) == 0 && name.n <= NAME_WIRE_MAX);
	must(slice_equal(name_print(&name, buffer), text));
}

static void check_answer(const struct dns_answer *answer)
{
	must((answer->status == DNS_OK) == (answer->count > 0) && answer->count <= DNS_RECORD_MAX);
	must((answer->status == DNS_TEMPFAIL) == (answer->reason != DNS_NO_REASON));
	for (size_t i = 0; i < answer->count; i++) {
		const struct dns_record *record = &answer->records[i];

		must(record->text.n <= DNS_TEXT_MAX && record->preference <= 65535);
		must(i == 0 || record[-1].preference <= record->preference);
		check_name(record->name);
	}
}

static void ask(struct resolver *resolver, struct slice text, struct arena *arena)
{
	struct dns_budget *budget = dns_budget_open(resolver, arena, QUESTIONS);
	struct slice line, word;

	while (dns_budget_asked(budget) < QUESTIONS && slice_cut(&text, '\n', &line)) {
		if (!slice_word(&line, &word))
			continue;
		for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
			check_answer(dns_ask(budget, word, types[i]));
			check_answer(dns_ask(budget, slice_from(word, 1), types[i]));
		}
	}
	dns_budget_close(budget);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct error err = {""};
	struct arena *arena = arena_new();
	struct resolver *resolver = resolver_open_zone(text, "fuzz", &err);

	must((!resolver) == (err.text[0] != 0));
	if (resolver)
		ask(resolver, text, arena);
	resolver_release(resolver);
	arena_free(arena);
	return 0;
}
