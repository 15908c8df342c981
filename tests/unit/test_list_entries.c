/*
 * test_list_entries.c - what the entries of lists and login maps mean.
 */
#include "list_scene.h"
#include <time.h>

static const struct {
	enum asked kind;
	const char *value;
	bool in;
} meanings[] = {
    {ADDRESS, "<alice@example.org>", true},
    {ADDRESS, "<ALICE@EXAMPLE.org>", true},
    {ADDRESS, "<bob@example.org>", false},
    {ADDRESS, "<anybody@whole.example>", true},
    {ADDRESS, "<anybody@sub.whole.example>", false},
    {ADDRESS, "<anybody@below.example>", false},
    {ADDRESS, "<anybody@a.below.example>", true},
    {ADDRESS, "<anybody@a.b.below.example>", true},
    {ADDRESS, "<anybody@host.example>", true},
    {ADDRESS, "<anybody@sub.host.example>", false},
    {ADDRESS, "<quoted@example.org>", true},
    {ADDRESS, "<\"ALICE\"@example.org>", true},
    {ADDRESS, "<a#b@example.org>", true},
    {ADDRESS, "<x@xn--bcher-kva.example>", true},
    {ADDRESS, "<>", false},
    {ADDRESS, "<\"@whole.example\">", false},
    {ADDRESS, "<alice@example.org@>", false},
    {ADDRESS, "<.below.example>", false},
    {ADDRESS, "<word>", true},
    {ADDRESS, "<\"alice@example.org\">", false},
    {TEXT, "host.example", true},
    {TEXT, "sub.host.example", false},
    {TEXT, "below.example", false},
    {TEXT, "a.below.example", true},
    {TEXT, "notbelow.example", false},
    {TEXT, "whole.example", false},
    {TEXT, "@whole.example", false},
    {TEXT, ".below.example", false},
    {TEXT, "xn--bcher-kva.example", true},
    {TEXT, "WORD", true},
    {TEXT, "Words", false},
    {TEXT, "alice@example.org", true},
    {TEXT, "", false},
    {IP, "192.0.2.1", true},
    {IP, "192.0.2.2", false},
    {IP, "198.51.100.255", true},
    {IP, "198.51.101.0", false},
    {IP, "2001:db8:ffff::1", true},
    {IP, "2001:db9::1", false},
};

static void entries_mean_what_the_manual_says(void **state)
{
	static const char text[] =
	    "# a comment\n\n  alice@Example.ORG   # after a blank\n@whole.example\n.below.example\nhost.example\n"
	    "192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n::ffff:203.0.113.0/120\nWord\n"
	    "b\xC3\xBC"
	    "cher.example\na#b@example.org\n\"quoted\"@example.org\n";
	struct list_content *content = parse(text, false);

	(void)state;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (has(content, meanings[i].kind, meanings[i].value) != meanings[i].in)
			fail_msg("%s: expected %s", meanings[i].value, meanings[i].in ? "in" : "not in");
	}
	list_content_release(content);
}

static void the_null_sender_is_listed_by_its_brackets(void **state)
{
	struct list_content *content = parse("<>\n", false);

	(void)state;
	assert_true(has(content, ADDRESS, "<>"));
	assert_false(has(content, TEXT, "<>"));
	list_content_release(content);
}

static void every_length_of_network_is_found(void **state)
{
	char text[96];
	static const char in4[] = "170.170.170.170", out4[] = "85.170.170.170";
	static const char in6[] = "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa";
	static const char out6[] = "5555:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa";

	(void)state;
	for (int prefix = 0; prefix <= 128; prefix++) {
		struct list_content *content;

		if (prefix <= 32)
			snprintf(text, sizeof(text), "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa/%d\n170.170.170.170/%d\n",
				 prefix, prefix);
		else
			snprintf(text, sizeof(text), "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa/%d\n", prefix);
		content = parse(text, false);
		assert_true(has(content, IP, in6));
		assert_int_equal(has(content, IP, out6), prefix == 0);
		assert_int_equal(has(content, IP, in4), prefix <= 32);
		assert_int_equal(has(content, IP, out4), prefix == 0);
		list_content_release(content);
	}
}

