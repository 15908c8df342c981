/*
 * test_store.c - values in a store: put, read, deleted, expired, listed; leases; each by memory:, by lmdb:, and by
 * lmdb: that is closed and opened between two questions.
 */
#include "store_scene.h"

static void put(struct scene *scene, const char *key, const char *value, int64_t life_us)
{
	assert_int_equal(store_put(scene->store, slice_of(key), slice_of(value), life_us), STORE_OK);
	again(scene);
}

static void assert_value(struct scene *scene, const char *key, const char *value)
{
	struct store_item item;
	enum store_answer answer = store_get(scene->store, slice_of(key), scene->arena, &item);

	assert_int_equal(answer, value ? STORE_OK : STORE_ABSENT);
	if (value)
		assert_true(slice_equal(item.value, slice_of(value)));
}

/* ---- time -------------------------------------------------------------------------- */

static void what_expired_is_absent(void **state)
{
	struct scene *scene = *state;

	put(scene, "grey:x", "1", HOUR);
	pass(HOUR - 1);
	assert_value(scene, "grey:x", "1");
	pass(1);
	assert_value(scene, "grey:x", NULL);
	assert_int_equal(store_delete(scene->store, SLICE("grey:x")), STORE_ABSENT);
	assert_int_equal(store_put_absent(scene->store, SLICE("grey:x"), SLICE("2"), HOUR), STORE_OK);
	again(scene);
	assert_value(scene, "grey:x", "2");
}

/* The new life may be longer or shorter than the old one. */
static void a_value_lives_as_long_as_it_was_put_last(void **state)
{
	struct scene *scene = *state;

	put(scene, "k", "1", HOUR);
	put(scene, "k", "2", 3 * HOUR);
	pass(2 * HOUR);
	assert_value(scene, "k", "2");
	put(scene, "k", "3", SECOND);
	assert_value(scene, "k", "3");
	pass(SECOND);
	assert_value(scene, "k", NULL);
}

/* ---- values -------------------------------------------------------------------------- */

static void values_are_put_read_and_deleted(void **state)
{
	struct scene *scene = *state;
	struct store_item item;

	assert_value(scene, "block:alice", NULL);
	assert_int_equal(store_delete(scene->store, SLICE("block:alice")), STORE_ABSENT);
	put(scene, "block:alice", "spam", HOUR);
	put(scene, "block:alice", "stolen", 2 * HOUR);
	assert_value(scene, "block:alice", "stolen");
	assert_int_equal(store_get(scene->store, SLICE("block:alice"), scene->arena, &item), STORE_OK);
	assert_true(slice_equal(item.key, SLICE("block:alice")));
	assert_int_equal(item.life_us, 2 * HOUR);
	assert_int_equal(store_delete(scene->store, SLICE("block:alice")), STORE_OK);
	again(scene);
	assert_value(scene, "block:alice", NULL);
	put(scene, "empty", "", HOUR);
	assert_value(scene, "empty", "");
}

static void a_value_is_put_once(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(store_put_absent(scene->store, SLICE("note"), SLICE("1"), HOUR), STORE_OK);
	again(scene);
	assert_int_equal(store_put_absent(scene->store, SLICE("note"), SLICE("2"), HOUR), STORE_EXISTS);
	again(scene);
	assert_value(scene, "note", "1");
}

static void a_value_is_replaced_only_if_it_is_what_was_read(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(store_replace(scene->store, SLICE("peak"), SLICE(""), SLICE("1"), HOUR), STORE_EXISTS);
	assert_value(scene, "peak", NULL);
	put(scene, "peak", "1", HOUR);
	assert_int_equal(store_replace(scene->store, SLICE("peak"), SLICE("0"), SLICE("2"), HOUR), STORE_EXISTS);
	assert_int_equal(store_replace(scene->store, SLICE("peak"), SLICE(""), SLICE("2"), HOUR), STORE_EXISTS);
	again(scene);
	assert_value(scene, "peak", "1");
	assert_int_equal(store_replace(scene->store, SLICE("peak"), SLICE("1"), SLICE("2"), 2 * HOUR), STORE_OK);
	again(scene);
	pass(HOUR);
	assert_value(scene, "peak", "2");
	pass(HOUR);
	assert_int_equal(store_replace(scene->store, SLICE("peak"), SLICE("2"), SLICE("3"), HOUR), STORE_EXISTS);
	assert_int_equal(store_replace(scene->store, SLICE(""), SLICE("2"), SLICE("3"), HOUR), STORE_INVALID);
}

