/*
 * cache.h - answers that are known already.
 *
 * Sets with CACHE_WAYS places each. Where an answer goes follows from its
 * question's seeded hash, so nobody outside can fill one set on purpose, and
 * a search looks at CACHE_WAYS places, never at a chain. The sets are in shards with a
 * lock each; a hit takes it for reading. A shard gets more sets while its sets are full of what
 * still counts, up to the size of the cache; then what comes in puts something out.
 *
 * An answer whose time is over stays for a while, for the day its servers fail
 * (RFC 8767), and is then found with answer_is_fresh() false.
 */
#ifndef SEKISHO_DNS_CACHE_H
#define SEKISHO_DNS_CACHE_H

#include "answer.h"

#define CACHE_WAYS      8
#define CACHE_SHARDS    256        /* many more than threads, so that they rarely meet at a lock */
#define CACHE_BIG       4096       /* bytes; an honest answer is smaller */
#define CACHE_BIG_BYTES (8u << 20) /* all answers over CACHE_BIG together: strangers can make them, 64 KB each */

#define SECOND_US INT64_C(1000000)
#define TTL_MAX_US                                                                                                     \
	(86400 * SECOND_US) /* RFC 8767 4 advises a cap of days to weeks; a policy wants to change in one              \
			     */
#define TTL_NEGATIVE_US  (3600 * SECOND_US) /* RFC 2308 5 advises one to three hours */
#define TTL_NO_SOA_US    (60 * SECOND_US)   /* negative, and nobody says for how long */
#define TTL_TEMPFAIL_US  (5 * SECOND_US)   /* RFC 2308 7.1 allows five minutes; a broken server is asked again sooner */
#define TTL_BIG_US       (300 * SECOND_US) /* for answers over CACHE_BIG: none may sit on the room for long */
#define STALE_US         (86400 * SECOND_US) /* RFC 8767 5: one to three days */
#define STALE_RECHECK_US (30 * SECOND_US)    /* RFC 8767 5: the servers are asked again after that */

struct cache;

/* With places for so many answers in the end, rounded down to full shards. */
struct cache *cache_new(size_t entries);
void cache_free(struct cache *);
size_t cache_entries(const struct cache *);

/* Held, or NULL. It may be past its time: see answer_is_fresh. */
struct answer *cache_find(struct cache *, const struct question *, int64_t now_us);

/* Keeps the answer (holds it once more) in place of an older one to the same question. */
void cache_put(struct cache *, struct answer *, int64_t now_us);

/* Makes the answer of a draft with its times, keeps it, returns it held. A failure
 * gives way to what was known before, marked stale, where there is any. */
struct answer *cache_settle(struct cache *, const struct question *, const struct dns_answer *draft, int64_t ttl_us,
			    int64_t now_us);

/* What is known of the question although asking failed, held: an answer that is fresh, or one past its time,
 * marked stale; NULL when there is none. */
struct answer *cache_fallback(struct cache *, const struct question *, int64_t now_us);

static inline bool answer_is_fresh(const struct answer *answer, int64_t now_us)
{
	return now_us < answer->fresh_until_us;
}

#endif
