/*
 * least.c - the milter protocol by bare epoll, and one field added: what the kernel and the load take when the filter
 * takes nothing. No check, no policy, no log, no time-outs; it trusts what it is sent.
 *
 *     least SOCKET             receives everything and answers only at the end
 *     least hash SOCKET        takes the SHA-256 of the body, too, as it comes: no verifier of DKIM can do with less
 */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <unistd.h>

#define IN_BYTES    (64 * 1024)
#define HEAD        5
#define ADD_FIELDS  0x1
#define MUTE        0xff480  /* no answers but to the end */
#define LEFT_OUT    0x100100 /* unknown commands; and values come with their blank */
#define PROTOCOL    6
#define EVENTS      16
#define FIELD       "\0\0\0\0Authentication-Results\0 mx.example.org; none"
#define ADDRESS_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

struct session {
	int fd;
	size_t kept;         /* of a packet that is not complete */
	size_t body_left;    /* of a piece of the body */
	EVP_MD_CTX *hash;    /* NULL: bodies are not hashed */
	char head[4 * 1024]; /* the beginning of a packet; none of the load's is longer */
};

static int listener;
static bool hashes;

static void say(const char *what)
{
	perror(what);
	exit(1);
}

static void answer(const struct session *session, const void *p, size_t n)
{
	if (send(session->fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
		say("send");
}

static void negotiated(const struct session *session)
{
	struct {
		uint32_t size;
		char letter, numbers[12];
	} reply = {htonl(13), 'O', {0}};
	uint32_t numbers[] = {htonl(PROTOCOL), htonl(ADD_FIELDS), htonl(MUTE | LEFT_OUT)};

	memcpy(reply.numbers, numbers, sizeof(numbers));
	answer(session, &reply, 17);
}

static void ended(const struct session *session)
{
	static const char field[] = FIELD; /* with its NUL */
	uint32_t size = htonl(sizeof(field) + 1), one = htonl(1);
	unsigned char digest[EVP_MAX_MD_SIZE];
	char reply[4 + 1 + sizeof(field) + HEAD], *p = reply;

	if (session->hash && (EVP_DigestFinal_ex(session->hash, digest, NULL) != 1 ||
			      EVP_DigestInit_ex(session->hash, EVP_sha256(), NULL) != 1))
		exit(1);
	p = mempcpy(p, &size, 4);
	*p++ = 'i';
	p = mempcpy(p, field, sizeof(field));
	p = mempcpy(p, &one, 4);
	*p = 'c';
	answer(session, reply, sizeof(reply));
}

/* A whole packet, without its length. False: the session is over. */
static bool packet(struct session *session, char letter)
{
	if (letter == 'O')
		negotiated(session);
	else if (letter == 'E')
		ended(session);
	return letter != 'Q';
}

/* Handles what is complete; returns how many bytes, or -1 at the end of the session. */
static ptrdiff_t step(struct session *session, const char *p, size_t n)
{
	uint32_t size;

	if (session->body_left > 0) {
		size_t some = n < session->body_left ? n : session->body_left;
		if (session->hash && EVP_DigestUpdate(session->hash, p, some) != 1)
			exit(1);
		session->body_left -= some;
		return (ptrdiff_t)some;
	}
	if (n < HEAD)
		return 0;
	memcpy(&size, p, 4);
	size = ntohl(size);
	if (p[4] == 'B') {
		session->body_left = size - 1;
		return HEAD;
	}
	if (n < 4 + (size_t)size)
		return 0;
	return packet(session, p[4]) ? 4 + (ptrdiff_t)size : -1;
}

/* False: the session is over. */
static bool take(struct session *session, char *in)
{
	ssize_t got;
	size_t n, at = 0;

	memcpy(in, session->head, session->kept);
	got = recv(session->fd, in + session->kept, IN_BYTES - session->kept, 0);
	if (got <= 0)
		return false;
	n = session->kept + (size_t)got;
	while (at < n) {
		ptrdiff_t done = step(session, in + at, n - at);
		if (done < 0)
			return false;
		if (done == 0)
			break;
		at += (size_t)done;
	}
	session->kept = n - at;
	if (session->kept > sizeof(session->head))
		return false;
	memcpy(session->head, in + at, session->kept);
	return true;
}

static void watch(int epoll, int operation, int fd, uint32_t events, struct session *session)
{
	struct epoll_event event = {.events = events, .data.ptr = session};

	if (epoll_ctl(epoll, operation, fd, &event) != 0)
		say("epoll_ctl");
}

static void accept_one(int epoll)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct session *session;

	if (fd < 0) /* the other thread has it */
		return;
	session = malloc(sizeof(*session));
	session->fd = fd;
	session->kept = session->body_left = 0;
	session->hash = hashes ? EVP_MD_CTX_new() : NULL;
	if (session->hash && EVP_DigestInit_ex(session->hash, EVP_sha256(), NULL) != 1)
		exit(1);
	watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, session);
}

static void *run(void *unused)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	char *in = malloc(IN_BYTES);
	struct epoll_event events[EVENTS];

	watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN | EPOLLEXCLUSIVE, NULL);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			struct session *session = events[i].data.ptr;
			if (!session) {
				accept_one(epoll);
			} else if (!take(session, in)) {
				close(session->fd);
				EVP_MD_CTX_free(session->hash);
				free(session);
			}
		}
	}
	return unused;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	pthread_t thread;

	hashes = argc == 3 && strcmp(argv[1], "hash") == 0;
	if ((argc != 2 && !hashes) || strlen(argv[argc - 1]) > ADDRESS_MAX) {
		fputs("usage: least [hash] SOCKET\n", stderr);
		return 2;
	}
	strcpy(address.sun_path, argv[argc - 1]);
	umask(0);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, SOMAXCONN) != 0)
		say(address.sun_path);
	for (int i = 1; i < get_nprocs(); i++)
		if (pthread_create(&thread, NULL, run, NULL) != 0)
			say("a thread");
	run(NULL);
	return 0;
}
