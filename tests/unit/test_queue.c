/*
 * test_queue.c - what `sekisho queue` reads, and what the changes of a milter make of it. The contract itself, with the
 * real daemon, is in tests/system/test_queue.py.
 */
#include "assert_slice.h"

#include "../../filter/doors/client/client_private.h"
#include "../../filter/doors/queue/queue_private.h"

#define BYTES(literal) ((struct slice){literal, sizeof(literal) - 1})

static void a_reply_is_read_as_mail_servers_read_it(void **state)
{
	static const struct {
		struct slice data;
		unsigned code; /* 0: it is not a reply */
		const char *enhanced, *text;
	} cases[] = {
	    {BYTES("550 5.7.1 no\0"), 550, "5.7.1", "no"},
	    {BYTES("550-5.7.26 line one\r\n550 5.7.26 100%% two\0"), 550, "5.7.26", "line one 100% two"},
	    {BYTES("451 later\0"), 451, "", "later"},
	    {BYTES("451 5.7.1 another class\0"), 451, "", "5.7.1 another class"},
	    {BYTES("550 5.7. odd\0"), 550, "", "5.7. odd"},
	    {BYTES("550 5..1 odd\0"), 550, "", "5..1 odd"},
	    {BYTES("550 5.1.2.3 odd\0"), 550, "", "5.1.2.3 odd"},
	    {BYTES("550\0"), 550, "", ""},
	    {BYTES("554 5.7.1\0"), 554, "5.7.1", ""},
	    {BYTES("550 5.7.1 a\0hidden\0"), 550, "5.7.1", "a"},
	    {BYTES("250 2.0.0 fine\0"), 0, NULL, NULL},
	    {BYTES("55"), 0, NULL, NULL},
	    {BYTES("5x0 no\0"), 0, NULL, NULL},
	    {BYTES("600 no\0"), 0, NULL, NULL},
	    {BYTES(""), 0, NULL, NULL},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer answer;

		assert_int_equal(take_reply(cases[i].data, arena, &answer), cases[i].code ? 0 : -1);
		if (!cases[i].code)
			continue;
		assert_int_equal(answer.code, cases[i].code);
		assert_slice(answer.enhanced, cases[i].enhanced);
		assert_slice(answer.text, cases[i].text);
	}
	arena_free(arena);
}

static void an_envelope_is_read_or_its_fault_is_named(void **state)
{
	static const struct {
		struct slice bytes;
		int code;
		size_t recipients;
	} cases[] = {
	    {BYTES("Fa@b.example\0Tc@d.example\0\0"), 0, 1},
	    {BYTES("F\0Tc\0Td\0\0"), 0, 2},
	    {BYTES("F\0\0"), 0, 0},
	    {BYTES("Fa\0T\0\0"), 0, 1},
	    {BYTES("Fa\0Tb\0\0Tc\0\0"), 0, 1}, /* what follows the end is not read */
	    {BYTES(""), QUEUE_READ, 0},
	    {BYTES("F"), QUEUE_READ, 0},
	    {BYTES("Fa\0"), QUEUE_READ, 0},
	    {BYTES("Fa\0Tb\0"), QUEUE_READ, 0},
	    {BYTES("Fa\0Tb"), QUEUE_READ, 0},
	    {BYTES("X"), QUEUE_ENVELOPE, 0},
	    {BYTES("\0"), QUEUE_ENVELOPE, 0},
	    {BYTES("Ta\0\0"), QUEUE_ENVELOPE, 0},
	    {BYTES("Fa\0Fb\0\0"), QUEUE_ENVELOPE, 0},
	    {BYTES("Fa\0b\0\0"), QUEUE_ENVELOPE, 0},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct envelope envelope;
		struct error err;

		assert_int_equal(envelope_parse(cases[i].bytes, arena, &envelope, &err), cases[i].code);
		if (cases[i].code == 0)
			assert_int_equal(envelope.count, cases[i].recipients);
	}
	arena_free(arena);
}

static bool keep(void *text, struct slice bytes)
{
	text_add(text, bytes);
	return true;
}

static struct slice changed(const char *message, const struct change *changes, size_t count, struct arena *arena)
{
	struct letter letter;
	struct text text;

