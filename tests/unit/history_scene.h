/*
 * history_scene.h - a history in a file of its own, and what is found in it.
 */
#ifndef SEKISHO_TEST_HISTORY_SCENE_H
#define SEKISHO_TEST_HISTORY_SCENE_H

#include "assert_slice.h"
#include "history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#define NOW (INT64_C(1790000000) * 1000 * 1000)

static char directory[64], path[96];
static struct error err;

static inline int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/sekisho-history-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/h.db", directory);
	return 0;
}

static inline int remove_directory(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static inline struct history *open_as(enum history_addresses addresses, uint64_t at_most)
{
	struct history *history =
	    history_open(&(struct history_settings){path, 3650 * HISTORY_DAY_US, at_most, addresses}, &err);

	if (!history)
		fail_msg("%s", err.text);
	return history;
}

static inline void add(struct history *history, const char *line, const char *sender, const char *recipient,
		       int64_t time_us)
{
	const struct history_found found[] = {{HISTORY_CASE, slice_of(line)},
					      {HISTORY_SENDER, slice_of(sender)},
					      {HISTORY_RECIPIENT, slice_of(recipient)}};
	const struct history_counted counted[] = {{HISTORY_COUNT_VERDICT, SLICE("accept")},
						  {HISTORY_COUNT_REFUSED, slice_of(sender)}};

	history_add(history, &(struct history_entry){time_us, slice_of(line), found, 3, counted, 2});
}

struct lines {
	char text[512];
	size_t count, enough;
};

static inline bool take(void *context, const struct history_row *row)
{
	struct lines *lines = context;
	size_t n = strlen(lines->text);

	if (n + row->line.n + 2 < sizeof(lines->text))
		snprintf(lines->text + n, sizeof(lines->text) - n, "%.*s ", SLICE_ARGS(row->line));
	return ++lines->count != lines->enough;
}

static inline struct history_reader *read_it(void)
{
	struct history_reader *reader = history_reader_open(path, &err);

	if (!reader)
		fail_msg("%s", err.text);
	return reader;
}

static inline struct lines find(enum history_term term, const char *text, int64_t since)
{
	struct history_reader *reader = read_it();
	struct lines lines = {.count = 0};

	assert_int_equal(history_find(reader, &(struct history_found){term, slice_of(text)}, since, take, &lines, &err),
			 0);
	history_reader_close(reader);
	return lines;
}

static inline size_t all(uint64_t *lost_r)
{
	struct history_reader *reader = read_it();
	struct lines lines = {.count = 0};

	history_each(reader, 0, take, &lines, lost_r);
	history_reader_close(reader);
	return lines.count;
}

#endif