/* What has no meaning as an address may be a login, the value of a header field, or what a client says in HELO. */
static void texts_are_entries(void **state)
{
	static const char *const texts[] = {
	    "[192.0.2.1]",
	    "[IPv6:2001:db8::1]",
	    "12345",
	    "CORP\\alice",
	    "host/mail.example.com",
	    "PC01$",
	    "***SPAM***",
	    "*****",
	    "really?",
	    "C#",
	    "my_host.lan",
	    "x",
	    "alice+list",
	    "TLSv1.3",
	    "ECDHE-RSA-AES256-GCM-SHA384",
	    "a=b",
	    "1-2",
	    "<list.org>",
	    "mail-2.lan-1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct list_content *content;
		char text[100];

		snprintf(text, sizeof(text), "%s\n", texts[i]);
		content = parse(text, false);
		assert_true(has(content, TEXT, texts[i]));
		list_content_release(content);
	}
	list_content_release(parse("\"a,b*c\"@example.com\na*b\n"
				   "postmaster@[192.0.2.1]\n@[192.0.2.1]\n10.0.0.5/8\nexample.com.\n.example.com\r\n"
				   "prvs=abc#x@example.com\nbounce-1=a.b?@example.com\n",
				   false));
}

static void owners_map_logins_to_addresses(void **state)
{
	static const char text[] =
	    "# logins\nalice: alice@example.org, sales@example.org @alice.example\nbob @bob.example,bob@example.org\n"
	    "carol:carol@example.org\nAlice: upper@example.org\nDave: dave@example.org\nalice .below.example\n"
	    "null: <>\nnobody:\nx@example.org x@example.org # itself\n";
	static const struct {
		const char *login, *address;
		bool owns;
	} cases[] = {
	    {"alice", "<alice@example.org>", true},
	    {"alice", "<Sales@EXAMPLE.org>", true},
	    {"alice", "<any@alice.example>", true},
	    {"alice", "<a@sub.below.example>", true},
	    {"alice", "<bob@example.org>", false},
	    {"alice", "<upper@example.org>", false},
	    {"Alice", "<upper@example.org>", true},
	    {"Alice", "<alice@example.org>", false},
	    {"ALICE", "<alice@example.org>", false},
	    {"bob", "<bob@example.org>", true},
	    {"bob", "<x@bob.example>", true},
	    {"bob", "<x@sub.bob.example>", false},
	    {"carol", "<carol@example.org>", true},
	    {"dave", "<dave@example.org>", true},
	    {"DAVE", "<dave@example.org>", true},
	    {"nobody", "<alice@example.org>", false},
	    {"", "<alice@example.org>", false},
	    {"eve", "<alice@example.org>", false},
	    {"null", "<>", true},
	    {"alice", "<>", false},
	    {"x@example.org", "<x@example.org>", true},
	};
	struct list_content *content = parse(text, true);
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address address = address_parse_path(slice_of(cases[i].address), arena);

		if (list_content_owns(content, slice_of(cases[i].login), &address) != cases[i].owns)
			fail_msg("%s and %s: expected %d", cases[i].login, cases[i].address, cases[i].owns);
	}
	arena_free(arena);
	list_content_release(content);
}

/* Of the processor: other work on the machine does not count. */
static int64_t worked_us(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void three_hundred_thousand_entries_are_quick(void **state)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	struct list_content *content;
	struct list_faults faults = {0};
	int64_t begin;

	(void)state;
	for (int i = 0; i < 300000; i++)
		fprintf(out,
			i % 3 == 0   ? "user%d@domain%d.example\n"
			: i % 3 == 1 ? "@host%d.of%d.example\n"
				     : "10.%d.0.0/%d\n",
			i % 3 == 2 ? i % 256 : i, i % 3 == 2 ? 8 + i % 25 : i);
	fclose(out);
	begin = worked_us();
	content = list_content_parse((struct slice){text, n}, "f", false, &faults);
	assert_non_null(content);
	assert_true(worked_us() - begin < 20000000); /* 0.2 s; sanitizers take their time */
	begin = worked_us();
	for (int i = 0; i < 100000; i++)
		assert_true(has(content, ADDRESS, "<user299997@domain299997.example>"));
	assert_true(worked_us() - begin < 20000000);
	list_content_release(content);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_mean_what_the_manual_says),
	    cmocka_unit_test(the_null_sender_is_listed_by_its_brackets),
	    cmocka_unit_test(every_length_of_network_is_found),
	    cmocka_unit_test(texts_are_entries),
	    cmocka_unit_test(owners_map_logins_to_addresses),
	    cmocka_unit_test(three_hundred_thousand_entries_are_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
