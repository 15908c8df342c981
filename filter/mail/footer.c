/*
 * footer.c - finds the place for a footer in the body of a message, and encodes the footer for it.
 *
 * The parts are visited as a mail reader shows them: the first part of a multipart/mixed that is not an attachment, all
 * texts of a multipart/alternative, the first part of a multipart/related. Plain text gets the footer at its end, HTML
 * before </body>, in the charset and the transfer encoding of the part. Either all of these parts get it or none, so
 * both alternatives show the same message. Signed or encrypted messages are not changed, nor are ambiguous ones.
 *
 * The sender's bytes are not encoded again, except for base64, which may end inside a group.
 */
#include "mime_private.h"

#include <string.h>

#define DEPTH_MAX    10                /* nested multiparts; honest mail has three or four */
#define PARTS_MAX    200               /* visited in total */
#define TARGETS_MAX  20                /* texts that get the footer */
#define FOOTED_MAX   (4 * 1024 * 1024) /* bytes of one text: it is decoded in memory */
#define LINE_LONGEST 998               /* RFC 5322 2.1.1 */

enum found { FOUND_NOTHING, FOUND_TEXT, FOUND_TROUBLE };

struct walk {
	const struct footer *footer;
	struct slice body, eol; /* of the message */
	struct arena *arena;
	struct mime_part targets[TARGETS_MAX];
	size_t target_count, part_count, boundary_count;
	struct slice boundaries[PARTS_MAX + 1]; /* of all multiparts */
	const char *why;                        /* FOUND_TROUBLE: static */
};

static enum found trouble(struct walk *walk, const char *why)
{
	walk->why = why;
	return FOUND_TROUBLE;
}

/* ---- which parts ------------------------------------------------------------------------------- */

static enum found walk_part(struct walk *, const struct mime_part *, unsigned depth);

static bool is_type(const struct mime_part *part, const char *type, const char *subtype)
{
	return slice_equal(part->type.type, slice_of(type)) &&
	       (!subtype || slice_equal(part->type.subtype, slice_of(subtype)));
}

/* How a mail reader shows the children of a multipart. */
enum showing { SHOW_FIRST, SHOW_ALL, SHOW_ROOT };

static enum found walk_child(struct walk *walk, struct slice text, unsigned depth, bool attached_too)
{
	struct mime_part child = {0};
	const char *why;

	if (++walk->part_count > PARTS_MAX)
		return trouble(walk, "it has too many parts");
	why = mime_part_open(text, walk->arena, &child.type, &child.body);
	if (why)
		return trouble(walk, why);
	child.at = (size_t)(child.body.p - walk->body.p);
	return child.type.attachment && !attached_too ? FOUND_NOTHING : walk_part(walk, &child, depth + 1);
}

/* The body is always parsed to its end: a part that is not closed is an error. */
static enum found walk_children(struct walk *walk, const struct mime_part *part, enum showing showing, unsigned depth)
{
	enum found found = FOUND_NOTHING;
	struct mime_parts parts;
	struct slice text;
	bool done = false;
	const char *why = mime_parts_begin(&parts, part->body, part->type.boundary);

	walk->boundaries[walk->boundary_count++] = part->type.boundary;
	while (!why && !(why = mime_parts_next(&parts, &text)) && text.p) {
		enum found one = done ? FOUND_NOTHING : walk_child(walk, text, depth, showing == SHOW_ALL);

		if (one == FOUND_TROUBLE)
			return one;
		found = one == FOUND_TEXT ? one : found;
		done = showing == SHOW_ROOT || (showing == SHOW_FIRST && one == FOUND_TEXT);
	}
	return why ? trouble(walk, why) : found;
}

