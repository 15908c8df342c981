/*
 * fuzz_authres.c - any bytes as an Authentication-Results field that comes in,
 * and as the values of one that goes out. What was parsed and is printed again
 * parses to the same.
 */
#include "fuzz.h"
#include "mail.h"

#define OUR_ID       SLICE("mx.example.org")
#define LINE_LONGEST 998 /* RFC 5322 2.1.1 */
#define PRINTED_MAX  400 /* longer values are cut when they are printed */

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

/* What holds a "=" could read as a result of ours, and is not printed as it came. */
static bool reads_as_result(struct slice value)
{
	return slice_find(value, '=') >= 0;
}

/* Printable ASCII that is not cut comes back as it was put in; all else comes back as something. */
static void check_value(struct slice found, struct slice expected)
{
	if (reads_as_result(expected))
		return;
	for (size_t i = 0; i < expected.n; i++)
		if (expected.p[i] < ' ' || expected.p[i] > '~')
			return;
	must(expected.n > PRINTED_MAX || slice_equal(found, expected));
}

static void check_same(const struct authres_clause *found, const struct authres_clause *expected)
{
	must(slice_equal(found->method, expected->method) && slice_equal(found->result, expected->result));
	must(found->property_count <= expected->property_count);
	check_value(found->reason, expected->reason);
	for (size_t i = 0; i < found->property_count; i++)
		must(!reads_as_result(found->properties[i].value));
	/* Something was left out: what follows it is not at its place. */
	for (size_t i = 0; i < found->property_count && found->property_count == expected->property_count; i++) {
		must(slice_equal(found->properties[i].type, expected->properties[i].type));
		must(slice_equal(found->properties[i].property, expected->properties[i].property));
		check_value(found->properties[i].value, expected->properties[i].value);
	}
}

static struct slice print_again(const struct authres_parsed *parsed, struct arena *arena)
{
	struct authres *authres = authres_new(arena, parsed->id);

	for (size_t i = 0; i < parsed->clause_count; i++) {
		const struct authres_clause *clause = &parsed->clauses[i];

		authres_method(authres, clause->method, clause->result);
		if (clause->reason.n > 0)
			authres_reason(authres, clause->reason);
		for (size_t j = 0; j < clause->property_count; j++)
			authres_property(authres, clause->properties[j].type, clause->properties[j].property,
					 clause->properties[j].value);
	}
	return authres_print(authres);
}

static void check_parsed(struct slice value, struct arena *arena)
{
	struct authres_parsed parsed, again;
	struct slice id;

	if (!authres_parse(value, arena, &parsed)) {
		must(!parsed.clauses && parsed.clause_count == 0 && parsed.id.n == 0);
		return;
	}
	must(authres_id(value, arena, &id) && slice_equal(id, parsed.id));
	must(parsed.clause_count <= AUTHRES_CLAUSES_MAX);
	value = print_again(&parsed, arena);
	if (value.n > AUTHRES_BYTES_MAX)
		return;
	must(authres_parse(value, arena, &again) && again.clause_count == parsed.clause_count);
	check_value(again.id, parsed.id);
	for (size_t i = 0; i < again.clause_count; i++)
		check_same(&again.clauses[i], &parsed.clauses[i]);
}

/* The pieces between NUL bytes are a comment, a reason and values. */
static void check_outgoing(struct slice pieces, struct arena *arena)
{
	struct authres *authres = authres_new(arena, OUR_ID);
	struct authres_property properties[8];
	struct authres_clause expected = {SLICE("spf"), SLICE("pass"), 1, SLICE(""), properties, 0};
	struct slice piece, printed, id;
	struct authres_parsed parsed;
	unsigned count = 0;

	authres_method(authres, SLICE("spf"), SLICE("pass"));
	while (count < 8 && slice_cut(&pieces, '\0', &piece)) {
		if (count == 0)
			authres_comment(authres, piece);
		else if (count == 1)
			authres_reason(authres, expected.reason = piece);
		else
			authres_property(authres, SLICE("smtp"), SLICE("mailfrom"), piece);
		if (count > 1)
			properties[expected.property_count++] =
			    (struct authres_property){SLICE("smtp"), SLICE("mailfrom"), piece};
		count++;
	}
	printed = authres_print(authres);
	check_lines(printed);
	must(authres_id(printed, arena, &id) && slice_equal(id, OUR_ID));
	must(authres_parse(printed, arena, &parsed) && slice_equal(parsed.id, OUR_ID) && parsed.clause_count == 1);
	check_same(&parsed.clauses[0], &expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct slice text = {(const char *)data, size};

	check_incoming(text, arena);
	check_parsed(text, arena);
	check_parsed(arena_printf(arena, "mx.example.org; spf=pass %.*s", SLICE_ARGS(text)), arena);
	check_outgoing(text, arena);
	arena_free(arena);
	return 0;
}
