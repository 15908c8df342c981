/*
 * The control socket answers whatever is sent to it, and never waits for long.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../filter/daemon/daemon_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[64], path[100];
static struct daemon server;
static struct control *control;

/* ---- a daemon that knows one bad file --------------------------------------------------- */

static unsigned reloads;
static bool reload_hangs;

int daemon_reload(struct daemon *daemon, char **text_r)
{
	(void)daemon;
	while (reload_hangs)
		usleep(10000);
	*text_r = ++reloads == 1 ? xstrdup("sekisho.conf:1:2: bad \"word\"\n") : NULL;
	return reloads == 1 ? -1 : 0;
}

json_t *daemon_status(struct daemon *daemon)
{
	(void)daemon;
	return json_pack("{s:b, s:i}", "ok", 1, "pid", 42);
}

static int server_start(void **state)
{
	struct error err;

	(void)state;
	strcpy(directory, "/tmp/sekisho-control-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/control", directory);
	if (unix_listen(path, 0600, (uid_t)-1, (gid_t)-1, &server.control, &err) != 0)
		return -1;
	control = control_start(&server);
	return control ? 0 : -1;
}

static int server_stop(void **state)
{
	(void)state;
	control_stop(control, clock_us() + 1000000);
	unix_remove(&server.control);
	close(server.control.fd);
	return rmdir(directory);
}

/* ---- requests ------------------------------------------------------------------------------ */

static const char *error_of(const json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "error"));

	return text ? text : "";
}

static void hostile_requests_are_answered_with_an_error(void **state)
{
	static char deep[CONTROL_REQUEST_MAX];
	const struct {
		struct slice request;
		const char *error;
	} cases[] = {
	    {SLICE(""), "not one line of JSON"},
	    {SLICE("status"), "not one line of JSON"},
	    {SLICE("{\"command\":"), "not one line of JSON"},
	    {SLICE("{\"command\":\"status\"} {}"), "not one line of JSON"},
	    {SLICE("{\"command\":\"a\",\"command\":\"status\"}"), "not one line of JSON"},
	    {SLICE("\xff\xfe\0\1"), "not one line of JSON"},
	    {SLICE("{\"command\":\"\xff\"}"), "not one line of JSON"},
	    {{deep, sizeof(deep)}, "not one line of JSON"},
	    {SLICE("[\"command\"]"), "no \"command\""},
	    {SLICE("{}"), "no \"command\""},
	    {SLICE("{\"command\":1}"), "no \"command\""},
	    {SLICE("{\"command\":null}"), "no \"command\""},
	    {SLICE("{\"command\":\"stop\"}"), "no such command"},
	    {SLICE("{\"command\":\"\"}"), "no such command"},
	};

	(void)state;
	memset(deep, '[', sizeof(deep));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *answer = control_answer(&server, cases[i].request);

		assert_true(json_is_false(json_object_get(answer, "ok")));
		assert_non_null(strstr(error_of(answer), cases[i].error));
		json_decref(answer);
	}
}

static void a_reload_that_fails_brings_the_errors_and_one_that_works_none(void **state)
{
	struct error err;
	json_t *answer = control_ask(path, "reload", &err);

	(void)state;
	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_string_equal(error_of(answer), "sekisho.conf:1:2: bad \"word\"\n");
	json_decref(answer);
	answer = control_ask(path, "reload", &err);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
}

static void status_is_asked_over_the_socket(void **state)
{
	struct error err;
	json_t *answer = control_ask(path, "status", &err);

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(answer, "pid")), 42);
	json_decref(answer);
}

static void a_line_that_is_too_long_is_answered(void **state)
{
	static char line[CONTROL_REQUEST_MAX + 1];
	int fd = unix_connect(path);
	struct slice answer;

	(void)state;
	memset(line, ' ', sizeof(line));
	assert_int_equal(line_write(fd, (struct slice){line, sizeof(line)}, clock_us() + 2000000), 0);
	assert_int_equal(line_read(fd, 4096, clock_us() + 2000000, &answer), 0);
	assert_int_equal(answer.n, strlen("{\"ok\":false,\"error\":\"the request is too long\"}"));
	free((char *)answer.p);
	close(fd);
}

static void clients_that_leave_early_do_not_disturb_the_next(void **state)
{
	struct error err;
	json_t *answer;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		int fd = unix_connect(path);

		if (i % 2)
			line_write(fd, SLICE("{\"command\":\"status\"}\n{\"command\""), clock_us() + 1000000);
		close(fd);
	}
	answer = control_ask(path, "status", &err);
	assert_non_null(answer);
	json_decref(answer);
}

static void a_client_that_says_nothing_is_given_up(void **state)
{
	int silent = unix_connect(path);
	struct slice answer;

	(void)state;
	assert_int_equal(line_read(silent, 4096, clock_us() + 8000000, &answer), 0);
	assert_true(slice_starts_nocase(answer, SLICE("{\"ok\":false")));
	free((char *)answer.p);
	close(silent);
}

static void who_asks_nobody_is_told_so(void **state)
{
	struct error err = {""};

	(void)state;
	assert_null(control_ask("/nonexistent/sekisho", "status", &err));
	assert_non_null(strstr(err.text, "is sekisho running?"));
}

/* A file system that does not answer holds up the reload, and with it the thread. */
static void the_end_does_not_wait_for_a_reload_that_hangs(void **state)
{
	int fd = unix_connect(path);

	(void)state;
	reload_hangs = true;
	assert_int_equal(line_write(fd, SLICE("{\"command\":\"reload\"}\n"), clock_us() + 2000000), 0);
	usleep(100000);
	assert_false(control_stop(control, clock_us() + 100000));
	control = NULL;
	reload_hangs = false;
	close(fd);
}

/* ---- lines ------------------------------------------------------------------------------------ */

static void a_line_is_bounded_in_size_and_time(void **state)
{
	int64_t began = clock_us();
	struct slice line;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(line_read(pair[0], 100, clock_us() + 50000, &line), -1);
	assert_true(clock_us() - began < 2000000);
	line_write(pair[1], SLICE("0123456789"), clock_us() + 50000);
	assert_int_equal(line_read(pair[0], 10, clock_us() + 50000, &line), -1);
	line_write(pair[1], SLICE("short\nrest"), clock_us() + 50000);
	assert_int_equal(line_read(pair[0], 100, clock_us() + 50000, &line), 0);
	assert_true(slice_equal(line, SLICE("short")));
	free((char *)line.p);
	close(pair[1]);
	assert_int_equal(line_read(pair[0], 100, clock_us() + 50000, &line), -1);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hostile_requests_are_answered_with_an_error),
	    cmocka_unit_test(a_reload_that_fails_brings_the_errors_and_one_that_works_none),
	    cmocka_unit_test(status_is_asked_over_the_socket),
	    cmocka_unit_test(a_line_that_is_too_long_is_answered),
	    cmocka_unit_test(clients_that_leave_early_do_not_disturb_the_next),
	    cmocka_unit_test(a_client_that_says_nothing_is_given_up),
	    cmocka_unit_test(who_asks_nobody_is_told_so),
	    cmocka_unit_test(a_line_is_bounded_in_size_and_time),
	    cmocka_unit_test(the_end_does_not_wait_for_a_reload_that_hangs), /* the last: nobody answers any more */
	};

	return cmocka_run_group_tests(tests, server_start, server_stop);
}
