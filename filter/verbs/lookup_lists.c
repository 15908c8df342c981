/*
 * lookup_lists.c - what DNS lists say of an address or a domain, and whether they can be believed.
 *
 * Lists also answer with an address when they refuse to answer (127.255.255.0/24 and a few others), and a zone that
 * somebody else took over answers every question: neither is a listing.
 */
#include "lookup_lists.h"

#include <stdio.h>

#define CODES_SHOWN 10
#define TEXTS_SHOWN 3

static const char *const listing_names[] = {"clean", "listed", "error", "broken", "temperror"};

struct list_names {
	struct slice subject, never,
	    always; /* queries: the subject, and what is never and always listed (RFC 5782 5) */
};

/* The subject as it is asked for: octets or nibbles in reverse order, or the domain itself. */
static struct slice subject_of(struct lookup *lookup, struct ip ip, struct slice domain)
{
	struct slice reverse;

	if (ip.family == 0)
		return domain;
	reverse = dns_reverse_name(ip, lookup->arena);
	return slice_head(reverse, reverse.n - (ip.family == 4 ? sizeof(".in-addr.arpa") : sizeof(".ip6.arpa")) + 1);
}

static struct list_names names_of(struct lookup *lookup, const char *zone, struct ip ip, struct slice domain)
{
	struct slice list = slice_of(zone), dot = SLICE(".");
	struct slice never = SLICE("invalid"), always = SLICE("test");
	struct ip test = {.family = 6, .bytes = {[10] = 0xff, 0xff, 127, 0, 0, 1}};

	if (ip.family == 4) {
		never = SLICE("1.0.0.127");
		always = SLICE("2.0.0.127");
	} else if (ip.family == 6) {
		never = subject_of(lookup, test, domain);
		test.bytes[15] = 2;
		always = subject_of(lookup, test, domain);
	}
	return (struct list_names){
	    arena_join(lookup->arena, subject_of(lookup, ip, domain), dot, list),
	    arena_join(lookup->arena, never, dot, list),
	    arena_join(lookup->arena, always, dot, list),
	};
}

void lookup_lists_hint(struct lookup *lookup, struct ip ip, struct slice domain)
{
	for (size_t i = 0; i < lookup->dnsbl_count; i++) {
		struct list_names names = names_of(lookup, lookup->dnsbl[i], ip, domain);
		dns_hint(lookup->budget, names.subject, DNS_A);
		dns_hint(lookup->budget, names.never, DNS_A);
	}
}

