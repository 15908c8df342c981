/*
 * test_peer.c - the kernel tells whose program is at the other end of a TCP connection of this host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base.h"
#include "skip_because.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
	int ours, theirs;
};

/* A connection from 127.0.0.1 to a socket of the family. */
static struct pair connected(int family)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
	socklen_t n = family == AF_INET ? sizeof(four) : sizeof(six);
	int listener = socket(family, SOCK_STREAM, 0);
	struct pair pair = {-1, socket(AF_INET, SOCK_STREAM, 0)};

	SKIP_UNLESS(listener >= 0 && bind(listener, address, n) == 0, "this kernel has no IPv6");
	listen(listener, 1);
	getsockname(listener, address, &n);
	four = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				    .sin_port = family == AF_INET ? four.sin_port : six.sin6_port};
	assert_int_equal(connect(pair.theirs, (struct sockaddr *)&four, sizeof(four)), 0);
	pair.ours = accept(listener, NULL, NULL);
	close(listener);
	return pair;
}

static void the_user_of_the_other_end_is_known(void **state)
{
	static const int families[] = {AF_INET, AF_INET6};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pair pair = connected(families[i]);
		unsigned uid = 4711;

		SKIP_UNLESS(peer_uid(pair.ours, &uid) == 0, "this kernel has no sock_diag");
		assert_int_equal(uid, getuid());
		close(pair.theirs);
		if (peer_uid(pair.ours, &uid) == 0)
			assert_int_equal(uid, PEER_NOBODY);
		close(pair.ours);
	}
}

static void nothing_is_known_of_other_sockets(void **state)
{
	int pair[2];
	unsigned uid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(peer_uid(pair[0], &uid), -1);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(peer_uid(pair[0], &uid), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_user_of_the_other_end_is_known),
	    cmocka_unit_test(nothing_is_known_of_other_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
