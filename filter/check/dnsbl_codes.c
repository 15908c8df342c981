/*
 * dnsbl_codes.c - the codes of DNS lists: how the file writes them, and what an answer means.
 *
 * An answer is an address in 127.0.0.0/8 that is used as a code (RFC 5782 2.1). Some addresses are the list's way to
 * refuse an answer; taken for a listing they would refuse all mail, so no table of a file can contain them.
 */
#include "dnsbl_private.h"
#include <stdio.h>

#define LOOPBACK 127u
#define WORD_MAX 32

/* ---- error codes --------------------------------------------------------------------------------------------- */

static const struct {
	uint32_t code;
	const char *meaning;
} refusals[] = {
    {0x7ffffffc, "the list has no zone of this name: fix a typing error in \"zone\""},
    {0x7ffffffe, "the list does not answer public resolvers: ask with a resolver of your own (resolver { recurse }, or "
		 "a local one), or use the zone that the list gives to its users"},
    {0x7fffffff,
     "this resolver asks more than the list allows: ask the operator of the list for an access of your own, "
     "or remove the list"},
    {0x7f000001, "the list refuses the queries of this resolver: ask with a resolver of your own, or ask the operator "
		 "of the list for an access"},
    {0x7f0000ff,
     "the list refuses the queries of this resolver: too many, or by a public resolver; ask the operator of "
     "the list for an access"},
    {0x7f0001ff, "the list of domains was asked for an address: \"of client\" needs a list of addresses"},
};

const char *dnsbl_refusal(uint32_t code)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].code == code)
			return refusals[i].meaning;
	if (code >> 8 == 0x7fffff)
		return "the list refuses to answer: its documentation explains the code";
	return NULL;
}

void dnsbl_code_print(uint32_t code, char buffer[DNSBL_CODE_TEXT])
{
	snprintf(buffer, DNSBL_CODE_TEXT, "%u.%u.%u.%u", code >> 24, code >> 16 & 255, code >> 8 & 255, code & 255);
}

/* ---- the file ------------------------------------------------------------------------------------------------ */

/* "127.0.0.2"; with `any`, "*" for an octet: *least_r, *most_r are its bounds. */
static int read_address(struct slice text, bool any, uint32_t *least_r, uint32_t *most_r)
{
	struct slice rest = text, octet;
	unsigned count = 0;
	uint64_t number;

	*least_r = *most_r = 0;
	while (slice_cut(&rest, '.', &octet)) {
		bool all = any && slice_equal(octet, SLICE("*"));

		if (count++ == 4 || (!all && slice_number(octet, 255, &number) < 0))
			return -1;
		*least_r = *least_r << 8 | (all ? 0 : (uint32_t)number);
		*most_r = *most_r << 8 | (all ? 255 : (uint32_t)number);
	}
	return count == 4 ? 0 : -1;
}

static int read_range(struct slice text, struct dnsbl_code *code)
{
	ptrdiff_t dash = slice_find(text, '-');
	uint32_t same;

	if (dash < 0) {
		code->octets = true;
		return read_address(text, true, &code->least, &code->most);
	}
	if (read_address(slice_head(text, (size_t)dash), false, &code->least, &same) < 0 ||
	    read_address(slice_from(text, (size_t)dash + 1), false, &code->most, &same) < 0)
		return -1;
	return code->least <= code->most ? 0 : -1;
}

static int read_word(struct setting_told *told, struct dnsbl_code *code, struct error *err)
{
	struct slice word = told->words[1];
	bool valid = word.n > 0 && word.n <= WORD_MAX && is_letter(word.p[0]);

	for (size_t i = 1; valid && i < word.n; i++)
		valid = is_letter(word.p[i]) || is_digit(word.p[i]) || word.p[i] == '-' || word.p[i] == '_';
	code->word = word;
	if (valid)
		return 0;
	told->wrong = 1;
	error_set(err,
		  "\"%.*s\" cannot be the word for a code: it begins with a letter, and has letters, digits, "
		  "\"-\" and \"_\"",
		  SLICE_ARGS(slice_head(word, WORD_MAX)));
	return -1;
}

int dnsbl_read_code(struct setting_told *told, void *item, struct error *err)
{
	struct dnsbl_code *code = item;
	struct slice text = slice_head(told->words[0], 64);

	if (read_range(text, code) < 0)
		return -1;
	if (code->least >> 24 != LOOPBACK || code->most >> 24 != LOOPBACK) {
		error_set(err, "%.*s is outside of 127.0.0.0/8, where lists never answer", SLICE_ARGS(text));
		return -1;
	}
	if (code->least == code->most && dnsbl_refusal(code->least)) {
		error_set(err, "%.*s is how lists refuse to answer, and is never a listing", SLICE_ARGS(text));
		return -1;
	}
	return read_word(told, code, err);
}

