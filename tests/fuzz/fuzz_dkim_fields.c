/*
 * fuzz_dkim_fields.c - any bytes as header fields and as the body: canonical forms, and the
 * same digest whatever the chunks are.
 */
#include "../../filter/dkim/dkim_private.h"
#include "fuzz.h"
#include <string.h>

static void check_relaxed(struct slice field)
{
	ptrdiff_t colon = slice_find(field, ':');

	for (size_t i = (size_t)colon + 1; i < field.n; i++) {
		must(field.p[i] != '\n' && field.p[i] != '\t');
		must(field.p[i] != ' ' || (i + 1 < field.n && field.p[i + 1] != ' ' && i > (size_t)colon + 1));
	}
}

static void check_body(struct slice text, size_t chunk, struct arena *arena)
{
	struct dkim_body *whole = dkim_body_new(arena), *parts = dkim_body_new(arena);

	for (int kind = 0; kind < 2; kind++) {
		dkim_body_want(whole, (enum dkim_canon)kind, DKIM_WHOLE);
		dkim_body_want(parts, (enum dkim_canon)kind, DKIM_WHOLE);
		dkim_body_want(parts, (enum dkim_canon)kind, chunk);
	}
	dkim_body_add(whole, text);
	for (size_t at = 0; at < text.n; at += chunk)
		dkim_body_add(parts, slice_head(slice_from(text, at), chunk));
	dkim_body_end(whole);
	dkim_body_end(parts);
	for (int kind = 0; kind < 2; kind++) {
		const struct dkim_digest *a = body_digest(whole, (enum dkim_canon)kind, DKIM_WHOLE);
		const struct dkim_digest *b = body_digest(parts, (enum dkim_canon)kind, DKIM_WHOLE);

		must(a->reached && b->reached && memcmp(a->hash, b->hash, DKIM_SHA256_SIZE) == 0);
		must(dkim_body_length(whole, (enum dkim_canon)kind) <= 2 * text.n + 2);
		must(body_digest(parts, (enum dkim_canon)kind, chunk)->reached ==
		     (dkim_body_length(whole, (enum dkim_canon)kind) >= chunk));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct slice text = {(const char *)data, size}, name, value = text, simple;

	if (slice_cut(&value, ':', &name)) {
		check_relaxed(field_canonical(slice_trim(name), value, DKIM_RELAXED, arena));
		simple = field_canonical(name, value, DKIM_SIMPLE, arena);
		must(simple.n >= name.n + 1 + value.n && simple.n <= name.n + 1 + 2 * value.n);
	}
	check_body(text, 1 + size % 97, arena);
	arena_free(arena);
	return 0;
}
