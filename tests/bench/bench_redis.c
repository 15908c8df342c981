/*
 * bench_redis.c - what a limit in a Redis server costs beside a bare round trip to it, over the same kind of connection
 * by the same code; and what a question costs while the server does not answer.
 *
 *	bench_redis                             a server of its own at a unix socket, which it kills for the second part
 *	bench_redis redis://127.0.0.1:PORT      that one; only the first part
 *
 * The ways take turns at each call, so that what else the machine does hits all alike. A line: the way, the median of
 * its calls in microseconds, how many times that of a bare PING it is, and what a tenth of its calls took at most.
 */
#include "../../filter/store/redis_ask.h"
#include "../unit/redis_server.h"
#include "store.h"

#include <netinet/in.h>
#include <time.h>

#define TIMES   20000
#define LOGINS  1000
#define HOUR    (INT64_C(3600) * 1000 * 1000)
#define PATIENT (2 * 1000 * 1000)

struct scene {
	struct store *store;
	struct redis_link *link; /* beside those of the store */
	struct arena *arena;
	char smallest[REDIS_SHA1_TEXT], least[REDIS_SHA1_TEXT];
	unsigned next;
	bool dead; /* the server does not answer */
};

/* ---- bare round trips ------------------------------------------------------------------------------ */

static struct redis_link *connect_to(const char *url)
{
	struct redis_link *link;
	struct redis_url where;
	struct error err;
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (redis_url_parse(slice_from(slice_of(url), 5), &where, &err) < 0)
		die("%s", err.text);
	address.sin_port = htons((uint16_t)atoi(where.port));
	snprintf(path.sun_path, sizeof(path.sun_path), "%s", where.path);
	if (where.path[0])
		link = redis_link_connect((struct sockaddr *)&path, sizeof(path), clock_us() + PATIENT, &err);
	else
		link = redis_link_connect((struct sockaddr *)&address, sizeof(address), clock_us() + PATIENT, &err);
	if (!link)
		die("%s: %s", url, err.text);
	return link;
}

static const struct redis_reply *ask(struct scene *scene, const struct redis_command *command)
{
	const struct redis_reply *reply;
	struct error err;

	if (redis_ask_link(scene->link, command, REDIS_SMALL, clock_us() + PATIENT, scene->arena, &reply, &err) !=
	    WIRE_OK)
		die("%s", err.text);
	if (reply->type == REDIS_ERROR)
		die("%.*s", SLICE_ARGS(reply->text));
	return reply;
}

static void ping(struct scene *scene)
{
	struct redis_command command = {{SLICE("PING")}, 1};

	ask(scene, &command);
}

static void load_script(struct scene *scene, struct slice text, char sha1_r[REDIS_SHA1_TEXT])
{
	struct redis_command command = {{SLICE("SCRIPT"), SLICE("LOAD"), text}, 3};

	snprintf(sha1_r, REDIS_SHA1_TEXT, "%.*s", SLICE_ARGS(ask(scene, &command)->text));
}

static void smallest_script(struct scene *scene)
{
	struct redis_command command = {{SLICE("EVALSHA"), slice_of(scene->smallest), SLICE("0")}, 3};

	ask(scene, &command);
}

/* What no limit can do without: the clock, the key, and to write it with its life. */
static void least_script(struct scene *scene)
{
	struct redis_command command = {
	    {SLICE("EVALSHA"), slice_of(scene->least), SLICE("1"), SLICE("sekisho:1:limit:bare:user@example.org")}, 4};

	ask(scene, &command);
}

/* ---- questions of the store ------------------------------------------------------------------------ */

static struct slice key_of(struct scene *scene, const char *limit)
{
	return store_key(scene->arena, SLICE("limit"), slice_of(limit),
			 arena_printf(scene->arena, "user%04u@example.org", scene->next++ * 7919 % LOGINS));
}

static void reserve(struct scene *scene, size_t count)
{
	static const char *const names[] = {"minute", "hour", "day", "week", "month"};
	static const int64_t lengths[] = {HOUR / 60, HOUR, 24 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR};
	struct store_limit limits[5];
	struct store_usage usage[5];

	for (size_t i = 0; i < count; i++)
		limits[i] = (struct store_limit){.key = key_of(scene, names[(i + 1) % 5]),
						 .length_us = lengths[(i + 1) % 5],
						 .amount = 1,
						 .hard = 1000000};
	if ((store_reserve(scene->store, limits, count, usage) == STORE_OK) == scene->dead)
		die("a reservation was answered otherwise than it should");
}

