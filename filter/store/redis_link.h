/*
 * redis_link.h - one connection to a server: a socket that never blocks, with TLS or without; each call has an absolute
 * deadline (clock_us). One thread at a time uses it.
 */
#ifndef SEKISHO_STORE_REDIS_LINK_H
#define SEKISHO_STORE_REDIS_LINK_H

#include "redis_url.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

struct redis_link {
	int fd;
	SSL *ssl;            /* NULL: without TLS */
	unsigned generation; /* of the pool, when it was opened */
	struct redis_link *next;
};

enum redis_wire { WIRE_OK, WIRE_TIMEOUT, WIRE_CLOSED /* or broken */ };

/* redis_socket.c. A connected link, owned by the caller. NULL and err. */
struct redis_link *redis_link_connect(const struct sockaddr *, socklen_t, int64_t deadline_us, struct error *err);
/* With that socket, which it owns. */
struct redis_link *redis_link_of(int fd);
void redis_link_close(struct redis_link *); /* NULL is allowed */

/* Nothing to read, and not closed by the server: a question can be sent. */
bool redis_link_is_quiet(const struct redis_link *);

/* Waits until the socket is ready for these events of poll. */
enum redis_wire redis_link_wait(const struct redis_link *, short events, int64_t deadline_us);

/* redis_link.c */
enum redis_wire redis_link_send(struct redis_link *, struct slice bytes, int64_t deadline_us);
/* At least a byte, at most `room`. */
enum redis_wire redis_link_receive(struct redis_link *, char *to, size_t room, size_t *n_r, int64_t deadline_us);

/* redis_tls.c: the settings of TLS. ca_file NULL: the certificates that the system trusts. NULL and err. */
SSL_CTX *redis_tls_context(const char *ca_file, struct error *err);
/* Begins TLS: the certificate must be valid for the host, a name or an address. 0, or -1 and err. */
int redis_tls_begin(struct redis_link *, SSL_CTX *, const char *host, int64_t deadline_us, struct error *err);
/* As redis_link_send and redis_link_receive. */
enum redis_wire redis_tls_send(struct redis_link *, struct slice bytes, int64_t deadline_us);
enum redis_wire redis_tls_receive(struct redis_link *, char *to, size_t room, size_t *n_r, int64_t deadline_us);

#endif
