/*
 * message.c - finds the parts of messages (RFC 5322, RFC 2045, 2046), line by line, and decodes them.
 *
 * Nothing of a message is kept but the MIME fields of the part that is read. A malformed Content-Type is not an error:
 * what a part is, is found by its content. In a mailbox, a message begins at "From " after an empty line.
 */
#include "feedback_private.h"
#include "mime.h"
#include <stdlib.h>

#define LINE_SIZE    1024 /* a longer line is read in pieces; delimiters are shorter (RFC 2046 5.1.1: 70) */
#define FIELDS_MAX   8    /* MIME fields of one part; three have a meaning */
#define DECODED_SIZE 4096

enum state { IN_HEADER, IN_LEAF, IN_NOTHING };

struct mime_reader {
	struct feedback *feedback;
	bool mailbox, open;
	struct arena *arena; /* of the part */
	enum state state;
	/* lines */
	char line[LINE_SIZE];
	size_t line_size;
	bool inside, after_empty; /* the line has begun; the line before is empty */
	/* the header */
	size_t header_size;
	struct text field;
	bool keep;
	struct header_field fields[FIELDS_MAX];
	size_t field_count;
	/* multiparts that are open, and messages in messages */
	char boundaries[FEEDBACK_NESTED_MAX][LINE_SIZE / 8];
	size_t boundary_sizes[FEEDBACK_NESTED_MAX], depth, nested;
	/* the leaf */
	enum mime_encoding encoding;
	char encoded[DECODED_SIZE];
	size_t encoded_size;
	char pending[2]; /* quoted-printable: what began with "=" */
	size_t pending_size;
	bool soft;
};

static void header_begin(struct mime_reader *message)
{
	arena_reset(message->arena);
	message->state = IN_HEADER;
	message->header_size = message->field_count = 0;
	message->keep = false;
}

static void message_begin(struct mime_reader *message)
{
	message->depth = message->nested = 0;
	message->feedback->reported = 0;
	message->open = true;
	header_begin(message);
}

/* ---- the leaf ---------------------------------------------------------------------------- */

static void hand_on(struct mime_reader *message, struct slice decoded)
{
	if (decoded.n > 0 && !content_bytes(&message->feedback->part, decoded))
		message->state = IN_NOTHING;
}

/* Decodes what is gathered, in groups of four characters. */
static void base64_flush(struct mime_reader *message)
{
	unsigned char out[DECODED_SIZE];
	size_t n = base64_decode_into((struct slice){message->encoded, message->encoded_size}, out);

	message->encoded_size = 0;
	if (n != SIZE_MAX) {
		hand_on(message, (struct slice){(char *)out, n});
		return;
	}
	if (message->feedback->part.kind || message->feedback->part.place == CONTENT_PART)
		content_skip(message->feedback, "its base64 is damaged");
	message->feedback->part.stopped = true;
	message->state = IN_NOTHING;
}

static void base64_take(struct mime_reader *message, struct slice text)
{
	for (size_t i = 0; i < text.n && message->state == IN_LEAF; i++) {
		if (is_space(text.p[i]))
			continue;
		message->encoded[message->encoded_size++] = text.p[i];
		if (message->encoded_size == sizeof(message->encoded))
			base64_flush(message);
	}
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte after "=": a soft line break, or two digits. What is neither stays as it is. */
static size_t qp_after_equals(struct mime_reader *message, char c, char *out)
{
	message->pending[message->pending_size++] = c;
	if (message->pending_size == 1 && is_space(c)) {
		message->soft = c != '\n';
		message->pending_size = 0;
		return 0;
	}
	if (message->pending_size == 1 && hex_value(c) >= 0)
		return SIZE_MAX; /* one more */
	if (message->pending_size == 2 && hex_value(c) >= 0) {
		out[0] = (char)(hex_value(message->pending[0]) << 4 | hex_value(c));
		message->pending_size = 0;
		return 1;
	}
	out[0] = '=';
	memcpy(out + 1, message->pending, message->pending_size);
	c = (char)message->pending_size;
	message->pending_size = 0;
	return 1 + (size_t)c;
}

static void qp_take(struct mime_reader *message, struct slice text)
{
	char out[LINE_SIZE + 4];
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (message->soft) { /* blanks before the end of the line */
			message->soft = c != '\n';
		} else if (message->encoded_size > 0) {
			size_t made = qp_after_equals(message, c, out + n);

			message->encoded_size = made == SIZE_MAX;
			n += made == SIZE_MAX ? 0 : made;
		} else if (c == '=') {
			message->encoded_size = 1;
		} else {
			out[n++] = c;
		}
	}
	hand_on(message, (struct slice){out, n});
}

