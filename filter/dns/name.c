/*
 * name.c - domain names: text to wire form, wire form to text, questions.
 *
 * Everything here works on bytes that a stranger chose. Nothing allocates; a
 * name that does not fit 255 bytes, or a label that does not fit 63, is not a name
 * (RFC 1035 2.3.4), and so is one with an empty label in it.
 */
#include <string.h>

#include "name.h"

size_t escape_read(struct slice text, uint8_t *byte_r)
{
	if (text.n < 2)
		return 0;
	const uint8_t *p = (const uint8_t *)text.p + 1;
	if (p[0] < '0' || p[0] > '9') {
		*byte_r = p[0];
		return 2;
	}
	if (text.n < 4)
		return 0;
	unsigned number = 0;
	for (int i = 0; i < 3; i++) {
		if (p[i] < '0' || p[i] > '9')
			return 0;
		number = number * 10 + (p[i] - '0');
	}
	if (number > 255)
		return 0;
	*byte_r = (uint8_t)number;
	return 4;
}

/* A name without escapes: its bytes are those of the text, and a length takes the place of each dot. */
static int plain_parse(struct slice text, struct name *name_r)
{
	size_t at = 0; /* where a length goes; the label follows it in the text from the same place */

	if (text.n > NAME_WIRE_MAX - 1)
		return -1;
	if (text.n > 0)
		memcpy(name_r->wire + 1, text.p, text.n);
	while (at < text.n) {
		const char *label = text.p + at, *dot = memchr(label, '.', text.n - at);
		size_t length = dot ? (size_t)(dot - label) : text.n - at;
		if (length == 0 || length > NAME_LABEL_MAX)
			return -1;
		name_r->wire[at] = (uint8_t)length;
		at += length + 1;
	}
	if (at > NAME_WIRE_MAX - 1)
		return -1;
	name_r->wire[at] = 0;
	name_r->n = at + 1;
	return 0;
}

static int escaped_parse(struct slice text, struct name *name_r)
{
	uint8_t *wire = name_r->wire;
	size_t label = 0, n = 1; /* where the label's length goes, where its next byte goes */

	for (size_t i = 0; i < text.n;) {
		uint8_t byte = (uint8_t)text.p[i];
		size_t used = 1;
		if (byte == '.') {
			if (n == label + 1)
				return -1;
			wire[label] = (uint8_t)(n - label - 1);
			label = n++;
			i++;
			continue;
		}
		if (byte == '\\') {
			used = escape_read(slice_from(text, i), &byte);
			if (used == 0)
				return -1;
		}
		/* The last byte belongs to the root. */
		if (n >= NAME_WIRE_MAX - 1 || n - label > NAME_LABEL_MAX)
			return -1;
		wire[n++] = byte;
		i += used;
	}
	if (n > label + 1) {
		wire[label] = (uint8_t)(n - label - 1);
		label = n;
	}
	wire[label] = 0;
	name_r->n = label + 1;
	return 0;
}

int name_parse(struct slice text, struct name *name_r)
{
	if (text.n == 1 && text.p[0] == '.')
		text.n = 0;
	return slice_find(text, '\\') < 0 ? plain_parse(text, name_r) : escaped_parse(text, name_r);
}

int name_read(struct slice wire, struct name *name_r)
{
	size_t n = 0;

	for (;;) {
		if (n >= wire.n || n >= NAME_WIRE_MAX)
			return -1;
		uint8_t length = (uint8_t)wire.p[n];
		if (length > NAME_LABEL_MAX) /* compressed, or worse */
			return -1;
		n += 1u + length;
		if (length == 0)
			break;
	}
	memcpy(name_r->wire, wire.p, n);
	name_r->n = n;
	return 0;
}

static char *byte_print(uint8_t byte, char *out)
{
	if (byte == '.' || byte == '\\') {
		*out++ = '\\';
	} else if (byte <= ' ' || byte >= 0x7f) {
		*out++ = '\\';
		*out++ = (char)('0' + byte / 100);
		*out++ = (char)('0' + byte / 10 % 10);
		byte = (uint8_t)('0' + byte % 10);
	}
	*out++ = (char)byte;
	return out;
}

struct slice name_print(const struct name *name, char buffer[NAME_TEXT_MAX])
{
	char *out = buffer;

	for (size_t at = 0; name->wire[at] != 0; at += 1u + name->wire[at]) {
		if (at > 0)
			*out++ = '.';
		for (size_t i = 1; i <= name->wire[at]; i++)
			out = byte_print(name->wire[at + i], out);
	}
	*out = 0;
	return (struct slice){buffer, (size_t)(out - buffer)};
}

void name_lower(struct name *name)
{
	/* A length is under 64 and so never a letter. By pieces of a fixed size, what comes after the name too: each
	 * is then one instruction or two. */
	for (size_t at = 0; at < name->n; at += NAME_PIECE)
		for (size_t i = at; i < at + NAME_PIECE; i++)
			name->wire[i] |= (uint8_t)((uint8_t)(name->wire[i] - 'A') < 26) << 5;
}

int question_make(struct slice name, enum dns_type type, uint64_t seed, struct question *question_r)
{
	if (name_parse(name, &question_r->name) < 0)
		return -1;
	name_lower(&question_r->name);
	question_r->type = type;
	question_r->hash =
	    hash_slice((struct slice){(const char *)question_r->name.wire, question_r->name.n}, seed + type);
	return 0;
}

bool question_equal(const struct question *a, const struct question *b)
{
	return a->hash == b->hash && a->type == b->type &&
	       slice_equal((struct slice){(const char *)a->name.wire, a->name.n},
			   (struct slice){(const char *)b->name.wire, b->name.n});
}
