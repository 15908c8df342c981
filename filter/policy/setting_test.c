/*
 * setting_test.c - test "NAME" { }: a conversation that the file itself expects something of.
 *
 * A test is read and checked like a setting; engine_test runs it. Mail never meets it.
 */
#include "setting_reader.h"

#include <stdlib.h>
#include <string.h>

#define TESTS_MAX        10000 /* all of them run before a reload with check-tests */
#define EXPECTATIONS_MAX 100

#define TEST(member) .offset = offsetof(struct policy_test, member)

/* ---- the conversation ---------------------------------------------------------------------------- */

static int read_client(struct setting_told *told, void *item, struct error *err)
{
	struct policy_test *test = item;

	(void)err;
	test->local_program = slice_equal(told->words[0], SLICE("local"));
	return test->local_program ? 0 : ip_parse(told->words[0], &test->client);
}

/* A path as MAIL and RCPT have it; `null` is the null sender. */
static int read_path(struct setting_told *told, struct slice *path_r, bool null)
{
	struct address address = address_parse_path(told->words[0], told->arena);

	*path_r = told->words[0];
	if (null && slice_equal(told->words[0], SLICE("null"))) {
		*path_r = SLICE("<>");
		return 0;
	}
	return address.valid && address.local.n > 0 ? 0 : -1;
}

static int read_sender(struct setting_told *told, void *item, struct error *err)
{
	(void)err;
	return read_path(told, item, true);
}

static int read_recipient(struct setting_told *told, void *item, struct error *err)
{
	(void)err;
	return read_path(told, item, false);
}

static int read_header(struct setting_told *told, void *item, struct error *err)
{
	struct slice rest = told->words[0], field;

	(void)err;
	*(struct slice *)item = told->words[0];
	return slice_cut(&rest, ':', &field) && rest.p && header_name_valid(slice_trim(field)) ? 0 : -1;
}

/* ---- what is expected ------------------------------------------------------------------------------ */

static bool is_digits(struct slice text, size_t least, size_t most)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	return text.n >= least && text.n <= most;
}

/* reject 550 5.7.23 */
static int read_verdict(struct setting_told *told, struct expected *expected, struct error *err)
{
	bool replies = slice_equal(told->words[0], SLICE("reject")) || slice_equal(told->words[0], SLICE("defer"));
	struct slice part, rest;
	unsigned parts = 0;

	expected->kind = EXPECT_VERDICT;
	expected->verdict = told->words[0];
	told->wrong = 1;
	if (told->count == 1)
		return 0;
	if (!replies || !is_digits(told->words[1], 3, 3)) {
		error_set(err, "\"%s\" is not expected here", QUOTE(told->words[1]));
		return -1;
	}
	expected->code = told->words[1];
	told->wrong = 2;
	if (told->count == 2)
		return 0;
	expected->enhanced = rest = told->words[2];
	while (slice_cut(&rest, '.', &part) && is_digits(part, 1, 3))
		parts++;
	if (parts == 3 && told->count == 3)
		return 0;
	error_set(err, "\"%s\" is not an enhanced code alone", QUOTE(told->words[2]));
	return -1;
}

/* dmarc is fail */
static int read_expected_fact(struct setting_told *told, struct expected *expected, struct error *err)
{
	expected->kind = EXPECT_FACT;
	expected->fact = fact_find(told->words[0]);
	if (!expected->fact || expected->fact->argument != ARGUMENT_NONE || expected->fact->scope == SCOPE_RECIPIENT) {
		error_set(err, "\"%s\" is neither a verdict nor a fact of the message without an argument",
			  QUOTE(told->words[0]));
		return -1;
	}
	told->wrong = told->count > 1 ? 1 : 0;
	if (told->count != 3 || !slice_equal(told->words[1], SLICE("is"))) {
		error_set(err, "after a fact comes \"is\" and one value");
		return -1;
	}
	expected->value = told->words[2];
	return 0;
}

/* add-header NAME "value" */
static int read_field(struct setting_told *told, struct expected *expected, struct error *err)
{
	bool adds = slice_equal(told->words[0], SLICE("add-header"));

	expected->kind = adds ? EXPECT_ADD_HEADER : EXPECT_DELETE_HEADER;
	told->wrong = told->count > 1 ? 1 : 0;
	if (told->count < 2 || told->count > (adds ? 3 : 2) || !header_name_valid(told->words[1])) {
		error_set(err, "after %.*s comes the name of a field%s", SLICE_ARGS(told->words[0]),
			  adds ? ", and perhaps its value in quotes" : "");
		return -1;
	}
	expected->name = told->words[1];
	if (told->count == 3)
		expected->value = told->words[2];
	return 0;
}

static struct slice join_words(const struct setting_told *told)
{
	struct text text;

	text_init(&text, told->arena, DIAGNOSTIC_TEXT_MAX);
	for (size_t i = 0; i < told->count; i++)
		text_printf(&text, "%s%.*s", i ? " " : "", SLICE_ARGS(told->words[i]));
	return text_slice(&text);
}

static int read_expectation(struct setting_told *told, void *item, struct error *err)
{
	struct expected *expected = item;

	*expected = (struct expected){.text = join_words(told)};
	for (const char *const *verdict = verdict_names + VERDICT_ACCEPT; *verdict; verdict++)
		if (slice_equal(told->words[0], slice_of(*verdict)))
			return read_verdict(told, expected, err);
	if (slice_equal(told->words[0], SLICE("add-header")) || slice_equal(told->words[0], SLICE("delete-header")))
		return read_field(told, expected, err);
	return read_expected_fact(told, expected, err);
}

