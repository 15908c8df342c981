/*
 * redis.c - the store in a Redis server, which several nodes can share.
 */
#include "redis.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define ODD_US (60 * 1000 * 1000) /* a question that was refused is worth a line that long */

static int redis_check(const struct store_settings *settings, struct slice rest, struct error *err)
{
	struct redis_url url;

	if (redis_url_parse(rest, &url, err) < 0)
		return -1;
	if (!settings->ca_file || url.tls)
		return 0;
	error_set(err, "ca-file is for rediss://, the form with TLS");
	return -1;
}

/* ---- limits ------------------------------------------------------------------------------------ */

static void add_member(struct redis_question *question, struct slice member)
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	if (!member.p) {
		redis_add(&question->command, SLICE(""));
		return;
	}
	if (EVP_Digest(member.p, member.n, sum, NULL, EVP_sha256(), NULL) != 1)
		die("OpenSSL has no SHA-256");
	redis_add(&question->command,
		  arena_copy(question->arena, (struct slice){(const char *)sum, REDIS_MEMBER_BYTES}));
}

static struct redis_question question_of_limits(struct redis *redis, const struct store_limit *limits, size_t count)
{
	struct slice keys[STORE_LIMITS_MAX] = {{NULL, 0}};

	for (size_t i = 0; i < count; i++)
		keys[i] = limits[i].key;
	return redis_question_of(redis, keys, count);
}

static enum store_answer redis_reserve(void *state, const struct store_limit *limits, size_t count,
				       struct store_usage *usage_r)
{
	struct redis_question question = question_of_limits(state, limits, count);
	const struct redis_reply *reply;
	enum store_answer answer;

	for (size_t i = 0; i < count; i++) {
		redis_question_number(&question, limits[i].length_us / STORE_SLOTS);
		redis_question_halves(&question, limits[i].amount);
		redis_question_halves(&question, limits[i].hard);
		add_member(&question, limits[i].member);
	}
	reply = redis_question_ask(&question, REDIS_RESERVE, REDIS_SMALL, redis_deadline(state));
	answer = redis_read_usage(reply, limits, count, usage_r);
	if (reply && answer == STORE_UNAVAILABLE)
		redis_note_foreign(state, limits[0].key);
	redis_question_end(&question);
	return answer;
}

static enum store_answer redis_release(void *state, const struct store_limit *limits, size_t count,
				       const struct store_usage *usage)
{
	struct redis_question question = question_of_limits(state, limits, count);

	for (size_t i = 0; i < count; i++) {
		redis_question_halves(&question, limits[i].amount);
		redis_question_number(&question, usage[i].at_us);
		add_member(&question, limits[i].member);
	}
	return redis_question_answer(&question, REDIS_RELEASE);
}

/* ---- values -------------------------------------------------------------------------------------- */

static enum store_answer redis_put(void *state, const struct put *put)
{
	struct redis_question question = redis_question_of(state, &put->key, 1);

	redis_question_number(&question, put->life_us);
	redis_question_number(&question, put->when);
	redis_add(&question.command, put->value);
	redis_add(&question.command, put->was.p ? put->was : SLICE(""));
	return redis_question_answer(&question, REDIS_PUT);
}

static enum store_answer redis_renew(void *state, const struct slice *keys, size_t count, struct slice value,
				     int64_t life_us, int64_t again_us)
{
	struct redis_question question = redis_question_of(state, keys, count);

	redis_question_number(&question, life_us);
	redis_question_number(&question, again_us);
	redis_add(&question.command, value);
	return redis_question_answer(&question, REDIS_RENEW);
}

static enum store_answer redis_get(void *state, struct slice key, struct arena *arena, struct store_item *item_r)
{
	struct redis_question question = redis_question_of(state, &key, 1);
	const struct redis_reply *reply = redis_question_ask(&question, REDIS_GET, REDIS_SMALL, redis_deadline(state));
	enum store_answer answer = redis_read_item(reply, 0, key, arena, item_r);

	if (reply && answer == STORE_UNAVAILABLE)
		redis_note_foreign(state, key);
	redis_question_end(&question);
	return answer;
}

static enum store_answer redis_remove(void *state, struct slice key)
{
	struct redis_question question = redis_question_of(state, &key, 1);

	return redis_question_answer(&question, REDIS_DELETE);
}

static enum store_answer redis_lease(void *state, struct slice key, struct slice holder, int64_t life_us)
{
	struct redis_question question = redis_question_of(state, &key, 1);

	redis_question_number(&question, life_us);
	redis_add(&question.command, holder);
	return redis_question_answer(&question, REDIS_LEASE);
}

