/*
 * emit.c - address fields in the form that mail servers leave unchanged (RFC 6376 5.3).
 *
 * Sendmail rewrites address fields after the milter: ", " between addresses, names in quotes when they hold one of
 * @,;:\()[].' outside of quotes (MustQuoteChars), no source routes, no blanks or comments within an address. This
 * breaks a signature over the original form. Postfix changes nothing. So a signed message gets the form
 * that Sendmail would write, where it means the same: names keep their text, encoded words stay outside of quotes,
 * groups stay groups. What only Sendmail knows (which domain it adds to an address without one) is left alone, and
 * the caller gets the reason.
 */
#include "emit_private.h"
#include "gate_private.h"
#include <string.h>

#define ELEMENT_MAX 255              /* of one address with its name: Sendmail cuts longer ones (MAXNAME) */
#define TOKENS_MAX  ELEMENT_MAX      /* likewise */
#define MUST_QUOTE  "@,;:\\[].'()<>" /* in a name, outside of quotes */

static const char no_domain[] = "an address without a domain, to which Sendmail adds its own";
static const char unreadable[] = "an address that is not well-formed, which Sendmail may rewrite";
static const char loose[] = "a comment or an encoded name, which Sendmail splits";
static const char too_long[] = "an address that, with its name, is longer than Sendmail accepts";

struct tokens {
	struct token *list;
	size_t count;
};

struct emitter {
	struct text out;
	struct tokens element; /* the tokens since the last separator */
	struct tokens inner;   /* those of an address in angle brackets */
	size_t start;          /* of the element in `out` */
	bool group;            /* between the colon and the semicolon of a group */
	bool begun;            /* the element has its separator */
	bool tight;            /* no blanks but after commas and within quotes */
	const char *why;       /* it cannot be written safely; the first reason stays */
};

static void refuse(struct emitter *emitter, const char *why)
{
	if (!emitter->why)
		emitter->why = why;
}

static void push(struct emitter *emitter, struct tokens *tokens, struct token token)
{
	if (tokens->count == TOKENS_MAX)
		refuse(emitter, too_long);
	else
		tokens->list[tokens->count++] = token;
}

static bool is_mark(const struct token *token, char mark)
{
	return token->kind == TOKEN_MARK && token->text.p[0] == mark;
}

/* ---- names --------------------------------------------------------------------------------- */

static void write_blank(struct emitter *emitter, const struct token *token)
{
	if (token->blank && !emitter->tight && emitter->out.n > emitter->start)
		text_add_char(&emitter->out, ' ');
}

static bool must_quote(struct tokens words)
{
	for (size_t i = 0; i < words.count; i++)
		for (size_t k = 0; k < words.list[i].text.n; k++)
			if (words.list[i].text.p[k] && strchr(MUST_QUOTE, words.list[i].text.p[k]))
				return true;
	return false;
}

/* Words without quotes, in one pair of quotes when they need it. A backslash has the same meaning there. */
static void write_words(struct emitter *emitter, struct tokens words)
{
	bool quotes = must_quote(words);

	write_blank(emitter, &words.list[0]);
	text_add(&emitter->out, quotes ? SLICE("\"") : SLICE(""));
	for (size_t i = 0; i < words.count; i++) {
		text_add(&emitter->out, i > 0 && words.list[i].blank ? SLICE(" ") : SLICE(""));
		token_write(&emitter->out, &words.list[i]);
	}
	text_add(&emitter->out, quotes ? SLICE("\"") : SLICE(""));
}

/* A name in one pair of quotes, with nothing beside it. */
static void write_tight(struct emitter *emitter, size_t from, size_t to)
{
	text_add(&emitter->out, from < to ? SLICE("\"") : SLICE(""));
	for (size_t i = from; i < to; i++) {
		struct token token = emitter->element.list[i];

		if (token.kind == TOKEN_QUOTED)
			token.text = (struct slice){token.text.p + 1, token.text.n - 2};
		else if (token.kind != TOKEN_WORD)
			refuse(emitter, loose);
		text_add(&emitter->out, i > from && token.blank ? SLICE(" ") : SLICE(""));
		token_write(&emitter->out, &token);
	}
	text_add(&emitter->out, from < to ? SLICE("\"") : SLICE(""));
}

