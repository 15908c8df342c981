/*
 * test_store_threads.c - many threads at one store: a limit's edge, and everything at once while entries are written
 * and dropped. Worth most under ThreadSanitizer.
 */
#include "store_scene.h"

#include <pthread.h>

#define THREADS 64
#define HARD    100

struct worker {
	pthread_t thread;
	struct scene *scene;
	pthread_barrier_t *barrier;
	unsigned number;
	uint64_t random;
	unsigned passed, refused, released, wrong;
};

static unsigned chance(struct worker *worker, unsigned below)
{
	worker->random = worker->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(worker->random >> 33) % below;
}

static void all_run(struct scene *scene, void *(*work)(void *), struct worker *sum_r)
{
	struct worker workers[THREADS];
	pthread_barrier_t barrier;

	*sum_r = (struct worker){.passed = 0};
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.scene = scene, .barrier = &barrier, .number = i, .random = i};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		sum_r->passed += workers[i].passed;
		sum_r->refused += workers[i].refused;
		sum_r->released += workers[i].released;
		sum_r->wrong += workers[i].wrong;
	}
	pthread_barrier_destroy(&barrier);
}

/* ---- the edge --------------------------------------------------------------------- */

static struct store_limit edge(const char *key, uint64_t hard)
{
	return (struct store_limit){.key = slice_of(key), .length_us = HOUR, .amount = 1, .hard = hard};
}

/* Two limits at once, in either order; the second alone would let more through. */
static void *reserve_at_the_edge(void *worker_)
{
	struct worker *worker = worker_;
	struct store_limit limits[2] = {edge("limit:hourly:alice", HARD), edge("limit:daily:alice", HARD + 50)};
	struct store_usage usage[2];

	if (worker->number % 2) {
		limits[1] = limits[0];
		limits[0] = edge("limit:daily:alice", HARD + 50);
	}
	pthread_barrier_wait(worker->barrier);
	for (int i = 0; i < 10; i++) {
		enum store_answer answer = store_reserve(worker->scene->store, limits, 2, usage);

		worker->passed += answer == STORE_OK;
		worker->refused += answer == STORE_OVER;
	}
	return NULL;
}

static void exactly_as_many_pass_as_may(void **state)
{
	struct scene *scene = *state;
	struct worker sum;

	for (int i = 0; i < 20; i++) {
		struct store_limit daily = edge("limit:daily:alice", STORE_NO_LIMIT);
		struct store_usage usage;

		all_run(scene, reserve_at_the_edge, &sum);
		assert_int_equal(sum.passed, HARD);
		assert_int_equal(sum.refused, THREADS * 10 - HARD);
		daily.amount = 0;
		assert_int_equal(store_reserve(scene->store, &daily, 1, &usage), STORE_OK);
		assert_int_equal(usage.count, HARD);
		pass(25 * HOUR);
	}
}

/* A reservation that is released is there for another; at no time are there more than may be. */
static _Atomic int held;

static void *reserve_and_release(void *worker_)
{
	struct worker *worker = worker_;
	struct store_limit limit = edge("limit:hourly:bob", 8);
	struct store_usage usage;

	pthread_barrier_wait(worker->barrier);
	for (int i = 0; i < 200; i++) {
		if (store_reserve(worker->scene->store, &limit, 1, &usage) != STORE_OK)
			continue;
		worker->passed++;
		worker->wrong += atomic_fetch_add(&held, 1) >= 8;
		atomic_fetch_sub(&held, 1);
		worker->wrong += store_release(worker->scene->store, &limit, 1, &usage) != STORE_OK;
	}
	return NULL;
}

static void what_is_released_comes_back(void **state)
{
	struct scene *scene = *state;
	struct store_item item;
	struct worker sum;

	all_run(scene, reserve_and_release, &sum);
	assert_int_equal(sum.wrong, 0);
	assert_true(sum.passed >= 8);
	assert_int_equal(store_get(scene->store, SLICE("limit:hourly:bob"), scene->arena, &item), STORE_ABSENT);
}

