/*
 * The service manager learns what the daemon does, and a keeper that hangs is not alive.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../filter/daemon/daemon_private.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOON_MS (10 * 1000)

/* ---- what the keeper calls, and the service manager ------------------------------------------------------- */

static _Atomic bool hangs, hung;

static void round_progress(void *state)
{
	(void)state;
	while (hangs) {
		hung = true;
		usleep(1000);
	}
	hung = false;
}

int daemon_reload(struct daemon *daemon, char **text_r)
{
	(void)daemon;
	*text_r = NULL;
	return 0;
}

void unix_remove(struct unix_socket *socket)
{
	(void)socket;
}

int listener_block(struct listener *listener, struct error *err)
{
	(void)listener;
	(void)err;
	return 0;
}

void unix_forget(struct unix_socket *made)
{
	(void)made;
}

bool daemon_web_stop(struct daemon *daemon, int64_t until_us)
{
	(void)daemon;
	(void)until_us;
	return true;
}

void daemon_store_report(struct daemon *daemon)
{
	(void)daemon;
}

void daemon_reports_report(struct daemon *daemon)
{
	(void)daemon;
}

void daemon_mailer_report(struct daemon *daemon)
{
	(void)daemon;
}

void daemon_history_report(struct daemon *daemon)
{
	(void)daemon;
}

static char directory[64], path[100];
static int manager = -1;

static int manager_bind(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t n = strlen(name);

	memcpy(address.sun_path, name, n);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(manager, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

static int manager_start(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/sekisho-notify-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/notify", directory);
	setenv("NOTIFY_SOCKET", path, 1);
	return manager_bind(path);
}

static int manager_end(void **state)
{
	(void)state;
	close(manager);
	unlink(path);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return rmdir(directory);
}

/* The next datagram, or "" when none comes in time. */
static const char *manager_hears(int for_ms)
{
	static char text[1000];
	struct pollfd ready = {.fd = manager, .events = POLLIN};
	ssize_t n = poll(&ready, 1, for_ms) > 0 ? recv(manager, text, sizeof(text) - 1, 0) : 0;

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void manager_forgets(void)
{
	while (*manager_hears(0))
		;
}

/* ---- tests ---------------------------------------------------------------------------------------------------- */

static void lines_reach_a_socket_with_a_path_and_one_without(void **state)
{
	char abstract[sizeof(path) + 1];

	(void)state;
	notify_say("READY=1");
	assert_string_equal(manager_hears(SOON_MS), "READY=1");
	notify_reloading();
	assert_memory_equal(manager_hears(SOON_MS), "RELOADING=1\nMONOTONIC_USEC=", 27);
	close(manager);
	snprintf(abstract, sizeof(abstract), "@%s", path);
	assert_int_equal(manager_bind(abstract), 0);
	setenv("NOTIFY_SOCKET", abstract, 1);
	notify_say("STOPPING=1");
	assert_string_equal(manager_hears(SOON_MS), "STOPPING=1");
}

/* Without a service manager, and with one that has gone. */
static void nobody_to_tell_is_not_an_error(void **state)
{
	static const char *const others[] = {"", "/", "relative", "@", "/nonexistent/socket", "vsock:2:1"};
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		setenv("NOTIFY_SOCKET", others[i], 1);
		notify_say("READY=1");
	}
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	notify_say("READY=1");
	unsetenv("NOTIFY_SOCKET");
	notify_say("READY=1");
	assert_string_equal(manager_hears(0), "");
}

/* One that reads nothing must not stop the daemon. */
static void a_full_socket_is_not_waited_for(void **state)
{
	unsigned heard = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		notify_say("WATCHDOG=1");
	while (*manager_hears(0))
		heard++;
	assert_in_range(heard, 1, 4999);
}

static void the_watchdog_is_that_of_this_process(void **state)
{
	char pid[20];
	const struct {
		const char *us, *pid;
		int64_t expected;
	} cases[] = {
	    {"30000000", NULL, 30000000},
	    {"30000000", pid, 30000000},
	    {"30000000", "1", 0},
	    {"30000000", "x", 0},
	    {NULL, NULL, 0},
	    {"", NULL, 0},
	    {"many", NULL, 0},
	    {"-1", NULL, 0},
	    {"0", NULL, 0},
	    {"99999999999999999999", NULL, 0},
	};

	(void)state;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (cases[i].us)
			setenv("WATCHDOG_USEC", cases[i].us, 1);
		if (cases[i].pid)
			setenv("WATCHDOG_PID", cases[i].pid, 1);
		assert_int_equal(notify_watchdog_us(), cases[i].expected);
	}
}

static char policy_file_path[100];

static const char *policy_write(void)
{
	FILE *file;

	snprintf(policy_file_path, sizeof(policy_file_path), "%s/conf", directory);
	file = fopen(policy_file_path, "w");
	fputs("policy inbound { }\n", file);
	fclose(file);
	return policy_file_path;
}

static void a_keeper_that_hangs_does_not_say_that_it_is_alive(void **state)
{
	static const struct door door = {.name = "test", .progress = round_progress};
	static struct daemon daemon;
	struct error err;
	struct diagnostics *found = diagnostics_new();
	struct resolver *resolver;
	struct policy *policy;
	pthread_t keeper;

	(void)state;
	policy = policy_load(policy_write(), NULL, found);
	assert_non_null(policy);
	resolver = resolver_open(&(struct resolver_settings){.source = DNS_SYSTEM}, &err);
	daemon_init(&daemon, "");
	daemon.entrances[0].door = &door;
	daemon.entrance_count = 1;
	daemon.engine = engine_new(policy, resolver, NULL, &daemon.counters);
	setenv("WATCHDOG_USEC", "40000", 1);
	assert_int_equal(pthread_create(&keeper, NULL, keeper_run, &daemon), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(manager_hears(SOON_MS), "WATCHDOG=1");
	hangs = true;
	while (!hung)
		usleep(1000);
	manager_forgets();
	assert_string_equal(manager_hears(300), "");
	hangs = false;
	assert_string_equal(manager_hears(SOON_MS), "WATCHDOG=1");
	daemon_post(&daemon, EVENT_END);
	pthread_join(keeper, NULL);
	engine_release(daemon.engine);
	resolver_release(resolver);
	policy_release(policy);
	diagnostics_free(found);
	unlink(policy_file_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(lines_reach_a_socket_with_a_path_and_one_without, manager_start,
					    manager_end),
	    cmocka_unit_test_setup_teardown(nobody_to_tell_is_not_an_error, manager_start, manager_end),
	    cmocka_unit_test_setup_teardown(a_full_socket_is_not_waited_for, manager_start, manager_end),
	    cmocka_unit_test_setup_teardown(the_watchdog_is_that_of_this_process, manager_start, manager_end),
	    cmocka_unit_test_setup_teardown(a_keeper_that_hangs_does_not_say_that_it_is_alive, manager_start,
					    manager_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
