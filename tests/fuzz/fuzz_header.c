/*
 * fuzz_header.c - any bytes as header fields, to be found, unfolded and written.
 */
#include "fuzz.h"
#include "mail.h"

#define LINE_LONGEST 998 /* RFC 5322 2.1.1 */
#define NAME_LENGTH  7

static void check_unfolded(struct slice value, struct arena *arena)
{
	struct slice line = header_unfold(value, arena);

	must(line.n <= value.n);
	must(slice_find(line, '\r') < 0 && slice_find(line, '\n') < 0);
	must(slice_equal(slice_trim(line), line));
}

static void check_written(struct slice value, struct arena *arena)
{
	struct slice rest = header_safe(value, NAME_LENGTH, arena), line;
	bool first = true;

	while (slice_cut(&rest, '\n', &line)) {
		must(line.n + (first ? NAME_LENGTH + 2 : 0) <= LINE_LONGEST);
		must(first || (line.p[0] == ' ' && slice_trim(line).n > 0));
		for (size_t i = 0; i < line.n; i++)
			must((unsigned char)line.p[i] >= ' ' && (unsigned char)line.p[i] < 0x7f);
		first = false;
	}
}

/* Lines of NAME:VALUE; all are found again where they were put. */
static void check_stored(struct slice text, struct arena *arena)
{
	struct headers headers;
	struct slice line;

	headers_init(&headers, arena);
	while (slice_cut(&text, '\n', &line)) {
		struct slice name;
		const struct header_field *field;

		if (!slice_cut(&line, ':', &name))
			continue;
		headers_add(&headers, name, line);
		if (headers.too_large)
			break;
		field = headers_find(&headers, name, headers_count(&headers, name));
		must(field == &headers.fields[headers.count - 1]);
		must(slice_equal(field->name, name) && slice_equal(field->value, line));
	}
	must(headers.bytes <= HEADER_BYTES_MAX && headers.count <= HEADER_COUNT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct slice text = {(const char *)data, size};

	check_unfolded(text, arena);
	check_written(text, arena);
	check_stored(text, arena);
	arena_free(arena);
	return 0;
}
