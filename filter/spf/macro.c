/*
 * macro.c - macro strings of RFC 7208 7: parsed once, together with their record,
 * and expanded for each check.
 *
 * A domain is expanded from its right end into a buffer of the length of a name. The
 * part that would be cut off on the left (7.3) is never produced, so a record full
 * of macros costs no more than an honest one.
 */
#include "spf_private.h"

#include <string.h>

#define DOMAIN_ROOM 256  /* SPF_NAME_MAX, a final dot, and two more bytes to detect a name that is too long */
#define VALUE_ROOM  1024 /* of one transformed value in an explanation: twice what an explanation holds */

static const char macro_delimiters[] = ".-+,/_="; /* spf_part.delimiters has one bit for each */

/* ---- parsing ----------------------------------------------------------------- */

static bool is_alnum(char c)
{
	return is_digit(c) || is_letter(c);
}

static struct spf_part *part_add(struct spf_parts *parts)
{
	if (parts->count == parts->room)
		return NULL;
	parts->parts[parts->count] = (struct spf_part){0};
	return &parts->parts[parts->count++];
}

/* The digits of transformers. No name has more than 127 labels, so a greater number means all of them. */
static const char *keep_parse(struct slice text, size_t *at, uint16_t *keep_r)
{
	unsigned keep = 0;
	size_t start = *at;

	for (; *at < text.n && is_digit(text.p[*at]); (*at)++)
		if (keep < 1000)
			keep = keep * 10 + (unsigned)(text.p[*at] - '0');
	if (*at > start && keep == 0)
		return "a macro cannot keep 0 labels";
	*keep_r = (uint16_t)keep;
	return NULL;
}

/* "%{" is at *at; on return *at is after "}". */
static const char *macro_parse(struct slice text, size_t *at, enum spf_string_kind kind, struct spf_part *part)
{
	static const char letters[] = "slodiphcrtv";
	const char *why;
	char c;

	*at += 2;
	c = *at < text.n ? text.p[*at] : '\0';
	part->escape = c >= 'A' && c <= 'Z';
	part->letter = part->escape ? (char)(c | 0x20) : c;
	if (c == '\0' || !strchr(letters, part->letter))
		return "unknown macro letter";
	if (kind == SPF_STRING_DOMAIN && strchr("crt", part->letter))
		return "the macros c, r and t are allowed in explanations only";
	(*at)++;
	why = keep_parse(text, at, &part->keep);
	if (why)
		return why;
	if (*at < text.n && (text.p[*at] | 0x20) == 'r') {
		part->reverse = true;
		(*at)++;
	}
	for (; *at < text.n && text.p[*at] != '}'; (*at)++) {
		const char *delimiter = text.p[*at] ? strchr(macro_delimiters, text.p[*at]) : NULL;

		if (!delimiter)
			return "a macro has an invalid transformer or delimiter";
		part->delimiters |= (uint8_t)(1u << (delimiter - macro_delimiters));
	}
	if (*at == text.n)
		return "a macro is not closed with }";
	(*at)++;
	return NULL;
}

/* "%" is at *at. */
static const char *percent_parse(struct slice text, size_t *at, enum spf_string_kind kind, struct spf_part *part)
{
	switch (*at + 1 < text.n ? text.p[*at + 1] : '\0') {
	case '{':
		return macro_parse(text, at, kind, part);
	case '%':
		part->literal = SLICE("%");
		break;
	case '_':
		part->literal = SLICE(" ");
		break;
	case '-':
		part->literal = SLICE("%20");
		break;
	default:
		return "a literal % must be written as %%";
	}
	*at += 2;
	return NULL;
}

static bool is_literal(char c, enum spf_string_kind kind)
{
	return (c > ' ' && c <= '~' && c != '%') || (c == ' ' && kind == SPF_STRING_EXPLAIN);
}

/* RFC 7208 7.1 toplabel: letters, digits, hyphens; no hyphen at its ends; not digits alone. */
static const char *toplabel_check(struct slice label)
{
	bool only_digits = true;

	if (label.n == 0)
		return "it needs a domain name that ends in a top-level domain or a macro";
	for (size_t i = 0; i < label.n; i++) {
		if (!is_alnum(label.p[i]) && label.p[i] != '-')
			return "the domain name does not end in a top-level domain or a macro";
		only_digits = only_digits && is_digit(label.p[i]);
	}
	if (only_digits)
		return "the domain name ends in a number; write an address as ip4:ADDRESS";
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return "the top-level domain begins or ends with a hyphen";
	return NULL;
}

/* RFC 7208 7.1 domain-end, for a text that does not end in a macro. */
static const char *domain_end_check(struct slice text)
{
	ptrdiff_t dot;

	if (text.n > 0 && text.p[text.n - 1] == '.')
		text.n--;
	dot = slice_find_last(text, '.');
	if (dot < 0)
		return text.n == 0 ? "it needs a domain name" : "the domain name has only one label";
	return toplabel_check(slice_from(text, (size_t)dot + 1));
}

const char *spf_string_parse(struct slice text, enum spf_string_kind kind, struct spf_parts *parts,
			     struct spf_string *string_r)
{
	size_t first = parts->count, at = 0;
	bool macro_last = false;
	uint32_t letters = 0;

