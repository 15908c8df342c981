/* test_dns_cache.c - how long answers live, what is evicted first, and that nothing grows. Time is a number here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../filter/dns/cache.h"
#include "../../filter/dns/flight.h"
#include "../../filter/dns/rdata.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define SEED         7
#define NOW          (1000 * SECOND_US)

static struct question question_of(const char *name, enum dns_type type)
{
	struct question question;

	assert_int_equal(question_make(slice_of(name), type, SEED, &question), 0);
	return question;
}

/* A TXT answer of so many bytes, or another status without records. */
static struct answer *settle(struct cache *cache, const char *name, enum dns_status status, enum dns_reason reason,
			     size_t bytes, int64_t ttl_us, int64_t now_us)
{
	struct question question = question_of(name, DNS_TXT);
	char *text = malloc(bytes + 1);

	memset(text, 'x', bytes);
	struct dns_record record = {.text = {text, bytes}, .strings = 1};
	struct dns_answer draft = {.status = status, .reason = reason};
	if (status == DNS_OK) {
		draft.count = 1;
		draft.records = &record;
	}
	struct answer *answer = cache_settle(cache, &question, &draft, ttl_us, now_us);
	free(text);
	return answer;
}

static struct answer *find(struct cache *cache, const char *name, int64_t now_us)
{
	struct question question = question_of(name, DNS_TXT);

	return cache_find(cache, &question, now_us);
}

static bool is_fresh(struct cache *cache, const char *name, int64_t now_us)
{
	struct answer *answer = find(cache, name, now_us);
	bool fresh = answer && answer_is_fresh(answer, now_us);

	answer_release(answer);
	return fresh;
}

static void an_answer_lives_as_long_as_it_says_up_to_its_cap(void **state)
{
	static const struct {
		enum dns_status status;
		enum dns_reason reason;
		size_t bytes;
		int64_t ttl_us, lives_us;
	} cases[] = {
	    {DNS_OK, DNS_NO_REASON, 10, 60 * SECOND_US, 60 * SECOND_US},
	    {DNS_OK, DNS_NO_REASON, 10, 2 * TTL_MAX_US, TTL_MAX_US},
	    {DNS_OK, DNS_NO_REASON, 10, 0, 0},
	    {DNS_OK, DNS_NO_REASON, 10, -1, 0},
	    {DNS_OK, DNS_NO_REASON, CACHE_BIG, TTL_MAX_US, TTL_BIG_US},
	    {DNS_NODATA, DNS_NO_REASON, 0, 7 * SECOND_US, 7 * SECOND_US},
	    {DNS_NXDOMAIN, DNS_NO_REASON, 0, TTL_MAX_US, TTL_NEGATIVE_US},
	    {DNS_TEMPFAIL, DNS_SERVFAIL, 0, TTL_MAX_US, TTL_TEMPFAIL_US},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cache *cache = cache_new(64);
		answer_release(
		    settle(cache, "a.test", cases[i].status, cases[i].reason, cases[i].bytes, cases[i].ttl_us, NOW));
		if (cases[i].lives_us > 0)
			assert_true(is_fresh(cache, "A.TEST.", NOW + cases[i].lives_us - 1));
		assert_false(is_fresh(cache, "a.test", NOW + cases[i].lives_us));
		cache_free(cache);
	}
}

static void types_and_names_are_kept_apart(void **state)
{
	struct cache *cache = cache_new(64);
	struct question other = question_of("a.test", DNS_MX);

	(void)state;
	answer_release(settle(cache, "a.test", DNS_OK, DNS_NO_REASON, 1, SECOND_US, NOW));
	assert_null(cache_find(cache, &other, NOW));
	assert_null(find(cache, "b.test", NOW));
	assert_true(is_fresh(cache, "a.test", NOW));
	cache_free(cache);
}

