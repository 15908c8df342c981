/*
 * redis_opener.c - the thread that makes connections.
 */
#include "redis_ask.h"
#include "redis_opener.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>

#define FIRST_TRY_US (1000 * 1000)
#define STOP_S       3

/* ---- where ---------------------------------------------------------------------------------------- */

static int find_path(struct redis_opener *opener)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", opener->url.path);
	memcpy(&opener->addresses[0], &address, sizeof(address));
	opener->sizes[0] = sizeof(address);
	opener->address_count = 1;
	return 0;
}

/* Blocks as long as the resolver of the system does. */
static int find_addresses(struct redis_opener *opener, struct error *err)
{
	struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
	int rc;

	opener->address_count = 0;
	if (opener->url.path[0])
		return find_path(opener);
	rc = getaddrinfo(opener->url.host, opener->url.port, &wanted, &found);
	if (rc != 0) {
		error_set(err, "the host name cannot be looked up: %s", gai_strerror(rc));
		return -1;
	}
	for (struct addrinfo *one = found; one && opener->address_count < REDIS_ADDRESSES_MAX; one = one->ai_next) {
		if (one->ai_addrlen > sizeof(opener->addresses[0]))
			continue;
		memcpy(&opener->addresses[opener->address_count], one->ai_addr, one->ai_addrlen);
		opener->sizes[opener->address_count++] = one->ai_addrlen;
	}
	freeaddrinfo(found);
	return 0;
}

static struct redis_link *connect_to_one(struct redis_opener *opener, int64_t deadline_us, struct error *err)
{
	struct redis_link *link = NULL;

	error_set(err, "the host has no address");
	for (size_t i = 0; i < opener->address_count && !link; i++)
		link = redis_link_connect((const struct sockaddr *)&opener->addresses[i], opener->sizes[i], deadline_us,
					  err);
	return link;
}

/* ---- who ------------------------------------------------------------------------------------------- */

int redis_password_read(const char *path, char password_r[REDIS_PASSWORD_MAX + 1], struct error *err)
{
	struct slice text, password;
	struct error why;
	int worked = -1;

	if (file_read_plain(path, REDIS_PASSWORD_MAX, &text, &why) < 0) {
		error_set(err, "password-file: %s", why.text);
		return -1;
	}
	password = slice_trim(text);
	if (password.n == 0 || slice_find(password, '\n') >= 0 || slice_find(password, '\0') >= 0) {
		error_set(err, "password-file %s: it must have one line, the password", path);
	} else {
		snprintf(password_r, REDIS_PASSWORD_MAX + 1, "%.*s", SLICE_ARGS(password));
		worked = 0;
	}
	explicit_bzero((char *)text.p, text.n);
	free((char *)text.p);
	return worked;
}

/* One command of the greeting, whose answer must not be an error. */
static int say(struct redis_link *link, const struct redis_command *command, int64_t deadline_us, struct arena *arena,
	       struct error *err)
{
	const struct redis_reply *reply;

	if (redis_ask_link(link, command, REDIS_SMALL, deadline_us, arena, &reply, err) != WIRE_OK)
		return -1;
	if (reply->type != REDIS_ERROR)
		return 0;
	redis_fault_explain(reply, err);
	return -1;
}

static int log_in(const struct redis_opener *opener, struct redis_link *link, int64_t deadline_us, struct arena *arena,
		  struct error *err)
{
	struct redis_command command = {.count = 0};
	char password[REDIS_PASSWORD_MAX + 1] = "";
	int worked;

	if (!opener->password_file && !opener->url.user[0])
		return 0;
	if (opener->password_file && redis_password_read(opener->password_file, password, err) < 0)
		return -1;
	redis_add(&command, SLICE("AUTH"));
	if (opener->url.user[0])
		redis_add(&command, slice_of(opener->url.user));
	redis_add(&command, slice_of(password));
	worked = say(link, &command, deadline_us, arena, err);
	explicit_bzero(password, sizeof(password));
	return worked;
}

static int choose_database(const struct redis_opener *opener, struct redis_link *link, int64_t deadline_us,
			   struct arena *arena, struct error *err)
{
	struct redis_command command = {.count = 0};
	char number[NUMBER_TEXT];