	text_init(&text, arena, 10000);
	assert_int_equal(letter_split(slice_of(message), arena, &letter), 0);
	for (size_t i = 0; i < count; i++)
		letter_change(&letter, &changes[i], arena);
	assert_true(letter_write(&letter, keep, &text));
	return text_slice(&text);
}

static void fields_are_changed_by_name_and_index(void **state)
{
	static const struct {
		const char *before;
		struct change change;
		const char *after;
	} cases[] = {
	    {"A: 1\nB: 2\n\nx", {CHANGE_DELETE, SLICE("a"), 1, SLICE("")}, "B: 2\n\nx"},
	    {"A: 1\nA: 2\n\nx", {CHANGE_DELETE, SLICE("A"), 2, SLICE("")}, "A: 1\n\nx"},
	    {"A: 1\nA: 2\n\nx", {CHANGE_DELETE, SLICE("A"), 3, SLICE("")}, "A: 1\nA: 2\n\nx"},
	    {"A : 1\nA: 2\n\nx", {CHANGE_DELETE, SLICE("A "), 1, SLICE("")}, "A: 2\n\nx"},
	    {"A: 1\n 2\nB: 3\n\n", {CHANGE_REPLACE, SLICE("A"), 1, SLICE(" new")}, "A: new\nB: 3\n\n"},
	    {"A: 1\n\n", {CHANGE_REPLACE, SLICE("Date"), 1, SLICE(" now")}, "A: 1\nDate: now\n\n"},
	    {"A: 1\n\n", {CHANGE_INSERT, SLICE("T"), 0, SLICE(" top")}, "T: top\nA: 1\n\n"},
	    {"A: 1\nB: 2\n\n", {CHANGE_INSERT, SLICE("T"), 1, SLICE(" one")}, "A: 1\nT: one\nB: 2\n\n"},
	    {"A: 1\n\n", {CHANGE_INSERT, SLICE("T"), 99, SLICE(" end")}, "A: 1\nT: end\n\n"},
	    {"A: 1\n\n", {CHANGE_APPEND, SLICE("T"), 0, SLICE(" a\n b")}, "A: 1\nT: a\n b\n\n"},
	    {"A: 1\n\n", {CHANGE_APPEND, SLICE("T"), 0, SLICE(" a\r\nEvil: b\n")}, "A: 1\nT: a\n\tEvil: b\n\t\n\n"},
	    {"\nx", {CHANGE_INSERT, SLICE("T"), 0, SLICE(" top")}, "T: top\n\nx"},
	    {"", {CHANGE_INSERT, SLICE("T"), 0, SLICE(" top")}, "T: top\n"},
	    {"no field\n", {CHANGE_INSERT, SLICE("T"), 0, SLICE(" top")}, "T: top\n\nno field\n"},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_slice(changed(cases[i].before, &cases[i].change, 1, arena), cases[i].after);
	arena_free(arena);
}

static void a_request_that_no_milter_sends_is_refused(void **state)
{
	static const struct {
		char letter;
		struct slice data;
	} cases[] = {
	    {'i', BYTES("")},
	    {'i', BYTES("\0\0\0\0X")},
	    {'i', BYTES("\0\0\0\0X\0value")},
	    {'i', BYTES("\0\0\0\0\nEvil\0value\0")},
	    {'h', BYTES("X:\0value\0")},
	    {'h', BYTES("\0value\0")},
	    {'h', BYTES(" \0value\0")},
	    {'e', BYTES("<a@b.example>")},
	    {'+', BYTES("")},
	    {'Z', BYTES("")},
	    {'\0', BYTES("")},
	};
	struct arena *arena = arena_new();
	struct taking taking = {.arena = arena};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(take_request(&taking, cases[i].letter, cases[i].data, &err), -1);
	assert_int_equal(taking.count, 0);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_reply_is_read_as_mail_servers_read_it),
	    cmocka_unit_test(an_envelope_is_read_or_its_fault_is_named),
	    cmocka_unit_test(fields_are_changed_by_name_and_index),
	    cmocka_unit_test(a_request_that_no_milter_sends_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
