/*
 * mime_type.c - parses Content-Type, Content-Transfer-Encoding and Content-Disposition of a part (RFC 2045 5, 6;
 * RFC 2183).
 *
 * Mail readers disagree about malformed fields. So a field that violates the grammar, occurs twice or has a parameter
 * twice is rejected.
 */
#include "mime_private.h"

#include <string.h>

#define BOUNDARY_MAX 70 /* RFC 2046 5.1.1 */

static const char malformed[] = "its Content-Type is malformed";

/* RFC 2045 5.1: token */
static bool is_token_char(char c)
{
	return c > ' ' && c <= '~' && !strchr("()<>@,;:\\\"/[]?=", c);
}

static struct slice take_token(struct slice *rest)
{
	struct slice token = *rest;
	size_t n = 0;

	while (n < rest->n && is_token_char(rest->p[n]))
		n++;
	*rest = slice_from(*rest, n);
	token.n = n;
	return token;
}

static bool take_char(struct slice *rest, char c)
{
	*rest = slice_trim(*rest);
	if (rest->n == 0 || rest->p[0] != c)
		return false;
	*rest = slice_trim(slice_from(*rest, 1));
	return true;
}

/* A token or a quoted string without its quotes; false: neither. */
static bool take_value(struct slice *rest, struct arena *arena, struct slice *value_r)
{
	struct text text;
	size_t i = 1;

	if (rest->n == 0 || rest->p[0] != '"') {
		*value_r = take_token(rest);
		return value_r->n > 0;
	}
	text_init(&text, arena, rest->n);
	for (; i < rest->n && rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\' && i + 1 < rest->n)
			i++;
		text_add_char(&text, rest->p[i]);
	}
	if (i == rest->n)
		return false;
	*rest = slice_from(*rest, i + 1);
	*value_r = text_slice(&text);
	return true;
}

/* Keeps charset and boundary, each once; rejects the form of RFC 2231, because mail readers differ about it. */
static const char *keep_parameter(struct slice name, struct slice value, struct mime_type *type)
{
	struct slice *kept = NULL;

	if (slice_starts_nocase(name, SLICE("charset*")) || slice_starts_nocase(name, SLICE("boundary*")))
		return "a parameter of its Content-Type is divided or encoded";
	if (slice_equal_nocase(name, SLICE("charset")))
		kept = &type->charset;
	if (slice_equal_nocase(name, SLICE("boundary")))
		kept = &type->boundary;
	if (kept && kept->p)
		return "its Content-Type has a parameter twice";
	if (kept)
		*kept = value;
	return NULL;
}

static const char *read_parameters(struct slice rest, struct arena *arena, struct mime_type *type)
{
	const char *why = NULL;

	while (rest.n > 0 && !why) {
		struct slice name, value;

		if (!take_char(&rest, ';'))
			return malformed;
		if (rest.n == 0)
			return NULL; /* a semicolon at the end is common */
		name = take_token(&rest);
		if (name.n == 0 || !take_char(&rest, '=') || !take_value(&rest, arena, &value))
			return malformed;
		why = keep_parameter(name, value, type);
		rest = slice_trim(rest);
	}
	return why;
}

static const char *read_content_type(struct slice value, struct arena *arena, struct mime_type *type)
{
	struct slice rest = header_unfold(value, arena);
	const char *why;

	type->type = arena_lower(arena, take_token(&rest));
	if (type->type.n == 0 || !take_char(&rest, '/'))
		return malformed;
	type->subtype = arena_lower(arena, take_token(&rest));
	if (type->subtype.n == 0)
		return malformed;
	why = read_parameters(slice_trim(rest), arena, type);
	if (!why && type->boundary.n > BOUNDARY_MAX)
		why = "its boundary is too long";
	if (!why && slice_equal(type->type, SLICE("multipart")) && slice_trim(type->boundary).n == 0)
		why = "it is a multipart without a boundary";
	return why;
}

static enum mime_encoding read_encoding(struct slice value, struct arena *arena)
{
	static const struct {
		const char *name;
		enum mime_encoding encoding;
	} names[] = {{"7bit", ENCODING_7BIT},
		     {"8bit", ENCODING_8BIT},
		     {"binary", ENCODING_8BIT},
		     {"quoted-printable", ENCODING_QP},
		     {"base64", ENCODING_BASE64}};
	struct slice text = header_unfold(value, arena);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_equal_nocase(text, slice_of(names[i].name)))
			return names[i].encoding;
	return ENCODING_OTHER;
}

static bool is_attachment(struct slice value, struct arena *arena)
{
	struct slice rest = header_unfold(value, arena);

	return !slice_equal_nocase(take_token(&rest), SLICE("inline"));
}

/* The only field of that name; *field_r is NULL without one. False: there are two. */
static bool find_one(const struct header_field *fields, size_t count, struct slice name,
		     const struct header_field **field_r)
{
	*field_r = NULL;
	for (size_t i = 0; i < count; i++) {
		if (!header_is_named(&fields[i], name))
			continue;
		if (*field_r)
			return false;
		*field_r = &fields[i];
	}
	return true;
}

const char *mime_read_type(const struct header_field *fields, size_t count, struct arena *arena,
			   struct mime_type *type_r)
{
	const struct header_field *type, *encoding, *disposition;
	const char *why = NULL;

	*type_r = (struct mime_type){.type = SLICE("text"), .subtype = SLICE("plain"), .encoding = ENCODING_7BIT};
	if (!find_one(fields, count, SLICE("Content-Type"), &type) ||
	    !find_one(fields, count, SLICE("Content-Transfer-Encoding"), &encoding) ||
	    !find_one(fields, count, SLICE("Content-Disposition"), &disposition))
		return "a MIME field occurs twice";
	if (type)
		why = read_content_type(type->value, arena, type_r);
	if (!type_r->charset.p)
		type_r->charset = SLICE("us-ascii");
	if (!type_r->boundary.p)
		type_r->boundary = SLICE("");
	if (encoding)
		type_r->encoding = read_encoding(encoding->value, arena);
	type_r->attachment = disposition && is_attachment(disposition->value, arena);
	return why;
}
