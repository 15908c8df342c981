/*
 * test_log.c - nothing waits for the log: records that it cannot take are lost,
 * counted and later reported; lines stay whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "json.h"
#include "report.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64], path[100];

static int directory_make(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN); /* as the daemon does */
	signal(SIGPIPE, SIG_IGN);
	strcpy(directory, "/tmp/sekisho-log-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/log", directory);
	return 0;
}

static int directory_remove(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static struct report *opened(void)
{
	struct error err;
	struct report *report = report_open(REPORT_FILE, path, &err);

	if (!report)
		fail_msg("%s", err.text);
	return report;
}

/* All that the descriptor gives until it gives nothing for a while. */
static char *read_all(int fd)
{
	size_t n = 0, room = 64 * 1024 * 1024;
	char *text = xmalloc(room);
	ssize_t got;

	for (unsigned idle = 0; idle < 50; idle++) {
		while ((got = read(fd, text + n, room - n - 1)) > 0) {
			n += (size_t)got;
			idle = 0;
		}
		usleep(20000);
	}
	text[n] = '\0';
	return text;
}

static unsigned whole_lines(char *text)
{
	unsigned count = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *json = json_loads(line, 0, NULL);

		if (!json)
			fail_msg("this is not a line: %.200s", line);
		json_decref(json);
		count++;
	}
	return count;
}

#define MANY 20000 /* with 400 bytes each more than queue and pipe hold */

static void fill(struct report *report)
{
	for (unsigned i = 0; i < MANY; i++)
		report_line(report, "info", "%0300u", i);
}

static void nobody_waits_for_a_pipe_that_nobody_reads(void **state)
{
	struct report *report;
	uint64_t lost;
	char *text;
	int fd;

	(void)state;
	mkfifo(path, 0600);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	report = opened();
	fill(report); /* comes back */
	lost = report_lost(report);
	assert_in_range(lost, 1, MANY - 1);
	text = read_all(fd);
	assert_non_null(strstr(text, "lines of the log were lost"));
	assert_int_equal(whole_lines(text), MANY - lost + 1);
	free(text);
	report_line(report, "info", "again");
	text = read_all(fd);
	assert_non_null(strstr(text, "again"));
	free(text);
	report_close(report);
	close(fd);
	unlink(path);
}

static void the_end_does_not_wait_for_a_pipe_that_nobody_reads(void **state)
{
	struct report *report;
	int fd;

	(void)state;
	mkfifo(path, 0600);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	report = opened();
	fill(report);
	report_close(report); /* comes back */
	close(fd);
	unlink(path);
}

static void a_pipe_that_nobody_reads_is_not_opened(void **state)
{
	struct error err;

	(void)state;
	mkfifo(path, 0600);
	assert_null(report_open(REPORT_FILE, path, &err));
	assert_non_null(strstr(err.text, "named pipe without a reader"));
	unlink(path);
}

static void what_waits_is_written_at_the_end(void **state)
{
	struct report *report = opened();
	char *text;
	int fd;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		report_line(report, "info", "%u", i);
	assert_int_equal(report_lost(report), 0);
	report_close(report);
	fd = open(path, O_RDONLY);
	text = read_all(fd);
	assert_int_equal(whole_lines(text), 1000);
	free(text);
	close(fd);
	unlink(path);
}

/* The file may not grow beyond `bytes`: the write is cut there, as on a disk that is full. */
static void limit_set(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static void wait_lost(struct report *report, uint64_t count)
{
	for (unsigned i = 0; i < 6000 && report_lost(report) < count; i++)
		usleep(10000);
	assert_int_equal(report_lost(report), count);
}

static void a_line_that_was_cut_is_not_glued_to_the_next(void **state)
{
	struct report *report = opened();
	json_t *json;
	char *text, *second;
	int fd;

	(void)state;
	limit_set(20);
	report_line(report, "info", "the disk is full");
	wait_lost(report, 1);
	limit_set(RLIM_INFINITY);
	report_line(report, "info", "there is room again");
	report_close(report);
	fd = open(path, O_RDONLY);
	text = read_all(fd);
	second = strchr(text, '\n');
	assert_int_equal(second - text, 20);
	*strchr(second + 1, '\n') = '\0';
	json = json_loads(second + 1, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "message")), "there is room again");
	json_decref(json);
	free(text);
	close(fd);
	unlink(path);
}

static void a_file_that_ends_in_the_middle_of_a_line_is_continued_on_the_next(void **state)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	struct report *report;
	char *text;

	(void)state;
	assert_int_equal(write(fd, "{\"v\":2,", 7), 7);
	report = opened();
	report_line(report, "info", "x");
	report_close(report);
	lseek(fd, 0, SEEK_SET);
	text = read_all(fd);
	assert_int_equal(strncmp(text, "{\"v\":2,\n{\"v\":", 13), 0);
	free(text);
	close(fd);
	unlink(path);
}

static void a_new_file_is_written_after_rotation_though_the_old_one_hangs(void **state)
{
	struct report *report;
	struct error err;
	char *text;
	int fifo, fd;

	(void)state;
	mkfifo(path, 0600);
	fifo = open(path, O_RDONLY | O_NONBLOCK);
	report = opened();
	fill(report);
	unlink(path);
	assert_int_equal(report_reopen(report, &err), 0);
	report_line(report, "info", "after rotation");
	for (unsigned i = 0; i < 6000 && access(path, F_OK) != 0; i++)
		usleep(10000);
	report_close(report);
	fd = open(path, O_RDONLY);
	text = read_all(fd);
	assert_true(whole_lines(text) > 0);
	free(text);
	close(fd);
	close(fifo);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_waits_for_a_pipe_that_nobody_reads),
	    cmocka_unit_test(the_end_does_not_wait_for_a_pipe_that_nobody_reads),
	    cmocka_unit_test(a_pipe_that_nobody_reads_is_not_opened),
	    cmocka_unit_test(what_waits_is_written_at_the_end),
	    cmocka_unit_test(a_line_that_was_cut_is_not_glued_to_the_next),
	    cmocka_unit_test(a_file_that_ends_in_the_middle_of_a_line_is_continued_on_the_next),
	    cmocka_unit_test(a_new_file_is_written_after_rotation_though_the_old_one_hangs),
	};

	return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
