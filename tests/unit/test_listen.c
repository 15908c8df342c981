/*
 * The milter socket: what `listen` may say, and who can connect when.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../filter/daemon/daemon_private.h"
#include "skip_because.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY ((uid_t)-1), ((gid_t)-1)

static char directory[64], path[100];

static int directory_make(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/sekisho-listen-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	return 0;
}

static int directory_remove(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

/* ---- the setting ---------------------------------------------------------------------- */

static void addresses_are_read(void **state)
{
	static const struct {
		const char *text;
		enum listen_family family;
		const char *path, *host;
		unsigned port;
		int fd;
	} cases[] = {
	    {"unix:/run/sekisho/milter.sock", LISTEN_UNIX, "/run/sekisho/milter.sock", "", 0, 0},
	    {"inet:8891@127.0.0.1", LISTEN_INET, "", "127.0.0.1", 8891, 0},
	    {"inet:8891@[127.0.0.1]", LISTEN_INET, "", "127.0.0.1", 8891, 0},
	    {"inet:8891@localhost", LISTEN_INET, "", "localhost", 8891, 0},
	    {"inet:8891", LISTEN_INET, "", "", 8891, 0},
	    {"inet6:8891@[::1]", LISTEN_INET6, "", "::1", 8891, 0},
	    {"inet6:8891@::1", LISTEN_INET6, "", "::1", 8891, 0},
	    {"inet6:65535", LISTEN_INET6, "", "", 65535, 0},
	    {"fd:3", LISTEN_FD, "", "", 0, 3},
	    {"INET:1", LISTEN_INET, "", "", 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct listen_address address;
		struct error err;

		assert_int_equal(listen_parse(slice_of(cases[i].text), &address, &err), 0);
		assert_int_equal(address.family, cases[i].family);
		assert_string_equal(address.path, cases[i].path);
		assert_string_equal(address.host, cases[i].host);
		assert_int_equal(address.port, cases[i].port);
		assert_int_equal(address.fd, cases[i].fd);
	}
}

static void what_is_not_an_address_is_refused_with_a_reason(void **state)
{
	static const struct slice cases[] = {
	    SLICE(""),           SLICE("8891"),
	    SLICE("inet:"),      SLICE("inet:0"),
	    SLICE("inet:65536"), SLICE("inet:25x"),
	    SLICE("inet:-1"),    SLICE("inet:25@"),
	    SLICE("inet:25@[]"), SLICE("inet:@127.0.0.1"),
	    SLICE("unix:"),      SLICE("unix:relative"),
	    SLICE("unix:/a\0b"), SLICE("inet:25@a\0b"),
	    SLICE("fd:"),        SLICE("fd:x"),
	    SLICE("fd:65536"),   SLICE("fd:99999999999999999999"),
	    SLICE("tcp:25"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct listen_address address;
		struct error err = {""};

		assert_int_equal(listen_parse(cases[i], &address, &err), -1);
		assert_true(err.text[0] != '\0');
	}
}

static void a_path_longer_than_the_system_allows_is_refused(void **state)
{
	char text[5 + UNIX_PATH_MAX + 1] = "unix:/";
	struct listen_address address;
	struct error err;

	(void)state;
	memset(text + 6, 'a', UNIX_PATH_MAX - 2);
	assert_int_equal(listen_parse((struct slice){text, 5 + UNIX_PATH_MAX - 1}, &address, &err), 0);
	assert_int_equal(listen_parse((struct slice){text, 5 + UNIX_PATH_MAX}, &address, &err), -1);
}

/* ---- unix sockets ------------------------------------------------------------------------ */

static struct listener open_ok(const char *text, mode_t mode)
{
	struct listen_address address;
	struct listener listener;
	struct error err = {""};

	assert_int_equal(listen_parse(slice_of(text), &address, &err), 0);
	if (listener_open(&address, mode, NOBODY, -1, &listener, &err) != 0)
		fail_msg("%s", err.text);
	return listener;
}

static struct error open_fails(const char *text)
{
	struct listen_address address;
	struct listener listener;
	struct error err = {""};

	assert_int_equal(listen_parse(slice_of(text), &address, &err), 0);
	assert_int_equal(listener_open(&address, 0660, NOBODY, -1, &listener, &err), -1);
	return err;
}

static char *unix_text(void)
{
	static char text[128];

	snprintf(text, sizeof(text), "unix:%s", path);
	return text;
}

static void a_unix_socket_has_the_mode_that_was_asked_for_whatever_the_umask(void **state)
{
	static const mode_t modes[] = {0660, 0600, 0666, 0770};
	mode_t before = umask(0077);

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct listener listener = open_ok(unix_text(), modes[i]);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, modes[i]);
		unix_remove(&listener.socket);
		close(listener.socket.fd);
		assert_int_equal(umask(0077), 0077); /* put back */
	}
	umask(before);
}

static void a_socket_that_nobody_listens_on_is_replaced(void **state)
{
	struct listener listener = open_ok(unix_text(), 0660);
	int fd;

	(void)state;
	close(listener.socket.fd); /* the process ended, the file stayed */
	listener = open_ok(unix_text(), 0660);
	fd = unix_connect(path);
	assert_true(fd >= 0);
	close(fd);
	unix_remove(&listener.socket);
	close(listener.socket.fd);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_socket_that_somebody_listens_on_is_left_alone(void **state)
{
	struct listener listener = open_ok(unix_text(), 0660);
	struct error err = open_fails(unix_text());
	int fd = unix_connect(path);

	(void)state;
	assert_non_null(strstr(err.text, "another process listens"));
	assert_true(fd >= 0);
	close(fd);
	unix_remove(&listener.socket);
	close(listener.socket.fd);
}

static void a_file_that_is_not_a_socket_is_left_alone(void **state)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	struct error err = open_fails(unix_text());

	(void)state;
	assert_non_null(strstr(err.text, "is not a socket"));
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
	unlink(path);
}

