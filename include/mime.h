/*
 * mime.h - decodes MIME: encoded words, charsets, and the parts of a message as far as a footer needs them.
 *
 * No policy, no MTA. Every byte is untrusted: ambiguous input is rejected with a reason.
 */
#ifndef SEKISHO_MIME_H
#define SEKISHO_MIME_H

#include "mail.h"

/* ---- charsets ----------------------------------------------------------------- */

/* A supported charset: every byte below 0x80 is ASCII, and no byte below 0x80 is part of another character. Ignores
 * case. */
bool charset_known(struct slice name);
/* From and to UTF-8. 0, or -1: the charset is unknown, or cannot represent the text. */
int charset_encode(struct slice name, struct slice utf8, struct arena *, struct slice *text_r);
int charset_decode(struct slice name, struct slice text, struct arena *, struct slice *utf8_r);

/* ---- encoded words (RFC 2047) -------------------------------------------------- */

/* The value on one line, encoded words as UTF-8 text, as a mail reader shows it. Invalid encoded words (RFC 2047)
 * and unknown charsets stay unchanged. The result may contain control bytes. */
struct slice header_decode(struct slice value, struct arena *);

/* ---- the fields of a part -------------------------------------------------------- */

enum mime_encoding { ENCODING_7BIT, ENCODING_8BIT, ENCODING_QP, ENCODING_BASE64, ENCODING_OTHER };

/* The MIME fields of a part (RFC 2045, 2183). */
struct mime_type {
	struct slice type, subtype; /* lower case */
	struct slice charset;       /* of text; "us-ascii" by default */
	struct slice boundary;      /* of a multipart; "" by default */
	enum mime_encoding encoding;
	bool attachment;
	bool joined; /* its body is empty, and the line end of its blank line belongs to the next delimiter */
};

/* Reads the fields of a part. NULL, or why they are ambiguous, static: what could be
 * read is in *type_r all the same. Texts live in the arena. */
const char *mime_read_type(const struct header_field *fields, size_t count, struct arena *, struct mime_type *type_r);

/* ---- footers ---------------------------------------------------------------------- */

/* UTF-8, lines separated by LF. */
struct footer {
	struct slice text, html;
};

/* A change of the body: replaces `drop` bytes at `at` with `add`. */
struct splice {
	size_t at, drop;
	struct slice add;
};

struct footer_plan {
	struct splice *splices; /* in order of their offsets; they do not overlap */
	size_t count;           /* 0: the body is not changed */
	struct slice told;      /* "added to text/plain, text/html", or "left out: " and the reason */
};

/* Plans the footer for a message with these fields and this body. Texts live in the arena; the body is not copied. */
void footer_plan(const struct footer *, const struct header_field *, size_t count, struct slice body, struct arena *,
		 struct footer_plan *plan_r);

/* ---- two bodies of one message ------------------------------------------------------- */

enum line_ends { LINE_ENDS_NONE, LINE_ENDS_LF, LINE_ENDS_CRLF, LINE_ENDS_MIXED };
extern const char *const line_ends_names[5]; /* "none" "LF" "CRLF" "LF and CRLF" NULL */

/* How the body of a message differs from what it was. Lines are compared without their ends. When 8-bit text became
 * quoted-printable or base64, the decoded texts are compared. Slices point into the bodies or the arena. */
struct body_difference {
	bool same;               /* every byte */
	enum line_ends ends[2];  /* before, after */
	bool seven_bits;         /* there was 8-bit text, and there is none now */
	bool decoded;            /* the lines below are those of the decoded texts */
	size_t blank_line;       /* the first line that differs only by blanks at its end; 0: none */
	size_t empty_lines[2];   /* at the end */
	size_t line;             /* the first that differs otherwise, from 1; 0: none */
	struct slice changed[2]; /* that line; p is NULL: the body has ended */
	size_t added, removed;   /* so many lines from there on were added, or removed, and all the rest is as it was;
				  * 0: the change is another one */
	bool footer;             /* they were added at the end of the body, or of one of its parts */
};

/* `encodings`: the values of Content-Transfer-Encoding, "" without one. */
void body_compare(const struct slice bodies[2], const struct slice encodings[2], struct arena *,
		  struct body_difference *difference_r);

#endif
