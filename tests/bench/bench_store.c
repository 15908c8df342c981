/*
 * bench_store.c - what limits cost a message: five reservations over a million logins, where the entries are in memory
 * and where the file must be read, beside one plain snprintf of the five keys; a question for a block that is not
 * there; and what a million keys take of memory and of the time to start.
 *
 * One line each as measure.h says, then the memory and the start. The file lies in $TMPDIR (/tmp).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "store.h"

#define LOGINS 1000000u
#define HOT    1000u
#define TIMES  20000
#define LIMITS 5
#define HOUR   (INT64_C(3600) * 1000 * 1000)

struct scene {
	struct store *store;
	struct arena *arena;
	unsigned next, among; /* the login of the next message, and how many there are */
	char url[128];
};

static struct slice login_of(struct scene *scene, unsigned login)
{
	return arena_printf(scene->arena, "user%07u@example.org", login);
}

static struct slice key_of(struct scene *scene, const char *limit, unsigned login)
{
	return store_key(scene->arena, SLICE("limit"), slice_of(limit), login_of(scene, login));
}

static void reserve_five(void *with)
{
	static const char *const names[LIMITS] = {"minute", "hour", "day", "week", "month"};
	static const int64_t lengths[LIMITS] = {HOUR / 60, HOUR, 24 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR};
	struct scene *scene = with;
	struct store_limit limits[LIMITS];
	struct store_usage usage[LIMITS];
	struct slice login = login_of(scene, scene->next++ * 7919u % scene->among); /* a message has one */

	for (int i = 0; i < LIMITS; i++)
		limits[i] =
		    (struct store_limit){.key = store_key(scene->arena, SLICE("limit"), slice_of(names[i]), login),
					 .length_us = lengths[i],
					 .amount = 1,
					 .hard = 1000000};
	if (store_reserve(scene->store, limits, LIMITS, usage) != STORE_OK)
		die("a reservation was refused");
	arena_reset(scene->arena);
}

static void print_keys(void *with)
{
	struct scene *scene = with;
	char text[64];

	for (int i = 0; i < LIMITS; i++)
		if (snprintf(text, sizeof(text), "limit:%s:user%07u@example.org", "minute", scene->next) < 0)
			die("nothing was written");
	__asm__ volatile("" : : "r"(text) : "memory");
}

static void ask_for_block(void *with)
{
	struct scene *scene = with;
	struct store_item item;
	unsigned login = scene->next++ * 7919u % scene->among;

	if (store_get(scene->store, key_of(scene, "block", login + LOGINS), scene->arena, &item) != STORE_ABSENT)
		die("a block is there");
	arena_reset(scene->arena);
}

static void open_store(struct scene *scene)
{
	struct store_settings settings = {.url = slice_of(scene->url), .at_most = UINT64_C(16) << 30};
	struct error err;

	scene->store = store_open(&settings, &err);
	if (!scene->store)
		die("%s", err.text);
}

static unsigned long anonymous_kb(void)
{
	char line[128];
	unsigned long kb = 0;
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "RssAnon: %lu", &kb) == 1)
			break;
	if (status)
		fclose(status);
	return kb;
}

static double seconds_since(int64_t from)
{
	return (double)(clock_us() - from) / 1e6;
}

static void fill(struct scene *scene, unsigned logins)
{
	int64_t from = clock_us();

	for (unsigned i = 0; i < logins; i++) {
		struct store_limit limit = {
		    .key = key_of(scene, "hour", i), .length_us = 24 * HOUR, .amount = 1, .hard = STORE_NO_LIMIT};
		struct store_usage usage;

		while (store_reserve(scene->store, &limit, 1, &usage) == STORE_UNAVAILABLE)
			usleep(10000);
		arena_reset(scene->arena);
	}
	if (store_flush(scene->store, clock_us() + 600 * INT64_C(1000000)) != STORE_OK)
		die("what was reserved was not written");
	printf("%u keys were made and written in %.1f s\n", logins, seconds_since(from));
}

static void start_anew(struct scene *scene)
{
	struct store_counters counters;
	int64_t from;
	unsigned long kb;

	if (store_flush(scene->store, clock_us() + 600 * INT64_C(1000000)) != STORE_OK)
		die("what was reserved was not written");
	kb = anonymous_kb();
	store_counters(scene->store, &counters);
	printf("%.0f bytes of memory a key (RssAnon %lu KB)\n", 1024.0 * (double)kb / (double)counters.keys, kb);
	store_close(scene->store);
	from = clock_us();
	open_store(scene);
	printf("opened in %.2f s; ", seconds_since(from));
	store_counters(scene->store, &counters);
	printf("the file has %llu keys in %llu MB\n", (unsigned long long)counters.keys,
	       (unsigned long long)(counters.bytes >> 20));
}

int main(int argc, char **argv)
{
	unsigned logins = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : LOGINS;
	const char *parent = getenv("TMPDIR");
	char directory[80], path[120];
	struct scene scene = {.arena = arena_new(), .among = HOT};

	snprintf(directory, sizeof(directory), "%.50s/sekisho-bench.XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(directory))
		die("cannot make %s", directory);
	snprintf(scene.url, sizeof(scene.url), "lmdb:%s", directory);
	open_store(&scene);
	fill(&scene, logins);
	start_anew(&scene);
	measure(&(struct measure){"five limits, a thousand logins", "snprintf of the keys", reserve_five, print_keys,
				  &scene, TIMES});
	scene.among = logins;
	measure(&(struct measure){"five limits, all logins", "snprintf of the keys", reserve_five, print_keys, &scene,
				  TIMES});
	measure(&(struct measure){"a block that is not there", "snprintf of the keys", ask_for_block, print_keys,
				  &scene, TIMES});
	start_anew(&scene);
	store_close(scene.store);
	snprintf(path, sizeof(path), "%s/store.mdb", directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/store.mdb-lock", directory);
	unlink(path);
	rmdir(directory);
	arena_free(scene.arena);
	return 0;
}
