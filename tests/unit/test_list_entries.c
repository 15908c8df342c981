/*
 * test_list_entries.c - what the entries of lists and login maps mean, and which files are
 * refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../filter/list/list_content.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct list_content *parse(const char *text, enum list_kind owners)
{
	struct list_faults faults = {0};
	struct list_content *content = list_content_parse(slice_of(text), "f", owners, &faults);

	if (!content)
		fail_msg("%s: %s", text, faults.texts[0].text);
	return content;
}

/* What is wrong with a text, one fault a line. */
static const char *faults_of(const char *text, enum list_kind owners)
{
	static char all[LIST_FAULTS_MAX * sizeof(struct error)];
	struct list_faults faults = {0};
	struct list_content *content = list_content_parse(slice_of(text), "f", owners, &faults);
	size_t n = 0;

	assert_int_equal(content == NULL, faults.count > 0);
	list_content_release(content);
	all[0] = '\0';
	for (size_t i = 0; i < faults.count && i < LIST_FAULTS_MAX; i++)
		n += (size_t)sprintf(all + n, "%s%s", i ? "\n" : "", faults.texts[i].text);
	return all;
}

enum asked { ADDRESS = LIST_ADDRESS, IP = LIST_IP, TEXT = LIST_TEXT };

static bool has(const struct list_content *content, enum asked kind, const char *text)
{
	struct arena *arena = arena_new();
	struct list_key key = {.text = slice_of(text)};
	struct address address;
	bool found;

	key.kind = (unsigned)kind;
	if (kind == ADDRESS)
		address = address_parse_path(slice_of(text), arena);
	if (kind == IP && ip_parse(slice_of(text), &key.ip))
		fail_msg("%s is not an address", text);
	key.address = &address;
	found = list_content_has(content, &key);
	arena_free(arena);
	return found;
}