static void leaf_take(struct mime_reader *message, struct slice text)
{
	if (message->encoding == ENCODING_BASE64)
		base64_take(message, text);
	else if (message->encoding == ENCODING_QP)
		qp_take(message, text);
	else
		hand_on(message, text);
}

static void leaf_end(struct mime_reader *message)
{
	if (message->state == IN_LEAF && message->encoding == ENCODING_BASE64 && message->encoded_size > 0)
		base64_flush(message);
	message->encoded_size = message->pending_size = 0;
	message->soft = false;
	content_end(&message->feedback->part);
	message->state = IN_NOTHING;
}

/* ---- headers ------------------------------------------------------------------------------- */

static void refuse(struct mime_reader *message, const char *format, int limit)
{
	content_drop(&message->feedback->part);
	content_skip(message->feedback, format, limit);
	message->depth = 0;
	message->state = IN_NOTHING;
}

static void field_end(struct mime_reader *message)
{
	struct slice text = text_slice(&message->field), name;

	if (!message->keep)
		return;
	message->keep = false;
	if (message->field_count == FIELDS_MAX || !slice_cut(&text, ':', &name))
		return;
	message->fields[message->field_count++] = (struct header_field){.name = name, .value = text};
}

/* The header has ended: what comes now? */
static void body_begin(struct mime_reader *message)
{
	struct mime_type type;
	const char *why = mime_read_type(message->fields, message->field_count, message->arena, &type);

	if (!why && slice_equal(type.type, SLICE("multipart"))) {
		message->state = IN_NOTHING;
		if (message->depth == FEEDBACK_NESTED_MAX) {
			refuse(message, "its parts are nested more than %d deep", FEEDBACK_NESTED_MAX);
			return;
		}
		memcpy(message->boundaries[message->depth], type.boundary.p, type.boundary.n);
		message->boundary_sizes[message->depth++] = type.boundary.n;
		return;
	}
	if (!why && slice_equal(type.type, SLICE("message")) && slice_equal(type.subtype, SLICE("rfc822")) &&
	    type.encoding != ENCODING_BASE64) {
		if (++message->nested > FEEDBACK_NESTED_MAX)
			refuse(message, "messages are nested more than %d deep", FEEDBACK_NESTED_MAX);
		else
			header_begin(message);
		return;
	}
	message->state = IN_LEAF;
	message->encoding = type.encoding;
	message->encoded_size = message->pending_size = 0;
	message->soft = false;
	content_begin(&message->feedback->part, message->feedback,
		      !why && slice_equal(type.type, SLICE("text")) && !slice_equal(type.subtype, SLICE("xml"))
			  ? CONTENT_TEXT_PART
			  : CONTENT_PART);
}