/* What a code means that is not a listing of any list known; NULL: it is one. */
static const char *error_code(const uint8_t code[4])
{
	static const struct {
		uint8_t code[4];
		const char *meaning;
	} errors[] = {
	    {{127, 255, 255, 252}, "the name of the list is misspelt"},
	    {{127, 255, 255, 254}, "it does not answer public resolvers: use a resolver of your own"},
	    {{127, 255, 255, 255}, "too many queries came from this network"},
	    {{127, 0, 0, 1}, "it refuses to answer this resolver"},
	    {{127, 0, 0, 255}, "it refuses to answer this resolver"},
	    {{127, 0, 1, 255}, "it was asked for an address, and lists domains"},
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (memcmp(code, errors[i].code, 4) == 0)
			return errors[i].meaning;
	return memcmp(code, "\x7f\xff\xff", 3) == 0 ? "it does not answer: see its documentation" : NULL;
}

struct verdict {
	enum listing listing;
	const char *why;
	const struct dns_answer *answer;
	struct slice text;
};

/* Its reasons are asked for only when it lists something. */
static struct slice reason_of(struct lookup *lookup, struct slice name)
{
	const struct dns_answer *texts = dns_ask(lookup->budget, name, DNS_TXT);
	struct text text;

	text_init(&text, lookup->arena, 1000);
	for (size_t i = 0; i < texts->count && i < TEXTS_SHOWN; i++)
		text_printf(&text, "%s%.*s", i > 0 ? "; " : "", SLICE_ARGS(texts->records[i].text));
	return text_slice(&text);
}

static struct verdict judge(struct lookup *lookup, const struct list_names *names)
{
	struct verdict verdict = {LISTING_CLEAN, "", dns_ask(lookup->budget, names->subject, DNS_A), SLICE("")};

	if (verdict.answer->status == DNS_TEMPFAIL) {
		verdict.listing = LISTING_TEMPERROR;
		verdict.why = dns_reason_texts[verdict.answer->reason];
	}
	for (size_t i = 0; i < verdict.answer->count; i++) {
		const uint8_t *code = verdict.answer->records[i].ip.bytes;
		const char *error = error_code(code);

		if (code[0] != 127) {
			verdict.listing = LISTING_BROKEN;
			verdict.why = "its answer is not in 127.0.0.0/8: it is not a list any more, or the resolver "
				      "answers for names that do not exist";
		} else if (error) {
			verdict.listing = LISTING_ERROR;
			verdict.why = error;
		} else if (verdict.listing == LISTING_CLEAN) {
			verdict.listing = LISTING_LISTED;
		}
	}
	if (verdict.listing != LISTING_LISTED)
		return verdict;
	if (dns_ask(lookup->budget, names->never, DNS_A)->status == DNS_OK) {
		verdict.listing = LISTING_BROKEN;
		verdict.why = "it lists its negative test entry, and so everything (RFC 5782 5)";
		return verdict;
	}
	verdict.text = reason_of(lookup, names->subject);
	return verdict;
}

static json_t *codes_json(const struct dns_answer *answer)
{
	json_t *codes = json_array();
	char buffer[IP_TEXT];

	for (size_t i = 0; i < answer->count && i < CODES_SHOWN; i++) {
		ip_print(answer->records[i].ip, buffer);
		json_array_append_new(codes, json_string(buffer));
	}
	return codes;
}

static struct slice codes_text(struct lookup *lookup, const struct dns_answer *answer)
{
	struct text text;
	char buffer[IP_TEXT];

	text_init(&text, lookup->arena, CODES_SHOWN * IP_TEXT);
	for (size_t i = 0; i < answer->count && i < CODES_SHOWN; i++) {
		ip_print(answer->records[i].ip, buffer);
		text_printf(&text, "%s%s", i > 0 ? " " : "", buffer);
	}
	return text_slice(&text);
}

static void add_line(struct lookup *lookup, struct sheet *sheet, const char *zone, const struct verdict *verdict)
{
	static const enum mark marks[] = {MARK_OK, MARK_WRONG, MARK_NOTE, MARK_NOTE, MARK_NOTE};
	struct slice codes = codes_text(lookup, verdict->answer), ttl = sheet_ttl(lookup, verdict->answer->ttl);

	if (verdict->listing == LISTING_CLEAN)
		sheet_line(sheet, MARK_OK, slice_of(zone), "not listed");
	else if (verdict->listing == LISTING_LISTED)
		sheet_line(sheet, MARK_WRONG, slice_of(zone), "listed  %.*s%s%.*s%s%.*s", SLICE_ARGS(codes),
			   ttl.n ? "  " : "", SLICE_ARGS(ttl), verdict->text.n ? "  " : "", SLICE_ARGS(verdict->text));
	else
		sheet_line(sheet, marks[verdict->listing], slice_of(zone), "not known: %s%s%.*s", verdict->why,
			   codes.n ? "  " : "", SLICE_ARGS(codes));
}

json_t *lookup_lists_ask(struct lookup *lookup, struct sheet *sheet, struct ip ip, struct slice domain,
			 enum listing *worst_r)
{
	json_t *array = json_array();
	size_t listed = 0, answered = 0;

	for (size_t i = 0; i < lookup->dnsbl_count; i++) {
		const char *zone = lookup->dnsbl[i];
		struct list_names names = names_of(lookup, zone, ip, domain);
		struct verdict verdict = judge(lookup, &names);

		listed += verdict.listing == LISTING_LISTED;
		answered += verdict.listing <= LISTING_LISTED;
		add_line(lookup, sheet, zone, &verdict);
		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:o, s:o, s:s, s:i}", "list", zone, "result",
						listing_names[verdict.listing], "codes", codes_json(verdict.answer),
						"text", lookup_string(lookup, verdict.text), "why", verdict.why, "ttl",
						(int)verdict.answer->ttl));
	}
	*worst_r = listed > 0 ? LISTING_LISTED : answered > 0 ? LISTING_CLEAN : LISTING_TEMPERROR;
	return array;
}