/* Tokens from..to of the element: a name, and comments. */
static void write_phrase(struct emitter *emitter, size_t from, size_t to)
{
	struct token *list = emitter->element.list;

	if (emitter->tight) {
		write_tight(emitter, from, to);
		return;
	}
	while (from < to) {
		size_t end = from;

		while (end < to && list[end].kind == TOKEN_WORD)
			end++;
		if (end > from) {
			write_words(emitter, (struct tokens){list + from, end - from});
			from = end;
			continue;
		}
		write_blank(emitter, &list[from]);
		if (list[from].kind == TOKEN_ENCODED)
			encoded_write(&emitter->out, list[from].text);
		else
			token_write(&emitter->out, &list[from]);
		from++;
	}
}

/* ---- addresses ------------------------------------------------------------------------------- */

static bool joins(char c)
{
	return c == '.' || c == '@';
}

/* Does a blank or a comment separate two words of an address? Beside a dot or @ it can be dropped (RFC 5322 4.4). */
static bool is_apart(struct slice before, const struct token *token, bool comment)
{
	if (before.n == 0 || !(token->blank || comment))
		return false;
	return !joins(before.p[before.n - 1]) && !joins(token->text.p[0]);
}

/* Where the domain of an address begins; SIZE_MAX: there is none. */
static size_t domain_start(struct slice address)
{
	bool quoted = false;
	size_t at = SIZE_MAX;

	for (size_t i = 0; i < address.n; i++) {
		if (address.p[i] == '\\')
			i++;
		else if (address.p[i] == '"')
			quoted = !quoted;
		else if (address.p[i] == '@' && !quoted)
			at = i + 1;
	}
	return at;
}

/* Without dots at the end of its domain. */
static struct slice whole_address(struct emitter *emitter, struct slice address)
{
	size_t at = domain_start(address);
	struct slice domain = slice_from(address, at);

	while (domain.n > 1 && domain.p[domain.n - 1] == '.')
		domain = slice_head(domain, domain.n - 1);
	if (at == SIZE_MAX || slice_equal_nocase(domain, SLICE("localhost")) ||
	    slice_ends_nocase(domain, SLICE(".uucp")))
		refuse(emitter, no_domain);
	else if (at == 1 || domain.n == 0 || slice_find(domain, '\\') >= 0)
		refuse(emitter, unreadable);
	return slice_head(address, address.n - (slice_from(address, at).n - domain.n));
}

/* An address has no special characters outside of quotes; a literal is part of its word. */
static bool is_broken(const struct token *token)
{
	if (token->kind != TOKEN_WORD && token->kind != TOKEN_ENCODED)
		return token->kind == TOKEN_MARK;
	for (size_t i = 0; i < token->text.n; i++)
		if (token->text.p[i] && strchr(",;<>()", token->text.p[i]))
			return true;
	return slice_equal(token->text, SLICE(":"));
}

/* The address that the tokens make, without blanks, comments and source route. */
static struct slice join_address(struct emitter *emitter, struct tokens tokens)
{
	struct text address;
	bool comment = false;

	text_init(&address, emitter->out.arena, SIZE_MAX / 4);
	for (size_t i = 0; i < tokens.count; i++) {
		const struct token *token = &tokens.list[i];

		if (token->kind == TOKEN_COMMENT) {
			comment = true;
			continue;
		}
		if (is_broken(token) || is_apart(text_slice(&address), token, comment))
			refuse(emitter, unreadable);
		comment = false;
		token_write(&address, token);
	}
	return whole_address(emitter, text_slice(&address));
}

/* "@a,@b:" says how an address was once to be reached (RFC 5322 4.4). */
static struct tokens without_route(struct tokens tokens)
{
	if (tokens.count == 0 || tokens.list[0].text.p[0] != '@')
		return tokens;
	for (size_t i = 0; i < tokens.count; i++)
		if (is_mark(&tokens.list[i], ':'))
			return (struct tokens){tokens.list + i + 1, tokens.count - i - 1};
	return tokens;
}

static void write_comments(struct emitter *emitter, struct tokens tokens)
{
	for (size_t i = 0; i < tokens.count; i++) {
		if (tokens.list[i].kind != TOKEN_COMMENT)
			continue;
		if (emitter->tight)
			refuse(emitter, loose);
		text_add_char(&emitter->out, ' ');
		token_write(&emitter->out, &tokens.list[i]);
	}
}