static enum found walk_multipart(struct walk *walk, const struct mime_part *part, unsigned depth)
{
	if (depth >= DEPTH_MAX)
		return trouble(walk, "its parts are nested too deep");
	if (is_type(part, "multipart", "signed"))
		return trouble(walk, "it is signed (multipart/signed)");
	if (is_type(part, "multipart", "encrypted"))
		return trouble(walk, "it is encrypted (multipart/encrypted)");
	if (is_type(part, "multipart", "report"))
		return trouble(walk, "it is a report (multipart/report)");
	if (part->type.encoding != ENCODING_7BIT && part->type.encoding != ENCODING_8BIT)
		return trouble(walk, "a multipart has a transfer encoding");
	if (is_type(part, "multipart", "alternative"))
		return walk_children(walk, part, SHOW_ALL, depth);
	if (is_type(part, "multipart", "related"))
		return walk_children(walk, part, SHOW_ROOT, depth);
	return walk_children(walk, part, SHOW_FIRST, depth);
}

static enum found walk_part(struct walk *walk, const struct mime_part *part, unsigned depth)
{
	if (is_type(part, "multipart", NULL))
		return walk_multipart(walk, part, depth);
	if (is_type(part, "application", "pkcs7-mime") || is_type(part, "application", "x-pkcs7-mime"))
		return trouble(walk, "it is signed or encrypted (S/MIME)");
	if (is_type(part, "application", "pgp-encrypted") || is_type(part, "application", "pgp"))
		return trouble(walk, "it is signed or encrypted (PGP)");
	if (!is_type(part, "text", "plain") && !is_type(part, "text", "html"))
		return FOUND_NOTHING;
	if (walk->target_count == TARGETS_MAX)
		return trouble(walk, "it has too many text parts");
	walk->targets[walk->target_count++] = *part;
	return FOUND_TEXT;
}

/* ---- the footer of a part ----------------------------------------------------------------------- */

static bool is_html(const struct mime_part *part)
{
	return is_type(part, "text", "html");
}

/* Non-ASCII characters as numeric references: they work in HTML of any charset. */
static struct slice with_references(struct slice utf8, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, SIZE_MAX / 4); /* linear */
	for (size_t i = 0; i < utf8.n;) {
		size_t n = slice_utf8(slice_from(utf8, i));
		unsigned code = (unsigned char)utf8.p[i];

		if (n > 1)
			code &= 0xffu >> (n + 1);
		for (size_t k = 1; k < n; k++)
			code = code << 6 | ((unsigned char)utf8.p[i + k] & 0x3fu);
		if (n > 1)
			text_printf(&text, "&#%u;", code);
		else
			text_add_char(&text, utf8.p[i]);
		i += n ? n : 1;
	}
	return text_slice(&text);
}

static bool has_long_line(struct slice text)
{
	struct slice line;

	while (slice_cut(&text, '\n', &line))
		if (line.n > LINE_LONGEST)
			return true;
	return false;
}

/* The footer in the charset of the part, before transfer encoding, lines separated by LF. */
static const char *footer_bytes(struct walk *walk, const struct mime_part *part, struct slice *bytes_r)
{
	struct slice said = is_html(part) ? walk->footer->html : walk->footer->text;
	enum mime_encoding encoding = part->type.encoding;
	bool fits;

	if (!charset_known(part->type.charset))
		return "its charset is not supported";
	fits = charset_encode(part->type.charset, said, walk->arena, bytes_r) == 0 &&
	       (encoding != ENCODING_7BIT || slice_is_ascii(*bytes_r));
	if (!fits && is_html(part)) {
		*bytes_r = with_references(said, walk->arena);
		fits = true;
	}
	if (!fits && encoding == ENCODING_7BIT)
		return "its transfer encoding (7bit) or its charset cannot hold the footer";
	if (!fits)
		return "its charset cannot hold the footer";
	if ((encoding == ENCODING_7BIT || encoding == ENCODING_8BIT) && has_long_line(*bytes_r))
		return "a line of the footer is too long for its transfer encoding";
	return NULL;
}