	if (opener->url.database == 0)
		return 0;
	redis_add(&command, SLICE("SELECT"));
	redis_add(&command, number_print(opener->url.database, number));
	return say(link, &command, deadline_us, arena, err);
}

/* A cluster answers some keys, so it must be asked. A user may lack the right to ask; then the keys will tell. An error
 * is kept: after the one about too many clients the server closes the connection. */
static int refuse_cluster(struct redis_link *link, int64_t deadline_us, struct arena *arena, struct error *said_r,
			  struct error *err)
{
	static const char enabled[] = "cluster_enabled:1";
	struct redis_command command = {{SLICE("INFO"), SLICE("cluster")}, 2};
	const struct redis_reply *reply;

	if (redis_ask_link(link, &command, REDIS_SMALL, deadline_us, arena, &reply, err) != WIRE_OK)
		return -1;
	if (reply->type == REDIS_ERROR)
		redis_fault_explain(reply, said_r);
	if (reply->type != REDIS_TEXT || reply->text.n == 0 ||
	    !memmem(reply->text.p, reply->text.n, enabled, sizeof(enabled) - 1))
		return 0;
	error_set(err, "it is part of a cluster, which is not supported; name a server that is not");
	return -1;
}

/* Does it take changes, in the time of a question? When its memory is full, it still answers. */
static int try_change(const struct redis_opener *opener, struct redis_link *link, struct arena *arena,
		      const struct error *said, struct error *err)
{
	struct redis_command command = {{SLICE("SET"), SLICE(REDIS_PROBE_KEY), SLICE("1"), SLICE("EX"), SLICE("60")},
					5};
	const struct redis_reply *reply;

	if (redis_ask_link(link, &command, REDIS_SMALL, clock_us() + opener->timeout_us, arena, &reply, err) !=
	    WIRE_OK) {
		if (said->text[0])
			*err = *said;
		return -1;
	}
	if (redis_fault_of(reply) == FAULT_NONE || redis_fault_of(reply) == FAULT_ODD)
		return 0;
	redis_fault_explain(reply, err);
	return -1;
}

static int greet(const struct redis_opener *opener, struct redis_link *link, int64_t deadline_us, struct error *err)
{
	struct arena *arena = arena_new();
	struct error said = {""};
	int worked = -1;

	if ((!opener->tls || redis_tls_begin(link, opener->tls, opener->url.host, deadline_us, err) == 0) &&
	    log_in(opener, link, deadline_us, arena, err) == 0 &&
	    choose_database(opener, link, deadline_us, arena, err) == 0 &&
	    refuse_cluster(link, deadline_us, arena, &said, err) == 0)
		worked = try_change(opener, link, arena, &said, err);
	arena_free(arena);
	return worked;
}

static struct redis_link *open_link(struct redis_opener *opener, struct error *err)
{
	struct redis_link *link;
	int64_t deadline_us;

	if (opener->address_count == 0 && find_addresses(opener, err) < 0)
		return NULL;
	deadline_us = clock_us() + (opener->timeout_us > REDIS_CONNECT_US ? opener->timeout_us : REDIS_CONNECT_US);
	link = connect_to_one(opener, deadline_us, err);
	if (link && greet(opener, link, deadline_us, err) == 0)
		return link;
	opener->address_count = 0; /* another server may have its name now */
	redis_link_close(link);
	return NULL;
}

/* ---- the thread -------------------------------------------------------------------------------------- */

/* A server whose user may not ask it has no bound that we know. */
static enum redis_wire ask_memory(struct redis_opener *opener, struct redis_link *link, struct arena *arena,
				  struct error *err)
{
	struct redis_command command = {{SLICE("INFO"), SLICE("memory")}, 2};
	const struct redis_reply *reply = NULL;
	enum redis_wire wire =
	    redis_ask_link(link, &command, REDIS_LARGE, clock_us() + opener->timeout_us, arena, &reply, err);

	if (wire != WIRE_OK)
		return wire;
	opener->bytes = redis_info_number(reply, SLICE("used_memory"));
	opener->at_most = redis_info_number(reply, SLICE("maxmemory"));
	if (opener->at_most == 0) /* not set: the server takes what its host has */
		opener->at_most = redis_info_number(reply, SLICE("total_system_memory"));
	return wire;
}

