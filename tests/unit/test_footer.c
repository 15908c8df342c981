/*
 * test_footer.c - a footer in messages as they come: which part gets it, and in which bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime.h"

#include <stdio.h>
#include <string.h>

/* \xfc is the u with dots in ISO-8859-1. */
static const struct footer plain = {SLICE("Example Ltd"), SLICE("<p>Example Ltd</p>")};
static const struct footer accents = {SLICE("Gr\xc3\xbc\xc3\x9f\x65"), SLICE("<p>Gr\xc3\xbc\xc3\x9f\x65</p>")};
static const struct footer euro = {SLICE("10 \xe2\x82\xac"), SLICE("<p>10 \xe2\x82\xac</p>")};
static const struct footer lines = {SLICE("one\ntwo="), SLICE("<p>one</p>\n<p>two</p>")};

/* As a footer with the name of the author, who chooses the boundaries, too. */
static const struct footer boundary = {SLICE("From:\n--b--\nBeware"), SLICE("<p>Beware</p>")};

struct example {
	const char *name;
	const struct footer *footer;
	const char *fields; /* each ends in LF */
	const char *body;   /* LF means CRLF */
	const char *told;
	const char *expected; /* likewise; NULL: the same */
};

#define TYPE(text)    "Content-Type: " text "\n"
#define ENCODED(text) "Content-Transfer-Encoding: " text "\n"
#define PLAIN         "added to text/plain"
#define HTML          "added to text/html"

static const struct example texts[] = {
    {"a message without MIME", &plain, "", "Hello.\n", PLAIN, "Hello.\n\nExample Ltd\n"},
    {"without a line end at its end", &plain, "", "Hello.", PLAIN, "Hello.\n\nExample Ltd\n"},
    {"an empty body", &plain, "", "", PLAIN, "Example Ltd\n"},
    {"several lines", &lines, "", "Hello.\n", PLAIN, "Hello.\n\none\ntwo=\n"},
    {"the footer is there already", &lines, "", "Hello.\n\none\ntwo=\n\n", "left out: the footer is there already",
     NULL},
    {"ASCII in a charset that leaves ASCII as it is", &plain, TYPE("text/plain; charset=\"KOI8-R\""), "\xd0\n", PLAIN,
     "\xd0\n\nExample Ltd\n"},
    {"UTF-8 in 8 bits", &accents, TYPE("text/plain; charset=utf-8") ENCODED("8bit"), "Hi\n", PLAIN,
     "Hi\n\nGr\xc3\xbc\xc3\x9f\x65\n"},
    {"ISO-8859-1 in 8 bits", &accents, TYPE("Text/Plain; Charset=ISO-8859-1;") ENCODED("8BIT"), "Hi\n", PLAIN,
     "Hi\n\nGr\xfc\xdf\x65\n"},
    {"ISO-8859-15 has the euro", &euro, TYPE("text/plain; charset=iso-8859-15") ENCODED("8bit"), "Hi\n", PLAIN,
     "Hi\n\n10 \xa4\n"},
    {"ISO-8859-1 does not", &euro, TYPE("text/plain; charset=iso-8859-1") ENCODED("8bit"), "Hi\n",
     "left out: its charset cannot hold the footer", NULL},
    {"7bit holds no accents", &accents, TYPE("text/plain; charset=utf-8"), "Hi\n",
     "left out: its transfer encoding (7bit) or its charset cannot hold the footer", NULL},
    {"a charset that nobody knows", &plain, TYPE("text/plain; charset=x-none"), "Hi\n",
     "left out: its charset is not supported", NULL},
    {"UTF-16 does not leave ASCII as it is", &plain, TYPE("text/plain; charset=utf-16") ENCODED("base64"), "AEEA\n",
     "left out: its charset is not supported", NULL},
    {"a transfer encoding that nobody knows", &plain, ENCODED("x-uuencode"), "Hi\n",
     "left out: its transfer encoding is unknown", NULL},
    {"PGP inside of the text", &plain, "", "-----BEGIN PGP SIGNED MESSAGE-----\n\nHi\n",
     "left out: its text is signed or encrypted (PGP)", NULL},
};

