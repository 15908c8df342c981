/*
 * fuzz_footer.c - any bytes as a message that gets a footer. What the sender wrote stays, the new body keeps its parts,
 * and a second footer finds the first.
 */
#include "fuzz.h"
#include "mime.h"

#include <string.h>

#define FIELDS 3

/* Up to three fields, one a line, then the body. */
static size_t take_fields(struct slice *rest, struct header_field *fields)
{
	size_t count = 0;

	while (count < FIELDS) {
		struct slice text = *rest, line, name;

		if (!slice_cut(&text, '\n', &line) || !text.p || slice_trim(line).n == 0)
			break;
		*rest = text;
		if (!slice_cut(&line, ':', &name) || !line.p)
			continue;
		fields[count++] = (struct header_field){.name = name, .value = line};
	}
	return count;
}

static struct slice apply(struct slice body, const struct footer_plan *plan, struct arena *arena)
{
	struct text out;
	size_t at = 0;

	text_init(&out, arena, SIZE_MAX / 4);
	for (size_t i = 0; i < plan->count; i++) {
		const struct splice *splice = &plan->splices[i];

		must(splice->at >= at && splice->at <= body.n && splice->drop <= body.n - splice->at);
		text_add(&out, slice_head(slice_from(body, at), splice->at - at));
		text_add(&out, splice->add);
		at = splice->at + splice->drop;
	}
	text_add(&out, slice_from(body, at));
	return text_slice(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct footer footer = {SLICE("-- \nSent by Gr\xc3\xbc\xc3\x9f Ltd"),
					     SLICE("<p>Gr\xc3\xbc\xc3\x9f Ltd</p>")};
	struct arena *arena = arena_new();
	struct slice rest = {(const char *)data, size};
	struct header_field fields[FIELDS];
	size_t count = take_fields(&rest, fields);
	struct footer_plan plan, again;

	footer_plan(&footer, fields, count, rest, arena, &plan);
	must(plan.told.n > 0);
	must((plan.count > 0) == slice_starts_nocase(plan.told, SLICE("added to ")));
	if (plan.count > 0) {
		struct slice body = apply(rest, &plan, arena);

		must(body.n > rest.n || plan.splices[0].drop > 0);
		footer_plan(&footer, fields, count, body, arena, &again);
		must(slice_equal(again.told, SLICE("left out: the footer is there already")));
	}
	arena_free(arena);
	return 0;
}