/* A new one, one of which enough is left, one of which too little is left, and one of another kind. */
static void values_are_renewed_together(void **state)
{
	static const char *const names[] = {"new", "long", "short", "count"};
	static const int64_t lives[] = {9 * HOUR, 6 * HOUR, 9 * HOUR, 9 * HOUR};
	struct scene *scene = *state;
	struct store_limit limit = {.key = SLICE("count"), .length_us = HOUR, .amount = 1, .hard = STORE_NO_LIMIT};
	struct slice keys[STORE_RENEW_MAX + 1];
	struct store_usage usage;
	struct store_item item;

	put(scene, "long", "old", 6 * HOUR);
	put(scene, "short", "old", 5 * HOUR - 1);
	assert_int_equal(store_reserve(scene->store, &limit, 1, &usage), STORE_OK);
	for (size_t i = 0; i < 4; i++)
		keys[i] = slice_of(names[i]);
	assert_int_equal(store_renew(scene->store, keys, 4, SLICE("renewed"), 9 * HOUR, 5 * HOUR), STORE_OK);
	again(scene);
	for (size_t i = 0; i < 4; i++) {
		assert_value(scene, names[i], i == 1 ? "old" : "renewed");
		assert_int_equal(store_get(scene->store, keys[i], scene->arena, &item), STORE_OK);
		assert_int_equal(item.life_us, lives[i]);
	}
	for (size_t i = 0; i <= STORE_RENEW_MAX; i++)
		keys[i] = arena_printf(scene->arena, "many:%zu", i);
	assert_int_equal(store_renew(scene->store, keys, STORE_RENEW_MAX, SLICE(""), HOUR, 0), STORE_OK);
	assert_value(scene, "many:99", "");
	assert_int_equal(store_renew(scene->store, keys, STORE_RENEW_MAX + 1, SLICE(""), HOUR, 0), STORE_INVALID);
	assert_int_equal(store_renew(scene->store, keys, 0, SLICE(""), HOUR, 0), STORE_INVALID);
	assert_int_equal(store_renew(scene->store, keys, 1, SLICE(""), HOUR, HOUR + 1), STORE_INVALID);
	keys[1] = SLICE("");
	assert_int_equal(store_renew(scene->store, keys, 2, SLICE(""), HOUR, 0), STORE_INVALID);
}

static void keys_and_values_are_any_bytes(void **state)
{
	struct scene *scene = *state;
	char bytes[STORE_VALUE_MAX + 1];
	struct store_item item;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	for (size_t n = 1; n <= STORE_KEY_MAX; n += 479) {
		struct slice key = {bytes, n}, value = {bytes, STORE_VALUE_MAX};

		assert_int_equal(store_put(scene->store, key, value, HOUR), STORE_OK);
		again(scene);
		assert_int_equal(store_get(scene->store, key, scene->arena, &item), STORE_OK);
		assert_true(slice_equal(item.key, key) && slice_equal(item.value, value));
	}
}

static void what_is_out_of_bounds_is_invalid(void **state)
{
	struct scene *scene = *state;
	static char bytes[STORE_VALUE_MAX + 1];
	struct slice key = SLICE("k"), value = SLICE("v"), long_key = {bytes, STORE_KEY_MAX + 1};
	struct store_limit limits[STORE_LIMITS_MAX + 1], twice[2] = {hourly(1, 1), hourly(1, 1)};
	struct store_usage usage[STORE_LIMITS_MAX + 1];
	struct store_page page;
	struct store *store = scene->store;

	assert_int_equal(store_put(store, SLICE(""), value, HOUR), STORE_INVALID);
	assert_int_equal(store_put(store, long_key, value, HOUR), STORE_INVALID);
	assert_int_equal(store_put(store, key, (struct slice){bytes, STORE_VALUE_MAX + 1}, HOUR), STORE_INVALID);
	assert_int_equal(store_put(store, key, value, 0), STORE_INVALID);
	assert_int_equal(store_put(store, key, value, -1), STORE_INVALID);
	assert_int_equal(store_put(store, key, value, STORE_LIFE_MAX_US + 1), STORE_INVALID);
	assert_int_equal(store_put(store, key, value, STORE_LIFE_MAX_US), STORE_OK);
	assert_int_equal(store_get(store, SLICE(""), scene->arena, NULL), STORE_INVALID);
	assert_int_equal(store_delete(store, long_key), STORE_INVALID);
	for (size_t i = 0; i < STORE_LIMITS_MAX + 1; i++) {
		limits[i] = hourly(1, 1);
		limits[i].key = (struct slice){bytes, i + 1};
	}
	assert_int_equal(store_reserve(store, limits, 0, usage), STORE_INVALID);
	assert_int_equal(store_reserve(store, limits, STORE_LIMITS_MAX + 1, usage), STORE_INVALID);
	assert_int_equal(store_reserve(store, limits, STORE_LIMITS_MAX, usage), STORE_OK);
	assert_int_equal(store_reserve(store, twice, 2, usage), STORE_INVALID);
	limits[0].length_us = 0;
	assert_int_equal(store_reserve(store, limits, 1, usage), STORE_INVALID);
	limits[0].length_us = 100 * 365 * STORE_DAY_US;
	assert_int_equal(store_reserve(store, limits, 1, usage), STORE_INVALID);
	assert_int_equal(store_release(store, limits, 1, usage), STORE_INVALID);
	assert_int_equal(store_scan(store, key, SLICE(""), 0, scene->arena, &page), STORE_INVALID);
	assert_int_equal(store_scan(store, key, SLICE(""), STORE_SCAN_MAX + 1, scene->arena, &page), STORE_INVALID);
}

