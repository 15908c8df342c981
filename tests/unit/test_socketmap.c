/*
 * test_socketmap.c - netstrings, and what is found in lists.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fuzz/door_host.h"
#include "../../filter/doors/socketmap/socketmap_private.h"

static void a_netstring_has_its_length_and_its_comma(void **state)
{
	static const struct {
		struct slice bytes;
		size_t frame;
	} cases[] = {
	    {SLICE(""), 0},
	    {SLICE("3"), 0},
	    {SLICE("3:a b"), 0},
	    {SLICE("3:a b,"), 6},
	    {SLICE("3:a b,3:"), 6},
	    {SLICE("0:,"), 3},
	    {SLICE("3:a bc"), FRAME_INVALID},
	    {SLICE(":a"), FRAME_INVALID},
	    {SLICE("-1:a,"), FRAME_INVALID},
	    {SLICE("03:abc,"), FRAME_INVALID},
	    {SLICE("99999999999999999999999999"), FRAME_INVALID},
	    {SLICE("GET / HTTP/1.1\r\n"), FRAME_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (netstring_frame(cases[i].bytes) != cases[i].frame)
			fail_msg("case %zu", i);
	assert_true(slice_equal(netstring_content(SLICE("3:a b,")), SLICE("a b")));
}

static void a_key_is_found_as_what_it_is(void **state)
{
	static const struct {
		const char *map, *key;
		enum found found;
		const char *value;
	} cases[] = {
	    {"recent", "192.0.2.1", FOUND, "OK"},
	    {"recent", "Connect:192.0.2.1", FOUND, "RELAY"},
	    {"recent", "connect:192.0.2.1", FOUND, "RELAY"},
	    {"recent", "Connect:IPv6:2001:db8::1", FOUND, "RELAY"},
	    {"recent", "2001:db8::1", FOUND, "OK"},
	    {"recent", "192.0.2", FOUND_NOTHING, NULL},
	    {"recent", "192.0.2.2", FOUND_NOTHING, NULL},
	    {"recent", "From:alice@example.org", FOUND_NOTHING, NULL},
	    {"recent", "Alice@example.org", FOUND, "OK"},
	    {"recent", "bob@example.org", FOUND_NOTHING, NULL},
	    {"recent", "a.example.net", FOUND, "OK"},
	    {"recent", "IPv6:garbage", FOUND_NOTHING, NULL},
	    {"recent", "", FOUND_NOTHING, NULL},
	    {"nothing", "192.0.2.1", FOUND_NO_MAP, "no list is named nothing"},
	    {"owners", "alice", FOUND_NO_MAP, "no list is named owners"},
	};
	struct arena *arena = arena_new();

	(void)state;
	door_host_list("recent", "192.0.2.1");
	door_host_list("recent", "2001:db8::/32");
	door_host_list("recent", "alice@example.org");
	door_host_list("recent", ".example.net");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice value;
		enum found found =
		    map_find(door_host_engine, slice_of(cases[i].map), slice_of(cases[i].key), arena, &value);

		if (found != cases[i].found || (cases[i].value && !slice_equal(value, slice_of(cases[i].value))))
			fail_msg("case %zu: %d %.*s", i, found, SLICE_ARGS(value));
	}
	arena_free(arena);
}

static void without_a_store_it_is_trouble_or_nothing_as_the_list_says(void **state)
{
	struct arena *arena = arena_new();
	struct slice value;

	(void)state;
	engine_lend_store(door_host_engine, NULL);
	assert_int_equal(map_find(door_host_engine, SLICE("recent"), SLICE("192.0.2.1"), arena, &value), FOUND_TROUBLE);
	assert_int_equal(map_find(door_host_engine, SLICE("lax"), SLICE("192.0.2.1"), arena, &value), FOUND_NOTHING);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_netstring_has_its_length_and_its_comma),
	    cmocka_unit_test(a_key_is_found_as_what_it_is),
	    cmocka_unit_test(without_a_store_it_is_trouble_or_nothing_as_the_list_says),
	};

	door_host_with("list recent dynamic:30m\nlist lax dynamic:30m on-failure skip\nlist owners file:/dev/null\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