static const char *decode(struct walk *walk, const struct mime_part *part, struct slice *text_r)
{
	if (part->body.n > FOOTED_MAX)
		return "a text part is too large";
	*text_r = part->body;
	switch (part->type.encoding) {
	case ENCODING_QP:
		return qp_decode(part->body, walk->arena, text_r) < 0 ? "its quoted-printable is malformed" : NULL;
	case ENCODING_BASE64:
		return base64_decode(part->body, walk->arena, text_r) < 0 ? "its base64 is malformed" : NULL;
	case ENCODING_OTHER:
		return "its transfer encoding is unknown";
	default:
		return NULL;
	}
}

static bool holds(struct slice text, const char *word)
{
	return text.n > 0 && memmem(text.p, text.n, word, strlen(word)) != NULL;
}

/* Does the footer come directly before `at`? Ignores blanks, line ends and CR between them. */
static bool is_there(struct slice text, size_t at, struct slice footer)
{
	struct slice before = slice_trim(slice_head(text, at));
	size_t n = before.n;

	footer = slice_trim(footer);
	for (size_t i = footer.n; i > 0; i--) {
		if (n > 0 && before.p[n - 1] == '\r' && footer.p[i - 1] != '\r')
			n--;
		if (n == 0 || before.p[--n] != footer.p[i - 1])
			return false;
	}
	return footer.n > 0;
}

/* The place of the footer in the text of a part: before the last </body>, else </html>, else at the end. */
static size_t place_in_html(struct slice text)
{
	size_t html = text.n;

	for (size_t i = text.n; i-- > 0;) {
		if (text.p[i] != '<')
			continue;
		if (slice_starts_nocase(slice_from(text, i), SLICE("</body")))
			return i;
		if (html == text.n && slice_starts_nocase(slice_from(text, i), SLICE("</html")))
			html = i;
	}
	return html;
}

static struct slice with_eol(struct slice text, struct slice eol, struct arena *arena)
{
	struct text out;

	text_init(&out, arena, SIZE_MAX / 4); /* linear */
	for (size_t i = 0; i < text.n; i++)
		text_add(&out, text.p[i] == '\n' ? eol : slice_head(slice_from(text, i), 1));
	return text_slice(&out);
}

/* A footer in plain text begins after an empty line; at the end of a body it ends with a line end. Lines separated by
 * LF. */
static struct slice framed(struct walk *walk, const struct mime_part *part, struct slice text, size_t at,
			   struct slice footer)
{
	bool ended = at == 0 || text.p[at - 1] == '\n';
	struct slice before = SLICE("\n"), after = part->top || at < text.n ? SLICE("\n") : SLICE("");

	if (is_html(part))
		before = ended ? SLICE("") : SLICE("\n");
	else if (at == 0)
		before = SLICE("");
	else if (!ended)
		before = SLICE("\n\n");
	return arena_join(walk->arena, before, footer, after);
}

/* Inserts before the rest of the sender's text, or at its end; an open soft break at the end is completed first. */
static struct splice splice_qp(struct walk *walk, const struct mime_part *part, size_t at, size_t end,
			       struct slice added)
{
	struct slice raw = part->body, encoded = qp_encode(added, walk->eol, walk->arena);
	bool open =
	    at == end && raw.n > 0 && raw.p[raw.n - 1] != '\n' && slice_ends_nocase(slice_trim(raw), SLICE("="));

	return (struct splice){.at = part->at + (at == end ? raw.n : qp_offset(raw, at)),
			       .add = arena_join(walk->arena, open ? walk->eol : SLICE(""), encoded)};
}

static struct splice splice_base64(struct walk *walk, const struct mime_part *part, struct slice text, size_t at,
				   struct slice added)
{
	struct slice crlf = SLICE("\r\n");
	struct slice whole =
	    arena_join(walk->arena, slice_head(text, at), with_eol(added, crlf, walk->arena), slice_from(text, at));
	struct slice lines = base64_lines(whole, walk->eol, walk->arena);

	if (!part->top)
		lines.n -= walk->eol.n; /* the last line end belongs to the delimiter */
	return (struct splice){.at = part->at, .drop = part->body.n, .add = lines};
}

