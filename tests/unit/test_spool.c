/*
 * A spooled body comes back, with a disk, without one, and not when the disk is full. Disks that cannot be written to
 * are made in a mount namespace, which not every machine allows: then these tests are skipped, and say so.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"
#include "skip_because.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE  (100 * 1024) /* not a multiple of what is read at once */
#define PIECES 5

static void fill(char *piece, unsigned number)
{
	for (size_t i = 0; i < PIECE; i++)
		piece[i] = (char)(number * 31 + i * 7 + i / 251);
}

struct reading {
	size_t n;
	bool equal;
};

static void compare(void *reading_, struct slice chunk)
{
	struct reading *reading = reading_;
	char piece[PIECE];

	for (size_t i = 0; i < chunk.n; i++, reading->n++) {
		if (i == 0 || reading->n % PIECE == 0)
			fill(piece, (unsigned)(reading->n / PIECE));
		reading->equal &= chunk.p[i] == piece[reading->n % PIECE];
	}
}

/* NULL when everything that was added came back, twice; else the trouble. */
static const char *round_trip(struct arena *arena)
{
	struct spool *spool = spool_new(arena);
	char piece[PIECE];
	const char *trouble;

	for (unsigned i = 0; i < PIECES; i++) {
		fill(piece, i);
		spool_add(spool, (struct slice){piece, PIECE});
	}
	for (unsigned again = 0; again < 2; again++) {
		struct reading reading = {0, true};

		if (spool_read(spool, compare, &reading) == 0 && (reading.n != PIECE * PIECES || !reading.equal))
			return "something else came back";
	}
	trouble = spool_trouble(spool);
	spool_close(spool);
	return trouble;
}

/* The trouble of a child whose /var/tmp is a file system of its own; NULL when it could have none. */
static const char *round_trip_on(const char *options, unsigned long flags)
{
	static char said[200];
	int ends[2], status;
	ssize_t n;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct arena *arena = arena_new();
		const char *trouble;

		if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		    mount("tmpfs", "/var/tmp", "tmpfs", flags, options) != 0)
			_exit(1);
		trouble = round_trip(arena);
		trouble = trouble ? trouble : "none";
		_exit(write(ends[1], trouble, strlen(trouble)) > 0 ? 0 : 2);
	}
	close(ends[1]);
	n = read(ends[0], said, sizeof(said) - 1);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		return NULL;
	assert_true(n > 0 && status == 0);
	said[n] = '\0';
	return said;
}

#define NO_NAMESPACE "only root can make a mount namespace, and not everywhere"

static void what_is_added_comes_back_as_often_as_it_is_read(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_null(round_trip(arena));
	arena_free(arena);
}

static void a_full_disk_is_reported_and_nothing_comes_back_in_part(void **state)
{
	const char *said = round_trip_on("size=128k", 0);

	(void)state;
	SKIP_UNLESS(said, NO_NAMESPACE);
	assert_string_equal(said, "the body cannot be stored: writing to /var/tmp failed");
}

static void where_no_disk_takes_it_memory_does(void **state)
{
	const char *said = round_trip_on("", MS_RDONLY);

	(void)state;
	SKIP_UNLESS(said, NO_NAMESPACE);
	assert_string_equal(said, "none");
}

static void a_closed_spool_takes_and_gives_nothing(void **state)
{
	struct arena *arena = arena_new();
	struct spool *spool = spool_new(arena);
	struct reading reading = {0, true};

	(void)state;
	spool_add(spool, SLICE("text"));
	spool_close(spool);
	spool_add(spool, SLICE("more"));
	assert_int_equal(spool_read(spool, compare, &reading), -1);
	assert_int_equal(reading.n, 0);
	assert_string_equal(spool_trouble(spool), "the stored body was already removed");
	spool_close(spool);
	spool_close(NULL);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_added_comes_back_as_often_as_it_is_read),
	    cmocka_unit_test(a_full_disk_is_reported_and_nothing_comes_back_in_part),
	    cmocka_unit_test(where_no_disk_takes_it_memory_does),
	    cmocka_unit_test(a_closed_spool_takes_and_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