static void count_keys(struct redis_opener *opener, struct redis_link *link)
{
	struct redis_command command = {{SLICE("DBSIZE")}, 1};
	struct arena *arena = arena_new();
	const struct redis_reply *reply = NULL;
	struct error why;
	enum redis_wire wire =
	    redis_ask_link(link, &command, REDIS_SMALL, clock_us() + opener->timeout_us, arena, &reply, &why);
	enum redis_fault fault = wire == WIRE_OK ? redis_fault_of(reply) : FAULT_NONE;

	if (wire == WIRE_OK && reply->type == REDIS_NUMBER)
		opener->keys = reply->number > 0 ? (uint64_t)reply->number : 0;
	if (fault != FAULT_NONE)
		redis_fault_explain(reply, &why);
	else if (wire == WIRE_OK)
		wire = ask_memory(opener, link, arena, &why);
	if (wire == WIRE_OK && fault != FAULT_DOWN)
		redis_pool_give(&opener->pool, link);
	else
		redis_pool_fail(&opener->pool, link, true, &why);
	arena_free(arena);
}

static void open_another(struct redis_opener *opener)
{
	struct redis_pool *pool = &opener->pool;
	struct error why = {""};
	struct redis_link *link = open_link(opener, &why);

	pthread_mutex_lock(&pool->lock);
	if (link)
		redis_pool_add(pool, link);
	else
		redis_pool_open_breaker(pool, &why);
	pthread_cond_broadcast(&pool->freed);
	pthread_mutex_unlock(&pool->lock);
}

enum work { WORK_NONE, WORK_OPEN, WORK_CHECK };

/* What is to be done, waiting for it; with the lock. */
static enum work next_work(struct redis_pool *pool, int64_t check_at)
{
	int64_t until_us = pool->open ? pool->retry_at : check_at;
	struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};

	if (pool->open)
		return clock_us() >= pool->retry_at
			   ? WORK_OPEN
			   : (pthread_cond_timedwait(&pool->wanted, &pool->lock, &until), WORK_NONE);
	if (pool->waiting > 0 && !pool->idle && pool->links < REDIS_LINKS_MAX)
		return WORK_OPEN;
	if (clock_us() >= check_at)
		return WORK_CHECK;
	pthread_cond_timedwait(&pool->wanted, &pool->lock, &until);
	return WORK_NONE;
}

static void *run(void *opener_)
{
	struct redis_opener *opener = opener_;
	struct redis_pool *pool = &opener->pool;
	int64_t check_at = 0;

	pthread_mutex_lock(&pool->lock);
	while (!pool->stopping) {
		enum work work = next_work(pool, check_at);
		bool none = pool->links == 0;
		struct redis_link *link;

		if (work == WORK_NONE)
			continue;
		pthread_mutex_unlock(&pool->lock);
		link = work == WORK_CHECK ? redis_pool_take_idle(pool) : NULL;
		if (link)
			count_keys(opener, link);
		else if (work == WORK_OPEN || none)
			open_another(opener);
		if (work == WORK_CHECK)
			check_at = clock_us() + REDIS_CHECK_US;
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

int redis_opener_start(struct redis_opener *opener, struct error *err)
{
	int64_t until_us = clock_us() + FIRST_TRY_US;
	struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
	int rc;

	redis_pool_init(&opener->pool);
	rc = pthread_create(&opener->thread, NULL, run, opener);
	if (rc != 0) {
		redis_pool_free(&opener->pool);
		error_set(err, "the store needs a thread: %s", strerror(rc));
		return -1;
	}
	pthread_mutex_lock(&opener->pool.lock);
	while (!opener->pool.tried && rc == 0)
		rc = pthread_cond_timedwait(&opener->pool.freed, &opener->pool.lock, &until);
	pthread_mutex_unlock(&opener->pool.lock);
	return 0;
}

bool redis_opener_stop(struct redis_opener *opener)
{
	struct timespec until;

	pthread_mutex_lock(&opener->pool.lock);
	opener->pool.stopping = true;
	pthread_cond_signal(&opener->pool.wanted);
	pthread_mutex_unlock(&opener->pool.lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_S;
	if (pthread_timedjoin_np(opener->thread, NULL, &until) != 0)
		return false;
	redis_pool_free(&opener->pool);
	return true;
}
