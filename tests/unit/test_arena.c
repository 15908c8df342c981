/*
 * test_arena.c - the memory of a session or a message, and text that grows in it.
 */
#include "assert_slice.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int set_up(void **state)
{
	*state = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	arena_free(*state);
	return 0;
}

static void every_piece_is_zeroed_aligned_and_its_own(void **state)
{
	struct arena *arena = *state;
	unsigned char *pieces[400];

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 400; i++) {
			size_t n = i * i; /* from nothing to more than an ordinary block */

			pieces[i] = arena_alloc(arena, n);
			assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
			for (size_t j = 0; j < n; j++)
				assert_int_equal(pieces[i][j], 0);
			memset(pieces[i], (int)(i & 0xff), n);
		}
		for (size_t i = 0; i < 400; i++)
			for (size_t j = 0; j < i * i; j++)
				assert_int_equal(pieces[i][j], i & 0xff);
		arena_reset(arena);
	}
}

static void use_is_counted_until_the_reset(void **state)
{
	struct arena *arena = *state;

	assert_int_equal(arena_used(arena), 0);
	arena_alloc(arena, 100);
	arena_alloc(arena, 100000);
	assert_true(arena_used(arena) >= 100100);
	arena_reset(arena);
	assert_int_equal(arena_used(arena), 0);
	arena_free(NULL);
}

