/*
 * fuzz_spf_macro.c - any bytes as a macro string, with any bytes as the values of
 * its macros. The first line is the string; the lines after it are the values in turn.
 */
#include "../../filter/spf/spf_private.h"
#include "fuzz.h"

#define LETTERS 26

static struct spf_values values_of(struct slice rest)
{
	struct spf_values values;
	struct slice line = SLICE("");

	for (size_t i = 0; i < LETTERS; i++) {
		if (!slice_cut(&rest, '\n', &line))
			line = SLICE("some.value");
		values.of[i] = line;
	}
	return values;
}

static void check_kind(struct slice text, enum spf_string_kind kind, const struct spf_values *values,
		       struct arena *arena)
{
	struct spf_part pool[SPF_PARTS_MAX];
	struct spf_parts parts = {pool, 0, SPF_PARTS_MAX};
	struct spf_string string;
	struct slice domain;
	struct text out;

	if (spf_string_parse(text, kind, &parts, &string))
		return;
	must(parts.count <= SPF_PARTS_MAX && string.count == parts.count);
	domain = spf_string_domain(&string, values, arena);
	must(domain.n <= SPF_NAME_MAX);
	text_init(&out, arena, SPF_EXPLANATION_MAX);
	spf_string_expand(&string, values, &out);
	must(text_slice(&out).n <= SPF_EXPLANATION_MAX);
	if (!out.cut && out.n <= SPF_NAME_MAX && !slice_ends_nocase(text_slice(&out), SLICE(".")))
		must(slice_equal(domain, text_slice(&out)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size}, text = SLICE("");
	struct arena *arena = arena_new();
	struct spf_values values;

	slice_cut(&rest, '\n', &text);
	values = values_of(rest);
	check_kind(text, SPF_STRING_DOMAIN, &values, arena);
	check_kind(text, SPF_STRING_VALUE, &values, arena);
	check_kind(text, SPF_STRING_EXPLAIN, &values, arena);
	arena_free(arena);
	return 0;
}
