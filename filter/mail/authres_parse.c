/*
 * authres_parse.c - reading an Authentication-Results field (RFC 8601 2.2).
 *
 * The search for forged fields reads only the id, whatever follows it;
 * authres_parse() reads the complete field or rejects it. Blanks and comments are
 * skipped wherever CFWS is allowed. Values, ids and comments may contain UTF-8
 * (RFC 8616 4, RFC 6532 3).
 *
 * The parser accepts three things beyond the grammar, because honest servers write
 * them and they are unambiguous: a semicolon at the end, an underscore in a
 * keyword, and unquoted values that contain "/", "=", "?", ":", "[", "]" (IPv6
 * addresses, address literals, base64).
 *
 * Time and memory are linear in the length of the value.
 */
#include "authres_private.h"

#include <string.h>

static bool is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

/* ---- words ------------------------------------------------------------------------- */

/* RFC 5322 3.2.2: skips blanks and nested comments; false when a comment is not closed. */
static bool skip_cfws(struct slice *rest)
{
	size_t depth = 0, i = 0;

	for (; i < rest->n; i++) {
		char c = rest->p[i];

		if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			i++;
		else if (depth == 0 && !is_blank(c) && !is_line_end(c))
			break;
	}
	*rest = slice_from(*rest, i);
	return depth == 0;
}

/* Takes `c` and the CFWS after it. False when the next byte is not `c`, or a comment is not closed. */
static bool take_sign(struct slice *rest, char c)
{
	if (rest->n == 0 || rest->p[0] != c)
		return false;
	*rest = slice_from(*rest, 1);
	return skip_cfws(rest);
}

/* RFC 2045 5.1 token; RFC 8616 allows UTF-8 in it. */
static bool is_token(char c)
{
	return (unsigned char)c >= 0x80 || (c > ' ' && c != 0x7f && !strchr("()<>@,;:\\\"/[]?=", c));
}

/* Characters that are not part of a token but are accepted without quotes: see above. */
static bool is_bare(char c)
{
	return is_token(c) || (c != '\0' && strchr("/=?:[]", c));
}

/* RFC 5321 4.1.2 Keyword, and the underscore */
static bool is_keyword(char c)
{
	return is_letter(c) || is_digit(c) || c == '-' || c == '_';
}

/* May be empty. */
static struct slice take_while(struct slice *rest, bool (*is_part)(char))
{
	size_t n = 0;
	struct slice word;

	while (n < rest->n && is_part(rest->p[n]))
		n++;
	word = slice_head(*rest, n);
	*rest = slice_from(*rest, n);
	return word;
}

/* A keyword in lower case, and the CFWS after it. */
static bool take_keyword(struct slice *rest, struct arena *arena, struct slice *keyword_r)
{
	*keyword_r = arena_lower(arena, take_while(rest, is_keyword));
	return keyword_r->n > 0 && skip_cfws(rest);
}

/* The length of the quoted string at the start of the text, with its quotes; 0 when it is not closed. */
static size_t quoted_length(struct slice text)
{
	for (size_t i = 1; i < text.n; i++) {
		if (text.p[i] == '"')
			return i + 1;
		if (text.p[i] == '\\')
			i++;
	}
	return 0;
}

/* RFC 5322 3.2.4: the content of a quoted string without line ends; false when it is not closed. */
static bool take_quoted(struct slice *rest, struct arena *arena, struct slice *meant_r)
{
	size_t length = quoted_length(*rest), n = 0;
	char *meant;

	if (length == 0)
		return false;
	meant = arena_alloc(arena, length);
	for (size_t i = 1; i < length - 1; i++) {
		if (rest->p[i] == '\\')
			i++;
		else if (is_line_end(rest->p[i]))
			continue;
		meant[n++] = rest->p[i];
	}
	*meant_r = (struct slice){meant, n};
	*rest = slice_from(*rest, length);
	return true;
}

/* 1*DIGIT and the CFWS after it */
static bool take_version(struct slice *rest, uint64_t *version_r)
{
	return slice_number(take_while(rest, is_token), UINT64_MAX, version_r) == 0 && skip_cfws(rest);
}

/* ---- the id ---------------------------------------------------------------------------- */

bool authres_read_id(struct slice value, struct arena *arena, struct slice *id_r, uint64_t *version_r,
		     struct slice *rest_r)
{
	struct slice rest = value, id;
	uint64_t version = 1;

	if (!skip_cfws(&rest) || rest.n == 0)
		return false;
	if (rest.p[0] != '"')
		id = take_while(&rest, is_token);
	else if (!take_quoted(&rest, arena, &id))
		return false;
	if (id.n == 0 || !skip_cfws(&rest))
		return false;
	if (rest.n > 0 && rest.p[0] != ';' && !take_version(&rest, &version))
		return false;
	*id_r = id;
	*version_r = version;
	*rest_r = rest;
	return rest.n == 0 || rest.p[0] == ';';
}

bool authres_id(struct slice value, struct arena *arena, struct slice *id_r)
{
	struct slice id, rest;
	uint64_t version;

	if (!authres_read_id(value, arena, &id, &version, &rest))
		return false;
	*id_r = arena_lower(arena, id);
	return true;
}

/* ---- clauses ----------------------------------------------------------------------------- */

/* A quoted pair can hide a line end from a reader that unfolds. */
static bool is_one_line(struct slice text)
{
	return slice_find(text, '\r') < 0 && slice_find(text, '\n') < 0;
}

static struct slice without_line_ends(struct slice text, struct arena *arena)
{
	char *kept = arena_alloc(arena, text.n);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		if (!is_line_end(text.p[i]))
			kept[n++] = text.p[i];
	return (struct slice){kept, n};
}

