/*
 * test_spf_handed.c - what libspf2 is handed: the canonical record that we print, and nothing that a sender wrote.
 * Its entry points are wrapped (linked by --wrap), so that the test sees every text before the library does. The
 * records here are short and plain: each shows one thing that the guard takes out, and none would hurt if it were not
 * taken out.
 */
#include "spf_bench.h"

#include <netinet/in.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <time.h> /* spf2/spf.h takes this and the first two for granted */
#include <spf2/spf.h>

#define HANDED_MAX  (SPF_LOOKUPS_MAX + 2)
#define HANDED_ROOM 1024

static char handed[HANDED_MAX][HANDED_ROOM]; /* the records, in the order they were compiled */
static size_t handed_count;
static char sender[HANDED_ROOM];

SPF_errcode_t __real_SPF_record_compile(SPF_server_t *, SPF_response_t *, SPF_record_t **, const char *);
SPF_errcode_t __wrap_SPF_record_compile(SPF_server_t *, SPF_response_t *, SPF_record_t **, const char *);
int __real_SPF_request_set_env_from(SPF_request_t *, const char *);
int __wrap_SPF_request_set_env_from(SPF_request_t *, const char *);

SPF_errcode_t __wrap_SPF_record_compile(SPF_server_t *server, SPF_response_t *response, SPF_record_t **record_r,
					const char *text)
{
	assert_true(handed_count < HANDED_MAX);
	snprintf(handed[handed_count++], HANDED_ROOM, "%s", text);
	return __real_SPF_record_compile(server, response, record_r, text);
}

int __wrap_SPF_request_set_env_from(SPF_request_t *request, const char *text)
{
	snprintf(sender, sizeof(sender), "%s", text);
	return __real_SPF_request_set_env_from(request, text);
}

static const char zone[] = "o.example TXT \"v=spf1 ip4:203.0.113.1 exists:%{l}.l.example ?all\"\n"
			   "o.example A 203.0.113.1\n"
			   "why.example TXT \"%{i} is not ours\"\n";

/* The record of x.example, and what the library is handed for it; "": nothing. */
static const struct {
	const char *about, *client, *record, *first, *second;
} cases[] = {
    {"no explanation and no modifier", "192.0.2.9", "x=%{d} exp=why.example -all", "v=spf1 ?exists:x0.f0.s -all", ""},
    {"no macro", "192.0.2.9", "exists:%{i}.%{l}.example ~all", "v=spf1 +exists:t0.f0.s ?exists:x1.f0.s ~all", ""},
    {"no name", "192.0.2.9", "a:o.example mx:o.example/24//64 -all",
     "v=spf1 +a:t0.f0.s/32 +mx:t1.f0.s/24 ?exists:x2.f0.s -all", ""},
    {"the prefix length of the other family is left out", "2001:db8::9", "a:o.example/24//64 -all",
     "v=spf1 +a:t0.f0.s//64 ?exists:x1.f0.s -all", ""},
    {"no network that does not match", "192.0.2.9", "ip4:198.51.100.1 ip6:2001:db8::1 -all",
     "v=spf1 ?exists:x2.f0.s -all", ""},
    {"nothing after a network that matches, which is the client alone", "192.0.2.9",
     "ip4:198.51.100.1 ip4:192.0.2.0/24 a:o.example -all", "v=spf1 ?exists:x1.f0.s +ip4:192.0.2.9", ""},
    {"no length of 0", "192.0.2.9", "a:o.example/0 ?all", "v=spf1 +a:t0.f0.s ?exists:x1.f0.s ?all", ""},
    {"the mapped address as the one that is meant", "::ffff:192.0.2.9", "ip4:192.0.2.9 -all",
     "v=spf1 ?exists:x0.f0.s +ip4:192.0.2.9", ""},
    {"a mark before ptr, whose question has no name", "192.0.2.9", "ptr:o.example -all",
     "v=spf1 ?exists:x0.f0.s +ptr:t0.f0.s ?exists:x1.f0.s -all", ""},
    {"a redirect at the end", "192.0.2.9", "redirect=o.example ip4:198.51.100.1 ?ip4:192.0.2.8",
     "v=spf1 redirect=t9999.f0.s", "v=spf1 +exists:t1.f1.s ?exists:x2.f1.s ?all"},
    {"an included record as its own frame", "192.0.2.9", "include:o.example -all",
     "v=spf1 +include:t0.f0.s ?exists:x1.f0.s -all", "v=spf1 +exists:t1.f1.s ?exists:x2.f1.s ?all"},
    {"nothing of a record that is wrong", "192.0.2.9", "a: -all", "", ""},
    {"nothing after the term that is one too many", "192.0.2.9",
     "a:o.example a:o.example a:o.example a:o.example a:o.example a:o.example a:o.example a:o.example a:o.example "
     "a:o.example a:o.example a:o.example -all",
     "v=spf1 +a:t0.f0.s/32 +a:t1.f0.s/32 +a:t2.f0.s/32 +a:t3.f0.s/32 +a:t4.f0.s/32 +a:t5.f0.s/32 +a:t6.f0.s/32 "
     "+a:t7.f0.s/32 +a:t8.f0.s/32 "
     "+a:t9.f0.s/32 +a:t10.f0.s/32",
     ""},
};

