/*
 * test_list_faults.c - which files are refused as lists and login maps, and what is said of each line.
 */
#include "list_scene.h"

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

#define WILDCARD "has a wildcard, which a list does not support; "
#define NETWORK  "is not an IP address or network; "

static const struct {
	const char *entry, *what, *form;
} not_entries[] = {
    {"*.example.com", WILDCARD, "write .example.com"},
    {"*.EXAMPLE-x.com", WILDCARD, "write .EXAMPLE-x.com"},
    {"*", WILDCARD, "write .example.org for all subdomains"},
    {"*example.com", WILDCARD, "write .example.org for all subdomains"},
    {"mx*.example.com", WILDCARD, "write .example.org"},
    {"mx?.example.com", WILDCARD, "write .example.org"},
    {"@*.example.com", WILDCARD, "write .example.org for all subdomains, @example.org"},
    {"*@*.example.com", WILDCARD, "write .example.org"},
    {"alice*@example.com", WILDCARD, "write .example.org"},
    {"alice@*", WILDCARD, "write .example.org"},
    {"alice*", WILDCARD, "write .example.org"},
    {"10.0.0.*", WILDCARD, "write 10.0.0.0/24"},
    {"10.1.*.*", WILDCARD, "write 10.1.0.0/16"},
    {"10.*", WILDCARD, "write 10.0.0.0/8"},
    {"10.0.0.x", NETWORK, "write 10.0.0.0/24"},
    {"192.168.", NETWORK, "write 192.168.0.0/16"},
    {"192.168.7", NETWORK, "write 192.168.7.0/24"},
    {"256.1.1.1", NETWORK, "write it as 192.0.2.1 or 192.0.2.0/24"},
    {"10.0.0.1.5", NETWORK, "write it as 192.0.2.1"},
    {"10.0.0.300", NETWORK, "write it as 192.0.2.1"},
    {"10.0.0.0/33", NETWORK, "write it as"},
    {"10.0.0.0/255.0.0.0", NETWORK, "write it as"},
    {"10/8", NETWORK, "write it as"},
    {".10.0.0", NETWORK, "write it as"},
    {"@10.0.0", NETWORK, "write it as"},
    {"2001:db8::/129", NETWORK, "write it as 2001:db8::1 or 2001:db8::/32"},
    {"2001:db8:::1", NETWORK, "write it as 2001:db8::1"},
    {"fe80::1%eth0", "has a colon in it; ", "write the address"},
    {"2001:db8::1-2001:db8::9", NETWORK, "write it as 2001:db8::1"},
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

/* As other programs write them: each says what is meant. */
static void an_entry_that_can_match_nothing_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(not_entries) / sizeof(not_entries[0]); i++) {
		char text[200], expected[300];
		const char *said;

		snprintf(text, sizeof(text), "ok.example\n%s\n", not_entries[i].entry);
		snprintf(expected, sizeof(expected), "f:2: \"%s\" %s", not_entries[i].entry, not_entries[i].what);
		said = faults_of(text, false);
		if (strncmp(said, expected, strlen(expected)) != 0 || !strstr(said, not_entries[i].form))
			fail_msg("%s: %s, expected %s...%s", not_entries[i].entry, said, expected, not_entries[i].form);
		snprintf(text, sizeof(text), "alice: %s\n", not_entries[i].entry);
		if (!*faults_of(text, true) && !strchr(not_entries[i].entry, ','))
			fail_msg("%s: taken as what alice owns", not_entries[i].entry);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_malformed_line_refuses_the_whole_list),
	    cmocka_unit_test(an_entry_that_can_match_nothing_is_an_error),
	    cmocka_unit_test(a_file_that_was_saved_or_cut_wrongly_is_an_error),
	    cmocka_unit_test(every_malformed_line_is_named),
	    cmocka_unit_test(malformed_owners_are_refused),
	    cmocka_unit_test(a_list_holds_no_more_than_its_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
