/*
 * hostile_store.h - a store in Redis whose server is fake_redis.h, and the line that it logs.
 */
#ifndef SEKISHO_TEST_HOSTILE_STORE_H
#define SEKISHO_TEST_HOSTILE_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_redis.h"
#include "store.h"

#define SECOND  INT64_C(1000000)
#define PATIENT (120 * SECOND) /* a timeout that does not end on a busy machine */
#define TRIES   12000          /* of 10 ms, as long */
#define VALUE   "*5\r\n:1\r\n:60000000\r\n:0\r\n:0\r\n$5\r\nhello\r\n"

static char many[8192]; /* of a line that does not end */
static struct fake_redis fake;
static struct store *store;
static struct arena *arena;

static inline void open_store(int64_t timeout_us)
{
	struct error err = {""};

	store = store_open(&(struct store_settings){.url = slice_of(fake.url), .timeout_us = timeout_us}, &err);
	if (!store)
		fail_msg("%s", err.text);
}

/* A connection is there: on a busy machine opening it may take longer than store_open() waits. */
static inline void open_connected(void)
{
	int tries = 0;

	open_store(PATIENT);
	while (store_flush(store, 0) != STORE_OK && tries++ < TRIES)
		usleep(10 * 1000);
	assert_in_range(tries, 0, TRIES);
}

static inline void close_store(void)
{
	if (store)
		store_close(store);
	store = NULL;
}

static inline int begin(void **state)
{
	(void)state;
	memset(many, '+', sizeof(many));
	fake_start(&fake);
	arena = arena_new();
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	fake.stopping = true;
	close_store();
	fake_stop(&fake);
	arena_free(arena);
	return 0;
}

static inline enum store_answer get(void)
{
	struct store_item item;

	return store_get(store, SLICE("k"), arena, &item);
}

/* The connection is there, and works; else a short timeout would be about that. */
static inline void wait_until_it_answers(void)
{
	static const struct fake_answer value = {.bytes = VALUE};
	int tries = 0;

	fake.question = &value;
	while (get() != STORE_OK && tries++ < TRIES)
		usleep(10 * 1000);
	assert_in_range(tries, 0, TRIES);
}

static inline const char *line(void)
{
	static struct error text;

	text.text[0] = '\0';
	return store_report(store, 0, &text) ? text.text : "nothing";
}

static inline void assert_line(const char *expected)
{
	const char *text = line();

	if (!strstr(text, expected))
		fail_msg("the log has \"%s\", not \"%s\"", text, expected);
}

/* The first lines may be about an earlier state: a connection that is not there yet, a failure that is over. */
static inline void wait_for_line(const char *expected)
{
	struct error said = {""};

	for (int i = 0; i < TRIES && !strstr(said.text, expected); i++) {
		store_report(store, i * 61 * SECOND, &said);
		usleep(10 * 1000);
	}
	if (!strstr(said.text, expected))
		fail_msg("the log has \"%s\", not \"%s\"", said.text, expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