static const struct example encoded[] = {
    {"quoted-printable", &accents, TYPE("text/plain; charset=utf-8") ENCODED("quoted-printable"), "H=C3=BC\n", PLAIN,
     "H=C3=BC\n\nGr=C3=BC=C3=9Fe\n"},
    {"in ISO-8859-1", &accents, TYPE("text/plain; charset=iso-8859-1") ENCODED("Quoted-Printable"), "H=FC", PLAIN,
     "H=FC\n\nGr=FC=DFe\n"},
    {"an equals sign", &lines, ENCODED("quoted-printable"), "Hi\n", PLAIN, "Hi\n\none\ntwo=3D\n"},
    {"after a soft break", &plain, ENCODED("quoted-printable"), "Hi=\n", PLAIN, "Hi=\n\n\nExample Ltd\n"},
    {"after a soft break that was cut off", &plain, ENCODED("quoted-printable"), "Hi=", PLAIN,
     "Hi=\n\n\nExample Ltd\n"},
    {"the footer is there, encoded", &accents, TYPE("text/plain; charset=utf-8") ENCODED("quoted-printable"),
     "Hi\n\nGr=\n=c3=bc=C3=9Fe\n", "left out: the footer is there already", NULL},
    {"after a soft break with blanks", &plain, ENCODED("quoted-printable"), "Hi= ", PLAIN, "Hi= \n\n\nExample Ltd\n"},
    {"half of a soft break", &plain, ENCODED("quoted-printable"), "Hi=\r",
     "left out: its quoted-printable is malformed", NULL},
    {"malformed quoted-printable", &plain, ENCODED("quoted-printable"), "H=X\n",
     "left out: its quoted-printable is malformed", NULL},
    {"base64", &accents, TYPE("text/plain; charset=utf-8") ENCODED("base64"), "SGVsbG8uDQo=\n", PLAIN,
     "SGVsbG8uDQoNCkdyw7zDn2UNCg==\n"},
    {"base64 of a text without a line end", &plain, ENCODED("base64"), "SGVs\nbG8=\n", PLAIN,
     "SGVsbG8NCg0KRXhhbXBsZSBMdGQNCg==\n"},
    {"the footer is there, in base64", &accents, TYPE("text/plain; charset=utf-8") ENCODED("base64"),
     "SGVsbG8uDQoNCkdyw7zDn2UNCg==\n", "left out: the footer is there already", NULL},
    {"malformed base64", &plain, ENCODED("base64"), "SGVsb\n", "left out: its base64 is malformed", NULL},
    {"base64 that goes on after its end", &plain, ENCODED("base64"), "SGVsbG8=\nSGVsbG8=\n",
     "left out: its base64 is malformed", NULL},
};

static const struct example htmls[] = {
    {"HTML", &plain, TYPE("text/html"), "<html><body>Hi</body></html>\n", HTML,
     "<html><body>Hi\n<p>Example Ltd</p>\n</body></html>\n"},
    {"the last end of the body", &plain, TYPE("text/html"), "<BODY></body>Hi\n</BODY >\n", HTML,
     "<BODY></body>Hi\n<p>Example Ltd</p>\n</BODY >\n"},
    {"without a body", &plain, TYPE("text/html"), "<html>Hi</html>", HTML, "<html>Hi\n<p>Example Ltd</p>\n</html>"},
    {"without anything", &plain, TYPE("text/html"), "<b>Hi</b>", HTML, "<b>Hi</b>\n<p>Example Ltd</p>\n"},
    {"in its charset", &accents, TYPE("text/html; charset=iso-8859-1") ENCODED("8bit"), "Hi\n", HTML,
     "Hi\n<p>Gr\xfc\xdf\x65</p>\n"},
    {"as numbers where the charset has no such character", &euro, TYPE("text/html; charset=iso-8859-1"), "Hi\n", HTML,
     "Hi\n<p>10 &#8364;</p>\n"},
    {"quoted-printable, in the middle of a line", &accents,
     TYPE("text/html; charset=utf-8") ENCODED("quoted-printable"), "<body>Hi=C3=BC</bo=\ndy>\n", HTML,
     "<body>Hi=C3=BC\n<p>Gr=C3=BC=C3=9Fe</p>\n</bo=\ndy>\n"},
    {"quoted-printable whose bracket is encoded", &plain, TYPE("text/html") ENCODED("quoted-printable"),
     "<body>\nHi\n=3C/body>\n", HTML, "<body>\nHi\n<p>Example Ltd</p>\n=3C/body>\n"},
    {"base64", &plain, TYPE("text/html") ENCODED("base64"), "PGI+SGk8L2I+PC9ib2R5Pg==\n", HTML,
     "PGI+SGk8L2I+DQo8cD5FeGFtcGxlIEx0ZDwvcD4NCjwvYm9keT4=\n"},
    {"the footer is there already", &plain, TYPE("text/html"), "Hi\n<p>Example Ltd</p>\n</body>\n",
     "left out: the footer is there already", NULL},
};

