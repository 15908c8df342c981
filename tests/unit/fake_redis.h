/*
 * fake_redis.h - a server on a unix socket that greets as Redis does, and then answers questions with any bytes.
 */
#ifndef SEKISHO_TEST_FAKE_REDIS_H
#define SEKISHO_TEST_FAKE_REDIS_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base.h"

#define FAKE_CLIENTS 64

/* What it does with one kind of request. */
struct fake_answer {
	const char *bytes;  /* NULL: nothing */
	size_t n;           /* 0: strlen */
	unsigned pause_ms;  /* after each byte; 0: all at once */
	size_t repeats;     /* of the bytes; 0: once */
	bool closes, halts; /* then; halts: it never reads again */
};

struct fake_redis {
	char directory[40], path[64], url[96];
	int listener;
	pthread_t thread;
	_Atomic bool stopping;
	_Atomic unsigned greeted, asked, evals;     /* connections; EVALSHA and EVAL; EVAL */
	const struct fake_answer *_Atomic greeting; /* NULL: as Redis does */
	const struct fake_answer *_Atomic memory;   /* to INFO memory; NULL: as to another INFO */
	const struct fake_answer *_Atomic question; /* to EVALSHA */
	const struct fake_answer *_Atomic eval;     /* to EVAL; NULL: as to EVALSHA */
};

struct fake_client {
	struct fake_redis *fake;
	int fd;
	bool halted;
};

static inline bool fake_has(const char *bytes, size_t n, const char *word)
{
	return memmem(bytes, n, word, strlen(word)) != NULL;
}

/* False: the connection is over. The answer is copied: a test may be over, and its answers gone, before all is sent. */
static inline bool fake_send(struct fake_client *client, const struct fake_answer *said)
{
	const struct fake_answer copy = *said, *answer = &copy;
	size_t n = answer->n ? answer->n : answer->bytes ? strlen(answer->bytes) : 0, repeats = answer->repeats;

	do {
		for (size_t i = 0; i < n && !client->fake->stopping; i += answer->pause_ms ? 1 : n) {
			if (send(client->fd, answer->bytes + i, answer->pause_ms ? 1 : n, MSG_NOSIGNAL) < 0)
				return false;
			usleep(answer->pause_ms * 1000);
		}
	} while (repeats-- > 1 && !client->fake->stopping);
	client->halted = answer->halts;
	return !answer->closes;
}

static inline bool fake_request(struct fake_client *client, const char *bytes, size_t n)
{
	static const struct fake_answer ok = {.bytes = "+OK\r\n"}, info = {.bytes = "$19\r\ncluster_enabled:0\r\n\r\n"},
					one = {.bytes = ":1\r\n"};
	struct fake_redis *fake = client->fake;
	bool sha = fake_has(bytes, n, "EVALSHA"), eval = !sha && fake_has(bytes, n, "EVAL\r");
	const struct fake_answer *answer = sha ? fake->question : fake->eval ? fake->eval : fake->question;

	if (sha || eval) {
		fake->asked++;
		fake->evals += eval;
		return fake_send(client, answer);
	}
	if (fake->greeting)
		return fake_send(client, fake->greeting);
	if (fake->memory && fake_has(bytes, n, "memory"))
		return fake_send(client, fake->memory);
	if (fake_has(bytes, n, "INFO"))
		return fake_send(client, &info);
	return fake_send(client, fake_has(bytes, n, "DBSIZE") ? &one : &ok);
}

static inline void *fake_serve(void *client_)
{
	struct fake_client *client = client_;
	struct pollfd poll_ = {client->fd, POLLIN, 0};
	bool lives = true;
	char bytes[64 * 1024];

	while (lives && !client->fake->stopping) {
		ssize_t n;

		if (poll(&poll_, 1, 10) <= 0 || client->halted)
			continue;
		n = recv(client->fd, bytes, sizeof(bytes), 0);
		lives = n > 0 && fake_request(client, bytes, (size_t)n);
	}
	close(client->fd);
	free(client);
	return NULL;
}

static inline void *fake_accept(void *fake_)
{
	struct fake_redis *fake = fake_;
	struct pollfd poll_ = {fake->listener, POLLIN, 0};
	pthread_t threads[FAKE_CLIENTS];
	size_t count = 0;

	while (!fake->stopping) {
		struct fake_client *client;
		int fd;

		if (poll(&poll_, 1, 10) <= 0)
			continue;
		fd = accept(fake->listener, NULL, NULL);
		if (fd < 0 || count == FAKE_CLIENTS) {
			close(fd);
			continue;
		}
		fake->greeted++;
		client = xmalloc(sizeof(*client));
		*client = (struct fake_client){fake, fd, false};
		pthread_create(&threads[count++], NULL, fake_serve, client);
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return NULL;
}

static inline void fake_start(struct fake_redis *fake)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(fake, 0, sizeof(*fake));
	strcpy(fake->directory, "/tmp/sekisho-fake.XXXXXX");
	if (!mkdtemp(fake->directory))
		die("no directory");
	snprintf(fake->path, sizeof(fake->path), "%s/s", fake->directory);
	snprintf(fake->url, sizeof(fake->url), "redis+unix://%s", fake->path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
	fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(fake->listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fake->listener, 64) != 0)
		die("no socket");
	pthread_create(&fake->thread, NULL, fake_accept, fake);
}

static inline void fake_stop(struct fake_redis *fake)
{
	fake->stopping = true;
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	unlink(fake->path);
	rmdir(fake->directory);
}

#endif
