/*
 * test_feedback_mail.c - reports are found in messages and mailboxes, and what is wrong with a message is told.
 */
#include "feedback_scene.h"

/* In lines, as mail has it. */
static struct slice base64(struct slice bytes, struct arena *arena)
{
	struct slice all = base64_encode(bytes, arena);
	struct text out;

	text_init(&out, arena, 1 << 20);
	for (; all.n > 0; all = slice_from(all, 76)) {
		text_add(&out, slice_head(all, 76));
		text_add(&out, SLICE("\r\n"));
	}
	return text_slice(&out);
}

static void reports_are_found_in_mail(void **state)
{
	struct arena *arena = arena_new();
	struct slice zipped = base64(gzipped(slice_of(plain), arena), arena);
	struct slice parts = arena_join(
	    arena,
	    SLICE(HEAD "Content-Type: multipart/mixed;\n boundary=\"b 1\"\n\npreamble\n--b 1\n\nSee below.\n--b 1\n"
		       "Content-Type: application/octet-stream; name=x y.gz\nContent-Transfer-Encoding: BASE64\n\n"),
	    zipped, SLICE("--b 1--\nepilogue\n"));
	struct slice forwarded = arena_join(
	    arena, SLICE("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"), parts,
	    SLICE("\n--b--\n"));
	struct slice box = arena_join(arena, SLICE("From a@b Thu Nov 26 00:00:00 2026\n"), parts,
				      SLICE("\nFrom x y\n" HEAD "\nhello\n\n"), SLICE("From x y\n"),
				      mail_of("application/gzip", "base64", zipped, arena));

	(void)state;
	expect("a single part", mail_of("application/gzip", "base64", zipped, arena), TOLD REPORT "0\nmessage 1\n");
	expect("XML as it is", mail_of("text/xml", "8bit", slice_of(plain), arena), TOLD REPORT "0\nmessage 1\n");
	expect("in text/plain", mail_of("text/plain", "7bit", slice_of(plain), arena), TOLD REPORT "0\nmessage 1\n");
	expect("quoted-printable",
	       mail_of("application/xml", "quoted-printable",
		       SLICE("<feedback>" METADATA POLICY "<rec=6Frd>" ROW("192.=\r\n0.2.1", "=33", PASSES) AUTHOR
			     "= \t\r\n" RESULTS "</record></fee=\ndback>\n"),
		       arena),
	       TOLD REPORT "0\nmessage 1\n");
	expect("several parts", parts, TOLD REPORT "0\nmessage 1\n");
	expect("forwarded", forwarded, TOLD REPORT "0\nmessage 1\n");
	expect("a mailbox", box, TOLD REPORT "0\nmessage 1\nmessage 0\n" TOLD REPORT "0\nmessage 1\n");
	expect("in a line of its own",
	       mail_of("application/gzip", "base64",
		       arena_join(arena, base64_encode(gzipped(slice_of(plain), arena), arena), SLICE("\n")), arena),
	       TOLD REPORT "0\nmessage 1\n");
	expect("XHTML", SLICE(HEAD "Content-Type: text/html\n\n<?xml version=\"1.0\"?><html></html>\n"), "message 0\n");
	expect("From in a text",
	       arena_join(arena, SLICE("From a\n" HEAD "\nhello\nFrom here on\nthere is nothing\n\n>From b\n")),
	       "message 0\n");
	expect(
	    "after the end",
	    arena_join(arena, parts, SLICE("--b 1\nContent-Type: text/xml\n\n"), slice_of(plain), SLICE("\n--b 1--\n")),
	    TOLD REPORT "0\nmessage 1\n");
	expect("no report", SLICE(HEAD "Content-Type: text/html\n\n<html></html>\n"), "message 0\n");
	arena_free(arena);
}

static void what_is_wrong_with_a_message_is_told(void **state)
{
	struct arena *arena = arena_new();
	struct slice zipped = base64(gzipped(slice_of(plain), arena), arena);
	struct slice box =
	    arena_join(arena, SLICE("From a\n"), mail_of("application/gzip", "base64", slice_head(zipped, 76), arena),
		       SLICE("\n\nFrom b\n"), mail_of("application/gzip", "base64", zipped, arena));

	(void)state;
	expect("a cut attachment", box,
	       "skipped message 1: the gzip data ends early\nmessage 1\n" TOLD REPORT "0\nmessage 1\n");
	expect("broken base64", mail_of("application/gzip", "base64", SLICE("H4sI!!!!\n"), arena),
	       "skipped : its base64 is damaged\nmessage 1\n");
	expect("base64 that is cut in a group", mail_of("application/gzip", "base64", SLICE("H4sIA\n"), arena),
	       "skipped : its base64 is damaged\nmessage 1\n");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reports_are_found_in_mail),
	    cmocka_unit_test(what_is_wrong_with_a_message_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
