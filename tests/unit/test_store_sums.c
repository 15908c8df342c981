/*
 * test_store_sums.c - sums of members in a store: added, listed page by page, forgotten, expired; each by memory:, by
 * lmdb:, and by lmdb: that is closed and opened between two questions.
 */
#include "store_scene.h"

static void add(struct scene *scene, const char *key, const char *member, uint64_t amount, int64_t life_us)
{
	const struct store_sum sum = {slice_of(key), slice_of(member), amount, life_us};
	size_t added;

	assert_int_equal(store_add(scene->store, &sum, 1, &added), STORE_OK);
	assert_int_equal(added, 1);
}

static struct store_page sums(struct scene *scene, const char *key, const char *after, size_t room)
{
	struct store_page page;

	assert_int_equal(store_flush(scene->store, clock_us() + 10 * SECOND), STORE_OK);
	assert_int_equal(store_sums(scene->store, slice_of(key), slice_of(after), room, scene->arena, &page), STORE_OK);
	return page;
}

static void sums_belong_to_members_of_a_key(void **state)
{
	struct scene *scene = *state;
	struct store_page page;
	struct store_item item;

	add(scene, "report:1", "b", 2, HOUR);
	add(scene, "report:1", "a", 1, HOUR);
	add(scene, "report:1", "b", UINT64_MAX - 3, HOUR);
	add(scene, "report:1", "b c", 7, HOUR);
	add(scene, "report:1:b", "a", 9, HOUR);
	add(scene, "report:12", "a", 9, HOUR);
	again(scene);
	add(scene, "report:1", "b", 3, HOUR); /* it stops */
	page = sums(scene, "report:1", "", 10);
	assert_int_equal(page.count, 3);
	assert_null(page.next.p);
	assert_true(slice_equal(page.items[0].key, SLICE("a")));
	assert_int_equal(page.items[0].kind, STORE_SUM);
	assert_int_equal(page.items[0].count, 1);
	assert_true(slice_equal(page.items[1].key, SLICE("b")));
	assert_true(page.items[1].count == UINT64_MAX);
	assert_true(slice_equal(page.items[2].key, SLICE("b c")));
	page = sums(scene, "report:1", "a", 1);
	assert_int_equal(page.count, 1);
	assert_true(slice_equal(page.items[0].key, SLICE("b")));
	assert_true(slice_equal(page.next, SLICE("b")));
	assert_int_equal(store_forget(scene->store, SLICE("report:1"), SLICE("b")), STORE_OK);
	assert_int_equal(store_forget(scene->store, SLICE("report:1"), SLICE("b")), STORE_ABSENT);
	assert_int_equal(sums(scene, "report:1", "", 10).count, 2);
	assert_int_equal(store_get(scene->store, SLICE("report:1 a"), scene->arena, &item), STORE_OK);
	assert_int_equal(item.count, 1);
}

/* In any order, each twice; then every third is forgotten, and the first of those comes back. */
static void many_sums_come_in_order_page_by_page(void **state)
{
	enum { COUNT = 700, PAGE = 7 };
	struct scene *scene = *state;
	struct store_page page = {.next = SLICE("")};
	char member[16];
	unsigned next = 0;

	for (unsigned i = 0; i < 2 * COUNT; i++) {
		snprintf(member, sizeof(member), "m%03u", i * 37 % COUNT);
		add(scene, "report:1", member, 1, HOUR);
		add(scene, i % 2 ? "report:0" : "report:2", member, 1, HOUR);
	}
	for (unsigned i = 0; i < COUNT; i += 3) {
		snprintf(member, sizeof(member), "m%03u", i);
		assert_int_equal(store_forget(scene->store, SLICE("report:1"), slice_of(member)), STORE_OK);
	}
	add(scene, "report:1", "m000", 2, HOUR);
	again(scene);
	do {
		char after[16];

		snprintf(after, sizeof(after), "%.*s", SLICE_ARGS(page.next));
		page = sums(scene, "report:1", after, PAGE);
		for (size_t i = 0; i < page.count; i++, next += next % 3 == 2 ? 2 : 1) {
			snprintf(member, sizeof(member), "m%03u", next);
			assert_true(slice_equal(page.items[i].key, slice_of(member)));
			assert_int_equal(page.items[i].count, 2);
		}
	} while (page.next.p);
	assert_int_equal(next, COUNT); /* the last one is forgotten */
}