#define PART(type, text) "--b\nContent-Type: " type "\n\n" text "\n"
#define ATTACHED(text)   "--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=x\n\n" text "\n"
#define MIXED            TYPE("multipart/mixed; boundary=b")
#define ALTERNATIVE      TYPE("multipart/alternative; boundary=\"b\"")

static const struct example parts[] = {
    {"the first text of several parts", &plain, MIXED,
     "preamble\n" PART("text/plain", "Hi") PART("text/plain", "more") "--b--\nend\n", PLAIN,
     "preamble\n" PART("text/plain", "Hi\n\nExample Ltd") PART("text/plain", "more") "--b--\nend\n"},
    {"an attachment comes first", &plain, MIXED,
     ATTACHED("file") PART("image/png", "x") PART("text/plain", "Hi\n") "--b--", PLAIN,
     ATTACHED("file") PART("image/png", "x") PART("text/plain", "Hi\n\nExample Ltd") "--b--"},
    {"a part without a header", &plain, MIXED, "--b\n\nHi\n--b--\n", PLAIN, "--b\n\nHi\n\nExample Ltd\n--b--\n"},
    {"an empty text without a line of its own", &plain, MIXED, "--b\nContent-Type: text/plain\n\n--b--\n", PLAIN,
     "--b\nContent-Type: text/plain\n\nExample Ltd\n--b--\n"},
    {"a line of the footer would end the part", &boundary, MIXED, PART("text/plain", "Hi") "--b--\n",
     "left out: a line of the footer is a boundary of its parts", NULL},
    {"a line of the footer would end the parts around it", &boundary, MIXED,
     "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nHi\n--c--\n\n--b--\n",
     "left out: a line of the footer is a boundary of its parts", NULL},
    {"what is no boundary of the message may be in a footer", &boundary, TYPE("multipart/mixed; boundary=c"),
     "--c\n\nHi\n--c--\n", PLAIN, "--c\n\nHi\n\nFrom:\n--b--\nBeware\n--c--\n"},
    {"only attachments", &plain, MIXED, ATTACHED("file") "--b--\n", "left out: it has no text part for the footer",
     NULL},
    {"an image", &plain, TYPE("image/png") ENCODED("base64"), "AAAA\n", "left out: it has no text part for the footer",
     NULL},
    {"text and HTML both", &plain, ALTERNATIVE, PART("text/plain", "Hi") PART("text/html", "<p>Hi</p>") "--b--\n",
     "added to text/plain, text/html",
     PART("text/plain", "Hi\n\nExample Ltd") PART("text/html", "<p>Hi</p>\n<p>Example Ltd</p>") "--b--\n"},
    {"not one of both without the other", &accents, ALTERNATIVE,
     PART("text/plain", "Hi") PART("text/html; charset=utf-8", "<p>Hi</p>") "--b--\n",
     "left out: its transfer encoding (7bit) or its charset cannot hold the footer", NULL},
    {"HTML with its pictures in an alternative in a mixed", &plain, TYPE("multipart/mixed; boundary=a"),
     "--a\n" ALTERNATIVE "\n" PART(
	 "text/plain",
	 "Hi") "--b\nContent-Type: multipart/related; boundary=c\n\n--c\nContent-Type: text/html\n\n<p>Hi</p>\n--c\n"
	       "Content-Type: image/png\n\nx\n--c--\n\n--b--\n\n--a\nContent-Type: text/plain\n\nmore\n--a--\n",
     "added to text/plain, text/html",
     "--a\n" ALTERNATIVE "\n" PART(
	 "text/plain", "Hi\n\nExample Ltd") "--b\nContent-Type: multipart/related; boundary=c\n\n--c\nContent-Type: "
					    "text/html\n\n<p>Hi</p>\n<p>Example Ltd</p>\n--c\n"
					    "Content-Type: image/png\n\nx\n--c--\n\n--b--\n\n--a\nContent-Type: "
					    "text/plain\n\nmore\n--a--\n"},
    {"an attached message is not looked into", &plain, MIXED,
     PART("message/rfc822", "Subject: x\n\nHi") PART("text/plain", "Hi") "--b--\n", PLAIN,
     PART("message/rfc822", "Subject: x\n\nHi") PART("text/plain", "Hi\n\nExample Ltd") "--b--\n"},
    {"what is signed", &plain, TYPE("multipart/signed; protocol=x; boundary=b"), PART("text/plain", "Hi") "--b--\n",
     "left out: it is signed (multipart/signed)", NULL},
    {"what is signed inside of something else", &plain, MIXED,
     "--b\nContent-Type: multipart/signed; boundary=c\n\n--c\n\nHi\n--c--\n--b--\n",
     "left out: it is signed (multipart/signed)", NULL},
    {"what is encrypted", &plain, TYPE("multipart/encrypted; boundary=b"), PART("text/plain", "Hi") "--b--\n",
     "left out: it is encrypted (multipart/encrypted)", NULL},
    {"S/MIME", &plain, TYPE("application/pkcs7-mime; smime-type=signed-data") ENCODED("base64"), "AAAA\n",
     "left out: it is signed or encrypted (S/MIME)", NULL},
    {"a report", &plain, TYPE("multipart/report; report-type=delivery-status; boundary=b"),
     PART("text/plain", "Hi") "--b--\n", "left out: it is a report (multipart/report)", NULL},
};

