/*
 * test_feedback_archives.c - reports are read from gzip and zip; an archive that cannot be read is skipped with the
 * reason.
 */
#include "feedback_scene.h"

static void gzip_is_unpacked(void **state)
{
	struct arena *arena = arena_new();
	struct slice half = slice_head(slice_of(plain), 100), rest = slice_from(slice_of(plain), 100);
	struct slice one = gzipped(slice_of(plain), arena);
	struct slice two = arena_join(arena, gzipped(half, arena), gzipped(rest, arena));
	char *bad = arena_cstring(arena, one);

	(void)state;
	expect("one member", one, TOLD REPORT "0\n");
	expect("two members", two, TOLD REPORT "0\n");
	expect("padding", arena_join(arena, one, (struct slice){"\0\0\0\0", 4}), TOLD REPORT "0\n");
	expect("cut", slice_head(one, one.n - 5), "skipped : the gzip data ends early\n");
	memcpy(bad, one.p, one.n);
	bad[one.n - 8] ^= 1;
	expect("the check sum", (struct slice){bad, one.n}, "skipped : the archive is damaged: incorrect data check\n");
	expect("gzip in gzip", gzipped(one, arena),
	       "skipped : it is an archive in an archive, which is not unpacked\n");
	expect("mail in gzip", gzipped(SLICE("From: a@example.org\n\nhello\n"), arena),
	       "skipped : the archive holds neither XML nor JSON\n");
	arena_free(arena);
}

static void zip_is_unpacked(void **state)
{
	static const char *const wanted[] = {TOLD REPORT "0\n", TOLD REPORT "0\n", TOLD REPORT "0\n",
					     TOLD REPORT "0\n"};
	struct arena *arena = arena_new();
	struct slice data = slice_of(plain), packed = deflated(data, -15, arena);

	(void)state;
	for (unsigned i = KNOWN; i <= DESCRIBED_64; i++) {
		struct text out;

		text_init(&out, arena, 1 << 20);
		put_entry(&out, "dir/", SLICE(""), SLICE(""), 0, 0, KNOWN);
		put_entry(&out, "dir/report.xml", data, packed, 8, 0, (enum descriptor)i);
		put_entry(&out, "__MACOSX/._report.xml", SLICE("x"), SLICE("x"), 0, 0, KNOWN);
		text_add(&out, SLICE("PK\1\2 and the directory"));
		expect("zip", text_slice(&out), wanted[i]);
	}
	arena_free(arena);
}

static void two_reports_in_a_zip_are_read(void **state)
{
	struct arena *arena = arena_new();
	struct slice data = slice_of(plain);
	struct text out;

	(void)state;
	text_init(&out, arena, 1 << 20);
	put_entry(&out, "1", data, data, 0, 0, KNOWN);
	put_entry(&out, "2", data, deflated(data, -15, arena), 8, 0, DESCRIBED_64);
	put_entry(&out, "3", data, data, 0, 0, KNOWN);
	expect("three", text_slice(&out), TOLD REPORT "0\n" TOLD REPORT "0\n" TOLD REPORT "0\n");
	arena_free(arena);
}

static void zips_that_cannot_be_read_say_why(void **state)
{
	struct arena *arena = arena_new();
	struct slice data = slice_of(plain), packed = deflated(data, -15, arena);
	const struct {
		const char *why;
		struct slice data, packed;
		unsigned method, flags;
		enum descriptor descriptor;
	} cases[] = {
	    {"skipped : the zip file is encrypted\n", data, packed, 8, 1, KNOWN},
	    {"skipped : the zip file uses method 12; only deflate is read\n", data, packed, 12, 0, KNOWN},
	    {"skipped : the zip file does not tell the size of what it holds\n", data, data, 0, 0, DESCRIBED},
	    {"skipped : the zip file is damaged: its check sum is wrong\n", SLICE("other"), packed, 8, 0, KNOWN},
	    {"skipped : it is an archive in an archive, which is not unpacked\n", packed, gzipped(data, arena), 0, 0,
	     KNOWN},
	    {"skipped : the zip file is empty\n", SLICE(""), SLICE(""), 0, 0, KNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool directory = cases[i].data.n == 0;
		struct text out;

		text_init(&out, arena, 1 << 20);
		put_entry(&out, directory ? "dir/" : "report", cases[i].data, cases[i].packed, cases[i].method,
			  cases[i].flags, cases[i].descriptor);
		expect(cases[i].why, text_slice(&out), cases[i].why);
	}
	expect("cut", SLICE("PK\3\4\24"), "skipped : the zip file ends early\n");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gzip_is_unpacked),
	    cmocka_unit_test(zip_is_unpacked),
	    cmocka_unit_test(two_reports_in_a_zip_are_read),
	    cmocka_unit_test(zips_that_cannot_be_read_say_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
