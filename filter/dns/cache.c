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

struct lock {
	_Alignas(64) pthread_rwlock_t lock;
};

struct cache {
	size_t set_count;
	struct set *sets;
	atomic_size_t entries, big_bytes;
	struct lock locks[CACHE_LOCKS];
};

struct cache *cache_new(size_t entries)
{
	struct cache *cache = aligned_alloc(64, sizeof(*cache));
	pthread_rwlockattr_t attr;

	if (!cache)
		die("no memory for the cache of DNS answers");
	memset(cache, 0, sizeof(*cache));
	cache->set_count = entries / CACHE_WAYS > 0 ? entries / CACHE_WAYS : 1;
	cache->sets = xmalloc(cache->set_count * sizeof(*cache->sets));
	pthread_rwlockattr_init(&attr);
	writers_prefer(&attr);
	for (size_t i = 0; i < CACHE_LOCKS; i++)
		pthread_rwlock_init(&cache->locks[i].lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return cache;
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->set_count; i++)
		for (int way = 0; way < CACHE_WAYS; way++)
			answer_release(cache->sets[i].places[way].answer);
	for (size_t i = 0; i < CACHE_LOCKS; i++)
		pthread_rwlock_destroy(&cache->locks[i].lock);
	free(cache->sets);
	free(cache);
}

size_t cache_entries(const struct cache *cache)
{
	return atomic_load_explicit(&cache->entries, memory_order_relaxed);
}

static struct set *set_of(struct cache *cache, uint64_t hash, pthread_rwlock_t **lock_r)
{
	size_t index = (size_t)((hash >> 32) * cache->set_count >> 32);

	*lock_r = &cache->locks[index % CACHE_LOCKS].lock;
	return &cache->sets[index];
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
	pthread_rwlock_t *lock;
	struct set *set = set_of(cache, question->hash, &lock);
	struct answer *found = NULL;

	pthread_rwlock_rdlock(lock);
	for (int way = 0; way < CACHE_WAYS && !found; way++) {
		struct place *place = &set->places[way];
		if (!place->answer || !answer_is_for(place->answer, question))
			continue;
		found = answer_hold(place->answer);
		place_touch(place, now_us);
	}
	pthread_rwlock_unlock(lock);
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

static struct place *place_choose(struct set *set, const struct answer *answer, int64_t now_us)
{
	struct place *chosen = NULL;
	int chosen_worth = 0;

	for (int way = 0; way < CACHE_WAYS; way++) {
		struct place *place = &set->places[way];
		struct answer *there = place->answer;
		if (there && there->hash == answer->hash && there->type == answer->type &&
		    there->name_n == answer->name_n && memcmp(there->name, answer->name, there->name_n) == 0)
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

void cache_put(struct cache *cache, struct answer *answer, int64_t now_us)
{
	pthread_rwlock_t *lock;
	struct set *set = set_of(cache, answer->hash, &lock);

	if (!big_room_take(cache, answer))
		return;
	answer_hold(answer);
	pthread_rwlock_wrlock(lock);
	struct place *place = place_choose(set, answer, now_us);
	struct answer *old = place->answer;
	place->answer = answer;
	atomic_store_explicit(&place->used_us, now_us, memory_order_relaxed);
	if (!old || old->hash != answer->hash)
		atomic_store_explicit(&place->hit, false, memory_order_relaxed);
	pthread_rwlock_unlock(lock);
	if (!old)
		atomic_fetch_add_explicit(&cache->entries, 1, memory_order_relaxed);
	big_room_give(cache, old);
	answer_release(old);
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