static void *reserve_members(void *worker_)
{
	struct worker *worker = worker_;
	struct store_limit limit = edge("distinct:alice", HARD);
	struct store_usage usage;
	char member[16];

	pthread_barrier_wait(worker->barrier);
	for (unsigned i = 0; i < 150; i++) {
		enum store_answer answer;

		snprintf(member, sizeof(member), "m%u", (i + worker->number * 7) % 150);
		limit.member = slice_of(member);
		answer = store_reserve(worker->scene->store, &limit, 1, &usage);
		worker->wrong += usage.count > HARD || (answer != STORE_OK && answer != STORE_OVER);
		worker->passed += answer == STORE_OK;
	}
	return NULL;
}

/* The same 100 of 150 members pass for everybody. */
static void exactly_as_many_members_pass_as_may(void **state)
{
	struct scene *scene = *state;
	struct store_item item;
	struct worker sum;

	all_run(scene, reserve_members, &sum);
	assert_int_equal(sum.wrong, 0);
	assert_int_equal(store_get(scene->store, SLICE("distinct:alice"), scene->arena, &item), STORE_OK);
	assert_int_equal(item.count, HARD);
	all_run(scene, reserve_members, &sum);
	assert_int_equal(sum.passed, THREADS * HARD);
}

static void *put_once(void *worker_)
{
	struct worker *worker = worker_;
	struct slice value = {(const char *)&worker->number, sizeof(worker->number)};
	char key[16];

	pthread_barrier_wait(worker->barrier);
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "note:%d", i);
		worker->passed += store_put_absent(worker->scene->store, slice_of(key), value, HOUR) == STORE_OK;
	}
	return NULL;
}

static void each_key_is_put_by_one(void **state)
{
	struct worker sum;

	all_run(*state, put_once, &sum);
	assert_int_equal(sum.passed, 50);
}

/* While a thread has the lease, no other has. */
static void *take_the_lease(void *worker_)
{
	struct worker *worker = worker_;
	struct store *store = worker->scene->store;
	struct slice holder = {(const char *)&worker->number, sizeof(worker->number)};

	pthread_barrier_wait(worker->barrier);
	for (int i = 0; i < 200; i++) {
		if (store_lease_take(store, SLICE("lease:work"), holder, HOUR) != STORE_OK)
			continue;
		worker->passed++;
		worker->wrong += atomic_fetch_add(&held, 1) != 0;
		worker->wrong += store_lease_take(store, SLICE("lease:work"), holder, HOUR) != STORE_OK;
		atomic_fetch_sub(&held, 1);
		worker->wrong += store_lease_release(store, SLICE("lease:work"), holder) != STORE_OK;
	}
	return NULL;
}

static void a_lease_is_had_by_one(void **state)
{
	struct worker sum;

	all_run(*state, take_the_lease, &sum);
	assert_int_equal(sum.wrong, 0);
	assert_in_range(sum.passed, 1, THREADS * 200);
}

/* Each thread adds a word of its own and one that all have. */
static void *add_words(void *worker_)
{
	struct worker *worker = worker_;
	struct arena *arena = arena_new();
	char word[16];

	snprintf(word, sizeof(word), "%u", worker->number);
	pthread_barrier_wait(worker->barrier);
	worker->wrong +=
	    store_add_word(worker->scene->store, SLICE("block:lengths:4"), slice_of(word), arena) != STORE_OK;
	worker->wrong += store_add_word(worker->scene->store, SLICE("block:lengths:4"), SLICE("0"), arena) != STORE_OK;
	arena_free(arena);
	return NULL;
}

