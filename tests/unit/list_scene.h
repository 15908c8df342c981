/*
 * list_scene.h - the content of a list or a login map from a text, or what is wrong with it.
 */
#ifndef SEKISHO_TEST_LIST_SCENE_H
#define SEKISHO_TEST_LIST_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../filter/list/list_content.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline struct list_content *parse(const char *text, enum list_kind owners)
{
	struct list_faults faults = {0};
	struct list_content *content = list_content_parse(slice_of(text), "f", owners, &faults);

	if (!content)
		fail_msg("%s: %s", text, faults.texts[0].text);
	return content;
}

/* What is wrong with a text, one fault a line. */
static inline const char *faults_of(const char *text, enum list_kind owners)
{
	static char all[LIST_FAULTS_MAX * sizeof(struct error)];
	struct list_faults faults = {0};
	struct list_content *content = list_content_parse(slice_of(text), "f", owners, &faults);
	size_t n = 0;

	assert_int_equal(content == NULL, faults.count > 0);
	list_content_release(content);
	all[0] = '\0';
	for (size_t i = 0; i < faults.count && i < LIST_FAULTS_MAX; i++)
		n += (size_t)sprintf(all + n, "%s%s", i ? "\n" : "", faults.texts[i].text);
	return all;
}

enum asked { ADDRESS = LIST_ADDRESS, IP = LIST_IP, TEXT = LIST_TEXT };

static inline bool has(const struct list_content *content, enum asked kind, const char *text)
{
	struct arena *arena = arena_new();
	struct list_key key = {.text = slice_of(text)};
	struct address address;
	bool found;

	key.kind = (unsigned)kind;
	if (kind == ADDRESS)
		address = address_parse_path(slice_of(text), arena);
	if (kind == IP && ip_parse(slice_of(text), &key.ip))
		fail_msg("%s is not an address", text);
	key.address = &address;
	found = list_content_has(content, &key);
	arena_free(arena);
	return found;
}

#endif