static void check_handed(size_t number)
{
	struct arena *arena = arena_new();
	struct spf_request request = request_for(cases[number].client, "joe+tag@x.example", "h.example");
	struct slice text = arena_printf(arena, "%sx.example TXT \"v=spf1 %s\"\n", zone, cases[number].record);
	struct bench bench;

	memset(handed, 0, sizeof(handed));
	handed_count = 0;
	request.engine = SPF_ENGINE_LIBSPF2;
	bench_open(&bench, text, DNS_BUDGET_QUESTIONS);
	spf_check(&request, bench.budget, bench.arena, &bench.outcome);
	bench_close(&bench);
	arena_free(arena);
	if (strcmp(handed[0], cases[number].first) != 0 || strcmp(handed[1], cases[number].second) != 0)
		fail_msg("%s: handed \"%s\" and \"%s\"", cases[number].about, handed[0], handed[1]);
	assert_int_equal(handed_count, (cases[number].first[0] != '\0') + (cases[number].second[0] != '\0'));
}

static void libspf2_is_handed_only_what_we_print(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_handed(i);
}

static void libspf2_does_not_learn_who_sends(void **state)
{
	(void)state;
	memset(sender, 0, sizeof(sender));
	check_handed(1);
	assert_string_equal(sender, "postmaster@f0.s");
}

/* Networks that cannot match take no room, names take that of an alias: the longest is made of marks and ptr. */
static void the_longest_canonical_record_is_whole(void **state)
{
	static const char last[] = " -ip6:2001:db8:ffff:ffff:ffff:ffff:ffff:fffe";
	struct spf_request request = request_for("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe", "a@x.example", "h");
	struct arena *arena = arena_new();
	struct spf_run run = {.request = &request, .arena = arena};
	struct spf_record *parsed;
	struct text record;
	struct slice canonical;

	(void)state;
	text_init(&record, arena, 2000);
	text_printf(&record, "v=spf1");
	for (int i = 0; i < SPF_LOOKUPS_MAX; i++)
		text_printf(&record, " ip6:2001:db8:1::1 ptr:x.example");
	text_printf(&record, " -ip6:2001:db8:ffff:ffff:ffff:ffff:ffff:0/112 redirect=x.example");
	parsed = spf_record_parse(text_slice(&record));
	assert_int_equal(parsed->state, SPF_RECORD_VALID);
	canonical = spf_canonical(&run, &(struct spf_frame){.record = parsed}, SPF_LOOKUPS_MAX);
	assert_true(slice_ends_nocase(canonical, slice_of(last)));
	assert_true(canonical.n < SPF_CANONICAL_MAX);
	free(parsed);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(libspf2_is_handed_only_what_we_print),
	    cmocka_unit_test(libspf2_does_not_learn_who_sends),
	    cmocka_unit_test(the_longest_canonical_record_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
