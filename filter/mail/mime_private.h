/*
 * mime_private.h - the parts of a message, for footer.c.
 */
#ifndef SEKISHO_MIME_PRIVATE_H
#define SEKISHO_MIME_PRIVATE_H

#include "mime.h"

struct mime_part {
	struct mime_type type;
	size_t at; /* offset of its body in the body of the message */
	struct slice body;
	bool top; /* it is all of the body */
};

/* mime_parts.c: iterates over the parts of a multipart. Call mime_parts_begin first. */
struct mime_parts {
	struct slice body, boundary;
	size_t at;   /* offset of the next part in body */
	bool closed; /* the closing delimiter was read */
};
/* Both return NULL, or why the body is ambiguous, static. */
const char *mime_parts_begin(struct mime_parts *, struct slice body, struct slice boundary);
/* *part_r: header, blank line and body; its p is NULL after the last. */
const char *mime_parts_next(struct mime_parts *, struct slice *part_r);
/* Divides a part into header and body. */
const char *mime_part_open(struct slice part, struct arena *, struct mime_type *type_r, struct slice *body_r);

/* transfer.c: quoted-printable (RFC 2045 6.7). */
/* -1: it is malformed. */
int qp_decode(struct slice text, struct arena *, struct slice *bytes_r);
/* The offset in the encoded text of the decoded byte `number`. */
size_t qp_offset(struct slice text, size_t number);
/* Lines of the text end in LF; they are written with `eol`. Begins and ends in the middle of lines. */
struct slice qp_encode(struct slice text, struct slice eol, struct arena *);
/* In lines of 76. */
struct slice base64_lines(struct slice bytes, struct slice eol, struct arena *);

#endif
