/*
 * test_senders.c - who is refused most is known, whatever names strangers invent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "senders.h"
#include "assert_slice.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define START 1000000

static size_t top(struct senders *senders, int64_t now_us, struct arena *arena, struct sender_count *counts)
{
	return senders_top(senders, now_us, arena, counts, 2 * SENDERS_MAX);
}

static void add(struct senders *senders, const char *name, unsigned times, int64_t now_us)
{
	while (times-- > 0)
		senders_add(senders, slice_of(name), now_us);
}

static void those_refused_most_come_first(void **state)
{
	struct senders *senders = senders_new();
	struct arena *arena = arena_new();
	struct sender_count counts[2 * SENDERS_MAX];

	(void)state;
	senders_add(NULL, SLICE("nobody counts"), START);
	assert_int_equal(top(senders, START, arena, counts), 0);
	add(senders, "two@example.net", 2, START);
	add(senders, "five@example.net", 5, START);
	add(senders, "", 3, START);
	assert_int_equal(top(senders, START, arena, counts), 3);
	assert_slice(counts[0].name, "five@example.net");
	assert_int_equal(counts[0].count, 5);
	assert_slice(counts[1].name, "");
	assert_slice(counts[2].name, "two@example.net");
	assert_int_equal(senders_top(senders, START, arena, counts, 1), 1);
	assert_slice(counts[0].name, "five@example.net");
	arena_free(arena);
	senders_free(senders);
}

static void invented_names_push_nobody_out_and_are_not_counted_too_high(void **state)
{
	struct senders *senders = senders_new();
	struct arena *arena = arena_new();
	struct sender_count counts[2 * SENDERS_MAX];
	size_t count;
	char name[100];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "%u@invented.example", i);
		add(senders, name, 1, START);
		if (i % 20 == 0)
			add(senders, "spammer@example.net", 1, START);
	}
	count = top(senders, START, arena, counts);
	assert_int_equal(count, SENDERS_MAX);
	assert_slice(counts[0].name, "spammer@example.net");
	assert_in_range(counts[0].count, 500, 1000);
	for (size_t i = 1; i < count; i++)
		assert_int_equal(counts[i].count, 1);
	arena_free(arena);
	senders_free(senders);
}

static void what_is_old_is_forgotten(void **state)
{
	struct senders *senders = senders_new();
	struct arena *arena = arena_new();
	struct sender_count counts[2 * SENDERS_MAX];

	(void)state;
	add(senders, "a@example.net", 3, START);
	add(senders, "a@example.net", 4, START + SENDERS_US);
	add(senders, "b@example.net", 1, START + SENDERS_US);
	assert_int_equal(top(senders, START + SENDERS_US, arena, counts), 2);
	assert_int_equal(counts[0].count, 7);
	assert_int_equal(top(senders, START + 2 * SENDERS_US, arena, counts), 2);
	assert_int_equal(counts[0].count, 4);
	assert_int_equal(top(senders, START + 3 * SENDERS_US, arena, counts), 0);
	add(senders, "a@example.net", 1, START + 4 * SENDERS_US);
	assert_int_equal(top(senders, START + 6 * SENDERS_US, arena, counts), 0);
	arena_free(arena);
	senders_free(senders);
}

static void long_names_and_any_bytes_are_kept_in_part(void **state)
{
	struct senders *senders = senders_new();
	struct arena *arena = arena_new();
	struct sender_count counts[2 * SENDERS_MAX];
	char name[1000];

	(void)state;
	memset(name, 'x', sizeof(name));
	senders_add(senders, (struct slice){name, sizeof(name)}, START);
	senders_add(senders, (struct slice){name, SENDERS_NAME_MAX}, START);
	senders_add(senders, SLICE("\0\xff\x1b[31m"), START);
	assert_int_equal(top(senders, START, arena, counts), 2);
	assert_int_equal(counts[0].name.n, SENDERS_NAME_MAX);
	assert_int_equal(counts[0].count, 2);
	assert_true(slice_equal(counts[1].name, SLICE("\0\xff\x1b[31m")));
	arena_free(arena);
	senders_free(senders);
}

static void *counts_in_a_thread(void *context)
{
	char name[20];

	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "%u", i % 8);
		senders_add(context, slice_of(name), START);
	}
	return NULL;
}

static void threads_lose_no_count(void **state)
{
	struct senders *senders = senders_new();
	struct arena *arena = arena_new();
	struct sender_count counts[2 * SENDERS_MAX];
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, counts_in_a_thread, senders);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(top(senders, START, arena, counts), 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(counts[i].count, 10000);
	arena_free(arena);
	senders_free(senders);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(those_refused_most_come_first),
	    cmocka_unit_test(invented_names_push_nobody_out_and_are_not_counted_too_high),
	    cmocka_unit_test(what_is_old_is_forgotten),
	    cmocka_unit_test(long_names_and_any_bytes_are_kept_in_part),
	    cmocka_unit_test(threads_lose_no_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