static void what_was_known_is_served_stale_while_the_servers_fail(void **state)
{
	struct cache *cache = cache_new(64);
	int64_t later = NOW + 100 * SECOND_US;

	(void)state;

	answer_release(settle(cache, "a.test", DNS_OK, DNS_NO_REASON, 5, SECOND_US, NOW));
	struct answer *answer = settle(cache, "a.test", DNS_TEMPFAIL, DNS_TIMEOUT, 0, TTL_TEMPFAIL_US, later);
	assert_int_equal(answer->given.status, DNS_OK);
	assert_true(answer->given.stale);
	assert_int_equal(answer->given.reason, DNS_NO_REASON);
	assert_int_equal(answer->given.records[0].text.n, 5);
	answer_release(answer);

	/* RFC 8767 5: the servers are left alone for a while, then asked again, and may still fail. */
	assert_true(is_fresh(cache, "a.test", later + STALE_RECHECK_US - 1));
	assert_false(is_fresh(cache, "a.test", later + STALE_RECHECK_US));
	answer = settle(cache, "a.test", DNS_TEMPFAIL, DNS_SERVFAIL, 0, TTL_TEMPFAIL_US, later + STALE_RECHECK_US);
	assert_true(answer->given.stale);
	answer_release(answer);

	answer = settle(cache, "a.test", DNS_OK, DNS_NO_REASON, 6, SECOND_US, later + 2 * STALE_RECHECK_US);
	assert_false(answer->given.stale);
	answer_release(answer);
	cache_free(cache);
}

static void stale_answers_end_after_a_day_however_often_they_are_served(void **state)
{
	struct cache *cache = cache_new(64);
	int64_t end = NOW + SECOND_US + STALE_US, now = NOW + SECOND_US;
	struct answer *answer;

	(void)state;

	answer_release(settle(cache, "a.test", DNS_NXDOMAIN, DNS_NO_REASON, 0, SECOND_US, NOW));
	for (; now < end; now += STALE_US / 10) {
		answer = settle(cache, "a.test", DNS_TEMPFAIL, DNS_TIMEOUT, 0, TTL_TEMPFAIL_US, now);
		assert_int_equal(answer->given.status, DNS_NXDOMAIN);
		answer_release(answer);
	}
	answer_release(settle(cache, "a.test", DNS_TEMPFAIL, DNS_TIMEOUT, 0, TTL_TEMPFAIL_US, end - SECOND_US));
	assert_true(is_fresh(cache, "a.test", end - 1));
	assert_null(find(cache, "a.test", end));
	answer = settle(cache, "a.test", DNS_TEMPFAIL, DNS_TIMEOUT, 0, TTL_TEMPFAIL_US, end);
	assert_int_equal(answer->given.status, DNS_TEMPFAIL);
	answer_release(answer);
	cache_free(cache);
}

static void only_what_was_good_is_fallen_back_on_and_not_for_bogus(void **state)
{
	struct cache *cache = cache_new(64);
	struct answer *answer;

	(void)state;

	/* Bogus: somebody may be lying. */
	answer_release(settle(cache, "a.test", DNS_OK, DNS_NO_REASON, 5, SECOND_US, NOW));
	answer = settle(cache, "a.test", DNS_TEMPFAIL, DNS_BOGUS, 0, TTL_TEMPFAIL_US, NOW + 2 * SECOND_US);
	assert_int_equal(answer->given.status, DNS_TEMPFAIL);
	answer_release(answer);

	/* A late one does not evict what was learned since. */
	answer_release(settle(cache, "c.test", DNS_OK, DNS_NO_REASON, 5, 60 * SECOND_US, NOW));
	answer = settle(cache, "c.test", DNS_TEMPFAIL, DNS_SERVFAIL, 0, TTL_TEMPFAIL_US, NOW + SECOND_US);
	assert_true(answer->given.status == DNS_OK && !answer->given.stale);
	answer_release(answer);
	assert_true(is_fresh(cache, "c.test", NOW + 59 * SECOND_US));

	/* A failure is not kept as an old answer. */
	answer_release(settle(cache, "b.test", DNS_TEMPFAIL, DNS_SERVFAIL, 0, TTL_TEMPFAIL_US, NOW));
	answer = settle(cache, "b.test", DNS_TEMPFAIL, DNS_TIMEOUT, 0, TTL_TEMPFAIL_US, NOW + 10 * SECOND_US);
	assert_false(answer->given.stale);
	assert_int_equal(answer->given.reason, DNS_TIMEOUT);
	answer_release(answer);
	cache_free(cache);
}

