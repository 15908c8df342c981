/*
 * test_feedback_bounds.c - what a stranger can make large in a report, an archive or a message is bounded.
 */
#include "feedback_scene.h"

static struct slice repeat(const char *text, size_t times, struct arena *arena)
{
	struct text out;

	text_init(&out, arena, SIZE_MAX / 8);
	text_reserve(&out, strlen(text) * times);
	while (times-- > 0)
		text_add(&out, slice_of(text));
	return text_slice(&out);
}

static void expect_whole(const char *name, struct slice input, const char *wanted)
{
	struct arena *arena = arena_new();
	struct slice told = read_pieces(input, 65536, arena);

	if (!slice_equal(told, slice_of(wanted)))
		fail_msg("%s: %.*s, not\n%s", name, SLICE_ARGS(slice_head(told, 1000)), wanted);
	arena_free(arena);
}

static void depth_is_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct slice open = SLICE("<feedback>" METADATA POLICY), close = SLICE("</feedback>");
	struct slice most = arena_join(arena, open, repeat("<x>", FEEDBACK_DEPTH_MAX - 1, arena),
				       repeat("</x>", FEEDBACK_DEPTH_MAX - 1, arena), close);

	(void)state;
	expect_whole("as deep as may be", most,
		     "receiver.example r1 1795651200-1795737599 example.org p=none 0 notes=0\n");
	expect_whole("one deeper", arena_join(arena, open, repeat("<x>", FEEDBACK_DEPTH_MAX, arena)),
		     "skipped : its elements are nested too deep\n");
	arena_free(arena);
}

static void tokens_and_names_are_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct slice letters = repeat("a", FEEDBACK_TOKEN_MAX + 65536, arena);
	struct text names;

	(void)state;
	expect_whole("a tag", arena_join(arena, SLICE("<feedback><a x=\""), letters),
		     "skipped : one tag or comment is longer than 256 KB\n");
	expect_whole("a comment", arena_join(arena, SLICE("<feedback><!--"), letters),
		     "skipped : one tag or comment is longer than 256 KB\n");
	expect_whole("a long text is not a token",
		     arena_join(arena, SLICE("<feedback>" METADATA POLICY "<x>"), letters, SLICE("</x></feedback>")),
		     "receiver.example r1 1795651200-1795737599 example.org p=none 0 notes=0\n");
	text_init(&names, arena, SIZE_MAX / 8);
	text_add(&names, SLICE("<feedback>"));
	for (unsigned i = 0; i < 200000; i++)
		text_printf(&names, "<name%u/>", i);
	expect_whole("names", text_slice(&names), "skipped : it has more than 1024 KB of different names\n");
	arena_free(arena);
}

static void values_and_results_are_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct slice fits = repeat("x", FEEDBACK_TEXT_MAX, arena), results;
	struct slice begin = SLICE("<feedback><report_metadata><report_id>");
	struct slice end = SLICE("</report_id></report_metadata>" POLICY "</feedback>");

	(void)state;
	expect_whole(
	    "fits", arena_join(arena, begin, fits, end),
	    arena_cstring(arena, arena_join(arena, SLICE(" "), fits, SLICE(" 0-0 example.org p=none 0 notes=16\n"))));
	expect_whole(
	    "too long", arena_join(arena, begin, fits, SLICE("y"), end),
	    arena_cstring(arena, arena_join(arena, SLICE(" "), fits, SLICE(" 0-0 example.org p=none 0 notes=80\n"))));
	expect_whole(
	    "a long comment is not a value",
	    arena_join(arena,
		       SLICE("<feedback>" METADATA POLICY "<record>"
			     "<row><source_ip>192.0.2.1</source_ip><count>3</count><policy_evaluated>" PASSES
			     "<reason><comment>"),
		       fits,
		       SLICE("y arc=pass</comment></reason></policy_evaluated></row>" AUTHOR "</record></feedback>")),
	    "192.0.2.1 3 none 1 0 0 example.org\n" REPORT "0\n");
	results =
	    repeat("<dkim><domain>a.example</domain><result>pass</result></dkim>", FEEDBACK_RESULTS_MAX + 1, arena);
	expect_whole("results",
		     arena_join(arena,
				SLICE("<feedback>" METADATA POLICY "<record>" ROW("192.0.2.1", "3", PASSES) AUTHOR
				      "<auth_results>"),
				results, SLICE("</auth_results></record></feedback>")),
		     arena_cstring(arena, arena_join(arena, SLICE("192.0.2.1 3 none 1 0 0 example.org"),
						     repeat(" dkim=a.example:pass", FEEDBACK_RESULTS_MAX, arena),
						     SLICE("\n" REPORT "128\n"))));
	arena_free(arena);
}

