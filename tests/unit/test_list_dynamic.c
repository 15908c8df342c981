/*
 * test_list_dynamic.c - lists whose entries are in the store: what is found, how long, how many, and what happens
 * without a store.
 */
#include "store_scene.h"
#include "list.h"
#include "mail.h"

#define LIFE (1800 * SECOND)

static struct list *list_named(const char *name, unsigned at_most, const struct list *before)
{
	struct list_setting setting = {
	    .name = slice_of(name), .place = SLICE("dynamic:30m"), .life_us = LIFE, .at_most = at_most};
	struct list_faults faults;
	struct error err;
	struct list *list = list_new(&setting, &err);

	assert_non_null(list);
	assert_int_equal(list_load(list, before, &faults), 0);
	return list;
}

static int add_for(struct scene *scene, struct list *list, const char *entry, int64_t life_us, struct error *err)
{
	struct list_member member;
	bool was;
	int result = list_add(list, scene->store, slice_of(entry), life_us, scene->arena, &member, &was, err);

	again(scene);
	return result;
}

static void add(struct scene *scene, struct list *list, const char *entry)
{
	struct error err;

	if (add_for(scene, list, entry, 0, &err))
		fail_msg("%s: %s", entry, err.text);
}

static enum truth has(struct scene *scene, struct list *list, int kind, const char *text)
{
	struct address address = address_parse_path(slice_of(text), scene->arena);
	struct list_key key = {.text = slice_of(text), .address = &address};

	key.kind = kind;
	if (kind == LIST_IP)
		assert_int_equal(ip_parse(slice_of(text), &key.ip), 0);
	return list_has(list, scene->store, &key);
}

/* ---- what is found ------------------------------------------------------------------------- */