static void who_cannot_wait_is_given_what_is_stale(void **state)
{
	struct cache *cache = cache_new(64);
	struct question question = question_of("a.test", DNS_TXT);

	(void)state;
	assert_null(cache_fallback(cache, &question, NOW));
	answer_release(settle(cache, "a.test", DNS_OK, DNS_NO_REASON, 5, SECOND_US, NOW));
	struct answer *answer = cache_fallback(cache, &question, NOW + 2 * SECOND_US);
	assert_true(answer->given.stale);
	answer_release(answer);
	assert_false(is_fresh(cache, "a.test", NOW + 2 * SECOND_US));
	cache_free(cache);
}

static void the_number_of_answers_is_bounded(void **state)
{
	struct cache *cache = cache_new(64);
	char name[32];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		answer_release(settle(cache, name, DNS_NXDOMAIN, DNS_NO_REASON, 0, 60 * SECOND_US, NOW));
	}
	assert_in_range(cache_entries(cache), 32, 64);
	assert_true(is_fresh(cache, name, NOW));
	cache_free(cache);
}

static void a_flood_of_new_names_leaves_what_is_in_use(void **state)
{
	struct cache *cache = cache_new(64);
	char name[32];
	int64_t now = NOW;

	(void)state;
	answer_release(settle(cache, "hot.test", DNS_OK, DNS_NO_REASON, 5, TTL_MAX_US, now));
	for (int i = 0; i < 5000; i++, now += SECOND_US / 100) {
		if (i % 100 == 0)
			assert_true(is_fresh(cache, "hot.test", now));
		snprintf(name, sizeof(name), "n%d.test", i);
		answer_release(settle(cache, name, DNS_NXDOMAIN, DNS_NO_REASON, 0, 60 * SECOND_US, now));
	}
	assert_true(is_fresh(cache, "hot.test", now));
	cache_free(cache);
}

static void big_answers_share_a_bounded_room_and_leave_it(void **state)
{
	struct cache *cache = cache_new(4096);
	char name[32];
	unsigned kept = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "big%d.test", i);
		answer_release(settle(cache, name, DNS_OK, DNS_NO_REASON, 60000, TTL_MAX_US, NOW));
		kept += is_fresh(cache, name, NOW);
	}
	assert_in_range(kept, 100, CACHE_BIG_BYTES / 60000);

	/* Small ones are still stored, and evict big ones in time. */
	for (int i = 0; i < 50000; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		answer_release(settle(cache, name, DNS_OK, DNS_NO_REASON, 10, TTL_MAX_US, NOW + 2 * TTL_BIG_US));
	}
	answer_release(settle(cache, "last.test", DNS_OK, DNS_NO_REASON, 60000, TTL_MAX_US, NOW + 2 * TTL_BIG_US));
	assert_true(is_fresh(cache, "last.test", NOW + 2 * TTL_BIG_US));
	cache_free(cache);
}

static unsigned count_kept(struct cache *cache, int names)
{
	unsigned kept = 0;
	char name[32];

	for (int i = 0; i < names; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		kept += is_fresh(cache, name, NOW);
	}
	return kept;
}

/* Of address space. */
static unsigned long pages(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long count = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &count), 1);
	fclose(file);
	return count;
}

