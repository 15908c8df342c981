/*
 * fuzz_socketmap.c - any bytes as netstrings, and their content as a look-up; and as requests of the tcp table
 * protocol.
 */
#include "fuzz.h"
#include "door_host.h"
#include "../../filter/doors/socketmap/socketmap_private.h"

/* Keys are decoded; a value that is encoded is decoded to what it was. */
static void tables(struct slice rest, struct arena *arena)
{
	struct slice key, again;
	struct text text;
	size_t n;

	for (unsigned i = 0; i < 50 && (n = table_frame(rest)) > 0 && n != FRAME_INVALID; i++) {
		must(n <= rest.n && rest.p[n - 1] == '\n');
		text_init(&text, arena, 4 * n);
		if (table_decode(slice_from(slice_head(rest, n - 1), 4), arena, &key)) {
			table_encode(&text, key);
			must(table_decode(text_slice(&text), arena, &again) && slice_equal(key, again));
		}
		rest = slice_from(rest, n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size};
	struct arena *arena = arena_new();
	size_t n;

	door_host_with("list recent dynamic:30m\n");
	tables(rest, arena);
	for (unsigned i = 0; i < 50 && (n = netstring_frame(rest)) > 0 && n != FRAME_INVALID; i++) {
		struct slice content = netstring_content(slice_head(rest, n)), map, value;

		must(n <= rest.n && content.n < n && content.p + content.n + 1 == rest.p + n);
		if (slice_cut(&content, ' ', &map))
			must(map_find(door_host_engine, map, content, arena, &value) <= FOUND_NO_MAP);
		rest = slice_from(rest, n);
	}
	arena_free(arena);
	return 0;
}
