/*
 * test_store_limit.c - reservations in windows and of distinct members, by memory:, by lmdb:, and by lmdb: that is
 * closed and opened between two questions.
 */
#include "store_scene.h"

/* ---- limits --------------------------------------------------------------------- */

static void a_limit_is_reached_exactly(void **state)
{
	struct scene *scene = *state;
	struct store_usage usage;

	assert_int_equal(reserve(scene, hourly(90, 100), &usage), STORE_OK);
	assert_int_equal(usage.count, 90);
	assert_int_equal(usage.wait_us, 0);
	assert_int_equal(reserve(scene, hourly(11, 100), &usage), STORE_OVER);
	assert_int_equal(usage.count, 90);
	assert_true(usage.wait_us > 59 * HOUR / 60 - SECOND && usage.wait_us <= HOUR);
	assert_int_equal(reserve(scene, hourly(10, 100), &usage), STORE_OK);
	assert_int_equal(reserve(scene, hourly(1, 100), &usage), STORE_OVER);
	assert_int_equal(counted(scene, hourly(1, 100)), 100);
}

static void what_is_released_can_be_reserved_again(void **state)
{
	struct scene *scene = *state;
	struct store_usage first, second, third;
	struct store_limit limit = hourly(60, 100);

	assert_int_equal(reserve(scene, limit, &first), STORE_OK);
	pass(10 * 60 * SECOND);
	assert_int_equal(reserve(scene, hourly(40, 100), &second), STORE_OK);
	assert_int_equal(store_release(scene->store, &limit, 1, &first), STORE_OK);
	again(scene);
	assert_int_equal(counted(scene, limit), 40);
	assert_int_equal(reserve(scene, limit, &third), STORE_OK);
	assert_int_equal(reserve(scene, limit, &third), STORE_OVER);
	pass(51 * 60 * SECOND);
	assert_int_equal(counted(scene, limit), 100);
	assert_int_equal(store_release(scene->store, &limit, 1, &second), STORE_OK); /* limit says 60 */
	assert_int_equal(counted(scene, limit), 40);
	pass(9 * 60 * SECOND);
	assert_int_equal(store_release(scene->store, &limit, 1, &third), STORE_OK); /* out of the window */
	assert_int_equal(counted(scene, limit), 0);
}

static void a_key_whose_reservations_were_all_released_is_absent(void **state)
{
	struct scene *scene = *state;
	struct store_usage usage;
	struct store_limit limit = hourly(3, 5);
	struct store_item item;

	assert_int_equal(reserve(scene, limit, &usage), STORE_OK);
	assert_int_equal(store_release(scene->store, &limit, 1, &usage), STORE_OK);
	again(scene);
	assert_int_equal(store_get(scene->store, limit.key, scene->arena, &item), STORE_ABSENT);
}

