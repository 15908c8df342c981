/*
 * redis_opener.h - the thread that makes connections: looks up the host, logs in, and tries whether the server is one
 * that can be used.
 */
#ifndef SEKISHO_STORE_REDIS_OPENER_H
#define SEKISHO_STORE_REDIS_OPENER_H

#include "redis_pool.h"

#define REDIS_ADDRESSES_MAX 8
#define REDIS_CONNECT_US    (2 * 1000 * 1000)  /* for a connection with TLS and login, or as long as a question */
#define REDIS_CHECK_US      (10 * 1000 * 1000) /* a connection is tried that often */
#define REDIS_PASSWORD_MAX  1024
#define REDIS_PROBE_KEY     "sekisho:probe" /* written to learn whether the server takes changes; lives a minute */

struct redis_opener {
	struct redis_pool pool;
	struct redis_url url;
	char *password_file; /* NULL: without a password */
	SSL_CTX *tls;        /* NULL: without TLS */
	int64_t timeout_us;  /* of a question */
	struct sockaddr_storage addresses[REDIS_ADDRESSES_MAX];
	socklen_t sizes[REDIS_ADDRESSES_MAX];
	size_t address_count;
	_Atomic uint64_t keys;           /* in the database, when it was asked last */
	_Atomic uint64_t bytes, at_most; /* memory of the server, likewise; 0: not told, or no bound */
	pthread_t thread;
};

/* With url, password_file, tls and timeout_us. Waits for the end of the first try, for at most a second. 0, or -1 and
 * err: no thread. */
int redis_opener_start(struct redis_opener *, struct error *err);
/* False: the thread still waits for a name server after some seconds; what it uses must stay. */
bool redis_opener_stop(struct redis_opener *);

/* The password, without the end of its line. 0, or -1 and err. */
int redis_password_read(const char *path, char password_r[REDIS_PASSWORD_MAX + 1], struct error *err);

#endif