static void a_cache_takes_memory_with_its_answers(void **state)
{
	unsigned long before = pages();
	struct cache *cache = cache_new(10000000);
	char name[32];

	(void)state;
	assert_in_range(pages(), before, before + 1000);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		answer_release(settle(cache, name, DNS_OK, DNS_NO_REASON, 10, TTL_MAX_US, NOW));
	}
	assert_int_equal(cache_entries(cache), 20000);
	assert_int_equal(count_kept(cache, 20000), 20000);
	cache_free(cache);
}

static void a_cache_grows_to_what_it_is_for_and_no_more(void **state)
{
	struct cache *cache = cache_new(4096);
	char name[32];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		answer_release(settle(cache, name, DNS_OK, DNS_NO_REASON, 10, TTL_MAX_US, NOW));
	}
	assert_int_equal(cache_entries(cache), 4096);
	assert_int_equal(count_kept(cache, 20000), 4096);
	cache_free(cache);
}

/* ---- forms ------------------------------------------------------------------------- */

static int parses, frees;

static void *form_parse(const struct dns_answer *answer)
{
	size_t *bytes = malloc(sizeof(*bytes));

	*bytes = answer->count > 0 ? answer->records[0].text.n : 0;
	parses++;
	return bytes;
}

static void form_drop(void *form)
{
	frees++;
	free(form);
}

static void the_form_goes_with_the_last_owner(void **state)
{
	static const struct dns_parser parser = {form_parse, form_drop}, other = {form_parse, form_drop};
	struct cache *cache = cache_new(64);

	(void)state;
	parses = frees = 0;
	struct answer *answer = settle(cache, "a.test", DNS_OK, DNS_NO_REASON, 5, SECOND_US, NOW);
	const size_t *form = answer_form(answer, &parser);
	assert_int_equal(*form, 5);
	assert_ptr_equal(answer_form(answer, &parser), form);
	assert_int_equal(parses, 1);
	assert_null(answer_form(answer, &other));
	answer_release(settle(cache, "a.test", DNS_NXDOMAIN, DNS_NO_REASON, 0, SECOND_US, NOW));
	assert_int_equal(frees, 0);
	assert_ptr_equal(answer_form(answer, &parser), form);
	answer_release(answer);
	assert_int_equal(frees, 1);
	cache_free(cache);
}

/* ---- flights ----------------------------------------------------------------------- */

static void no_more_flights_than_the_most_are_under_way(void **state)
{
	struct flights *flights = flights_new(0, SECOND_US);
	const struct intent asks = {.whose = 1};
	struct flight **all = calloc(FLIGHT_MAX, sizeof(*all));
	char name[32];
	bool first;

	(void)state;
	for (int i = 0; i < FLIGHT_MAX; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		struct question question = question_of(name, DNS_A);
		all[i] = flight_join(flights, &question, asks, &first);
		assert_true(all[i] && first);
	}
	struct question one_more = question_of("more.test", DNS_A), known = question_of("n5.test", DNS_A);
	assert_null(flight_join(flights, &one_more, asks, &first));
	assert_ptr_equal(flight_join(flights, &known, asks, &first), all[5]);
	assert_false(first);
	flight_leave(flights, all[5]);
	flight_return(flights, all[7]);
	flight_leave(flights, all[7]);
	assert_non_null(all[7] = flight_join(flights, &one_more, asks, &first));
	assert_null(flight_overdue(flights, clock_us() - SECOND_US));
	struct flight *oldest = flight_overdue(flights, clock_us() + 2 * SECOND_US);
	assert_ptr_equal(oldest, all[0]);
	assert_int_equal(flight_give_up(flights, oldest, clock_us() - SECOND_US), DNS_NO_REASON);
	assert_int_equal(flight_give_up(flights, oldest, clock_us() + 2 * SECOND_US), DNS_TIMEOUT);
	assert_int_equal(flight_give_up(flights, oldest, clock_us() + 2 * SECOND_US), DNS_NO_REASON);
	flight_leave(flights, oldest);
	for (int i = 0; i < FLIGHT_MAX; i++) {
		flight_return(flights, all[i]);
		flight_leave(flights, all[i]);
	}
	assert_null(flight_overdue(flights, INT64_MAX));
	flights_free(flights);
	free(all);
}