/* ---- the block ------------------------------------------------------------------------------------------ */

struct slice policy_test_zone(const struct policy_test *test, struct arena *arena)
{
	struct slice *parts = arena_alloc(arena, (2 * test->zone.count + 1) * sizeof(*parts));

	for (size_t i = 0; i < test->zone.count; i++) {
		parts[2 * i] = test->zone.items[i];
		parts[2 * i + 1] = SLICE("\n");
	}
	return arena_join_parts(arena, parts, 2 * test->zone.count);
}

/* The zone must be one. */
static int finish(void *block, struct setting_told *told, struct error *err)
{
	const struct policy_test *test = block;
	struct resolver *resolver;

	if (test->zone.count == 0)
		return 0;
	resolver = resolver_open_zone(policy_test_zone(test, told->arena), "zone", err);
	resolver_release(resolver);
	told->key = "zone";
	return resolver ? 0 : -1;
}

#define EXAMPLE(more) .example = "test \"what is true\" { " more "expect accept }"

static const struct setting_key name = {
    .type = SETTING_TEXT, TEST(name), .usage = "a test as in test \"what is true\" { }", EXAMPLE("")};

static const struct setting_key keys[] = {
    {.name = "client",
     .type = SETTING_OWN,
     .read = read_client,
     .preset = "192.0.2.1",
     .usage = "an IP address, or local for a program of this host",
     EXAMPLE("client 192.0.2.1 ")},
    {.name = "client-name",
     .type = SETTING_TEXT,
     TEST(client_name),
     .usage = "its name as the MTA verified it",
     EXAMPLE("client-name mx.example.net ")},
    {.name = "helo",
     .type = SETTING_TEXT,
     TEST(helo),
     .usage = "the name in its HELO or EHLO",
     EXAMPLE("helo mx.example.net ")},
    {.name = "sender",
     .type = SETTING_OWN,
     TEST(sender),
     .read = read_sender,
     .size = sizeof(struct slice),
     .preset = "null",
     .usage = "an address, or null for the null sender",
     EXAMPLE("sender user@example.net ")},
    {.name = "recipient",
     .type = SETTING_OWN,
     .count = SETTING_MANY,
     TEST(recipients),
     .read = read_recipient,
     .size = sizeof(struct slice),
     .usage = "addresses as in postmaster@example.org",
     EXAMPLE("recipient postmaster@example.org ")},
    {.name = "auth-user",
     .type = SETTING_TEXT,
     TEST(auth_user),
     .usage = "the login that the client authenticated as",
     EXAMPLE("auth-user anna ")},
    {.name = "port", .type = SETTING_PORT, TEST(port), .preset = "25", EXAMPLE("port 587 ")},
    {.name = "daemon-name",
     .type = SETTING_TEXT,
     TEST(daemon_name),
     .usage = "the MTA's name of the service",
     EXAMPLE("daemon-name \"customer-1\" ")},
    {.name = "tls", .type = SETTING_CHOICE, TEST(tls), .least = 1, EXAMPLE("tls ")},
    {.name = "message",
     .type = SETTING_PATH,
     TEST(message),
     .usage = "the path of a file with header and body",
     EXAMPLE("message /etc/sekisho/message.eml ")},
    {.name = "header",
     .type = SETTING_OWN,
     .count = SETTING_EACH,
     TEST(headers),
     .read = read_header,
     .size = sizeof(struct slice),
     .usage = "a field as in \"From: a@example.net\"",
     EXAMPLE("header \"From: a@example.net\" ")},
    {.name = "zone",
     .type = SETTING_TEXT,
     .count = SETTING_EACH,
     TEST(zone),
     .usage = "a record as in \"example.net TXT \\\"v=spf1 -all\\\"\"",
     EXAMPLE("zone \"example.net TXT \\\"v=spf1 -all\\\"\" ")},
    {.name = "expect",
     .type = SETTING_OWN,
     .count = SETTING_EACH,
     TEST(expectations),
     .most_items = EXPECTATIONS_MAX,
     .read = read_expectation,
     .size = sizeof(struct expected),
     .takes = SETTING_REST,
     .required = true,
     .usage = "expect VERDICT [CODE [ENHANCED]], expect FACT is VALUE, expect add-header NAME [\"value\"] or "
	      "expect delete-header NAME",
     EXAMPLE("")},
};

const struct setting_block test_block = {.name = "test",
					 .size = sizeof(struct policy_test),
					 .value = &name,
					 SETTING_KEYS(keys),
					 .repeats = true,
					 .finish = finish};

int setting_keep_test(struct setting_reader *reader, const void *block)
{
	struct policy *policy = reader->compiler->policy;
	struct policy_test *test = arena_alloc(policy->arena, sizeof(*test));

	*test = *(const struct policy_test *)block;
	test->where = position_of(reader->compiler, reader->said->name.place);
	if (policy->test_count++ == TESTS_MAX) {
		diagnostics_error(reader->compiler->diagnostics, reader->said->name.place,
				  "there are more than %d tests; remove some", TESTS_MAX);
		return -1;
	}
	if (policy->last_test)
		policy->last_test->next = test;
	else
		policy->tests = test;
	policy->last_test = test;
	return 0;
}
