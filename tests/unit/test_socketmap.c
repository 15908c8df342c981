/*
 * test_socketmap.c - netstrings, and what is found in lists.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

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

static void table_requests_are_lines_with_get(void **state)
{
	static const struct {
		struct slice bytes;
		size_t frame;
	} cases[] = {
	    {SLICE("g"), 0},
	    {SLICE("get a@b.example"), 0},
	    {SLICE("get a@b.example\nget"), 16},
	    {SLICE("put a b\n"), 8},
	    {SLICE("GET / HTTP/1.1\r\n"), FRAME_INVALID},
	    {SLICE("\n"), FRAME_INVALID},
	    {SLICE("EHLO x\n"), FRAME_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (table_frame(cases[i].bytes) != cases[i].frame)
			fail_msg("case %zu", i);
}

static void table_keys_and_values_are_encoded(void **state)
{
	struct arena *arena = arena_new();
	struct text text;
	struct slice key;

	(void)state;
	assert_true(table_decode(SLICE("%22x%20y%22@b.example%2F"), arena, &key));
	assert_true(slice_equal(key, SLICE("\"x y\"@b.example/")));
	assert_false(table_decode(SLICE("a%2"), arena, &key));
	assert_false(table_decode(SLICE("a%zz"), arena, &key));
	text_init(&text, arena, 100);
	table_encode(&text, SLICE("\"x y\"%\xc3\xa9\n@b"));
	assert_true(slice_equal(text_slice(&text), SLICE("\"x%20y\"%25%c3%a9%0a@b")));
	arena_free(arena);
}

static void srs_maps_say_what_is_not_rewritten(void **state)
{
	static const struct {
		const char *map, *key;
		enum found found;
		const char *value;
	} cases[] = {
	    {"srs-forward", "<>", FOUND_NOTHING, "a sender of our own is not rewritten"},
	    {"srs-forward", "a@srs.example.org", FOUND_NOTHING, "a sender of our own is not rewritten"},
	    {"srs-forward", "a@own.example.org", FOUND_TROUBLE, "the list of own domains cannot be read now"},
	    {"srs_reverse", "a@own.example.org", FOUND_NOTHING, "not an SRS address of ours"},
	    {"srs-reverse", "SRS0=AAAA=AA=example.org=a@srs.example.org", FOUND_NOTHING,
	     "an SRS address with a wrong hash"},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice value;
		enum found found =
		    map_find(door_host_engine, slice_of(cases[i].map), slice_of(cases[i].key), arena, &value);

		if (found != cases[i].found || !slice_equal(value, slice_of(cases[i].value)))
			fail_msg("case %zu: %d %.*s", i, found, SLICE_ARGS(value));
	}
	arena_free(arena);
}

/* The name of a file with a secret. */
static const char *secret_file(void)
{
	static char path[64];
	int fd = memfd_create("secret", 0);

	if (fd < 0 || fchmod(fd, 0600) || write(fd, "secretone\n", 10) != 10)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

int main(void)
{
	char config[512];
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_netstring_has_its_length_and_its_comma),
	    cmocka_unit_test(a_key_is_found_as_what_it_is),
	    cmocka_unit_test(without_a_store_it_is_trouble_or_nothing_as_the_list_says),
	    cmocka_unit_test(table_requests_are_lines_with_get),
	    cmocka_unit_test(table_keys_and_values_are_encoded),
	    cmocka_unit_test(srs_maps_say_what_is_not_rewritten),
	};

	snprintf(config, sizeof(config),
		 "list recent dynamic:30m\nlist lax dynamic:30m on-failure skip\nlist owners file:/dev/null\n"
		 "srs { domain srs.example.org  secret-file %s  never-rewrite recent }\n",
		 secret_file());
	door_host_with(config);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