static void a_key_of_another_kind_is_not_a_limit(void **state)
{
	struct scene *scene = *state;
	struct store_usage usage;
	struct store_limit set = hourly(1, 10);

	set.member = SLICE("m");
	put(scene, "limit:hourly:alice", "what", HOUR);
	assert_int_equal(reserve(scene, hourly(1, 10), &usage), STORE_INVALID);
	assert_value(scene, "limit:hourly:alice", "what");
	pass(HOUR);
	assert_int_equal(reserve(scene, hourly(1, 10), &usage), STORE_OK);
	assert_int_equal(reserve(scene, set, &usage), STORE_INVALID);
	assert_int_equal(counted(scene, hourly(1, 10)), 1);
}

/* ---- leases ----------------------------------------------------------------------------- */

static void take(struct scene *scene, const char *holder, int64_t life_us, enum store_answer expected)
{
	assert_int_equal(store_lease_take(scene->store, SLICE("lease:reports"), slice_of(holder), life_us), expected);
	again(scene);
}

static void let_go(struct scene *scene, const char *holder, enum store_answer expected)
{
	assert_int_equal(store_lease_release(scene->store, SLICE("lease:reports"), slice_of(holder)), expected);
	again(scene);
}

static void a_lease_has_one_holder_until_it_ends(void **state)
{
	struct scene *scene = *state;

	let_go(scene, "a", STORE_ABSENT);
	take(scene, "a", HOUR, STORE_OK);
	take(scene, "b", HOUR, STORE_EXISTS);
	assert_value(scene, "lease:reports", "a");
	let_go(scene, "b", STORE_EXISTS);
	take(scene, "b", HOUR, STORE_EXISTS);
	let_go(scene, "a", STORE_OK);
	let_go(scene, "a", STORE_ABSENT);
	take(scene, "b", HOUR, STORE_OK);
	pass(HOUR);
	let_go(scene, "b", STORE_ABSENT);
	take(scene, "a", HOUR, STORE_OK);
	take(scene, "ab", HOUR, STORE_EXISTS);
}

/* What counts is the life of the last taking, be it shorter or longer. */
static void a_lease_is_renewed_by_its_holder_only(void **state)
{
	struct scene *scene = *state;

	take(scene, "a", HOUR, STORE_OK);
	pass(HOUR / 2);
	take(scene, "a", HOUR, STORE_OK);
	take(scene, "b", 9 * HOUR, STORE_EXISTS);
	pass(HOUR - 1);
	take(scene, "b", HOUR, STORE_EXISTS);
	take(scene, "a", SECOND, STORE_OK);
	pass(SECOND);
	take(scene, "b", HOUR, STORE_OK);
}

static void a_lease_out_of_bounds_is_invalid(void **state)
{
	struct scene *scene = *state;
	static char bytes[STORE_KEY_MAX + 1];
	struct slice key = SLICE("limit:hourly:alice"), holder = SLICE("a");
	struct store_usage usage;

	assert_int_equal(store_lease_take(scene->store, SLICE(""), holder, HOUR), STORE_INVALID);
	assert_int_equal(store_lease_take(scene->store, (struct slice){bytes, sizeof(bytes)}, holder, HOUR),
			 STORE_INVALID);
	assert_int_equal(store_lease_take(scene->store, key, SLICE(""), HOUR), STORE_INVALID);
	assert_int_equal(store_lease_take(scene->store, key, (struct slice){bytes, STORE_HOLDER_MAX + 1}, HOUR),
			 STORE_INVALID);
	assert_int_equal(store_lease_take(scene->store, key, holder, 0), STORE_INVALID);
	assert_int_equal(store_lease_take(scene->store, key, holder, STORE_LIFE_MAX_US + 1), STORE_INVALID);
	assert_int_equal(store_lease_release(scene->store, key, SLICE("")), STORE_INVALID);
	assert_int_equal(store_lease_release(scene->store, SLICE(""), holder), STORE_INVALID);
	assert_int_equal(reserve(scene, hourly(2, 10), &usage), STORE_OK);
	assert_int_equal(store_lease_take(scene->store, key, holder, HOUR), STORE_INVALID);
	assert_int_equal(store_lease_release(scene->store, key, holder), STORE_INVALID);
	assert_int_equal(counted(scene, hourly(1, 10)), 2);
}

