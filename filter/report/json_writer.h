/*
 * json_writer.h - one JSON object (RFC 8259), written from its beginning to its
 * end into a text of limited length.
 *
 * Members appear in the order in which they are written, without blanks. What does
 * not fit is not written, nor is anything after it: the object is complete when
 * `full` is still false at its end. Private to report/.
 */
#ifndef SEKISHO_JSON_WRITER_H
#define SEKISHO_JSON_WRITER_H

#include "base.h"

struct json_writer {
	struct text text;
	bool full; /* something did not fit */
};

void writer_begin(struct json_writer *, struct arena *, size_t limit);
void writer_rewind(struct json_writer *, size_t n); /* as it was when its text had n bytes, and not full */

/* In all of these: the name is empty for elements of an array and for the outermost object. */
void writer_open(struct json_writer *, struct slice name, char bracket); /* '{' or '[' */
void writer_close(struct json_writer *, char bracket);                   /* '}' or ']' */
void writer_number(struct json_writer *, struct slice name, int64_t);
void writer_word(struct json_writer *, struct slice name, struct slice word); /* true, false, null */

/* Any bytes. In a text with a NUL, or that is not UTF-8, NUL and each byte above ASCII become \xNN. */
void writer_text(struct json_writer *, struct slice name, struct slice text);

#endif