static const struct example hostile[] = {
    {"two types", &plain, TYPE("text/plain") "content-type : text/html\n", "Hi\n",
     "left out: a MIME field occurs twice", NULL},
    {"two boundaries", &plain, TYPE("multipart/mixed; boundary=a; boundary=b"), PART("text/plain", "Hi") "--b--\n",
     "left out: its Content-Type has a parameter twice", NULL},
    {"a divided boundary", &plain, TYPE("multipart/mixed; boundary*0=a; boundary*1=b"), "--ab\n\nHi\n--ab--\n",
     "left out: a parameter of its Content-Type is divided or encoded", NULL},
    {"no boundary", &plain, TYPE("multipart/mixed"), "Hi\n", "left out: it is a multipart without a boundary", NULL},
    {"a long boundary", &plain,
     TYPE("multipart/mixed; boundary=\"12345678901234567890123456789012345678901234567890123456789012345678901\""),
     "Hi\n", "left out: its boundary is too long", NULL},
    {"a quote that does not end", &plain, TYPE("text/plain; charset=\"utf-8"), "Hi\n",
     "left out: its Content-Type is malformed", NULL},
    {"a comment", &plain, TYPE("text/plain (x); charset=utf-8"), "Hi\n", "left out: its Content-Type is malformed",
     NULL},
    {"no parts", &plain, MIXED, "Hi\n", "left out: it is a multipart without parts", NULL},
    {"no end", &plain, MIXED, PART("text/plain", "Hi") "--b \n\nHi\n", "left out: it is a multipart that is not closed",
     NULL},
    {"a line like a boundary", &plain, MIXED, PART("text/plain", "Hi\n--bc\n") "--b--\n",
     "left out: a line begins like a boundary but is not one", NULL},
    {"a header that does not end", &plain, MIXED, "--b\nContent-Type: text/plain\n--b--\n--c--\n",
     "left out: a part has a malformed header", NULL},
    {"a header with a line that is not a field", &plain, MIXED, "--b\nHi there\n\nHi\n--b--\n",
     "left out: a part has a malformed header", NULL},
    {"a multipart in base64", &plain, MIXED ENCODED("base64"), "LS1iCgpIaQotLWItLQo=\n",
     "left out: a multipart has a transfer encoding", NULL},
};

/* ---- the bench ---------------------------------------------------------------------------------- */

/* With CRLF for LF. */
static struct slice with_crlf(const char *text, struct arena *arena)
{
	struct text out;

	text_init(&out, arena, SIZE_MAX / 4);
	for (; *text; text++) {
		if (*text == '\n')
			text_add_char(&out, '\r');
		text_add_char(&out, *text);
	}
	return text_slice(&out);
}

static size_t read_fields(const char *text, struct header_field *fields)
{
	struct slice rest = slice_of(text), line;
	size_t count = 0;

	while (rest.n > 0 && slice_cut(&rest, '\n', &line)) {
		slice_cut(&line, ':', &fields[count].name);
		fields[count++].value = line;
	}
	return count;
}

static struct slice apply(struct slice body, const struct footer_plan *plan, struct arena *arena)
{
	struct text out;
	size_t at = 0;

	text_init(&out, arena, SIZE_MAX / 4);
	for (size_t i = 0; i < plan->count; i++) {
		const struct splice *splice = &plan->splices[i];

		text_add(&out, slice_head(slice_from(body, at), splice->at - at));
		text_add(&out, splice->add);
		at = splice->at + splice->drop;
	}
	text_add(&out, slice_from(body, at));
	return text_slice(&out);
}

