/*
 * cache.c - the table of answers: where they are, which one goes, how long they live.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"

#define KEPT_US                                                                                                        \
	(300 * SECOND_US) /* an answer used so lately is put out last: a flood of new names takes other places */

/* Readers of a hot name must not keep a writer waiting for ever. Other C libraries leave no choice. */
#ifdef __GLIBC__
#define writers_prefer(attr) pthread_rwlockattr_setkind_np(attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP)
#else
#define writers_prefer(attr) ((void)(attr))
#endif

struct place {
	struct answer *answer; /* NULL: free */
	_Atomic int64_t used_us;
	atomic_bool hit; /* asked for again since it came */
};

struct set {
	struct place places[CACHE_WAYS];
};

/* Its sets become more when they are full of answers that still count, so a cache with few answers is small. */
struct shard {
	_Alignas(64) pthread_rwlock_t lock;
	size_t set_count;
	struct set *sets;
};

struct cache {
	size_t shard_count, sets_max; /* of each shard */
	atomic_size_t entries, big_bytes;
	struct shard shards[CACHE_SHARDS];
};

static void shards_init(struct cache *cache)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	writers_prefer(&attr);
	for (size_t i = 0; i < cache->shard_count; i++) {
		pthread_rwlock_init(&cache->shards[i].lock, &attr);
		cache->shards[i].set_count = 1;
		cache->shards[i].sets = xmalloc(sizeof(struct set));
	}
	pthread_rwlockattr_destroy(&attr);
}

struct cache *cache_new(size_t entries)
{
	struct cache *cache = aligned_alloc(64, sizeof(*cache));
	size_t sets = entries / CACHE_WAYS > 0 ? entries / CACHE_WAYS : 1;

	if (!cache)
		die("no memory for the cache of DNS answers");
	memset(cache, 0, sizeof(*cache));
	cache->shard_count = sets < CACHE_SHARDS ? sets : CACHE_SHARDS;
	cache->sets_max = sets / cache->shard_count;
	shards_init(cache);
	return cache;
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->shard_count; i++) {
		struct shard *shard = &cache->shards[i];

		for (size_t j = 0; j < shard->set_count; j++)
			for (int way = 0; way < CACHE_WAYS; way++)
				answer_release(shard->sets[j].places[way].answer);
		pthread_rwlock_destroy(&shard->lock);
		free(shard->sets);
	}
	free(cache);
}

size_t cache_entries(const struct cache *cache)
{
	return atomic_load_explicit(&cache->entries, memory_order_relaxed);
}

/* The upper half of a hash chooses the shard, the lower one the set in it. */
static struct shard *shard_of(struct cache *cache, uint64_t hash)
{
	return &cache->shards[(hash >> 32) * cache->shard_count >> 32];
}

/* With the lock of the shard. */
static struct set *set_of(struct shard *shard, uint64_t hash)
{
	return &shard->sets[(hash & UINT32_MAX) * shard->set_count >> 32];
}

/* Only the first use in a second is written down: a hot place stays in every reader's processor cache. */
static void place_touch(struct place *place, int64_t now_us)
{
	if (now_us - atomic_load_explicit(&place->used_us, memory_order_relaxed) > SECOND_US)
		atomic_store_explicit(&place->used_us, now_us, memory_order_relaxed);
	if (!atomic_load_explicit(&place->hit, memory_order_relaxed))
		atomic_store_explicit(&place->hit, true, memory_order_relaxed);
}

struct answer *cache_find(struct cache *cache, const struct question *question, int64_t now_us)
{
	struct shard *shard = shard_of(cache, question->hash);
	struct answer *found = NULL;

	pthread_rwlock_rdlock(&shard->lock);
	struct set *set = set_of(shard, question->hash);
	for (int way = 0; way < CACHE_WAYS && !found; way++) {
		struct place *place = &set->places[way];
		if (!place->answer || !answer_is_for(place->answer, question))
			continue;
		found = answer_hold(place->answer);
		place_touch(place, now_us);
	}
	pthread_rwlock_unlock(&shard->lock);
	if (found && now_us >= found->stale_until_us && !answer_is_fresh(found, now_us)) {
		answer_release(found);
		return NULL;
	}
	return found;
}

/* How much is lost when the place is used for something else; the least goes. */
static int place_worth(const struct place *place, int64_t now_us)
{
	if (!place->answer)
		return 0;
	if (!answer_is_fresh(place->answer, now_us) && now_us >= place->answer->stale_until_us)
		return 1;
	if (atomic_load_explicit(&place->hit, memory_order_relaxed) &&
	    now_us - atomic_load_explicit(&place->used_us, memory_order_relaxed) < KEPT_US)
		return 3;
	return 2;
}

static bool place_has(const struct place *place, const struct answer *answer)
{
	const struct answer *there = place->answer;

	return there && there->hash == answer->hash && there->type == answer->type && there->name_n == answer->name_n &&
	       memcmp(there->name, answer->name, there->name_n) == 0;
}

static struct place *place_choose(struct set *set, const struct answer *answer, int64_t now_us)
{
	struct place *chosen = NULL;
	int chosen_worth = 0;

	for (int way = 0; way < CACHE_WAYS; way++) {
		struct place *place = &set->places[way];
		if (place_has(place, answer))
			return place;
		int worth = place_worth(place, now_us);
		if (!chosen || worth < chosen_worth ||
		    (worth == chosen_worth && atomic_load_explicit(&place->used_us, memory_order_relaxed) <
						  atomic_load_explicit(&chosen->used_us, memory_order_relaxed))) {
			chosen = place;
			chosen_worth = worth;
		}
	}
	return chosen;
}

