/*
 * test_dkim_body.c - the canonical body, whatever chunks it comes in, and where
 * its digests end.
 */
#include "dkim_bench.h"
#include "../../filter/dkim/blocks.h"

/* ---- a second opinion: the whole body at once, slow and plain ------------------------------ */

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 6376 3.4.3, 3.4.4. `out` has room for twice the body and two more. */
static size_t canonical(enum dkim_canon kind, struct slice body, char *out)
{
	struct slice rest = body, line;
	size_t n = 0, end = 0;

	while (rest.n > 0 && slice_cut(&rest, '\n', &line)) {
		bool last = rest.p == NULL;

		if (!last && line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		for (size_t i = 0; i < line.n; i++) {
			if (kind == DKIM_RELAXED && is_wsp(line.p[i])) {
				while (i + 1 < line.n && is_wsp(line.p[i + 1]))
					i++;
				if (i + 1 == line.n)
					break;
				out[n++] = ' ';
				continue;
			}
			out[n++] = line.p[i];
		}
		if (n > end && (out[n - 1] != '\n'))
			end = n + 2;
		out[n++] = '\r';
		out[n++] = '\n';
	}
	if (end == 0 && kind == DKIM_SIMPLE)
		end = 2, memcpy(out, "\r\n", 2);
	return end;
}

static void assert_digest(const struct dkim_digest *digest, const char *text, size_t n)
{
	unsigned char hash[DKIM_SHA256_SIZE];

	assert_true(digest->reached);
	EVP_Digest(text, n, hash, NULL, EVP_sha256(), NULL);
	assert_memory_equal(digest->hash, hash, sizeof(hash));
}

static void add_in_chunks(struct dkim_body *body, struct slice text, size_t chunk)
{
	for (size_t at = 0; at < text.n; at += chunk)
		dkim_body_add(body, slice_head(slice_from(text, at), chunk));
	dkim_body_end(body);
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void bodies_have_their_canonical_form(void **state)
{
	static const struct {
		const char *body, *simple, *relaxed;
	} cases[] = {
	    {"", "\r\n", ""},
	    {"\r\n", "\r\n", ""},
	    {"\n\n\n", "\r\n", ""},
	    {" \t\r\n", " \t\r\n", ""},
	    {"a", "a\r\n", "a\r\n"},
	    {"a\r\n", "a\r\n", "a\r\n"},
	    {"a\n", "a\r\n", "a\r\n"},
	    {"a\r\n\r\n\r\n", "a\r\n", "a\r\n"},
	    {"\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
	    {"a \t b\t\r\n\tc  \r\n", "a \t b\t\r\n\tc  \r\n", "a b\r\n c\r\n"},
	    {"a\rb\r\r\n", "a\rb\r\r\n", "a\rb\r\r\n"},
	    {"a\r", "a\r\r\n", "a\r\r\n"},
	    {"a \r", "a \r\r\n", "a \r\r\n"},
	    {"a \r \r\n", "a \r \r\n", "a \r\r\n"},
	    {".\r\n..\r\n", ".\r\n..\r\n", ".\r\n..\r\n"},
	    {"\xff\xfe  \x80\r\n", "\xff\xfe  \x80\r\n", "\xff\xfe \x80\r\n"},
	    {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"}, /* RFC 6376 3.4.5 */
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dkim_body *body = dkim_body_new(bench->arena);
		const struct dkim_digest *simple = dkim_body_want(body, DKIM_SIMPLE, DKIM_WHOLE);
		const struct dkim_digest *relaxed = dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);

		add_in_chunks(body, slice_of(cases[i].body), 1000);
		assert_digest(simple, cases[i].simple, strlen(cases[i].simple));
		assert_digest(relaxed, cases[i].relaxed, strlen(cases[i].relaxed));
		assert_int_equal(dkim_body_length(body, DKIM_RELAXED), strlen(cases[i].relaxed));
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

/* Mostly words, so that whole blocks are plain, with odd bytes between them. */
static struct slice random_body(uint32_t *seed, char *room, size_t most)
{
	static const char odd[] = "  \t\r\n\n\r";
	size_t n = next_random(seed) % most, rarity = 1 + next_random(seed) % 60;

	for (size_t i = 0; i < n; i++) {
		room[i] = next_random(seed) % rarity ? 'x' : odd[next_random(seed) % (sizeof(odd) - 1)];
		if (room[i] == '\n' && i > 0 && next_random(seed) % 2)
			room[i - 1] = '\r';
	}
	return (struct slice){room, n};
}

static void no_chunking_changes_a_digest(void **state)
{
	static char room[600], out[2][1300];
	struct bench *bench = *state;
	struct arena *arena = arena_new();
	uint32_t seed = 1;

	(void)bench;
	for (int round = 0; round < 20000; round++) {
		struct slice text = random_body(&seed, room, sizeof(room));
		struct dkim_body *body = body_new(arena, round % 2 && processor_has_avx2());
		const struct dkim_digest *simple = dkim_body_want(body, DKIM_SIMPLE, DKIM_WHOLE);
		const struct dkim_digest *relaxed = dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);

		add_in_chunks(body, text, 1 + next_random(&seed) % 200);
		assert_digest(simple, out[0], canonical(DKIM_SIMPLE, text, out[0]));
		assert_digest(relaxed, out[1], canonical(DKIM_RELAXED, text, out[1]));
		arena_reset(arena);
	}
	arena_free(arena);
}

/* By the loops for this processor and by those for older ones. */
static void assert_as_plain(struct arena *arena, struct slice text, size_t first, size_t chunk)
{
	static char out[2 * 20000 + 2];

	for (int i = 0; i < 4; i++) {
		int kind = i % 2;
		struct dkim_body *body = body_new(arena, i / 2 && processor_has_avx2());
		const struct dkim_digest *digest = dkim_body_want(body, (enum dkim_canon)kind, DKIM_WHOLE);

		dkim_body_add(body, slice_head(text, first));
		add_in_chunks(body, slice_from(text, first), chunk);
		assert_digest(digest, out, canonical((enum dkim_canon)kind, text, out));
	}
	arena_reset(arena);
}

static void no_boundary_between_two_chunks_changes_a_digest(void **state)
{
	static char room[300];
	struct arena *arena = arena_new();
	uint32_t seed = 3;

	(void)state;
	for (int round = 0; round < 120; round++) {
		struct slice text = random_body(&seed, room, sizeof(room));

		for (size_t first = 0; first <= text.n; first++)
			assert_as_plain(arena, text, first, sizeof(room));
	}
	arena_free(arena);
}

/* Stretches of different kinds, some longer than any buffer on the way to the hash. */
static struct slice random_stretches(uint32_t *seed, char *room, size_t most)
{
	static const char *const kinds[] = {"x",   " ",   "\t",       "\r",     "\n",  "\r\n",
					    " \r", "a  ", "x \t\r\n", "\r\r\n", "ab\n"};
	static const size_t lengths[] = {3, 80, 1100, 5000};
	size_t n = 0;

	while (n < most) {
		const char *kind = kinds[next_random(seed) % (sizeof(kinds) / sizeof(kinds[0]))];
		size_t end = n + 1 + next_random(seed) % lengths[next_random(seed) % 4];

		for (size_t i = 0; n < most && n < end; i++, n++)
			room[n] = kind[i % strlen(kind)];
	}
	return (struct slice){room, n};
}

static void no_long_stretch_of_anything_changes_a_digest(void **state)
{
	static char room[20000];
	struct arena *arena = arena_new();
	uint32_t seed = 5;

	(void)state;
	for (int round = 0; round < 600; round++) {
		struct slice text = random_stretches(&seed, room, 1 + next_random(&seed) % sizeof(room));

		assert_as_plain(arena, text, next_random(&seed) % (text.n + 1), 1 + next_random(&seed) % 9000);
	}
	arena_free(arena);
}

static void a_digest_ends_where_its_length_says(void **state)
{
	static char room[300], out[2][700];
	struct arena *arena = arena_new();
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct slice text = random_body(&seed, room, sizeof(room));

		for (int kind = 0; kind < 2; kind++) {
			size_t n = canonical((enum dkim_canon)kind, text, out[kind]);
			size_t length = n > 0 ? next_random(&seed) % (n + 1) : 0;
			struct dkim_body *body = dkim_body_new(arena);
			const struct dkim_digest *beyond = dkim_body_want(body, (enum dkim_canon)kind, n + 1);
			const struct dkim_digest *part = dkim_body_want(body, (enum dkim_canon)kind, length);
			const struct dkim_digest *all = dkim_body_want(body, (enum dkim_canon)kind, n);
			const struct dkim_digest *whole = dkim_body_want(body, (enum dkim_canon)kind, DKIM_WHOLE);

			add_in_chunks(body, text, 1 + next_random(&seed) % 70);
			assert_digest(part, out[kind], length);
			assert_digest(all, out[kind], n);
			assert_digest(whole, out[kind], n);
			assert_false(beyond->reached);
			assert_ptr_equal(all, body_digest(body, (enum dkim_canon)kind, n));
		}
		arena_reset(arena);
	}
	arena_free(arena);
}

static void equal_wishes_share_a_digest_and_their_number_is_bounded(void **state)
{
	struct bench *bench = *state;
	struct dkim_body *body = dkim_body_new(bench->arena);
	unsigned given = 0;

	assert_ptr_equal(dkim_body_want(body, DKIM_SIMPLE, 5), dkim_body_want(body, DKIM_SIMPLE, 5));
	assert_ptr_not_equal(dkim_body_want(body, DKIM_SIMPLE, 5), dkim_body_want(body, DKIM_RELAXED, 5));
	while (dkim_body_want(body, DKIM_RELAXED, 100 + given) && given < 1000)
		given++;
	assert_int_equal(given, 63);
}

static void memory_does_not_grow_with_the_body(void **state)
{
	static char lines[65536];
	struct arena *arena = arena_new();
	struct dkim_body *body = dkim_body_new(arena);
	size_t before;

	(void)state;
	for (size_t i = 0; i < sizeof(lines); i += 2)
		memcpy(lines + i, "\r\n", 2);
	dkim_body_want(body, DKIM_SIMPLE, DKIM_WHOLE);
	dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);
	before = arena_used(arena);
	for (int i = 0; i < 160; i++) /* 10 MB of empty lines, which are held back to the end, and then count */
		dkim_body_add(body, (struct slice){lines, sizeof(lines)});
	dkim_body_add(body, SLICE("end"));
	dkim_body_end(body);
	assert_int_equal(arena_used(arena), before);
	assert_int_equal(dkim_body_length(body, DKIM_RELAXED), 160 * sizeof(lines) + 5);
	arena_free(arena);
}

static void header_fields_have_their_canonical_form(void **state)
{
	static const struct {
		const char *name, *value, *simple, *relaxed;
	} cases[] = {
	    {"A", " X", "A: X", "a:X"},
	    {"B ", " Y\t\n\tZ  ", "B : Y\t\r\n\tZ  ", "b:Y Z"}, /* RFC 6376 3.4.5 */
	    {"Subject", "", "Subject:", "subject:"},
	    {"Subject", "   ", "Subject:   ", "subject:"},
	    {"SubJect", "x", "SubJect:x", "subject:x"},
	    {"X", " a\r\n b\n  c", "X: a\r\n b\r\n  c", "x:a b c"},
	    {"X", "\n \n a", "X:\r\n \r\n a", "x:a"},
	    {"X", " \xc3\xbc  \xff", "X: \xc3\xbc  \xff", "x:\xc3\xbc \xff"},
	    {"X", " a\rb", "X: a\rb", "x:a\rb"},
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice name = slice_of(cases[i].name), value = slice_of(cases[i].value);

		assert_slice(field_canonical(name, value, DKIM_SIMPLE, bench->arena), cases[i].simple);
		assert_slice(field_canonical(name, value, DKIM_RELAXED, bench->arena), cases[i].relaxed);
	}
}

static struct dkim_noticed noticed(size_t before, size_t line, const char *end, size_t piece)
{
	static char text[5000];
	struct arena *arena = arena_new();
	struct dkim_body *body = dkim_body_new(arena);
	struct dkim_noticed noticed;
	size_t n = 0;

	for (size_t i = 0; i < before; i++)
		text[n++] = (char)(i % 70 == 69 || i + 1 == before ? '\n' : 'a');
	memset(text + n, 'x', line);
	memcpy(text + n + line, end, strlen(end));
	n += line + strlen(end);
	dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);
	dkim_body_watch(body, 990);
	for (size_t i = 0; i < n; i += piece)
		dkim_body_add(body, (struct slice){text + i, piece < n - i ? piece : n - i});
	dkim_body_end(body);
	noticed = dkim_body_noticed(body);
	arena_free(arena);
	return noticed;
}

/* However the body comes in pieces, and wherever the line is in it. */
static void lines_that_mail_servers_divide_are_noticed(void **state)
{
	static const size_t pieces[] = {1, 7, 500, 991, 992, 993, 5000}, before[] = {0, 1, 100, 991, 2000};

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (size_t k = 0; k < sizeof(before) / sizeof(before[0]); k++) {
			assert_false(noticed(before[k], 990, "\r\n", pieces[i]).long_line);
			assert_true(noticed(before[k], 991, "\r\n", pieces[i]).long_line);
			assert_false(noticed(before[k], 990, "", pieces[i]).long_line);
			assert_true(noticed(before[k], 991, "", pieces[i]).long_line);
			assert_false(noticed(before[k], 990, "\r\nabc\r\n", pieces[i]).long_line);
			assert_true(noticed(before[k], 2000, "\r\nabc\r\n", pieces[i]).long_line);
			assert_false(noticed(before[k], 10, "\r\n\x7f", pieces[i]).eight_bits);
			assert_true(noticed(before[k], 10, "\r\n\x80", pieces[i]).eight_bits);
			assert_true(
			    noticed(before[k], 10, "\xc3\xbc\r\nabcdefghijklmnopqrstuvwxyz\r\n", pieces[i]).eight_bits);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_that_mail_servers_divide_are_noticed),
	    cmocka_unit_test(bodies_have_their_canonical_form),
	    cmocka_unit_test(no_chunking_changes_a_digest),
	    cmocka_unit_test(no_boundary_between_two_chunks_changes_a_digest),
	    cmocka_unit_test(no_long_stretch_of_anything_changes_a_digest),
	    cmocka_unit_test(a_digest_ends_where_its_length_says),
	    cmocka_unit_test(equal_wishes_share_a_digest_and_their_number_is_bounded),
	    cmocka_unit_test(memory_does_not_grow_with_the_body),
	    cmocka_unit_test(header_fields_have_their_canonical_form),
	};

	return cmocka_run_group_tests_name("dkim body", tests, bench_open, bench_close);
}
