/*
 * fuzz_dnsbl.c - any answer of a DNS list: the first byte says how many addresses follow, the rest is its text.
 */
#include "../../filter/check/dnsbl_private.h"
#include "fuzz.h"

#define ZONE      "k0123456789abcdefghij.bl.example"
#define KEY       "k0123456789abcdefghij"
#define ADDRESSES 8

static struct dnsbl_code codes[] = {
    {.word = {"spam", 4}, .least = 0x7f000002, .most = 0x7f000009},
    {.word = {"high", 4}, .least = 0x7f000003, .most = 0x7fff0003, .octets = true},
};
static struct dnsbl_code bits[] = {{.word = {"phish", 5}, .bits = 8}, {.word = {"abuse", 5}, .bits = 64}};

static void list_make(struct dnsbl *list, bool of_bits)
{
	*list = (struct dnsbl){.name = SLICE("site"), .zone = SLICE(ZONE)};
	if (of_bits) {
		list->bits.items = bits;
		list->bits.count = 2;
	} else {
		list->codes.items = codes;
		list->codes.count = 2;
	}
}

static void judge(const struct dnsbl *list, const struct dns_answer *answer)
{
	struct dnsbl_finding finding;
	uint32_t number;

	dnsbl_judge(list, answer, &finding);
	must((finding.result == DNSBL_RESULT_LISTED) == (finding.code != NULL));
	must(finding.result != DNSBL_RESULT_TEMPERROR || finding.why);
	must(finding.result == DNSBL_RESULT_CLEAN || answer->count > 0);
	must(finding.result != DNSBL_RESULT_LISTED || dnsbl_contains(answer));
	if (finding.result != DNSBL_RESULT_LISTED)
		return;
	number = (uint32_t)finding.ip.bytes[0] << 24 | (uint32_t)finding.ip.bytes[1] << 16 |
		 (uint32_t)finding.ip.bytes[2] << 8 | finding.ip.bytes[3];
	must(number >> 24 == 127 && !dnsbl_refusal(number));
}

static void read_text(const struct dnsbl *list, struct slice from, struct arena *arena)
{
	struct slice text = dnsbl_text(list, from, arena);

	must(text.n <= DNSBL_TEXT_MAX);
	must(!memmem(text.p, text.n, KEY, strlen(KEY)));
	for (size_t i = 0; i < text.n; i++)
		must(text.p[i] >= ' ' && text.p[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_record records[ADDRESSES] = {{.name = SLICE("")}};
	struct dns_answer answer = {.status = DNS_OK, .records = records};
	struct arena *arena = arena_new();
	struct dnsbl list;
	size_t count = size > 0 ? data[0] % (ADDRESSES + 1) : 0, used = size > 0;

	for (; answer.count < count && size - used >= 4; used += 4) {
		records[answer.count].ip.family = 4;
		memcpy(records[answer.count++].ip.bytes, data + used, 4);
	}
	if (answer.count == 0)
		answer.status = DNS_NXDOMAIN;
	list_make(&list, size > 0 && data[0] & 0x80);
	judge(&list, &answer);
	read_text(&list, (struct slice){(const char *)data + used, size - used}, arena);
	arena_free(arena);
	return 0;
}