int dnsbl_read_bit(struct setting_told *told, void *item, struct error *err)
{
	struct dnsbl_code *code = item;
	uint64_t bits;

	if (slice_number(told->words[0], 0xffffff, &bits) < 0 || bits < 2 || (bits & (bits - 1)) != 0)
		return -1;
	code->bits = (uint32_t)bits;
	return read_word(told, code, err);
}

/* ---- answers ------------------------------------------------------------------------------------------------- */

static uint32_t number_of(struct ip ip)
{
	return (uint32_t)ip.bytes[0] << 24 | (uint32_t)ip.bytes[1] << 16 | (uint32_t)ip.bytes[2] << 8 | ip.bytes[3];
}

static bool is_match(const struct dnsbl_code *code, uint32_t number)
{
	if (code->bits)
		return (number & 0xffffff & code->bits) != 0;
	if (!code->octets)
		return number >= code->least && number <= code->most;
	for (unsigned shift = 0; shift < 32; shift += 8) {
		uint32_t octet = number >> shift & 255;

		if (octet < (code->least >> shift & 255) || octet > (code->most >> shift & 255))
			return false;
	}
	return true;
}

/* The place of the first code that matches, in the order of the file; `bit` comes after `code`. */
static size_t match(const struct dnsbl *list, uint32_t number, const struct dnsbl_code **code_r)
{
	size_t count = list->codes.count + list->bits.count;

	for (size_t i = 0; i < count; i++) {
		*code_r = i < list->codes.count ? &list->codes.items[i] : &list->bits.items[i - list->codes.count];
		if (is_match(*code_r, number))
			return i;
	}
	*code_r = NULL;
	return count;
}

/* A list of bits says with the lowest one that it refuses to answer (SURBL, URIBL). */
static bool is_refusal(const struct dnsbl *list, uint32_t number)
{
	return dnsbl_refusal(number) || (list->bits.count > 0 && list->codes.count == 0 && (number & 1));
}

/* Lists answer a few codes; whatever else there is, the first of the file wins. */
static void judge_records(const struct dnsbl *list, const struct dns_answer *answer, struct dnsbl_finding *finding)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < answer->count; i++) {
		uint32_t number = number_of(answer->records[i].ip);
		const struct dnsbl_code *code;
		size_t place;

		if (number >> 24 != LOOPBACK) {
			finding->foreign = number ? number : 1;
			continue;
		}
		if (is_refusal(list, number)) {
			finding->refusal = number;
			continue;
		}
		place = match(list, number, &code);
		if (!code)
			finding->unknown = number;
		if (!code || place >= best)
			continue;
		best = place;
		finding->code = code;
		finding->ip = answer->records[i].ip;
	}
}

void dnsbl_judge(const struct dnsbl *list, const struct dns_answer *answer, struct dnsbl_finding *finding_r)
{
	*finding_r = (struct dnsbl_finding){.result = DNSBL_RESULT_CLEAN};
	/* Lists change by the minute: what was true before its servers failed is not a reason to refuse. */
	if (answer->status == DNS_TEMPFAIL || answer->stale) {
		finding_r->result = DNSBL_RESULT_TEMPERROR;
		finding_r->why = answer->stale ? "no answer" : dns_reason_texts[answer->reason];
		return;
	}
	if (answer->status != DNS_OK)
		return;
	judge_records(list, answer, finding_r);
	if (finding_r->refusal) {
		finding_r->result = DNSBL_RESULT_TEMPERROR;
		finding_r->why =
		    dnsbl_refusal(finding_r->refusal) ? dnsbl_refusal(finding_r->refusal) : dnsbl_refusal(0x7f000001);
		finding_r->code = NULL;
	} else if (finding_r->code) {
		finding_r->result = DNSBL_RESULT_LISTED;
	}
}

bool dnsbl_contains(const struct dns_answer *answer)
{
	for (size_t i = 0; answer->status == DNS_OK && i < answer->count; i++) {
		uint32_t number = number_of(answer->records[i].ip);

		if (number >> 24 == LOOPBACK && !dnsbl_refusal(number))
			return true;
	}
	return false;
}
