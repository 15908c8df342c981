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

/* A connection from 127.0.0.1 to a socket of the family; with an interface, from a socket that is bound to it. */
static struct pair connected_by(int family, const char *interface)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
	socklen_t n = family == AF_INET ? sizeof(four) : sizeof(six);
	int listener = socket(family, SOCK_STREAM, 0);
	struct pair pair = {-1, socket(AF_INET, SOCK_STREAM, 0)};

	SKIP_UNLESS(!interface ||
			setsockopt(pair.theirs, SOL_SOCKET, SO_BINDTODEVICE, interface, strlen(interface) + 1) == 0,
		    "this kernel lets root alone bind to an interface");
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

static struct pair connected(int family)
{
	return connected_by(family, NULL);
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

/* Else any user would pass for another host, and be served. */
static void a_socket_that_is_bound_to_an_interface_is_found(void **state)
{
	struct pair pair = connected(AF_INET);
	unsigned uid = 4711;

	(void)state;
	SKIP_UNLESS(peer_uid(pair.ours, &uid) == 0, "this kernel has no sock_diag");
	close(pair.ours);
	close(pair.theirs);
	pair = connected_by(AF_INET, "lo");
	uid = 4711;
	assert_int_equal(peer_uid(pair.ours, &uid), 0);
	assert_int_equal(uid, getuid());
	close(pair.ours);
	close(pair.theirs);
}

/* What it sent before can still be read, so it must not pass for another host. */
static void who_reset_the_connection_is_nobody(void **state)
{
	static const int families[] = {AF_INET, AF_INET6};
	static const struct linger at_once = {.l_onoff = 1};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pair pair = connected(families[i]);
		unsigned uid = 4711;

		setsockopt(pair.theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(pair.theirs);
		assert_int_equal(peer_uid(pair.ours, &uid), 0);
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
	    cmocka_unit_test(a_socket_that_is_bound_to_an_interface_is_found),
	    cmocka_unit_test(who_reset_the_connection_is_nobody),
	    cmocka_unit_test(nothing_is_known_of_other_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