static void one_limit(struct scene *scene)
{
	reserve(scene, 1);
}

static void five_limits(struct scene *scene)
{
	reserve(scene, 5);
}

static void a_block(struct scene *scene)
{
	struct store_item item;
	enum store_answer answer = store_get(scene->store, key_of(scene, "block"), scene->arena, &item);

	if (answer != (scene->dead ? STORE_UNAVAILABLE : STORE_ABSENT))
		die("a question was answered otherwise than it should");
}

/* ---- turns ------------------------------------------------------------------------------------------- */

struct way {
	const char *what;
	void (*call)(struct scene *);
	double *took_us, median_us;
};

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

static int by_size(const void *a_, const void *b_)
{
	const double *a = a_, *b = b_;

	return (*a > *b) - (*a < *b);
}

static void take_turns(struct scene *scene, struct way *ways, size_t count, unsigned times)
{
	for (size_t i = 0; i < count; i++)
		ways[i].took_us = xmalloc(times * sizeof(double));
	for (unsigned n = 0; n < times; n++)
		for (size_t i = 0; i < count; i++) {
			double from = now_us();

			ways[i].call(scene);
			ways[i].took_us[n] = now_us() - from;
			arena_reset(scene->arena);
		}
	for (size_t i = 0; i < count; i++) {
		qsort(ways[i].took_us, times, sizeof(double), by_size);
		ways[i].median_us = ways[i].took_us[times / 2];
		printf("%s\t%.2f us\t%.2f times\t(a tenth of them took %.2f us at most)\n", ways[i].what,
		       ways[i].median_us, ways[i].median_us / ways[0].median_us, ways[i].took_us[times / 10]);
		free(ways[i].took_us);
	}
}

static void while_it_answers(struct scene *scene)
{
	struct way ways[] = {
	    {.what = "PING", .call = ping},
	    {.what = "the smallest script", .call = smallest_script},
	    {.what = "the least script of a limit", .call = least_script},
	    {.what = "one limit", .call = one_limit},
	    {.what = "five limits", .call = five_limits},
	    {.what = "a block that is not there", .call = a_block},
	};

	load_script(scene, SLICE("return 1"), scene->smallest);
	load_script(scene,
		    SLICE("local t=redis.call('TIME') local now=t[1]*1000000+t[2] local v=redis.call('GET',KEYS[1]) "
			  "redis.call('SET',KEYS[1],'12345678901234567890123456789012345','PX',3600000) "
			  "return {0,now,0,1,0}"),
		    scene->least);
	take_turns(scene, ways, sizeof(ways) / sizeof(ways[0]), TIMES);
}

/* The breaker is open after the first question; the thread goes on trying meanwhile. */
static void while_it_is_dead(struct scene *scene)
{
	struct way ways[] = {
	    {.what = "one limit, no server", .call = one_limit},
	    {.what = "a block, no server", .call = a_block},
	};

	redis_server_stop();
	scene->dead = true;
	for (int i = 0; i < 10; i++)
		one_limit(scene);
	take_turns(scene, ways, sizeof(ways) / sizeof(ways[0]), 10 * TIMES);
}

int main(int argc, char **argv)
{
	struct scene scene = {.arena = arena_new()};
	char url[100];
	struct error err;

	if (argc == 1 && !redis_server_empty()) {
		printf("skipped: bench_redis: %s\n", redis_server.why);
		return 0;
	}
	snprintf(url, sizeof(url), "%s%s", argc > 1 ? argv[1] : "redis+unix://", argc > 1 ? "" : redis_server.path);
	scene.store =
	    store_open(&(struct store_settings){.url = slice_of(url), .timeout_us = STORE_TIMEOUT_MAX_US}, &err);
	if (!scene.store)
		die("%s", err.text);
	scene.link = connect_to(url);
	while_it_answers(&scene);
	redis_link_close(scene.link);
	if (argc == 1)
		while_it_is_dead(&scene);
	store_close(scene.store);
	arena_free(scene.arena);
	return 0;
}