static void the_socket_of_another_is_not_removed_at_our_end(void **state)
{
	struct listener ours = open_ok(unix_text(), 0660), theirs;

	(void)state;
	unlink(path);
	theirs = open_ok(unix_text(), 0660);
	unix_remove(&ours.socket);
	assert_int_equal(access(path, F_OK), 0);
	unix_remove(&theirs.socket);
	assert_int_equal(access(path, F_OK), -1);
	close(ours.socket.fd);
	close(theirs.socket.fd);
}

static void a_missing_directory_is_named(void **state)
{
	char text[160];
	struct error err;

	(void)state;
	snprintf(text, sizeof(text), "unix:%s/none/socket", directory);
	err = open_fails(text);
	assert_non_null(strstr(err.text, "/none does not exist"));
}

/* ---- network and inherited sockets --------------------------------------------------------- */

static unsigned port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t n = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	return ntohs(address.sin_port);
}

/* A socket on a free port of loopback. */
static int listening(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int connect_port(unsigned port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void a_port_in_use_is_an_error(void **state)
{
	int fd = listening();
	char text[64];
	struct error err;

	(void)state;
	snprintf(text, sizeof(text), "inet:%u@127.0.0.1", port_of(fd));
	err = open_fails(text);
	assert_non_null(strstr(err.text, "cannot bind"));
	close(fd);
}

static void a_network_socket_takes_connections(void **state)
{
	int fd = listening();
	unsigned port = port_of(fd);
	struct listener listener;
	char text[64];

	(void)state;
	close(fd);
	snprintf(text, sizeof(text), "inet:%u@127.0.0.1", port);
	listener = open_ok(text, 0660);
	fd = connect_port(port);
	assert_true(fd >= 0);
	close(fd);
	close(listener.socket.fd);
}

static void an_inherited_socket_must_listen(void **state)
{
	int fd = listening(), deaf = socket(AF_INET, SOCK_STREAM, 0);
	struct listener listener;
	char text[32];

	(void)state;
	snprintf(text, sizeof(text), "fd:%d", fd);
	setenv("LISTEN_FDS", "1", 1);
	listener = open_ok(text, 0660);
	assert_int_equal(listener.socket.fd, fd);
	assert_null(getenv("LISTEN_FDS")); /* not for our children */
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	snprintf(text, sizeof(text), "fd:%d", deaf);
	assert_non_null(strstr(open_fails(text).text, "not a listening stream socket"));
	close(deaf);
	assert_non_null(strstr(open_fails(text).text, "was not passed"));
	close(fd);
}

static void a_blocked_listener_keeps_its_number_and_lets_nobody_in(void **state)
{
	int probe = listening(), fd;
	unsigned port = port_of(probe);
	struct listener listener;
	struct pollfd ready;
	struct error err;
	char text[64];

	(void)state;
	close(probe);
	snprintf(text, sizeof(text), "inet:%u@127.0.0.1", port);
	listener = open_ok(text, 0660);
	SKIP_UNLESS(listener.dead_fd >= 0 || geteuid() == 0, "this kernel lets only root make the socket for draining");
	assert_int_equal(listener_block(&listener, &err), 0);
	assert_int_equal(connect_port(port), -1);
	/* libmilter's accept(2) must come back, and must be told to try again */
	assert_int_equal(accept(listener.socket.fd, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	/* not even a client that knows the port of the new socket reaches it */
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	connect(fd,
		(struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET,
							 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
							 .sin_port = htons((uint16_t)port_of(listener.socket.fd))},
		sizeof(struct sockaddr_in));
	ready = (struct pollfd){.fd = fd, .events = POLLOUT};
	assert_int_equal(poll(&ready, 1, 100), 0);
	close(fd);
	close(listener.socket.fd);
}

static void a_blocked_unix_listener_removes_its_file(void **state)
{
	struct listener listener = open_ok(unix_text(), 0660);
	struct error err;

	(void)state;
	SKIP_UNLESS(listener.dead_fd >= 0 || geteuid() == 0, "this kernel lets only root make the socket for draining");
	assert_int_equal(listener_block(&listener, &err), 0);
	assert_int_equal(access(path, F_OK), -1);
	close(listener.socket.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_are_read),
	    cmocka_unit_test(what_is_not_an_address_is_refused_with_a_reason),
	    cmocka_unit_test(a_path_longer_than_the_system_allows_is_refused),
	    cmocka_unit_test(a_unix_socket_has_the_mode_that_was_asked_for_whatever_the_umask),
	    cmocka_unit_test(a_socket_that_nobody_listens_on_is_replaced),
	    cmocka_unit_test(a_socket_that_somebody_listens_on_is_left_alone),
	    cmocka_unit_test(a_file_that_is_not_a_socket_is_left_alone),
	    cmocka_unit_test(the_socket_of_another_is_not_removed_at_our_end),
	    cmocka_unit_test(a_missing_directory_is_named),
	    cmocka_unit_test(a_port_in_use_is_an_error),
	    cmocka_unit_test(a_network_socket_takes_connections),
	    cmocka_unit_test(an_inherited_socket_must_listen),
	    cmocka_unit_test(a_blocked_listener_keeps_its_number_and_lets_nobody_in),
	    cmocka_unit_test(a_blocked_unix_listener_removes_its_file),
	};

	return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