static void check(const struct example *example)
{
	struct arena *arena = arena_new();
	struct header_field fields[4];
	struct slice body = with_crlf(example->body, arena);
	struct slice expected = with_crlf(example->expected ? example->expected : example->body, arena), got;
	struct footer_plan plan;

	footer_plan(example->footer, fields, read_fields(example->fields, fields), body, arena, &plan);
	got = apply(body, &plan, arena);
	if (!slice_equal(plan.told, slice_of(example->told)) || !slice_equal(got, expected))
		fail_msg("%s: %.*s\n%.*s\ninstead of %s\n%.*s", example->name, SLICE_ARGS(plan.told), SLICE_ARGS(got),
			 example->told, SLICE_ARGS(expected));
	arena_free(arena);
}

#define CHECK(examples)                                                                                                \
	for (size_t i = 0; i < sizeof(examples) / sizeof((examples)[0]); i++)                                          \
	check(&(examples)[i])

static void a_text_gets_the_footer_at_its_end_in_its_charset(void **state)
{
	(void)state;
	CHECK(texts);
}

static void a_transfer_encoding_is_kept(void **state)
{
	(void)state;
	CHECK(encoded);
}

static void html_gets_it_before_the_end_of_its_body(void **state)
{
	(void)state;
	CHECK(htmls);
}

static void of_several_parts_those_get_it_that_are_shown(void **state)
{
	(void)state;
	CHECK(parts);
}

static void what_can_be_read_in_two_ways_is_left_alone(void **state)
{
	(void)state;
	CHECK(hostile);
}

/* ---- bounds --------------------------------------------------------------------------------------- */

static void expect(const char *fields_text, struct slice body, const char *told)
{
	struct arena *arena = arena_new();
	struct header_field fields[4];
	struct footer_plan plan;

	footer_plan(&plain, fields, read_fields(fields_text, fields), body, arena, &plan);
	if (!slice_equal(plan.told, slice_of(told)))
		fail_msg("%.*s instead of %s", SLICE_ARGS(plan.told), told);
	arena_free(arena);
}

static void nested(struct arena *arena, int depth, const char *told)
{
	struct text body;

	text_init(&body, arena, SIZE_MAX / 4);
	for (int i = 1; i < depth; i++)
		text_printf(&body, "--b%03d\n" TYPE("multipart/mixed; boundary=b%03d") "\n", i, i + 1);
	text_printf(&body, "--b%03d\n\nHi\n", depth);
	for (int i = depth; i > 0; i--)
		text_printf(&body, "--b%03d--\n", i);
	expect(TYPE("multipart/mixed; boundary=b001"), text_slice(&body), told);
}

static void many(struct arena *arena, int count, const char *part, const char *told)
{
	struct text body;

	text_init(&body, arena, SIZE_MAX / 4);
	for (int i = 0; i < count; i++)
		text_printf(&body, "%s", part);
	text_add(&body, SLICE("--b--\n"));
	expect(ALTERNATIVE, text_slice(&body), told);
}

static void parts_and_texts_have_their_bounds(void **state)
{
	struct arena *arena = arena_new();
	struct text big;

	(void)state;
	nested(arena, 10, PLAIN);
	nested(arena, 11, "left out: its parts are nested too deep");
	many(arena, 200, PART("image/png", "x"), "left out: it has no text part for the footer");
	many(arena, 201, PART("image/png", "x"), "left out: it has too many parts");
	many(arena, 21, PART("text/plain", "x"), "left out: it has too many text parts");
	text_init(&big, arena, SIZE_MAX / 4);
	for (int i = 0; i < 4 * 1024 * 1024 / 16; i++)
		text_add(&big, SLICE("123456789012345\n"));
	expect("", text_slice(&big), PLAIN);
	text_add_char(&big, 'x');
	expect("", text_slice(&big), "left out: a text part is too large");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_text_gets_the_footer_at_its_end_in_its_charset),
	    cmocka_unit_test(a_transfer_encoding_is_kept),
	    cmocka_unit_test(html_gets_it_before_the_end_of_its_body),
	    cmocka_unit_test(of_several_parts_those_get_it_that_are_shown),
	    cmocka_unit_test(what_can_be_read_in_two_ways_is_left_alone),
	    cmocka_unit_test(parts_and_texts_have_their_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