/* A piece of the header; `first`: at the start of a line. */
static void header_take(struct mime_reader *message, struct slice piece, bool first)
{
	message->header_size += piece.n;
	if (message->header_size > FEEDBACK_HEADER_MAX) {
		refuse(message, "its header is larger than %d KB", FEEDBACK_HEADER_MAX >> 10);
		return;
	}
	if (first && slice_trim(piece).n == 0) {
		field_end(message);
		body_begin(message);
		return;
	}
	if (first && !is_blank(piece.p[0])) {
		field_end(message);
		message->keep = slice_starts_nocase(piece, SLICE("Content-"));
		if (message->keep)
			text_init(&message->field, message->arena, FEEDBACK_FIELD_MAX);
	}
	if (message->keep)
		text_add(&message->field, piece);
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Is the line a delimiter of an open multipart? Then what was read ends. */
static bool delimiter(struct mime_reader *message, struct slice line)
{
	if (line.n < 3 || line.p[0] != '-' || line.p[1] != '-')
		return false;
	for (size_t i = message->depth; i-- > 0;) {
		struct slice boundary = {message->boundaries[i], message->boundary_sizes[i]};
		struct slice rest = slice_from(line, 2 + boundary.n);

		if (line.n < 2 + boundary.n || memcmp(line.p + 2, boundary.p, boundary.n) != 0)
			continue;
		rest = slice_trim(rest);
		if (rest.n > 0 && !slice_equal(slice_head(rest, 2), SLICE("--")))
			continue;
		leaf_end(message);
		message->depth = rest.n > 0 ? i : i + 1;
		if (rest.n == 0)
			header_begin(message);
		return true;
	}
	return false;
}

static void message_end(struct mime_reader *message)
{
	const struct feedback_take *take = &message->feedback->take;

	if (!message->open)
		return;
	if (message->state == IN_HEADER) {
		field_end(message);
		message->state = IN_NOTHING;
	}
	leaf_end(message);
	message->open = false;
	take->message(take->context, message->feedback->reported);
}

/* A line, or a piece of one that is longer than LINE_SIZE. */
static void line_take(struct mime_reader *message, struct slice piece)
{
	bool first = !message->inside, ends = piece.p[piece.n - 1] == '\n';
	bool empty = first && ends && slice_trim(piece).n == 0;

	message->inside = !ends;
	if (first && message->mailbox && message->after_empty && slice_equal(slice_head(piece, 5), SLICE("From "))) {
		message_end(message);
		message->feedback->message++;
		message_begin(message);
		message->keep = false;
		message->after_empty = false;
		return;
	}
	message->after_empty = first ? empty : message->after_empty;
	if (!message->open || (first && message->state != IN_HEADER && delimiter(message, piece)))
		return;
	if (message->state == IN_HEADER)
		header_take(message, piece, first);
	else if (message->state == IN_LEAF)
		leaf_take(message, piece);
}

static bool message_bytes(void *state, struct slice chunk)
{
	struct mime_reader *message = state;

	while (chunk.n > 0) {
		const char *end = memchr(chunk.p, '\n', chunk.n);
		size_t n = end ? (size_t)(end - chunk.p) + 1 : chunk.n,
		       room = sizeof(message->line) - message->line_size;

		if (message->line_size == 0 && end && n <= room) {
			line_take(message, slice_head(chunk, n));
			chunk = slice_from(chunk, n);
			continue;
		}
		n = n < room ? n : room;
		memcpy(message->line + message->line_size, chunk.p, n);
		message->line_size += n;
		chunk = slice_from(chunk, n);
		if (message->line_size == sizeof(message->line) || message->line[message->line_size - 1] == '\n') {
			struct slice line = {message->line, message->line_size};

			message->line_size = 0;
			line_take(message, line);
		}
	}
	if (message->mailbox || message->state != IN_NOTHING || message->depth > 0)
		return true;
	message_end(message);
	return false;
}

static void message_finish(void *state)
{
	struct mime_reader *message = state;

	if (message->line_size > 0)
		line_take(message, (struct slice){message->line, message->line_size});
	message_end(message);
}

static void *message_open(struct content *content)
{
	struct mime_reader *message = xmalloc(sizeof(*message));

	message->feedback = content->feedback;
	message->arena = arena_new();
	message_begin(message);
	return message;
}

static void *mailbox_open(struct content *content)
{
	struct mime_reader *message = message_open(content);

	message->mailbox = message->after_empty = true;
	message->open = false; /* the first one begins with its line "From " */
	return message;
}

static void message_free(void *state)
{
	struct mime_reader *message = state;

	content_drop(&message->feedback->part);
	arena_free(message->arena);
	free(message);
}

const struct content_kind content_message = {message_open, message_bytes, message_finish, message_free};
const struct content_kind content_mailbox = {mailbox_open, message_bytes, message_finish, message_free};
