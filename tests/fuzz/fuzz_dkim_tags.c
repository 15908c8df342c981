/*
 * fuzz_dkim_tags.c - any bytes as a tag list, and each value as base64.
 */
#include "../../filter/dkim/dkim_private.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct slice text = {(const char *)data, size}, bytes, item, rest;
	struct tags tags;

	if (tags_parse(text, &tags) == NULL) {
		must(tags.count > 0 && tags.count <= TAGS_MAX);
		for (size_t i = 0; i < tags.count; i++) {
			const struct tag *tag = &tags.list[i];

			must(tag->name.n > 0 && tag->value.n <= tag->raw.n && tag->raw.n < text.n);
			must(tags_find(&tags, arena_cstring(arena, tag->name)) == tag);
			for (rest = tag->value; items_next(&rest, &item);)
				must(slice_equal(slice_trim(item), item));
			if (base64_decode(tag->value, arena, &bytes) == 0)
				must(bytes.n <= tag->value.n / 4 * 3);
		}
	}
	if (base64_decode(base64_encode(text, arena), arena, &bytes) != 0)
		must(false);
	must(slice_equal(bytes, text));
	arena_free(arena);
	return 0;
}
