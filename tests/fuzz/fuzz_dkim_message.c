/*
 * fuzz_dkim_message.c - any bytes as a message with signatures (the signature fields too):
 * each gets a result, and every one but a pass a reason.
 */
#include "dkim.h"
#include "fuzz.h"

static const char zone[] =
    "rsa._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=\" "
    "\"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY\" "
    "\"/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYL\" "
    "\"zBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\"\n"
    "ed._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
    "slow._domainkey.example.org TIMEOUT\n";

static void check_outcome(const struct dkim_outcome *outcome)
{
	must((outcome->count > 0) == (outcome->best != NULL));
	for (size_t i = 0; i < outcome->count; i++) {
		const struct dkim_signature *signature = &outcome->signatures[i];

		must(signature->result != DKIM_NONE);
		must((signature->result == DKIM_PASS) == (signature->reason.n == 0));
		must(signature->domain.n <= MAIL_DOMAIN_MAX && signature->selector.n <= MAIL_DOMAIN_MAX);
		must(signature->b.n <= 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct dkim_rules rules = {.now_s = 1700000000, .minimum_bits = 1024, .signatures = DKIM_SIGNATURES};
	struct arena *arena = arena_new();
	struct slice rest = {(const char *)data, size}, name, value;
	struct error err;
	struct resolver *resolver = resolver_open_zone(slice_of(zone), "zone", &err);
	struct dns_budget *budget = dns_budget_open(resolver, arena, 100);
	struct dkim_body *body = dkim_body_new(arena);
	struct dkim_verifier *verifier;
	struct dkim_outcome outcome;
	struct headers headers;

	headers_init(&headers, arena);
	while (message_next_field(&rest, arena, &name, &value)) {
		headers_add(&headers, name, value);
		dkim_hint(budget, value, arena);
	}
	verifier = dkim_verify_begin(&rules, &headers, author_domain(&headers, arena), body, arena);
	dkim_body_add(body, rest);
	dkim_verify_end(verifier, budget, &outcome);
	check_outcome(&outcome);
	dns_budget_close(budget);
	resolver_release(resolver);
	arena_free(arena);
	return 0;
}