static enum store_answer redis_unlease(void *state, struct slice key, struct slice holder)
{
	struct redis_question question = redis_question_of(state, &key, 1);

	redis_add(&question.command, holder);
	return redis_question_answer(&question, REDIS_UNLEASE);
}

/* What a server has written to its disk is its own affair. */
static enum store_answer redis_flush(void *state, int64_t deadline_us)
{
	struct redis *redis = state;

	(void)deadline_us;
	return redis->opener.pool.open ? STORE_UNAVAILABLE : STORE_OK;
}

/* ---- opening and closing --------------------------------------------------------------------------- */

static bool redis_waits(void *state)
{
	struct redis *redis = state;

	return !atomic_load_explicit(&redis->opener.pool.open, memory_order_relaxed);
}

static void redis_free(struct redis *redis)
{
	SSL_CTX_free(redis->opener.tls);
	free(redis->opener.password_file);
	ticker_free(&redis->ticker);
	free(redis->place);
	free(redis);
}

/* What can be wrong on this host: files that cannot be read. */
static int prepare(struct redis *redis, const struct store_settings *settings, struct error *err)
{
	char password[REDIS_PASSWORD_MAX + 1];

	if (settings->password_file) {
		redis->opener.password_file = xstrdup(settings->password_file);
		if (redis_password_read(settings->password_file, password, err) < 0)
			return -1;
		explicit_bzero(password, sizeof(password));
	}
	if (redis->opener.url.tls)
		redis->opener.tls = redis_tls_context(settings->ca_file, err);
	return redis->opener.url.tls && !redis->opener.tls ? -1 : 0;
}

static void *redis_open(const struct store_settings *settings, struct slice rest, struct error *err)
{
	struct redis *redis = xmalloc(sizeof(*redis));

	redis_scripts_init();
	redis_url_parse(rest, &redis->opener.url, err);
	redis->opener.timeout_us = settings->timeout_us > 0 ? settings->timeout_us : REDIS_TIMEOUT_US;
	redis->ticks = settings->clock.wall_us != clock_wall_us;
	ticker_init(&redis->ticker, &settings->clock, 0);
	redis->place = xmalloc(settings->url.n + 1);
	memcpy(redis->place, settings->url.p, settings->url.n);
	if (prepare(redis, settings, err) < 0 || redis_opener_start(&redis->opener, err) < 0) {
		redis_free(redis);
		return NULL;
	}
	return redis;
}

static void redis_close(void *state)
{
	struct redis *redis = state;

	if (redis_opener_stop(&redis->opener))
		redis_free(redis);
}

/* ---- health ----------------------------------------------------------------------------------------- */

static void redis_counters(void *state, struct store_counters *counters_r)
{
	struct redis *redis = state;

	counters_r->keys = redis->opener.keys;
	counters_r->bytes = redis->opener.bytes;
	counters_r->at_most = redis->opener.at_most;
	counters_r->damaged = redis->damaged;
	pthread_mutex_lock(&redis->opener.pool.lock);
	counters_r->failures = redis->opener.pool.openings;
	pthread_mutex_unlock(&redis->opener.pool.lock);
}

static void redis_health(void *state, struct store_health *health_r)
{
	struct redis *redis = state;
	struct redis_pool *pool = &redis->opener.pool;

	pthread_mutex_lock(&pool->lock);
	health_r->failing = pool->open || pool->openings != redis->told;
	redis->told = pool->openings;
	health_r->full = !health_r->failing && pool->odd_at > 0 && clock_us() - pool->odd_at < ODD_US;
	if (health_r->failing)
		error_set(&health_r->why, "store %.150s: %.250s; facts that need the store are unknown until it works",
			  redis->place, pool->tried ? pool->why.text : "it does not answer in time");
	else if (health_r->full)
		error_set(&health_r->why, "store %.150s: %.300s", redis->place, pool->odd.text);
	pthread_mutex_unlock(&pool->lock);
}

const struct store_backend store_redis = {
    .scheme = "redis",
    .remote = true,
    .check = redis_check,
    .open = redis_open,
    .close = redis_close,
    .waits = redis_waits,
    .reserve = redis_reserve,
    .release = redis_release,
    .put = redis_put,
    .renew = redis_renew,
    .get = redis_get,
    .remove = redis_remove,
    .lease = redis_lease,
    .unlease = redis_unlease,
    .scan = redis_scan,
    .add = redis_add_sums,
    .sums = redis_sums,
    .forget = redis_forget,
    .flush = redis_flush,
    .counters = redis_counters,
    .health = redis_health,
};