static void several_limits_are_reserved_together_or_not_at_all(void **state)
{
	struct scene *scene = *state;
	struct store_limit limits[3] = {hourly(1, 10), hourly(1, 2), hourly(1, STORE_NO_LIMIT)};
	struct store_usage usage[3];

	limits[1].key = SLICE("limit:minute:alice");
	limits[1].length_us = 60 * SECOND;
	limits[2].key = SLICE("limit:daily:alice");
	limits[2].length_us = STORE_DAY_US;
	for (int i = 0; i < 2; i++, again(scene))
		assert_int_equal(store_reserve(scene->store, limits, 3, usage), STORE_OK);
	assert_int_equal(store_reserve(scene->store, limits, 3, usage), STORE_OVER);
	again(scene);
	assert_true(usage[0].wait_us == 0 && usage[1].wait_us > 0 && usage[2].wait_us == 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(counted(scene, limits[i]), 2);
	assert_int_equal(store_release(scene->store, limits, 3, usage), STORE_OK);
}

/* 60 slots: never less than 59 minutes, never more than an hour. */
static void the_window_slides(void **state)
{
	struct scene *scene = *state;
	struct store_limit one = hourly(1, 60);
	struct store_usage usage;

	for (int minute = 0; minute < 60; minute++) {
		assert_int_equal(store_reserve(scene->store, &one, 1, &usage), STORE_OK);
		pass(60 * SECOND);
	}
	for (int minute = 0; minute < 200; minute++) {
		assert_in_range(counted(scene, one), 59, 60);
		while (store_reserve(scene->store, &one, 1, &usage) == STORE_OK)
			;
		assert_true(usage.wait_us > 0 && usage.wait_us <= 60 * SECOND);
		pass(usage.wait_us - 1);
		assert_int_equal(store_reserve(scene->store, &one, 1, &usage), STORE_OVER);
		pass(1);
		if (minute % 40 == 0)
			again(scene);
	}
}

static void a_window_that_changes_its_length_keeps_what_it_counted(void **state)
{
	struct scene *scene = *state;
	struct store_limit longer = hourly(5, 10), shorter = hourly(5, 10);
	struct store_usage usage;

	longer.length_us = 24 * HOUR;
	shorter.length_us = 60 * SECOND;
	assert_int_equal(reserve(scene, hourly(5, 10), &usage), STORE_OK);
	pass(50 * 60 * SECOND);
	assert_int_equal(reserve(scene, longer, &usage), STORE_OK);
	assert_int_equal(usage.count, 10);
	assert_int_equal(reserve(scene, longer, &usage), STORE_OVER);
	pass(2 * 60 * SECOND);
	assert_int_equal(reserve(scene, shorter, &usage), STORE_OK);
	assert_int_equal(usage.count, 5);
}

static void a_count_does_not_overflow(void **state)
{
	struct scene *scene = *state;
	struct store_usage usage;

	assert_int_equal(reserve(scene, hourly(UINT64_MAX - 1, STORE_NO_LIMIT), &usage), STORE_OK);
	assert_int_equal(reserve(scene, hourly(5, STORE_NO_LIMIT), &usage), STORE_OVER);
	assert_int_equal(reserve(scene, hourly(5, UINT64_MAX - 7), &usage), STORE_OVER);
	assert_int_equal(reserve(scene, hourly(5, 4), &usage), STORE_OVER);
	assert_int_equal(usage.wait_us, HOUR);
	assert_int_equal(usage.count, UINT64_MAX - 1);
}

static struct store_limit recipient(const char *member, uint64_t hard)
{
	struct store_limit limit = hourly(1, hard);

	limit.key = SLICE("distinct:alice");
	limit.member = slice_of(member);
	return limit;
}

static void members_count_once(void **state)
{
	struct scene *scene = *state;
	struct store_usage usage;
	struct store_item item;

	assert_int_equal(reserve(scene, recipient("a@example.org", 2), &usage), STORE_OK);
	assert_int_equal(reserve(scene, recipient("b@example.org", 2), &usage), STORE_OK);
	assert_int_equal(usage.count, 2);
	assert_int_equal(reserve(scene, recipient("c@example.org", 2), &usage), STORE_OVER);
	assert_true(usage.wait_us > 0);
	assert_int_equal(reserve(scene, recipient("a@example.org", 2), &usage), STORE_OK);
	assert_int_equal(usage.count, 2);
	assert_int_equal(store_get(scene->store, SLICE("distinct:alice"), scene->arena, &item), STORE_OK);
	assert_int_equal(item.kind, STORE_DISTINCT);
	assert_int_equal(item.count, 2);
}

/* A member is forgotten a window after it was seen last, not first. */
static void members_slide(void **state)
{
	struct scene *scene = *state;
	struct store_usage usage;

	reserve(scene, recipient("a", 2), &usage);
	reserve(scene, recipient("b", 2), &usage);
	pass(HOUR / 2);
	reserve(scene, recipient("a", 2), &usage);
	pass(HOUR / 2);
	assert_int_equal(reserve(scene, recipient("c", 2), &usage), STORE_OK);
	assert_int_equal(usage.count, 2);
	assert_int_equal(reserve(scene, recipient("b", 2), &usage), STORE_OVER);
}

static void a_member_stays_until_its_last_reservation_is_released(void **state)
{
	struct scene *scene = *state;
	struct store_limit limit = recipient("a", 1);
	struct store_usage first, second, other;

	assert_int_equal(reserve(scene, limit, &first), STORE_OK);
	assert_int_equal(reserve(scene, limit, &second), STORE_OK);
	assert_int_equal(store_release(scene->store, &limit, 1, &first), STORE_OK);
	again(scene);
	assert_int_equal(reserve(scene, recipient("b", 1), &other), STORE_OVER);
	assert_int_equal(store_release(scene->store, &limit, 1, &second), STORE_OK);
	again(scene);
	assert_int_equal(reserve(scene, recipient("b", 1), &other), STORE_OK);
}

static void a_set_has_a_bound(void **state)
{
	struct scene *scene = *state;
	struct store_usage usage;
	char member[16];

	for (int i = 0; i < STORE_DISTINCT_MAX; i++) {
		struct store_limit limit;

		snprintf(member, sizeof(member), "m%d", i);
		limit = recipient(member, STORE_NO_LIMIT);
		assert_int_equal(store_reserve(scene->store, &limit, 1, &usage), STORE_OK);
		assert_int_equal(usage.count, i + 1);
	}
	again(scene);
	assert_int_equal(reserve(scene, recipient("more", STORE_NO_LIMIT), &usage), STORE_OK);
	assert_int_equal(usage.count, STORE_DISTINCT_MAX);
	assert_int_equal(reserve(scene, recipient("more", 2 * STORE_DISTINCT_MAX), &usage), STORE_OVER);
	assert_true(usage.wait_us > 0);
	assert_int_equal(reserve(scene, recipient("m5", 2 * STORE_DISTINCT_MAX), &usage), STORE_OK);
}

/* A backend may have a shorter way for one window alone: it must count as that for several. One key is asked about
 * alone, its twin with another key beside it. */
static void a_limit_alone_is_counted_as_one_of_several(void **state)
{
	static const int64_t lengths[] = {HOUR, HOUR, HOUR, 2 * HOUR, 60 * SECOND};
	static const uint64_t amounts[] = {0, 1, 1, 1, 7, UINT32_MAX, UINT32_MAX + UINT64_C(1), UINT64_MAX / 2};
	static const int64_t steps[] = {0, 1, 30 * SECOND, 60 * SECOND, 61 * SECOND, 7 * 60 * SECOND, HOUR, 3 * HOUR};
	struct scene *scene = *state;
	struct store_limit kept[8];
	struct store_usage kept_usage[8][2];
	unsigned random = 4711, saved = 0;

	for (int i = 0; i < 3000; i++) {
		struct store_limit alone = {.key = SLICE("twin:a"), .length_us = lengths[0]},
				   both[2] = {{.key = SLICE("twin:b")}, {.key = SLICE("other"), .length_us = HOUR}};
		struct store_usage usage, usages[2];
		enum store_answer answer;

		random = random * 1103515245 + 12345;
		alone.length_us = (random >> 8) % 40 ? HOUR : lengths[(random >> 16) % 5];
		alone.amount = amounts[(random >> 12) % ((random >> 28) ? 5 : 8)];
		alone.hard = (random >> 20) % 8 ? STORE_NO_LIMIT : 20 + (random >> 24) % 40;
		pass(steps[(random >> 16) % ((random >> 26) % 16 ? 5 : 8)]);
		both[0] = alone;
		both[0].key = SLICE("twin:b");
		both[1].hard = STORE_NO_LIMIT;
		answer = store_reserve(scene->store, &alone, 1, &usage);
		assert_int_equal(store_reserve(scene->store, both, 2, usages), answer);
		assert_int_equal(usage.count, usages[0].count);
		assert_int_equal(usage.wait_us, usages[0].wait_us);
		if (answer == STORE_OK && alone.amount > 0 && saved < 8) {
			kept[saved] = alone;
			kept_usage[saved][0] = usage;
			kept_usage[saved++][1] = usages[0];
		} else if (saved == 8 && (random >> 20) % 16 == 0) {
			while (saved-- > 0) {
				store_release(scene->store, &kept[saved], 1, &kept_usage[saved][0]);
				kept[saved].key = SLICE("twin:b");
				store_release(scene->store, &kept[saved], 1, &kept_usage[saved][1]);
			}
			saved = 0;
		}
	}
}

/* ---- time -------------------------------------------------------------------------- */

static void a_wall_clock_that_is_set_changes_nothing(void **state)
{
	static const int64_t steps[] = {-HOUR, HOUR, -365 * STORE_DAY_US, 365 * STORE_DAY_US};
	struct scene *scene = *state;
	struct store_usage usage;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(store_reserve(scene->store,
					       &(struct store_limit){
						   .key = SLICE("w"), .length_us = HOUR, .amount = 100, .hard = 100},
					       1, &usage),
				 STORE_OK);
		scene_wall += steps[i];
		pass(58 * 60 * SECOND);
		assert_int_equal(
		    store_reserve(scene->store,
				  &(struct store_limit){.key = SLICE("w"), .length_us = HOUR, .amount = 1, .hard = 100},
				  1, &usage),
		    STORE_OVER);
		assert_true(usage.wait_us <= 2 * 60 * SECOND);
		pass(2 * 60 * SECOND);
	}
	scene_wall = START + scene_steady;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(a_limit_is_reached_exactly),
	    EACH(what_is_released_can_be_reserved_again),
	    EACH(a_key_whose_reservations_were_all_released_is_absent),
	    EACH(several_limits_are_reserved_together_or_not_at_all),
	    EACH(the_window_slides),
	    EACH(a_window_that_changes_its_length_keeps_what_it_counted),
	    EACH(a_count_does_not_overflow),
	    EACH(members_count_once),
	    EACH(members_slide),
	    EACH(a_member_stays_until_its_last_reservation_is_released),
	    EACH(a_set_has_a_bound),
	    EACH(a_limit_alone_is_counted_as_one_of_several),
	    EACH(a_wall_clock_that_is_set_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