static void write_angle(struct emitter *emitter, const struct token *angle)
{
	struct slice rest = angle->text;
	struct token token;
	int found;

	emitter->inner.count = 0;
	while ((found = token_next(&rest, &token)) > 0)
		push(emitter, &emitter->inner, token);
	if (found < 0)
		refuse(emitter, unreadable);
	write_blank(emitter, angle);
	text_add_char(&emitter->out, '<');
	if (emitter->inner.count > 0)
		text_add(&emitter->out, join_address(emitter, without_route(emitter->inner)));
	text_add_char(&emitter->out, '>');
	write_comments(emitter, emitter->inner);
}

/* An address without a name. Comments before and after it stay where they are, with blanks between. */
static void write_bare(struct emitter *emitter)
{
	struct tokens all = emitter->element, address;
	size_t first = 0, last = all.count;

	while (first < last && all.list[first].kind == TOKEN_COMMENT)
		first++;
	while (last > first && all.list[last - 1].kind == TOKEN_COMMENT)
		last--;
	if (first < last)
		all.list[first].blank = all.list[first].blank || first > 0;
	for (size_t i = last; i < all.count && first < last; i++)
		all.list[i].blank = true;
	write_phrase(emitter, 0, first);
	if (first == last)
		return;
	write_blank(emitter, &all.list[first]);
	address = (struct tokens){all.list + first, last - first};
	text_add(&emitter->out, join_address(emitter, address));
	write_comments(emitter, address);
	write_phrase(emitter, last, all.count);
}

/* ---- lists ------------------------------------------------------------------------------------- */

static void begin_element(struct emitter *emitter)
{
	if (!emitter->begun)
		text_add(&emitter->out, emitter->out.n > 0 ? SLICE(",\n ") : SLICE(""));
	if (!emitter->begun)
		emitter->start = emitter->out.n;
	emitter->begun = true;
}

static void write_named(struct emitter *emitter, size_t angle)
{
	struct tokens all = emitter->element;

	for (size_t i = angle + 1; i < all.count; i++)
		if (all.list[i].kind != TOKEN_COMMENT)
			refuse(emitter, unreadable);
	write_phrase(emitter, 0, angle);
	write_angle(emitter, &all.list[angle]);
	write_phrase(emitter, angle + 1, all.count);
}

static void end_element(struct emitter *emitter)
{
	size_t angle = SIZE_MAX;

	for (size_t i = emitter->element.count; i-- > 0;)
		if (emitter->element.list[i].kind == TOKEN_ANGLE)
			angle = i;
	if (emitter->element.count > 0) {
		begin_element(emitter);
		if (angle == SIZE_MAX)
			write_bare(emitter);
		else
			write_named(emitter, angle);
		if (emitter->out.n - emitter->start > ELEMENT_MAX)
			refuse(emitter, too_long);
	}
	emitter->element.count = 0;
}

/* At the colon after the name of a group (RFC 5322 3.4). */
static void begin_group(struct emitter *emitter)
{
	begin_element(emitter);
	write_phrase(emitter, 0, emitter->element.count);
	text_add_char(&emitter->out, ':');
	emitter->element.count = 0;
	emitter->group = true;
}

static void end_group(struct emitter *emitter)
{
	end_element(emitter);
	text_add_char(&emitter->out, ';');
	emitter->group = emitter->begun = false;
}

/* May a list go on after the element? */
static bool ends_address(const struct emitter *emitter)
{
	for (size_t i = 0; i < emitter->element.count; i++) {
		const struct token *token = &emitter->element.list[i];

		if (token->kind == TOKEN_ANGLE || (token->kind == TOKEN_WORD && slice_find(token->text, '@') >= 0))
			return true;
	}
	return emitter->element.count == 0;
}

/* Outside of a group some programs write ";" where "," is meant. */
static void take_token(struct emitter *emitter, struct token token)
{
	if (is_mark(&token, ';') && emitter->group) {
		end_group(emitter);
	} else if (is_mark(&token, ',') || (is_mark(&token, ';') && ends_address(emitter))) {
		end_element(emitter);
		emitter->begun = emitter->begun && emitter->out.p[emitter->out.n - 1] == ':';
	} else if (is_mark(&token, ':') && !emitter->group && !ends_address(emitter)) {
		begin_group(emitter);
	} else {
		if (token.kind == TOKEN_MARK)
			token.kind = TOKEN_WORD;
		push(emitter, &emitter->element, token);
	}
}

