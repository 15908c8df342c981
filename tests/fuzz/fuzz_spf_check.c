/*
 * fuzz_spf_check.c - a check over a zone of any bytes.
 *
 * Lines: client, sender, HELO; then records: a letter for the name (a to h below
 * .example, i for the client's reverse name), a letter for the type, and what belongs to it. Every
 * zone made so is valid, so that the fuzzer spends its time in the check.
 */
#include "../../filter/spf/spf_private.h"
#include "fuzz.h"

#define QUESTIONS_MAX 123 /* 111 of RFC 7208 4.6.4, the explanation, and %{p} in it */
#define ZONE_MAX      (1 << 20)
#define LINES_MAX     200

static void add_name(struct text *zone, char letter)
{
	text_printf(zone, "%c.example", letter >= 'a' && letter <= 'h' ? letter : 'a');
}

static void add_txt(struct text *zone, struct slice rest)
{
	text_printf(zone, " TXT \"\"");
	for (size_t i = 0; i < rest.n; i += 60) {
		text_printf(zone, " \"");
		for (size_t at = i; at < rest.n && at < i + 60; at++)
			text_printf(zone, "\\%03u", (unsigned char)rest.p[at]);
		text_add_char(zone, '"');
	}
}

static void add_address(struct text *zone, struct slice rest)
{
	char buffer[IP_TEXT];
	struct ip ip;

	if (ip_parse(rest, &ip) < 0 || ip.family == 4)
		text_printf(zone, " A 192.0.2.%u", rest.n ? (unsigned char)rest.p[0] : 0);
	else
		text_printf(zone, " AAAA %.*s", SLICE_ARGS(ip_print(ip, buffer)));
}

static void add_record(struct text *zone, struct slice line, struct slice reverse)
{
	struct slice rest = slice_from(line, 2);
	char target = rest.n ? rest.p[0] : 'a';

	if (line.n < 2)
		return;
	if (line.p[0] == 'i')
		text_add(zone, reverse);
	else
		add_name(zone, line.p[0]);
	switch (line.p[1]) {
	case 'A':
		add_address(zone, rest);
		break;
	case 'M':
		text_printf(zone, " MX %u ", (unsigned char)target);
		add_name(zone, target);
		break;
	case 'P':
		text_printf(zone, " PTR ");
		add_name(zone, target);
		break;
	case 'O':
		text_printf(zone, " TIMEOUT");
		break;
	case 'S':
		text_printf(zone, " A SERVFAIL");
		break;
	default:
		add_txt(zone, rest);
	}
	text_add_char(zone, '\n');
}

static void must_be_printable(struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		must(text.p[i] >= ' ' && text.p[i] <= '~');
}

static void check_field(struct slice field)
{
	struct slice line;

	while (slice_cut(&field, '\n', &line)) {
		must(line.n > 0);
		must_be_printable(line.p[0] == '\t' ? slice_from(line, 1) : line);
	}
}

static void must_be_same(const struct spf_outcome *a, const struct spf_outcome *b)
{
	must(a->result == b->result);
	must(a->lookups == b->lookups);
	must(a->void_lookups == b->void_lookups);
	must(slice_equal(a->mechanism, b->mechanism));
	must(slice_equal(a->explanation, b->explanation));
}

/* The engines that are there come to the same, and each says the same without a trace. */
static void check_again(struct spf_request request, struct dns_budget *budget, struct arena *arena,
			const struct spf_outcome *native)
{
	struct spf_outcome traced, bare;

	for (int engine = SPF_ENGINE_NATIVE; engine <= SPF_ENGINE_LIBSPF2; engine++) {
		request.engine = (enum spf_engine)engine;
		if (!spf_engine_built(request.engine))
			continue;
		request.trace = true;
		spf_check(&request, budget, arena, &traced);
		request.trace = false;
		spf_check(&request, budget, arena, &bare);
		must_be_same(&traced, native);
		must_be_same(&bare, native);
		must(slice_equal(bare.reason, traced.reason));
		must(bare.step_count == 0);
	}
}

static void check(const struct spf_request *request, struct slice zone, struct slice sender, struct arena *arena)
{
	struct spf_outcome outcome;
	struct error err;
	struct resolver *resolver = resolver_open_zone(zone, "fuzz", &err);
	struct dns_budget *budget;

	if (!resolver)
		return;
	budget = dns_budget_open(resolver, arena, DNS_BUDGET_QUESTIONS);
	spf_check(request, budget, arena, &outcome);
	must(outcome.result <= SPF_PERMERROR);
	must(outcome.lookups <= SPF_LOOKUPS_MAX);
	must(outcome.void_lookups <= SPF_VOID_LOOKUPS_MAX + 1);
	must(outcome.step_count <= SPF_STEPS_MAX);
	must(dns_budget_asked(budget) <= QUESTIONS_MAX);
	must(outcome.result == SPF_FAIL || outcome.explanation.n == 0);
	must(outcome.explanation.n <= SPF_EXPLANATION_MAX);
	must(outcome.mechanism.n == 0 || (outcome.result >= SPF_NEUTRAL && outcome.result <= SPF_SOFTFAIL));
	must_be_printable(outcome.explanation);
	must_be_printable(outcome.mechanism);
	must_be_printable(outcome.reason);
	check_field(spf_received(request, &outcome, sender, arena));
	check_again(*request, budget, arena, &outcome);
	dns_budget_close(budget);
	resolver_release(resolver);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size};
	struct slice client = SLICE(""), sender = SLICE(""), helo = SLICE(""), line, reverse;
	struct arena *arena = arena_new();
	struct spf_request request = {.now_us = 0, .receiver = SLICE("mx.example"), .trace = true};
	struct text zone;
	ptrdiff_t at;

	slice_cut(&rest, '\n', &client);
	slice_cut(&rest, '\n', &sender);
	slice_cut(&rest, '\n', &helo);
	at = slice_find_last(sender, '@');
	request.helo = helo;
	request.local = at < 0 ? SLICE("") : slice_head(sender, (size_t)at);
	request.domain = slice_from(sender, (size_t)(at + 1));
	if (ip_parse(client, &request.client) < 0)
		request.client = (struct ip){.family = 4, .bytes = {192, 0, 2, 1}};
	reverse = dns_reverse_name(request.client, arena);
	text_init(&zone, arena, ZONE_MAX);
	for (int i = 0; i < LINES_MAX && slice_cut(&rest, '\n', &line); i++)
		add_record(&zone, line, reverse);
	check(&request, text_slice(&zone), sender, arena);
	arena_free(arena);
	return 0;
}