static void entries_mean_what_the_manual_says(void **state)
{
	static const char text[] =
	    "# a comment\n\n  alice@Example.ORG   # after a blank\n@whole.example\n.below.example\nhost.example\n"
	    "192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n::ffff:203.0.113.0/120\nWord\n"
	    "b\xC3\xBC"
	    "cher.example\na#b@example.org\n\"quoted\"@example.org\n";
	static const struct {
		enum asked kind;
		const char *value;
		bool in;
	} cases[] = {
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
	struct list_content *content = parse(text, false);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (has(content, cases[i].kind, cases[i].value) != cases[i].in)
			fail_msg("%s: expected %s", cases[i].value, cases[i].in ? "in" : "not in");
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

static void a_malformed_line_refuses_the_whole_list(void **state)
{
	char longest[LIST_ENTRY_MAX + 3];
	const struct {
		const char *text, *message;
	} cases[] = {
	    {"a@example.org\nb@example.org c@example.org\n", "f:2: two entries on one line; write one entry per line"},
	    {"@\n", "f:1: \"@\" names no domain after \"@\"; write it as @example.org"},
	    {".\n", "f:1: \".\" names no domain after \".\"; write it as .example.org"},
	    {"*@example.org\n", "f:1: \"*\" is not a wildcard here; write @example.org for every address of a domain"},
	    {"a@\n", "f:1: \"a@\" is not an address; write it as alice@example.org or @example.org"},
	    {"bro@ken@@\n", "f:1: \"bro@ken@@\" is not an address; write it as alice@example.org or @example.org"},
	    {"\n\n10.0.0.0/33\n",
	     "f:3: \"10.0.0.0/33\" is not an IP address or network; write it as 192.0.2.1 or 192.0.2.0/24"},
	    {"a\x01\n", "f:1: an entry with blanks or control characters in it; write one entry per line"},
	    {"\xFF\n", "f:1: an entry that is not UTF-8; save the list as UTF-8"},
	    {longest, "f:1: an entry of 1001 bytes; at most 1000 are allowed"},
	};

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[LIST_ENTRY_MAX + 1] = '\n';
	longest[LIST_ENTRY_MAX + 2] = '\0';
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(faults_of(cases[i].text, false), cases[i].message);
	}
	list_content_release(parse(longest + 1, false));
}

/* As other programs write them: each says what is meant. */
static void an_entry_that_can_match_nothing_is_an_error(void **state)
{
	static const char wildcard[] = "has a wildcard, which a list does not support; ";
	static const char network[] = "is not an IP address or network; ";
	static const struct {
		const char *entry, *what, *form;
	} cases[] = {
	    {"*.example.com", wildcard, "write .example.com"},
	    {"*.EXAMPLE-x.com", wildcard, "write .EXAMPLE-x.com"},
	    {"*", wildcard, "write .example.org for all subdomains"},
	    {"*example.com", wildcard, "write .example.org for all subdomains"},
	    {"mx*.example.com", wildcard, "write .example.org"},
	    {"mx?.example.com", wildcard, "write .example.org"},
	    {"@*.example.com", wildcard, "write .example.org for all subdomains, @example.org"},
	    {"*@*.example.com", wildcard, "write .example.org"},
	    {"alice*@example.com", wildcard, "write .example.org"},
	    {"alice@*", wildcard, "write .example.org"},
	    {"alice*", wildcard, "write .example.org"},
	    {"10.0.0.*", wildcard, "write 10.0.0.0/24"},
	    {"10.1.*.*", wildcard, "write 10.1.0.0/16"},
	    {"10.*", wildcard, "write 10.0.0.0/8"},
	    {"10.0.0.x", network, "write 10.0.0.0/24"},
	    {"192.168.", network, "write 192.168.0.0/16"},
	    {"192.168.7", network, "write 192.168.7.0/24"},
	    {"256.1.1.1", network, "write it as 192.0.2.1 or 192.0.2.0/24"},
	    {"10.0.0.1.5", network, "write it as 192.0.2.1"},
	    {"10.0.0.300", network, "write it as 192.0.2.1"},
	    {"10.0.0.0/33", network, "write it as"},
	    {"10.0.0.0/255.0.0.0", network, "write it as"},
	    {"10/8", network, "write it as"},
	    {".10.0.0", network, "write it as"},
	    {"@10.0.0", network, "write it as"},
	    {"2001:db8::/129", network, "write it as 2001:db8::1 or 2001:db8::/32"},
	    {"2001:db8:::1", network, "write it as 2001:db8::1"},
	    {"fe80::1%eth0", "has a colon in it; ", "write the address"},
	    {"2001:db8::1-2001:db8::9", network, "write it as 2001:db8::1"},
	    {"10.0.0.1-10.0.0.9", "is a range of addresses; ", "write networks such as 192.0.2.0/28"},
	    {"10.0.0.1-9", "is a range of addresses; ", "write networks"},
	    {"10.0.0.1:25", "has a colon in it; ", "write the address, network or domain alone"},
	    {"example.com:25", "has a colon in it; ", "write the address"},
	    {"ip4:10.0.0.1", "has a colon in it; ", "write the address"},
	    {"domain:example.com", "has a colon in it; ", "write the address"},
	    {"[10.0.0.1]:25", "is in brackets; ", "write an address or network without them"},
	    {"[2001:db8::/32]", "is in brackets; ", "write an address"},
	    {"[mail.example.com]", "is in brackets; ", "write an address"},
	    {"/regex/", "is a regular expression or a path", "write .example.org for all subdomains"},
	    {"/etc/sekisho/more", "is a regular expression or a path", "write"},
	    {"/@example\\.com$/i", "is a regular expression", "write"},
	    {"^alice@", "is a regular expression", "write"},
	    {"example\\.com$", "is a regular expression", "write"},
	    {"!10.0.0.1", "is an exception, which a list does not support; ", "put the exceptions in a list"},
	    {"!example.com", "is an exception", "put the exceptions in a list"},
	    {"\"example.com\"", "is in quotes; ", "write it without them"},
	    {"'alice@example.com'", "is in quotes; ", "write it without them"},
	    {"\"alice@example.com\"", "is in quotes; ", "write it without them"},
	    {"alice@example.com,bob@example.com", "has a comma or semicolon in it; ", "write one entry per line"},
	    {"example.com,", "has a comma", "write one entry per line"},
	    {"example.com;", "has a comma or semicolon", "write one entry per line"},
	    {"https://example.com/x", "is a URL; ", "write the domain or the address alone"},
	    {"mailto:alice@example.com", "is a URL; ", "write the domain or the address alone"},
	    {"example.com/", "has a slash after a domain; ", "write the domain alone"},
	    {"example.com/24", "has a slash after a domain; ", "write the domain alone"},
	    {"example.com#old", "has \"#\" in it; ", "put a space before a comment"},
	    {"192.0.2.1#old", "has \"#\" in it; ", "put a space before a comment"},
	    {"example..com", "has two dots in a row; ", "write it as example.org"},
	    {"x@", "is not an address; ", "write it as alice@example.org or @example.org"},
	    {"alice@192.0.2.1", "is not an address; ", "write it as"},
	    {"alice@example.com:25", "is not an address; ", "write it as"},
	    {"alice@.example.com", "is not an address; ", "write it as"},
	    {"@.example.com", "names no domain after \"@\"; ", "write it as @example.org"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[200], expected[300];
		const char *said;

		snprintf(text, sizeof(text), "ok.example\n%s\n", cases[i].entry);
		snprintf(expected, sizeof(expected), "f:2: \"%s\" %s", cases[i].entry, cases[i].what);
		said = faults_of(text, false);
		if (strncmp(said, expected, strlen(expected)) != 0 || !strstr(said, cases[i].form))
			fail_msg("%s: %s, expected %s...%s", cases[i].entry, said, expected, cases[i].form);
		snprintf(text, sizeof(text), "alice: %s\n", cases[i].entry);
		if (!*faults_of(text, true) && !strchr(cases[i].entry, ','))
			fail_msg("%s: taken as what alice owns", cases[i].entry);
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

/* The byte order mark that some editors write, and lines that a full disk cut off. */
static void a_file_that_was_saved_or_cut_wrongly_is_an_error(void **state)
{
	static const char mark[] = "f:1: the file begins with a byte order mark; save it as UTF-8 without one";
	struct list_faults faults = {0};
	struct list_content *content;

	(void)state;
	assert_string_equal(faults_of("\xEF\xBB\xBF"
				      "a@example.org\nb@example.org\n",
				      false),
			    mark);
	assert_string_equal(faults_of("\xEF\xBB\xBF# a comment\n", false), mark);
	assert_string_equal(faults_of("\xEF\xBB\xBF"
				      "alice: a@example.org\n",
				      true),
			    mark);
	assert_string_equal(faults_of("\xFF\xFE"
				      "a@example.org\n",
				      false),
			    "f:1: an entry that is not UTF-8; save the list as UTF-8");
	content = list_content_parse(SLICE("a@example.org\nb@exam"), "f", false, &faults);
	assert_true(content && has(content, ADDRESS, "<b@exam>"));
	assert_true(faults.malformed);
	assert_int_equal(faults.count, 1);
	assert_string_equal(
	    faults.texts[0].text,
	    "f:2: the last line does not end with a newline, so the file may be cut off; add the newline");
	list_content_release(content);
}

/* All that is wrong is named at once, up to a bound that ends the reading. */
static void every_malformed_line_is_named(void **state)
{
	char text[4 * (LIST_FAULTS_MAX + 2)] = "";
	struct list_faults faults = {0};

	(void)state;
	assert_string_equal(faults_of("@\na@example.org\n\n.\n", false),
			    "f:1: \"@\" names no domain after \"@\"; write it as @example.org\n"
			    "f:4: \".\" names no domain after \".\"; write it as .example.org");
	assert_string_equal(faults_of("alice\nbob: b@example.org\n: x@example.org\n", true),
			    "f:1: a login without addresses; write \"login: address @domain\"\n"
			    "f:3: no login at the start of the line; write \"login: address @domain\"");
	for (int i = 0; i < LIST_FAULTS_MAX + 1; i++)
		strcat(text, "@\n");
	assert_null(list_content_parse(slice_of(text), "f", false, &faults));
	assert_int_equal(faults.count, LIST_FAULTS_MAX);
	assert_non_null(strstr(faults.texts[LIST_FAULTS_MAX - 1].text, "f:20: "));
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

static void malformed_owners_are_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"alice\n", "f:1: a login without addresses; write \"login: address @domain\""},
	    {"al*: a@example.org\n", "f:1: a wildcard is for all logins or for those of a domain; write \"*: ...\" or "
				     "\"*@example.org: ...\""},
	    {"*@: a@example.org\n", "f:1: a wildcard is for all logins or for those of a domain; write \"*: ...\" or "
				    "\"*@example.org: ...\""},
	    {"\"alice\": a@example.org\n", "f:1: write the login as users enter it, without quotes"},
	    {": a@example.org\n", "f:1: no login at the start of the line; write \"login: address @domain\""},
	    {"alice: example.org\n",
	     "f:1: a login owns addresses and domains; write alice@example.org or @example.org"},
	    {"alice: 192.0.2.1\n", "f:1: a login owns addresses and domains; write alice@example.org or @example.org"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(faults_of(cases[i].text, true), cases[i].message);
	}
}

static void a_list_holds_no_more_than_its_entries(void **state)
{
	size_t n = LIST_ENTRIES_MAX + 1;
	char *text = malloc(2 * n + 1);

	(void)state;
	for (size_t i = 0; i < n; i++)
		memcpy(text + 2 * i, "a\n", 2);
	text[2 * n] = '\0';
	assert_string_equal(faults_of(text, false),
			    "f:4000001: too many entries for one list; split it into several lists");
	free(text);
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
	assert_true(worked_us() - begin < 3000000); /* 0.2 s; sanitizers take their time */
	begin = worked_us();
	for (int i = 0; i < 100000; i++)
		assert_true(has(content, ADDRESS, "<user299997@domain299997.example>"));
	assert_true(worked_us() - begin < 3000000);
	list_content_release(content);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_mean_what_the_manual_says),
	    cmocka_unit_test(the_null_sender_is_listed_by_its_brackets),
	    cmocka_unit_test(every_length_of_network_is_found),
	    cmocka_unit_test(a_malformed_line_refuses_the_whole_list),
	    cmocka_unit_test(an_entry_that_can_match_nothing_is_an_error),
	    cmocka_unit_test(texts_are_entries),
	    cmocka_unit_test(a_file_that_was_saved_or_cut_wrongly_is_an_error),
	    cmocka_unit_test(every_malformed_line_is_named),
	    cmocka_unit_test(owners_map_logins_to_addresses),
	    cmocka_unit_test(malformed_owners_are_refused),
	    cmocka_unit_test(a_list_holds_no_more_than_its_entries),
	    cmocka_unit_test(three_hundred_thousand_entries_are_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