/* ---- records as they come over the wire ---------------------------------------------- */

static void wire_records_are_read_to_the_letter(void **state)
{
#define WIRE(text)                                                                                                     \
	{                                                                                                              \
		text, sizeof(text) - 1                                                                                 \
	}
	static const struct {
		enum dns_type type;
		struct slice wire;
		const char *text; /* NULL: malformed */
		unsigned number;  /* preference or strings */
	} cases[] = {
	    {DNS_TXT, WIRE("\3one\0\4 two"), "one two", 3},
	    {DNS_TXT, WIRE("\0"), "", 1},
	    {DNS_TXT, WIRE(""), NULL, 0},
	    {DNS_TXT, WIRE("\4one"), NULL, 0},
	    {DNS_MX, WIRE("\0\012\2mx\4test\0"), "mx.test", 10},
	    {DNS_MX, WIRE("\0\0\0"), "", 0},
	    {DNS_MX, WIRE("\0"), NULL, 0},
	    {DNS_MX, WIRE("\0\012"), NULL, 0},
	    {DNS_MX, WIRE("\0\012\2mx\4test"), NULL, 0},
	    {DNS_MX, WIRE("\0\012\2mx\0trailing"), NULL, 0},
	    {DNS_MX, WIRE("\0\012\300\014"), NULL, 0}, /* compressed */
	    {DNS_PTR, WIRE("\5a.b\\\1\1\377\0"), "a\\.b\\\\\\001.\\255", 0},
	    {DNS_CNAME, WIRE("\3a b\0"), "a\\032b", 0},
	    {DNS_A, WIRE("\300\0\2"), NULL, 0},
	    {DNS_AAAA, WIRE("\300\0\2\1"), NULL, 0},
	};
	struct arena *arena = arena_new();
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dns_record record;
		assert_int_equal(rdata_read(cases[i].type, cases[i].wire, arena, &record), cases[i].text ? 0 : -1);
		if (!cases[i].text)
			continue;
		struct slice text = cases[i].type == DNS_TXT ? record.text : record.name;
		assert_string_equal(arena_cstring(arena, text), cases[i].text);
		assert_int_equal(cases[i].type == DNS_TXT ? record.strings : record.preference, cases[i].number);
	}
	struct dns_record record;
	struct ip ip;
	assert_int_equal(ip_parse(SLICE("192.0.2.1"), &ip), 0);
	assert_int_equal(rdata_read(DNS_A, (struct slice)WIRE("\300\0\2\1"), arena, &record), 0);
	assert_true(ip_equal(record.ip, ip));
	assert_int_equal(
	    rdata_read(DNS_AAAA, (struct slice)WIRE("\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\1"), arena, &record), 0);
	assert_true(ip_equal(record.ip, ip));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_lives_as_long_as_it_says_up_to_its_cap),
	    cmocka_unit_test(types_and_names_are_kept_apart),
	    cmocka_unit_test(what_was_known_is_served_stale_while_the_servers_fail),
	    cmocka_unit_test(stale_answers_end_after_a_day_however_often_they_are_served),
	    cmocka_unit_test(only_what_was_good_is_fallen_back_on_and_not_for_bogus),
	    cmocka_unit_test(who_cannot_wait_is_given_what_is_stale),
	    cmocka_unit_test(the_number_of_answers_is_bounded),
	    cmocka_unit_test(a_flood_of_new_names_leaves_what_is_in_use),
	    cmocka_unit_test(big_answers_share_a_bounded_room_and_leave_it),
	    cmocka_unit_test(a_cache_takes_memory_with_its_answers),
	    cmocka_unit_test(a_cache_grows_to_what_it_is_for_and_no_more),
	    cmocka_unit_test(the_form_goes_with_the_last_owner),
	    cmocka_unit_test(no_more_flights_than_the_most_are_under_way),
	    cmocka_unit_test(wire_records_are_read_to_the_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
