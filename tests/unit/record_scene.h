/*
 * record_scene.h - a record, and its line read as JSON.
 */
#ifndef SEKISHO_TEST_RECORD_SCENE_H
#define SEKISHO_TEST_RECORD_SCENE_H

#include "assert_slice.h"
#include "json.h"
#include "report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline json_t *parse(const char *line)
{
	json_error_t error;
	json_t *json = json_loads(line, 0, &error);

	if (!json)
		fail_msg("not JSON: %s: %s", error.text, line);
	return json;
}

static inline const char *text_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static inline int set_up(void **state)
{
	*state = arena_new();
	return 0;
}

static inline int tear_down(void **state)
{
	arena_free(*state);
	return 0;
}

static inline struct record simple(void)
{
	return (struct record){
	    .time_us = 1795282780123000,
	    .sender = SLICE("a@example.net"),
	    .verdict = SLICE("reject"),
	    .rule = SLICE("sekisho.conf:12"),
	    .reply = SLICE("550 5.7.1 no"),
	    .kind = SLICE("inbound"),
	    .client = SLICE("192.0.2.1"),
	    .dns_us = 17,
	    .total_us = 42,
	};
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