static void entries_mean_what_they_mean_in_a_file(void **state)
{
	static const char *const entries[] = {"192.0.2.1",         "198.51.100.77/24", "2001:db8:1::/48",
					      "Alice@Example.ORG", "@example.net",     ".example.com",
					      "example.edu",       "x%y@example.org",  "<>",
					      "***SPAM***",        "198.51.99.33"};
	static const struct {
		int kind;
		const char *text;
		enum truth found;
	} cases[] = {
	    {LIST_IP, "192.0.2.1", TRUTH_TRUE},
	    {LIST_IP, "::ffff:192.0.2.1", TRUTH_TRUE},
	    {LIST_IP, "192.0.2.2", TRUTH_FALSE},
	    {LIST_IP, "198.51.100.1", TRUTH_TRUE},
	    {LIST_IP, "198.51.101.1", TRUTH_FALSE},
	    {LIST_IP, "2001:db8:1:2::3", TRUTH_TRUE},
	    {LIST_IP, "2001:db8:2::3", TRUTH_FALSE},
	    {LIST_ADDRESS, "<alice@EXAMPLE.org>", TRUTH_TRUE},
	    {LIST_ADDRESS, "<alicia@example.org>", TRUTH_FALSE},
	    {LIST_ADDRESS, "<anybody@example.net>", TRUTH_TRUE},
	    {LIST_ADDRESS, "<anybody@sub.example.net>", TRUTH_FALSE},
	    {LIST_ADDRESS, "<anybody@sub.example.com>", TRUTH_TRUE},
	    {LIST_ADDRESS, "<anybody@example.com>", TRUTH_FALSE},
	    {LIST_ADDRESS, "<anybody@example.edu>", TRUTH_TRUE},
	    {LIST_ADDRESS, "<x%y@example.org>", TRUTH_TRUE},
	    {LIST_ADDRESS, "<x%25y@example.org>", TRUTH_FALSE},
	    {LIST_ADDRESS, "<>", TRUTH_TRUE},
	    {LIST_TEXT, "mail.example.com", TRUTH_TRUE},
	    {LIST_TEXT, "***spam***", TRUTH_TRUE},
	    {LIST_TEXT, "192.0.2.1", TRUTH_FALSE}, /* HELO 192.0.2.1 is not the client */
	    {LIST_TEXT, "@example.net", TRUTH_FALSE},
	    {LIST_TEXT, "\x01\x20\xc0", TRUTH_FALSE},
	    {LIST_ADDRESS, "a@\x01", TRUTH_FALSE},
	    {LIST_ADDRESS, "a@\x01\x20\xc6\x33\x63\x21", TRUTH_FALSE}, /* as the key of a network has it */
	    {LIST_TEXT, "", TRUTH_FALSE},
	};
	struct scene *scene = *state;
	struct list *list = list_named("recent", 0, NULL), *other = list_named("recent2", 0, NULL);

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		add(scene, list, entries[i]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (has(scene, list, cases[i].kind, cases[i].text) != cases[i].found)
			fail_msg("case %zu, %s", i, cases[i].text);
	assert_int_equal(has(scene, other, LIST_IP, "192.0.2.1"), TRUTH_FALSE);
	list_free(list);
	list_free(other);
}

static void an_entry_lasts_as_long_as_it_was_added_for_and_adding_it_again_renews_it(void **state)
{
	struct scene *scene = *state;
	struct list *list = list_named("recent", 0, NULL);
	struct error err;

	add(scene, list, "192.0.2.1");
	assert_int_equal(add_for(scene, list, "192.0.2.2", 60 * SECOND, &err), 0);
	pass(61 * SECOND);
	assert_int_equal(has(scene, list, LIST_IP, "192.0.2.2"), TRUTH_FALSE);
	pass(LIFE - 120 * SECOND);
	add(scene, list, "192.0.2.1");
	pass(100 * SECOND);
	assert_int_equal(has(scene, list, LIST_IP, "192.0.2.1"), TRUTH_TRUE);
	pass(LIFE);
	assert_int_equal(has(scene, list, LIST_IP, "192.0.2.1"), TRUTH_FALSE);
	assert_int_equal(add_for(scene, list, "192.0.2.2", 1, &err), -1);
	assert_string_equal(err.text, "an entry lasts from one second to ten years");
	assert_int_equal(add_for(scene, list, "192.0.2.2", INT64_MAX, &err), -1);
	list_free(list);
}

static void what_is_removed_is_gone_exactly_that(void **state)
{
	struct scene *scene = *state;
	struct list *list = list_named("recent", 0, NULL);
	struct error err;

	add(scene, list, "192.0.2.0/24");
	add(scene, list, "192.0.2.1");
	assert_int_equal(list_remove(list, scene->store, SLICE("192.0.2.1"), scene->arena, &err), 1);
	assert_int_equal(list_remove(list, scene->store, SLICE("192.0.2.1"), scene->arena, &err), 0);
	assert_int_equal(has(scene, list, LIST_IP, "192.0.2.1"), TRUTH_TRUE);
	assert_int_equal(list_remove(list, scene->store, SLICE("192.0.2.99/24"), scene->arena, &err), 1);
	assert_int_equal(has(scene, list, LIST_IP, "192.0.2.1"), TRUTH_FALSE);
	list_free(list);
}

/* ---- what is refused --------------------------------------------------------------------------- */

static void an_entry_that_could_match_nothing_is_refused(void **state)
{
	static char long_one[LIST_MEMBER_MAX + 2], escaped[LIST_MEMBER_MAX];
	const struct {
		const char *entry, *error;
	} cases[] = {
	    {"", "an empty entry"},
	    {"10.0.0.*", "write 10.0.0.0/24"},
	    {"192.0.2.300", "is not an IP address or network"},
	    {"a b", "blanks or control characters"},
	    {"a\nb", "blanks or control characters"},
	    {"\xff", "not UTF-8"},
	    {"@", "names no domain"},
	    {"*@example.org", "is not a wildcard here"},
	    {long_one, "the entry is too long"},
	    {escaped, "the entry is too long"},
	};
	struct scene *scene = *state;
	struct list *list = list_named("recent", 0, NULL);
	struct error err;

	memset(long_one, 'a', sizeof(long_one) - 1);
	memset(escaped, '%', sizeof(escaped) - 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(add_for(scene, list, cases[i].entry, 0, &err), -1);
		if (!strstr(err.text, cases[i].error))
			fail_msg("case %zu: %s", i, err.text);
	}
	assert_int_equal(has(scene, list, LIST_TEXT, long_one), TRUTH_FALSE);
	list_free(list);
}

static void a_full_list_takes_no_more_but_renews_and_finds_room_once_entries_are_gone(void **state)
{
	struct scene *scene = *state;
	struct list *list = list_named("recent", 3, NULL), *reloaded;
	struct error err;

	add(scene, list, "192.0.2.1");
	add(scene, list, "192.0.2.2");
	add(scene, list, "alice@example.org");
	assert_int_equal(add_for(scene, list, "192.0.2.4", 0, &err), -1);
	assert_string_equal(
	    err.text, "the list recent is full: it has 3 entries; raise at-most, or add entries for a shorter time");
	assert_int_equal(has(scene, list, LIST_IP, "192.0.2.4"), TRUTH_FALSE);
	add(scene, list, "192.0.2.1");
	reloaded = list_named("recent", 3, list);
	list_free(list);
	assert_int_equal(add_for(scene, reloaded, "192.0.2.4", 0, &err), -1);
	assert_int_equal(list_remove(reloaded, scene->store, SLICE("192.0.2.2"), scene->arena, &err), 1);
	add(scene, reloaded, "192.0.2.4");
	list_free(reloaded);
	list = list_named("recent", 3, NULL); /* another process: it counts what is there */
	assert_int_equal(add_for(scene, list, "192.0.2.5", 0, &err), -1);
	pass(LIFE + SECOND);
	list_free(list);
	list = list_named("recent", 3, NULL);
	add(scene, list, "192.0.2.5");
	list_free(list);
}

static void without_a_store_every_look_up_is_unknown_and_every_change_fails(void **state)
{
	struct list_key key = {.kind = LIST_IP, .ip = {.family = 4, .bytes = {192, 0, 2, 1}}};
	struct scene *scene = *state;
	struct list *list = list_named("recent", 0, NULL);
	struct list_member member;
	struct error err;
	bool was;

	assert_int_equal(list_has(list, NULL, &key), TRUTH_UNKNOWN);
	assert_string_equal(list_unknown(list), "the store does not answer");
	assert_int_equal(list_add(list, NULL, SLICE("192.0.2.1"), 0, scene->arena, &member, &was, &err), -1);
	assert_string_equal(err.text, "no store is open");
	list_free(list);
}

/* ---- showing ---------------------------------------------------------------------------------------- */

static void all_entries_are_shown_in_pages(void **state)
{
	struct scene *scene = *state;
	struct list *list = list_named("recent", 0, NULL), *other = list_named("recent2", 0, NULL);
	struct list_page page = {.next = SLICE("")};
	struct error err;
	size_t count = 0;
	char entry[40];

	add(scene, other, "192.0.2.1");
	for (int i = 0; i < 1200; i++) {
		struct list_member member;
		bool was;

		snprintf(entry, sizeof(entry), i % 2 ? "user%d@example.org" : "10.0.%d.%d", i / 250, i % 250);
		assert_int_equal(list_add(list, scene->store, slice_of(entry), 0, scene->arena, &member, &was, &err),
				 0);
		count += !was;
	}
	do {
		assert_int_equal(list_members(list, scene->store, page.next, scene->arena, &page, &err), 0);
		assert_true(page.count <= LIST_PAGE_MAX);
		count -= page.count;
	} while (page.next.p);
	assert_int_equal(count, 0);
	list_free(list);
	list_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(entries_mean_what_they_mean_in_a_file),
	    EACH(an_entry_lasts_as_long_as_it_was_added_for_and_adding_it_again_renews_it),
	    EACH(what_is_removed_is_gone_exactly_that),
	    EACH(an_entry_that_could_match_nothing_is_refused),
	    EACH(a_full_list_takes_no_more_but_renews_and_finds_room_once_entries_are_gone),
	    EACH(without_a_store_every_look_up_is_unknown_and_every_change_fails),
	    EACH(all_entries_are_shown_in_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
