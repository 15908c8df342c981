/*
 * fuzz_authres.c - any bytes as an Authentication-Results field that comes in,
 * and as the values of one that goes out.
 */
#include "fuzz.h"
#include "mail.h"

#define OUR_ID       SLICE("mx.example.org")
#define LINE_LONGEST 998 /* RFC 5322 2.1.1 */

static bool forged(struct slice value, struct arena *arena)
{
	struct header_field field = {SLICE("Authentication-Results"), value, 1};

	return authres_is_forged(&field, OUR_ID, arena);
}

static void check_incoming(struct slice value, struct arena *arena)
{
	struct slice id;

	if (authres_id(value, arena, &id) && slice_equal(id, OUR_ID))
		must(forged(value, arena));
	else
		forged(value, arena);
	/* Whatever follows our id, and even without that semicolon in most cases: the field claims to be ours. */
	must(forged(arena_printf(arena, "mx.example.org;%.*s", SLICE_ARGS(value)), arena));
}

static void check_lines(struct slice printed)
{
	struct slice rest = printed, line;
	bool first = true;

	while (slice_cut(&rest, '\n', &line)) {
		must(line.n <= LINE_LONGEST);
		must(first || (line.n > 1 && line.p[0] == '\t'));
		for (size_t i = first ? 0 : 1; i < line.n; i++)
			must((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f);
		first = false;
	}
}

/* The pieces between NUL bytes are a comment, a reason and values. */
static void check_outgoing(struct slice pieces, struct arena *arena)
{
	struct authres *authres = authres_new(arena, OUR_ID);
	struct slice piece, printed, id;
	unsigned count = 0;

	authres_method(authres, SLICE("spf"), SLICE("pass"));
	while (count < 8 && slice_cut(&pieces, '\0', &piece)) {
		if (count == 0)
			authres_comment(authres, piece);
		else if (count == 1)
			authres_reason(authres, piece);
		else
			authres_property(authres, SLICE("smtp"), SLICE("helo"), piece);
		count++;
	}
	printed = authres_print(authres);
	check_lines(printed);
	must(authres_id(printed, arena, &id) && slice_equal(id, OUR_ID));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct slice text = {(const char *)data, size};

	check_incoming(text, arena);
	check_outgoing(text, arena);
	arena_free(arena);
	return 0;
}
