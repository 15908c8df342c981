/*
 * fuzz_spf_record.c - any bytes as an SPF record.
 */
#include "../../filter/spf/spf_private.h"
#include "fuzz.h"

static bool lies_in(struct slice part, struct slice whole)
{
	return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

static void check_string(const struct spf_string *string)
{
	for (size_t i = 0; i < string->count; i++) {
		const struct spf_part *part = &string->parts[i];

		must(part->letter == 0 || (part->letter >= 'a' && part->letter <= 'z'));
		must(part->letter == 0 || spf_string_uses(string, part->letter));
		must(part->letter != 0 || part->literal.n > 0);
	}
	must(!spf_string_uses(string, 'c') && !spf_string_uses(string, 'r') && !spf_string_uses(string, 't'));
}

static void check_valid(const struct spf_record *record)
{
	must(record->term_count <= SPF_TERMS_MAX);
	for (size_t i = 0; i < record->term_count; i++) {
		const struct spf_term *term = &record->terms[i];

		must(lies_in(term->text, record->text) && term->text.n > 0);
		must(term->prefix4 <= 32 && term->prefix6 <= 128 && term->net.prefix <= 128);
		must((term->mechanism != SPF_INCLUDE && term->mechanism != SPF_EXISTS) || term->target.count > 0);
		check_string(&term->target);
	}
	check_string(&record->redirect);
	check_string(&record->explanation);
	for (size_t i = 0; i < record->text.n; i++)
		must(record->text.p[i] >= ' ' && record->text.p[i] <= '~');
}

static void check(struct slice text)
{
	struct spf_record *record = spf_record_parse(text);

	must(record->state == SPF_RECORD_VALID || record->state == SPF_RECORD_WRONG);
	if (record->state == SPF_RECORD_VALID)
		check_valid(record);
	else
		must(record->why && (record->wrong.n == 0 || lies_in(record->wrong, text)));
	free(record);
}

/* As it is, and with the version before it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct arena *arena = arena_new();
	struct text with_version;

	if (spf_is_record(text))
		check(text);
	text_init(&with_version, arena, size + 7);
	text_add(&with_version, SLICE("v=spf1 "));
	text_add(&with_version, text);
	check(text_slice(&with_version));
	arena_free(arena);
	return 0;
}