/* ---- pages ------------------------------------------------------------------------------ */

/* All keys with the prefix, joined by blanks; also writes while it reads. */
static struct slice scan(struct scene *scene, const char *prefix, size_t room)
{
	struct store_page page = {.next = SLICE("")};
	struct text text;

	text_init(&text, scene->arena, 10000);
	do {
		assert_int_equal(store_scan(scene->store, slice_of(prefix), page.next, room, scene->arena, &page),
				 STORE_OK);
		assert_true(page.count <= room);
		for (size_t i = 0; i < page.count; i++)
			text_printf(&text, "%.*s ", SLICE_ARGS(page.items[i].key));
		assert_int_equal(store_put(scene->store, SLICE("a:0"), SLICE("before"), HOUR), STORE_OK);
	} while (page.next.p);
	return text_slice(&text);
}

static void keys_are_listed_by_prefix(void **state)
{
	struct scene *scene = *state;
	struct store_usage usage;

	for (int i = 0; i < 25; i++) {
		char key[8];

		snprintf(key, sizeof(key), "a:%d", i);
		assert_int_equal(store_put(scene->store, slice_of(key), SLICE("v"), i < 20 ? HOUR : SECOND), STORE_OK);
	}
	put(scene, "a", "v", HOUR);
	put(scene, "b:1", "v", HOUR);
	put(scene, "\xff\xff", "v", HOUR);
	reserve(scene, hourly(3, 10), &usage);
	pass(SECOND);
	assert_int_equal(store_delete(scene->store, SLICE("a:5")), STORE_OK);
	for (size_t room = 1; room <= 64; room *= 4) {
		assert_true(slice_equal(scan(scene, "a:1", room), SLICE("a:1 a:10 a:11 a:12 a:13 a:14 a:15 a:16 a:17 "
									"a:18 a:19 ")));
		assert_true(slice_equal(scan(scene, "a:", room), SLICE("a:0 a:1 a:10 a:11 a:12 a:13 a:14 a:15 a:16 "
								       "a:17 a:18 a:19 a:2 a:3 a:4 a:6 a:7 a:8 a:9 ")));
		assert_true(slice_equal(scan(scene, "\xff", room), SLICE("\xff\xff ")));
		assert_true(slice_equal(scan(scene, "none", room), SLICE("")));
		assert_true(slice_starts_nocase(scan(scene, "", room), SLICE("a a:0 a:1 ")));
		assert_true(slice_ends_nocase(scan(scene, "", room), SLICE(" b:1 limit:hourly:alice \xff\xff ")));
	}
}

static void a_page_says_kind_count_and_life(void **state)
{
	struct scene *scene = *state;
	struct store_usage usage;
	struct store_page page;

	reserve(scene, hourly(3, 10), &usage);
	pass(120 * SECOND);
	assert_int_equal(store_scan(scene->store, SLICE("limit:"), SLICE(""), 10, scene->arena, &page), STORE_OK);
	assert_int_equal(page.count, 1);
	assert_null(page.next.p);
	assert_int_equal(page.items[0].kind, STORE_WINDOW);
	assert_int_equal(page.items[0].count, 3);
	assert_true(page.items[0].life_us > 56 * 60 * SECOND && page.items[0].life_us <= 58 * 60 * SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(what_expired_is_absent),
	    EACH(a_value_lives_as_long_as_it_was_put_last),
	    EACH(values_are_put_read_and_deleted),
	    EACH(a_value_is_put_once),
	    EACH(a_value_is_replaced_only_if_it_is_what_was_read),
	    EACH(values_are_renewed_together),
	    EACH(keys_and_values_are_any_bytes),
	    EACH(what_is_out_of_bounds_is_invalid),
	    EACH(a_key_of_another_kind_is_not_a_limit),
	    EACH(a_lease_has_one_holder_until_it_ends),
	    EACH(a_lease_is_renewed_by_its_holder_only),
	    EACH(a_lease_out_of_bounds_is_invalid),
	    EACH(keys_are_listed_by_prefix),
	    EACH(a_page_says_kind_count_and_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
