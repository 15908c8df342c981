/*
 * test_store_values.c - keys of texts that anybody may have chosen; values of windows and sets that are damaged, as a
 * file may have them; a file that is read too early.
 */
#include "store_scene.h"

#include "../../filter/store/limit.h"
#include "../../filter/store/local.h"

/* ---- keys ------------------------------------------------------------------------ */

static void parts_cannot_be_mistaken_for_others(void **state)
{
	static const struct {
		struct slice parts[3];
		size_t count;
		const char *key;
	} cases[] = {
	    {{SLICE("limit"), SLICE("hourly"), SLICE("alice@example.org")}, 3, "limit:hourly:alice@example.org"},
	    {{SLICE("limit"), SLICE("a:b"), SLICE("c")}, 3, "limit:a%3Ab:c"},
	    {{SLICE("limit"), SLICE("a"), SLICE("b:c")}, 3, "limit:a:b:c"},
	    {{SLICE("net"), SLICE("2001:db8::/32")}, 2, "net:2001:db8::/32"},
	    {{SLICE("x"), SLICE("100%\r\n\0 \x7f")}, 2, "x:100%25%0D%0A%00%20%7F"},
	    {{SLICE("x"), SLICE("\xe9\x96\xa2")}, 2, "x:\xe9\x96\xa2"},
	    {{SLICE("x"), SLICE(""), SLICE("")}, 3, "x::"},
	    {{SLICE("")}, 1, ":"},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice key = store_key_parts(arena, cases[i].parts, cases[i].count);

		if (!slice_equal(key, slice_of(cases[i].key)))
			fail_msg("%.*s, not %s", SLICE_ARGS(key), cases[i].key);
	}
	arena_free(arena);
}

/* 10 KB of a login: bounded, and another for another login. */
static void long_texts_have_keys_too(void **state)
{
	static char text[10 * 1024];
	struct arena *arena = arena_new();
	struct slice parts[STORE_KEY_MAX], one, other;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t n = STORE_KEY_MAX - 8; n < STORE_KEY_MAX + 8; n++) {
		struct slice key = store_key(arena, SLICE("login"), ((struct slice){text, n - 6}));

		assert_int_equal(key.n, n <= STORE_KEY_MAX ? n : STORE_KEY_MAX);
	}
	one = store_key(arena, SLICE("login"), ((struct slice){text, sizeof(text)}));
	text[sizeof(text) - 1] = 'b';
	other = store_key(arena, SLICE("login"), ((struct slice){text, sizeof(text)}));
	assert_int_equal(one.n, STORE_KEY_MAX);
	assert_false(slice_equal(one, other));
	memset(text, '%', sizeof(text));
	assert_int_equal(store_key(arena, SLICE("x"), ((struct slice){text, sizeof(text)})).n, STORE_KEY_MAX);
	for (size_t i = 0; i < STORE_KEY_MAX; i++)
		parts[i] = i % 2 ? SLICE("") : SLICE("b");
	assert_int_equal(store_key_parts(arena, parts, STORE_KEY_MAX).n, STORE_KEY_MAX);
	for (size_t i = 0; i < STORE_KEY_MAX; i++)
		parts[i] = SLICE("");
	assert_int_equal(store_key_parts(arena, parts, STORE_KEY_MAX).n, STORE_KEY_MAX - 1);
	arena_free(arena);
}

/* ---- windows and sets --------------------------------------------------------------- */

static struct store_limit limit_of(const char *member)
{
	return (struct store_limit){
	    .key = SLICE("k"), .member = slice_of(member), .length_us = HOUR, .amount = 7, .hard = STORE_NO_LIMIT};
}

static struct slice taken(const struct store_limit *limit, struct slice value, struct arena *arena)
{
	struct limit_view view;
	struct limit_value next;
	struct slice copy;

	limit_look(limit, value, 1, START, &view);
	assert_true(view.fits);
	next = limit_take(limit, value, 1, START, &view);
	copy = arena_copy(arena, (struct slice){next.p, next.n});
	free(next.p);
	return copy;
}