/* pvalue, and the CFWS after it: a quoted string, a bare word, or [local-part] "@" domain, whose local part keeps its
 * quotes. */
static bool take_value(struct slice *rest, struct arena *arena, struct slice *value_r)
{
	struct slice written = *rest, value, domain;
	bool quoted = rest->n > 0 && rest->p[0] == '"';

	if (!quoted)
		value = take_while(rest, is_bare);
	else if (!take_quoted(rest, arena, &value))
		return false;
	written = slice_head(written, written.n - rest->n);
	if (!is_one_line(value) || !skip_cfws(rest))
		return false;
	if (rest->n == 0 || rest->p[0] != '@') {
		*value_r = value;
		return quoted || value.n > 0;
	}
	if (!take_sign(rest, '@'))
		return false;
	domain = take_while(rest, is_bare);
	written = without_line_ends(written, arena);
	*value_r = arena_printf(arena, "%.*s@%.*s", SLICE_ARGS(written), SLICE_ARGS(domain));
	return domain.n > 0 && skip_cfws(rest);
}

/* methodspec */
static bool take_method(struct slice *rest, struct arena *arena, struct authres_clause *clause)
{
	clause->version = 1;
	if (!take_keyword(rest, arena, &clause->method))
		return false;
	if (rest->n > 0 && rest->p[0] == '/' && (!take_sign(rest, '/') || !take_version(rest, &clause->version)))
		return false;
	return take_sign(rest, '=') && take_keyword(rest, arena, &clause->result);
}

/* reasonspec: one, and before all properties. */
static bool take_reason(struct slice *rest, struct arena *arena, struct slice word, struct authres_clause *clause)
{
	return slice_equal(word, SLICE("reason")) && !clause->reason.p && clause->property_count == 0 &&
	       take_sign(rest, '=') && take_value(rest, arena, &clause->reason);
}

/* propspec; `property->type` was read. */
static bool take_property(struct slice *rest, struct arena *arena, struct authres_property *property)
{
	return take_sign(rest, '.') && take_keyword(rest, arena, &property->property) && take_sign(rest, '=') &&
	       take_value(rest, arena, &property->value);
}

static bool take_clause(struct slice *rest, struct arena *arena, struct authres_clause *clause)
{
	struct authres_property properties[AUTHRES_PROPERTIES_MAX];
	size_t bytes;

	*clause = (struct authres_clause){.properties = NULL};
	if (!take_method(rest, arena, clause))
		return false;
	while (rest->n > 0 && rest->p[0] != ';') {
		struct authres_property property;

		if (!take_keyword(rest, arena, &property.type))
			return false;
		if (rest->n > 0 && rest->p[0] == '=') {
			if (!take_reason(rest, arena, property.type, clause))
				return false;
			continue;
		}
		if (clause->property_count == AUTHRES_PROPERTIES_MAX || !take_property(rest, arena, &property))
			return false;
		properties[clause->property_count++] = property;
	}
	bytes = clause->property_count * sizeof(properties[0]);
	clause->properties = arena_alloc(arena, bytes);
	memcpy(clause->properties, properties, bytes);
	return true;
}

static bool take_clauses(struct slice *rest, struct arena *arena, struct authres_parsed *parsed)
{
	struct authres_clause clauses[AUTHRES_CLAUSES_MAX];
	size_t count = 0, bytes;

	/* Each clause, and the id before the first clause, ends at a semicolon or at the end. */
	while (rest->n > 0) {
		if (!take_sign(rest, ';'))
			return false;
		if (rest->n == 0)
			break;
		if (count == AUTHRES_CLAUSES_MAX || !take_clause(rest, arena, &clauses[count]))
			return false;
		count++;
	}
	if (count == 0)
		return false;
	bytes = count * sizeof(clauses[0]);
	parsed->clauses = arena_alloc(arena, bytes);
	memcpy(parsed->clauses, clauses, bytes);
	parsed->clause_count = count;
	return true;
}

/* no-result: the word alone. */
static bool is_none(struct slice rest)
{
	if (!take_sign(&rest, ';') || !slice_equal_nocase(take_while(&rest, is_keyword), SLICE("none")) ||
	    !skip_cfws(&rest))
		return false;
	return rest.n == 0 || (take_sign(&rest, ';') && rest.n == 0);
}

/* UTF-8 without control bytes except tabs, and without line ends except for folding (and a last one). */
static bool is_text(struct slice value)
{
	for (size_t i = 0, length; i < value.n; i += length) {
		char c = value.p[i];

		length = slice_utf8(slice_from(value, i));
		if (length == 0 || c == 0x7f)
			return false;
		if (c == '\r' && i + 1 < value.n && value.p[i + 1] == '\n')
			continue;
		if (c == '\n' && (i + 1 == value.n || is_blank(value.p[i + 1])))
			continue;
		if (length == 1 && c < ' ' && c != '\t')
			return false;
	}
	return true;
}

bool authres_parse(struct slice value, struct arena *arena, struct authres_parsed *parsed_r)
{
	struct authres_parsed parsed = {.clauses = NULL};
	struct slice id, rest;

	*parsed_r = parsed;
	if (value.n > AUTHRES_BYTES_MAX || !is_text(value))
		return false;
	if (!authres_read_id(value, arena, &id, &parsed.version, &rest) || !is_one_line(id))
		return false;
	if (!is_none(rest) && !take_clauses(&rest, arena, &parsed))
		return false;
	parsed.id = arena_lower(arena, id);
	*parsed_r = parsed;
	return true;
}