/* ---- a field ------------------------------------------------------------------------------------ */

static bool has_addresses(struct slice name)
{
	static const char *const names[] = {"From",
					    "Sender",
					    "Reply-To",
					    "To",
					    "Cc",
					    "Resent-From",
					    "Resent-To",
					    "Resent-Cc",
					    "Resent-Sender",
					    "Resent-Reply-To",
					    "Errors-To",
					    "Apparently-To",
					    "Disposition-Notification-To",
					    NULL};

	for (size_t i = 0; names[i]; i++)
		if (slice_equal_nocase(name, slice_of(names[i])))
			return true;
	return false;
}

/* Relaxed canonicalisation turns all blanks into one space: folding alone is not a difference. */
static bool is_rewritten(struct slice old, struct slice new)
{
	size_t i = 0, k = 0;

	old = slice_trim(old);
	for (; i < old.n && k < new.n; i++, k++) {
		bool blank = slice_trim((struct slice){old.p + i, 1}).n == 0;

		if (!blank && old.p[i] != new.p[k])
			return true;
		if (blank && slice_trim((struct slice){new.p + k, 1}).n > 0)
			return true;
		while (blank && i + 1 < old.n && slice_trim((struct slice){old.p + i + 1, 1}).n == 0)
			i++;
		while (blank && k + 1 < new.n &&slice_trim((struct slice){new.p + k + 1, 1}).n == 0)
			k++;
	}
	return i < old.n || k < new.n;
}

bool emit_is_torn(struct slice value)
{
	for (size_t i = 0; i < value.n; i++) {
		char next = i + 1 < value.n ? value.p[i + 1] : '\0';

		if (value.p[i] == '\n' && next != ' ' && next != '\t')
			return true;
		if (value.p[i] == '\r' && next != '\n')
			return true;
	}
	return false;
}

static bool rewrites(struct slice value, bool tight, struct arena *arena, struct slice *value_r, const char **why_r)
{
	struct token element[TOKENS_MAX], inner[TOKENS_MAX], token;
	struct emitter emitter = {.element = {element, 0}, .inner = {inner, 0}, .tight = tight};
	struct slice rest = value;
	int found = 0;

	text_init(&emitter.out, arena, SIZE_MAX / 4); /* linear in the value, which is bounded */
	while (!emitter.why && (found = token_next(&rest, &token)) > 0)
		take_token(&emitter, token);
	if (found < 0)
		refuse(&emitter, unreadable);
	if (!emitter.why)
		end_element(&emitter);
	*value_r = text_slice(&emitter.out);
	if (value_r->n == 0 && slice_trim(value).n > 0)
		refuse(&emitter, unreadable);
	*why_r = emitter.why;
	return !emitter.why && value_r->n > 0 && is_rewritten(value, *value_r);
}

bool emit_rewrites(struct slice name, struct slice value, struct arena *arena, struct slice *value_r,
		   const char **why_r)
{
	*why_r = NULL;
	return has_addresses(name) && !emit_is_torn(value) && rewrites(value, false, arena, value_r, why_r);
}

bool emit_tightens(struct slice name, struct slice value, struct arena *arena, struct slice *value_r,
		   const char **why_r)
{
	static const char *const names[] = {"To", "Cc", "Apparently-To", "Resent-To", "Resent-Cc", NULL};

	*why_r = NULL;
	for (size_t i = 0; names[i]; i++)
		if (slice_equal_nocase(name, slice_of(names[i])))
			return rewrites(value, true, arena, value_r, why_r);
	return false;
}

bool emit_is_plain(const struct headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		const struct header_field *field = &headers->fields[i];

		if (!has_addresses(field->name) && !slice_equal_nocase(field->name, SLICE("Bcc")))
			continue;
		for (size_t k = 0; k < field->value.n; k++)
			if (field->value.p[k] && strchr(",;<(", field->value.p[k]))
				return false;
	}
	return true;
}