static void raw_pieces_are_aligned_and_their_own(void **state)
{
	struct arena *arena = *state;
	unsigned char *pieces[400];

	for (size_t i = 0; i < 400; i++) {
		pieces[i] = memset(arena_raw(arena, i), (int)(i & 0xff), i);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
	}
	for (size_t i = 0; i < 400; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_equal(pieces[i][j], i & 0xff);
	arena_reset(arena);
	for (size_t i = 0; i < 400; i++) { /* the same memory again, written over as it is */
		const unsigned char *piece = arena_alloc(arena, i);

		for (size_t j = 0; j < i; j++)
			assert_int_equal(piece[j], 0);
	}
}

/* One block: pieces side by side. Two mallocs could lie so only by chance, and not eight times. */
static void what_is_expected_comes_in_one_block(void **state)
{
	struct arena *arena = *state;
	char *pieces[8];

	for (int round = 0; round < 2; round++) {
		arena_alloc(arena, 1500);
		arena_expect(arena, sizeof(pieces) / sizeof(pieces[0]) * 4096 + 1024);
		for (size_t i = 0; i < 8; i++)
			pieces[i] = arena_raw(arena, 4096);
		for (size_t i = 1; i < 8; i++)
			assert_in_range(pieces[i] - pieces[i - 1], 4096, 4096 + 64);
		arena_reset(arena);
	}
	arena_expect(arena, SIZE_MAX); /* a wish, not an allocation */
	arena_alloc(arena, 100);
}

/* Texts that fit what is left of a block, and those that just do not, whatever that is. */
static void a_printed_text_is_whole_wherever_it_falls(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

	for (int n = 0; n < 300; n++) {
		struct slice text = arena_printf(*state, "%.*s|%0*d", n % 27, letters, n + 1, n % 10);
		char *after = memset(arena_raw(*state, 32), '#', 32);

		assert_int_equal(text.n, n % 27 + 1 + n + 1);
		assert_memory_equal(text.p, letters, n % 27);
		assert_int_equal(text.p[n % 27], '|');
		assert_int_equal(text.p[text.n - 1], '0' + n % 10);
		assert_int_equal(text.p[text.n], '\0');
		assert_int_equal(after[0], '#');
	}
}

static void joined_texts_follow_one_another(void **state)
{
	struct slice none = {NULL, 0};

	assert_slice(arena_join(*state, SLICE("a"), none, SLICE("bc"), SLICE(" "), SLICE("d")), "abc d");
	assert_slice(arena_join(*state, none), "");
}

static void a_copy_outlives_what_it_was_made_of(void **state)
{
	char text[] = "Some Text";
	struct slice copy = arena_copy(*state, slice_of(text)), lower = arena_lower(*state, slice_of(text));
	char *c = arena_cstring(*state, slice_of(text));

	memset(text, 'x', sizeof(text) - 1);
	assert_slice(copy, "Some Text");
	assert_slice(lower, "some text");
	assert_string_equal(c, "Some Text");
	assert_string_equal(arena_cstring(*state, (struct slice){NULL, 0}), "");
	assert_slice(arena_copy(*state, (struct slice){NULL, 0}), "");
	assert_slice(arena_printf(*state, "%d %s", 7, "seals"), "7 seals");
}

static void a_c_string_ends_after_its_limit(void **state)
{
	struct text text;

	text_init(&text, *state, 64);
	assert_string_equal(text_cstring(&text), "");
	for (int i = 0; i < 64; i++)
		text_add_char(&text, 'x'); /* the room is used up */
	assert_int_equal(strlen(text_cstring(&text)), 64);
	assert_int_equal(text_slice(&text).n, 64);
	text_init(&text, *state, 1000);
	text_add(&text, SLICE("ab"));
	text_reserve(&text, 500);
	memset(text.p + text.n, 'c', 500);
	text.n += 500;
	assert_int_equal(strspn(text_cstring(&text) + 2, "c"), 500);
}

static void text_grows_to_its_limit_and_reports_the_cut(void **state)
{
	struct text text;

	text_init(&text, *state, 1000);
	assert_slice(text_slice(&text), "");
	for (int i = 0; i < 250; i++)
		text_printf(&text, "%03d,", i);
	assert_int_equal(text_slice(&text).n, 1000);
	assert_false(text.cut);
	assert_slice(slice_from(text_slice(&text), 996), "249,");
	text_add_char(&text, 'x');
	assert_true(text.cut);
	assert_int_equal(text_slice(&text).n, 1000);

	text_init(&text, *state, 5);
	text_add(&text, SLICE("abc"));
	text_printf(&text, "%s", "def"); /* one too many */
	assert_true(text.cut);
	assert_slice(text_slice(&text), "abcde");

	text_init(&text, *state, 5);
	text_add(&text, SLICE("abcdefgh"));
	assert_true(text.cut);
	assert_slice(text_slice(&text), "abcde");
}

static void an_error_is_cut_rather_than_overrun(void **state)
{
	struct error err;
	char name[2000];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	error_set(&err, "cannot open %s", name);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void count(void *counter)
{
	int **place = counter;

	*(*place)++ = 1;
}

static void numbers_are_written_with_the_zeros_that_are_asked_for(void **state)
{
	struct text text;

	text_init(&text, *state, 33);
	text_add_number(&text, 0, 1);
	text_add_number(&text, 7, 3);
	text_add_number(&text, 1234, 2);
	text_add_number(&text, UINT64_MAX, 1);
	assert_slice(text_slice(&text), "0007123418446744073709551615");
	text_add_number(&text, 5, 1000); /* no more zeros than the longest number has digits */
	assert_slice(text_slice(&text), "000712341844674407370955161500000");
	assert_true(text.cut);
}

static void what_an_arena_owns_is_let_go_once_when_it_is_emptied(void **state)
{
	int released[4] = {0}, *next = released;
	struct arena *arena = arena_new();

	(void)state;
	arena_own(arena, &next, count);
	arena_own(arena, &next, count);
	assert_ptr_equal(next, released);
	arena_reset(arena);
	assert_ptr_equal(next, released + 2);
	arena_own(arena, &next, count);
	arena_free(arena);
	assert_ptr_equal(next, released + 3);
}

/* A size beyond all memory must end the process, not wrap around to a small piece. */
static void no_memory_ends_the_process_with_70(void **state)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		int silent[2];

		if (pipe(silent) == 0)
			dup2(silent[1], STDERR_FILENO);
		arena_alloc(*state, SIZE_MAX - 5);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 70);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_piece_is_zeroed_aligned_and_its_own),
	    TEST(raw_pieces_are_aligned_and_their_own),
	    TEST(what_is_expected_comes_in_one_block),
	    TEST(a_printed_text_is_whole_wherever_it_falls),
	    TEST(joined_texts_follow_one_another),
	    TEST(use_is_counted_until_the_reset),
	    TEST(a_copy_outlives_what_it_was_made_of),
	    TEST(a_c_string_ends_after_its_limit),
	    TEST(text_grows_to_its_limit_and_reports_the_cut),
	    TEST(numbers_are_written_with_the_zeros_that_are_asked_for),
	    TEST(what_an_arena_owns_is_let_go_once_when_it_is_emptied),
	    TEST(an_error_is_cut_rather_than_overrun),
	    TEST(no_memory_ends_the_process_with_70),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
