/*
 * keys.c - the thread that asks the DNS for the records of signing keys (`sign { keys }`), and reads their directories
 * again when they change. No message waits for it: who signs takes the keys that are there.
 */
#include "daemon_private.h"
#include "keys.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define TICK_US   500000
#define SCAN_US   (30 * 1000000ll) /* how soon a change is seen of which nobody told us */
#define WAIT_S    60               /* how often a record is asked for that was not seen yet */
#define BATCH     64               /* domains whose records are asked for at the same time */
#define BUDGET_US (20 * 1000000ll)

struct key_watch {
	struct daemon *daemon;
	pthread_t thread;
	_Atomic bool ended;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the end */
	int64_t scan_us;     /* when to look for changes, whatever the times say */
	int64_t changed_us;  /* the latest time of the directories */
};

static void tell(void *context, const char *level, const char *line)
{
	struct key_watch *watch = context;

	report_line(watch->daemon->host.report, level, "%s", line);
}

/* ---- changes in the directories --------------------------------------------------------------------------- */

static int64_t time_of(const char *directory)
{
	struct stat status;

	if (stat(directory, &status))
		return 0;
	return (int64_t)status.st_mtim.tv_sec * 1000000 + status.st_mtim.tv_nsec / 1000;
}

/* Of all directories; most policies have one. */
static int64_t latest_time(const struct policy *policy)
{
	const char *last = NULL;
	int64_t latest = 0;

	for (size_t i = 0; i < policy_sign_count(policy); i++) {
		const char *directory = policy_sign_at(policy, i)->directory;
		int64_t now;

		if (!directory || (last && strcmp(directory, last) == 0))
			continue;
		last = directory;
		now = time_of(directory);
		latest = now > latest ? now : latest;
	}
	return latest;
}

static void read_again(struct key_watch *watch, const struct policy *policy)
{
	int64_t latest = latest_time(policy), now = clock_us();
	struct error err;

	if (latest == watch->changed_us && now < watch->scan_us)
		return;
	watch->changed_us = latest;
	watch->scan_us = now + SCAN_US;
	for (size_t i = 0; i < policy_sign_count(policy) && !watch->ended; i++) {
		struct key_ring *ring = policy_sign_at(policy, i)->ring;
		int changed = ring ? key_ring_refresh(ring, &err) : 0;

		if (changed > 0)
			*key_ring_due(ring) = 0;
		if (changed < 0)
			report_line(watch->daemon->host.report, "warning", "the keys stay as they were: %s", err.text);
	}
}

/* ---- looks ------------------------------------------------------------------------------------------------- */

struct batch {
	const struct sign_setting *signs[BATCH];
	struct key_set *sets[BATCH];
	size_t count;
};

/* Those that are there are asked for at different times. */
static int64_t next_look(const struct key_set *set, const struct key_rules *rules, int64_t now_s)
{
	int64_t next = rules->check_s + (int64_t)(hash_slice(set->domain, 0) % (uint64_t)(rules->check_s / 4 + 1));

	for (size_t i = 0; i < set->count; i++) {
		const struct managed_key *key = &set->keys[i];
		enum key_phase phase = key_phase(set, key, rules, now_s);
		int64_t ready = key->seen_s + key->ttl_s - now_s;

		if (phase == KEY_WAITS && next > WAIT_S)
			next = WAIT_S;
		if (phase == KEY_SEEN && ready < next)
			next = ready > 0 ? ready : 1;
	}
	return now_s + (next > 0 ? next : 1);
}

static void look_at(struct key_watch *watch, const struct sign_setting *sign, struct key_set *set,
		    struct dns_budget *budget, struct arena *arena)
{
	const struct key_listener listener = {tell, watch};
	struct key_rules rules = policy_key_rules(sign);
	struct key_look looks[KEYS_MAX];
	struct key_set *noted;
	int64_t now_s;
	struct error err;

	keys_look(budget, set, arena, looks);
	now_s = clock_wall_us() / 1000000;
	*key_ring_due(sign->ring) = next_look(set, &rules, now_s);
	if (!keys_would_note(set, looks, &rules, now_s))
		return;
	if (keys_note(set, looks, &rules, now_s, &listener, &noted, &err)) {
		tell(watch, "warning", err.text);
		return;
	}
	*key_ring_due(sign->ring) = next_look(noted, &rules, now_s);
	key_ring_change(sign->ring, noted);
}

static void look_at_batch(struct key_watch *watch, struct resolver *resolver, struct batch *batch)
{
	struct arena *arena = arena_new();
	struct dns_budget *budget = dns_budget_open(resolver, arena, BATCH * (KEYS_MAX + 1));

	dns_budget_deadline(budget, clock_us() + BUDGET_US);
	for (size_t i = 0; i < batch->count; i++)
		keys_hint(budget, batch->sets[i], arena);
	for (size_t i = 0; i < batch->count; i++) {
		if (!watch->ended)
			look_at(watch, batch->signs[i], batch->sets[i], budget, arena);
		key_set_release(batch->sets[i]);
	}
	dns_budget_close(budget);
	arena_free(arena);
	batch->count = 0;
}

static void look_at_due(struct key_watch *watch, const struct policy *policy, struct resolver *resolver)
{
	struct batch batch = {.count = 0};
	int64_t now_s = clock_wall_us() / 1000000;

	for (size_t i = 0; i < policy_sign_count(policy) && !watch->ended; i++) {
		const struct sign_setting *sign = policy_sign_at(policy, i);

		if (!sign->ring || *key_ring_due(sign->ring) > now_s)
			continue;
		batch.signs[batch.count] = sign;
		batch.sets[batch.count++] = key_ring_set(sign->ring);
		if (batch.count == BATCH)
			look_at_batch(watch, resolver, &batch);
	}
	if (batch.count > 0)
		look_at_batch(watch, resolver, &batch);
}

/* ---- the thread ---------------------------------------------------------------------------------------------- */

static void nap(struct key_watch *watch)
{
	int64_t until = clock_wall_us() + TICK_US;
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};

	pthread_mutex_lock(&watch->lock);
	if (!watch->ended)
		pthread_cond_timedwait(&watch->wake, &watch->lock, &at);
	pthread_mutex_unlock(&watch->lock);
}

static void *watch_run(void *context)
{
	struct key_watch *watch = context;

	while (!watch->ended) {
		struct engine *engine = daemon_engine(watch->daemon);

		read_again(watch, engine_policy(engine));
		look_at_due(watch, engine_policy(engine), engine_resolver(engine));
		engine_release(engine);
		nap(watch);
	}
	return NULL;
}

struct key_watch *key_watch_start(struct daemon *daemon, struct error *err)
{
	struct key_watch *watch = xmalloc(sizeof(*watch));
	int failed;

	watch->daemon = daemon;
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->wake, NULL);
	failed = pthread_create(&watch->thread, NULL, watch_run, watch);
	if (failed) {
		error_set(err, "cannot start a thread: %s", strerror(failed));
		free(watch);
		return NULL;
	}
	return watch;
}

bool key_watch_stop(struct key_watch *watch, int64_t until_us)
{
	if (!watch)
		return true;
	pthread_mutex_lock(&watch->lock);
	watch->ended = true;
	pthread_cond_signal(&watch->wake);
	pthread_mutex_unlock(&watch->lock);
	if (!thread_join_until(watch->thread, until_us))
		return false; /* it still uses the watch */
	pthread_cond_destroy(&watch->wake);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
	return true;
}
