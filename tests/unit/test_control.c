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

/* ---- a daemon that reports one bad file --------------------------------------------------- */

static unsigned reloads;
static _Atomic bool reload_hangs, reload_began;

int daemon_reload(struct daemon *daemon, char **text_r)
{
	(void)daemon;
	reload_began = true;
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
	    {SLICE("{\"command\":\"stop\"}"), "unknown command"},
	    {SLICE("{\"command\":\"\"}"), "unknown command"},
	    {SLICE("{\"command\":\"store-list\"}"), "no store is open"},
	    {SLICE("{\"command\":\"store-delete\",\"prefix\":\"a\"}"), "no store is open"},
	    {SLICE("{\"command\":\"block\",\"what\":\"a\",\"life\":1}"), "no store is open"},
	    {SLICE("{\"command\":\"unblock\",\"what\":\"a\"}"), "no store is open"},
	    {SLICE("{\"command\":\"blocks\"}"), "no store is open"},
	};

	(void)state;
	memset(deep, '[', sizeof(deep));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *answer = control_answer(&server, &control_owner, cases[i].request);

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

/* ---- the store ---------------------------------------------------------------------------------- */

static json_t *ask(const char *request)
{
	return control_answer(&server, &control_owner, slice_of(request));
}

static void open_store(void)
{
	struct error err;

	server.store = store_open(&(struct store_settings){.url = SLICE("memory:")}, &err);
	assert_non_null(server.store);
}

static void close_store(void)
{
	store_close(server.store);
	server.store = NULL;
}

static void put_keys(const char *format, int count)
{
	for (int i = 0; i < count; i++) {
		char key[100];

		snprintf(key, sizeof(key), format, i);
		assert_int_equal(store_put(server.store, slice_of(key), SLICE("v"), 1000000000), STORE_OK);
	}
}

/* How many items, or how many were deleted, on all pages. */
static json_int_t walk(const char *request, unsigned *pages_r)
{
	json_t *answer = ask(request);
	json_int_t count = 0;

	for (*pages_r = 1;; ++*pages_r) {
		const char *next = json_string_value(json_object_get(answer, "next"));
		char following[2000];

		assert_true(json_is_true(json_object_get(answer, "ok")));
		count += (json_int_t)json_array_size(json_object_get(answer, "items")) +
			 json_integer_value(json_object_get(answer, "deleted"));
		if (!next)
			break;
		snprintf(following, sizeof(following), "%.*s,\"after\":\"%s\"}", (int)strlen(request) - 1, request,
			 next);
		json_decref(answer);
		answer = ask(following);
	}
	json_decref(answer);
	return count;
}

static void keys_are_listed_in_pages_and_deleted_by_whole_parts(void **state)
{
	unsigned pages;

	(void)state;
	open_store();
	put_keys("a:%04d", 1200);
	put_keys("ab:%d", 30);
	put_keys("b:x:%d", 3);
	assert_int_equal(walk("{\"command\":\"store-list\",\"prefix\":\"\"}", &pages), 1233);
	assert_int_equal(pages, 3);
	assert_int_equal(walk("{\"command\":\"store-list\",\"prefix\":\"a\"}", &pages), 1230);
	assert_int_equal(walk("{\"command\":\"store-list\",\"prefix\":\"a\",\"whole\":true}", &pages), 1200);
	assert_int_equal(walk("{\"command\":\"store-list\",\"prefix\":\"b:x:1\",\"whole\":true}", &pages), 1);
	assert_int_equal(walk("{\"command\":\"store-delete\",\"prefix\":\"a\"}", &pages), 1200);
	assert_int_equal(walk("{\"command\":\"store-list\",\"prefix\":\"\"}", &pages), 33);
	assert_int_equal(walk("{\"command\":\"store-delete\",\"prefix\":\"b:x:\"}", &pages), 3);
	assert_int_equal(walk("{\"command\":\"store-list\",\"after\":\"no token\"}", &pages), 30);
	close_store();
}

static void values_that_are_not_text_fit_one_answer(void **state)
{
	static char value[STORE_VALUE_MAX];
	char key[STORE_KEY_MAX + 1] = "";
	json_t *answer;
	size_t bytes;

	(void)state;
	open_store();
	memset(value, 0xff, sizeof(value));
	memset(key, 0xfe, STORE_KEY_MAX);
	for (int i = 0; i < 100; i++) {
		key[0] = (char)('0' + i);
		assert_int_equal(
		    store_put(server.store, slice_of(key), (struct slice){value, sizeof(value)}, 1000000000), STORE_OK);
	}
	answer = ask("{\"command\":\"store-list\",\"full\":true}");
	bytes = json_dumpb(answer, NULL, 0, JSON_COMPACT);
	assert_in_range(bytes, 50 * STORE_VALUE_MAX, CONTROL_ANSWER_MAX - 1);
	json_decref(answer);
	answer = ask("{\"command\":\"store-delete\",\"prefix\":\"\"}");
	assert_non_null(strstr(error_of(answer), "name a key"));
	json_decref(answer);
	close_store();
}

static void a_block_that_is_not_possible_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *request, *error;
	} cases[] = {
	    {"{\"command\":\"unblock\",\"what\":\"\"}", "name a login"},
	    {"{\"command\":\"unblock\"}", "name a login"},
	    {"{\"command\":\"unblock\",\"what\":\"a\\nb\"}", "name a login"},
	};
	char request[1000], what[400];
	json_t *answer;

	(void)state;
	open_store();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		answer = ask(cases[i].request);
		assert_non_null(strstr(error_of(answer), cases[i].error));
		json_decref(answer);
	}
	memset(what, 'a', sizeof(what));
	what[321] = '\0';
	snprintf(request, sizeof(request), "{\"command\":\"unblock\",\"what\":\"%s\"}", what);
	answer = ask(request);
	assert_non_null(strstr(error_of(answer), "at most 320 bytes"));
	json_decref(answer);
	close_store();
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

static void a_missing_daemon_is_reported(void **state)
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
	reload_began = false;
	assert_int_equal(line_write(fd, SLICE("{\"command\":\"reload\"}\n"), clock_us() + 2000000), 0);
	while (!reload_began)
		usleep(1000);
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
	assert_true(clock_us() - began < 60000000);
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
	    cmocka_unit_test(keys_are_listed_in_pages_and_deleted_by_whole_parts),
	    cmocka_unit_test(values_that_are_not_text_fit_one_answer),
	    cmocka_unit_test(a_block_that_is_not_possible_is_refused_with_the_reason),
	    cmocka_unit_test(status_is_asked_over_the_socket),
	    cmocka_unit_test(a_line_that_is_too_long_is_answered),
	    cmocka_unit_test(clients_that_leave_early_do_not_disturb_the_next),
	    cmocka_unit_test(a_client_that_says_nothing_is_given_up),
	    cmocka_unit_test(a_missing_daemon_is_reported),
	    cmocka_unit_test(a_line_is_bounded_in_size_and_time),
	    cmocka_unit_test(the_end_does_not_wait_for_a_reload_that_hangs), /* the last: nobody answers any more */
	};

	return cmocka_run_group_tests(tests, server_start, server_stop);
}