/* A footer may hold what the sender wrote, and the sender chose the boundaries: no line may end the part. */
static bool has_boundary(const struct walk *walk, struct slice added)
{
	struct slice line;

	while (slice_cut(&added, '\n', &line))
		for (size_t i = 0; slice_starts_nocase(line, SLICE("--")) && i < walk->boundary_count; i++)
			if (slice_starts_nocase(slice_from(line, 2), walk->boundaries[i]))
				return true;
	return false;
}

/* The change of the part. *there_r: it has the footer already. */
static const char *splice_part(struct walk *walk, const struct mime_part *part, struct splice *splice_r, bool *there_r)
{
	struct slice text, footer, added;
	const char *why = footer_bytes(walk, part, &footer);
	size_t at;

	if (!why)
		why = decode(walk, part, &text);
	if (why)
		return why;
	if (holds(text, "-----BEGIN PGP "))
		return "its text is signed or encrypted (PGP)";
	at = is_html(part) ? place_in_html(text) : text.n;
	*there_r = is_there(text, at, footer);
	if (*there_r)
		return NULL;
	added = framed(walk, part, text, at, footer);
	if (part->type.encoding == ENCODING_QP)
		*splice_r = splice_qp(walk, part, at, text.n, added);
	else if (part->type.encoding == ENCODING_BASE64)
		*splice_r = splice_base64(walk, part, text, at, added);
	else
		*splice_r = (struct splice){.at = part->at + at, .add = with_eol(added, walk->eol, walk->arena)};
	if (part->type.joined)
		splice_r->add = arena_join(walk->arena, walk->eol, splice_r->add);
	return has_boundary(walk, splice_r->add) ? "a line of the footer is a boundary of its parts" : NULL;
}

/* ---- the plan ------------------------------------------------------------------------------------- */

static void left_out(struct footer_plan *plan, struct arena *arena, const char *why)
{
	plan->count = 0;
	plan->told = arena_printf(arena, "left out: %s", why);
}

static void make_splices(struct walk *walk, struct footer_plan *plan)
{
	struct text told;

	text_init(&told, walk->arena, TARGETS_MAX * sizeof("text/plain, "));
	plan->splices = arena_raw(walk->arena, TARGETS_MAX * sizeof(*plan->splices));
	for (size_t i = 0; i < walk->target_count; i++) {
		struct mime_part *part = &walk->targets[i];
		const char *why;
		bool there;

		why = splice_part(walk, part, &plan->splices[plan->count], &there);
		if (why) {
			left_out(plan, walk->arena, why);
			return;
		}
		if (there)
			continue;
		plan->count++;
		text_printf(&told, "%s%s", told.n ? ", " : "added to ", is_html(part) ? "text/html" : "text/plain");
	}
	if (plan->count == 0)
		left_out(plan, walk->arena, "the footer is there already");
	else
		plan->told = text_slice(&told);
}

void footer_plan(const struct footer *footer, const struct header_field *fields, size_t count, struct slice body,
		 struct arena *arena, struct footer_plan *plan_r)
{
	struct walk *walk = arena_alloc(arena, sizeof(*walk));
	struct mime_part part = {.body = body, .top = true};
	const char *line_end = body.n ? memchr(body.p, '\n', body.n) : NULL;
	const char *why = mime_read_type(fields, count, arena, &part.type);
	enum found found;

	*plan_r = (struct footer_plan){.count = 0};
	walk->footer = footer;
	walk->body = body;
	walk->arena = arena;
	walk->eol = line_end && (line_end == body.p || line_end[-1] != '\r') ? SLICE("\n") : SLICE("\r\n");
	found = why ? trouble(walk, why) : walk_part(walk, &part, 0);
	if (found == FOUND_TROUBLE)
		left_out(plan_r, arena, walk->why);
	else if (found == FOUND_NOTHING)
		left_out(plan_r, arena, "it has no text part for the footer");
	else
		make_splices(walk, plan_r);
}