/* Takes room for a big answer out of what all of them share. */
static bool big_room_take(struct cache *cache, const struct answer *answer)
{
	if (answer->bytes <= CACHE_BIG)
		return true;
	if (atomic_fetch_add(&cache->big_bytes, answer->bytes) + answer->bytes <= CACHE_BIG_BYTES)
		return true;
	atomic_fetch_sub(&cache->big_bytes, answer->bytes);
	return false;
}

static void big_room_give(struct cache *cache, const struct answer *answer)
{
	if (answer && answer->bytes > CACHE_BIG)
		atomic_fetch_sub(&cache->big_bytes, answer->bytes);
}

static void answer_drop(struct cache *cache, struct answer *answer)
{
	if (!answer)
		return;
	atomic_fetch_sub_explicit(&cache->entries, 1, memory_order_relaxed);
	big_room_give(cache, answer);
	answer_release(answer);
}

/* Twice the sets. Answers move to their new ones; should one of these become too full, the least of it goes. */
static void shard_grow(struct cache *cache, struct shard *shard, int64_t now_us)
{
	struct set *old = shard->sets;
	size_t old_count = shard->set_count;

	shard->set_count = 2 * old_count < cache->sets_max ? 2 * old_count : cache->sets_max;
	shard->sets = xmalloc(shard->set_count * sizeof(struct set));
	for (size_t i = 0; i < old_count; i++)
		for (int way = 0; way < CACHE_WAYS; way++) {
			struct place *from = &old[i].places[way], *to;

			if (!from->answer)
				continue;
			to = place_choose(set_of(shard, from->answer->hash), from->answer, now_us);
			answer_drop(cache, to->answer);
			to->answer = from->answer;
			to->used_us = from->used_us;
			to->hit = from->hit;
		}
	free(old);
}

/* With the lock of the shard: the place for the answer, and for nothing that still counts while there can be more. */
static struct place *place_find(struct cache *cache, struct shard *shard, const struct answer *answer, int64_t now_us)
{
	for (;;) {
		struct place *place = place_choose(set_of(shard, answer->hash), answer, now_us);

		if (place_has(place, answer) || place_worth(place, now_us) < 2 || shard->set_count >= cache->sets_max)
			return place;
		shard_grow(cache, shard, now_us);
	}
}

void cache_put(struct cache *cache, struct answer *answer, int64_t now_us)
{
	struct shard *shard = shard_of(cache, answer->hash);

	if (!big_room_take(cache, answer))
		return;
	answer_hold(answer);
	pthread_rwlock_wrlock(&shard->lock);
	struct place *place = place_find(cache, shard, answer, now_us);
	struct answer *old = place->answer;
	place->answer = answer;
	atomic_store_explicit(&place->used_us, now_us, memory_order_relaxed);
	if (!old || old->hash != answer->hash)
		atomic_store_explicit(&place->hit, false, memory_order_relaxed);
	pthread_rwlock_unlock(&shard->lock);
	atomic_fetch_add_explicit(&cache->entries, 1, memory_order_relaxed);
	answer_drop(cache, old);
}

/* ---- how long an answer lives ---------------------------------------------------- */

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t lifetime(const struct answer *answer, int64_t ttl_us)
{
	static const int64_t most[] = {TTL_MAX_US, TTL_NEGATIVE_US, TTL_NEGATIVE_US, TTL_TEMPFAIL_US};
	int64_t longest = most[answer->given.status];

	if (answer->bytes > CACHE_BIG)
		longest = smaller(longest, TTL_BIG_US);
	return ttl_us > 0 ? smaller(ttl_us, longest) : 0;
}

/* RFC 8767 4: what failed is not worth keeping, and bogus is not failing: somebody may be lying. */
static bool may_give_way(const struct dns_answer *draft)
{
	return draft->status == DNS_TEMPFAIL && draft->reason != DNS_BOGUS;
}

struct answer *cache_fallback(struct cache *cache, const struct question *question, int64_t now_us)
{
	struct answer *old = cache_find(cache, question, now_us), *copy;

	if (!old || old->given.status == DNS_TEMPFAIL) {
		answer_release(old);
		return NULL;
	}
	if (answer_is_fresh(old, now_us))
		return old;
	struct dns_answer draft = old->given;
	draft.stale = true;
	copy = answer_new(question, &draft);
	copy->stale_until_us = old->stale_until_us;
	answer_release(old);
	return copy;
}

struct answer *cache_settle(struct cache *cache, const struct question *question, const struct dns_answer *draft,
			    int64_t ttl_us, int64_t now_us)
{
	struct answer *answer = may_give_way(draft) ? cache_fallback(cache, question, now_us) : NULL;

	if (answer && answer_is_fresh(answer, now_us))
		return answer;
	if (answer) {
		answer->fresh_until_us = smaller(now_us + STALE_RECHECK_US, answer->stale_until_us);
	} else {
		answer = answer_new(question, draft);
		answer->fresh_until_us = now_us + lifetime(answer, ttl_us);
		answer->stale_until_us = draft->status != DNS_TEMPFAIL ? answer->fresh_until_us + STALE_US : 0;
	}
	cache_put(cache, answer, now_us);
	return answer;
}
