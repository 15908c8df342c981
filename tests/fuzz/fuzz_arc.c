/*
 * fuzz_arc.c - any bytes as a message with sets of ARC: its chain gets a result, every one but none and pass a reason,
 * and only one that passes names its sealers. What is sealed afterwards passes, or ends the chain.
 */
#include "arc.h"
#include "fuzz.h"

#define NOW         1700000100
#define FIELDS_MOST 500 /* a signature may name 1000; more than that is not sealed usefully */

/* The Ed25519 key of the checked-in inputs, as other programs keep it. */
static const char seed[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
static struct dkim_private *private;
static char zone[4000];

static void make_zone(void)
{
	struct arena *arena = arena_new();
	struct error err;
	struct slice record;

	private = dkim_private_read(slice_of(seed), &err);
	must(private);
	record = dkim_private_record(private, arena);
	snprintf(zone, sizeof(zone),
		 "ed._domainkey.example.org TXT \"%.*s\"\n"
		 "rsa._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=\" "
		 "\"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY\" "
		 "\"/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYL\" "
		 "\"zBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\"\n"
		 "slow._domainkey.example.org TIMEOUT\n",
		 SLICE_ARGS(record));
	arena_free(arena);
}

static void check_outcome(const struct arc_outcome *outcome)
{
	must(outcome->sets <= 99);
	must((outcome->result == ARC_PASS) == (outcome->sealers != NULL));
	must((outcome->result == ARC_FAIL || outcome->result == ARC_TEMPERROR) == (outcome->reason.n > 0));
	must(outcome->result != ARC_NONE || outcome->sets == 0);
	must(!outcome->ended || outcome->result == ARC_FAIL);
	must(!outcome->partial || outcome->result == ARC_PASS);
	for (unsigned i = 0; outcome->sealers && i < outcome->sets; i++)
		must(outcome->sealers[i].domain.n > 0 && outcome->sealers[i].selector.n > 0);
}

static struct dkim_body *verify(struct resolver *resolver, const struct headers *headers, struct slice text,
				struct arena *arena, struct arc_outcome *outcome_r)
{
	const struct arc_rules rules = {.now_s = NOW, .minimum_bits = DKIM_RSA_BITS_MIN, .sets = ARC_SETS_MAX};
	struct dns_budget *budget = dns_budget_open(resolver, arena, 200);
	struct dkim_body *body = dkim_body_new(arena);
	struct arc_verifier *verifier;
	struct authres_parsed results;

	for (size_t i = 0; i < headers->count; i++)
		if (arc_is_field(&headers->fields[i]))
			arc_hint(budget, &headers->fields[i], arena);
	verifier = arc_verify_begin(&rules, headers, body, arena);
	dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);
	dkim_body_add(body, text);
	dkim_body_end(body);
	arc_verify_end(verifier, budget, outcome_r);
	check_outcome(outcome_r);
	must(arc_oldest_pass(verifier, budget) <= outcome_r->sets);
	for (unsigned i = 0; i <= outcome_r->sets + 1; i++)
		must(!arc_results(verifier, i, &results) || outcome_r->result == ARC_PASS);
	dns_budget_close(budget);
	return body;
}

static bool has_from(const struct headers *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		if (header_is_named(&headers->fields[i], SLICE("From")))
			return true;
	return false;
}

static void seal(struct resolver *resolver, const struct headers *headers, struct slice text,
		 const struct arc_outcome *arrived, const struct dkim_body *body, struct arena *arena)
{
	const struct arc_sealing sealing = {.arrived = arrived,
					    .domain = SLICE("example.org"),
					    .selector = SLICE("ed"),
					    .key = private,
					    .now_s = NOW,
					    .results = SLICE("mx.example.org; none")};
	struct arc_outcome outcome;
	struct headers sealed;
	struct arc_made made;
	struct error err;

	if (arc_seal(&sealing, headers->fields, headers->count, body, arena, &made, &err))
		return;
	must(made.instance == arrived->sets + 1 && made.instance <= ARC_SETS_MAX);
	headers_init(&sealed, arena);
	headers_add(&sealed, SLICE("ARC-Seal"), made.seal);
	headers_add(&sealed, SLICE("ARC-Message-Signature"), made.signature);
	headers_add(&sealed, SLICE("ARC-Authentication-Results"), made.results);
	for (size_t i = 0; i < headers->count; i++)
		headers_add(&sealed, headers->fields[i].name, headers->fields[i].value);
	verify(resolver, &sealed, text, arena, &outcome);
	must(outcome.ended == (arrived->result == ARC_FAIL && outcome.result == ARC_FAIL) || sealed.too_large);
	if (arrived->result != ARC_FAIL && has_from(headers) && !sealed.too_large)
		must(outcome.result == ARC_PASS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct slice rest = {(const char *)data, size}, name, value;
	struct resolver *resolver;
	struct arc_outcome outcome;
	struct dkim_body *body;
	struct headers headers;
	struct error err;

	if (!private)
		make_zone();
	resolver = resolver_open_zone(slice_of(zone), "zone", &err);
	headers_init(&headers, arena);
	while (message_next_field(&rest, arena, &name, &value))
		headers_add(&headers, name, value);
	body = verify(resolver, &headers, rest, arena, &outcome);
	if (headers.count < FIELDS_MOST)
		seal(resolver, &headers, rest, &outcome, body, arena);
	resolver_release(resolver);
	arena_free(arena);
	return 0;
}
