/*
 * fuzz_dmarc_record.c - any bytes as a DMARC record, and as a list of URIs.
 */
#include "dmarc.h"
#include "fuzz.h"

static bool lies_in(struct slice part, struct slice whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check(struct slice text)
{
	struct dmarc_record record;
	struct slice rest = text, uri;
	struct dmarc_tag tag;

	dmarc_record_parse(text, &record);
	must(record.policy_wrong || record.p != DMARC_NO_POLICY);
	must(lies_in(record.rua, text) && lies_in(record.ruf, text) && lies_in(record.fo, text));
	while (dmarc_tag_next(&rest, &tag))
		must(lies_in(tag.name, text) && lies_in(tag.value, text) && tag.about && (tag.name.n > 0 || tag.wrong));
	rest = record.rua;
	must(record.rua.n == 0 || dmarc_uri_next(&rest, &uri));
}

/* As it is, and with the version before it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size}, rest = text, uri;
	struct arena *arena = arena_new();
	struct text with_version;

	if (dmarc_is_record(text))
		check(text);
	text_init(&with_version, arena, size + 10);
	text_add(&with_version, SLICE("v=DMARC1; "));
	text_add(&with_version, text);
	must(dmarc_is_record(text_slice(&with_version)));
	check(text_slice(&with_version));
	while (dmarc_uri_next(&rest, &uri))
		must(uri.n > 2 && lies_in(uri, text) && slice_find(uri, ',') < 0 && slice_find(uri, ':') > 0);
	arena_free(arena);
	return 0;
}