	while (at < text.n) {
		struct spf_part *part = part_add(parts);
		size_t start = at;

		if (!part)
			return "too many macros";
		macro_last = text.p[at] == '%';
		if (macro_last) {
			const char *why = percent_parse(text, &at, kind, part);

			if (why)
				return why;
			letters |= part->letter ? 1u << (part->letter - 'a') : 0;
			continue;
		}
		while (at < text.n && is_literal(text.p[at], kind))
			at++;
		if (at < text.n && text.p[at] != '%')
			return "it contains a byte that is not printable ASCII";
		part->literal = (struct slice){text.p + start, at - start};
	}
	*string_r = (struct spf_string){parts->parts + first, parts->count - first, letters};
	if (kind != SPF_STRING_DOMAIN || macro_last)
		return NULL;
	return domain_end_check(text);
}

bool spf_string_uses(const struct spf_string *string, char letter)
{
	return string->letters >> (letter - 'a') & 1;
}

/* ---- expanding ----------------------------------------------------------------- */

/* A buffer that fills from its end. */
struct backward {
	char *start, *p;
};

static bool put(struct backward *out, char c)
{
	if (out->p == out->start)
		return false;
	*--out->p = c;
	return true;
}

/* RFC 7208 7.3: for a macro letter in upper case, all but the unreserved URI characters (RFC 3986 2.3) is escaped. */
static bool put_value(struct backward *out, char c, bool escape)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char byte = (unsigned char)c;

	if (!escape || is_alnum(c) || (c != '\0' && strchr("-._~", c)))
		return put(out, c);
	return put(out, hex[byte & 15]) && put(out, hex[byte >> 4]) && put(out, '%');
}

static bool put_literal(struct backward *out, struct slice text)
{
	for (size_t i = text.n; i > 0; i--)
		if (!put(out, text.p[i - 1]))
			return false;
	return true;
}

static bool is_delimiter(const struct spf_part *part, char c)
{
	const char *delimiter = c ? strchr(macro_delimiters, c) : NULL;

	if (part->delimiters == 0)
		return c == '.';
	return delimiter && (part->delimiters >> (delimiter - macro_delimiters) & 1);
}

/* The last labels of the value, delimiters turned into dots. */
static bool put_straight(struct backward *out, const struct spf_part *part, struct slice value)
{
	unsigned labels = 1;

	for (size_t i = value.n; i > 0; i--) {
		bool border = is_delimiter(part, value.p[i - 1]);

		if (border && labels++ == part->keep)
			return true;
		if (!put_value(out, border ? '.' : value.p[i - 1], part->escape))
			return false;
	}
	return true;
}

/* Reversed: the first label comes last. The right-hand labels to keep are therefore the first labels of the value. */
static bool put_reversed(struct backward *out, const struct spf_part *part, struct slice value)
{
	unsigned labels = 0;
	size_t start = 0, end;

	for (;;) {
		for (end = start; end < value.n && !is_delimiter(part, value.p[end]);)
			end++;
		for (size_t i = end; i > start; i--)
			if (!put_value(out, value.p[i - 1], part->escape))
				return false;
		if (end == value.n || ++labels == part->keep)
			return true;
		if (!put(out, '.'))
			return false;
		start = end + 1;
	}
}

static bool put_part(struct backward *out, const struct spf_part *part, const struct spf_values *values)
{
	struct slice value;

	if (!part->letter)
		return put_literal(out, part->literal);
	value = values->of[part->letter - 'a'];
	return part->reverse ? put_reversed(out, part, value) : put_straight(out, part, value);
}

/* RFC 7208 7.3: labels are removed from the left until the name fits. */
static struct slice cut_left(struct slice name)
{
	ptrdiff_t dot;

	if (name.n <= SPF_NAME_MAX)
		return name;
	name = slice_from(name, name.n - SPF_NAME_MAX - 1);
	dot = slice_find(name, '.');
	return dot < 0 ? SLICE("") : slice_from(name, (size_t)dot + 1);
}

struct slice spf_string_domain(const struct spf_string *string, const struct spf_values *values, struct arena *arena)
{
	char buffer[DOMAIN_ROOM];
	struct backward out = {buffer, buffer + sizeof(buffer)};
	struct slice name;

	for (size_t i = string->count; i > 0; i--)
		if (!put_part(&out, &string->parts[i - 1], values))
			break;
	name = (struct slice){out.p, (size_t)(buffer + sizeof(buffer) - out.p)};
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	return arena_copy(arena, cut_left(name));
}

void spf_string_expand(const struct spf_string *string, const struct spf_values *values, struct text *text)
{
	char buffer[VALUE_ROOM];

	for (size_t i = 0; i < string->count && !text->cut; i++) {
		struct backward out = {buffer, buffer + sizeof(buffer)};

		if (!string->parts[i].letter) {
			text_add(text, string->parts[i].literal);
			continue;
		}
		put_part(&out, &string->parts[i], values);
		text_add(text, (struct slice){out.p, (size_t)(buffer + sizeof(buffer) - out.p)});
	}
}