/* Whatever the file says, it can be asked, taken from and given back to, and a good value comes of it. */
static void use(const struct store_limit *limit, struct slice value, struct arena *arena)
{
	struct limit_view view;
	struct limit_value next = limit_return(limit, value, 1, START, START);

	free(next.p);
	limit_look(limit, value, 1, START, &view);
	value = taken(limit, value, arena);
	limit_look(limit, value, 1, START, &view);
	assert_in_range(view.window.sum, 1, UINT64_MAX);
}

static void damaged_values_do_no_harm(void **state)
{
	struct arena *arena = arena_new();
	const char *const members[] = {NULL, "m"};
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct store_limit limit = limit_of(members[i % 2]);
		struct slice value = taken(&limit, SLICE(""), arena);
		char *bytes = (char *)value.p;

		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		bytes[(random >> 33) % value.n] = (char)(random >> 56);
		value.n -= (random >> 50) % 4 == 0 ? (random >> 40) % value.n : 0;
		use(&limit, value, arena);
		arena_reset(arena);
	}
	arena_free(arena);
}

/* A file from the future would otherwise block until then. */
static void a_count_of_the_future_does_not_count(void **state)
{
	const char *const members[] = {NULL, "m"};
	struct arena *arena = arena_new();

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct store_limit limit = limit_of(members[i]);
		struct slice value = taken(&limit, SLICE(""), arena);
		struct limit_view view;

		limit_look(&limit, value, 1, START - 3 * HOUR, &view);
		assert_int_equal(view.window.sum, 0);
		limit_look(&limit, value, 1, START, &view);
		assert_int_equal(view.window.sum, members[i] ? 1 : 7);
	}
	arena_free(arena);
}

static void a_window_is_small(void **state)
{
	struct store_limit limit = limit_of(NULL);
	struct arena *arena = arena_new();

	(void)state;
	assert_in_range(taken(&limit, SLICE(""), arena).n, 1, 16);
	arena_free(arena);
}

/* ---- reading a file without the lock -------------------------------------------------- */

/* A file of one record, which somebody else changes, writes and drops from memory while it is being read. */
static int times_loaded;

static int load_too_early(struct local *local, struct entry *const *entries, size_t count)
{
	struct entry *entry = entries[0];
	struct slice key = entry_key(entry);

	assert_int_equal(count, 1);
	entry_fill(entry, STORE_VALUE, times_loaded++ == 0 ? SLICE("old") : SLICE("new"), INT64_MAX);
	if (times_loaded > 1)
		return 0;
	table_insert(local->table, entry_new(key, entry->hash));
	for (int i = 0; i < 2; i++)
		table_sweep(local->table, table_shard(local->table, entry->hash), SIZE_MAX, START, true);
	return 0;
}

static bool always(struct local *local)
{
	(void)local;
	return true;
}

static void what_was_read_before_it_was_dropped_is_read_again(void **state)
{
	static const struct local_kind kind = {load_too_early, always, always, always};
	static const struct store_clock clock = {scene_wall_us, scene_steady_us};
	struct local local = {.kind = &kind, .table = table_new(true)};
	struct arena *arena = arena_new();
	struct store_item item;

	(void)state;
	ticker_init(&local.ticker, &clock, 0);
	assert_int_equal(local_get(&local, SLICE("k"), arena, &item), STORE_OK);
	assert_true(slice_equal(item.value, SLICE("new")));
	assert_int_equal(local_get(&local, SLICE("k"), arena, &item), STORE_OK);
	assert_int_equal(times_loaded, 2);
	table_free(local.table);
	ticker_free(&local.ticker);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parts_cannot_be_mistaken_for_others),
	    cmocka_unit_test(long_texts_have_keys_too),
	    cmocka_unit_test(damaged_values_do_no_harm),
	    cmocka_unit_test(a_count_of_the_future_does_not_count),
	    cmocka_unit_test(a_window_is_small),
	    cmocka_unit_test(what_was_read_before_it_was_dropped_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