static void archives_are_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct slice blanks = repeat(" ", 4 * FEEDBACK_RATIO_FREE, arena), bomb = gzipped(blanks, arena);
	struct text out;

	(void)state;
	expect_whole(
	    "blanks become nothing",
	    gzipped(arena_join(arena, SLICE("<feedback>"), slice_head(blanks, FEEDBACK_RATIO_FREE - 100)), arena),
	    "skipped : the report ends early, before </feedback>\n");
	assert_true(bomb.n * FEEDBACK_RATIO_MAX < blanks.n);
	expect_whole("a bomb", gzipped(arena_join(arena, SLICE("<feedback>"), blanks), arena),
		     "skipped : the archive becomes more than 250 times its size, as reports do not\n");
	text_init(&out, arena, 1 << 20);
	for (unsigned i = 0; i <= FEEDBACK_ENTRIES_MAX; i++)
		put_entry(&out, "x/", SLICE(""), SLICE(""), 0, 0, KNOWN);
	expect_whole("files in a zip", text_slice(&out), "skipped : the zip file holds more than 16 files\n");
	expect_whole("a TLS report", arena_join(arena, SLICE("{"), slice_head(blanks, FEEDBACK_TLS_MAX)),
		     "skipped : the TLS report is larger than 256 KB\n");
	arena_free(arena);
}

static void messages_are_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct slice endless = repeat("X: y\n", FEEDBACK_HEADER_MAX / 5 + 1, arena);
	struct text deep, nested;

	(void)state;
	expect_whole("a header that does not end", endless, "skipped : its header is larger than 1024 KB\nmessage 1\n");
	expect_whole("a field that does not end",
		     arena_join(arena, SLICE("X: "), repeat("y", FEEDBACK_HEADER_MAX, arena)),
		     "skipped : its header is larger than 1024 KB\nmessage 1\n");
	expect_whole("the next message is read",
		     arena_join(arena, SLICE("From a\n"), endless,
				SLICE("\n\nFrom b\n" HEAD "Content-Type: text/xml\n\n"), slice_of(plain)),
		     "skipped message 1: its header is larger than 1024 KB\nmessage 1\n" TOLD REPORT "0\nmessage 1\n");
	/* a Content-Type that is too long to be kept: the part is found by its content, a multipart is not */
	expect_whole("a field",
		     mail_of(arena_cstring(arena, arena_join(arena, SLICE("text/xml; x="),
							     repeat("y", FEEDBACK_FIELD_MAX, arena))),
			     "8bit", slice_of(plain), arena),
		     TOLD REPORT "0\nmessage 1\n");
	expect_whole(
	    "a boundary",
	    mail_of(arena_cstring(arena, arena_join(arena, SLICE("multipart/mixed; x="),
						    repeat("y", FEEDBACK_FIELD_MAX, arena), SLICE("; boundary=b"))),
		    "8bit", arena_join(arena, SLICE("--b\n\n"), slice_of(plain), SLICE("\n--b--\n")), arena),
	    "message 0\n");
	expect_whole("MIME fields",
		     arena_join(arena, repeat("Content-X: y\n", 8, arena),
				SLICE("Content-Transfer-Encoding: base64\n\n"), slice_of(plain)),
		     TOLD REPORT "0\nmessage 1\n");
	text_init(&deep, arena, 1 << 20);
	text_init(&nested, arena, 1 << 20);
	for (unsigned i = 0; i <= FEEDBACK_NESTED_MAX; i++) {
		text_printf(&deep, "Content-Type: multipart/mixed; boundary=b%u\n\n--b%u\n", i, i);
		text_printf(&nested, "Content-Type: message/rfc822\n\n");
	}
	expect_whole("multiparts", text_slice(&deep), "skipped : its parts are nested more than 8 deep\nmessage 1\n");
	expect_whole("messages", text_slice(&nested), "skipped : messages are nested more than 8 deep\nmessage 1\n");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(depth_is_bounded),
	    cmocka_unit_test(tokens_and_names_are_bounded),
	    cmocka_unit_test(values_and_results_are_bounded),
	    cmocka_unit_test(archives_are_bounded),
	    cmocka_unit_test(messages_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
