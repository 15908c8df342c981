/*
 * fuzz_list.c - any bytes as a list of addresses, and as both maps of logins; then every word of
 * them is looked up.
 */
#include "fuzz.h"
#include "../../filter/list/list_content.h"

#include <string.h>

static void ask(const struct list_content *content, struct slice word, struct arena *arena)
{
	struct address address = address_parse_path(word, arena);
	struct list_key key = {.kind = LIST_TEXT, .text = word, .address = &address};

	list_content_has(content, &key);
	key.kind = LIST_ADDRESS;
	list_content_has(content, &key);
	list_content_owns(content, word, &address);
	key.kind = LIST_IP;
	if (ip_parse(word, &key.ip) == 0)
		list_content_has(content, &key);
}

/* An entry without a mark is found as the text it is. */
static void check_found(const struct list_content *content, struct slice line, struct arena *arena)
{
	struct list_key key = {.kind = LIST_TEXT};
	struct slice word;
	struct ip_net net;

	if (!slice_word(&line, &word) || word.p[0] == '#' || word.p[0] == '@' || word.p[0] == '.')
		return;
	ask(content, word, arena);
	if (slice_find(word, '@') >= 0 || slice_equal(word, SLICE("<>")) || ip_net_parse(word, &net) == 0)
		return;
	for (size_t i = 0; i < word.n; i++) {
		if ((unsigned char)word.p[i] >= 0x80 || word.p[i] == '.')
			return; /* a domain is listed in its own form */
	}
	key.text = word;
	must(list_content_has(content, &key));
}

/* A login that the map names is in it, and of a list canonical what it becomes is an address that mail can come from.
 */
static void check_login(const struct list_content *content, struct slice line, struct arena *arena)
{
	struct list_key key = {.kind = LIST_TEXT};
	struct slice word, value;
	struct address address;

	if (!slice_word(&line, &word) || word.p[0] == '#')
		return;
	key.text = slice_head(word, slice_find(word, ':') < 0 ? word.n : (size_t)slice_find(word, ':'));
	ask(content, key.text, arena);
	if (!list_content_has(content, &key) || !list_content_value(content, key.text, &value))
		return;
	must(content->kind == LIST_CANONICAL);
	address = address_parse_path(value, arena);
	must(address_usable(&address));
}

static void check(struct slice text, enum list_kind kind)
{
	struct list_faults faults = {0};
	struct list_content *content = list_content_parse(text, "list", kind, &faults);
	struct arena *arena = arena_new();
	struct slice line;

	must(content || strncmp(faults.texts[0].text, "list:", 5) == 0);
	while (content && slice_cut(&text, '\n', &line))
		(kind == LIST_ENTRIES ? check_found : check_login)(content, line, arena);
	list_content_release(content);
	arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};

	check(text, LIST_ENTRIES);
	check(text, LIST_OWNERS);
	check(text, LIST_CANONICAL);
	return 0;
}