static void no_word_is_lost(void **state)
{
	struct scene *scene = *state;
	struct store_item item;
	struct worker sum;
	struct slice word;
	unsigned count = 0;
	uint64_t number, all = 0;

	all_run(scene, add_words, &sum);
	assert_int_equal(sum.wrong, 0);
	assert_int_equal(store_get(scene->store, SLICE("block:lengths:4"), scene->arena, &item), STORE_OK);
	for (; slice_word(&item.value, &word); count++) {
		assert_int_equal(slice_number(word, THREADS - 1, &number), 0);
		all |= UINT64_C(1) << number;
	}
	assert_int_equal(count, THREADS);
	assert_int_equal(all, UINT64_MAX);
}

/* ---- everything at once ---------------------------------------------------------------- */

/* Each thread has keys that nobody else changes, so it knows what they are; and all share some. */
static void own_key(struct worker *worker, char key[32], unsigned *counts)
{
	unsigned i = chance(worker, 8);
	struct store_limit limit = {.key = slice_of(key), .length_us = HOUR, .amount = 1, .hard = STORE_NO_LIMIT};
	struct store_usage usage = {.count = 0};

	snprintf(key, 32, "own:%u:%u", worker->number, i);
	limit.key = slice_of(key);
	worker->wrong += store_reserve(worker->scene->store, &limit, 1, &usage) != STORE_OK;
	worker->wrong += usage.count != ++counts[i];
	if (chance(worker, 4) == 0) {
		worker->wrong += store_release(worker->scene->store, &limit, 1, &usage) != STORE_OK;
		counts[i]--;
	}
	if (chance(worker, 16) == 0) {
		enum store_answer answer = store_delete(worker->scene->store, limit.key);

		worker->wrong += answer != (counts[i] > 0 ? STORE_OK : STORE_ABSENT);
		counts[i] = 0;
	}
}

static void shared_key(struct worker *worker, struct arena *arena, char key[32])
{
	struct store *store = worker->scene->store;
	struct store_item item;
	struct store_page page;

	snprintf(key, 32, "shared:%u", chance(worker, 40));
	switch (chance(worker, 40)) {
	case 0:
		worker->wrong += store_scan(store, SLICE(""), SLICE(""), 20, arena, &page) != STORE_OK;
		break;
	case 1:
		worker->wrong += store_flush(store, clock_us() + 60 * SECOND) != STORE_OK;
		break;
	case 2:
		store_delete(store, slice_of(key));
		break;
	case 3:
	case 4:
		worker->wrong +=
		    store_put(store, slice_of(key), slice_of(key), SECOND + chance(worker, 1000)) != STORE_OK;
		break;
	default:
		if (store_get(store, slice_of(key), arena, &item) == STORE_OK)
			worker->wrong += !slice_equal(item.value, slice_of(key));
	}
}

static void *do_everything(void *worker_)
{
	struct worker *worker = worker_;
	struct arena *arena = arena_new();
	unsigned counts[8] = {0};
	char key[32];

	pthread_barrier_wait(worker->barrier);
	for (int i = 0; i < 300; i++) {
		own_key(worker, key, counts);
		shared_key(worker, arena, key);
		if (chance(worker, 10) == 0)
			pass(1000);
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

static void nothing_is_lost_in_a_crowd(void **state)
{
	struct scene *scene = *state;
	struct store_counters counters;
	struct worker sum;

	all_run(scene, do_everything, &sum);
	assert_int_equal(sum.wrong, 0);
	store_counters(scene->store, &counters);
	assert_int_equal(counters.unanswered, 0);
}

#define ALL(test)                                                                                                      \
	{#test ", memory", test, open_memory, close_scene, NULL},                                                      \
	    {#test ", lmdb", test, open_lmdb, close_scene, NULL}, WITH_REDIS(test)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ALL(exactly_as_many_pass_as_may),
	    ALL(what_is_released_comes_back),
	    ALL(exactly_as_many_members_pass_as_may),
	    ALL(each_key_is_put_by_one),
	    ALL(a_lease_is_had_by_one),
	    ALL(no_word_is_lost),
	    ALL(nothing_is_lost_in_a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
