/*
 * store_scene.h - a store with clocks that a test moves, in a directory of its own.
 */
#ifndef SEKISHO_TEST_STORE_SCENE_H
#define SEKISHO_TEST_STORE_SCENE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "redis_server.h"
#include "skip_because.h"
#include "store.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define START  (INT64_C(1800000000) * SECOND)

static _Atomic int64_t scene_wall = START, scene_steady = 5 * SECOND;

static inline int64_t scene_wall_us(void)
{
	return scene_wall;
}

static inline int64_t scene_steady_us(void)
{
	return scene_steady;
}

static inline void pass(int64_t us) /* time, on both clocks */
{
	scene_wall += us;
	scene_steady += us;
}

struct scene {
	struct store *store;
	struct arena *arena;
	const char *scheme; /* of the store */
	bool reopens;       /* again() closes the store and opens it */
	char directory[64], url[80];
};

static inline struct store *scene_open(struct scene *scene, uint64_t at_most, struct error *err)
{
	struct store_settings settings = {
	    .url = slice_of(scene->url), .at_most = at_most, .clock = {scene_wall_us, scene_steady_us}};

	if (scene->scheme[0] == 'r')
		settings.timeout_us = 60 * SECOND; /* the machine may be busy */

	return store_open(&settings, err);
}

static inline void scene_reopen(struct scene *scene, uint64_t at_most)
{
	struct error err = {""};

	store_close(scene->store);
	scene->store = scene_open(scene, at_most, &err);
	if (!scene->store)
		fail_msg("%s", err.text);
	for (int i = 0; i < 6000 && scene->scheme[0] == 'r' && store_flush(scene->store, 0) != STORE_OK; i++)
		usleep(10 * 1000);
}

/* What was said so far is in the file, and nothing in memory. */
static inline void again(struct scene *scene)
{
	if (scene->reopens)
		scene_reopen(scene, 0);
}

static inline struct scene *scene_new(const char *scheme, bool reopens)
{
	struct scene *scene = xmalloc(sizeof(*scene));

	scene->scheme = scheme;
	scene->reopens = reopens;
	scene->arena = arena_new();
	strcpy(scene->directory, "/tmp/sekisho-store.XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	snprintf(scene->url, sizeof(scene->url), "%s%s", scheme,
		 scheme[0] == 'l'   ? scene->directory
		 : scheme[0] == 'r' ? redis_server.path
				    : "");
	scene_reopen(scene, 0);
	return scene;
}

static inline void scene_path(const struct scene *scene, char path[128], const char *name)
{
	snprintf(path, 128, "%s/%s", scene->directory, name);
}

static inline void scene_free(struct scene *scene)
{
	char path[128];

	store_close(scene->store);
	scene_path(scene, path, "store.mdb");
	unlink(path);
	scene_path(scene, path, "store.mdb-lock");
	unlink(path);
	assert_int_equal(rmdir(scene->directory), 0);
	arena_free(scene->arena);
	free(scene);
}

static inline int open_memory(void **state)
{
	*state = scene_new("memory:", false);
	return 0;
}

static inline int open_lmdb(void **state)
{
	*state = scene_new("lmdb:", false);
	return 0;
}

static inline int open_lmdb_cold(void **state)
{
	*state = scene_new("lmdb:", true);
	return 0;
}

static inline int close_scene(void **state)
{
	scene_free(*state);
	return 0;
}

/* Runs the test that *state is. */
static inline void run_with_redis(void **state)
{
	void (*test)(void **) = (void (*)(void **))(uintptr_t)*state;
	struct scene *scene;
	void *scene_state;

	SKIP_UNLESS(redis_server_empty(), redis_server.why ? redis_server.why : "redis-server does not answer");
	scene_state = scene = scene_new("redis+unix://", false);
	test(&scene_state);
	scene_free(scene);
}

#define WITH_REDIS(test)                                                                                               \
	{                                                                                                              \
#test ", redis", run_with_redis, NULL, NULL, (void *)(uintptr_t)(test)                                 \
	}

/* A test by each store. */
#define EACH(test)                                                                                                     \
	{#test ", memory", test, open_memory, close_scene, NULL},                                                      \
	    {#test ", lmdb", test, open_lmdb, close_scene, NULL},                                                      \
	    {#test ", lmdb reopened", test, open_lmdb_cold, close_scene, NULL}, WITH_REDIS(test)

static inline struct store_limit hourly(uint64_t amount, uint64_t hard)
{
	return (struct store_limit){
	    .key = SLICE("limit:hourly:alice"), .length_us = HOUR, .amount = amount, .hard = hard};
}

static inline enum store_answer reserve(struct scene *scene, struct store_limit limit, struct store_usage *usage_r)
{
	enum store_answer answer = store_reserve(scene->store, &limit, 1, usage_r);

	again(scene);
	return answer;
}

static inline uint64_t counted(struct scene *scene, struct store_limit limit)
{
	struct store_usage usage;

	limit.amount = 0;
	assert_int_equal(store_reserve(scene->store, &limit, 1, &usage), STORE_OK);
	return usage.count;
}

#endif