/* Nobody asks for them: other sums must not take more memory each hour. */
static void memory_has_no_sums_that_have_expired(void **state)
{
	struct scene *scene = *state;
	struct store_counters counters;
	uint64_t first = 0;
	char member[32];

	for (unsigned hour = 0; hour < 20; hour++) {
		for (unsigned i = 0; i < 500; i++) {
			snprintf(member, sizeof(member), "m%u-%u", hour, i);
			add(scene, "report:1", member, 1, HOUR / 2);
		}
		store_counters(scene->store, &counters);
		first = hour == 0 ? counters.bytes : first;
		pass(HOUR);
	}
	assert_true(counters.bytes < 3 * first);
}

/* It is the longest that any addition asked for. */
static void a_sum_lives_as_long_as_asked(void **state)
{
	struct scene *scene = *state;

	add(scene, "k", "a", 1, 2 * HOUR);
	add(scene, "k", "a", 1, HOUR);
	add(scene, "k", "b", 1, HOUR);
	pass(HOUR + SECOND);
	assert_int_equal(sums(scene, "k", "", 10).count, 1);
	add(scene, "k", "b", 5, HOUR);
	assert_int_equal(sums(scene, "k", "a", 10).items[0].count, 5);
	pass(HOUR);
	assert_int_equal(sums(scene, "k", "", 10).count, 0);
}

/* Of many members, whose lives differ, nothing is left in the file. */
static void sums_that_have_expired_leave_the_file(void **state)
{
	struct scene *scene = *state;
	struct store_counters counters;
	char member[20];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(member, sizeof(member), "m%u", i);
		add(scene, "k", member, 1, HOUR + i * SECOND);
	}
	add(scene, "k2", "a", 1, 100 * HOUR);
	store_flush(scene->store, clock_us() + 10 * SECOND);
	store_counters(scene->store, &counters);
	assert_true(counters.keys >= 1001);
	for (unsigned tries = 0; tries < 100 && counters.keys > 4; tries++) {
		pass(tries ? 0 : 2 * HOUR);
		add(scene, "k2", "a", 1, 100 * HOUR);
		assert_int_equal(sums(scene, "k", "", 10).count, 0);
		store_counters(scene->store, &counters);
	}
	assert_true(counters.keys <= 4);
	assert_int_equal(sums(scene, "k2", "", 10).count, 1);
}

static void a_sum_out_of_bounds_is_invalid(void **state)
{
	static char text[STORE_KEY_MAX];
	const struct {
		struct store_sum sum;
		enum store_answer answer;
	} cases[] = {
	    {{SLICE("k"), {text, STORE_SUM_MAX - 1}, 1, HOUR}, STORE_OK},
	    {{SLICE("k"), {text, STORE_SUM_MAX}, 1, HOUR}, STORE_INVALID},
	    {{SLICE("k k"), SLICE("a"), 1, HOUR}, STORE_INVALID},
	    {{SLICE(""), SLICE("a"), 1, HOUR}, STORE_INVALID},
	    {{SLICE("k"), SLICE(""), 1, HOUR}, STORE_INVALID},
	    {{SLICE("k"), SLICE("a"), 1, 0}, STORE_INVALID},
	    {{SLICE("k"), SLICE("a"), 1, STORE_LIFE_MAX_US + 1}, STORE_INVALID},
	};
	struct scene *scene = *state;
	struct store_page page;
	size_t added;

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(store_add(scene->store, &cases[i].sum, 1, &added), cases[i].answer);
	assert_int_equal(store_sums(scene->store, SLICE("k k"), SLICE(""), 1, scene->arena, &page), STORE_INVALID);
	assert_int_equal(store_sums(scene->store, SLICE("k"), SLICE(""), 0, scene->arena, &page), STORE_INVALID);
	assert_int_equal(store_forget(scene->store, SLICE("k k"), SLICE("a")), STORE_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(sums_belong_to_members_of_a_key),
	    EACH(many_sums_come_in_order_page_by_page),
	    {"memory_has_no_sums_that_have_expired", memory_has_no_sums_that_have_expired, open_memory, close_scene,
	     NULL},
	    EACH(a_sum_lives_as_long_as_asked),
	    EACH(a_sum_out_of_bounds_is_invalid),
	    {"sums_that_have_expired_leave_the_file", sums_that_have_expired_leave_the_file, open_lmdb, close_scene,
	     NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
